"""Threads that want the same thing of Redis at the same moment are served together: one round trip, and one wait for the disk, for all of them.

Nobody waits in order to be joined: whoever comes while nothing is under way goes at once, alone. Those who come meanwhile go together
when that is over, one of them for all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar

Item = TypeVar("Item")
Told = TypeVar("Told")


@dataclass(slots=True)
class _Waiting(Generic[Item, Told]):
    """One thread's wish. Its lock is let go when it is served, or when it is its turn to serve."""

    item: Item
    turn: Lock = field(default_factory=Lock)
    serves: bool = False
    told: Told | Exception | None = None


class Gathering(Generic[Item, Told]):
    """``serve`` is given up to ``most`` items and tells something of each, in order. What it raises is raised to each who waits for it, and
    an exception that it tells of one item to who asked for that.
    """

    def __init__(self, serve: Callable[[Sequence[Item]], Sequence[Told | Exception]], most: int) -> None:
        self._serve = serve
        self._most = most
        self._line: list[_Waiting[Item, Told]] = []
        self._under_way = False
        self._lock = Lock()

    def ask(self, item: Item) -> Told:
        """What ``serve`` tells of this item."""
        mine = _Waiting[Item, Told](item)
        mine.turn.acquire()
        with self._lock:
            self._line.append(mine)
            mine.serves, self._under_way = not self._under_way, True
        if not mine.serves:
            mine.turn.acquire()
        if mine.serves:
            self._serve_those_who_wait()
        if isinstance(mine.told, Exception):
            raise mine.told
        return mine.told  # type: ignore[return-value]  # told by now

    def _serve_those_who_wait(self) -> None:
        """The first of them is this thread. Then it is somebody else's turn, however this ended."""
        with self._lock:
            some, self._line = self._line[: self._most], self._line[self._most :]
        for waiting in some:
            waiting.told = RuntimeError("the thread that asked for all of them was ended")
        try:
            for waiting, told in zip(some, self._serve([each.item for each in some]), strict=True):
                waiting.told = told
        except Exception as failed:  # noqa: BLE001 -- raised by each who asked
            for waiting in some:
                waiting.told = failed
        finally:
            self._hand_on(some)

    def _hand_on(self, served: Sequence[_Waiting[Item, Told]]) -> None:
        with self._lock:
            following = self._line[0] if self._line else None
            self._under_way = following is not None
        if following:
            following.serves = True
            following.turn.release()
        for waiting in served[1:]:
            waiting.turn.release()
