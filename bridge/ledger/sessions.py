"""Who is logged in at /ops: the same for every web process, and after every restart.

What the browser holds is the session's id; what is kept here stands under a digest of it, so that a copy of the ledger opens nothing.
"""

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from redis import Redis

from bridge.ledger import layout
from bridge.ledger.records import millis
from bridge.ledger.store import available
from bridge.model import from_ms, to_ms

LONGEST = timedelta(hours=12)
IDLE = timedelta(hours=2)
NOTED_EVERY = timedelta(minutes=1)
"""How exactly it is known when a session was last used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One operator, logged in. ``holder`` had the token (None: the shared one), and ``proof`` was made with it about :attr:`digest`."""

    id: str = field(repr=False)
    operator: str
    holder: str | None
    proof: str = field(repr=False)
    began: datetime
    seen: datetime

    @property
    def digest(self) -> str:
        return _digest(self.id)

    @property
    def ends(self) -> datetime:
        return min(self.began + LONGEST, self.seen + IDLE)


class Sessions:
    """Raises ``LedgerUnavailable`` when Redis does not take it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def begin(self, operator: str, holder: str | None, prove: Callable[[str], str], now: datetime) -> Session:
        """A new session for somebody whose token was right; ``prove`` is that token's word about the session's digest."""
        id_ = secrets.token_urlsafe(32)
        session = Session(id=id_, operator=operator, holder=holder, proof=prove(_digest(id_)), began=now, seen=now)
        with available():
            self._redis.set(layout.session(session.digest), _written(session), px=millis(session.ends - now))
        return session

    def find(self, id_: str, now: datetime) -> Session | None:
        """The session, unless it is over."""
        with available():
            kept = self._redis.get(layout.session(_digest(id_)))
        session = _read(id_, str(kept)) if kept else None
        return session if session and session.began <= now < session.ends else None

    def note(self, session: Session, now: datetime) -> None:
        """It is being used. One that ended meanwhile stays ended."""
        if now - session.seen < NOTED_EVERY:
            return
        seen = replace(session, seen=now)
        with available():
            self._redis.set(layout.session(session.digest), _written(seen), px=millis(seen.ends - now), xx=True)

    def end(self, id_: str) -> None:
        with available():
            self._redis.delete(layout.session(_digest(id_)))


def _digest(id_: str) -> str:
    return hashlib.sha256(id_.encode("utf-8", "surrogatepass")).hexdigest()


def _written(session: Session) -> str:
    return json.dumps(
        {
            "operator": session.operator,
            "holder": session.holder,
            "proof": session.proof,
            "began": to_ms(session.began),
            "seen": to_ms(session.seen),
        }
    )


def _read(id_: str, written: str) -> Session:
    kept = json.loads(written)
    return Session(
        id=id_, operator=kept["operator"], holder=kept["holder"], proof=kept["proof"], began=from_ms(kept["began"]), seen=from_ms(kept["seen"])
    )
