"""Text for a page without a number in it that somebody could call. Pure.

A stranger writes numbers as he likes: with blanks, brackets and dots, percent-encoded in a form, as ``\\u00a0`` or ``\\u0661`` in JSON. So
whatever may be a number is hidden, unless it is known what else it is: one of the event's own ids, a time, a UUID, a digest.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bridge.model import Event
from bridge.phones import mask

_FEWEST = 7
_DIGIT = r"(?:\d|%3[0-9]|\\u(?:003|066|06[fF]|[fF]{2}1)[0-9])"
"""Every spelling ends in the figure itself."""

_BETWEEN = r"(?:[ \t\u00a0\u2007\u2009\u202f().\-\u2010-\u2015/+]|%2[089abdefABDEF]|%[cC]2%[aA]0|\\u00[aA]0|\\u202[fF]|\\[/t]|&nbsp;|&#160;)"
_TOKEN = re.compile(
    r"(?P<else>(?:19|20)\d\d-[01]\d-[0-3]\d(?:[T ][0-2]\d:[0-5]\d(?::[0-5]\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?(?![\d-])"
    r"|(?<![0-9A-Za-z])[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![0-9A-Za-z])"
    r"|(?<![0-9A-Za-z])(?=[0-9]{0,40}[a-f])[0-9a-f]{24,}(?![0-9A-Za-z]))"
    rf"|(?<!%)(?<!%[0-9A-Fa-f])(?P<plus>\+|%2[bB])?(?P<run>{_DIGIT}(?:{_BETWEEN}{{0,4}}{_DIGIT}){{{_FEWEST - 1},}})"
)
_LONGEST = 256
"""Characters within which the fewest digits of a number stand, however they are spelled and whatever is between them."""

_PART = re.compile(f"({_BETWEEN})|({_DIGIT})")
_NAMED = re.compile(rf"[0-9]{{{_FEWEST},}}")
_SAME_TIME = timedelta(days=2)
_CLOCKS = {10: 1, 13: 1_000, 16: 1_000_000}
"""How many digits a Unix time has today, by how many a second there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concealer:
    """``numbers``: the last digits of those that belong to somebody, who is masked in every text and in every spelling. ``known``: digits
    that are something else, such as ids; ``times``: so are those that tell a time near one of these. ``off``: nothing is hidden.
    """

    numbers: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    times: tuple[datetime, ...] = ()
    off: bool = False

    @classmethod
    def of(cls, events: Iterable[Event], *, numbers: Iterable[str] = (), ids: Iterable[str] = (), off: bool = False) -> "Concealer":
        """For what is shown of these events. ``numbers`` and ``ids`` are more that are known to be one or the other."""
        events = list(events)
        named = [name for event in events for name in _ids(event)]
        return cls(
            numbers=frozenset(filter(None, map(_end, (*numbers, *(phone for event in events for phone in phones_of(event)))))),
            known=frozenset(digits for name in (*named, *ids) for digits in _NAMED.findall(name)),
            times=tuple(moment for event in events for moment in (event.occurred_at, event.received_at) if moment),
            off=off,
        )

    def ours(self, text: str) -> str:
        """A sentence of the bridge's own, or a key: the numbers of these people are hidden, and others written with a +."""
        return self._shown(text, strange=False)

    def theirs(self, text: str) -> str:
        """What a stranger wrote, or the platform told: whatever looks like a number is hidden."""
        return self._shown(text, strange=True)

    def beginning(self, text: str, most: int) -> str:
        """The first ``most`` characters of what a stranger wrote, in the time that those take; a number that goes on behind them is hidden."""
        head, shown, place = text[: most + _LONGEST].encode("utf-8", "replace").decode(), "", 0
        for found in () if self.off else _TOKEN.finditer(head):
            if found.start() >= most:
                break
            shown += head[place : found.start()] + self._hidden(found, strange=True)
            place = found.end()
        return shown + head[place:most]

    def _shown(self, text: str, *, strange: bool) -> str:
        text = text.encode("utf-8", "replace").decode()  # half a character, which JSON may carry, can be written to no page
        return text if self.off else _TOKEN.sub(lambda found: self._hidden(found, strange=strange), text)

    def _hidden(self, found: re.Match[str], *, strange: bool) -> str:
        digits = _digits(found["run"] or found[0])
        own = any(number in digits for number in self.numbers)
        looks = found["run"] is not None and (bool(found["plus"]) or (strange and not self._is_known(found["run"])))
        return mask(f"{'+' if found['plus'] else ''}{digits}") if own or looks else found[0]

    def _is_known(self, run: str) -> bool:
        return run in self.known or self._is_time(run)

    def _is_time(self, run: str) -> bool:
        a_second = _CLOCKS.get(len(run))
        if not (a_second and run.isascii() and run.isdigit()):
            return False
        told = datetime.fromtimestamp(int(run) / a_second, UTC)
        return any(abs(told - moment) <= _SAME_TIME for moment in self.times)


def phones_of(event: Event) -> list[str]:
    """Every number that an event is known to be about, as it is written there."""
    person = event.contact
    told = (person.phone, *person.phones) if person else ()
    refs = [ref.removeprefix("phone:") for ref in event.refs if ref.startswith("phone:")]
    return list(dict.fromkeys(phone for phone in (*told, *refs) if phone))


def _ids(event: Event) -> list[str]:
    person = event.contact
    named = [event.id, event.entity.id if event.entity else None, person.id if person else None]
    return [name for name in (*named, *(ref for ref in event.refs if not ref.startswith("phone:"))) if name]


def _end(phone: str) -> str:
    """What every spelling of a number has in common: with or without its country or a leading zero, it ends so."""
    digits = _digits(phone)
    return digits[-_FEWEST:] if len(digits) >= _FEWEST else ""


def _digits(run: str) -> str:
    return "".join(str(int(digit[-1])) for _, digit in _PART.findall(run) if digit)
