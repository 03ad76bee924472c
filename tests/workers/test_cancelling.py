"""Stops against calls, in every order in which the two can meet."""

import pytest

LEAD = {"entity": {"type": "lead", "id": "1"}}
EARLY, LATE, LATER = (f"2026-11-23T08:4{minute}:00Z" for minute in range(3))
CALL = {"name": "call", "on": "lead.created", "call": {"campaign": "welcome", "payload": {"name": "contact.name"}}}
STOP = {"name": "stop", "on": "lead.deleted", "cancel": {}}


def statuses(bridge, *event_ids):
    return [bridge.status(event_id) for event_id in event_ids]


def test_a_cancel_after_the_call_has_the_platform_cancel_it(bench, platform):
    bridge = bench()
    bridge.lead("call", occurred_at=EARLY, **LEAD)
    bridge.work()
    bridge.lead("stop", type="lead.deleted", occurred_at=LATE, **LEAD)

    bridge.work()

    (call,) = platform.calls
    assert call["status"] == "cancelledByUser"
    assert bridge.status("stop") == "done"
    assert bridge.entry("stop").reason == f"call job {call['id']}: cancelled"
    assert [request["key"] for request in platform.asked("cancel")] == ["crm:stop:cancel"]


def test_a_cancel_that_overtakes_its_call_stops_it(bench, platform):
    bridge = bench()
    bridge.lead("stop", type="lead.deleted", occurred_at=LATE, **LEAD)
    bridge.work()
    bridge.lead("call", occurred_at=EARLY, **LEAD)
    bridge.lead("new", occurred_at=LATER, **LEAD)

    bridge.work_through()

    assert statuses(bridge, "stop", "call", "new") == ["done", "suppressed", "done"]
    assert "stop mark" in bridge.entry("call").reason
    assert len(platform.calls) == 1


def test_a_call_of_the_same_moment_as_the_stop_is_stopped(bench, platform):
    bridge = bench()
    bridge.lead("stop", type="lead.deleted", occurred_at=EARLY, **LEAD)
    bridge.lead("call", occurred_at=EARLY, **LEAD)

    bridge.work_through()

    assert statuses(bridge, "stop", "call") == ["done", "suppressed"]
    assert platform.calls == []


@pytest.mark.parametrize("repeat", [None, "429", "stopped_campaign"])
def test_a_cancel_waits_until_it_is_known_whether_there_is_a_call_and_stops_it_then(bench, platform, repeat):
    bridge = bench()
    bridge.lead("call", occurred_at=EARLY, **LEAD)
    platform.fault("lost_answer", times=1, endpoint="addPhone")
    bridge.work()
    if repeat:
        platform.fault(repeat, times=1, endpoint="addPhone")
        bridge.until_due("call")
        bridge.work()
    bridge.lead("stop", type="lead.deleted", occurred_at=LATE, **LEAD)

    bridge.work_through(12, seconds=5)

    (call,) = platform.calls
    assert call["status"] == "cancelledByUser"
    assert statuses(bridge, "call", "stop") == ["done", "done"]


def test_a_cancel_waits_for_a_call_whose_source_is_out_of_the_configuration(bench, platform):
    bridge = bench()
    bridge.lead("call", occurred_at=EARLY, **LEAD)
    platform.fault("lost_answer", times=1, endpoint="addPhone")
    bridge.work()
    bridge.until_due("call")
    bridge.work(bridge.worker(sources={}))
    assert (bridge.status("call"), bridge.entry("call").open) == ("parked", True)
    bridge.lead("stop", type="lead.deleted", occurred_at=LATE, **LEAD)

    bridge.work()
    assert bridge.status("stop") == "waiting"
    bridge.work_through(12, seconds=120)

    assert statuses(bridge, "call", "stop") == ["done", "done"]
    assert [call["status"] for call in platform.calls] == ["cancelledByUser"]


def test_a_cancel_with_nothing_to_cancel_is_done_and_says_so(bench, platform):
    bridge = bench()
    bridge.lead("stop", type="lead.deleted", **LEAD)

    bridge.work()

    assert bridge.status("stop") == "done"
    assert "nothing to cancel" in bridge.entry("stop").reason
    assert platform.requests == []


def test_a_call_that_is_over_is_a_success_with_a_note(bench, platform):
    bridge = bench()
    bridge.lead("call", occurred_at=EARLY, **LEAD)
    bridge.work()
    platform.ask("POST", f"jobs/{platform.calls[0]['id']}", {"status": "noAnswer"})
    bridge.lead("stop", type="lead.deleted", occurred_at=LATE, **LEAD)

    bridge.work()

    assert bridge.status("stop") == "done"
    assert "already finished (noAnswer)" in bridge.entry("stop").reason


def test_a_cancel_whose_answer_is_lost_is_sent_again_under_its_key(bench, platform):
    bridge = bench()
    bridge.lead("call", occurred_at=EARLY, **LEAD)
    bridge.work()
    bridge.lead("stop", type="lead.deleted", occurred_at=LATE, **LEAD)
    platform.fault("lost_answer", times=1, endpoint="callJob/cancel")
    bridge.work()
    assert bridge.status("stop") == "waiting"

    bridge.until_due("stop")
    bridge.work()

    first, second = platform.asked("cancel")
    assert bridge.status("stop") == "done"
    assert (first["key"], first["body"]) == (second["key"], second["body"])


def test_every_call_of_the_person_is_cancelled_under_a_key_of_its_own(bench, platform):
    bridge = bench()
    for number in range(3):
        bridge.lead(f"call{number}", occurred_at=EARLY, name=f"Alex {number}", **LEAD, type="lead.created", stage={"to": str(number)})
    bridge.work_through()
    assert len(platform.calls) == 3
    bridge.lead("stop", type="lead.deleted", occurred_at=LATE, **LEAD)

    bridge.work_through()

    assert {call["status"] for call in platform.calls} == {"cancelledByUser"}
    assert [request["key"] for request in platform.asked("cancel")] == ["crm:stop:cancel", "crm:stop:cancel:2", "crm:stop:cancel:3"]


def test_a_call_on_a_newer_fact_is_left_alone(bench, platform):
    bridge = bench()
    bridge.lead("call", occurred_at=LATER, **LEAD)
    bridge.work()
    bridge.lead("stop", type="lead.deleted", occurred_at=LATE, **LEAD)

    bridge.work()

    assert [call["status"] for call in platform.calls] == ["planned"]
    assert bridge.status("stop") == "done"


def test_a_cancel_for_one_campaign_leaves_the_others_alone(bench, platform):
    bridge = bench(CALL, {**STOP, "cancel": {"campaigns": ["other"]}})
    bridge.lead("call", occurred_at=EARLY, **LEAD)
    bridge.work()
    bridge.lead("stop", type="lead.deleted", occurred_at=LATE, **LEAD)

    bridge.work()

    assert [call["status"] for call in platform.calls] == ["planned"]


def test_one_rule_may_cancel_and_then_call(bench, platform):
    again = {"name": "again", "on": "lead.updated", "cancel": {}, "call": {"campaign": "other"}}
    bridge = bench(CALL, again)
    bridge.lead("call", occurred_at=EARLY, **LEAD)
    bridge.work()
    bridge.lead("again", type="lead.updated", occurred_at=LATE, **LEAD)

    bridge.work_through()

    assert [(call["campaign"], call["status"]) for call in platform.calls] == [("welcome", "cancelledByUser"), ("other", "planned")]
    assert [call["idempotence_key"] for call in platform.calls] == ["crm:call", "crm:again"]
    assert bridge.status("again") == "done"


def test_a_call_made_by_a_cancelling_rule_waits_for_its_own_answer_too(bench, platform):
    again = {"name": "again", "on": "lead.updated", "cancel": {}, "call": {"campaign": "other"}}
    bridge = bench(CALL, again)
    bridge.lead("again", type="lead.updated", occurred_at=LATE, **LEAD)
    platform.fault("lost_answer", times=1, endpoint="addPhone")
    bridge.work()
    assert bridge.entry("again").open

    bridge.until_due("again")
    bridge.work()

    assert bridge.entry("again").jobs == tuple(call["id"] for call in platform.calls)
    assert len(platform.calls) == 1


def created(deal_id):
    return {"subscriptionType": "deal.creation", "objectId": deal_id, "portalId": 1, "occurredAt": 1_763_800_000_000}


def closed(deal_id):
    told = {"subscriptionType": "deal.propertyChange", "propertyName": "dealstage", "propertyValue": "closedwon"}
    return {**told, "objectId": deal_id, "portalId": 1, "occurredAt": 1_763_800_100_000}


DEALS = (
    {"name": "call", "source": "hubspot", "on": "deal.created", "call": {"campaign": "welcome"}},
    {"name": "stop", "source": "hubspot", "on": "deal.stage_changed", "cancel": {}},
)


def test_a_stop_for_a_deal_that_is_gone_from_the_crm_still_stops_its_call(bench, platform):
    bridge = bench(*DEALS)
    bridge.receive(created(555), source="hubspot")
    bridge.work()
    assert len(platform.calls) == 1
    bridge.receive(closed(555), source="hubspot")
    platform.ask("DELETE", "records/hubspot/deals/555")

    bridge.work()

    assert [call["status"] for call in platform.calls] == ["cancelledByUser"]


def test_a_stop_does_not_wait_for_a_crm_that_is_away(bench, platform):
    bridge = bench(*DEALS)
    bridge.receive(created(555), source="hubspot")
    bridge.work()
    (receipt,) = bridge.receive(closed(555), source="hubspot")
    platform.fault("5xx", endpoint="/hubspot/*", times=1)

    bridge.work()
    assert [call["status"] for call in platform.calls] == ["cancelledByUser"]
    assert bridge.entry(receipt.id, "hubspot").status == "waiting"

    bridge.clock.advance(seconds=60)
    bridge.work()
    assert bridge.entry(receipt.id, "hubspot").status == "done"


def test_a_stop_finds_a_call_by_the_person_when_nothing_else_ties_them(bench, platform):
    rule = {"name": "call", "source": "hubspot", "on": "contact.created", "call": {"campaign": "welcome"}}
    bridge = bench(rule, DEALS[1])
    bridge.receive(
        {"subscriptionType": "contact.creation", "objectId": 1555, "portalId": 1, "occurredAt": 1_763_800_000_000},
        source="hubspot",
    )
    bridge.work()
    bridge.receive(closed(555), source="hubspot")

    bridge.work()

    assert [call["status"] for call in platform.calls] == ["cancelledByUser"]


def test_a_call_under_way_is_said_to_be_under_way(bench, platform):
    bridge = bench()
    bridge.lead("call", occurred_at=EARLY, **LEAD)
    bridge.work()
    platform.ask("POST", f"jobs/{platform.calls[0]['id']}", {"status": "inProcess"})
    bridge.lead("stop", type="lead.deleted", occurred_at=LATE, **LEAD)

    bridge.work()

    assert bridge.status("stop") == "done"
    assert "already talking" in bridge.entry("stop").reason


def test_it_is_not_cancelled_before_the_platform_says_so(bench, platform):
    bridge = bench()
    bridge.lead("call", occurred_at=EARLY, **LEAD)
    bridge.work()
    bridge.lead("stop", type="lead.deleted", occurred_at=LATE, **LEAD)
    platform.fault("5xx", times=2, endpoint="callJob/cancel")

    bridge.work()

    assert bridge.status("stop") == "waiting"
    bridge.work_through(8, seconds=5)
    assert bridge.status("stop") == "done"
    assert [call["status"] for call in platform.calls] == ["cancelledByUser"]


def test_a_stop_ends_what_waits_for_call_hours_at_once(bench, platform):
    hours = {"days": ["mon"], "from": "03:00", "to": "03:01"}
    bridge = bench({**CALL, "call": {"campaign": "welcome", "hours": hours}}, STOP)
    bridge.lead("call", occurred_at=EARLY, **LEAD)
    bridge.work()
    assert bridge.status("call") == "waiting"

    bridge.lead("stop", type="lead.deleted", occurred_at=LATE, **LEAD)
    bridge.work_through(2)

    assert statuses(bridge, "call", "stop") == ["suppressed", "done"]
    assert "crm:stop" in bridge.entry("call").reason
    assert bridge.entry("call").planned_at > bridge.clock()  # which is what its page tells


BOTH = {"name": "start again", "on": "contact.updated", "cancel": {}, "call": {"campaign": "welcome", "payload": {"id": "id"}}}


def test_of_two_changes_of_one_moment_that_each_start_again_one_call_is_left(bench, platform):
    bridge = bench(BOTH)
    for event_id in ("first", "second"):
        bridge.lead(event_id, type="contact.updated", occurred_at=EARLY, entity={"type": "contact", "id": "1"}, stage={"to": event_id})

    bridge.work_through()

    assert statuses(bridge, "first", "second") == ["done", "done"]
    assert [call["status"] for call in platform.calls].count("planned") == 1


def test_a_stop_of_the_same_moment_outweighs_a_new_start(bench, platform):
    bridge = bench(BOTH, STOP)
    bridge.lead("again", type="contact.updated", occurred_at=EARLY, **LEAD)
    bridge.lead("stop", type="lead.deleted", occurred_at=EARLY, **LEAD)

    bridge.work_through()

    assert [call for call in platform.calls if call["status"] == "planned"] == []


def test_two_of_one_moment_that_both_wait_do_not_wake_each_other(bench, platform):
    hours = {"days": ["mon"], "from": "03:00", "to": "03:01"}
    bridge = bench({**BOTH, "call": {"campaign": "welcome", "hours": hours}})
    for event_id in ("first", "second"):
        bridge.lead(event_id, type="contact.updated", occurred_at=EARLY, entity={"type": "contact", "id": "1"}, stage={"to": event_id})

    handled = sum(bridge.work() for _ in range(20))

    assert handled <= 6
