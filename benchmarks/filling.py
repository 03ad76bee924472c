"""Leads put into the ledger by the product's own ingest, without HTTP: what a measurement of the workers begins with."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import count
from typing import Any

from benchmarks.servers import Bridge
from bridge.ingest import Ingest
from bridge.model import Delivery
from bridge.sources.base import Source
from bridge.wiring import build, sources

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


def creation(number: int) -> dict[str, Any]:
    """What HubSpot sends of a new contact: whom to call must be looked up."""
    return {
        "eventId": number,
        "portalId": 62515,
        "occurredAt": int(datetime.now(UTC).timestamp() * 1000),
        "subscriptionType": "contact.creation",
        "attemptNumber": 0,
        "objectId": number,
    }


def fill(bridge: Bridge, wanted: int, campaign: str = "welcome") -> None:
    """So many more leads, each due at once."""
    _fill(bridge, "zapier", wanted, lambda number: lead(number, campaign))


def fill_contacts(bridge: Bridge, wanted: int) -> None:
    """So many more contacts that HubSpot has to be asked about."""
    _fill(bridge, "hubspot", wanted, creation)


def _fill(bridge: Bridge, source: str, wanted: int, event: Callable[[int], dict[str, Any]]) -> None:
    services = build(bridge.config)
    with closing(services.redis):
        for some in _in_batches(wanted):
            _take(services.ingest, source, json.dumps([event(next(_numbers)) for _ in range(some)]).encode())


def signed(bridge: Bridge, url: str) -> Delivery:
    """One more lead as its sender sends it to ``url``."""
    return _signed(sources(bridge.config)["zapier"], url, json.dumps(lead(next(_numbers))).encode())


def _take(ingest: Ingest, name: str, body: bytes) -> None:
    ingest.take(_signed(ingest.sources[name], f"http://bridge/webhooks/{name}", body))


def _signed(source: Source, url: str, body: bytes) -> Delivery:
    now = datetime.now(UTC)
    sent = source.sign(body, url, now)
    headers = {name.lower(): value for name, value in sent.headers.items()}
    return Delivery(source=source.name, body=sent.body, url=url, received_at=now, headers=headers)


def _in_batches(wanted: int) -> Iterator[int]:
    while wanted > 0:
        yield min(wanted, AT_ONCE)
        wanted -= AT_ONCE
