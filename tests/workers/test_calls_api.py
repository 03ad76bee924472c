import json
import logging
import re
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from bridge import calls
from bridge.model import CallCommand, CallPlan, HttpRequest, HttpResponse
from bridge.simulator import Fault, Kind, Settings, running_simulator
from bridge.simulator.settings import CancelFinished, IdForm, Params, Spelling
from workers.answers import Answer, Outcome, TransportFailure
from workers.calls_api import CallsApi
from workers.line import LARGEST_ANSWER

TOKEN = "1000123.77-welcome.c0ffee0123456789abcdef"
KEY = "hubspot:11"
COMMAND = CallCommand(campaign="welcome", phone="+16500000000", payload={"name": "Alex Doe"}, time_zone="+03:00")
REQUEST = calls.call_request(COMMAND, KEY)
TIMEOUT = timedelta(seconds=0.4)


@dataclass
class Host:
    """A host that reads whole requests and answers each with the next of its scripted behaviours; the last one stays."""

    behaviours: list[Callable[[socket.socket], object]]
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    here: threading.local = field(default_factory=threading.local)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def next(self) -> Callable[[socket.socket], object]:
        return self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]


def read_request(stream) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return b""
        head += line
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return head + stream.read(int(length[1]) if length else 0)


@contextmanager
def running(*behaviours) -> Iterator[Host]:
    host = Host(list(behaviours))
    lock = threading.Lock()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            host.connections += 1
            try:
                while request := read_request(self.rfile):
                    with lock:
                        host.requests.append(request)
                        host.here.request = request
                        behaviour = host.next()
                    if behaviour(self.connection) is CLOSE:
                        return
            except OSError:
                return

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = 256

    with Server(("127.0.0.1", 0), Handler) as server:
        host.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield host
        finally:
            server.shutdown()
            thread.join()


CLOSE = object()


def answering(body: bytes | str = '"5665336642"', status: int = 200, **headers: str):
    body = body.encode() if isinstance(body, str) else body
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    data = f"HTTP/1.1 {status} Whatever\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body
    return lambda connection: connection.sendall(data)


def saying(data: bytes):
    def behave(connection):
        connection.sendall(data)
        return CLOSE

    return behave


def resetting(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    return CLOSE


def hanging(connection):
    time.sleep(TIMEOUT.total_seconds() * 2)
    return CLOSE


def dripping(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(30):
        time.sleep(0.05)
        connection.sendall(b"1")
    return CLOSE


def closing_silently(connection):
    return CLOSE


@contextmanager
def calling(url: str, token: str = TOKEN, timeout: timedelta = TIMEOUT) -> Iterator[CallsApi]:
    with closing(CallsApi(url, timeout, {"welcome": token}, pool_size=8)) as api:
        yield api


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def by_ids(request: bytes) -> list[str]:
    return json.loads(request.partition(b"\r\n\r\n")[2])["ids"]


# What goes out.


def test_what_is_sent_is_what_was_built_byte_for_byte():
    with running(answering()) as host, calling(host.url + "/") as api:
        answer = api.add("welcome", REQUEST)

    head, _, body = host.requests[0].partition(b"\r\n\r\n")
    assert (answer.outcome, answer.ids) == (Outcome.MADE, ("5665336642",))
    assert head.startswith(f"POST /api/crmCalls/campaign/{TOKEN}/addPhone HTTP/1.1\r\n".encode())
    assert b"\r\nIdempotence-Key: hubspot:11\r\n" in head + b"\r\n"
    assert b"\r\nContent-Type: application/x-www-form-urlencoded\r\n" in head + b"\r\n"
    assert body == REQUEST.body.encode()


def test_a_plus_in_a_query_stays_escaped_and_no_body_follows():
    with running(answering()) as host, calling(host.url) as api:
        api.add("welcome", calls.call_request(COMMAND, KEY, crm_params="query"))

    line, _, rest = host.requests[0].partition(b"\r\n")
    assert line.split()[1].endswith(b"/addPhone?phone=16500000000&gmtZone=%2B03%3A00&name=Alex%20Doe")
    assert b"Content-Length: 0" in rest
    assert rest.endswith(b"\r\n\r\n")


def test_a_token_of_any_spelling_stays_one_segment_of_the_path():
    with running(answering()) as host, calling(host.url, token="a/b?c#d {token}") as api:
        api.add("welcome", REQUEST)

    assert host.requests[0].startswith(b"POST /api/crmCalls/campaign/a%2Fb%3Fc%23d%20%7Btoken%7D/addPhone HTTP/1.1\r\n")


def test_the_surroundings_of_the_process_change_nothing(monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")

    with running(answering()) as host, calling(host.url) as api:
        answer = api.add("welcome", REQUEST)

    assert answer.outcome is Outcome.MADE
    assert b"Authorization" not in host.requests[0]


def test_a_cookie_is_never_sent_back():
    with running(answering(Set_Cookie="node=1; Path=/")) as host, calling(host.url) as api:
        api.add("welcome", REQUEST)
        api.add("welcome", REQUEST)

    assert b"ookie" not in host.requests[1]


def test_a_redirect_is_not_followed_however_long_its_body():
    elsewhere = saying(b"HTTP/1.1 307 Moved\r\nLocation: /elsewhere\r\n\r\n" + b"x" * 3 * LARGEST_ANSWER)
    with running(answering("moved", 301, Location="/elsewhere"), elsewhere) as host, calling(host.url) as api:
        answers = [api.add("welcome", REQUEST), api.add("welcome", REQUEST)]

    assert [answer.outcome for answer in answers] == [Outcome.CANNOT, Outcome.UNKNOWN]
    assert len(host.requests) == 2


# Connections.


def test_connections_are_kept_and_shared_by_threads():
    with running(answering()) as host, calling(host.url, timeout=timedelta(seconds=10)) as api, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: api.add("welcome", REQUEST), range(200)))

    assert {answer.outcome for answer in answers} == {Outcome.MADE}
    assert len(host.requests) == 200
    assert host.connections <= 8


def test_two_hundred_threads_at_once_each_get_their_own_answer():
    def echo(connection):
        answering(json.dumps(by_ids(host.here.request)))(connection)

    with running(echo) as host, closing(CallsApi(host.url, timedelta(seconds=20), {"welcome": TOKEN}, pool_size=200)) as api:
        start = threading.Barrier(200)

        def cancel(number: int) -> tuple[str, ...]:
            start.wait()
            return api.cancel("welcome", [str(number)], KEY).ids

        with ThreadPoolExecutor(200) as threads:
            answers = list(threads.map(cancel, range(200)))

    assert answers == [(str(number),) for number in range(200)]
    assert len(host.requests) == 200


def test_a_kept_connection_that_the_host_closed_meanwhile_is_replaced_before_anything_is_sent():
    def answer_and_close(connection):
        answering()(connection)
        return CLOSE

    with running(answer_and_close) as host, calling(host.url) as api:
        api.add("welcome", REQUEST)
        time.sleep(0.1)
        answer = api.add("welcome", REQUEST)

    assert answer.outcome is Outcome.MADE
    assert (len(host.requests), host.connections) == (2, 2)


@pytest.mark.parametrize("behaviour", [resetting, closing_silently], ids=["reset", "closed"])
def test_a_kept_connection_that_breaks_under_a_request_is_unknown_and_never_tried_again(behaviour):
    with running(answering(), behaviour) as host, calling(host.url) as api:
        api.add("welcome", REQUEST)
        answer = api.add("welcome", REQUEST)

    assert (answer.outcome, answer.code) == (Outcome.UNKNOWN, "broken")
    assert (len(host.requests), host.connections) == (2, 1)


# Failures, by what they prove.


def refused(_: Host) -> str:
    return f"http://127.0.0.1:{free_port()}"


def tls_to_a_plain_port(host: Host) -> str:
    return f"https://127.0.0.1:{host.port}"


FAILURES = {
    "connection refused": ([answering()], refused, "unreachable"),
    "no such name": ([answering()], lambda _: "http://" + "a" * 64 + ".invalid", "unreachable"),
    "no tls there": ([saying(b"no\r\n")], tls_to_a_plain_port, "unreachable"),
    "no such scheme": ([answering()], lambda _: "gopher://127.0.0.1", "unsendable"),
    "no address": ([answering()], lambda _: "", "unsendable"),
    "a port that is none": ([answering()], lambda _: "http://127.0.0.1:http", "unsendable"),
    "hangs": ([hanging], lambda host: host.url, "no_answer"),
    "drips": ([dripping], lambda host: host.url, "no_answer"),
    "reset": ([resetting], lambda host: host.url, "broken"),
    "closed": ([closing_silently], lambda host: host.url, "broken"),
    "garbage": ([saying(b"\x00\xff garbage\r\n\r\n")], lambda host: host.url, "broken"),
    "cut": ([saying(b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n"56653')], lambda host: host.url, "broken"),
    "bad chunk": ([saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n1")], lambda host: host.url, "broken"),
    "no gzip": ([answering(b"not gzip", Content_Encoding="gzip")], lambda host: host.url, "broken"),
    "too large": ([saying(b"HTTP/1.1 200 OK\r\n\r\n" + b"1" * (LARGEST_ANSWER + 9))], lambda host: host.url, "oversized"),
    "malformed header": ([saying(b"HTTP/1.1 200 OK\r\n broken\r\nX\xff\r\n\r\nnothing")], lambda host: host.url, None),
    "echo in a page": ([answering(f"<a href='/campaign/{TOKEN}/'>{TOKEN}</a>", 404)], lambda host: host.url, None),
    "echo in an error": ([answering(json.dumps({"type": f"x.{TOKEN}", "message": f"of {TOKEN}."}), 400)], lambda host: host.url, None),
    "echo in a redirect": ([answering("", 302, Location=f"/x/{TOKEN}")], lambda host: host.url, None),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_told_apart_and_the_token_is_nowhere(name, caplog):
    behaviours, url, code = FAILURES[name]
    caplog.set_level(logging.DEBUG)

    with running(*behaviours) as host, calling(url(host)) as api:
        result = api.send("welcome", REQUEST)
        answer = api.add("welcome", REQUEST)

    if code:
        assert result == TransportFailure(code)
        assert answer.code == code
    assert len(host.requests) <= 2
    everything = [repr(api), repr(result), str(result), repr(answer), str(answer), caplog.text]
    assert not [text for text in everything if TOKEN in text or "16500000000" in text]


def test_a_tls_handshake_that_hangs_has_sent_nothing():
    with socket.create_server(("127.0.0.1", 0)) as silent, calling(f"https://127.0.0.1:{silent.getsockname()[1]}") as api:
        answer = api.add("welcome", REQUEST)

    assert (answer.outcome, answer.code) == (Outcome.NOT_NOW, "unreachable")


def test_a_short_token_is_struck_out_as_a_word_and_spares_the_vendors_words():
    body = json.dumps({"type": "invalid.token", "message": "no campaign for token."})
    with running(answering(body, 404)) as host, calling(host.url, token="token") as api:
        result = api.send("welcome", REQUEST)

    assert isinstance(result, HttpResponse)
    assert json.loads(result.body) == {"type": "invalid.token", "message": "no campaign for ***."}


def test_a_campaign_without_a_token_sends_nothing():
    with running(answering()) as host, calling(host.url) as api:
        answer = api.add("gone", REQUEST)

    assert (answer.outcome, answer.code) == (Outcome.CANNOT, "no_token")
    assert not host.requests


def test_a_header_that_http_cannot_carry_is_not_sent():
    with running(answering()) as host, calling(host.url) as api:
        results = [api.send("welcome", HttpRequest("POST", REQUEST.url, {"Idempotence-Key": key})) for key in ("…", "a\r\nB: c")]

    assert results == [TransportFailure.UNSENDABLE] * 2
    assert not host.requests


def test_a_retry_after_date_is_measured_even_when_the_answer_has_no_date():
    with running(answering("", 429, Retry_After="Fri, 31 Dec 2100 23:59:59 GMT")) as host, calling(host.url) as api:
        answer = api.add("welcome", REQUEST)

    assert (answer.outcome, answer.retry_after) == (Outcome.NOT_NOW, 3600.0)


# The endpoints.


def test_a_report_of_several_leaves_out_only_what_the_campaign_does_not_know():
    def report(connection):
        ids = by_ids(host.here.request)
        if set(ids) & {"2", "5"}:
            answering(json.dumps({"type": "id.not.found", "message": "no"}), 400)(connection)
        else:
            answering(json.dumps([{"callJobId": each, "jobStatus": "planned"} for each in ids]))(connection)

    with running(report) as host, calling(host.url) as api:
        jobs = api.job_report("welcome", ids=["1", "2", "3", "4", "5"])
        nothing = api.job_report("welcome", ids=["2"])

    assert [job.id for job in jobs] == ["1", "3", "4"]
    assert nothing == ()


def test_a_report_that_fails_half_way_is_no_report():
    def report(connection):
        ids = by_ids(host.here.request)
        type_, status = ("id.not.found", 400) if len(ids) > 1 else ("oops", 500)
        answering(json.dumps({"type": type_}), status)(connection)

    with running(report) as host, calling(host.url) as api:
        answer = api.job_report("welcome", ids=["1", "2"])

    assert isinstance(answer, Answer)
    assert answer.outcome is Outcome.UNKNOWN


ROW = '[{"callJobId": "1", "phone": "16500000000", "jobStatus": "planned", "attemptNumber": 1}]'
ENDPOINTS = [
    (lambda api: api.cancel("welcome", ["1"], KEY), '["1"]', b"POST /api/calls/campaign/%s/callJob/cancel "),
    (lambda api: api.control("welcome", calls.Control.PAUSE, KEY), "", b"POST /api/calls/campaign/%s/control/pause "),
    (lambda api: api.job_report("welcome", phones=["+16500000000"]), ROW, b"POST /api/calls/campaign/%s/callJob/getReport "),
    (lambda api: api.attempt_report("welcome", ids=["1"]), ROW, b"POST /api/calls/campaign/%s/callAttempt/getReport "),
    (lambda api: api.jobs("welcome", calls.unfinished()), f'{{"items": {ROW}}}', b"POST /api/calls/campaign/%s/callJob/getUnfinished "),
    (lambda api: api.attempts("welcome", calls.attempt_report_by_date()), ROW, b"POST /api/calls/campaign/%s/callAttempt/getReportByDate "),
    (lambda api: api.info("welcome"), '{"status": "paused"}', b"GET /api/calls/campaign/%s "),
    (lambda api: api.status("welcome"), "paused", b"GET /api/calls/campaign/%s/status "),
]


@pytest.mark.parametrize(("ask", "body", "line"), ENDPOINTS)
def test_an_endpoint_is_asked_where_it_lives_and_its_answer_is_read(ask, body, line):
    with running(answering(body)) as host, calling(host.url) as api:
        answer = ask(api)

    assert host.requests[0].startswith(line.replace(b"%s", TOKEN.encode()))
    assert not isinstance(answer, Answer) or answer.outcome is Outcome.MADE
    assert answer


# Against the simulator, which plays the platform.


@contextmanager
def platform(*faults: Fault, timeout: timedelta = timedelta(seconds=10), **settings) -> Iterator[CallsApi]:
    with running_simulator(settings=Settings(**settings), faults=faults) as simulator, calling(simulator.url, timeout=timeout) as api:
        yield api


def jobs_of_the_number(api: CallsApi) -> list[str]:
    jobs = api.job_report("welcome", phones=["+16500000000"])
    assert not isinstance(jobs, Answer), jobs
    return [job.id for job in jobs]


@pytest.mark.parametrize("id_form", IdForm)
@pytest.mark.parametrize("crm_params", [Params.FORM, Params.QUERY])
def test_the_platform_makes_a_call_job_whatever_form_its_id_has(id_form, crm_params):
    with platform(id_form=id_form, params=crm_params) as api:
        answer = api.add("welcome", calls.call_request(COMMAND, KEY, crm_params=crm_params.value))

        assert answer.outcome is Outcome.MADE
        assert list(answer.ids) == jobs_of_the_number(api)


def test_a_plan_is_understood_by_the_platform():
    plan = CallPlan(allowed_days=("mon",), max_attempts=3, retry_interval_minutes=60, priority=2)
    command = CallCommand(campaign="welcome", phone="+16500000000", payload={"deal": {"id": 1}}, time_zone="Europe/Berlin", plan=plan)

    with platform() as api:
        answer = api.add("welcome", calls.call_request(command, KEY))

        assert answer.outcome is Outcome.MADE
        assert list(answer.ids) == jobs_of_the_number(api)


@pytest.mark.parametrize("kind", [Kind.RESET_BEFORE, Kind.RESET_AFTER, Kind.LOST_ANSWER, Kind.HANG, Kind.SERVER_ERROR, Kind.HTML])
def test_a_lost_answer_is_unknown_and_the_same_request_again_makes_no_second_call(kind):
    after = kind is not Kind.RESET_BEFORE
    fault = Fault(fault=kind, times=1, endpoint="addPhone", seconds=2 if kind in {Kind.HANG, Kind.LOST_ANSWER} else None, after=after)
    with platform(fault, timeout=TIMEOUT) as api:
        lost, found = api.add("welcome", REQUEST), api.add("welcome", REQUEST)

        assert (lost.outcome, found.outcome) == (Outcome.UNKNOWN, Outcome.MADE)
        assert jobs_of_the_number(api) == list(found.ids)


@pytest.mark.parametrize(
    ("fault", "outcome", "code"),
    [
        (Fault(fault=Kind.TOO_MANY, retry_after=3), Outcome.NOT_NOW, None),
        (Fault(fault=Kind.BAD_TOKEN), Outcome.CANNOT, "invalid.token"),
        (Fault(fault=Kind.STOPPED_CAMPAIGN), Outcome.CANNOT, "invalid.call.task.state"),
    ],
)
def test_a_refusal_of_the_platform_made_nothing(fault, outcome, code):
    with platform(fault.model_copy(update={"times": 1})) as api:
        answer = api.add("welcome", REQUEST)

        assert answer.outcome is outcome
        assert answer.code == code or code is None
        assert answer.retry_after == fault.retry_after
        assert jobs_of_the_number(api) == []


def test_a_number_the_platform_has_already_is_duplicated():
    with platform() as api:
        api.add("welcome", REQUEST)
        answer = api.add("welcome", calls.call_request(COMMAND, "another:key"))

    assert (answer.outcome, answer.code) == (Outcome.DUPLICATED, "phone.duplicated")


def test_a_test_call_is_made_again():
    with platform() as api:
        answers = [api.add("welcome", request) for request in (REQUEST, calls.test_add_phone(COMMAND), calls.add_phone_get(COMMAND, KEY))]

    assert [answer.outcome for answer in answers] == [Outcome.MADE] * 3


@pytest.mark.parametrize("cancel_finished", CancelFinished)
def test_a_cancelled_call_job_is_cancelled_however_often_one_asks(cancel_finished):
    with platform(cancel_finished=cancel_finished) as api:
        (job,) = api.add("welcome", REQUEST).ids
        first = api.cancel("welcome", [job], f"{KEY}:cancel")
        again = api.cancel("welcome", [job], "another:cancel")
        never = api.cancel("welcome", ["999"], "third:cancel")
        (report,) = api.job_report("welcome", ids=[job, "999"])

    assert (first.outcome, first.ids) == (Outcome.MADE, (job,))
    assert (never.outcome, never.ids, never.code) == (Outcome.MADE, (), "id.not.found")
    assert again.outcome is Outcome.MADE
    assert (report.status, report.finished) == ("cancelledByUser", True)


@pytest.mark.parametrize("spelling", Spelling)
def test_a_campaign_is_seen_and_controlled(spelling):
    with platform(spelling=spelling) as api:
        api.add("welcome", REQUEST)
        running_status, info = api.status("welcome"), api.info("welcome")
        paused, paused_status = api.control("welcome", calls.Control.PAUSE, "k1"), api.status("welcome")
        stopped, stopped_status = api.control("welcome", calls.Control.STOP, "k2"), api.status("welcome")
        resumed = api.control("welcome", calls.Control.RESUME, "k3")

    assert (running_status, paused_status, stopped_status) == ("inProgress", "paused", "finished")
    assert (info.status, info.counts["totalNumbers"]) == ("inProgress", 1)
    assert (paused.outcome, stopped.outcome) == (Outcome.MADE, Outcome.MADE)
    assert resumed.outcome is Outcome.CANNOT


def test_pages_and_attempts_are_read():
    with platform() as api:
        api.add("welcome", REQUEST)
        unfinished = api.jobs("welcome", calls.unfinished())
        by_date = api.jobs("welcome", calls.job_report_by_date(page_size=1))
        attempts = api.attempt_report("welcome", phones=["+16500000000"])

    assert len(unfinished) == len(by_date) == 1
    assert attempts == ()
