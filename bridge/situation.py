"""How things stand now: what is held and why, and what somebody should look at. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bridge.ledger import KnownIssue, Pause, Sample
from bridge.ledger.issues import State
from bridge.model import Status, iso
from bridge.quantities import in_words
from bridge.silence import Silence
from bridge.terms import cause

HELD = (Status.WAITING, Status.UNKNOWN, Status.PARKED)
"""The statuses whose reasons are counted."""

_A_WHILE = timedelta(minutes=1)
UNKNOWN_FOR = timedelta(minutes=15)
"""An answer that is being looked for usually comes within seconds; after so long somebody should know."""

_LONGEST_PIECE = 60


@dataclass(frozen=True, slots=True)
class Kind:
    """Events of one status that are held for the same cause, and the sentence of one of them. ``exact``: all were looked at, none is estimated."""

    status: Status
    cause: str
    told: str
    count: int
    exact: bool

    @property
    def says(self) -> str:
        """Words by which these are searched for: the longest piece of what their reasons have in common."""
        piece = max(self.cause.split("…"), key=len).strip(" ,.;:()")
        return piece[:_LONGEST_PIECE].rpartition(" ")[0] if len(piece) > _LONGEST_PIECE else piece


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to be looked at; ``level`` is doubtful or bad, ``what`` the sort of thing and ``name`` which one."""

    level: str
    what: str
    told: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """One bridge at one moment. ``alone``: since when the platform does not answer for a campaign. ``past_due`` should be done already."""

    at: datetime
    statuses: Mapping[str, int]
    samples: Mapping[Status, Sample]
    issues: Sequence[KnownIssue] = ()
    pauses: Mapping[str, Pause] = field(default_factory=dict)
    alone: Mapping[str, datetime] = field(default_factory=dict)
    heard: Mapping[str, datetime] = field(default_factory=dict)
    silent: Sequence[Silence] = ()
    past_due: int = 0
    spooled: int = 0
    workers: int = 0

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What is held and why, what holds most first."""
        return tuple(sorted((kind for status in HELD for kind in kinds(status, self.samples[status])), key=lambda kind: -kind.count))

    @property
    def open_issues(self) -> list[KnownIssue]:
        return [issue for issue in self.issues if issue.state is State.OPEN]

    @property
    def remarks(self) -> list[Remark]:
        """What somebody should look at, the worst first; nothing when all is well."""
        found = [remark for look in _LOOKS for remark in look(self)]
        return sorted(found, key=lambda remark: remark.level != "bad")

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "at": iso(self.at),
            "statuses": dict(self.statuses),
            "oldest": {status.value: iso(sample.oldest) for status, sample in self.samples.items() if sample.oldest},
            "held": [{"status": kind.status.value, "reason": kind.told, "count": kind.count, "exact": kind.exact} for kind in self.kinds],
            "paused": sorted(self.pauses),
            "left_alone": {name: iso(since) for name, since in self.alone.items()},
            "heard": {name: iso(at) for name, at in self.heard.items()},
            "silent": [silence.source for silence in self.silent],
            "open_issues": len(self.open_issues),
            "past_due": self.past_due,
            "spooled": self.spooled,
            "workers": self.workers,
            "remarks": [{"level": remark.level, "what": remark.what, "told": remark.told, "name": remark.name} for remark in self.remarks],
        }


def kinds(status: Status, sample: Sample) -> list[Kind]:
    """The causes for which a sample's events are held; counts are scaled up to all of them where it is not whole."""
    told = {cause(held.reason): held.reason for held in reversed(sample.held)}
    exact, share = len(sample.held) >= sample.total, sample.total / max(1, len(sample.held))
    counted = Counter(cause(held.reason) for held in sample.held)
    return [Kind(status, each, told[each], round(count * share), exact) for each, count in counted.most_common()]


def _for(span: timedelta) -> str:
    return in_words(span, most=2, smallest="min")


def _no_workers(now: Situation) -> Iterator[Remark]:
    if not now.workers:
        yield Remark("bad", "workers", "No worker is running, so what is accepted waits: start `callbridge worker` (or `run`).")


def _late(now: Situation) -> Iterator[Remark]:
    if now.past_due:
        yield Remark("bad", "past_due", f"{_events(now.past_due)} past due: more workers are needed, or they hang; see their log.")


def _unreachable(now: Situation) -> Iterator[Remark]:
    for name, since in now.alone.items():
        silent = now.at - since
        told = f"has not answered for campaign {name} for {_for(silent)}" if silent >= _A_WHILE else f"does not answer for campaign {name}"
        yield Remark("bad", "campaign", f"The platform {told}; calls wait until it does.", name)


def _broken(now: Situation) -> Iterator[Remark]:
    if count := len(now.open_issues):
        failed = sum(issue.failed for issue in now.open_issues)
        yield Remark("bad", "issues", f"{count} issue{'s are' if count > 1 else ' is'} open, with {failed:,} failed event{'s' * (failed != 1)}.")


def _in_doubt(now: Situation) -> Iterator[Remark]:
    oldest = now.samples[Status.UNKNOWN].oldest
    if oldest and now.at - oldest > UNKNOWN_FOR:
        count = now.samples[Status.UNKNOWN].total
        yield Remark(
            "doubtful",
            "unknown",
            f"Of {count:,} call{'s' * (count != 1)} it is not known whether they were made, the oldest for {_for(now.at - oldest)}.",
        )


def _quiet(now: Situation) -> Iterator[Remark]:
    for silence in now.silent:
        apart, limit = _for(now.at - silence.since), _for(silence.limit)
        told = f"{silence.source} has delivered nothing for {apart}, which is longer than {limit}."
        yield Remark("doubtful", "source", told, silence.source)


def _on_disk(now: Situation) -> Iterator[Remark]:
    if now.spooled:
        count = f"{now.spooled} deliver{'ies wait' if now.spooled > 1 else 'y waits'}"
        yield Remark("doubtful", "spool", f"{count} on this host's disk: kept while Redis was away, and being taken in.")


_LOOKS = (_no_workers, _late, _unreachable, _broken, _in_doubt, _quiet, _on_disk)


def _events(count: int) -> str:
    return f"{count:,} event{'s are' if count != 1 else ' is'}"
