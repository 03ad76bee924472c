"""Between the server and the application: writes every request into the journal, and carries out the faults.

A fault lets the request take effect or not, and then answers in the application's place, or not at all. The
application knows nothing of it. Works under any WSGI server; to tear a connection down it needs the server to hand its
socket over, as gunicorn and Werkzeug do.
"""

import errno
import io
import json
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterable
from typing import Any, NoReturn
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from werkzeug.wrappers import Request, Response

from bridge.simulator.faults import Fault, Kind
from bridge.simulator.journal import Asked, asked
from bridge.simulator.rejections import Rejected, invalid_token, not_running
from bridge.simulator.world import World

_SOCKETS = ("gunicorn.socket", "werkzeug.socket")
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_LOOK_EVERY = 0.1  # seconds between two looks whether the client is still there

_LATENCY = 1.0
_SILENCE = {Kind.HANG: 600.0, Kind.LOST_ANSWER: 0.0}
_PROXY_PAGE = "<html>\n<head><title>{0}</title></head>\n<body>\n<center><h1>{0}</h1></center>\n<hr><center>nginx</center>\n</body>\n</html>\n"


class Dropped(ConnectionResetError):
    """The connection ends without an answer; servers take it for a client that went away, and are quiet about it."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "dropped on purpose")


class Misbehaviour:
    """Wraps the application; requests to the simulator's own pages pass untouched."""

    def __init__(self, application: WSGIApplication, world: World) -> None:
        self._application = application
        self._world = world

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = _asked(environ)
        if not request.to_platform and not request.to_crm:
            return self._application(environ, start_response)
        entry = self._world.journal.open(request, self._world.clock.now())
        faults = self._world.faults.draw(request)
        entry.fault = ", ".join(fault.fault for fault in faults) or None
        answer = self._answer(environ, faults)
        entry.status = answer.status_code
        return answer(environ, start_response)

    def _answer(self, environ: WSGIEnvironment, faults: list[Fault]) -> Response:
        """Late where it is to be late, and spoilt where it is to be spoilt."""
        latencies = [fault for fault in faults if fault.fault == Kind.LATENCY]
        others = [fault for fault in faults if fault.fault != Kind.LATENCY]
        self._sleep(fault for fault in latencies if not fault.after)
        answer = self._spoilt(others[0], environ) if others else self._proceed(environ)
        self._sleep(fault for fault in latencies if fault.after)
        return answer

    def _spoilt(self, fault: Fault, environ: WSGIEnvironment) -> Response:
        if fault.fault in _RESHAPED:
            return self._reshaped(fault, self._proceed(environ))
        if fault.after:
            self._proceed(environ)
        if fault.fault in _SILENCE:
            self._keep_silent(fault, environ)
        return _INSTEAD[fault.fault](fault, environ)

    def _reshaped(self, fault: Fault, answer: Response) -> Response:
        if answer.status_code == 200:
            answer.set_data(json.dumps(_RESHAPED[fault.fault](self._world, json.loads(answer.get_data()))))
        return answer

    def _proceed(self, environ: WSGIEnvironment) -> Response:
        return Response.from_app(self._application, environ, buffered=True)

    def _sleep(self, latencies: Iterable[Fault]) -> None:
        for fault in latencies:
            self._world.stopping.wait(_LATENCY if fault.seconds is None else fault.seconds)

    def _keep_silent(self, fault: Fault, environ: WSGIEnvironment) -> None:
        """Until the time is up, the client has gone, or the server stops."""
        until = time.monotonic() + (_SILENCE[fault.fault] if fault.seconds is None else fault.seconds)
        while (left := until - time.monotonic()) > 0 and not _gone(_socket(environ)):
            if self._world.stopping.wait(min(left, _LOOK_EVERY)):
                return


def _too_many(fault: Fault, environ: WSGIEnvironment) -> Response:
    del environ
    answer = _json(429, {"type": "too.many.requests", "message": "Too many requests"})
    if fault.retry_after is not None:
        answer.headers["Retry-After"] = str(fault.retry_after)
    return answer


def _server_error(fault: Fault, environ: WSGIEnvironment) -> Response:
    del environ
    return _json(fault.status or 500, {"type": "internal.error", "message": "Something went wrong"})


def _proxy_page(fault: Fault, environ: WSGIEnvironment) -> Response:
    del environ
    page = Response(status=fault.status or 502, content_type="text/html")
    page.set_data(_PROXY_PAGE.format(page.status.title()))
    return page


def _reset(fault: Fault, environ: WSGIEnvironment) -> NoReturn:
    """Closing with a linger of no seconds sends a reset; the shutdown ends it for a client that is reading."""
    del fault
    connection = _socket(environ)
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    raise Dropped


def _close(fault: Fault, environ: WSGIEnvironment) -> NoReturn:
    del fault, environ
    raise Dropped


def _refuse(rejection: Callable[[], Rejected]) -> Callable[[Fault, WSGIEnvironment], Response]:
    def answer(fault: Fault, environ: WSGIEnvironment) -> Response:
        del fault, environ
        rejected = rejection()
        return _json(rejected.status, rejected.document)

    return answer


def _shuffled(world: World, ids: list[Any]) -> list[Any]:
    return world.faults.shuffle(ids)


def _one_short(world: World, ids: list[Any]) -> list[Any]:
    del world
    return ids[:-1]


_INSTEAD: dict[Kind, Callable[[Fault, WSGIEnvironment], Response]] = {
    Kind.TOO_MANY: _too_many,
    Kind.SERVER_ERROR: _server_error,
    Kind.HTML: _proxy_page,
    Kind.RESET_BEFORE: _reset,
    Kind.RESET_AFTER: _reset,
    Kind.LOST_ANSWER: _close,
    Kind.HANG: _close,
    Kind.BAD_TOKEN: _refuse(invalid_token),
    Kind.STOPPED_CAMPAIGN: _refuse(lambda: not_running("finished")),
}
_RESHAPED: dict[Kind, Callable[[World, list[Any]], list[Any]]] = {Kind.SHUFFLED_IDS: _shuffled, Kind.ONE_SHORT: _one_short}


def _asked(environ: WSGIEnvironment) -> Asked:
    """Reads the whole body and puts it back: the application, and a connection that is kept alive, find it drained."""
    request = Request(environ)
    body = request.get_data()
    environ["wsgi.input"], environ["CONTENT_LENGTH"] = io.BytesIO(body), str(len(body))
    return asked(request.method, request.path, body, request.headers, request.args)


def _json(status: int, document: dict[str, Any]) -> Response:
    return Response(json.dumps(document), status=status, content_type="application/json")


def _socket(environ: WSGIEnvironment) -> socket.socket | None:
    return next((environ[name] for name in _SOCKETS if name in environ), None)


def _gone(connection: socket.socket | None) -> bool:
    """Whether the client has hung up: its end is readable, and there is nothing to read."""
    if connection is None:
        return False
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        try:
            return bool(selector.select(0)) and not connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True
