import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bridge.errors import LookupFailed
from bridge.model import Contact, Entity, Event, HttpRequest
from bridge.simulator import Fault, Kind, running_simulator
from bridge.sources.base import Lookup, Source, SourceSettings
from bridge.sources.hubspot import HubSpot, HubSpotSettings
from bridge.sources.values import answer
from workers.crm_api import MOST_REQUESTS, CrmApi
from workers.line import LARGEST_ANSWER

API_TOKEN = "pat-na1-secret-0123456789"
PHONE = "+16500000000"
EVENT = Event(
    source="toy",
    kind="toy",
    id="1",
    type="contact.created",
    fact="f",
    received_at=datetime(2026, 11, 23, tzinfo=UTC),
    entity=Entity("contact", "101"),
)


class Toy(Source):
    """Asks for two pages, each named by the one before, with its token in the address and in a header."""

    kind = "toy"
    title = "Toy CRM"

    def __init__(self, base: str) -> None:
        super().__init__("toy", SourceSettings(kind="toy", api_token=API_TOKEN))
        self.base = base

    def verify(self, delivery, now):
        raise NotImplementedError

    def parse(self, delivery):
        raise NotImplementedError

    def sign(self, body, url, now):
        raise NotImplementedError

    def ask(self, path: str, body: str = "") -> HttpRequest:
        return HttpRequest("POST" if body else "GET", f"{self.base}{path}?key={API_TOKEN}", {"Authorization": f"Bearer {API_TOKEN}"}, body)

    def look_up(self, event, wanted) -> Lookup:
        del wanted
        first = answer((yield self.ask("/first")))
        second = answer((yield self.ask(first["next"], body='{"q":1}')))
        return event.knowing(contact=Contact(phone=second["phones"][0]))


@dataclass
class Crm:
    """Answers each path with a fixed status and body, and remembers what it was asked."""

    answers: dict[str, tuple[int, bytes]]
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""
    asked: list[tuple[str, str | None, bytes]] = field(default_factory=list)
    latency: float = 0


GOOD = {"/first": (200, b'{"next": "/second"}'), "/second": (200, b'{"phones": ["+16500000000"]}')}


@contextmanager
def running(answers=GOOD, **settings) -> Iterator[Crm]:
    crm = Crm(answers, **settings)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.partition("?")[0]
            crm.asked.append((f"{self.command} {path}", self.headers["Authorization"], body))
            time.sleep(crm.latency)
            status, data = crm.answers[path]
            self.send_response(status)
            for name, value in {**crm.headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET  # noqa: N815 -- the name http.server looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name http.server gives it
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that has gone away is what some of these tests are about."""

    with Server(("127.0.0.1", 0), Handler) as server:
        crm.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield crm
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def api() -> Iterator[CrmApi]:
    with closing(CrmApi(timedelta(seconds=0.5), pool_size=4)) as api:
        yield api


def failing(api: CrmApi, source: Source, lookup: Lookup | None = None, **more) -> LookupFailed:
    with pytest.raises(LookupFailed) as caught:
        api.converse(source, lookup or source.look_up(EVENT, ()), **more)
    return caught.value


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def test_a_conversation_is_held_to_its_end(api):
    with running() as crm:
        source = Toy(crm.url)

        event = api.converse(source, source.look_up(EVENT, ()))

    assert event.contact == Contact(phone=PHONE)
    assert crm.asked == [("GET /first", f"Bearer {API_TOKEN}", b""), ("POST /second", f"Bearer {API_TOKEN}", b'{"q":1}')]


def test_a_look_up_that_has_nothing_to_ask_returns_the_event(api):
    def nothing() -> Lookup:
        return EVENT
        yield

    assert api.converse(Toy("http://127.0.0.1:1"), nothing()) == EVENT


@pytest.mark.parametrize(("status", "parked", "retry_after"), [(401, True, None), (429, False, 7.0), (500, False, 7.0), (302, False, 7.0)])
def test_the_source_judges_what_it_can_never_read(api, status, parked, retry_after):
    with running({"/first": (status, b"{}")}, headers={"Retry-After": "7", "Location": "/second"}) as crm:
        failure = failing(api, Toy(crm.url))

    assert (failure.parked, failure.final, failure.retry_after) == (parked, False, retry_after)
    assert len(crm.asked) == 1


@pytest.mark.parametrize(
    "answers",
    [
        {"/first": (200, b"{}")},
        {"/first": (200, b"[1]")},
        {"/first": (200, b"<html>")},
        {"/first": (200, b"\xff\xfe\x00")},
        {**GOOD, "/second": (200, b'{"phones": []}')},
        {**GOOD, "/second": (200, b'{"phones": 16500000000}')},
        {**GOOD, "/second": (404, b"")},
    ],
)
def test_an_answer_that_the_adapter_trips_over_is_a_failed_look_up(api, answers):
    with running(answers) as crm:
        failure = failing(api, Toy(crm.url))

    assert not failure.final
    assert not failure.parked
    assert not [error for error in chain(failure) if API_TOKEN in f"{error!r} {error}" or "16500000000" in f"{error!r} {error}"]


def test_a_mistake_of_the_adapter_is_named_with_its_place(api):
    with running({"/first": (200, b'{"nxt": "+16500000000"}')}) as crm:
        failure = failing(api, Toy(crm.url))

    assert failure.message.startswith("an answer of Toy CRM could not be read (KeyError in test_crm_api.py, line ")
    assert list(chain(failure)) == [failure]


def test_an_adapter_that_asks_in_circles_is_stopped(api):
    with running() as crm:
        source = Toy(crm.url)

        def circles() -> Lookup:
            while True:
                yield source.ask("/first")

        failure = failing(api, source, circles())

    assert "without an end" in failure.message
    assert len(crm.asked) == MOST_REQUESTS


def test_an_adapter_is_always_let_go(api):
    ended = []

    def asking() -> Lookup:
        try:
            yield HttpRequest("GET", "http://127.0.0.1:1/")
        finally:
            ended.append(True)
        return EVENT

    failing(api, Toy(""), asking())

    assert ended == [True]


@pytest.mark.parametrize(
    ("url", "answers", "latency", "says"),
    [
        ("http://127.0.0.1:1", GOOD, 0, "could not be reached"),
        ("gopher://127.0.0.1", GOOD, 0, "could not be asked"),
        (None, GOOD, 0.8, "could not be reached in time"),
        (None, {"/first": (200, b" " * (LARGEST_ANSWER + 1))}, 0, "far too long"),
        (None, {}, 0, "the connection broke"),
    ],
)
def test_what_the_network_does_is_a_failed_look_up_without_the_token(api, url, answers, latency, says):
    with running(answers, latency=latency) as crm:
        failure = failing(api, Toy(url or crm.url))

    assert says in failure.message
    assert not failure.final
    assert not [error for error in chain(failure) if API_TOKEN in f"{error!r} {error}"]


def test_a_redirect_to_another_host_is_not_followed(api):
    with running() as other, running({"/first": (307, b"")}, headers={"Location": f"{other.url}/first"}) as crm:
        failing(api, Toy(crm.url))

    assert other.asked == []


@pytest.mark.parametrize("path", ["/first/../second", "/first/..", "/first/.", "/first/%2e%2e", "/first/1%2F..%2Fsecond", "/first/..%3Bx/second"])
def test_an_id_that_would_lead_to_another_place_is_not_asked_for(api, path):
    with running() as crm:
        source = Toy(crm.url)

        def asking() -> Lookup:
            yield source.ask(path)
            return EVENT

        failure = failing(api, source, asking())

    assert failure.final
    assert crm.asked == []


def test_a_redirect_of_the_crm_is_no_way_to_another_place_of_its_own_either(api):
    with running({**GOOD, "/first": (302, b"")}, headers={"Location": "/second"}) as crm:
        failing(api, Toy(crm.url))

    assert [what for what, _, _ in crm.asked] == ["GET /first"]


def test_a_turn_that_comes_soon_is_waited_for_before_every_request(api):
    turns = iter([0.0, 0.2])
    with running() as crm:
        source, start = Toy(crm.url), time.monotonic()

        api.converse(source, source.look_up(EVENT, ()), lambda: next(turns))

    assert time.monotonic() - start >= 0.2
    assert next(turns, None) is None


def test_a_turn_that_comes_late_is_left_to_the_ledger(api):
    with running() as crm:
        failure = failing(api, Toy(crm.url), pace=lambda: 12.5)

    assert (failure.retry_after, failure.final, failure.parked) == (12.5, False, False)
    assert crm.asked == []


# The first real adapter, against the simulator's stand-in of its CRM.


def hubspot(url: str) -> HubSpot:
    return HubSpot("hubspot", HubSpotSettings(kind="hubspot", api_token=API_TOKEN, api_base=f"{url}/hubspot"))


def test_hubspot_tells_whom_a_deal_is_about(api):
    with running_simulator() as simulator:
        source = hubspot(simulator.url)

        event = api.converse(source, source.look_up(Event.from_document(EVENT.document() | {"entity": {"type": "deal", "id": "555"}}, "f"), ()))

    assert event.contact
    assert event.contact.phone in event.contact.phones
    assert f"phone:{event.contact.phone}" in event.refs
    assert json.dumps(event.document())


def test_a_record_that_is_gone_ends_the_look_up_for_good(api):
    with running_simulator() as simulator:
        source = hubspot(simulator.url)
        gone = Event.from_document(EVENT.document() | {"entity": {"type": "contact", "id": "404"}}, "f")

        failure = failing(api, source, source.look_up(gone, ()))

    assert failure.final


def test_a_crm_that_drops_the_connection_is_asked_again_later(api):
    with running_simulator(faults=[Fault(fault=Kind.RESET_AFTER, endpoint="/hubspot/*")]) as simulator:
        failure = failing(api, hubspot(simulator.url), hubspot(simulator.url).look_up(EVENT, ()))

    assert (failure.final, failure.parked) == (False, False)
