"""Every request of the Calls API, as it goes out. Pure: ``explain`` shows, and the worker sends, what is built here.

A ``url`` is a path with the campaign's token left open as ``{token}``; only the client that sends it knows the token.
The same command gives the same bytes in every process and for ever (names are sorted), because a retry under one
``Idempotence-Key`` must not differ from the first try. Facts after https://help.cloud.tovie.ai/ds/smart_calls/calls_api
and the vendor's OpenAPI file, ``/dialer/static/openapi/calls.yml`` on the platform's own host.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from urllib.parse import parse_qs, quote, urlencode

from bridge.model import CallCommand, CallPlan, HttpRequest, Window, iso, present
from bridge.phones import mask, wire

KEY_HEADER = "Idempotence-Key"
"""The vendor's spelling."""

TOKEN = "{token}"  # noqa: S105 -- the place where a token goes, not a token
HIDDEN = "***"

LARGEST_PAGE = 200
"""Rows a page of ``getReportByDate`` or ``getUnfinished`` may hold; there are at most 200 pages."""

CrmParams = Literal["form", "query"]

_CALLS = f"/api/calls/campaign/{TOKEN}"
_CRM_CALLS = f"/api/crmCalls/campaign/{TOKEN}"
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"
_RESERVED = frozenset({"phone", "gmtZone", KEY_HEADER})


class Control(StrEnum):
    """What can be done to a whole campaign. There is no way back from ``STOP``: the API has no ``start``."""

    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Period:
    """From and to, either of them open."""

    start: datetime | None = None
    end: datetime | None = None


def call_request(command: CallCommand, key: str, *, crm_params: CrmParams = "form") -> HttpRequest:
    """One call job for one number.

    A command with a plan goes to ``addPhones``, the only one of the two that takes a schedule. Without one it goes to
    crmCalls ``addPhone``, whose parameters the vendor's pages put in the query and its specification in a form:
    ``crm_params`` says which, and never both, because a host that reads both would see every value twice.
    """
    if command.plan is not None:
        return _json_post("addPhones", [_item(command, command.plan)], key)
    parameters = urlencode(_parameters(command), quote_via=quote, errors="replace")
    path = f"{_CRM_CALLS}/addPhone"
    if crm_params == "query":
        return HttpRequest("POST", f"{path}?{parameters}", {KEY_HEADER: key})
    return HttpRequest("POST", path, {"Content-Type": _FORM, KEY_HEADER: key}, parameters)


def add_phone_get(command: CallCommand, key: str) -> HttpRequest:
    """crmCalls ``addPhone`` as a GET. Never used for events: hosts disagree on where a GET's key is read.

    It is sent as header and as parameter; a host that reads only the header takes the parameter for payload.
    """
    parameters = urlencode({**_parameters(command), KEY_HEADER: key}, quote_via=quote, errors="replace")
    return HttpRequest("GET", f"{_CRM_CALLS}/addPhone?{parameters}", {KEY_HEADER: key})


def test_add_phone(command: CallCommand) -> HttpRequest:
    """``test/addPhone``: calls a number again that the duplicate rule would refuse. It is a real call all the same."""
    parameters = urlencode(_parameters(command), quote_via=quote, errors="replace")
    return HttpRequest("GET", f"{_CRM_CALLS}/test/addPhone?{parameters}")


def cancel_request(ids: Sequence[str], key: str, *, phones: Sequence[str] = ()) -> HttpRequest:
    """Stop these call jobs, and every job of these numbers. A conversation under way is left to end.

    One id a request is what the bridge sends: whether one unknown id spoils the others is written nowhere.
    """
    return _json_post("callJob/cancel", _named(ids, phones), key)


def job_report(*, ids: Sequence[str] = (), phones: Sequence[str] = ()) -> HttpRequest:
    """One row per call job. A number has as many as it was added and redialled."""
    return _json_post("callJob/getReport", _named(ids, phones))


def attempt_report(*, ids: Sequence[str] = (), phones: Sequence[str] = ()) -> HttpRequest:
    """One row per attempt to reach the person, with the result that the script set."""
    return _json_post("callAttempt/getReport", _named(ids, phones))


def job_report_by_date(*, created: Period = Period(), finished: Period = Period(), page: int = 0, page_size: int = LARGEST_PAGE) -> HttpRequest:
    """Call jobs by when they were made or finished. No order is promised: fix ``finished.end`` while turning pages."""
    span = _span("createdAt", created) | _span("finishedAt", finished)
    return _json_post("callJob/getReportByDate", {"filter": span, "pagination": _page(page, page_size)})


def attempt_report_by_date(*, started: Period = Period(), finished: Period = Period(), page: int = 0, page_size: int = LARGEST_PAGE) -> HttpRequest:
    """Attempts by when the conversation began or ended."""
    span = _span("startedAt", started) | _span("finishedAt", finished)
    return _json_post("callAttempt/getReportByDate", {"filter": span, "pagination": _page(page, page_size)})


def unfinished(page: int = 0, page_size: int = LARGEST_PAGE) -> HttpRequest:
    """Call jobs without a ``finishedAt``."""
    return _json_post("callJob/getUnfinished", _page(page, page_size))


def campaign_info() -> HttpRequest:
    return HttpRequest("GET", _CALLS)


def campaign_status() -> HttpRequest:
    return HttpRequest("GET", f"{_CALLS}/status")


def control(action: Control, key: str) -> HttpRequest:
    return HttpRequest("POST", f"{_CALLS}/control/{action}", {KEY_HEADER: key})


def phones_of(request: HttpRequest) -> tuple[str, ...]:
    """The numbers a request built here is about, as they are on the wire."""
    if request.body.startswith(("[", "{")):
        document = json.loads(request.body)
        items = document if isinstance(document, list) else [document]
        return tuple(phone for item in items for phone in (*item.get("phones", ()), *filter(None, [item.get("phone")])))
    return tuple(parse_qs(request.body or request.url.partition("?")[2]).get("phone", ()))


def shown(request: HttpRequest, base_url: str, *, mask_phones: bool = False) -> dict[str, Any]:
    """A request for people to read: the token is ``***``; for a page or a log the numbers are masked too."""
    url, body = base_url.rstrip("/") + request.url.replace(TOKEN, HIDDEN), request.body
    for phone in phones_of(request) if mask_phones else ():
        url, body = (text.replace(phone, mask(phone)) for text in (url, body))
    return {"method": request.method, "url": url, "headers": dict(request.headers), "body": body}


def _json_post(method: str, document: Any, key: str | None = None) -> HttpRequest:
    headers = {"Content-Type": _JSON} | ({KEY_HEADER: key} if key is not None else {})
    return HttpRequest("POST", f"{_CALLS}/{method}", headers, _compact(document))


def _compact(value: Any) -> str:
    """JSON that depends on the value alone. Half a character, which no encoding can write, becomes a question mark."""
    text = json.dumps(_finite(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode()


def _finite(value: Any) -> Any:
    """JSON has no infinity, but a JMESPath ``to_number`` of what a person typed may make one: it goes as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _item(command: CallCommand, plan: CallPlan) -> dict[str, Any]:
    """``phone`` and ``payload`` may be all there is: what is left out, the campaign's own settings decide."""
    return present(
        {
            "phone": wire(command.phone),
            "payload": dict(command.payload) or None,
            "gmtZone": command.time_zone or None,
            "allowedDays": list(plan.allowed_days) if plan.allowed_days else None,
            "allowedTime": _allowed_time(plan.allowed_time) if plan.allowed_time else None,
            "maxAttempts": plan.max_attempts,
            "retryIntervalInMinutes": plan.retry_interval_minutes,
            "dialerPriority": plan.priority,
            "startDateTime": iso(plan.start_at) if plan.start_at else None,
            "finishDateTime": iso(plan.finish_at) if plan.finish_at else None,
        }
    )


def _allowed_time(days: Mapping[str, Sequence[Window]]) -> dict[str, list[dict[str, str]]]:
    """``HH:MM`` with both digits of the hour."""
    return {
        day: [{"localTimeFrom": f"{window.start:%H:%M}", "localTimeTo": f"{window.end:%H:%M}"} for window in windows] for day, windows in days.items()
    }


def _parameters(command: CallCommand) -> dict[str, str]:
    """crmCalls knows only text: whatever is not called ``phone`` or ``gmtZone`` is payload.

    Rules cannot name a payload value like one of the API's own; should one get here, the API's own wins.
    """
    own = {"phone": wire(command.phone)} | ({"gmtZone": command.time_zone} if command.time_zone else {})
    payload = {name: _text(value) for name, value in sorted(command.payload.items()) if value is not None and name not in _RESERVED}
    return own | payload


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _compact(value).strip('"')


def _named(ids: Sequence[str], phones: Sequence[str]) -> dict[str, list[str]]:
    """What a report or a cancel is about; what an empty body would mean is written nowhere, so none is ever sent."""
    if not ids and not phones:
        raise ValueError("a report or a cancel needs at least one call job id or phone")
    named = {"ids": list(ids), "phones": [wire(phone) for phone in phones]}
    return {name: values for name, values in named.items() if values}


def _span(name: str, period: Period) -> dict[str, str]:
    bounds = {f"{name}From": period.start, f"{name}To": period.end}
    return {bound: iso(moment) for bound, moment in bounds.items() if moment is not None}


def _page(page: int, page_size: int) -> dict[str, int]:
    return {"page": page, "pageSize": page_size}
