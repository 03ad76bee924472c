"""What the page of one event shows, concealed and in words. Pure but for the addresses of links."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.calls import KEY_HEADER, phones_of, shown
from bridge.concealing import Concealer
from bridge.ledger import StopMark
from bridge.ledger.do_not_call import EVERY_CAMPAIGN
from bridge.model import Entry, Event, HttpRequest
from bridge.rules import Rule
from bridge.telling import Tone, what_happened
from bridge.timeline import Timeline
from bridge.web.ops.addresses import event_address
from bridge.web.ops.rows import shown_phone

_LONGEST_VALUE = 120
_TONES = {
    **dict.fromkeys(("made", "answered"), Tone.GOOD),
    **dict.fromkeys(("not_now", "unknown", "not sent"), Tone.DOUBTFUL),
    **dict.fromkeys(("refused", "cannot", "failed", "duplicated"), Tone.BAD),
}
_READ = ("matches", "where ", "needs ")
_ENDS = {"done": Tone.GOOD, "failed": Tone.BAD}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One line of what happened; ``kind`` is a tone."""

    at: datetime
    title: str
    detail: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one rule said, and what it was asked with: paths of the event document and what stood there."""

    said: str
    matched: bool
    inputs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request as text: its first line with the headers, and its body."""

    head: str
    body: str
    key: str


def concealer(timeline: Timeline, *, off: bool = False) -> Concealer:
    """For everything on the page, so that nobody on it is hidden in one place and shown in another."""
    entries = timeline.seen
    bound = [phone for entry in entries if entry.request for phone in phones_of(entry.request)]
    jobs = [job for entry in entries for job in entry.jobs]
    return Concealer.of([entry.event for entry in entries], numbers=(*timeline.phones, *bound), ids=jobs, off=off)


def title(entry: Entry, conceal: Concealer) -> str:
    """Who it is about, else what."""
    person = entry.event.contact
    if person and (person.name or person.phone):
        return conceal.theirs(person.name) if person.name else shown_phone(person.phone or "", conceal)
    return conceal.ours(what_happened(entry.event)) if entry.event.entity else entry.event.type


def sentence(timeline: Timeline, conceal: Concealer) -> list[tuple[str, str]]:
    """The first sentence in pieces: text, and the address of the event it names, or nothing."""
    keys = "|".join(re.escape(key) for key in timeline.told.named)
    pieces = re.split(f"({keys})", timeline.told.text) if keys else [timeline.told.text]
    return [(conceal.ours(piece), event_address(piece) if piece in timeline.told.named else "") for piece in pieces if piece]


def facts(timeline: Timeline, conceal: Concealer) -> list[tuple[str, str]]:
    """What is known in a word each; what is not known is left out."""
    entry, event = timeline.entry, timeline.entry.event
    person = event.contact
    told = {
        "Type": event.type,
        "Record": f"{event.entity.type} {event.entity.id}" if event.entity else "",
        "Stage": " → ".join(filter(None, (event.stage.before, event.stage.after))) if event.stage else "",
        "E-mail": (person and person.email) or "",
        "Time zone": (person and person.time_zone) or "",
        "Source": event.source if event.source == event.kind else f"{event.source} ({event.kind})",
        "Rule": entry.rule or "",
        "Campaign": entry.campaign or "",
        "Call job": ", ".join(entry.jobs),
        "Sent again": f"{_times(entry.duplicates)}, and turned away" if entry.duplicates else "",
        "Crashes": f"{entry.crashes} times a worker came to no end with it" if entry.crashes else "",
        "Event key": entry.key,
        "Fact": event.fact,
        "Refs": ", ".join(timeline.refs),
        "Delivery": entry.delivery,
    }
    return [(name, conceal.ours(value)) for name, value in told.items() if value]


def moments(timeline: Timeline, conceal: Concealer, now: datetime) -> list[Moment]:
    """What happened to the event, in order."""
    return sorted(_moments(timeline, conceal, now), key=lambda moment: moment.at)


def _moments(timeline: Timeline, conceal: Concealer, now: datetime) -> Iterator[Moment]:
    entry, event = timeline.entry, timeline.entry.event
    if event.occurred_at:
        yield Moment(at=event.occurred_at, title=f"It happened in {event.source}", detail=conceal.ours(what_happened(event)))
    yield Moment(at=entry.accepted_at, title=f"Came in from {event.source}", detail=_redeliveries(entry))
    for attempt in entry.attempts:
        yield _attempt(attempt, conceal)
    for act in timeline.acts:
        if entry.key in act.targets:
            yield Moment(at=act.at, title=f"{act.by} {act.what}", detail=conceal.theirs(act.note))
    if entry.planned_at and entry.planned_at != timeline.due:
        yield Moment(at=entry.planned_at, title="Was to be called", detail="when the rule's call hours had begun")
    if entry.ended_at:
        yield Moment(at=entry.ended_at, title=entry.status.capitalize(), detail=conceal.ours(entry.reason), kind=_ENDS.get(entry.status, ""))
    elif timeline.due:
        late = timeline.due < now
        title = "Somebody should have looked at it" if late else "Goes on by itself"
        yield Moment(at=timeline.due, title=title, detail=conceal.ours(entry.reason), kind=Tone.DOUBTFUL)
    yield from _cancels(timeline, conceal)


def _cancels(timeline: Timeline, conceal: Concealer) -> Iterator[Moment]:
    """What became of this event's call by the doing of others."""
    for other in timeline.others.entries:
        for job in other.cancels:
            if job["id"] in timeline.entry.jobs and "outcome" in job:
                by = f"by {conceal.ours(other.key)}: {conceal.ours(what_happened(other.event))}"
                yield Moment(at=other.ended_at or other.accepted_at, title=f"Call job {job['id']}: {job['outcome']}", detail=by)


def _redeliveries(entry: Entry) -> str:
    if not entry.duplicates:
        return ""
    return f"and {_times(entry.duplicates)} more, which changed nothing"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _attempt(attempt: Mapping[str, Any], conceal: Concealer) -> Moment:
    status = f"HTTP {attempt['status']}" if attempt.get("status") else ""
    took, worker = f"took {attempt['seconds'] * 1000:,.0f} ms", f"worker {attempt['worker']}" if attempt.get("worker") else ""
    note = conceal.ours(attempt.get("note") or "")
    outcome = attempt["outcome"].replace("_", " ")
    return Moment(
        at=datetime.fromisoformat(attempt["at"]),
        title=f"{attempt['what'].capitalize()}: {outcome}",
        detail=" · ".join(filter(None, (note, status, took, worker))),
        kind=_TONES.get(attempt["outcome"], ""),
    )


def history(timeline: Timeline, conceal: Concealer) -> list[Moment]:
    """What operators did about this person's numbers, the newest first."""
    return [
        Moment(at=act.at, title=f"{act.by} {act.what}", detail=conceal.theirs(act.note))
        for act in timeline.acts
        if timeline.entry.key not in act.targets
    ]


def obstacles(timeline: Timeline, conceal: Concealer, now: datetime) -> list[Moment]:
    """What stands against calls of this person now."""
    listed = [
        Moment(
            at=each.added,
            title=f"{shown_phone(each.phone, conceal)} is on the do-not-call list{_in(each.campaign)}",
            detail=conceal.theirs(", ".join(filter(None, (each.source, each.note)))),
            kind=Tone.BAD,
        )
        for each in timeline.unwanted
        if each.holds(now)
    ]
    return listed + _stops(timeline.marks, conceal)


def _stops(marks: Sequence[StopMark], conceal: Concealer) -> list[Moment]:
    """The stop marks, those of one event in one line."""
    grouped: dict[tuple[datetime, str, str], list[str]] = {}
    for mark in marks:
        grouped.setdefault((mark.at, mark.campaign, mark.by), []).append(mark.ref)
    return [
        Moment(at=at, title=f"Calls for {conceal.ours(', '.join(refs))} on anything older are stopped{_in(campaign)}", detail=conceal.ours(by))
        for (at, campaign, by), refs in grouped.items()
    ]


def _in(campaign: str) -> str:
    return "" if campaign == EVERY_CAMPAIGN else f" in campaign {campaign}"


def verdicts(entry: Entry, rules: Sequence[Rule], conceal: Concealer) -> list[Verdict]:
    """Rule by rule, as it was decided; with what the rules of today read in the event."""
    document = entry.event.document()
    by_name = {rule.name: rule for rule in rules}
    return [
        Verdict(
            said=conceal.ours(line),
            matched=line.endswith(": matches"),
            inputs=tuple(_inputs(by_name.get(line.partition(": ")[0]), document, conceal)) if _was_read(line) else (),
        )
        for line in entry.trace
    ]


def _was_read(line: str) -> bool:
    """A rule that is for another source or type was not asked any further."""
    return line.partition(": ")[2].startswith(_READ)


def _inputs(rule: Rule | None, document: Mapping[str, Any], conceal: Concealer) -> Iterator[tuple[str, str]]:
    paths = {path for expression in (rule.expressions if rule else ()) for path in expression.paths}
    for path in sorted(paths):
        yield ".".join(path), conceal.theirs(_read(document, path))


def _read(document: Any, path: Sequence[str]) -> str:
    for name in path:
        if not isinstance(document, Mapping) or name not in document:
            return "absent"
        document = document[name]
    written = json.dumps(document, ensure_ascii=False)
    return written if len(written) <= _LONGEST_VALUE else f"{written[:_LONGEST_VALUE]}…"


def sent(request: HttpRequest | None, base_url: str, conceal: Concealer) -> Sent | None:
    """A request of the Calls API, without token and numbers."""
    if request is None:
        return None
    told = shown(request, base_url, mask_phones=not conceal.off)
    key = conceal.ours(told["headers"].get(KEY_HEADER, ""))
    lines = [f"{told['method']} {conceal.theirs(told['url'])}", *(f"{name}: {conceal.ours(value)}" for name, value in told["headers"].items())]
    return Sent(head="\n".join(lines), body=conceal.theirs(told["body"]), key=key)


def document_text(event: Event, conceal: Concealer) -> str:
    """The event document, as rules read it."""
    return conceal.theirs(json.dumps(event.document(), ensure_ascii=False, indent=2))
