"""Waiting for what was ordered: the workers do it, since there may be a call to stop."""

import time
from datetime import timedelta

from bridge.cli.tables import busy
from bridge.errors import StartupError
from bridge.model import Entry
from bridge.quantities import show_duration
from bridge.wiring import Services

_EVERY = 0.1


def carried_out(services: Services, key: str, patience: timedelta) -> Entry:
    """The order as it ended. ``StartupError`` when it did not within ``patience``; it is carried out all the same, later."""
    until = time.monotonic() + patience.total_seconds()
    with busy("waiting for the workers …"):
        while True:
            entry = services.ledger.entry(key)
            if entry and entry.status.finished:
                return entry
            if time.monotonic() > until:
                why = f" It says: {entry.reason}." if entry else ""
                raise StartupError(
                    f"ordered, but not done within {show_duration(patience)}: are workers running?{why} `callbridge explain {key}` tells"
                )
            time.sleep(_EVERY)
