"""The form in which Redis keeps what travels in and out of the ledger, and what the scripts are given."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from bridge.ledger import layout
from bridge.ledger.packing import pack, unpack
from bridge.ledger.records import Beginning, CallGate, Mark, NewEntry, Record, millis
from bridge.model import Entry, Event, HttpRequest, Status, from_ms, to_ms
from bridge.terms import cause, cause_term, issue_of, terms_of

ATTEMPTS_KEPT = 20

PACKED = ("document", "fact", "attempts", "request", "trace", "jobs", "cancels")
"""What only those who look at an event read. When it is finished they stand together in one field, ``packed``."""

_ENCODER = json.JSONEncoder(separators=(",", ":"), default=list)


@dataclass(slots=True)
class Texts:
    """Texts that a script is given as they are, behind its other arguments; the JSON of those says where they stand. ``first``: the place of
    the first, counted from 1 as Lua does.
    """

    first: int
    all: list[str | bytes] = field(default_factory=list)

    def put(self, *texts: str | bytes) -> tuple[int, int]:
        """The places of the first and of the last of these."""
        begins = self.first + len(self.all)
        self.all += texts
        return begins, begins + len(texts) - 1


def read_entry(key: str, row: Mapping[str, str], was: Status | None = None) -> Entry:
    """An event's hash as a value. ``was`` is the status a claim found it in."""
    if "packed" in row:
        row = {**unpacked(row["packed"]), **row}
    window = timedelta(milliseconds=int(row.get("window", 0))) or None
    event = Event.from_document(json.loads(row["document"]), row["fact"], window, forget="forget" in row)
    return Entry(
        key=key,
        status=Status(row["status"]),
        was=was or Status(row["status"]),
        reason=row.get("reason", ""),
        event=event,
        rule=row.get("rule"),
        trace=tuple(json.loads(row.get("trace", "[]"))),
        delivery=row.get("delivery", ""),
        accepted_at=_moment(row.get("accepted")) or event.received_at,
        request=HttpRequest(**json.loads(row["request"])) if "request" in row else None,
        open="open" in row,
        asked_at=_moment(row.get("asked")),
        tried_at=_moment(row.get("tried")),
        since=_moment(row.get("since")),
        jobs=tuple(json.loads(row.get("jobs", "[]"))),
        campaign=row.get("campaign"),
        cancels=tuple(json.loads(row.get("cancels", "[]"))),
        tries=int(row.get("tries", 0)),
        crashes=int(row.get("crashes", 0)),
        duplicates=int(row.get("duplicates", 0)),
        attempts=tuple(json.loads(row.get("attempts", "[]"))),
        ended_at=_moment(row.get("ended")),
        replay=row.get("replay"),
        planned_at=_moment(row.get("planned")),
    )


def found(entry: Entry) -> dict[str, Any]:
    """How an event is found, as the scripts take it."""
    issue = issue_of(entry)
    listed = entry.status not in {Status.QUEUED, Status.DONE}
    return {
        "source": entry.event.source,
        "campaign": entry.campaign or "",
        "status": entry.status,
        "terms": terms_of(entry),
        "cause": [cause_term(entry.reason), cause(entry.reason)] if listed else False,
        "issue": {
            "fingerprint": issue.fingerprint,
            "source": issue.source,
            "campaign": issue.campaign,
            "cause": issue.cause,
            "reason": entry.reason,
        }
        if issue
        else False,
    }


def as_recorded(record: Record) -> Entry:
    """The event as it is when the record is written."""
    entry = record.entry
    return replace(
        entry,
        status=record.status,
        reason=record.reason,
        rule=record.rule or entry.rule,
        campaign=record.campaign or entry.campaign,
        jobs=entry.jobs if record.jobs is None else record.jobs,
    )


def as_accepted(new: NewEntry, now: datetime) -> Entry:
    """A new event as the ledger will hold it."""
    return Entry(
        key=new.key,
        status=new.status,
        was=new.status,
        reason=new.reason,
        event=new.event,
        accepted_at=now,
        rule=new.rule,
        trace=new.trace,
        replay=new.replay,
    )


def attempts_counted(records: Sequence[Record]) -> dict[str, int]:
    """How often what was tried, and what came of it, as the totals count it."""
    tried = [
        f"attempts|{record.campaign or record.entry.campaign or record.entry.event.source}|{attempt.what}|{attempt.outcome}"
        for record in records
        for attempt in record.attempts
    ]
    return dict(Counter(tried))


def new_fields(new: NewEntry, before: Mapping[str, str] | None = None) -> list[str | bytes]:
    """The hash of a new event, as Redis takes it; ``before``: what was packed of it when it was finished last."""
    fields = _present(
        {
            **(before or {}),
            "status": new.status,
            "reason": new.reason,
            **_told(new.event),
            "rule": new.rule,
            "trace": written(new.trace),
            "replay": new.replay,
        }
    )
    return _flat(fields, [name for name in PACKED if name in fields] if new.status.finished else ())


def begin_fields(beginning: Beginning) -> list[str | bytes]:
    """What is noted before a request goes out: from here on an answer is owed, and every retry sends these bytes."""
    return _flat(
        _present(
            {
                **(_told(beginning.entry.event) if beginning.learned else {}),
                "rule": beginning.rule,
                "trace": written(beginning.trace) if beginning.trace and beginning.trace != beginning.entry.trace else None,
                "request": _request(beginning.request),
                "open": "1" if beginning.call else None,
                "campaign": beginning.call.campaign if beginning.call else None,
                "cancels": written(beginning.cancels) if beginning.cancels is not None else None,
            }
        )
    )


def record_fields(record: Record) -> tuple[list[str | bytes], list[str]]:
    """What an attempt leaves behind, and the fields that are to go: what was packed is not kept twice, and what was not stays as it is."""
    entry = record.entry
    attempts = (*entry.attempts, *(attempt.document() for attempt in record.attempts))[-ATTEMPTS_KEPT:]
    trace, jobs = record.trace or entry.trace, entry.jobs if record.jobs is None else record.jobs
    cancels = entry.cancels if record.cancels is None else record.cancels
    fields = _present(
        {
            "status": record.status,
            "reason": record.reason,
            **_told(entry.event),
            "rule": record.rule,
            "trace": written(trace) if trace else None,
            "attempts": written(attempts),
            "request": _request(entry.request) if record.status.finished else None,
            "jobs": written(jobs) if jobs else None,
            "campaign": record.campaign,
            "cancels": written(cancels) if cancels else None,
            "planned": str(to_ms(record.planned)) if record.planned else None,
        }
    )
    packed = [name for name in PACKED if name in fields] if record.status.finished else []
    return _flat(fields, packed), [*record.gone, *packed]


def _request(request: HttpRequest | None) -> str | None:
    if request is None:
        return None
    return written({"method": request.method, "url": request.url, "headers": dict(request.headers), "body": request.body})


def _told(event: Event) -> dict[str, str | None]:
    """What is known of an event; a look-up may have made it more."""
    window = millis(event.window) if event.window else 0  # a look-up may have ended it
    return {"document": written(event.document()), "fact": event.fact, "window": str(window), "forget": "1" if event.forget else None}


def gate_arguments(gate: CallGate) -> dict[str, Any]:
    return {
        "source": gate.source,
        "campaign": gate.campaign,
        "phone": gate.phone,
        "at": to_ms(gate.happened_at),
        "fact": gate.fact,
        "fact_ms": millis(gate.fact_window) if gate.fact_window else False,
        "cooldown": gate.cooldown_ms,
        "restarts": gate.restarts,
    }


def mark_arguments(marks: Sequence[Mark]) -> list[list[str]]:
    return [[mark.ref, mark.campaign, str(to_ms(mark.at)), "+" if mark.restarts else ""] for mark in marks]


def qualified(event: Event) -> list[str]:
    return layout.qualify(event.source, event.refs)


def _moment(milliseconds: str | None) -> datetime | None:
    return from_ms(float(milliseconds)) if milliseconds else None


def written(value: Any) -> str:
    """As JSON, without blanks and in ASCII; what is no JSON is written as a list of what is in it."""
    return _ENCODER.encode(value)


def _present(fields: Mapping[str, str | None]) -> dict[str, str]:
    return {name: str(value) for name, value in fields.items() if value is not None}


def _flat(fields: Mapping[str, str], packed: Sequence[str] = ()) -> list[str | bytes]:
    """Field, value …, and these of them packed."""
    kept: list[str | bytes] = [text for name, value in fields.items() if name not in packed for text in (name, value)]
    return [*kept, "packed", pack("\n".join(f"{name} {fields[name]}" for name in packed))] if packed else kept


def unpacked(packed: str) -> dict[str, str]:
    """The fields that were packed together. They are JSON in ASCII, or keys, so none has a line's end in it."""
    return dict(line.split(" ", 1) for line in unpack(packed).split("\n"))
