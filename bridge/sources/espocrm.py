"""EspoCRM: webhooks (a JSON array of up to 50 items, all of one event) for leads, contacts and opportunities.

Facts after https://docs.espocrm.com/administration/webhooks/ and, where that page says less or otherwise, after ``Sender.php``, ``Queue.php`` and
``Manager.php`` of ``application/Espo/Core/Webhook``.

A body names neither event nor webhook nor time. What names the webhook is its signature, ``base64(<webhook id>:<hex HMAC>)``; each has
a key of its own, so the source is given ``<webhook id>:<secret key>`` for each, and under ``webhooks`` the event that it was made for. The
id is not signed, but only its own key fits it: a body cannot be passed off as another event's. There is no time in it, so that a
captured request could be sent again; the event id is what stops it.

Event id: webhook id, event, record id, and for a change a digest of the item. The batch stays out: a retry may cut it differently. Nothing
tells a retry from the same change made again, so a change has a window of an hour, more than the four attempts take, ten minutes
apart; within it moving a deal there and back and there again is one move.

Fact: source, record, and what happened: ``created``, ``deleted``, ``stage→<stage>``, or ``updated`` and a digest of what changed without
who changed it. ``Opportunity.update`` and ``Opportunity.fieldUpdate.stage`` tell one move, and so do two webhooks for one event.

A stage is ``stage`` of an opportunity, ``status`` of a lead, wherever a change names it; the old one is not told. Times are UTC without a
zone, and only a creation has one. Numbers that are opted out, invalid or of a fax are left out, and so are all of a person marked
``doNotCall``. A lead that was converted is tied to the contact and the opportunity made of it.
"""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import AfterValidator, Field, SecretStr, field_validator

from bridge import keys
from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, HttpRequest, HttpResponse, Stage, Unparsed, unique
from bridge.signing import any_equal, hmac_sha256
from bridge.sources.base import ApiBase, Lookup, Manual, OneOrMore, Signed, Source, SourceSettings
from bridge.sources.bodies import read_json
from bridge.sources.values import answer, fingerprint, first, gone, joined, listed, mapping, moment, refs, rows, text, with_people

_ENTITIES = {"Lead": "lead", "Contact": "contact", "Opportunity": "deal"}
_PATHS = {entity: name for name, entity in _ENTITIES.items()}
_STAGES = {"lead": "status", "deal": "stage"}
_ACTIONS = {"create": "created", "update": "updated", "fieldUpdate": "updated", "delete": "deleted"}
_TIES = {"contactId": "contact", "createdContactId": "contact", "createdOpportunityId": "deal", "originalLeadId": "lead"}
_WHO_CHANGED_IT = frozenset({"id", "modifiedById", "modifiedByName"})
_ONE_DELIVERY = timedelta(hours=1)
_EVENT = re.compile(r"[A-Z]\w*\.(create|update|delete|fieldUpdate\.\w+)")
_WEBHOOK_ID = re.compile(r"[0-9A-Za-z_-]{1,40}")
_SIGNATURE, _SIGNATURE_BEFORE_9 = "signature", "x-signature"


def _event(name: str) -> str:
    if not _EVENT.fullmatch(name):
        raise ValueError(f"'{name}' is no event such as Lead.create, Contact.update, Opportunity.fieldUpdate.stage or Lead.delete")
    return name


EventName = Annotated[str, AfterValidator(_event)]
WebhookIds = Annotated[tuple[str, ...], OneOrMore]


class EspoCrmSettings(SourceSettings):
    """``secret`` is ``<webhook id>:<secret key>``, one for each webhook; ``webhooks`` the id, or the ids, of each event's."""

    webhooks: dict[EventName, WebhookIds] = Field(default_factory=dict)
    api_base: ApiBase | None = None

    @field_validator("secret")
    @classmethod
    def _id_and_key(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for secret in value:
            webhook, _, key = secret.get_secret_value().partition(":")
            if not _WEBHOOK_ID.fullmatch(webhook) or not key:
                raise ValueError("EspoCRM's secret is `<webhook id>:<secret key>`, both as shown under Administration → Webhooks")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notice:
    """One item of a batch, and the event of its webhook."""

    webhook: str
    event: str
    entity: Entity
    action: str
    item: Mapping[str, Any]

    @property
    def stage(self) -> Stage | None:
        after = text(self.item.get(_STAGES.get(self.entity.type, ""))) if self.action == "updated" else None
        return Stage(after=after) if after else None

    @property
    def type(self) -> str:
        return f"{self.entity.type}.{'stage_changed' if self.stage else self.action}" if self.entity.type in _PATHS else "unknown"

    @property
    def id(self) -> str:
        digest = [fingerprint(self.item)] if self.action == "updated" else []
        return keys.join(self.webhook, self.event, self.entity.id, *digest)

    @property
    def happening(self) -> Sequence[str]:
        if self.action != "updated":
            return (self.action,)
        if self.stage:
            return (f"stage→{self.stage.after}",)
        return (self.action, fingerprint({name: value for name, value in self.item.items() if name not in _WHO_CHANGED_IT}))

    @property
    def occurred_at(self) -> datetime | None:
        return moment(self.item.get("createdAt")) if self.action == "created" else None


class EspoCrm(Source):
    """One EspoCRM, with a webhook for each event."""

    kind = "espocrm"
    title = "EspoCRM"
    manual = Manual(
        where="Administration → Webhooks, one for each event",
        proof="HMAC-SHA256 of the body, with a key for each webhook",
        secret="`<webhook id>:<secret key>` of each webhook",  # noqa: S106 -- words about it
        api_token="the key of an API user",  # noqa: S106 -- the same
    )
    settings_type = EspoCrmSettings
    looked_up = frozenset(_PATHS)
    stage_fields = _STAGES

    settings: EspoCrmSettings

    def verify(self, delivery: Delivery, now: datetime) -> None:
        """``Signature``, of version 9 and later, where it is there, and then it alone; ``X-Signature`` is the older, with the digest's bytes."""
        del now
        webhook, given = _signed(delivery.headers)
        if webhook is None:
            raise Unverified(Refusal.MISSING, "no Signature header with the id of a webhook: give the webhook a secret key in EspoCRM")
        known = [key for secret in self.require_secret() for name, _, key in [secret.partition(":")] if name == webhook]
        if not known:
            raise Unverified(Refusal.WRONG_SECRET, f"webhook {webhook} has no key here: add `{webhook}:<secret key>` to the source's secrets")
        digests = [hmac_sha256(key.encode(), delivery.body) for key in known]
        expected = [digest.hex().encode() for digest in digests] if _SIGNATURE in delivery.headers else digests
        if not any_equal(expected, given):
            raise Unverified(Refusal.WRONG_SIGNATURE, f"the signature of webhook {webhook} does not match")

    def parse(self, delivery: Delivery) -> Sequence[Event | Unparsed]:
        """Each item stands alone. A webhook whose event is not configured is kept whole, to be replayed when it is."""
        webhook, _ = _signed(delivery.headers)
        event = next((name for name, ids in self.settings.webhooks.items() if webhook in ids), None)
        if webhook is None or event is None:
            raise Unreadable(f"only the signature says which event it is, and webhook {webhook or '…'} is none of those under `webhooks`")
        items = read_json(delivery.body)
        if not isinstance(items, list):
            raise Unreadable("EspoCRM sends a JSON array")
        return [self._read(item, webhook, event, delivery) for item in items]

    def sign(self, body: bytes, url: str, now: datetime) -> Signed:
        """As the webhook of the first secret would."""
        del now
        webhook, _, key = self.require_secret()[0].partition(":")
        signature = base64.b64encode(f"{webhook}:{hmac_sha256(key.encode(), body).hex()}".encode()).decode()
        return Signed(body, url, {"Content-Type": "application/json", "Signature": signature})

    def can_look_up(self, event: Event) -> bool:
        return super().can_look_up(event) and self.settings.api_base is not None

    def look_up(self, event: Event, wanted: Iterable[str]) -> Lookup:
        """Lead or contact; opportunity → its first contact. Each answer is the whole record, whatever fields are ``wanted``."""
        del wanted
        if event.entity is None or event.entity.type not in _PATHS:
            return event
        who = event.entity
        record = _found((yield self._get(who)), who)
        event = event.knowing(fields=record, refs=_ties(record))
        if who.type == "deal":
            contact_id = _contact_id(record)
            if contact_id is None:  # it may be given one later, which is an event of its own
                return with_people(event, [])
            who = Entity("contact", contact_id)
            record = _found((yield self._get(who)), who)
        return with_people(event, [self._person(record, who)])

    def probe(self) -> HttpRequest | None:
        return self._ask("App/user") if self.api_token and self.settings.api_base else None

    def _read(self, told: Any, webhook: str, event: str, delivery: Delivery) -> Event | Unparsed:
        name, action, *_ = event.split(".")
        item = mapping(told)
        record_id = text(item.get("id"))
        if record_id is None:
            return Unparsed(keys.join(webhook, fingerprint(told)), "an item without the id of a record")
        entity = Entity(_ENTITIES.get(name, name), record_id)
        notice = _Notice(webhook=webhook, event=event, entity=entity, action=_ACTIONS[action], item=item)
        contact = self._contact_of(notice)
        return Event(
            source=self.name,
            kind=self.kind,
            id=notice.id,
            type=notice.type,
            fact=keys.join(self.kind, self.name, entity.type, entity.id, *notice.happening),
            received_at=delivery.received_at,
            occurred_at=notice.occurred_at,
            entity=entity,
            refs=unique((entity.ref, *_ties(item), *refs(contact))),
            stage=notice.stage,
            contact=contact,
            fields=item,
            window=_ONE_DELIVERY if notice.action == "updated" else None,
        )

    def _contact_of(self, notice: _Notice) -> Contact | None:
        """A change tells only what changed; of an opportunity no more than the contact's id and name."""
        if notice.entity.type == "deal":
            contact_id = _contact_id(notice.item)
            name = text(notice.item.get("contactName")) or text(mapping(notice.item.get("contactsNames")).get(contact_id or ""))
            return Contact(id=contact_id, name=name) if contact_id else None
        person = self._person(notice.item, notice.entity) if notice.entity.type in _PATHS else Contact()
        return person if person.document() else None

    def _person(self, record: Mapping[str, Any], who: Entity) -> Contact:
        whole = {"firstName", "lastName"} <= record.keys()  # a change tells one of them alone
        return self.contact(
            *_phones(record),
            id=who.id if who.type == "contact" else None,
            name=text(record.get("name")) or (joined(record["firstName"], record["lastName"]) if whole else None),
            email=text(record.get("emailAddress")),
        )

    def _get(self, entity: Entity) -> HttpRequest:
        return self._ask(f"{_PATHS[entity.type]}/{quote(entity.id, safe='')}")

    def _ask(self, what: str) -> HttpRequest:
        return HttpRequest("GET", f"{self.settings.api_base}/api/v1/{what}", {"X-Api-Key": self.api_token, "Accept": "application/json"})


def _signed(headers: Mapping[str, str]) -> tuple[str | None, bytes]:
    """The webhook's id and the digest of a signature: before and after the first colon, as the digest's bytes may hold more of them."""
    encoded = headers.get(_SIGNATURE, headers.get(_SIGNATURE_BEFORE_9, "")).strip()
    try:
        webhook, _, given = base64.b64decode(encoded, validate=True).partition(b":")
        name = webhook.decode("ascii")
    except ValueError:
        return None, b""
    return (name, given) if _WEBHOOK_ID.fullmatch(name) and given else (None, b"")


def _phones(record: Mapping[str, Any]) -> list[object]:
    """The primary number first. ``phoneNumber`` counts where the list of all numbers is not told."""
    if record.get("doNotCall") is True:
        return []
    if numbers := rows(record.get("phoneNumberData")):
        return [row.get("phoneNumber") for row in sorted(filter(_is_callable, numbers), key=lambda row: row.get("primary") is not True)]
    barred = record.get("phoneNumberIsOptedOut") is True or record.get("phoneNumberIsInvalid") is True
    return [] if barred else [record.get("phoneNumber")]


def _is_callable(row: Mapping[str, Any]) -> bool:
    return row.get("optOut") is not True and row.get("invalid") is not True and row.get("type") != "Fax"


def _contact_id(record: Mapping[str, Any]) -> str | None:
    """The primary contact, else the first of all."""
    return first((record.get("contactId"), *listed(record.get("contactsIds"))))


def _ties(record: Mapping[str, Any]) -> list[str]:
    """The records that this one names as its own people and deals."""
    named = [(entity, text(record.get(name))) for name, entity in _TIES.items()]
    everybody = [("contact", text(each)) for each in listed(record.get("contactsIds"))]
    return [f"{entity}:{record_id}" for entity, record_id in (*named, *everybody) if record_id]


def _found(response: HttpResponse, entity: Entity) -> Mapping[str, Any]:
    """The record of an answer. EspoCRM's own 404 has a header and no body: a wrong ``api_base`` answers 404 as well."""
    if response.status == 404:
        if "x-status-reason" in response.headers:
            raise gone(entity.ref, "EspoCRM")
        raise LookupFailed("EspoCRM answered 404, and not about the record: check api_base")
    record = answer(response)
    if record.get("deleted") is True:
        raise gone(entity.ref, "EspoCRM")
    return record
