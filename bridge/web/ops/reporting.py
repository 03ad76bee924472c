"""The platform's own report of an event's call, asked for at the push of a button: a worker reads it, since nothing here can call out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import request

from bridge.calls import phones_of
from bridge.concealing import Concealer
from bridge.ledger import Asks
from bridge.ledger.asks import TOO_OLD
from bridge.model import Entry, from_ms, to_ms
from bridge.operating import Operating
from bridge.timeline import Timeline

PATIENCE = TOO_OLD + timedelta(seconds=5)

_ASKED = re.compile(r"([0-9a-f]{32})\.([0-9a-f]{32})\.([0-9]{1,14})")
_WHATS = ("job_report", "attempt_report")
_JOB = {
    "id": "Call job",
    "status": "Status",
    "attempts": "Attempts",
    "redial": "Redial",
    "created_at": "Made",
    "finished_at": "Finished",
    "talked_seconds": "Talked, seconds",
    "data": "Result",
}
_ATTEMPT = {
    "job_id": "Call job",
    "number": "Attempt",
    "status": "Status",
    "result": "Result",
    "started_at": "Began",
    "finished_at": "Ended",
    "talked_seconds": "Talked, seconds",
    "data": "Result of the script",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A part of the report: rows under columns, or one sentence why there are none."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    told: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """``can``: there is something to ask about. ``waits``: an answer is on its way."""

    can: bool
    waits: bool = False
    late: bool = False
    tables: tuple[Table, ...] = ()


def can_ask(entry: Entry, campaigns: Sequence[str]) -> bool:
    return entry.campaign in campaigns and bool(entry.jobs or (entry.request and phones_of(entry.request)))


def ask(entry: Entry, operating: Operating, by: str, now: datetime) -> str:
    """Have the platform asked; what the address of the page must carry to show the answer."""
    campaign = entry.campaign or ""
    about = {"ids": list(entry.jobs)} if entry.jobs else {"phones": list(phones_of(entry.request)) if entry.request else []}
    return ".".join([*(operating.ask(what, campaign, by, **about) for what in _WHATS), str(to_ms(now))])


def report(timeline: Timeline, asks: Asks, campaigns: Sequence[str], conceal: Concealer, now: datetime) -> Report:
    """What there is of the report that this page's address asks for."""
    can = can_ask(timeline.entry, campaigns)
    asked = _ASKED.fullmatch(request.args.get("report", ""))
    if not (can and asked):
        return Report(can=can)
    answers = [asks.answer(asked[1]), asks.answer(asked[2])]
    if None in answers:
        late = now - from_ms(int(asked[3])) > PATIENCE
        return Report(can=can, waits=not late, late=late)
    jobs, attempts = (answer or {} for answer in answers)
    return Report(can=can, tables=(_table("Call jobs", _JOB, jobs, conceal), _table("Attempts to reach the person", _ATTEMPT, attempts, conceal)))


def _table(caption: str, columns: Mapping[str, str], answer: Mapping[str, Any], conceal: Concealer) -> Table:
    """Only the columns that hold something."""
    rows = answer.get("data") or [] if answer.get("good") else []
    told = "" if rows else conceal.theirs(answer["told"]) if not answer.get("good") else "The platform knows of none."
    used = [name for name in columns if any(row.get(name) not in (None, "", {}, []) for row in rows)]
    cells = tuple(tuple(_cell(row.get(name), conceal) for name in used) for row in rows)
    return Table(caption=caption, columns=tuple(columns[name] for name in used), rows=cells, told=told)


def _cell(value: Any, conceal: Concealer) -> str:
    if isinstance(value, Mapping):
        value = ", ".join(f"{name}: {told}" for name, told in value.items())
    return conceal.theirs("–" if value in (None, "") else str(value))
