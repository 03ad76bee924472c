"""What the delivery of one event may ask for while it runs: :mod:`workers.delivering` asks, :mod:`workers.batch` does.

A delivery is a generator. It yields an effect, is sent the result, and returns a ``Record`` (or None when the event is
no longer its own). So the flow of one event reads from top to bottom, while the batch does the same step of many events
in one round trip, and their HTTP requests at the same time.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from bridge.ledger import Beginning, Record


@dataclass(frozen=True, slots=True)
class Outside:
    """Something that waits for somebody else (HTTP); runs on a thread. ``do`` may raise what the delivery handles. ``place``: for whom it
    waits, as :mod:`workers.slots` names them; empty for the ledger, which is everybody's.
    """

    do: Callable[[], Any]
    place: str = ""


Effect = Beginning | Outside
Flow = Generator[Effect, Any, Record | None]
