"""The last refused requests of each source, so that a wrong secret can be seen and mended and what it kept out be taken in."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis import Redis

from bridge.ledger import layout
from bridge.ledger.store import available


@dataclass(frozen=True, slots=True)
class RefusedRequest:
    """``record`` is the request as it is kept, secrets removed (:func:`bridge.deliveries.kept`); ``refusal`` and ``message`` say why."""

    id: str
    record: Mapping[str, Any]
    written: str

    @property
    def source(self) -> str:
        return str(self.record["source"])

    @property
    def refusal(self) -> str:
        return str(self.record["refusal"])

    @property
    def message(self) -> str:
        return str(self.record["message"])

    @property
    def received_at(self) -> datetime:
        return datetime.fromisoformat(self.record["received_at"])


class Refusals:
    """Raises ``LedgerUnavailable`` when Redis does not answer."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def of(self, source: str) -> list[RefusedRequest]:
        """The newest first; two that are alike to the last byte and moment are one."""
        with available():
            rows: list[str] = self._redis.lrange(layout.refused(source), 0, -1)  # type: ignore[assignment]  # not asynchronous
        return [RefusedRequest(hashlib.sha256(row.encode()).hexdigest()[:16], json.loads(row), row) for row in dict.fromkeys(rows)]

    def remove(self, request: RefusedRequest) -> None:
        """It is no longer refused. How often something was stays counted."""
        with available():
            self._redis.lrem(layout.refused(request.source), 0, request.written)
