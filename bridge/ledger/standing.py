"""How things stand now: what is due and since when, what is stuck, which campaigns are left alone. A bounded look, whatever the ledger holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis

from bridge.ledger import layout
from bridge.ledger.store import available
from bridge.model import Status, from_ms, to_ms, unique

SAMPLED = 200
"""How many events of a status are looked at one by one: those accepted first, and as many of those accepted last, since a trouble that
began later may stand behind thousands of an older one's.
"""

_STUCK = (Status.UNKNOWN, Status.PARKED)
_LANES, _ENDS = 2 * len(layout.LANES), 1 + 2 * len(_STUCK)
_FIELDS = ("campaign", "reason", "asked", "accepted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """An unknown or parked event. ``since``: its first request that was not answered, else when it was accepted; the ledger does not know
    since when an event is parked. ``campaign`` is empty where it has none yet.
    """

    key: str
    source: str
    campaign: str
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """``due`` events should be looked at now, the first of them since ``due_since``. ``waiting_since``: when the oldest waiting event was
    accepted. ``left_alone``: the campaigns at which the platform does not answer, and since when.
    """

    due: int
    due_since: datetime | None
    waiting_since: datetime | None
    unknown: tuple[Stuck, ...]
    parked: tuple[Stuck, ...]
    left_alone: Mapping[str, datetime]


class Standings:
    """Raises ``LedgerUnavailable`` when Redis does not answer."""

    def __init__(self, redis: Redis, sampled: int = SAMPLED) -> None:
        self._redis = redis
        self._sampled = sampled

    def read(self, campaigns: Sequence[str], now: datetime) -> Standing:
        """In two round trips."""
        with available():
            pipeline = self._redis.pipeline(transaction=False)
            for lane in layout.LANES:
                pipeline.zcount(layout.due(lane), "-inf", to_ms(now))
                pipeline.zrange(layout.due(lane), 0, 0, withscores=True)
            pipeline.zrange(layout.by(f"status:{Status.WAITING}"), 0, 0, withscores=True)
            for status in _STUCK:
                pipeline.zrange(layout.by(f"status:{status}"), 0, self._sampled - 1)
                pipeline.zrange(layout.by(f"status:{status}"), -self._sampled, -1)
            for campaign in campaigns:
                pipeline.hget(layout.breaker(campaign), "open")
            rows = pipeline.execute()
        lanes, (waiting, *ends), opened = rows[:_LANES], rows[_LANES : _LANES + _ENDS], rows[_LANES + _ENDS :]
        unknown, parked = unique([*ends[0], *ends[1]]), unique([*ends[2], *ends[3]])
        stuck = self._stuck([*unknown, *parked])
        return Standing(
            due=sum(lanes[::2]),
            due_since=_earliest(lanes[1::2], now),
            waiting_since=_earliest([waiting], now),
            unknown=tuple(stuck[key] for key in unknown if key in stuck),
            parked=tuple(stuck[key] for key in parked if key in stuck),
            left_alone={campaign: from_ms(float(at)) for campaign, at in zip(campaigns, opened, strict=True) if at},
        )

    def _stuck(self, keys: Sequence[str]) -> dict[str, Stuck]:
        with available():
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys:
                pipeline.hmget(layout.event(key), _FIELDS)
            rows = pipeline.execute() if keys else []
        return {key: _read(key, row) for key, row in zip(keys, rows, strict=True) if row[-1]}


def _earliest(found: Sequence[Any], now: datetime) -> datetime | None:
    """The earliest score of several sorted sets; None where nothing has come yet."""
    scores = [rows[0][1] for rows in found if rows]
    first = min(scores, default=None)
    return from_ms(first) if first is not None and first <= to_ms(now) else None


def _read(key: str, row: Sequence[str | None]) -> Stuck:
    campaign, reason, asked, accepted = row
    return Stuck(
        key=key,
        source=key.partition(":")[0],
        campaign=campaign or "",
        reason=reason or "",
        since=from_ms(float(asked or accepted or 0)),
    )
