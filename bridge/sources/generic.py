"""Any sender that can make its own request: Zapier, Make, n8n, a script. JSON, a form, or XML; one event, or an array of them.

The shape, without configuration: ``event_id`` (or the header ``Idempotency-Key``, where there is one event) and ``type``, both
required; ``occurred_at``, ``entity {type, id}``, ``stage {from, to}``, ``contact {id, name, phone, phones, email, time_zone}``, ``fields``,
``refs``. ``phone``, ``name`` and ``email`` at the top are short for ``contact.…``. Every other name at the top goes into ``fields``, beside
what ``fields`` itself holds. ``fields: {contact.phone: lead.tel}`` on the source points a field elsewhere, by a JMESPath over
the body; a constant is one in quotes, ``type: "'lead.created'"``. A form with ``contact.phone`` or ``contact[phone]`` is nested.

Event id: what the sender says it is. It must name the event and be the same whenever that event is sent again: the CRM's own event id,
or record, change and its time. A variable that means *now* (Zapier's ``zap_meta_human_now``, ``$now`` of n8n, ``now`` of Make) or a run's
own number makes every replay a new event, and calls again. ``fields: {event_id: body_hash}`` takes a digest of the body instead,
which is right only where the body has nothing of the kind in it. Without an id there is nothing to tell a repetition by: 422.

Fact: entity, type, stage and ``occurred_at`` where entity and time are told, else the event id, so that nothing is merged by accident.

``occurred_at`` is ISO 8601, or an epoch in seconds or milliseconds; without a zone it is read as UTC. A field that is there but wrong is
refused by name (422), because here the sender can mend it; a blank one is absent, which is how form builders send nothing.
"""

import base64
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from bridge import keys
from bridge.errors import Refusal, Unreadable, Unverified
from bridge.expressions import Expression, JMESPath
from bridge.model import Contact, Delivery, Entity, Event, Stage, Unparsed, iso, unique
from bridge.signing import any_equal
from bridge.sources.base import Manual, Signed, Source, SourceSettings
from bridge.sources.bodies import FORM, read_form, read_json, read_xml, starts_with
from bridge.sources.values import fingerprint, moment, refs, text

BODY_HASH = Expression("body_hash")

_PARTS = {
    "entity": ("type", "id"),
    "stage": ("from", "to"),
    "contact": ("id", "name", "phone", "phones", "email", "time_zone"),
}
_SHORT = ("phone", "name", "email")
_SHAPE = ("event_id", "type", "occurred_at", "fields", "refs", *_PARTS, *_SHORT)
_TARGETS = (*_SHAPE, *(f"{whole}.{part}" for whole, parts in _PARTS.items() for part in parts))


class Signature(BaseModel):
    """How the body is signed with ``secret``. Where this is set the secret itself opens nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    header: str = Field(min_length=1)
    algorithm: Literal["sha256", "sha1", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""

    def of(self, body: bytes, secret: str) -> str:
        """The header's value, as a sender with this secret would write it."""
        digest = hmac.digest(secret.encode(), body, self.algorithm)
        return self.prefix + (digest.hex() if self.encoding == "hex" else base64.b64encode(digest).decode())


class GenericSettings(SourceSettings):
    """``fields``: where a field of the event is in the body, by JMESPath; ``hmac``: how the sender signs."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    fields: dict[str, JMESPath] = Field(default_factory=dict)
    hmac: Signature | None = None

    @field_validator("fields")
    @classmethod
    def _known_targets(cls, value: dict[str, Expression]) -> dict[str, Expression]:
        for target in value:
            own = target.startswith("fields.") and target != "fields."
            if target not in _TARGETS and not own:
                raise ValueError(f"'{target}' is no field of an event: {', '.join(_TARGETS)}, fields.<name>")
        return value


class Generic(Source):
    """One sender that was told what to send."""

    kind = "generic"
    title = "Generic"
    manual = Manual(
        where="Zapier *Webhooks by Zapier*, Make *HTTP*, n8n *HTTP Request*, a script",
        proof="the secret in a header, or HMAC of the body",
        secret="any; sent as `Authorization: Bearer`, `X-Webhook-Secret` or Basic, or signing with HMAC",  # noqa: S106 -- words about it
    )
    settings_type = GenericSettings
    strict = True
    own_types = True

    settings: GenericSettings

    def verify(self, delivery: Delivery, now: datetime) -> None:
        """The secret as a bearer token, in ``X-Webhook-Secret`` or by Basic; with ``hmac`` configured, the signature alone."""
        del now
        if self.settings.hmac:
            self._verify_signature(delivery, self.settings.hmac)
            return
        self.verify_shared_secret(delivery, in_url=False)

    def parse(self, delivery: Delivery) -> Sequence[Event | Unparsed]:
        """All or nothing: a sender that can mend one element of an array sends the whole array again."""
        body = _read(delivery)
        if not isinstance(body, list):
            return [self._event(body, delivery, delivery.headers.get("idempotency-key"))]
        key = delivery.headers.get("idempotency-key") if len(body) == 1 else None
        return [self._element(place, element, delivery, key) for place, element in enumerate(body)]

    def sign(self, body: bytes, url: str, now: datetime) -> Signed:
        del now
        secret = self.require_secret()[0]
        credential = {self.settings.hmac.header: self.settings.hmac.of(body, secret)} if self.settings.hmac else {"Authorization": f"Bearer {secret}"}
        return Signed(body, url, {"Content-Type": _media_type(body), **credential})

    def _verify_signature(self, delivery: Delivery, signature: Signature) -> None:
        given = delivery.headers.get(signature.header.lower(), "").strip()
        if not given:
            raise Unverified(Refusal.MISSING, f"no {signature.header} header with the signature")
        expected = [signature.of(delivery.body, secret) for secret in self.require_secret()]
        if signature.encoding == "hex":  # in either case
            expected, given = [value.lower() for value in expected], given.lower()
        if not any_equal(expected, given):
            raise Unverified(Refusal.WRONG_SIGNATURE, f"the signature in {signature.header} does not match")

    def _element(self, place: int, element: Any, delivery: Delivery, idempotency_key: str | None) -> Event:
        try:
            return self._event(element, delivery, idempotency_key)
        except Unreadable as error:
            field = f"[{place}].{error.field}" if error.field else f"[{place}]"
            raise Unreadable(f"element {place} of the array: {error.message}", field) from error

    def _event(self, body: Any, delivery: Delivery, idempotency_key: str | None) -> Event:
        if not isinstance(body, Mapping):
            raise Unreadable("an event is an object with event_id, type and what else is known")
        told = _told(body, self.settings.fields)
        if told.get("event_id") is None and "event_id" not in self.settings.fields:
            told["event_id"] = idempotency_key
        event_type, event_id = self._required(told, "type"), self._required(told, "event_id")
        happened_at = _time(told)
        entity, stage, contact = _entity(told, event_type), _stage(told), self._contact(told)
        whole = (entity.type, entity.id, event_type, stage.after if stage else None, iso(happened_at)) if entity and happened_at else None
        return Event(
            source=self.name,
            kind=self.kind,
            id=event_id,
            type=event_type,
            fact=keys.join(self.kind, self.name, *(whole or (event_id,))),
            received_at=delivery.received_at,
            occurred_at=happened_at,
            entity=entity,
            refs=unique((*refs(entity, contact), *_texts(told, "refs"))),
            stage=stage,
            contact=contact,
            fields=_object(told, "fields"),
        )

    def _required(self, told: Mapping[str, Any], name: str) -> str:
        value = _text(told, name)
        if value is not None:
            return value
        pointed = self.settings.fields.get(name)
        if pointed is not None:
            raise Unreadable(f"{name} is missing: the configured '{pointed.text}' finds nothing in the body", name)
        header = " (or an Idempotency-Key header) that stays the same when the event is sent again" if name == "event_id" else ""
        raise Unreadable(f"{name} is missing: send {name}{header}, or say on the source where it is: `fields: {{{name}: …}}`", name)

    def _contact(self, told: Mapping[str, Any]) -> Contact | None:
        person = _object(told, "contact")
        phones = [_text(person, "phone", "contact."), *_texts(person, "phones", "contact.")]
        contact = self.contact(*phones, **{name: _text(person, name, "contact.") for name in ("id", "name", "email", "time_zone")})
        return contact if contact.document() else None


def _read(delivery: Delivery) -> Any:
    """By content type, and by the first character where that is missing or says form, as ``curl -d`` does of everything."""
    media_type = delivery.content_type
    if media_type in {"", "text/plain", "application/octet-stream", FORM}:
        media_type = _media_type(delivery.body)
    if media_type.endswith("xml"):
        return read_xml(delivery.body)
    if media_type.startswith("multipart/"):
        raise Unreadable("a multipart body is not read: send JSON, a form or XML", "Content-Type")
    return read_form(delivery.body) if media_type == FORM else read_json(delivery.body)


def _media_type(body: bytes) -> str:
    if starts_with(body, b"<"):
        return "application/xml"
    return FORM if b"=" in body and not starts_with(body, b"{", b"[") else "application/json"


def _told(body: Mapping[str, Any], pointed: Mapping[str, Expression]) -> dict[str, Any]:
    """The body in the event's own shape. A name that is pointed elsewhere is the body's own again, and goes into ``fields``;
    so is ``stage: won`` where ``stage.to`` is pointed, for it cannot be what the event means by ``stage``."""
    wholes = {target.partition(".")[0] for target in pointed if "." in target}
    elsewhere = {*pointed, *(whole for whole in wholes if not isinstance(body.get(whole), Mapping | None))}
    told = {name: value for name in _SHAPE if name not in elsewhere and not _is_blank(value := body.get(name))}
    short = {name: told[name] for name in _SHORT if name in told}
    own = {name: value for name, value in body.items() if name not in _SHAPE or name in elsewhere}
    told["contact"] = {**short, **_object(told, "contact")}
    told["fields"] = {**own, **_object(told, "fields")}
    for target, expression in sorted(pointed.items(), key=lambda item: "." in item[0]):
        whole, _, part = (f"contact.{target}" if target in _SHORT else target).partition(".")
        value = fingerprint(body) if (target, expression) == ("event_id", BODY_HASH) else expression.search(body)
        told[whole] = {**_object(told, whole), part: value} if part else value
    return told


def _is_blank(value: Any) -> bool:
    return not value.strip() if isinstance(value, str) else value is None or value in ([], {})


def _object(told: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = told.get(name)
    if _is_blank(value):
        return {}
    if not isinstance(value, Mapping):
        names = f" with {', '.join(_PARTS[name])}" if name in _PARTS else ""
        raise Unreadable(f"{name} must be an object{names}", name)
    return {part: item for part, item in value.items() if name == "fields" or not _is_blank(item)}


def _text(values: Mapping[str, Any], name: str, where: str = "") -> str | None:
    value = values.get(name)
    found = text(value)
    if found is None and not _is_blank(value):
        raise Unreadable(f"{where}{name} must be text or a whole number", f"{where}{name}")
    return found


def _texts(values: Mapping[str, Any], name: str, where: str = "") -> list[str]:
    """A list, or a single one without its brackets."""
    told = values.get(name)
    listed = told if isinstance(told, list) else [told]
    return [found for value in listed if (found := _text({name: value}, name, where))]


def _time(told: Mapping[str, Any]) -> datetime | None:
    value = told.get("occurred_at")
    happened_at = moment(value)
    if happened_at is None and not _is_blank(value):
        raise Unreadable("occurred_at is no time: send ISO 8601, such as 2026-11-23T08:40:00Z, or an epoch in seconds or milliseconds", "occurred_at")
    return happened_at


def _entity(told: Mapping[str, Any], event_type: str) -> Entity | None:
    """An id alone takes its type from the event's: ``lead.created`` is about a lead."""
    record = _object(told, "entity")
    entity_id, entity_type = _text(record, "id", "entity."), _text(record, "type", "entity.")
    if entity_id is None:
        return None
    if entity_type is None and "." not in event_type:
        raise Unreadable("entity.type is missing: what is it the id of? A lead, a contact, a deal …", "entity.type")
    return Entity(entity_type or event_type.partition(".")[0], entity_id)


def _stage(told: Mapping[str, Any]) -> Stage | None:
    move = _object(told, "stage")
    stage = Stage(after=_text(move, "to", "stage."), before=_text(move, "from", "stage."))
    return stage if stage.document() else None
