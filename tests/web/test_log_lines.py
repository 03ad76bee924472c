"""One structured line per delivery, with everything in it that is somebody's business and nothing that is not."""

import json

DELIVERY = "callbridge.delivery"


def test_a_delivery_leaves_one_line_with_what_became_of_it(door, lead, log_lines):
    door.deliver("zapier", [lead(1), lead(2, type="lead.updated")])

    (line,) = log_lines(DELIVERY)
    assert line["message"] == "delivery"
    assert (line["source"], line["method"], line["status"], line["events"]) == ("zapier", "POST", 202, 2)
    assert line["keys"] == ["zapier:lead-1", "zapier:lead-2"]
    assert line["statuses"] == {"queued": 1, "ignored": 1}
    assert line["ms"] >= 0


def test_a_refused_delivery_leaves_one_line_that_says_why(door, lead, log_lines):
    door.deliver("zapier", lead(7), headers={"Authorization": "Bearer wrong"})

    (line,) = log_lines(DELIVERY)
    assert (line["status"], line["code"], line["why"]) == (401, "wrong_secret", "the secret is not the configured one")


def test_a_signature_over_another_url_shows_which_url_was_taken(door, lead, log_lines):
    door.deliver("hubspot", [lead(7)], headers={"X-HubSpot-Signature-v3": "bm9uZQ=="})

    assert "https://bridge.example.com/webhooks/hubspot" in log_lines(DELIVERY)[0]["why"]


def test_every_other_answer_leaves_one_line_too(door, lead, log_lines):
    door.client.post("/webhooks/nobody", json=lead(7))
    door.client.get("/webhooks/zapier")
    door.client.post("/webhooks/zapier", data=b"x" * 70_000)
    door.deliver("zapier", {"type": "lead.created"})

    lines = log_lines(DELIVERY)
    assert [(line["status"], line["code"]) for line in lines] == [
        (404, "unknown_source"),
        (405, "method_not_allowed"),
        (413, "too_large"),
        (422, "unreadable"),
    ]
    assert lines[3]["field"] == "event_id"


def test_a_line_holds_no_secret_and_no_phone_number(door, lead, log_lines):
    door.deliver("zapier", lead(7, event_id="lead of +1 (281) 332-2575"), query="?who=+12813322575&phone=12813322575")
    door.deliver("zapier", lead(8), headers={"Authorization": "Bearer guess-of-a-secret"})
    door.deliver("pipedrive", lead(9))

    written = json.dumps(log_lines(DELIVERY), ensure_ascii=False)
    for secret in ("zapier-secret-of-ours", "guess-of-a-secret", "correct horse", "campaign-token", "2813322575", "332-2575"):
        assert secret not in written


def test_a_name_from_the_outside_cannot_forge_a_line(door, log_lines):
    door.client.post('/webhooks/x%0A{"level": "info"}')

    assert log_lines(DELIVERY)[0]["source"] == 'x\n{"level": "info"}'


def test_a_fault_of_ours_is_500_in_the_same_form_and_its_traceback_is_in_the_log(door, lead, log_lines):
    door.services.redis.set("callbridge:1:event:zapier:lead-7", "not a hash")
    door.services.ingest.sources["zapier"].verify = None

    answer = door.deliver("zapier", lead(7))

    assert answer.status_code == 500
    assert answer.get_json() == {"error": {"code": "fault", "message": "a fault of the bridge; it is in its log"}}
    (line,) = log_lines("callbridge.web")
    assert "Traceback" in line["error"]
