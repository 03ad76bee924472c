"""Leases: who may work on what, and for how long."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest

from bridge.ledger import Beside, Blocked, Go, Lost, Mark, Record, connect
from bridge.model import Rate, Status


def keys(entries):
    return [entry.key for entry in entries]


def test_a_claim_takes_what_is_due_and_nobody_else_gets_it(desk):
    desk.accept("e1")

    (entry,) = desk.claim("w1")

    assert (entry.key, entry.status, entry.was) == ("e1", Status.RUNNING, Status.QUEUED)
    assert desk.claim("w2") == []
    assert desk.ledger.unfinished()["e1"] == desk.now + timedelta(seconds=20)


def test_what_may_cancel_is_served_first_and_room_is_respected(desk):
    desk.accept("a", "b", refs=())
    desk.later(seconds=1)
    desk.accept("stop", refs=(), first=True)

    assert keys(desk.claim(room=2)) == ["stop", "a"]
    assert keys(desk.claim(room=2)) == ["b"]


def test_one_event_at_a_time_for_one_person(desk):
    desk.accept("e1", refs=("lead:1", "phone:+1"))
    desk.accept("e2", refs=("phone:+1", "lead:2"))

    (entry,) = desk.claim()
    assert desk.entry("e2").status == Status.WAITING
    assert "e1" in desk.entry("e2").reason

    desk.record(entry)
    desk.later(milliseconds=250)
    assert keys(desk.claim()) == ["e2"]


def test_the_same_record_of_two_crms_is_two_records_and_one_phone_is_one_person(desk):
    desk.accept("e1", refs=("lead:1",))

    assert [entry.key for entry in desk.ledger.sharing(["crm/lead:1"])] == ["e1"]
    assert desk.ledger.sharing(["other/lead:1"]) == []


def test_eight_workers_at_once_never_hold_one_person_twice(desk):
    desk.accept(*(f"e{number}" for number in range(40)), refs=("phone:+1",))

    with ThreadPoolExecutor(8) as threads:
        claimed = list(threads.map(lambda number: desk.claim(f"w{number}"), range(8)))

    assert sum(len(entries) for entries in claimed) == 1


def test_a_lease_that_ran_out_is_taken_over_and_counted_as_a_crash(desk):
    desk.accept("e1")
    desk.claim("w1")
    desk.later(seconds=19)
    assert desk.claim("w2") == []
    desk.later(seconds=1)

    (entry,) = desk.claim("w2")

    assert (entry.crashes, entry.was) == (1, Status.RUNNING)


def test_a_worker_that_claims_again_what_it_had_is_alive_and_no_crash(desk):
    """Redis took the claim and went away before it answered, three times over."""
    desk.accept("e1")
    for _ in range(3):
        desk.claim("w1")
        desk.later(seconds=20)

    (entry,) = desk.claim("w1")

    assert (entry.crashes, entry.was) == (0, Status.RUNNING)


def test_who_lost_the_lease_can_neither_begin_nor_record_nor_renew(desk):
    desk.accept("e1")
    (old,) = desk.claim("w1")
    desk.later(seconds=20)
    desk.claim("w2")

    assert isinstance(desk.call(old, "w1"), Lost)
    assert desk.record(old, worker="w1") is False
    assert desk.ledger.renew("w1", timedelta(seconds=20), ["e1"], desk.now) == set()
    assert desk.entry("e1").status == Status.RUNNING
    assert not desk.entry("e1").open


def test_a_late_record_counts_while_nobody_has_taken_over(desk):
    desk.accept("e1")
    (entry,) = desk.claim("w1")
    desk.later(seconds=300)

    assert desk.record(entry, worker="w1") is True
    assert desk.record(entry, worker="w1") is False


def test_a_renewed_lease_lasts(desk):
    desk.accept("e1")
    desk.claim("w1")
    desk.later(seconds=15)

    assert desk.ledger.renew("w1", timedelta(seconds=20), ["e1", "none"], desk.now) == {"e1"}
    desk.later(seconds=15)
    assert desk.claim("w2") == []


def test_a_record_forgives_earlier_crashes(desk):
    desk.accept("e1")
    desk.claim("w1")
    desk.later(seconds=20)
    (entry,) = desk.claim("w2")
    desk.record(entry, Status.WAITING, "w2")

    assert desk.entry("e1").crashes == 0


def test_the_person_of_a_dead_worker_stays_its_own_until_the_event_is_taken_over(desk):
    """A ref's lease runs by Redis's clock, an event's by the workers': the same event passes, nobody else does."""
    desk.accept("e1", refs=("phone:+1",))
    desk.claim("w1")
    desk.later(seconds=1)
    desk.accept("e2", refs=("phone:+1",))
    desk.later(hours=1)

    assert keys(desk.claim("w2")) == ["e1"]


def test_a_ref_whose_lease_outlived_the_worker_that_held_it_is_free_in_time(desk, redis):
    desk.accept("e1", refs=("phone:+1",))
    desk.claim("w1")

    assert 0 < redis.pttl("callbridge:1:lease:phone:+1") <= 20_000


def test_refs_learned_later_are_leased_and_lead_to_the_event(desk):
    desk.accept("e1", refs=("deal:1",))
    (entry,) = desk.claim()
    assert isinstance(desk.call(desk.knowing(entry, "phone:+1")), Go)
    desk.accept("e2", refs=("phone:+1",))

    assert desk.claim() == []
    assert {found.key for found in desk.ledger.sharing(["phone:+1"])} == {"e1", "e2"}


def test_a_learned_ref_that_is_taken_is_busy(desk):
    desk.accept("e1", refs=("deal:1",))
    desk.accept("e2", refs=("phone:+1",))
    one, _ = desk.claim()

    verdict = desk.call(desk.knowing(one, "phone:+1"))

    assert verdict == Blocked("busy", "e2")
    assert not desk.entry("e1").open


def test_a_record_gives_back_every_ref(desk, redis):
    desk.accept("e1", refs=("deal:1",))
    (entry,) = desk.claim()
    entry = desk.knowing(entry, "phone:+1")
    desk.call(entry)
    desk.record(entry)

    assert redis.keys("callbridge:1:lease:*") == []


def test_many_events_of_a_busy_person_use_up_no_room(desk):
    desk.accept("held", refs=("phone:+1",))
    desk.claim("elsewhere")
    desk.accept(*(f"e{number}" for number in range(15)), refs=("phone:+1",))
    desk.later(milliseconds=1)
    desk.accept("other", refs=("phone:+2",))

    assert keys(desk.claim(room=2)) == ["other"]


# The last gate.


@pytest.mark.parametrize(("age", "stopped"), [(-1, True), (0, True), (1, False)])
def test_a_stop_mark_stops_facts_that_are_not_newer(desk, age, stopped):
    desk.accept("stop", marks=(Mark("crm/lead:1", "*", desk.now),), refs=("lead:2",))
    desk.accept("e1", at=desk.now + timedelta(milliseconds=age))
    (entry,) = (entry for entry in desk.claim() if entry.key == "e1")

    assert desk.call(entry) == (Blocked("stopped", "stop") if stopped else Go())


def test_a_stop_mark_for_one_campaign_leaves_the_others_alone(desk):
    desk.accept("stop", marks=(Mark("crm/lead:1", "other", desk.now),), refs=("lead:2",))
    desk.accept("e1")
    entry = next(entry for entry in desk.claim() if entry.key == "e1")

    assert isinstance(desk.call(entry), Go)


def test_an_older_stop_mark_does_not_replace_a_newer_one(desk):
    desk.accept("new", marks=(Mark("crm/lead:1", "*", desk.now),), refs=("lead:2",))
    desk.accept("old", marks=(Mark("crm/lead:1", "*", desk.now - timedelta(days=1)),), refs=("lead:3",))
    desk.accept("e1", at=desk.now - timedelta(hours=1))
    entry = next(entry for entry in desk.claim() if entry.key == "e1")

    assert desk.call(entry) == Blocked("stopped", "new")


def test_an_event_is_not_stopped_by_its_own_mark(desk):
    desk.accept("e1", marks=(Mark("crm/lead:1", "*", desk.now),))
    (entry,) = desk.claim()

    assert isinstance(desk.call(entry, marks=(Mark("crm/lead:1", "*", desk.now),)), Go)


def test_a_fact_is_acted_on_once(desk):
    desk.accept("e1", "e2", refs=(), fact="one")
    one, two = desk.claim()

    assert isinstance(desk.call(one), Go)
    assert desk.call(two) == Blocked("told", "e1")
    assert isinstance(desk.call(one), Go)


def test_a_fact_is_free_again_when_nothing_came_of_it(desk):
    desk.accept("e1", "e2", refs=(), fact="one")
    one, two = desk.claim()
    desk.call(one)
    desk.record(one, Status.FAILED, free=True)

    assert isinstance(desk.call(two), Go)


def test_a_number_that_was_called_cools_down(desk):
    desk.accept("e1", "e2", refs=())
    one, two = desk.claim()
    desk.call(one)

    assert desk.call(two, cooldown_ms=60_000) == Blocked("cooled", "e1", desk.now)
    assert isinstance(desk.call(two, phone="+2", cooldown_ms=60_000), Go)
    desk.record(two)
    desk.later(seconds=60)
    desk.accept("e3", refs=())
    three = next(entry for entry in desk.claim() if entry.key == "e3")
    assert isinstance(desk.call(three, cooldown_ms=60_000), Go)


def test_a_call_that_was_never_made_leaves_the_cooldown_as_it_was(desk):
    desk.accept("e1", "e2", "e3", refs=())
    one, two, three = desk.claim()
    desk.call(one)
    desk.later(seconds=10)
    desk.call(two)
    desk.record(two, Status.FAILED, free=True)

    assert desk.call(three, cooldown_ms=60_000) == Blocked("cooled", "e1", desk.now - timedelta(seconds=10))


def test_requests_of_one_campaign_take_turns_and_keep_them(desk):
    desk.accept("e1", "e2", "e3", refs=())
    one, two, three = desk.claim()

    assert isinstance(desk.call(one, phone="+1", pace_ms=1000.0), Go)
    assert desk.call(two, phone="+2", pace_ms=1000.0) == Blocked("paced", at=desk.now + timedelta(seconds=1))
    assert desk.call(three, phone="+3", pace_ms=1000.0) == Blocked("paced", at=desk.now + timedelta(seconds=2))
    assert desk.call(two, phone="+2", pace_ms=1000.0) == Blocked("paced", at=desk.now + timedelta(seconds=1))
    desk.later(seconds=1)
    assert isinstance(desk.call(two, phone="+2", pace_ms=1000.0), Go)


def test_nobody_goes_while_the_campaign_is_held_whoever_had_a_turn(desk):
    desk.accept("e1", "e2", "e3", refs=())
    one, two, three = desk.claim()
    desk.call(one, phone="+1", pace_ms=1000.0)
    desk.call(two, phone="+2", pace_ms=1000.0)
    until = desk.now + timedelta(seconds=15)
    desk.record(one, Status.WAITING, wait=15, hold=("campaign:welcome", until))
    desk.later(seconds=5)

    assert desk.call(two, phone="+2", pace_ms=1000.0) == Blocked("held", at=until)
    assert desk.call(three, phone="+3", pace_ms=1000.0) == Blocked("held", at=until + timedelta(seconds=1))


def test_a_crms_rate_is_shared_by_all_who_ask(desk):
    rate = Rate(count=10, seconds=1)

    waits = [desk.ledger.pace("crm:hubspot", rate, desk.now) for _ in range(3)]

    assert waits == [0.0, 0.1, 0.2]


def test_a_turn_too_far_ahead_is_not_taken(desk):
    rate = Rate(count=1, seconds=10)
    desk.ledger.pace("crm", rate, desk.now)

    assert [desk.ledger.pace("crm", rate, desk.now) for _ in range(2)] == [10.0, 10.0]


def test_the_request_is_bound_and_its_answer_is_owed_until_it_is_recorded(desk):
    desk.accept("e1")
    (entry,) = desk.claim()
    desk.call(entry)
    asked = desk.now

    desk.later(seconds=5)
    desk.record(entry, Status.UNKNOWN, settled=False)
    owed = desk.entry("e1")
    assert (owed.open, owed.asked_at, owed.tries, owed.request.body) == (True, asked, 1, "phone=1")

    (entry,) = desk.claim()
    desk.call(entry)
    assert desk.entry("e1").asked_at == asked
    desk.record(entry, Status.WAITING)
    assert (desk.entry("e1").open, desk.entry("e1").asked_at) == (False, None)


def test_trouble_is_counted_from_its_beginning_and_forgotten_with_its_end(desk):
    desk.accept("e1")
    began = desk.now
    for _ in range(2):
        (entry,) = desk.claim()
        desk.record(entry, Status.WAITING, trouble=True)
        assert desk.entry("e1").since == began
        desk.later(seconds=1)

    (entry,) = desk.claim()
    desk.record(entry, Status.WAITING)
    assert desk.entry("e1").since is None


@pytest.mark.parametrize(("status", "days"), [(Status.DONE, 20), (Status.SUPPRESSED, 20), (Status.FAILED, 90), (Status.IGNORED, 1)])
def test_what_is_finished_is_looked_at_no_more_and_goes_when_its_retention_ends(desk, redis, status, days):
    desk.accept("e1")
    (entry,) = desk.claim()
    assert redis.pttl("callbridge:1:event:e1") == -1

    desk.record(entry, status)

    assert desk.ledger.unfinished() == {}
    desk.later(days=days, seconds=-1)
    assert desk.ledger.sweep(10, desk.now) == 0
    desk.later(seconds=1)
    assert desk.ledger.sweep(10, desk.now) == 1
    assert desk.ledger.entry("e1") is None


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RUNNING])
def test_no_attempt_can_end_as_something_it_is_not(desk, status):
    desk.accept("e1")
    (entry,) = desk.claim()

    with pytest.raises(ValueError, match="cannot end"):
        desk.record(entry, status)


def test_an_unfinished_event_is_always_due_again(desk):
    desk.accept("e1")
    (entry,) = desk.claim()

    with pytest.raises(ValueError, match="cannot end"):
        Record(entry=entry, status=Status.WAITING, reason="", due=None)
    with pytest.raises(ValueError, match="cannot end"):
        Record(entry=entry, status=Status.DONE, reason="", due=desk.now)


def test_what_a_cancel_waits_for_is_served_like_a_cancel(desk):
    desk.accept("call")
    (call,) = desk.claim()
    desk.record(call, Status.UNKNOWN, settled=False)
    desk.accept("stop", refs=(), first=True)
    (stop,) = desk.claim(room=1)
    desk.record(stop, Status.WAITING, wait=1, hasten=("call", "none"))
    desk.later(seconds=5)

    assert keys(desk.claim()) == ["call", "stop"]


def test_an_index_forgets_what_retention_has_taken(desk, redis):
    desk.accept("e1", refs=("phone:+1",))
    desk.later(days=91)
    desk.accept("e2", refs=("phone:+1",))

    assert redis.zrange("callbridge:1:ref:phone:+1", 0, -1) == ["e2"]


def test_refused_requests_are_counted_and_a_few_are_kept(desk, redis):
    for number in range(25):
        desk.ledger.refuse("crm", "wrong_secret", {"number": number})

    assert redis.hgetall("callbridge:1:refused:count:crm") == {"wrong_secret": "25"}
    assert redis.llen("callbridge:1:refused:crm") == 20


def test_an_event_whose_worker_died_twice_is_tried_with_nothing_beside_it(desk):
    desk.accept("suspect", refs=("lead:9",))
    for number in range(2):
        desk.claim(f"w{number}")
        desk.later(seconds=21)
    desk.accept("e1", refs=("lead:1",))
    desk.accept("e2", refs=("lead:2",))

    def claimed(**hands):
        return [entry.key for entry in desk.ledger.claim("w", 10, timedelta(seconds=20), desk.now, **hands)]

    assert claimed(empty_handed=False) == ["e1", "e2"]
    desk.later(seconds=1)
    desk.accept("e3", refs=("lead:3",))
    assert claimed() == ["suspect"]
    assert claimed(empty_handed=False) == ["e3"]


def test_many_that_missed_their_turns_while_nobody_was_there_do_not_go_out_together(desk):
    desk.accept(*(f"e{number}" for number in range(10)))
    for entry in desk.claim():
        verdict = desk.call(entry, pace_ms=1000)
        if isinstance(verdict, Blocked):
            desk.record(entry, Status.WAITING, wait=(verdict.at - desk.now).total_seconds())
        else:
            desk.record(entry)
    desk.later(seconds=60)

    went = [entry.key for entry in desk.claim() if isinstance(desk.call(entry, pace_ms=1000), Go)]

    assert len(went) == 1


def test_what_a_living_worker_gives_back_is_due_again_as_it_was_and_nobody_crashed(desk):
    desk.accept("e1")
    desk.claim("w1")

    desk.ledger.release("w1", ["e1"], desk.now)

    (entry,) = desk.claim("w2")
    assert (entry.was, entry.crashes) == (Status.QUEUED, 0)


def test_what_was_taken_over_meanwhile_is_not_held_against_it(desk):
    desk.accept("e1")
    desk.claim("w1")
    desk.later(seconds=21)
    (taken,) = desk.claim("w2")
    assert taken.crashes == 1

    desk.ledger.release("w1", ["e1", "never heard of"], desk.now)

    assert desk.entry("e1").crashes == 0
    assert desk.record(taken, worker="w2")


def test_what_a_claim_sets_aside_keeps_its_order_and_comes_back(desk):
    desk.accept("s1", "s2", refs=(), rule="slow")
    desk.later(milliseconds=1)
    desk.accept("q1", refs=(), rule="quick")
    desk.accept("crm:1", refs=(), rule="quick")
    aside = Beside(places={"crm:crm": timedelta(seconds=1)}, rules={"slow": timedelta(seconds=1)})

    claimed = desk.ledger.claim("w1", 10, timedelta(seconds=20), desk.now, beside=aside)

    assert keys(claimed) == ["q1"]
    assert desk.entry("s1").status == desk.entry("crm:1").status == Status.QUEUED
    desk.later(seconds=0.9)
    assert desk.claim() == []
    desk.later(seconds=0.2)
    assert keys(desk.claim()) == ["s1", "s2", "crm:1"]


def test_what_was_running_is_never_set_aside(desk):
    desk.accept("s1", rule="slow")
    desk.claim("died")
    desk.later(seconds=21)

    assert keys(desk.ledger.claim("w1", 10, timedelta(seconds=20), desk.now, beside=Beside(rules={"slow": timedelta(seconds=1)}))) == ["s1"]


def test_two_hundred_threads_that_ask_at_once_do_not_take_redis_to_be_away(make_desk, redis, redis_url):
    redis.client_pause(300, all=True)

    with closing(connect(redis_url)) as shared, ThreadPoolExecutor(200) as threads:
        desk = make_desk(shared)
        waits = list(threads.map(lambda number: desk.ledger.pace(f"crm:{number}", Rate(1, 1.0), desk.now), range(200)))

    assert set(waits) == {0.0}
