"""How soon it goes on: events whose worker was killed are looked at until somebody else has them or they have ended."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from redis import Redis
from redis.exceptions import RedisError

from bridge.ledger import layout

_TICK = 0.1


@dataclass
class Orphan:
    """An event in the hand of a worker that was killed. ``outage``: seconds without a working Redis meanwhile, which no bridge can help."""

    key: str
    owner: str
    since: float
    outage: float
    moved: float | None = None


@dataclass
class Watch:
    """Looks past the proxy, at Redis itself."""

    redis: Redis
    orphans: list[Orphan] = field(default_factory=list)
    _down: float = 0.0
    _down_since: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def outage(self) -> Iterator[None]:
        """While it lasts nothing can be recovered, and the time does not count."""
        self._down_since = time.monotonic()
        try:
            yield
        finally:
            self._down, self._down_since = self._outages(), None

    def bereaved(self, pids: Sequence[int]) -> int:
        """Remember what the processes that were just killed had in hand; how many events."""
        now, found = time.monotonic(), []
        try:
            owners = self._owners(self._unfinished())
        except RedisError:
            return 0
        for key, (status, owner) in owners.items():
            if status == "running" and owner and owner.split(":")[-2] in map(str, pids):
                found.append(Orphan(key, owner, now, self._outages()))
        with self._lock:
            self.orphans += found
        return len(found)

    def run(self, stopping: threading.Event) -> None:
        while not stopping.wait(_TICK):
            try:
                self._look()
            except RedisError:
                continue

    def _look(self) -> None:
        with self._lock:
            waiting = [orphan for orphan in self.orphans if orphan.moved is None]
        owners = self._owners([orphan.key for orphan in waiting])
        for orphan in waiting:
            status, owner = owners[orphan.key]
            if status != "running" or owner != orphan.owner:
                orphan.moved = time.monotonic() - orphan.since - (self._outages() - orphan.outage)

    def _outages(self) -> float:
        return self._down + (time.monotonic() - self._down_since if self._down_since else 0.0)

    def _unfinished(self) -> list[str]:
        return [str(key) for lane in layout.LANES for key in self.redis.zrange(layout.due(lane), 0, -1)]

    def _owners(self, keys: Sequence[str]) -> dict[str, tuple[str | None, str | None]]:
        with self.redis.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.hmget(layout.event(key), "status", "owner")
            return dict(zip(keys, map(tuple, pipeline.execute()), strict=True))
