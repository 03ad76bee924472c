"""Invented people for the CRM stand-ins: the same id is the same person for ever, and nobody real is among them.

Every number is from the block 555-0100 to 555-0199 that the North American plan keeps for fiction in each area code,
so that a bridge turned to the real platform by mistake rings nowhere.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from threading import Lock
from typing import Any

_DATA: dict[str, list[str]] = json.loads(resources.files("bridge.simulator").joinpath("people.json").read_text())
_LINES = 100
_FIRST_LINE = 100
_NO_SUCH_ID = "404"
_CONTACT_OF_DEAL = 1000


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who does not exist."""

    id: str
    first_name: str
    last_name: str
    phone: str

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}"

    @property
    def email(self) -> str:
        return f"{self.first_name}.{self.last_name}.{self.id}@example.com".lower()


def person(person_id: str) -> Person:
    """Ids that are less than some ten thousand apart have different numbers."""
    number = _number(person_id)
    area, line = divmod(number, _LINES)
    areas = _DATA["area_codes"]
    return Person(
        id=person_id,
        first_name=_pick("first_names", person_id),
        last_name=_pick("last_names", person_id),
        phone=f"+1 {areas[area % len(areas)]}-555-{_FIRST_LINE + line:04}",
    )


def person_of_deal(deal_id: str) -> str:
    """The id of the one contact a deal has."""
    return str(_number(deal_id) + _CONTACT_OF_DEAL)


class Records:
    """What the CRM stand-ins were told to say differently: properties of one record, or that it is gone."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.forget()

    def forget(self) -> None:
        with self._lock:
            self._changed: dict[str, dict[str, Any]] = {}
            self._gone: set[str] = set()

    def change(self, record: str, properties: Mapping[str, Any]) -> None:
        """``record`` is ``crm/kind/id``, such as ``hubspot/deals/555``. What was gone is there again."""
        with self._lock:
            self._gone.discard(record)
            self._changed[record] = {**self._changed.get(record, {}), **properties}

    def remove(self, record: str) -> None:
        with self._lock:
            self._gone.add(record)

    def changed(self, record: str) -> dict[str, Any]:
        with self._lock:
            return dict(self._changed.get(record, {}))

    def has(self, record: str) -> bool:
        """Every record is there but the removed ones and those with the id 404."""
        with self._lock:
            return record not in self._gone and record.rpartition("/")[2] != _NO_SUCH_ID


def _number(record_id: str) -> int:
    return int(record_id) if record_id.isdecimal() and len(record_id) < 20 else _digest(record_id) % 10**9


def _pick(what: str, record_id: str) -> str:
    values = _DATA[what]
    return values[_digest(what + record_id) % len(values)]


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
