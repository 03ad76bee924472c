"""How many unfinished events are a campaign's or a source's: counted where there are few, estimated from an even sample where there are many."""

from collections import Counter
from dataclasses import dataclass

from bridge.ledger import Sampling
from bridge.model import Status
from bridge.wiring import Services

OPEN = (Status.QUEUED, Status.RUNNING, Status.WAITING, Status.UNKNOWN, Status.PARKED)
"""Not finished."""


@dataclass(frozen=True, slots=True)
class Holding:
    """``counts`` by status and ``campaign:<name>`` or ``source:<name>``; ``exact``: every event was looked at."""

    total: int
    counts: Counter[tuple[Status, str]]
    exact: bool

    @classmethod
    def of(cls, services: Services) -> "Holding":
        """Three round trips. An event that has no campaign yet counts for the one that its rule calls in."""
        samples = Sampling(services.redis).samples(OPEN)
        calls_in = {rule.name: rule.call.campaign for rule in services.config.rules if rule.call}
        counts = Counter[tuple[Status, str]]()
        for status, sample in samples.items():
            share = sample.total / max(1, len(sample.held))
            found = Counter(
                scope for held in sample.held for scope in (f"source:{held.source}", f"campaign:{held.campaign or calls_in.get(held.rule, '')}")
            )
            counts.update({(status, scope): round(count * share) for scope, count in found.items()})
        total = sum(sample.total for sample in samples.values())
        return cls(total, counts, all(len(sample.held) >= sample.total for sample in samples.values()))

    def count(self, kind: str, name: str, *statuses: Status) -> int:
        """Those of one campaign or source, of these statuses or of all."""
        return sum(self.counts[status, f"{kind}:{name}"] for status in statuses or OPEN)
