"""Is everything that should be true, true? Each finding is a sentence, and where it is bad, the sentence names the mend."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from redis.exceptions import RedisError

from bridge import durability, queue
from bridge.config import Config
from bridge.errors import LedgerUnavailable
from bridge.ledger import Issues, Ledger, Search, Switches, Totals
from bridge.ledger.issues import State
from bridge.ledger.switches import EVERYTHING
from bridge.model import Status
from bridge.quantities import show_duration
from bridge.silence import judge, limits
from bridge.spool import Spool

PAST_DUE = timedelta(seconds=30)
"""An event that is due for longer is not being looked after: a worker takes it within a second or two."""

UNKNOWN_FOR = timedelta(minutes=15)
"""Whether a call was made is found out within minutes; what takes longer needs somebody to look."""

_ROOM = 1024**3
_MINUTE = timedelta(minutes=1)
_LEARNED_FROM = timedelta(days=21)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``level`` is ``good``, ``doubtful`` or ``bad``."""

    level: str
    what: str
    told: str


@dataclass(frozen=True, slots=True)
class Examination:
    """Of one bridge, from outside its processes."""

    config: Config
    ledger: Ledger
    spool: Spool

    def findings(self, now: datetime) -> Iterator[Finding]:
        """What does not depend on Redis is told even when it is away."""
        yield from self._disk()
        yield from self._spooled()
        try:
            yield from self._redis()
            yield from self._layout()
            yield from self._workers(now)
            yield from self._breakers()
            yield from self._paused()
            yield from self._held(now)
            yield from self._issues()
            yield from self._silent(now)
        except (RedisError, LedgerUnavailable) as away:
            yield Finding(
                "bad", "Redis", f"does not answer ({type(away).__name__}): start it, or correct redis.url; webhooks are answered 503 meanwhile"
            )

    def _disk(self) -> Iterator[Finding]:
        folder = _there(self.config.data_dir)
        free = shutil.disk_usage(folder).free
        level = "good" if free > _ROOM else "bad"
        yield Finding(
            level, "disk", f"{free / 1024**3:.1f} GiB free under {folder}" + ("" if level == "good" else ": make room before Redis cannot write")
        )

    def _spooled(self) -> Iterator[Finding]:
        waiting, broken = len(self.spool.waiting()), len(self.spool.broken())
        if broken:
            yield Finding("bad", "spool", f"{broken} deliveries on disk cannot be read: look at the files that end in .broken in {self.spool.folder}")
        yield Finding("doubtful" if waiting else "good", "spool", f"{waiting} deliveries on disk wait to be taken in")

    def _redis(self) -> Iterator[Finding]:
        asked = self.config.redis.durability.value
        found = durability.read(self.ledger.redis)
        notes = durability.check(found, asked)
        for note in notes:
            yield Finding("bad" if note in found.problems or "only promises" in note else "doubtful", "Redis", note)
        if not notes:
            yield Finding("good", "Redis", f"{found.server}, durable: {found.level}, as asked")

    def _layout(self) -> Iterator[Finding]:
        others = self.ledger.other_layouts()
        if others:
            yield Finding(
                "doubtful",
                "ledger",
                f"there is also a ledger of layout {', '.join(others)}: of another version of callbridge, which this one does not read",
            )

    def _workers(self, now: datetime) -> Iterator[Finding]:
        working = queue.workers(self.ledger.redis)
        if not working:
            yield Finding("bad", "workers", "none is running: start `callbridge worker` (or `run`); what is accepted waits")
        else:
            yield Finding("good", "workers", f"{working} running")
        waiting = self.ledger.unfinished_count()
        late = self.ledger.due_count(now - PAST_DUE)
        if late:
            yield Finding(
                "bad", "events", f"{late} are due for more than {show_duration(PAST_DUE)}: more workers are needed, or they hang; see their log"
            )
        parked = Search(self.ledger.redis).count(f"status:{Status.PARKED}")
        of_them = f"; {max(waiting - parked, 0)} go on by themselves" if parked else ", which go on by themselves"
        yield Finding("good", "events", f"{waiting} unfinished{of_them}")

    def _breakers(self) -> Iterator[Finding]:
        for campaign in self.config.campaigns:
            since = self.ledger.left_alone_since(campaign)
            if since:
                yield Finding(
                    "bad", f"campaign {campaign}", f"the platform does not answer since {since:%Y-%m-%d %H:%M} UTC; calls wait until it does"
                )

    def _paused(self) -> Iterator[Finding]:
        for scope, pause in Switches(self.ledger.redis).all().items():
            kind, _, name = scope.partition(":")
            what, option = ("all calling", "") if scope == EVERYTHING else (f"{kind} {name}", f" --{kind} {name}")
            why = f" ({pause.note})" if pause.note else ""
            told = f"paused by {pause.by} since {pause.at:%Y-%m-%d %H:%M} UTC{why}; `callbridge resume{option}` lets it go on"
            yield Finding("doubtful", what, told)

    def _held(self, now: datetime) -> Iterator[Finding]:
        search = Search(self.ledger.redis)
        parked, oldest = search.count(f"status:{Status.PARKED}"), search.oldest(f"status:{Status.UNKNOWN}")
        if parked:
            yield Finding(
                "doubtful", "events", f"{parked} {'is' if parked == 1 else 'are'} parked: `callbridge events list status:parked` says by what"
            )
        if oldest and now - oldest > UNKNOWN_FOR:
            count = search.count(f"status:{Status.UNKNOWN}")
            told = f"of {count} it is not known whether they were called; the oldest came at {oldest:%Y-%m-%d %H:%M} UTC"
            yield Finding("bad", "events", f"{told}: does the platform answer? `callbridge events list status:unknown` shows them")

    def _issues(self) -> Iterator[Finding]:
        found = [issue for issue in Issues(self.ledger.redis).all() if issue.state is State.OPEN]
        if found:
            failed = sum(issue.failed for issue in found)
            told = f"{len(found)} open, with {failed} failed event{'s' * (failed != 1)}: see `callbridge issues list`"
            yield Finding("doubtful", "issues", told)

    def _silent(self, now: datetime) -> Iterator[Finding]:
        totals = Totals(self.ledger.redis)
        configured = {name: source.silence for name, source in self.config.sources.items()}
        history = totals.since("hour", now - _LEARNED_FROM)
        for silence in judge(totals.heard(), limits(configured, history, now), now):
            told = f"nothing since {silence.since:%Y-%m-%d %H:%M} UTC, which is longer than {show_duration(_MINUTE * (silence.limit // _MINUTE))}"
            yield Finding("doubtful", f"source {silence.source}", f"{told}: is its webhook still there in the CRM, and its secret right?")


def _there(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())
