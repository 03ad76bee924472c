"""The API over a real Redis: deliveries come in by the web's own door, and what workers would write is written here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bridge.app import create_app
from bridge.config import load
from bridge.keys import event_key
from bridge.ledger import Asks, Beginning, Record, call_gate
from bridge.model import Attempt, CallCommand, Entry, HttpRequest, Status
from bridge.wiring import Services, build, clock

ANNA = "token-of-anna-and-nobody-else"
BERT = "token-of-bert-and-nobody-else"
CONFIG = """
server: {public_url: "https://bridge.example.com", operators: {anna: %(anna)s, bert: %(bert)s}}
redis: {url: "%(redis)s", durability: unsafe}
data_dir: %(data)s
campaigns:
  welcome: {token: campaign-token-of-welcome, rate_limit: 5/s}
  follow-up: {token: campaign-token-of-follow-up}
sources:
  zapier: {kind: generic, secret: zapier-secret-of-ours, region: US}
  hubspot: {kind: hubspot, secret: hubspot-client-secret}
rules:
  - {name: call new leads, on: lead.created, where: "fields.plan == 'gold'", call: {campaign: welcome, payload: {name: contact.name}}}
  - {name: stop on delete, on: lead.deleted, cancel: {campaigns: [welcome]}}
"""


def lead(number: int = 7, **more: Any) -> dict[str, Any]:
    """What a generic sender says about one new lead; each number is another person."""
    told = {"event_id": f"lead-{number}", "type": "lead.created", "name": "Alex Doe", "entity": {"type": "lead", "id": str(number)}}
    return {**told, "phone": f"+1281332{2568 + number}", "fields": {"plan": "gold"}, **more}


@dataclass
class Hands:
    """A clock that goes on by itself, and can be put forward."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return clock() + self.ahead


@dataclass
class Caller:
    """Somebody with a token."""

    client: FlaskClient
    token: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: Any = None, /, **query: Any) -> TestResponse:
        """``path`` is written as it goes over the line, below /api/v1."""
        more = {"json": body} if body is not None else {}
        headers = {"Authorization": f"Bearer {self.token}", **self.headers}
        return self.client.open(f"/api/v1/{path}", method=method, query_string=query or None, headers=headers, **more)

    def get(self, path: str, status: int = 200, /, **query: Any) -> Any:
        return self._read(self.ask("GET", path, **query), status)

    def post(self, path: str, body: Any, status: int = 202, /, **query: Any) -> Any:
        return self._read(self.ask("POST", path, body, **query), status)

    def change(self, method: str, path: str, body: Any = None, status: int = 200, /, **query: Any) -> Any:
        return self._read(self.ask(method, path, body, **query), status)

    def repeating(self, key: str) -> "Caller":
        return replace(self, headers={"Idempotency-Key": key})

    @staticmethod
    def _read(answer: TestResponse, status: int) -> Any:
        assert (answer.status_code, answer.content_type) == (status, "application/json"), answer.text
        return answer.get_json()


@dataclass
class Desk:
    """A bridge, and what stands behind it."""

    services: Services
    app: Flask
    clock: Hands

    def deliver(self, body: Any, source: str = "zapier") -> list[str]:
        """Signed as the source's CRM would; the keys of its events."""
        raw, adapter = json.dumps(body).encode(), self.services.sources[source]
        signed = adapter.sign(raw, f"https://bridge.example.com/webhooks/{source}", self.services.clock())
        answer = self.app.test_client().post(f"/webhooks/{source}", data=signed.body, headers=signed.headers)
        assert answer.status_code in {200, 202}, answer.text
        return [event_key(source, event["id"]) for event in answer.json["events"]]

    def lead(self, number: int = 7, **more: Any) -> str:
        (key,) = self.deliver(lead(number, **more))
        return key

    def entry(self, key: str) -> Entry:
        found = self.services.ledger.entry(key)
        assert found is not None
        return found

    def end(self, key: str, status: Status, reason: str = "so it is", due: timedelta | None = None, **more: Any) -> Entry:
        """What a worker writes when its attempt ends so."""
        now = self.services.clock()
        record = Record(entry=self._claimed(key), status=status, reason=reason, due=now + due if due else None, **more)
        assert self.services.ledger.record("w1", [record], now) == [True]
        return self.entry(key)

    def call(self, key: str, job: str = "5665336653") -> Entry:
        """The event's call job was made."""
        ledger, now, entry = self.services.ledger, self.services.clock(), self._claimed(key)
        phone = entry.event.contact.phone
        path = "/api/crmCalls/campaign/{token}/addPhone"
        request = HttpRequest("POST", path, {"Idempotence-Key": key}, f"phone={phone[1:]}&name=Alex%20Doe&mobile=%28281%29%20332-2575")
        gate = call_gate(CallCommand(campaign="welcome", phone=phone), entry.event, None)
        ledger.begin("w1", timedelta(seconds=20), [Beginning(entry=entry, request=request, call=gate)], now)
        attempt = Attempt(at=now, what="call", outcome="made", note="call job made", seconds=0.024, status=200, worker="host:1:abc")
        record = Record(entry=entry, status=Status.DONE, reason=f"call job {job} was made", jobs=(job,), campaign="welcome", attempts=(attempt,))
        assert ledger.record("w1", [record], now) == [True]
        return self.entry(key)

    def answer(self, good: bool = True, told: str = "the platform's answer", data: Any = None) -> Any:
        """What a worker does with the next question; the question."""
        asks = Asks(self.services.redis)
        ask = asks.take(1)
        assert ask is not None
        asks.give(ask.id, {"good": good, "told": told, "data": data})
        return ask

    def acts(self) -> list[tuple[str, str]]:
        return [(act.by, act.what) for act in self.services.audit.last()]

    def _claimed(self, key: str) -> Entry:
        ledger, now = self.services.ledger, self.services.clock()
        claimed = {entry.key: entry for entry in ledger.claim("w1", 100, timedelta(seconds=20), now)}
        ledger.release("w1", [other for other in claimed if other != key], now)
        return claimed[key]


@pytest.fixture
def open_desk(tmp_path):
    """A bridge whose ledger is at the given Redis URL."""

    def opened(url: str) -> Desk:
        path = tmp_path / "config.yaml"
        path.write_text(CONFIG % {"anna": ANNA, "bert": BERT, "redis": url, "data": tmp_path})
        hands = Hands()
        services = replace(build(load(path, {}), redis_timeout=1.0), clock=hands)
        return Desk(services, create_app(services), hands)

    return opened


@pytest.fixture
def desk(open_desk, redis_url) -> Desk:
    return open_desk(redis_url)


@pytest.fixture
def anna(desk) -> Caller:
    return Caller(desk.app.test_client(), ANNA)


@pytest.fixture
def bert(desk) -> Caller:
    return Caller(desk.app.test_client(), BERT)


@pytest.fixture
def at():
    """An event's address, below /api/v1, with its key encoded as a client would."""
    return lambda key, *more: "/".join(("events", quote(key, safe=""), *more))


@pytest.fixture(name="lead")
def a_lead():
    return lead
