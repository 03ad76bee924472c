"""CloudEvents over HTTP: binary, structured and batched mode, from any sender that speaks them.

Facts after https://github.com/cloudevents/spec (version 1.0.2): cloudevents/spec.md, bindings/http-protocol-binding.md, formats/json-format.md
and http-webhook.md.

Nothing is signed: the secret comes as ``Authorization: Bearer`` or as ``?access_token=`` in the URL, both of which a receiver must take. An
``OPTIONS`` request with ``WebHook-Request-Origin`` asks whether this endpoint wants events at all. It is answered yes, for any origin
and at any rate, because it proves nothing: every delivery needs the secret all the same.

Event id: ``source`` and ``id``, whose pair producers must make unique and may keep when they send again. Nothing else is in it. An event without
either is kept as failed, under a digest of what it is.

Fact: type, record, stage and ``time``, within ``source``, where all are told; else the event id, so that nothing is merged by accident: a
producer may send one event again under a new id. ``time`` need not be when it happened, but producers must handle it alike.

The type is the sender's own, which rules may match by ``*.contact.created``. What is in ``data`` is the sender's own too. ``data`` and the extension
attributes become ``fields``; the record is named by the type (``com.example.contact.created`` is about a contact) and its id by ``data``,
else by ``subject``; the person is read in the usual ``shapes``. ``fields`` on the source points any of these elsewhere, by a
JMESPath over the CloudEvent in its JSON form: ``contact.phone: data.customer.tel``. Data that is not JSON is not read, and
neither is a format of events other than JSON. ``null`` attributes are absent; those in headers are percent-decoded.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from pydantic import ConfigDict, Field, field_validator

from bridge import keys
from bridge.errors import Unreadable
from bridge.expressions import Expression, JMESPath
from bridge.model import Contact, Delivery, Entity, Event, Reply, Stage, Unparsed, iso
from bridge.sources import shapes
from bridge.sources.base import Manual, Signed, Source, SourceSettings
from bridge.sources.bodies import read_json
from bridge.sources.values import fingerprint, mapping, moment, refs, text

_STRUCTURED, _BATCHED = "application/cloudevents", "application/cloudevents-batch"
_CORE = frozenset({"id", "source", "specversion", "type", "subject", "time", "datacontenttype", "dataschema", "data", "data_base64"})
_NAMED = ("ce-id", "ce-source", "ce-type")
_TOKEN = re.compile(r"([?&])access_token=")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')

_POINTED = {"entity": ("type", "id"), "stage": ("from", "to"), "contact": ("id", "name", "phone", "phones", "email", "time_zone")}
_TARGETS = tuple(f"{whole}.{part}" for whole, parts in _POINTED.items() for part in parts)
_RECORDS = shapes.PEOPLE | {"deal", "opportunity"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


class CloudEventsSettings(SourceSettings):
    """``fields``: where a part of the event is, by JMESPath over the CloudEvent in its JSON form."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    fields: dict[str, JMESPath] = Field(default_factory=dict)

    @field_validator("fields")
    @classmethod
    def _known_targets(cls, value: dict[str, Expression]) -> dict[str, Expression]:
        for target in value:
            if target not in _TARGETS:
                raise ValueError(f"'{target}' is nothing that can be pointed elsewhere: {', '.join(_TARGETS)}")
        return value


class CloudEvents(Source):
    """One sender of CloudEvents."""

    kind = "cloudevents"
    title = "CloudEvents"
    manual = Manual(
        where="the sender's HTTP or webhook destination",
        proof="the secret as a bearer token",
        secret="any; sent as `Authorization: Bearer`, or as `?access_token=…` in the URL",  # noqa: S106 -- words about it
    )
    settings_type = CloudEventsSettings
    own_types = True

    settings: CloudEventsSettings

    def handshake(self, delivery: Delivery) -> Reply | None:
        """Yes to whoever asks by the book; any other OPTIONS is no question, and a receiver answers it 405."""
        origin = delivery.headers.get("webhook-request-origin", "").strip()
        if delivery.method != "OPTIONS" or not origin:
            return None
        return Reply(200, headers={"Allow": "POST", "WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"})

    def verify(self, delivery: Delivery, now: datetime) -> None:
        del now
        self.verify_shared_secret(replace(delivery, url=_TOKEN.sub(r"\1token=", delivery.url)))

    def parse(self, delivery: Delivery) -> Sequence[Event | Unparsed]:
        """Each event of a batch stands alone."""
        return [told if isinstance(told, Unparsed) else self._event(told, delivery) for told in _envelopes(delivery)]

    def sign(self, body: bytes, url: str, now: datetime) -> Signed:
        """Structured where the body is a CloudEvent, batched where it is an array; else binary, whose attributes are headers of their own."""
        del now
        return Signed(body, url, {"Content-Type": _media_type(body), "Authorization": f"Bearer {self.require_secret()[0]}"})

    def _event(self, told: Any, delivery: Delivery) -> Event | Unparsed:
        attributes = {name: value for name, value in mapping(told).items() if value is not None}
        source, event_id = text(attributes.get("source")), text(attributes.get("id"))
        if not source or not event_id:
            return Unparsed(fingerprint(told), "it is no CloudEvent without source and id")
        identity, vendor_type = keys.join(source, event_id), text(attributes.get("type")) or "unknown"
        try:
            whole = {**attributes, "data": _data(attributes)}
        except (Unreadable, ValueError):
            return Unparsed(identity, "its data is not the JSON that it is said to be")
        happened_at, entity, stage = moment(attributes.get("time")), self._entity(vendor_type, whole), self._stage(whole)
        contact = self._contact(entity, whole)
        fact: tuple[str | None, ...] = (event_id,)
        if entity and happened_at:
            fact = (entity.type, entity.id, vendor_type, stage.after if stage else None, iso(happened_at))
        return Event(
            source=self.name,
            kind=self.kind,
            id=identity,
            type=vendor_type,
            fact=keys.join(self.kind, self.name, source, *fact),
            received_at=delivery.received_at,
            occurred_at=happened_at,
            entity=entity,
            refs=refs(entity, contact),
            stage=stage,
            contact=contact,
            fields={**{name: value for name, value in attributes.items() if name not in _CORE}, **mapping(whole["data"])},
        )

    def _pointed(self, target: str, whole: Mapping[str, Any], default: Any) -> Any:
        """What the configured JMESPath finds, be it nothing; ``default`` where none is configured."""
        expression = self.settings.fields.get(target)
        return expression.search(whole) if expression else default

    def _entity(self, vendor_type: str, whole: Mapping[str, Any]) -> Entity | None:
        words = [word.lower() for word in _WORD.findall(vendor_type)]
        named = next((word for word in reversed(words) if word in _RECORDS), None)
        kind = text(self._pointed("entity.type", whole, named))
        told = shapes.record_id(mapping(whole["data"]), kind) or whole.get("subject")
        record_id = text(self._pointed("entity.id", whole, told))
        return Entity(kind, record_id) if kind and record_id else None

    def _stage(self, whole: Mapping[str, Any]) -> Stage | None:
        told = shapes.stage(mapping(whole["data"]))
        after, before = (text(self._pointed(f"stage.{end}", whole, value)) for end, value in (("to", told.after), ("from", told.before)))
        return Stage(after=after, before=before) if after or before else None

    def _contact(self, entity: Entity | None, whole: Mapping[str, Any]) -> Contact | None:
        data = mapping(whole["data"])
        known = {part: text(self._pointed(f"contact.{part}", whole, told)) for part, told in shapes.person(entity, data).items()}
        pointed = [self._pointed(target, whole, None) for target in ("contact.phone", "contact.phones") if target in self.settings.fields]
        contact = self.contact(*(shapes.numbers(pointed) if pointed else shapes.phones(data)), **known)
        return contact if contact.document() else None


def _envelopes(delivery: Delivery) -> Sequence[Any]:
    """The events of a delivery in their JSON form. The media type tells the mode, for a structured one may repeat its attributes in headers."""
    media_type = delivery.content_type
    if not media_type.startswith(_STRUCTURED) and any(name in delivery.headers for name in _NAMED):
        return [_binary(delivery)]
    if media_type.startswith(_STRUCTURED) and not _is_json(media_type) and media_type not in {_STRUCTURED, _BATCHED}:
        raise Unreadable(f"events in the format {media_type} are not read: send application/cloudevents+json", "Content-Type")
    document = read_json(delivery.body)
    if not isinstance(document, Mapping | list):
        raise Unreadable("a CloudEvent is a JSON object, a batch an array of them")
    return document if isinstance(document, list) else [document]


def _binary(delivery: Delivery) -> Mapping[str, Any] | Unparsed:
    """The attributes are headers; the body is the data, as it is."""
    written = {name.removeprefix("ce-"): value for name, value in delivery.headers.items() if name.startswith("ce-")}
    try:
        attributes: dict[str, Any] = {name: _decoded(value) for name, value in written.items()}
    except ValueError:
        return Unparsed(fingerprint(written), "a ce- header is not percent-encoded UTF-8")
    body = {"data_base64": base64.b64encode(delivery.body).decode()} if delivery.body else {}
    return {**attributes, "datacontenttype": delivery.content_type or None, **body}


def _decoded(value: str) -> str:
    """A header's text: quotes as older versions of the specification had them, then one round of percent-decoding."""
    quoted = _QUOTED.fullmatch(value.strip())
    return unquote(re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else value.strip(), errors="strict")


def _data(attributes: Mapping[str, Any]) -> Any:
    """The data where it is JSON, which it is where nothing else is said. ``ValueError`` or ``Unreadable`` where it is not."""
    media_type = (text(attributes.get("datacontenttype")) or "application/json").partition(";")[0].strip().lower()
    if not _is_json(media_type):
        return None
    if "data_base64" in attributes:
        return read_json(base64.b64decode(text(attributes["data_base64"]) or "", validate=True))
    return attributes.get("data")


def _is_json(media_type: str) -> bool:
    return media_type.endswith(("/json", "+json"))


def _media_type(body: bytes) -> str:
    try:
        document = read_json(body)
    except Unreadable:
        return "application/octet-stream"
    if isinstance(document, list):
        return f"{_BATCHED}+json"
    return f"{_STRUCTURED}+json" if "specversion" in mapping(document) else "application/json"
