"""Salesforce: Outbound Messages (SOAP, up to 100 notifications in one), and JSON callouts that Apex of the org signs for us.

Facts after https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_om_outboundmessaging_notifications.htm,
.../sforce_api_om_outboundmessaging_wsdl.htm, .../sforce_api_om_outboundmessaging_security.htm, and of the REST API
https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_query.htm and .../errorcodes.htm.

An Outbound Message is not signed, and its sender can prove itself in the URL alone (``?token=``); with ``organization_id`` the
message must be that org's as well. A callout proves itself by ``X-Callbridge-Signature: v1=<hex HMAC-SHA256 of timestamp.body>``, beside
``X-Callbridge-Timestamp`` in milliseconds. That is a contract of ours, and docs/sources/salesforce.md has the Apex that keeps it.

What happened is told by nobody but the one who made the trigger: an Outbound Message has no flag for it, so each has a URL of its own
with ``?type=lead.created``. Without it a record that was not modified since its creation is ``….created``, any other ``….updated``: no more than
a hint, since a record is told as it is when the message leaves, which may be after an early edit. A type that does not fit is ``unknown``.

Event id: organisation and ``Notification/Id``, which every retry keeps, however it groups notifications. Fields may be newer on
a retry, so none is in the id. Of a callout: organisation and its ``event_id``. ``SessionId`` is a live credential and is cut out.

Fact: organisation, record, and what happened: ``created`` (once in its life), ``stage→<stage>`` at ``LastStageChangeDate``, or
``updated`` at ``LastModifiedDate``, whichever way it was told; without such a time the event id, so that nothing is merged by accident.
Ids of 15 characters get the three that Salesforce adds elsewhere.

Stages are ``StageName`` of an opportunity and ``Status`` of a lead; the old one is told by callouts alone. A look-up is a query,
because a query says of a record that is gone that there is none, where a GET of it answers as to a wrong version of the API.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit
from xml.etree.ElementTree import Element

from pydantic import AfterValidator, Field, model_validator

from bridge import keys
from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, HttpRequest, HttpResponse, Receipt, Reply, Stage, Unparsed, from_ms, iso, to_ms
from bridge.signing import any_equal, check_age, hmac_sha256, is_time
from bridge.sources.base import ApiBase, Lookup, Manual, Signed
from bridge.sources.bodies import read_json, starts_with, xml_root
from bridge.sources.oauth import OAuthSettings, OAuthSource, token_request
from bridge.sources.values import answer, fingerprint, joined, mapping, moment, refs, refusal, rows, text, with_people

_OBJECTS = {"Lead": "lead", "Contact": "contact", "Opportunity": "deal"}
_NAMES = {kind: name for name, kind in _OBJECTS.items()}
_STAGES = {"lead": "Status", "deal": "StageName"}
_EDITED = ("LastModifiedDate", "SystemModstamp")
_TIMES = {"created": ("CreatedDate",), "stage_changed": ("LastStageChangeDate", *_EDITED), "updated": _EDITED, "deleted": _EDITED}
_TYPES = {f"{kind}.{happening}" for kind in _NAMES for happening in _TIMES} - {"contact.stage_changed"}
_PHONES = ("Phone", "MobilePhone")
_PERSON = ("Id", "Name", "Email", *_PHONES)
_CONTACT = "003"  # what the id of every contact begins with

_TIMESTAMP, _SIGNATURE = "X-Callbridge-Timestamp", "X-Callbridge-Signature"
_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_SESSION = re.compile(rb"<(?:\w+:)?SessionId\b[^<>]*>([^<]{15,})<")  # every part of it ends at a <, so that no body makes it slow
_LATER = 900.0  # the daily limit is of a rolling 24 hours: some of it comes back all the time
_ACK = b"""<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/">
 <soapenv:Body>
  <notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound">
   <Ack>true</Ack>
  </notificationsResponse>
 </soapenv:Body>
</soapenv:Envelope>
"""


def _record_id(value: str) -> str:
    if not _ID.fullmatch(value):
        raise ValueError(f"'{value}' is no Salesforce id of 15 or 18 characters, such as 00Dd0000000dtDqEAI")
    return value


class SalesforceSettings(OAuthSettings):
    """``secret`` is of your own making. Look-ups need ``api_base``, the org's My Domain, and the keys of a connected app."""

    organization_id: Annotated[str, AfterValidator(_record_id)] | None = None
    api_base: ApiBase | None = None
    api_version: str = Field(default="60.0", pattern=r"^[0-9]{2,3}\.0$")

    @model_validator(mode="after")
    def _knows_where_to_ask(self) -> Self:
        if (self.api_token or self.refresh_token) and self.api_base is None:
            raise ValueError("api_base is missing: look-ups go to the org's My Domain, such as https://acme.my.salesforce.com")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notice:
    """What a notification and an event of a callout both say, in our words.

    ``told`` is the type as its trigger names it; ``name`` Salesforce's name of the object; ``person`` who a deal is about.
    """

    org: str | None
    id: str
    told: str | None
    name: str
    record: Mapping[str, Any]
    told_at: datetime | None = None
    left: str | None = None
    person: Mapping[str, Any] | None = None

    @property
    def kind(self) -> str:
        return _OBJECTS.get(self.name, self.name.lower())

    @property
    def entity(self) -> Entity | None:
        record_id = _id(self.record.get("Id"))
        return Entity(self.kind, record_id) if record_id and self.kind else None

    @property
    def type(self) -> str:
        """As told, where that can be said of such an object; else what its dates hint at."""
        told = self.told or f"{self.kind}.{'created' if self.is_untouched else 'updated'}"
        return told if told in _TYPES and told.startswith(f"{self.kind}.") and self.entity else "unknown"

    @property
    def is_untouched(self) -> bool:
        made, edited = (moment(self.record.get(name)) for name in ("CreatedDate", "LastModifiedDate"))
        return made is not None and made == edited

    @property
    def happening(self) -> str:
        return self.type.partition(".")[2]

    @property
    def stage(self) -> Stage | None:
        stage = Stage(after=text(self.record.get(_STAGES.get(self.kind, ""))), before=self.left)
        return stage if self.happening == "stage_changed" and stage.document() else None

    @property
    def at(self) -> datetime | None:
        """As it is told, or as the record says."""
        names = _TIMES.get(self.happening, _EDITED)
        return self.told_at or next((at for name in names if (at := moment(self.record.get(name)))), None)

    @property
    def fact(self) -> Sequence[object]:
        if self.entity is None or not self.happening:
            return (self.id,)
        what = f"stage→{self.stage.after}" if self.stage and self.stage.after else self.happening
        when = () if what == "created" else (iso(self.at) if self.at else self.id,)
        return (self.entity.type, self.entity.id, what, *when)


class Salesforce(OAuthSource):
    """One Salesforce org."""

    kind = "salesforce"
    title = "Salesforce"
    manual = Manual(
        where="Setup → Outbound Messages, as the endpoint URL; or Apex of your own",
        proof="the secret in the URL, and the organisation's id where it is configured; HMAC-SHA256 of a time and the body from Apex",
        secret="any; in the URL as `?token=`, signing from Apex",  # noqa: S106 -- words about it
        api_token="`client_id`, `client_secret` and `refresh_token` of a connected app",  # noqa: S106 -- the same
    )
    settings_type = SalesforceSettings
    looked_up = frozenset(_NAMES)
    stage_fields = _STAGES

    settings: SalesforceSettings

    def verify(self, delivery: Delivery, now: datetime) -> None:
        """A signature where there is one, and then that alone: one that fails never falls back to a secret in the URL."""
        if _SIGNATURE.lower() in delivery.headers:
            self._verify_signature(delivery, now)
        else:
            self.verify_shared_secret(delivery)
        self.verify_account("the organisation", _id(self.settings.organization_id), lambda: [_organization(delivery.body)])

    def parse(self, delivery: Delivery) -> Sequence[Event | Unparsed]:
        """Each notification stands alone, as does each event of a callout."""
        read = _notifications(delivery) if _is_xml(delivery.body) else _callout(read_json(delivery.body))
        return [self._event(each, delivery) if isinstance(each, _Notice) else each for each in read]

    def sign(self, body: bytes, url: str, now: datetime) -> Signed:
        """As an Outbound Message where the body is XML, else as a callout."""
        if _is_xml(body):
            return Signed(body, self.with_secret_in_url(url), {"Content-Type": "text/xml; charset=utf-8"})
        timestamp = str(to_ms(now))
        signature = _signature(self.require_secret()[0], timestamp, body)
        return Signed(body, url, {"Content-Type": "application/json", _TIMESTAMP: timestamp, _SIGNATURE: signature})

    def acknowledge(self, receipts: Sequence[Receipt], delivery: Delivery) -> Reply | None:
        """A message takes nothing else for success: a 200 with any other body is sent again for 24 hours. A callout gets the bridge's JSON."""
        del receipts
        if not _is_xml(delivery.body):
            return None
        return Reply(200, _ACK, {"Content-Type": "text/xml; charset=utf-8"})

    def secrets_in(self, delivery: Delivery) -> Iterable[str]:
        """``SessionId``, which an admin may have Salesforce send along: whoever reads it acts as that user."""
        return [found.decode(errors="replace").strip() for found in _SESSION.findall(delivery.body)]

    def can_look_up(self, event: Event) -> bool:
        return super().can_look_up(event) and event.entity is not None and _ID.fullmatch(event.entity.id) is not None

    def look_up(self, event: Event, wanted: Iterable[str]) -> Lookup:
        """Lead or contact → the record; deal → the record, and the contacts in its roles, the primary first.

        All fields are asked for: Salesforce refuses a whole query for one name that it does not know, and a rule may be another CRM's.
        """
        del wanted
        entity = event.entity
        if entity is None or not self.can_look_up(event):
            return event
        found = _records((yield self._query("FIELDS(ALL)", _NAMES[entity.type], f"WHERE Id = '{entity.id}' LIMIT 1")))
        if not found:
            raise LookupFailed(f"{entity.ref} does not exist in Salesforce any more, or the token's user may not see it", final=True)
        record = _own(found[0])
        if entity.type != "deal":
            return with_people(event.knowing(fields=record), [self._person(record)])
        primary_first = f"WHERE OpportunityId = '{entity.id}' ORDER BY IsPrimary DESC LIMIT 50"
        roles = _records((yield self._query(", ".join(f"Contact.{name}" for name in _PERSON), "OpportunityContactRole", primary_first)))
        return with_people(event.knowing(fields=record), [self._person(mapping(role.get("Contact"))) for role in roles])

    def probe(self) -> HttpRequest | None:
        return self._query("Id", "Contact", "LIMIT 1") if self.api_token else None

    def judge(self, response: HttpResponse) -> None:
        """Its limit is a 403. A query is refused where the API has no such version, or the user may not read what it asks for."""
        code = _error_code(response)
        if code == "REQUEST_LIMIT_EXCEEDED":
            raise LookupFailed("Salesforce's requests of 24 hours are used up", retry_after=_LATER)
        if response.status in {400, 404}:
            advice = "check api_base, api_version, and what the user of the token may read"
            raise LookupFailed(f"Salesforce answered {response.status} ({code}): {advice}", parked=True)
        super().judge(response)

    def renewal(self, refresh_token: str) -> HttpRequest:
        return token_request(f"{self.settings.api_base}/services/oauth2/token", self.grant(refresh_token))

    def _verify_signature(self, delivery: Delivery, now: datetime) -> None:
        timestamp = delivery.headers.get(_TIMESTAMP.lower(), "").strip()
        if not is_time(timestamp, 14):
            raise Unverified(Refusal.MISSING, f"no {_TIMESTAMP} header in milliseconds")
        expected = [_signature(secret, timestamp, delivery.body) for secret in self.require_secret()]
        if not any_equal(expected, delivery.headers[_SIGNATURE.lower()].strip()):
            raise Unverified(Refusal.WRONG_SIGNATURE, f"the signature in {_SIGNATURE} does not match")
        check_age(from_ms(int(timestamp)), now)

    def _event(self, notice: _Notice, delivery: Delivery) -> Event:
        person = notice.record if notice.kind in {"lead", "contact"} else notice.person
        contact = self._person(person or {})
        return Event(
            source=self.name,
            kind=self.kind,
            id=notice.id,
            type=notice.type,
            fact=keys.join(self.kind, notice.org, *notice.fact),
            received_at=delivery.received_at,
            occurred_at=notice.at,
            entity=notice.entity,
            refs=refs(notice.entity, contact),
            stage=notice.stage,
            contact=contact if contact.document() else None,
            fields=notice.record,
        )

    def _person(self, record: Mapping[str, Any]) -> Contact:
        """Whose name and numbers a record has. A lead has them as well, and its id is no contact's."""
        record_id = _id(record.get("Id")) or ""
        return self.contact(
            *(record.get(phone) for phone in _PHONES),
            id=record_id if record_id.startswith(_CONTACT) else None,
            name=text(record.get("Name")) or joined(record.get("FirstName"), record.get("LastName")),
            email=text(record.get("Email")),
        )

    def _query(self, fields: str, name: str, which: str) -> HttpRequest:
        soql = urlencode({"q": f"SELECT {fields} FROM {name} {which}"})  # noqa: S608 -- of an event's own there is its id alone, which is letters and digits
        url = f"{self.settings.api_base}/services/data/v{self.settings.api_version}/query?{soql}"
        return HttpRequest("GET", url, {"Authorization": f"Bearer {self.api_token}", "Accept": "application/json"})


def _is_xml(body: bytes) -> bool:
    return starts_with(body, b"<")


def _signature(secret: str, timestamp: str, body: bytes) -> str:
    return f"v1={hmac_sha256(secret.encode(), timestamp.encode() + b'.' + body).hex()}"


def _id(value: object) -> str | None:
    """An id with its last three characters, which say which of its first 15 are capitals; what is no id as it is."""
    written = text(value)
    if written is None or len(written) != 15 or not _ID.fullmatch(written):
        return written
    chunks = (written[at : at + 5] for at in (0, 5, 10))
    return written + "".join(_CAPITALS[sum(char.isupper() << place for place, char in enumerate(chunk))] for chunk in chunks)


def _message(body: bytes) -> Element:
    """The ``notifications`` of an envelope."""
    message = xml_root(body).find("{*}Body/{*}notifications")
    if message is None:
        raise Unreadable("Salesforce sends a SOAP envelope with notifications in it", "notifications")
    return message


def _organization(body: bytes) -> str | None:
    return _id(_message(body).findtext("{*}OrganizationId") if _is_xml(body) else mapping(read_json(body)).get("org_id"))


def _notifications(delivery: Delivery) -> list[_Notice | Unparsed]:
    message = _message(delivery.body)
    told = dict(parse_qsl(urlsplit(delivery.url).query)).get("type")
    return [_notification(each, message, told) for each in message.iterfind("{*}Notification")]


def _notification(notification: Element, message: Element, told: str | None) -> _Notice | Unparsed:
    """A record that was deleted before the message left comes without its data."""
    org, found = _id(message.findtext("{*}OrganizationId")), notification.find("{*}sObject")
    name = "" if found is None else found.get(_XSI_TYPE, "").rpartition(":")[2]
    record = {} if found is None else {child.tag.rpartition("}")[2]: text(child.text) for child in found if not len(child)}
    notification_id = text(notification.findtext("{*}Id"))
    if notification_id is None:
        return Unparsed(fingerprint([org, message.findtext("{*}ActionId"), name, record.get("Id")]), "a notification without an Id")
    return _Notice(org=org, id=keys.join(org, notification_id), told=told, name=name, record=record)


def _callout(body: Any) -> list[_Notice | Unparsed]:
    """``{org_id, events: [{event_id, type, occurred_at, stage_from, record, contact}]}``; records as Apex serializes them."""
    events = mapping(body).get("events")
    if not isinstance(events, list):
        raise Unreadable("a callout is a JSON object with org_id and an array of events", "events")
    return [_told(mapping(event), _id(body.get("org_id"))) or Unparsed(fingerprint(event), "an event without event_id") for event in events]


def _told(event: Mapping[str, Any], org: str | None) -> _Notice | None:
    event_id, told, record = text(event.get("event_id")), text(event.get("type")), mapping(event.get("record"))
    if event_id is None:
        return None
    return _Notice(
        org=org,
        id=keys.join(org, "callout", event_id),
        told=told,
        name=text(mapping(record.get("attributes")).get("type")) or _NAMES.get((told or "").partition(".")[0], ""),
        record=_own(record),
        told_at=moment(event.get("occurred_at")),
        left=text(event.get("stage_from")),
        person=mapping(event.get("contact")),
    )


def _own(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record's own fields: ``attributes`` say what object it is."""
    return {name: value for name, value in record.items() if name != "attributes"}


def _records(response: HttpResponse) -> list[Mapping[str, Any]]:
    found = answer(response).get("records")
    if not isinstance(found, list):
        raise LookupFailed("Salesforce's answer to a query has no records")
    return rows(found)


def _error_code(response: HttpResponse) -> str | None:
    """Of ``[{message, errorCode}]``, the form of every error of its REST API."""
    errors = rows(refusal(response)) if response.status >= 300 else []
    return text(errors[0].get("errorCode")) if errors else None
