"""Microsoft Dynamics 365 (Dataverse): webhooks with a RemoteExecutionContext, one event a request, for leads, contacts and opportunities.

Facts after https://learn.microsoft.com/power-apps/developer/data-platform/use-webhooks, .../register-web-hook and
https://learn.microsoft.com/dotnet/api/microsoft.xrm.sdk.remoteexecutioncontext.

Nothing is signed: a header of the webhook's (HttpHeader) or its key in the URL (``?code=``) is all there is, and ``organization_id`` on the
source, where it is set, must be that of the body.

Event id: organization, ``OperationId``, the step's id. The operation is the system job that posts, and posts again after a 502, 503 or
504. A synchronous step has no job: there correlation, message, record, step and a digest of what changed stand in. ``CorrelationId``
alone would be too wide: one user's action may change many records.

Fact: organization, record, and what happened: ``created`` (once in a record's life), ``stage→<value>``, ``deleted``, or ``updated`` with what
changed; at ``modifiedon``, or under the correlation where that is not told. Two steps about one change share both.

Only changed columns are told (``Target``), the others where the step has images; ``fields`` is all of it with plain values: the id of a lookup, the
number of a choice, and ``fields.previous`` what the pre-image held. Over 256 KB Dataverse leaves both out, and the event is an ``….updated``
whose look-up still finds the person.

A deal's stage is its ``deal_stage`` column, or ``won`` and ``lost`` (``statecode`` 1 and 2), which end it; a lead's is its ``lead_stage``. A
client may send a column that it does not change: only a pre-image lets that be seen, and without one it counts as a move.

Times are ``/Date(ms)/``, in UTC. One with an offset was local time that was taken for UTC, so that the offset is added to it: in Microsoft's own
example ``OperationCreatedOn`` would otherwise be seven hours after the change that it is about.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self
from urllib.parse import parse_qsl, quote, urlsplit

from pydantic import AfterValidator, model_validator

from bridge import keys
from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, HttpRequest, HttpResponse, Rate, Stage, Unparsed, iso, present
from bridge.signing import any_equal
from bridge.sources.base import ApiBase, Lookup, Manual, Signed
from bridge.sources.bodies import read_json
from bridge.sources.oauth import OAuthSettings, OAuthSource, token_request
from bridge.sources.values import answer, fingerprint, gone, mapping, moment, refs, rows, text, with_people

_ENTITIES = {"lead": "lead", "contact": "contact", "opportunity": "deal"}
_SETS = {"lead": "leads", "contact": "contacts", "deal": "opportunities"}
_ACTIONS = {"Create": "created", "Update": "updated", "Delete": "deleted"}
_CLOSED = {"1": "won", "2": "lost"}
_PHONES = ("mobilephone", "telephone1", "telephone2", "telephone3")
_PERSON = f"$select={','.join(('contactid', 'fullname', 'emailaddress1', *_PHONES))}"
_EXPANDED = ("parentcontactid", "customerid_contact")
_DATE = re.compile(r"/Date\((-?[0-9]{1,15})(?:([+-])([0-9]{2})([0-9]{2}))?\)/", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOOKUP = re.compile(r"^_(\w+)_value$")
_NOBODY = "00000000-0000-0000-0000-000000000000"
_DOES_NOT_EXIST = "0x80040217"
_AN_HOUR = timedelta(hours=1)


class Dynamics365Settings(OAuthSettings):
    """``secret`` is what stands in the webhook's header; ``tenant_id``, ``client_id`` and ``client_secret`` are of the app that may read.

    In place of a refresh token there is the tenant: an app signs in as itself, whenever a token has ended.
    """

    needs = ("tenant_id", "client_id", "client_secret")

    tenant_id: str | None = None
    organization_id: Annotated[str, AfterValidator(str.lower)] | None = None
    deal_stage: str = "stepname"
    lead_stage: str = "statuscode"
    api_base: ApiBase | None = None
    login_base: ApiBase = "https://login.microsoftonline.com"

    @model_validator(mode="after")
    def _has_environment(self) -> Self:
        if self.refresh_token:
            raise ValueError("there is no refresh_token: an app signs in by tenant_id, client_id and client_secret")
        if (self.can_renew or self.api_token) and not self.api_base:
            raise ValueError("look-ups need api_base: the environment's address, such as https://acme.crm4.dynamics.com")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notice:
    """A context in our words. ``target`` is what changed, ``before`` the pre-image, ``record`` all that is told; values as Dataverse types them."""

    told: Mapping[str, Any]
    table: str
    entity: Entity | None
    action: str | None
    target: Mapping[str, Any]
    before: Mapping[str, Any]
    record: Mapping[str, Any]

    @property
    def happened_at(self) -> datetime | None:
        times = (self.target.get("modifiedon"), self.target.get("createdon"), self.told.get("OperationCreatedOn"))
        return next((at for value in times if (at := moment(_iso(value)))), None)

    @property
    def under(self) -> str | None:
        """What all steps about one change share: its time, or the action it belongs to."""
        return _iso(self.target.get("modifiedon")) or text(self.told.get("CorrelationId"))

    @property
    def id(self) -> str:
        organization, operation = text(self.told.get("OrganizationId")), text(self.told.get("OperationId"))
        step = text(mapping(self.told.get("OwningExtension")).get("Id"))
        if operation and operation != _NOBODY:
            return keys.join(organization, operation, step)
        what = (text(self.told.get("MessageName")), self.table, self.entity.id if self.entity else None)
        return keys.join(organization, text(self.told.get("CorrelationId")), *what, step, fingerprint(self.target))

    def fact(self, stage: Stage | None) -> Sequence[str | None]:
        record = (text(self.told.get("OrganizationId")), self.table, self.entity.id if self.entity else None)
        if self.action == "created":
            return (*record, "created")
        if self.action == "deleted" or stage:
            return (*record, f"stage→{stage.after}" if stage else "deleted", self.under)
        return (*record, self.action or text(self.told.get("MessageName")), fingerprint(self.target), self.under)

    @property
    def fields(self) -> Mapping[str, Any]:
        record, before = _plain(self.record), _plain(self.before)
        previous = {name: before[name] for name in self.target if name in before and before[name] != record[name]}
        return {**record, **present({"previous": previous or None})}

    @property
    def person_id(self) -> str | None:
        """The contact that a contact is, or that a lead or deal names; a deal's customer may be an account."""
        if self.entity and self.entity.type == "contact":
            return self.entity.id
        named = [mapping(self.record.get(name)) for name in ("parentcontactid", "customerid")]
        return next((text(told.get("Id")) for told in named if told.get("LogicalName") == "contact"), None)


class Dynamics365(OAuthSource):
    """One Dataverse environment."""

    kind = "dynamics365"
    title = "Dynamics 365"
    manual = Manual(
        where="the Plug-in Registration Tool → Register New Web Hook, with HttpHeader",
        proof="a secret in a header (or `?code=`), and the organization's id where it is configured",
        secret="the value of the header `X-Webhook-Secret` as entered there",  # noqa: S106 -- words about it
        api_token="`tenant_id`, `client_id` and `client_secret` of an app in Microsoft Entra",  # noqa: S106 -- the same
    )
    settings_type = Dynamics365Settings
    looked_up = frozenset(_SETS)
    renewal_advice = "check tenant_id, client_id and client_secret, and whether it has expired"
    lookup_rate = Rate(count=20, seconds=1)  # 6,000 in five minutes for one user

    settings: Dynamics365Settings

    def verify(self, delivery: Delivery, now: datetime) -> None:
        del now
        code = next((value for name, value in parse_qsl(urlsplit(delivery.url).query) if name == "code"), None)
        if code is None:
            self.verify_shared_secret(delivery)
        elif not any_equal(self.require_secret(), code):
            raise Unverified(Refusal.WRONG_SECRET, "the webhook's key in ?code= is not the configured one")
        self.verify_account("OrganizationId", self.settings.organization_id, lambda: [_organization(delivery.body)])

    def parse(self, delivery: Delivery) -> Sequence[Event | Unparsed]:
        told = read_json(delivery.body)
        table, message = (text(mapping(told).get(name)) for name in ("PrimaryEntityName", "MessageName"))
        if not table or not message:
            raise Unreadable("Dataverse sends a JSON object with MessageName and PrimaryEntityName", "MessageName" if table else "PrimaryEntityName")
        notice = _notice(told, table, message)
        stage, contact = self._stage(notice), self._contact_of(notice)
        event = Event(
            source=self.name,
            kind=self.kind,
            id=notice.id,
            type=_type(notice, stage),
            fact=keys.join(self.kind, *notice.fact(stage)),
            received_at=delivery.received_at,
            occurred_at=notice.happened_at,
            entity=notice.entity,
            refs=refs(notice.entity, contact),
            stage=stage,
            contact=contact,
            fields=notice.fields,
            window=None if notice.under or notice.action == "created" else _AN_HOUR,
        )
        return [event]

    def sign(self, body: bytes, url: str, now: datetime) -> Signed:
        del now
        return Signed(body, url, {"Content-Type": "application/json", "X-Webhook-Secret": self.require_secret()[0]})

    def look_up(self, event: Event, wanted: Iterable[str]) -> Lookup:
        """The record, a deal's with its contact, whatever fields are ``wanted``: who selects a column that is not there gets nothing."""
        del wanted
        entity = event.entity
        if entity is None or entity.type not in _SETS:
            return event
        expand = ",".join(f"{name}({_PERSON})" for name in _EXPANDED)
        query = f"?$expand={expand}" if entity.type == "deal" else ""
        record = _found((yield self._get(f"{_SETS[entity.type]}({quote(entity.id, safe='')}){query}")), entity)
        told = {_LOOKUP.sub(r"\1", name): value for name, value in record.items() if "@" not in name and not isinstance(value, Mapping | list)}
        fields = {name: value for name, value in told.items() if value is not None or name in event.fields}
        return with_people(event.knowing(fields=fields), self._people_of(entity, record))

    def stage_now(self, before: Event, fresh: Event) -> str | None:
        del before
        return self._place(fresh.entity.type if fresh.entity else "", fresh.fields)

    def probe(self) -> HttpRequest | None:
        return self._get("WhoAmI") if self.api_token and self.settings.api_base else None

    def grant(self, refresh_token: str) -> dict[str, str]:
        del refresh_token
        client_id, client_secret = self.client
        scope = f"{self.settings.api_base}/.default"
        return {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret, "scope": scope}

    def renewal(self, refresh_token: str) -> HttpRequest:
        tenant = quote(self.settings.tenant_id or "", safe="")
        return token_request(f"{self.settings.login_base}/{tenant}/oauth2/v2.0/token", self.grant(refresh_token))

    def _stage(self, notice: _Notice) -> Stage | None:
        """The move that an update makes: its stage was sent, or the deal was closed or opened again."""
        if notice.entity is None or notice.action != "updated":
            return None
        target, before, record = (_plain(values) for values in (notice.target, notice.before, notice.record))
        column = self._stage_column(notice.entity.type)
        closing = notice.entity.type == "deal" and "statecode" in target and _closed(target) != _closed(before)
        after, old = self._place(notice.entity.type, record), self._place(notice.entity.type, before)
        moves = (column in target or closing) and after is not None and after != old
        return Stage(after=after, before=old) if moves else None

    def _stage_column(self, entity_type: str) -> str | None:
        return {"deal": self.settings.deal_stage, "lead": self.settings.lead_stage}.get(entity_type)

    def _place(self, entity_type: str, record: Mapping[str, Any]) -> str | None:
        column = self._stage_column(entity_type)
        return (_closed(record) if entity_type == "deal" else None) or (text(record.get(column)) if column else None)

    def _contact_of(self, notice: _Notice) -> Contact | None:
        if notice.entity is None or notice.entity.type not in _SETS:
            return None
        person = _plain(notice.record) if notice.entity.type != "deal" else {}
        contact = self._person(person, notice.person_id)
        return contact if contact.document() else None

    def _people_of(self, entity: Entity, record: Mapping[str, Any]) -> list[Contact]:
        """A lead or contact is the person itself; a deal has a contact and a customer."""
        if entity.type != "deal":
            return [self._person(record, entity.id if entity.type == "contact" else text(record.get("_parentcontactid_value")))]
        people = [mapping(record.get(name)) for name in _EXPANDED]
        return [self._person(person, contact_id) for person in people if (contact_id := text(person.get("contactid")))]

    def _person(self, record: Mapping[str, Any], person_id: str | None) -> Contact:
        phones = (record.get(name) for name in _PHONES)
        return self.contact(*phones, id=person_id, name=text(record.get("fullname")), email=text(record.get("emailaddress1")))

    def _get(self, what: str) -> HttpRequest:
        headers = {"Authorization": f"Bearer {self.api_token}", "Accept": "application/json", "OData-MaxVersion": "4.0", "OData-Version": "4.0"}
        return HttpRequest("GET", f"{self.settings.api_base}/api/data/v9.2/{what}", headers)


def _organization(body: bytes) -> str:
    return (text(mapping(read_json(body)).get("OrganizationId")) or "").lower()


def _notice(told: Mapping[str, Any], table: str, message: str) -> _Notice:
    given = next((mapping(row.get("value")) for row in rows(told.get("InputParameters")) if row.get("key") == "Target"), {})
    target, before = _attributes(given), _images(told.get("PreEntityImages"))
    record_id, kind = text(told.get("PrimaryEntityId")) or text(given.get("Id")), _ENTITIES.get(table)
    return _Notice(
        told=told,
        table=table,
        entity=Entity(kind or table, record_id) if record_id and record_id != _NOBODY else None,
        action=_ACTIONS.get(message) if kind else None,
        target=target,
        before=before,
        record={**before, **_images(told.get("PostEntityImages")), **target},
    )


def _type(notice: _Notice, stage: Stage | None) -> str:
    if notice.entity is None or notice.action is None:
        return "unknown"
    return f"{notice.entity.type}.{'stage_changed' if stage else notice.action}"


def _attributes(record: Mapping[str, Any]) -> dict[str, Any]:
    """``[{key, value}]`` as names and values. What is deleted is a reference, which has none."""
    return {name: row.get("value") for row in rows(record.get("Attributes")) if (name := text(row.get("key")))}


def _images(images: Any) -> dict[str, Any]:
    return {name: value for image in rows(images) for name, value in _attributes(mapping(image.get("value"))).items()}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in values.items()}


def _plain_value(value: Any) -> Any:
    """The id of a reference, the value of a choice or a sum, a list of these, a time as ISO: what the Web API would say."""
    if isinstance(value, list):
        return [_plain_value(one) for one in value]
    if isinstance(value, Mapping):
        return value.get("Id") if "LogicalName" in value else value.get("Value", value)
    return _iso(value) or value


def _iso(value: Any) -> str | None:
    """A time of a body; None for whatever else it is, and for one that no calendar has."""
    found = _DATE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    sign, hours, minutes = found[2] or "+", int(found[3] or 0), int(found[4] or 0)
    offset = timedelta(hours=hours, minutes=minutes)
    try:
        return iso(_EPOCH + timedelta(milliseconds=int(found[1])) + (offset if sign == "+" else -offset))
    except OverflowError:
        return None


def _closed(deal: Mapping[str, Any]) -> str | None:
    return _CLOSED.get(text(deal.get("statecode")) or "")


def _found(response: HttpResponse, entity: Entity) -> Mapping[str, Any]:
    """The record. Only Dataverse's own code means that it is gone: a wrong ``api_base`` answers 404 as well."""
    record = answer(response)
    if response.status == 404 and mapping(record.get("error")).get("code") == _DOES_NOT_EXIST:
        raise gone(entity.ref, "Dynamics 365")
    if response.status != 200:
        raise LookupFailed(f"Dynamics 365 answered {response.status} for {entity.ref}: is api_base the environment's address?")
    return record
