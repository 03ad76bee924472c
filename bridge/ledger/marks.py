"""Stop marks, for people to read: what a cancel left behind. The last gate (``gate.lua``) asks them before every call."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis

from bridge.ledger import layout
from bridge.ledger.store import available
from bridge.model import from_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class StopMark:
    """No calls for ``ref`` on facts up to ``at``, in ``campaign`` or (``*``) in every one; the event ``by`` left it."""

    ref: str
    campaign: str
    at: datetime
    by: str


class StopMarks:
    """Raises ``LedgerUnavailable`` when Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def of(self, refs: Sequence[str]) -> list[StopMark]:
        """What stands against calls for these refs, as the ledger spells them; the newest fact first."""
        with available():
            pipeline = self._redis.pipeline(transaction=False)
            for ref in refs:
                pipeline.hgetall(layout.mark(ref))
            rows: list[Any] = pipeline.execute() if refs else []
        found = [_read(ref, campaign, written) for ref, row in zip(refs, rows, strict=True) for campaign, written in row.items()]
        return sorted(found, key=lambda mark: mark.at, reverse=True)


def _read(ref: str, campaign: str, written: str) -> StopMark:
    at, _, by = written.partition(" ")
    return StopMark(ref=ref, campaign=campaign, at=from_ms(int(at.rstrip("+"))), by=by)
