"""Finding events: by what leads to them, newest first, a page at a time, never all of them at once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis

from bridge.ledger import layout
from bridge.ledger.fields import read_entry
from bridge.ledger.store import available, script
from bridge.model import Entry, Status, from_ms, to_ms

LOOKS = 5000
"""The most events that one page looks at: some 10 ms of Redis. A page that ends there says how far back it looked."""

BEGUN = 40
"""How many words that begin alike are looked for."""

_ANY_TIME = 4102444800000  # the year 2100


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: the next one begins behind the event ``key``, which was filed under ``at`` (ms)."""

    at: int
    key: str

    def __str__(self) -> str:
        return f"{self.at}~{self.key}"

    @classmethod
    def read(cls, text: str) -> "Cursor":
        """Raises ``ValueError`` when it is none."""
        at, tilde, key = text.partition("~")
        if not (tilde and at.isascii() and at.isdigit() and len(at) < 15):
            raise ValueError("this is no place in a list of events")
        return cls(int(at), key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for: an event must be in one index of each group. Times are when it was accepted; ``says`` is part of its reason."""

    groups: tuple[tuple[str, ...], ...]
    since: datetime | None = None
    until: datetime | None = None
    says: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the events, and where the next page begins; None at the end. ``looked_back_to`` when it gave up looking before it was full."""

    entries: tuple[Entry, ...]
    next: Cursor | None = None
    looked_back_to: datetime | None = None


class Search:
    """Raises ``LedgerUnavailable`` when Redis does not answer."""

    def __init__(self, redis: Redis, looks: int = LOOKS) -> None:
        self._redis = redis
        self._looks = looks
        self._script = redis.register_script(script("common", "search"))

    def page(self, wanted: Wanted, size: int, after: Cursor | None = None) -> Page:
        """At most ``size`` events, the newest first."""
        found, next_ = self.keys(wanted, size, after)
        entries = self.entries(found)
        gave_up = next_ is not None and len(found) < size
        return Page(entries, next_, from_ms(next_.at) if next_ and gave_up else None)

    def keys(self, wanted: Wanted, size: int, after: Cursor | None = None) -> tuple[list[str], Cursor | None]:
        """The keys alone, and where to go on; fewer than ``size`` do not mean that there are no more, a missing cursor does."""
        since, until = to_ms(wanted.since) if wanted.since else 0, to_ms(wanted.until) if wanted.until else _ANY_TIME
        groups = json.dumps(wanted.groups or (self.every_source(),))
        if not all(json.loads(groups)):
            return [], None
        place: list[str | int] = [after.at, after.key] if after else ["", ""]
        arguments = [layout.PREFIX, 0, groups, since, until, *place, size, self._looks, wanted.says.lower()]
        with available():
            rows, *end = self._script(args=arguments)
        return list(rows[::2]), Cursor(int(end[0]), end[1]) if end and end[1] else None

    def entries(self, keys: Sequence[str]) -> tuple[Entry, ...]:
        """These events; what was forgotten meanwhile is left out."""
        with available():
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys:
                pipeline.hgetall(layout.event(key))
            rows = pipeline.execute() if keys else []
        return tuple(read_entry(key, row) for key, row in zip(keys, rows, strict=True) if row)

    def every_source(self) -> tuple[str, ...]:
        """The indexes that hold every event between them."""
        with available():
            return tuple(f"by:source:{source}" for source in sorted(map(str, self._redis.hkeys(layout.SOURCES))))

    def words(self, begun: str) -> tuple[str, ...]:
        """The known words that begin so: the first :data:`BEGUN` of them, and one more where there are more."""
        with available():
            return tuple(map(str, self._redis.zrangebylex(layout.WORDS, f"[{begun}", f"[{begun}\U0010ffff", 0, BEGUN + 1)))

    def causes(self, says: str) -> tuple[str, ...]:
        """The kinds of reasons that hold these words."""
        with available():
            known: Mapping[str, str] = self._redis.hgetall(layout.CAUSES)  # type: ignore[assignment]  # not asynchronous
        return tuple(name for name, text in known.items() if says.lower() in text.lower())

    def record_types(self) -> tuple[str, ...]:
        """Every kind of CRM record there are events of, as ``<source>/<type>``."""
        with available():
            known: Any = self._redis.smembers(layout.TYPES)
        return tuple(sorted(map(str, known)))

    def size(self, index: str) -> int:
        """How many events an index holds (``by:status:failed``, ``ref:phone:+16500000000``)."""
        with available():
            return int(str(self._redis.zcard(f"{layout.PREFIX}{index}")))

    def filled(self, indexes: Sequence[str]) -> tuple[str, ...]:
        """Those of the indexes that hold any event."""
        with available():
            pipeline = self._redis.pipeline(transaction=False)
            for index in indexes:
                pipeline.exists(f"{layout.PREFIX}{index}")
            return tuple(index for index, there in zip(indexes, pipeline.execute() if indexes else [], strict=True) if there)

    def counts(self) -> dict[Status, int]:
        """How many events have each status now."""
        return {status: self.count(f"status:{status}") for status in Status}

    def count(self, term: str) -> int:
        return self.size(f"by:{term}")

    def oldest(self, term: str) -> datetime | None:
        """When the oldest event that this term leads to was accepted."""
        with available():
            rows: Any = self._redis.zrange(layout.by(term), 0, 0, withscores=True)
        return from_ms(rows[0][1]) if rows else None
