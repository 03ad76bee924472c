"""The dispatcher: sees that something is due and rings for workers. Nothing unfinished is ever forgotten, because it looks
at the due set and at nothing else: a wake-up that RQ lost, a worker that died, a retry that has come of age all look the same.

Any number of dispatchers may run; they only make sure that there are enough wake-ups.
"""

import logging
import threading
from math import ceil

from redis import Redis
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from rq import Queue

from bridge.errors import LedgerUnavailable
from bridge.ledger import layout
from bridge.queue import put_wake_ups
from workers.pulse import Pulse
from workers.world import World

TICK = 1.0
"""Seconds between looks when nobody rings: how late a delayed event can be noticed."""

_AWAY = (0.2, 0.5, 1.0, 2.0)

_log = logging.getLogger("callbridge.dispatcher")


class Dispatcher:
    """Rings for up to ``processes`` workers. Outlives any outage of Redis, and says so once."""

    def __init__(self, world: World, bell: Redis, queue: Queue, processes: int, pulse: Pulse | None = None) -> None:
        """``bell``: a connection of its own, since it waits on it."""
        self._world = world
        self._bell = bell
        self._queue = queue
        self._processes = processes
        self._failures = 0
        self._pulse = pulse

    def run(self, stopping: threading.Event) -> None:
        """Until told to stop."""
        while not stopping.is_set():
            try:
                if self._pulse:
                    self._pulse.beat(self._world.clock())
                self.look()
                self._wait_for_bell()
                self._recovered()
            except (LedgerUnavailable, RedisError) as away:
                self._wait_out(stopping, away)

    def look(self) -> int:
        """Ring for as many workers as the due events can keep busy; how many times it rang."""
        due = self._world.ledger.due_count(self._world.clock())
        wanted = min(self._processes, ceil(due / self._world.concurrency))
        return put_wake_ups(self._queue, wanted) if wanted else 0

    def _wait_for_bell(self) -> None:
        try:
            self._bell.blpop([layout.WAKE], timeout=TICK)
        except RedisTimeoutError:
            return  # the client's patience ended with the server's: the same as nobody ringing

    def _wait_out(self, stopping: threading.Event, away: Exception) -> None:
        if not self._failures:
            _log.warning("Redis is away; waiting for it", extra={"error": str(away)})
        stopping.wait(_AWAY[min(self._failures, len(_AWAY) - 1)])
        self._failures += 1

    def _recovered(self) -> None:
        if self._failures:
            _log.warning("Redis is back", extra={"after_tries": self._failures})
            self._failures = 0
