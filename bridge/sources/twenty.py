"""Twenty: webhooks (one record a request) for people and opportunities; every other object is kept as ``unknown``.

Facts after https://docs.twenty.com/developers/extend/webhooks and, where that page differs from what is sent, after the server's own
``call-webhook.job.ts`` and ``transform-event-batch-to-webhook-events.ts``. Both bodies are read: ``{eventName, record, …}``, which the
server makes, and ``{event, data, timestamp}``, which the page shows. An event's name with a ``*`` is the pattern that was subscribed.

Event id: workspace, event name, record id, and the record's ``updatedAt`` (``deletedAt`` where it was deleted). ``eventDate`` and
``timestamp`` stay out: they are made at dispatch, and one change has been seen in four posts some milliseconds apart. So do ``webhookId``
and ``targetUrl``, which differ where a webhook was made twice, and the nonce, which is new for every request. A record without
``updatedAt`` is told apart by a digest of it, for an hour.

Fact: workspace, record, and what happened: ``created`` (once in its life), ``deleted`` at ``deletedAt``, ``stage→<stage>`` or ``updated``
at ``updatedAt``. Every creation and every change is told a second time as ``….upserted``: the same fact, and a creation where
``createdAt`` is ``updatedAt``. ``destroyed`` is a deletion for good; a restore is an ``….updated``, as a second ``….created`` would have
a person called as new again. A merge is a change of one record and the end of the others, and does not say that they belong together.

A stage: ``stage`` among ``updatedFields`` of an opportunity; the old one is not told. A phone is a national number and a country
apart, and is put together by the rules of that country: ``06 10 20 30 40`` of ``FR`` is +33610203040. ``fields`` is the record, and
``fields.updatedFields`` what changed: moving a card on a board sends a change of ``position`` alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from bridge import keys
from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, HttpRequest, HttpResponse, Rate, Stage, Unparsed, from_ms, to_ms
from bridge.phones import to_e164
from bridge.signing import any_equal, check_age, hmac_sha256, is_time
from bridge.sources.base import ApiBase, Lookup, Manual, Signed, Source, SourceSettings
from bridge.sources.bodies import read_json
from bridge.sources.values import answer, fingerprint, first, gone, joined, mapping, moment, refs, rows, text, with_people

_ENTITIES = {"person": "contact", "opportunity": "deal"}
_PATHS = {"contact": "people", "deal": "opportunities"}
_NAMES = {entity: name for name, entity in _ENTITIES.items()}
_ACTIONS = {
    "created": "created",
    "updated": "updated",
    "upserted": "updated",
    "restored": "updated",
    "deleted": "deleted",
    "destroyed": "deleted",
}
_STAGES = {"deal": "stage"}
_EVENT_NAMES = ("eventName", "event", "eventType")
_PER_DISPATCH = frozenset({"eventDate", "timestamp", "webhookId", "targetUrl"})
_WITHOUT_A_TIME = timedelta(hours=1)
_GONE = '"Record not found'


class TwentySettings(SourceSettings):
    """``secret`` is the webhook's secret; ``api_token`` an API key of the workspace."""

    api_base: ApiBase = "https://api.twenty.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notice:
    """What both bodies say. ``name`` is ``person.created``; ``changed`` is None where the body does not list what changed."""

    workspace: str | None
    name: str
    entity: Entity
    record: Mapping[str, Any]
    changed: Sequence[Any] | None
    sent_at: datetime | None

    @property
    def action(self) -> str | None:
        told = self.name.partition(".")[2]
        created_at = text(self.record.get("createdAt"))
        is_birth = told == "upserted" and created_at is not None and created_at == text(self.record.get("updatedAt"))
        return "created" if is_birth else _ACTIONS.get(told)

    @property
    def type(self) -> str:
        if self.entity.type not in _PATHS or self.action is None:
            return "unknown"
        return f"{self.entity.type}.{'stage_changed' if self.stage else self.action}"

    @property
    def stage(self) -> Stage | None:
        moved = (self.entity.type, self.action) == ("deal", "updated") and "stage" in (self.changed or ())
        after = text(self.record.get("stage")) if moved else None
        return Stage(after=after) if after else None

    @property
    def mark(self) -> str | None:
        """The record's own time of what happened."""
        deleted_at = text(self.record.get("deletedAt")) if self.action == "deleted" else None
        return deleted_at or text(self.record.get("updatedAt"))

    @property
    def id(self) -> str:
        return keys.join(self.workspace, self.name, self.entity.id, self.mark or fingerprint(self.record))

    @property
    def happening(self) -> Sequence[str | None]:
        if self.action == "created":
            return ("created",)
        if self.action == "deleted":
            return ("deleted", self.mark)
        if self.stage:
            return (f"stage→{self.stage.after}", self.mark)
        return (self.action or self.name, self.mark or fingerprint(self.record))

    @property
    def window(self) -> timedelta | None:
        happens_once = self.action in {"created", "deleted"}
        return None if self.mark or happens_once else _WITHOUT_A_TIME

    @property
    def occurred_at(self) -> datetime | None:
        """A deleted record's ``updatedAt`` may be of the edit before."""
        own = {"created": "createdAt", "deleted": "deletedAt"}.get(self.action or "", "updatedAt")
        return moment(self.record.get(own)) or self.sent_at


class Twenty(Source):
    """One Twenty workspace, in the cloud or on a host of your own."""

    kind = "twenty"
    title = "Twenty"
    sends_again = False
    manual = Manual(
        where="Settings → APIs & Webhooks → Webhooks",
        proof="HMAC-SHA256 of a time and the body",
        secret="the secret given to the webhook there",  # noqa: S106 -- words about it
        api_token="an API key of the workspace",  # noqa: S106 -- the same
    )
    settings_type = TwentySettings
    looked_up = frozenset(_PATHS)
    stage_fields = _STAGES
    lookup_rate = Rate(count=100, seconds=60)
    lookup_pause = 60

    settings: TwentySettings

    def verify(self, delivery: Delivery, now: datetime) -> None:
        """Twenty signs only where the webhook has a secret. The nonce is not signed, so it proves nothing and is not asked for."""
        given = delivery.headers.get("x-twenty-webhook-signature", "").strip()
        if not given:
            raise Unverified(Refusal.MISSING, "no X-Twenty-Webhook-Signature header: give the webhook a secret in Twenty")
        timestamp = delivery.headers.get("x-twenty-webhook-timestamp", "").strip()
        if not is_time(timestamp, 14):
            raise Unverified(Refusal.MISSING, "no X-Twenty-Webhook-Timestamp header in milliseconds")
        expected = [_signature(secret, timestamp, delivery.body) for secret in self.require_secret()]
        if not any_equal(expected, given.lower()):
            raise Unverified(Refusal.WRONG_SIGNATURE, "the signature does not match")
        check_age(from_ms(int(timestamp)), now)

    def parse(self, delivery: Delivery) -> Sequence[Event | Unparsed]:
        body = read_json(delivery.body)
        if not isinstance(body, Mapping):
            raise Unreadable("Twenty sends a JSON object")
        notice = _notice(body)
        if notice is None:
            stable = {name: value for name, value in body.items() if name not in _PER_DISPATCH}
            return [Unparsed(fingerprint(stable), "a body without the name of an object or without the id of a record")]
        return [self._event(notice, delivery)]

    def sign(self, body: bytes, url: str, now: datetime) -> Signed:
        timestamp = str(to_ms(now))
        signature = _signature(self.require_secret()[0], timestamp, body)
        headers = {"X-Twenty-Webhook-Timestamp": timestamp, "X-Twenty-Webhook-Signature": signature}
        return Signed(body, url, {"Content-Type": "application/json", **headers})

    def look_up(self, event: Event, wanted: Iterable[str]) -> Lookup:
        """Person; opportunity → its point of contact. Each answer is the whole record, whatever fields are ``wanted``."""
        del wanted
        entity = event.entity
        if entity is None or entity.type not in _PATHS:
            return event
        person_id: str | None = entity.id
        if entity.type == "deal":
            deal = _found((yield self._get(entity)), entity)
            event, person_id = event.knowing(fields=deal), text(deal.get("pointOfContactId"))
        if person_id is None:  # an opportunity may be given its person later, which is an event of its own
            return with_people(event, [])
        who = Entity("contact", person_id)
        person = _found((yield self._get(who)), who)
        return with_people(event.knowing(fields=person if entity == who else None), [self._person(person, person_id)])

    def probe(self) -> HttpRequest | None:
        return self._read("people?limit=1&depth=0") if self.api_token else None

    def judge(self, response: HttpResponse) -> None:
        """A record that is gone was a 400 in older servers."""
        if not _is_gone(response):
            super().judge(response)

    def _event(self, notice: _Notice, delivery: Delivery) -> Event:
        contact = self._contact_of(notice)
        return Event(
            source=self.name,
            kind=self.kind,
            id=notice.id,
            type=notice.type,
            fact=keys.join(self.kind, notice.workspace or self.name, notice.entity.type, notice.entity.id, *notice.happening),
            received_at=delivery.received_at,
            occurred_at=notice.occurred_at,
            entity=notice.entity,
            refs=refs(notice.entity, contact),
            stage=notice.stage,
            contact=contact,
            fields={**notice.record, **({"updatedFields": notice.changed} if notice.changed is not None else {})},
            window=notice.window,
        )

    def _contact_of(self, notice: _Notice) -> Contact | None:
        """The person of a person event, phones and all; of an opportunity no more than the id, unless the person is nested in it."""
        if notice.entity.type == "contact":
            return self._person(notice.record, notice.entity.id)
        person = mapping(notice.record.get("pointOfContact")) if notice.entity.type == "deal" else {}
        person_id = (text(notice.record.get("pointOfContactId")) or text(person.get("id"))) if notice.entity.type == "deal" else None
        return self._person(person, person_id) if person_id else None

    def _person(self, person: Mapping[str, Any], person_id: str) -> Contact:
        """Names and e-mail are nested in what the server sends, and flat in what the documentation shows."""
        named = mapping(person.get("name")) or person
        email = first((mapping(person.get("emails")).get("primaryEmail"), person.get("email")))
        return self.contact(*_phones(person), id=person_id, name=joined(named.get("firstName"), named.get("lastName")), email=email)

    def _get(self, entity: Entity) -> HttpRequest:
        return self._read(f"{_PATHS[entity.type]}/{quote(entity.id, safe='')}?depth=0")

    def _read(self, what: str) -> HttpRequest:
        headers = {"Authorization": f"Bearer {self.api_token}", "Accept": "application/json"}
        return HttpRequest("GET", f"{self.settings.api_base}/rest/{what}", headers)


def _signature(secret: str, timestamp: str, body: bytes) -> str:
    return hmac_sha256(secret.encode(), timestamp.encode() + b":" + body).hex()


def _notice(body: Mapping[str, Any]) -> _Notice | None:
    record = mapping(body.get("record")) or mapping(body.get("data"))
    named = (text(body.get(name)) for name in _EVENT_NAMES)
    name = next((told for told in named if told and "*" not in told), None) or text(mapping(body.get("objectMetadata")).get("nameSingular"))
    object_name, record_id = (name or "").partition(".")[0], text(record.get("id"))
    if not name or not object_name or not record_id:
        return None
    changed = body.get("updatedFields")
    return _Notice(
        workspace=text(body.get("workspaceId")),
        name=name,
        entity=Entity(_ENTITIES.get(object_name, object_name), record_id),
        record=record,
        changed=changed if isinstance(changed, list) else None,
        sent_at=moment(body.get("eventDate")) or moment(body.get("timestamp")),
    )


def _phones(person: Mapping[str, Any]) -> list[str | None]:
    """The primary number first; older servers had one number in ``phone``."""
    phones = mapping(person.get("phones"))
    primary = _number(*(phones.get(f"primaryPhone{part}") for part in ("Number", "CallingCode", "CountryCode")))
    more = [_number(row.get("number"), row.get("callingCode"), row.get("countryCode")) for row in rows(phones.get("additionalPhones"))]
    return [primary, *more, text(person.get("phone"))]


def _number(told: object, calling_code: object, country: object) -> str | None:
    """E.164 where number, calling code and country agree on one, else the number as it is told."""
    number, prefix = text(told), (text(calling_code) or "").lstrip("+")
    if number is None:
        return None
    read = (to_e164(number, text(country)), to_e164(f"+{prefix} {number}") if prefix else None)
    return next((found for found in read if found and found.startswith(f"+{prefix}")), number)


def _is_gone(response: HttpResponse) -> bool:
    return response.status in {400, 404} and _GONE in response.body


def _found(response: HttpResponse, entity: Entity) -> Mapping[str, Any]:
    """The record of an answer. Only Twenty's own words mean that it is gone: a wrong ``api_base`` answers 404 as well."""
    if _is_gone(response):
        raise gone(entity.ref, "Twenty")
    record = mapping(mapping(answer(response).get("data")).get(_NAMES[entity.type]))
    if not record:
        raise LookupFailed(f"Twenty answered {response.status} without the record: check api_base")
    return record
