"""Failures of one kind, counted together: written by the scripts when an event fails, and called open, acknowledged or resolved by operators."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from redis import Redis

from bridge.ledger import layout
from bridge.ledger.store import available
from bridge.model import from_ms, to_ms


class State(StrEnum):
    """Whether somebody has to look at it. A resolved issue opens again by itself when it happens again."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownIssue:
    """``count`` failures since ``first``, of which ``failed`` are failed still; ``reason`` is that of the last one, ``sample``."""

    fingerprint: str
    source: str
    campaign: str
    cause: str
    reason: str
    sample: str
    count: int
    failed: int
    first: datetime
    last: datetime
    state: State
    reopened: datetime | None = None
    by: str = ""
    changed: datetime | None = None


MOST = 500
"""Issues that are read at once where nobody asked for more."""


class Issues:
    """Raises ``LedgerUnavailable`` when Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def all(self, most: int = MOST) -> list[KnownIssue]:
        """The one seen last first; in two round trips."""
        with available():
            found: Any = self._redis.zrevrange(layout.ISSUES, 0, most - 1)
        return self._known(list(map(str, found)))

    def one(self, fingerprint: str) -> KnownIssue | None:
        return next(iter(self._known([fingerprint])), None)

    def change(self, fingerprint: str, state: State, by: str, now: datetime) -> bool:
        """Whether there is such an issue."""
        with available():
            if not self._redis.exists(layout.issue(fingerprint)):
                return False
            self._redis.hset(layout.issue(fingerprint), mapping={"state": state.value, "by": by, "changed": to_ms(now)})
        return True

    def _known(self, fingerprints: Sequence[str]) -> list[KnownIssue]:
        with available():
            pipeline = self._redis.pipeline(transaction=False)
            for fingerprint in fingerprints:
                pipeline.hgetall(layout.issue(fingerprint))
                pipeline.zcard(layout.by(f"issue:{fingerprint}"))
            rows = pipeline.execute() if fingerprints else []
        return [_read(fingerprint, row, failed) for fingerprint, row, failed in zip(fingerprints, rows[::2], rows[1::2], strict=True) if row]


def _read(fingerprint: str, row: dict[str, str], failed: int) -> KnownIssue:
    return KnownIssue(
        fingerprint=fingerprint,
        source=row["source"],
        campaign=row["campaign"],
        cause=row["cause"],
        reason=row["reason"],
        sample=row["sample"],
        count=int(row["count"]),
        failed=failed,
        first=from_ms(float(row["first"])),
        last=from_ms(float(row["last"])),
        state=State(row["state"]),
        reopened=_moment(row.get("reopened")),
        by=row.get("by", ""),
        changed=_moment(row.get("changed")),
    )


def _moment(written: str | None) -> datetime | None:
    return from_ms(float(written)) if written else None
