"""The contract between the bridge and one CRM, on one screen. A new CRM is one file beside this one.

An adapter is pure: it is given bytes and ``now`` and gives values back. It does no I/O, reads no clock, knows no other
adapter, and imports nothing of the bridge but errors, keys, model, phones and signing (and expressions, where users map).
"""

import base64
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar

import phonenumbers
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr

from bridge import keys
from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Event, HttpRequest, HttpResponse, Rate, Receipt, Reply, Unparsed, unique
from bridge.phones import to_e164
from bridge.sources.bodies import read_json

Lookup = Generator[HttpRequest, HttpResponse, Event]
"""A conversation with the CRM's API that the worker holds: the adapter yields requests, is sent the answers, returns the event enriched."""

_EPOCH = re.compile(r"[0-9]{9,16}(\.[0-9]+)?")
_YEARS = range(1990, 2200)  # a time outside is a number that means something else


def _region(value: str) -> str:
    if value not in phonenumbers.SUPPORTED_REGIONS:
        msg = f"'{value}' is no ISO 3166 country code such as US, DE or BR"
        raise ValueError(msg)
    return value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | int) else value


def _address(value: str) -> str:
    if not re.match(r"https?://[^/]", value):
        msg = f"'{value}' is no address such as https://api.example.com"
        raise ValueError(msg)
    return value.rstrip("/")


ApiBase = Annotated[str, AfterValidator(_address)]
"""Where look-ups go. Never taken from a body: whoever can send one could have the token sent anywhere."""

Region = Annotated[str, AfterValidator(_region)]
Secrets = Annotated[tuple[SecretStr, ...], BeforeValidator(_as_list)]


class SourceSettings(BaseModel):
    """What every source may be configured with; an adapter adds its own keys in a subclass."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    kind: str
    secret: Secrets = ()
    api_token: SecretStr | None = None
    region: Region | None = None
    insecure: bool = False


class Source(ABC):
    """One configured connection to one CRM."""

    kind: ClassVar[str]
    title: ClassVar[str]
    settings_type: ClassVar[type[SourceSettings]] = SourceSettings
    lookup_rate: ClassVar[Rate] = Rate(count=5, seconds=1)
    """How often the CRM's API may be asked with one token."""
    strict: ClassVar[bool] = False
    """True where the sender can mend an unreadable body (422); a CRM cannot, so its delivery is kept as failed."""

    def __init__(self, name: str, settings: SourceSettings) -> None:
        self.name = name
        self.settings = settings

    # What every adapter does.

    @abstractmethod
    def verify(self, delivery: Delivery, now: datetime) -> None:
        """Return when the delivery is authentic, raise ``Unverified`` otherwise. Never reads the body's meaning."""

    @abstractmethod
    def parse(self, delivery: Delivery) -> Sequence[Event | Unparsed]:
        """The events of an authentic delivery, each standing alone. Raises ``Unreadable`` when there is no telling."""

    @abstractmethod
    def sign(self, body: bytes, url: str, now: datetime) -> dict[str, str]:
        """The headers with which the CRM itself would send this body; for ``callbridge send``."""

    # What an adapter overrides when its CRM needs it.

    def handshake(self, delivery: Delivery) -> Reply | None:
        """The answer to a validation request that comes before any signature; None for an ordinary delivery."""
        del delivery
        return None

    def acknowledge(self, receipts: Sequence[Receipt]) -> Reply | None:
        """The answer in the CRM's own form; None for the bridge's JSON."""
        del receipts
        return None

    def can_look_up(self, event: Event) -> bool:
        """Whether :meth:`look_up` can say more about this event with the configuration at hand."""
        del event
        return False

    def look_up(self, event: Event, wanted: Iterable[str]) -> Lookup:
        """Ask the CRM for what the payload left out, and for ``wanted``, the ``fields`` that rules read. Raises ``LookupFailed``."""
        del wanted
        yield from ()
        return event

    def stage_now(self, before: Event, fresh: Event) -> str | None:
        """The stage that a record just looked up is in, spelled as in its events; for an adapter that tells stages and looks up."""
        del fresh
        return before.stage.after if before.stage else None

    def superseded(self, before: Event, fresh: Event) -> str | None:
        """For ``recheck``: what has changed in the CRM since the event happened, so that nobody should be called for it any more.

        A record that is gone does not get this far: its look-up fails for good.
        """
        record = before.entity.ref if before.entity else "the record"
        told, now = before.stage and before.stage.after, self.stage_now(before, fresh)
        if told and now != told:
            return f"{record} is in {f'stage {now}' if now else 'no stage'} now, not in {told} any more"
        number = self.contact(before.contact.phone).phone if before.contact else None
        theirs = fresh.contact.phones if fresh.contact else ()
        if number is None or number in theirs:
            return None
        return f"the number of {record} in {self.title} is another one now" if theirs else f"{record} has no number in {self.title} any more"

    def probe(self) -> HttpRequest | None:
        """A harmless read that the CRM answers when ``api_token`` is good; None where there is no token, or nothing to ask."""
        return None

    def judge(self, response: HttpResponse) -> None:
        """Raise ``LookupFailed`` for an answer no adapter can read. 2xx and 404 pass: 404 has a meaning of its own."""
        if response.status in {401, 403}:
            raise LookupFailed(f"{self.title} refused api_token ({response.status})", parked=True)
        if response.status >= 300 and response.status != 404:
            too_many = ": too many requests" if response.status == 429 else ""
            raise LookupFailed(f"{self.title} answered {response.status}{too_many}", retry_after=seconds(response.headers.get("retry-after")))

    # What adapters use.

    @property
    def secrets(self) -> list[str]:
        """The configured secrets, the current one first. A blank one is none: it would open the door to a blank header."""
        return [value for secret in self.settings.secret if (value := secret.get_secret_value()).strip()]

    @property
    def api_token(self) -> str:
        return self.settings.api_token.get_secret_value() if self.settings.api_token else ""

    def require_secret(self) -> list[str]:
        """The configured secrets; fails closed when there are none."""
        if not self.secrets:
            raise Unverified(Refusal.NO_SECRET, f"source '{self.name}' has no secret configured")
        return self.secrets

    def contact(self, *phones: object, **known: str | None) -> Contact:
        """A contact whose phones are E.164 where they can be read, in the order given, blanks left out.

        ``phone`` is the first that can be read: a note in the first field must not hide the number in the second.
        """
        spelled = unique([to_e164(phone, self.settings.region) or str(phone).strip() for phone in phones if _filled(phone)])
        return Contact(phone=next(filter(to_e164, spelled), next(iter(spelled), None)), phones=spelled, **known)


def phone_refs(contact: Contact | None) -> tuple[str, ...]:
    """The refs of a contact's readable numbers; what is no number ties nobody together."""
    return tuple(f"phone:{phone}" for phone in (contact.phones if contact else ()) if to_e164(phone) == phone)


def keeping(fresh: Contact, told: Contact | None) -> Contact:
    """``fresh``, to be called by the number that was told, where that is still one of theirs: a look-up must not swap it for another."""
    return replace(fresh, phone=told.phone) if told and told.phone in fresh.phones else fresh


def text(value: object) -> str | None:
    """An id or a name as text, whatever JSON type the CRM chose today; None when there is nothing in it."""
    return str(value).strip() or None if isinstance(value, str | int) and not isinstance(value, bool) else None


def seconds(value: str | None) -> float | None:
    """A ``Retry-After`` in seconds; None for anything else."""
    return float(value) if value and value.strip().isdecimal() else None


def moment(value: object) -> datetime | None:
    """A time of a payload, in UTC and to the millisecond: ISO 8601, or an epoch in s, ms or µs; None for anything else.

    A time without a zone is read as UTC, which is what CRMs that leave it out mean.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    written = str(value).strip()
    try:
        found = _from_epoch(float(written)) if _EPOCH.fullmatch(written) else datetime.fromisoformat(written)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found - timedelta(microseconds=found.microsecond % 1000) if found.year in _YEARS else None


def _from_epoch(number: float) -> datetime:
    """Seconds, milliseconds or microseconds: each is a thousand times the last, so a time of our age tells its unit."""
    while number >= 1e11:
        number /= 1000
    return datetime.fromtimestamp(number, UTC)


def basic_credentials(header: str | None) -> bytes | None:
    """The ``user:password`` of an ``Authorization: Basic`` header; None for another scheme or broken base64."""
    scheme, _, encoded = (header or "").strip().partition(" ")
    try:
        return base64.b64decode(encoded.strip(), validate=True) if scheme.lower() == "basic" else None
    except ValueError:
        return None


def answer(response: HttpResponse) -> dict[str, Any]:
    """The JSON object of an API's answer. ``LookupFailed`` for anything else: a proxy's page, a cut answer."""
    try:
        document = read_json(response.body.encode())
    except Unreadable as error:
        raise LookupFailed("the API's answer is not JSON") from error
    if not isinstance(document, dict):
        raise LookupFailed("the API's answer is not a JSON object")
    return document


def mapping(value: object) -> Mapping[str, Any]:
    """A JSON object, or an empty one in place of whatever else a body has there."""
    return value if isinstance(value, Mapping) else {}


def fingerprint(value: object) -> str:
    """A short digest of a JSON value; the order of an object's names does not matter."""
    return keys.digest(json.dumps(value, sort_keys=True))


def _filled(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and bool(str(value).strip())
