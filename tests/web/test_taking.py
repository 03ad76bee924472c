"""What a source is answered, and what is in the ledger by then."""

import base64
from dataclasses import replace

import pytest

from bridge.app import create_app
from bridge.model import Reply, Status
from bridge.sources.generic import Generic


def test_a_new_event_is_accepted_and_in_the_ledger_before_the_answer(door, lead):
    answer = door.deliver("zapier", lead(7))

    assert answer.status_code == 202
    assert answer.get_json() == {
        "status": "accepted",
        "events": [{"id": "lead-7", "status": "queued", "reason": "+128…75 is to be called in campaign welcome"}],
    }
    assert door.services.ledger.entry("zapier:lead-7").status is Status.QUEUED
    assert "zapier:lead-7" in door.services.ledger.unfinished()


def test_a_redelivery_is_answered_duplicate_and_says_how_the_first_one_stands(door, lead):
    door.deliver("zapier", lead(7))

    answer = door.deliver("zapier", lead(7))

    assert answer.status_code == 200
    assert answer.get_json() == {
        "status": "duplicate",
        "events": [{"id": "lead-7", "status": "duplicate", "reason": "received before; it is queued"}],
    }
    assert door.services.ledger.entry("zapier:lead-7").duplicates == 1


def test_a_redelivery_after_its_record_was_removed_is_still_a_duplicate(door, lead):
    door.deliver("zapier", lead(7))
    door.services.redis.delete("callbridge:1:event:zapier:lead-7")

    answer = door.deliver("zapier", lead(7))

    assert answer.get_json()["events"][0] == {
        "id": "lead-7",
        "status": "duplicate",
        "reason": "received before; its record was removed when its retention ended",
    }


def test_an_event_that_no_rule_wants_is_answered_ignored_and_why(door, lead):
    answer = door.deliver("zapier", lead(7, type="lead.updated"))

    assert answer.status_code == 200
    assert answer.get_json()["status"] == "ignored"
    assert answer.get_json()["events"][0]["reason"] == ("no rule is for lead.updated from zapier")
    assert door.services.ledger.entry("zapier:lead-7").status is Status.IGNORED


def test_a_batch_is_receipted_in_its_order_whatever_becomes_of_each(door, lead):
    door.deliver("zapier", lead(1))

    answer = door.deliver("zapier", [lead(2), lead(1), lead(3, type="lead.updated"), lead(2), lead(4, type="lead.deleted")])

    assert answer.status_code == 202
    assert answer.get_json()["status"] == "accepted"
    assert [(event["id"], event["status"]) for event in answer.get_json()["events"]] == [
        ("lead-2", "queued"),
        ("lead-1", "duplicate"),
        ("lead-3", "ignored"),
        ("lead-2", "duplicate"),
        ("lead-4", "queued"),
    ]


def test_duplicates_and_ignored_events_alone_are_200(door, lead):
    door.deliver("zapier", lead(1))

    answer = door.deliver("zapier", [lead(1), lead(2, type="lead.updated")])

    assert (answer.status_code, answer.get_json()["status"]) == (200, "ignored")


def test_a_cancel_leaves_its_stop_mark_at_once(door, lead):
    door.deliver("zapier", lead(7, type="lead.deleted", occurred_at="2026-11-23T08:40:00Z"))

    assert door.services.redis.hgetall("callbridge:1:mark:phone:+12813322575") == {"welcome": "1795423200000 zapier:lead-7"}


def test_a_batch_with_nothing_in_it_is_taken_and_keeps_nothing(door):
    answer = door.deliver("hubspot", [])

    assert (answer.status_code, answer.get_json()) == (200, {"status": "ignored", "events": []})
    assert door.services.redis.keys("*delivery:*") == []


@pytest.mark.parametrize("body", [b'{"this is": not json', b"\xff\xfe not even text \x00", b'"a text alone"'])
def test_what_is_authentic_but_not_understood_is_kept_as_failed_with_its_body_to_the_byte(door, body):
    answer = door.deliver("hubspot", body)

    receipt = answer.get_json()["events"][0]
    entry = door.services.ledger.entry(f"hubspot:{receipt['id']}")
    delivery = door.services.ledger.delivery(entry.delivery)
    assert (answer.status_code, receipt["status"]) == (202, "failed")
    assert receipt["reason"].startswith("authentic, but not understood: ")
    assert (base64.b64decode(delivery["body"]) if delivery["encoding"] == "base64" else delivery["body"].encode()) == body


def test_what_was_not_understood_is_a_duplicate_when_it_comes_again(door):
    door.deliver("hubspot", b"not json")

    answer = door.deliver("hubspot", b"not json")

    assert answer.get_json()["events"][0]["reason"] == "received before; it is failed"


def test_one_element_that_cannot_be_read_does_not_take_the_others_with_it(door):
    deletion = {"subscriptionType": "contact.deletion", "objectId": 5, "portalId": 1, "occurredAt": 1795423200000}

    answer = door.deliver("hubspot", [{"nothing": "known"}, deletion])

    assert answer.status_code == 202
    assert [event["status"] for event in answer.get_json()["events"]] == ["failed", "ignored"]


class Baffled(Generic):
    """An adapter with a fault in it."""

    strict = False

    def parse(self, delivery):
        return delivery.headers["a header that is not there"]


def with_adapter(door, adapter):
    sources = {"zapier": adapter("zapier", door.services.sources["zapier"].settings)}
    services = replace(door.services, sources=sources, ingest=replace(door.services.ingest, sources=sources))
    return replace(door, services=services, client=create_app(services).test_client())


def test_a_fault_in_an_adapter_loses_nothing_authentic(door, lead, log_lines):
    door = with_adapter(door, Baffled)

    answer = door.deliver("zapier", lead(7))

    receipt = answer.get_json()["events"][0]
    assert (answer.status_code, receipt["status"]) == (202, "failed")
    assert door.services.ledger.delivery(door.services.ledger.entry(f"zapier:{receipt['id']}").delivery)["body"]
    assert [line["level"] for line in log_lines("callbridge.ingest")] == ["error"]


class Strict(Baffled):
    strict = True


def test_a_fault_in_reading_what_a_generic_sender_sent_is_500_and_keeps_nothing(door, lead):
    answer = with_adapter(door, Strict).deliver("zapier", lead(7))

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (500, "fault")
    assert door.services.redis.keys("*") == []


class Shaking(Generic):
    """An adapter with a handshake by GET, and an acknowledgement of its own."""

    def handshake(self, delivery):
        return Reply(200, b"the challenge", {"Content-Type": "text/plain"}) if "challenge" in delivery.url else None

    def acknowledge(self, receipts, delivery):
        del delivery
        return Reply(200, f"<Ack>{len(receipts)}</Ack>".encode(), {"Content-Type": "text/xml"})


@pytest.mark.parametrize("method", ["get", "post", "options"])
def test_a_handshake_is_answered_before_any_signature(door, method):
    door = with_adapter(door, Shaking)

    answer = getattr(door.client, method)("/webhooks/zapier?challenge=1")

    assert (answer.status_code, answer.data, answer.content_type) == (200, b"the challenge", "text/plain")
    assert door.services.redis.keys("*") == []


def test_an_acknowledgement_in_the_crm_s_own_form_replaces_the_bridge_s(door, lead):
    door = with_adapter(door, Shaking)

    answer = door.deliver("zapier", lead(7))

    assert (answer.status_code, answer.data, answer.content_type) == (200, b"<Ack>1</Ack>", "text/xml")


def test_an_insecure_source_takes_every_request_without_proof(door, lead):
    answer = door.client.post("/webhooks/lab", json=lead(7))

    assert answer.status_code == 202


@pytest.mark.parametrize("source", ["hubspot", "pipedrive", "billing"])
def test_the_signature_of_every_kind_is_believed(door, source):
    answer = door.deliver(source, b"{}", query="?tag=a%2Fb&name=%C3%A9")

    assert answer.status_code in {200, 202}, answer.data
    assert door.refused(source) == []
