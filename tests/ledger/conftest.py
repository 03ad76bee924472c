"""A ledger on a real Redis, and events to put into it. ``now`` is whatever a test says."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from bridge.keys import digest
from bridge.ledger import Beginning, CallGate, Ledger, NewEntry, Record, Retention
from bridge.model import Contact, Entry, Event, HttpRequest, Status
from bridge.terms import terms_of

T0 = datetime(2026, 11, 23, 9, tzinfo=UTC)
LEASE = timedelta(seconds=20)
DAY = 86_400_000
RETENTION = Retention(dedup=30 * DAY, done=20 * DAY, failed=90 * DAY, ignored=DAY)
REQUEST = HttpRequest("POST", "/add", {"Idempotence-Key": "k"}, "phone=1")


def event(
    key: str = "e1", *, refs: tuple[str, ...] = ("lead:1",), at: datetime = T0, fact: str | None = None, contact: Contact | None = None
) -> Event:
    told = fact or f"fact of {key}"
    return Event(source="crm", kind="generic", id=key, type="lead.created", fact=told, received_at=at, refs=refs, contact=contact)


class Desk:
    """The ledger with its arguments filled in."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.ledger = Ledger(redis, RETENTION, timedelta(hours=24))
        self.now = T0

    def accept(self, *keys: str, status: Status = Status.QUEUED, **more: Any) -> list[str]:
        event_more = {name: more.pop(name) for name in ("refs", "at", "fact") if name in more}
        new = [NewEntry(key=key, status=status, reason="", event=event(key, **event_more), **more) for key in keys]
        return self.ledger.accept("delivery", {"body": "x"}, new, self.now)

    def claim(self, worker: str = "w1", room: int = 10) -> list[Entry]:
        return self.ledger.claim(worker, room, LEASE, self.now)

    def call(self, entry: Entry, worker: str = "w1", **gate: Any) -> Any:
        """``begin`` of a call; what is not said about it is as harmless as can be."""
        more = {name: gate.pop(name) for name in ("marks",) if name in gate}
        told = {
            "source": "crm",
            "campaign": "welcome",
            "phone": "+1",
            "happened_at": entry.event.happened_at,
            "fact": digest(entry.event.fact),
            **gate,
        }
        beginning = Beginning(entry=entry, request=REQUEST, call=CallGate(**told), **more)
        (verdict,) = self.ledger.begin(worker, LEASE, [beginning], self.now)
        return verdict

    def record(self, entry: Entry, status: Status = Status.DONE, worker: str = "w1", *, wait: float = 0, **more: Any) -> bool:
        due = None if status.finished else self.now + timedelta(seconds=wait)
        (written,) = self.ledger.record(worker, [Record(**{"entry": entry, "status": status, "reason": "", "due": due, **more})], self.now)
        return written

    def replay(self, key: str, **more: Any) -> str:
        return self.ledger.replay(NewEntry(key=key, status=Status.QUEUED, reason="", event=event(key), **more), self.now)

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)

    def entry(self, key: str) -> Entry:
        found = self.ledger.entry(key)
        assert found is not None
        return found

    @staticmethod
    def new_event(key: str, **more: Any) -> Event:
        return event(key, **more)

    @staticmethod
    def terms(entry: Entry) -> set[str]:
        """Everything that should lead to an event."""
        return {*terms_of(entry), f"status:{entry.status}"}

    def is_between(self, term: str, key: str) -> bool:
        """Whether a term is the cause of an event that waits or runs."""
        return "cause:" in term and self.entry(key).status in {Status.RUNNING, Status.WAITING}

    @staticmethod
    def knowing(entry: Entry, *refs: str) -> Entry:
        return replace(entry, event=entry.event.knowing(refs=refs))


@pytest.fixture
def desk(redis: Redis) -> Desk:
    return Desk(redis)


@pytest.fixture
def make_desk() -> Callable[[Redis], Desk]:
    return Desk


@pytest.fixture
def make_event() -> Callable[..., Event]:
    return event
