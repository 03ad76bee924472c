"""Replays of many: what a plan says is what happens, each event is put in once, and it survives whoever works on it."""

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.errors import LedgerUnavailable, Unusable
from bridge.filters import Filter, parse
from bridge.finding import Finder
from bridge.ingest import Ingest
from bridge.ledger import Audit, Part, Pause, Plans, Retention, Search, State, Switches, Unwanted
from bridge.ledger.do_not_call import DoNotCallList
from bridge.model import Status
from bridge.planning import Planning
from bridge.replaying import Mode, Replaying
from bridge.sources.generic import Generic, GenericSettings
from bridge.stepping import Stepping

DAY = 86_400_000
RETENTION = Retention(dedup=30 * DAY, done=30 * DAY, failed=90 * DAY, ignored=DAY)
NOTHING = {"name": "nothing", "on": "deal.created", "call": {"campaign": "welcome"}}
CALL = {"name": "call", "on": "lead.created", "call": {"campaign": "welcome"}}
STOP = {"name": "stop", "on": "lead.deleted", "cancel": {}}


class Desk:
    """An operator of a bench whose rules can be changed."""

    def __init__(self, bridge, *rules):
        self.bridge = bridge
        self.world = bridge.with_rules(*rules) if rules else bridge.world
        redis, ledger, clock = self.world.ledger.redis, self.world.ledger, bridge.clock
        self.plans = Plans(redis, RETENTION)
        self.audit = Audit(redis, RETENTION)
        self.finder = Finder(ledger, Search(redis), {"crm": "US"})
        ingest = Ingest(sources=self.world.sources, policy=self.world.policy, ledger=ledger, clock=clock)
        self.stepping = Stepping(plans=self.plans, finder=self.finder, replaying=Replaying(ingest), clock=clock)
        self.planning = Planning(plans=self.plans, finder=self.finder, audit=self.audit, digest=self.world.policy.digest, clock=clock)

    def with_sources(self, **sources):
        """Of the same bridge with other adapters."""
        ingest = replace(self.stepping.replaying.ingest, sources=sources)
        self.stepping = replace(self.stepping, replaying=Replaying(ingest))
        return self

    def plan(self, written="status:ignored", mode=Mode.RULES):
        plan = self.planning.plan(parse(written, self.bridge.clock()), "anna", mode)
        return self.counted(plan.id)

    def counted(self, plan_id):
        while self.planning.one(plan_id).state is State.COUNTING:
            self.stepping.look("w")
        return self.planning.progress(plan_id)

    def run(self, plan_id, speed="fast"):
        return self.planning.run(plan_id, "monday", speed, "anna")

    def look(self, times=1, worker="w"):
        return [self.stepping.look(worker) for _ in range(times)]

    def finished(self, plan_id):
        while self.stepping.look("w"):
            pass
        self.bridge.clock.advance(seconds=2)
        self.stepping.look("w")
        return self.planning.progress(plan_id)


@pytest.fixture
def desk(bench):
    """Of a bench where events were received by other rules than those of today."""

    def made(*today, received=(NOTHING,), **more):
        bridge = bench(*received, **more)
        return Desk(bridge, *(today or (CALL, STOP)))

    return made


def lead(desk, number, **more):
    """Each number is another person."""
    return desk.bridge.lead(f"e{number}", **{"phone": f"+1650253{1000 + number}", **more})


def kinds(progress):
    return {tally.kind: tally.count for tally in progress.tallies}


def test_it_is_counted_confirmed_and_everybody_is_called_once(desk, platform):
    d = desk()
    for number in range(12):
        lead(d, number)

    progress = d.plan()
    assert (progress.plan.state, progress.plan.total, kinds(progress)) == (State.PLANNED, 12, {"would call now in campaign welcome": 12})
    assert len(progress.examples()) == 12
    assert platform.calls == []
    d.run(progress.plan.id)
    d.look(5)
    d.bridge.work(d.world)
    progress = d.finished(progress.plan.id)

    assert (progress.plan.state, progress.plan.replayed, progress.plan.left) == (State.FINISHED, 12, 0)
    assert progress.plan.standing == {Status.DONE: 12}
    assert sorted(call["idempotence_key"] for call in platform.calls) == sorted(f"crm:e{number}" for number in range(12))
    assert d.plans.active() == []


def test_a_name_that_begins_more_words_than_are_looked_for_makes_no_plan(desk):
    d = desk()
    for number in range(41):
        lead(d, number, name=f"Ma{number:02}")

    for ask in (d.planning.glance, lambda sought: d.planning.plan(sought, "anna")):
        with pytest.raises(Unusable, match="more than 40 names begin with 'ma'"):
            ask(parse("name:ma", d.bridge.clock()))
    assert d.planning.glance(parse("name:ma0", d.bridge.clock())).count == 10


def test_a_glance_at_what_is_rare_among_very_many_ends_before_it_has_looked_at_all(desk):
    d = desk(received=(CALL,))
    for number in range(24):
        lead(d, number, type="lead.other" if number % 2 else "lead.created", name="Al" if number % 2 else "Bo")
    d.planning = replace(d.planning, finder=replace(d.finder, search=Search(d.world.ledger.redis, looks=1)))
    sought = parse("status:queued name:al", d.bridge.clock())

    glance = d.planning.glance(sought)

    assert (glance.count, glance.all) == (0, False)
    assert d.plan("status:queued name:al").plan.total == 0


def test_events_of_every_effect_are_counted_by_it_with_examples_and_what_does_not_act_is_passed_over(desk, platform):
    d = desk(CALL, STOP)
    lead(d, 1)
    lead(d, 2, phone="12")
    lead(d, 3, type="lead.other")
    lead(d, 4)
    DoNotCallList(d.world.ledger.redis).add([Unwanted(phone="+16502531004", added=d.bridge.clock(), source="anna")])
    lead(d, 5, type="lead.deleted")
    d.world.ledger.redis.delete(f"callbridge:1:delivery:{d.bridge.entry('e1').delivery}")
    lead(d, 6)

    progress = d.plan()
    assert Counter({tally.effect: tally.count for tally in progress.tallies}) == {
        "call": 1,
        "failed": 1,
        "ignored": 1,
        "suppressed": 1,
        "cancel": 1,
        "impossible": 1,
    }
    told = {example.key: example.told for _, example in progress.examples()}
    assert told["crm:e6"] == "calls the person in campaign welcome now"
    assert told["crm:e4"].startswith("do-not-call: the number is on the list (anna")

    d.run(progress.plan.id)
    progress = d.finished(progress.plan.id)
    plan = progress.plan
    assert (plan.replayed, plan.skipped, plan.failed, plan.left) == (2, 3, 1, 0)
    assert progress.failed == {"the delivery as it was received is not kept any more": 1}
    assert sum(progress.skipped.values()) == 3


def test_a_filter_that_means_everything_is_refused_and_says_what_could_be_written(desk):
    d = desk()
    for everything in (Filter(), Filter(until=d.bridge.clock() + timedelta(hours=1))):
        with pytest.raises(Unusable, match="status:failed since:7d"):
            d.planning.plan(everything, "anna")


def test_what_comes_after_it_was_planned_is_not_in_it(desk):
    d = desk()
    lead(d, 1)
    plan = d.planning.plan(Filter(source=("crm",)), "anna")
    d.bridge.clock.advance(seconds=1)
    lead(d, 2)

    assert d.counted(plan.id).plan.total == 1


def test_an_event_that_was_touched_later_than_it_was_planned_is_in_it_and_one_accepted_before_its_time_is_not(desk):
    d = desk()
    lead(d, 1, phone="+16502530000")
    d.bridge.clock.advance(hours=2)
    lead(d, 2, phone="+16502530000")
    assert Replaying(d.stepping.replaying.ingest).replay(d.bridge.entry("e1")).good

    late = d.planning.plan(parse("phone:+16502530000 since:1h", d.bridge.clock()), "anna")
    early = d.planning.plan(parse("phone:+16502530000 until:1h", d.bridge.clock()), "anna")

    assert d.counted(late.id).plan.total == 1
    assert d.counted(early.id).plan.total == 1
    assert d.plans.keys(late.id, 0, 9) == ["crm:e2"]
    assert d.plans.keys(early.id, 0, 9) == ["crm:e1"]


def test_events_that_are_named_one_by_one(desk):
    d = desk()
    lead(d, 1)
    lead(d, 2)

    assert d.plan("event:e1,crm:e2,nobody").plan.total == 2
    assert d.plan("event:e1 status:failed").plan.total == 0


def test_nothing_that_matches_is_nothing_to_run(desk):
    progress = (d := desk()).plan("status:failed")

    assert progress.plan.total == 0
    with pytest.raises(Unusable, match="no event matches"):
        d.run(progress.plan.id)


@pytest.mark.long
def test_many_more_than_one_step_takes_are_all_there(desk):
    d = desk()
    for hundred in range(1000, 3300, 100):
        d.bridge.receive(*[{"event_id": f"e{n}", "type": "lead.created", "phone": f"+1650253{n}"} for n in range(hundred, hundred + 100)])

    progress = d.plan()

    assert (progress.plan.total, kinds(progress)) == (2300, {"would call now in campaign welcome": 2300})
    assert [len(tally.examples) for tally in progress.tallies] == [20]
    assert len(progress.examples()) == 20
    d.run(progress.plan.id)
    assert d.finished(progress.plan.id).plan.replayed == 2300
    assert d.world.ledger.unfinished_count() == 2300


def test_whoever_was_forgotten_after_the_list_was_read_is_not_called(desk, platform):
    d = desk()
    lead(d, 1)
    d.run(plan_id := d.plan().plan.id)
    entry = d.bridge.entry("e1")
    readings = d.stepping.replaying.read([entry])
    d.world.ledger.erase("operator:1", [entry], ["+16502531001"], d.bridge.clock())

    told = d.stepping.replaying.replay(entry, part=Part(plan_id, 0), readings=readings)

    assert (told.good, told.told) == (False, "the person asked to be forgotten")
    assert d.bridge.entry("e1").event.contact is None


# --- what events of one plan do to each other


def test_one_number_within_the_cooldown_is_counted_and_called_once(desk, platform):
    d = desk({"name": "call", "on": "lead.created", "call": {"campaign": "welcome", "cooldown": "12h"}})
    for number in range(4):
        lead(d, number, phone="+16502530000")

    progress = d.plan()
    assert [(tally.effect, tally.count) for tally in progress.tallies] == [("suppressed", 3), ("call", 1)]

    d.run(progress.plan.id)
    d.finished(progress.plan.id)
    for _ in range(4):
        d.bridge.work(d.world)
        d.bridge.clock.advance(seconds=1)
    assert len(platform.calls) == 1


def test_events_that_tell_one_fact_are_counted_and_called_once(desk, platform):
    d = desk()
    for number in range(3):
        lead(d, number, phone="+16502530000", entity={"type": "lead", "id": "7"}, occurred_at="2026-11-23T08:40:00Z", fact="same")
    facts = {d.bridge.entry(f"e{number}").event.fact for number in range(3)}

    progress = d.plan()
    d.run(progress.plan.id)
    d.finished(progress.plan.id)
    for _ in range(4):
        d.bridge.work(d.world)
        d.bridge.clock.advance(seconds=1)

    counted = {tally.effect: tally.count for tally in progress.tallies}
    assert counted.get("call", 0) == len(platform.calls) == len(facts)


def test_what_stops_calls_comes_before_what_it_stops(desk, platform):
    d = desk()
    lead(d, 1, entity={"type": "lead", "id": "7"})
    d.bridge.clock.advance(seconds=5)
    d.bridge.receive({"event_id": "e2", "type": "lead.deleted", "entity": {"type": "lead", "id": "7"}})

    progress = d.plan()
    assert d.plans.keys(progress.plan.id, 0, 9) == ["crm:e2", "crm:e1"]
    assert {tally.effect: tally.count for tally in progress.tallies} == {"cancel": 1, "suppressed": 1}

    d.run(progress.plan.id)
    progress = d.finished(progress.plan.id)
    d.bridge.work(d.world)
    assert platform.calls == []
    assert (progress.plan.replayed, progress.plan.skipped) == (1, 1)


# --- who works on it


def test_a_plan_is_worked_on_by_one_and_taken_over_when_that_one_is_gone(desk):
    d = desk()
    lead(d, 1)
    plan = d.planning.plan(parse("status:ignored", d.bridge.clock()), "anna")
    assert d.plans.take(plan.id, "w1")

    assert not d.stepping.step(plan.id, "w2")
    assert d.planning.one(plan.id).gathering
    d.world.ledger.redis.pexpire(f"callbridge:1:plan:{plan.id}:worker", 1)
    while d.planning.one(plan.id).state is State.COUNTING:
        d.stepping.step(plan.id, "w2")
    assert d.planning.one(plan.id).total == 1


def test_two_that_work_on_it_at_once_count_and_put_in_each_event_once(desk, platform):
    """The lease is only for economy: nothing is right because of it."""
    d = desk()
    for number in range(30):
        lead(d, number)
    plan = d.planning.plan(parse("status:ignored", d.bridge.clock()), "anna")
    stale = [d.plans.one(plan.id)]
    while (now := d.plans.one(plan.id)).state is State.COUNTING:
        d.stepping.step(plan.id, "w")
        for old in stale:
            d.stepping.advance(old)
        stale.append(now)
    progress = d.planning.progress(plan.id)
    assert (progress.plan.total, kinds(progress)) == (30, {"would call now in campaign welcome": 30})

    running = d.run(plan.id)
    d.stepping.advance(running)
    d.stepping.advance(running)
    assert (d.plans.one(plan.id).replayed, d.plans.one(plan.id).place) == (30, 30)
    d.bridge.work(d.world)
    assert len(platform.calls) == 30


@pytest.mark.parametrize("step", range(1, 9))
def test_a_crash_anywhere_in_a_step_neither_loses_an_event_nor_counts_one_twice(desk, platform, step):
    d = desk()
    for number in range(3):
        lead(d, number)
    plan_id = d.plan().plan.id
    d.run(plan_id)

    class Died(BaseException):
        pass

    class Dying:
        """The ledger of a process that is killed at its n-th word."""

        said = 0

        def __getattr__(self, name):
            found = getattr(d.world.ledger, name)

            def word(*arguments, **named):
                Dying.said += 1
                if Dying.said == step:
                    raise Died
                result = found(*arguments, **named)
                Dying.said += 1
                if Dying.said == step:
                    raise Died
                return result

            return word if callable(found) else found

    ingest = replace(d.stepping.replaying.ingest, ledger=Dying())
    with pytest.raises(Died):
        replace(d.stepping, replaying=Replaying(ingest)).look("w")
    d.bridge.work(d.world)
    progress = d.finished(plan_id)
    d.bridge.work(d.world)

    assert (progress.plan.state, progress.plan.replayed, progress.plan.left) == (State.FINISHED, 3, 0)
    assert len(platform.calls) == 3


# --- switches


def test_pausing_takes_no_more_and_resuming_goes_on_where_it_was(desk):
    d = desk()
    for number in range(120):
        lead(d, number)
    plan_id = d.plan().plan.id
    d.run(plan_id)
    d.look()
    put_in = d.planning.pause(plan_id, "bert").replayed
    assert 0 < put_in < 120

    d.look(3)
    assert d.planning.one(plan_id).replayed == put_in == d.world.ledger.unfinished_count()

    d.planning.resume(plan_id, "anna")
    assert d.finished(plan_id).plan.replayed == 120
    assert [(change.state, change.by) for change in d.planning.one(plan_id).history] == [
        (State.COUNTING, "anna"),
        (State.PLANNED, "callbridge"),
        (State.RUNNING, "anna"),
        (State.PAUSED, "bert"),
        (State.RUNNING, "anna"),
        (State.FINISHED, "callbridge"),
    ]
    assert [(act.by, act.what) for act in d.audit.of([f"plan:{plan_id}"])] == [
        ("anna", "resumed a replay of many"),
        ("bert", "paused a replay of many"),
        ("anna", "began a replay of many"),
        ("anna", "planned a replay of many"),
    ]


def test_a_pause_in_the_middle_of_a_step_is_heeded_by_the_next_event(desk):
    d = desk()
    for number in range(9):
        lead(d, number)
    plan_id = d.plan().plan.id
    d.run(plan_id)
    stale = d.plans.one(plan_id)
    d.planning.pause(plan_id, "bert")

    assert not d.stepping.advance(stale)
    assert (d.planning.one(plan_id).place, d.world.ledger.unfinished_count()) == (0, 0)


def test_what_is_left_when_it_is_cancelled_stays_as_it_was(desk, platform):
    d = desk()
    for number in range(120):
        lead(d, number)
    plan_id = d.plan().plan.id
    d.run(plan_id)
    d.look()
    d.planning.cancel(plan_id, "bert")
    progress = d.finished(plan_id)
    while d.bridge.work(d.world):
        pass

    assert 0 < progress.plan.replayed < 120
    assert progress.plan.replayed + progress.plan.left == 120
    assert d.finder.search.count("status:ignored") == progress.plan.left
    assert len(platform.calls) == progress.plan.replayed
    assert d.plans.memory(plan_id) == 0
    for change in (d.planning.resume, d.planning.pause, d.planning.cancel):
        with pytest.raises(Unusable, match="it is cancelled"):
            change(plan_id, "anna")


def test_all_calling_being_paused_parks_what_is_put_in(desk):
    d = desk()
    lead(d, 1)
    Switches(d.world.ledger.redis).pause(Pause(scope="*", by="Anna", at=d.bridge.clock()))

    progress = d.plan()
    d.run(progress.plan.id)
    d.look(2)
    d.bridge.work(d.world)

    assert [tally.effect for tally in progress.tallies] == ["parked"]
    assert d.bridge.status("e1") == "parked"


# --- when the plan is old


def test_a_plan_that_has_aged_is_counted_again_and_confirmed_anew(desk):
    d = desk()
    lead(d, 1)
    lead(d, 2)
    plan_id = d.plan().plan.id
    DoNotCallList(d.world.ledger.redis).add([Unwanted(phone="+16502531001", added=d.bridge.clock())])
    d.bridge.clock.advance(minutes=11)

    assert d.planning.progress(plan_id).aged == "it was counted more than 10 minutes ago"
    assert d.run(plan_id, "2/s").state is State.COUNTING
    progress = d.counted(plan_id)

    assert (progress.plan.state, progress.plan.name, progress.plan.speed, progress.aged) == (State.PLANNED, "monday", "2/s", "")
    assert {tally.effect: tally.count for tally in progress.tallies} == {"call": 1, "suppressed": 1}
    assert d.run(plan_id).state is State.RUNNING


def test_so_is_one_that_was_counted_by_other_rules_and_what_stops_calls_now_comes_first(desk):
    d = desk(CALL)
    lead(d, 1, entity={"type": "lead", "id": "7"})
    d.bridge.clock.advance(seconds=5)
    d.bridge.receive({"event_id": "e2", "type": "lead.deleted", "entity": {"type": "lead", "id": "7"}})
    plan_id = d.plan().plan.id
    assert d.plans.keys(plan_id, 0, 9) == ["crm:e1", "crm:e2"]

    after = Desk(d.bridge, CALL, STOP)
    assert after.planning.progress(plan_id).aged == "the rules have changed since it was counted"
    assert after.run(plan_id).state is State.COUNTING
    progress = after.counted(plan_id)

    assert after.plans.keys(plan_id, 0, 9) == ["crm:e2", "crm:e1"]
    assert {tally.effect: tally.count for tally in progress.tallies} == {"cancel": 1, "suppressed": 1}


def test_one_that_runs_stops_when_the_rules_change_until_somebody_has_it_go_on(desk, platform):
    d = desk(CALL)
    for number in range(60):
        lead(d, number)
    plan_id = d.plan().plan.id
    d.run(plan_id)
    d.look()

    after = Desk(d.bridge, {**CALL, "call": {"campaign": "other"}})
    after.look()
    assert after.planning.one(plan_id).state is State.PAUSED
    assert "the rules have changed since it was confirmed" in after.planning.one(plan_id).changed.note
    after.planning.resume(plan_id, "anna")
    assert after.finished(plan_id).plan.replayed == 60


# --- how fast


def test_events_are_put_in_no_faster_than_was_said(desk):
    d = desk()
    for number in range(40):
        lead(d, number)
    plan_id = d.plan().plan.id
    began = d.bridge.clock()
    d.run(plan_id, "4/s")
    for _ in range(6):
        d.look(3)
        d.bridge.clock.advance(milliseconds=500)
    d.look()

    spent = (d.bridge.clock() - began).total_seconds()
    assert 4 * spent - 1 <= d.planning.one(plan_id).replayed <= 4 * spent + 1
    progress = d.planning.progress(plan_id)
    assert 3 < progress.rate < 5
    assert timedelta(seconds=4) < progress.time_left < timedelta(seconds=10)


def test_what_nobody_took_for_a_while_is_not_made_up_for_at_once(desk):
    d = desk()
    for number in range(40):
        lead(d, number)
    plan_id = d.plan().plan.id
    d.run(plan_id, "4/s")
    d.look()

    d.bridge.clock.advance(minutes=1)
    d.look(3)

    assert d.planning.one(plan_id).replayed <= 6


@pytest.mark.parametrize("speed", ["quickly", "0/s", "-1/s", "5"])
def test_a_speed_that_is_none_says_what_one_looks_like(desk, speed):
    d = desk()
    lead(d, 1)
    with pytest.raises(Unusable, match="such as 5/s or 300/m, or fast"):
        d.run(d.plan().plan.id, speed)


def test_it_needs_a_name(desk):
    d = desk()
    lead(d, 1)
    with pytest.raises(Unusable, match="give it a name"):
        d.planning.run(d.plan().plan.id, "  ", "5/s", "anna")


# --- afterwards


def test_what_failed_in_it_can_be_planned_again(desk, platform):
    d = desk()
    for number in range(3):
        lead(d, number)
    platform.fault("429")
    plan_id = d.plan().plan.id
    d.run(plan_id)
    d.finished(plan_id)
    for hours in (0, 25):
        d.bridge.clock.advance(hours=hours)
        d.bridge.work(d.world)
    assert d.finished(plan_id).plan.standing == {Status.FAILED: 3}
    platform.mend()

    again = d.counted(d.planning.of_failed(plan_id, "bert").id)
    d.run(again.plan.id)
    d.finished(again.plan.id)
    d.bridge.work(d.world)

    assert (again.plan.total, again.plan.name) == (3, "what failed in monday")
    again_of_it = d.planning.of_failed(d.planning.plan(parse("status:failed", d.bridge.clock()), "anna", name="m" * 80).id, "bert")
    assert again_of_it.name == f"what failed in {'m' * 65}"
    d.planning.cancel(again_of_it.id, "bert")
    for _ in range(4):
        d.bridge.clock.advance(minutes=3)
        d.bridge.work(d.world)
    assert len(platform.calls) == 3
    assert d.finished(again.plan.id).plan.standing == {Status.DONE: 3}


def test_a_body_that_can_be_read_at_last_is_found_by_the_replay_that_read_it(desk, platform):
    class Mended(Generic):
        strict = False

    d = desk(received=(CALL,))
    blind = {"crm": Mended("crm", GenericSettings(kind="generic", secret="s", fields={"type": "nowhere"}))}
    d.bridge.ingest = replace(d.bridge.ingest, sources=blind)
    d.bridge.lead()
    d.with_sources(crm=Mended("crm", GenericSettings(kind="generic", secret="s")))

    progress = d.plan("status:failed")
    d.run(progress.plan.id)
    d.finished(progress.plan.id)
    d.bridge.work(d.world)

    assert [tally.effect for tally in progress.tallies] == ["read"]
    assert len(platform.calls) == 1
    assert d.finished(progress.plan.id).plan.standing == {Status.DONE: 1, Status.SUPPRESSED: 1}


def test_a_fault_in_one_event_does_not_end_the_others(desk):
    class Faulty(Generic):
        def prospect(self, event):
            if event.id == "e1":
                raise RuntimeError("a fault")
            return super().prospect(event)

    d = desk()
    for number in range(3):
        lead(d, number)
    d.with_sources(crm=Faulty("crm", GenericSettings(kind="generic", secret="s")))

    progress = d.plan()
    d.run(progress.plan.id)
    progress = d.finished(progress.plan.id)

    assert (progress.plan.replayed, progress.plan.failed) == (2, 1)
    assert progress.failed == {"a fault of the bridge (RuntimeError); it is in its log": 1}


def test_an_event_that_its_source_reads_as_wrong_today_is_told_and_passed_over(desk):
    d = desk()
    lead(d, 1)
    d.with_sources(crm=Generic("crm", GenericSettings(kind="generic", secret="s", fields={"type": "nowhere"})))

    progress = d.plan()

    assert [(tally.effect, tally.kind.partition(":")[0]) for tally in progress.tallies] == [
        ("impossible", "its delivery cannot be read as source 'crm' is configured today")
    ]


def test_a_plan_that_redis_has_no_room_for_is_given_up_before_webhooks_are_refused(desk, redis):
    d = desk()
    lead(d, 1)
    plan = d.planning.plan(parse("status:ignored", d.bridge.clock()), "anna")
    redis.set("much", "x" * 20_000_000)  # or the scripts alone would be too much for what is left
    redis.config_set("maxmemory", int(redis.info("memory")["used_memory"] * 1.05))
    try:
        d.look()
    finally:
        redis.config_set("maxmemory", 0)

    given_up = d.planning.one(plan.id)
    assert (given_up.state, given_up.changed.by) == (State.CANCELLED, "callbridge")
    assert "Redis is nearly full" in given_up.changed.note


def test_a_summary_outlives_what_it_is_about(desk, redis):
    d = desk()
    lead(d, 1)
    plan_id = d.plan().plan.id
    d.run(plan_id)
    d.finished(plan_id)

    assert redis.pttl(f"callbridge:1:plan:{plan_id}") > 89 * DAY
    assert redis.pttl(f"callbridge:1:plan:{plan_id}:history") > 89 * DAY
    assert redis.exists(f"callbridge:1:plan:{plan_id}:keys", f"callbridge:1:plan:{plan_id}:taken") == 0
    assert [plan.id for plan in d.plans.all()] == [plan_id]
    redis.delete(f"callbridge:1:plan:{plan_id}")
    assert d.plans.all() == []


def test_what_could_not_be_replayed_is_among_what_failed_in_it_and_is_replayed_once_that_is_mended(desk, platform):
    d = desk()
    for number in range(3):
        lead(d, number)
    sources = d.world.sources
    progress = d.plan()
    d.run(progress.plan.id)
    d.with_sources()
    progress = d.finished(progress.plan.id)
    assert (progress.plan.failed, progress.plan.replayed) == (3, 0)

    again = d.with_sources(**sources).planning.of_failed(progress.plan.id, "anna")
    progress = d.counted(again.id)
    assert (progress.plan.total, kinds(progress)) == (3, {"would call now in campaign welcome": 3})
    d.run(again.id)
    d.finished(again.id)
    d.bridge.work(d.world)

    assert len(platform.calls) == 3
    assert d.plan("status:failed,ignored").plan.total == 0


def test_a_plan_that_cannot_be_worked_on_keeps_nobody_from_the_others(desk):
    d = desk()
    lead(d, 1)
    ids = sorted(d.planning.plan(parse("status:ignored", d.bridge.clock()), "anna").id for _ in range(3))
    redis = d.world.ledger.redis
    redis.hset(f"callbridge:1:plan:{ids[0]}", "told", "what another version wrote")
    redis.set(f"callbridge:1:plan:{ids[1]}:keys", "no list of events")

    for _ in range(5):
        with suppress(LedgerUnavailable):
            d.stepping.look("w")

    assert d.planning.one(ids[2]).state is State.PLANNED


def test_an_event_without_a_number_that_nobody_could_tell_is_passed_over_as_it_would_fail_again(desk):
    d = desk()
    lead(d, 1, phone=None, entity=None)
    lead(d, 2, phone=None)

    progress = d.plan()

    assert kinds(progress) == {
        "failed: no phone number yet: contact.phone is empty, and nobody is waited for to tell it": 1,
        "would wait for a phone number": 1,
    }
