"""A contact created before its number was typed."""

from datetime import timedelta

PHONE = "+16502530000"
RULES = (
    {"name": "call", "on": "contact.created", "call": {"campaign": "welcome"}},
    {"name": "in a hurry", "on": "lead.created", "call": {"campaign": "welcome", "wait_for_phone": "0s"}},
)
CREATED = {"type": "contact.created", "entity": {"type": "contact", "id": "101"}, "contact": {"id": "101", "name": "Alex"}, "phone": None}
CHANGED = {"type": "contact.updated", "entity": {"type": "contact", "id": "101"}, "contact": {"id": "101", "phone": PHONE}}


def test_it_waits_and_the_event_that_brings_the_number_wakes_it_at_once(bench, platform):
    bridge = bench(*RULES)
    bridge.lead("created", **CREATED)
    bridge.work()
    assert bridge.status("created") == "waiting"
    assert "one is waited for until" in bridge.entry("created").reason

    bridge.lead("changed", **CHANGED)
    bridge.work()

    assert bridge.status("created") == "done"
    (call,) = platform.calls
    assert call["phone"] == PHONE.removeprefix("+")
    assert call["payload"] is None or "name" not in call["payload"] or call["payload"]["name"] == "Alex"


def test_a_number_that_came_before_the_creation_is_found(bench, platform):
    bridge = bench(*RULES)
    bridge.lead("changed", **CHANGED)
    bridge.lead("created", **CREATED)

    bridge.work()

    assert bridge.status("created") == "done"


def test_another_persons_number_wakes_nobody(bench, platform):
    bridge = bench(*RULES)
    bridge.lead("created", **CREATED)
    bridge.work()

    bridge.lead("changed", **{**CHANGED, "entity": {"type": "contact", "id": "102"}, "contact": {"id": "102", "phone": PHONE}})
    bridge.work()

    assert bridge.status("created") == "waiting"
    assert platform.calls == []


def test_after_a_day_it_is_given_up(bench):
    bridge = bench(*RULES)
    bridge.lead("created", **CREATED)
    bridge.work()
    bridge.clock.advance(hours=24)

    bridge.work()

    assert bridge.status("created") == "suppressed"
    assert "none came within 1d" in bridge.entry("created").reason


def test_a_rule_without_patience_fails_at_once(bench):
    bridge = bench(*RULES)
    bridge.lead("e1", phone=None)

    bridge.work()

    assert bridge.status("e1") == "failed"
    assert bridge.entry("e1").reason.endswith("nobody is waited for to tell it: send contact.phone"), "there is no api_token of a generic source"


def test_a_stop_meets_it_while_it_waits(bench, platform):
    bridge = bench(*RULES, {"name": "stop", "on": "contact.deleted", "cancel": {}})
    bridge.lead("created", **CREATED)
    bridge.work()
    bridge.lead("deleted", **{**CREATED, "type": "contact.deleted"})
    bridge.lead("changed", **{**CHANGED, "occurred_at": (bridge.clock() - timedelta(hours=1)).isoformat()})

    bridge.work_through()

    assert bridge.status("created") == "suppressed"
    assert platform.calls == []
