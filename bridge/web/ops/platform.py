"""What a worker was asked to do or to read at the platform, and what came of it: the web process itself cannot call out.

The address of a page carries what it waits for, so that reloading it, or sending it to a colleague, asks nothing again.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bridge.concealing import Concealer
from bridge.ledger import Asks
from bridge.ledger.asks import TOO_OLD
from bridge.model import from_ms, to_ms

PATIENCE = TOO_OLD + timedelta(seconds=5)

_ANYBODY = Concealer()
_WRITTEN = re.compile(r"((?:[0-9a-f]{32}\.){1,4})([0-9]{1,14})")


@dataclass(frozen=True, slots=True)
class Question:
    """``ids`` of what was asked, and when."""

    ids: tuple[str, ...]
    at: datetime

    def __str__(self) -> str:
        return ".".join([*self.ids, str(to_ms(self.at))])

    @classmethod
    def read(cls, written: str) -> "Question | None":
        """None for what is no such thing."""
        found = _WRITTEN.fullmatch(written)
        return cls(tuple(found[1].strip(".").split(".")), from_ms(int(found[2]))) if found else None


@dataclass(frozen=True, slots=True)
class Answers:
    """``all`` in the order that was asked in, empty while one is missing; ``late``: none is to be expected any more."""

    all: tuple[Mapping[str, Any], ...] = ()
    waits: bool = False
    late: bool = False


def answers(question: Question | None, asks: Asks, now: datetime) -> Answers:
    """What there is by now."""
    if question is None:
        return Answers()
    found = [asks.answer(each) for each in question.ids]
    there = tuple(each for each in found if each is not None)
    if len(there) == len(found):
        return Answers(there)
    late = now - question.at > PATIENCE
    return Answers(waits=not late, late=late)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns; ``told`` says in one sentence why there are none."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    told: str = ""


JOBS = {
    "id": "Call job",
    "phone": "Number",
    "status": "Status",
    "attempts": "Attempts",
    "redial": "Redial",
    "created_at": "Made",
    "finished_at": "Finished",
    "talked_seconds": "Talked, seconds",
    "data": "Result",
}
ATTEMPTS = {
    "job_id": "Call job",
    "phone": "Number",
    "number": "Attempt",
    "status": "Status",
    "result": "Result",
    "started_at": "Began",
    "finished_at": "Ended",
    "talked_seconds": "Talked, seconds",
    "data": "Result of the script",
}
"""What the platform reports of each, and under which words it is shown."""


def table(caption: str, columns: Mapping[str, str], answer: Mapping[str, Any], conceal: Concealer = _ANYBODY) -> Table:
    """A report, numbers concealed; only the columns that hold something."""
    rows = answer.get("data") or [] if answer.get("good") else []
    told = "" if rows else "The platform knows of none." if answer.get("good") else conceal.theirs(str(answer.get("told", "")))
    used = [name for name in columns if any(row.get(name) not in (None, "", {}, []) for row in rows)]
    cells = tuple(tuple(_cell(name, row.get(name), conceal) for name in used) for row in rows)
    return Table(caption, tuple(columns[name] for name in used), cells, told)


def counted(answer: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """A campaign's own counts, under the words that the platform has for them."""
    return [(_in_words(name), f"{count:,}") for name, count in ((answer.get("data") or {}).get("counts") or {}).items()]


def _in_words(name: str) -> str:
    """``totalNumbers`` is total numbers."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower().replace("asr", "ASR")


def _cell(name: str, value: Any, conceal: Concealer) -> str:
    if isinstance(value, Mapping):
        value = ", ".join(f"{key}: {told}" for key, told in value.items())
    shown = "–" if value in (None, "") else str(value)
    return shown if name in _IDS else conceal.theirs(shown)


_IDS = frozenset({"id", "job_id", "created_at", "finished_at", "started_at"})
"""Never a number that could be called, though some look like one."""
