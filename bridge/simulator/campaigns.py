"""Campaigns: their states, what control makes of them, and what they tell about themselves."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bridge.model import iso, present
from bridge.simulator.jobs import IN_PROCESS, ON_RETRY, Job
from bridge.simulator.rejections import ControlRejected, not_running
from bridge.simulator.settings import Spelling

NEW, IN_PROGRESS, PAUSED, FINISHED = "new", "inProgress", "paused", "finished"

_CONTROLS = {
    "pause": (frozenset({NEW, IN_PROGRESS}), PAUSED),
    "resume": (frozenset({PAUSED}), IN_PROGRESS),
    "stop": (frozenset({NEW, IN_PROGRESS, PAUSED}), FINISHED),
}
_SPELLED = {(Spelling.HELP, NEW): "planned", (Spelling.HELP, IN_PROGRESS): "inProcess"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """One campaign; its token is its name."""

    id: int
    token: str
    created_at: datetime
    status: str = NEW
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def stopped(self) -> bool:
        return self.status == FINISHED

    def spelled(self, spelling: Spelling) -> str:
        return _SPELLED.get((spelling, self.status), self.status)

    def require_open(self) -> None:
        """A paused campaign takes numbers too, and calls them when it is resumed."""
        if self.stopped:
            raise not_running(self.status)

    def started(self, now: datetime) -> "Campaign":
        """The first number starts a new campaign."""
        return replace(self, status=IN_PROGRESS, started_at=now) if self.status == NEW else self

    def controlled(self, action: str, now: datetime) -> "Campaign":
        """After ``pause``, ``resume`` or ``stop``. What is stopped stays stopped."""
        allowed, after = _CONTROLS[action]
        if self.status not in allowed:
            raise ControlRejected("invalid.call.task.state", f"A campaign in this state cannot {action}", state=self.status.upper())
        return replace(self, status=after, ended_at=now if after == FINISHED else None)


def information(campaign: Campaign, jobs: Iterable[Job], spelling: Spelling) -> dict[str, Any]:
    """The answer of ``GET /api/calls/campaign/{token}``; the optional fields are missing rather than null."""
    return present(
        {
            "id": campaign.id,
            "name": campaign.token,
            "projectName": "Simulator",
            "creationDate": iso(campaign.created_at),
            "botId": "simulator",
            "status": campaign.spelled(spelling),
            "shortReport": _short_report(list(jobs)),
            "startTime": iso(campaign.started_at) if campaign.started_at else None,
            "endTime": iso(campaign.ended_at) if campaign.ended_at else None,
        }
    )


def _short_report(jobs: list[Job]) -> dict[str, int]:
    return {
        "totalNumbers": len(jobs),
        "processedNumbers": sum(job.finished_at is not None for job in jobs),
        "usedTalkingTime": sum(attempt.seconds for job in jobs for attempt in job.attempts),
        "usedAsrSeconds": 0,
        "inProcessCalls": sum(job.status == IN_PROCESS for job in jobs),
        "retryCalls": sum(job.status == ON_RETRY for job in jobs),
    }
