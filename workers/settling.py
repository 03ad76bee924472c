"""Finding out whether a request whose answer was lost made a call job, without asking for another."""

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

from bridge.calls import phones_of
from bridge.ledger import Record
from bridge.model import CallCommand, Entry, Status
from bridge.phones import wire
from workers import policy
from workers.answers import Answer, JobReport
from workers.case import Case
from workers.effects import Effect, Flow, Outside
from workers.policy import Ending
from workers.slots import to_campaign

FIRST_LOOK = timedelta(seconds=5)
"""A call job that was just made may take a moment to appear in the platform's reports."""

SLOWEST = timedelta(seconds=40)
"""A platform that did not answer within the lease may still be at it: for so long after, a report without the call job proves nothing."""

_LOOK_AGAIN = timedelta(seconds=10)

CLOCKS_APART = timedelta(seconds=30)
"""The platform's clock and ours: a call job may seem a little older than the request that made it."""


def settle(case: Case, *, duplicated: bool = False) -> Flow:
    """Adopt the call job the platform has made since the unanswered request went out, if there is one that nobody else owns.

    ``duplicated``: the platform has just said that it has this call already.
    """
    entry, now = case.entry, case.now()
    asked_at, campaign, phone = entry.asked_at or now, *_asked_for(case)
    if not duplicated and now < asked_at + FIRST_LOOK:
        return case.end(_not_yet(asked_at + FIRST_LOOK))
    jobs = yield from case.ask("report", to_campaign(campaign), lambda: case.world.calls_api.job_report(campaign, phones=[phone]))
    if isinstance(jobs, Answer) and not policy.knows_nothing(jobs):
        return case.end(policy.unsettled(jobs, entry, now))
    rows = () if isinstance(jobs, Answer) else jobs
    since = asked_at - CLOCKS_APART
    adopted = yield from _ours(case, f"+{phone}", [job for job in rows if job.created_at is None or job.created_at >= since])
    if adopted:
        reason = f"call job {adopted.id} was made: the answer was lost, the platform's report has it"
        return case.end(Ending(status=Status.DONE, reason=reason, jobs=(adopted.id,), tells=True, called=True), campaign=campaign)
    certain = (entry.tried_at or asked_at) + case.world.lease + SLOWEST
    if now < certain:
        return case.end(_not_yet(min(now + _LOOK_AGAIN, certain)))
    return case.end(policy.by_the_platforms_rule() if duplicated else _nothing_made(case))


def forgotten(case: Case, command: CallCommand) -> Generator[Effect, Any, Record | None]:
    """For an event of a ledger that was restored: its record when a call of it is found, or cannot be looked for; None when there is none."""
    entry, now = case.entry, case.now()
    jobs = yield from case.ask(
        "report", to_campaign(command.campaign), lambda: case.world.calls_api.job_report(command.campaign, phones=[wire(command.phone)])
    )
    if isinstance(jobs, Answer) and not policy.knows_nothing(jobs):
        return case.end(policy.not_sure(jobs, entry, now))
    rows = () if isinstance(jobs, Answer) else jobs
    since = entry.accepted_at - CLOCKS_APART
    adopted = yield from _ours(case, command.phone, [job for job in rows if job.created_at is None or job.created_at >= since])
    if adopted is None:
        return None
    reason = f"call job {adopted.id} was made before the ledger was restored: the platform's report has it"
    return case.end(Ending(status=Status.DONE, reason=reason, jobs=(adopted.id,), called=True), campaign=command.campaign)


def _not_yet(again: datetime) -> Ending:
    reason = "waits for the platform's report to show whether the call was made: a slow platform may be making it still"
    return Ending(status=Status.UNKNOWN, reason=reason, due=again, settled=False)


def _asked_for(case: Case) -> tuple[str, str]:
    """Campaign and number of the request that is unanswered; it is bound, whatever the decision would be today."""
    entry, outlook = case.entry, case.outlook
    command = outlook.call if outlook else None
    campaign = entry.campaign or (command.campaign if command else "")
    phones = phones_of(entry.request) if entry.request else ()
    return campaign, phones[0] if phones else (command.phone.removeprefix("+") if command else "")


def _ours(case: Case, phone: str, rows: list[JobReport]) -> Generator[Effect, Any, JobReport | None]:
    """The first call job that no other event of this person has recorded as its own."""
    if not rows:
        return None
    others: list[Entry] = yield Outside(lambda: case.world.ledger.sharing([f"phone:{phone}"]))
    taken = {job for other in others if other.key != case.entry.key for job in other.jobs}
    return next((job for job in rows if job.id not in taken and not job.redial), None)


def _nothing_made(case: Case) -> Ending:
    """The platform has no such call job: the event is free to be decided again, or to end as it was decided."""
    if case.entry.crashes >= policy.POISON:
        return policy.poisoned(case.entry)
    outlook = case.outlook
    if outlook and outlook.status in {Status.SUPPRESSED, Status.IGNORED, Status.FAILED}:
        return Ending(status=outlook.status, reason=outlook.reason, tells=True)
    due = (outlook.at if outlook else None) or case.now()
    return Ending(status=Status.WAITING, reason="the earlier request made no call job; it is decided again", due=due, tells=True)
