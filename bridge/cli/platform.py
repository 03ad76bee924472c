"""The platform as the command line asks it: by itself, with the client of the workers, since a person waits for the answer."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from bridge import calls, wiring
from bridge.calls import LARGEST_PAGE, Control, Period
from bridge.config import Config
from bridge.errors import StartupError
from workers.answers import Answer, AttemptReport, CampaignInfo, JobReport, Outcome
from workers.calls_api import CallsApi

MOST_PAGES = 200
"""The platform gives no more than these."""

_AT_ONCE = 8

Rows = tuple[JobReport, ...] | tuple[AttemptReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the platform says of a campaign: its status, or why it does not say."""

    campaign: str
    status: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Which call jobs are asked for: named ones, or all of a time. ``attempts``: a row for each attempt instead of each job."""

    ids: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    period: Period = field(default_factory=Period)
    attempts: bool = False


@dataclass(frozen=True, slots=True)
class Platform:
    """Raises ``StartupError`` with the platform's own word where it does not do or say what was asked."""

    calls_api: CallsApi

    def statuses(self, campaigns: list[str]) -> list[Told]:
        """All at once: one that does not answer takes its time."""
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            return list(threads.map(self._told, campaigns))

    def info(self, campaign: str) -> CampaignInfo:
        found = self.calls_api.info(campaign)
        if isinstance(found, Answer):
            raise StartupError(f"campaign {campaign}: {found.note}")
        return found

    def control(self, campaign: str, action: Control, key: str) -> None:
        """Pause, resume or stop; nothing comes back but that it was done."""
        answer = self.calls_api.control(campaign, action, key)
        if answer.outcome is not Outcome.MADE:
            raise StartupError(f"campaign {campaign}: {answer.note}")

    def report(self, campaign: str, wanted: Report) -> Iterator[Rows]:
        """Page by page; a full one that is the ``MOST_PAGES``-th means that there is more than the platform tells."""
        if wanted.ids or wanted.phones:
            ask = self.calls_api.attempt_report if wanted.attempts else self.calls_api.job_report
            yield _rows(campaign, ask(campaign, ids=wanted.ids, phones=wanted.phones))
            return
        for page in range(MOST_PAGES):
            rows = _rows(campaign, self._page(campaign, wanted, page))
            yield rows
            if len(rows) < LARGEST_PAGE:
                return

    def _page(self, campaign: str, wanted: Report, page: int) -> Rows | Answer:
        if wanted.attempts:
            return self.calls_api.attempts(campaign, calls.attempt_report_by_date(started=wanted.period, page=page))
        return self.calls_api.jobs(campaign, calls.job_report_by_date(created=wanted.period, page=page))

    def _told(self, campaign: str) -> Told:
        status = self.calls_api.status(campaign)
        return Told(campaign=campaign, trouble=status.note) if isinstance(status, Answer) else Told(campaign=campaign, status=status)


@contextmanager
def at_platform(config: Config) -> Iterator[Platform]:
    """The configured platform, with the tokens of its campaigns."""
    calls_api = CallsApi(config.calls_api.base_url, config.calls_api.timeout, wiring.tokens(config), pool_size=_AT_ONCE)
    try:
        yield Platform(calls_api)
    finally:
        calls_api.close()


def until_now(since: datetime | None, until: datetime) -> Period:
    """With a fixed end: no order of pages is promised, and new call jobs would shift them."""
    return Period(start=since, end=until)


def _rows(campaign: str, found: Rows | Answer) -> Rows:
    if isinstance(found, Answer):
        raise StartupError(f"campaign {campaign}: {found.note}")
    return found
