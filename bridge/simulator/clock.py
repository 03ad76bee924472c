"""The simulator's clock: real time, moved forward on demand, so that a day's memory can be outlived in a second."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def real_time() -> datetime:
    return datetime.now(UTC)


class VirtualClock:
    """Real time plus whatever it was advanced by. It never goes back but by :meth:`reset`."""

    def __init__(self, real: Callable[[], datetime] = real_time) -> None:
        self._real = real
        self._ahead = timedelta()

    def now(self) -> datetime:
        return self._real() + self._ahead

    @property
    def ahead(self) -> timedelta:
        return self._ahead

    def advance(self, by: timedelta) -> None:
        self._ahead += by

    def reset(self) -> None:
        self._ahead = timedelta()
