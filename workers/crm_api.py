"""The CRMs' APIs over HTTP: holds the conversation that an adapter describes, and knows no CRM.

An adapter's look-up is a generator (:data:`bridge.sources.base.Lookup`): it yields a request, is sent the answer, and
returns the event with what it learned. Everything that can go wrong on the way becomes ``LookupFailed``, in words
without a secret: a CRM's address or header may carry its token.
"""

import re
import time
import traceback
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from bridge.errors import LookupFailed, Unreadable
from bridge.ledger import TokenStore
from bridge.model import Event, HttpRequest, HttpResponse
from bridge.sources.base import Lookup, Source, Subscription
from bridge.sources.oauth import ACCESS_TOKEN, OAuthSource
from workers.answers import TransportFailure
from workers.line import Line
from workers.tokens import Tokens

LONGEST_PAUSE = 1.0
"""Seconds that a thread may sleep for its turn at a CRM; beyond, the event waits in the ledger and the thread is free."""

MOST_REQUESTS = 20
"""Requests one look-up may need; no adapter comes near it, and one that asks in circles is stopped."""

_FAILURES = {
    TransportFailure.UNREACHABLE: "could not be reached",
    TransportFailure.UNSENDABLE: "could not be asked: check the source's address and api_token",
    TransportFailure.NO_ANSWER: "could not be reached in time: it took the request and did not answer",
    TransportFailure.BROKEN: "could not be reached: the connection broke before the answer was there",
    TransportFailure.OVERSIZED: "sent an answer that is far too long",
}

# What reading an answer of an unexpected shape raises: a key or an item that is not there, a list where an object was
# expected, a number that is none. An adapter is written after a vendor's documentation, and vendors surprise; one
# such answer must not take a worker, and every event it holds, down. Anything else is a fault of ours and shall be seen.
# RuntimeError is what a generator makes of a `next()` that found nothing.
_MISREAD = (Unreadable, LookupError, TypeError, AttributeError, ValueError, OverflowError, RuntimeError)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def at_once() -> float:
    """A pace for a CRM that may be asked without limit."""
    return 0.0


class CrmApi:
    """The connections to all CRMs of one worker process."""

    def __init__(self, timeout: timedelta, pool_size: int, store: TokenStore | None = None, clock: Callable[[], datetime] = _utc_now) -> None:
        """``store`` keeps the tokens of CRMs whose tokens expire; without it such a CRM cannot be asked."""
        self._line = Line(timeout, pool_size)
        self._tokens = Tokens(store, self._line.send, clock) if store else None

    def close(self) -> None:
        self._line.close()

    def probe(self, source: Source, request: HttpRequest) -> None:
        """Whether the CRM takes the source's token. Raises ``LookupFailed`` with the reason when it does not."""
        response = self._ask(source, request, at_once)
        source.judge(response)
        if not HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
            raise LookupFailed(f"{source.title} answered {response.status}")

    def renew(self, source: Source, subscription: Subscription) -> None:
        """Renew a subscription. Raises ``LookupFailed`` when the CRM did not."""
        response = self._ask(source, subscription.request, at_once)
        try:
            source.judge_subscription(response)
        except _MISREAD as error:
            where = _where(error)
        else:
            return
        raise LookupFailed(f"an answer of {source.title} could not be read ({where})")

    def converse(self, source: Source, lookup: Lookup, pace: Callable[[], float] = at_once) -> Event:
        """The event as the adapter returns it. Raises ``LookupFailed``, and nothing else, when the CRM does not help.

        ``pace`` is asked before every request: it says in how many seconds this request has its turn. A turn within
        :data:`LONGEST_PAUSE` is waited for; a later one is given up, with ``retry_after``.
        """
        with closing(lookup):
            step = _advance(source, lookup, None)
            for _ in range(MOST_REQUESTS):
                if isinstance(step, Event):
                    return step
                step = _advance(source, lookup, self._ask(source, step, pace))
        if isinstance(step, Event):
            return step
        raise LookupFailed(f"{source.title} was asked {MOST_REQUESTS} times for one event without an end")

    def _ask(self, source: Source, request: HttpRequest, pace: Callable[[], float]) -> HttpResponse:
        wait = pace()
        if wait > LONGEST_PAUSE:
            raise LookupFailed(f"{source.title} is asked as often as it allows", retry_after=wait)
        if wait > 0:
            time.sleep(wait)
        return self._with_token(source, request) if isinstance(source, OAuthSource) and source.renews else self._send(source, request)

    def _with_token(self, source: OAuthSource, request: HttpRequest) -> HttpResponse:
        """With the token of the hour; one that the CRM does not take any more is renewed once."""
        if self._tokens is None:
            raise LookupFailed(f"the token of {source.title} is kept in the ledger, and there is none at hand: start the bridge first")
        token = self._tokens.current(source)
        response = self._send(source, _carrying(token, request))
        if source.expired(response):
            response = self._send(source, _carrying(self._tokens.another(source, token), request))
        return response

    def _send(self, source: Source, request: HttpRequest) -> HttpResponse:
        if leads_astray(request.url):
            raise LookupFailed(f"an id that {source.title} is to be asked for is none: it would lead the request to another place", final=True)
        response = self._line.send(request)
        if isinstance(response, TransportFailure):
            raise LookupFailed(f"{source.title} {_FAILURES[response]}", parked=response is TransportFailure.UNSENDABLE)
        return response


def leads_astray(url: str) -> bool:
    """Whether its path goes up again, however it is spelled. Adapters quote what they put into a path; ``..`` needs no quoting, and
    whoever may send a webhook could have the token used for something else than a record."""
    return any(part in {".", ".."} for part in re.split(r"[/\\;]", unquote(unquote(urlsplit(url).path))))


def _carrying(token: str, request: HttpRequest) -> HttpRequest:
    headers = {name: value.replace(ACCESS_TOKEN, token) for name, value in request.headers.items()}
    return HttpRequest(request.method, request.url.replace(ACCESS_TOKEN, token), headers, request.body.replace(ACCESS_TOKEN, token))


def _advance(source: Source, lookup: Lookup, response: HttpResponse | None) -> HttpRequest | Event:
    """The adapter's next request, or the event when it has none."""
    try:
        if response is not None:
            source.judge(response)
        return next(lookup) if response is None else lookup.send(response)
    except StopIteration as end:
        event: Event = end.value
        return event
    except _MISREAD as error:
        where = _where(error)
    # Raised out here, the failure does not carry the adapter's own error, whose text may quote the answer.
    raise LookupFailed(f"an answer of {source.title} could not be read ({where})")


def _where(error: Exception) -> str:
    """``KeyError in hubspot.py, line 120``: enough to mend the adapter by, and none of the data."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {frame.filename.rpartition('/')[2]}, line {frame.lineno}"
