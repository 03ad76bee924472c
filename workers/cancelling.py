"""Cancelling: find the call jobs that share a ref with the event, and stop them one by one.

The ids are written down, in order, before the first request: the first cancel goes out under ``<key>:cancel``, each further one
under a key of its own, and a retry sends every id under the key it had before.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.ingest import stop_marks
from bridge.keys import cancel_key
from bridge.ledger import Go, Record
from bridge.ledger.layout import qualify
from bridge.model import OPERATOR, CancelCommand, Entry, Status
from workers import policy
from workers.case import Case
from workers.effects import Effect, Outside
from workers.policy import Ending
from workers.slots import STOPS

_WAITING = frozenset({Status.QUEUED, Status.WAITING, Status.PARKED})


@dataclass(frozen=True, slots=True)
class Cancelled:
    """``ended``: the event goes no further now. ``record`` None with it: another worker has the event."""

    ended: bool
    record: Record | None


def cancel(case: Case, command: CancelCommand) -> Generator[Effect, Any, Cancelled]:
    """Stop everything the command covers. "Cancelled" is said only after the platform said so."""
    verdict = yield case.beginning(marks=stop_marks(case.event, case.outlook) if case.outlook else ())
    if not isinstance(verdict, Go):
        return Cancelled(ended=True, record=case.blocked(verdict))
    others: list[Entry] = yield Outside(lambda: _sharing(case, command))
    case.stopped = tuple(other.key for other in others if _waits_in_vain(other, case.entry))
    others = [other for other in others if command.campaigns is None or other.campaign in command.campaigns]
    unanswered = tuple(other.key for other in others if other.open and not other.status.finished)
    if unanswered:
        return Cancelled(ended=True, record=case.end(policy.unanswered_yet(case.entry, case.now()), hasten=unanswered))
    case.cancels = _listed(case.entry.cancels, others)
    if case.cancels:
        noted = yield case.beginning()
        if not isinstance(noted, Go):
            return Cancelled(ended=True, record=case.blocked(noted))
    return (yield from _stop_all(case))


def _stop_all(case: Case) -> Generator[Effect, Any, Cancelled]:
    for place, job in enumerate(case.cancels or ()):
        if "outcome" in job:
            continue
        answer = yield from case.ask("cancel", STOPS, _sender(case, job, place))
        ending = policy.after_cancel(answer, case.entry, case.now())
        if ending:
            return Cancelled(ended=True, record=case.end(ending))
        reported = yield from case.ask("report", STOPS, _reader(case, job))
        outcome = policy.cancelled_as(job["id"] in answer.ids, reported)
        if not outcome:
            return Cancelled(ended=True, record=case.end(policy.not_cancelled(case.entry, job["id"], case.now())))
        case.cancels = _with(case.cancels or (), place, outcome)
    return Cancelled(ended=False, record=case.end(Ending(status=Status.DONE, reason=_summary(case.cancels or ()))))


def _sender(case: Case, job: Mapping[str, Any], place: int) -> Any:
    key = cancel_key(case.entry.key, place)
    return lambda: case.world.calls_api.cancel(job["campaign"], [job["id"]], key)


def _reader(case: Case, job: Mapping[str, Any]) -> Any:
    """What became of it: whether a call is under way, or was over before, the answer to a cancel does not say."""
    return lambda: case.world.calls_api.job_report(job["campaign"], ids=[job["id"]])


def _sharing(case: Case, command: CancelCommand) -> list[Entry]:
    """Events of the same people or the same record, on facts not newer than this one."""
    refs = (case.event.entity.ref,) if command.entity_only and case.event.entity else case.event.refs
    return [
        entry
        for entry in case.world.ledger.sharing(qualify(case.event.source, refs))
        if entry.key != case.entry.key and entry.event.happened_at <= case.event.happened_at
    ]


def _waits_in_vain(other: Entry, entry: Entry) -> bool:
    """Whether an event waits for something although it is stopped now. In one direction only, or two of one moment would wake each other for ever."""
    waits = other.status in _WAITING and not other.open and other.event.source != OPERATOR
    return waits and (other.event.happened_at, other.key) < (entry.event.happened_at, entry.key)


def _listed(before: Sequence[Mapping[str, Any]], others: Sequence[Entry]) -> tuple[Mapping[str, Any], ...]:
    """What an earlier attempt wrote down keeps its place; what was found since comes behind it."""
    known = {job["id"] for job in before}
    found = [{"id": job, "campaign": other.campaign, "event": other.key} for other in reversed(others) for job in other.jobs]
    return (*before, *(job for job in found if job["id"] not in known))


def _with(cancels: Sequence[Mapping[str, Any]], place: int, outcome: str) -> tuple[Mapping[str, Any], ...]:
    return tuple({**job, "outcome": outcome} if index == place else job for index, job in enumerate(cancels))


def _summary(cancels: Sequence[Mapping[str, Any]]) -> str:
    if not cancels:
        return "nothing to cancel: no call was made for these refs; calls on older facts are stopped from now on"
    return "; ".join(f"call job {job['id']}: {job['outcome']}" for job in cancels)
