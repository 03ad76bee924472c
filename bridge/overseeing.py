"""Looks at the whole bridge at once, for whoever wants its figures: in a bounded number of round trips, however large the ledger."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bridge import queue
from bridge.config import Config
from bridge.examining import PAST_DUE
from bridge.ledger import Issues, Ledger, Sampling, Snapshot, Switches, Totals
from bridge.ledger.store import available
from bridge.overview import Noted, Overview, Stretch, borders, overview, step
from bridge.silence import LOOKED_BACK, Silence, judge, limits
from bridge.spool import Spool
from bridge.standing import HELD, Standing

MOST_ISSUES = 100

_LIMITS_LIVE = timedelta(minutes=5)


@dataclass(slots=True)
class _Limits:
    """How long each source may be silent, and when that was learned: reading weeks of history for every look would be slow."""

    at: datetime
    of: dict[str, timedelta | None]


@dataclass(slots=True, kw_only=True)
class Overseer:
    """Raises ``LedgerUnavailable`` when Redis does not answer."""

    config: Config
    ledger: Ledger
    totals: Totals
    switches: Switches
    issues: Issues
    spool: Spool
    _limits: _Limits | None = field(default=None, init=False)

    def standing(self, now: datetime) -> Standing:
        """How things stand."""
        heard = self.totals.heard()
        return Standing(
            at=now,
            statuses=self.totals.now(now).statuses,
            samples=Sampling(self.ledger.redis).samples(HELD),
            issues=self.issues.all(MOST_ISSUES),
            pauses=self.switches.all(),
            alone=self.ledger.left_alone(tuple(self.config.campaigns)),
            heard=heard,
            silent=judge(heard, self.patience(now), now),
            past_due=self.ledger.due_count(now - PAST_DUE),
            spooled=len(self.spool.waiting()),
            workers=self.workers(),
        )

    def overview(self, stretch: Stretch, now: datetime, source: str | None = None, campaign: str | None = None) -> Overview:
        """The figures of a stretch of time until now."""
        noted = Noted(self.totals.at(step(stretch), borders(stretch, now)), self.totals.began())
        return overview(stretch, noted, self.totals.now(now), source=source, campaign=campaign)

    def silent(self, now: datetime) -> Sequence[Silence]:
        """The sources that deliver nothing, although they should."""
        return judge(self.totals.heard(), self.patience(now), now)

    def patience(self, now: datetime) -> dict[str, timedelta | None]:
        """How long each source may be silent."""
        if self._limits is None or not timedelta(0) <= now - self._limits.at < _LIMITS_LIVE:
            self._limits = _Limits(now, limits({name: source.silence for name, source in self.config.sources.items()}, self._history(now), now))
        return self._limits.of

    def workers(self) -> int:
        with available():
            return queue.workers(self.ledger.redis)

    def _history(self, now: datetime) -> list[Snapshot]:
        return self.totals.since("hour", now - timedelta(days=2 * LOOKED_BACK))
