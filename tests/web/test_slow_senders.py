"""Senders that take their time, keep their connection, or send too much: nobody else waits for them, and they are gone in the end."""

import select
import signal
import ssl
import threading
import time
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime, timedelta
from http.client import HTTPResponse

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bridge.web.framing import LONGEST_HEAD
from bridge.web.receiving import LEAVING, PATIENCE

AUTHENTIC = b"POST /webhooks/zapier HTTP/1.1\r\nHost: bridge\r\nAuthorization: Bearer zapier-secret\r\nContent-Type: application/json\r\n"
EVENT = b'{"event_id": "%d", "type": "lead.created"}'
SLOW = (
    b"POST /webhooks/zapier HTTP/1.1\r\nHost: bri",
    AUTHENTIC + b'Content-Length: 5000\r\n\r\n{"event_id": ',
    AUTHENTIC + b"Transfer-Encoding: chunked\r\n\r\n1000\r\n{",
    AUTHENTIC + b"Expect: 100-continue\r\nContent-Length: 5000\r\n\r\n",
)
HEADERS = {"Authorization": "Bearer zapier-secret", "Content-Type": "application/json"}


def event(number: int = 1) -> bytes:
    return EVENT % number


def request(body: bytes, more: bytes = b"") -> bytes:
    return AUTHENTIC + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


def taken(web, number: int) -> float:
    """How long a delivery takes that is sent as it should be."""
    started = time.monotonic()
    assert web.post("/webhooks/zapier", event(number), HEADERS)[0] == 200
    return time.monotonic() - started


def answered(connection) -> int:
    """The status of the next answer, which is read whole."""
    with closing(HTTPResponse(connection)) as answer:
        answer.begin()
        answer.read()
        return answer.status


def ended(connections) -> set:
    """Those that the server has ended; what it said before is read."""
    gone = set()
    for connection in select.select(list(connections), [], [], 0)[0]:
        with suppress(OSError):
            if connection.recv(65536):
                continue
        gone.add(connection)
    return gone


@pytest.fixture
def calls(web):
    """``calls(words)``: connections that are closed at the end, whatever became of them."""
    with ExitStack() as open_ones:
        yield lambda words=b"", to=web: open_ones.enter_context(to.call(words))


@pytest.mark.timeout(60)
def test_sixty_four_slow_senders_keep_nobody_waiting_and_are_cut_off(start_web, calls, redis):
    web = start_web(workers=2)
    slow = [calls(words, web) for words in SLOW * 16]
    began, stopping = time.monotonic(), threading.Event()

    def trickle() -> None:
        while not stopping.wait(0.3):
            for connection in slow:
                with suppress(OSError):
                    connection.send(b"x")

    sender = threading.Thread(target=trickle)
    sender.start()
    try:
        times = [taken(web, number) for number in range(40)]
        left = set(slow)
        while left and time.monotonic() < began + PATIENCE + LEAVING + 3:
            left -= ended(left)
            time.sleep(0.1)
    finally:
        stopping.set()
        sender.join()

    assert max(times) < 2, sorted(times)[-5:]
    assert not left, f"{len(left)} of 64 are still connected after {time.monotonic() - began:.1f} s"
    assert time.monotonic() - began > PATIENCE - 1, "they had their time"
    assert web.log.count("a sender was turned away") == 64
    assert len(redis.keys("callbridge:1:event:*")) == 40


@pytest.mark.timeout(40)
def test_who_is_cut_off_is_told_so(web, calls, redis):
    connection = calls(SLOW[1])

    told = b"".join(iter(lambda: connection.recv(65536), b""))

    assert told.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"Connection: close" in told
    assert b'"code": "request_timeout"' in told
    assert redis.keys("*") == []


def test_a_sender_that_pauses_within_its_time_is_served(web, calls, redis):
    whole = request(event())
    connection = calls()
    for at in range(0, len(whole), 40):
        connection.sendall(whole[at : at + 40])
        time.sleep(0.05)

    assert answered(connection) == 200


def test_who_asks_first_whether_it_may_send_is_told_once_that_it_may(web, calls, redis):
    connection = calls(AUTHENTIC + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(event()))
    assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"

    connection.sendall(event())

    assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_requests_sent_in_one_go_are_all_answered_in_their_order(web, redis):
    answers = web.say(b"".join(request(event(number)) for number in range(20)))

    assert answers.count(b"HTTP/1.1 200 OK") == 20
    places = [answers.index(b'"id": "%d"' % number) for number in range(20)]
    assert places == sorted(places)


def test_a_request_sent_in_the_same_breath_as_the_end_of_another_is_answered_without_more_of_it(web, calls, redis):
    """Nothing more comes over the line that would wake anybody."""
    first, second = request(event(1)), request(event(2))
    connection = calls(first[:-5])
    time.sleep(0.1)
    connection.sendall(first[-5:] + second[:50])
    assert answered(connection) == 200

    connection.sendall(second[50:])
    assert answered(connection) == 200


def test_connections_that_nobody_hangs_up_keep_no_worker(web, calls, redis):
    """An answer with `Connection: close` is read on for a while, or a reset would overtake it; others are taken meanwhile."""
    kept = [calls(request(event(number), b"Connection: close\r\n")) for number in range(20)]
    for connection in kept:
        assert answered(connection) == 200

    assert taken(web, 100) < 1


@pytest.mark.parametrize(
    ("declared", "status"),
    [(b"Content-Length: 70000\r\n\r\n", b"413"), (b"Content-Length: 99999999999999999999\r\n\r\n", b"413"), (b"Content-Length: -1\r\n\r\n", b"400")],
)
def test_a_body_that_could_never_be_taken_is_not_waited_for(web, calls, redis, declared, status):
    started = time.monotonic()
    connection = calls(AUTHENTIC + declared + b"{")

    told = b"".join(iter(lambda: connection.recv(65536), b""))

    assert told.startswith(b"HTTP/1.1 " + status)
    assert b"connection: close" in told.lower()
    assert time.monotonic() - started < LEAVING + 1


def test_headers_without_an_end_are_refused_at_their_limit(web, redis):
    told = web.say(b"POST /webhooks/zapier HTTP/1.1\r\n" + b"X-More: and more\r\n" * (LONGEST_HEAD // 18 + 10))

    assert told.startswith(b"HTTP/1.1 431")


def test_a_body_that_is_nearly_all_wrapping_is_refused_at_a_limit(web, calls, redis):
    connection = calls(AUTHENTIC + b"Transfer-Encoding: chunked\r\n\r\n")
    with suppress(OSError):
        for _ in range(700):
            connection.sendall(b"1;%b\r\nx\r\n" % (b"y" * 1000))

    assert connection.recv(65536).startswith(b"HTTP/1.1 413")


@pytest.mark.timeout(60)
def test_what_is_still_coming_takes_only_so_much_memory_and_the_largest_of_it_is_turned_away_first(start_web, calls, redis):
    web = start_web(max_body="1MiB")
    taken(web, 1)
    before = web.memory()
    unfinished = AUTHENTIC + b"Content-Length: 1048576\r\n\r\n" + b" " * 1_000_000

    large = [calls(b"", web) for _ in range(100)]
    for connection in large:
        with suppress(OSError):
            connection.sendall(unfinished)
    last = taken(web, 2)
    time.sleep(0.5)
    told = [connection.recv(65536) for connection in select.select(large, [], [], 0)[0]]

    assert last < 2
    assert 30 <= len(told) <= 40
    assert {answer[:12] for answer in told} == {b"HTTP/1.1 503"}
    assert all(b"Retry-After: 5\r\n" in answer for answer in told)
    assert web.memory() - before < 130 * 1024 * 1024


@pytest.mark.long
@pytest.mark.timeout(60)
def test_where_all_places_are_taken_slow_senders_make_room_sooner(start_web, calls, redis):
    web = start_web(GUNICORN_CMD_ARGS="--worker-connections 40")
    for _ in range(50):
        calls(SLOW[0], web)

    assert taken(web, 1) < 5


@pytest.mark.timeout(60)
def test_a_server_told_to_end_takes_the_request_that_is_half_there_and_waits_for_no_silent_connection(start_web, calls, redis):
    web = start_web()
    taken(web, 1)
    whole = request(event(7))
    silent, half = calls(b"", web), calls(whole[:-10], web)
    time.sleep(0.3)

    web.process.send_signal(signal.SIGTERM)
    told = time.monotonic()
    time.sleep(0.5)
    half.sendall(whole[-10:])

    assert answered(half) == 200
    assert silent.recv(65536) == b""
    half.close()
    assert web.process.wait(10) == 0
    assert time.monotonic() - told < 6
    assert redis.hget("callbridge:1:event:zapier:7", "status") == "ignored"


@pytest.mark.long
def test_a_server_that_ends_tls_itself_still_serves(start_web, tmp_path, redis):
    key, certificate = own_certificate(tmp_path)
    web = start_web(GUNICORN_CMD_ARGS=f"--certfile {certificate} --keyfile {key}")
    trusting = ssl.create_default_context(cafile=str(certificate))

    with web.call() as plain, trusting.wrap_socket(plain, server_hostname="localhost") as connection:
        for number in range(2):
            connection.sendall(request(event(number)))
            assert answered(connection) == 200


def own_certificate(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(days=1), now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "key.pem", folder / "certificate.pem"
    words = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    paths[0].write_bytes(key.private_bytes(*words))
    paths[1].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return paths
