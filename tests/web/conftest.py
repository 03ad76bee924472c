"""The web application over a real Redis, and a sender that signs as the CRMs do."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bridge.app import create_app
from bridge.config import load
from bridge.log import JsonLines
from bridge.sources.base import Signed
from bridge.wiring import Services, build, clock

PUBLIC = "https://bridge.example.com"
CONFIG = """
server: {public_url: %(public)s, max_body: 64KiB}
redis: {url: "%(redis)s", durability: unsafe}
data_dir: %(data)s
campaigns: {welcome: {token: campaign-token-of-welcome}}
sources:
  hubspot: {kind: hubspot, secret: hubspot-client-secret}
  pipedrive: {kind: pipedrive, secret: "callbridge:correct horse"}
  billing: {kind: standard_webhooks, secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}
  zapier: {kind: generic, secret: zapier-secret-of-ours}
  lab: {kind: generic, insecure: true}
  odoo: {kind: odoo, secret: odoo-secret-of-ours}
rules:
  - {name: call new leads, on: lead.created, call: {campaign: welcome, payload: {name: contact.name}}}
  - {name: stop on delete, on: lead.deleted, cancel: {campaigns: [welcome]}}
"""
LEAD = {"event_id": "lead-7", "type": "lead.created", "phone": "+12813322575", "name": "Alex Doe", "entity": {"type": "lead", "id": "7"}}


def lead(number: int = 7, **more: Any) -> dict[str, Any]:
    """What a generic sender says about one new lead; each number is another person."""
    return {**LEAD, "event_id": f"lead-{number}", "entity": {"type": "lead", "id": str(number)}, "phone": f"+1281332{2568 + number}", **more}


@dataclass
class Door:
    """The web application and what stands behind it."""

    services: Services
    client: FlaskClient

    def deliver(self, source: str, body: Any, *, query: str = "", headers: Mapping[str, str] | None = None) -> TestResponse:
        """Signed as the source's CRM would; ``headers`` replace what the signature says."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        path = f"/webhooks/{source}{query}"
        adapter = self.services.sources[source]
        signed = adapter.sign(raw, PUBLIC + path, clock()) if adapter.secrets else Signed(raw, PUBLIC + path, {"Content-Type": "application/json"})
        return self.client.post(signed.url.removeprefix(PUBLIC), data=signed.body, headers={**signed.headers, **(headers or {})})

    def refused(self, source: str) -> list[dict[str, Any]]:
        """The ring of refused requests, the last one first."""
        return [json.loads(kept) for kept in self.services.redis.lrange(f"callbridge:1:refused:{source}", 0, -1)]

    def refusals(self, source: str) -> dict[str, str]:
        return self.services.redis.hgetall(f"callbridge:1:refused:count:{source}")


@pytest.fixture
def open_door(tmp_path) -> Callable[[str], Door]:
    """A door whose ledger is at the given Redis URL."""

    def opened(url: str) -> Door:
        path = tmp_path / "config.yaml"
        path.write_text(CONFIG % {"public": PUBLIC, "redis": url, "data": tmp_path})
        services = build(load(path, {}), redis_timeout=1.0)
        return Door(services, create_app(services).test_client())

    return opened


@pytest.fixture
def door(open_door, redis_url) -> Door:
    return open_door(redis_url)


@pytest.fixture(name="lead")
def a_lead() -> Callable[..., dict[str, Any]]:
    return lead


@pytest.fixture
def log_lines(caplog) -> Callable[[str], list[dict[str, Any]]]:
    """The lines of one logger, as they would be written."""
    caplog.set_level(logging.INFO)
    return lambda logger: [json.loads(JsonLines().format(record)) for record in caplog.records if record.name == logger]
