"""What each receiver of alerts was told, what it is still to be told, and who tells: one supervisor at a time.

What is decided and the messages that follow from it are written in one step, so each is decided once; a message leaves the list only after
it was taken, so one may be delivered twice, under the same id. What is kept is opaque here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from redis import Redis

from bridge.ledger import layout
from bridge.ledger.records import millis
from bridge.ledger.store import available, script
from bridge.model import from_ms, to_ms

MOST = 100
"""Messages kept for a receiver that does not take them; the oldest go first."""

_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Line:
    """How it stands with one receiver: the next message, how often its sending has failed in a row, when it is tried again, and when the
    last heartbeat was taken.
    """

    message: str | None
    failures: int
    again: datetime | None
    beat: datetime | None


class AlertBook:
    """Raises ``LedgerUnavailable`` when Redis does not take it. ``receiver`` is a digest of its address."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._hold = redis.register_script(script("hold"))

    def hold(self, worker: str, within: timedelta) -> bool:
        """Whether ``worker`` is the one that tells; it has as long as ``within``, and asks again before."""
        with available():
            return bool(self._hold(keys=[layout.ALERTING], args=[worker, millis(within)]))

    def known(self, receiver: str) -> dict[str, str]:
        """What it knows, by the key of the alert."""
        with available():
            return dict(self._redis.hgetall(layout.alerts_known(receiver)))  # type: ignore[arg-type]  # not asynchronous

    def decide(self, receiver: str, known: Mapping[str, str], messages: Sequence[str]) -> None:
        """What it knows from now on, and the messages that tell it."""
        with available():
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.delete(layout.alerts_known(receiver))
            if known:
                pipeline.hset(layout.alerts_known(receiver), items=[part for item in known.items() for part in item])
            if messages:
                pipeline.rpush(layout.alerts_out(receiver), *messages)
                pipeline.ltrim(layout.alerts_out(receiver), -MOST, -1)
            for name in (layout.alerts_known(receiver), layout.alerts_out(receiver), layout.alerts_line(receiver)):
                pipeline.pexpire(name, millis(_KEPT))
            pipeline.execute()

    def line(self, receiver: str) -> Line:
        with available():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.lindex(layout.alerts_out(receiver), 0)
            pipeline.hmget(layout.alerts_line(receiver), "failures", "again", "beat")
            message, (failures, again, beat) = pipeline.execute()
        return Line(message, int(failures or 0), _moment(again), _moment(beat))

    def taken(self, receiver: str, message: str) -> None:
        """It was delivered, or is too old to be; the next one's turn is now."""
        with available():
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.lrem(layout.alerts_out(receiver), 1, message)
            pipeline.hdel(layout.alerts_line(receiver), "failures", "again")
            pipeline.execute()

    def beaten(self, receiver: str, now: datetime) -> None:
        """A heartbeat was taken."""
        with available():
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.hset(layout.alerts_line(receiver), "beat", to_ms(now))
            pipeline.hdel(layout.alerts_line(receiver), "failures", "again")
            pipeline.execute()

    def failed(self, receiver: str, again: datetime) -> None:
        """It did not take what was sent, and is left alone until then."""
        with available():
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.hincrby(layout.alerts_line(receiver), "failures", 1)
            pipeline.hset(layout.alerts_line(receiver), "again", to_ms(again))
            pipeline.pexpire(layout.alerts_line(receiver), millis(_KEPT))
            pipeline.execute()


def _moment(written: str | None) -> datetime | None:
    return from_ms(float(written)) if written else None
