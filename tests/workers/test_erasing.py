"""Forgetting a person: calls are stopped, what was received goes, what stops redeliveries stays."""

from bridge.ledger import DoNotCallList
from bridge.ledger.packing import unpack
from bridge.ordering import Ordering, person_refs

PHONE = "+16502530000"
CONTACT = {"contact": {"id": "101", "name": "Alexandra Doe", "phone": PHONE}, "entity": {"type": "contact", "id": "101"}, "phone": None}
HUBSPOT = {"portalId": 33, "appId": 1, "objectId": 101, "occurredAt": 1764000000000, "attemptNumber": 0, "eventId": 1, "subscriptionId": 1}


def order(bridge, *refs):
    return Ordering(ledger=bridge.world.ledger, list=DoNotCallList(bridge.world.ledger.redis), clock=bridge.clock).erase(refs)


def everything(redis):
    """All that Redis holds, as text; what is packed, unpacked."""
    told = []
    for key in redis.scan_iter("*"):
        kind = redis.type(key)
        read = {"string": redis.get, "hash": redis.hgetall, "zset": lambda key: redis.zrange(key, 0, -1), "set": redis.smembers}
        found = read[kind](key) if kind in read else redis.lrange(key, 0, -1)
        if kind == "hash":
            found = {name: unpack(value) if name == "packed" else value for name, value in found.items()}
        told.append(f"{key} {unpack(found) if ':delivery:' in key else found}")
    return "\n".join(told)


def test_this_file_would_see_a_number_that_is_left(bench, redis):
    bridge = bench()
    bridge.lead("e1", **CONTACT)
    bridge.lead("ignored", type="nobody.cares", **CONTACT)
    waiting = everything(redis)
    bridge.work()

    for told in (waiting, everything(redis)):
        assert told.count(f'"phones":["{PHONE}"]') == 2  # of the one that waits and of the one that is finished
        assert told.count("Alexandra Doe") == 4  # and as both were received


def test_nothing_about_the_person_is_left_and_a_redelivery_is_still_a_repeat(bench, platform, redis):
    bridge = bench()
    bridge.lead("e1", **CONTACT)
    bridge.work()

    key = order(bridge, "crm/contact:101")
    bridge.work()

    done = bridge.world.ledger.entry(key)
    assert done.status == "done"
    assert "in 1 other events" in done.reason
    assert platform.calls[0]["status"] == "cancelledByUser"
    left = everything(redis)
    assert "Alexandra" not in left
    assert PHONE.removeprefix("+") not in left
    assert bridge.entry("e1").reason == "erased: the person asked to be forgotten"
    (again,) = bridge.lead("e1", **CONTACT)
    assert again.status == "duplicate"
    bridge.work()
    assert len(platform.calls) == 1


def test_somebody_who_waits_is_not_called_after_being_forgotten(bench, platform):
    hours = {"days": ["mon"], "from": "03:00", "to": "03:01"}
    bridge = bench({"name": "call", "on": "lead.created", "call": {"campaign": "welcome", "hours": hours}})
    bridge.lead("e1", **CONTACT)
    bridge.work()

    order(bridge, f"phone:{PHONE}")
    bridge.work()

    assert bridge.status("e1") == "suppressed"
    assert bridge.world.ledger.unfinished() == {}
    bridge.clock.advance(days=8)
    bridge.work()
    assert platform.calls == []


def test_others_stay_as_they_are(bench, redis):
    bridge = bench()
    bridge.lead("e1", **CONTACT)
    bridge.lead("other", phone="+16502530001", name="Sam Poe")
    bridge.work()

    order(bridge, "crm/contact:101")
    bridge.work()

    assert bridge.entry("other").event.contact.name == "Sam Poe"
    assert bridge.world.ledger.delivery(bridge.entry("other").delivery) is not None


def test_hubspots_privacy_deletion_stops_calls_and_forgets_whatever_the_rules_say(bench, platform, redis):
    rules = {"name": "call", "source": "crm", "call": {"campaign": "welcome"}}
    bridge = bench(rules, {"name": "hub", "source": "hubspot", "on": "contact.updated", "call": {"campaign": "welcome"}}, api_token="")
    bridge.receive({**HUBSPOT, "subscriptionType": "contact.propertyChange", "propertyName": "phone", "propertyValue": PHONE}, source="hubspot")
    bridge.work()
    assert [call["status"] for call in platform.calls] == ["planned"]

    bridge.receive({**HUBSPOT, "subscriptionType": "contact.privacyDeletion"}, source="hubspot")
    bridge.work()

    assert [call["status"] for call in platform.calls] == ["cancelledByUser"]
    assert PHONE.removeprefix("+") not in everything(redis)


def test_who_is_meant_is_a_number_in_any_spelling_or_a_ref_in_every_source():
    assert person_refs("+1 (650) 253-0000", ["a"]) == [f"phone:{PHONE}"]
    assert person_refs("contact:101", ["a", "b"]) == ["a/contact:101", "b/contact:101"]
    assert person_refs("Alexandra", ["a"]) == []
