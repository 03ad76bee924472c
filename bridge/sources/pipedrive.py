"""Pipedrive: webhooks v2 and v1 (one event a request) for leads, persons and deals.

Facts after https://pipedrive.readme.io/docs/guide-for-webhooks-v2, .../guide-for-webhooks and .../webhooks-v2-migration-guide.

Nothing is signed: the Basic user and password given when the webhook was made are all there is, and ``company_id`` on the
source, where it is set, must be that of the body.

Event id, v2: company, entity, entity id, action, ``meta.id``. ``meta.id`` counts only where it is a UUID and not the record's
own id, which some bodies repeat there; else ``meta.timestamp`` stands in. v1: company, event, object id, ``timestamp_micro``; its
``meta.id`` *is* the object's id. Left out: ``attempt`` and ``retry`` change on redelivery, ``webhook_id`` and ``correlation_id``
differ where a webhook was made twice. Where none of this is told a digest of the record stands in, for ten minutes.

Fact: company, entity, entity id, and what happened: ``created`` (once in a record's life, and v1 tells it by an update as well),
``stage→<id>`` at ``stage_change_time``, or ``updated`` at ``update_time``, to the second, which is all that v1 and v2 tell alike.
Two edits of one record in one second are one fact: both want the same call.

A deal's stage: a change is one only when ``previous`` has ``stage_id`` and it differs. Winning or losing a deal changes ``status``
and leaves ``stage_id`` alone; it is told as a ``deal.stage_changed`` to ``won`` or ``lost``, and reopening as one from there
back to the stage id. When both change at once the status is told, because it ends the deal; both are in ``fields``.

A merge is told twice, as the end of one record and as a change of the other. Both halves become ``….updated`` of the record that
lives on, with both ids as refs and one fact: a merge is no deletion, and must not stop the calls to the person who stays. What the
ended record looked like is told by neither half.

``fields`` is the record under Pipedrive's names; ``fields.previous`` holds the old values of what a change changed.
"""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr, field_validator

from bridge import keys
from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, HttpRequest, HttpResponse, Rate, Stage, Unparsed, iso
from bridge.signing import any_equal
from bridge.sources.base import ApiBase, Lookup, Manual, Signed, Source, SourceSettings
from bridge.sources.bodies import read_json
from bridge.sources.values import (
    answer_about,
    basic_credentials,
    fingerprint,
    first,
    gone,
    mapping,
    moment,
    refs,
    retry_after,
    seconds,
    text,
    with_people,
)

_ENTITIES = {"deal": "deal", "lead": "lead", "person": "contact"}
_ACTIONS_V2 = {"create": "created", "change": "updated", "delete": "deleted"}
_ACTIONS_V1 = {"added": "created", "updated": "updated", "deleted": "deleted", "merged": "updated"}
_ACTIONS = _ACTIONS_V2 | _ACTIONS_V1
_CLOSED = ("won", "lost")
_ONE_EDIT = timedelta(minutes=1)
_RETRIES = timedelta(minutes=10)  # the last is after three minutes and some
_RANKS = {"mobile": 0, "work": 1, "home": 2}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class PipedriveSettings(SourceSettings):
    """``secret`` is ``user:password`` of the webhook; ``api_token`` a user's API token."""

    company_id: str | None = None
    api_base: ApiBase = "https://api.pipedrive.com"

    @field_validator("secret")
    @classmethod
    def _user_and_password(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not all(":" in secret.get_secret_value() for secret in value):
            raise ValueError("Pipedrive's secret is `user:password`, as given to the webhook under HTTP Auth")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notice:
    """What v1 and v2 both say, in our words. ``changed`` has the old values of what a change changed.

    ``absorbed`` is the record that a merge put into this one.
    """

    company: str | None
    entity: str
    entity_id: str | None
    action: str
    id: str
    record: Mapping[str, Any]
    changed: Mapping[str, Any]
    happened_at: datetime | None
    absorbed: str | None
    window: timedelta | None = None

    @property
    def edited_at(self) -> datetime | None:
        """``update_time``, which v1 and v2 tell alike, unless it is of an edit before: not everything that is told moves it."""
        written = moment(self.record.get("update_time")) if self.action == "updated" else None
        at_hand = written and (self.happened_at is None or abs(self.happened_at - written) < _ONE_EDIT)
        return written if at_hand else self.happened_at

    @property
    def is_birth(self) -> bool:
        added_at = moment(self.record.get("add_time"))
        return self.action == "created" or (self.action == "updated" and added_at is not None and added_at == self.edited_at)


class Pipedrive(Source):
    """One Pipedrive company."""

    kind = "pipedrive"
    title = "Pipedrive"
    manual = Manual(
        where="Tools → Webhooks, v2 or v1, with HTTP Auth",
        proof="Basic, and the company's id where it is configured",
        secret="`user:password` as entered there",  # noqa: S106 -- words about it
        api_token="a user's API token",  # noqa: S106 -- the same
    )
    settings_type = PipedriveSettings
    looked_up = frozenset(_ENTITIES.values())
    lookup_rate = Rate(count=20, seconds=2)  # the burst of one API token on the smallest plan

    settings: PipedriveSettings

    def verify(self, delivery: Delivery, now: datetime) -> None:
        del now
        given = basic_credentials(delivery.headers.get("authorization"))
        if given is None:
            raise Unverified(Refusal.MISSING, "no Basic Authorization header: set HTTP Auth username and password on the webhook")
        if not any_equal(self.require_secret(), given):
            raise Unverified(Refusal.WRONG_SECRET, "the user or password of the webhook is not the configured one")
        self.verify_account("company_id", self.settings.company_id, lambda: [_company(delivery.body)])

    def parse(self, delivery: Delivery) -> Sequence[Event | Unparsed]:
        body = read_json(delivery.body)
        meta = body.get("meta") if isinstance(body, Mapping) else None
        if not isinstance(meta, Mapping):
            raise Unreadable("Pipedrive sends a JSON object with meta", "meta")
        notice = _v1(body, meta) if "current" in body or text(body.get("event")) else _v2(body, meta)
        return [self._event(notice, delivery)]

    def sign(self, body: bytes, url: str, now: datetime) -> Signed:
        del now
        credentials = base64.b64encode(self.require_secret()[0].encode()).decode()
        return Signed(body, url, {"Content-Type": "application/json", "Authorization": f"Basic {credentials}"})

    def can_look_up(self, event: Event) -> bool:
        """Of a lead its person, where one is told: a lead itself is told whole."""
        is_lead = event.entity is not None and event.entity.type == "lead"
        return super().can_look_up(event) and (not is_lead or bool(event.contact and event.contact.id))

    def look_up(self, event: Event, wanted: Iterable[str]) -> Lookup:
        """Person; deal → its person; a lead's person is in the payload. One token each, whatever fields are ``wanted``."""
        del wanted
        kind, record_id = (event.entity.type, event.entity.id) if event.entity else ("", "")
        person_id = event.contact.id if event.contact else None
        if kind == "deal":
            deal = _found((yield self._get("deals", record_id)), f"deal:{record_id}")
            event, person_id = event.knowing(fields=deal), _person_id(deal)
        elif kind == "contact":
            person_id = record_id
        if person_id is None:  # a deal may be given its person later, which is an event of its own
            return with_people(event, [])
        person = _found((yield self._get("persons", person_id)), f"contact:{person_id}")
        return with_people(event.knowing(fields=person if kind == "contact" else None), [self._person(person, person_id)])

    def stage_now(self, before: Event, fresh: Event) -> str | None:
        """Winning, losing or reopening it moves a deal as well, where that happened after what the event told."""
        told_of_its_end = before.stage is not None and before.stage.after in _CLOSED
        return _place(fresh.fields, closing=told_of_its_end or fresh.fields.get("status") != before.fields.get("status"))

    def probe(self) -> HttpRequest | None:
        return self._read("persons?limit=1") if self.api_token else None

    def judge(self, response: HttpResponse) -> None:
        """429 says in ``x-ratelimit-reset`` when it ends. Who goes on regardless gets Cloudflare's page as a 403: no bad token."""
        if response.status == 429:
            wait = seconds(response.headers.get("x-ratelimit-reset")) or retry_after(response)
            raise LookupFailed("Pipedrive answered 429: too many requests", retry_after=wait or self.lookup_rate.seconds)
        if response.status == 403 and response.body.lstrip().startswith("<"):
            raise LookupFailed("Pipedrive's front door (Cloudflare) answered 403: too many requests", retry_after=60)
        super().judge(response)

    def _event(self, notice: _Notice, delivery: Delivery) -> Event:
        entity = Entity(notice.entity, notice.entity_id) if notice.entity and notice.entity_id else None
        absorbed = Entity(notice.entity, notice.absorbed) if notice.entity and notice.absorbed else None
        contact, stage = self._contact_of(notice), _stage(notice)
        return Event(
            source=self.name,
            kind=self.kind,
            id=notice.id,
            type=_type(notice, stage),
            fact=keys.join(self.kind, notice.company, notice.entity, notice.entity_id, *_happening(notice, stage)),
            received_at=delivery.received_at,
            occurred_at=notice.happened_at,
            entity=entity,
            refs=refs(entity, absorbed, contact),
            stage=stage,
            contact=contact,
            fields={**notice.record, **({"previous": notice.changed} if notice.changed else {})},
            window=notice.window,
            absorbed=refs(absorbed),
        )

    def _contact_of(self, notice: _Notice) -> Contact | None:
        """The person of a person event, phones and all; of a deal or lead no more than the id and, in v1, the name."""
        if notice.entity == "contact":
            person = self._person(notice.record, notice.entity_id)
            return person if person.document() else None
        person_id = _person_id(notice.record)
        return Contact(id=person_id, name=text(notice.record.get("person_name"))) if person_id else None

    def _person(self, person: Mapping[str, Any], person_id: str | None) -> Contact:
        email = first(_values(person, "emails", "email"))
        return self.contact(*_values(person, "phones", "phone"), id=person_id, name=text(person.get("name")), email=email)

    def _get(self, records: str, record_id: str) -> HttpRequest:
        return self._read(f"{records}/{quote(record_id, safe='')}")

    def _read(self, what: str) -> HttpRequest:
        return HttpRequest("GET", f"{self.settings.api_base}/api/v2/{what}", {"x-api-token": self.api_token, "Accept": "application/json"})


def _company(body: bytes) -> str | None:
    return text(mapping(mapping(read_json(body)).get("meta")).get("company_id"))


def _v2(body: Mapping[str, Any], meta: Mapping[str, Any]) -> _Notice:
    data, previous = mapping(body.get("data")), mapping(body.get("previous"))
    record, changed = (data, previous) if data else (previous, {})
    entity_id, told = text(meta.get("entity_id")) or text(record.get("id")), text(meta.get("id")) or ""
    mark = told if _UUID.fullmatch(told) and told != entity_id else text(meta.get("timestamp"))
    what = (text(meta.get("entity")), entity_id, text(meta.get("action")))
    identity = keys.join(text(meta.get("company_id")), *what, mark or fingerprint([data, previous]))
    notice = _notice(meta, what, identity, record=record, changed=changed)
    return notice if mark or notice.is_birth else replace(notice, window=_RETRIES)


def _v1(body: Mapping[str, Any], meta: Mapping[str, Any]) -> _Notice:
    current, previous = mapping(body.get("current")), mapping(body.get("previous"))
    record = current or previous
    changed = {name: old for name, old in previous.items() if current.get(name) != old} if current else {}
    action, _, entity = (text(body.get("event")) or f"{text(meta.get('action'))}.{text(meta.get('object'))}").partition(".")
    entity_id = text(meta.get("id")) or text(record.get("id"))
    mark = text(meta.get("timestamp_micro")) or text(meta.get("timestamp"))
    identity = keys.join(text(meta.get("company_id")), f"{action}.{entity}", entity_id, mark or fingerprint([current, previous]))
    notice = _notice(meta, (entity, entity_id, action), identity, record=record, changed=changed)
    return notice if mark or notice.is_birth else replace(notice, window=_RETRIES)


def _notice(
    meta: Mapping[str, Any], what: tuple[str | None, ...], identity: str, *, record: Mapping[str, Any], changed: Mapping[str, Any]
) -> _Notice:
    entity, entity_id, action = what
    merged_to, merged_from = text(meta.get("merged_to_id")), text(meta.get("merged_from_id"))
    thrown_away = "status" in changed and record.get("status") == "deleted"  # a deal's end may be told as a change
    return _Notice(
        company=text(meta.get("company_id")),
        entity=_ENTITIES.get(entity or "", entity or ""),
        entity_id=merged_to or entity_id,
        action="updated" if merged_to else "deleted" if thrown_away else _ACTIONS.get(action or "", ""),
        id=identity,
        record={} if merged_to else record,  # as it was, which is not what the one that lives on looks like
        changed=changed,
        happened_at=moment(meta.get("timestamp_micro") or meta.get("timestamp")),
        absorbed=entity_id if merged_to else merged_from,
    )


def _type(notice: _Notice, stage: Stage | None) -> str:
    if notice.entity not in _ENTITIES.values() or not notice.action:
        return "unknown"
    return f"{notice.entity}.{'stage_changed' if stage else notice.action}"


def _stage(notice: _Notice) -> Stage | None:
    """The move a change of a deal makes: in status where that changed, else in the pipeline; None when there is none."""
    if (notice.entity, notice.action) != ("deal", "updated"):
        return None
    now, before = notice.record, {**notice.record, **notice.changed}
    closing = now.get("status") != before.get("status")
    after, old = (_place(deal, closing=closing) for deal in (now, before))
    return Stage(after=after, before=old) if after and after != old else None


def _place(deal: Mapping[str, Any], *, closing: bool) -> str | None:
    return text(deal["status"] if closing and deal.get("status") in _CLOSED else deal.get("stage_id"))


def _happening(notice: _Notice, stage: Stage | None) -> list[str]:
    """What happened to the record, and when, as two webhooks about one edit both tell it."""
    if notice.absorbed:
        return [f"absorbed {notice.absorbed}"]
    if stage:
        time_field = {"won": "won_time", "lost": "lost_time"}.get(stage.after or "", "stage_change_time" if "stage_id" in notice.changed else "")
        return [f"stage→{stage.after}", _second(moment(notice.record.get(time_field)) or notice.edited_at, notice)]
    return ["created"] if notice.is_birth else [notice.action, _second(notice.edited_at, notice)]


def _second(at: datetime | None, notice: _Notice) -> str:
    return iso(at.replace(microsecond=0)) if at else notice.id


def _found(response: HttpResponse, ref: str) -> Mapping[str, Any]:
    """The record of an answer. A deleted one may still be answered for a while, marked."""
    record = mapping(answer_about(response, ref, "Pipedrive").get("data"))
    if not record or record.get("is_deleted") is True or record.get("status") == "deleted":
        raise gone(ref, "Pipedrive")
    return record


def _person_id(record: Mapping[str, Any]) -> str | None:
    """v1's API wraps the id in an object; webhooks and v2 do not."""
    person = record.get("person_id")
    return text(person.get("value") if isinstance(person, Mapping) else person)


def _values(person: Mapping[str, Any], name: str, name_in_v1: str) -> list[object]:
    """The values of ``[{value, label, primary}]``, best first; v1 writes no number as one row with a blank value."""
    told = person.get(name, person.get(name_in_v1))
    rows = [row if isinstance(row, Mapping) else {"value": row} for row in (told if isinstance(told, list) else [told])]
    return [row.get("value") for row in sorted(rows, key=lambda row: (row.get("primary") is not True, _RANKS.get(str(row.get("label")).lower(), 3)))]
