"""What is done beside the deliveries, by itself and for ever: each chore in a thread of its own, none of which an outage of Redis ends."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from bridge.errors import LedgerUnavailable

_log = logging.getLogger("callbridge.chores")


@dataclass(frozen=True, slots=True)
class Chore:
    """``look`` does what there is to do now; it is called again ``every`` so many seconds, at once while it says that there was something."""

    name: str
    look: Callable[[], bool]
    every: float

    def start(self, stopping: threading.Event) -> threading.Thread:
        thread = threading.Thread(target=self.run, args=(stopping,), name=self.name, daemon=True)
        thread.start()
        return thread

    def run(self, stopping: threading.Event) -> None:
        """Until told to stop."""
        while not stopping.is_set():
            if not self._again():
                stopping.wait(self.every)

    def _again(self) -> bool:
        try:
            return self.look()
        except LedgerUnavailable as away:
            _log.debug("Redis is away", extra={"chore": self.name, "error": str(away)})
        except Exception:  # noqa: BLE001 -- a fault in a chore must not end it for good, and nobody else would notice
            _log.exception("a chore failed unexpectedly; it is tried again", extra={"chore": self.name})
        return False
