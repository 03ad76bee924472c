"""Whether an event costs the same when the ledger holds many: accepting, delivering and dispatching it.

    python -m benchmarks.growth --events 10000 --events 1000000

Two Redis servers are filled as `benchmarks.search` does, one with few events and one with many, and take their turns; then the same with few and many
events that wait. Time is that of the ledger's calls from one process, scripts and round trips together. A million take some ten minutes and
3 GB.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

import click
from redis import Redis
from rich.console import Console

from benchmarks.comparing import Figure, Goal, in_turns
from benchmarks.redis import running_redis
from benchmarks.search import AT_ONCE, NOW, begin, event, fill, record
from benchmarks.table import show
from bridge.ledger import Ledger, NewEntry, Record
from bridge.model import Status

EACH = 2_000
"""Events of one run."""

WAITING = (100, 100_000)

_LEASE = timedelta(minutes=1)


@dataclass(slots=True)
class Desk:
    """One ledger at work: what a run of each kind costs an event, in µs."""

    ledger: Ledger
    numbers: "count[int]" = field(default_factory=lambda: count(20_000_000))
    now: datetime = NOW + timedelta(days=2)

    def accepting(self) -> float:
        """One delivery each, as most come."""
        some = [new(next(self.numbers), self.now) for _ in range(EACH)]
        taken = timed(lambda: [self.ledger.accept(f"d{entry.key}", {"body": "x" * 400}, [entry], self.now) for entry in some])
        self.delivering()
        return taken

    def delivering(self) -> float:
        """Claimed, begun and recorded together, as a worker with many slots does."""
        some = [new(next(self.numbers), self.now) for _ in range(EACH)]
        self.ledger.accept("d", {"body": "x" * 400}, some, self.now)
        return timed(self._deliver_all)

    def _deliver_all(self) -> None:
        while entries := self.ledger.claim("w", AT_ONCE, _LEASE, self.now):
            self.ledger.begin("w", _LEASE, [begin(entry, self.now) for entry in entries], self.now)
            self.ledger.record("w", [ended(record(entry, self.now)) for entry in entries], self.now)

    def dispatching(self) -> float:
        """A dispatcher's look, for each of as many events."""
        return timed(lambda: [self.ledger.due_count(self.now) for _ in range(EACH)])

    def wait(self, waiting: int) -> None:
        """So many events that wait until tomorrow."""
        for start in range(0, waiting, AT_ONCE):
            some = [new(next(self.numbers), self.now) for _ in range(min(AT_ONCE, waiting - start))]
            self.ledger.accept("d", {"body": "x" * 400}, some, self.now)
            entries = self.ledger.claim("w", AT_ONCE, _LEASE, self.now)
            records = [Record(entry=entry, status=Status.WAITING, reason="outside call hours", due=self.now + timedelta(days=1)) for entry in entries]
            self.ledger.record("w", records, self.now)


def new(number: int, at: datetime) -> NewEntry:
    told = event(number, at)
    return NewEntry(key=f"{told.source}:{told.id}", status=Status.QUEUED, reason="is to be called", event=told, rule="call new leads")


def ended(made: Record) -> Record:
    """What is measured is an event that ends."""
    if made.status.finished:
        return made
    return Record(entry=made.entry, status=Status.DONE, reason=made.reason, attempts=made.attempts, campaign=made.campaign)


def timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) / EACH * 1e6


def measure(sizes: Sequence[int], rounds: int, told: Console) -> list[Figure]:
    """The larger over the smaller of each kind."""
    figures = []
    with ExitStack() as stack:
        few, many = (Desk(filled(stack.enter_context(durable_redis()), size, told)) for size in sizes)
        figures += compared(few, many, f"{sizes[1]:,} events in the ledger over {sizes[0]:,}", rounds)
    with ExitStack() as stack:
        few, many = (Desk(filled(stack.enter_context(durable_redis()), 1_000, told)) for _ in WAITING)
        few.wait(WAITING[0])
        many.wait(WAITING[1])
        figures += compared(few, many, f"{WAITING[1]:,} waiting over {WAITING[0]:,}", rounds)
    return figures


def durable_redis() -> AbstractContextManager[Redis]:
    return running_redis(appendonly="yes", appendfsync="always")


def filled(redis: Redis, size: int, told: Console) -> Ledger:
    """Without waiting for the disk, which would only take longer."""
    redis.config_set("appendfsync", "no")
    ledger = fill(redis, size, told)
    redis.config_set("appendfsync", "always")
    return ledger


def compared(few: Desk, many: Desk, what: str, rounds: int) -> list[Figure]:
    figures = []
    for kind in ("accepting", "delivering", "dispatching"):
        much, little = in_turns(rounds, getattr(many, kind), getattr(few, kind))
        figures.append(Figure(path="growth", measure=f"{kind}: {what}", goal=Goal(most=1.15), unit="µs", product=much, baseline=little))
    return figures


@click.command()
@click.option("--events", "sizes", type=click.IntRange(1_000, 5_000_000), multiple=True, default=(10_000, 1_000_000), show_default=True)
@click.option("--rounds", default=5, show_default=True)
def main(sizes: Sequence[int], rounds: int) -> None:
    """Time what an event costs in a small and in a large ledger."""
    show(measure(sizes[:2], rounds, Console(stderr=True)))


if __name__ == "__main__":
    main()
