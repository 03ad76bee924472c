"""Before and after: what a replay would change, side by side. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.calls import phones_of
from bridge.concealing import Concealer
from bridge.foreseeing import Effect, Foreseen
from bridge.keys import digest
from bridge.model import Entry, Event
from bridge.phones import mask
from bridge.telling import what_happened

ENDS = frozenset({Effect.SUPPRESSED, Effect.IGNORED, Effect.FAILED})
"""A replay that comes to one of these calls nobody, and stops no call."""

NOTHING = "–"

_MOST = 40
_LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing as it is and as it would be."""

    name: str
    before: str
    after: str

    @property
    def differs(self) -> bool:
        return self.before != self.after


def compared(entry: Entry, foreseen: Foreseen, conceal: Concealer) -> list[Change]:
    """What counts about an event, whether it changes or not: how it reads, by which rule, and what comes of it."""
    event = foreseen.event or entry.event
    rows = [
        ("Reads as", what_happened(entry.event), what_happened(event)),
        ("Person", conceal.theirs(_person(entry.event)), conceal.theirs(_person(event))),
        ("Rule", entry.rule or NOTHING, foreseen.rule or NOTHING),
        ("Comes to", f"{entry.status}: {entry.reason}", _outlook(foreseen)),
    ]
    return [Change(name=name, before=conceal.ours(before), after=conceal.ours(after)) for name, before, after in rows]


def differences(before: Event, after: Event | None, conceal: Concealer) -> list[Change]:
    """Every field of the event document that reads differently today; when it was received is none of them."""
    old, new = (dict(_leaves(event.document())) if event else {} for event in (before, after))
    if after is None:
        return []
    names = sorted({*old, *new} - {"received_at", "id", "occurred_at"})
    changed = [Change(name=name, before=_cut(old.get(name, NOTHING)), after=_cut(new.get(name, NOTHING))) for name in names]
    shown = [Change(name=each.name, before=conceal.theirs(each.before), after=conceal.theirs(each.after)) for each in changed if each.differs]
    return shown[:_MOST]


def seal(foreseen: Foreseen) -> str:
    """The same for the same outlook: whoever confirms one must not get another. Times are left out, some of which are counted from now."""
    phones = phones_of(foreseen.request) if foreseen.request else ()
    return digest("\n".join([foreseen.effect, foreseen.rule or "", *phones]))


def _outlook(foreseen: Foreseen) -> str:
    """Where it ends, it is called as the status that it ends in."""
    return f"{foreseen.effect}: {foreseen.told}" if foreseen.effect in ENDS else foreseen.told


def _person(event: Event) -> str:
    person = event.contact
    return ", ".join(filter(None, (person.name, mask(person.phone) if person.phone else ""))) if person else NOTHING


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    else:
        yield path, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
