"""``callbridge explain``: what would happen with a body, and what did happen to an event."""

import json

import pytest

from bridge.model import Delivery
from bridge.wiring import clock

SHAPE = {"event", "event_key", "fact_key", "decision"}
DECISION = {"status", "reason", "rule", "trace", "requests"}
LEAD = {"event_id": "lead-7", "type": "lead.created", "phone": "+12813322575", "name": "Alex Doe", "entity": {"type": "lead", "id": "7"}}
ZAPIER = ("--header", "Authorization: Bearer zapier-secret-of-ours")


def test_a_body_of_a_configured_source_is_explained_to_the_request(configured):
    file = configured.write("lead.json", LEAD)

    told = configured.run("explain", file, "--source", "zapier", *ZAPIER, "--json")

    assert told.code == 0
    assert told.document["verified"] is True
    (event,) = told.document["events"]
    assert event.keys() == SHAPE
    assert event["decision"].keys() == DECISION
    assert (event["event_key"], event["fact_key"]) == ("zapier:lead-7", "generic:zapier:lead-7")
    assert event["event"]["contact"] == {"name": "Alex Doe", "phone": "+12813322575", "phones": ["+12813322575"]}
    assert event["decision"] == {
        "status": "queued",
        "reason": "+128…75 is to be called in campaign welcome",
        "rule": "call new leads",
        "trace": ["call new leads: matches"],
        "requests": [
            {
                "method": "POST",
                "url": "https://ds.tovie.ai/api/crmCalls/campaign/***/addPhone",
                "headers": {"Content-Type": "application/x-www-form-urlencoded", "Idempotence-Key": "zapier:lead-7"},
                "body": "phone=12813322575&name=Alex%20Doe",
            }
        ],
    }


def test_a_signature_is_reported_and_not_required(configured):
    file = configured.write("lead.json", LEAD)

    told = configured.run("explain", file, "--source", "zapier", "--header", "Authorization: Bearer wrong", "--json")

    assert told.code == 0
    assert told.document["verified"] == "the secret is not the configured one"
    assert told.document["events"][0]["decision"]["status"] == "queued"


@pytest.mark.parametrize("kind", ["salesforce", "bitrix24", "hubspot", "pipedrive", "standard_webhooks", "generic"])
def test_a_captured_body_of_every_kind_is_read_without_a_configuration(folder, sample, kind):
    captured = next(path for path in sorted(sample(kind).glob("*.expected.json")))
    (body,) = (path for path in captured.parent.glob(captured.name.replace(".expected.json", ".*")) if path.name.count(".") == 1)

    told = folder.run("explain", body, "--kind", kind, "--json")

    assert told.code == 0, told.err
    assert "secret" in told.document["verified"] or "header" in told.document["verified"] or "signature" in told.document["verified"]
    assert [event.keys() for event in told.document["events"]] == [SHAPE] * len(told.document["events"])
    assert {event["decision"]["reason"] for event in told.document["events"]} == {"no rules are configured"}


def test_what_must_be_looked_up_first_is_shown_as_a_request_with_the_token_masked(configured, sample):
    told = configured.run("explain", sample("hubspot/webhook_batch_docs.json"), "--source", "hubspot", "--json")

    changed, created = (event["decision"] for event in told.document["events"])
    assert changed["status"] == "ignored"
    assert (created["status"], created["reason"]) == ("queued", "contact.phone must be looked up first")
    assert created["requests"][0]["url"].startswith("https://api.hubapi.com/crm/v3/objects/contacts/1246978?properties=")
    assert created["requests"][0]["headers"]["Authorization"] == "***"
    assert created["requests"][0].keys() == {"method", "url", "headers", "body"}
    assert "hubspot-api-token" not in told.out


def test_what_a_crm_sends_and_nobody_understands_is_explained_as_what_it_becomes(configured):
    file = configured.write("broken.json", "{ not json")

    told = configured.run("explain", file, "--source", "hubspot", "--json")

    (event,) = told.document["events"]
    assert told.code == 0
    assert (event["event"]["type"], event["decision"]["status"]) == ("unreadable", "failed")
    assert event["decision"]["reason"].startswith("authentic, but not understood: the body is not JSON")


def test_what_a_generic_sender_would_be_told_is_told(configured):
    file = configured.write("lead.json", {"type": "lead.created"})

    told = configured.run("explain", file, "--source", "zapier", "--json")

    assert told.code == 1
    assert told.document["events"] == []
    assert told.document["error"].startswith("event_id is missing: send event_id")


def test_headers_and_content_type_are_as_the_crm_sends_them(configured):
    file = configured.write("lead.txt", "type=lead.created&phone=%2B12813322575")

    told = configured.run(
        "explain", file, "--source", "zapier", "--content-type", "application/x-www-form-urlencoded", "--header", "Idempotency-Key: run-5", "--json"
    )

    assert told.document["events"][0]["event_key"] == "zapier:run-5"


def test_for_people_it_says_status_reason_and_request_and_swallows_no_brackets(configured):
    rules = "rules: [{name: 'odd [bold]', on: lead.created, where: \"contains([type], 'x')\", call: {campaign: welcome}}]"
    config = (configured.path / "config.yaml").read_text().partition("rules:")[0] + rules
    configured.write("config.yaml", config)
    file = configured.write("lead.json", LEAD)

    told = configured.run("explain", file, "--source", "zapier", *ZAPIER)

    assert told.code == 0
    assert "Signature  genuine" in told.out
    assert "ignored  no rule matched: odd [bold]: where is not true: contains([type], 'x')" in told.out
    assert '"id": "lead-7"' in told.out


def test_for_people_the_request_stands_as_it_would_go_out(configured):
    file = configured.write("lead.json", LEAD)

    told = configured.run("explain", file, "--source", "zapier")

    assert "Not verified  no secret: send it as `Authorization: Bearer …`, `X-Webhook-Secret` or Basic" in told.out
    assert "    POST https://ds.tovie.ai/api/crmCalls/campaign/***/addPhone\n" in told.out
    assert "    Idempotence-Key: zapier:lead-7\n    phone=12813322575&name=Alex%20Doe\n" in told.out


def test_for_people_a_body_that_would_be_refused_says_so(configured):
    told = configured.run("explain", configured.write("lead.json", {"event_id": "1"}), "--source", "zapier")

    assert told.code == 1
    assert "Refused (422)  type is missing: send type" in told.out


def test_a_body_without_events_matches_nothing(configured):
    file = configured.write("empty.json", [])

    told = configured.run("explain", file, "--source", "hubspot")

    assert (told.code, told.out.splitlines()[-1]) == (3, "There is no event in this body.")


@pytest.fixture
def remembered(configured, services):
    """Two events of one person in the ledger, and one of another."""
    for number, phone in ((7, "+12813322575"), (8, "+12813322575"), (9, "+12813322579")):
        body = json.dumps({**LEAD, "event_id": f"lead-{number}", "phone": phone, "entity": {"type": "lead", "id": str(number)}}).encode()
        headers = {"authorization": "Bearer zapier-secret-of-ours", "content-type": "application/json"}
        services.ingest.take(Delivery(source="zapier", body=body, url="http://localhost/webhooks/zapier", received_at=clock(), headers=headers))
    return configured


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("lead-7", ["zapier:lead-7"]),
        ("zapier:lead-8", ["zapier:lead-8"]),
        ("+1 (281) 332-2575", ["zapier:lead-8", "zapier:lead-7"]),
        ("phone:+12813322579", ["zapier:lead-9"]),
        ("lead:9", ["zapier:lead-9"]),
        ("(281) 332-2579", ["zapier:lead-9"]),
        ("event:lead-7", ["zapier:lead-7"]),
        ("alex lead:9", []),
        ("status:queued phone:+12813322579", ["zapier:lead-9"]),
        ("Doe", ["zapier:lead-9", "zapier:lead-8", "zapier:lead-7"]),
    ],
)
def test_an_event_is_found_by_id_key_phone_and_ref_the_newest_first(remembered, wanted, found):
    told = remembered.run("explain", wanted, "--json")

    assert told.code == (0 if found else 3)
    assert told.document["verified"] is True
    assert [event["event_key"] for event in told.document["events"]] == found
    assert all(event.keys() == SHAPE and event["decision"].keys() >= DECISION for event in told.document["events"])


@pytest.mark.parametrize("wanted", ["lead-77", "+12813322500", "deal:1", "x" * 3000])
def test_nothing_that_matches_is_exit_3(remembered, wanted):
    told = remembered.run("explain", wanted)

    assert told.code == 3
    assert told.out.splitlines()[-1].startswith("Nothing in the ledger matches. Try the event id,")
    assert "Traceback" not in told.err


def test_a_file_that_is_not_there_is_not_taken_for_an_event_without_a_word(remembered):
    told = remembered.run("explain", "body.json")

    assert (told.code, told.err) == (3, "note: there is no file body.json either\n")


def test_wrong_use_says_what_is_right(configured):
    file = configured.write("lead.json", LEAD)

    for words, advice in [
        ([file], "say which source the file would come from: --source NAME, or --kind KIND"),
        ([file, "--source", "zapier", "--kind", "generic"], "--source and --kind exclude each other"),
        ([file, "--source", "zappier"], "no source is called 'zappier'; there are hubspot, pipedrive, billing, zapier, lab"),
        ([file, "--kind", "zapier"], "'zapier' is no kind of source; there are activecampaign, amocrm, attio"),
        (["nowhere.json", "--kind", "generic"], "there is no file nowhere.json"),
        ([file, "--kind", "generic", "--header", "no colon"], "'no colon' is no header: write 'Name: value'"),
    ]:
        told = configured.run("explain", *words)
        assert told.code == 2
        assert advice in " ".join(told.err.split())
