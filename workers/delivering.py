"""One attempt of one event, from top to bottom: look up what is missing → decide → cancel → last gate → send → settle."""

from collections.abc import Generator
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from bridge.calls import call_request, phones_of
from bridge.deciding import FOR_GOOD, OUTSIDE_HOURS, Outlook, patience, weigh
from bridge.errors import LookupFailed
from bridge.ledger import Blocked, CallGate, Go, call_gate
from bridge.ledger.layout import qualify
from bridge.model import OPERATOR, CallCommand, Entry, Event, Prospect, Status
from bridge.phones import wire
from bridge.rules import wanted_fields
from bridge.sources.values import phone_refs
from workers import policy
from workers.answers import Answer, Outcome
from workers.cancelling import cancel
from workers.case import Case
from workers.effects import Effect, Flow, Outside
from workers.erasing import forget
from workers.policy import Ending
from workers.settling import forgotten, settle
from workers.slots import to_campaign, to_crm
from workers.world import World

_PEOPLE = ("phone:", "contact:")
_OF_THIS_REQUEST_ALONE = frozenset({Outcome.REFUSED, Outcome.CANNOT, Outcome.DUPLICATED})
"""Answers that say nothing of an earlier request of the same event whose answer was lost."""

ASKED_LATELY = timedelta(seconds=25)
"""Less than the first pause of an event that waits for a phone number."""

_UNWANTED = frozenset({"stopped", "unwanted"})


def deliver(entry: Entry, world: World) -> Flow:
    """Take one claimed event as far as it goes now; the record of it, or None when another worker has it meanwhile."""
    case = Case(entry, world, entry.event)
    if entry.crashes >= policy.POISON:
        return (yield from settle(case)) if policy.may_still_ask(entry) else case.end(policy.poisoned(entry))
    if entry.event.source not in {OPERATOR, *world.sources}:
        return case.end(policy.orphaned(entry, case.now()))
    try:
        outlook = yield from _decided(case)
    except LookupFailed as failed:
        return (yield from _not_told(case, failed))
    return (yield from _carry_out(case, outlook))


def _carry_out(case: Case, outlook: Outlook) -> Flow:
    """Stop what is to be stopped, then call."""
    if outlook.erase:
        return (yield from forget(case))
    if outlook.cancel:
        done = yield from cancel(case, outlook.cancel)
        if done.ended or outlook.decision.rule is None or outlook.decision.rule.call is None:
            return done.record
    if outlook.status is not Status.QUEUED or outlook.call is None:
        return (yield from _not_called(case, outlook))
    return (yield from _call(case, outlook.call))


def _decided(case: Case) -> Generator[Effect, Any, Outlook]:
    """Decide with what is known, and ask the CRM where the answer depends on what is not."""
    prospect = case.prospect()
    case.outlook = weigh(case.event, case.world.policy, case.now(), prospect)
    if prospect.can_look_up and _told_lately(case.entry, case.now()):
        known = weigh(case.event, case.world.policy, case.now())
        prospect, case.outlook = (prospect, case.outlook) if _rechecks(known) else (Prospect(), known)
    if prospect.can_look_up and _must_look_up(case.event, case.outlook):
        before = case.event
        case.event = yield from _looked_up(case)
        case.outlook = weigh(case.event, case.world.policy, case.now())
        changed = case.source.superseded(before, case.event) if _rechecks(case.outlook) else None
        if changed:
            case.outlook = Outlook(decision=case.outlook.decision, status=Status.SUPPRESSED, reason=f"superseded: {changed}")
    if _wants_phone(case.outlook):
        case.event = yield Outside(lambda: _with_number_told_elsewhere(case))
        case.outlook = weigh(case.event, case.world.policy, case.now())
    return case.outlook


def _wants_phone(outlook: Outlook) -> bool:
    return outlook.status is Status.WAITING and outlook.at is None


def _with_number_told_elsewhere(case: Case) -> Event:
    """The event with the number that another event brought for the same person: it may have come after this one, which the CRM will not repeat."""
    event = case.event
    records = [ref for ref in event.refs if not ref.startswith("phone:")]
    for other in case.world.ledger.sharing(qualify(event.source, tuple(records))):
        told = other.event.contact
        if told and told.phone and other.key != case.entry.key and _same_person(event, other.event):
            known = replace(event.contact or told, phone=told.phone, phones=told.phones)
            return event.knowing(contact=known, refs=phone_refs(known))
    return event


def _same_person(event: Event, other: Event) -> bool:
    """One contact, by id; or one record, where none is named."""
    ids = {contact.id for contact in (event.contact, other.contact) if contact and contact.id}
    return len(ids) == 1 or (not ids and event.entity is not None and event.entity == other.entity)


def _not_told(case: Case, failed: LookupFailed) -> Flow:
    """The CRM does not say. An answer that is owed is found out all the same, and what is known is enough to cancel by."""
    if case.entry.open:
        return (yield from settle(case))
    if failed.final:
        case.outlook = weigh(case.event, case.world.policy, case.now())
    if case.outlook and case.outlook.cancel:
        done = yield from cancel(case, case.outlook.cancel)
        if done.ended or failed.final:
            return done.record
    return case.end(policy.after_lookup(failed, case.entry, case.now()))


def _must_look_up(event: Event, outlook: Outlook) -> bool:
    """Something is missing; or the rule wants a last look; or a cancel knows no person yet by whom to find the calls."""
    lonely = outlook.cancel is not None and not outlook.cancel.entity_only and not any(ref.startswith(_PEOPLE) for ref in event.refs)
    return bool(outlook.decision.missing) or lonely or _rechecks(outlook)


def _told_lately(entry: Entry, now: datetime) -> bool:
    """Whether the CRM was asked a moment ago: what it left out then it leaves out now, and an event that waits must not use up its requests."""
    answered = [attempt["at"] for attempt in entry.attempts if (attempt["what"], attempt["outcome"]) == ("look up", "answered")]
    return bool(answered) and now - datetime.fromisoformat(answered[-1]) < ASKED_LATELY


def _rechecks(outlook: Outlook) -> bool:
    rule = outlook.decision.rule
    return bool(rule and rule.call and rule.call.recheck and outlook.call)


def _looked_up(case: Case) -> Generator[Effect, Any, Event]:
    source, world, wanted = case.source, case.world, wanted_fields(case.world.policy.rules)

    def converse() -> Event:
        def wait() -> float:
            return world.ledger.pace(f"crm:{source.name}", source.lookup_rate, world.clock())

        return world.crm_api.converse(source, source.look_up(case.event, wanted), wait)

    return (yield from case.ask("look up", to_crm(source.name), converse))


def _call(case: Case, command: CallCommand) -> Flow:
    entry = case.entry
    if entry.open and entry.asked_at and case.now() - entry.asked_at > policy.KEY_MEMORY:
        return (yield from settle(case))
    if entry.request and phones_of(entry.request) != (wire(command.phone),):
        # What was decided just now, hours and allowlist included, was decided about another number than the one that is bound.
        return (yield from settle(case)) if entry.open else case.end(policy.renumbered())
    if entry.request:
        command = replace(command, campaign=entry.campaign or command.campaign)
    if entry.was is Status.PARKED:
        refusal = yield from _probed(case, command.campaign)
        if refusal:
            return case.end(policy.parked(refusal, entry, case.now()))
    return (yield from _send(case, command))


def _send(case: Case, command: CallCommand) -> Flow:
    """The last gate, the request, and what follows from its answer."""
    entry, lease, place = case.entry, _Lease(case.world), to_campaign(command.campaign)
    request = entry.request or call_request(command, entry.key, crm_params=case.world.crm_params)
    verdict = yield case.beginning(request=request, call=_gate(case, command))
    word = getattr(verdict, "word", "")
    if word == "unsure":
        made = yield from forgotten(case, command)
        if made:
            return made
        verdict = yield case.beginning(request=request, call=_gate(case, command), sure=True)
        word = getattr(verdict, "word", "")
    if word == "probe":
        refusal = yield from _probed(case, command.campaign)
        if refusal:
            return case.end(policy.after_probe(refusal, entry, case.now()), campaign=command.campaign)
        verdict = yield case.beginning(request=request, call=_gate(case, command), probed=True)
    if not isinstance(verdict, Go):
        # Not wanted any more, and its request is still unanswered: whether there is a call to stop must be found out.
        return (yield from settle(case)) if entry.open and word in _UNWANTED else case.blocked(verdict)
    case.bound = request
    answer = yield from case.ask("call", place, lambda: case.world.calls_api.add(command.campaign, request) if lease.lasts() else None)
    if answer is None:
        return None
    if entry.open and answer.outcome in _OF_THIS_REQUEST_ALONE:
        return (yield from settle(case, duplicated=answer.outcome is Outcome.DUPLICATED))
    ending = replace(policy.after_call(answer, entry, case.now()), answered=policy.is_proper(answer))
    return case.end(ending, campaign=command.campaign)


class _Lease:
    """Made before the lease is taken. A process that was frozen until it ran out must not send: the event is another worker's.

    Two clocks, because the one that never jumps stands still while a machine sleeps.
    """

    def __init__(self, world: World) -> None:
        self._clock = world.clock
        self._ends = (monotonic() + world.lease.total_seconds(), world.clock() + world.lease)

    def lasts(self) -> bool:
        return monotonic() < self._ends[0] and self._clock() < self._ends[1]


def _gate(case: Case, command: CallCommand) -> CallGate:
    rate = case.world.rates.get(command.campaign)
    rule = case.outlook.decision.rule if case.outlook else None
    return call_gate(command, case.event, rule, rate.interval * 1000 if rate else None)


def _probed(case: Case, campaign: str) -> Generator[Effect, Any, Answer | None]:
    """Before a parked event goes on, a read asks whether the campaign takes calls again; a call is never the probe."""
    status = yield from case.ask("probe", to_campaign(campaign), lambda: case.world.calls_api.status(campaign))
    if isinstance(status, Answer):
        return status
    if status in {"finished", "deleted"}:
        return Answer(outcome=Outcome.CANNOT, note=f"campaign {campaign} is {status} at the platform")
    return None


def _not_called(case: Case, outlook: Outlook) -> Flow:
    """No call, or not now. An answer that is still owed is found out first: the call may exist."""
    if case.entry.open:
        return (yield from settle(case))
    if _wants_phone(outlook):
        return case.end(_without_phone(case, outlook), campaign=case.aim, wants_phone=True)
    if outlook.status is Status.WAITING and outlook.call:
        verdict = yield Outside(lambda: _foreseen(case, outlook))
        if isinstance(verdict, Blocked) and verdict.word in FOR_GOOD:
            return case.blocked(verdict)
    planned = outlook.at if outlook.reason.startswith(OUTSIDE_HOURS) else None
    return case.end(Ending(status=outlook.status, reason=outlook.reason, due=outlook.at), campaign=case.aim, planned=planned)


def _foreseen(case: Case, outlook: Outlook) -> Go | Blocked:
    """Whoever waits for an hour and is not to be called any more need not wait for it."""
    gate = call_gate(outlook.call, case.event, outlook.decision.rule) if outlook.call else None
    (verdict,) = case.world.ledger.foresee([case.beginning(call=gate)], case.now())
    return verdict


def _without_phone(case: Case, outlook: Outlook) -> Ending:
    """Somebody may still tell the number: the CRM when it is asked, or another event about the same record."""
    prospect = case.prospect()
    untried = case.source.manual.api_token and not prospect.can_look_up
    advice = f"send contact.phone{', or configure an api_token so that it can be looked up' if untried else ''}"
    return policy.without_phone(case.entry, outlook.reason, case.now(), patience(outlook.decision.rule, case.event, prospect), advice)
