"""Odoo: the action *Send Webhook Notification* of an automation rule, for leads, opportunities and contacts.

Facts after Odoo's own code, odoo/addons/base/models/ir_actions.py (``_run_action_webhook``) and addons/crm/models/crm_lead.py, and
https://www.odoo.com/documentation/19.0/applications/studio/automated_actions.html and .../developer/reference/external_api.html.

Nothing is signed and no header can be set: the secret is in the URL. The body names no database either, so that each database
wants a source and a secret of its own.

A body is ``_model``, ``_id``, ``_action`` (``name(#number)``) and the fields that were ticked in the action. It does not say what happened.
The action's name does, where it is ``created``, ``updated``, ``stage_changed`` or ``deleted``, with or without the record before it
(``deal.stage_changed``); ``actions`` on the source says it of an action with another name, by number or by name. The number is
the better one: Odoo translates names. What neither tells is ``unknown``. Where a lead or opportunity is told as ``updated``, its
dates say more: Odoo stamps all that one transaction writes with one time, so that one whose ``create_date`` is its
``write_date`` was just created, and one whose ``date_last_stage_update`` is, just moved.

Event id: model, record, the action's number, what happened, and when: ``create_date``, ``date_last_stage_update`` or ``write_date``, as they were
ticked. A creation and a deletion need no time, as they happen once. Where no time was ticked a digest of the fields stands in, and
a minute later it is another event: Odoo never sends again, but an automation may run several times in one save. The action's
name is left out.

Fact: source, model, record, what happened (a stage is ``stage→<id>``) and when, whichever action told it. The model and not the type
is in it, because a lead that becomes an opportunity stays the same record; so both ``lead:<id>`` and ``deal:<id>`` are its refs.

A record of ``crm.lead`` is a deal where its ``type`` is ``opportunity``, or where the action says so, else a lead. ``stage.to`` is
the stage's id; Odoo does not tell the old one. A move without a stage in the body is ``….updated`` until a look-up brings the stage.
Relations are ids in ``fields``, though old versions may send ``[id, name]``; what is empty is ``false``, as Odoo has it.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from bridge import keys
from bridge.errors import LookupFailed, Unreadable
from bridge.model import Contact, Delivery, Entity, Event, HttpRequest, HttpResponse, Stage, Unparsed, iso
from bridge.sources.base import ApiBase, Lookup, Manual, Signed, Source, SourceSettings
from bridge.sources.bodies import read_json
from bridge.sources.values import document, fingerprint, gone, mapping, moment, refs, text, with_people

_LEAD, _PARTNER = "crm.lead", "res.partner"
_TYPES = {"lead": "lead", "opportunity": "deal"}
_MODELS = {"lead": _LEAD, "deal": _LEAD, "contact": _PARTNER}
_WORDS = frozenset({"created", "updated", "stage_changed", "deleted"})
_ONCE = frozenset({"created", "deleted"})
_WHEN = {"created": ("create_date", "write_date"), "stage_changed": ("date_last_stage_update", "write_date"), "deleted": ()}
_ACTION = re.compile(r"(.*)\(#([0-9]+)\)", re.DOTALL)
_PHONES = ("phone", "mobile", "phone_sanitized")
_PERSON = {_LEAD: {"id": "partner_id", "name": "contact_name", "email": "email_from"}}
_PERSON |= {_PARTNER: {"id": "id", "name": "name", "email": "email", "time_zone": "tz"}}
# What every version has. ``mobile`` went in version 19; the number in it is in phone_sanitized before that.
_ASKED = {
    _LEAD: ("type", "active", "stage_id", "date_last_stage_update", "partner_id", "contact_name", "email_from", "phone", "phone_sanitized"),
    _PARTNER: ("active", "name", "email", "tz", "phone", "phone_sanitized"),
}
_REFUSALS = ("AccessDenied", "AccessError")
_ONE_SAVE = timedelta(minutes=1)


class OdooSettings(SourceSettings):
    """``actions``: what actions mean that are not named after it. ``user_id`` is whose ``api_token`` it is: before version 19 Odoo asks."""

    actions: dict[str, str] = Field(default_factory=dict)
    api_base: ApiBase | None = None
    database: str | None = None
    user_id: str | None = None

    @field_validator("actions")
    @classmethod
    def _known_meanings(cls, value: dict[str, str]) -> dict[str, str]:
        for action, meaning in value.items():
            if not _meaning(meaning)[1]:
                raise ValueError(f"'{meaning}' for action {action} is none of {', '.join(sorted(_WORDS))}, or one of these as in deal.created")
        return value

    @model_validator(mode="after")
    def _user_of_a_database(self) -> Self:
        if self.user_id is not None and not (self.user_id.isdecimal() and self.database):
            raise ValueError("user_id is the number of a user, and goes together with database")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notice:
    """One body. ``action`` is the action's number, or its name where it has none; ``word`` what it means."""

    model: str
    record_id: str
    action: str | None
    kind: str
    word: str | None
    record: Mapping[str, Any]

    @property
    def stage(self) -> str | None:
        return text(self.record.get("stage_id")) if self.word == "stage_changed" and self.model == _LEAD else None

    @property
    def type(self) -> str:
        if self.kind not in _MODELS or self.word is None or (self.word == "stage_changed" and self.kind == "contact"):
            return "unknown"
        return f"{self.kind}.{'updated' if self.word == 'stage_changed' and not self.stage else self.word}"

    @property
    def at(self) -> datetime | None:
        times = (moment(self.record.get(name)) for name in _WHEN.get(self.word or "", ("write_date",)))
        return next((time for time in times if time), None)

    @property
    def happening(self) -> Sequence[str | None]:
        """What happened and when, in words that every action shares."""
        what = f"stage→{self.stage}" if self.stage else self.word
        return [what] if self.word in _ONCE else [what, self.mark]

    @property
    def mark(self) -> str | None:
        if self.at:
            return iso(self.at)
        return None if self.stage else fingerprint({name: value for name, value in self.record.items() if name != "_action"})

    @property
    def entities(self) -> Sequence[Entity]:
        """Its own record first; a lead and the opportunity that it becomes are one."""
        twins = [kind for kind, model in _MODELS.items() if model == self.model]
        return [Entity(kind, self.record_id) for kind in (self.kind, *twins)]


class Odoo(Source):
    """One Odoo database."""

    kind = "odoo"
    title = "Odoo"
    sends_again = False
    manual = Manual(
        where="an automation rule's action *Send Webhook Notification*, with `?token=…`",
        proof="the secret in the URL",
        secret="any; at the end of the URL as `?token=…`",  # noqa: S106 -- words about it
        api_token="a user's API key; not needed where the action sends phone and stage",  # noqa: S106 -- the same
    )
    settings_type = OdooSettings
    looked_up = frozenset(_MODELS)
    stage_fields = dict.fromkeys(_TYPES.values(), "stage_id")

    settings: OdooSettings

    def verify(self, delivery: Delivery, now: datetime) -> None:
        del now
        self.verify_shared_secret(delivery)

    def parse(self, delivery: Delivery) -> Sequence[Event | Unparsed]:
        notice = self._notice(read_json(delivery.body))
        contact = self._contact(notice.model, {**notice.record, "id": notice.record_id})
        event = Event(
            source=self.name,
            kind=self.kind,
            id=keys.join(notice.model, notice.record_id, notice.action, *notice.happening),
            type=notice.type,
            fact=self._fact(notice),
            received_at=delivery.received_at,
            occurred_at=notice.at,
            entity=Entity(notice.kind, notice.record_id),
            refs=refs(*notice.entities, contact),
            stage=Stage(after=notice.stage) if notice.stage else None,
            contact=contact,
            fields=notice.record,
            window=None if notice.at or notice.word in _ONCE else _ONE_SAVE,
        )
        return [event]

    def sign(self, body: bytes, url: str, now: datetime) -> Signed:
        del now
        return Signed(body, self.with_secret_in_url(url), {"Content-Type": "application/json"})

    def could_become(self, event: Event) -> Sequence[str]:
        return [f"{event.entity.type}.stage_changed"] if event.entity and self._is_move_without_stage(event) else []

    def can_look_up(self, event: Event) -> bool:
        has_number = event.entity is not None and event.entity.id.isdecimal()
        return super().can_look_up(event) and has_number and self.settings.api_base is not None

    def look_up(self, event: Event, wanted: Iterable[str]) -> Lookup:
        """The record, in one request. One more where rules want fields of their own: Odoo reads nothing when one of the names is wrong."""
        if event.entity is None or event.entity.type not in _MODELS:
            return event
        model, record_id = _MODELS[event.entity.type], event.entity.id
        names, more = _ASKED[model], [name for name in wanted if name not in _ASKED[model] and not name.startswith("_")]
        known: Any = event.fields
        if any(name not in known for name in more):
            known = _result((yield self._call(model, "fields_get", allfields=more, attributes=["type"])))
        names = (*names, *(name for name in more if name in mapping(known)))
        record = _found(_result((yield self._call(model, "read", [int(record_id)], fields=names, load=None))), event.entity)
        fresh, contact = event.knowing(fields=record), self._contact(model, {**record, "id": record_id})
        fresh = self._moved(fresh, event.entity) if self._is_move_without_stage(event) else fresh
        return with_people(fresh, [contact] if contact else [])

    def superseded(self, before: Event, fresh: Event) -> str | None:
        """A lead that was lost, and a contact nobody should write to any more, are archived and keep their stage and number."""
        if before.entity and fresh.fields.get("active") is False and before.fields.get("active") is not False:
            return f"{before.entity.ref} was archived in Odoo"
        return super().superseded(before, fresh)

    def probe(self) -> HttpRequest | None:
        asks = self.api_token and self.settings.api_base
        return self._call(_PARTNER, "fields_get", allfields=["phone"], attributes=["type"]) if asks else None

    def judge(self, response: HttpResponse) -> None:
        """JSON-RPC answers 200 to everything, and its errors in the body."""
        super().judge(response)
        error = mapping(document(response)).get("error") if self.settings.user_id else None
        if error is not None:
            name = text(mapping(mapping(error).get("data")).get("name")) or "an error without a name"
            raise LookupFailed(f"Odoo answered {name}", parked=name.endswith(_REFUSALS))

    def _notice(self, body: Any) -> _Notice:
        told = mapping(body)
        model, record_id = text(told.get("_model")), text(told.get("_id")) or text(told.get("id"))
        if not model or not record_id:
            raise Unreadable("Odoo sends a JSON object with _model and _id", "_id" if model else "_model")
        name, number = _action(told.get("_action"))
        told_kind, word = self._meaning(name, number)
        record = _record(told)
        kind = _kind(model, text(record.get("type")), told_kind)
        word = _by_dates(record) if word == "updated" and model == _LEAD else word
        return _Notice(model=model, record_id=record_id, action=number or name, kind=kind, word=word, record=record)

    def _meaning(self, name: str | None, number: str | None) -> tuple[str | None, str | None]:
        actions = self.settings.actions
        return _meaning(actions.get(number or "") or actions.get(name or "") or name or "")

    def _fact(self, notice: _Notice) -> str:
        which = [f"action {notice.action}"] if notice.word is None else []  # nobody knows whether two actions mean the same
        return keys.join(self.kind, self.name, notice.model, notice.record_id, *notice.happening, *which)

    def _is_move_without_stage(self, event: Event) -> bool:
        is_lead = event.entity is not None and _MODELS.get(event.entity.type) == _LEAD
        return is_lead and event.stage is None and self._meaning(*_action(event.fields.get("_action")))[1] == "stage_changed"

    def _moved(self, event: Event, entity: Entity) -> Event:
        """The event as it would have been read with its stage in the body."""
        notice = _Notice(model=_LEAD, record_id=entity.id, action=None, kind=entity.type, word="stage_changed", record=event.fields)
        if not notice.stage:
            return event
        window = None if notice.at else event.window
        return replace(event, type=notice.type, stage=Stage(after=notice.stage), fact=self._fact(notice), occurred_at=notice.at, window=window)

    def _contact(self, model: str, record: Mapping[str, Any]) -> Contact | None:
        told = {part: text(record.get(name)) for part, name in _PERSON.get(model, {}).items()}
        contact = self.contact(*(record.get(phone) for phone in _PHONES), **told)
        return contact if contact.document() else None

    def _call(self, model: str, method: str, ids: Sequence[int] = (), **arguments: Any) -> HttpRequest:
        """By the JSON-2 API of version 19 and later; by JSON-RPC, which ends with version 22, where a user is configured."""
        base, database, user = self.settings.api_base, self.settings.database, self.settings.user_id
        headers = {"Content-Type": "application/json"}
        if user:
            call = [database, int(user), self.api_token, model, method, [list(ids)] if ids else [], arguments]
            rpc = {"jsonrpc": "2.0", "method": "call", "params": {"service": "object", "method": "execute_kw", "args": call}, "id": 1}
            return HttpRequest("POST", f"{base}/jsonrpc", headers, json.dumps(rpc))
        headers |= {"Authorization": f"bearer {self.api_token}", **({"X-Odoo-Database": database} if database else {})}
        body = {"ids": ids, **arguments} if ids else arguments
        return HttpRequest("POST", f"{base}/json/2/{model}/{method}", headers, json.dumps(body))


def _action(told: object) -> tuple[str | None, str | None]:
    """The name and the number of ``Call new leads(#412)``."""
    written = text(told) or ""
    found = _ACTION.fullmatch(written)
    return (found[1].strip() or None, found[2]) if found else (written or None, None)


def _meaning(told: str) -> tuple[str | None, str | None]:
    """The record and the word of ``deal.created``, the word alone of ``created``; nothing of anything else."""
    kind, _, word = told.strip().lower().rpartition(".")
    return (kind or None, word) if word in _WORDS and (not kind or kind in _MODELS) else (None, None)


def _kind(model: str, its_type: str | None, told: str | None) -> str:
    """What a lead is says its ``type``; the action may, where that was not ticked."""
    if model != _LEAD:
        return "contact" if model == _PARTNER else model
    return _TYPES.get(its_type or "") or (told if told in _TYPES.values() else None) or "lead"


def _by_dates(record: Mapping[str, Any]) -> str:
    created, moved, written = (moment(record.get(name)) for name in ("create_date", "date_last_stage_update", "write_date"))
    if written is None:
        return "updated"
    return "created" if created == written else "stage_changed" if moved == written and text(record.get("stage_id")) else "updated"


def _record(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _related(value) for name, value in told.items() if name not in {"_model", "_id"}}


def _related(value: Any) -> Any:
    """``[4, "Won"]`` is 4: a list of other records has nothing but numbers in it."""
    is_pair = isinstance(value, list) and len(value) == 2 and isinstance(value[0], int) and isinstance(value[1], str)
    return value[0] if is_pair else value


def _result(response: HttpResponse) -> Any:
    """What the method returned. A wrong ``api_base`` or ``database`` answers 404; a record that is gone does not."""
    told = document(response)
    if response.status == 404:
        raise LookupFailed("Odoo answered 404: check api_base and database")
    return told.get("result") if isinstance(told, Mapping) and "jsonrpc" in told else told


def _found(rows: Any, entity: Entity) -> dict[str, Any]:
    """Odoo reads records that are gone as none at all; one that the user may not read is an error."""
    if rows == []:
        raise gone(entity.ref, "Odoo")
    if not isinstance(rows, list) or not isinstance(rows[0], Mapping):
        raise LookupFailed("the API's answer is no list of records")
    return _record(rows[0])
