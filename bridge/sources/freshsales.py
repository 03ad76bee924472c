"""Freshsales (Freshworks CRM): webhooks of workflows, made from the template of our page, and product events that an app forwards.

Facts after https://crmsupport.freshworks.com/support/solutions/articles/50000002418 (workflows with webhooks), the pages on product
events under https://developers.freshworks.com/docs/app-sdk and https://developers.freshworks.com/crm/api.

There is no webhook API and nothing is signed: a secret in a header of the user's own is all the proof there is, and ``account_id`` on the
source, where it is set, must be that of the body (or its ``domain``).

Both bodies have one shape: ``event``, ``account_id`` and the record under its name, at the top or in ``data``. ``event`` is one of ours
(``deal.stage_changed``) or a product event's (``onDealUpdate``). A workflow's body may be JSON or a form; a form is safer, because
Freshsales puts a quote that is in a name into JSON as it is. A placeholder that was left standing is nothing.

Event id: account, ``event``, record, ``updated_at``, and a digest of ``changes`` or, in a workflow's body, which has none, of the record; of a
creation, which happens once, account, ``event`` and record. ``timestamp`` stays out: nobody says that it is the same when something is
sent again. Without ``updated_at`` the id is good for ten minutes.

Fact: account, record, and what happened: ``created`` and ``deleted`` once, ``stage→<id>`` at ``stage_updated_time``, or ``updated`` at
``updated_at``, each to the second, whichever way it was told; where there is no time, within ten minutes.

An update whose ``changes`` have the stage is a ``….stage_changed``. A contact's status is no stage of ours; it is in ``fields``, like ``time_zone``,
which is a name such as ``Alaska`` and no zone. When a record was deleted Freshsales does not say.
"""

import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from urllib.parse import quote

from pydantic import model_validator

from bridge import keys
from bridge.errors import LookupFailed, Unreadable
from bridge.model import Contact, Delivery, Entity, Event, HttpRequest, HttpResponse, Rate, Stage, Unparsed, iso
from bridge.sources.base import ApiBase, Lookup, Manual, Signed, Source, SourceSettings
from bridge.sources.bodies import FORM, read_form, read_json, starts_with
from bridge.sources.values import (
    answer,
    answer_about,
    fingerprint,
    first,
    joined,
    listed,
    mapping,
    moment,
    named_texts,
    refs,
    rows,
    text,
    with_people,
)

_PRODUCT_EVENT = re.compile(r"on([A-Z][A-Za-z]*)(Create|Update|Delete)")
_ACTIONS = {"Create": "created", "Update": "updated", "Delete": "deleted"}
_RECORDS = ("contact", "deal", "lead")
_STAGES = {"deal": "deal_stage_id", "lead": "lead_stage_id"}
_TYPES = {*(f"{record}.{action}" for record in _RECORDS for action in _ACTIONS.values()), *(f"{record}.stage_changed" for record in _STAGES)}
_PHONES = ("mobile_number", "work_number")
_UNTIMED = timedelta(minutes=10)
_MOST_PEOPLE = 5
_PLACEHOLDER = re.compile(r"\s*\{\{.*\}\}\s*", re.DOTALL)
_SECRET = re.compile("key|token|secret|pass|auth", re.IGNORECASE)


class FreshsalesSettings(SourceSettings):
    """``secret`` is any, sent in a custom header; ``api_token`` a user's API key, for ``api_base``, which every account has its own of."""

    account_id: str | None = None
    api_base: ApiBase | None = None

    @model_validator(mode="after")
    def _token_has_a_place(self) -> Self:
        if self.api_token and self.api_base is None:
            raise ValueError("api_token needs api_base, such as https://acme.myfreshworks.com/crm/sales: see Profile settings → API settings")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notice:
    """What a body says, in our words. ``changes`` are ``[old, new]`` by property; ``people`` those that it tells of a deal."""

    account: str | None
    event: str
    name: str
    action: str
    record: Mapping[str, Any]
    changes: Mapping[str, Any]
    people: Sequence[Mapping[str, Any]]

    @property
    def record_id(self) -> str | None:
        return text(self.record.get("id"))

    @property
    def once(self) -> bool:
        return self.action in {"created", "deleted"} and self.record_id is not None

    @property
    def edited_at(self) -> str | None:
        return _second(self.record.get("updated_at"))

    @property
    def mark(self) -> Sequence[str | None]:
        """What tells two events about one record apart."""
        if self.once:
            return [self.edited_at] if self.action == "deleted" else []
        return [self.edited_at, fingerprint(self.changes or self.record)]

    @property
    def happening(self) -> Sequence[str | None]:
        """What happened to the record, and when, as a workflow and a product event both tell it."""
        if self.once:
            return [self.action]
        if self.stage:
            return [f"stage→{self.stage.after}", _second(self.time)]
        return [self.action, self.edited_at or fingerprint(self.record)]

    @property
    def stage(self) -> Stage | None:
        """The move that it tells of; None where there is none, or where nobody says what to."""
        field = _STAGES.get(self.name, "")
        old, new = _pair(self.changes.get(field))
        after = text(self.record.get(field)) or new
        moved = self.action == "stage_changed" or (self.action == "updated" and field in self.changes and after != old)
        return Stage(after=after, before=old) if moved and after else None

    @property
    def type(self) -> str:
        kind = f"{self.name}.{'stage_changed' if self.stage else self.action}"
        return kind if kind in _TYPES else "unknown"

    @property
    def time(self) -> object:
        """Of what it tells, in Freshsales' own words; of a deletion there is none."""
        own = "created_at" if self.action == "created" else "stage_updated_time" if self.stage else ""
        return None if self.action == "deleted" else self.record.get(own) or self.record.get("updated_at")


class Freshsales(Source):
    """One Freshsales account."""

    kind = "freshsales"
    title = "Freshsales"
    manual = Manual(
        where="a workflow's *Trigger webhook*, with the template of the page",
        proof="the secret in a custom header, and the account's id where it is configured",
        secret="any; sent as `X-Webhook-Secret`",  # noqa: S106 -- words about it
        api_token="a user's API key, and `api_base`",  # noqa: S106 -- the same
    )
    settings_type = FreshsalesSettings
    looked_up = frozenset(_RECORDS)
    stage_fields = _STAGES
    lookup_rate = Rate(count=2, seconds=1)  # the limit is by the hour (1000 on the smallest plan), and its end is told by a 429

    settings: FreshsalesSettings

    def verify(self, delivery: Delivery, now: datetime) -> None:
        del now
        self.verify_shared_secret(delivery)
        self.verify_account("the account", self.settings.account_id, lambda: _accounts(mapping(_read(delivery.body))))

    def parse(self, delivery: Delivery) -> Sequence[Event | Unparsed]:
        notice = _notice(mapping(_read(delivery.body)))
        if notice is None:
            raise Unreadable("the body must have `event`: see the template for Freshsales' workflows", "event")
        entity = Entity(notice.name, notice.record_id) if notice.record_id else None
        event = Event(
            source=self.name,
            kind=self.kind,
            id=keys.join(notice.account, notice.event, notice.name, notice.record_id, *notice.mark),
            type=notice.type,
            fact=keys.join(self.kind, notice.account, notice.name, notice.record_id, *notice.happening),
            received_at=delivery.received_at,
            occurred_at=moment(notice.time),
            entity=entity,
            refs=refs(entity),
            stage=notice.stage,
            fields={**notice.record, **({"changes": notice.changes} if notice.changes else {})},
            window=None if notice.once or notice.edited_at else _UNTIMED,
        )
        return [with_people(event, [self._person(person, notice.name) for person in notice.people])]

    def sign(self, body: bytes, url: str, now: datetime) -> Signed:
        del now
        media_type = "application/json" if starts_with(body, b"{", b"[") else FORM
        return Signed(body, url, {"Content-Type": media_type, "X-Webhook-Secret": self.require_secret()[0]})

    def secrets_in(self, delivery: Delivery) -> Iterable[str]:
        """An app that forwards all it is given forwards its installation parameters too, with the keys that are in them."""
        try:
            told = named_texts(mapping(_read(delivery.body)).get("iparams"))
        except Unreadable:
            return ()
        return [value for name, value in told if _SECRET.search(name)]

    def look_up(self, event: Event, wanted: Iterable[str]) -> Lookup:
        """Contact; lead (Freshsales Classic); deal with its contacts, and of those the ones whose number is not in it."""
        del wanted
        if event.entity is None or event.entity.type not in _RECORDS:
            return event
        kind, record_id = event.entity.type, event.entity.id
        told = _found((yield self._get(f"{kind}s", record_id, "?include=contacts" if kind == "deal" else "")), event.entity)
        record = _plain(told[kind])
        event = event.knowing(fields=record)
        if kind != "deal":
            return with_people(event, [self._person(record, kind)])
        return with_people(event, (yield from self._people_of(event, told, record)))

    def stage_now(self, before: Event, fresh: Event) -> str | None:
        """A workflow may have told the stage by its name, and that cannot be compared with the id that the API tells."""
        told = before.stage.after if before.stage else None
        if told is None or not told.isdecimal():
            return told
        return super().stage_now(before, fresh)

    def probe(self) -> HttpRequest | None:
        return self._get("selector", "owners") if self.api_token else None

    def _people_of(self, event: Event, told: Mapping[str, Any], deal: Mapping[str, Any]) -> Generator[HttpRequest, HttpResponse, list[Contact]]:
        """Who was told comes first. A contact whose numbers are not in the deal's answer is read, until one has a number."""
        known, people = event.contact.id if event.contact else None, list[Contact]()
        named = rows(told.get("contacts")) or [{"id": contact_id} for contact_id in listed(deal.get("contact_ids"))]
        for row in sorted(named, key=lambda row: text(row.get("id")) != known)[:_MOST_PEOPLE]:
            contact_id, person = text(row.get("id")), _plain(row)
            if contact_id and not any(phone in person for phone in _PHONES) and not any(each.phone for each in people):
                person |= _plain(answer((yield self._get("contacts", contact_id))).get("contact"))
            people.append(self._person(person, "contact"))
        return people

    def _person(self, person: Mapping[str, Any], kind: str) -> Contact:
        """A contact, or a lead, whose id is none of a contact."""
        return self.contact(
            *(person.get(phone) for phone in _PHONES),
            id=text(person.get("id")) if kind != "lead" else None,
            name=text(person.get("display_name")) or joined(person.get("first_name"), person.get("last_name")),
            email=first((person.get("email"), *(row.get("email") or row.get("value") for row in rows(person.get("emails"))))),
        )

    def _get(self, records: str, record_id: str, query: str = "") -> HttpRequest:
        url = f"{self.settings.api_base}/api/{records}/{quote(record_id, safe='')}{query}"
        return HttpRequest("GET", url, {"Authorization": f"Token token={self.api_token}", "Accept": "application/json"})


def _read(body: bytes) -> Any:
    """JSON or a form, by its first character: the user chooses one in the workflow, and the header in another place."""
    return read_json(body) if starts_with(body, b"{", b"[") or b"=" not in body else read_form(body)


def _accounts(body: Mapping[str, Any]) -> list[str]:
    return [told for name in ("account_id", "domain") if (told := text(body.get(name)))]


def _notice(body: Mapping[str, Any]) -> _Notice | None:
    event = text(body.get("event"))
    if event is None:
        return None
    product = _PRODUCT_EVENT.fullmatch(event)
    name, action = (_snake(product[1]), _ACTIONS[product[2]]) if product else event.partition(".")[::2]
    data = mapping(body.get("data")) or body
    record, associations = _plain(data.get(name)), mapping(data.get("associations"))
    changes = mapping(record.pop("changes", None)) or mapping(data.get("changes"))
    others = [data.get("contact"), *rows(data.get("contacts")), *rows(associations.get("contacts"))] if name == "deal" else []
    return _Notice(
        account=next(iter(_accounts(body)), None),
        event=event,
        name=name,
        action=action,
        record=record,
        changes=mapping(changes.get("model_changes")) if "model_changes" in changes else changes,
        people=[record] if name in {"contact", "lead"} else [person for other in others if (person := _plain(other))],
    )


def _second(time: object) -> str | None:
    at = moment(time)
    return iso(at.replace(microsecond=0)) if at else text(time)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _plain(record: object) -> dict[str, Any]:
    """A record without what newer accounts write around each value (``{"value": …}``), and without placeholders that were left standing."""
    told = {name: value["value"] if isinstance(value, Mapping) and "value" in value else value for name, value in mapping(record).items()}
    return {name: value for name, value in told.items() if not (isinstance(value, str) and _PLACEHOLDER.fullmatch(value))}


def _pair(change: object) -> tuple[str | None, str | None]:
    return (text(change[0]), text(change[1])) if isinstance(change, list) and len(change) == 2 else (None, None)


def _found(response: HttpResponse, entity: Entity) -> Mapping[str, Any]:
    """An answer with the record in it."""
    told = answer_about(response, entity.ref, "Freshsales")
    if not isinstance(told.get(entity.type), Mapping):
        raise LookupFailed(f"Freshsales' answer holds no {entity.type}")
    return told
