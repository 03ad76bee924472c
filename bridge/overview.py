"""What came in, what became of it and how long it took, over a stretch of time: read from counters that only grow. Pure.

The totals at the borders of equal slots are enough: a slot is what they grew by in between. A counter that is smaller than before began anew.
Where nobody noted anything for longer than a slot, it is not known in which of them it happened: it counts for the whole stretch alone.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from itertools import pairwise
from math import inf
from typing import Any

from bridge.ledger import Snapshot
from bridge.model import from_ms, iso


class Stretch(StrEnum):
    """How far back is looked."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"


@dataclass(frozen=True, slots=True)
class _Ruling:
    step: str
    long: timedelta
    slot: timedelta


_RULINGS = {
    Stretch.HOUR: _Ruling("minute", timedelta(hours=1), timedelta(minutes=2)),
    Stretch.DAY: _Ruling("ten", timedelta(days=1), timedelta(minutes=30)),
    Stretch.WEEK: _Ruling("hour", timedelta(days=7), timedelta(hours=4)),
    Stretch.MONTH: _Ruling("hour", timedelta(days=30), timedelta(days=1)),
}
"""Which history a stretch is read from, and how it is divided."""


@dataclass(frozen=True, slots=True)
class Noted:
    """The last snapshot at each of the :func:`borders` (None: none is kept from then), and when the first of all was noted."""

    snapshots: Sequence[Snapshot | None]
    began: datetime | None

    def at(self, moment: datetime, snapshot: Snapshot | None) -> Snapshot | None:
        """Before the first snapshot of all, every counter was at nothing."""
        young = self.began is None or moment < self.began
        return Snapshot(moment, {}, {}) if snapshot is None and young else snapshot


SENT = ("call", "cancel")
"""The attempts that are counted: the requests to the platform that change something there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How often what happened. ``attempts`` by what came of them; ``took``: calls by the seconds within which they were made, counted once,
    under the shortest.
    """

    accepted: int = 0
    duplicates: int = 0
    finished: Mapping[str, int] = field(default_factory=dict)
    attempts: Mapping[str, int] = field(default_factory=dict)
    took: Mapping[float, int] = field(default_factory=dict)

    @property
    def calls(self) -> int:
        """Those that were made."""
        return sum(self.took.values())

    @property
    def ended(self) -> int:
        return sum(self.finished.values())

    def within(self, share: float) -> float | None:
        """The seconds within which this share of the calls was made, as well as counters tell; infinite above the longest. None: there were none."""
        left, shorter = share * self.calls, 0.0
        for bound, count in sorted(self.took.items()):
            if count and left <= count:
                return bound if bound == inf else shorter + (bound - shorter) * left / count
            left, shorter = left - count, bound
        return None

    def document(self) -> dict[str, Any]:
        """As JSON has it. ``median`` and ``p95`` are seconds; absent where no call was made, or where it is longer than is counted."""
        spans = {name: self.within(share) for name, share in (("median", 0.5), ("p95", 0.95))}
        return {
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "finished": dict(self.finished),
            "attempts": dict(self.attempts),
            "calls": self.calls,
            **{name: round(seconds, 3) for name, seconds in spans.items() if seconds is not None and seconds != inf},
        }


@dataclass(frozen=True, slots=True)
class Slot:
    """One part of a stretch; ``figures`` None: nobody noted what happened in it."""

    at: datetime
    figures: Figures | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A stretch of time, whole, by parts, by source and by campaign. A call belongs to a campaign alone, a delivery to a source alone."""

    stretch: Stretch
    since: datetime
    until: datetime
    whole: Figures
    slots: tuple[Slot, ...]
    sources: Mapping[str, Figures]
    campaigns: Mapping[str, Figures]

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "stretch": self.stretch.value,
            "since": iso(self.since),
            "until": iso(self.until),
            "whole": self.whole.document(),
            "slots": [{"at": iso(slot.at), "figures": slot.figures and slot.figures.document()} for slot in self.slots],
            "sources": {name: figures.document() for name, figures in self.sources.items()},
            "campaigns": {name: figures.document() for name, figures in self.campaigns.items()},
        }


def step(stretch: Stretch) -> str:
    """The history that it is read from (``Totals.at``)."""
    return _RULINGS[stretch].step


def borders(stretch: Stretch, now: datetime) -> list[datetime]:
    """Where its slots begin: the moments of which the totals must be known. They are the same whenever is looked; the last slot is not over."""
    ruling = _RULINGS[stretch]
    last = now - (now - from_ms(0)) % ruling.slot
    return [last - ruling.slot * part for part in range(ruling.long // ruling.slot, -1, -1)]


def overview(stretch: Stretch, noted: Noted, now: Snapshot, *, source: str | None = None, campaign: str | None = None) -> Overview:
    """``source`` and ``campaign`` narrow what the slots and the whole tell, but not the list of sources or that of campaigns."""
    starts, slot = borders(stretch, now.at), _RULINGS[stretch].slot
    marks = [*(noted.at(start, snapshot) for start, snapshot in zip(starts, noted.snapshots, strict=True)), now]
    figures_of = partial(figures, source=source, campaign=campaign)
    parts = [
        Slot(start, figures_of(growth(before, after)) if before and after and _tells(start, slot, before, after) else None)
        for start, (before, after) in zip(starts, pairwise(marks), strict=True)
    ]
    grown = Counter[str]()
    for before, after in pairwise([mark for mark in marks if mark]):
        grown.update(growth(before, after))
    return Overview(
        stretch=stretch,
        since=starts[0],
        until=now.at,
        whole=figures_of(grown),
        slots=tuple(parts),
        sources={name: figures(grown, source=name) for name in _names(grown, {"accepted": 0, "duplicates": 0})},
        campaigns={name: figures(grown, campaign=name) for name in _names(grown, {"took": 0, "finished": 1})},
    )


def growth(before: Snapshot, after: Snapshot) -> dict[str, int]:
    """By how much each counter grew."""
    had = before.totals
    grown = {name: now - then if now >= (then := had.get(name, 0)) else now for name, now in after.totals.items()}
    return {name: more for name, more in grown.items() if more}


def figures(grown: Mapping[str, int], source: str | None = None, campaign: str | None = None) -> Figures:
    """What counters say, of one source or one campaign where that is asked."""
    found: dict[str, Counter[Any]] = {"accepted": Counter(), "duplicates": Counter(), "finished": Counter(), "attempts": Counter(), "took": Counter()}
    for name, more in grown.items():
        what, *labels = name.split("|")
        if what in found and (what != "attempts" or labels[1] in SENT) and _belongs(what, labels, source, campaign):
            found[what][_seconds(labels[-1]) if what == "took" else labels[-1]] += more
    came = {what: found.pop(what).total() for what in ("accepted", "duplicates")}
    return Figures(accepted=came["accepted"], duplicates=came["duplicates"], **found)


_PLACES: Mapping[str, tuple[int | None, int | None]] = {
    "accepted": (0, None),
    "duplicates": (0, None),
    "finished": (0, 1),
    "attempts": (0, 0),
    "took": (None, 0),
}
"""Where a counter's labels name its source and its campaign; ``attempts`` name one or the other."""


def _belongs(what: str, labels: Sequence[str], source: str | None, campaign: str | None) -> bool:
    """Whether a counter is about them; one that does not say is about nobody in particular."""
    places = zip((source, campaign), _PLACES[what], strict=True)
    return all(wanted is None or (place is not None and labels[place] == wanted) for wanted, place in places)


def _tells(start: datetime, slot: timedelta, before: Snapshot, after: Snapshot) -> bool:
    """Whether two snapshots tell what happened in a slot: one from not long before it, and one from within."""
    return start - slot < before.at and start < after.at


def _names(grown: Iterable[str], places: Mapping[str, int]) -> list[str]:
    """Whom counters are about; ``places``: which label of which counter says so."""
    labels = [(places[what], rest.split("|")) for what, _, rest in (name.partition("|") for name in grown) if what in places]
    return sorted({rest[place] for place, rest in labels} - {""})


def _seconds(written: str) -> float:
    return inf if written == "more" else float(written)
