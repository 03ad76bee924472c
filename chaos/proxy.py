"""A TCP proxy on loopback between bridge and Redis: cut off, slow, or half-open."""

import asyncio
import threading
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
    """Listens on ``port`` and passes to ``target``, both on loopback; runs in a thread of its own."""

    def __init__(self, port: int, target: int) -> None:
        self._port, self._target = port, target
        self._way, self._delay = Way.OPEN, 0.0
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
            self._do(self._turn(Way.OPEN, 0.0))
            yield self
        finally:
            self._do(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)
            self._loop.close()

    @contextmanager
    def being(self, way: Way = Way.OPEN, delay: float = 0.0) -> Iterator[None]:
        """So while the block lasts, and open after it. ``delay``: seconds that each piece is held back."""
        self._do(self._turn(way, delay))
        try:
            yield
        finally:
            self._do(self._turn(Way.OPEN, 0.0))

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _turn(self, way: Way, delay: float) -> None:
        before, self._way, self._delay = self._way, way, delay
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
                both.create_task(self._pass(reader, back))
                both.create_task(self._pass(onward, writer))
        except* (OSError, ConnectionError):
            pass
        finally:
            for end in ends:
                self._lines.discard(end)
                self._dead.discard(end)
                end.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            if self._delay:
                await asyncio.sleep(self._delay)
            await self._passable.wait()
            if writer in self._dead:
                continue
            writer.write(data)
            await writer.drain()
        with suppress(OSError):
            writer.write_eof()
