"""What a replay would come to: told in a sentence, and counted under what effects of one kind have in common. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bridge.deciding import SPREAD, Outlook, said_no
from bridge.ledger import Blocked, CallGate, Mark
from bridge.model import Event, HttpRequest, Status
from bridge.phones import mask
from bridge.terms import cause


class Effect(StrEnum):
    """What a replay would come to, in one word."""

    CALL = "call"
    WAIT = "wait"
    LOOK_UP = "look_up"
    CANCEL = "cancel"
    READ = "read"
    PARKED = "parked"
    SUPPRESSED = "suppressed"
    IGNORED = "ignored"
    FAILED = "failed"
    DONE = "done"
    UNFINISHED = "unfinished"
    IMPOSSIBLE = "impossible"

    @property
    def acts(self) -> bool:
        """Whether a replay is good for anything: the others are skipped."""
        return self in _ACTS


_ACTS = frozenset({Effect.CALL, Effect.WAIT, Effect.LOOK_UP, Effect.CANCEL, Effect.READ, Effect.PARKED})
_ENDS = {Status.SUPPRESSED: Effect.SUPPRESSED, Status.IGNORED: Effect.IGNORED, Status.FAILED: Effect.FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What a replay of an event would do now: ``told`` in a sentence, ``kind`` what effects of one kind have in common, to be counted by.

    ``event`` is how its delivery reads today, ``request`` what would be sent for a call. What others that are foreseen beside it must know:
    the ``call`` that would be made, when (``at``, None: now), and the stop ``marks`` that would be left.
    """

    effect: Effect
    told: str
    kind: str
    event: Event | None = None
    rule: str | None = None
    trace: tuple[str, ...] = ()
    request: HttpRequest | None = None
    call: CallGate | None = None
    at: datetime | None = None
    marks: tuple[Mark, ...] = ()


def effect_of(outlook: Outlook, verdict: Blocked | None, wait: timedelta) -> tuple[Effect, str, str]:
    """The effect, told in a sentence, and what it is counted under. ``wait``: how long a number that is missing would be waited for."""
    if verdict:
        told = said_no(verdict.word, verdict.by, verdict.at, verdict.scope)
        effect = Effect.PARKED if verdict.word == "paused" else Effect.SUPPRESSED
        return effect, told, f"{effect}: {cause(told)}"
    if outlook.status is Status.WAITING:
        return _waits(outlook, wait)
    if outlook.status is Status.QUEUED and outlook.call:
        campaign = outlook.call.campaign
        return Effect.CALL, f"calls {mask(outlook.call.phone)} in campaign {campaign} now", f"would call now in campaign {campaign}"
    if outlook.status is Status.QUEUED and outlook.cancel:
        return Effect.CANCEL, outlook.reason, "would cancel calls"
    if outlook.status is Status.QUEUED:
        return Effect.LOOK_UP, f"asks the CRM first: {outlook.reason}", "would ask the CRM first, and then be decided"
    effect = _ENDS.get(outlook.status, Effect.IMPOSSIBLE)
    return effect, outlook.reason, f"{effect}: {cause(outlook.reason)}"


def _waits(outlook: Outlook, wait: timedelta) -> tuple[Effect, str, str]:
    if outlook.at is None and not wait:
        told = f"{outlook.reason}, and nobody is waited for to tell it"
        return Effect.FAILED, told, f"{Effect.FAILED}: {cause(told)}"
    if outlook.at is None:
        return Effect.WAIT, f"waits for a phone number: {outlook.reason}", "would wait for a phone number"
    told = f"calls {mask(outlook.call.phone) if outlook.call else ''} at {outlook.at:%Y-%m-%d %H:%M} UTC: {outlook.reason}"
    return Effect.WAIT, told, f"would call from {_opening(outlook.at):%Y-%m-%d %H:%M} UTC"


def _opening(at: datetime) -> datetime:
    """The hour that many wait for, which each has a place of its own after: they are counted together."""
    return at - timedelta(seconds=at.timestamp() % SPREAD.total_seconds())


def plainly(effect: Effect, told: str, kind: str) -> Foreseen:
    return Foreseen(effect=effect, told=told, kind=kind)
