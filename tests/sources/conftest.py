"""What the tests of every adapter use: the captured bodies, and deliveries made of them."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bridge.model import Delivery, Event, HttpRequest, HttpResponse
from bridge.sources.base import Source

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
