"""What was asked of the simulator: the last requests one by one, and how often each idempotence key was sent."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

from werkzeug.datastructures import Headers

from bridge import keys
from bridge.model import iso

KEPT = 10_000
"""How many requests are remembered one by one; counts go on for ever."""

_CAMPAIGN = "/campaign/"
_STAND_INS = ("/hubspot/", "/pipedrive/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it came in. ``body`` is a digest: enough to see that two attempts sent the same bytes."""

    method: str
    path: str
    key: str | None = None
    body: str | None = None

    @property
    def to_platform(self) -> bool:
        return self.path.startswith("/api/")

    @property
    def to_crm(self) -> bool:
        return self.path.startswith(_STAND_INS)

    @property
    def token(self) -> str | None:
        return self.path.partition(_CAMPAIGN)[2].partition("/")[0] or None if self.to_platform else None

    @property
    def endpoint(self) -> str:
        """What comes after the token (``addPhone``, ``callJob/cancel``); empty for the campaign itself and for the CRMs."""
        return self.path.partition(_CAMPAIGN)[2].partition("/")[2] if self.to_platform else ""

    @property
    def adds(self) -> bool:
        return self.endpoint in {"addPhone", "test/addPhone", "addPhones"}


@dataclass(slots=True)
class Entry:
    """A request and what came of it; ``status`` stays None while it is open, and for ever when no answer was sent."""

    at: datetime
    asked: Asked
    status: int | None = None
    fault: str | None = None

    def document(self) -> dict[str, Any]:
        return {
            "at": iso(self.at),
            "method": self.asked.method,
            "path": self.asked.path,
            "campaign": self.asked.token,
            "key": self.asked.key,
            "body": self.asked.body,
            "status": self.status,
            "fault": self.fault,
        }


class Journal:
    """The log of requests to the Calls API and to the CRM stand-ins; the simulator's own pages are not in it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.forget()

    def forget(self) -> None:
        with self._lock:
            self._entries: deque[Entry] = deque(maxlen=KEPT)
            self._sent: Counter[tuple[str | None, str]] = Counter()
            self._total = 0

    def open(self, asked: Asked, now: datetime) -> Entry:
        """The entry is there from the moment the request came, and is filled in when it was answered."""
        entry = Entry(now, asked)
        with self._lock:
            self._entries.append(entry)
            self._total += asked.to_platform
            if asked.key and asked.adds:
                self._sent[asked.token, asked.key] += 1
        return entry

    @property
    def total(self) -> int:
        """Requests to the Calls API, those no longer in the log included."""
        with self._lock:
            return self._total

    @property
    def entries(self) -> list[Entry]:
        """Oldest first."""
        with self._lock:
            return list(self._entries)

    def sent(self, token: str, key: str) -> int:
        """How often a key was sent to add numbers to a campaign, whatever was answered, if anything."""
        with self._lock:
            return self._sent[token, key]


def asked(method: str, path: str, body: bytes, headers: Headers, query: Mapping[str, str]) -> Asked:
    """A key in the header wins over one in the query, which only a GET may have."""
    key = headers.get("Idempotence-Key") or (query.get("Idempotence-Key") if method == "GET" else None)
    return Asked(method=method, path=path, key=key, body=keys.digest(body) if body else None)
