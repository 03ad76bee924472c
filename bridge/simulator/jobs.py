"""Call jobs and what happens to them: planned, in process, finished in one of several ways, cancelled, redialled."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from bridge.simulator.numbers import Number

PLANNED = "planned"
IN_PROCESS = "inProcess"
ON_RETRY = "onRetry"
NOT_DONE = "notDone"
CANCELLED = "cancelledByUser"

FINAL = frozenset(
    {"longCallWithResult", "longCallWithNoResult", "noAnswer", NOT_DONE, "nonexistentNumber", CANCELLED, "technicalError"},
)
_RANG = FINAL - {NOT_DONE, CANCELLED} | {ON_RETRY}
"""Statuses that nobody reaches without having been dialled."""
_ALIASES = {"canceled": CANCELLED, "inProgress": IN_PROCESS}


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAttempt:
    """One time the phone rang."""

    number: int
    started_at: datetime
    status: str = IN_PROCESS
    finished_at: datetime | None = None
    result: str | None = None

    @property
    def seconds(self) -> int:
        return int((self.finished_at - self.started_at).total_seconds()) if self.finished_at else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One call job, which is one ring. ``redial`` counts from 1 for jobs that the script made of another."""

    id: str
    campaign: str
    number: Number
    created_at: datetime
    key: str | None = None
    status: str = PLANNED
    finished_at: datetime | None = None
    cancelled_at: datetime | None = None
    redial: int | None = None
    redial_of: str | None = None
    attempts: tuple[CallAttempt, ...] = ()
    report_data: Mapping[str, Any] | None = field(default=None)

    @property
    def phone(self) -> str:
        return self.number.phone


class Move(BaseModel):
    """What an operator of the simulator makes of a job.

    Any ``status`` is taken, those nobody has heard of too; ``finished`` overrides what the status implies.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: str = Field(min_length=1)
    finished: bool | None = None
    call_result: str | None = None
    report_data: dict[str, Any] | None = None


def moved(job: Job, move: Move, now: datetime) -> Job:
    """A job that was cancelled in mid-call finishes as it will, but is not tried again."""
    status = _ALIASES.get(move.status, move.status)
    attempts = _rung(job, status, move.call_result, now)
    if job.cancelled_at and status == ON_RETRY:
        status = CANCELLED
    finished = status in FINAL if move.finished is None else move.finished
    return replace(
        job,
        status=status,
        attempts=attempts,
        finished_at=(job.finished_at or now) if finished else None,
        report_data=job.report_data if move.report_data is None else move.report_data,
    )


def cancelled(job: Job, now: datetime) -> Job:
    """A call in progress is allowed to finish; of a finished one nothing can be undone."""
    if job.finished_at:
        return job
    if job.status == IN_PROCESS:
        return replace(job, cancelled_at=now)
    return replace(job, status=CANCELLED, cancelled_at=now, finished_at=now)


def left_over(job: Job, now: datetime) -> Job:
    """What a campaign that is stopped makes of a job nobody has called yet."""
    if job.finished_at or job.status == IN_PROCESS:
        return job
    return replace(job, status=NOT_DONE, finished_at=now)


def redialled(job: Job, job_id: str, now: datetime) -> Job:
    """The job that a script's ``redial`` makes: another id, the same number, no key."""
    return Job(id=job_id, campaign=job.campaign, number=job.number, created_at=now, redial=(job.redial or 0) + 1, redial_of=job.redial_of or job.id)


def _rung(job: Job, status: str, result: str | None, now: datetime) -> tuple[CallAttempt, ...]:
    """The attempts after a move: in process opens one, what comes of a call closes it."""
    ringing = job.attempts[-1] if job.attempts and job.attempts[-1].finished_at is None else None
    if ringing is None and status != IN_PROCESS and (status not in _RANG or job.finished_at):
        return job.attempts
    attempt = ringing or CallAttempt(number=len(job.attempts) + 1, started_at=now)
    if status != IN_PROCESS:
        attempt = replace(attempt, status=status, finished_at=now, result=result)
    return (*(job.attempts[:-1] if ringing else job.attempts), attempt)
