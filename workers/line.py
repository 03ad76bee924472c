"""The wire: kept connections to a few hosts, and one request on one of them, at most once.

Nothing here tries twice, follows a redirect, or raises for what a network does: the caller is told whether the request may have arrived. Failures
are words, not exceptions, because an exception of urllib3 has the whole address in its text, and a token is in that.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.utils import formatdate
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, ReadTimeoutError

from bridge import __version__
from bridge.model import HttpRequest, HttpResponse
from workers.answers import TransportFailure

LARGEST_ANSWER = 1024 * 1024
"""Bytes of a body, unpacked. A report of 200 rows is a tenth of it."""

CONNECT_WITHIN = timedelta(seconds=5)
"""Waiting longer for a connection only keeps others waiting: to give up here is harmless, nothing was sent."""

_PIECE = 64 * 1024


class _Unsent(Exception):
    """The connection was never made, so no byte of the request has left. Carries nothing."""


class _Silence(logging.Filter):
    """urllib3 logs whole addresses at DEBUG, and at WARNING when a header is malformed; the token is in them."""

    def filter(self, record: logging.LogRecord) -> bool:
        del record
        return False


_SILENCE = _Silence()
_TALKATIVE = ("urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry")


@contextmanager
def _nothing_sent() -> Iterator[None]:
    """Names, TCP and TLS fail in as many ways as there are libraries below; here they all mean one thing."""
    try:
        yield
    except (HTTPError, OSError, ValueError):  # ValueError: a host name that cannot be encoded
        raise _Unsent from None


class _PlainConnection(HTTPConnection):
    def connect(self) -> None:
        with _nothing_sent():
            super().connect()


class _TlsConnection(HTTPSConnection):
    def connect(self) -> None:
        with _nothing_sent():
            super().connect()


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    """requests' own adapter (which never retries), with connections that can tell "not connected" from "not answered"."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: left to itself, ``send`` reads a redirect's whole body, however long, even when it is not to follow it."""
        del resp


class Line:
    """Keep-alive connections to some hosts, for as many threads as ``pool_size``; more of them cost extra connections.

    A requests session is safe to share here because what threads would fight over is gone: cookies are refused, every
    request is prepared apart from the session, and the pool below it has its own locks. Made once per process, after a fork.
    """

    def __init__(self, timeout: timedelta, pool_size: int) -> None:
        """``timeout`` bounds each silence of the server, and the body as a whole."""
        for name in _TALKATIVE:
            logging.getLogger(name).addFilter(_SILENCE)
        self._timeout = timeout.total_seconds()
        self._connect_timeout = min(timeout, CONNECT_WITHIN).total_seconds()
        self._session = _Session()
        self._session.trust_env = False  # no proxy and no .netrc of the host's; and a third faster
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter(pool_connections=16, pool_maxsize=pool_size))

    def send(self, request: HttpRequest) -> HttpResponse | TransportFailure:
        """One request to a whole address, at most once. Never raises for what the address, the network or the server does."""
        try:
            prepared = _prepare(request)
        except (requests.RequestException, HTTPError, ValueError):  # ValueError: a header that is not Latin-1
            return TransportFailure.UNSENDABLE
        try:
            return self._exchange(prepared)
        except _Unsent:
            return TransportFailure.UNREACHABLE
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema):
            return TransportFailure.UNSENDABLE
        except (requests.Timeout, ReadTimeoutError, TimeoutError):
            return TransportFailure.NO_ANSWER
        except (requests.RequestException, HTTPError, OSError, ValueError):  # ValueError: framing that http.client cannot read
            return TransportFailure.BROKEN

    def close(self) -> None:
        self._session.close()

    def _exchange(self, prepared: requests.PreparedRequest) -> HttpResponse | TransportFailure:
        response = self._session.send(prepared, stream=True, timeout=(self._connect_timeout, self._timeout), allow_redirects=False)
        with response:
            body = self._read(response)
        if body is None:
            return TransportFailure.OVERSIZED
        # An answer without a date has the date at which it came (RFC 9110, 6.6.1); a Retry-After is measured against it.
        headers = {"date": formatdate(usegmt=True)} | {name.lower(): value for name, value in response.headers.items()}
        return HttpResponse(response.status_code, headers, body.decode("utf-8", "replace"))

    def _read(self, response: requests.Response) -> bytes | None:
        """The body, or None when it is too large. A server that sends byte after byte is not waited for without end."""
        until = time.monotonic() + self._timeout
        body = bytearray()
        while piece := response.raw.read1(_PIECE, decode_content=True):
            body += piece
            if len(body) > LARGEST_ANSWER:
                return None
            if time.monotonic() > until:
                raise TimeoutError
        return bytes(body)


def _prepare(request: HttpRequest) -> requests.PreparedRequest:
    headers = {"User-Agent": f"callbridge/{__version__}", "Accept": "application/json", **request.headers}
    # A header that is not Latin-1 would fail half-way through the sending, and say its whole value while it does.
    encoded = {name: value.encode("latin-1") for name, value in headers.items()}
    return requests.Request(request.method, request.url, headers=encoded, data=request.body.encode() or None).prepare()
