"""What is kept of a replay of many: each step is taken once, from where it says that it begins, and in no state that forbids it."""

from datetime import timedelta

import pytest

from bridge.ledger import CallGate, Change, Counted, Mark, NewEntry, Part, Plan, Plans, State
from bridge.model import Status

DAY = 86_400_000


@pytest.fixture
def plans(redis, desk):
    return Plans(redis, desk.ledger.retention)


@pytest.fixture
def plan(plans, desk):
    made = Plan(
        id="261123-090000-abcd",
        state=State.COUNTING,
        filter={"status": ["failed"]},
        written="status:failed",
        understood="",
        groups=(("by:status:failed",),),
        since=None,
        until=desk.now,
        named=None,
        mode="rules",
        by="anna",
        created=desk.now,
        history=(Change(State.COUNTING, desk.now, "anna"),),
    )
    assert plans.add(made)
    return made


def turn(plans, desk, plan, state, *allowed):
    return plans.turn(plan.id, allowed, Change(state, desk.now, "anna"))


def counted(desk, plans, plan, *keys):
    """A plan of these events, as far as its confirmation."""
    plans.gather(plan.id, ("", ""), [(place, key) for place, key in enumerate(keys)], desk.now)
    assert turn(plans, desk, plan, State.PLANNED, State.COUNTING) == ""
    plans.note(plan.id, place=0)


def test_what_was_written_is_read(plans, plan):
    assert plans.one(plan.id) == plan
    assert not plans.add(plan)
    assert plans.one("261123-090000-none") is None
    assert plans.active() == [plan.id]


def test_a_state_is_left_once_and_only_from_where_it_may_be(plans, desk, plan):
    assert turn(plans, desk, plan, State.RUNNING, State.PLANNED) == "counting"
    assert turn(plans, desk, plan, State.PLANNED, State.COUNTING) == ""
    assert turn(plans, desk, plan, State.PLANNED, State.COUNTING) == "planned"
    assert plans.turn("nothing", (State.PLANNED,), Change(State.RUNNING, desk.now, "anna")) == "none"
    assert [change.state for change in plans.one(plan.id).history] == [State.COUNTING, State.PLANNED]


def test_a_page_of_events_is_taken_in_from_where_the_last_one_ended(plans, desk, plan):
    assert plans.gather(plan.id, ("", "c1"), [(1, "e1"), (2, "e2")], desk.now)
    assert not plans.gather(plan.id, ("", "c1"), [(3, "other")], desk.now)
    assert plans.gather(plan.id, ("c1", ""), [(-5, "e3")], desk.now)
    assert not plans.gather(plan.id, ("", ""), [(4, "late")], desk.now)

    assert plans.keys(plan.id, 0, 9) == ["e3", "e1", "e2"]
    assert (plans.one(plan.id).gathering, plans.one(plan.id).total) == (False, 3)


def call(fact="f", phone="+1", cooldown=0, **more):
    return CallGate(source="crm", campaign="welcome", phone=phone, fact=fact, cooldown_ms=cooldown, **more)


def test_a_page_is_counted_once(plans, desk, plan):
    plans.gather(plan.id, ("", ""), [(1, "e1")], desk.now)
    one = Counted(key="e1", effect="call", kind="would call", told="calls", at=desk.now)

    assert plans.count(plan.id, 0, [one], desk.now)
    assert not plans.count(plan.id, 0, [one], desk.now)

    (tally,) = plans.tallies(plan.id)
    assert (tally.kind, tally.count, [(each.key, each.told) for each in tally.examples]) == ("would call", 1, [("e1", "calls")])


def test_who_calls_earlier_comes_first_wherever_he_is_in_the_plan(plans, desk, plan):
    plans.gather(plan.id, ("", ""), [(1, "e1"), (2, "e2"), (3, "e3")], desk.now)
    hour = 3_600_000

    def one(key, hours, *, waits=False, **gate):
        at, told = desk.now + timedelta(hours=hours), "will wait" if waits else "would call"
        gate_ = call(happened_at=desk.now, **gate)
        return Counted(
            key=key, effect="wait" if waits else "call", kind=told, told=told, at=at, waits=waits, event=desk.new_event(key, refs=()), call=gate_
        )

    plans.count(plan.id, 0, [one("e1", 9, waits=True, fact="f1", cooldown=12 * hour)], desk.now)
    plans.count(plan.id, 1, [one("e2", 0, fact="f2", cooldown=12 * hour), one("e3", 0, fact="f1", phone="+2")], desk.now)

    counts = {tally.kind.partition(":")[0]: tally.count for tally in plans.tallies(plan.id)}
    assert counts == {"would call": 2, "would wait, and then be suppressed": 1}


@pytest.mark.parametrize("cooldown", [0, 3_600_000])
def test_who_was_counted_before_comes_first_though_the_clock_of_who_goes_on_is_behind(plans, desk, plan, cooldown):
    plans.gather(plan.id, ("", ""), [(1, "e1"), (2, "e2"), (3, "e3")], desk.now)

    def one(key, seconds, fact):
        gate = call(fact=fact, cooldown=cooldown, happened_at=desk.now)
        at = desk.now + timedelta(seconds=seconds)
        return Counted(key=key, effect="call", kind="would call", told="", at=at, event=desk.new_event(key, refs=()), call=gate)

    assert plans.count(plan.id, 0, [one("e1", 5, "f1")], desk.now)
    assert plans.count(plan.id, 1, [one("e2", 0, "f1"), one("e3", 0, "f2")], desk.now)

    counts = {tally.kind: tally.count for tally in plans.tallies(plan.id)}
    assert counts.pop("would call") == (1 if cooldown else 2)
    assert sum(counts.values()) == (2 if cooldown else 1)


def test_a_stop_counts_for_what_is_as_old_and_not_for_what_is_newer(plans, desk, plan):
    plans.gather(plan.id, ("", ""), [(1, "stop"), (2, "old"), (3, "new")], desk.now)
    marks = (Mark("crm/lead:1", "*", desk.now),)
    rows = [
        Counted(key="stop", effect="cancel", kind="would cancel", told="", at=desk.now, event=desk.new_event("stop"), marks=marks),
        *(
            Counted(
                key=key,
                effect="call",
                kind=f"would call the {key}",
                told="",
                at=desk.now,
                event=desk.new_event(key),
                call=call(fact=key, phone=key, happened_at=desk.now + timedelta(seconds=later)),
            )
            for key, later in (("old", 0), ("new", 1))
        ),
    ]

    plans.count(plan.id, 0, rows, desk.now)

    assert {tally.kind.partition(":")[0] for tally in plans.tallies(plan.id)} == {"would cancel", "would call the new", "suppressed"}


def test_an_event_is_put_in_in_its_turn_and_counted_in_the_same_step(plans, desk, plan):
    desk.accept("e1", "e2", status=Status.IGNORED)
    counted(desk, plans, plan, "e1", "e2")
    again = {key: NewEntry(key=key, status=Status.QUEUED, reason="", event=desk.new_event(key), replay=plan.id) for key in ("e1", "e2")}

    assert desk.ledger.replay(again["e1"], desk.now, Part(plan.id, 0)) == "halted"
    turn(plans, desk, plan, State.RUNNING, State.PLANNED)
    assert desk.ledger.replay(again["e2"], desk.now, Part(plan.id, 1)) == "overtaken"
    assert desk.ledger.replay(again["e1"], desk.now, Part(plan.id, 0)) == ""
    assert desk.ledger.replay(again["e1"], desk.now, Part(plan.id, 0)) == "overtaken"
    assert plans.passed(Part(plan.id, 0), "e1", "skipped", "a cause", desk.now) == "overtaken"
    assert plans.passed(Part(plan.id, 1), "e2", "skipped", "a cause", desk.now) == ""

    stands = plans.one(plan.id)
    assert (stands.place, stands.replayed, stands.skipped, stands.failed) == (2, 1, 1, 0)
    assert plans.causes(plan.id) == {"skipped": {"a cause": 1}, "failed": {}}
    assert (desk.entry("e1").status, desk.entry("e1").replay, desk.entry("e2").status) == ("queued", plan.id, "ignored")


def test_what_is_forbidden_otherwise_is_not_counted(plans, desk, plan):
    desk.accept("e1")
    counted(desk, plans, plan, "e1")
    turn(plans, desk, plan, State.RUNNING, State.PLANNED)
    again = NewEntry(key="e1", status=Status.QUEUED, reason="", event=desk.new_event("e1"), replay=plan.id)

    assert desk.ledger.replay(again, desk.now, Part(plan.id, 0)) == "queued"
    assert plans.one(plan.id).place == 0


def test_one_that_nobody_confirms_is_forgotten_after_a_week_and_one_that_runs_is_not(plans, desk, plan, redis):
    counted(desk, plans, plan, "e1")
    assert 6 * DAY < redis.pttl(f"callbridge:1:plan:{plan.id}:keys") <= 7 * DAY
    assert plans.active() == []

    turn(plans, desk, plan, State.RUNNING, State.PLANNED)
    assert redis.pttl(f"callbridge:1:plan:{plan.id}") == redis.pttl(f"callbridge:1:plan:{plan.id}:keys") == -1
    assert plans.active() == [plan.id]


def test_an_event_replayed_by_itself_stays_part_of_the_replay_that_it_was_in_and_has_it_looked_after_again(plans, desk, plan):
    desk.accept("e1", status=Status.IGNORED)
    counted(desk, plans, plan, "e1")
    plans.rest(plan.id)
    again = NewEntry(key="e1", status=Status.QUEUED, reason="", event=desk.new_event("e1"), replay=plan.id)

    assert desk.ledger.replay(again, desk.now) == ""

    assert plans.active() == [plan.id]
    assert plans.stand(plan.id) == {Status.QUEUED: 1}


def test_it_is_looked_after_by_one_and_given_back(plans, plan, redis):
    assert plans.take(plan.id, "w1")
    assert plans.take(plan.id, "w1")
    assert not plans.take(plan.id, "w2")
    assert 10_000 < redis.pttl(f"callbridge:1:plan:{plan.id}:worker") <= 15_000
    plans.give_back(plan.id, "w2")
    assert not plans.take(plan.id, "w2")
    plans.give_back(plan.id, "w1")
    assert plans.take(plan.id, "w2")
