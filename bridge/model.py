"""The nouns: frozen values that travel between modules. No I/O, no clock, no vendor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

OPERATOR = "operator"
"""The source of events that somebody with access to the bridge made; no configured source may be called so."""


class Status(StrEnum):
    """Where an event stands; the contract's words."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    UNKNOWN = "unknown"
    PARKED = "parked"
    DONE = "done"
    SUPPRESSED = "suppressed"
    FAILED = "failed"
    IGNORED = "ignored"

    @property
    def finished(self) -> bool:
        return self in FINISHED


FINISHED = frozenset({Status.DONE, Status.SUPPRESSED, Status.FAILED, Status.IGNORED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One HTTP request from a source. ``headers`` have lower-case names; ``url`` is as the sender sees it."""

    source: str
    body: bytes
    url: str
    received_at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"

    @property
    def content_type(self) -> str:
        """The media type alone, lower-case; empty when the sender named none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Entity:
    """The CRM record an event is about."""

    type: str
    id: str

    @property
    def ref(self) -> str:
        return f"{self.type}:{self.id}"


@dataclass(frozen=True, slots=True)
class Stage:
    """A move in a pipeline; a CRM that does not tell the old stage leaves ``before`` out."""

    after: str | None = None
    before: str | None = None

    def document(self) -> dict[str, Any]:
        return present({"from": self.before, "to": self.after})


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """The person. ``phone`` is E.164 where the number could be read, else as the CRM gave it."""

    id: str | None = None
    name: str | None = None
    phone: str | None = None
    phones: tuple[str, ...] = ()
    email: str | None = None
    time_zone: str | None = None

    def document(self) -> dict[str, Any]:
        return present(
            {
                "id": self.id,
                "name": self.name,
                "phone": self.phone,
                "phones": list(self.phones) or None,
                "email": self.email,
                "time_zone": self.time_zone,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact about one CRM record, the same whichever CRM told it.

    ``id`` identifies it for ever within its source; ``fact`` says what happened to which record without how we
    heard of it, so that two events may tell one fact. What the payload does not carry is absent, never invented.

    ``window`` is for a CRM that gives neither an id nor a time: the same id, or the same fact, within it is the same event
    again, and after it another one. None: for ever, which is ``retention.dedup``. ``absorbed`` are records that were merged into the
    event's own: it answers to their refs from now on. ``forget``: the person asked to be forgotten.
    """

    source: str
    kind: str
    id: str
    type: str
    fact: str
    received_at: datetime
    occurred_at: datetime | None = None
    entity: Entity | None = None
    refs: tuple[str, ...] = ()
    stage: Stage | None = None
    contact: Contact | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    window: timedelta | None = None
    absorbed: tuple[str, ...] = ()
    forget: bool = False

    def document(self) -> dict[str, Any]:
        """The event document of the contract: what rules, mappings, ``explain``, API and pages see."""
        return present(
            {
                "source": self.source,
                "kind": self.kind,
                "id": self.id,
                "type": self.type,
                "occurred_at": iso(self.occurred_at) if self.occurred_at else None,
                "received_at": iso(self.received_at),
                "entity": {"type": self.entity.type, "id": self.entity.id} if self.entity else None,
                "refs": list(self.refs),
                "stage": (self.stage.document() or None) if self.stage else None,
                "contact": (self.contact.document() or None) if self.contact else None,
                "fields": dict(self.fields),
            }
        )

    @classmethod
    def from_document(cls, document: Mapping[str, Any], fact: str, window: timedelta | None = None, *, forget: bool = False) -> "Event":
        """The inverse of :meth:`document`, for what the ledger kept."""
        entity, stage, contact = (document.get(name) for name in ("entity", "stage", "contact"))
        return cls(
            source=document["source"],
            kind=document["kind"],
            id=document["id"],
            type=document["type"],
            fact=fact,
            received_at=datetime.fromisoformat(document["received_at"]),
            occurred_at=datetime.fromisoformat(document["occurred_at"]) if "occurred_at" in document else None,
            entity=Entity(entity["type"], entity["id"]) if entity else None,
            refs=tuple(document.get("refs", ())),
            stage=Stage(after=stage.get("to"), before=stage.get("from")) if stage else None,
            contact=Contact(**{**contact, "phones": tuple(contact.get("phones", ()))}) if contact else None,
            fields=document.get("fields", {}),
            window=window,
            forget=forget,
        )

    def forgotten(self) -> "Event":
        """What may be kept of it when the person is to be forgotten: that there was an event, and what stops its redeliveries."""
        return Event(source=self.source, kind=self.kind, id=self.id, type=self.type, fact="erased", received_at=self.received_at)

    @property
    def happened_at(self) -> datetime:
        """When the fact happened; the time we heard of it stands in where the CRM does not say."""
        return self.occurred_at or self.received_at

    def knowing(self, *, contact: Contact | None = None, fields: Mapping[str, Any] | None = None, refs: Sequence[str] = ()) -> "Event":
        """The same event after a look-up: more fields, more refs, the person it is about."""
        return replace(
            self,
            contact=contact or self.contact,
            fields={**self.fields, **(fields or {})},
            refs=unique((*self.refs, *refs)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What a look-up may still bring to light: whether there can be one, and the types that the event may turn out to have."""

    can_look_up: bool = False
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unparsed:
    """One element of an authentic delivery that its adapter could not read; kept as a failed event."""

    id: str
    why: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer an adapter asks for: a handshake, or an acknowledgement in the CRM's own form."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of one event of a delivery when it was accepted."""

    id: str
    key: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as it goes out, byte for byte; ``url`` of a Calls API request is a path with the token left open."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer as it came in; header names are lower-case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """One stretch of a day, in the callee's own time."""

    start: time
    end: time


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlan:
    """When and how often the platform may try: the fields of ``addPhones`` beyond the number and the payload.

    ``allowed_time`` has the keys ``mon`` to ``sun`` and ``default``; what is None is left to the campaign.
    """

    allowed_days: tuple[str, ...] | None = None
    allowed_time: Mapping[str, tuple[Window, ...]] | None = None
    max_attempts: int | None = None
    retry_interval_minutes: int | None = None
    priority: int | None = None
    start_at: datetime | None = None
    finish_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCommand:
    """Have this person called. ``phone`` is E.164; with a ``plan`` it goes to ``addPhones``, else to crmCalls ``addPhone``."""

    campaign: str
    phone: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    time_zone: str | None = None
    plan: CallPlan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelCommand:
    """Stop the calls that share a ref with this event. ``campaigns`` None means every campaign."""

    campaigns: tuple[str, ...] | None = None
    entity_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One HTTP request made on behalf of an event, and what came of it."""

    at: datetime
    what: str
    outcome: str
    note: str
    seconds: float
    status: int | None = None
    worker: str = ""

    def document(self) -> dict[str, Any]:
        return present(
            {
                "at": iso(self.at),
                "what": self.what,
                "outcome": self.outcome,
                "note": self.note,
                "seconds": self.seconds,
                "status": self.status,
                "worker": self.worker,
            }
        )


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``count`` in any ``seconds``."""

    count: int
    seconds: float

    @property
    def interval(self) -> float:
        """Seconds between two, when they are spread evenly."""
        return self.seconds / self.count


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the ledger holds of one event.

    ``request`` is bound before it first goes out: every later attempt sends the same bytes. ``open`` means that an
    answer to it is owed: it may have reached the platform, and nobody knows what came of it; ``asked_at`` is when the first such
    request went out, ``tried_at`` when the last did. ``was`` is the status in which the present owner found the event, ``since``
    when its present trouble began (somebody who must answer does not), None when there is none. ``replay`` is the replay of many
    that had it decided again last. ``planned_at``: when it was to be called, of an event that waited for its call hours.
    """

    key: str
    status: Status
    was: Status
    reason: str
    event: Event
    accepted_at: datetime
    rule: str | None = None
    trace: tuple[str, ...] = ()
    delivery: str = ""
    request: HttpRequest | None = None
    open: bool = False
    asked_at: datetime | None = None
    tried_at: datetime | None = None
    since: datetime | None = None
    jobs: tuple[str, ...] = ()
    campaign: str | None = None
    cancels: tuple[Mapping[str, Any], ...] = ()
    tries: int = 0
    crashes: int = 0
    duplicates: int = 0
    attempts: tuple[Mapping[str, Any], ...] = ()
    ended_at: datetime | None = None
    replay: str | None = None
    planned_at: datetime | None = None


def present(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are there: a field that nobody gave is left out."""
    return {name: value for name, value in values.items() if value is not None}


def unique(values: Sequence[str]) -> tuple[str, ...]:
    """Each value once, in the order first seen."""
    return tuple(dict.fromkeys(values))


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds where there are any: ``2026-11-23T08:40:00Z``."""
    moment = moment.astimezone(UTC)
    precision = "milliseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")


def from_ms(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def to_ms(moment: datetime) -> int:
    """Whole milliseconds, cut as :func:`iso` cuts them: a time is the same before and after it was written down."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)
