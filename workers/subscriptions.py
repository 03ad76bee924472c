"""Subscriptions that a CRM forgets: renewed well before it does, by one worker for all."""

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from bridge.errors import LedgerUnavailable, LookupFailed
from bridge.ledger import TokenStore
from bridge.sources.base import Source, Subscription

Renew = Callable[[Source, Subscription], None]

AGAIN = timedelta(minutes=1)
"""After a renewal that failed."""

_TICK = 15.0

_log = logging.getLogger("callbridge.subscriptions")


class Subscriptions:
    """Those of the configured sources that need renewing. ``renew`` makes the request, and raises ``LookupFailed`` when it does not work."""

    def __init__(self, sources: Iterable[Source], store: TokenStore, renew: Renew, clock: Callable[[], datetime]) -> None:
        self._sources = [source for source in sources if source.subscription(clock())]
        self._store = store
        self._renew = renew
        self._clock = clock

    def run(self, stopping: threading.Event) -> None:
        """Until told to stop; outlives any outage of Redis or of a CRM."""
        while self._sources and not stopping.is_set():
            try:
                self.look()
            except LedgerUnavailable as away:
                _log.debug("Redis is away", extra={"error": str(away)})
            stopping.wait(_TICK)

    def look(self) -> int:
        """Renew what is due; how many were."""
        now = self._clock()
        return sum(self._try(source, subscription) for source in self._sources if (subscription := source.subscription(now)))

    def _try(self, source: Source, subscription: Subscription) -> bool:
        if not self._store.begin_subscribing(source.name, subscription.every):
            return False
        try:
            self._renew(source, subscription)
        except LookupFailed as failed:
            self._store.subscribe_again(source.name, AGAIN)
            _log.error("a subscription was not renewed: webhooks will stop", extra={"source": source.name, "why": failed.message})
            return False
        _log.info("a subscription was renewed", extra={"source": source.name})
        return True
