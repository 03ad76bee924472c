"""What travels in and out of the ledger: frozen values. Their form in Redis is in :mod:`bridge.ledger.fields`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bridge import keys
from bridge.ledger.states import RECORDED_AS
from bridge.model import Attempt, CallCommand, Entry, Event, HttpRequest, Status
from bridge.rules import Rule


@dataclass(frozen=True, slots=True)
class Mark:
    """``No calls for this ref on facts up to ``at``'', in one campaign or (``*``) in every one.

    ``restarts``: left by an event that stops and then calls; of two such events of one moment neither stops the other's own call.
    """

    ref: str
    campaign: str
    at: datetime
    restarts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """An event on its way into the ledger. ``claim`` is what tells a redelivery of it, where that is not its key.

    ``replay``: which replay of many it is part of.
    """

    key: str
    status: Status
    reason: str
    event: Event
    claim: str = ""
    rule: str | None = None
    trace: tuple[str, ...] = ()
    first: bool = False
    marks: tuple[Mark, ...] = ()
    replay: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A delivery on its way into the ledger: under which id it is kept, and as what."""

    id: str
    record: bytes
    new: Sequence[NewEntry]
    now: datetime


@dataclass(frozen=True, slots=True)
class Beside:
    """Which events a claim is to set aside, and for how long: those of some places, and of the rules that lead there."""

    places: Mapping[str, timedelta] = field(default_factory=dict)
    rules: Mapping[str, timedelta] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """An event's turn in a replay of many: the plan's id, and which place in its list the event has."""

    plan: str
    place: int


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept, in milliseconds."""

    dedup: int
    done: int
    failed: int
    ignored: int

    def of(self, status: Status) -> int:
        kept = {Status.FAILED: self.failed, Status.IGNORED: self.ignored}
        return kept.get(status, self.done)

    @property
    def longest(self) -> int:
        return max(self.dedup, self.done, self.failed, self.ignored)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallGate:
    """What ``begin`` must ask Redis about a call before it goes out: about the request as it is bound, whatever was decided since."""

    source: str
    campaign: str
    phone: str
    happened_at: datetime
    fact: str
    fact_window: timedelta | None = None
    cooldown_ms: int = 0
    pace_ms: float | None = None
    restarts: bool = False


def call_gate(command: CallCommand, event: Event, rule: Rule | None, pace_ms: float | None = None) -> CallGate:
    """What must be asked about this call; the same whether it is about to go out or only foreseen."""
    cooldown = rule.call.cooldown if rule and rule.call else None
    return CallGate(
        source=event.source,
        campaign=command.campaign,
        phone=command.phone,
        happened_at=event.happened_at,
        fact=keys.digest(event.fact),
        fact_window=event.window,
        cooldown_ms=millis(cooldown) if cooldown else 0,
        pace_ms=pace_ms,
        restarts=bool(rule and rule.cancel),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """A request about to go out for an event; without a ``call`` it is a cancel. ``learned``: more is known of the event than is written."""

    entry: Entry
    learned: bool = True
    request: HttpRequest | None = None
    call: CallGate | None = None
    marks: tuple[Mark, ...] = ()
    cancels: tuple[Mapping[str, Any], ...] | None = None
    rule: str | None = None
    trace: tuple[str, ...] = ()
    probed: bool = False
    sure: bool = False


@dataclass(frozen=True, slots=True)
class Go:
    """The request may go out now."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Another worker has the event now."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Not now, or not at all: ``word`` says why (busy, unwanted, stopped, told, cooled, paused, paced, held, silent, probe, unsure), ``by`` which
    event is the cause; where somebody paused it, ``by`` says who, when and why (JSON), and ``scope`` what. ``at``: when its turn
    comes (paced, held, silent), or when the number was called (cooled).
    """

    word: str
    by: str = ""
    at: datetime | None = None
    scope: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What came of an attempt. ``due`` None: the event is finished, which is what its status must say too.

    ``free``: certainly no call came of it, so what was reserved for one (fact, cooldown) is given back. ``trouble``: somebody
    who must answer does not, and for how long is counted. ``hasten``: events this one waits for, served first from now on like
    itself: else it would come before them every time, and hold the person they need. ``wake``: events to be decided again at once.
    ``answered``: a campaign, and whether the platform gave a proper answer for it; several failures in a row and it is left alone for a while.
    ``wants_phone``: an event that brings a number for the same record wakes it. ``planned``: when it is to be called, where it waits for its
    call hours. ``ValueError`` where no attempt can end so.
    """

    entry: Entry
    status: Status
    reason: str
    due: datetime | None = None
    attempts: tuple[Attempt, ...] = ()
    settled: bool = True
    jobs: tuple[str, ...] | None = None
    campaign: str | None = None
    cancels: tuple[Mapping[str, Any], ...] | None = None
    rule: str | None = None
    trace: tuple[str, ...] = ()
    free: bool = False
    trouble: bool = False
    hasten: tuple[str, ...] = ()
    wake: tuple[str, ...] = ()
    wants_phone: bool = False
    hold: tuple[str, datetime] | None = None
    answered: tuple[str, bool] | None = None
    planned: datetime | None = None

    def __post_init__(self) -> None:
        if self.status not in RECORDED_AS or self.status.finished is not (self.due is None):
            raise ValueError(f"an attempt cannot end as {self.status} with {'nothing' if self.due is None else 'something'} due")

    @property
    def gone(self) -> list[str]:
        """The fields that this record takes away, but for those that it packs."""
        owed = ["open", "asked", "tried"] if self.settled else []
        over = ["held", "was"] if self.status.finished else []
        return ["crashes", *owed, *([] if self.trouble else ["since"]), *over]


def millis(span: timedelta) -> int:
    return int(span.total_seconds() * 1000)
