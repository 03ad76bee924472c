"""What an attempt can end in, and how the Calls API's answers are read. Pure.

The rule behind every table here: whoever is not certain that nothing was made says *unknown*, because "not made" makes
the bridge send again, and a person is called twice. Facts after the vendor's OpenAPI file (``calls.yml``), which lists
200, 400 and 404 only; what proxies and gateways add is read by its status.

No note, and nothing else that is shown, holds a token or a phone number, whatever the server wrote.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, TypeGuard, TypeVar

from bridge.model import HttpResponse, from_ms


class Outcome(StrEnum):
    """How an attempt ended; what follows from it is :mod:`workers.policy`'s business."""

    MADE = "made"
    """The platform did what was asked."""
    REFUSED = "refused"
    """Not done, and the same request will never be."""
    NOT_NOW = "not_now"
    """Certainly not done; the same request may be, later."""
    UNKNOWN = "unknown"
    """Sent, and it is not known whether it was done."""
    CANNOT = "cannot"
    """Not done, and nothing will be until a person or the campaign changes something."""
    DUPLICATED = "duplicated"
    """The platform's own rule says that it has this call already; it does not say under which id."""


class TransportFailure(StrEnum):
    """Why there is no answer. Only the first three prove that no byte of the request left."""

    UNREACHABLE = "unreachable"
    UNSENDABLE = "unsendable"
    NO_TOKEN = "no_token"  # noqa: S105 -- a reason, not a token
    NO_ANSWER = "no_answer"
    BROKEN = "broken"
    OVERSIZED = "oversized"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an answer, or the lack of one, means. ``retry_after`` is in seconds; ``code`` is the platform's word, verbatim."""

    outcome: Outcome
    note: str
    ids: tuple[str, ...] = ()
    retry_after: float | None = None
    status: int | None = None
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobReport:
    """One call job. ``redial`` is None or 0 for a job that was added, 1 and up for one the script made.

    ``finished`` is the platform's own test (``finishedAt`` is there); ``status`` only says how, and may be a new word.
    """

    id: str
    phone: str = field(repr=False)
    status: str
    finished: bool
    created_at: datetime | None = None
    finished_at: datetime | None = None
    attempts: int = 0
    redial: int | None = None
    talked_seconds: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptReport:
    """One try to reach the person; ``result`` is what the script set."""

    job_id: str
    phone: str = field(repr=False)
    number: int
    status: str
    result: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    redial: int | None = None
    talked_seconds: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignInfo:
    """A campaign at the platform. ``counts`` has the numbers of ``shortReport`` under the vendor's names."""

    id: str
    name: str
    project: str
    status: str
    counts: Mapping[str, int]


Result = HttpResponse | TransportFailure
Row = TypeVar("Row")

NOT_FOUND = frozenset({"id.not.found", "phone.not.found"})
"""The campaign has no such call job. Which of several was meant, the platform does not say."""

LONGEST_WAIT = 3600.0
"""A ``Retry-After`` is believed up to here: beyond, looking again costs less than trusting one header."""

_LONGEST_TEXT = 160
_ID = re.compile(r"[0-9]{1,40}")
_NUMBER = re.compile(r"[0-9]{1,400}(?:\.[0-9]{1,9})?")
_WHOLE = re.compile(r"[0-9]{1,18}")
_STATUS_WORD = re.compile(r"[A-Za-z][A-Za-z_]{0,39}")
# Anything that could be a telephone number (six digits and more, however they are grouped) or a piece of a token.
_PRIVATE = re.compile(r"\+?\d(?:[\s().\-/]*\d){5,}|[^\s\"'(),:;=?&/]{32,}")
_SPELLINGS = {word.lower(): word for word in ("new", "planned", "inProgress", "finished", "paused", "deleted", "cancelledByUser")} | {
    "inprocess": "inProgress",
    "canceled": "cancelledByUser",
    "cancelled": "cancelledByUser",
}

_FAILURES = {
    TransportFailure.UNREACHABLE: (Outcome.NOT_NOW, "the platform could not be reached, so nothing was sent"),
    TransportFailure.UNSENDABLE: (Outcome.CANNOT, "the request could not be put together: check calls_api.base_url and the campaign's token"),
    TransportFailure.NO_TOKEN: (Outcome.CANNOT, "this campaign is not in the configuration, so there is no token to use"),
    TransportFailure.NO_ANSWER: (Outcome.UNKNOWN, "the request was sent and no answer came in time"),
    TransportFailure.BROKEN: (Outcome.UNKNOWN, "the connection broke after the request may have been sent"),
    TransportFailure.OVERSIZED: (Outcome.UNKNOWN, "the answer was far too long to be the platform's"),
}
_WRONG_STATE = "invalid.call.task.state"
_NOT_IN_THIS_STATE = "its state at the platform does not allow it: one that runs can be paused, a paused one resumed, a finished one neither"
_CODES = {
    "phone.duplicated": (Outcome.DUPLICATED, "the platform has this call already"),
    "phone.bad.format": (Outcome.REFUSED, "the platform does not take this phone number"),
    "phone.gmtZone.bad.format": (Outcome.REFUSED, "the platform does not know this time zone"),
    "invalid.call.allowed.time": (Outcome.REFUSED, "the allowed times of the schedule overlap"),
    "invalid.dialer_priority": (Outcome.REFUSED, "the priority is outside 1 to 5"),
    _WRONG_STATE: (Outcome.CANNOT, "the campaign is stopped or finished at the platform"),
    "invalid.token": (Outcome.CANNOT, "the platform does not know this campaign's token"),
}
_NOT_OURS = "this address answers, but not as the Calls API: check calls_api.base_url"
# 408 stands with the unknown: a complete request was sent, and a gateway says the same when the platform behind it was slow.
_STATUSES = {
    401: (Outcome.CANNOT, "the platform asks for other credentials than a campaign token"),
    402: (Outcome.CANNOT, "the platform asks for payment"),
    403: (Outcome.CANNOT, "the platform, or something before it, forbids the request"),
    407: (Outcome.CANNOT, "a proxy asks for credentials"),
    408: (Outcome.UNKNOWN, "the platform gave up on the request, and may have carried it out"),
    425: (Outcome.NOT_NOW, "the platform would not take the request yet"),
    429: (Outcome.NOT_NOW, "the platform asks to send less"),
}


def failure(kind: TransportFailure) -> Answer:
    """What follows from having no answer at all."""
    outcome, note = _FAILURES[kind]
    return Answer(outcome=outcome, note=note, code=kind.value)


def read_add(result: Result) -> Answer:
    """``made`` needs an id: a 200 without one may be anybody's, and is ``unknown``."""
    if not _answered(result):
        return _problem(result)
    ids = _ids(result.body)
    return _made(result, "call job made", ids) if ids else _unreadable(result, "no call job id")


def read_cancel(result: Result) -> Answer:
    """``made`` when there is nothing left to cancel, too; ``ids`` are the call jobs that this very request stopped."""
    if not _answered(result):
        problem = _problem(result)
        gone = problem.outcome is Outcome.REFUSED and problem.code in NOT_FOUND
        return replace(problem, outcome=Outcome.MADE, note="nothing to cancel: the campaign knows no such call job") if gone else problem
    ids = _ids(result.body)
    if ids is None:
        return _unreadable(result, "no list of call job ids")
    return _made(result, "cancelled" if ids else "nothing to cancel: the call is over or was cancelled before", ids)


def read_control(result: Result) -> Answer:
    """The answer is empty; errors come in an envelope of their own, with ``error`` for ``type``."""
    if _answered(result):
        return _made(result, "the campaign was told")
    problem = _problem(result)
    return replace(problem, note=_NOT_IN_THIS_STATE) if problem.code == _WRONG_STATE else problem


def read_report(result: Result) -> tuple[JobReport, ...] | Answer:
    """The rows, or why there are none to go by. One row that cannot be read spoils all: it might be the one looked for."""
    return _rows(result, _job)


def read_attempts(result: Result) -> tuple[AttemptReport, ...] | Answer:
    """The same for attempts."""
    return _rows(result, _attempt)


def read_status(result: Result) -> str | Answer:
    """``inProgress`` for both of the vendor's spellings; a word that is not known is kept as it is."""
    if not _answered(result):
        return _problem(result)
    word = _scalar(result.body)
    return _spelled(word) if isinstance(word, str) and _STATUS_WORD.fullmatch(word) else _unreadable(result, "no status")


def read_info(result: Result) -> CampaignInfo | Answer:
    if not _answered(result):
        return _problem(result)
    document = _json(result.body)
    if not isinstance(document, dict) or "status" not in document:
        return _unreadable(result, "no campaign")
    report = document.get("shortReport")
    counts = {str(name): count for name, value in report.items() if (count := _int(value)) is not None} if isinstance(report, dict) else {}
    name, project, identity = (_str(document.get(key)) for key in ("name", "projectName", "id"))
    return CampaignInfo(id=identity, name=name, project=project, status=_spelled(_str(document["status"])), counts=counts)


def _answered(result: Result) -> TypeGuard[HttpResponse]:
    return isinstance(result, HttpResponse) and 200 <= result.status < 300


def _made(response: HttpResponse, note: str, ids: tuple[str, ...] = ()) -> Answer:
    return Answer(outcome=Outcome.MADE, note=note, ids=ids, status=response.status)


def _unreadable(response: HttpResponse, lack: str) -> Answer:
    return Answer(outcome=Outcome.UNKNOWN, note=f"the platform answered {response.status} with {lack} in it", status=response.status)


def _problem(result: Result) -> Answer:
    if isinstance(result, TransportFailure):
        return failure(result)
    document = _json(result.body)
    code, message = (_code(document), _str(document.get("message"))) if isinstance(document, dict) else (None, "")
    outcome, note = _meaning(result.status, code, message)
    return Answer(outcome=outcome, note=note, retry_after=_retry_after(result.headers), status=result.status, code=code)


def _meaning(status: int, code: str | None, message: str) -> tuple[Outcome, str]:
    if 300 <= status < 400:
        return Outcome.CANNOT, f"the platform answered {status}, a redirect, which a call must not follow: check calls_api.base_url"
    if not 400 <= status < 500:
        return Outcome.UNKNOWN, f"the platform answered {status}, and may have carried the request out"
    if code in _CODES:
        return _CODES[code]
    if status in _STATUSES:
        return _STATUSES[status]
    if code is None and status in {404, 405}:
        return Outcome.CANNOT, _NOT_OURS
    said = ": ".join(part for part in (_public(code or ""), _public(message)) if part)
    return Outcome.REFUSED, f"the platform refused it ({status})" + (f": {said}" if said else "")


def _code(document: Mapping[str, Any]) -> str | None:
    """``type``, or ``error`` of the control envelope. A web framework's own error page is neither, though it is spelled alike."""
    if "timestamp" in document or document.get("type") == "about:blank":
        return None
    code = document.get("type") or document.get("error")
    return code[:_LONGEST_TEXT] if isinstance(code, str) else None


def _public(text: str) -> str:
    """What may be shown of a text the server wrote: one short line, without what could be a number to call or a token."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * _LONGEST_TEXT]).split())
    return _PRIVATE.sub("…", line)[:_LONGEST_TEXT]


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from a number or from a date set against the answer's own ``Date``: no clock but the server's is needed."""
    value = headers.get("retry-after", "").strip()
    if _NUMBER.fullmatch(value):
        return min(float(value), LONGEST_WAIT)
    try:
        wait = (parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))).total_seconds()
    except (ValueError, TypeError, OverflowError):  # TypeError: one of the two has no zone
        return None
    return min(max(wait, 0.0), LONGEST_WAIT)


def _ids(body: str) -> tuple[str, ...] | None:
    """Ids in any of the forms seen or documented: ``"123"``, ``123``, bare text, ``["123"]``. None when one is no id."""
    value = _scalar(body)
    ids = [_id(item) for item in (value if isinstance(value, list) else [value])]
    return None if None in ids else tuple(filter(None, ids))


def _id(value: Any) -> str | None:
    text = _str(value)
    return text if _ID.fullmatch(text) else None


def _scalar(body: str) -> Any:
    """The JSON value, or the text as it is where it is no JSON."""
    value, text = _json(body), body.strip("\ufeff \t\r\n")
    return text if value is None and text != "null" else value


def _json(body: str) -> Any:
    """None for what is no JSON, however it is broken."""
    try:
        return json.loads(body.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return None


def _rows(result: Result, read: Callable[[Mapping[str, Any]], Row | None]) -> tuple[Row, ...] | Answer:
    if not _answered(result):
        return _problem(result)
    document = _json(result.body)
    items = document.get("items") if isinstance(document, dict) else document
    if not isinstance(items, list):
        return _unreadable(result, "no report")
    rows = [read(item) if isinstance(item, dict) else None for item in items]
    readable = tuple(row for row in rows if row is not None)
    return readable if len(readable) == len(rows) else _unreadable(result, "a row without a call job id")


def _job(row: Mapping[str, Any]) -> JobReport | None:
    if (identity := _id(row.get("callJobId"))) is None:
        return None
    return JobReport(
        id=identity,
        phone=_str(row.get("phone")),
        status=_spelled(_str(row.get("jobStatus"))),
        finished=row.get("finishedAt") not in (None, ""),
        created_at=moment(row.get("createdAt")),
        finished_at=moment(row.get("finishedAt")),
        attempts=_int(row.get("attemptsCount")) or 0,
        redial=_int(row.get("redialNumber")),
        talked_seconds=_int(row.get("callDuration")),
        data=_mapping(row.get("reportData")),
    )


def _attempt(row: Mapping[str, Any]) -> AttemptReport | None:
    if (identity := _id(row.get("callJobId"))) is None:
        return None
    return AttemptReport(
        job_id=identity,
        phone=_str(row.get("phone")),
        number=_int(row.get("attemptNumber")) or 0,
        status=_spelled(_str(row.get("jobStatus"))),
        result=_str(row.get("callResult")) or None,
        started_at=moment(row.get("startedAt")),
        finished_at=moment(row.get("finishedAt")),
        redial=_int(row.get("redialNumber")),
        talked_seconds=_int(row.get("callDuration")),
        data=_mapping(row.get("reportData")),
    )


def moment(value: Any) -> datetime | None:
    """A time as the platform writes it: milliseconds, as a number or as text, or ISO 8601. None for anything else."""
    try:
        if isinstance(value, bool) or value is None:
            return None
        if isinstance(value, int | float) or _NUMBER.fullmatch(value):
            return from_ms(float(value))
        written = datetime.fromisoformat(value)
        return (written if written.tzinfo else written.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, OSError):  # the last two: a number that is no date
        return None


def _spelled(word: str) -> str:
    return _SPELLINGS.get(word.lower(), word)


def _str(value: Any) -> str:
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _int(value: Any) -> int | None:
    return int(text) if _WHOLE.fullmatch(text := _str(value)) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
