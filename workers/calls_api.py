"""The Calls API over HTTP: every endpoint, one try each.

Nothing here tries twice, follows a redirect, or raises for what a network does: a request goes out at most once, and the caller is told
whether it may have arrived (:mod:`workers.line`). A campaign token is put into the path at the last moment and stays here; a server's
echo of it is struck out before anybody reads it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from urllib.parse import quote

from bridge import calls
from bridge.model import HttpRequest, HttpResponse
from workers.answers import (
    NOT_FOUND,
    Answer,
    AttemptReport,
    CampaignInfo,
    JobReport,
    Outcome,
    Result,
    Row,
    TransportFailure,
    read_add,
    read_attempts,
    read_cancel,
    read_control,
    read_info,
    read_report,
    read_status,
)
from workers.line import Line

_LONG_TOKEN = 16


class CallsApi:
    """The platform, for all campaigns of the configuration: ``tokens`` by campaign name."""

    def __init__(self, base_url: str, timeout: timedelta, tokens: Mapping[str, str], pool_size: int) -> None:
        self._base_url = base_url.rstrip("/")
        self._tokens = {campaign: (quote(token, safe=""), _echo(token)) for campaign, token in tokens.items() if token}
        self._line = Line(timeout, pool_size)

    def send(self, campaign: str, request: HttpRequest) -> Result:
        """One request of :mod:`bridge.calls`, once. What comes back is free of the token."""
        if campaign not in self._tokens:
            return TransportFailure.NO_TOKEN
        token, echo = self._tokens[campaign]
        path = request.url.replace(calls.TOKEN, token, 1)
        result = self._line.send(HttpRequest(request.method, self._base_url + path, request.headers, request.body))
        return result if isinstance(result, TransportFailure) else _without(echo, result)

    def close(self) -> None:
        self._line.close()

    # What changes something at the platform.

    def add(self, campaign: str, request: HttpRequest) -> Answer:
        """``request`` comes from :func:`bridge.calls.call_request`, and is the same in every try."""
        return read_add(self.send(campaign, request))

    def cancel(self, campaign: str, ids: Sequence[str], key: str, *, phones: Sequence[str] = ()) -> Answer:
        return read_cancel(self.send(campaign, calls.cancel_request(ids, key, phones=phones)))

    def control(self, campaign: str, action: calls.Control, key: str) -> Answer:
        return read_control(self.send(campaign, calls.control(action, key)))

    # What only reads. An Answer in place of rows says why there are none to go by; it never means "none".

    def job_report(self, campaign: str, *, ids: Sequence[str] = (), phones: Sequence[str] = ()) -> tuple[JobReport, ...] | Answer:
        """What the campaign knows of these; what it does not know is left out, without spoiling the rest."""
        return _known(lambda **wanted: read_report(self.send(campaign, calls.job_report(**wanted))), ids, phones)

    def attempt_report(self, campaign: str, *, ids: Sequence[str] = (), phones: Sequence[str] = ()) -> tuple[AttemptReport, ...] | Answer:
        return _known(lambda **wanted: read_attempts(self.send(campaign, calls.attempt_report(**wanted))), ids, phones)

    def jobs(self, campaign: str, request: HttpRequest) -> tuple[JobReport, ...] | Answer:
        """One page of ``calls.job_report_by_date`` or ``calls.unfinished``: the last one is shorter than was asked for."""
        return read_report(self.send(campaign, request))

    def attempts(self, campaign: str, request: HttpRequest) -> tuple[AttemptReport, ...] | Answer:
        """The same for ``calls.attempt_report_by_date``."""
        return read_attempts(self.send(campaign, request))

    def info(self, campaign: str) -> CampaignInfo | Answer:
        return read_info(self.send(campaign, calls.campaign_info()))

    def status(self, campaign: str) -> str | Answer:
        """A harmless read: what ``check --online`` and the probe of a parked campaign ask."""
        return read_status(self.send(campaign, calls.campaign_status()))


def _known(ask: Callable[..., tuple[Row, ...] | Answer], ids: Sequence[str], phones: Sequence[str]) -> tuple[Row, ...] | Answer:
    """The rows, asked for again in halves when one of several is not known: the platform then gives none, and does not say which."""
    rows = ask(ids=ids, phones=phones)
    if not isinstance(rows, Answer) or rows.outcome is not Outcome.REFUSED or rows.code not in NOT_FOUND:
        return rows
    if len(ids) + len(phones) == 1:
        return ()
    found: tuple[Row, ...] = ()
    for some_ids, some_phones in _halves(ids, phones):
        rows = _known(ask, some_ids, some_phones)
        if isinstance(rows, Answer):
            return rows
        found += rows
    return found


def _halves(ids: Sequence[str], phones: Sequence[str]) -> list[tuple[Sequence[str], Sequence[str]]]:
    if ids and phones:
        return [(ids, ()), ((), phones)]
    middle = (len(ids) + len(phones)) // 2
    return [(ids[:middle], phones[:middle]), (ids[middle:], phones[middle:])]


def _echo(token: str) -> re.Pattern[str]:
    """A real token is struck out wherever it stands; a short one, as tests have, only where it is a word of its own."""
    spelled = f"(?:{re.escape(token)}|{re.escape(quote(token, safe=''))})"
    return re.compile(spelled if len(token) >= _LONG_TOKEN else rf"(?<![\w.-]){spelled}(?![\w-])")


def _without(echo: re.Pattern[str], response: HttpResponse) -> HttpResponse:
    headers = {name: echo.sub(calls.HIDDEN, value) for name, value in response.headers.items()}
    return HttpResponse(response.status, headers, echo.sub(calls.HIDDEN, response.body))
