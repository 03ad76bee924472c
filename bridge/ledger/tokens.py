"""Where renewed access tokens are kept between workers, and how it is seen to that one of them renews at a time.

What is kept is opaque here: whoever puts it in has sealed it, so that a copy of the ledger opens no CRM.
"""

from datetime import timedelta

from redis import Redis

from bridge.ledger import layout
from bridge.ledger.records import millis
from bridge.ledger.store import available


class TokenStore:
    """Raises ``LedgerUnavailable`` when Redis does not take it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def read(self, source: str) -> str | None:
        with available():
            kept = self._redis.get(layout.tokens(source))
        return str(kept) if kept else None

    def keep(self, source: str, sealed: str) -> None:
        with available():
            self._redis.set(layout.tokens(source), sealed)

    def begin_renewing(self, source: str, worker: str, within: timedelta) -> bool:
        """Whether ``worker`` is the one that renews now; it has as long as ``within``."""
        with available():
            return bool(self._redis.set(layout.renewing(source), worker, nx=True, px=millis(within)))

    def end_renewing(self, source: str, worker: str) -> None:
        with available():
            if self._redis.get(layout.renewing(source)) == worker:
                self._redis.delete(layout.renewing(source))

    def begin_subscribing(self, source: str, every: timedelta) -> bool:
        """Whether the source's subscription is due, and the caller the one to renew it; then nobody else does for as long as ``every``."""
        with available():
            return bool(self._redis.set(layout.subscribed(source), 1, nx=True, px=millis(every)))

    def subscribe_again(self, source: str, after: timedelta) -> None:
        """It was not renewed: the next try is due ``after``."""
        with available():
            self._redis.set(layout.subscribed(source), 1, px=millis(after))
