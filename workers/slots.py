"""Who may have how many requests under way: one slow campaign or CRM must leave room for the others. Pure.

A *place* is whom a request waits for: a campaign, a CRM, or the platform where calls are stopped. A place may take another slot while it has
no more of them than are left free. So one alone takes half, two slow ones a third each, and the next to come always finds room.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from bridge.rules import Rule

_MEMORY = 0.2
"""How much the latest request counts in what one takes on average."""

_SHORTEST, _LONGEST = 0.01, 2.0


def to_campaign(campaign: str) -> str:
    """Where calls for a campaign are asked for."""
    return f"campaign:{campaign}"


def to_crm(source: str) -> str:
    """Where a source's records are looked up."""
    return f"crm:{source}"


STOPS = "stops"
"""Where calls are stopped, in whichever campaign: the ledger does not tell beforehand in which."""


def places_of(rules: Iterable[Rule]) -> dict[str, str]:
    """Where the events of each rule, by its name, are likely to go."""
    return {rule.name: to_campaign(rule.call.campaign) if rule.call else STOPS for rule in rules}


@dataclass(slots=True)
class Slots:
    """The slots of one worker process."""

    total: int
    taken: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def free(self) -> int:
        return self.total - self.taken.total()

    def admits(self, place: str) -> bool:
        """Whether one more may go there now."""
        return 0 < self.free >= self.taken[place]

    def take(self, place: str) -> None:
        self.taken[place] += 1

    def give(self, place: str, seconds: float) -> None:
        """A slot that was had for so long."""
        self.taken[place] -= 1
        if not self.taken[place]:
            del self.taken[place]
        self.seconds[place] = seconds if place not in self.seconds else (1 - _MEMORY) * self.seconds[place] + _MEMORY * seconds

    def room(self, held: int, *, beside: frozenset[str] = frozenset()) -> int:
        """How many more can be begun, or held ready, wherever they turn out to go, but for what goes to ``beside``. ``held`` are already."""
        free = self.free
        busiest = max((count for place, count in self.taken.items() if place not in beside), default=0)
        share = (free - busiest) // 2 + 1 if free > busiest else int(0 < free == busiest)
        return min(free, share) + self.spare - held if free else 0

    def pause(self, place: str) -> timedelta:
        """For how long others may be looked at instead, when this place is full and has some held ready: a part of what those will last."""
        return timedelta(seconds=min(max(self.seconds.get(place, 1.0) / 8, _SHORTEST), _LONGEST))

    @property
    def spare(self) -> int:
        """How many are held ready, so that a place that was full has the next at once."""
        return self.total // 8
