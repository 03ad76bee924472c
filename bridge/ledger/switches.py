"""What somebody paused: all calling, a campaign, a source. The last gate (``gate.lua``) asks it before every call; stopping calls is never paused."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from redis import Redis

from bridge.ledger import layout
from bridge.ledger.search import Search, Wanted
from bridge.ledger.store import available, script
from bridge.model import Status, from_ms, to_ms

EVERYTHING = "*"
_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """``scope`` is :data:`EVERYTHING`, ``campaign:<name>`` or ``source:<name>``."""

    scope: str
    by: str
    at: datetime
    note: str = ""

    def written(self) -> str:
        return json.dumps({"by": self.by, "at": to_ms(self.at), "note": self.note})


class Switches:
    """Raises ``LedgerUnavailable`` when Redis does not take it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._search = Search(redis)
        self._rouse = redis.register_script(script("common", "rouse"))

    def pause(self, pause: Pause) -> None:
        """From now on no call of the scope begins; one that is being sent is finished."""
        with available():
            self._redis.hset(layout.PAUSED, pause.scope, pause.written())

    def resume(self, scope: str, now: datetime) -> bool:
        """Whether it was paused. Everything parked is decided again at once; what is paused still is parked again."""
        with available():
            was = bool(self._redis.hdel(layout.PAUSED, scope))
        wanted, after = Wanted(groups=((f"by:status:{Status.PARKED}",),)), None
        while True:
            keys, after = self._search.keys(wanted, _CHUNK, after)
            with available():
                self._rouse(args=[layout.PREFIX, to_ms(now), json.dumps(keys)])
            if after is None:
                return was

    def all(self) -> dict[str, Pause]:
        with available():
            rows: Mapping[str, str] = self._redis.hgetall(layout.PAUSED)  # type: ignore[assignment]  # not asynchronous
        return {scope: read_pause(scope, written) for scope, written in sorted(rows.items())}


def read_pause(scope: str, written: str) -> Pause:
    kept = json.loads(written)
    return Pause(scope=scope, by=kept["by"], at=from_ms(kept["at"]), note=kept["note"])
