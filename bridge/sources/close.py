"""Close: webhooks of its event log (one signed event a request) for leads, contacts and opportunities, which are deals.

Facts after https://developer.close.com/api/resources/webhooks, .../api/resources/events and .../events/list-of-event-types.

Event id: the organization and ``event.id``, the same in every retry and in every subscription. Left out: ``subscription_id``, which
differs where a subscription was made twice, and ``date_updated``, which moves: Close folds what happens to one record within a short
time into one event, and sends that when the time is over. It is told as having happened at ``date_updated``, when the last of it did.

Fact: the organization, the record and what happened to it: ``created`` and ``deleted``, each once in a record's life, else ``stage→<status id>``
or ``updated`` with the event's id, because Close writes down one change as one event. ``activity.….status_change`` tells a move once
more; like every other object type it is ``unknown``.

A stage is the status of an opportunity or of a lead, told by its id; its label and type (``active``, ``won``, ``lost``) are in ``fields``.

A merge of two leads is told by an event of its own, by changes of the lead that lives on, and by deletions of the other one and of
what hung on it. All of these are one fact, an ``….updated`` of the lead that lives on, with both leads as refs: the person is still
there, and no call to them must be stopped. What the ended record looked like is not told.

``object_id`` is believed where ``data.id`` is another one, as in the vendor's own example. Numbers are E.164 in Close already; a fax is none
to call. ``fields`` is the record, and of a change ``changed_fields`` and ``previous_data``, all under Close's names.
"""

import base64
import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr, field_validator

from bridge import keys
from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, HttpRequest, HttpResponse, Rate, Stage, Unparsed, unique
from bridge.signing import TOLERANCE, any_equal, check_age, hmac_sha256, is_time
from bridge.sources.base import ApiBase, Lookup, Manual, Signed, Source, SourceSettings
from bridge.sources.bodies import read_json
from bridge.sources.values import answer_about, first, mapping, moment, refs, retry_after, rows, text, with_people

_ENTITIES = {"lead": "lead", "contact": "contact", "opportunity": "deal"}
_PATHS = {entity: name for name, entity in _ENTITIES.items()}
_ACTIONS = {"created": "created", "updated": "updated", "deleted": "deleted", "merged": "updated"}
_ONCE = ("created", "deleted")
_STAGED = ("lead", "deal")
_RETRIES = timedelta(hours=72)
_RESET = re.compile(r"\breset=([0-9]{1,6}(?:\.[0-9]{1,6})?)")
_KEY = re.compile(r"([0-9a-f]{2})+", re.IGNORECASE)


class CloseSettings(SourceSettings):
    """``secret`` is the subscription's ``signature_key``; ``api_token`` an API key."""

    api_base: ApiBase = "https://api.close.com"
    allow_old: bool = False

    @field_validator("secret")
    @classmethod
    def _is_key(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not all(_KEY.fullmatch(secret.get_secret_value().strip()) for secret in value):
            raise ValueError("Close's secret is the `signature_key` of the webhook subscription, in hexadecimal")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notice:
    """What an event says, in our words. ``absorbed`` is the lead that a merge ended, ``ended`` what else it did away with."""

    organization: str | None
    id: str
    entity: Entity
    action: str
    record: Mapping[str, Any]
    changes: Mapping[str, Any]
    happened_at: datetime | None
    lead_id: str | None
    absorbed: str | None
    ended: Entity

    @property
    def stage(self) -> Stage | None:
        """The move that a change makes; None where the status is what it was."""
        previous = mapping(self.changes.get("previous_data"))
        if self.entity.type not in _STAGED or "status_id" not in previous:
            return None
        stage = Stage(after=text(self.record.get("status_id")), before=text(previous["status_id"]))
        return stage if stage.after and stage.after != stage.before else None

    @property
    def type(self) -> str:
        if self.entity.type not in _PATHS or not self.action:
            return "unknown"
        return f"{self.entity.type}.{'stage_changed' if self.stage else self.action}"

    @property
    def happening(self) -> Sequence[str]:
        if self.stage:
            return (f"stage→{self.stage.after}", self.id)
        if self.absorbed:
            return (f"absorbed {self.absorbed}",)
        return (self.action,) if self.action in _ONCE else (self.action, self.id)


class Close(Source):
    """One Close organization."""

    kind = "close"
    title = "Close"
    manual = Manual(
        where="a webhook subscription, made by the API",
        proof="HMAC-SHA256 of a time and the body",
        secret="the subscription's `signature_key`",  # noqa: S106 -- words about it
        api_token="an API key",  # noqa: S106 -- the same
    )
    settings_type = CloseSettings
    looked_up = frozenset(_PATHS)
    stage_fields = dict.fromkeys(_STAGED, "status_id")
    lookup_rate = Rate(count=10, seconds=1)  # half of what the vendor gives as an example for one key; groups of endpoints differ

    settings: CloseSettings

    def verify(self, delivery: Delivery, now: datetime) -> None:
        """The key is what the hexadecimal stands for. Whether Close signs a retry anew is written nowhere: see ``allow_old``."""
        given, timestamp = (delivery.headers.get(f"close-sig-{name}", "").strip() for name in ("hash", "timestamp"))
        if not given or not is_time(timestamp, 11):
            raise Unverified(Refusal.MISSING, "no close-sig-hash header, or no close-sig-timestamp in seconds")
        if not any_equal([self._signature(secret, timestamp, delivery.body) for secret in self.require_secret()], given.lower()):
            raise Unverified(Refusal.WRONG_SIGNATURE, "close-sig-hash does not match")
        check_age(datetime.fromtimestamp(int(timestamp), UTC), now, _RETRIES + TOLERANCE if self.settings.allow_old else TOLERANCE)

    def parse(self, delivery: Delivery) -> Sequence[Event | Unparsed]:
        notice = _notice(mapping(mapping(read_json(delivery.body)).get("event")))
        if notice is None:
            raise Unreadable("Close sends a JSON object with an event that has id, action, object_type and object_id", "event")
        event = Event(
            source=self.name,
            kind=self.kind,
            id=keys.join(notice.organization, notice.id),
            type=notice.type,
            fact=keys.join(self.kind, notice.organization, notice.entity.type, notice.entity.id, *notice.happening),
            received_at=delivery.received_at,
            occurred_at=notice.happened_at,
            entity=notice.entity,
            refs=_refs(notice),
            stage=notice.stage,
            fields={**notice.record, **notice.changes},
        )
        if notice.entity.type == "lead":
            return [with_people(event, self._people(notice.record))]
        contact = self._contact_of(notice)
        return [event.knowing(contact=contact, refs=refs(contact))]

    def sign(self, body: bytes, url: str, now: datetime) -> Signed:
        timestamp = str(int(now.timestamp()))
        signature = self._signature(self.require_secret()[0], timestamp, body)
        return Signed(body, url, {"Content-Type": "application/json", "close-sig-hash": signature, "close-sig-timestamp": timestamp})

    def look_up(self, event: Event, wanted: Iterable[str]) -> Lookup:
        """Contact; lead, which has its contacts in it; opportunity → its contact, or its lead where it has none."""
        del wanted
        if event.entity is None or event.entity.type not in _PATHS:
            return event
        record = yield from self._read(event.entity)
        if event.entity.type == "deal":
            people = yield from self._people_of(record)
        else:
            people = self._people(record) if event.entity.type == "lead" else [self._person(record, event.entity.id)]
        return with_people(event.knowing(fields=record), people)

    def probe(self) -> HttpRequest | None:
        return self._get("lead/?_limit=1&_fields=id") if self.api_token else None

    def judge(self, response: HttpResponse) -> None:
        """429 says when it ends in ``RateLimit``, to the part of a second, and rounded up in ``retry-after``."""
        if response.status == 429:
            told = _RESET.search(response.headers.get("ratelimit", ""))
            wait = float(told[1]) if told else retry_after(response)
            raise LookupFailed("Close answered 429: too many requests", retry_after=wait)
        super().judge(response)

    @staticmethod
    def _signature(secret: str, timestamp: str, body: bytes) -> str:
        return hmac_sha256(bytes.fromhex(secret), timestamp.encode() + body).hex()

    def _contact_of(self, notice: _Notice) -> Contact | None:
        """The contact of a contact's event; of an opportunity no more than id and name."""
        if notice.entity.type == "contact":
            return self._person(notice.record, notice.entity.id)
        told = Contact(id=text(notice.record.get("contact_id")), name=text(notice.record.get("contact_name")))
        return told if notice.entity.type == "deal" and told.document() else None

    def _people(self, lead: Mapping[str, Any]) -> list[Contact]:
        return [self._person(person, contact_id) for person in rows(lead.get("contacts")) if (contact_id := text(person.get("id")))]

    def _person(self, person: Mapping[str, Any], contact_id: str) -> Contact:
        numbers = [row.get("phone") for row in rows(person.get("phones")) if row.get("type") != "fax"]
        name, email = first((person.get("name"), person.get("display_name"))), first(row.get("email") for row in rows(person.get("emails")))
        return self.contact(*numbers, id=contact_id, name=name, email=email)

    def _people_of(self, deal: Mapping[str, Any]) -> Generator[HttpRequest, HttpResponse, list[Contact]]:
        contact_id, lead_id = text(deal.get("contact_id")), text(deal.get("lead_id"))
        if contact_id:
            return [self._person((yield from self._read(Entity("contact", contact_id))), contact_id)]
        return self._people((yield from self._read(Entity("lead", lead_id)))) if lead_id else []

    def _read(self, entity: Entity) -> Generator[HttpRequest, HttpResponse, Mapping[str, Any]]:
        response = yield self._get(f"{_PATHS[entity.type]}/{quote(entity.id, safe='')}/")
        return answer_about(response, entity.ref, self.title)

    def _get(self, what: str) -> HttpRequest:
        credentials = base64.b64encode(f"{self.api_token}:".encode()).decode()
        return HttpRequest("GET", f"{self.settings.api_base}/api/v1/{what}", {"Authorization": f"Basic {credentials}", "Accept": "application/json"})


def _notice(told: Mapping[str, Any]) -> _Notice | None:
    event_id, object_type, object_id, action = (text(told.get(name)) for name in ("id", "object_type", "object_id", "action"))
    if not event_id or not object_type or not object_id or not action:
        return None
    entity = Entity(_ENTITIES.get(object_type, object_type), object_id)
    record, merged_to, absorbed = _record(told), *_merge(told, entity, action)
    subject = Entity("lead", merged_to) if merged_to else entity
    return _Notice(
        organization=text(told.get("organization_id")),
        id=event_id,
        entity=subject,
        action="updated" if merged_to else _ACTIONS.get(action, ""),
        record=record if subject == entity else {},
        changes=_changes(told) if action == "updated" and subject == entity else {},
        happened_at=moment(told.get("date_updated") or told.get("date_created")),
        lead_id=text(told.get("lead_id")) or text(record.get("lead_id")),
        absorbed=absorbed,
        ended=entity,
    )


def _record(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record as it is; what was deleted is told as it was."""
    return mapping(told.get("data")) or (mapping(told.get("previous_data")) if told.get("action") == "deleted" else {})


def _merge(told: Mapping[str, Any], entity: Entity, action: str) -> tuple[str | None, str | None]:
    """The lead that lives on and the one that ended, where this event is no more than a part of their merge."""
    meta = mapping(told.get("meta"))
    lives_on, ended = text(meta.get("merge_destination_lead_id")), text(meta.get("merge_source_lead_id"))
    tells_it = entity.type == "lead" or (action == "deleted" and entity.type in _PATHS)
    return (lives_on, ended) if lives_on and ended and tells_it else (None, None)


def _changes(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: told[name] for name in ("changed_fields", "previous_data") if told.get(name)}


def _refs(notice: _Notice) -> tuple[str, ...]:
    person = text(notice.record.get("contact_id")) if notice.entity.type == "deal" else None
    tied = [("lead", notice.absorbed), ("lead", notice.lead_id), ("contact", person)]
    return unique([notice.entity.ref, notice.ended.ref, *(f"{record}:{record_id}" for record, record_id in tied if record_id)])
