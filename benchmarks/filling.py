"""Leads put into the ledger by the product's own ingest, without HTTP: what a measurement of the workers begins with."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

from benchmarks.servers import Bridge
from bridge.ingest import Ingest
from bridge.model import Delivery
from bridge.wiring import build

AT_ONCE = 100
"""Events in one delivery."""

_numbers = count(1_000_000)


def lead(number: int, campaign: str = "welcome") -> dict[str, Any]:
    """What an automation tool sends of a new lead; each of another person. ``campaign``: which of the configuration's is to call."""
    return {
        "event_id": f"lead-{number}-2026-11-25T08:40:00Z",
        "type": "lead.created" if campaign == "welcome" else f"{campaign}.created",
        "occurred_at": "2026-11-25T08:40:00Z",
        "entity": {"type": "lead", "id": str(number)},
        "contact": {"name": f"Alex K{number}", "phone": f"+1281{2000000 + number % 8000000}", "email": f"alex.{number}@example.com"},
        "fields": {"budget": number % 90_000, "form": "newsletter", "page": "/pricing"},
    }


def fill(bridge: Bridge, wanted: int, campaign: str = "welcome") -> None:
    """So many more events, each due at once."""
    services = build(bridge.config)
    for some in _in_batches(wanted):
        _take(services.ingest, json.dumps([lead(next(_numbers), campaign) for _ in range(some)]).encode())


def _take(ingest: Ingest, body: bytes) -> None:
    source, url, now = ingest.sources["zapier"], "http://bridge/webhooks/zapier", datetime.now(UTC)
    headers = {name.lower(): value for name, value in source.sign(body, url, now).headers.items()}
    ingest.take(Delivery(source="zapier", body=body, url=url, received_at=now, headers=headers))


def _in_batches(wanted: int) -> Iterator[int]:
    while wanted > 0:
        yield min(wanted, AT_ONCE)
        wanted -= AT_ONCE
