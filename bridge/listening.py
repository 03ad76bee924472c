"""Which sources are silent for too long, now: what the ledger heard of them, judged by limits that are configured or learned."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from bridge.ledger import Totals
from bridge.silence import LOOKED_BACK, Silence, judge, limits

LEARNED_FOR = timedelta(minutes=10)
"""How long what was learned from hundreds of notes is good for."""

_HISTORY = timedelta(days=2 * LOOKED_BACK)


class Listening:
    """Raises ``LedgerUnavailable`` when Redis does not answer. ``configured``: every source, and its limit where it has one."""

    def __init__(self, totals: Totals, configured: Mapping[str, timedelta | None]) -> None:
        self._totals = totals
        self._configured = configured
        self._limits: tuple[datetime, Mapping[str, timedelta | None]] | None = None

    def silent(self, heard: Mapping[str, datetime], now: datetime) -> list[Silence]:
        """``heard`` is what :meth:`Totals.heard` says now."""
        return judge(heard, self.limits(now), now)

    def limits(self, now: datetime) -> Mapping[str, timedelta | None]:
        """How long each source may be silent at this time of day; None where too little is known of it."""
        if self._limits is None or not timedelta(0) <= now - self._limits[0] < LEARNED_FOR:
            history = self._totals.since("hour", now - _HISTORY) if None in self._configured.values() else []
            self._limits = (now, limits(self._configured, history, now))
        return self._limits[1]
