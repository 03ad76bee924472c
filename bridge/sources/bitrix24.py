"""Bitrix24: outgoing webhooks and application events for leads, contacts and deals; robots and business processes that post a document.

Facts after https://apidocs.bitrix24.com: api-reference/events, .../crm/*/events, .../bizproc/bizproc-robot, .../crm/universal/crm-item-get,
settings/oauth, limits, _includes/system-errors.

Nothing is signed. ``auth[application_token]`` in the body is the proof, the same in every request; the plain robot has none, so there
the secret is in the URL. ``member_id`` on the source, where it is set, must be the portal's in the body. Bitrix24 sends nothing twice,
whatever it is answered: a second delivery can only come of a second handler, or of something on the way.

Event id: portal, event, record, and ``ts`` (left out of a creation, of which there is one). ``ts`` is the second of sending; two edits
sent within one are one event, and its look-up finds what both led to. ``event_handler_id`` and the rest of ``auth`` stay out: two handlers of
one event differ in them. An application's robot: portal, document, ``workflow_id``, ``code`` and the activity's name in ``event_token``,
whose last part is a secret. A plain robot has neither id nor time: portal, document and stage, good for a minute (``window``).

Webhooks tell no more than an id, so what happened is read from the record (``crm.item.get``): a record that was moved to its stage after, or
at most a quarter of an hour before, the webhook was sent makes the event a ``….stage_changed`` at ``movedTime``; an older move leaves it an update.
The queue may lag, and a move that is told twice harms nobody. A robot's URL may name the stage the robot stands on
(``?stage=C1:NEW``), which is one as well, and ``ONCRMDEALMOVETOCATEGORY`` tells its stage.

Fact: portal, record, and ``created``, or ``stage→<id>`` at ``movedTime``, or ``updated`` at ``updatedTime`` (an edit that is no younger than its
record is its creation); until the record was read, and for deletions, the time of sending stands in. What a robot reports is its own fact, unless
it is a fresh move.

Phones are the record's ``fm`` of type ``PHONE``: a contact's, a lead's or else its contact's, and a deal's first contact's; mobiles first, fax and
pager left out. Companies are not called. ``fields`` has ``FIELDS`` of the webhook (a robot's ``document_id``, ``properties`` …) and the
record as ``crm.item.get`` tells it: its own fields as ``stageId``, yours as ``UF_CRM_…``.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import SecretStr, field_validator, model_validator

from bridge import keys
from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, HttpRequest, HttpResponse, Rate, Stage, Unparsed, iso, unique
from bridge.signing import any_equal
from bridge.sources.base import ApiBase, Lookup, Manual, Signed
from bridge.sources.bodies import FORM, form_fields, read_fields, read_json
from bridge.sources.oauth import ACCESS_TOKEN, OAuthSettings, OAuthSource
from bridge.sources.values import answer, first, gone, joined, listed, mapping, moment, named_texts, refs, refusal, restated, rows, text, with_people

_EVENT = re.compile(r"ONCRM([A-Z]+?)(ADD|UPDATE|DELETE|MOVETOCATEGORY)")
_ACTIONS = {"ADD": "created", "UPDATE": "updated", "DELETE": "deleted", "MOVETOCATEGORY": "updated"}
_NUMBERS = {"lead": 1, "deal": 2, "contact": 3}  # entityTypeId
_STAGED = ("lead", "deal")
_AT_ONCE = timedelta(minutes=1)
_LAG = timedelta(minutes=15)
_PROOF = "auth[application_token]"
_SECRETS = frozenset({"access_token", "refresh_token", "application_token", "event_token"})
_OF_A_ROBOT = ("document_id", "document_type", "workflow_id", "code", "properties")
_UNCALLED = frozenset({"FAX", "PAGER"})
_WEBHOOK = re.compile(r"https?://[^/?#]+/rest/[0-9]+/[^/?#]+/?")
_WAITS = {"QUERY_LIMIT_EXCEEDED": 1.0, "OPERATION_TIME_LIMIT": 60.0}
_ADVICE = {
    "OVERLOAD_LIMIT": "Bitrix24 has blocked the portal's REST API by hand (OVERLOAD_LIMIT): ask its support",
    "ACCESS_DENIED": "Bitrix24 denies access (ACCESS_DENIED): may the user of api_token see the record, and has the portal's plan REST?",
}


class Bitrix24Settings(OAuthSettings):
    """``secret``: the outgoing webhook's token, and one for the URLs of robots; ``api_token``: the URL of an incoming webhook.

    An application has ``client_id``, ``client_secret`` and ``refresh_token`` in place of it, and its portal as ``api_base``.
    """

    member_id: str | None = None
    api_base: ApiBase | None = None
    oauth_base: ApiBase = "https://oauth.bitrix24.tech"

    @field_validator("api_token")
    @classmethod
    def _is_webhook(cls, value: SecretStr | None) -> SecretStr | None:
        if value and not _WEBHOOK.fullmatch(value.get_secret_value()):
            raise ValueError("Bitrix24's api_token is the URL of an incoming webhook, such as https://acme.bitrix24.com/rest/1/abc123/")
        return value

    @model_validator(mode="after")
    def _has_portal(self) -> Self:
        if self.refresh_token and not self.api_token and not self.api_base:
            raise ValueError("an application's look-ups need its portal as api_base, such as https://acme.bitrix24.com")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notice:
    """What a webhook tells. ``id`` and ``happening`` without the portal and without the record."""

    member: str | None
    id: Sequence[object]
    happening: Sequence[object]
    entity: Entity | None
    action: str | None
    stage: str | None
    at: datetime | None
    fields: Mapping[str, Any]
    window: timedelta | None

    @property
    def type(self) -> str:
        if self.entity is None or self.entity.type not in _NUMBERS or self.action is None:
            return "unknown"
        return f"{self.entity.type}.{'stage_changed' if self.stage else self.action}"

    @property
    def fact(self) -> Sequence[object]:
        record = (self.entity.type, self.entity.id) if self.entity else (None, None)
        return (self.member, *record, *self.happening)


class Bitrix24(OAuthSource):
    """One Bitrix24 portal."""

    kind = "bitrix24"
    title = "Bitrix24"
    sends_again = False
    manual = Manual(
        where="Developer resources → Other → Outgoing webhook; or a robot's webhook",
        proof="the webhook's token in the body, or a secret in a robot's URL; and the portal's `member_id` where it is configured",
        secret="the outgoing webhook's token; for robots one of your own",  # noqa: S106 -- words about it
        api_token="the URL of an incoming webhook",  # noqa: S106 -- the same
    )
    settings_type = Bitrix24Settings
    looked_up = frozenset(_NUMBERS)
    stage_fields = dict.fromkeys(_STAGED, "stageId")
    lookup_rate = Rate(count=2, seconds=1)  # what every plan bears for ever

    settings: Bitrix24Settings

    def verify(self, delivery: Delivery, now: datetime) -> None:
        """The token of the body, or the secret of the URL, which is all that a body that cannot be read has."""
        del now
        try:
            token = text(mapping(_form(delivery.body).get("auth")).get("application_token"))
        except Unreadable:
            token = None
        self._verify_secret(delivery, token)
        self.verify_account("auth[member_id]", self.settings.member_id, lambda: [_member(_form(delivery.body))])

    def parse(self, delivery: Delivery) -> Sequence[Event | Unparsed]:
        body = _form(delivery.body)
        if event := text(body.get("event")):
            return [self._event(_event(event.upper(), body), delivery)]
        if document := _document(body.get("document_id")):
            return [self._event(_robot(document, body, delivery.url), delivery)]
        raise Unreadable("Bitrix24 sends a form with event, or with document_id", "event")

    def sign(self, body: bytes, url: str, now: datetime) -> Signed:
        """A robot's secret is in its URL, every other's in the body. The vendor's documentation shows as JSON what it sends as a form."""
        del now
        fields = _pairs(body)
        names, headers = {name for name, _ in fields}, {"Content-Type": FORM}
        if any(name.startswith("document_id") for name in names) and _PROOF not in names:
            return Signed(urlencode(fields).encode(), self.with_secret_in_url(url), headers)
        proven = [*(field for field in fields if field[0] != _PROOF), (_PROOF, self.require_secret()[0])]
        return Signed(urlencode(proven).encode(), url, headers)

    def secrets_in(self, delivery: Delivery) -> Iterable[str]:
        """Every body carries its own proof, and an application's the tokens of a user."""
        try:
            told = named_texts(_form(delivery.body))
        except Unreadable:
            return ()
        return [value.rpartition("|")[2] for name, value in told if name in _SECRETS]  # an event_token names a run and a step before it

    def could_become(self, event: Event) -> Sequence[str]:
        record, _, action = event.type.partition(".")
        return (f"{record}.stage_changed",) if record in _STAGED and action == "updated" else ()

    def look_up(self, event: Event, wanted: Iterable[str]) -> Lookup:
        """The record, and the contact of one that has no number of its own. A record is told whole, whatever is ``wanted``."""
        del wanted
        entity = event.entity
        if entity is None or entity.type not in _NUMBERS:
            return event
        record = _found((yield self._get(entity)), entity)
        people = [entity.id] if entity.type == "contact" else _contact_ids(record)
        event = _after(event, record).knowing(fields=record, refs=[f"contact:{person}" for person in people])
        own = entity.type == "contact" or (entity.type == "lead" and (not people or _numbers(record)))
        person: Mapping[str, Any] | None = record if own else None
        if person is None and people:
            first = Entity("contact", people[0])
            person = _found((yield self._get(first)), first)
        # A deal without one may be given its contact later, which is an event of its own.
        return with_people(event, [self._person(person, next(iter(people), None))] if person else [])

    def probe(self) -> HttpRequest | None:
        return self._ask("crm.item.list", entityTypeId=_NUMBERS["contact"], select=["id"], start=-1) if self.api_token else None

    def judge(self, response: HttpResponse) -> None:
        """The same status means many things: the code in the body says which. ``NOT_FOUND`` has a meaning of its own."""
        code = _error(response)
        if code in _WAITS:
            raise LookupFailed(f"Bitrix24 answered {response.status}: too many requests ({code})", retry_after=_WAITS[code])
        if code in _ADVICE:
            raise LookupFailed(_ADVICE[code], parked=True)
        if not (response.status == 400 and code == "NOT_FOUND"):
            super().judge(response)

    def renewal(self, refresh_token: str) -> HttpRequest:
        query = urlencode(self.grant(refresh_token))
        return HttpRequest("GET", f"{self.settings.oauth_base}/oauth/token/?{query}", {"Accept": "application/json"})

    def _verify_secret(self, delivery: Delivery, token: str | None) -> None:
        if token is None:
            self.verify_shared_secret(delivery)
            return
        if any_equal(self.require_secret(), token):
            return
        try:
            self.verify_shared_secret(delivery)
        except Unverified as refused:
            raise Unverified(Refusal.WRONG_SECRET, f"{_PROOF} is not the configured secret") from refused

    def _event(self, notice: _Notice, delivery: Delivery) -> Event:
        entity = notice.entity
        return Event(
            source=self.name,
            kind=self.kind,
            id=keys.join(notice.member, *notice.id),
            type=notice.type,
            fact=keys.join(self.kind, *notice.fact),
            received_at=delivery.received_at,
            occurred_at=notice.at,
            entity=entity,
            refs=refs(entity),
            stage=Stage(after=notice.stage) if notice.stage else None,
            contact=Contact(id=entity.id) if entity and entity.type == "contact" else None,
            fields=notice.fields,
            window=notice.window,
        )

    def _person(self, person: Mapping[str, Any], contact_id: str | None) -> Contact:
        """Whom the record is about: a contact, or a lead under its own name."""
        name, email = joined(person.get("name"), person.get("lastName")), first(row.get("value") for row in _values(person, "EMAIL"))
        return self.contact(*_numbers(person), id=contact_id, name=name, email=email)

    def _get(self, entity: Entity) -> HttpRequest:
        return self._ask("crm.item.get", entityTypeId=_NUMBERS[entity.type], id=entity.id, useOriginalUfNames="Y")

    def _ask(self, method: str, **parameters: object) -> HttpRequest:
        """An incoming webhook is its own address; an application's token goes into the body."""
        base = f"{self.settings.api_base}/rest" if self.renews else self.api_token.rstrip("/")
        told = {**parameters, "auth": ACCESS_TOKEN} if self.renews else parameters
        return HttpRequest("POST", f"{base}/{method}.json", {"Content-Type": "application/json"}, json.dumps(told))


def _pairs(body: bytes) -> list[tuple[str, str]]:
    try:
        return list(form_fields(read_json(body)))
    except Unreadable:
        return parse_qsl(body.decode(errors="replace"), keep_blank_values=True)


def _form(body: bytes) -> Mapping[str, Any]:
    return mapping(read_fields(body))


def _event(event: str, body: Mapping[str, Any]) -> _Notice:
    """``event`` and ``data[FIELDS]``: of leads, contacts and deals, of what else the CRM has, or of something else."""
    named, fields = _EVENT.fullmatch(event), mapping(mapping(body.get("data")).get("FIELDS"))
    kind, record_id = named[1].lower() if named else "", text(fields.get("ID"))
    if number := text(fields.get("ENTITY_TYPE_ID")):  # an item of a type that users made
        kind = f"dynamic_{number}"
    action = _ACTIONS[named[2]] if named else None
    entity = Entity(kind, record_id) if kind and record_id else None
    stage = text(fields.get("STAGE_ID")) if kind in _STAGED else None
    sent, once = text(body.get("ts")), action == "created" and entity is not None
    what = f"stage→{stage}" if stage else (action if entity else None) or event
    return _Notice(
        member=_member(body),
        id=(event, record_id) if once else (event, record_id, sent),
        happening=(what,) if once else (what, sent),
        entity=entity,
        action=action,
        stage=stage,
        at=moment(sent),
        fields=fields,
        window=None if once or sent else _AT_ONCE,
    )


def _robot(document: Entity, body: Mapping[str, Any], url: str) -> _Notice:
    """A robot of the portal's own, or an application's, which tells the run it is part of."""
    stage = dict(parse_qsl(urlsplit(url).query)).get("stage") if document.type in _STAGED else None
    run, code = text(body.get("workflow_id")), text(body.get("code"))
    step = (text(body.get("event_token")) or "").split("|")[1:2]
    happening = ("robot", stage, *((run, code, *step) if run else ()))
    return _Notice(
        member=_member(body),
        id=("robot", document.type, document.id, *happening[1:]),
        happening=happening,
        entity=document,
        action="updated",
        stage=stage,
        at=moment(body.get("ts")),
        fields={name: body[name] for name in _OF_A_ROBOT if name in body},
        window=None if run else _AT_ONCE,
    )


def _document(told: object) -> Entity | None:
    """``[module, class, DEAL_123]``: ``DYNAMIC_147_1`` is item 1 of type 147, and a list's document has no more than a number."""
    parts = [text(part) or "" for part in (told if isinstance(told, list) else [told])]
    kind, _, number = parts[-1].rpartition("_")
    return Entity((kind or parts[0]).lower(), number) if number else None


def _member(body: Mapping[str, Any]) -> str | None:
    return text(mapping(body.get("auth")).get("member_id"))


def _after(event: Event, record: Mapping[str, Any]) -> Event:
    """The event, once its record was read: was it a move, and which edit was it?"""
    action, edited = event.type.partition(".")[2], moment(record.get("updatedTime"))
    if action in {"updated", "stage_changed"} and (moved := _moved(event, record)):
        after, before = text(record.get("stageId")), text(record.get("previousStageId"))
        change = Stage(after=after, before=before if before != after else None)
        fact = restated(event, f"stage→{after}", iso(moved))
        kind = event.type.partition(".")[0]
        return replace(event, type=f"{kind}.stage_changed", stage=change, occurred_at=moved, fact=fact, window=None)
    if action != "updated" or edited is None or "document_id" in event.fields:
        return event
    return replace(event, fact=restated(event, "created") if _is_birth(edited, record) else restated(event, "updated", iso(edited)))


def _moved(event: Event, record: Mapping[str, Any]) -> datetime | None:
    """When the record came to its stage, where that is what the event is about."""
    stage, moved = text(record.get("stageId")), moment(record.get("movedTime"))
    if stage is None or moved is None or (event.stage and event.stage.after != stage):
        return None
    return None if _is_birth(moved, record) or moved < event.happened_at - _LAG else moved


def _is_birth(at: datetime, record: Mapping[str, Any]) -> bool:
    created = moment(record.get("createdTime"))
    return created is not None and at <= created


def _found(response: HttpResponse, entity: Entity) -> Mapping[str, Any]:
    """The record of an answer. Only Bitrix24's own ``NOT_FOUND`` means that it is gone."""
    if _error(response) == "NOT_FOUND":
        raise gone(entity.ref, "Bitrix24")
    record = mapping(mapping(answer(response).get("result")).get("item"))
    if not record:
        raise LookupFailed(f"Bitrix24 answered {response.status} without {entity.ref}")
    return record


def _error(response: HttpResponse) -> str:
    """The code of an error; empty where the answer has none."""
    return (text(mapping(refusal(response)).get("error")) or "").upper() if response.status >= 300 else ""


def _contact_ids(record: Mapping[str, Any]) -> Sequence[str]:
    """The first is the one to call; 0 is nobody."""
    told = [text(value) for value in (record.get("contactId"), *listed(record.get("contactIds")))]
    return unique([value for value in told if value and value != "0"])


def _values(record: Mapping[str, Any], kind: str) -> Sequence[Mapping[str, Any]]:
    return [row for row in rows(record.get("fm")) if row.get("typeId") == kind]


def _numbers(record: Mapping[str, Any]) -> Sequence[object]:
    numbers = [row for row in _values(record, "PHONE") if row.get("valueType") not in _UNCALLED]
    return [row.get("value") for row in sorted(numbers, key=lambda row: row.get("valueType") != "MOBILE")]
