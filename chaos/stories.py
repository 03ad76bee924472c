"""What happens to whom, and what must come of it: a model that knows the rules and nothing of the bridge."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bridge.simulator.people import person

FIRST_PERSON = 10_000
APART = timedelta(seconds=3)
"""Between two facts of one person: Pipedrive tells some of them to the second only."""


class What(StrEnum):
    """The facts a CRM tells of a person."""

    CREATED = "created"
    NUMBER = "number"
    AGAIN = "again"
    GONE = "gone"
    NOISE = "noise"


CALLS = {What.CREATED: "welcome", What.NUMBER: "numbers", What.AGAIN: "follow-up"}
"""The campaign that the rules name for it."""
STOPS = frozenset({What.AGAIN, What.GONE})
"""Facts whose rule cancels every call on an older one."""

RULES = """
  - {name: call new people, on: [contact.created, lead.created], call: {campaign: welcome, payload: {name: contact.name, event: id}}}
  - {name: call who left a number, on: contact.updated, where: fields.mobilephone, call: {campaign: numbers, payload: {event: id}}}
  - name: start again
    on: [contact.updated, lead.updated]
    where: fields.lifecyclestage == 'opportunity' || fields.label == 'opportunity'
    cancel: {}
    call: {campaign: follow-up, payload: {event: id}}
  - {name: stop, on: [contact.deleted, lead.deleted], cancel: {}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One event as its CRM knows it. ``copy`` tells the same fact once more, under another event id."""

    source: str
    person: int
    what: What
    at: datetime
    copy: int = 0

    @property
    def phone(self) -> str:
        """E.164; the CRM stand-ins of the simulator know the same person by the same id."""
        return "+" + "".join(filter(str.isdecimal, person(str(self.person)).phone))

    @property
    def name(self) -> str:
        return person(str(self.person)).name

    @property
    def campaign(self) -> str | None:
        return CALLS.get(self.what)

    @property
    def call(self) -> tuple[int, What]:
        """The logical call that it asks for; copies ask for the same one."""
        return self.person, self.what

    def stops(self, other: "Fact") -> bool:
        """Whether a call for ``other`` must not outlive this."""
        return self.what in STOPS and self.person == other.person and self.at > other.at


# Each story: how likely, then (what, how many steps after the first) in the order of the facts.
_STORIES: Sequence[tuple[int, Sequence[tuple[What, int]]]] = (
    (30, [(What.CREATED, 0)]),
    (30, [(What.CREATED, 0), (What.GONE, 1)]),
    (10, [(What.GONE, 0), (What.CREATED, 1)]),
    (12, [(What.CREATED, 0), (What.AGAIN, 1)]),
    (8, [(What.CREATED, 0), (What.AGAIN, 1), (What.GONE, 2)]),
    (6, [(What.NOISE, 0)]),
    (4, [(What.CREATED, 0), (What.CREATED, 0)]),
)
_SOURCES = {"hubspot": 3, "pipedrive": 3, "newsletter": 3, "zapier": 3}
COPYING = frozenset({"newsletter", "zapier"})
"""Senders that may tell one fact under two ids."""


class Stories:
    """People one after the other, each with the facts of one story. The same seed gives the same people."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._next = FIRST_PERSON

    def one(self, now: datetime) -> list[Fact]:
        """Somebody, and what is told of them, in the order in which it happened."""
        (steps,) = self._random.choices([story for _, story in _STORIES], [weight for weight, _ in _STORIES])
        (source,) = self._random.choices(list(_SOURCES), list(_SOURCES.values()))
        if len({*steps}) < len(steps) and source not in COPYING:
            steps = steps[:1]
        first, who, told = now - APART * 4, self._somebody(), dict.fromkeys(steps, 0)
        return list(_told(source, who, first, steps, told))

    def imported(self, now: datetime, size: int = 100) -> list[Fact]:
        """A list of people whose numbers were put into HubSpot at once."""
        return [Fact(source="hubspot", person=self._somebody(), what=What.NUMBER, at=now - APART) for _ in range(size)]

    def _somebody(self) -> int:
        self._next += 1
        return self._next


def _told(source: str, who: int, first: datetime, steps: Sequence[tuple[What, int]], told: dict[tuple[What, int], int]) -> Iterator[Fact]:
    for what, step in steps:
        yield Fact(source=source, person=who, what=what, at=first + APART * step, copy=told[what, step])
        told[what, step] += 1
