"""ActiveCampaign: webhooks (a form, one event a request) for contacts and deals.

Facts after https://developers.activecampaign.com/page/webhooks, and captured requests where that page leaves the form open.

Nothing is signed, and no body names the account: the secret in the URL is all the proof there is.

Event id: ``type``, record id, ``date_time`` in UTC, and a digest of what else tells two events of one second apart (``list``, ``tag``, the
deal's stage, and ``updated_fields``, whose order means nothing). Nothing in it changes: a webhook that failed is never sent again, and one that
was sent twice says the same. Without ``date_time`` a digest of the whole body stands in, for an hour.

Fact: source, record, and what happened: ``created`` (once in its life), or the type, its tag, and ``date_time``, which is to the second. A
``subscribe`` is the creation of a contact, and of a contact that joins a further list it is the same fact again; ``list`` is in ``fields``.

A stage: ``deal_update`` lists ``stage`` among ``updated_fields`` after edits of a title too, so that the list proves no move. Such an event
is a ``deal.updated`` which a look-up may find to be a move: the deal's own log has the old stage, the new one and the time, and
those make the fact. Without ``api_token`` and ``api_base`` no deal ever changes its stage. Won and lost are no stages but ``fields.status``.

A tag that was added or removed, and the end of a subscription, are a ``contact.updated`` with their ``type``, ``tag`` and ``list`` in ``fields``.
There is no webhook for a deletion. ``fields`` is the record and what stands beside it in the form, under ActiveCampaign's names.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from bridge import keys
from bridge.errors import LookupFailed, Unreadable
from bridge.model import Contact, Delivery, Entity, Event, HttpRequest, HttpResponse, Rate, Stage, Unparsed, iso, present
from bridge.sources.base import ApiBase, Lookup, Manual, Signed, Source, SourceSettings
from bridge.sources.bodies import FORM, read_fields
from bridge.sources.values import answer, fingerprint, gone, joined, listed, mapping, moment, refs, rows, text, with_people

_TYPES = {
    "subscribe": "contact.created",
    "update": "contact.updated",
    "contact_tag_added": "contact.updated",
    "contact_tag_removed": "contact.updated",
    "unsubscribe": "contact.updated",
    "sms_unsub": "contact.updated",
    "deal_add": "deal.created",
    "deal_update": "deal.updated",
}
_RECORDS = ("deal", "contact")
_PATHS = {"deal": "deals", "contact": "contacts"}
_STAGE_MOVES = frozenset({"d_stageid", "stageid", "stage"})
_ONE_EDIT = timedelta(minutes=5)
_WITHOUT_A_TIME = timedelta(hours=1)
_STAGES = {"deal": "stage"}  # as the API calls it
_GONE = "No Result found"


class ActiveCampaignSettings(SourceSettings):
    """``secret`` is what the webhook's URL ends in; ``api_base`` and ``api_token`` are URL and key under Settings → Developer."""

    api_base: ApiBase | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notice:
    """One form, in our words. ``record`` is the deal's or contact's own block of it."""

    told: Mapping[str, Any]
    name: str
    entity: Entity
    record: Mapping[str, Any]

    @property
    def type(self) -> str:
        return _TYPES.get(self.name, "unknown")

    @property
    def occurred_at(self) -> datetime | None:
        return moment(self.told.get("date_time"))

    @property
    def particulars(self) -> Mapping[str, Any]:
        changed = sorted(_updated_fields(self.told)) or None
        told = {"list": self.told.get("list"), "tag": self.told.get("tag"), "stage": self.record.get("stageid"), "changed": changed}
        return present(told) if self.occurred_at else self.told

    @property
    def id(self) -> str:
        return keys.join(self.name, self.entity.id, iso(self.occurred_at) if self.occurred_at else None, fingerprint(self.particulars))

    @property
    def happening(self) -> Sequence[str | None]:
        if self.type.endswith(".created"):
            return ("created",)
        when = iso(self.occurred_at) if self.occurred_at else fingerprint(self.told)
        return (self.name, text(self.told.get("tag")), when)

    @property
    def window(self) -> timedelta | None:
        return None if self.occurred_at or self.type.endswith(".created") else _WITHOUT_A_TIME


class ActiveCampaign(Source):
    """One ActiveCampaign account."""

    kind = "activecampaign"
    title = "ActiveCampaign"
    sends_again = False
    manual = Manual(
        where="Settings → Developer → Manage Webhooks",
        proof="the secret in the URL",
        secret="any; entered as `?token=…` at the end of the URL",  # noqa: S106 -- words about it
        api_token="the API key of a user",  # noqa: S106 -- the same
    )
    settings_type = ActiveCampaignSettings
    looked_up = frozenset(_PATHS)
    stage_fields = _STAGES
    lookup_rate = Rate(count=5, seconds=1)  # of the account, whatever else asks

    settings: ActiveCampaignSettings

    def verify(self, delivery: Delivery, now: datetime) -> None:
        del now
        self.verify_shared_secret(delivery)

    def parse(self, delivery: Delivery) -> Sequence[Event | Unparsed]:
        told = mapping(read_fields(delivery.body))
        name = text(told.get("type"))
        if name is None:
            raise Unreadable("ActiveCampaign sends a form with type", "type")
        blocks = {kind: mapping(told.get(kind)) for kind in _RECORDS}
        kind = next((kind for kind in _RECORDS if text(blocks[kind].get("id"))), None)
        if kind is None:
            return [Unparsed(fingerprint(told), f"{name} without the id of a contact or deal")]
        entity = Entity(kind, text(blocks[kind].get("id")) or "")
        return [self._event(_Notice(told=told, name=name, entity=entity, record=blocks[kind]), blocks["contact"], delivery)]

    def sign(self, body: bytes, url: str, now: datetime) -> Signed:
        del now
        return Signed(body, self.with_secret_in_url(url), {"Content-Type": FORM})

    def could_become(self, event: Event) -> Sequence[str]:
        return ("deal.stage_changed",) if event.type == "deal.updated" and "stage" in _updated_fields(event.fields) else ()

    def can_look_up(self, event: Event) -> bool:
        return super().can_look_up(event) and self.settings.api_base is not None

    def look_up(self, event: Event, wanted: Iterable[str]) -> Lookup:
        """Contact; deal → its log, where that may tell a move, and its contact. Whole records, whatever fields are ``wanted``."""
        del wanted
        if event.entity is None or event.entity.type not in _PATHS:
            return event
        who = event.entity
        record = _found((yield self._get(who)), who)
        if who.type == "deal":
            if self.could_become(event):
                event = self._moved(event, answer((yield self._get(who, "/dealActivities?limit=100"))))
            event, contact_id = event.knowing(fields=record), text(record.get("contact"))
            if contact_id is None:
                return with_people(event, [])
            who = Entity("contact", contact_id)
            record = _found((yield self._get(who)), who)
        return with_people(event.knowing(fields=record if who == event.entity else None), [self._person(record, who.id)])

    def probe(self) -> HttpRequest | None:
        return self._ask("contacts?limit=1") if self.api_token and self.settings.api_base else None

    def _event(self, notice: _Notice, person: Mapping[str, Any], delivery: Delivery) -> Event:
        contact_id = text(person.get("id")) or text(notice.record.get("contactid"))
        contact = self._person(person, contact_id) if contact_id else None
        return Event(
            source=self.name,
            kind=self.kind,
            id=notice.id,
            type=notice.type,
            fact=self._fact(notice.entity, *notice.happening),
            received_at=delivery.received_at,
            occurred_at=notice.occurred_at,
            entity=notice.entity,
            refs=refs(notice.entity, contact),
            contact=contact,
            fields={**{name: value for name, value in notice.told.items() if name not in _RECORDS}, **notice.record},
            window=notice.window,
        )

    def _fact(self, entity: Entity, *happening: str | None) -> str:
        """No body names the account, so the source's name stands for it."""
        return keys.join(self.kind, self.name, entity.type, entity.id, *happening)

    def _person(self, person: Mapping[str, Any], person_id: str) -> Contact:
        """Webhooks and the API spell it differently."""
        name = joined(person.get("first_name") or person.get("firstName"), person.get("last_name") or person.get("lastName"))
        return self.contact(person.get("phone"), id=person_id, name=name, email=text(person.get("email")))

    def _moved(self, event: Event, log: Mapping[str, Any]) -> Event:
        """The event as a change of stage, where the deal's log has a move to the stage it told, at the time it told."""
        told, moves = text(event.fields.get("stageid")), _moves(log)
        times = [at for at, stage in moves.items() if stage.after == told and abs(at - event.happened_at) <= _ONE_EDIT]
        if not times or told is None or event.entity is None:
            return event
        moved_at = max(times)
        fact = self._fact(event.entity, f"stage→{told}", iso(moved_at))
        return replace(event, type="deal.stage_changed", stage=moves[moved_at], fact=fact, occurred_at=moved_at, window=None)

    def _get(self, entity: Entity, more: str = "") -> HttpRequest:
        return self._ask(f"{_PATHS[entity.type]}/{quote(entity.id, safe='')}{more}")

    def _ask(self, what: str) -> HttpRequest:
        return HttpRequest("GET", f"{self.settings.api_base}/api/3/{what}", {"Api-Token": self.api_token, "Accept": "application/json"})


def _updated_fields(told: Mapping[str, Any]) -> list[str]:
    """A list, or an object where its numbers have gaps."""
    values = told.get("updated_fields")
    return [name for each in listed(values) or mapping(values).values() if (name := text(each))]


def _moves(log: Mapping[str, Any]) -> dict[datetime, Stage]:
    """When a deal was moved, and from where to where. What the log calls a move is told by integrations, not by the documentation."""
    found: dict[datetime, Stage] = {}
    for row in rows(log.get("dealActivities")):
        at, old = moment(row.get("cdate")), text(row.get("dataOldval"))
        if at and text(row.get("dataType")) in _STAGE_MOVES:
            found[at] = Stage(after=text(row.get("dataAction")), before=old if old != "0" else None)
    return found


def _found(response: HttpResponse, entity: Entity) -> Mapping[str, Any]:
    """The record of an answer. Only ActiveCampaign's own words mean that it is gone: a wrong ``api_base`` answers 404 as well."""
    if response.status == 404 and _GONE in response.body:
        raise gone(entity.ref, "ActiveCampaign")
    record = mapping(answer(response).get(entity.type))
    if not record:
        raise LookupFailed(f"ActiveCampaign answered {response.status} without the record: check api_base")
    if text(record.get("deleted")) == "1":
        raise gone(entity.ref, "ActiveCampaign")
    return record
