"""What adapters read requests and answers with: strangers' values in, our own out, and None for whatever cannot be read."""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

from bridge import keys
from bridge.errors import LookupFailed, Unreadable
from bridge.model import Contact, Delivery, Entity, Event, HttpResponse, unique
from bridge.phones import to_e164
from bridge.sources.bodies import read_json

_EPOCH = re.compile(r"[0-9]{9,16}(\.[0-9]+)?")
_YEARS = range(1990, 2200)  # a time outside is a number that means something else


def phone_refs(contact: Contact | None) -> tuple[str, ...]:
    """The refs of a contact's readable numbers; what is no number ties nobody together."""
    return tuple(f"phone:{phone}" for phone in (contact.phones if contact else ()) if to_e164(phone) == phone)


def refs(*tied: Entity | Contact | None) -> tuple[str, ...]:
    """What ties calls together: records, people by their ids, and each of their readable numbers; every ref once, in the order given."""
    found: list[str] = []
    for each in tied:
        if isinstance(each, Entity):
            found.append(each.ref)
        elif each is not None:
            found += [*([f"contact:{each.id}"] if each.id else []), *phone_refs(each)]
    return unique(found)


def with_people(event: Event, people: Iterable[Contact]) -> Event:
    """The event, once it is known whom its record is about: one of them is to be called, nobody where there are none; all of them are refs.

    Who was told with a number is still the one to call. Else it is the first who has a number, whoever was told coming before the rest.
    """
    known, told = [person for person in people if person.document()], event.contact or Contact()
    known.sort(key=lambda person: told.id is None or person.id != told.id)
    is_told = bool(known and told.phone and told.id and known[0].id == told.id)
    chosen = known[0] if is_told else next((person for person in known if person.phone), next(iter(known), None))
    return replace(event.knowing(refs=refs(*known)), contact=chosen and keeping(chosen, told))


def keeping(fresh: Contact, told: Contact | None) -> Contact:
    """``fresh``, to be called by the number that was told, where that is still one of theirs: a look-up must not swap it for another."""
    return replace(fresh, phone=told.phone) if told and told.phone in fresh.phones else fresh


def text(value: object) -> str | None:
    """An id or a name as text, whatever JSON type the CRM chose today; None when there is nothing in it."""
    return str(value).strip() or None if isinstance(value, str | int) and not isinstance(value, bool) else None


def first(values: Iterable[object]) -> str | None:
    """The first of these that has something in it, as text."""
    return next((found for value in values if (found := text(value))), None)


def joined(*parts: object) -> str | None:
    """A first and a last name as one; None where nothing is told of either."""
    return " ".join(part for value in parts if (part := text(value))) or None


def seconds(value: str | None) -> float | None:
    """A header's whole number of seconds; None for anything else."""
    return float(value) if value and value.strip().isdecimal() else None


def retry_after(response: HttpResponse) -> float | None:
    """In how many seconds an answer asks to be asked again: ``Retry-After`` says so, or a date, which its own ``Date`` is the clock for."""
    told = response.headers.get("retry-after")
    until, now = http_date(told), http_date(response.headers.get("date"))
    return max((until - now).total_seconds(), 0) if until and now else seconds(told)


def http_date(value: str | None) -> datetime | None:
    """The time of a header; None for anything else."""
    try:
        found = parsedate_to_datetime(value or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


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


def credentials(delivery: Delivery, parameter: str | None) -> list[bytes]:
    """Everything in a request that could be a shared secret, in a header, or in this parameter of the URL.

    Basic counts whole, and by its password, whatever the user.
    """
    authorization = delivery.headers.get("authorization", "").strip()
    scheme, _, token = authorization.partition(" ")
    basic = basic_credentials(authorization) or b""
    bearer = token.strip().encode() if scheme.lower() == "bearer" else b""
    told = [value.encode() for name, value in parse_qsl(urlsplit(delivery.url).query) if name == parameter]
    given = (bearer, delivery.headers.get("x-webhook-secret", "").strip().encode(), basic, basic.partition(b":")[2], *told)
    return [credential for credential in given if credential]


def spellings(secret: str) -> set[str]:
    """A secret as it is, as a URL or a form writes it, and as JSON does."""
    return {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}


def document(response: HttpResponse) -> Any:
    """The JSON of an API's answer. ``LookupFailed`` for anything else: a proxy's page, a cut answer."""
    try:
        return read_json(response.body.encode())
    except Unreadable as error:
        raise LookupFailed("the API's answer is not JSON") from error


def answer(response: HttpResponse) -> dict[str, Any]:
    """The JSON object of an API's answer. ``LookupFailed`` for anything else."""
    told = document(response)
    if not isinstance(told, dict):
        raise LookupFailed("the API's answer is not a JSON object")
    return told


def answer_about(response: HttpResponse, ref: str, title: str) -> dict[str, Any]:
    """An answer about one record, from an API that says 404 of a record that is gone: in JSON, where a wrong ``api_base`` says it in a page."""
    told = answer(response)
    if response.status == 404:
        raise gone(ref, title)
    return told


def refusal(response: HttpResponse) -> Any:
    """What an answer says in JSON of why it is none, for a CRM whose status alone does not tell; None where it is not JSON."""
    try:
        return document(response)
    except LookupFailed:
        return None


def gone(ref: str, title: str) -> LookupFailed:
    """For a record of which the CRM itself says that it is not there: asking again cannot help."""
    return LookupFailed(f"{ref} does not exist in {title} any more", final=True)


def mapping(value: object) -> Mapping[str, Any]:
    """A JSON object, or an empty one in place of whatever else a body has there."""
    return value if isinstance(value, Mapping) else {}


def listed(value: object) -> Sequence[Any]:
    """A JSON array, or an empty one in place of whatever else a body has there."""
    return value if isinstance(value, list) else []


def rows(value: object) -> list[Mapping[str, Any]]:
    """The objects of a JSON array; whatever else is in it, or in its place, is left out."""
    return [row for row in listed(value) if isinstance(row, Mapping)]


def named_texts(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text anywhere in a JSON value, with the name that it goes by; what is in a list goes by the list's."""
    if isinstance(value, Mapping):
        for inner, told in value.items():
            yield from named_texts(told, inner)
    elif isinstance(value, list):
        for told in value:
            yield from named_texts(told, name)
    elif isinstance(value, str):
        yield name, value


def restated(event: Event, *happening: object) -> str:
    """The fact, once it is known what happened: kind, account, and the record's type and id stand first in it and stay."""
    return ":".join((*event.fact.split(":")[:4], keys.join(*happening)))


def fingerprint(value: object) -> str:
    """A short digest of a JSON value; the order of an object's names does not matter."""
    return keys.digest(json.dumps(value, sort_keys=True))
