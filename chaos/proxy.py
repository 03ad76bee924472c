"""A TCP proxy on loopback between the bridge and Redis, or the platform: cut off, slow, half-open, or one that delivers late."""

import asyncio
import random
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import Any

_CHUNK = 65_536


class Way(StrEnum):
    """How bytes go.

    ``LATE``: connections stand, nothing passes, and what was sent meanwhile arrives when it is over, as TCP does it after a
    break in the line. ``LOST``: the same, and what was sent is lost with its connection. ``DEAD``: those connections never say
    anything again, and only new ones work when it is over, as when a firewall has forgotten them.
    """

    OPEN = "open"
    CUT = "cut"
    LATE = "late"
    LOST = "lost"
    DEAD = "dead"


class Proxy:
    """Listens on ``port`` and passes to ``target``, both on loopback; runs in a thread of its own.

    ``held``: pieces on their way to the target that are held back now.
    """

    def __init__(self, port: int, target: int) -> None:
        self._port, self._target = port, target
        self._way, self._delay, self._share = Way.OPEN, 0.0, 1.0
        self._chance = random.Random(port)
        self.held = 0
        self._loop = asyncio.new_event_loop()
        self._passable = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.StreamWriter] = set()
        self._dead: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    @contextmanager
    def running(self) -> Iterator["Proxy"]:
        self._thread.start()
        try:
            self._do(self._turn(Way.OPEN))
            yield self
        finally:
            self._do(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)
            self._loop.close()

    @contextmanager
    def being(self, way: Way = Way.OPEN, delay: float = 0.0, share: float = 1.0) -> Iterator[None]:
        """So while the block lasts, and open after it. ``delay``: seconds that each piece is held back.

        A ``share`` below one: of the pieces on their way to the target only so many, by chance; they arrive all the same, the last of
        them long after the block, whether somebody still waits for the answer or not.
        """
        self._do(self._turn(way, delay, share))
        try:
            yield
        finally:
            self._do(self._turn(Way.OPEN))

    def drain(self, seconds: float) -> bool:
        """Wait until nothing is held back any more; False when the time is up before."""
        until = time.monotonic() + seconds
        while self.held and time.monotonic() < until:
            time.sleep(0.1)
        return not self.held

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _turn(self, way: Way, delay: float = 0.0, share: float = 1.0) -> None:
        before, self._way = self._way, way
        self._delay, self._share = delay, share
        if way is Way.OPEN and self._server is None:
            self._server = await asyncio.start_server(self._line, "127.0.0.1", self._port)
        if way is Way.CUT:
            await self._close()
        if way is Way.OPEN and before is Way.LOST:
            self._abort()
        if way is Way.OPEN and before is Way.DEAD:
            self._dead |= self._lines
        if way is Way.OPEN:
            self._passable.set()
        else:
            self._passable.clear()

    async def _close(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        self._abort()

    def _abort(self) -> None:
        for writer in self._lines:
            writer.transport.abort()

    async def _line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        self._lines.add(writer)
        try:
            await self._passable.wait()  # a new connection hangs too, where nothing passes
            onward, back = await asyncio.open_connection("127.0.0.1", self._target)
            ends.append(back)
            self._lines.add(back)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, back, onward=True))
                both.create_task(self._pass(onward, writer, onward=False))
        except* (OSError, ConnectionError):
            pass
        finally:
            for end in ends:
                self._lines.discard(end)
                self._dead.discard(end)
                end.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, onward: bool) -> None:
        while data := await reader.read(_CHUNK):
            await self._hold(onward=onward)
            await self._passable.wait()
            if writer in self._dead:
                continue
            writer.write(data)
            await writer.drain()
        with suppress(OSError):
            writer.write_eof()

    async def _hold(self, *, onward: bool) -> None:
        if not self._delay or (self._share < 1 and not (onward and self._chance.random() < self._share)):
            return
        self.held += 1
        try:
            await asyncio.sleep(self._delay)
        finally:
            self.held -= 1
