"""What a replay of many is, as a value, and the form in which Redis keeps it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from bridge.keys import digest
from bridge.ledger import layout
from bridge.ledger.fields import mark_arguments
from bridge.ledger.records import CallGate, Mark
from bridge.ledger.search import Wanted
from bridge.model import Entry, Event, Status, from_ms, iso, to_ms

EXAMPLES = 20
"""Kept of each kind: as many as are shown, should all events be of one."""


class State(StrEnum):
    """Where a replay of many stands. It is a plan until somebody confirms it."""

    COUNTING = "counting"
    PLANNED = "planned"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in {State.FINISHED, State.CANCELLED}

    @property
    def begun(self) -> bool:
        return self not in {State.COUNTING, State.PLANNED}


@dataclass(frozen=True, slots=True)
class Change:
    """Who brought it into this state, when and why."""

    state: State
    at: datetime
    by: str
    note: str = ""

    def written(self) -> str:
        return json.dumps({"state": self.state, "at": to_ms(self.at), "by": self.by, "note": self.note})

    def document(self) -> dict[str, str]:
        return {"state": self.state.value, "at": iso(self.at), "by": self.by, "note": self.note}


@dataclass(frozen=True, slots=True)
class Sample:
    """How far it was at a moment."""

    at: datetime
    place: int


@dataclass(frozen=True, slots=True)
class Example:
    """An event of a kind, and what would come of it in a sentence."""

    key: str
    told: str


@dataclass(frozen=True, slots=True)
class Tally:
    """How many events would come to the same. ``effect`` is a word of :class:`bridge.foreseeing.Effect`, ``kind`` says it in words."""

    effect: str
    kind: str
    count: int
    examples: tuple[Example, ...] = ()

    @classmethod
    def read(cls, name: str, count: int, examples: str) -> "Tally":
        effect, _, kind = name.partition(" ")
        return cls(effect, kind, count, tuple(Example(*each) for each in json.loads(examples)))

    def document(self) -> dict[str, Any]:
        return {
            "effect": self.effect,
            "kind": self.kind,
            "count": self.count,
            "examples": [{"key": each.key, "told": each.told} for each in self.examples],
        }


BEHIND = {
    "stopped": "another event of this replay stops calls on facts this old",
    "told": "another event of this replay tells the same fact",
    "cooled": "another event of this replay has the same number called in this campaign, and the rule asks for a longer pause",
}
"""How events of one plan are in each other's way."""

_IN_VAIN = "suppressed would wait, and then be suppressed: "
COUNTED_BEHIND = {
    "now": {word: f"suppressed suppressed: {why}" for word, why in BEHIND.items()},
    "wait": {word: f"{_IN_VAIN if word != 'stopped' else 'suppressed suppressed: '}{why}" for word, why in BEHIND.items()},
}
"""How those are counted that others are in the way of; a stop is not waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One event of a plan as it was foreseen by itself, ``told`` in a sentence. What it would do to others is in ``call``, made ``at`` that
    time, or (``waits``) not before it, and in ``marks``.
    """

    key: str
    effect: str
    kind: str
    told: str
    at: datetime
    waits: bool = False
    event: Event | None = None
    call: CallGate | None = None
    marks: tuple[Mark, ...] = ()

    def document(self) -> dict[str, Any]:
        return {
            "name": f"{self.effect} {self.kind}",
            "key": self.key,
            "example": self.told,
            "refs": layout.qualify(self.event.source, self.event.refs) if self.event else [],
            "marks": mark_arguments(self.marks),
            "call": self._call(self.call) if self.call else False,
        }

    def _call(self, call: CallGate) -> dict[str, Any]:
        return {
            "fact": call.fact,
            "campaign": call.campaign,
            "phone": digest(call.phone),
            "happened": to_ms(call.happened_at),
            "due": to_ms(self.at),
            "waits": self.waits,
            "cooldown": call.cooldown_ms,
            "restarts": call.restarts,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A replay of many. ``filter`` is its filter as a document, ``written`` as it would be written into the box; ``groups`` (as in
    :class:`Wanted`) and ``named`` are what the ledger is asked for, once and for all, between ``since`` and ``until``. ``place``: how many of
    its ``total`` events were counted, and later replayed. ``speed`` is empty for as fast as it goes.
    """

    id: str
    state: State
    filter: Mapping[str, Any]
    written: str
    understood: str
    groups: tuple[tuple[str, ...], ...]
    since: datetime | None
    until: datetime
    named: tuple[str, ...] | None
    mode: str
    by: str
    created: datetime
    name: str = ""
    speed: str = ""
    gathering: bool = True
    cursor: str = ""
    total: int = 0
    place: int = 0
    counted: datetime | None = None
    digest: str = ""
    replayed: int = 0
    skipped: int = 0
    failed: int = 0
    started: datetime | None = None
    next: datetime | None = None
    samples: tuple[Sample, ...] = ()
    standing: Mapping[Status, int] = field(default_factory=dict)
    stood: datetime | None = None
    took: float = 0.0
    history: tuple[Change, ...] = ()

    @property
    def wanted(self) -> Wanted:
        """What to look for. The indexes of people go by when an event was touched last, so they are not asked for a time; see :meth:`holds`."""
        by_touch = any(index.startswith("ref:") for group in self.groups for index in group)
        return Wanted(groups=self.groups, since=None if by_touch else self.since, until=None if by_touch else self.until)

    def holds(self, entry: Entry) -> bool:
        """Whether it was accepted in the time that is meant."""
        return (self.since is None or entry.accepted_at >= self.since) and entry.accepted_at <= self.until

    @property
    def changed(self) -> Change:
        """What happened to it last."""
        return self.history[-1]

    @property
    def left(self) -> int:
        """How many events it has not come to."""
        return self.total - self.place


def told_fields(plan: Plan) -> dict[str, str]:
    """The fields of a plan that is made."""
    told = {
        "filter": dict(plan.filter),
        "written": plan.written,
        "understood": plan.understood,
        "groups": plan.groups,
        "since": to_ms(plan.since) if plan.since else None,
        "until": to_ms(plan.until),
        "named": plan.named,
        "mode": plan.mode,
        "by": plan.by,
        "created": to_ms(plan.created),
    }
    return {"state": plan.state.value, "stage": "gathering", "told": json.dumps(told), "name": plan.name, "speed": plan.speed}


def read_plan(plan_id: str, row: Mapping[str, str], history: Sequence[str]) -> Plan:
    """A plan's hash and history as a value."""
    told = json.loads(row["told"])
    return Plan(
        id=plan_id,
        state=State(row["state"]),
        filter=told["filter"],
        written=told["written"],
        understood=told["understood"],
        groups=tuple(tuple(group) for group in told["groups"]),
        since=_moment(told["since"]),
        until=from_ms(told["until"]),
        named=tuple(told["named"]) if told["named"] is not None else None,
        mode=told["mode"],
        by=told["by"],
        created=from_ms(told["created"]),
        name=row.get("name", ""),
        speed=row.get("speed", ""),
        gathering=row.get("stage") == "gathering",
        cursor=row.get("cursor", ""),
        total=int(row.get("total", 0)),
        place=int(row.get("place", 0)),
        counted=_moment(row.get("counted")),
        replayed=int(row.get("replayed", 0)),
        skipped=int(row.get("skipped", 0)),
        failed=int(row.get("failed", 0)),
        started=_moment(row.get("started")),
        next=_moment(row.get("next")),
        stood=_moment(row.get("stood")),
        digest=row.get("digest", ""),
        samples=tuple(Sample(from_ms(at), place) for at, place in json.loads(row.get("samples", "[]"))),
        standing={Status(word): count for word, count in json.loads(row.get("standing", "{}")).items()},
        took=float(row.get("took", 0)),
        history=tuple(_change(written) for written in history),
    )


def _change(written: str) -> Change:
    kept = json.loads(written)
    return Change(State(kept["state"]), from_ms(kept["at"]), kept["by"], kept["note"])


def _moment(milliseconds: str | float | None) -> datetime | None:
    return from_ms(float(milliseconds)) if milliseconds else None
