"""What should be done about an event now, and why: one function for accept, worker, ``explain``, replay and plan.

The choke point: nobody is called unless :func:`weigh` says ``call`` and the ledger's last gate (``begin.lua``) agrees. Whatever
cannot be read (a number, a zone) is a no.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from bridge import hours as call_hours
from bridge import orders
from bridge.keys import digest
from bridge.model import OPERATOR, CallCommand, CallPlan, CancelCommand, Event, Prospect, Status, Window, from_ms, iso
from bridge.phones import mask, to_e164
from bridge.quantities import show_duration
from bridge.rules import NOTHING_MORE, Call, Decision, Rule, Schedule, candidates, decide

SPREAD = timedelta(minutes=5)
"""Calls that waited for the same hour go out over this long, so that nine o'clock is no stampede."""

ZONE_RECHECK = timedelta(hours=12)

OUTSIDE_HOURS, STOP_MARK, SAME_FACT = "outside call hours", "stop mark", "same fact as"
"""How the reasons of these kinds begin: whoever tells them again in other words knows them by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the configuration says about calling, without secrets."""

    rules: tuple[Rule, ...] = ()
    mode: Literal["live", "shadow", "allowlist"] = "live"
    allowlist: frozenset[str] = frozenset()
    regions: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The same as long as the same is decided."""
        return digest(repr((self.rules, self.mode, sorted(self.allowlist), sorted(self.regions.items()))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What would happen to an event now.

    ``status`` queued: go on with ``cancel`` and then ``call``, or with a look-up while ``decision.missing`` names something.
    ``status`` waiting: look again ``at``, or without it when a phone number has come. Anything else is where the event ends.
    ``erase``: when everything is stopped, forget the person.
    """

    decision: Decision
    status: Status
    reason: str
    call: CallCommand | None = None
    cancel: CancelCommand | None = None
    at: datetime | None = None
    erase: bool = False


def weigh(event: Event, policy: Policy, now: datetime, prospect: Prospect = NOTHING_MORE) -> Outlook:
    """Decide an event against the rules and everything that forbids or delays a call."""
    if event.source == OPERATOR or event.forget:
        return _ordered(event)
    document = event.document()
    decision = decide(document, policy.rules, prospect)
    rule = decision.rule
    if rule is None:
        return Outlook(decision=decision, status=Status.IGNORED, reason=decision.reason)
    if decision.missing:
        return Outlook(decision=decision, status=Status.QUEUED, reason=decision.reason)
    cancel = CancelCommand(campaigns=rule.cancel.campaigns, entity_only=rule.cancel.scope == "entity") if rule.cancel else None
    if rule.call is None:
        return _without_call(decision, rule, cancel)
    outlook = _judge(rule.call, event, document, policy, now)
    return Outlook(decision=decision, status=outlook.status, reason=outlook.reason, call=outlook.call, at=outlook.at, cancel=cancel)


_ORDERS = {
    orders.DO_NOT_CALL: "put on the do-not-call list: calls are stopped",
    orders.CANCEL: "an operator cancelled: calls are stopped",
}


def _ordered(event: Event) -> Outlook:
    """What needs no rule: an operator's word, and the wish to be forgotten, which stops everything first."""
    what = "the person asked to be forgotten: calls are stopped, then the records erased" if event.forget else _ORDERS[event.type]
    decision = Decision(None, what, (what,))
    return Outlook(decision=decision, status=Status.QUEUED, reason=what, cancel=orders.stops(event), erase=event.forget)


FOR_GOOD = frozenset({"stopped", "unwanted", "told"})
"""Answers of the last gate that waiting does not change: who waits for an hour is told at once."""


def patience(rule: Rule | None, event: Event, prospect: Prospect) -> timedelta:
    """How long an event without a number waits for one: not at all where neither the CRM nor another event of the same record can tell it."""
    hope = prospect.can_look_up or any(not ref.startswith("phone:") for ref in event.refs)
    return rule.call.wait_for_phone if rule and rule.call and hope else timedelta()


def said_no(word: str, by: str, at: datetime | None = None, scope: str = "") -> str:
    """What the ledger's last gate means, in one sentence that names the other event and says what would have to change."""
    if word == "unwanted":
        kept = json.loads(by)
        told = ", ".join(part for part in (kept["source"], kept["note"]) if part)
        since = f"{f'{told}, ' if told else ''}since {iso(from_ms(kept['added']))}"
        return f"do-not-call: the number is on the list ({since}); `callbridge do-not-call remove` takes it off"
    if word == "stopped":
        return f"{STOP_MARK}: {by} says that calls on facts this old are not wanted any more; a newer event of this person may call again"
    if word == "told":
        return f"{SAME_FACT} {by}"
    if word == "paused":
        return _paused(scope, by)
    when = f" at {iso(at)}" if at else ""
    return f"cooldown: {by} had the same number called in this campaign{when}, and the rule asks for a longer pause"


def _paused(scope: str, by: str) -> str:
    kept = json.loads(by)
    kind, _, name = scope.partition(":")
    what = f"{kind} {name} is paused" if name else "all calling is paused"
    why = f" ({kept['note']})" if kept["note"] else ""
    return f"{what} by {kept['by']} since {iso(from_ms(kept['at']))}{why}; goes on when it is resumed"


def may_cancel(event: Event, rules: Sequence[Rule], prospect: Prospect = NOTHING_MORE) -> bool:
    """Whether this event could turn out to stop calls: then it is served before those that only make them."""
    return event.forget or any(rule.cancel for rule in candidates(event.source, event.type, rules, prospect))


@dataclass(frozen=True, slots=True)
class _Judgement:
    status: Status
    reason: str
    call: CallCommand | None = None
    at: datetime | None = None


def _without_call(decision: Decision, rule: Rule, cancel: CancelCommand | None) -> Outlook:
    if cancel is None:
        return Outlook(decision=decision, status=Status.IGNORED, reason=f"rule '{rule.name}' matched and does nothing")
    where = f"in {' and '.join(cancel.campaigns)}" if cancel.campaigns else "in every campaign"
    return Outlook(decision=decision, status=Status.QUEUED, reason=f"rule '{rule.name}': calls are cancelled {where}", cancel=cancel)


def _judge(call: Call, event: Event, document: Mapping[str, Any], policy: Policy, now: datetime) -> _Judgement:
    written = call.phone.search(document)
    if not written:
        return _Judgement(Status.WAITING, f"no phone number yet: {call.phone.text} is empty")
    phone = to_e164(written, policy.regions.get(event.source))
    if phone is None:
        return _Judgement(Status.FAILED, _unreadable(str(written), policy.regions.get(event.source)))
    command = _command(call, event, document, phone)
    for objection in (_expired, _wrong_mode, _outside_hours):
        judgement = objection(call, command, event, policy, now)
        if judgement:
            return judgement
    return _Judgement(Status.QUEUED, f"{mask(phone)} is to be called in campaign {call.campaign}", command)


def _unreadable(written: str, region: str | None) -> str:
    """A region would help only who has none, with a number that does not name its country itself."""
    of, or_region = (f" of {region}", "") if region else ("", ", or set `region` on the source")
    if written.strip().startswith("+"):
        of, or_region = "", ""
    return f"'{mask(written)}' cannot be read as a phone number{of}: correct it in the CRM{or_region}"


Objection = Callable[[Call, CallCommand, Event, Policy, datetime], _Judgement | None]


def _expired(call: Call, command: CallCommand, event: Event, policy: Policy, now: datetime) -> _Judgement | None:
    del command, policy
    if call.expires is None or now - event.happened_at <= call.expires:
        return None
    return _Judgement(Status.SUPPRESSED, f"expired: it happened at {iso(event.happened_at)}, and the rule calls within {show_duration(call.expires)}")


def _wrong_mode(call: Call, command: CallCommand, event: Event, policy: Policy, now: datetime) -> _Judgement | None:
    del event, now
    if policy.mode == "shadow":
        return _Judgement(Status.SUPPRESSED, f"mode shadow: {mask(command.phone)} would have been called in campaign {call.campaign}", command)
    if policy.mode == "allowlist" and command.phone not in policy.allowlist:
        return _Judgement(Status.SUPPRESSED, f"mode allowlist: {mask(command.phone)} is not on the allowlist", command)
    return None


def _outside_hours(call: Call, command: CallCommand, event: Event, policy: Policy, now: datetime) -> _Judgement | None:
    del policy
    if call.hours is None:
        return None
    where = call_hours.zones(command.time_zone, command.phone)
    if not where:
        reason = "the callee's time zone is unknown, so no hour is known to be right: set the contact's time zone in the CRM"
        return _Judgement(Status.WAITING, reason, command, now + ZONE_RECHECK)
    opening = call_hours.next_opening(call.hours, where, now)
    if opening == now:
        return None
    names = " and ".join(str(zone) for zone in where[:3])
    if opening is None:
        return _Judgement(Status.FAILED, f"call hours {call_hours.show(call.hours)} never come in {names} at once: widen them", command)
    spread = opening + _spread(event)
    due = spread if call_hours.next_opening(call.hours, where, spread) == spread else opening  # a window may be shorter than the spread
    return _Judgement(Status.WAITING, f"{OUTSIDE_HOURS}: waits for {call_hours.show(call.hours)} in {names}", command, due)


def _spread(event: Event) -> timedelta:
    """The same event always gets the same place in the queue that forms before an opening."""
    return SPREAD * (int(digest(event.id)[:4], 16) / 0x10000)


def _command(call: Call, event: Event, document: Mapping[str, Any], phone: str) -> CallCommand:
    zone = call.time_zone.search(document)
    payload = {name: value for name, expression in call.payload.items() if (value := expression.search(document)) is not None}
    return CallCommand(
        campaign=call.campaign,
        phone=phone,
        payload=payload,
        time_zone=zone if isinstance(zone, str) else None,
        plan=_plan(call, call.schedule, event) if call.schedule else None,
    )


def _plan(call: Call, schedule: Schedule, event: Event) -> CallPlan:
    """The rule's own hours go to the platform too where it takes them: two guards that agree."""
    windows: dict[str, tuple[Window, ...]] | None = None
    if schedule.allowed_time:
        windows = {day: tuple(Window(part.start, part.end) for part in parts) for day, parts in schedule.allowed_time.items()}
    elif call.hours:
        windows = {"default": (Window(call.hours.start, call.hours.end),)}
    interval = schedule.retry_interval
    return CallPlan(
        allowed_days=schedule.allowed_days or (call.hours.days if call.hours else None),
        allowed_time=windows,
        max_attempts=schedule.max_attempts,
        retry_interval_minutes=int(interval.total_seconds() // 60) if interval else None,
        priority=schedule.priority,
        finish_at=event.happened_at + call.expires if call.expires else None,
    )
