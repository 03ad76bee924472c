"""What would happen, or did happen, and why: the same shape for a body in a file and for an event in the ledger."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from bridge.calls import call_request, cancel_request, shown
from bridge.deciding import FOR_GOOD, Outlook, Policy, said_no, weigh
from bridge.errors import LookupFailed, Unreadable, Unverified
from bridge.ingest import read, told_apart, unreadable
from bridge.keys import cancel_key, event_key
from bridge.ledger import Beginning, Blocked, Ledger, NewEntry, call_gate
from bridge.model import Delivery, Entry, Event, HttpRequest, Status, Unparsed
from bridge.rules import wanted_fields
from bridge.sources.base import Source

HIDDEN = "***"
TAKEN_ALL_THE_SAME = "taken all the same, because the source is insecure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explainer:
    """Explains against one configuration, and against what is remembered where there is a ``ledger``. Sends nothing, and changes nothing."""

    policy: Policy
    base_url: str
    crm_params: Any = "form"
    ledger: Ledger | None = None

    def delivery(self, source: Source, delivery: Delivery, now: datetime) -> dict[str, Any]:
        """What a body would lead to. A signature is reported, not required."""
        verified = _verified(source, delivery, now)
        try:
            events = [self._parsed(source, parsed, delivery, now) for parsed in read(source, delivery)]
        except Unreadable as refused:
            field = f" (field: {refused.field})" if refused.field else ""
            return {"verified": verified, "events": [], "error": f"{refused.message}{field}"}
        return {"verified": verified, "events": events}

    def entry(self, entry: Entry) -> dict[str, Any]:
        """What did happen to an event of the ledger."""
        decision = {
            "status": entry.status.value,
            "reason": entry.reason,
            "rule": entry.rule,
            "trace": list(entry.trace),
            "requests": [shown(entry.request, self.base_url)] if entry.request else [],
            "jobs": list(entry.jobs),
            "attempts": [dict(attempt) for attempt in entry.attempts],
            "duplicates": entry.duplicates,
        }
        return {"event": entry.event.document(), "event_key": entry.key, "fact_key": entry.event.fact, "decision": decision}

    def _parsed(self, source: Source, parsed: Event | Unparsed, delivery: Delivery, now: datetime) -> dict[str, Any]:
        if isinstance(parsed, Unparsed):
            return _unread(unreadable(source, parsed, delivery))
        event = told_apart(parsed)
        key = event_key(source.name, event.id)
        outlook = self._foreseen(weigh(parsed, self.policy, now, source.prospect(parsed)), parsed, key, now)
        decision = {
            "status": outlook.status.value,
            "reason": outlook.reason,
            "rule": outlook.decision.rule.name if outlook.decision.rule else None,
            "trace": list(outlook.decision.trace),
            "requests": self._requests(source, parsed, outlook, key),
        }
        return {"event": event.document(), "event_key": key, "fact_key": event.fact, "decision": decision}

    def _foreseen(self, outlook: Outlook, event: Event, key: str, now: datetime) -> Outlook:
        """With what the last gate would say: stop marks, facts told before, cooldowns, the do-not-call list."""
        if self.ledger is None:
            return outlook
        known = self.ledger.entry(key)
        if known:
            return replace(outlook, status=known.status, reason=f"received before, it would be a duplicate; {known.reason}", call=None, cancel=None)
        if outlook.call is None or outlook.status not in {Status.QUEUED, Status.WAITING}:
            return outlook
        call = call_gate(outlook.call, event, outlook.decision.rule)
        entry = Entry(key=key, status=Status.QUEUED, was=Status.QUEUED, reason="", event=event, accepted_at=now)
        (verdict,) = self.ledger.foresee([Beginning(entry=entry, call=call)], now)
        if isinstance(verdict, Blocked) and (outlook.status is Status.QUEUED or verdict.word in FOR_GOOD):
            status = Status.PARKED if verdict.word == "paused" else Status.SUPPRESSED
            return replace(outlook, status=status, reason=said_no(verdict.word, verdict.by, verdict.at, verdict.scope), call=None)
        return outlook

    def _requests(self, source: Source, event: Event, outlook: Outlook, key: str) -> list[dict[str, Any]]:
        """In the order in which they would go out."""
        requests: list[dict[str, Any]] = []
        if outlook.decision.missing:
            requests += _first_look_up(source, event, self.policy)
        if outlook.cancel:
            requests.append(shown(cancel_request(["<id of each call job found>"], cancel_key(key)), self.base_url))
        if outlook.call and outlook.status is not Status.FAILED:  # a mode that calls nobody still shows what it kept back
            requests.append(shown(call_request(outlook.call, key, crm_params=self.crm_params), self.base_url))
        return requests


def _verified(source: Source, delivery: Delivery, now: datetime) -> bool | str:
    try:
        source.verify(delivery, now)
    except Unverified as refused:
        return f"{refused.message}; {TAKEN_ALL_THE_SAME}" if source.settings.insecure else refused.message
    return True


def _unread(kept: NewEntry) -> dict[str, Any]:
    decision: dict[str, Any] = {"status": kept.status.value, "reason": kept.reason, "rule": None, "trace": [], "requests": []}
    return {"event": kept.event.document(), "event_key": kept.key, "fact_key": kept.event.fact, "decision": decision}


def _first_look_up(source: Source, event: Event, policy: Policy) -> list[dict[str, Any]]:
    """The first request to the CRM; what follows depends on its answer."""
    conversation = source.look_up(event, wanted_fields(policy.rules))
    try:
        request: HttpRequest = next(conversation)
    except (StopIteration, LookupFailed):
        return []
    finally:
        conversation.close()
    hide = partial(_hidden, source.api_token)
    headers = {name: HIDDEN if name.lower() == "authorization" else hide(value) for name, value in request.headers.items()}
    return [{"method": request.method, "url": hide(request.url), "headers": headers, "body": hide(request.body)}]


def _hidden(token: str, written: str) -> str:
    """Without the token, wherever a CRM wants it: in a header, in the address, in the body."""
    return written.replace(token, HIDDEN) if token else written
