"""Requests made to hurt or to deceive, sent to the real web server: refused, in bounded time and memory, and nothing is kept."""

import gzip
import json
import re
import time

import pytest

AUTHENTIC = b"POST /webhooks/zapier HTTP/1.1\r\nHost: bridge\r\nAuthorization: Bearer zapier-secret\r\nContent-Type: application/json\r\n"
STRANGER = b"POST /webhooks/zapier HTTP/1.1\r\nHost: bridge\r\nContent-Type: application/json\r\n"
EVENT = b'{"event_id": "smuggled", "type": "lead.created"}'
SMUGGLED = AUTHENTIC + b"Content-Length: %d\r\n\r\n" % len(EVENT) + EVENT
MESSAGE = b"""<?xml version="1.0"?>%b<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>
<notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>%b</OrganizationId></notifications></soapenv:Body></soapenv:Envelope>"""


def with_length(head: bytes, body: bytes) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def statuses(answers: bytes) -> list[int]:
    return [int(part[:3]) for part in re.split(rb"HTTP/1\.[01] ", answers)[1:]]


@pytest.fixture
def send(web, redis):
    """The statuses of all answers to these bytes, over one connection; no server fault among them, and it answers the next one."""

    def sent(words: bytes) -> list[int]:
        got = statuses(web.say(words))
        assert not [status for status in got if status >= 500 and status != 501]
        assert web.say(b"GET /healthz HTTP/1.1\r\nHost: bridge\r\n\r\n").startswith(b"HTTP/1.1 200")
        return got

    return sent


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 99\r\n",
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"Content-Length: 5, 99\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: 5 5\r\n",
        b"Content-Length : 5\r\n",
        b"Content-Length:\r\n 5\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked, gzip\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding:\r\n chunked\r\n",
        b"Transfer-Encoding: \x0bchunked\r\n",
        b" Transfer-Encoding: chunked\r\n",
        b"X: y\nTransfer-Encoding: chunked\r\n",
        b"X: y\rTransfer-Encoding: chunked\r\n",
    ],
)
def test_where_a_request_ends_has_one_reading_or_none(send, redis, framing):
    """What a proxy in front takes for a body must never be read as a delivery of its own."""
    answers = send(AUTHENTIC + framing + b"\r\n0\r\n\r\n" + SMUGGLED)

    assert len(answers) <= 1
    assert set(answers) <= {400, 501}
    assert redis.keys("*") == []


@pytest.mark.parametrize(
    "chunks",
    [b"0x0\r\n\r\n", b"-0\r\n\r\n", b"5_0\r\n", b"0\n\n", b" 0\r\n\r\n", b"0\r\nX : y\r\n\r\n", b"3\r\nabcd\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFFFF\r\n"],
)
def test_a_body_in_crooked_chunks_is_refused_with_what_stands_behind_it(send, redis, chunks):
    assert set(send(AUTHENTIC + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + SMUGGLED)) <= {400}
    assert redis.keys("*") == []


def test_chunks_in_an_older_version_of_http_are_refused(send, redis):
    assert set(send(AUTHENTIC.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED)) <= {400}
    assert redis.keys("*") == []


@pytest.mark.parametrize(
    "twice",
    [
        b"Authorization: Bearer wrong\r\nAuthorization: Bearer zapier-secret\r\n",
        b"Authorization: Bearer zapier-secret\r\nAuthorization: Bearer wrong\r\n",
        b"Authorization: Bearer wrong, Bearer zapier-secret\r\n",
        b"X_Webhook_Secret: zapier-secret\r\n",
        b"X-Webhook_Secret: zapier-secret\r\n",
        b"HTTP_X_WEBHOOK_SECRET: zapier-secret\r\n",
    ],
)
def test_a_secret_said_twice_or_under_a_name_like_its_own_opens_nothing(send, redis, twice):
    assert send(with_length(STRANGER + twice, EVENT)) == [401]
    assert set(redis.keys("*")) == {"callbridge:1:refused:zapier", "callbridge:1:refused:count:zapier"}


@pytest.mark.parametrize("name", [b"SCRIPT_NAME", b"PATH_INFO", b"SCRIPT-NAME", b"REMOTE_USER"])
def test_a_header_does_not_stand_in_for_the_path(send, redis, name):
    head = AUTHENTIC.replace(b"/webhooks/zapier", b"/webhooks/nobody")

    assert send(with_length(head + name + b": /webhooks/zapier\r\n", EVENT)) == [404]
    assert redis.keys("*") == []


@pytest.mark.parametrize(
    "start",
    [
        b"POST /webhooks/zap\x00ier HTTP/1.1",
        b"POST /webhooks/zapier%00 HTTP/1.1",
        b"POST /webhooks/zapier%0d%0aX-Webhook-Secret:%20zapier-secret HTTP/1.1",
        b"POST /webhooks/\x01\x02\x7f HTTP/1.1",
        b"POST /webhooks/\xff\xfe HTTP/1.1",
        b"POST /webhooks/%ff%fe%ed%a0%80 HTTP/1.1",
        b"POST /webhooks/zapier/../zapier HTTP/1.1",
        b"POST /webhooks/..%2fzapier HTTP/1.1",
        b"POST /./webhooks/zapier HTTP/1.1",
        b"POST /WEBHOOKS/zapier HTTP/1.1",
        b"POST /webhooks/Zapier HTTP/1.1",
        b"POST /webhooks/zapier;a=b HTTP/1.1",
        b"POST webhooks/zapier HTTP/1.1",
        b"POST * HTTP/1.1",
        b"POST  HTTP/1.1",
        b"POST /webhooks/zapier",
        b"POST /webhooks/zapier HTTP/9.9",
        b"POST /webhooks/zapier HTTP/2.0",
        b"post /webhooks/zapier HTTP/1.1",
        b"P\x00ST /webhooks/zapier HTTP/1.1",
        b"CONNECT elsewhere:443 HTTP/1.1",
        b"PRI * HTTP/2.0\r\n\r\nSM",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_an_odd_request_line_is_refused_and_keeps_nothing(send, redis, start):
    answers = send(with_length(AUTHENTIC.replace(b"POST /webhooks/zapier HTTP/1.1", start), EVENT))

    assert all(400 <= status < 500 or status == 505 for status in answers), answers
    assert redis.keys("*") == []


@pytest.mark.parametrize("value", [b"a\x00b", b"a\x01b", b"a\x7fb", b"a\rb", b"\xff\xfe", b"x" * 9000])
def test_an_odd_header_brings_nothing_down(send, redis, value):
    assert set(send(with_length(AUTHENTIC.replace(b"zapier-secret", b"wrong") + b"X-Odd: " + value + b"\r\n", EVENT))) <= {400, 401, 431}
    assert redis.keys("callbridge:1:event:*") == []


def test_more_headers_than_anybody_sends_are_refused(send, redis):
    assert send(with_length(AUTHENTIC + b"".join(b"X-%d: y\r\n" % number for number in range(200)), EVENT)) == [431]
    assert redis.keys("*") == []


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"[" * 60_000, b"application/json"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, b"application/json"),
        (b'{"event_id": "1", "type": "lead.created", "n": ' + b"9" * 50_000 + b"}", b"application/json"),
        (b'{"event_id": "1", "type": "\\ud800"', b"application/json"),
        (EVENT.decode().encode("utf-7") + b"+", b"application/json; charset=utf-7"),
        (b"\xff\xfe" + b"\x00" * 60_000, b"application/json; charset=utf-16"),
        (b"\x80\x81", b"application/json; charset=no-such-thing"),
        (gzip.compress(b"[" + b" " * 30_000_000 + b"]"), b"application/json\r\nContent-Encoding: gzip"),
        (b"a" + b"[b]" * 20_000 + b"=1", b"application/x-www-form-urlencoded"),
        (b"a=1&" * 16_000, b"application/x-www-form-urlencoded"),
        (b"--x\r\n" * 12_000, b"multipart/form-data; boundary=x"),
    ],
    ids=["brackets", "braces", "digits", "half a character", "utf-7", "utf-16", "no such encoding", "gzip", "form brackets", "form fields", "parts"],
)
def test_a_body_made_to_hurt_is_refused_at_once(send, redis, body, kind):
    started = time.monotonic()

    assert send(with_length(AUTHENTIC.replace(b"application/json", kind), body)) == [422]
    assert time.monotonic() - started < 2
    assert redis.keys("*") == []


def laughs() -> bytes:
    levels = "".join(f'<!ENTITY l{level} "{f"&l{level - 1};" * 10}">' for level in range(1, 10))
    return MESSAGE % (f'<!DOCTYPE x [<!ENTITY l0 "ha">{levels}]>'.encode(), b"&l9;")


def from_outside() -> bytes:
    return MESSAGE % (b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>', b"&f;")


@pytest.mark.parametrize("message", [laughs(), from_outside(), b"<a>" * 20_000, b"<a " + b'b="c" ' * 10_000 + b"/>"])
def test_a_message_whose_entities_or_depth_explode_is_kept_unread(web, redis, message):
    """It is authentic, so it is kept for an operator; it is not expanded, and nothing it names is opened."""
    started, before = time.monotonic(), web.memory()
    head = b"POST /webhooks/salesforce?token=salesforce-secret HTTP/1.1\r\nHost: bridge\r\nContent-Type: text/xml\r\n"

    (status,) = statuses(web.say(with_length(head, message)))

    assert status in {200, 202}
    assert time.monotonic() - started < 2
    assert web.memory() - before < 30_000_000
    (key,) = redis.keys("callbridge:1:event:*")
    assert redis.hget(key, "status") == "failed"
    assert "root:" not in json.dumps(redis.hgetall(key))


@pytest.mark.parametrize("paths", [2_000, pytest.param(10_000, marks=pytest.mark.long)])
def test_thousands_of_paths_that_lead_nowhere_grow_neither_memory_nor_redis_nor_the_log(web, redis, paths):
    def ask(start: int, count: int) -> None:
        with web.connect() as connection:
            for number in range(start, start + count):
                connection.request("POST", f"/webhooks/nobody-{number}-{'x' * 4000}", b"{}")
                with connection.getresponse() as answer:
                    assert answer.status == 404
                    assert len(answer.read()) < 400

    ask(0, 1000)
    before, lines = web.memory(), len(web.log)
    ask(1000, paths)

    assert web.memory() - before < 8_000_000
    assert redis.keys("*") == []
    assert (len(web.log) - lines) / paths < 400
