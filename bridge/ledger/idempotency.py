"""Requests that operators' machines may send twice, and their answers: whoever claims a key first does what the request says, and nobody else.

Two steps, the claim before and the answer after: a process that dies between them leaves a claim that nobody answers, and what it was
about to do is not done again by a repetition.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from redis import Redis

from bridge.keys import digest, join
from bridge.ledger import layout
from bridge.ledger.records import millis
from bridge.ledger.store import available
from bridge.model import from_ms, to_ms

KEPT = timedelta(hours=24)
PATIENCE = timedelta(seconds=60)
"""How long a claim without an answer is taken to be under way. Nothing that the doors do takes as long."""


class Claim(StrEnum):
    """What became of a claim, where there is no answer yet."""

    OURS = "ours"
    UNDER_WAY = "under_way"
    UNANSWERED = "unanswered"
    ANOTHER = "another"


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer as it was given: JSON text."""

    status: int
    body: str


class Answers:
    """Raises ``LedgerUnavailable`` when Redis does not take it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def claim(self, whose: str, key: str, request: str, now: datetime) -> Claim | Answered:
        """``request`` is what tells two requests apart. ``OURS``: do it, and then :meth:`keep` the answer."""
        name = _name(whose, key)
        claimed = json.dumps({"request": request, "at": to_ms(now)})
        with available():
            if self._redis.set(name, claimed, nx=True, px=millis(KEPT)):
                return Claim.OURS
            written = self._redis.get(name)
        return _judged(json.loads(str(written)), request, now) if written else Claim.UNDER_WAY  # it ran out between the two

    def keep(self, whose: str, key: str, request: str, answered: Answered) -> None:
        """What whoever sends it again is told."""
        kept = json.dumps({"request": request, "status": answered.status, "body": answered.body})
        with available():
            self._redis.set(_name(whose, key), kept, px=millis(KEPT))


def _judged(kept: dict[str, str | int], request: str, now: datetime) -> Claim | Answered:
    if kept["request"] != request:
        return Claim.ANOTHER
    if "status" in kept:
        return Answered(int(kept["status"]), str(kept["body"]))
    return Claim.UNDER_WAY if now - from_ms(float(kept["at"])) < PATIENCE else Claim.UNANSWERED


def _name(whose: str, key: str) -> str:
    return layout.once(digest(join(whose, key)))
