"""A Calls API that costs next to nothing: takes every request, answers each after a while that the campaign's token says.

    with running_platform() as platform: …  # http://127.0.0.1:<port>, campaign tokens such as ``50ms`` and ``5000ms-b``

A path with ``/crm/`` in it is answered as HubSpot answers when it is asked for a contact.

A process of its own, asyncio without a framework, so that what is measured is the side that calls. It keeps when each request came, by
its idempotence key, for whoever wants to know how long that took.
"""

import asyncio
import json
import multiprocessing
import re
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

_LATENCY = re.compile(rb"/campaign/(\d+)ms[^/]*/")
_KEY = re.compile(rb"\r\nidempotence-key: *([^\r]+)", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Platform:
    """Where it listens."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def counts(self) -> dict[str, int]:
        """How many requests each campaign has had."""
        return dict(self._ask("counts"))

    def arrivals(self) -> dict[str, float]:
        """When each request came (``time.time()``), by its idempotence key. Forgotten when they are told."""
        return dict(self._ask("arrivals"))

    def under_way(self) -> int:
        """How many requests wait for their answers now."""
        return int(self._ask("under-way"))

    def _ask(self, what: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/{what}", timeout=10) as answer:  # noqa: S310 -- on loopback
            return json.load(answer)


class _Serving(asyncio.Protocol):
    """One connection. Requests on it come one after the other."""

    numbers = count(10_000_000)
    counts: dict[str, int] = {}  # noqa: RUF012 -- of the process
    arrivals: dict[str, float] = {}  # noqa: RUF012 -- the same
    under_way = 0

    def __init__(self) -> None:
        self.held = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 -- for the types
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.held += data
        head, found, body = self.held.partition(b"\r\n\r\n")
        if not found:
            return
        length = _LENGTH.search(head)
        if length and len(body) < int(length[1]):
            return
        self.held = b""
        self._take(head)

    def _take(self, head: bytes) -> None:
        latency = _LATENCY.search(head)
        if latency is None:
            self._say(json.dumps(self._told(head)))
            return
        campaign = latency[0].split(b"/")[2].decode()
        self.counts[campaign] = self.counts.get(campaign, 0) + 1
        key = _KEY.search(head)
        if key:
            self.arrivals[key[1].decode()] = time.time()
        number = next(self.numbers)
        answer = json.dumps(_contact(number) if b"/crm/" in head.partition(b"\r\n")[0] else str(number))
        wait = int(latency[1]) / 1000
        if wait:
            _Serving.under_way += 1
            asyncio.get_running_loop().call_later(wait, self._say_late, answer)
        else:
            self._say(answer)

    def _say_late(self, answer: str) -> None:
        _Serving.under_way -= 1
        self._say(answer)

    def _told(self, head: bytes) -> dict[str, Any] | int:
        if b" /under-way " in head:
            return self.under_way
        if b" /arrivals " not in head:
            return self.counts
        told = dict(self.arrivals)
        self.arrivals.clear()
        return told

    def _say(self, answer: str) -> None:
        if self.transport and not self.transport.is_closing():
            self.transport.write(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n{answer}".encode())


def _contact(number: int) -> dict[str, Any]:
    """What HubSpot tells of a contact, whichever is asked for."""
    return {"id": str(number), "properties": {"phone": f"+1281{2000000 + number % 8000000}", "firstname": "Alex", "lastname": f"K{number}"}}


def _serve(told: Any) -> None:
    async def serving() -> None:
        server = await asyncio.get_running_loop().create_server(_Serving, "127.0.0.1", 0, backlog=1024)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    sys.stdin = None  # type: ignore[assignment]  # nothing is asked here
    asyncio.run(serving())


@contextmanager
def running_platform() -> Iterator[Platform]:
    """Ended with the measurement."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    theirs.close()  # else nobody would hear that it ended at once
    try:
        yield Platform(ours.recv())
    finally:
        process.kill()
        process.join()
