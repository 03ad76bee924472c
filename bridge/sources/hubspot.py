"""HubSpot: app webhooks (a JSON array of up to 100 events) for contacts, deals and leads.

Facts after https://developers.hubspot.com/docs/api/webhooks and .../webhooks/validating-requests.

Event id: portal, type, object, property, a digest of the value, and ``occurredAt``. ``eventId`` stays out: HubSpot does not
promise that it is unique, nor that a retry keeps it; ``attemptNumber`` grows with every retry; ``subscriptionId``
and ``appId`` differ when one subscription is made twice. What is left can only merge two notices that the same
property of the same object took the same value in the same millisecond, and those want one call. HubSpot always tells ``occurredAt``;
an event without it is the same for the day that HubSpot goes on trying, and an hour.

Fact: the record, what happened to it (a stage is ``stage→<id>``), and ``occurredAt``, whichever subscription type (classic
``deal.propertyChange`` or ``object.propertyChange`` of ``0-3``) told it. A creation has no time, being told once in a record's life.
An association is told from both its ends and is one fact.

A merge is about the record that lives on, which may be a new one, and which absorbs the others. A privacy deletion asks to be forgotten.
A restore is an ``….updated``: as a second ``….created`` it would have a person called as new again. A property whose value HubSpot
keeps back (``REDACTED``) is absent.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import available_timezones

from bridge import keys
from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, HttpRequest, HttpResponse, Rate, Stage, Unparsed, from_ms, present, to_ms, unique
from bridge.signing import any_equal, check_age, hmac_sha256, is_time
from bridge.sources.base import ApiBase, Lookup, Manual, Signed, Source, SourceSettings
from bridge.sources.bodies import read_json
from bridge.sources.values import answer, answer_about, fingerprint, first, gone, joined, listed, mapping, moment, refs, rows, text, with_people

# HubSpot signs the URL with these escapes undone, and no others (validating-requests, "v3").
_UNESCAPED = re.compile("%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)

_OBJECT_TYPES = {"0-1": "contact", "0-3": "deal", "0-136": "lead"}
_PATHS = {"contact": "contacts", "deal": "deals", "lead": "leads"}
_STAGES = {"deal": "dealstage", "lead": "hs_pipeline_stage"}
_PIPELINES = {"deal": "pipeline", "lead": "hs_pipeline"}
_ACTIONS = {
    "creation": "created",
    "deletion": "deleted",
    "privacyDeletion": "deleted",
    "propertyChange": "updated",
    "restore": "updated",
    "merge": "updated",
    "associationChange": "updated",
}
_PHONES = ("phone", "mobilephone")
_PERSON = ("firstname", "lastname", "email", *_PHONES, "hs_timezone")
_SUBJECTS = ("newObjectId", "primaryObjectId", "objectId", "fromObjectId")
_PARTICULARS = (
    "propertyValue",
    *("fromObjectId", "toObjectId", "associationType", "associationRemoved"),
    *("primaryObjectId", "mergedObjectIds", "newObjectId"),
)
_ENVELOPE = frozenset({"eventId", "attemptNumber", "subscriptionId", "appId"})
_KEPT_BACK = "REDACTED"
_RETRIES = timedelta(hours=25)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notice:
    """One element of a batch. ``name`` and ``value`` are of the property that changed; ``tied`` is an association's other end."""

    portal: str | None
    subscription: str
    action: str
    entity: Entity
    occurred_at: object
    told: Mapping[str, Any]
    name: str | None = None
    value: Any = None
    tied: Entity | None = None

    @property
    def is_stage(self) -> bool:
        return self.name is not None and self.name == _STAGES.get(self.entity.type) and text(self.value) is not None

    @property
    def type(self) -> str:
        if self.entity.type not in _PATHS or self.action not in _ACTIONS:
            return "unknown"
        return f"{self.entity.type}.{'stage_changed' if self.is_stage else _ACTIONS[self.action]}"

    @property
    def particulars(self) -> str | None:
        """What tells two notices of one object in one millisecond apart: the value, or the ends of an association or merge."""
        told = {name: self.told[name] for name in _PARTICULARS if name in self.told}
        return fingerprint(told) if told else None

    @property
    def id(self) -> str:
        object_type = text(self.told.get("objectTypeId"))
        return keys.join(self.portal, self.subscription, object_type, self.entity.id, self.name, self.particulars, self.occurred_at)

    @property
    def fact(self) -> Sequence[object]:
        """The record and what happened to it, in words that every kind of subscription shares."""
        if self.tied:
            ends = sorted([self.entity.ref, self.tied.ref])
            return (*ends, "untied" if self.untied else "tied", self.occurred_at)
        record = (self.entity.type, self.entity.id)
        if self.is_stage:
            return (*record, f"stage→{self.value}", self.occurred_at)
        happening = present({"action": self.action, "name": self.name, "particulars": self.particulars}).values()
        return (*record, *happening, None if self.action == "creation" else self.occurred_at)

    @property
    def untied(self) -> bool:
        return self.told.get("associationRemoved") in (True, "true")

    @property
    def merged(self) -> Sequence[Entity]:
        """The objects that live on in this one."""
        others = (self.told.get("primaryObjectId"), *listed(self.told.get("mergedObjectIds")))
        return [Entity(self.entity.type, other) for value in others if (other := text(value)) and other != self.entity.id]

    @property
    def entities(self) -> Sequence[Entity]:
        """The object, the objects merged into it, and the one it was just tied to."""
        tied = [self.tied] if self.tied and self.tied.type in _PATHS and not self.untied else []
        return [self.entity, *self.merged, *tied]


class HubSpotSettings(SourceSettings):
    """``secret`` is the app's client secret; ``api_token`` a private app's access token."""

    api_base: ApiBase = "https://api.hubapi.com"
    allow_v1: bool = False


class HubSpot(Source):
    """One HubSpot app. A workflow's webhook action has no event of its own to tell: send that one to a ``generic`` source."""

    kind = "hubspot"
    title = "HubSpot"
    manual = Manual(
        where="the app's webhooks",
        proof="HMAC-SHA256 of the URL, the body and a time (v3)",
        secret="the app's client secret",  # noqa: S106 -- words about it
        api_token="a private app's access token",  # noqa: S106 -- the same
    )
    settings_type = HubSpotSettings
    looked_up = frozenset(_PATHS)
    stage_fields = _STAGES
    signs_url = True
    lookup_rate = Rate(count=100, seconds=10)  # private app, Free and Starter; larger plans allow 190
    lookup_pause = 10

    settings: HubSpotSettings

    def verify(self, delivery: Delivery, now: datetime) -> None:
        """v3 where its header is there, and then v3 alone: a v3 that fails never falls back to a weaker one."""
        if "x-hubspot-signature-v3" in delivery.headers:
            self._verify_v3(delivery, now)
            return
        given = delivery.headers.get("x-hubspot-signature")
        if not given:
            raise Unverified(Refusal.MISSING, "no X-HubSpot-Signature-v3 header")
        version = delivery.headers.get("x-hubspot-signature-version", "v1").strip().lower()
        if version != "v2" and not self.settings.allow_v1:
            raise Unverified(Refusal.MISSING, "only a v1 signature came; `allow_v1: true` on the source would accept it")
        prefix = (delivery.method + delivery.url).encode() if version == "v2" else b""
        expected = [hashlib.sha256(secret.encode() + prefix + delivery.body).hexdigest() for secret in self.require_secret()]
        if not any_equal(expected, given.strip().lower()):
            raise Unverified(Refusal.WRONG_SIGNATURE, f"the {version} signature does not match")

    def parse(self, delivery: Delivery) -> Sequence[Event | Unparsed]:
        """Each element stands alone: one that cannot be read does not take the other 99 with it."""
        batch = read_json(delivery.body)
        if isinstance(batch, dict):  # a workflow's test tool, and many a proxy, unwrap a batch of one
            batch = [batch]
        if not isinstance(batch, list):
            raise Unreadable("HubSpot sends a JSON array of events")
        return [self._read(element, delivery) for element in batch]

    def sign(self, body: bytes, url: str, now: datetime) -> Signed:
        timestamp = str(to_ms(now))
        message = self._v3_message("POST", url, body, timestamp)
        signature = base64.b64encode(hmac_sha256(self.require_secret()[0].encode(), message)).decode()
        headers = {"Content-Type": "application/json", "X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": timestamp}
        return Signed(body, url, headers)

    def look_up(self, event: Event, wanted: Iterable[str]) -> Lookup:
        """Contact → its properties; deal or lead → its properties, its contacts, theirs. Scopes: crm.objects.*.read."""
        entity = event.entity
        if entity is None or entity.type not in _PATHS:
            return event
        if entity.type == "contact":
            person = _found((yield self._get(entity, (*_PERSON, *wanted))), entity)
            return with_people(event.knowing(fields=mapping(person.get("properties"))), [self._person(person)])
        properties = (_STAGES[entity.type], _PIPELINES[entity.type], *wanted)
        record = _found((yield self._get(entity, properties, "&associations=contacts")), entity)
        event = event.knowing(fields=mapping(record.get("properties")))
        ids = unique([found for row in _results(mapping(record.get("associations")).get("contacts")) if (found := text(row.get("id")))])
        if not ids:  # the association is an event of its own, and may come after the deal
            return with_people(event, [])
        people = {found: self._person(row) for row in _results(answer((yield self._batch_read(ids)))) if (found := text(row.get("id")))}
        return with_people(event, [people[one] for one in ids if one in people])

    def probe(self) -> HttpRequest | None:
        return HttpRequest("GET", f"{self.settings.api_base}/crm/v3/objects/contacts?limit=1", self._headers()) if self.api_token else None

    def judge(self, response: HttpResponse) -> None:
        """A 429 names its limit: the one of ten seconds passes by itself, the daily one not before tomorrow. 423 is a lock of two seconds."""
        if response.status == 429 and "DAILY" in response.body:
            raise LookupFailed("HubSpot's daily request limit is used up", retry_after=3600)
        if response.status == 423:
            raise LookupFailed("HubSpot has locked the record for a moment", retry_after=2)
        super().judge(response)

    def _verify_v3(self, delivery: Delivery, now: datetime) -> None:
        timestamp = delivery.headers.get("x-hubspot-request-timestamp", "").strip()
        if not is_time(timestamp, 14):
            raise Unverified(Refusal.MISSING, "no X-HubSpot-Request-Timestamp header in milliseconds")
        message = self._v3_message(delivery.method, delivery.url, delivery.body, timestamp)
        expected = [base64.b64encode(hmac_sha256(secret.encode(), message)) for secret in self.require_secret()]
        if not any_equal(expected, delivery.headers["x-hubspot-signature-v3"].strip()):
            raise Unverified(Refusal.WRONG_SIGNATURE, f"the v3 signature does not match (signed URL taken to be {delivery.url})")
        check_age(from_ms(int(timestamp)), now)

    @staticmethod
    def _v3_message(method: str, url: str, body: bytes, timestamp: str) -> bytes:
        decoded = _UNESCAPED.sub(lambda match: chr(int(match[1], 16)), url)
        return method.encode() + decoded.encode() + body + timestamp.encode()

    def _read(self, element: Any, delivery: Delivery) -> Event | Unparsed:
        notice = _notice(mapping(element))
        if notice is None:
            known = {name: element[name] for name in element if name not in _ENVELOPE} if isinstance(element, Mapping) else element
            return Unparsed(fingerprint(known), "an element without subscriptionType or without the id of an object")
        contact = self._contact_of(notice)
        return Event(
            source=self.name,
            kind=self.kind,
            id=notice.id,
            type=notice.type,
            fact=keys.join(self.kind, notice.portal, *notice.fact),
            received_at=delivery.received_at,
            occurred_at=moment(notice.occurred_at),
            entity=notice.entity,
            refs=refs(*notice.entities, contact),
            stage=Stage(after=text(notice.value)) if notice.is_stage else None,
            contact=contact,
            fields={notice.name: notice.value} if notice.name and notice.value != _KEPT_BACK else {},
            absorbed=tuple(entity.ref for entity in notice.merged),
            window=None if moment(notice.occurred_at) or notice.action == "creation" else _RETRIES,
            forget=notice.action == "privacyDeletion",
        )

    def _contact_of(self, notice: _Notice) -> Contact | None:
        """The contact it is about, or that it ties to its record; a changed phone comes in the body."""
        person = next((entity for entity in notice.entities if entity.type == "contact"), None)
        if person is None:
            return None
        told = [notice.value] if notice.name in _PHONES and notice.value != _KEPT_BACK else []
        return self.contact(*told, id=person.id)

    def _get(self, entity: Entity, properties: Iterable[str], more: str = "") -> HttpRequest:
        query = urlencode({"properties": ",".join(dict.fromkeys(properties))}, safe=",")
        url = f"{self.settings.api_base}/crm/v3/objects/{_PATHS[entity.type]}/{quote(entity.id, safe='')}?{query}{more}"
        return HttpRequest("GET", url, self._headers())

    def _batch_read(self, contact_ids: Sequence[str]) -> HttpRequest:
        """HubSpot takes a hundred at once; the first of them with a number is called, so that more would change nothing."""
        body = {"properties": _PERSON, "inputs": [{"id": contact_id} for contact_id in contact_ids[:100]]}
        return HttpRequest("POST", f"{self.settings.api_base}/crm/v3/objects/contacts/batch/read", self._headers(), json.dumps(body))

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_token}", "Content-Type": "application/json"}

    def _person(self, person: Mapping[str, Any]) -> Contact:
        properties = mapping(person.get("properties"))
        return self.contact(
            *(properties.get(phone) for phone in _PHONES),
            id=text(person.get("id")),
            name=joined(properties.get("firstname"), properties.get("lastname")),
            email=text(properties.get("email")),
            time_zone=_time_zone(text(properties.get("hs_timezone"))),
        )


def _notice(told: Mapping[str, Any]) -> _Notice | None:
    subscription = text(told.get("subscriptionType") or told.get("eventType"))
    object_id = first(told.get(name) for name in _SUBJECTS)
    if not subscription or not object_id:
        return None
    prefix, _, action = subscription.partition(".")
    from_type, to_type = _ends(told)
    type_id = text(told.get("objectTypeId"))
    object_type = prefix if prefix != "object" else _OBJECT_TYPES.get(type_id or "", type_id) or from_type or prefix
    tied_id = text(told.get("toObjectId"))
    return _Notice(
        portal=text(told.get("portalId")),
        subscription=subscription,
        action=action,
        entity=Entity(object_type, object_id),
        occurred_at=told.get("occurredAt"),
        told=told,
        name=text(told.get("propertyName")),
        value=told.get("propertyValue"),
        tied=Entity(to_type or "object", tied_id) if tied_id else None,
    )


def _ends(told: Mapping[str, Any]) -> tuple[str, str]:
    """What an association ties to what: by object type id where that is told, else by ``DEAL_TO_CONTACT`` and its variants."""
    words = [end.split("_")[0] for end in (text(told.get("associationType")) or "").lower().split("_to_")]
    named = (words[0], words[-1])
    from_type, to_type = (_OBJECT_TYPES.get(text(told.get(name)) or "") for name in ("fromObjectTypeId", "toObjectTypeId"))
    return from_type or named[0], to_type or named[1]


@cache
def _zones() -> Mapping[str, str]:
    return {zone.lower(): zone for zone in available_timezones()}


def _time_zone(written: str | None) -> str | None:
    """HubSpot writes ``us_slash_eastern`` for US/Eastern. None for what is no zone: then the number's own zone counts."""
    return _zones().get((written or "").replace("_slash_", "/").lower())


def _found(response: HttpResponse, entity: Entity) -> Mapping[str, Any]:
    record = answer_about(response, entity.ref, "HubSpot")
    if record.get("archived") is True:
        raise gone(entity.ref, "HubSpot")
    return record


def _results(collection: object) -> list[Mapping[str, Any]]:
    """What an answer or an association has found."""
    return rows(mapping(collection).get("results"))
