"""Counters that only grow, the same on every process because they are the ledger's; and what they were every so often."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from bridge.ledger import layout
from bridge.ledger.records import millis
from bridge.ledger.store import available
from bridge.model import Status, from_ms, to_ms

HISTORIES: Mapping[str, tuple[timedelta, timedelta]] = {
    "minute": (timedelta(minutes=1), timedelta(hours=3)),
    "ten": (timedelta(minutes=10), timedelta(days=3)),
    "hour": (timedelta(hours=1), timedelta(days=35)),
}
"""How far apart what was noted is, and for how long it is kept."""

TOOK = ("0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30", "60", "300", "1800", "7200", "43200", "86400", "more")
"""The seconds that ``took|<campaign>|<seconds>`` may be counted under, as ``common.lua`` spells them, in order."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The totals at one moment, and how many events had each status then."""

    at: datetime
    totals: Mapping[str, int]
    statuses: Mapping[str, int]


class Totals:
    """Raises ``LedgerUnavailable`` when Redis does not answer.

    A total is named ``<what>|<label>|…``: ``accepted|<source>`` events, ``duplicates|<source>``, ``finished|<source>|<campaign>|<status>``,
    ``attempts|<campaign or source>|<what>|<outcome>``, ``took|<campaign>|<seconds>`` calls made within so long after they were accepted (counted
    once, under the shortest), ``took_ms|<campaign>`` how long they took together.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def now(self, now: datetime) -> Snapshot:
        with available():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.hgetall(layout.TOTALS)
            for status in Status:
                pipeline.zcard(layout.by(f"status:{status}"))
            totals, *counts = pipeline.execute()
        return Snapshot(now, {name: int(value) for name, value in totals.items()}, dict(zip(map(str, Status), counts, strict=True)))

    def refused(self, sources: Sequence[str]) -> dict[str, dict[str, int]]:
        """How many requests were refused, by source and by why."""
        with available():
            pipeline = self._redis.pipeline(transaction=False)
            for source in sources:
                pipeline.hgetall(layout.refused_count(source))
            rows = pipeline.execute() if sources else []
        return {source: {why: int(count) for why, count in row.items()} for source, row in zip(sources, rows, strict=True)}

    def heard(self) -> dict[str, datetime]:
        """When each source last delivered something authentic."""
        with available():
            rows: dict[str, str] = self._redis.hgetall(layout.SOURCES)  # type: ignore[assignment]  # not asynchronous
        return {source: from_ms(float(at)) for source, at in rows.items()}

    def note(self, now: datetime) -> None:
        """Write down what they are, where it is time to; any number of processes may."""
        due = [step for step, (apart, _) in HISTORIES.items() if self._is_due(step, apart, now)]
        if not due:
            return
        snapshot = self.now(now)
        written = json.dumps({"at": to_ms(now), "totals": snapshot.totals, "statuses": snapshot.statuses}, separators=(",", ":"))
        with available():
            pipeline = self._redis.pipeline(transaction=True)
            for step in due:
                pipeline.zadd(layout.history(step), {written: to_ms(now)})
                pipeline.zremrangebyscore(layout.history(step), "-inf", to_ms(now - HISTORIES[step][1]))
            pipeline.execute()

    def since(self, step: str, since: datetime) -> list[Snapshot]:
        """What was noted from then on, the oldest first."""
        with available():
            rows: Any = self._redis.zrangebyscore(layout.history(step), to_ms(since), "+inf")
        return [_read(row) for row in rows]

    def at(self, step: str, moments: Sequence[datetime]) -> list[Snapshot | None]:
        """What was noted last at each of these moments; None where nothing is kept from then."""
        with available():
            pipeline = self._redis.pipeline(transaction=False)
            for moment in moments:
                pipeline.zrevrangebyscore(layout.history(step), to_ms(moment), "-inf", start=0, num=1)
            rows = pipeline.execute() if moments else []
        return [_read(row[0]) if row else None for row in rows]

    def began(self) -> datetime | None:
        """When the oldest of what is kept was noted."""
        with available():
            first: Any = self._redis.zrange(layout.history("hour"), 0, 0, withscores=True)
        return from_ms(first[0][1]) if first else None

    def _is_due(self, step: str, apart: timedelta, now: datetime) -> bool:
        with available():
            last: Any = self._redis.zrange(layout.history(step), -1, -1, withscores=True)
        return not (last and to_ms(now) // millis(apart) <= int(last[0][1]) // millis(apart))


def _read(written: str) -> Snapshot:
    row = json.loads(written)
    return Snapshot(from_ms(row["at"]), row["totals"], row["statuses"])
