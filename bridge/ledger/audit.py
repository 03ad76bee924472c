"""Who did what: written when it is done, never changed."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from redis import Redis

from bridge.ledger import layout
from bridge.ledger.records import Retention
from bridge.ledger.store import available
from bridge.model import from_ms, to_ms

KEPT = 100_000
_KEPT_OF_ONE = 100
_CHUNK = 500

LOOKS = 5000
"""The most acts that one page looks at."""

_PLACE = re.compile(r"[0-9]{1,15}-[0-9]{1,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """``what`` is a few words: ``replayed``, ``looked at the number``; ``targets`` what it was done to: an event's key, ``phone:+…``,
    ``campaign:…``.
    """

    at: datetime
    by: str
    what: str
    targets: tuple[str, ...] = ()
    note: str = ""


class Audit:
    """Raises ``LedgerUnavailable`` when Redis does not take it: what is written down before it is done must not be done then."""

    def __init__(self, redis: Redis, retention: Retention, looks: int = LOOKS) -> None:
        self._redis = redis
        self._looks = looks
        self._kept = retention.longest

    def write(self, act: Act) -> None:
        written = json.dumps({**asdict(act), "at": to_ms(act.at)})
        with available():
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.xadd(layout.AUDIT, {"act": written}, maxlen=KEPT, approximate=True)
            for target in act.targets[:_KEPT_OF_ONE]:
                pipeline.lpush(layout.audit(target), written)
                pipeline.ltrim(layout.audit(target), 0, _KEPT_OF_ONE - 1)
                pipeline.pexpire(layout.audit(target), self._kept)
            pipeline.execute()

    def last(self, most: int = 100) -> list[Act]:
        """The newest first."""
        with available():
            rows: Any = self._redis.xrevrange(layout.AUDIT, count=most)
        return [_read(fields["act"]) for _, fields in rows]

    def page(self, size: int, before: str = "", by: str = "") -> tuple[list[Act], str]:
        """The newest first, those of one person where ``by`` names him, and where the next page begins: empty at the end.

        However few a person's are, no more than so many acts are looked at; then a page is short, and the next one goes on.
        """
        found: list[Act] = []
        looks = self._looks
        while len(found) < size and looks > 0:
            rows = self._before(before, min(looks, _CHUNK))
            for entry_id, act in rows:
                before = entry_id
                found += [act] if by in {"", act.by} else []
                if len(found) == size:
                    return found, before
            if len(rows) < min(looks, _CHUNK):
                return found, ""
            looks -= len(rows)
        return found, before

    def _before(self, before: str, most: int) -> list[tuple[str, Act]]:
        with available():
            rows: Any = self._redis.xrevrange(layout.AUDIT, max=f"({before}" if before else "+", count=most)
        return [(str(entry_id), _read(fields["act"])) for entry_id, fields in rows]

    def of(self, targets: Sequence[str]) -> list[Act]:
        """What was done to any of these, the newest first."""
        with available():
            pipeline = self._redis.pipeline(transaction=False)
            for target in targets:
                pipeline.lrange(layout.audit(target), 0, -1)
            rows = {row for found in (pipeline.execute() if targets else []) for row in found}
        return sorted((_read(row) for row in rows), key=lambda act: act.at, reverse=True)


def place(text: str) -> str:
    """Where :meth:`Audit.page` goes on, if it is such a place. Raises ``ValueError`` when it is none."""
    if not _PLACE.fullmatch(text):
        raise ValueError("this is no place in the history")
    return text


def _read(written: str) -> Act:
    kept = json.loads(written)
    return Act(at=from_ms(kept["at"]), by=kept["by"], what=kept["what"], targets=tuple(kept["targets"]), note=kept["note"])
