"""How far a replay of many is, as operators are told it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any

from bridge.concealing import Concealer
from bridge.errors import Unusable
from bridge.foreseeing import Effect
from bridge.ledger import Example, Plan, State, Tally
from bridge.model import Entry, Rate, iso
from bridge.quantities import in_words, parse_rate

MODEST = "5/s"
"""How fast events are put in unless somebody wants it otherwise."""

FAST = "fast"
"""How somebody writes: as fast as it goes."""

EXAMPLES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Glance:
    """What a filter finds now: how many (``all`` is False: that many or more), the newest of them, and what its words were taken for."""

    count: int
    all: bool
    newest: tuple[Entry, ...]
    understood: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A replay of many with everything that is known of it. ``aged`` says why it must be counted again before it may run; ``rate`` is events a
    second; ``memory`` the bytes that its list of events takes.
    """

    plan: Plan
    tallies: Sequence[Tally]
    skipped: Mapping[str, int]
    failed: Mapping[str, int]
    aged: str
    rate: float | None
    memory: int

    @property
    def time_left(self) -> timedelta | None:
        return timedelta(seconds=round(self.plan.left / self.rate)) if self.rate and self.plan.state is State.RUNNING else None

    @property
    def gone(self) -> int:
        """How many of those that were put in are found by this replay no more: another one took them up, or they were forgotten."""
        plan = self.plan
        looked = plan.state.ended and plan.stood is not None and plan.stood > plan.changed.at
        return max(0, plan.replayed - sum(plan.standing.values())) if looked else 0

    @property
    def acting(self) -> int:
        """For how many events a replay would be good for anything."""
        return sum(tally.count for tally in self.tallies if Effect(tally.effect).acts)

    def examples(self, most: int = EXAMPLES_SHOWN) -> list[tuple[Tally, Example]]:
        """Some of every kind, as far as that goes."""
        rounds = zip_longest(*([(tally, example) for example in tally.examples] for tally in self.tallies))
        return [found for found_in_turn in rounds for found in found_in_turn if found][:most]

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        plan = self.plan
        return {
            "id": plan.id,
            "state": plan.state.value,
            "name": _concealed(plan.name),
            "mode": plan.mode,
            "filter": {name: _concealed(value) if name in _OF_PEOPLE else value for name, value in plan.filter.items()},
            "written": _concealed(plan.written),
            "understood": plan.understood,
            "by": plan.by,
            "created": iso(plan.created),
            "speed": plan.speed or FAST,
            "counting": _counting(plan),
            "counted": iso(plan.counted) if plan.counted else None,
            "aged": self.aged or None,
            "events": plan.total,
            "would_act": self.acting,
            "effects": [tally.document() for tally in self.tallies],
            "looked_at": plan.place if plan.state.begun else 0,
            "replayed": plan.replayed,
            "skipped": {"count": plan.skipped, "causes": dict(self.skipped)},
            "failed": {"count": plan.failed, "causes": dict(self.failed)},
            "left": plan.left if plan.state.begun else plan.total,
            "standing": {status.value: count for status, count in plan.standing.items()},
            "no_longer_of_it": self.gone,
            "rate": round(self.rate, 2) if self.rate else None,
            "seconds_left": self.time_left.total_seconds() if self.time_left is not None else None,
            "memory": self.memory,
            "history": [{**change.document(), "note": _concealed(change.note)} for change in plan.history],
        }


def lasting(span: timedelta | None) -> str:
    """``2 h 10 min``; a dash where it is not known."""
    return "–" if span is None else in_words(span, most=2)


_OF_PEOPLE = frozenset({"text", "phone", "name", "record", "event", "reason"})
"""What of a filter may hold somebody's number; ids of replays, issues and call jobs are long numbers too, and nobody's."""


def _concealed(value: Any) -> Any:
    """Without a number that somebody could call; nobody needs it to know which replay this is."""
    return [_concealed(each) for each in value] if isinstance(value, list) else Concealer().theirs(value)


def read_speed(written: str) -> str:
    """``5/s``, ``300/m`` as it is kept; ``fast`` is empty: as fast as it goes. Raises ``Unusable``."""
    if written.strip().lower() in {FAST, ""}:
        return ""
    try:
        rate: Rate = parse_rate(written)
    except ValueError:
        raise Unusable(f"'{written}' is no speed: write how many events in what time, such as 5/s or 300/m, or {FAST}", field="speed") from None
    return f"{rate.count}/{rate.seconds:g}s" if rate.seconds != 1 else f"{rate.count}/s"


def show_speed(speed: str) -> str:
    return f"{speed.replace('/60s', '/m').replace('/3600s', '/h')}" if speed else "as fast as it goes"


def _counting(plan: Plan) -> dict[str, Any] | None:
    """How far the counting is; None when it is over."""
    if plan.state is not State.COUNTING:
        return None
    return {"found": plan.total, "all_found": not plan.gathering, "counted": 0 if plan.gathering else plan.place}


def rate_of(plan: Plan, now: datetime) -> float | None:
    """Events a second, of late."""
    if plan.state is not State.RUNNING or not plan.samples:
        return None
    spent = (now - plan.samples[0].at).total_seconds()
    done = plan.place - plan.samples[0].place
    return done / spent if spent > 0 and done > 0 else None
