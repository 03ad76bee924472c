"""What is to be measured, read from the ledger in a few round trips: the same on every web process, because it is none of their own."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from redis import Redis

from bridge import durability, queue
from bridge.ledger import Issues, KnownIssue, Pause, Snapshot, Standing, Standings, Switches, Totals
from bridge.ledger.issues import State
from bridge.ledger.store import available
from bridge.listening import Listening
from bridge.silence import Silence
from bridge.spool import Spool


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """One reading. ``level`` is what Redis promises, ``weaker`` whether that is less than the configuration asks for."""

    at: datetime
    campaigns: tuple[str, ...]
    sources: tuple[str, ...]
    snapshot: Snapshot
    standing: Standing
    issues: tuple[KnownIssue, ...]
    refused: Mapping[str, Mapping[str, int]]
    heard: Mapping[str, datetime]
    silences: tuple[Silence, ...]
    pauses: Mapping[str, Pause]
    workers: int
    level: str
    weaker: bool

    @property
    def issue_states(self) -> Mapping[State, int]:
        return Counter(issue.state for issue in self.issues)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measuring:
    """``asked`` is the durability that the configuration asks for. Raises ``LedgerUnavailable`` when Redis does not answer."""

    redis: Redis
    totals: Totals
    issues: Issues
    switches: Switches
    listening: Listening
    spool: Spool
    campaigns: Sequence[str]
    sources: Sequence[str]
    asked: str

    def read(self, now: datetime) -> Measures:
        """Some ten round trips, however much is in the ledger."""
        heard = self.totals.heard()
        with available():
            found, workers = durability.read(self.redis), queue.workers(self.redis)
        return Measures(
            at=now,
            campaigns=tuple(self.campaigns),
            sources=tuple(self.sources),
            snapshot=self.totals.now(now),
            standing=Standings(self.redis).read(self.campaigns, now),
            issues=tuple(self.issues.all()),
            refused=self.totals.refused(self.sources),
            heard=heard,
            silences=tuple(self.listening.silent(heard, now)),
            pauses=self.switches.all(),
            workers=workers,
            level=found.level.value,
            weaker=durability.is_weaker(found, self.asked),
        )

    def spooled(self) -> int:
        """How many deliveries wait on this host's disk; known without Redis."""
        return len(self.spool.waiting())
