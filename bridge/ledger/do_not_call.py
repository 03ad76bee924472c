"""The do-not-call list: numbers that nobody calls, in one campaign or in all, until a date or for good.

The last gate (``gate.lua``) asks it before every call; here it is written and read.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis

from bridge.ledger import layout
from bridge.ledger.search import Cursor
from bridge.ledger.store import available
from bridge.model import from_ms, to_ms

EVERY_CAMPAIGN = "*"
_PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwanted:
    """One entry: ``phone`` in E.164, ``campaign`` or :data:`EVERY_CAMPAIGN`; ``source`` says who asked, ``until`` None is for good."""

    phone: str
    added: datetime
    campaign: str = EVERY_CAMPAIGN
    source: str = ""
    note: str = ""
    until: datetime | None = None

    def holds(self, now: datetime) -> bool:
        return self.until is None or now < self.until


class DoNotCallList:
    """Raises ``LedgerUnavailable`` when Redis does not take it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def add(self, entries: Iterable[Unwanted]) -> None:
        """An entry for the same number and campaign replaces the one before."""
        with available():
            pipeline = self._redis.pipeline(transaction=True)
            for entry in entries:
                pipeline.hset(layout.unwanted(entry.phone), entry.campaign, _written(entry))
                pipeline.zadd(layout.UNWANTED, {entry.phone: to_ms(entry.added)})
            pipeline.execute()

    def remove(self, phone: str, campaign: str | None = None) -> int:
        """Take a number off the list, for one campaign or (None) altogether; how many entries that were."""
        key = layout.unwanted(phone)
        with available():
            found = [str(name) for name in self._redis.hkeys(key)]
            gone = [name for name in found if campaign in {None, name}]
            pipeline = self._redis.pipeline(transaction=True)
            if gone:
                pipeline.hdel(key, *gone)
            if len(gone) == len(found):
                pipeline.zrem(layout.UNWANTED, phone)
            pipeline.execute()
        return len(gone)

    def of(self, phone: str) -> list[Unwanted]:
        """What stands against a number, run-out entries included."""
        with available():
            kept: dict[str, str] = self._redis.hgetall(layout.unwanted(phone))  # type: ignore[assignment]  # not asynchronous
        return [_read(phone, campaign, written) for campaign, written in sorted(kept.items())]

    def all(self) -> Iterator[Unwanted]:
        """Every entry, the number added last first; read in pages, so that the list may be long."""
        start = 0
        while phones := self._page(start, _PAGE):
            yield from self._entries(phones)
            start += len(phones)

    def page(self, start: int, size: int) -> list[Unwanted]:
        """What stands against ``size`` numbers, the number added last first, from the ``start``-th on."""
        return self._entries(self._page(start, size))

    def size(self) -> int:
        """How many numbers are on the list."""
        with available():
            return int(str(self._redis.zcard(layout.UNWANTED)))

    def added_at(self, moment: datetime) -> list[str]:
        """The numbers that were added, last, at exactly this moment."""
        with available():
            return [str(phone) for phone in self._redis.zrangebyscore(layout.UNWANTED, to_ms(moment), to_ms(moment))]

    def behind(self, after: Cursor | None, size: int) -> tuple[list[Unwanted], Cursor | None]:
        """What stands against ``size`` numbers, the number added last first, and where to go on.

        The cursor says when the last of them was added, and how many of that moment were shown: a list holds as many as a file did.
        """
        with available():
            start = int(str(self._redis.zcount(layout.UNWANTED, f"({after.at}", "+inf"))) + int(after.key) if after else 0
            rows: Any = self._redis.zrevrange(layout.UNWANTED, start, start + size, withscores=True)
        some = [(str(phone), int(at)) for phone, at in rows[:size]]
        entries = self._entries([phone for phone, _ in some])
        if len(rows) <= size:
            return entries, None
        at = some[-1][1]
        same = sum(each == at for _, each in some) + (int(after.key) if after and after.at == at else 0)
        return entries, Cursor(at, str(same))

    def known(self, phones: Sequence[str]) -> list[str]:
        """Those of the numbers that events in the ledger are about: there may be calls to stop."""
        with available():
            pipeline = self._redis.pipeline(transaction=False)
            for phone in phones:
                pipeline.exists(layout.ref(f"phone:{phone}"))
            return [phone for phone, there in zip(phones, pipeline.execute(), strict=True) if there]

    def _page(self, start: int, size: int) -> list[str]:
        with available():
            return [str(phone) for phone in self._redis.zrevrange(layout.UNWANTED, start, start + size - 1)]

    def _entries(self, phones: Sequence[str]) -> list[Unwanted]:
        with available():
            pipeline = self._redis.pipeline(transaction=False)
            for phone in phones:
                pipeline.hgetall(layout.unwanted(phone))
            rows = pipeline.execute() if phones else []
        return [_read(phone, campaign, written) for phone, kept in zip(phones, rows, strict=True) for campaign, written in sorted(kept.items())]


def _written(entry: Unwanted) -> str:
    until = to_ms(entry.until) if entry.until else None
    return json.dumps({"source": entry.source, "note": entry.note, "added": to_ms(entry.added), "until": until})


def _read(phone: str, campaign: str, written: str) -> Unwanted:
    kept = json.loads(written)
    until = from_ms(kept["until"]) if kept["until"] else None
    return Unwanted(phone=phone, campaign=campaign, source=kept["source"], note=kept["note"], added=from_ms(kept["added"]), until=until)
