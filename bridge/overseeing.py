"""Looks at the whole bridge at once, for whoever wants its figures: in a bounded number of round trips, however large the ledger."""

from dataclasses import dataclass
from datetime import datetime

from bridge.examining import PAST_DUE
from bridge.ledger import Ledger, Sampling
from bridge.measuring import Measuring
from bridge.overview import Noted, Overview, Stretch, borders, overview, step
from bridge.situation import HELD, Situation


@dataclass(frozen=True, slots=True)
class Overseer:
    """Raises ``LedgerUnavailable`` when Redis does not answer."""

    ledger: Ledger
    measuring: Measuring

    def situation(self, now: datetime) -> Situation:
        """How things stand."""
        found = self.measuring.read(now)
        return Situation(
            at=now,
            statuses=found.snapshot.statuses,
            samples=Sampling(self.ledger.redis).samples(HELD),
            issues=found.issues,
            pauses=found.pauses,
            alone=found.standing.left_alone,
            heard=found.heard,
            silent=found.silences,
            past_due=self.ledger.due_count(now - PAST_DUE),
            spooled=self.measuring.spooled(),
            workers=found.workers,
        )

    def overview(self, stretch: Stretch, now: datetime, source: str | None = None, campaign: str | None = None) -> Overview:
        """The figures of a stretch of time until now."""
        totals = self.measuring.totals
        noted = Noted(totals.at(step(stretch), borders(stretch, now)), totals.began())
        return overview(stretch, noted, totals.now(now), source=source, campaign=campaign)
