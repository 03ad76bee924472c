"""What a configuration may hold: frozen models, one per section of ``config.yaml``.

The rules are ``bridge.rules.Rule``; a source is what its adapter says (``settings_type``). ``config.example.yaml`` is the manual.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, SecretStr, field_validator, model_validator
from pydantic_core import CoreSchema, core_schema

from bridge.phones import to_e164
from bridge.quantities import Duration, RateLimit
from bridge.rules import Rule
from bridge.sources import kinds
from bridge.sources.base import OneOrMore, SourceSettings
from bridge.sources.standard_webhooks import key_of

PLATFORM_MEMORY = timedelta(hours=24)
"""How long the platform remembers an idempotence key; the bridge must remember at least as long."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_BIND = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9._-]+):(?P<port>[0-9]{1,5})")
_NO_BLANKS = re.compile(r"[!-~]+")
_SIZE = re.compile(r"([0-9]{1,12})\s*(B|KiB|MiB|GiB|kB|MB|GB)?")
_SHORTEST_KEY = 24
_BYTES = {None: 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "kB": 1000, "MB": 1000**2, "GB": 1000**3}


class Mode(StrEnum):
    """Who is called: everybody a rule says, nobody, or only the numbers in ``allowlist``."""

    LIVE = "live"
    SHADOW = "shadow"
    ALLOWLIST = "allowlist"


class Durability(StrEnum):
    """When Redis writes to disk: before it answers, every second, or when it likes."""

    ALWAYS = "always"
    EVERYSEC = "everysec"
    UNSAFE = "unsafe"


class CrmParams(StrEnum):
    """Where a host of the Calls API reads the parameters of ``addPhone``."""

    FORM = "form"
    QUERY = "query"


class Concern(StrEnum):
    """What an alert can be about."""

    ISSUE = "issue"
    PARKED = "parked"
    UNKNOWN = "unknown"
    PAST_DUE = "past_due"
    SILENCE = "silence"
    PAUSED = "paused"
    PLATFORM = "platform"
    WORKERS = "workers"
    HEARTBEAT = "heartbeat"


class AlertFormat(StrEnum):
    """How an alert is written: signed after Standard Webhooks, or the text that Slack and those who understand Slack take."""

    STANDARD_WEBHOOKS = "standard_webhooks"
    SLACK = "slack"


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("a name is at most 63 letters, digits, - and _, and begins with a letter or a digit: it becomes part of URLs and keys")
    return value


def _phone(value: Any) -> str:
    phone = to_e164(value)
    if phone is None:
        raise ValueError('this is no phone number: write it in quotes with + and the country code, such as "+16500000000"')
    return phone


def _token(value: SecretStr) -> SecretStr:
    if not _NO_BLANKS.fullmatch(value.get_secret_value()):
        raise ValueError("a token is made of letters, digits and signs on an English keyboard, without blanks: it travels in a header of HTTP")
    return value


def _size(value: Any) -> int:
    match = _SIZE.fullmatch(str(value).strip())
    if not match or int(match[1]) == 0:
        raise ValueError("this is no size: write a number and a unit, such as 512KiB or 1MiB")
    return int(match[1]) * _BYTES[match[2]]


def _split(value: str) -> SplitResult | None:
    """The parts of a URL, None when it is none. What ``urlsplit`` says may quote a password, and is not passed on."""
    with suppress(ValueError):
        parts = urlsplit(value)
        return parts if parts.port != 0 else None  # a port that is no number is noticed only when it is asked for
    return None


def _web_address(value: str) -> str:
    parts = _split(value)
    if not parts or parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or not _NO_BLANKS.fullmatch(value):
        raise ValueError("this is no address of a server: write it as https://host or https://host/path, with nothing after a ? or #")
    return value.rstrip("/")


def _alert_address(value: SecretStr) -> SecretStr:
    """May hold a secret in its path, as those of Slack do, so nothing of it is quoted."""
    parts = _split(value.get_secret_value())
    if not parts or parts.scheme not in {"http", "https"} or not parts.hostname or not _NO_BLANKS.fullmatch(value.get_secret_value()):
        raise ValueError("this is no address of a receiver: write it as https://host/path")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ValueError("alerts go out over https, but for a receiver on this host (http://127.0.0.1…)")
    return value


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


def _shared_secret(value: SecretStr) -> SecretStr:
    secret = value.get_secret_value()
    with suppress(ValueError):
        if secret.startswith("whsec_") and len(key_of(secret)) >= _SHORTEST_KEY:
            return value
    raise ValueError("must be whsec_ and the base64 of at least 24 bytes, such as `echo whsec_$(openssl rand -base64 32)` gives")


def _redis_address(value: str) -> str:
    parts = _split(value)
    if not parts or parts.scheme not in {"redis", "rediss", "unix"} or not (parts.hostname or parts.path):
        raise ValueError("this is no address of a Redis: write it as redis://host:6379/0, rediss://… for TLS, or unix:///path")
    return value


def _folder(value: Path) -> Path:
    if not str(value).isprintable():
        raise ValueError("a path holds only characters that can be seen")
    try:
        return value.expanduser()
    except RuntimeError as error:
        raise ValueError("there is no such home directory: write the whole path") from error


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("must be longer than nothing")
    return value


Name = Annotated[str, AfterValidator(_name)]
Phone = Annotated[str, BeforeValidator(_phone)]
Size = Annotated[int, BeforeValidator(_size)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
RedisAddress = Annotated[str, AfterValidator(_redis_address)]
Folder = Annotated[Path, AfterValidator(_folder)]
Secret = Annotated[SecretStr, Field(min_length=1)]
Token = Annotated[Secret, AfterValidator(_token)]
AlertAddress = Annotated[SecretStr, AfterValidator(_alert_address)]
SharedSecret = Annotated[SecretStr, AfterValidator(_shared_secret)]
Span = Annotated[Duration, AfterValidator(_positive)]


class _ByKind:
    """Reads a source with the settings of the adapter that its ``kind`` names."""

    @staticmethod
    def __get_pydantic_core_schema__(_: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        choices = {kind: handler.generate_schema(adapter.settings_type) for kind, adapter in kinds().items()}
        return core_schema.tagged_union_schema(choices, discriminator=_kind)


def _kind(settings: Any) -> str | None:
    kind = settings.get("kind") if isinstance(settings, Mapping) else getattr(settings, "kind", None)
    return kind if isinstance(kind, str) else None


class _Section(BaseModel):
    """A key with nothing behind it is a key left out: ``redis:`` above lines that are all comments is no mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: item for name, item in value.items() if item is not None or name not in cls.model_fields}


class ServerSettings(_Section):
    """The web server: where it listens, and what it asks of those who come."""

    bind: str = Field(default="127.0.0.1:8000", description="host:port to listen on; $PORT overrides the port")
    public_url: WebAddress | None = Field(default=None, description="the address as the CRM sees it; a CRM that signs the URL signs this one")
    ops_token: Token | None = Field(default=None, description="opens the doors for operators; they are closed without it")
    operators: Mapping[Name, Token] = Field(default={}, description="operators by name, each with a token of his own; opens the same doors")
    trusted_proxies: int = Field(default=0, ge=0, le=10, description="how many proxies in front are believed about the client's address and scheme")
    max_body: Size = Field(default=1024**2, description="the largest body taken, in bytes; larger ones are answered 413")

    @field_validator("bind")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        match = _BIND.fullmatch(value)
        if not match or not 0 < int(match["port"]) <= 65535:
            raise ValueError("must be host:port, such as 127.0.0.1:8000, or 0.0.0.0:8000 for every interface")
        return value

    @property
    def host(self) -> str:
        return self.bind.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.bind.rpartition(":")[2])


class RedisSettings(_Section):
    """Where the ledger is kept. The URL may hold a password: no repr and no message shows it."""

    url: RedisAddress | None = Field(default=None, repr=False, description="absent: an embedded Redis keeps its data under data_dir")
    durability: Durability = Field(default=Durability.ALWAYS, description="what is on disk when a delivery is answered")

    @field_validator("url", mode="before")
    @classmethod
    def _empty_is_absent(cls, value: Any) -> Any:
        return None if value == "" else value


class CallsApiSettings(_Section):
    """The platform that makes the calls."""

    base_url: WebAddress = Field(default="https://ds.tovie.ai", description="the platform's host, without a path of the API")
    timeout: Span = Field(default=timedelta(seconds=10), description="how long one request to the platform may take")
    crm_params: CrmParams = Field(default=CrmParams.FORM, description="where the host reads the parameters of addPhone")


class CampaignSettings(_Section):
    """One campaign at the platform."""

    token: Secret = Field(description="the campaign's API token")
    rate_limit: RateLimit | None = Field(default=None, description="the most call jobs made in a time; absent: as fast as it goes")


class RetentionSettings(_Section):
    """How long what is remembered stays, from the moment it was finished."""

    dedup: Span = Field(default=timedelta(days=30), description="a redelivery is recognised for this long")
    done: Span = Field(default=timedelta(days=30), description="events that ended well, suppressed ones included")
    failed: Span = Field(default=timedelta(days=90), description="events that an operator should look at")
    ignored: Span = Field(default=timedelta(days=1), description="events that no rule matched")

    @field_validator("dedup")
    @classmethod
    def _longer_than_the_platform(cls, value: timedelta) -> timedelta:
        if value < PLATFORM_MEMORY:
            raise ValueError("must be at least 24h: the platform forgets its keys by then, and from then on only the bridge prevents a second call")
        return value


class PatienceSettings(_Section):
    """How long something must have been so before a receiver is told."""

    unknown: Span = Field(default=timedelta(minutes=15), description="since the first request of which nobody knows what came of it")
    parked: Span = Field(default=timedelta(minutes=10), description="since a campaign or a source was first seen with parked events")
    past_due: Span = Field(default=timedelta(minutes=1), description="since a worker should have looked at an event")
    platform: Span = Field(default=timedelta(minutes=2), description="since the platform does not answer for a campaign")
    workers: Span = Field(default=timedelta(minutes=1), description="since no worker process was heard of")


class AlertSettings(_Section):
    """One receiver of alerts."""

    url: AlertAddress = Field(description="where alerts are posted")
    secret: SharedSecret | None = Field(default=None, description="what they are signed with; both sides know it")
    format: AlertFormat = Field(default=AlertFormat.STANDARD_WEBHOOKS, description="how they are written")
    on: Annotated[tuple[Concern, ...], OneOrMore, Field(min_length=1)] = Field(
        default=tuple(concern for concern in Concern if concern is not Concern.HEARTBEAT), description="what is told; absent: all but the heartbeat"
    )
    repeat: Span = Field(default=timedelta(hours=4), description="how often what goes on is told again")
    heartbeat: Span = Field(default=timedelta(minutes=5), description="how often a heartbeat is sent, where `on` names it")
    after: PatienceSettings = Field(default=PatienceSettings(), description="how long something must have been so")

    @model_validator(mode="after")
    def _signed_or_not(self) -> Self:
        if self.format is AlertFormat.STANDARD_WEBHOOKS and self.secret is None:
            raise ValueError("format standard_webhooks signs, so it needs `secret`; format slack does not")
        if self.format is AlertFormat.SLACK and self.secret is not None:
            raise ValueError("format slack signs nothing: leave `secret` out")
        return self

    @property
    def host(self) -> str:
        """What may be said of the address."""
        return urlsplit(self.url.get_secret_value()).hostname or ""


class Config(_Section):
    """The whole configuration, checked."""

    mode: Mode = Field(default=Mode.LIVE, description="who is called")
    allowlist: tuple[Phone, ...] = Field(default=(), repr=False, description="E.164 numbers that may be called in mode allowlist")
    server: ServerSettings = Field(default=ServerSettings(), description="the web server")
    redis: RedisSettings = Field(default=RedisSettings(), description="where the ledger is kept")
    data_dir: Folder = Field(default=Path("data"), description="where files go; relative to the folder of the configuration file")
    calls_api: CallsApiSettings = Field(default=CallsApiSettings(), description="the platform that makes the calls")
    campaigns: Mapping[Name, CampaignSettings] = Field(default={}, description="the campaigns that rules may call in, by name")
    sources: Mapping[Name, Annotated[SourceSettings, _ByKind()]] = Field(default={}, description="who may send webhooks, by name")
    rules: tuple[Rule, ...] = Field(default=(), description="what an event means; the first that matches wins")
    retention: RetentionSettings = Field(default=RetentionSettings(), description="how long what is remembered stays")
    alerts: tuple[AlertSettings, ...] = Field(default=(), description="who is told by webhook when somebody should look")
