"""``callbridge events``: show and replay."""

from bridge.model import Delivery
from bridge.wiring import clock

LEAD = b'{"event_id": "lead-7", "type": "note.added", "phone": "+12813322575"}'


def received(services, body=LEAD):
    headers = {"authorization": "Bearer zapier-secret-of-ours", "content-type": "application/json"}
    services.ingest.take(Delivery(source="zapier", body=body, url="http://bridge/webhooks/zapier", received_at=clock(), headers=headers))


def test_an_ignored_event_is_decided_again_with_todays_rules(configured, services):
    received(services)
    written = (configured.path / "config.yaml").read_text()
    configured.write("config.yaml", written + "  - {name: call on notes, on: note.added, call: {campaign: welcome}}\n")

    told = configured.run("events", "replay", "lead-7", "--json")

    assert told.code == 0
    assert told.document == [{"key": "zapier:lead-7", "replayed": True, "told": "queued: +128…75 is to be called in campaign welcome"}]
    assert set(services.ledger.unfinished()) == {"zapier:lead-7"}


def test_one_that_cannot_be_replayed_says_why(configured, services):
    received(services, LEAD.replace(b"note.added", b"lead.created"))

    told = configured.run("events", "replay", "+1 281 332 2575")

    assert told.code == 1
    assert told.out == "NOT replayed  zapier:lead-7  it is queued and goes on by itself\n"


def test_nothing_found_is_exit_code_3(configured):
    assert configured.run("events", "replay", "nobody").code == 3


def test_show_is_explain(configured, services):
    received(services)

    assert configured.run("events", "show", "lead-7", "--json").document == configured.run("explain", "lead-7", "--json").document
