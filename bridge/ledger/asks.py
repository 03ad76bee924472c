"""What the doors want to know from the platform, or done there, at once: they cannot call it themselves, a worker does it for them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from redis import Redis

from bridge.ledger import layout
from bridge.ledger.records import millis
from bridge.ledger.store import available
from bridge.model import from_ms, to_ms

TOO_OLD = timedelta(seconds=30)
"""Nobody waits longer for an answer, and what somebody wanted done a minute ago must not be done now."""

_ANSWERED_FOR = timedelta(minutes=10)
_NONE_YET = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """``what`` is one of the words that :mod:`workers.asking` knows."""

    id: str
    what: str
    campaign: str
    at: datetime
    by: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


class Asks:
    """Raises ``LedgerUnavailable`` when Redis does not take it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def put(self, what: str, campaign: str, by: str, now: datetime, **arguments: Any) -> str:
        """The id under which its answer will be."""
        ask_id = uuid4().hex
        ask = {"id": ask_id, "what": what, "campaign": campaign, "at": to_ms(now), "by": by, "arguments": arguments}
        with available():
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.rpush(layout.ASKS, json.dumps(ask))
            pipeline.ltrim(layout.ASKS, -1000, -1)
            pipeline.set(layout.answer(ask_id), _NONE_YET, px=millis(_ANSWERED_FOR))
            pipeline.execute()
        return ask_id

    def answer(self, ask_id: str) -> dict[str, Any] | None:
        """``{"good": …, "told": one sentence, "data": …}``; None while there is none."""
        with available():
            written = self._redis.get(layout.answer(ask_id))
        return json.loads(str(written)) if written else None

    def known(self, ask_id: str) -> bool:
        """Whether this was asked within the last minutes, answered or not."""
        with available():
            return bool(self._redis.exists(layout.answer(ask_id)))

    def take(self, patience: float) -> Ask | None:
        """The next one, waited for up to ``patience`` seconds; it is never taken twice."""
        with available():
            row = self._redis.blpop([layout.ASKS], timeout=patience)
        if not isinstance(row, (list, tuple)):
            return None
        kept = json.loads(row[1])
        return Ask(**{**kept, "at": from_ms(kept["at"])})

    def give(self, ask_id: str, answer: Mapping[str, Any]) -> None:
        with available():
            self._redis.set(layout.answer(ask_id), json.dumps(answer), px=millis(_ANSWERED_FOR))
