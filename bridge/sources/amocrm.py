"""amoCRM, and Kommo, its other brand: webhooks of an account, and those that a stage of the digital pipeline sends.

Facts after https://www.amocrm.ru/developers/content/crm_platform/webhooks-format, https://developers.kommo.com/docs/webhooks-general,
.../docs/webhooks-dp, .../docs/limitations and .../reference/get-contact.

Nothing is signed: a secret in the URL is the proof, and ``account`` on the source, where it is set, must be the id or the subdomain that
the body names.

A body is a form ``leads[status][0][id]=…``: any number of entities, actions and records, each an event of its own.

Event id: account (id, else subdomain), entity, action, record, ``last_modified``, and a lead's ``old_status_id`` and ``status_id``. A creation has no
time: there is one. ``X-Amocrm-Requestid`` stays out, as nobody promises that a retry keeps it; so does the order of the fields, which differs
between captures. Where there is no time (a deletion, and every move in the digital pipeline) the same id is the same event for three
hours (``window``): longer than amoCRM goes on trying, shorter than a lead takes to come back. Of an incoming lead (``unsorted``) the
``uid`` and what became of it; of what nobody knows, a digest of what it says.

Fact: account, record, and ``created``, ``deleted``, or ``changed`` at ``last_modified``, to the second: one move is told by ``status`` and by
``update``, and a restore or another responsible user by an update as well. A move without a time gets the record's ``updated_at`` from
the look-up, where that is fresh.

``contacts`` may be companies (``type``), and those are not called. A restore is an ``….updated``: as a second ``….created`` it would have a
person called as new again. An incoming lead is a ``lead.created``; that it was accepted comes as a *delete* and is a ``lead.updated``
(``fields.action``); that it was declined is a ``lead.deleted``. A lead is what amoCRM's Russian pages call a deal. ``stage`` has the status ids: 142
is won and 143 lost, in every pipeline.

Phones are a contact's custom fields with ``code`` PHONE, wherever in the list that stands; a lead has none, and its main contact is looked up. Forms
have no numbers, so the numbers of a record that was looked up are in ``fields`` as text too: a rule must not read ``'142'`` first and 142 later.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Self
from urllib.parse import quote

from pydantic import AfterValidator, model_validator

from bridge import keys
from bridge.errors import LookupFailed, Unreadable
from bridge.model import Contact, Delivery, Entity, Event, HttpRequest, HttpResponse, Rate, Stage, Unparsed, unique
from bridge.sources.base import ApiBase, Lookup, Manual, Signed
from bridge.sources.bodies import FORM, read_fields
from bridge.sources.oauth import OAuthSettings, OAuthSource
from bridge.sources.values import answer, fingerprint, first, gone, mapping, moment, refs, restated, rows, text, with_people

_ENTITIES = {"leads": "lead", "contacts": "contact"}
_PATHS = {entity: name for name, entity in _ENTITIES.items()}
_ACTIONS = {"add": "created", "update": "updated", "status": "updated", "responsible": "updated", "restore": "updated", "delete": "deleted"}
_INCOMING = {"add": "created", "update": "updated", "accept": "updated", "decline": "deleted", "delete": "deleted"}
_ONCE = frozenset({"add", "accept", "decline"})
_STAGES = {"lead": "status_id"}
_RETRIES = timedelta(hours=3)
_FRESH = timedelta(minutes=5)
_UNCALLED = frozenset({"FAX"})


class AmoCrmSettings(OAuthSettings):
    """``secret``: one of your own, for the URL; ``api_base``: the account's address, where tokens are renewed too.

    ``api_token`` is a long-lived token; an integration's keys come with the ``redirect_uri`` it was made with.
    """

    account: Annotated[str, AfterValidator(str.lower)] | None = None
    api_base: ApiBase | None = None
    redirect_uri: str | None = None

    @model_validator(mode="after")
    def _has_address(self) -> Self:
        if (self.api_token or self.refresh_token) and not self.api_base:
            raise ValueError("look-ups need the account's address as api_base, such as https://acme.amocrm.ru or https://acme.kommo.com")
        if self.refresh_token and not self.redirect_uri:
            raise ValueError("amoCRM renews a token only with the integration's redirect_uri")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notice:
    """One record of a body. ``id`` and ``happening`` without the account and the record; ``others`` are tied to it."""

    entity: Entity | None
    action: str | None
    id: Sequence[object]
    happening: Sequence[object]
    told: Mapping[str, Any]
    time: str | None = None
    stage: Stage | None = None
    person: Mapping[str, Any] | None = None
    others: Sequence[str] = ()
    window: timedelta | None = None

    @property
    def type(self) -> str:
        if self.entity is None or self.entity.type not in _PATHS or self.action is None:
            return "unknown"
        return f"{self.entity.type}.{'stage_changed' if self.stage else self.action}"


class AmoCrm(OAuthSource):
    """One amoCRM or Kommo account."""

    kind = "amocrm"
    title = "amoCRM (Kommo)"
    manual = Manual(
        where="Settings → Integrations → Web hooks; or Digital Pipeline → Send webhook",
        proof="a secret in the URL (`?token=…`), and the account where it is configured",
        secret="one of your own",  # noqa: S106 -- words about it
        api_token="a long-lived token, or an integration's keys",  # noqa: S106 -- the same
    )
    settings_type = AmoCrmSettings
    looked_up = frozenset(_PATHS)
    stage_fields = _STAGES
    lookup_rate = Rate(count=7, seconds=1)  # of one integration; who goes on regardless is blocked
    lookup_pause = 5

    settings: AmoCrmSettings

    def verify(self, delivery: Delivery, now: datetime) -> None:
        del now
        self.verify_shared_secret(delivery)
        self.verify_account("account", self.settings.account, lambda: _accounts(mapping(read_fields(delivery.body))))

    def parse(self, delivery: Delivery) -> Sequence[Event | Unparsed]:
        body = mapping(read_fields(delivery.body))
        elements = [
            (name, action, item)
            for name, actions in body.items()
            if name != "account" and isinstance(actions, Mapping)
            for action, items in actions.items()
            for item in _listed(items)
        ]
        if not elements:
            raise Unreadable("amoCRM sends a form of entity[action][0][field]")
        return [self._read(element, body, delivery) for element in elements]

    def sign(self, body: bytes, url: str, now: datetime) -> Signed:
        del now
        return Signed(body, self.with_secret_in_url(url), {"Content-Type": FORM})

    def look_up(self, event: Event, wanted: Iterable[str]) -> Lookup:
        """Contact; lead → its main contact. A record is told whole, whatever is ``wanted``."""
        del wanted
        entity = event.entity
        if entity is None or entity.type not in _PATHS:
            return event
        person_id: str | None = entity.id
        if entity.type == "lead":
            lead = _found((yield self._get(entity, "?with=contacts")), entity)
            people = _contact_ids(lead)
            event = _after(event, lead).knowing(fields=_spelled(lead), refs=[f"contact:{person}" for person in people])
            person_id = next(iter(people), None)
        if person_id is None:  # a lead may be given its contact later; an incoming one has told whom it came from
            return event if "uid" in event.fields else with_people(event, [])
        someone = Entity("contact", person_id)
        person = _found((yield self._get(someone)), someone)
        return with_people(event.knowing(fields=_spelled(person) if entity == someone else None), [self._person(person, person_id)])

    def probe(self) -> HttpRequest | None:
        return self._ask("account") if self.api_token else None

    def judge(self, response: HttpResponse) -> None:
        """Who asks on after a 429 has its address blocked, which is the 403."""
        if response.status == 403:
            raise LookupFailed(f"{self.title} answered 403: it has blocked this address, or the token may not read this", parked=True)
        if response.status == 402:
            raise LookupFailed(f"{self.title} answered 402: the account is not paid for", parked=True)
        super().judge(response)

    def renewal(self, refresh_token: str) -> HttpRequest:
        body = json.dumps({**self.grant(refresh_token), "redirect_uri": self.settings.redirect_uri})
        return HttpRequest("POST", f"{self.settings.api_base}/oauth2/access_token", {"Content-Type": "application/json"}, body)

    def _read(self, element: tuple[str, str, Any], body: Mapping[str, Any], delivery: Delivery) -> Event | Unparsed:
        name, action, item = element
        notice = _notice(name, action, mapping(item))
        if notice is None:
            return Unparsed(fingerprint(element), f"{name}[{action}] without the id of a record")
        account, entity = _account(body, notice.told), notice.entity
        contact = self._contact_of(notice)
        return Event(
            source=self.name,
            kind=self.kind,
            id=keys.join(account, *notice.id),
            type=notice.type,
            fact=keys.join(self.kind, account, *((entity.type, entity.id) if entity else (None, None)), *notice.happening),
            received_at=delivery.received_at,
            occurred_at=moment(notice.time),
            entity=entity,
            refs=unique((*refs(entity), *notice.others, *refs(contact))),
            stage=notice.stage,
            contact=contact,
            fields=notice.told,
            window=notice.window,
        )

    def _contact_of(self, notice: _Notice) -> Contact | None:
        """The contact itself, or whom an incoming lead came from."""
        if notice.entity and notice.entity.type == "contact":
            return self._person(notice.told, notice.entity.id)
        person = notice.person or {}
        contact = self._person(person, text(person.get("id")))
        return contact if contact.document() else None

    def _person(self, person: Mapping[str, Any], person_id: str | None) -> Contact:
        numbers = [row for row in _values(person, "PHONE") if _label(row) not in _UNCALLED]
        phones = [row.get("value") for row in sorted(numbers, key=lambda row: _label(row) != "MOB")]
        email = first(row.get("value") for row in _values(person, "EMAIL"))
        return self.contact(*phones, id=person_id, name=text(person.get("name")), email=email)

    def _get(self, entity: Entity, query: str = "") -> HttpRequest:
        return self._ask(f"{_PATHS[entity.type]}/{quote(entity.id, safe='')}{query}")

    def _ask(self, what: str) -> HttpRequest:
        headers = {"Authorization": f"Bearer {self.api_token}", "Accept": "application/json"}
        return HttpRequest("GET", f"{self.settings.api_base}/api/v4/{what}", headers)


def _account(body: Mapping[str, Any], told: Mapping[str, Any]) -> str | None:
    """The id, which never changes; old bodies have the subdomain alone, and some examples neither but in the record."""
    return first((*_accounts(body), told.get("account_id")))


def _accounts(body: Mapping[str, Any]) -> Sequence[str]:
    account = mapping(body.get("account"))
    return [(text(account.get(name)) or "").lower() for name in ("id", "subdomain")]


def _notice(name: str, action: str, told: Mapping[str, Any]) -> _Notice | None:
    """What an element says; None for a lead or contact without an id."""
    if name == "unsorted":
        return _incoming(action, told)
    kind, record_id = _kind(name, told), text(told.get("id"))
    if kind not in _PATHS or action not in _ACTIONS:
        entity = Entity(kind, record_id) if record_id else None
        mark = fingerprint(told)
        window = None if _time(told, "last_modified", "updated_at") else _RETRIES
        return _Notice(entity=entity, action=None, id=(name, action, mark), happening=(action, mark), told=told, window=window)
    if record_id is None:
        return None
    return _changed(action, Entity(kind, record_id), told)


def _kind(name: str, told: Mapping[str, Any]) -> str:
    if name in {"contacts", "companies"} and (name == "companies" or told.get("type") == "company"):
        return "company"
    return _ENTITIES.get(name, name)


def _changed(action: str, entity: Entity, told: Mapping[str, Any]) -> _Notice:
    """A lead or contact, and what was done to it."""
    what, stage = _ACTIONS[action], _stage(action, told) if entity.type == "lead" else None
    place = (_PATHS[entity.type], action, entity.id)
    if what == "created":
        time = _time(told, "created_at", "date_create", "last_modified")
        return _Notice(entity=entity, action=what, id=place, happening=(what,), told=told, time=time)
    if what == "deleted":
        return _Notice(entity=entity, action=what, id=place, happening=(what,), told=told, window=_RETRIES)
    time, moved = _time(told, "last_modified", "updated_at"), (text(told.get("old_status_id")), text(told.get("status_id")))
    return _Notice(
        entity=entity,
        action=what,
        id=(*place, time, *(moved if entity.type == "lead" else ())),
        happening=("changed", time) if time or not stage else (f"stage→{stage.after}", stage.before),
        told=told,
        time=time,
        stage=stage,
        window=None if time else _RETRIES,
    )


def _stage(action: str, told: Mapping[str, Any]) -> Stage | None:
    """``status`` is a move by its name; an update is one where it tells another status than before."""
    after, before = text(told.get("status_id")), text(told.get("old_status_id"))
    moved = action == "status" or (action == "update" and before is not None and before != after)
    return Stage(after=after, before=before) if after and moved else None


def _incoming(action: str, told: Mapping[str, Any]) -> _Notice | None:
    """An incoming lead: a delete says in ``action`` what it is, and in ``accept_result`` or ``decline_result`` what came of it."""
    uid = text(told.get("uid"))
    if uid is None:
        return None
    what = (text(told.get("action")) or action) if action == "delete" else action
    result, data = mapping(told.get(f"{what}_result")), mapping(told.get("data"))
    leads = _ids(result.get("leads")) or _ids(told.get("lead_id")) or _ids(data.get("leads"))
    people = _ids(result.get("contacts")) or _ids(data.get("contacts"))
    verb, mark = _INCOMING.get(what), [] if what in _ONCE else [fingerprint(told)]
    return _Notice(
        entity=Entity("lead", leads[0]) if leads else Entity("unsorted", uid),
        action=verb,
        id=("unsorted", what, uid, *mark),
        happening=(verb,) if leads and verb in {"created", "deleted"} else (what, uid, *mark),
        told=told,
        time=_time(told, "created_at") if action == "add" else None,
        person=next(map(mapping, _listed(data.get("contacts"))), None),
        others=[*(f"lead:{lead}" for lead in leads), *(f"contact:{person}" for person in people)],
        window=_RETRIES if mark else None,
    )


def _after(event: Event, lead: Mapping[str, Any]) -> Event:
    """A move that was told without a time, once the lead was read: it happened at ``updated_at``, unless that is of a change before."""
    time = text(lead.get("updated_at"))
    changed = moment(time)
    if event.window is None or event.stage is None or changed is None or changed < event.received_at - _FRESH:
        return event
    if text(lead.get("status_id")) != event.stage.after:
        return event
    return replace(event, occurred_at=changed, fact=restated(event, "changed", time), window=None)


def _found(response: HttpResponse, entity: Entity) -> Mapping[str, Any]:
    """The record of an answer; 204 and nothing in it is how amoCRM says that there is none."""
    if response.status == 204:
        raise gone(entity.ref, "amoCRM")
    record = answer(response)
    if text(record.get("id")) is None or response.status >= 300:
        raise LookupFailed(f"amoCRM answered {response.status} without {entity.ref}: is api_base the account's address?")
    if record.get("is_deleted") is True:
        raise gone(entity.ref, "amoCRM")
    return record


def _spelled(record: Mapping[str, Any]) -> dict[str, Any]:
    """With its own numbers as text, as webhooks write them."""
    return {name: text(value) if isinstance(value, int) and not isinstance(value, bool) else value for name, value in record.items()}


def _contact_ids(lead: Mapping[str, Any]) -> Sequence[str]:
    """The main contact first."""
    people = rows(mapping(lead.get("_embedded")).get("contacts"))
    return _ids(sorted(people, key=lambda row: row.get("is_main") is not True))


def _listed(value: object) -> Sequence[Any]:
    """A list; what a form makes of one whose places have gaps; or one thing that stands alone."""
    if isinstance(value, Mapping) and value and all(name.isdecimal() for name in value):
        return list(value.values())
    if isinstance(value, list):
        return value
    return [value] if value else []


def _ids(value: object) -> Sequence[str]:
    """Of ``[15]``, ``[{id: 15}]`` and ``15``."""
    told = [text(row.get("id")) if isinstance(row, Mapping) else text(row) for row in _listed(value)]
    return unique([one for one in told if one])


def _values(person: Mapping[str, Any], code: str) -> Sequence[Mapping[str, Any]]:
    """The values of a field, in webhooks and in the API: objects, or bare texts."""
    told = _listed(person.get("custom_fields") or person.get("custom_fields_values"))
    fields = [field for field in map(mapping, told) if field.get("code", field.get("field_code")) == code]
    return [value if isinstance(value, Mapping) else {"value": value} for field in fields for value in _listed(field.get("values"))]


def _label(value: Mapping[str, Any]) -> str | None:
    return first((value.get("enum_code"), value.get("enum")))


def _time(told: Mapping[str, Any], *names: str) -> str | None:
    """The first of these that is a time: amoCRM writes seconds."""
    return next((time for name in names if (time := text(told.get(name))) and moment(time)), None)
