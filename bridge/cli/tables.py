"""How things look on a terminal: colours where there is one, tables that fit it, and nothing that a stranger wrote can take it over."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from os import environ
from threading import Timer

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.model import Entry, Status
from bridge.phones import mask

COLOURS = {
    Status.QUEUED: "cyan",
    Status.RUNNING: "cyan",
    Status.WAITING: "cyan",
    Status.UNKNOWN: "magenta",
    Status.PARKED: "yellow",
    Status.DONE: "green",
    Status.SUPPRESSED: "yellow",
    Status.FAILED: "red",
    Status.IGNORED: "bright_black",
}
DIM = "bright_black"

_UNKNOWN_WIDTH = 160
_NARROW = 90
_SOON = 0.7
_WHEN, _STATUS, _WHAT = 16, 10, 18


def out(*, stderr: bool = False) -> Console:
    """Where a command writes for people. A pipe has no width: it gets one that holds a table."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in environ else _UNKNOWN_WIDTH
    return Console(stderr=stderr, highlight=False, emoji=False, markup=False, width=width)


def shown(written: object) -> str:
    """What somebody else wrote, without what would move the cursor or turn the line around."""
    return "".join(char if char.isprintable() else " " for char in str(written))


def when(moment: datetime | None) -> str:
    """``2026-11-23 08:40``, in UTC as everywhere; the heading says so."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}" if moment else ""


def status_text(status: Status) -> Text:
    return Text(status.value, COLOURS[status])


def table(*columns: str) -> Table:
    """Long words are folded and nothing is cut off."""
    made = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def facts(rows: Iterable[tuple[str, object]]) -> Table:
    """Names and values below each other; what is empty is left out."""
    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column(style=DIM, no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        if value is not None and value != "":
            made.add_row(name, value if isinstance(value, Text) else shown(value))
    return made


def show_events(console: Console, entries: Iterable[Entry], *, header: bool = True) -> None:
    """A line for each, in a table; below each other where the terminal is too narrow for one."""
    if console.width < _NARROW:
        for entry in entries:
            console.print(_card(entry))
        return
    made = _event_table(header=header)
    for entry in entries:
        first = (when(entry.accepted_at), status_text(entry.status), _person(entry))
        made.add_row(*first, shown(entry.event.type), shown(entry.rule or ""), _why(entry))
    if made.row_count:
        console.print(made)


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Says on a terminal what is being waited for, once it takes long enough to be asked about."""
    console = out(stderr=True)
    if not console.is_terminal:
        yield
        return
    status = console.status(what)
    soon = Timer(_SOON, status.start)
    soon.start()
    try:
        yield
    finally:
        soon.cancel()
        soon.join()
        status.stop()


def _event_table(*, header: bool) -> Table:
    """Of fixed proportions, so that one page stands below the other."""
    made = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0), expand=True, show_header=header)
    made.add_column("when (UTC)", width=_WHEN, no_wrap=True)
    made.add_column("status", width=_STATUS, no_wrap=True)
    made.add_column("person", ratio=2, overflow="fold")
    made.add_column("what", width=_WHAT, overflow="fold")
    made.add_column("rule", ratio=2, overflow="fold")
    made.add_column("reason, and the event's key", ratio=6, overflow="fold")
    return made


def _person(entry: Entry) -> Text:
    contact = entry.event.contact
    parts = [contact.name, mask(contact.phone) if contact.phone else None] if contact else []
    return Text("\n".join(shown(part) for part in parts if part))


def _why(entry: Entry) -> Text:
    return Text.assemble(shown(entry.reason), "\n", (shown(entry.key), DIM))


def _card(entry: Entry) -> Text:
    person = _person(entry).plain.replace("\n", " ")
    first = Text.assemble(when(entry.accepted_at), "  ", status_text(entry.status), f"  {person}" if person else "")
    rule = f"  rule: {entry.rule}" if entry.rule else ""
    return Text.assemble(first, f"\n  {shown(entry.event.type)}{shown(rule)}\n  ", (shown(entry.key), DIM), f"\n  {shown(entry.reason)}\n")
