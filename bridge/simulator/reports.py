"""Reports as the Calls API gives them: rows of jobs and of attempts. ``payload`` is in none of them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from bridge.model import to_ms
from bridge.simulator.jobs import CANCELLED, CallAttempt, Job
from bridge.simulator.rejections import BAD_REQUEST, Rejected
from bridge.simulator.settings import Spelling

Row = dict[str, Any]

_SPELLED = {(Spelling.HELP, CANCELLED): "canceled"}
_NO_TAG: Row = {"tagName": None, "tagPayload": None}

_Document = TypeVar("_Document", bound=BaseModel)


class Pagination(BaseModel):
    """At most 200 pages of at most 200 rows; there is no total."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel)

    page: int = Field(default=0, ge=0, le=199)
    page_size: int = Field(default=20, ge=1, le=200)


class Period(BaseModel):
    """Bounds are inclusive. Jobs are filtered by ``createdAt``, attempts by ``startedAt``."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel)

    created_at_from: AwareDatetime | None = None
    created_at_to: AwareDatetime | None = None
    started_at_from: AwareDatetime | None = None
    started_at_to: AwareDatetime | None = None
    finished_at_from: AwareDatetime | None = None
    finished_at_to: AwareDatetime | None = None


class ByDate(BaseModel):
    """The body of both ``getReportByDate``."""

    filter: Period = Period()
    pagination: Pagination = Pagination()


def job_rows(jobs: Iterable[Job], spelling: Spelling) -> list[Row]:
    """One row a job."""
    return [_job_row(job, spelling) for job in jobs]


def attempt_rows(jobs: Iterable[Job], spelling: Spelling) -> list[Row]:
    """One row an attempt; a job nobody has called yet has none."""
    return [_attempt_row(job, attempt, spelling) for job in jobs for attempt in job.attempts]


def jobs_by_date(jobs: Iterable[Job], document: Any, spelling: Spelling) -> Row:
    """A page of the jobs created and finished within the bounds."""
    asked = _read(ByDate, document)
    period = asked.filter
    found = [
        job
        for job in jobs
        if _within(job.created_at, period.created_at_from, period.created_at_to)
        and _within(job.finished_at, period.finished_at_from, period.finished_at_to)
    ]
    return _page(job_rows(found, spelling), asked.pagination)


def attempts_by_date(jobs: Iterable[Job], document: Any, spelling: Spelling) -> Row:
    """A page of the attempts started and finished within the bounds."""
    asked = _read(ByDate, document)
    period = asked.filter
    found = [
        (job, attempt)
        for job in jobs
        for attempt in job.attempts
        if _within(attempt.started_at, period.started_at_from, period.started_at_to)
        and _within(attempt.finished_at, period.finished_at_from, period.finished_at_to)
    ]
    return _page([_attempt_row(job, attempt, spelling) for job, attempt in found], asked.pagination)


def unfinished(jobs: Iterable[Job], document: Any, spelling: Spelling) -> Row:
    """A page of the jobs without ``finishedAt``; here page and size are not wrapped."""
    return _page(job_rows((job for job in jobs if job.finished_at is None), spelling), _read(Pagination, document))


def _job_row(job: Job, spelling: Spelling) -> Row:
    return {
        "callJobId": job.id,
        "phone": job.phone,
        "attemptsCount": len(job.attempts),
        "createdAt": to_ms(job.created_at),
        "finishedAt": _ms(job.finished_at),
        "jobStatus": _SPELLED.get((spelling, job.status), job.status),
        "redialNumber": job.redial,
        "callDuration": sum(attempt.seconds for attempt in job.attempts),
        **_NO_TAG,
        "reportData": job.report_data,
    }


def _attempt_row(job: Job, attempt: CallAttempt, spelling: Spelling) -> Row:
    return {
        "callJobId": job.id,
        "phone": job.phone,
        "attemptNumber": attempt.number,
        "redialNumber": job.redial,
        "jobStatus": _SPELLED.get((spelling, attempt.status), attempt.status),
        "callResult": attempt.result,
        "callDuration": attempt.seconds,
        "startedAt": to_ms(attempt.started_at),
        "finishedAt": _ms(attempt.finished_at),
        **_NO_TAG,
        "reportData": job.report_data,
    }


def _page(rows: list[Row], asked: Pagination) -> Row:
    start = asked.page * asked.page_size
    return {"items": rows[start : start + asked.page_size], "pagination": {"page": asked.page, "pageSize": asked.page_size}}


def _read(kind: type[_Document], document: Any) -> _Document:
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "The body"
        raise Rejected(BAD_REQUEST, f"{where}: {problem['msg']}") from error


def _within(moment: datetime | None, start: datetime | None, end: datetime | None) -> bool:
    if moment is None:
        return start is None and end is None
    return (start is None or start <= moment) and (end is None or moment <= end)


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else to_ms(moment)
