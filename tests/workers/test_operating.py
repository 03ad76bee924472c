"""What operators do to one event: foreseen, done, and written down."""

import json

import pytest

from bridge.errors import Unusable
from bridge.foreseeing import Effect
from bridge.ledger import Asks, Audit, DoNotCallList, Issues, Switches, Unwanted
from bridge.operating import Operating
from bridge.ordering import Ordering
from bridge.replaying import Mode, Replaying

CALL = {"name": "call", "on": "lead.created", "call": {"campaign": "welcome", "cooldown": "1h"}}
STOP = {"name": "stop", "on": "lead.deleted", "cancel": {}}
NOTHING = {"name": "nothing", "on": "deal.created", "call": {"campaign": "welcome"}}


def operating(bench, redis, *rules):
    world = bench.with_rules(*rules) if rules else bench.world
    ingest = bench.ingest.__class__(sources=world.sources, policy=world.policy, ledger=bench.world.ledger, clock=bench.clock)
    return Operating(
        replaying=Replaying(ingest),
        ordering=Ordering(ledger=bench.world.ledger, list=DoNotCallList(redis), clock=bench.clock),
        switches=Switches(redis),
        issues=Issues(redis),
        audit=Audit(redis, bench.world.ledger.retention),
        asks=Asks(redis),
        campaigns=("welcome", "other"),
        sources=("crm",),
        clock=bench.clock,
    )


def foreseen(bench, redis, *rules, mode=Mode.RULES, event="e1"):
    seen = operating(bench, redis, *rules).replaying.foresee(bench.entry(event), mode)
    return seen.effect, seen.told


def ignored(bench):
    b = bench(NOTHING)
    b.lead()
    return b


def test_a_replay_that_would_call_is_foreseen_with_the_request_that_would_go_out(bench, redis):
    b = ignored(bench)

    seen = operating(b, redis, CALL).replaying.foresee(b.entry())

    assert (seen.effect, seen.rule) == (Effect.CALL, "call")
    assert seen.told == "calls +165…00 in campaign welcome now"
    assert seen.request.body == "phone=16502530000"
    assert b.status() == "ignored"


@pytest.mark.parametrize(
    ("obstacle", "effect", "told"),
    [
        ("unwanted", Effect.SUPPRESSED, "do-not-call"),
        ("stopped", Effect.SUPPRESSED, "stop mark: crm:stop says"),
        ("called", Effect.SUPPRESSED, "cooldown: crm:other had the same number called"),
        ("paused", Effect.PARKED, "all calling is paused by Ben"),
        ("hours", Effect.WAIT, "calls +165…00 at"),
        ("no rule", Effect.IGNORED, "no rule"),
    ],
)
def test_what_is_foreseen_is_what_happens(bench, redis, obstacle, effect, told):
    b = ignored(bench)
    rules, desk = [CALL, STOP], operating(b, redis)
    if obstacle == "unwanted":
        desk.add_unwanted([Unwanted(phone="+16502530000", added=b.clock())], "Anna")
    elif obstacle == "stopped":
        b.ingest = operating(b, redis, *rules).replaying.ingest
        b.lead("stop", type="lead.deleted", entity={"type": "lead", "id": "e1"})
    elif obstacle == "called":
        b.ingest = operating(b, redis, *rules).replaying.ingest
        b.lead("other")
        b.work(b.with_rules(*rules))
    elif obstacle == "paused":
        desk.pause("*", "Ben")
    elif obstacle == "hours":
        tomorrow = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][(b.clock().weekday() + 2) % 7]
        hours = {"days": [tomorrow], "from": "09:00", "to": "20:00"}
        rules[0] = {**CALL, "call": {**CALL["call"], "time_zone": "'UTC'", "hours": hours}}
    else:
        rules = [STOP]

    seen, said = foreseen(b, redis, *rules)
    assert seen is effect
    assert said.startswith(told)

    operating(b, redis, *rules).replay(b.entry(), Mode.RULES, "Anna")
    for _ in range(3):
        b.work(b.with_rules(*rules))
        b.clock.advance(seconds=1)
    became = {Effect.WAIT: "waiting"}.get(effect, effect.value)
    assert b.status() == became


def test_what_is_done_or_goes_on_by_itself_is_foreseen_to_stay_as_it_is(bench, redis):
    b = bench(CALL)
    b.lead()
    assert foreseen(b, redis)[0] is Effect.UNFINISHED

    b.work()
    assert foreseen(b, redis) == (Effect.DONE, f"it is done, and stays so: {b.entry().reason}")


def test_the_exact_request_of_before_goes_out_again_where_the_rules_would_say_it_otherwise_today(bench, redis, platform):
    named = {**CALL, "call": {"campaign": "welcome", "payload": {"name": "contact.name"}}}
    b = bench(named)
    platform.fault("reset_before", times=1)
    b.lead(name="Alex")
    b.work()
    before = b.entry().request
    for _ in range(2):
        b.clock.advance(minutes=2)
        b.work(b.with_rules(named, mode="shadow"))
    assert b.status() == "suppressed"

    other = {**CALL, "call": {"campaign": "welcome", "payload": {"title": "'Dr'"}}}
    done = operating(b, redis, other).replay(b.entry(), Mode.REQUEST, "Anna")
    b.work(b.with_rules(other))

    assert done.good
    assert b.status() == "done"
    assert b.entry().request == before
    assert "Alex" in before.body
    assert [call["idempotence_key"] for call in platform.calls] == ["crm:e1"]


def test_an_exact_request_needs_one_and_rules_that_still_let_it_call(bench, redis):
    b = ignored(bench)
    assert foreseen(b, redis, CALL, mode=Mode.REQUEST) == (Effect.IMPOSSIBLE, "it never sent a request that could be sent again")


def test_calling_again_is_another_call_under_another_key_with_a_reason(bench, redis, platform):
    b = bench(CALL)
    b.lead()
    b.work()
    b.clock.advance(hours=25)
    desk = operating(b, redis)
    assert desk.replaying.foresee(b.entry(), Mode.AGAIN).effect is Effect.CALL
    with pytest.raises(Unusable, match="say why"):
        desk.replay(b.entry(), Mode.AGAIN, "Anna", " ")

    done = desk.replay(b.entry(), Mode.AGAIN, "Anna", "the line was bad")
    b.work()

    assert done.good
    again = b.world.ledger.entry(done.key)
    assert again.status == "done"
    assert again.key != "crm:e1"
    assert [call["idempotence_key"] for call in platform.calls] == ["crm:e1", again.key]
    assert [(act.what, act.note) for act in desk.audit.of(["crm:e1"])] == [("had the person called again", "the line was bad")]


def test_calling_again_within_the_cooldown_is_foreseen_to_be_refused_and_is(bench, redis, platform):
    b = bench(CALL)
    b.lead()
    b.work()
    desk = operating(b, redis)
    assert desk.replaying.foresee(b.entry(), Mode.AGAIN).effect is Effect.SUPPRESSED

    done = desk.replay(b.entry(), Mode.AGAIN, "Anna", "they asked")
    b.work()

    assert b.world.ledger.entry(done.key).status == "suppressed"
    assert len(platform.calls) == 1


def test_it_is_said_beforehand_that_the_platform_refuses_the_same_call_within_a_day(bench, redis):
    b = bench({"name": "call", "on": "lead.created", "call": {"campaign": "welcome"}})
    b.lead()
    b.work()
    desk = operating(b, redis)
    assert "within 24 h" in desk.replaying.foresee(b.entry(), Mode.AGAIN).told

    key = desk.replay(b.entry(), Mode.AGAIN, "Anna", "they asked").key
    b.work()

    assert b.world.ledger.entry(key).reason.startswith("already called by the platform's own rule")


def test_a_call_that_was_ordered_again_and_came_to_nothing_can_be_replayed(bench, redis, platform):
    b = bench(CALL)
    b.lead()
    b.work()
    desk = operating(b, redis)
    key = desk.replay(b.entry(), Mode.AGAIN, "Anna", "they asked").key
    b.work()
    b.clock.advance(hours=25)

    done = desk.replay(b.world.ledger.entry(key), Mode.RULES, "Anna")
    b.work()

    assert done.good
    assert (b.world.ledger.entry(key).status, len(platform.calls)) == ("done", 2)


@pytest.mark.parametrize("planned", [True, False])
def test_cancelling_stops_a_planned_call_and_one_that_waits(bench, redis, platform, planned):
    b = bench(CALL)
    b.lead()
    desk = operating(b, redis)
    if planned:
        b.work()

    key = desk.cancel(b.entry(), "Anna", "a mistake")
    b.work_through()

    assert b.world.ledger.entry(key).status == "done"
    assert [call["status"] for call in platform.calls] == (["cancelledByUser"] if planned else [])
    assert b.status() == ("done" if planned else "suppressed")
    assert desk.audit.of(["crm:e1"])[0].what == "cancelled"


def test_cancelling_leaves_other_records_of_the_same_person_alone(bench, redis):
    b = bench({**CALL, "call": {"campaign": "welcome"}})
    b.lead("e1")
    b.lead("e2")

    operating(b, redis).cancel(b.entry("e1"), "Anna")
    b.work_through()

    assert (b.status("e1"), b.status("e2")) == ("suppressed", "done")


def test_a_scope_or_an_action_that_is_not_there_is_refused(bench, redis):
    desk = operating(bench(), redis)

    with pytest.raises(Unusable, match="no campaign called 'nothing'; there are welcome, other"):
        desk.pause("campaign:nothing", "Anna")
    with pytest.raises(Unusable, match="nothing that can be done to a campaign"):
        desk.control("start", "welcome", "Anna")


def test_what_operators_do_is_written_down_without_a_whole_number(bench, redis):
    b = bench(CALL)
    b.lead()
    desk = operating(b, redis)
    desk.pause("campaign:welcome", "Anna", "a wrong list")
    desk.resume("campaign:welcome", "Ben")
    desk.add_unwanted([Unwanted(phone="+16502530000", added=b.clock(), note="asked")], "Anna")
    desk.remove_unwanted("+16502530000", None, "Ben")
    desk.reveal("+16502530000", "crm:e1", "Anna")

    told = [(act.by, act.what, act.note) for act in reversed(desk.audit.last())]

    assert told == [
        ("Anna", "paused campaign welcome", "a wrong list"),
        ("Ben", "resumed campaign welcome", ""),
        ("Anna", "put +165…00 on the do-not-call list", "asked"),
        ("Ben", "took +165…00 off the do-not-call list", ""),
        ("Anna", "looked at the whole number", ""),
    ]
    assert "6502530000" not in json.dumps(told)
