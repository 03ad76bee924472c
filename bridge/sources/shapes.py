"""The shapes in which senders that no convention binds write a record's id, its stage and a person: one table for whoever reads ``data``."""

from collections.abc import Iterable, Mapping
from typing import Any

from bridge.model import Entity, Stage
from bridge.sources.values import first, joined, mapping

PEOPLE = frozenset({"lead", "contact", "person", "customer", "user"})
"""The records that are a person themselves."""

_IDS = ("id", "object_id", "objectId", "uuid")
_STAGES = ("stage", "stage_id", "stageId")
_NESTED = ("contact", "person", "customer", "lead")
_CONTACT_IDS = ("contact_id", "contactId", "person_id", "personId", "customer_id", "customerId")
_PHONES = ("phone", "phoneNumber", "phone_number", "mobile", "mobilePhone", "mobile_phone", "phones", "phoneNumbers", "phone_numbers")
_PHONE_VALUES = ("value", "number", "phone", "phoneNumber", "phone_number")
_NAMES = ("fullName", "full_name", "name", "displayName", "display_name")
_NAME_PARTS = (("firstName", "lastName"), ("first_name", "last_name"), ("firstname", "lastname"))
_EMAILS = ("email", "emailAddress", "email_address")
_ZONES = ("timeZone", "time_zone", "timezone")


def record_id(data: Mapping[str, Any], kind: str | None) -> str | None:
    """``id`` and its like, or ``deal_id`` of a deal."""
    return _told(data, (*_IDS, f"{kind}_id", f"{kind}Id"))


def stage(data: Mapping[str, Any]) -> Stage:
    """``{from, to}``, or the new stage alone."""
    move = mapping(data.get("stage")) or {"to": _told(data, _STAGES)}
    return Stage(after=_told(move, ("to",)), before=_told(move, ("from",)))


def person(entity: Entity | None, data: Mapping[str, Any]) -> dict[str, str | None]:
    """What a contact has beside its phones: of a nested person, or of the record itself where it is one.

    A deal's own name and e-mail are not a person's.
    """
    nested = _nested(data)
    told = data if nested is None and entity is not None and entity.type in PEOPLE else nested or {}
    own_id = entity.id if entity and entity.type == "contact" and nested is None else None
    return {
        "id": own_id or _told(nested or {}, _IDS) or _told(data, _CONTACT_IDS),
        "name": _told(told, _NAMES) or first(joined(*(told.get(name) for name in names)) for names in _NAME_PARTS),
        "email": _told(told, _EMAILS),
        "time_zone": _told(told, _ZONES),
    }


def phones(data: Mapping[str, Any]) -> list[object]:
    """All that is written where a person's numbers stand, be it the record's own."""
    nested = _nested(data)
    told = data if nested is None else nested
    return numbers(told.get(name) for name in _PHONES)


def numbers(told: Iterable[object]) -> list[object]:
    """Of numbers, of lists of them, and of objects that have a number in them."""
    values = [value for each in told for value in (each if isinstance(each, list) else [each])]
    return [_told(value, _PHONE_VALUES) if isinstance(value, Mapping) else value for value in values]


def _nested(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return next((data[name] for name in _NESTED if isinstance(data.get(name), Mapping)), None)


def _told(values: Mapping[str, Any], names: Iterable[str]) -> str | None:
    return first(values.get(name) for name in names)
