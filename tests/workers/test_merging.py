"""A record that was merged into another: what was known of it goes on under the other's name."""

PHONE = "+16502530000"
HUBSPOT = {"portalId": 33, "appId": 1, "attemptNumber": 0, "eventId": 1, "subscriptionId": 1}
RULES = (
    {"name": "call", "on": "contact.updated", "where": "contact.phone", "call": {"campaign": "welcome"}},
    {"name": "stop", "on": "contact.deleted", "cancel": {}},
)
MORNING, NOON, EVENING = (1764000000000 + hours * 3_600_000 for hours in (0, 4, 8))


def phone_changed(contact, at=MORNING, phone=PHONE):
    return {
        **HUBSPOT,
        "subscriptionType": "contact.propertyChange",
        "propertyName": "phone",
        "propertyValue": phone,
        "objectId": contact,
        "occurredAt": at,
    }


def merged(winner, loser, new=None, at=NOON):
    told = {"primaryObjectId": winner, "mergedObjectIds": [loser], "numberOfPropertiesMoved": 1, "newObjectId": new or winner}
    return {**HUBSPOT, **told, "subscriptionType": "contact.merge", "objectId": new or winner, "occurredAt": at}


def deleted(contact, at=EVENING):
    return {**HUBSPOT, "subscriptionType": "contact.deletion", "objectId": contact, "occurredAt": at}


def bridge_of(bench):
    return bench(*RULES, api_token="")


def test_the_call_of_the_one_that_was_merged_is_stopped_through_the_one_that_lives_on(bench, platform):
    bridge = bridge_of(bench)
    bridge.receive(phone_changed(2), source="hubspot")
    bridge.work()
    bridge.receive(merged(1, 2), source="hubspot")
    bridge.work()

    bridge.receive(deleted(1), source="hubspot")
    bridge.work()

    assert [call["status"] for call in platform.calls] == ["cancelledByUser"]


def test_a_merge_into_a_new_record_moves_both(bench, platform):
    bridge = bridge_of(bench)
    bridge.receive(phone_changed(1), source="hubspot")
    bridge.receive(phone_changed(2, phone="+16502530001"), source="hubspot")
    bridge.work()
    bridge.receive(merged(1, 2, new=3), source="hubspot")

    bridge.receive(deleted(3), source="hubspot")
    bridge.work_through()

    assert [call["status"] for call in platform.calls] == ["cancelledByUser"] * 2


def test_an_event_of_the_old_record_that_comes_late_meets_the_stop_of_the_new(bench, platform):
    bridge = bridge_of(bench)
    bridge.receive(merged(1, 2), source="hubspot")
    bridge.receive(deleted(1), source="hubspot")
    bridge.work()

    bridge.receive(phone_changed(2), source="hubspot")
    bridge.work()

    assert platform.calls == []


def test_a_stop_of_before_the_merge_holds_after_it(bench, platform):
    bridge = bridge_of(bench)
    bridge.receive(deleted(2, at=MORNING), source="hubspot")
    bridge.receive(merged(1, 2), source="hubspot")
    bridge.work()

    bridge.receive(phone_changed(1, at=MORNING), source="hubspot")
    bridge.work()

    assert platform.calls == []
