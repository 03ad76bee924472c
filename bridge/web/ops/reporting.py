"""The platform's own report of an event's call, asked for at the push of a button: a worker reads it, since nothing here can call out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import request

from bridge.calls import phones_of
from bridge.concealing import Concealer
from bridge.ledger import Asks
from bridge.model import Entry
from bridge.operating import Operating
from bridge.timeline import Timeline
from bridge.web.ops.platform import ATTEMPTS, JOBS, Question, Table, answers, table

_JOB, _ATTEMPT = ({name: word for name, word in columns.items() if name != "phone"} for columns in (JOBS, ATTEMPTS))
"""Whose they are is known on this page."""


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
    return str(Question(tuple(operating.ask(what, campaign, by, **about) for what in ("job_report", "attempt_report")), now))


def report(timeline: Timeline, asks: Asks, campaigns: Sequence[str], conceal: Concealer, now: datetime) -> Report:
    """What there is of the report that this page's address asks for."""
    can = can_ask(timeline.entry, campaigns)
    question = Question.read(request.args.get("report", "")) if can else None
    found = answers(question, asks, now)
    captions = (("Call jobs", _JOB), ("Attempts to reach the person", _ATTEMPT))
    tables = tuple(table(caption, columns, answer, conceal) for (caption, columns), answer in zip(captions, found.all, strict=False))
    return Report(can=can, waits=found.waits, late=found.late, tables=tables)
