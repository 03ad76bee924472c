"""Rules: what an event means. The first rule that matches wins. Pure: ``explain``, accept and worker all ask here.

A rule may need what the payload did not carry. Then the answer is *undecided*, with the names of what is missing, and
the worker asks the CRM and decides again with the whole document.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from bridge.expressions import Expression, JMESPath, truthy
from bridge.model import Prospect
from bridge.quantities import Duration, TimeOfDay

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _names(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


_LEARNABLE = frozenset({"contact", "fields"})
"""What a look-up can add to an event document; what else a payload does not tell, nobody will."""

Names = Annotated[tuple[str, ...], BeforeValidator(_names)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, populate_by_name=True)


class _Span(_Part):
    start: TimeOfDay = Field(alias="from")
    end: TimeOfDay = Field(alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start >= self.end:
            raise ValueError("`from` must be earlier than `to`")
        return self


class AllowedWindow(_Span):
    """One stretch of a day in which the platform may call."""


class Hours(_Span):
    """When a person may be called, in the person's own time; outside, the event waits."""

    days: tuple[Day, ...] = DAYS
    unknown_zone: Literal["hold"] = "hold"


class Schedule(_Part):
    """The platform's own scheduling; its presence sends the call to ``addPhones``."""

    allowed_days: tuple[Day, ...] | None = None
    allowed_time: dict[Day | Literal["default"], tuple[AllowedWindow, ...]] | None = None
    max_attempts: int | None = Field(default=None, ge=1, le=50)
    retry_interval: Duration | None = None
    priority: int | None = Field(default=None, ge=1, le=5)

    @field_validator("retry_interval")
    @classmethod
    def _whole_minutes(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and (value % timedelta(minutes=1) or not timedelta(minutes=1) <= value <= timedelta(minutes=2880)):
            raise ValueError("the platform takes whole minutes from 1m to 2880m (48h)")
        return value


class Call(_Part):
    """Have the person called."""

    campaign: str
    phone: JMESPath = Expression("contact.phone")
    time_zone: JMESPath = Expression("contact.time_zone")
    payload: dict[str, JMESPath] = {}
    expires: Duration | None = None
    cooldown: Duration | None = None
    hours: Hours | None = None
    recheck: bool = False
    wait_for_phone: Duration = timedelta(hours=24)
    schedule: Schedule | None = None

    @field_validator("expires", "cooldown")
    @classmethod
    def _longer_than_nothing(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and value <= timedelta():
            raise ValueError("must be longer than nothing: leave the key out where it is not wanted")
        return value

    @field_validator("payload")
    @classmethod
    def _no_reserved_names(cls, value: dict[str, Expression]) -> dict[str, Expression]:
        for name in ("phone", "gmtZone", "Idempotence-Key"):
            if name in value:
                raise ValueError(f"'{name}' is a name of the Calls API itself and cannot be in a payload")
        return value


class Cancel(_Part):
    """Stop the calls that share a ref with the event."""

    campaigns: Names | None = None
    scope: Literal["refs", "entity"] = "refs"


class Rule(_Part):
    """One entry under ``rules``."""

    name: str = Field(min_length=1)
    source: Names | None = None
    on: Names | None = None
    where: JMESPath | None = None
    call: Call | None = None
    cancel: Cancel | None = None

    @field_validator("cancel", mode="before")
    @classmethod
    def _bare_cancel(cls, value: Any) -> Any:
        return {} if value is True or value is None else value

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Everything this rule reads from the event document."""
        called = (self.call.phone, self.call.time_zone, *self.call.payload.values()) if self.call else ()
        return (*((self.where,) if self.where else ()), *called)


@dataclass(frozen=True, slots=True)
class Decision:
    """What an event means, and how that was found. ``missing`` is not empty: look up first, then decide again."""

    rule: Rule | None
    reason: str
    trace: tuple[str, ...]
    missing: tuple[str, ...] = ()


NOTHING_MORE = Prospect()


def decide(document: Mapping[str, Any], rules: Sequence[Rule], prospect: Prospect = NOTHING_MORE) -> Decision:
    """The first rule that matches, with one line per rule tried and the exact reason of each.

    ``prospect`` says what may still become known: a rule that depends on it ends the search undecided, because whether a
    later rule's turn comes depends on it too.
    """
    trace: list[str] = []
    for rule in rules:
        verdict, missing = _try(rule, document, prospect)
        if missing and prospect.can_look_up:
            trace.append(f"{rule.name}: needs {', '.join(missing)}, which the payload does not carry")
            return Decision(rule, f"{', '.join(missing)} must be looked up first", tuple(trace), tuple(missing))
        trace.append(f"{rule.name}: {verdict or 'matches'}")
        if not verdict:
            return Decision(rule, f"rule '{rule.name}' matched", tuple(trace))
    return Decision(None, _no_match(document, rules, trace), tuple(trace))


def candidates(source: str, kind: str, rules: Iterable[Rule], prospect: Prospect = NOTHING_MORE) -> list[Rule]:
    """The rules that could match by source and type (``kind``) alone."""
    types = (kind, *prospect.types)
    return [rule for rule in rules if not _other_source(rule, source) and _is_for(rule, types)]


def wanted_fields(rules: Iterable[Rule]) -> tuple[str, ...]:
    """The record's own properties that these rules read (``fields.<name>``): what a look-up must ask for."""
    paths = {path for rule in rules for expression in rule.expressions for path in expression.paths}
    return tuple(sorted({path[1] for path in paths if path[0] == "fields" and len(path) > 1}))


def _no_match(document: Mapping[str, Any], rules: Sequence[Rule], trace: Sequence[str]) -> str:
    """The rules that nearly matched, each with what was in the way; the rest is in the trace."""
    if not rules:
        return "no rules are configured"
    meant = candidates(document["source"], document["type"], rules)
    near = [line for rule, line in zip(rules, trace, strict=True) if rule in meant]
    return f"no rule matched: {'; '.join(near)}" if near else f"no rule is for {document['type']} from {document['source']}"


def _try(rule: Rule, document: Mapping[str, Any], prospect: Prospect) -> tuple[str, list[str]]:
    """Why the rule does not match (empty: it does), and what would have to be known to tell."""
    if why_not := _other_source(rule, document["source"]):
        return why_not, []
    if not _is_for(rule, (document["type"],)):
        return f"on {' or '.join(rule.on or ())}, not {document['type']}", ["type"] if _is_for(rule, prospect.types) else []
    undecided = _absent(rule.where, document) if rule.where and rule.where.verdict(document, _LEARNABLE) is None else []
    if rule.where and not truthy(rule.where.search(document)):
        note = f" ({', '.join(undecided)} absent)" if undecided else ""
        return f"where is not true: {rule.where.text}{note}", undecided
    return "", sorted({*undecided, *_absent_for_call(rule, document)})


def _absent_for_call(rule: Rule, document: Mapping[str, Any]) -> list[str]:
    if rule.call is None:
        return []
    needed = [rule.call.phone, *(value for value in rule.call.payload.values() if value.search(document) is None)]
    if rule.call.phone.search(document):
        needed = needed[1:]
    if rule.call.hours and not rule.call.time_zone.search(document):
        needed.append(rule.call.time_zone)
    return [path for expression in needed for path in _absent(expression, document)]


def _absent(expression: Expression, document: Mapping[str, Any]) -> list[str]:
    """What this expression reads that is not there and that a look-up may bring."""
    return [path for path in expression.absent(document) if path.partition(".")[0] in _LEARNABLE]


def _other_source(rule: Rule, source: str) -> str:
    if rule.source is None or source in rule.source:
        return ""
    return f"for source {' or '.join(rule.source)}, not {source}"


def _is_for(rule: Rule, types: Sequence[str]) -> bool:
    return rule.on is None or any(fnmatchcase(known, pattern) for known in types for pattern in rule.on)
