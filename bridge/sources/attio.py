"""Attio: webhooks (a signed JSON object with an array of events) for people, deals, any other object, and the entries of lists.

Facts after https://docs.attio.com/rest-api/guides/webhooks, .../rest-api/webhook-reference and .../rest-api/guides/rate-limiting.

A webhook names the object or list by an id that every workspace has its own of, and says of a change which attribute it was, no more: no
value, no time. ``records`` on the source says what the records of an object, or the entries of a list, are here; all others are
``unknown``. The rest is looked up: a changed attribute that is a status makes the event a ``….stage_changed``, to the id of the status.

Event id: the header ``Idempotency-Key``, one for each message and the same in every retry, and the event's place in the array. Where a
proxy dropped the header, a digest of the event stands in; of an update, of which the next one may say exactly the same, for five minutes.

Fact: workspace, object or list, record, and what happened: ``created``, ``deleted`` and ``merged`` happen once. An update is one by its event
id until it is looked up; then by the attribute (or ``stage→<status id>``) and the ``active_from`` of its value, so that two webhooks, or a
captured request that is sent again under another ``Idempotency-Key``, which nothing signs, tell no second fact.

A merge makes a new record of two; it is told once for each of them, and is one fact about the new record.

``fields`` is what the webhook says (``object_id``, ``attribute_id``, ``actor`` …) and, once looked up, the record's attributes by slug: their value,
without what Attio writes around it, as a list where the type of attribute may hold several. A status or an option is an object with a ``title``.
"""

import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote

from pydantic import Field, field_validator

from bridge import keys
from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, HttpRequest, HttpResponse, Rate, Stage, Unparsed, iso, unique
from bridge.signing import any_equal, hmac_sha256
from bridge.sources.base import ApiBase, Lookup, Manual, Signed, Source, SourceSettings
from bridge.sources.bodies import read_json
from bridge.sources.values import answer, fingerprint, first, gone, mapping, moment, refs, rows, text, with_people

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIED = ("parent", "duplicate")
_NAMES = {"record": ("workspace_id", "object_id", "record_id"), "list-entry": ("workspace_id", "list_id", "entry_id")}
_TOLD = {*_NAMES["record"], *_NAMES["list-entry"], "attribute_id", "actor", *(f"{role}_{what}_id" for role in _TIED for what in ("object", "record"))}
_MAY_BE = {"record": ("contact", "deal", "lead"), "list-entry": ("deal", "lead")}
_STAGED = ("deal", "lead")
_ACTIONS = {"created": "created", "updated": "updated", "deleted": "deleted", "merged": "updated"}
_ONCE = ("created", "deleted", "merged")
_UNKEYED = timedelta(minutes=5)
_MOST_PEOPLE = 10
_VALUES = {
    **dict.fromkeys(("text", "number", "checkbox", "date", "timestamp", "rating"), ("value",)),
    "personal-name": ("full_name",),
    "email-address": ("email_address",),
    "phone-number": ("normalized_phone_number", "original_phone_number"),
    "domain": ("domain",),
    "currency": ("currency_value",),
    "status": ("status",),
    "select": ("option",),
    "record-reference": ("target_record_id",),
    "actor-reference": ("referenced_actor_id",),
}
_SEVERAL = frozenset({"email-address", "domain", "phone-number", "record-reference", "actor-reference", "select"})


class AttioSettings(SourceSettings):
    """``secret`` is the webhook's; ``api_token`` an access token. ``records``: the id of an object or a list, and what its records are."""

    records: dict[str, Literal["contact", "deal", "lead"]] = Field(default_factory=dict)
    people_in: tuple[str, ...] = ("associated_people",)
    api_base: ApiBase = "https://api.attio.com"

    @field_validator("records")
    @classmethod
    def _are_ids(cls, value: dict[str, str]) -> dict[str, str]:
        for key in value:
            if not _UUID.fullmatch(key.lower()):
                raise ValueError(
                    f"'{key}' is no id such as 97052eb9-e65e-443f-a297-f2d9a4a7f795: webhooks do not tell the slug of an object or a list"
                )
        return {key.lower(): kind for key, kind in value.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notice:
    """One event of a message. ``tied`` are the record that a list's entry is of, and the one that a merge ended; ``told`` is all it says."""

    what: str
    action: str
    kind: str | None
    entity: Entity | None
    tied: Sequence[Entity]
    told: Mapping[str, Any]

    @property
    def type(self) -> str:
        return f"{self.kind}.{_ACTIONS[self.action]}" if self.kind and self.entity and self.action in _ACTIONS else "unknown"

    @property
    def once(self) -> bool:
        return self.what in _NAMES and self.action in _ONCE

    @property
    def person(self) -> Contact | None:
        """The contact it is about, or that the entry is of."""
        person = next((each for each in (self.entity, *self.tied) if each and each.type == "contact"), None)
        return Contact(id=person.id) if person else None


class Attio(Source):
    """One webhook of one Attio workspace."""

    kind = "attio"
    title = "Attio"
    manual = Manual(
        where="Workspace settings → Developers → an integration's webhooks",
        proof="HMAC-SHA256 of the body",
        secret="the webhook's secret",  # noqa: S106 -- words about it
        api_token="the integration's access token: no webhook carries a number",  # noqa: S106 -- the same
    )
    settings_type = AttioSettings
    lookup_rate = Rate(count=20, seconds=1)  # a fifth of what Attio allows for reading
    lookup_pause = 1

    settings: AttioSettings

    def verify(self, delivery: Delivery, now: datetime) -> None:
        """No time is signed, so a captured request stays good for ever: that it says nothing new is seen by the keys."""
        del now
        given = (delivery.headers.get("attio-signature") or delivery.headers.get("x-attio-signature") or "").strip().lower()
        if not given:
            raise Unverified(Refusal.MISSING, "no Attio-Signature header")
        if not any_equal([hmac_sha256(secret.encode(), delivery.body).hex() for secret in self.require_secret()], given):
            raise Unverified(Refusal.WRONG_SIGNATURE, "Attio-Signature does not match")

    def parse(self, delivery: Delivery) -> Sequence[Event | Unparsed]:
        body = mapping(read_json(delivery.body))
        events = body.get("events", [body] if "event_type" in body else None)  # one by itself is how a queue may hand it on
        if not isinstance(events, list):
            raise Unreadable("Attio sends a JSON object with an array of events", "events")
        return [self._event(element, place, delivery) for place, element in enumerate(events)]

    def sign(self, body: bytes, url: str, now: datetime) -> Signed:
        del now
        signature = hmac_sha256(self.require_secret()[0].encode(), body).hex()
        return Signed(body, url, {"Content-Type": "application/json", "Attio-Signature": signature})

    def could_become(self, event: Event) -> Sequence[str]:
        """A deal or lead of which an attribute changed, until it is known which one that is."""
        kind, _, what = event.type.partition(".")
        unsettled = what == "updated" and "attribute_id" in event.fields and event.occurred_at is None
        return [f"{kind}.stage_changed"] if kind in _STAGED and unsettled else []

    def can_look_up(self, event: Event) -> bool:
        return event.type != "unknown" and bool(self.api_token) and not event.type.endswith(".deleted")

    def look_up(self, event: Event, wanted: Iterable[str]) -> Lookup:
        """The record, or the list's entry and what it is an entry of; then its people, until one has a number. All fields come along."""
        del wanted
        if event.entity is None or event.type == "unknown":
            return event
        entity = event.entity
        record = _found((yield self._get(*_place(event.fields))), entity.ref)
        event = replace(event, fields={**_plain(_values(record)), **{name: told for name, told in event.fields.items() if name in _TOLD}})
        if event.occurred_at is None:
            event = yield from self._timed(event, entity, record)
        if entity.type == "contact":
            return with_people(event, [self._person(_values(record), entity.id)])
        return with_people(event, (yield from self._people_of(event, record)))

    def stage_now(self, before: Event, fresh: Event) -> str | None:
        """The status of the attribute that the event was about."""
        attribute = before.fields.get("attribute_id")
        statuses = (status for status in map(_status, fresh.fields.values()) if status.get("attribute_id") == attribute)
        return next((text(status.get("status_id")) for status in statuses), None)

    def probe(self) -> HttpRequest | None:
        return self._get("objects") if self.api_token else None

    def _event(self, element: Any, place: int, delivery: Delivery) -> Event | Unparsed:
        key = delivery.headers.get("idempotency-key", "").strip()
        event_id = keys.join(key, place) if key else fingerprint(element)
        notice = self._notice(mapping(element))
        if notice is None:
            return Unparsed(event_id, "an event without event_type")
        happening = (notice.action,) if notice.once else (notice.what, notice.action, event_id)
        return Event(
            source=self.name,
            kind=self.kind,
            id=event_id,
            type=notice.type,
            fact=self._fact(notice.told, *happening),
            received_at=delivery.received_at,
            entity=notice.entity,
            refs=refs(notice.entity, *notice.tied),
            contact=notice.person,
            fields=notice.told,
            window=None if key or notice.once else _UNKEYED,
        )

    def _notice(self, element: Mapping[str, Any]) -> _Notice | None:
        what, dot, action = (text(element.get("event_type")) or "").rpartition(".")
        if not dot:
            return None
        told = {**mapping(element.get("id")), **{name: value for name, value in element.items() if name not in {"id", "event_type"}}}
        _, holder, own = _NAMES.get(what, ("", "", f"{what.replace('-', '_')}_id"))
        kind, record_id = self._kind_of(told.get(holder)), text(told.get(own))
        kind = kind if kind in _MAY_BE.get(what, ()) else None
        tied = [(self._kind_of(told.get(f"{role}_object_id")), text(told.get(f"{role}_record_id"))) for role in _TIED]
        return _Notice(
            what=what,
            action=action,
            kind=kind,
            entity=Entity(kind or what, record_id) if record_id else None,
            tied=[Entity(other, other_id) for other, other_id in tied if other and other_id],
            told=told,
        )

    def _kind_of(self, holder: object) -> str | None:
        return self.settings.records.get((text(holder) or "").lower())

    def _fact(self, told: Mapping[str, Any], *happening: str) -> str:
        """Of records that no configuration has changed the meaning of: by the ids of Attio, whatever they are called here."""
        names = _NAMES["list-entry" if "entry_id" in told else "record"]
        return keys.join(self.kind, *(text(told.get(name)) for name in names), *happening)

    def _timed(self, event: Event, entity: Entity, record: Mapping[str, Any]) -> Generator[HttpRequest, HttpResponse, Event]:
        """When it happened: as the record says of its creation, or the value of the attribute that changed, which may be a status."""
        attribute = text(event.fields.get("attribute_id"))
        if attribute is None:
            return replace(event, occurred_at=moment(record.get("created_at")) if event.type.endswith(".created") else None)
        held = [row for told in _values(record).values() for row in rows(told) if _status(row.get("status")).get("attribute_id") == attribute]
        held = held or rows(answer((yield self._get(*_place(event.fields), "attributes", attribute, "values"))).get("data"))
        times = [at for row in held if (at := moment(row.get("active_from")))]
        if not times:  # it was emptied, or is gone
            return event
        status = text(_status(held[0].get("status")).get("status_id")) if entity.type in _STAGED else None
        fact = self._fact(event.fields, *((f"stage→{status}",) if status else ("updated", attribute)), iso(max(times)))
        event = replace(event, fact=fact, occurred_at=max(times), window=None)
        return replace(event, type=f"{entity.type}.stage_changed", stage=Stage(after=status)) if status else event

    def _people_of(self, event: Event, record: Mapping[str, Any]) -> Generator[HttpRequest, HttpResponse, list[Contact]]:
        """The person in the record itself, where it has a number; else those it refers to, who was told first, until one has a number."""
        values = _values(record)
        people = [person for person in [self._person(values)] if person.phone]
        ids = [] if people else (yield from self._ids_of_people(record, values))
        told = event.contact.id if event.contact else None
        for person_id in sorted(unique(ids), key=lambda one: one != told)[:_MOST_PEOPLE]:
            known = any(person.phone for person in people)
            person = None if known else _record((yield self._get("objects", "people", "records", person_id)))
            people.append(self._person(_values(person or {}), person_id))
        return people

    def _ids_of_people(self, record: Mapping[str, Any], values: Mapping[str, Any]) -> Generator[HttpRequest, HttpResponse, list[str]]:
        """Of an entry, the person that it is an entry of, or the people of the record that it is an entry of."""
        parent, parent_id = text(record.get("parent_object")), text(record.get("parent_record_id"))
        if parent == "people" and parent_id:
            return [parent_id]
        if parent and parent_id:
            values = _values(_found((yield self._get("objects", parent, "records", parent_id)), f"{parent}:{parent_id}"))
        return [found for slug in self.settings.people_in for row in rows(values.get(slug)) if (found := text(row.get("target_record_id")))]

    def _person(self, values: Mapping[str, Any], contact_id: str | None = None) -> Contact:
        name, email = first(map(_value, rows(values.get("name")))), first(_of_type(values, "email-address"))
        return self.contact(*_of_type(values, "phone-number"), id=contact_id, name=name, email=email)

    def _get(self, *path: str) -> HttpRequest:
        url = "/".join([self.settings.api_base, "v2", *(quote(part, safe="") for part in path)])
        return HttpRequest("GET", url, {"Authorization": f"Bearer {self.api_token}", "Accept": "application/json"})


def _place(told: Mapping[str, Any]) -> Sequence[str]:
    """Where the record is in the API."""
    if "entry_id" in told:
        return "lists", str(told.get("list_id")), "entries", str(told["entry_id"])
    return "objects", str(told.get("object_id")), "records", str(told.get("record_id"))


def _record(response: HttpResponse) -> Mapping[str, Any] | None:
    """The record of an answer; None where Attio itself says that there is none: a wrong ``api_base`` answers 404 as well."""
    told = answer(response)
    if response.status == 404 and told.get("status_code") == 404:
        return None
    if not isinstance(told.get("data"), Mapping):
        raise LookupFailed("Attio's answer holds no record")
    return mapping(told["data"])


def _found(response: HttpResponse, ref: str) -> Mapping[str, Any]:
    record = _record(response)
    if record is None:
        raise gone(ref, "Attio")
    return record


def _values(record: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(record.get("values", record.get("entry_values")))


def _status(value: object) -> Mapping[str, Any]:
    """The ids of a status: its own, and those of its attribute and its object or list."""
    return mapping(mapping(value).get("id"))


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes by slug, without what Attio writes around each value."""
    found = {slug: rows(told) for slug, told in values.items()}
    several = {slug for slug, held in found.items() if any(row.get("attribute_type") in _SEVERAL for row in held)}
    return {slug: [*map(_value, held)] if slug in several else next(map(_value, held), None) for slug, held in found.items()}


def _value(row: Mapping[str, Any]) -> Any:
    """What an attribute of this type holds; of a type that nobody knows, the whole of it."""
    names = _VALUES.get(str(row.get("attribute_type")))
    return next((row[name] for name in names if row.get(name) is not None), None) if names else row


def _of_type(values: Mapping[str, Any], attribute_type: str) -> list[Any]:
    return [_value(row) for told in values.values() for row in rows(told) if row.get("attribute_type") == attribute_type]
