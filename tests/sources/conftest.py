"""What the tests of every adapter use: the captured bodies, and deliveries made of them."""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bridge.model import Delivery, Event, HttpRequest, HttpResponse
from bridge.sources.base import Source
from workers.crm_api import CrmApi

FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 11, 23, 8, 40, tzinfo=UTC)


@pytest.fixture
def sample() -> Callable[[str], str]:
    """The text of a fixture: ``sample("pipedrive/v2_deal_create.json")``."""
    return lambda path: (FIXTURES / path).read_text()


@pytest.fixture
def delivered(now) -> Callable[..., Delivery]:
    """A delivery of a body; header names as an HTTP server hands them on, in lower case."""

    def make(body: str | bytes, headers: Mapping[str, str] | None = None, **more) -> Delivery:
        lower = {name.lower(): value for name, value in (headers or {}).items()}
        raw = body.encode() if isinstance(body, str) else body
        return Delivery(
            **{"source": "crm", "url": "https://bridge.example.com/webhooks/crm", "received_at": now, "body": raw, "headers": lower, **more}
        )

    return make


@pytest.fixture
def read(delivered) -> Callable[..., Any]:
    """The events of a body that is given as what its JSON says; the only one, where there is one."""

    def parse(source: Source, body: Any, **more) -> Any:
        events = source.parse(delivered(json.dumps(body), **more))
        return events[0] if len(events) == 1 else events

    return parse


def reply(body: Any, status: int = 200, **headers: str) -> HttpResponse:
    """An answer of a CRM's API; a body that is text goes as it is, anything else as JSON."""
    written = body if isinstance(body, str) else json.dumps(body)
    return HttpResponse(status, {name.replace("_", "-"): value for name, value in headers.items()}, written)


@pytest.fixture
def answering() -> Callable[..., HttpResponse]:
    return reply


@pytest.fixture
def look_up() -> Callable[..., tuple[Event, list[HttpRequest]]]:
    """Holds an adapter's conversation as the worker does, with the answers given: the event it ends with, and what it asked."""

    def hold(source: Source, event: Event, *answers: HttpResponse, wanted: tuple[str, ...] = ()) -> tuple[Event, list[HttpRequest]]:
        conversation, asked = source.look_up(event, wanted), []
        for response in (None, *answers):
            if response is not None:
                source.judge(response)
            try:
                asked.append(conversation.send(response))
            except StopIteration as end:
                return end.value, asked
        pytest.fail(f"asked for more than was answered: {asked[-1]}")

    return hold


@dataclass
class FakeCrm:
    """A CRM's API on loopback that gives the answers it was handed, one after the other, and remembers what it was asked."""

    answers: deque[HttpResponse] = field(default_factory=deque)
    asked: list[HttpRequest] = field(default_factory=list)
    url: str = ""

    def answer(self, *answers: HttpResponse) -> None:
        self.answers.extend(answers)


@pytest.fixture
def fake_crm() -> Iterator[FakeCrm]:
    """Configure a source's ``api_base`` with its ``url``, hand it answers, and talk to it through ``crm_api``."""
    crm = FakeCrm()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            crm.asked.append(HttpRequest(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            response = crm.answers.popleft() if crm.answers else HttpResponse(500, {}, "asked for more than was answered")
            data = response.body.encode()
            self.send_response(response.status)
            for name, value in {**response.headers, "content-length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815 -- the names http.server looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name http.server gives it
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        crm.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield crm
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def crm_api() -> Iterator[CrmApi]:
    """The worker's own client: ``crm_api.converse(source, source.look_up(event, wanted))``, ``crm_api.probe(source, source.probe())``."""
    with closing(CrmApi(timedelta(seconds=2), pool_size=2)) as api:
        yield api
