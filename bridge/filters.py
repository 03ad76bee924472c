"""What operators look for, as they write it: the one box, the options of a command, the parameters of the API. Pure.

    status:failed source:hubspot since:24h "Alex Doe"

Words without a name in front are looked for wherever they fit: a phone number in any spelling, a name, an id, a reason. Values of one name are
alternatives (``status:failed,unknown``), names narrow each other.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from bridge.errors import Unusable
from bridge.model import Status, iso, unique
from bridge.quantities import parse_duration

_PIECE = re.compile(r"""\s*(?:(?P<name>[a-z]+):)?(?:"(?P<quoted>[^"]*)"|(?P<plain>\S+))""")
_PLAIN = re.compile(r'[^\s",]+')
LONGEST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which events are meant. ``text`` is what was written without a name; tuples are alternatives; ``since`` and ``until`` bound acceptance."""

    text: str = ""
    status: tuple[Status, ...] = ()
    source: tuple[str, ...] = ()
    campaign: tuple[str, ...] = ()
    rule: tuple[str, ...] = ()
    phone: tuple[str, ...] = ()
    name: tuple[str, ...] = ()
    record: tuple[str, ...] = ()
    event: tuple[str, ...] = ()
    job: tuple[str, ...] = ()
    reason: str = ""
    issue: tuple[str, ...] = ()
    replay: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it means every event there is."""
        return self == Filter()

    def document(self) -> dict[str, Any]:
        """As JSON has it: what is not asked for is left out."""
        told = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items() if value}
        return {name: iso(value) if isinstance(value, datetime) else value for name, value in told.items()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any], now: datetime) -> "Filter":
        """The inverse of :meth:`document`; values may also be written as in the box. Raises ``Unusable``."""
        found = cls()
        for name, value in document.items():
            for each in value if isinstance(value, list | tuple) else [value]:
                found = _with(found, name, str(each), now)
        return found

    def __str__(self) -> str:
        """As it would be written in the box."""
        parts = [_quoted(self.text)] if self.text and ":" in self.text else [self.text] if self.text else []
        for name, value in self.document().items():
            values = value if isinstance(value, list) else [value]
            parts += [f"{name}:{_quoted(each)}" for each in values] if name != "text" else []
        return " ".join(parts)


_SINGLE = frozenset({"text", "reason", "since", "until"})
NAMES = tuple(each.name for each in fields(Filter) if each.name != "text")


def parse(written: str, now: datetime) -> Filter:
    """What somebody wrote into the box. Raises ``Unusable``, which says what could be written instead."""
    if len(written) > LONGEST:
        raise Unusable(f"that is longer than {LONGEST} characters: look for less at once")
    found, free = Filter(), []
    for name, value, quoted in _pieces(written):
        if name in NAMES:
            for each in [value] if quoted or name in _SINGLE else value.split(","):
                found = _with(found, name, each, now)
        else:
            free.append(f"{name}:{value}" if name else value)
    return replace(found, text=" ".join(" ".join(free).split()))


def _pieces(written: str) -> Iterator[tuple[str, str, bool]]:
    for piece in _PIECE.finditer(written):
        quoted = piece["quoted"] is not None
        yield piece["name"] or "", piece["quoted"] if quoted else piece["plain"], quoted


def _with(found: Filter, name: str, value: str, now: datetime) -> Filter:
    if name not in (*NAMES, "text"):
        raise Unusable(f"'{name}' is nothing that events are found by; there are {', '.join(NAMES)}", field=name)
    value = value.strip()
    if not value:
        raise Unusable(f"{name}: what is looked for is missing", field=name)
    changed: dict[str, Any] = {name: _entered(name, value, now)}
    if name not in _SINGLE:
        changed[name] = unique((*getattr(found, name), changed[name]))
    return replace(found, **changed)


def _entered(name: str, value: str, now: datetime) -> str | datetime:
    if name in {"since", "until"}:
        return read_moment(value, now, name)
    return _status(value) if name == "status" else value


def _status(value: str) -> Status:
    try:
        return Status(value.lower())
    except ValueError:
        raise Unusable(f"'{value}' is no status; there are {', '.join(Status)}", field="status") from None


def read_moment(value: str, now: datetime, name: str) -> datetime:
    """``24h`` ago, or an ISO 8601 time or date; without a zone it is UTC. Raises ``Unusable``."""
    try:
        return now - parse_duration(value)
    except (ValueError, OverflowError):
        pass
    try:
        found = datetime.fromisoformat(value)
        found = found.replace(tzinfo=now.tzinfo) if found.tzinfo is None else found
        iso(found)
    except (ValueError, OverflowError):
        raise Unusable(f"{name}: '{value}' is no time: write 24h for a day ago, or 2026-11-23 or 2026-11-23T08:40:00Z", field=name) from None
    return found


def _quoted(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else f'"{value.replace(chr(34), chr(39))}"'
