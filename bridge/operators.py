"""Who may use the operators' doors, told by the token. Pure: it keeps no session and counts no tries."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

from bridge.signing import any_equal, hmac_sha256

LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose token it is; the name is None for the shared one, which does not tell who uses it."""

    name: str | None
    token: str = field(repr=False)

    def prove(self, about: str) -> str:
        """What only somebody who has this token can say about ``about``; it does not give the token away."""
        return hmac_sha256(self.token.encode(), about.encode()).hex()


class Operators:
    """Everybody the configuration lets in; nobody, and the doors are closed, where it names no token."""

    def __init__(self, shared: str | None, named: Mapping[str, str], equal: Callable[[bytes, bytes], bool] = hmac.compare_digest) -> None:
        self.shared = shared is not None
        self.names = tuple(named)
        self._holders = [*([Holder(None, shared)] if shared else []), *(Holder(name, token) for name, token in named.items())]
        self._equal = equal
        self._blind = secrets.token_bytes(32)

    @property
    def closed(self) -> bool:
        return not self._holders

    def identify(self, token: str) -> Holder | None:
        """Whose token this is. Every token is compared, so that the time taken tells neither which one was close nor its length."""
        given, found = self._blinded(token), None
        for holder in self._holders:
            if self._equal(self._blinded(holder.token), given):
                found = holder
        return found

    def confirm(self, name: str | None, about: str, proof: str) -> bool:
        """Whether ``proof`` was made about this with the token that this holder has now."""
        return any_equal([holder.prove(about) for holder in self._holders if holder.name == name], proof)

    def is_taken(self, name: str) -> bool:
        """Whether a name that somebody gives himself belongs to a named operator."""
        return name.casefold() in {known.casefold() for known in self.names}

    def form_key(self) -> bytes:
        """What signs the forms under /ops; the same in every web process, another when any token changes.

        Every visitor gets something signed with it before he has logged in, and could try tokens against that at home. So it is made
        slowly: a token that can be guessed at all is guessed a million times more slowly than from a plain digest.
        """
        return _slowly(json.dumps(sorted((holder.name or "", holder.token) for holder in self._holders)))

    def _blinded(self, token: str) -> bytes:
        return hmac_sha256(self._blind, token.encode("utf-8", "surrogatepass"))


@cache
def _slowly(tokens: str) -> bytes:
    return hashlib.scrypt(tokens.encode(), salt=b"callbridge: forms under /ops", n=2**14, r=8, p=1, dklen=32)


def read_name(written: str) -> str | None:
    """What somebody calls himself, as the history will show it; None where it cannot be shown."""
    name = " ".join(written.split())
    return name if 0 < len(name) <= LONGEST_NAME and name.isprintable() else None
