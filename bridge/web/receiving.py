"""gunicorn's threaded worker, in which a request gets a thread when it is whole.

Left to itself that worker gives a thread to every connection and reads from it until the request has come: a few dozen senders that
send a byte now and then occupy all of them, and nobody else is served. And a connection that it ends it waits for, up to two
seconds, in the only place where new ones are taken. Here requests arrive beside each other in the worker's poller, within a time and a
memory that are bounded, and connections end there too.
"""

import json
import logging
import os
import socket
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.http import get_parser
from gunicorn.workers.gthread import ThreadWorker

from bridge.web.answers import RETRY_AFTER
from bridge.web.framing import LONGEST_HEAD, Frame, Progress

PATIENCE = 10.0
"""Seconds from a request's first byte to its last; CRMs have given up after five."""

SCARCE = 1.0
"""The same while all places are taken."""

LEAVING = 2.0
"""Seconds that a sender has to take its last answer and hang up, as gunicorn has it."""

MOST_HELD = 64 * 1024 * 1024
"""Bytes of requests that have come and were not answered yet, in each worker; beyond, the largest that is still coming is turned away."""

_PIECE = 64 * 1024
_MOST_DRAINED = 64 * 1024
_SWEEP = 0.25

_log = logging.getLogger("callbridge.web")


class Inbox:
    """What came over one connection and was not read yet. To gunicorn's parser this is the socket."""

    def __init__(self, sock: socket.socket, largest: int, patience: float) -> None:
        self._sock, self._largest = sock, largest
        self.held = bytearray()
        self.begin(patience)

    def begin(self, patience: float, over_read: bytes = b"") -> None:
        """Another request may come; ``over_read``: the beginning of it that came with the one before."""
        self.held[:0] = over_read
        self.frame = Frame(self._largest)
        self.since, self.until = time.monotonic(), time.monotonic() + patience
        self.weight = len(self.held)
        self.whole = False
        self.welcomed = False

    def take(self) -> Progress | None:
        """What there is without waiting, and how far the request has come. None: it will come no further, the sender has hung up."""
        hung_up = False
        with suppress(BlockingIOError):
            piece = self._sock.recv(_PIECE)
            hung_up = not piece
            if piece and not self.held:
                self.since, self.until = time.monotonic(), time.monotonic() + PATIENCE
            self.held += piece
            self.weight += len(piece)
        progress = self.frame.look(self.held) if self.held else Progress.COMING
        self.whole = progress is Progress.WHOLE
        return None if hung_up and progress is Progress.COMING else progress

    def recv(self, size: int) -> bytes:
        """For the parser; beyond what is held it waits as long as is left of the request's time, and then says that there is no more."""
        if not self.held:
            return self._wait(size)
        piece = bytes(self.held[:size])
        del self.held[:size]
        return piece

    def _wait(self, size: int) -> bytes:
        self._sock.settimeout(max(0.001, self.until - time.monotonic()))
        try:
            return self._sock.recv(size)
        except TimeoutError:
            return b""
        finally:
            self._sock.settimeout(None)


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """What is overridden here are gunicorn's own seams. All but :meth:`handle_request` belong to the main thread."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._largest = int(os.environ.get("CALLBRIDGE_MAX_BODY", str(1024 * 1024))) + 1
        self._arriving: dict[Any, Inbox] = {}
        self._leaving: dict[Any, _Leave] = {}
        self._held = 0
        self._swept = 0.0

    def enqueue_req(self, conn: Any) -> None:
        """A request may come over this connection, or has begun to. It is given a thread when it is whole."""
        if self.cfg.is_ssl:
            super().enqueue_req(conn)  # only a thread can decrypt; TLS is the business of the proxy in front
            return
        if conn.parser is None:
            inbox = Inbox(conn.sock, self._largest, self.cfg.keepalive)
            conn.parser = get_parser(self.cfg, inbox, conn.client)
        else:
            inbox = conn.parser.unreader.sock
            inbox.begin(PATIENCE, conn.parser.unreader.take_buffered())
        self._held += inbox.weight
        conn.sock.setblocking(False)
        self._arriving[conn] = inbox
        self._look(conn)
        if conn in self._arriving:
            self.poller.register(conn.sock, EVENT_READ, partial(self._on_more, conn))

    def finish_request(self, conn: Any, fs: "Future[Any]") -> None:
        """It was answered. What the sender has sent behind it already is the next one."""
        if self.cfg.is_ssl:
            super().finish_request(conn, fs)
            return
        inbox = conn.parser.unreader.sock
        self._lighten(inbox)
        if fs.cancelled() or fs.exception() or not fs.result():
            self._leave(conn)
            return
        super().finish_request(conn, fs)
        if inbox.held and conn in self.keepalived_conns:
            self.on_client_socket_readable(conn, conn.sock)

    def handle_request(self, req: Any, conn: Any) -> bool:
        """A request that was not waited for to its end is the last one of its connection."""
        inbox = conn.parser.unreader.sock
        if not self.cfg.is_ssl and not inbox.whole:
            req.force_close()
        if not self.cfg.is_ssl and inbox.welcomed:
            req._expected_100_continue = False  # noqa: SLF001 -- said already
        return bool(super().handle_request(req, conn))

    def murder_pending(self) -> None:
        """What gunicorn calls at every turn, at least once a second: whose time is up goes."""
        now = time.monotonic()
        if now < self._swept + _SWEEP:
            return
        self._swept = now
        for conn, inbox in list(self._arriving.items()):
            if inbox.held and now > inbox.until - self._haste():
                self._turn_away(conn, Why.SLOW)
            elif not inbox.held and (now > inbox.until or (not self.alive and now > inbox.since + LEAVING)):
                self._close(conn)
        for conn, leave in list(self._leaving.items()):
            if now > leave.until:
                self._close(conn)

    def _haste(self) -> float:
        """By how much the time that a request has is cut while there is no place for another one."""
        return PATIENCE - SCARCE if self.nr_conns >= self.worker_connections else 0.0

    def _on_more(self, conn: Any, sock: socket.socket) -> None:
        del sock
        self._look(conn)

    def _look(self, conn: Any) -> None:
        """Take what has come; it is whole, or waited for, or turned away."""
        inbox = self._arriving[conn]
        before = inbox.weight
        try:
            progress = inbox.take()
        except OSError:
            self._close(conn)
            return
        self._held += inbox.weight - before
        if progress is Progress.COMING:
            self._await(conn, inbox)
        elif progress is Progress.TOO_LONG:
            self._turn_away(conn, Why.HEAD if inbox.frame.in_head else Why.BODY)
        elif progress is None and not inbox.held:
            self._close(conn)
        else:
            self._hand_over(conn)

    def _await(self, conn: Any, inbox: Inbox) -> None:
        if inbox.frame.waits and not inbox.welcomed:
            inbox.welcomed = True
            _say(conn.sock, b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._held > MOST_HELD:
            self._turn_away(max(self._arriving, key=lambda each: self._arriving[each].weight), Why.FULL)

    def _hand_over(self, conn: Any) -> None:
        self._let_go(conn)
        conn.data_ready = True
        super().enqueue_req(conn)

    def _turn_away(self, conn: Any, why: "Why") -> None:
        inbox = self._arriving[conn]
        _log.info("a sender was turned away", extra={"why": why.value, "bytes": inbox.weight, "seconds": round(time.monotonic() - inbox.since, 1)})
        _say(conn.sock, _ANSWERS[why])
        self._lighten(inbox)
        self._leave(conn)

    def _leave(self, conn: Any) -> None:
        """End it as RFC 9112, 9.6 asks: say so, and read on for a moment, or a reset would overtake the answer."""
        self._let_go(conn)
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, EVENT_READ, partial(self._on_leaving, conn))
        except (OSError, ValueError):
            self._close(conn)
        else:
            self._leaving[conn] = _Leave(time.monotonic() + LEAVING)

    def _on_leaving(self, conn: Any, sock: socket.socket) -> None:
        try:
            drained = len(sock.recv(_PIECE))
        except BlockingIOError:
            return
        except OSError:
            drained = 0
        leave = self._leaving[conn]
        leave.drained += drained
        if not drained or leave.drained > _MOST_DRAINED:
            self._close(conn)

    def _close(self, conn: Any) -> None:
        if conn in self._arriving:
            self._lighten(self._arriving[conn])
        self._let_go(conn)
        self._leaving.pop(conn, None)
        self.nr_conns -= 1
        conn.close()

    def _let_go(self, conn: Any) -> None:
        self._arriving.pop(conn, None)
        with suppress(KeyError, ValueError):  # whole at the first look, or closed by the sender
            self.poller.unregister(conn.sock)

    def _lighten(self, inbox: Inbox) -> None:
        self._held -= inbox.weight
        inbox.weight = 0


@dataclass(slots=True)
class _Leave:
    """A connection that ends."""

    until: float
    drained: int = 0


class Why(StrEnum):
    """Why a sender is turned away before anybody has read what it sends."""

    SLOW = "it did not send its request in time"
    HEAD = "its headers are too long"
    BODY = "its body is wrapped in too many bytes"
    FULL = "there is no more memory for requests that are still coming"


def _answer(status: str, code: str, message: str, more: str = "") -> bytes:
    body = json.dumps({"error": {"code": code, "message": message}})
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n{body}".encode()


_ANSWERS = {
    Why.SLOW: _answer("408 Request Timeout", "request_timeout", f"the request did not come whole within {PATIENCE:.0f} s: send it again"),
    Why.HEAD: _answer("431 Request Header Fields Too Large", "headers_too_large", f"the headers are larger than {LONGEST_HEAD} bytes"),
    Why.BODY: _answer("413 Content Too Large", "too_large", "the body is larger than this bridge takes (server.max_body)"),
    Why.FULL: _answer("503 Service Unavailable", "unavailable", "too much is being sent at once: send it again", f"Retry-After: {RETRY_AFTER}\r\n"),
}


def _say(sock: socket.socket, words: bytes) -> None:
    """Without waiting: who does not read has itself to thank."""
    with suppress(OSError):
        sock.send(words)
