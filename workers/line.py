"""The wire: kept connections to a few hosts, and one request on one of them, at most once.

The standard library's HTTP client, as ``requests`` uses it too, without the layers between that cost more than the request: a
redirect is not followed, no cookie is kept, no proxy and no .netrc of the host's is looked at, nothing is tried twice. Nothing is raised
for what a network does; the caller is told whether the request may have arrived. Failures are words, not exceptions, because the address,
with a token in it, is in an exception's text.
"""

import re
import ssl
import weakref
from base64 import b64encode
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from email.utils import formatdate
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from time import monotonic
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlsplit

import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.exceptions import HTTPError
from urllib3.util import wait_for_read

from bridge import __version__
from bridge.model import HttpRequest, HttpResponse
from workers.answers import TransportFailure

LARGEST_ANSWER = 1024 * 1024
"""Bytes of a body, unpacked. A report of 200 rows is a tenth of it."""

CONNECT_WITHIN = timedelta(seconds=5)
"""Waiting longer for a connection only keeps others waiting: to give up here is harmless, nothing was sent."""

_PIECE = 64 * 1024
_WRITTEN = re.compile(r"[A-Za-z0-9!#$%&'()*+,\-./:;=?@\[\]_~]*")
_SAFE = "!#$%&'()*+,/:;=?@[]~"
_BODILESS = frozenset({"GET", "HEAD", "DELETE"})
_ALWAYS = {"User-Agent": f"callbridge/{__version__}", "Accept": "application/json"}


class _Unsent(Exception):
    """The connection was never made, so no byte of the request has left. Carries nothing."""


@contextmanager
def _nothing_sent() -> Iterator[None]:
    """Names, TCP and TLS fail in as many ways as there are libraries below; here they all mean one thing."""
    try:
        yield
    except (OSError, ValueError):  # ValueError: a host name that cannot be encoded
        raise _Unsent from None


class _Plain(HTTPConnection):
    """Keeps what it is given until the request is whole: it then leaves in one piece, and until then certainly nothing of it has."""

    whole = b""

    def send(self, data: Any) -> None:
        self.whole += data

    def open(self, silence: float) -> None:
        """``silence``: seconds of it from now on. Raises ``_Unsent``."""
        if self.sock is None:
            with _nothing_sent():
                self.connect()
                self.sock.settimeout(silence)  # type: ignore[attr-defined]  # there since it is connected

    def transmit(self) -> None:
        whole, self.whole = self.whole, b""
        with suppress(BrokenPipeError):  # it may have answered before it closed
            self.sock.sendall(whole)


class _Tls(_Plain, HTTPSConnection):
    pass


class Line:
    """Keep-alive connections, for as many threads as there are; of those to one host, ``pool_size`` are kept. Made once per process."""

    def __init__(self, timeout: timedelta, pool_size: int) -> None:
        """``timeout`` bounds each silence of the server, and the body as a whole."""
        self._timeout = timeout.total_seconds()
        self._connect_timeout = min(timeout, CONNECT_WITHIN).total_seconds()
        self._pool_size = pool_size
        self._kept: dict[tuple[str, str], deque[_Plain]] = defaultdict(deque)
        self.close = weakref.finalize(self, _close, self._kept)
        """The connections that are kept; one in use ends with its request."""

    def send(self, request: HttpRequest) -> HttpResponse | TransportFailure:
        """One request to a whole address, at most once. Never raises for what the address, the network or the server does."""
        try:
            address = urlsplit(request.url)
            connection = self._connection(address)
            _compose(connection, address, request)
        except (HTTPException, ValueError):  # ValueError: a header that is not Latin-1, an address that is none
            return TransportFailure.UNSENDABLE
        try:
            result = self._exchange(connection)
        except _Unsent:
            result = TransportFailure.UNREACHABLE
        except TimeoutError:
            result = TransportFailure.NO_ANSWER
        except (HTTPException, HTTPError, OSError, ValueError):  # ValueError: framing that http.client cannot read
            result = TransportFailure.BROKEN
        if isinstance(result, TransportFailure):
            connection.close()
        else:
            self._keep(address, connection)
        return result

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        """Read once: the list of authorities is long."""
        return ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)

    def _connection(self, address: SplitResult) -> _Plain:
        """One that was kept and is still open, else one that is yet to connect. ``ValueError`` for an address that is none."""
        kept = self._kept[address.scheme, address.netloc]
        while kept:
            with suppress(IndexError):  # another thread was quicker
                connection = kept.pop()
                # What can be read before anything was asked is its end.
                if not wait_for_read(connection.sock, timeout=0.0):
                    return connection
                connection.close()
        if not address.hostname:
            raise ValueError
        if address.scheme == "https":
            return _Tls(address.hostname, address.port, timeout=self._connect_timeout, context=self._trusted)
        if address.scheme == "http":
            return _Plain(address.hostname, address.port, timeout=self._connect_timeout)
        raise ValueError

    def _keep(self, address: SplitResult, connection: _Plain) -> None:
        kept = self._kept[address.scheme, address.netloc]
        if connection.sock is not None and len(kept) < self._pool_size:
            kept.append(connection)
        else:
            connection.close()

    def _exchange(self, connection: _Plain) -> HttpResponse | TransportFailure:
        connection.open(self._timeout)
        connection.transmit()
        with connection.getresponse() as response:
            body = self._read(response)
            return TransportFailure.OVERSIZED if body is None else _told(response, body)

    def _read(self, response: HTTPResponse) -> bytes | None:
        """The body, or None when it is too large. A server that sends byte after byte is not waited for without end."""
        until = monotonic() + self._timeout
        packed = response.headers.get("content-encoding")
        source = urllib3.HTTPResponse(response, {"content-encoding": packed}, preload_content=False) if packed else response
        body = b""
        while piece := source.read1(_PIECE):
            body += piece
            if len(body) > LARGEST_ANSWER:
                return None
            if monotonic() > until:
                raise TimeoutError
        if response.length:
            raise IncompleteRead(body, response.length)
        return body


def _close(kept: Mapping[tuple[str, str], deque[_Plain]]) -> None:
    for connections in kept.values():
        while connections:
            connections.pop().close()


def _compose(connection: _Plain, address: SplitResult, request: HttpRequest) -> None:
    """Nothing leaves yet. ``ValueError`` for what HTTP cannot carry."""
    target = (address.path or "/") + (f"?{address.query}" if address.query else "")
    connection.putrequest(request.method, target if _WRITTEN.fullmatch(target) else quote(target, safe=_SAFE))
    for name, value in {**_ALWAYS, **request.headers, **_credentials(address)}.items():
        connection.putheader(name, value)
    body = request.body.encode()
    if body or request.method not in _BODILESS:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body or None)


def _credentials(address: SplitResult) -> dict[str, str]:
    """Those that stand in an address, as a header."""
    if address.username is None:
        return {}
    pair = f"{unquote(address.username)}:{unquote(address.password or '')}"
    return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}


def _told(response: HTTPResponse, body: bytes) -> HttpResponse:
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        known = headers.get(name.lower())
        headers[name.lower()] = f"{known}, {value}" if known else value
    # An answer without a date has the date at which it came (RFC 9110, 6.6.1); a Retry-After is measured against it.
    headers.setdefault("date", formatdate(usegmt=True))
    return HttpResponse(response.status, headers, body.decode("utf-8", "replace"))
