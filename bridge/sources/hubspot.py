"""HubSpot: app webhooks (a JSON array of up to 100 events) for contacts, deals and leads.

Facts after https://developers.hubspot.com/docs/api/webhooks and .../webhooks/validating-requests.

Event id: portal, type, object, property, a digest of the value, and ``occurredAt``. ``eventId`` stays out: HubSpot does not
promise that it is unique, nor that a retry keeps it; ``attemptNumber`` grows with every retry; ``subscriptionId``
and ``appId`` differ when one subscription is made twice. What is left can only merge two notices that the same
property of the same object took the same value in the same millisecond, and those want one call.

Fact: the record, what happened to it (a stage is ``stage→<id>``), and ``occurredAt``, whichever subscription type (classic
``deal.propertyChange`` or ``object.propertyChange`` of ``0-3``) told it. A creation has no time, being told once in a record's life.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from bridge import keys
from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, HttpRequest, HttpResponse, Rate, Stage, Unparsed, from_ms, present, to_ms, unique
from bridge.signing import any_equal, check_age, hmac_sha256
from bridge.sources.base import ApiBase, Lookup, Source, SourceSettings, answer, fingerprint, mapping, moment, phone_refs, read_json, text

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
    "restore": "created",
    "merge": "updated",
    "associationChange": "updated",
}
_PHONES = ("phone", "mobilephone")
_PERSON = ("firstname", "lastname", "email", *_PHONES)
_ASSOCIATION = ("fromObjectId", "toObjectId", "associationType", "associationRemoved")
_MERGE = ("primaryObjectId", "mergedObjectIds", "newObjectId")
_SUBJECTS = ("objectId", "newObjectId", "primaryObjectId", "fromObjectId")
_ENVELOPE = frozenset({"eventId", "attemptNumber", "subscriptionId", "appId"})


class HubSpotSettings(SourceSettings):
    """``secret`` is the app's client secret; ``api_token`` a private app's access token."""

    api_base: ApiBase = "https://api.hubapi.com"
    allow_v1: bool = False


class HubSpot(Source):
    """One HubSpot app. A workflow's webhook action has no event of its own to tell: send that one to a ``generic`` source."""

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
        known = event.entity is not None and event.entity.type in _PATHS
        return known and bool(self.api_token) and not event.type.endswith(".deleted")

    def look_up(self, event: Event, wanted: Iterable[str]) -> Lookup:
        """Contact → its properties; deal or lead → its properties, its contacts, theirs. Scopes: crm.objects.*.read."""
        entity = event.entity
        if entity is None or entity.type not in _PATHS:
            return event
        if entity.type == "contact":
            person = _found((yield self._get(entity, (*_PERSON, *wanted))), entity)
            return self._with_people(event.knowing(fields=mapping(person.get("properties"))), [person])
        properties = (_STAGES[entity.type], _PIPELINES[entity.type], *wanted)
        record = _found((yield self._get(entity, properties, "&associations=contacts")), entity)
        event = event.knowing(fields=mapping(record.get("properties")))
        contact_ids = [contact_id for row in _rows(mapping(record.get("associations")).get("contacts")) if (contact_id := text(row.get("id")))]
        if not contact_ids:  # the association is an event of its own, and may come after the deal
            return event
        return self._with_people(event, _rows(answer((yield self._batch_read(unique(contact_ids), wanted)))))

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
        if not timestamp.isdecimal() or len(timestamp) > 14:
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
        element = mapping(element)
        vendor_type = text(element.get("subscriptionType") or element.get("eventType"))
        if not vendor_type:
            return Unparsed(fingerprint({name: element[name] for name in element if name not in _ENVELOPE}), "an element without subscriptionType")
        prefix, _, action = vendor_type.partition(".")
        object_type_id, portal = text(element.get("objectTypeId")), text(element.get("portalId"))
        object_type = _OBJECT_TYPES.get(object_type_id or "", prefix if prefix != "object" else object_type_id or prefix)
        object_id = next((found for name in _SUBJECTS if (found := text(element.get(name)))), None)
        entity = Entity(object_type, object_id) if object_id else None
        name, value, occurred_at = text(element.get("propertyName")), element.get("propertyValue"), element.get("occurredAt")
        is_stage = name is not None and name == _STAGES.get(object_type)
        particulars = _particulars(element)
        happening = (f"stage→{value}",) if is_stage else present({"action": action, "name": name, "particulars": particulars}).values()
        event = Event(
            source=self.name,
            kind=self.kind,
            id=keys.join(portal, vendor_type, object_type_id, object_id, name, particulars, occurred_at),
            type=_type(object_type, action, is_stage=is_stage),
            fact=keys.join(self.kind, portal, object_type, object_id, *happening, None if action == "creation" else occurred_at),
            received_at=delivery.received_at,
            occurred_at=moment(occurred_at),
            entity=entity,
            refs=_refs(entity, element),
            stage=Stage(after=text(value)) if is_stage and text(value) else None,
            fields={name: value} if name else {},
        )
        return self._told_a_phone(event, name, value)

    def _told_a_phone(self, event: Event, name: str | None, value: Any) -> Event:
        """A changed phone comes in the body; ``REDACTED`` stands for a sensitive property."""
        if event.entity is None or event.entity.type != "contact":
            return event
        contact = self.contact(value, id=event.entity.id) if name in _PHONES and value != "REDACTED" else self.contact(id=event.entity.id)
        return replace(event, contact=contact, refs=(*event.refs, *phone_refs(contact)))

    def _get(self, entity: Entity, properties: Iterable[str], more: str = "") -> HttpRequest:
        query = urlencode({"properties": ",".join(dict.fromkeys(properties))}, safe=",")
        url = f"{self.settings.api_base}/crm/v3/objects/{_PATHS[entity.type]}/{quote(entity.id, safe='')}?{query}{more}"
        return HttpRequest("GET", url, self._headers())

    def _batch_read(self, contact_ids: Sequence[str], wanted: Iterable[str]) -> HttpRequest:
        body = {"properties": list(dict.fromkeys((*_PERSON, *wanted))), "inputs": [{"id": contact_id} for contact_id in contact_ids[:100]]}
        return HttpRequest("POST", f"{self.settings.api_base}/crm/v3/objects/contacts/batch/read", self._headers(), json.dumps(body))

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_token}", "Content-Type": "application/json"}

    def _with_people(self, event: Event, people: Sequence[Mapping[str, Any]]) -> Event:
        """The first person with a phone is the one to call; all of them are refs."""
        contacts = [self._person(person) for person in people if text(person.get("id"))]
        chosen = next((contact for contact in contacts if contact.phone), contacts[0] if contacts else None)
        refs = [ref for contact in contacts for ref in (f"contact:{contact.id}", *phone_refs(contact))]
        return event.knowing(contact=chosen, refs=refs)

    def _person(self, person: Mapping[str, Any]) -> Contact:
        properties = mapping(person.get("properties"))
        name = " ".join(part for part in (text(properties.get("firstname")), text(properties.get("lastname"))) if part)
        return self.contact(
            *(properties.get(phone) for phone in _PHONES), id=text(person.get("id")), name=name or None, email=text(properties.get("email"))
        )


def _found(response: HttpResponse, entity: Entity) -> Mapping[str, Any]:
    if response.status == 404:
        raise LookupFailed(f"{entity.ref} does not exist in HubSpot any more", final=True)
    return answer(response)


def _rows(collection: object) -> list[Mapping[str, Any]]:
    """The ``results`` of an answer or an association."""
    results = mapping(collection).get("results")
    return [mapping(row) for row in results] if isinstance(results, list) else []


def _type(object_type: str, action: str, *, is_stage: bool) -> str:
    if object_type not in _PATHS or action not in _ACTIONS:
        return "unknown"
    return f"{object_type}.{'stage_changed' if is_stage else _ACTIONS[action]}"


def _particulars(element: Mapping[str, Any]) -> str | None:
    """What tells two notices of one object in one millisecond apart: the value, or the ends of an association or merge."""
    told = {name: element[name] for name in ("propertyValue", *_ASSOCIATION, *_MERGE) if name in element}
    return fingerprint(told) if told else None


def _refs(entity: Entity | None, element: Mapping[str, Any]) -> tuple[str, ...]:
    """The object, the objects merged into it, and the person it was just tied to."""
    if entity is None:
        return ()
    merged = element.get("mergedObjectIds")
    others = [f"{entity.type}:{other}" for value in (merged if isinstance(merged, list) else ()) if (other := text(value))]
    end, other = str(element.get("associationType")).rpartition("_TO_")[2].lower(), text(element.get("toObjectId"))
    if other and end in _PATHS and not element.get("associationRemoved"):
        others.append(f"{end}:{other}")
    return unique((entity.ref, *others))
