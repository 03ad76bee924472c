"""Redis takes nothing, and a CRM delivers that never sends twice."""

from dataclasses import replace

import pytest

ODOO = {"_action": "created(#412)", "_id": 7, "_model": "crm.lead", "id": 7, "phone": "+12813322575", "name": "Alex Doe"}


@pytest.fixture
def full(redis):
    redis.config_set("maxmemory", "1")
    yield lambda: redis.config_set("maxmemory", "0")
    redis.config_set("maxmemory", "0")


def test_it_is_kept_on_disk_answered_as_accepted_and_taken_in_once_redis_can(door, full):
    answer = door.deliver("odoo", ODOO)

    assert answer.status_code == 202
    assert "kept on disk until Redis is back" in answer.json["events"][0]["reason"]
    (file,) = door.services.spool.waiting()
    assert "odoo-secret-of-ours" not in file.read_text()

    full()
    taken = door.services.spool.drain(door.services.ingest.take_in)

    assert taken == 1
    assert door.services.spool.waiting() == []
    entry = door.services.ledger.entry(f"odoo:{answer.json['events'][0]['id']}")
    assert entry.event.contact.phone == "+12813322575"
    assert entry.status == "queued"


def test_a_crm_that_sends_again_is_told_to(door, full, lead):
    answer = door.deliver("zapier", lead(7))

    assert answer.status_code == 503
    assert door.services.spool.waiting() == []


def test_a_delivery_that_proves_nothing_is_kept_nowhere(door, full):
    assert door.client.post("/webhooks/odoo?token=wrong", json=ODOO).status_code == 401
    assert door.services.spool.waiting() == []


def test_what_a_removed_source_left_on_disk_waits_until_the_source_is_back(door, full):
    door.deliver("odoo", ODOO)
    full()
    ingest = door.services.ingest

    assert door.services.spool.drain(replace(ingest, sources={}).take_in) == 0
    assert len(door.services.spool.waiting()) == 1
    assert door.services.spool.drain(ingest.take_in) == 1
