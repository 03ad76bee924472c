"""Serving the simulator: a threaded HTTP/1.1 server that keeps connections alive and says nothing about each request.

Werkzeug's own server closes every connection after one request, because its applications may leave a body unread; here
the body is always read (:mod:`bridge.simulator.misbehaviour`), so that clients can be tested with the pools they use.
"""

import io
import os
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Lock, Thread
from types import FrameType
from typing import Any

from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Response

from bridge.errors import StartupError
from bridge.simulator.application import create_simulator
from bridge.simulator.faults import Fault
from bridge.simulator.settings import Settings
from bridge.simulator.world import EXTENSION, World

_BACKLOG = 1024
_POLL = 0.05
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one packet
    server_version = "callbridge-simulator"
    sys_version = ""

    server: "SimulatorServer"

    def run_wsgi(self) -> None:
        """A dropped connection goes up as a ``ConnectionError``, and ends here in silence."""
        environ = self.make_environ()
        if not environ.get("wsgi.input_terminated"):
            environ["wsgi.input"] = io.BytesIO(self.rfile.read(_length(environ.get("CONTENT_LENGTH"))))
        answer = Response.from_app(self.server.app, environ, buffered=True)
        body = answer.get_data()
        self.send_response(answer.status_code)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        del error, environ
        self.close_connection = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 -- the name Werkzeug gives it
        """Requests are in the journal; errors of the application are logged by Flask."""


class SimulatorServer(ThreadedWSGIServer):
    """One thread a connection. Closing it ends every connection, silence and latency, and waits for the threads."""

    daemon_threads = False
    block_on_close = True
    request_queue_size = _BACKLOG

    def __init__(self, host: str, listener: socket.socket, app: Flask) -> None:
        self._lock = Lock()
        self._connections: set[Any] = set()
        self._stopping = Event()
        super().__init__(host, listener.getsockname()[1], app, handler=_Handler, fd=listener.fileno())
        world: World = app.extensions[EXTENSION]
        self._stopping = world.stopping

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Closes without the polite half-close, so that a lingering time of nothing becomes a reset."""
        with self._lock:
            self._connections.discard(request)
        self.close_request(request)

    def server_close(self) -> None:
        self._stopping.set()
        with self._lock:
            for connection in self._connections:
                _end(connection)
        super().server_close()


@dataclass(frozen=True, slots=True)
class RunningSimulator:
    """A simulator that answers. ``url`` is the base URL for the Calls API, ``/hubspot``, ``/pipedrive`` and ``/simulator``."""

    url: str
    app: Flask


def serve(host: str, port: int, app: Flask | None = None, *, ready: Callable[[str], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT; ``ready`` is told the URL once requests are answered (port 0 takes a free port).

    Belongs in the main thread, where signals arrive. ``StartupError`` when the address cannot be had.
    """
    server = _bound(host, port, app or create_simulator())
    with _until_told(server):
        if ready:
            ready(server.url)
        server.serve_forever(poll_interval=_POLL)


@contextmanager
def running_simulator(
    host: str = "127.0.0.1", port: int = 0, *, settings: Settings | None = None, faults: Iterable[Fault] = (), seed: int = 1
) -> Iterator[RunningSimulator]:
    """A simulator in a thread of this process, on a free port unless one is named, gone when the block ends."""
    app = create_simulator(settings=settings, faults=faults, seed=seed)
    server = _bound(host, port, app)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": _POLL}, name="simulator")
    thread.start()
    try:
        yield RunningSimulator(server.url, app)
    finally:
        server.shutdown()
        thread.join()


def _bound(host: str, port: int, app: Flask) -> SimulatorServer:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host, port), family=family, backlog=_BACKLOG) as listener:
            return SimulatorServer(host, listener, app)
    except OSError as error:
        raise StartupError(f"the simulator cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}; another --port may be free") from error


@contextmanager
def _until_told(server: SimulatorServer) -> Iterator[None]:
    """Signals stop the server; a second thread does it, because the one that serves would wait for itself."""

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        Thread(target=server.shutdown, name="simulator-stop").start()

    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _length(given: str | None) -> int:
    return int(given) if given and given.isdecimal() else 0


def _end(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other side was faster
