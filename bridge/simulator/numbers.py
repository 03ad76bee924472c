"""A number as a client adds it: the fields of ``addPhones``, and which error each of them earns when it is wrong.

Fields and limits after the OpenAPI document of the Calls API (``calls.yml``) and its ``add_phones`` help page.
"""

import re
from collections.abc import Mapping
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from bridge.phones import to_e164
from bridge.simulator.rejections import BAD_REQUEST, Rejected

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

_ERRORS = {
    "phone": "phone.bad.format",
    "gmtZone": "phone.gmtZone.bad.format",
    "allowedTime": "invalid.call.allowed.time",
    "dialerPriority": "invalid.dialer_priority",
}
_DIGITS = re.compile(r"[1-9][0-9]{6,14}")
_OFFSET = re.compile(r"(?:UTC|GMT|UT)?[+-](\d{1,2})(?::?([0-5]\d))?(?::?([0-5]\d))?")
_FURTHEST = timedelta(hours=18)
_ZONES = available_timezones() | {"Z", "UT"}


def _phone(value: Any) -> Any:
    """Digits with the country code, no ``+``. Old examples of the vendor send a JSON number."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _DIGITS.fullmatch(text) or to_e164(f"+{text}") is None:
        raise ValueError("not a number of any country")
    return text


def _zone(value: Any) -> Any:
    """An offset up to 18 hours or an IANA name. A ``+`` that a query turned into a space is neither."""
    if value is None or value == "":
        return None
    match = _OFFSET.fullmatch(value) if isinstance(value, str) else None
    hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    if timedelta(hours=hours, minutes=minutes, seconds=seconds) > _FURTHEST or not (match or value in _ZONES):
        raise ValueError("no time zone")
    return value


class Interval(BaseModel):
    """One stretch of a day. Zero-padded times compare as text."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel)

    local_time_from: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    local_time_to: str = Field(pattern=r"^(([01]\d|2[0-3]):[0-5]\d|24:00)$")

    @model_validator(mode="after")
    def _in_order(self) -> "Interval":
        if self.local_time_from >= self.local_time_to:
            raise ValueError("an interval ends after it starts")
        return self


def _apart(intervals: list[Interval]) -> list[Interval]:
    ordered = sorted(intervals, key=lambda interval: interval.local_time_from)
    if any(later.local_time_from < earlier.local_time_to for earlier, later in pairwise(ordered)):
        raise ValueError("intervals of one day overlap")
    return intervals


Intervals = Annotated[list[Interval], Field(min_length=1), AfterValidator(_apart)]


class Number(BaseModel):
    """One element of an ``addPhones`` body; crmCalls uses the first three fields. What is not listed here is not read."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel)

    phone: Annotated[str, BeforeValidator(_phone)]
    payload: Annotated[dict[str, Any], BeforeValidator(lambda value: {} if value is None else value)] = {}
    gmt_zone: Annotated[str | None, BeforeValidator(_zone)] = None
    start_date_time: AwareDatetime | None = None
    finish_date_time: AwareDatetime | None = None
    allowed_days: list[Day] | None = Field(default=None, min_length=1, max_length=7)
    allowed_time: dict[Day | Literal["default"], Intervals] | None = None
    local_time_from: str | None = None
    local_time_to: str | None = None
    retry_interval_in_minutes: int | None = Field(default=None, ge=1, le=2880)
    max_attempts: int | None = Field(default=None, ge=1, le=50)
    dialer_priority: int | None = Field(default=None, ge=1, le=5)
    external_check: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _starts_before_it_ends(self) -> "Number":
        if self.start_date_time and self.finish_date_time and self.start_date_time >= self.finish_date_time:
            raise ValueError("startDateTime must be before finishDateTime")
        return self

    @property
    def options(self) -> dict[str, Any]:
        """Everything that was given beyond the number and its payload, as it was spelled on the wire."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"phone", "payload"})


def read_number(document: Any) -> Number:
    """Raises :class:`Rejected` with the error type of the first field that is wrong."""
    try:
        return Number.model_validate(document)
    except ValidationError as error:
        raise _rejection(document, error) from error


def read_numbers(document: Any) -> list[Number]:
    """All of them or none: the first bad one rejects the whole array."""
    if not isinstance(document, list):
        raise Rejected(BAD_REQUEST, "The body must be a JSON array of numbers")
    return [read_number(element) for element in document]


def _rejection(document: Any, error: ValidationError) -> Rejected:
    problem = error.errors()[0]
    field = str(problem["loc"][0]) if problem["loc"] else ""
    if problem["type"] == "missing" or field not in _ERRORS or not isinstance(document, Mapping):
        return Rejected(BAD_REQUEST, f"{field or 'The element'}: {problem['msg']}")
    named = {name: document[name] for name in ("phone", "gmtZone") if name == field or (field == "gmtZone" and name == "phone")}
    return Rejected(_ERRORS[field], f"{field} is not right; numbers were not added", **named)
