"""Entries of the ledger in the words of the API."""

from collections.abc import Iterable, Mapping
from typing import Any

from bridge.calls import shown
from bridge.concealing import Concealer, phones_of
from bridge.explaining import Explainer
from bridge.ledger import Act, Pause, Unwanted
from bridge.ledger.do_not_call import EVERY_CAMPAIGN
from bridge.model import Entry, Event, HttpRequest
from bridge.terms import issue_of
from bridge.web.api.models import acts, events
from bridge.web.api.places import address
from bridge.web.api.veil import BARE, Veil


def veil_over(entries: Iterable[Entry], *numbers: str, lifted: bool = False) -> Veil:
    """For what is told of these events; ``numbers`` are more that belong to the same people."""
    entries = list(entries)
    jobs = [job for entry in entries for job in entry.jobs]
    return Veil(Concealer.of([entry.event for entry in entries], numbers=numbers, ids=jobs, off=lifted))


def summary(entry: Entry) -> events.EventSummary:
    """An event in a list. Its key is told whole: it is what the event is called by."""
    veil, event, issue = veil_over([entry]), entry.event, issue_of(entry)
    return events.EventSummary(
        key=entry.key,
        url=address("events", entry.key),
        status=entry.status,
        reason=veil.ours(entry.reason),
        source=event.source,
        type=veil.ours(event.type),
        entity=_entity(event, veil),
        person=_person(event, veil),
        rule=entry.rule,
        campaign=entry.campaign,
        jobs=list(entry.jobs),
        occurred_at=event.occurred_at,
        accepted_at=entry.accepted_at,
        ended_at=entry.ended_at,
        duplicates=entry.duplicates,
        issue=issue.fingerprint if issue else None,
        replay=entry.replay,
    )


def decision(entry: Entry, explainer: Explainer, veil: Veil) -> events.Decision:
    """As ``explain`` has it."""
    told = explainer.entry(entry)["decision"]
    return events.Decision(
        status=entry.status,
        reason=veil.ours(entry.reason),
        rule=entry.rule,
        trace=[veil.ours(line) for line in entry.trace],
        requests=[_request(request, veil) for request in told["requests"]],
        jobs=list(entry.jobs),
        attempts=[events.Attempt(**{**attempt, "note": veil.ours(str(attempt.get("note", "")))}) for attempt in entry.attempts],
        duplicates=entry.duplicates,
    )


def document(event: Event, veil: Veil) -> events.Event:
    """The event document of the contract."""
    told = event.document()
    contact: dict[str, Any] = told.pop("contact", {})
    told["refs"] = [veil.ours(ref) for ref in told["refs"]]
    told["fields"] = veil.document(told["fields"])
    told["contact"] = events.Contact(**{name: _of_contact(name, value, veil) for name, value in contact.items()}) if contact else None
    return events.Event(**{name: veil.document(value) if name in {"entity", "stage", "id", "type"} else value for name, value in told.items()})


def request_of(request: HttpRequest, base_url: str, veil: Veil) -> events.Request:
    return _request(shown(request, base_url), veil)


def act(done: Act, veil: Veil) -> acts.Act:
    return acts.Act(
        at=done.at, by=done.by, what=veil.ours(done.what), targets=[veil.ours(target) for target in done.targets], note=veil.theirs(done.note)
    )


def unwanted(entry: Unwanted, veil: Veil, *, holds: bool) -> acts.Unwanted:
    return acts.Unwanted(
        phone=veil.phone(entry.phone),
        campaign=_campaign(entry.campaign),
        source=veil.theirs(entry.source),
        note=veil.theirs(entry.note),
        added=entry.added,
        until=entry.until,
        holds=holds,
    )


def mark(ref: str, campaign: str, veil: Veil, **more: Any) -> acts.Mark:
    return acts.Mark(ref=veil.ours(ref), campaign=_campaign(campaign), **more)


def pause(paused: Pause) -> acts.Pause:
    return acts.Pause(scope=paused.scope, by=paused.by, at=paused.at, note=BARE.theirs(paused.note))


def _campaign(name: str) -> str | None:
    return None if name == EVERY_CAMPAIGN else name


def _request(told: Mapping[str, Any], veil: Veil) -> events.Request:
    return events.Request(
        method=told["method"],
        url=veil.theirs(told["url"]),
        headers={name: veil.ours(value) for name, value in told["headers"].items()},
        body=veil.theirs(told["body"]),
    )


def _entity(event: Event, veil: Veil) -> events.Entity | None:
    return events.Entity(type=veil.ours(event.entity.type), id=veil.ours(event.entity.id)) if event.entity else None


def _person(event: Event, veil: Veil) -> events.Person | None:
    person = event.contact
    if person is None or not (person.name or phones_of(event)):
        return None
    return events.Person(name=veil.theirs(person.name) if person.name else None, phone=veil.phone(person.phone) if person.phone else None)


def _of_contact(name: str, value: Any, veil: Veil) -> Any:
    if name == "phones":
        return [veil.phone(each) for each in value]
    return veil.phone(value) if name == "phone" else veil.theirs(value)
