"""One attempt of one event, from top to bottom: look up what is missing → decide → cancel → last gate → send → settle."""

from collections.abc import Generator
from datetime import timedelta
from time import monotonic
from typing import Any

from bridge.calls import call_request
from bridge.deciding import Outlook, weigh
from bridge.errors import LookupFailed
from bridge.ledger import CallGate, Go, fact_digest
from bridge.model import CallCommand, Entry, Event, HttpRequest, Status
from bridge.rules import wanted_fields
from workers import policy
from workers.answers import Answer, Outcome
from workers.cancelling import cancel
from workers.case import Case
from workers.effects import Effect, Flow
from workers.policy import Ending
from workers.settling import settle
from workers.world import World

_PEOPLE = ("phone:", "contact:")


def deliver(entry: Entry, world: World) -> Flow:
    """Take one claimed event as far as it goes now; the record of it, or None when another worker has it meanwhile."""
    case = Case(entry, world, entry.event)
    if entry.crashes >= policy.POISON:
        return case.end(policy.poisoned(entry))
    if entry.event.source not in world.sources:
        return case.end(policy.orphaned(entry, case.now()))
    try:
        outlook = yield from _decided(case)
    except LookupFailed as failed:
        return case.end(policy.after_lookup(failed, entry, case.now()))
    if outlook.cancel:
        done = yield from cancel(case, outlook.cancel)
        if done.ended or outlook.decision.rule is None or outlook.decision.rule.call is None:
            return done.record
    if outlook.status is not Status.QUEUED or outlook.call is None:
        return (yield from _not_called(case, outlook))
    return (yield from _call(case, outlook.call))


def _decided(case: Case) -> Generator[Effect, Any, Outlook]:
    """Decide with what is known, and ask the CRM where the answer depends on what is not."""
    can_look_up = case.source.can_look_up(case.event)
    case.outlook = weigh(case.event, case.world.policy, case.now(), can_look_up=can_look_up)
    if can_look_up and _must_look_up(case.event, case.outlook):
        before = case.event
        case.event = yield from _looked_up(case)
        case.outlook = weigh(case.event, case.world.policy, case.now())
        changed = case.source.superseded(before, case.event) if _rechecks(case.outlook) else None
        if changed:
            case.outlook = Outlook(decision=case.outlook.decision, status=Status.SUPPRESSED, reason=f"superseded: {changed}")
    return case.outlook


def _must_look_up(event: Event, outlook: Outlook) -> bool:
    """Something is missing; or the rule wants a last look; or a cancel knows no person yet by whom to find the calls."""
    lonely = outlook.cancel is not None and not outlook.cancel.entity_only and not any(ref.startswith(_PEOPLE) for ref in event.refs)
    return bool(outlook.decision.missing) or lonely or _rechecks(outlook)


def _rechecks(outlook: Outlook) -> bool:
    rule = outlook.decision.rule
    return bool(rule and rule.call and rule.call.recheck and outlook.call)


def _looked_up(case: Case) -> Generator[Effect, Any, Event]:
    source, world, wanted = case.source, case.world, wanted_fields(case.world.policy.rules)

    def converse() -> Event:
        def wait() -> float:
            return world.ledger.pace(f"crm:{source.name}", source.lookup_rate, world.clock())

        return world.crm_api.converse(source, source.look_up(case.event, wanted), wait)

    return (yield from case.ask("look up", converse))


def _call(case: Case, command: CallCommand) -> Flow:
    entry, world = case.entry, case.world
    if entry.open and entry.asked_at and case.now() - entry.asked_at > policy.KEY_MEMORY:
        return (yield from settle(case))
    campaign = entry.campaign or command.campaign
    if entry.was is Status.PARKED:
        refusal = yield from _probed(case, campaign)
        if refusal:
            return case.end(policy.after_call(refusal, entry, case.now()))
    request = entry.request or call_request(command, entry.key, crm_params=world.crm_params)
    gate, deadline = _gate(case, command), monotonic() + world.lease.total_seconds()
    verdict = yield case.beginning(request=request, call=gate)
    if not isinstance(verdict, Go):
        # A stop mark on an event whose request is still unanswered: whether there is a call to stop must be found out.
        return (yield from settle(case)) if entry.open and getattr(verdict, "word", "") == "stopped" else case.blocked(verdict)
    answer = yield from _sent(case, campaign, request, deadline)
    if answer is None:
        return None
    if answer.outcome is Outcome.DUPLICATED:
        return (yield from settle(case, duplicated=True))
    return case.end(policy.after_call(answer, entry, case.now()), campaign=campaign, gate=gate)


def _sent(case: Case, campaign: str, request: HttpRequest, deadline: float) -> Generator[Effect, Any, Answer | None]:
    """Send, unless this process was frozen until its lease, taken before ``deadline`` began to run, ran out: then the event is another worker's."""
    world = case.world

    def send() -> Answer | None:
        return world.calls_api.add(campaign, request) if monotonic() < deadline else None

    return (yield from case.ask("call", send))


def _gate(case: Case, command: CallCommand) -> CallGate:
    rule = case.outlook.decision.rule if case.outlook else None
    rate = case.world.rates.get(command.campaign)
    cooldown = rule.call.cooldown if rule and rule.call else None
    return CallGate(
        campaign=command.campaign,
        phone=command.phone,
        happened_at=case.event.happened_at,
        fact=fact_digest(case.event.fact),
        cooldown_ms=int((cooldown or timedelta()).total_seconds() * 1000),
        pace_ms=rate.interval * 1000 if rate else None,
    )


def _probed(case: Case, campaign: str) -> Generator[Effect, Any, Answer | None]:
    """Before a parked event goes on, a read asks whether the campaign takes calls again; a call is never the probe."""
    status = yield from case.ask("probe", lambda: case.world.calls_api.status(campaign))
    if isinstance(status, Answer):
        return status
    if status in {"finished", "deleted"}:
        return Answer(outcome=Outcome.CANNOT, note=f"campaign {campaign} is {status} at the platform")
    return None


def _not_called(case: Case, outlook: Outlook) -> Flow:
    """No call, or not now. An answer that is still owed is found out first: the call may exist."""
    if case.entry.open:
        return (yield from settle(case))
    if outlook.status is Status.WAITING and outlook.at is None:
        can_look_up = case.source.can_look_up(case.event)
        return case.end(policy.without_phone(case.entry, outlook.reason, case.now(), can_look_up=can_look_up))
    return case.end(Ending(status=outlook.status, reason=outlook.reason, due=outlook.at))
