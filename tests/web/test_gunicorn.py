"""What only the real web server shows: URLs as they came, bodies in chunks, connections that are kept."""

import json

import pytest

from bridge.wiring import clock

PUBLIC = "https://bridge.example.com"
PLAIN = b"POST /webhooks/zapier HTTP/1.1\r\nHost: bridge\r\nAuthorization: Bearer zapier-secret\r\n"
CHUNKED = PLAIN + b"Transfer-Encoding: chunked\r\n\r\n"
FORM = b"event_id=1&type=lead.created&phone=%2B128133225"
GENERIC = {"Authorization": "Bearer zapier-secret", "Content-Type": "application/json"}


def posted(connection, body, headers):
    connection.request("POST", "/webhooks/zapier", body, headers)
    with connection.getresponse() as answer:
        answer.read()
        return answer.status


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.parametrize(
    "path", ["/webhooks/hubspot?tag=a%2Fb&c=%7E%c3%a9+d", "/webhooks/hub%73pot", "/webhooks/hubspot?", "/webhooks/hubspot?a=b?c=//d&e=:"]
)
def test_a_signature_covers_the_url_as_it_was_sent(web, redis, path):
    """Decoding a URL and encoding it again gives another one; an empty query and odd escapes survive only raw."""
    answer = web.post(path, b"[]", web.hubspot.sign(b"[]", PUBLIC + path, clock()).headers)

    assert answer == (200, b'{"status": "ignored", "events": []}')


def test_a_proxy_that_puts_its_own_name_before_the_path_spoils_no_signature(web, redis):
    path = "/webhooks/hubspot?a=http://elsewhere/"

    status, _ = web.post(f"http://127.0.0.1:{web.port}{path}", b"[]", web.hubspot.sign(b"[]", PUBLIC + path, clock()).headers)

    assert status == 200


def test_a_body_in_chunks_is_read_whole(web, redis):
    body = b'{"event_id": "1", "type": "lead.created"}'

    status, _ = web.post("/webhooks/zapier", (body[at : at + 7] for at in range(0, len(body), 7)), GENERIC, encode_chunked=True)

    assert status == 200
    assert redis.hget("callbridge:1:event:zapier:1", "status") == "ignored"


def test_a_body_in_chunks_that_is_too_large_is_413_though_nobody_said_its_length(web, redis):
    answer = web.say(CHUNKED + chunk(b"x" * 8192) * 9 + b"0\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"code": "too_large"' in answer
    assert redis.keys("*") == []


def test_a_body_in_chunks_of_exactly_the_limit_is_not_too_large(web, redis):
    body = b'{"event_id": "1", "type": "lead.created"}'.ljust(64 * 1024)

    status, _ = web.post("/webhooks/zapier", (body[at : at + 8192] for at in range(0, len(body), 8192)), GENERIC, encode_chunked=True)

    assert status == 200


@pytest.mark.parametrize(
    "request_cut_off",
    [
        PLAIN + b"Content-Length: 5000\r\n\r\n" + FORM,
        CHUNKED + chunk(FORM),
        CHUNKED + b"100\r\n" + FORM,
    ],
    ids=["length", "no last chunk", "within a chunk"],
)
def test_a_sender_that_hangs_up_in_the_middle_of_its_body_has_delivered_nothing(web, redis, request_cut_off):
    """Half a form reads like a whole one with a shorter phone number."""
    answer = web.say(request_cut_off)

    assert not answer or answer.startswith(b"HTTP/1.1 400")
    assert redis.keys("*") == []


def test_a_connection_is_kept_for_the_next_delivery_even_after_a_refusal(web, redis):
    deliveries = [(b"{}", {}), (b"{}", GENERIC), (b'{"event_id": "1", "type": "x"}', GENERIC)]
    with web.connect() as connection:
        statuses = [posted(connection, *delivery) for delivery in deliveries]
        kept = connection.sock is not None

    assert statuses == [401, 422, 200]
    assert kept


def test_readiness_is_answered_over_the_same_door(web, redis):
    with web.connect() as connection:
        connection.request("GET", "/readyz")
        answer = connection.getresponse().read()

    assert json.loads(answer)["status"] == "ready"
