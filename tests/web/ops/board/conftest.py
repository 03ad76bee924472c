"""The pages that show how everything is, over a real Redis: deliveries come in by the web's own door, what workers write is written here."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bridge.app import create_app
from bridge.config import load
from bridge.ledger import Ask, Record
from bridge.model import Attempt, Entry, Status
from bridge.wiring import Services, build

PUBLIC = "https://bridge.example.com"
ANNA = "token-of-anna-and-nobody-else"
CONFIG = """
server: {operators: {anna: %(anna)s}, public_url: %(public)s, max_body: 128KiB}
redis: {url: "%(redis)s", durability: unsafe}
data_dir: %(data)s
campaigns: {welcome: {token: campaign-token-of-welcome, rate_limit: 5/s}, follow-up: {token: campaign-token-of-follow-up}}
sources:
  zapier: {kind: generic, secret: %(zapier)s, region: US, silence: 3h}
  billing: {kind: standard_webhooks, secret: %(billing)s}
rules:
  - {name: call back, on: lead.updated, call: {campaign: follow-up}}
  - {name: call new leads, on: lead.created, call: {campaign: welcome}}
"""
SECRETS = {"zapier": "zapier-secret-of-ours", "billing": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>'


def lead(number: int = 7, **more: Any) -> dict[str, Any]:
    """What a generic sender says about one new lead; each number is another person."""
    told = {"event_id": f"lead-{number}", "type": "lead.created", "name": "Alex Doe", "entity": {"type": "lead", "id": str(number)}}
    return {**told, "phone": f"+1281332{2568 + number}", **more}


@dataclass
class Board:
    """The operators' pages, with anna before them."""

    services: Services
    app: Flask
    anna: FlaskClient
    read: Callable[[TestResponse], Any]

    def send(self, body: Any, source: str = "zapier", **signed_by: str) -> TestResponse:
        """Signed as the source's CRM would; ``secret``: with another one than is configured."""
        raw, adapter = json.dumps(body).encode(), self.services.sources[source]
        if signed_by:
            adapter = type(adapter)(source, adapter.settings_type(kind=adapter.kind, **signed_by))
        signed = adapter.sign(raw, f"{PUBLIC}/webhooks/{source}", self.services.clock())
        return self.app.test_client().post(f"/webhooks/{source}", data=signed.body, headers=signed.headers)

    def lead(self, number: int = 7, **more: Any) -> str:
        answer = self.send(lead(number, **more))
        assert answer.status_code in {200, 202}, answer.text
        return f"zapier:{answer.json['events'][0]['id']}"

    def end(self, key: str, status: Status, reason: str = "so it is", **more: Any) -> Entry:
        """What a worker writes when its attempt ends so; ``due``: in how many seconds somebody looks again."""
        ledger, now = self.services.ledger, self.services.clock()
        due, outcome = more.pop("due", None), more.pop("outcome", None)
        claimed = {entry.key: entry for entry in ledger.claim("w1", 1000, timedelta(seconds=20), now)}
        ledger.release("w1", [other for other in claimed if other != key], now)
        attempts = (Attempt(at=now, what="call", outcome=outcome, note="", seconds=0.1),) if outcome else ()
        record = Record(
            entry=claimed[key], status=status, reason=reason, due=now + timedelta(seconds=due) if due else None, attempts=attempts, **more
        )
        assert ledger.record("w1", [record], now) == [True]
        found = ledger.entry(key)
        assert found is not None
        return found

    def fail(self, number: int = 7, reason: str = "the platform refused the number", **more: Any) -> str:
        """The fingerprint of the issue."""
        self.end(self.lead(number, **more), Status.FAILED, reason, campaign="welcome")
        return self.services.issues.all()[0].fingerprint

    def get(self, path: str, **query: str) -> Any:
        answer = self.anna.get(path, query_string=query or None)
        assert answer.status_code == 200, (answer.status_code, answer.headers.get("Location"), answer.text)
        return self.read(answer)

    def post(self, path: str, **form: Any) -> TestResponse:
        token = self.get("/ops/history").field("csrf_token")
        return self.anna.post(path, data={"csrf_token": token, **form})

    def done(self, path: str, **form: Any) -> Any:
        """The page that one gets to by sending a form, told what was done."""
        answer = self.post(path, **form)
        assert answer.status_code == 303, answer.text
        return self.get(answer.headers["Location"])

    def answer(self, **told: Any) -> Ask:
        """Do what a worker does with what is asked at the platform."""
        ask = self.services.asks.take(1)
        assert ask is not None
        self.services.asks.give(ask.id, {"good": True, "told": "the platform's answer", "data": None, **told})
        return ask

    @property
    def deeds(self) -> list[tuple[str, str]]:
        """What is in the history: who and what, the newest first."""
        return [(act.by, act.what) for act in self.services.audit.last()]


@pytest.fixture
def open_board(tmp_path, redis_url, hands, read, login) -> Callable[..., Board]:
    """Words replace secrets: ``open_board(billing="whsec_…")``."""

    def opened(**secrets: str) -> Board:
        path = tmp_path / "config.yaml"
        path.write_text(CONFIG % {"anna": ANNA, "redis": redis_url, "data": tmp_path, "public": PUBLIC, **SECRETS, **secrets})
        services = replace(build(load(path, {}), redis_timeout=1.0), clock=hands)
        app = create_app(services)
        client = app.test_client()
        client.environ_base["wsgi.url_scheme"] = "https"
        assert login(client, ANNA).status_code == 303
        return Board(services, app, client, read)

    return opened


@pytest.fixture
def board(open_board) -> Board:
    return open_board()


@pytest.fixture
def hostile() -> str:
    return HOSTILE
