"""What follows from what an attempt came to: again at some time, parked, or finished. Pure.

Delays grow and never come earlier than promised: jitter only adds, and a ``Retry-After`` is a lower bound.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bridge.deciding import said_no
from bridge.errors import LookupFailed
from bridge.keys import digest
from bridge.ledger import Blocked
from bridge.model import Entry, Status, iso
from bridge.quantities import show_duration
from workers.answers import LONGEST_WAIT, NOT_FOUND, Answer, JobReport, Outcome

POISON = 3
"""An event whose attempt took its worker process down this often is not tried again by itself."""

KEY_MEMORY = timedelta(hours=20)
"""How long the platform is trusted to know an idempotence key: its documentation implies 24 h; the rest is margin."""

GIVE_UP = timedelta(hours=24)

_NOT_NOW = (1, 5, 15, 30, 60, 120, 300, 600, 900)
_UNKNOWN = (1, 2, 5, 10, 30, 60, 300, 900)
_PARKED = (60, 120, 300, 600)
_NO_PHONE = (30, 60, 120, 300, 900, 3600)
_SUPPRESSED = frozenset({"unwanted", "stopped", "told", "cooled"})
_TURNS = {
    "paced": "its turn under the campaign's rate limit",
    "held": "the platform asked to be sent nothing for a while; goes on then",
    "silent": "the platform does not answer for this campaign; goes on when it does",
}
_CANCELLED = frozenset({"cancelledByUser", "canceled"})
_TALKING = frozenset({"inProcess", "inProgress"})
_WELL = frozenset({Outcome.MADE.value, "answered"})
_LOOK_FOR_PHONE = timedelta(minutes=1)
BUSY = timedelta(milliseconds=500)
PAUSED = timedelta(minutes=30)
"""Resuming wakes what was paused; this is for those that were just being parked at that moment."""

JITTER = 0.1
"""The most that is added to a delay, as a part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How an attempt leaves its event. ``due`` None: finished.

    ``settled``: no answer is owed to what this attempt sent; ``tells``: nor to what an earlier one sent. ``called``: a call came of
    it or may have come, so it goes on counting as one. ``trouble``: somebody who must answer does not; an event in trouble
    for longer than ``GIVE_UP`` is given up. ``answered``: whether the platform gave a proper answer, None where it was not asked for a call.
    """

    status: Status
    reason: str
    due: datetime | None = None
    jobs: tuple[str, ...] | None = None
    settled: bool = True
    tells: bool = False
    called: bool = False
    trouble: bool = False
    hold_until: datetime | None = None
    answered: bool | None = None


def delay(schedule: Sequence[float], tries: int, key: str) -> timedelta:
    """The wait after try number ``tries`` (from 0): the schedule's, plus this event's own share of jitter."""
    seconds = schedule[min(max(tries, 0), len(schedule) - 1)]
    share = int(digest(f"{key}#{tries}")[:4], 16) / 0x10000
    return timedelta(seconds=seconds * (1 + JITTER * share))


def after_call(answer: Answer, entry: Entry, now: datetime) -> Ending:
    """After a request to make a call job.

    For an entry whose earlier request is unanswered only *made*, *not now* and *unknown* belong here: anything else is about
    this request, and says nothing of the earlier one, which the platform's report must tell.
    """
    if answer.outcome is Outcome.MADE:
        return Ending(status=Status.DONE, reason=f"call job {', '.join(answer.ids)} was made", jobs=answer.ids, tells=True, called=True)
    if answer.outcome is Outcome.REFUSED:
        reason = f"refused by the platform: {answer.note}. Correct it and replay the event"
        return Ending(status=Status.FAILED, reason=reason)
    if answer.outcome is Outcome.DUPLICATED:
        return by_the_platforms_rule()
    if answer.outcome is Outcome.CANNOT:
        return parked(answer, entry, now)
    if answer.outcome is Outcome.NOT_NOW:
        return _again(answer, entry, now)
    due = now + delay(_UNKNOWN, entry.tries, entry.key)
    return Ending(status=Status.UNKNOWN, reason=f"{answer.note}; the same request is repeated under the same key", due=due, settled=False)


def after_probe(answer: Answer, entry: Entry, now: datetime) -> Ending:
    """The platform has failed often in a row, and the read that asks whether it is back did not say that it takes calls.

    It may be back all the same: whoever says that the campaign cannot take any is there.
    """
    if answer.outcome is Outcome.CANNOT:
        return replace(parked(answer, entry, now), answered=True)
    due = now + delay(_UNKNOWN, len(entry.attempts), entry.key)
    reason = f"the platform has not answered properly for some time: {answer.note}; calls wait until it does"
    return Ending(status=Status.WAITING, reason=reason, due=due, answered=False)


def is_proper(answer: Answer) -> bool:
    """Whether somebody is there who knows what was asked, whatever the answer is. To be told to come later is proper."""
    return answer.outcome is not Outcome.UNKNOWN and (answer.outcome is not Outcome.NOT_NOW or answer.retry_after is not None)


def parked(answer: Answer, entry: Entry, now: datetime) -> Ending:
    """The campaign cannot take it, or the read that probes it did not say that it can."""
    due = now + max(delay(_PARKED, len(entry.attempts), entry.key), _asked(answer))
    reason = f"{answer.note}; goes on by itself when that is mended"
    return Ending(status=Status.PARKED, reason=reason, due=due)


def by_the_platforms_rule() -> Ending:
    reason = "already called by the platform's own rule: the same number and payload within 24 h"
    return Ending(status=Status.SUPPRESSED, reason=reason, tells=True, called=True)


def renumbered() -> Ending:
    """The number was changed after the request was bound, and the old one was made sure of for the old number alone."""
    reason = "the number was changed after the first try, and an event never sends two different requests: replay it to call the new number"
    return Ending(status=Status.FAILED, reason=reason)


def after_lookup(failed: LookupFailed, entry: Entry, now: datetime) -> Ending:
    """After a CRM's API did not tell what was asked."""
    if failed.final:
        return Ending(status=Status.SUPPRESSED, reason=f"{failed.message}, so there is nobody to call")
    if failed.parked:
        due = now + delay(_PARKED, _failures(entry, "look up"), entry.key)
        return Ending(status=Status.PARKED, reason=f"{failed.message}; goes on by itself when that is mended", due=due)
    if _too_long(entry, now):
        return Ending(status=Status.FAILED, reason=f"gave up after 24 h: {failed.message}. Replay it when the CRM answers")
    asked = timedelta(seconds=min(failed.retry_after or 0, LONGEST_WAIT))
    due = now + max(delay(_NOT_NOW, _failures(entry, "look up"), entry.key), asked)
    return Ending(status=Status.WAITING, reason=f"{failed.message}; asked again", due=due, trouble=True)


def without_phone(entry: Entry, reason: str, now: datetime, patience: timedelta, advice: str) -> Ending:
    """A person created before the number was typed: look again for as long as the rule has patience. ``advice``: what to do where it has none."""
    if not patience:
        return Ending(status=Status.FAILED, reason=f"{reason}, and nobody is waited for to tell it: {advice}")
    until = (entry.since or now) + patience
    if now >= until:
        return Ending(status=Status.SUPPRESSED, reason=f"{reason}, and none came within {show_duration(patience)}")
    due = min(now + delay(_NO_PHONE, int((now - (entry.since or now)) / _LOOK_FOR_PHONE), entry.key), until)
    return Ending(status=Status.WAITING, reason=f"{reason}; one is waited for until {iso(until)}", due=due, trouble=True)


def _again(answer: Answer, entry: Entry, now: datetime) -> Ending:
    """This request made nothing; an earlier one may have. The platform's wish to be left alone holds for the whole campaign."""
    if not entry.open and _too_long(entry, now):
        return Ending(status=Status.FAILED, reason=f"gave up after 24 h: {answer.note}. Replay it when the platform answers")
    due = now + max(delay(_NOT_NOW, entry.tries, entry.key), _asked(answer))
    hold = now + _asked(answer) if answer.retry_after else None
    return Ending(status=Status.WAITING, reason=f"{answer.note}; sent again", due=due, trouble=True, hold_until=hold)


def _failures(entry: Entry, what: str) -> int:
    """How often this has failed in a row; what else was tried for the event says nothing of it."""
    told = [attempt["outcome"] for attempt in reversed(entry.attempts) if attempt["what"] == what]
    return next((place for place, outcome in enumerate(told) if outcome in _WELL), len(told))


def _asked(answer: Answer) -> timedelta:
    """How long the platform asked to be left alone."""
    return timedelta(seconds=answer.retry_after or 0)


def _too_long(entry: Entry, now: datetime) -> bool:
    """Counted from when the trouble began: an event may have waited for days before, for call hours or a campaign."""
    return entry.since is not None and now - entry.since > GIVE_UP


def after_cancel(answer: Answer, entry: Entry, now: datetime) -> Ending | None:
    """None when that call job is stopped, or there was nothing to stop."""
    if answer.outcome is Outcome.MADE:
        return None
    if answer.outcome is Outcome.REFUSED:
        return Ending(status=Status.FAILED, reason=f"the platform refused to cancel: {answer.note}")
    tries = _failures(entry, "cancel")
    if answer.outcome is Outcome.CANNOT:
        reason = f"could not cancel: {answer.note}; goes on by itself when that is mended"
        return Ending(status=Status.PARKED, reason=reason, due=now + delay(_PARKED, tries, entry.key))
    due = now + max(delay(_UNKNOWN, tries, entry.key), _asked(answer))
    return Ending(status=Status.WAITING, reason=f"could not cancel yet: {answer.note}; sent again under the same key", due=due)


def cancelled_as(stopped: bool, reported: Sequence[JobReport] | Answer) -> str:
    """How a call job that was to be cancelled really is; empty when it is still to be dialled, so that the cancel must be sent again."""
    if isinstance(reported, Answer):
        return "cancelled" if stopped else ""
    job = next(iter(reported), None)
    if job is None:
        return "cancelled" if stopped else "nothing to cancel: the campaign knows no such call job"
    if job.finished:
        return "cancelled" if job.status in _CANCELLED else f"already finished ({job.status})"
    if job.status in _TALKING:
        return "already talking: this call goes on to its end, and there will be no other"
    return "cancelled" if stopped else ""


def not_cancelled(entry: Entry, job_id: str, now: datetime) -> Ending:
    due = now + delay(_UNKNOWN, sum(attempt["what"] == "cancel" for attempt in entry.attempts), entry.key)
    return Ending(status=Status.WAITING, reason=f"call job {job_id} is not cancelled yet, and the platform has it still; sent again", due=due)


def after_gate(verdict: Blocked, now: datetime) -> Ending:
    """After the ledger's last gate said no, with the other event that is the reason."""
    if verdict.word in _SUPPRESSED:
        return Ending(status=Status.SUPPRESSED, reason=said_no(verdict.word, verdict.by, verdict.at))
    if verdict.word == "paused":
        reason = said_no(verdict.word, verdict.by, scope=verdict.scope)
        return Ending(status=Status.PARKED, reason=reason, due=now + PAUSED)
    if verdict.word in _TURNS:
        return Ending(status=Status.WAITING, reason=_TURNS[verdict.word], due=verdict.at)
    reason = f"another event of the same person is running: {verdict.by}"
    return Ending(status=Status.WAITING, reason=reason, due=now + BUSY)


def unanswered_yet(entry: Entry, now: datetime) -> Ending:
    """A cancel that may not look for the call before it is known whether there is one; the longer it waits, the less often it looks."""
    pause = min(max((now - entry.accepted_at) / 10, BUSY), timedelta(minutes=1))
    return Ending(status=Status.WAITING, reason="waits until it is known whether an earlier call was made, to cancel it then", due=now + pause)


def may_still_ask(entry: Entry) -> bool:
    """Whether what an event that takes processes down may have sent is found out first: a read harms nobody, unless it does it too."""
    return entry.open and entry.crashes < 2 * POISON


def poisoned(entry: Entry) -> Ending:
    unknown = "; whether its call was made is not known" if entry.open and not may_still_ask(entry) else ""
    reason = (
        f"its attempt came to no end {entry.crashes} times{unknown}: a worker process died over it, or a fault of ours is in the workers' log; "
        "replay it when that is mended"
    )
    return Ending(status=Status.FAILED, reason=reason, tells=may_still_ask(entry))


def orphaned(entry: Entry, now: datetime) -> Ending:
    """Its source was taken out of the configuration."""
    reason = f"source '{entry.event.source}' is not in the configuration any more; goes on when it is back"
    return Ending(status=Status.PARKED, reason=reason, due=now + delay(_PARKED, len(_PARKED), entry.key))


def knows_nothing(answer: Answer) -> bool:
    """Whether the platform's answer to a report by phone says that it has no call job for that number at all."""
    return answer.outcome is Outcome.REFUSED and answer.code in NOT_FOUND


def not_sure(answer: Answer, entry: Entry, now: datetime) -> Ending:
    """The ledger was restored, and the platform does not say whether this event was called before."""
    due = now + max(delay(_UNKNOWN, len(entry.attempts), entry.key), _asked(answer))
    reason = f"the ledger was restored, and the platform does not say whether this was called before: {answer.note}; asked again"
    return Ending(status=Status.WAITING, reason=reason, due=due)


def unsettled(answer: Answer, entry: Entry, now: datetime) -> Ending:
    """The report could not be had: nothing is known, and nothing is sent meanwhile."""
    due = now + max(delay(_UNKNOWN, _failures(entry, "report"), entry.key), _asked(answer))
    return Ending(status=Status.UNKNOWN, reason=f"whether the call was made is not known yet: {answer.note}", due=due, settled=False)
