"""Some of the events that have one status, spread evenly over all of them: what waits and why, told without reading everything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis

from bridge.ledger import layout
from bridge.ledger.store import available
from bridge.model import Status, from_ms

MOST = 150
"""Events looked at of each status. Fewer than that are all looked at."""


@dataclass(frozen=True, slots=True)
class Held:
    """One event: why it is where it is, and whose it is; ``campaign`` and ``rule`` are empty before they are known."""

    key: str
    reason: str
    campaign: str
    rule: str = ""

    @property
    def source(self) -> str:
        return self.key.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Sample:
    """``held`` of ``total`` events; ``oldest`` is when the first of them was accepted."""

    total: int
    oldest: datetime | None
    held: tuple[Held, ...]


class Sampling:
    """Raises ``LedgerUnavailable`` when Redis does not answer."""

    def __init__(self, redis: Redis, most: int = MOST) -> None:
        self._redis = redis
        self._most = most

    def samples(self, statuses: Sequence[Status]) -> dict[Status, Sample]:
        """Three round trips, however many events there are."""
        with available():
            pipeline = self._redis.pipeline(transaction=False)
            for status in statuses:
                pipeline.zcard(layout.by(f"status:{status}"))
                pipeline.zrange(layout.by(f"status:{status}"), 0, 0, withscores=True)
            sizes = pipeline.execute()
            totals, oldest = dict(zip(statuses, sizes[::2], strict=True)), dict(zip(statuses, sizes[1::2], strict=True))
            held = self._held(totals)
        return {status: Sample(totals[status], _moment(oldest[status]), held[status]) for status in statuses}

    def _held(self, totals: Mapping[Status, int]) -> dict[Status, tuple[Held, ...]]:
        pipeline = self._redis.pipeline(transaction=False)
        places = [(status, first, last) for status, total in totals.items() for first, last in _places(total, self._most)]
        for status, first, last in places:
            pipeline.zrange(layout.by(f"status:{status}"), first, last)
        keys = [(status, key) for (status, *_), found in zip(places, pipeline.execute(), strict=True) for key in found]
        for _, key in keys:
            pipeline.hmget(layout.event(key), "reason", "campaign", "rule")
        rows = pipeline.execute() if keys else []
        found = [(status, Held(key, row[0], row[1] or "", row[2] or "")) for (status, key), row in zip(keys, rows, strict=True) if row[0] is not None]
        return {status: tuple(each for other, each in found if other is status) for status in totals}


def _places(total: int, most: int) -> list[tuple[int, int]]:
    """The ranks that are looked at: from first to last, both included."""
    if total <= most:
        return [(0, -1)]
    return [(place, place) for number in range(most) for place in [number * total // most]]


def _moment(rows: Any) -> datetime | None:
    return from_ms(rows[0][1]) if rows else None
