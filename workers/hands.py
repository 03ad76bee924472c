"""Threads that do what waits for somebody else. The standard library's pool does more, at twice the cost of handing something over."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Self


class Hands:
    """At ``most`` so many threads, each started when it is first needed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def do(self, work: Callable[[], None], under_way: int) -> None:
        """Soon, on some thread. ``work`` raises nothing. ``under_way``: how much there is to do, this included. For one thread to ask."""
        self._work.put(work)
        if len(self._threads) < min(under_way, self._most):
            thread = threading.Thread(target=self._run, name=f"attempt-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()

    def close(self) -> None:
        """When all that was asked for is done."""
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
