"""The pages about events over a real Redis: deliveries come in by the web's own door, and what workers would write is written here."""

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
from bridge.ledger import Beginning, Record, call_gate
from bridge.model import Attempt, CallCommand, Entry, HttpRequest, Status
from bridge.wiring import Services, build

PUBLIC = "https://bridge.example.com"
ANNA = "token-of-anna-and-nobody-else"
CONFIG = """
server: {operators: {anna: %(anna)s}}
redis: {url: "%(redis)s", durability: unsafe}
data_dir: %(data)s
campaigns: {welcome: {token: campaign-token-of-welcome}, follow-up: {token: campaign-token-of-follow-up}}
sources:
  zapier: {kind: generic, secret: zapier-secret-of-ours}
  billing: {kind: generic, secret: billing-secret-of-ours}
  hubspot: {kind: hubspot, secret: hubspot-client-secret, region: US}
rules:
  - {name: call new leads, on: lead.created, where: "fields.plan == 'gold'", call: {campaign: welcome, payload: {name: contact.name}}}
  - {name: stop on delete, on: lead.deleted, cancel: {campaigns: [welcome]}}
"""
PHONE = "+12813322575"


def lead(number: int = 7, **more: Any) -> dict[str, Any]:
    """What a generic sender says about one new lead; each number is another person."""
    told = {"event_id": f"lead-{number}", "type": "lead.created", "name": "Alex Doe", "entity": {"type": "lead", "id": str(number)}}
    return {**told, "phone": f"+1281332{2568 + number}", "fields": {"plan": "gold"}, **more}


@dataclass
class Desk:
    """An operator's desk, with anna at it."""

    services: Services
    app: Flask
    anna: FlaskClient
    read: Callable[[TestResponse], Any]

    def deliver(self, body: Any, source: str = "zapier") -> list[str]:
        """Signed as the source's CRM would; the keys of its events."""
        raw, adapter = json.dumps(body).encode(), self.services.sources[source]
        signed = adapter.sign(raw, f"http://localhost/webhooks/{source}", self.services.clock())
        answer = self.app.test_client().post(f"/webhooks/{source}", data=signed.body, headers=signed.headers)
        assert answer.status_code in {200, 202}, answer.text
        return [f"{source}:{event['id']}" for event in answer.json["events"]]

    def lead(self, number: int = 7, **more: Any) -> str:
        (key,) = self.deliver(lead(number, **more))
        return key

    def entry(self, key: str) -> Entry:
        found = self.services.ledger.entry(key)
        assert found is not None
        return found

    def claim(self, key: str) -> Entry:
        """As a worker takes it; one whose person was busy a moment ago is taken a little later."""
        for later in (timedelta(0), timedelta(seconds=0.3)):
            now = self.services.clock() + later
            claimed = {entry.key: entry for entry in self.services.ledger.claim("w1", 100, timedelta(seconds=20), now)}
            self.services.ledger.release("w1", [other for other in claimed if other != key], now)
            if key in claimed:
                return claimed[key]
        pytest.fail(f"{key} is not due")

    def end(self, key: str, status: Status, reason: str = "so it is", **more: Any) -> Entry:
        """What a worker writes when its attempt ends so; ``due``: in how many seconds somebody looks again."""
        ledger, now = self.services.ledger, self.services.clock()
        due = more.pop("due", None)
        record = Record(entry=self.claim(key), status=status, reason=reason, due=now + timedelta(seconds=due) if due else None, **more)
        assert ledger.record("w1", [record], now) == [True]
        return self.entry(key)

    def call(self, key: str, job: str = "5665336653") -> Entry:
        """The event's call job was made."""
        ledger, now, entry = self.services.ledger, self.services.clock(), self.claim(key)
        phone = entry.event.contact.phone
        path = "/api/crmCalls/campaign/{token}/addPhone"
        request = HttpRequest("POST", path, {"Idempotence-Key": key}, f"phone={phone[1:]}&name=Alex%20Doe&mobile=%28281%29%20332-2575")
        gate = call_gate(CallCommand(campaign="welcome", phone=phone), entry.event, None)
        ledger.begin("w1", timedelta(seconds=20), [Beginning(entry=entry, request=request, call=gate)], now)
        attempt = Attempt(at=now, what="call", outcome="made", note="call job made", seconds=0.024, status=200, worker="host:1:abc")
        record = Record(entry=entry, status=Status.DONE, reason=f"call job {job} was made", jobs=(job,), campaign="welcome", attempts=(attempt,))
        assert ledger.record("w1", [record], now) == [True]
        return self.entry(key)

    def get(self, path: str, **query: str) -> Any:
        answer = self.anna.get(path, query_string=query)
        assert answer.status_code == 200, (answer.status_code, answer.headers.get("Location"), answer.text)
        return self.read(answer)

    def search(self, written: str, **query: str) -> Any:
        return self.get("/ops/search", q=written, **query)

    def token(self) -> str:
        return self.get("/ops/").field("csrf_token")

    def post(self, path: str, **form: str) -> TestResponse:
        return self.anna.post(path, data={"csrf_token": self.token(), **form})


@pytest.fixture
def desk(tmp_path, redis_url, hands, read, login) -> Desk:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG % {"anna": ANNA, "redis": redis_url, "data": tmp_path})
    services = replace(build(load(path, {}), redis_timeout=1.0), clock=hands)
    app = create_app(services)
    client = app.test_client()
    assert login(client, ANNA).status_code == 303
    return Desk(services, app, client, read)
