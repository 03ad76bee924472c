"""The contract between the bridge and one CRM, on one screen. A new CRM is one file beside this one.

An adapter is pure: it is given bytes and ``now`` and gives values back. It does no I/O, reads no clock, knows no other
adapter, and imports nothing of the bridge but errors, keys, model, phones, quantities and signing (and expressions, where users map),
and of this package ``bodies``, ``values``, where the CRM's tokens expire ``oauth``, and where senders write as they like ``shapes``.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, ClassVar
from urllib.parse import quote

import phonenumbers
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr

from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Event, HttpRequest, HttpResponse, Prospect, Rate, Receipt, Reply, Unparsed, unique
from bridge.phones import to_e164
from bridge.quantities import Duration
from bridge.signing import any_equal
from bridge.sources.values import credentials, retry_after, spellings, text

Lookup = Generator[HttpRequest, HttpResponse, Event]
"""A conversation with the CRM's API that the worker holds: the adapter yields requests, is sent the answers, returns the event enriched."""

HIDDEN = "***"
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "x-webhook-secret", "x-api-key"})
_SHORTEST = 8  # what a CRM calls a secret and is shorter is found in ids and dates as well: cutting it out would tear the body apart
_URL_SECRET = "token"  # noqa: S105 -- the name of a parameter
_TOKEN_IN_URL = re.compile(r"([?&](?:token|secret|key|code|access_token|auth)=)[^&#]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manual:
    """What a user must know to connect this CRM; the table of kinds in the README is made of these.

    ``where`` the URL is entered; ``proof``: how a delivery proves where it comes from; ``secret`` and ``api_token``: what to put
    there, empty where there is nothing to put.
    """

    where: str
    proof: str
    secret: str
    api_token: str = ""


@dataclass(frozen=True, slots=True)
class Signed:
    """A request as the CRM itself would send it: where its secret travels in the URL or in the body, it is in there."""

    body: bytes
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subscription:
    """What must be asked of a CRM again and again, because its webhooks end by themselves. ``request`` renews, when it is made now."""

    request: HttpRequest
    every: timedelta


def _spelled(secret: str) -> str:
    """A pattern for it: a short one counts only as a word of its own, so that ``s`` does not make ``stage`` unreadable."""
    return re.escape(secret) if len(secret) >= _SHORTEST else rf"(?<![\w.-]){re.escape(secret)}(?![\w.-])"


@lru_cache(maxsize=256)
def _patterns(secrets: frozenset[str]) -> tuple[tuple[re.Pattern[bytes], re.Pattern[str]], ...]:
    """Every spelling of them, in bodies and in URLs, the longest first. The same few secrets are looked for in every delivery."""
    longest_first = sorted({form for secret in secrets for form in spellings(secret)}, key=len, reverse=True)
    return tuple((re.compile(_spelled(form).encode()), re.compile(_spelled(form))) for form in longest_first)


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


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        msg = "must be longer than nothing"
        raise ValueError(msg)
    return value


OneOrMore = BeforeValidator(_as_list)
"""Before a setting that is a list: one value may stand without its brackets."""

ApiBase = Annotated[str, AfterValidator(_address)]
"""Where look-ups go. Never taken from a body: whoever can send one could have the token sent anywhere."""

Region = Annotated[str, AfterValidator(_region)]
Patience = Annotated[Duration, AfterValidator(_positive)]
Secrets = Annotated[tuple[SecretStr, ...], OneOrMore]


class SourceSettings(BaseModel):
    """What every source may be configured with; an adapter adds its own keys in a subclass."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    kind: str
    secret: Secrets = ()
    api_token: SecretStr | None = None
    region: Region | None = None
    insecure: bool = False
    silence: Patience | None = None


class Source(ABC):
    """One configured connection to one CRM."""

    kind: ClassVar[str]
    title: ClassVar[str]
    manual: ClassVar[Manual]
    settings_type: ClassVar[type[SourceSettings]] = SourceSettings
    looked_up: ClassVar[Container[str]] = ()
    """The types of record that :meth:`look_up` reads."""
    stage_fields: ClassVar[Mapping[str, str]] = {}
    """In which of ``fields`` a look-up finds the stage of a record of this type; for an adapter that tells stages."""
    lookup_rate: ClassVar[Rate] = Rate(count=5, seconds=1)
    """How often the CRM's API may be asked with one token."""
    lookup_pause: ClassVar[float | None] = None
    """For how many seconds to leave it alone after a 429 that does not say."""
    strict: ClassVar[bool] = False
    """True where the sender can mend an unreadable body (422); a CRM cannot, so its delivery is kept as failed."""
    sends_again: ClassVar[bool] = True
    """False for a CRM that delivers once and never again, whatever it is answered: what Redis cannot take is kept on disk."""
    wants_200: ClassVar[bool] = False
    """True for a CRM that may take every other status than 200 for a failure, and send again."""
    own_types: ClassVar[bool] = False
    """True where the sender names its events as it likes, so that a rule for a type nobody knows is no mistake."""
    signs_url: ClassVar[bool] = False
    """True where the URL is part of what is signed, so that the bridge must know how the CRM sees it."""

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
    def sign(self, body: bytes, url: str, now: datetime) -> Signed:
        """The request with which the CRM itself would send this body; for ``callbridge send``."""

    # What an adapter overrides when its CRM needs it.

    def handshake(self, delivery: Delivery) -> Reply | None:
        """The answer to a validation request that comes before any signature; None for an ordinary delivery."""
        del delivery
        return None

    def acknowledge(self, receipts: Sequence[Receipt], delivery: Delivery) -> Reply | None:
        """The answer in the CRM's own form; None for the bridge's JSON, which is a 200 or a 202."""
        del delivery
        told = {"status": "accepted", "events": [{"id": receipt.id, "status": receipt.status} for receipt in receipts]}
        return Reply(200, json.dumps(told).encode(), {"Content-Type": "application/json"}) if self.wants_200 else None

    def secrets_in(self, delivery: Delivery) -> Iterable[str]:
        """What in this delivery would let its reader act in the CRM or pass for it: cut out before anything is kept. Never raises.

        The configured secrets and the usual headers and URL parameters are cut out in any case; what is given here, where it is long
        enough to be a secret.
        """
        del delivery
        return ()

    def could_become(self, event: Event) -> Sequence[str]:
        """The types that this event may turn out to have once it is looked up, besides its own: a CRM may say no more than ``changed``."""
        del event
        return ()

    def prospect(self, event: Event) -> Prospect:
        """What may still become known of this event."""
        can = self.can_look_up(event)
        return Prospect(can_look_up=can, types=tuple(self.could_become(event)) if can else ())

    def can_look_up(self, event: Event) -> bool:
        """Whether :meth:`look_up` can say more about this event with the configuration at hand; of a record that is gone it cannot."""
        known = event.entity is not None and event.entity.type in self.looked_up
        return known and bool(self.api_token) and not event.type.endswith(".deleted")

    def look_up(self, event: Event, wanted: Iterable[str]) -> Lookup:
        """Ask the CRM for what the payload left out, and for ``wanted``, the ``fields`` that rules read. Raises ``LookupFailed``."""
        del wanted
        yield from ()
        return event

    def stage_now(self, before: Event, fresh: Event) -> str | None:
        """The stage that a record just looked up is in, spelled as in its events."""
        del before
        return text(fresh.fields.get(self.stage_fields.get(fresh.entity.type if fresh.entity else "", "")))

    def superseded(self, before: Event, fresh: Event) -> str | None:
        """For ``recheck``: what has changed in the CRM since the event happened, so that nobody should be called for it any more.

        A record that is gone does not get this far: its look-up fails for good.
        """
        record = before.entity.ref if before.entity else "the record"
        move = before.stage or fresh.stage  # some say only that something changed, and the look-up tells that it was the stage
        told, now = move and move.after, self.stage_now(before, fresh)
        if told and now != told:
            return f"{record} is in {f'stage {now}' if now else 'no stage'} now, not in {told} any more"
        number = self.contact(before.contact.phone).phone if before.contact else None
        theirs = fresh.contact.phones if fresh.contact else ()
        if number is None or number in theirs:
            return None
        return f"the number of {record} in {self.title} is another one now" if theirs else f"{record} has no number in {self.title} any more"

    def subscription(self, now: datetime) -> Subscription | None:
        """For a CRM that forgets its subscribers: what renews this source's, and how often. None: it remembers them."""
        del now
        return None

    def judge_subscription(self, response: HttpResponse) -> None:
        """Raise ``LookupFailed`` when the answer to :meth:`subscription` does not say that it was renewed."""
        self.judge(response)

    def probe(self) -> HttpRequest | None:
        """A harmless read that the CRM answers when ``api_token`` is good; None where there is no token, or nothing to ask."""
        return None

    def judge(self, response: HttpResponse) -> None:
        """Raise ``LookupFailed`` for an answer no adapter can read. 2xx and 404 pass: 404 has a meaning of its own."""
        if response.status in {401, 403}:
            raise LookupFailed(f"{self.title} refused api_token ({response.status})", parked=True)
        if response.status >= 300 and response.status != 404:
            too_many, pause = (": too many requests", self.lookup_pause) if response.status == 429 else ("", None)
            raise LookupFailed(f"{self.title} answered {response.status}{too_many}", retry_after=retry_after(response) or pause)

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

    def verify_shared_secret(self, delivery: Delivery, *, in_url: bool = True) -> None:
        """For a CRM that signs nothing: one of the secrets as ``Authorization: Bearer``, ``X-Webhook-Secret``, Basic, or ``?token=`` in the URL."""
        given = credentials(delivery, _URL_SECRET if in_url else None)
        if not given:
            also = ", or as `?token=…` in the URL" if in_url else ""
            raise Unverified(Refusal.MISSING, f"no secret: send it as `Authorization: Bearer …`, `X-Webhook-Secret` or Basic{also}")
        expected = self.require_secret()
        if not any(any_equal(expected, credential) for credential in given):
            raise Unverified(Refusal.WRONG_SECRET, "the secret is not the configured one")

    def verify_account(self, name: str, expected: str | None, told: Callable[[], Iterable[str | None]]) -> None:
        """Once the secret is right: where an account is configured, one of those ``told`` by the body must be it.

        A body that cannot be read is left to :meth:`parse`. ``name`` is what the body calls the account.
        """
        if expected is None:
            return
        try:
            given = [account for account in told() if account]
        except Unreadable:
            return
        if expected not in given:
            raise Unverified(Refusal.WRONG_ACCOUNT, f"{name} is {' or '.join(given) or 'not told'}, and the source takes {expected}")

    def with_secret_in_url(self, url: str) -> str:
        """The URL to enter at a CRM that can prove itself in no other way."""
        return f"{url}{'&' if '?' in url else '?'}{_URL_SECRET}={quote(self.require_secret()[0], safe='')}"

    def storable(self, delivery: Delivery) -> Delivery:
        """The delivery without what nobody must read later; it can still be read by :meth:`parse`, and gives the same events."""
        found = frozenset([*self.secrets, *(secret for secret in self.secrets_in(delivery) if len(secret) >= _SHORTEST)])
        body, url = delivery.body, delivery.url
        for in_body, in_url in _patterns(found):
            body, url = in_body.sub(HIDDEN.encode(), body), in_url.sub(HIDDEN, url)
        headers = {name: HIDDEN if name in _SECRET_HEADERS or value in found else value for name, value in delivery.headers.items()}
        return replace(delivery, body=body, url=_TOKEN_IN_URL.sub(rf"\1{HIDDEN}", url), headers=headers)

    def contact(self, *phones: object, **known: str | None) -> Contact:
        """A contact whose phones are E.164 where they can be read, in the order given, blanks left out.

        ``phone`` is the first that can be read: a note in the first field must not hide the number in the second.
        """
        spelled = unique([to_e164(written, self.settings.region) or written for phone in phones if (written := text(phone))])
        return Contact(phone=next(filter(to_e164, spelled), next(iter(spelled), None)), phones=spelled, **known)
