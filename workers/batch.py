"""Many deliveries at once: claims and records for all of them in one round trip each, HTTP requests side by side.

Deliveries are generators (:mod:`workers.effects`). This loop moves each as far as it can go, gathers those that stand
before the ledger's last gate and passes them together, hands what waits for HTTP to threads, and records together
what has come to an end.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from bridge.errors import LedgerUnavailable
from bridge.ledger import Beginning, Record
from bridge.log import wide
from bridge.model import Entry, Status
from workers.delivering import deliver
from workers.effects import Flow, Outside
from workers.world import World

LONGEST = 20.0
"""Seconds a wake-up goes on claiming; then another worker's turn comes, and this process may be replaced."""

_TICK = 0.05
"""Seconds between looks for new events while requests are in flight."""

_PERSIST = 15.0
"""Seconds a result is kept trying to be recorded while Redis is away; then the lease tells the next worker."""

_log = logging.getLogger("callbridge.worker")


@dataclass(slots=True)
class _Running:
    entry: Entry
    flow: Flow
    value: Any = None
    error: BaseException | None = None


@dataclass(slots=True)
class Batch:
    """The deliveries that one wake-up has in hand. ``stopping`` is asked before anything new is begun.

    ``hand``: the events that were claimed and came to no end; when Redis went away, they are to be given back when it is there again.
    """

    world: World
    stopping: Callable[[], bool]
    threads: ThreadPoolExecutor
    ready: deque[_Running] = field(default_factory=deque)
    waiting: dict[Future[Any], _Running] = field(default_factory=dict)
    begun: list[tuple[_Running, Beginning]] = field(default_factory=list)
    ended: list[Record] = field(default_factory=list)
    handled: int = 0
    renewed: float = field(default_factory=monotonic)
    pause: threading.Event = field(default_factory=threading.Event)
    away: LedgerUnavailable | None = None
    hand: set[str] = field(default_factory=set)

    def run(self) -> int:
        """Deliver what is due until nothing is, or until it is time to stop; how many events were in hand.

        When Redis goes away nothing new is begun; requests in flight are seen to their end, and their results are recorded if
        it comes back in time. Then ``LedgerUnavailable`` is raised.
        """
        until = monotonic() + LONGEST
        while True:
            more = not self.away and not self.stopping() and monotonic() < until and self._claim()
            self._advance()
            self._renew()
            if self.waiting:
                self._collect()
            elif not more and not self.ready:
                break
        if self.away:
            raise self.away
        return self.handled

    def _claim(self) -> bool:
        """Whether there may be more to claim."""
        room = self.world.concurrency - len(self.waiting) - len(self.ready)
        if room <= 0:
            return True
        try:
            now, free = self.world.clock(), room == self.world.concurrency
            entries = self.world.ledger.claim(self.world.worker, room, self.world.lease, now, empty_handed=free)
        except LedgerUnavailable as away:
            self.away = away
            return False
        self.hand.update(entry.key for entry in entries)
        self.ready.extend(_Running(entry, deliver(entry, self.world)) for entry in entries)
        self.handled += len(entries)
        return bool(entries)

    def _advance(self) -> None:
        """Move everything as far as it goes without waiting; gates and records are passed together."""
        while self.ready or self.begun or self.ended:
            while self.ready:
                self._step(self.ready.popleft())
            self._begin()
            self._record()

    def _step(self, running: _Running) -> None:
        error, running.error = running.error, None
        try:
            effect = running.flow.throw(error) if error else running.flow.send(running.value)
        except StopIteration as stop:
            if stop.value is not None:
                self.ended.append(stop.value)
            else:
                self.hand.discard(running.entry.key)
            return
        except LedgerUnavailable as away:
            self.away = away
            return
        except Exception:  # noqa: BLE001 -- see below
            # A fault of ours in one delivery must not take the others with it; its lease runs out, and three of them are poison.
            _log.exception("a delivery failed unexpectedly", extra={"key": running.entry.key})
            self.hand.discard(running.entry.key)
            return
        if isinstance(effect, Outside):
            self.waiting[self.threads.submit(effect.do)] = running
        else:
            self.begun.append((running, effect))

    def _begin(self) -> None:
        begun, self.begun = self.begun, []
        if not begun:
            return
        try:
            verdicts = self.world.ledger.begin(self.world.worker, self.world.lease, [item for _, item in begun], self.world.clock())
        except LedgerUnavailable as away:
            # Whether it was noted that they go out is not known, so none does. Their leases bring them back.
            self.away = away
            return
        for (running, _), verdict in zip(begun, verdicts, strict=True):
            running.value = verdict
            self.ready.append(running)

    def _record(self) -> None:
        """Results are facts about the world: they are kept trying to be written while Redis is away for a moment."""
        ended, self.ended = self.ended, []
        if not ended:
            return
        give_up = monotonic() + _PERSIST
        while True:
            try:
                written = self.world.ledger.record(self.world.worker, ended, self.world.clock())
                break
            except LedgerUnavailable:
                if monotonic() > give_up:
                    raise
                self.pause.wait(0.5)
        for record, kept in zip(ended, written, strict=True):
            self.hand.discard(record.entry.key)
            _tell(record, kept=kept)

    def _collect(self) -> None:
        done, _ = wait(self.waiting, timeout=_TICK, return_when=FIRST_COMPLETED)
        for future in done:
            running = self.waiting.pop(future)
            running.error = future.exception()
            running.value = None if running.error else future.result()
            self.ready.append(running)

    def _renew(self) -> None:
        """Who is still at it says so, well before the lease runs out."""
        if not self.waiting or monotonic() - self.renewed < self.world.lease.total_seconds() / 3:
            return
        self.renewed = monotonic()
        held = [running.entry.key for running in self.waiting.values()]
        try:
            self.world.ledger.renew(self.world.worker, self.world.lease, held, self.world.clock())
        except LedgerUnavailable as away:
            self.away = away


def _tell(record: Record, *, kept: bool) -> None:
    line = {"key": record.entry.key, "status": record.status, "reason": record.reason, "jobs": record.jobs, "rule": record.rule}
    level = logging.ERROR if record.status is Status.FAILED else logging.INFO
    wide(_log, "event" if kept else "event recorded by another worker", line, level)
