"""Replays of single events: decided again from what was received, under the same key, and never a second call."""

import pytest

from bridge.ingest import Ingest
from bridge.replaying import Replaying
from bridge.sources.generic import Generic, GenericSettings

CALL = {"name": "call", "on": "lead.created", "call": {"campaign": "welcome"}}


def replay(bridge, event_id="e1", **changes):
    world = bridge.with_rules(*changes["rules"]) if "rules" in changes else bridge.world
    ingest = Ingest(sources=changes.get("sources", world.sources), policy=world.policy, ledger=bridge.world.ledger, clock=bridge.clock)
    return Replaying(ingest).replay(bridge.entry(event_id))


def test_an_event_that_no_rule_was_for_is_called_when_there_is_one(bench, platform):
    bridge = bench({"name": "nothing", "on": "deal.created", "call": {"campaign": "welcome"}})
    bridge.lead()
    assert bridge.status() == "ignored"

    told = replay(bridge, rules=[CALL])
    bridge.work(bridge.with_rules(CALL))

    assert told.good
    assert bridge.status() == "done"
    assert [call["idempotence_key"] for call in platform.calls] == ["crm:e1"]


def test_a_failed_event_is_tried_again_under_its_key(bench, platform):
    bridge = bench()
    bridge.lead(phone="12")
    bridge.work()
    assert bridge.status() == "failed"

    again = replay(bridge, sources={"crm": Generic("crm", GenericSettings(kind="generic", secret="s", region="DE"))})

    assert again.good
    assert bridge.status() == "queued"
    assert set(bridge.world.ledger.unfinished()) == {"crm:e1"}


def test_what_is_done_stays_done_and_nobody_is_called_again(bench, platform):
    bridge = bench()
    bridge.lead()
    bridge.work()

    told = replay(bridge)
    bridge.work()

    assert (told.good, told.told) == (False, "it is done: a replay would change nothing")
    assert len(platform.calls) == 1


def test_what_goes_on_by_itself_is_left_to_it(bench):
    bridge = bench()
    bridge.lead()

    assert replay(bridge).told == "it is queued and goes on by itself"


def test_a_body_that_can_be_read_at_last_becomes_its_events(bench, platform):
    class Mended(Generic):
        strict = False

    bridge = bench(CALL)
    blind = {"crm": Mended("crm", GenericSettings(kind="generic", secret="s", fields={"type": "nowhere"}))}
    sighted = {"crm": Mended("crm", GenericSettings(kind="generic", secret="s"))}
    ingest = Ingest(sources=blind, policy=bridge.world.policy, ledger=bridge.world.ledger, clock=bridge.clock)
    bridge.ingest = ingest
    (kept,) = bridge.lead()
    assert kept.status == "failed"

    told = replay(bridge, kept.id, sources=sighted)
    bridge.work()

    assert told.told == "replayed: read as crm:e1 (queued)"
    assert bridge.status("e1") == "done"
    assert bridge.status(kept.id) == "suppressed"


@pytest.mark.parametrize("gone", ["delivery", "source"])
def test_what_is_missing_is_said(bench, redis, gone):
    bridge = bench({"name": "nothing", "on": "deal.created"})
    bridge.lead()
    if gone == "delivery":
        redis.delete(*redis.keys("callbridge:1:delivery:*"))

    told = replay(bridge, sources={} if gone == "source" else bridge.world.sources)

    assert not told.good
    assert "any more" in told.told
