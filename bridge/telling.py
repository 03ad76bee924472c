"""The first sentence about an event: was the person called, and if not, why not. Pure.

It is put together from what the ledger holds of the event and of others of the same people: whoever stopped the call, told the same
fact before, or had the person called instead is named.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from bridge.deciding import OUTSIDE_HOURS, SAME_FACT, STOP_MARK
from bridge.model import OPERATOR, Entry, Event, Status
from bridge.quantities import in_words

_NAMED = {STOP_MARK: re.compile(rf"{STOP_MARK}: (\S+) "), SAME_FACT: re.compile(rf"{SAME_FACT} (\S+)")}
_OVERDUE = timedelta(minutes=1)
_CHANGES = {"created": "was created", "updated": "was changed", "deleted": "was deleted"}
_VOWELS = ("a", "e", "i", "o", "u")


class Tone(StrEnum):
    """How a sentence is meant: as the notices of the pages have it."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    BAD = "bad"
    CALM = ""


@dataclass(frozen=True, slots=True)
class Told:
    """``text`` is a sentence or two. ``named`` are the keys of the other events in it."""

    text: str
    tone: Tone
    named: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What else there is to know of an event: others of the same people, when somebody looks at it next, and whether it is about a call
    at all; a cancel is not.
    """

    others: Sequence[Entry] = ()
    due: datetime | None = None
    calls: bool = True

    def other(self, key: str | None) -> Entry | None:
        return next((entry for entry in self.others if entry.key == key), None)


def tell(entry: Entry, about: Circumstances, now: datetime) -> Told:
    """The first sentence about an event."""
    if entry.event.fact == "erased":
        return Told("The person was forgotten: what this event said is not kept any more.", Tone.CALM)
    if entry.jobs:
        return _called(entry, about)
    if not entry.status.finished:
        return _unfinished(entry, about, now)
    return _ended(entry, about)


def what_happened(event: Event) -> str:
    """``deal 555 moved to closedlost``: an event in words."""
    kind, _, change = event.type.rpartition(".")
    record = f"{event.entity.type} {event.entity.id}" if event.entity else f"{'an' if kind[:1] in _VOWELS else 'a'} {kind or 'record'}"
    if event.stage and event.stage.after:
        return f"{record} moved to {event.stage.after}"
    if kind and change in _CHANGES:
        return f"{record} {_CHANGES[change]}"
    return f"{event.type} of {record}" if event.entity else event.type


def _called(entry: Entry, about: Circumstances) -> Told:
    made = f"{_jobs(entry)} was made{_where(entry)}, {in_words(_made_at(entry) - entry.accepted_at)} after {_subject(entry.event)} came in"
    ending = _cancelled(entry, about)
    if ending is None:
        return Told(f"Called: {made}.", Tone.GOOD)
    job, canceller = ending
    if job["outcome"] == "cancelled":
        return Told(f"Called off: {made}, and was cancelled: {_because(canceller)}.", Tone.CALM, (canceller.key,))
    return Told(f"Called: {made}. It was to be cancelled, but it was {job['outcome']}: {_because(canceller)}.", Tone.GOOD, (canceller.key,))


def _cancelled(entry: Entry, about: Circumstances) -> tuple[Mapping[str, Any], Entry] | None:
    """What came of the last cancel of this event's call, and whose it was."""
    for other in about.others:
        for job in other.cancels:
            if job["id"] in entry.jobs and "outcome" in job:
                return job, other
    return None


def _unfinished(entry: Entry, about: Circumstances, now: datetime) -> Told:
    reason, until = _sentence(entry.reason), _until(about.due, now)
    if about.due and now - about.due > _OVERDUE:
        late = f"Overdue: a worker should have looked at it {in_words(now - about.due)} ago. Is one running?"
        return Told(f"{late} It is {entry.status}: {reason}", Tone.BAD)
    if entry.status is Status.UNKNOWN:
        return Told(f"Being found out whether the call was made: {reason}{until}", Tone.DOUBTFUL)
    if about.calls and about.due and entry.reason.startswith(OUTSIDE_HOURS):
        return Told(f"Will be called at {about.due.astimezone(UTC):%Y-%m-%d %H:%M} UTC, in {in_words(about.due - now)}: {reason}", Tone.CALM)
    yet = "Not called yet" if about.calls else "Not done yet"
    if entry.status is Status.PARKED:
        return Told(f"{yet}, and held: {reason}", Tone.DOUBTFUL)
    if entry.status is Status.WAITING:
        return Told(f"{yet}: {reason}{until}", Tone.CALM)
    under_way = "being worked on right now" if entry.status is Status.RUNNING else "accepted, and next in line"
    return Told(f"{yet}: {under_way}.", Tone.CALM)


def _ended(entry: Entry, about: Circumstances) -> Told:
    if entry.status is Status.DONE:
        return Told(f"Done: {_sentence(entry.reason)}", Tone.GOOD)
    if not about.calls and entry.status is Status.FAILED:
        return Told(f"Failed: {_sentence(entry.reason)}", Tone.BAD)
    tone = Tone.BAD if entry.status is Status.FAILED else Tone.CALM
    why, named = _why_not(entry, about)
    instead = next((other for other in about.others if other.jobs), None)
    if instead is None or instead.key in named:
        return Told(f"Not called: {why}", tone, named)
    when = "before" if instead.accepted_at <= entry.accepted_at else "after"
    apart = in_words(instead.accepted_at - entry.accepted_at)
    ending = _cancelled(instead, about)
    off = ", which was cancelled" if ending and ending[0]["outcome"] == "cancelled" else ""
    called = f"For another event of the same person there was a call{off}: {_jobs(instead)}{_where(instead)} ({instead.key}, {apart} {when})."
    return Told(f"Not called: {why} {called}", tone, (*named, instead.key))


def _why_not(entry: Entry, about: Circumstances) -> tuple[str, tuple[str, ...]]:
    """The reason, with the other event told in words where it is known."""
    named = next((found for pattern in _NAMED.values() if (found := pattern.match(entry.reason))), None)
    other = about.other(named[1]) if named else None
    if other is None:
        return _sentence(entry.reason), ()
    if entry.reason.startswith(STOP_MARK):
        return f"{_because(other)}, {_in_time(other, entry)}. Only something newer may have this person called again.", (other.key,)
    call = f"{_jobs(other)} was made for that one{_where(other)}" if other.jobs else f"that one is {other.status}: {_plain(other.reason)}"
    return f"it tells the same as {other.key}, {_apart(other, entry)}; {call}.", (other.key,)


def _because(other: Entry) -> str:
    """Whose doing it was."""
    if other.event.source == OPERATOR:
        return f"an operator ordered it ({other.key})"
    return f"{what_happened(other.event)} ({other.key})"


def _apart(other: Entry, entry: Entry) -> str:
    length, when = other.accepted_at - entry.accepted_at, "before" if other.accepted_at <= entry.accepted_at else "after"
    return f"{in_words(length)} {when} {_subject(entry.event)} came in"


def _in_time(other: Entry, entry: Entry) -> str:
    """When what stopped a call came in: before the call hours, where they were waited for."""
    if entry.planned_at is None or other.accepted_at >= entry.planned_at:
        return _apart(other, entry)
    early = in_words(entry.planned_at - other.accepted_at)
    return f"{early} before the call was due in its call hours, at {entry.planned_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _subject(event: Event) -> str:
    return f"the {event.entity.type}" if event.entity else "the event"


def _made_at(entry: Entry) -> datetime:
    made = [attempt["at"] for attempt in entry.attempts if (attempt["what"], attempt["outcome"]) == ("call", "made")]
    return datetime.fromisoformat(made[-1]) if made else entry.ended_at or entry.accepted_at


def _jobs(entry: Entry) -> str:
    return f"call job {', '.join(entry.jobs)}"


def _where(entry: Entry) -> str:
    return f" in campaign {entry.campaign}" if entry.campaign else ""


def _until(due: datetime | None, now: datetime) -> str:
    if due is None or due - now < timedelta(seconds=1):
        return ""
    return f" It goes on by itself in {in_words(due - now)}."


def _sentence(reason: str) -> str:
    return f"{_plain(reason)}."


def _plain(reason: str) -> str:
    return reason.strip().rstrip(".") or "no reason is known"
