"""Copper: webhooks for leads, people and opportunities; up to thirty records of one type in a request, which had the same happen to them.

Facts after https://developer.copper.com/webhooks/, .../introduction/requests.html and .../opportunities/list-pipeline-stages.html.
https://developer.copper.co is another company's.

Nothing is signed, and a body does not name its account. The secret stands in a header of the subscription, or among its ``secret`` pairs: these come
back as fields of the body beside the others, and are cut out of what is kept.

Event id: subscription, event, record, and of an update a digest of ``updated_attributes``. Copper gives neither an id nor a time: an update is
therefore the same event, and the same fact, only for as long as a notification may be late (15 minutes), and some.

Fact: source, record, and what happened: ``created``, ``deleted`` (each once in a record's life), ``stage→<name>``, or ``updated`` with what changed.
Two subscriptions tell one fact.

``updated_attributes`` gives each old and new value; ``fields`` has the new ones, ``fields.previous`` the old ones. Copper documents no more than
its shape. As receivers of it show that are public, a deal's stage is told by its name as ``stage``, and its end as ``status`` (``Won``,
``Lost``, ``Abandoned``), which counts before a stage that changed with it. A lead's stage is its ``status``.

A ``timestamp``, which is not documented either, is taken for the time where it is sent, and is in no key.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from urllib.parse import quote

from pydantic import model_validator

from bridge import keys
from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, HttpRequest, HttpResponse, Rate, Stage, Unparsed, present
from bridge.signing import any_equal
from bridge.sources.base import ApiBase, Lookup, Manual, Signed, Source, SourceSettings
from bridge.sources.bodies import read_json
from bridge.sources.values import answer, document, fingerprint, first, gone, mapping, moment, refs, rows, text, with_people

_ENTITIES = {"lead": "lead", "person": "contact", "opportunity": "deal"}
_PATHS = {"lead": "leads", "contact": "people", "deal": "opportunities"}
_ACTIONS = {"new": "created", "update": "updated", "delete": "deleted"}
_STAGES = {"lead": ("status", "status_id"), "deal": ("status", "stage", "pipeline_stage_id")}
_OPEN, _CLOSED = "Open", frozenset({"Won", "Lost", "Abandoned"})
_KNOWN = frozenset({"ids", "type", "event", "subscription_id", "updated_attributes", "timestamp"})
_RANKS = {"mobile": 0, "work": 1, "home": 2}
_LATEST = timedelta(minutes=20)


class CopperSettings(SourceSettings):
    """``secret`` stands in the subscription's header, or in its pair named ``secret_field``; ``api_token`` is an API key of ``user_email``."""

    secret_field: str = "secret"  # noqa: S105 -- the name of a field
    user_email: str | None = None
    api_base: ApiBase = "https://api.copper.com"

    @model_validator(mode="after")
    def _key_and_owner(self) -> Self:
        if self.api_token and not self.user_email:
            raise ValueError("Copper takes an API key only together with user_email, the e-mail address of its owner")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notice:
    """What a notification says of one of its records."""

    type: str | None
    action: str | None
    subscription: str | None
    entity: Entity
    changed: Mapping[str, Any]

    @property
    def new(self) -> Mapping[str, Any]:
        return {name: _pair(values)[1] for name, values in self.changed.items()}

    @property
    def old(self) -> Mapping[str, Any]:
        return {name: _pair(values)[0] for name, values in self.changed.items()}

    @property
    def stage(self) -> Stage | None:
        """The move of an update. A deal that is opened again may be told where: that says more than that it is open."""
        told = _STAGES.get(self.entity.type, ()) if self.action == "updated" else ()
        moves = [Stage(after=text(self.new.get(name)), before=text(self.old.get(name))) for name in told]
        moves = [move for move in moves if move.after and move.after != move.before]
        return min(moves, key=lambda move: self.entity.type == "deal" and move.after == _OPEN, default=None)

    @property
    def event_type(self) -> str:
        if self.entity.type not in _PATHS or self.action is None:
            return "unknown"
        return f"{self.entity.type}.{'stage_changed' if self.stage else self.action}"

    @property
    def is_once(self) -> bool:
        """Whether it can happen once only in a record's life."""
        return self.action in {"created", "deleted"}

    @property
    def happening(self) -> Sequence[str | None]:
        if self.stage:
            return (f"stage→{self.stage.after}",)
        return (self.action,) if self.is_once else (self.action, fingerprint(self.changed))


class Copper(Source):
    """One Copper account."""

    kind = "copper"
    title = "Copper"
    sends_again = False
    manual = Manual(
        where="a subscription made with `POST /developer_api/v1/webhooks`",
        proof="a secret in a header of the subscription, or in the body",
        secret="the value of the header `X-Webhook-Secret`, or of the pair `secret`",  # noqa: S106 -- words about it
        api_token="an API key, with the e-mail address of its owner",  # noqa: S106 -- the same
    )
    settings_type = CopperSettings
    wants_200 = True  # which answers it takes for a success is not documented
    looked_up = frozenset(_PATHS)
    lookup_rate = Rate(count=180, seconds=60)  # over the last minute
    lookup_pause = 20

    settings: CopperSettings

    def verify(self, delivery: Delivery, now: datetime) -> None:
        """By a header or the URL, and where there is nothing in either by the pair in the body."""
        del now
        try:
            self.verify_shared_secret(delivery)
        except Unverified as refused:
            given = _fields(delivery.body).get(self.settings.secret_field)
            if refused.refusal is not Refusal.MISSING or not isinstance(given, str) or not given:
                raise
            if not any_equal(self.require_secret(), given):
                raise Unverified(Refusal.WRONG_SECRET, f"`{self.settings.secret_field}` in the body is not the configured secret") from refused

    def parse(self, delivery: Delivery) -> Sequence[Event | Unparsed]:
        """Each record stands alone."""
        told = read_json(delivery.body)
        ids = told.get("ids") if isinstance(told, Mapping) else None
        if not isinstance(ids, list) or not ids:
            raise Unreadable("Copper sends a JSON object with ids", "ids")
        return [self._read(told, record_id, delivery) for record_id in ids]

    def sign(self, body: bytes, url: str, now: datetime) -> Signed:
        del now
        return Signed(body, url, {"Content-Type": "application/json", "X-Webhook-Secret": self.require_secret()[0]})

    def secrets_in(self, delivery: Delivery) -> Iterable[str]:
        """The subscription's pairs."""
        told = _fields(delivery.body)
        pairs = [value for name, value in told.items() if name not in _KNOWN and isinstance(value, str)]
        return [value for value in pairs if value != told.get("type")]

    def look_up(self, event: Event, wanted: Iterable[str]) -> Lookup:
        """The record; a deal's stage by its name, where that was told, and its primary contact. Whatever fields are ``wanted``."""
        del wanted
        entity = event.entity
        if entity is None or entity.type not in _PATHS:
            return event
        record = _found((yield self._get(f"{_PATHS[entity.type]}/{quote(entity.id, safe='')}")), entity)
        fields, person, person_id = dict(record), record, entity.id if entity.type == "contact" else None
        if entity.type == "deal":
            if event.stage:
                fields |= present({"stage": _stage_name((yield self._get("pipeline_stages")), record)})
            person_id = text(record.get("primary_contact_id"))
            if person_id is None:
                return with_people(event.knowing(fields=fields), [])
            person = _found((yield self._get(f"people/{quote(person_id, safe='')}")), Entity("contact", person_id))
        return with_people(event.knowing(fields=fields), [self._person(person, person_id)])

    def stage_now(self, before: Event, fresh: Event) -> str | None:
        """In the words in which the event told it: a deal's status, its stage, or the stage's id."""
        told, status = before.stage.after if before.stage else None, text(fresh.fields.get("status"))
        if fresh.entity is None or fresh.entity.type != "deal":
            return text(fresh.fields.get("status_id")) if told and told == text(fresh.fields.get("status_id")) else status
        if status in _CLOSED or told == _OPEN:
            return status
        stage_id = text(fresh.fields.get("pipeline_stage_id"))
        return stage_id if told == stage_id else text(fresh.fields.get("stage"))

    def probe(self) -> HttpRequest | None:
        return self._get("account") if self.api_token else None

    def _read(self, told: Mapping[str, Any], record_id: Any, delivery: Delivery) -> Event | Unparsed:
        kind, event, subscription = (text(told.get(name)) for name in ("type", "event", "subscription_id"))
        written = text(record_id)
        if written is None:
            return Unparsed(fingerprint([subscription, kind, event, record_id]), "an id that is none")
        notice = _Notice(
            type=kind,
            action=_ACTIONS.get(event or ""),
            subscription=subscription,
            entity=Entity(_ENTITIES.get(kind or "", kind or "record"), written),
            changed=mapping(told.get("updated_attributes")),
        )
        contact = self._contact_of(notice)
        return Event(
            source=self.name,
            kind=self.kind,
            id=keys.join(subscription, kind, event, written, *([] if notice.is_once else [fingerprint(notice.changed)])),
            type=notice.event_type,
            fact=keys.join(self.kind, self.name, kind, written, *notice.happening),
            received_at=delivery.received_at,
            occurred_at=moment(told.get("timestamp")),
            entity=notice.entity,
            refs=refs(notice.entity, contact),
            stage=notice.stage,
            contact=contact,
            fields={**notice.new, **({"previous": notice.old} if notice.changed else {})},
            window=None if notice.is_once else _LATEST,
        )

    def _contact_of(self, notice: _Notice) -> Contact | None:
        """What an update says of the person: their new numbers, or who a deal's contact is now."""
        if notice.entity.type == "deal":
            person_id = text(notice.new.get("primary_contact_id"))
            return Contact(id=person_id) if person_id else None
        if notice.entity.type not in _PATHS:
            return None
        contact = self._person(notice.new, notice.entity.id if notice.entity.type == "contact" else None)
        return contact if contact.document() else None

    def _person(self, record: Mapping[str, Any], person_id: str | None) -> Contact:
        """Mobile first. A lead has one ``email``, a person ``emails``."""
        numbers = sorted(rows(record.get("phone_numbers")), key=lambda row: _RANKS.get(str(row.get("category")), 3))
        email = first(row.get("email") for row in (mapping(record.get("email")), *rows(record.get("emails"))))
        return self.contact(*(row.get("number") for row in numbers), id=person_id, name=text(record.get("name")), email=email)

    def _get(self, what: str) -> HttpRequest:
        owner = {"X-PW-AccessToken": self.api_token, "X-PW-Application": "developer_api", "X-PW-UserEmail": self.settings.user_email or ""}
        return HttpRequest("GET", f"{self.settings.api_base}/developer_api/v1/{what}", {**owner, "Content-Type": "application/json"})


def _fields(body: bytes) -> Mapping[str, Any]:
    try:
        return mapping(read_json(body))
    except Unreadable:
        return {}


def _pair(values: Any) -> Sequence[Any]:
    """``[old, new]``; a value that stands alone is the new one."""
    return values if isinstance(values, list) and len(values) == 2 else (None, values)


def _found(response: HttpResponse, entity: Entity) -> Mapping[str, Any]:
    """The record. Only Copper's own 404 means that it is gone: a wrong ``api_base`` answers 404 as well."""
    record = answer(response)
    if record.get("success") is False and record.get("status") == 404:
        raise gone(entity.ref, "Copper")
    if response.status != 200 or text(record.get("id")) is None:
        raise LookupFailed(f"Copper answered {response.status} for {entity.ref}, and no record")
    return record


def _stage_name(response: HttpResponse, deal: Mapping[str, Any]) -> str | None:
    stage_id = text(deal.get("pipeline_stage_id"))
    return next((text(stage.get("name")) for stage in rows(document(response)) if text(stage.get("id")) == stage_id), None)
