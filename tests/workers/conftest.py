"""A workbench: webhooks in through the ingest, batches of deliveries run here, against a real ledger and the simulator.

``bench(rules)`` is one bridge with the sources ``crm`` (generic), ``hubspot`` and ``pipedrive``; its clock is real time plus what it was
advanced by, and so is the simulator's. Every ``work`` is one wake-up of a worker process, with threads of its own.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
import requests

from bridge.deciding import Policy
from bridge.ingest import Ingest
from bridge.ledger import Ledger, Retention, connect
from bridge.model import Delivery, Entry, Receipt
from bridge.rules import Rule
from bridge.simulator import running_simulator
from bridge.sources import kinds
from bridge.sources.base import Source
from workers.batch import Batch, hands
from workers.calls_api import CallsApi
from workers.crm_api import CrmApi
from workers.world import World

DAY = 86_400_000
RETENTION = Retention(dedup=30 * DAY, done=30 * DAY, failed=90 * DAY, ignored=DAY)
PHONE = "+16502530000"


class Platform:
    """The simulator's own side."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()

    def ask(self, method: str, path: str, document: Any = None) -> Any:
        answer = self._session.request(method, f"{self.url}/simulator/{path}", json=document, timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    def fault(self, fault: str, **more: Any) -> None:
        self.ask("POST", "faults", {"fault": fault, **more})

    def mend(self) -> None:
        self.ask("DELETE", "faults")

    @property
    def calls(self) -> list[dict[str, Any]]:
        return self.ask("GET", "calls")["calls"]

    @property
    def requests(self) -> list[dict[str, Any]]:
        return self.ask("GET", "requests")["requests"]

    def asked(self, endpoint: str) -> list[dict[str, Any]]:
        """The requests whose path ends so: ``addPhone``, ``callJob/getReport``, ``status``."""
        return [request for request in self.requests if request["path"].endswith(f"/{endpoint}")]

    def asked_of(self, campaign: str) -> list[dict[str, Any]]:
        """The requests for calls in one campaign."""
        return [request for request in self.asked("addPhone") if f"/campaign/{campaign}/" in request["path"]]

    def close(self) -> None:
        self._session.close()


@dataclass
class Clock:
    """Real time, and what it was advanced by; the simulator's goes with it."""

    platform: Platform
    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def advance(self, **by: float) -> None:
        self.ahead += timedelta(**by)
        self.platform.ask("POST", "clock", {"advance": f"{timedelta(**by).total_seconds():.3f}s"})


@dataclass
class Bench:
    redis_url: str
    platform: Platform
    world: World
    clock: Clock
    ingest: Ingest
    stack: ExitStack
    workers: Iterator[int] = field(default_factory=lambda: count(1))

    def receive(self, *events: Mapping[str, Any], source: str = "crm") -> list[Receipt]:
        """One delivery, signed as that source would."""
        body = json.dumps(events if source == "hubspot" or len(events) > 1 else events[0]).encode()
        adapter, now = self.world.sources[source], self.clock()
        headers = {name.lower(): value for name, value in adapter.sign(body, f"http://bridge/{source}", now).headers.items()}
        return self.ingest.take(Delivery(source=source, body=body, url=f"http://bridge/{source}", received_at=now, headers=headers))

    def lead(self, event_id: str = "e1", **more: Any) -> list[Receipt]:
        told = {"event_id": event_id, "type": "lead.created", "phone": PHONE, "entity": {"type": "lead", "id": event_id}}
        return self.receive({**told, **more})

    def worker(self, **changes: Any) -> World:
        """Another worker process: connections and a name of its own."""
        ledger = self.stack.enter_context(_ledger(self.redis_url))
        return replace(self.world, ledger=ledger, worker=f"w{next(self.workers)}", **changes)

    def work(self, world: World | None = None) -> int:
        """One wake-up; how many events it had in hand."""
        world = world or self.worker()
        with hands(world.concurrency) as threads:
            return Batch(world, lambda: False, threads).run()

    def work_through(self, looks: int = 4, **every: float) -> None:
        """Several wake-ups, with some time between them."""
        for _ in range(looks):
            self.work()
            self.clock.advance(**(every or {"seconds": 1}))

    def entry(self, event_id: str = "e1", source: str = "crm") -> Entry:
        found = self.world.ledger.entry(f"{source}:{event_id}")
        assert found is not None
        return found

    def status(self, event_id: str = "e1") -> str:
        return self.entry(event_id).status.value

    def until_due(self, event_id: str = "e1") -> None:
        """Advance to when the event is looked at next."""
        due = self.world.ledger.unfinished()[f"crm:{event_id}"]
        self.clock.advance(seconds=max(0.0, (due - self.clock()).total_seconds()) + 0.01)

    def with_rules(self, *rules: Mapping[str, Any], **policy: Any) -> World:
        """The same bridge after its configuration was changed."""
        return self.worker(policy=_policy(rules, **policy))


@pytest.fixture(scope="session")
def simulator() -> Iterator[Platform]:
    with running_simulator() as running:
        platform = Platform(running.url)
        yield platform
        platform.close()


@pytest.fixture
def platform(simulator: Platform) -> Platform:
    simulator.ask("POST", "reset")
    return simulator


CALL = {"name": "call", "on": "lead.created", "call": {"campaign": "welcome", "payload": {"name": "contact.name"}}}
CANCEL = {"name": "stop", "on": "lead.deleted", "cancel": {}}


@pytest.fixture
def bench(redis_url: str, platform: Platform) -> Iterator[Callable[..., Bench]]:
    with ExitStack() as stack:
        yield lambda *rules, **more: _bench(redis_url, platform, rules or (CALL, CANCEL), stack, **more)


def _bench(redis_url: str, platform: Platform, rules: Sequence[Mapping[str, Any]], stack: ExitStack, **more: Any) -> Bench:
    clock = Clock(platform)
    ledger = stack.enter_context(_ledger(redis_url))
    policy, sources = _policy(rules, **more.pop("policy", {})), _sources(platform.url, more.pop("api_token", "secret-token"))
    calls_api = CallsApi(platform.url, timedelta(seconds=1), {"welcome": "welcome", "other": "other"}, 8)
    crm_api = CrmApi(timedelta(seconds=1), 8)
    stack.callback(calls_api.close)
    stack.callback(crm_api.close)
    world = World(
        ledger=ledger,
        policy=policy,
        sources=sources,
        calls_api=calls_api,
        crm_api=crm_api,
        rates=more.pop("rates", {}),
        crm_params="form",
        clock=clock,
        worker="w0",
        lease=timedelta(seconds=5),
        concurrency=8,
    )
    return Bench(redis_url, platform, replace(world, **more), clock, Ingest(sources=sources, policy=policy, ledger=ledger, clock=clock), stack)


@contextmanager
def _ledger(redis_url: str) -> Iterator[Ledger]:
    redis = connect(redis_url)
    try:
        yield Ledger(redis, RETENTION, timedelta(hours=12))
    finally:
        redis.close()


def _policy(rules: Sequence[Mapping[str, Any]], **more: Any) -> Policy:
    return Policy(rules=tuple(Rule.model_validate(rule) for rule in rules), **more)


def _sources(url: str, api_token: str) -> dict[str, Source]:
    settings = {
        "crm": {"kind": "generic", "secret": "s"},
        "hubspot": {"kind": "hubspot", "secret": "s", "api_token": api_token, "api_base": f"{url}/hubspot"},
        "pipedrive": {"kind": "pipedrive", "secret": "user:password", "api_token": api_token, "api_base": f"{url}/pipedrive"},
    }
    return {name: kinds()[each["kind"]](name, kinds()[each["kind"]].settings_type.model_validate(each)) for name, each in settings.items()}
