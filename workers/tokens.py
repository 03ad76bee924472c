"""Access tokens that expire: renewed before they do, kept in the ledger for all workers, by one worker at a time.

A CRM may forget the old refresh token the moment it gives a new one, so what comes back is kept before it is used, and while
Redis cannot take it, here. Only a crash between the CRM's answer and Redis loses it; then the integration must be authorised again.
"""

import base64
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from cryptography.fernet import Fernet, InvalidToken

from bridge.errors import LedgerUnavailable, LookupFailed
from bridge.keys import digest
from bridge.ledger import TokenStore
from bridge.model import HttpRequest, HttpResponse, iso
from bridge.sources.oauth import OAuthSource
from workers.answers import TransportFailure

MARGIN = timedelta(minutes=2)
"""A token is renewed this long before it expires: a look-up of several requests must not outlive it."""

RENEWAL = timedelta(seconds=30)
"""How long one worker may take to renew: more than an HTTP timeout."""

_PATIENCE = 5.0
_LOOK = 0.2

Send = Callable[[HttpRequest], HttpResponse | TransportFailure]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """``seed`` is a digest of the client and the refresh token in the configuration: others there replace what was kept."""

    access: str
    refresh: str
    until: str
    seed: str

    def lasts(self, now: datetime) -> bool:
        return now + MARGIN < datetime.fromisoformat(self.until)


@dataclass(slots=True)
class Tokens:
    """The access tokens of all sources whose tokens expire. Raises ``LookupFailed`` when there is none to be had."""

    store: TokenStore
    send: Send
    clock: Callable[[], datetime]
    worker: str = field(default_factory=lambda: uuid4().hex)
    _unsaved: dict[str, _Kept] = field(default_factory=dict)

    def current(self, source: OAuthSource) -> str:
        """A token that is good for a while."""
        kept = self._read(source)
        return kept.access if kept and kept.lasts(self.clock()) else self._renewed(source, kept).access

    def another(self, source: OAuthSource, rejected: str) -> str:
        """A token to use instead of one that the CRM did not take."""
        kept = self._read(source)
        return kept.access if kept and kept.access != rejected else self._renewed(source, kept).access

    def _renewed(self, source: OAuthSource, had: _Kept | None) -> _Kept:
        give_up = time.monotonic() + _PATIENCE
        while not self.store.begin_renewing(source.name, self.worker, RENEWAL):
            time.sleep(_LOOK)
            if (kept := self._read(source)) and kept != had:
                return kept
            if time.monotonic() > give_up:
                raise LookupFailed(f"another worker is renewing the token of {source.title}", retry_after=_PATIENCE)
        try:
            kept = self._read(source)
            return kept if kept and kept != had else self._renew(source, kept)
        finally:
            self.store.end_renewing(source.name, self.worker)

    def _renew(self, source: OAuthSource, had: _Kept | None) -> _Kept:
        refresh, now = had.refresh if had else _configured(source), self.clock()
        response = self.send(source.renewal(refresh))
        if isinstance(response, TransportFailure):
            raise LookupFailed(f"{source.title} could not be reached to renew the token")
        told = source.renewed(response, refresh)
        until = iso(now + timedelta(seconds=told.expires_in))
        kept = self._unsaved[source.name] = _Kept(access=told.access, refresh=told.refresh, until=until, seed=_seed(source))
        self._save(source)
        return kept

    def _save(self, source: OAuthSource) -> None:
        """Into the ledger; what it does not take now is tried again at the next reading."""
        try:
            self.store.keep(source.name, _seal(source, self._unsaved[source.name]))
        except LedgerUnavailable:
            return
        del self._unsaved[source.name]

    def _read(self, source: OAuthSource) -> _Kept | None:
        if source.name in self._unsaved:
            kept: _Kept | None = self._unsaved[source.name]
            self._save(source)
        else:
            kept = _unseal(source, self.store.read(source.name))
        return kept if kept and kept.seed == _seed(source) else None


def _configured(source: OAuthSource) -> str:
    token = source.settings.refresh_token
    return token.get_secret_value() if token else ""


def _seed(source: OAuthSource) -> str:
    return digest(f"{source.client[0]}\0{_configured(source)}")


def _cipher(source: OAuthSource) -> Fernet:
    """Whoever has the client's secret from the configuration can read it, and nobody else."""
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(f"callbridge tokens\0{source.client[1]}".encode()).digest()))


def _seal(source: OAuthSource, kept: _Kept) -> str:
    return _cipher(source).encrypt(json.dumps(asdict(kept)).encode()).decode()


def _unseal(source: OAuthSource, sealed: str | None) -> _Kept | None:
    try:
        return _Kept(**json.loads(_cipher(source).decrypt(sealed))) if sealed else None
    except InvalidToken:  # the client's secret was changed since, and with it the integration
        return None
