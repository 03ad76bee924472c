"""What everybody must know, above every page."""

from collections.abc import Callable
from dataclasses import dataclass

from bridge.concealing import Concealer
from bridge.ledger import Pause
from bridge.ledger.switches import EVERYTHING
from bridge.operating import told_scope
from bridge.web.ops.words import relatively
from bridge.wiring import Services

_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Banner:
    """``kind`` is good, doubtful or bad; ``endpoint``: the page where it can be changed."""

    text: str
    kind: str = "doubtful"
    endpoint: str = ""


def paused(services: Services) -> Banner | None:
    """Who paused what, and why."""
    pauses = services.switches.all()
    if not pauses:
        return None
    if everything := pauses.get(EVERYTHING):
        return Banner(f"All calling is paused by {_told(everything, services)}.", "bad", "ops.switches")
    told = [f"{told_scope(scope)}, by {_told(pause, services)}" for scope, pause in list(pauses.items())[:_MOST_NAMED]]
    more = [f"{len(pauses) - _MOST_NAMED} more"] if len(pauses) > _MOST_NAMED else []
    return Banner(f"Paused: {'; '.join(told + more)}.", "doubtful", "ops.switches")


BANNERS: tuple[Callable[[Services], Banner | None], ...] = (paused,)
"""Asked for every page, so each must be quick: one read of the ledger at most."""


def _told(pause: Pause, services: Services) -> str:
    return f"{pause.by}, {relatively(pause.at, services.clock())}" + (f" ({Concealer().theirs(pause.note)})" if pause.note else "")
