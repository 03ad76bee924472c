"""Zoho CRM: the Notifications API (several records in one request) and the webhooks of workflow rules.

Facts after https://www.zoho.com/crm/developer/docs/api/v8/notifications/enable.html, https://help.zoho.com (workflow webhooks; Kaizen
170, FAQs on the notification APIs), .../api/v8/get-records.html, .../api-limits.html and https://www.zoho.com/accounts/protocol/oauth.html.

Nothing is signed. A notification echoes the ``token`` of its channel in the body, null where none was set, which is refused; with
``channel_id`` it must be of that channel as well. A workflow's webhook brings the secret in a header of its own, or as ``token``.

Event id of a notification: channel, module, operation, record, and a digest of the fields it says were affected, with their values. There
is neither an id nor a time in it: ``server_time`` is when it was sent, and nothing of the account. So the id is good for ten minutes, within
which it is a redelivery; a stage entered again later is another event. A creation happens once, and counts for ever without the digest. Of a
workflow's webhook: type, record and ``Modified_Time`` as it is written there, or for ten minutes a digest of the body.

Fact: record and what happened: ``created``, ``stage→<stage>``, ``updated`` with the digest, ``deleted``. Once the record was looked up
its ``Modified_Time`` takes the place of ten minutes and digest, so that two channels, or a channel and a workflow, tell one fact. A
time without a zone (a workflow writes it as somebody set it up) tells two changes apart and is no time of anything.

A stage is ``Stage`` of a deal, ``Lead_Status`` of a lead; the old one is never told. Where a channel does not return values it says no more
than that the stage was affected: such an update may become a change of stage when the record is looked up. ``resource_uri`` has been seen
with another module's name and is not read. ``fields.affected_fields`` is what the notification says was changed.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self
from urllib.parse import quote

from pydantic import Field, model_validator

from bridge import keys
from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, HttpRequest, HttpResponse, Stage, Unparsed, iso
from bridge.signing import any_equal
from bridge.sources.base import ApiBase, Lookup, Manual, Signed, Subscription
from bridge.sources.bodies import FORM, read_form, read_json, starts_with
from bridge.sources.oauth import OAuthSettings, OAuthSource, Tokens, token_request
from bridge.sources.values import answer, fingerprint, first, gone, http_date, joined, listed, mapping, moment, refs, refusal, rows, text, with_people

_MODULES = {"Leads": "lead", "Contacts": "contact", "Deals": "deal"}
_NAMES = {kind: module for module, kind in _MODULES.items()}
_OPERATIONS = {"insert": "created", "update": "updated", "delete": "deleted"}
_STAGES = {"lead": "Lead_Status", "deal": "Stage"}
_TYPES = {f"{kind}.{what}" for kind in _NAMES for what in (*_OPERATIONS.values(), "stage_changed")} - {"contact.stage_changed"}
_PHONES = ("Phone", "Mobile")
_ENVELOPE = frozenset({"token", "type", "module"})  # of a workflow's webhook: the rest is the record's
_SECRETS = ("token", "authtoken", "access_token", "authorization", "auth", "secret", "key")

_SAME = timedelta(minutes=10)
_LIVES = timedelta(days=6)
"""What is asked for: a week is the most, and whoever asks for more is given an hour."""
_EVERY = timedelta(hours=6)

_ZONED = re.compile(r"(Z|[+-][0-9]{2}:?[0-9]{2})$")
_RENEWALS = 600.0  # ten renewals in ten minutes, and then none for the rest of them


class ZohoSettings(OAuthSettings):
    """``secret`` is the channel's ``token``, and what a workflow's webhook sends. With ``notify_url`` the bridge keeps the channel alive."""

    channel_id: Annotated[str, Field(pattern=r"^[0-9]{1,19}$")] | None = None
    notify_url: ApiBase | None = None
    events: tuple[str, ...] = ("Leads.all", "Contacts.all", "Deals.all")
    api_base: ApiBase = "https://www.zohoapis.com"
    accounts_base: ApiBase = "https://accounts.zoho.com"

    @model_validator(mode="after")
    def _can_subscribe(self) -> Self:
        token = next((secret.get_secret_value() for secret in self.secret), "")
        if self.notify_url and not (self.channel_id and token.strip() and (self.refresh_token or self.api_token)):
            raise ValueError("notify_url has the bridge subscribe: that takes channel_id, secret, client_id, client_secret and refresh_token")
        if self.notify_url and len(token) > 50:
            raise ValueError("Zoho takes a token of at most 50 characters: make secret shorter")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class _Notice:
    """What a notification says of one record, and a workflow of its own, in our words.

    ``what`` is the second word of a type; ``written`` the time of the change as a workflow spells it; ``digest`` of what was told.
    """

    id: str
    kind: str
    record_id: str
    what: str
    digest: str
    values: Mapping[str, Any]
    affected: Sequence[str] = ()
    written: str | None = None

    @property
    def entity(self) -> Entity | None:
        return Entity(self.kind, self.record_id) if self.kind else None

    @property
    def type(self) -> str:
        told = f"{self.kind}.{self.what}"
        return told if told in _TYPES else "unknown"

    @property
    def stage(self) -> Stage | None:
        after = text(self.values.get(_STAGES.get(self.kind, ""))) if self.type.endswith(".stage_changed") else None
        return Stage(after=after) if after else None

    @property
    def at(self) -> datetime | None:
        """Without a zone it could be any of twenty-four."""
        return moment(self.written) if self.written and _ZONED.search(self.written) else None

    @property
    def window(self) -> timedelta | None:
        """For what may happen again, and has no time to tell it apart by."""
        return None if self.written or self.what == "created" else _SAME

    @property
    def fact(self) -> str:
        if self.type == "unknown":
            return keys.join(Zoho.kind, self.id)
        when = iso(self.at) if self.at else self.written
        return _fact(self.entity, self.type, self.stage, when or (self.digest if self.what == "updated" else None))


class Zoho(OAuthSource):
    """One Zoho CRM organisation."""

    kind = "zoho"
    title = "Zoho CRM"
    manual = Manual(
        where="nowhere: the bridge subscribes; or Setup → Workflow Rules → Webhooks",
        proof="the channel's token in the body, and its id where it is configured; a header of a workflow's webhook",
        secret="any, of at most 50 characters",  # noqa: S106 -- words about it
        api_token="`client_id`, `client_secret` and `refresh_token` of a self client",  # noqa: S106 -- the same
    )
    settings_type = ZohoSettings
    looked_up = frozenset(_NAMES)
    stage_fields = _STAGES
    lookup_pause = 60

    settings: ZohoSettings

    def verify(self, delivery: Delivery, now: datetime) -> None:
        """The token is in the body, so that is read first, and means nothing until it is believed."""
        del now
        body = _read_or_nothing(delivery)
        given = text(body.get("token"))
        if given is None and "ids" not in body:
            self.verify_shared_secret(delivery)
            return
        if given is None:
            raise Unverified(Refusal.MISSING, "no token in the notification: set one on its channel")
        if not any_equal(self.require_secret(), given):
            raise Unverified(Refusal.WRONG_SECRET, "the token is not the configured secret")
        if "ids" in body:
            self.verify_account("channel_id", self.settings.channel_id, lambda: [text(body.get("channel_id"))])

    def parse(self, delivery: Delivery) -> Sequence[Event | Unparsed]:
        body = _read(delivery)
        if isinstance(body.get("ids"), list):
            read = [_notified(body, told_id) for told_id in body["ids"]]
        elif record_id := text(body.get("id")):
            read = [_of_workflow(body, record_id)]
        else:
            raise Unreadable("a notification has ids, and a workflow's webhook an id and a type", "id")
        return [self._event(each, delivery) if isinstance(each, _Notice) else each for each in read]

    def sign(self, body: bytes, url: str, now: datetime) -> Signed:
        """A notification gets the token into its body; a workflow's webhook a header."""
        secret = self.require_secret()[0]
        told = _read_or_nothing(Delivery(source=self.name, body=body, url=url, received_at=now))
        if "ids" in told:
            return Signed(json.dumps({**told, "token": secret}).encode(), url, {"Content-Type": "application/json"})
        return Signed(body, url, {"Content-Type": "application/json" if _is_json(body) else FORM, "X-Webhook-Secret": secret})

    def secrets_in(self, delivery: Delivery) -> Iterable[str]:
        """The token, whosever it is, and what the notify URL carries: Zoho's own example has an OAuth token in it, and it is echoed."""
        body = _read_or_nothing(delivery)
        told = {name.lower(): value for name, value in mapping(body.get("query_params")).items()}
        found = [text(body.get("token")), *(text(told.get(name)) for name in _SECRETS)]
        return [secret for secret in found if secret]

    def could_become(self, event: Event) -> Sequence[str]:
        """A change of stage, where the notification says that the stage was affected and not what it is now."""
        kind = event.entity.type if event.entity else ""
        affected = event.fields.get("affected_fields")
        is_stage = event.type == f"{kind}.updated" and isinstance(affected, list) and _STAGES.get(kind) in affected
        return (f"{kind}.stage_changed",) if is_stage else ()

    def can_look_up(self, event: Event) -> bool:
        return super().can_look_up(event) and event.type in _TYPES

    def look_up(self, event: Event, wanted: Iterable[str]) -> Lookup:
        """Lead or contact → the record; deal → the record, and its contact. All fields come without asking, whatever is ``wanted``."""
        del wanted
        entity = event.entity
        if entity is None or not self.can_look_up(event):
            return event
        record = person = _record((yield self._get(entity)), entity)
        event = self._dated(event, record).knowing(fields=record)
        if entity.type == "deal":
            contact_id = text(mapping(record.get("Contact_Name")).get("id"))
            if contact_id is None:  # it may be given one later, which is an event of its own
                return with_people(event, [])
            entity = Entity("contact", contact_id)
            person = _record((yield self._get(entity)), entity)
        return with_people(event, [self._person(entity.type, entity.id, person)])

    def subscription(self, now: datetime) -> Subscription | None:
        """Subscribing again is how a channel is renewed. Related records are left out: they say that another one has changed."""
        if self.settings.notify_url is None:
            return None
        channel = {
            "channel_id": self.settings.channel_id,
            "events": list(self.settings.events),
            "token": self.require_secret()[0],
            "notify_url": self.settings.notify_url,
            "channel_expiry": (now + _LIVES).astimezone(UTC).isoformat(timespec="seconds"),
            "return_affected_field_values": True,
            "notify_on_related_action": False,
        }
        return Subscription(self._request("POST", "actions/watch", json.dumps({"watch": [channel]})), _EVERY)

    def judge_subscription(self, response: HttpResponse) -> None:
        """Each channel is answered for by itself, whatever the status says; and its end must be later than the next renewal."""
        self.judge(response)
        channels = rows(answer(response).get("watch"))
        refused = [text(channel.get("code")) for channel in channels if channel.get("code") != "SUCCESS"]
        if refused or not channels:
            raise LookupFailed(f"Zoho CRM did not take the channel ({refused[0] if refused else 'it names none'})")
        ends, told_at = _forgotten_at(channels), http_date(response.headers.get("date"))
        if ends and told_at and ends < told_at + _EVERY:
            raise LookupFailed(f"Zoho CRM forgets the channel at {iso(ends)}, before it is renewed again")

    def probe(self) -> HttpRequest | None:
        return self._request("GET", "Contacts?fields=id&per_page=1") if self.api_token else None

    def judge(self, response: HttpResponse) -> None:
        """429 is the credits of 24 hours or too many requests at once, and does not say which. 404 is an address that is none of its API."""
        if response.status in {401, 403, 404}:
            advice = "check api_base" if response.status == 404 else "check the token's scopes and data centre"
            raise LookupFailed(f"Zoho CRM answered {response.status} ({_code(response)}): {advice}", parked=True)
        if response.status == 400:
            raise LookupFailed(f"Zoho CRM answered 400 ({_code(response)})")
        super().judge(response)

    def expired(self, response: HttpResponse) -> bool:
        """A scope that is missing is a 401 as well, and a new token would not have it either."""
        return response.status == 401 and _code(response) != "OAUTH_SCOPE_MISMATCH"

    def renewal(self, refresh_token: str) -> HttpRequest:
        return token_request(f"{self.settings.accounts_base}/oauth/v2/token", self.grant(refresh_token))

    def renewed(self, response: HttpResponse, refresh_token: str) -> Tokens:
        """Who renews too often is denied access for a while, in a 400: that says nothing against the refresh token."""
        if "too many requests" in response.body:
            raise LookupFailed("Zoho was asked for a new token too often", retry_after=_RENEWALS)
        return super().renewed(response, refresh_token)

    def _event(self, notice: _Notice, delivery: Delivery) -> Event:
        contact = self._person(notice.kind, notice.record_id, notice.values) if notice.kind in _NAMES else Contact()
        affected = {"affected_fields": list(notice.affected)} if notice.affected else {}
        return Event(
            source=self.name,
            kind=self.kind,
            id=notice.id,
            type=notice.type,
            fact=notice.fact,
            received_at=delivery.received_at,
            occurred_at=notice.at,
            entity=notice.entity,
            refs=refs(notice.entity, contact),
            stage=notice.stage,
            contact=contact if contact.document() else None,
            fields={**notice.values, **affected},
            window=notice.window,
        )

    def _dated(self, event: Event, record: Mapping[str, Any]) -> Event:
        """The event with what only its record says: the stage that was affected, and when it was made or last changed."""
        after = text(record.get(_STAGES.get(event.entity.type if event.entity else "", "")))
        if after and (becomes := self.could_become(event)):
            event = replace(event, type=becomes[0], stage=Stage(after=after))
        at = event.occurred_at or moment(record.get("Created_Time" if event.type.endswith(".created") else "Modified_Time"))
        return replace(event, occurred_at=at, fact=_fact(event.entity, event.type, event.stage, iso(at)), window=None) if at else event

    def _person(self, kind: str, record_id: str, told: Mapping[str, Any]) -> Contact:
        """Whose name and numbers are told; of a deal no more than the contact it names."""
        name = told.get("Contact_Name") if kind == "deal" else told.get("Full_Name")
        return self.contact(
            *(told.get(phone) for phone in _PHONES),
            id=record_id if kind == "contact" else text(mapping(name).get("id")),
            name=first((mapping(name).get("name"), name)) or joined(told.get("First_Name"), told.get("Last_Name")),
            email=text(told.get("Email")),
        )

    def _get(self, entity: Entity) -> HttpRequest:
        return self._request("GET", f"{_NAMES[entity.type]}/{quote(entity.id, safe='')}")

    def _request(self, method: str, what: str, body: str = "") -> HttpRequest:
        headers = {"Authorization": f"Zoho-oauthtoken {self.api_token}", "Content-Type": "application/json"}
        return HttpRequest(method, f"{self.settings.api_base}/crm/v8/{what}", headers, body)


def _is_json(body: bytes) -> bool:
    return starts_with(body, b"{", b"[")


def _read(delivery: Delivery) -> Mapping[str, Any]:
    if delivery.content_type.startswith("multipart/"):
        raise Unreadable("a multipart body is not read: have the webhook send its body as JSON", "Content-Type")
    body = read_json(delivery.body) if _is_json(delivery.body) else read_form(delivery.body)
    if not isinstance(body, Mapping):
        raise Unreadable("Zoho sends a JSON object, or a form")
    return body


def _read_or_nothing(delivery: Delivery) -> Mapping[str, Any]:
    try:
        return _read(delivery)
    except Unreadable:
        return {}


def _notified(body: Mapping[str, Any], told_id: Any) -> _Notice | Unparsed:
    """One of the ``ids``, with what is told of that one."""
    channel, module, operation = (text(body.get(name)) for name in ("channel_id", "module", "operation"))
    record_id = text(told_id)
    if record_id is None:
        return Unparsed(fingerprint([channel, module, operation, told_id]), "ids has something that is no id")
    kind, what = _MODULES.get(module or "", (module or "").lower()), _OPERATIONS.get(operation or "", "")
    values = next((mapping(row.get("values")) for row in rows(body.get("affected_values")) if text(row.get("record_id")) == record_id), {})
    named = next((row[record_id] for row in rows(body.get("affected_fields")) if record_id in row), None)
    affected = [name for each in (named if isinstance(named, list) else values) if (name := text(each))]
    digest = fingerprint([sorted(affected), values])
    moved = what == "updated" and text(values.get(_STAGES.get(kind, ""))) is not None
    return _Notice(
        id=keys.join(channel, module, operation, record_id, *([] if what == "created" else [digest])),
        kind=kind,
        record_id=record_id,
        what="stage_changed" if moved else what,
        digest=digest,
        values=values,
        affected=affected,
    )


def _of_workflow(body: Mapping[str, Any], record_id: str) -> _Notice:
    """What somebody had a workflow send: ``id``, ``type``, and fields of the record under Zoho's names."""
    told = text(body.get("type")) or ""
    kind, _, what = told.partition(".")
    written, digest = text(body.get("Modified_Time")), fingerprint({name: value for name, value in body.items() if name not in _ENVELOPE})
    return _Notice(
        id=keys.join("workflow", told, record_id, *([] if what == "created" else [written or digest])),
        kind=_MODULES.get(text(body.get("module")) or "", kind),
        record_id=record_id,
        what=what,
        digest=digest,
        values={name: value for name, value in body.items() if name not in _ENVELOPE},
        written=written,
    )


def _fact(entity: Entity | None, event_type: str, stage: Stage | None, when: str | None) -> str:
    """A record is created once in its life, whenever and however often that is told."""
    what = f"stage→{stage.after}" if stage else event_type.partition(".")[2]
    record = (entity.type, entity.id) if entity else ()
    return keys.join(Zoho.kind, *record, what, *([when] if when and what != "created" else []))


def _record(response: HttpResponse, entity: Entity) -> Mapping[str, Any]:
    """The record of an answer. One that is gone is answered with nothing (204)."""
    if response.status == 204:
        raise gone(entity.ref, "Zoho CRM")
    found = rows(answer(response).get("data"))
    if not found:
        raise LookupFailed("Zoho CRM's answer has no record in it")
    return found[0]


def _code(response: HttpResponse) -> str | None:
    """Of ``{code, message, details, status}``, the form of every error of its API."""
    return text(mapping(refusal(response)).get("code"))


def _forgotten_at(channels: Iterable[Mapping[str, Any]]) -> datetime | None:
    """When the first of a channel's modules ends, of those that say so."""
    ends = [moment(mapping(each).get("channel_expiry")) for channel in channels for each in listed(mapping(channel.get("details")).get("events"))]
    return min((end for end in ends if end), default=None)
