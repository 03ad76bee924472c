"""Standard Webhooks, and Svix: one signed JSON event a request, from any sender that follows the convention.

Facts after https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md and
https://docs.svix.com/receiving/verifying-payloads/how-manual.

Event id: the ``webhook-id`` header, which every retry keeps; timestamp and signature are made afresh for each attempt. An id
with a dot is refused, because ``a.b`` + ``c`` and ``a`` + ``b.c`` are the same signed text. A body without that header can only be one
that nobody verified (``explain``); a digest of the body stands in.

Fact: type, entity and the payload's ``timestamp``, where all are told; else the event id, so that nothing is merged by accident.

The payload is ``{type, timestamp, data}`` by convention: ``type`` is taken as the sender says it, ``unknown`` where it is
missing; ``data`` becomes ``fields``, and the record and the person are read from it in the usual ``shapes``. What cannot be
read is kept as failed, as a CRM's would be: the sender is a product, and nobody there reads a 422.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import SecretStr, field_validator

from bridge import keys
from bridge.errors import Refusal, Unreadable, Unverified
from bridge.model import Delivery, Entity, Event, Unparsed, iso
from bridge.signing import any_equal, check_age, hmac_sha256, is_time
from bridge.sources import shapes
from bridge.sources.base import Manual, Signed, Source, SourceSettings
from bridge.sources.bodies import read_json
from bridge.sources.values import first, mapping, moment, refs, text

_SHARED, _PUBLIC = "whsec_", "whpk_"
_HEADERS = ("webhook", "svix")

_RECORDS = shapes.PEOPLE | {"deal", "opportunity", "company", "account", "order"}


class StandardWebhooksSettings(SourceSettings):
    """``secret``: ``whsec_…`` (shared) or ``whpk_…`` (the sender's public key), as the sender shows it."""

    @field_validator("secret")
    @classmethod
    def _is_key(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for secret in value:
            key_of(secret.get_secret_value())
        return value


class StandardWebhooks(Source):
    """One endpoint at one sender."""

    kind = "standard_webhooks"
    title = "Standard Webhooks"
    manual = Manual(
        where="the sender's settings",
        proof="HMAC-SHA256 (v1) or Ed25519 (v1a) of the id, a time and the body",
        secret="`whsec_…`, or `whpk_…`, a public key",  # noqa: S106 -- words about it
    )
    settings_type = StandardWebhooksSettings
    own_types = True

    def verify(self, delivery: Delivery, now: datetime) -> None:
        """Any signature of the list may match under any secret; versions that nobody knows are passed over."""
        message_id, timestamp, signatures = _signed_headers(delivery.headers)
        if "." in message_id:
            raise Unverified(Refusal.WRONG_SIGNATURE, "webhook-id has a dot, so that what is signed could be read in two ways")
        if not is_time(timestamp, 11):
            raise Unverified(Refusal.MISSING, "webhook-timestamp is not a time in seconds")
        message = f"{message_id}.{timestamp}.".encode() + delivery.body
        given = [signature.partition(",")[::2] for signature in signatures.split()]
        if not any(_matches(secret, message, given) for secret in self.require_secret()):
            raise Unverified(Refusal.WRONG_SIGNATURE, "no signature of the list matches")
        check_age(datetime.fromtimestamp(int(timestamp), UTC), now)

    def parse(self, delivery: Delivery) -> Sequence[Event | Unparsed]:
        body = read_json(delivery.body)
        if not isinstance(body, Mapping):
            raise Unreadable("Standard Webhooks sends a JSON object")
        event_id = delivery.headers.get(f"{_prefix(delivery.headers)}-id", "").strip() or keys.digest(delivery.body)
        vendor_type, happened_at, data = text(body.get("type")), moment(body.get("timestamp")), mapping(body.get("data"))
        entity = _entity(vendor_type or "", data)
        contact, stage = self.contact(*shapes.phones(data), **shapes.person(entity, data)), shapes.stage(data)
        fact: tuple[str | None, ...] = (event_id,)
        if vendor_type and entity and happened_at:
            fact = (entity.type, entity.id, vendor_type, stage.after, iso(happened_at))
        event = Event(
            source=self.name,
            kind=self.kind,
            id=event_id,
            type=vendor_type or "unknown",
            fact=keys.join(self.kind, self.name, *fact),
            received_at=delivery.received_at,
            occurred_at=happened_at,
            entity=entity,
            refs=refs(entity, contact),
            stage=stage if stage.document() else None,
            contact=contact if contact.document() else None,
            fields=data,
        )
        return [event]

    def sign(self, body: bytes, url: str, now: datetime) -> Signed:
        """Only with a shared secret: the other half of a public key is the sender's alone. The id is a digest of the body."""
        shared = next((secret for secret in self.require_secret() if not secret.startswith(_PUBLIC)), None)
        if shared is None:
            raise Unverified(Refusal.NO_SECRET, f"source '{self.name}' has only public keys, and those cannot sign")
        return Signed(body, url, {"Content-Type": "application/json", **proof(shared, f"msg_{keys.digest(body)}", body, now)})


def proof(secret: str, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """The headers that prove where a message comes from. ``secret`` is a shared one; a retry keeps its id and is signed afresh."""
    timestamp = str(int(now.timestamp()))
    signature = base64.b64encode(hmac_sha256(key_of(secret), f"{message_id}.{timestamp}.".encode() + body)).decode()
    return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{signature}"}


def key_of(secret: str) -> bytes:
    """The bytes of a key. ``ValueError`` for what is none: nothing, not base64, a public key of another length."""
    encoded = secret.removeprefix(_SHARED).removeprefix(_PUBLIC).rstrip("=")
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        key = b""
    if not key or (secret.startswith(_PUBLIC) and len(key) != 32):
        raise ValueError("a secret is `whsec_` or `whpk_` and base64, as the sender shows it")
    return key


def _prefix(headers: Mapping[str, str]) -> str:
    """``webhook`` or ``svix``, for all headers alike: an id beside the signed one must not become the event's id."""
    present = (prefix for name in ("signature", "id") for prefix in _HEADERS if f"{prefix}-{name}" in headers)
    return next(present, _HEADERS[0])


def _signed_headers(headers: Mapping[str, str]) -> tuple[str, str, str]:
    prefix = _prefix(headers)
    found = {name: headers.get(f"{prefix}-{name}", "").strip() for name in ("id", "timestamp", "signature")}
    if missing := [f"{prefix}-{name}" for name, value in found.items() if not value]:
        raise Unverified(Refusal.MISSING, f"no {' and no '.join(missing)} header")
    return found["id"], found["timestamp"], found["signature"]


def _matches(secret: str, message: bytes, given: Iterable[Sequence[str]]) -> bool:
    key = key_of(secret)
    if secret.startswith(_PUBLIC):
        return any(version == "v1a" and _is_signed(key, message, signature) for version, signature in given)
    expected = base64.b64encode(hmac_sha256(key, message))
    return any(version == "v1" and any_equal([expected], signature) for version, signature in given)


def _is_signed(public_key: bytes, message: bytes, signature: str) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(base64.b64decode(signature, validate=True), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _entity(vendor_type: str, data: Mapping[str, Any]) -> Entity | None:
    """``contact.created``, ``crm.contact.created`` and ``contact.phone.changed`` are about a contact; without a dot ``data.type`` says it."""
    words = vendor_type.split(".")[:-1]
    kind = next((word for word in reversed(words) if word in _RECORDS), words[-1] if words else first((data.get("type"), data.get("object"))))
    record_id = shapes.record_id(data, kind)
    return Entity(kind, record_id) if kind and record_id else None
