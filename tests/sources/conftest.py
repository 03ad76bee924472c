"""What the tests of every adapter use: the captured bodies, and deliveries made of them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.model import Delivery

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
