"""A sign of life in the ledger, and a memory of it outside: a store that was restored from a backup does not know that it was.

Whoever restores an older ledger has events in it that were called since. Their keys protect them for as long as the platform remembers keys;
beyond, the platform's report is asked before any of them goes out (``begin.lua``, *unsure*).
"""

import logging
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from bridge.ledger import Ledger
from bridge.model import from_ms, to_ms

EVERY = timedelta(seconds=5)

SKEW = timedelta(minutes=10)
"""How far the clocks of two dispatchers' hosts may be apart. It only matters how old a backup is once the platform has begun to forget keys."""

_log = logging.getLogger("callbridge.dispatcher")


class Pulse:
    """``file`` is where the memory survives this process; where it cannot be written, it does not."""

    def __init__(self, ledger: Ledger, file: Path) -> None:
        self._ledger = ledger
        self._file = file
        self._last = _read(file)
        self._due: datetime | None = None

    def beat(self, now: datetime) -> bool:
        """Every few seconds; whether the ledger was found to be older than it was. Raises ``LedgerUnavailable``."""
        if self._due and now < self._due:
            return False
        # A clock that was put back must not look like a store that was.
        remembered = min(self._last, now) - SKEW if self._last else None
        older = self._ledger.beat(now, remembered)
        if older:
            _log.error("the ledger is older than it was: the platform is asked before an event of before is called", extra={"remembered": self._last})
        self._last, self._due = now, now + EVERY
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(str(to_ms(now)), encoding="ascii")
        return older


def _read(file: Path) -> datetime | None:
    try:
        return from_ms(float(file.read_text(encoding="ascii")))
    except (OSError, ValueError):
        return None
