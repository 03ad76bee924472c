"""HubSpot: app webhooks (a JSON array of up to 100 events) for contacts and deals.

Facts after https://developers.hubspot.com/docs/api/webhooks and .../webhooks/validating-requests.

Event id: portal, type, object, property, a digest of the value, and ``occurredAt``. ``eventId`` stays out: HubSpot does not
promise that it is unique, nor that a retry keeps it; ``attemptNumber`` grows with every retry; ``subscriptionId``
and ``appId`` differ when one subscription is made twice. What is left can only merge two notices that the same
property of the same object took the same value in the same millisecond, and those want one call.

Fact: the same without the digest of the value for creations, deletions and stages. A stage is ``stage→<id>`` at ``occurredAt``,
whichever subscription type (classic ``deal.propertyChange`` or ``object.propertyChange`` of ``0-3``) told it.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from pydantic import field_validator

from bridge import keys
from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, HttpRequest, HttpResponse, Rate, Stage, Unparsed, from_ms, to_ms
from bridge.signing import any_equal, check_age, hmac_sha256
from bridge.sources.base import Lookup, Source, SourceSettings, phone_refs, read_json, text

# HubSpot signs the URL with these escapes undone, and no others (validating-requests, "v3").
_UNESCAPED = re.compile("%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)

_OBJECT_TYPES = {"0-1": "contact", "0-3": "deal"}
_ACTIONS = {
    "creation": "created",
    "deletion": "deleted",
    "privacyDeletion": "deleted",
    "propertyChange": "updated",
    "restore": "created",
    "merge": "updated",
    "associationChange": "updated",
}
_ENTITIES = frozenset({"contact", "deal"})
_PHONES = ("phone", "mobilephone")
_PERSON = ("firstname", "lastname", "email", *_PHONES)
_ASSOCIATION = ("fromObjectId", "toObjectId", "associationType", "associationRemoved")
_MERGE = ("primaryObjectId", "mergedObjectIds", "newObjectId")


class HubSpotSettings(SourceSettings):
    """``secret`` is the app's client secret; ``api_token`` a private app's access token."""

    api_base: str = "https://api.hubapi.com"
    allow_v1: bool = False

    @field_validator("api_base")
    @classmethod
    def _no_slash(cls, value: str) -> str:
        return value.rstrip("/")


class HubSpot(Source):
    """One HubSpot app, or one workflow's webhook action."""

    kind = "hubspot"
    title = "HubSpot"
    settings_type = HubSpotSettings
    lookup_rate = Rate(count=100, seconds=10)  # private app, Free and Starter; larger plans allow 190

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

    def sign(self, body: bytes, url: str, now: datetime) -> dict[str, str]:
        timestamp = str(to_ms(now))
        message = self._v3_message("POST", url, body, timestamp)
        signature = base64.b64encode(hmac_sha256(self.require_secret()[0].encode(), message)).decode()
        return {
            "Content-Type": "application/json",
            "X-HubSpot-Signature-v3": signature,
            "X-HubSpot-Request-Timestamp": timestamp,
        }

    def can_look_up(self, event: Event) -> bool:
        known = event.entity is not None and event.entity.type in _ENTITIES
        return known and bool(self.api_token) and not event.type.endswith(".deleted")

    def look_up(self, event: Event, wanted: Iterable[str]) -> Lookup:
        """Contact → its properties; deal → its properties, its contacts, their properties. Scopes: crm.objects.*.read."""
        entity = event.entity
        if entity is None:
            return event
        if entity.type == "contact":
            person = _found((yield self._get("contacts", entity, (*_PERSON, *wanted))), entity)
            return self._with_people(event.knowing(fields=person.get("properties")), [person])
        deal = _found((yield self._get("deals", entity, ("dealstage", "pipeline", *wanted), "&associations=contacts")), entity)
        contact_ids = [str(row["id"]) for row in deal.get("associations", {}).get("contacts", {}).get("results", ())]
        if not contact_ids:  # the association is an event of its own, and may come after the deal
            return event.knowing(fields=deal.get("properties"))
        people = read_json((yield self._batch_read(contact_ids, wanted)).body.encode()).get("results", [])
        return self._with_people(event.knowing(fields=deal.get("properties")), people)

    def judge(self, response: HttpResponse) -> None:
        """429 names its policy: the rolling ten seconds pass by themselves, the daily limit not before tomorrow. 423 is a lock of 2 s."""
        if response.status == 429 and "DAILY" in response.body:
            raise LookupFailed("HubSpot's daily request limit is used up", retry_after=3600)
        if response.status == 429:
            raise LookupFailed("HubSpot answered 429: too many requests in ten seconds", retry_after=10)
        if response.status == 423:
            raise LookupFailed("HubSpot has locked the record for a moment", retry_after=2)
        super().judge(response)

    def _verify_v3(self, delivery: Delivery, now: datetime) -> None:
        timestamp = delivery.headers.get("x-hubspot-request-timestamp", "").strip()
        if not timestamp.isdecimal() or len(timestamp) > 15:
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
        if not isinstance(element, Mapping) or not (vendor_type := text(element.get("subscriptionType") or element.get("eventType"))):
            return Unparsed(keys.digest(repr(element)), "an element without subscriptionType")
        object_id, portal = text(element.get("objectId") or element.get("newObjectId")), text(element.get("portalId"))
        object_type, _, action = vendor_type.partition(".")
        object_type = _OBJECT_TYPES.get(str(element.get("objectTypeId")), object_type)
        entity = Entity(object_type, object_id) if object_id else None
        moment = element.get("occurredAt")
        name, value = text(element.get("propertyName")), element.get("propertyValue")
        happened = _time(moment)
        event = Event(
            source=self.name,
            kind=self.kind,
            id=keys.join(portal, vendor_type, element.get("objectTypeId"), object_id, name, *_particulars(element), moment),
            type=_type(object_type, action, name),
            fact=keys.join(
                self.kind, portal, object_type, object_id, _fact(action, name, value), None if action in {"creation", "deletion"} else moment
            ),
            received_at=delivery.received_at,
            occurred_at=happened,
            entity=entity,
            refs=(entity.ref,) if entity else (),
            stage=Stage(after=text(value)) if (object_type, name) == ("deal", "dealstage") else None,
            fields={name: value} if name else {},
        )
        return self._told_a_phone(event, name, value)

    def _told_a_phone(self, event: Event, name: str | None, value: Any) -> Event:
        """A changed phone comes in the body; ``REDACTED`` stands for a sensitive property."""
        if event.entity is None or event.entity.type != "contact":
            return event
        contact = self.contact(value, id=event.entity.id) if name in _PHONES and value != "REDACTED" else self.contact(id=event.entity.id)
        return replace(event, contact=contact, refs=(*event.refs, *phone_refs(contact)))

    def _get(self, objects: str, entity: Entity, properties: Iterable[str], more: str = "") -> HttpRequest:
        query = urlencode({"properties": ",".join(dict.fromkeys(properties))}, safe=",")
        return HttpRequest("GET", f"{self.settings.api_base}/crm/v3/objects/{objects}/{entity.id}?{query}{more}", self._headers())

    def _batch_read(self, contact_ids: Sequence[str], wanted: Iterable[str]) -> HttpRequest:
        body = {"properties": list(dict.fromkeys((*_PERSON, *wanted))), "inputs": [{"id": contact_id} for contact_id in contact_ids[:100]]}
        return HttpRequest("POST", f"{self.settings.api_base}/crm/v3/objects/contacts/batch/read", self._headers(), json.dumps(body))

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_token}", "Content-Type": "application/json"}

    def _with_people(self, event: Event, people: Sequence[Mapping[str, Any]]) -> Event:
        """The first person with a phone is the one to call; all of them are refs."""
        contacts = [self._person(person) for person in people]
        chosen = next((contact for contact in contacts if contact.phone), contacts[0] if contacts else None)
        refs = [ref for contact in contacts for ref in (f"contact:{contact.id}", *phone_refs(contact))]
        return event.knowing(contact=chosen, refs=refs)

    def _person(self, person: Mapping[str, Any]) -> Contact:
        properties = person.get("properties") or {}
        name = " ".join(part for part in (text(properties.get("firstname")), text(properties.get("lastname"))) if part)
        return self.contact(
            *(properties.get(phone) for phone in _PHONES), id=text(person.get("id")), name=name or None, email=text(properties.get("email"))
        )


def _found(response: HttpResponse, entity: Entity) -> dict[str, Any]:
    if response.status == 404:
        raise LookupFailed(f"{entity.ref} does not exist in HubSpot any more", final=True)
    found = read_json(response.body.encode())
    return found if isinstance(found, dict) else {}


def _type(object_type: str, action: str, property_name: str | None) -> str:
    if object_type not in _ENTITIES or action not in _ACTIONS:
        return "unknown"
    if (object_type, property_name) == ("deal", "dealstage"):
        return "deal.stage_changed"
    return f"{object_type}.{_ACTIONS[action]}"


def _fact(action: str, property_name: str | None, value: Any) -> str:
    if property_name == "dealstage":
        return f"stage→{value}"
    return f"{property_name}={keys.digest(str(value))}" if property_name else action


def _particulars(element: Mapping[str, Any]) -> list[object]:
    """What tells two notices of one object in one millisecond apart: the value, or the ends of an association or merge."""
    told = {name: element[name] for name in ("propertyValue", *_ASSOCIATION, *_MERGE) if name in element}
    return [keys.digest(json.dumps(told, sort_keys=True))] if told else []


def _time(moment: Any) -> datetime | None:
    try:
        return from_ms(int(moment))
    except (TypeError, ValueError, OverflowError, OSError):
        return None
