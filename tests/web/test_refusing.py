"""What is not taken: the status, the JSON form of the error, and that nothing else changed."""

import re

import pytest

NOT_THERE = "unix:///nowhere/redis.sock"


def error(answer) -> dict:
    assert answer.content_type == "application/json"
    assert answer.get_json().keys() == {"error"}
    return answer.get_json()["error"]


@pytest.mark.parametrize(
    ("source", "headers", "code"),
    [
        ("zapier", {"Authorization": ""}, "missing"),
        ("zapier", {"Authorization": "Bearer another"}, "wrong_secret"),
        ("pipedrive", {"Authorization": "Basic Og=="}, "wrong_secret"),
        ("hubspot", {"X-HubSpot-Signature-v3": "bm9uZQ=="}, "wrong_signature"),
        ("hubspot", {"X-HubSpot-Request-Timestamp": ""}, "missing"),
        ("billing", {"webhook-signature": "v1,bm9uZQ=="}, "wrong_signature"),
    ],
)
def test_an_unverified_delivery_changes_nothing_but_a_counter_and_a_ring(door, lead, source, headers, code):
    answer = door.deliver(source, lead(7), headers=headers)

    assert (answer.status_code, error(answer)["code"]) == (401, code)
    assert set(door.services.redis.keys("*")) == {f"callbridge:1:refused:{source}", f"callbridge:1:refused:count:{source}"}
    assert door.refusals(source) == {code: "1"}


def test_a_signature_that_is_too_old_is_refused_as_stale(door, lead):
    answer = door.deliver("billing", lead(7), headers={"webhook-timestamp": "1700000000", "webhook-signature": "v1,bm9uZQ=="})

    assert answer.status_code == 401


def test_the_last_refused_requests_are_kept_with_why_and_without_the_secret_they_carried(door, lead):
    door.deliver("zapier", lead(7), headers={"Authorization": "Bearer almost-right", "Proxy-Authorization": "Basic x", "X-Trace": "t-1"})

    (kept,) = door.refused("zapier")
    assert kept["refusal"] == "wrong_secret"
    assert kept["message"] == "the secret is not the configured one"
    assert '"lead-7"' in kept["body"]
    assert (kept["headers"]["authorization"], kept["headers"]["proxy-authorization"], kept["headers"]["x-trace"]) == ("***", "***", "t-1")


def test_the_ring_of_refused_requests_is_bounded_in_number_and_time_and_the_counter_is_not(door, lead):
    for number in range(25):
        door.deliver("zapier", lead(number), headers={"Authorization": "Bearer wrong"})

    assert len(door.refused("zapier")) == 20
    assert '"lead-24"' in door.refused("zapier")[0]["body"]
    assert door.refusals("zapier") == {"wrong_secret": "25"}
    assert 0 < door.services.redis.ttl("callbridge:1:refused:zapier") <= 7 * 24 * 3600


def test_a_refusal_is_still_a_refusal_while_redis_is_away(open_door, lead):
    answer = open_door(NOT_THERE).deliver("zapier", lead(7), headers={"Authorization": "Bearer wrong"})

    assert answer.status_code == 401


def test_an_unknown_source_is_404_and_leaves_no_trace_in_redis(door, lead):
    answer = door.client.post("/webhooks/nobody", json=lead(7))

    assert answer.status_code == 404
    assert error(answer)["code"] == "unknown_source"
    assert error(answer)["message"] == "no source is called 'nobody': the path is /webhooks/ and a name under `sources` in the configuration"
    assert door.services.redis.keys("*") == []


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "options"])
def test_another_method_is_405_and_says_which_one_is_taken(door, method):
    answer = getattr(door.client, method)("/webhooks/zapier")

    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert error(answer) == {"code": "method_not_allowed", "message": "webhooks are delivered with POST"}


def test_a_head_request_is_405_without_a_body(door):
    answer = door.client.head("/webhooks/zapier")

    assert (answer.status_code, answer.data) == (405, b"")


def test_a_body_that_is_too_large_is_413_and_names_the_limit(door):
    answer = door.client.post("/webhooks/zapier", data=b"x" * (64 * 1024 + 1))

    assert answer.status_code == 413
    assert error(answer) == {"code": "too_large", "message": "the body is larger than 65536 bytes, the most this bridge takes (server.max_body)"}
    assert door.services.redis.keys("*") == []


def test_a_body_of_exactly_the_limit_is_not_too_large(door, lead):
    body = lead(7, note="")
    rest = 64 * 1024 - len(str(body).replace("'", '"'))
    answer = door.deliver("zapier", {**body, "note": "x" * rest})

    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"type": "lead.created"}, "event_id"),
        ({"event_id": "1"}, "type"),
        ({"event_id": "1", "type": "lead.created", "occurred_at": "yesterday"}, "occurred_at"),
        ([{"event_id": "1", "type": "lead.created"}, {"event_id": "2"}], "[1].type"),
    ],
)
def test_a_generic_sender_is_told_which_field_is_missing_or_wrong(door, body, field):
    answer = door.deliver("zapier", body)

    assert answer.status_code == 422
    assert (error(answer)["code"], error(answer)["field"]) == ("unreadable", field)
    assert door.services.redis.keys("*") == []


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 2000])
def test_a_generic_body_that_cannot_be_parsed_is_422(door, body):
    answer = door.deliver("zapier", body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, error(answer)["code"]) == (422, "unreadable")


def test_when_redis_is_away_the_sender_is_asked_to_come_again(open_door, lead):
    answer = open_door(NOT_THERE).deliver("zapier", lead(7))

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert error(answer) == {"code": "unavailable", "message": "the bridge cannot store this now: send it again"}


@pytest.mark.parametrize("setting", [{"maxmemory": "1"}, {"min_replicas_to_write": "1"}])
def test_when_redis_takes_no_writes_the_sender_is_asked_to_come_again(open_door, start_redis, lead, setting):
    answer = open_door(start_redis(**setting)).deliver("zapier", lead(7))

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("path", ["/", "/webhooks", "/webhooks/", "/webhooks/zapier/", "/webhooks/zapier/more", "/webhooks//zapier", "/nothing"])
def test_an_unknown_path_is_a_404_that_says_where_webhooks_go(door, path):
    answer = door.client.post(path, base_url="http://127.0.0.1:8000")

    assert answer.status_code == 404
    assert error(answer) == {
        "code": "not_found",
        "message": "there is nothing at this path; webhooks go to /webhooks/<source>, and /api/v1/openapi.json describes the API",
    }


def test_a_wrong_method_elsewhere_is_405_with_its_allow_header(door):
    answer = door.client.post("/healthz")

    assert (answer.status_code, error(answer)["code"]) == (405, "method_not_allowed")
    assert set(re.split(r",\s*", answer.headers["Allow"])) >= {"GET", "HEAD"}
