"""``callbridge send``: signs as the source's CRM would, and delivers."""

from collections import Counter

import pytest

LEAD = {"event_id": "lead-7", "type": "lead.created", "phone": "+12813322575"}


@pytest.mark.parametrize(
    ("source", "body"),
    [
        ("hubspot", "hubspot/webhook_batch_docs.json"),
        ("pipedrive", "pipedrive/v2_person_change.json"),
        ("billing", "standard_webhooks/payload_contact_created_full.json"),
        ("zapier", "generic/lead_created.json"),
        ("zapier", "generic/lead_xml.txt"),
        ("lab", "generic/deal_stage.txt"),
    ],
)
def test_the_bridge_believes_what_is_sent_in_the_name_of_every_kind(configured, serving, sample, source, body):
    told = configured.run("send", source, sample(body), "--json")

    assert told.code == 0, told.out + told.err
    (answer,) = told.document
    assert answer["status"] in {200, 202}
    assert answer["body"]["events"]


def test_thirty_one_deliveries_eight_at_once_are_one_event(configured, serving):
    file = configured.write("lead.json", LEAD)

    told = configured.spawn("send", "zapier", file, "--times", 31, "--at-once", 8, "--json")

    assert told.code == 0
    assert Counter((answer["status"], answer["body"]["status"]) for answer in told.document) == {(202, "accepted"): 1, (200, "duplicate"): 30}


def test_for_people_equal_answers_are_counted(configured, serving):
    file = configured.write("lead.json", LEAD)

    told = configured.run("send", "zapier", file, "--times", 5)

    assert [line.split("  ")[0] for line in told.out.splitlines()] == ["1 × 202", "4 × 200"]


def test_a_further_header_goes_out_too(configured, serving):
    file = configured.write("lead.json", {"type": "lead.created", "phone": "+12813322575"})

    told = configured.run("send", "zapier", file, "--header", "Idempotency-Key: from-the-header", "--json")

    assert told.document[0]["body"]["events"][0]["id"] == "from-the-header"


def test_what_the_bridge_refuses_is_shown_and_exit_1(configured, serving):
    file = configured.write("lead.json", {"type": "lead.created"})

    told = configured.run("send", "zapier", file)

    assert told.code == 1
    assert told.out.startswith('1 × 422  {"error": {"code": "unreadable", "message": "event_id is missing')


def test_when_nobody_answers_it_asks_whether_the_bridge_is_running(configured, free_port):
    file = configured.write("lead.json", LEAD)

    told = configured.run("send", "zapier", file)

    assert (told.code, told.err) == (1, f"callbridge: the bridge does not answer at http://127.0.0.1:{free_port} (ConnectionError): is it running?\n")


def test_an_unknown_source_is_wrong_use_and_the_known_ones_are_named(configured):
    told = configured.run("send", "salesforce", configured.write("lead.json", LEAD))

    assert told.code == 2
    assert "no source is called 'salesforce'; there are hubspot, pipedrive, billing, zapier, lab" in " ".join(told.err.split())


@pytest.mark.parametrize("header", ["Ü: ö", "X: 汉", "X: a\nb", "no colon"])
def test_a_header_that_cannot_be_sent_is_wrong_use(configured, header):
    file = configured.write("lead.json", {"event_id": "1"})

    told = configured.run("send", "zapier", file, "--header", header)

    assert told.code == 2
    assert "is no header" in told.err


def test_an_address_that_is_none_is_wrong_use(configured):
    file = configured.write("lead.json", {"event_id": "1"})

    told = configured.run("send", "zapier", file, "--url", "foo")

    assert told.code == 2
    assert "'foo' is no address" in told.err
