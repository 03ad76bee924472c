"""How commands look for events: a page, more pages, or the few that somebody names to have something done to them."""

from collections.abc import Iterator
from dataclasses import dataclass

from bridge.cli.tables import busy
from bridge.errors import Unusable
from bridge.filters import LONGEST, Filter, parse
from bridge.finding import Finder, Found
from bridge.ledger import Cursor
from bridge.model import Entry
from bridge.wiring import clock

NOT_FOUND = "Nothing in the ledger matches. Try the event id, a phone number with its country code, or a ref such as deal:555."
MOST_NAMED = 20
"""More events than this are not meant by one word that names them one by one."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found, and where more begin; None when there are no more. ``incomplete``: what was not looked for."""

    entries: tuple[Entry, ...]
    next: Cursor | None
    understood: str
    incomplete: str = ""


def look(finder: Finder, sought: Filter, limit: int, after: Cursor | None = None) -> Looked:
    """The newest so many. A page that gave up early is gone on from, however far back that leads."""
    entries: list[Entry] = []
    understood = incomplete = ""
    with busy("looking …"):
        while True:
            found = finder.page(sought, after, limit - len(entries))
            entries += found.page.entries
            after, understood, incomplete = found.page.next, found.understood, found.sought.incomplete
            if after is None or len(entries) >= limit:
                break
        more = after if after and any(page.page.entries for page in pages(finder, sought, 1, after)) else None
    return Looked(tuple(entries), more, understood, incomplete)


def pages(finder: Finder, sought: Filter, size: int, after: Cursor | None = None) -> Iterator[Found]:
    """Page by page to the end; some may be empty."""
    while True:
        found = finder.page(sought, after, size)
        yield found
        after = found.page.next
        if after is None:
            return


def meant(finder: Finder, written: str) -> Filter:
    """An event's key or id as it stands, or else whatever could be written in the box. Raises ``Unusable``."""
    literal = Filter(text=_encodable(written))
    if len(written) > LONGEST or finder.terms(literal).keys:
        return literal
    return parse(literal.text, clock())


def named(finder: Finder, written: str) -> tuple[Entry, ...]:
    """The events of this id, number or ref. Nothing is guessed from names and reasons: something is about to be done to these.

    Raises ``Unusable`` when they are too many to be meant.
    """
    text = _encodable(written)
    ways = [Filter(event=(text,))]
    if not any(char.isalpha() for char in text.removeprefix("phone:")):
        ways.append(Filter(phone=(text.removeprefix("phone:"),)))
    if ":" in text:
        ways.append(Filter(record=(text,)))
    for sought in ways:
        found = look(finder, sought, MOST_NAMED)
        if found.next:
            raise Unusable(f"'{written}' is more than {MOST_NAMED} events: name them by their ids, or plan a replay of many")
        if found.entries:
            return found.entries
    return ()


def _encodable(written: str) -> str:
    """What the shell could not decode becomes a question mark."""
    return written.encode("utf-8", "replace").decode()
