"""The platform itself: campaigns, call jobs, idempotence keys and the rule of duplicate numbers. No I/O, no clock.

Every answer follows the public documentation of the Calls API; what that leaves open is a switch in
:mod:`bridge.simulator.settings`. One lock makes every operation whole, whichever threads ask at once.
"""

import random
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import RLock
from typing import Any, TypeVar

from bridge.simulator.campaigns import Campaign, information
from bridge.simulator.duplicates import MEMORY, identities, verdict
from bridge.simulator.jobs import Job, Move, cancelled, left_over, moved, redialled
from bridge.simulator.numbers import Number, read_number, read_numbers
from bridge.simulator.rejections import Rejected, duplicated, invalid_token
from bridge.simulator.selection import read_selection
from bridge.simulator.settings import CancelFinished, Settings, Undocumented

_FIRST_ID = 5665336642
_LONGEST_STEP = 9  # ids of one request were seen not to be consecutive

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks, and when: the token in the path, the idempotence key, the moment."""

    token: str
    key: str | None
    now: datetime


@dataclass(frozen=True, slots=True)
class _Kept:
    at: datetime
    answer: Any


class Platform:
    """Everything the simulated platform remembers. ``settings`` may be replaced at any time."""

    def __init__(self, settings: Settings | None = None, seed: int = 1) -> None:
        self.settings = settings or Settings()
        self._seed = seed
        self._lock = RLock()
        self.forget()

    def forget(self) -> None:
        """As on the first day, with the same ids to come."""
        with self._lock:
            self._random = random.Random(self._seed)  # noqa: S311 -- ids that repeat, not secrets
            self._last_id = _FIRST_ID - 1
            self._campaigns: dict[str, Campaign] = {}
            self._jobs: dict[str, Job] = {}
            self._kept: dict[Hashable, _Kept] = {}
            self._latest: dict[Hashable, str] = {}
            self._answered: Counter[str] = Counter()

    # What the Calls API offers.

    def add_one(self, request: Request, params: Mapping[str, str], *, again: bool = False) -> str:
        """crmCalls: one number, every other parameter its payload. ``again`` lifts the rule of duplicate numbers."""
        return self._once("add", request, lambda campaign: self._add_one(campaign, request, params, again))

    def add_many(self, request: Request, document: Any) -> list[str]:
        """``addPhones``: all or none. Numbers are unique within one array; across requests nothing protects them."""
        return self._once("add", request, lambda campaign: self._add_many(campaign, request, document))

    def cancel(self, request: Request, document: Any) -> list[str]:
        """The ids that will not be tried (again). A call in progress is among them, and is allowed to finish."""
        return self._once("cancel", request, lambda campaign: self._cancel(campaign, request, document))

    def control(self, request: Request, action: str) -> None:
        """``pause``, ``resume`` or ``stop``; what is stopped cannot be resumed."""
        self._once(action, request, lambda campaign: self._control(campaign, request, action))

    def find(self, request: Request, document: Any) -> list[Job]:
        """The jobs that a body of phones and ids names, oldest first."""
        with self._lock:
            return self._select(self._campaign(request), document)

    def of_campaign(self, request: Request) -> list[Job]:
        """All jobs of one campaign, oldest first."""
        with self._lock:
            campaign = self._campaign(request)
            return [job for job in self._jobs.values() if job.campaign == campaign.token]

    def status(self, request: Request) -> str:
        with self._lock:
            return self._campaign(request).spelled(self.settings.spelling)

    def information(self, request: Request) -> dict[str, Any]:
        with self._lock:
            return information(self._campaign(request), self.of_campaign(request), self.settings.spelling)

    # What only the simulator offers.

    @property
    def jobs(self) -> list[Job]:
        """Every job of every campaign, oldest first."""
        with self._lock:
            return list(self._jobs.values())

    @property
    def campaigns(self) -> list[Campaign]:
        with self._lock:
            return list(self._campaigns.values())

    def answered(self, job: Job) -> int:
        """How many add requests were answered with this job."""
        with self._lock:
            return self._answered[job.id]

    def move(self, job_id: str, move: Move, now: datetime) -> Job:
        """Raises ``KeyError`` for an unknown job."""
        with self._lock:
            return self._keep(moved(self._jobs[job_id], move, now))

    def redial(self, job_id: str, now: datetime) -> Job:
        """What a script's ``redial`` does. Raises ``KeyError`` for an unknown job."""
        with self._lock:
            return self._keep(redialled(self._jobs[job_id], self._next_id(), now))

    # How it is done; all of it under the lock.

    def _once(self, operation: str, request: Request, act: Callable[[Campaign], _Answer]) -> _Answer:
        """The same key gives the same answer for 24 hours, and the second time nothing is done."""
        with self._lock:
            campaign = self._campaign(request)
            scope = (operation, request.token, request.key)
            kept = self._kept.get(scope) if request.key else None
            if kept is None or request.now - kept.at >= MEMORY:
                kept = _Kept(request.now, _outcome(act, campaign))
            if request.key and (self.settings.remember_errors or not isinstance(kept.answer, Rejected)):
                self._kept[scope] = kept
            if isinstance(kept.answer, Rejected):
                raise kept.answer.with_traceback(None)
            if operation == "add":
                self._answered.update([kept.answer] if isinstance(kept.answer, str) else kept.answer)
            answer: _Answer = kept.answer
            return answer

    def _campaign(self, request: Request) -> Campaign:
        """Any token has a campaign from the first time it is used, unless it is a bad one."""
        if request.token.startswith("bad") or request.token in self.settings.bad_tokens:
            raise invalid_token()
        if request.token not in self._campaigns:
            campaign = Campaign(id=len(self._campaigns) + 1, token=request.token, created_at=request.now)
            self._campaigns[request.token] = campaign
        return self._campaigns[request.token]

    def _add_one(self, campaign: Campaign, request: Request, params: Mapping[str, str], again: bool) -> str:
        campaign.require_open()
        named = {name: params[name] for name in ("phone", "gmtZone") if name in params}
        number = read_number({**named, "payload": {name: value for name, value in params.items() if name not in named}})
        earlier = None if again else self._earlier(number, request)
        if earlier:
            return earlier.id
        job = self._add(campaign, number, request)
        if not again:
            self._latest.update(dict.fromkeys(identities(campaign.token, number).values(), job.id))
        return job.id

    def _earlier(self, number: Number, request: Request) -> Job | None:
        """The job that stands for this request, if one does; an error where the rule says so."""
        identity = identities(request.token, number)[self.settings.duplicate_wording]
        earlier = self._jobs.get(self._latest.get(identity, ""))
        if earlier is None:
            return None
        said = verdict(earlier, request.key, request.now, self.settings)
        if said == Undocumented.ERROR:
            raise duplicated(number.phone, listed=self.settings.phones_duplicates)
        return earlier if said == Undocumented.OLD_ID else None

    def _add_many(self, campaign: Campaign, request: Request, document: Any) -> list[str]:
        campaign.require_open()
        numbers = read_numbers(document)
        twice = [phone for phone, count in Counter(number.phone for number in numbers).items() if count > 1]
        if twice:
            raise duplicated(*twice, listed=self.settings.phones_duplicates)
        return [self._add(campaign, number, request).id for number in numbers]

    def _add(self, campaign: Campaign, number: Number, request: Request) -> Job:
        self._campaigns[campaign.token] = campaign.started(request.now)
        return self._keep(Job(id=self._next_id(), campaign=campaign.token, number=number, created_at=request.now, key=request.key))

    def _cancel(self, campaign: Campaign, request: Request, document: Any) -> list[str]:
        chosen = self._select(campaign, document)
        alive = [job for job in chosen if not job.finished_at]
        if len(alive) < len(chosen) and self.settings.cancel_finished == CancelFinished.ERROR:
            raise Rejected("id.not.found", "A call job is finished and cannot be cancelled")
        for job in alive:
            self._keep(cancelled(job, request.now))
        return [job.id for job in (chosen if self.settings.cancel_finished == CancelFinished.RETURN else alive)]

    def _control(self, campaign: Campaign, request: Request, action: str) -> None:
        after = campaign.controlled(action, request.now)
        self._campaigns[campaign.token] = after
        if after.stopped:
            for job in self.of_campaign(request):
                self._keep(left_over(job, request.now))

    def _select(self, campaign: Campaign, document: Any) -> list[Job]:
        selection = read_selection(document)
        named = (self._jobs[job_id] for job_id in selection.ids if job_id in self._jobs)
        candidates = self._jobs.values() if selection.phones else sorted(named, key=lambda job: int(job.id))
        return selection.of(job for job in candidates if job.campaign == campaign.token)

    def _keep(self, job: Job) -> Job:
        self._jobs[job.id] = job
        return job

    def _next_id(self) -> str:
        self._last_id += self._random.randint(1, _LONGEST_STEP)
        return str(self._last_id)


def _outcome(act: Callable[[Campaign], _Answer], campaign: Campaign) -> _Answer | Rejected:
    try:
        return act(campaign)
    except Rejected as rejection:
        return rejection
