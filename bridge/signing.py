"""Signatures and secrets, on bytes, in constant time. Nothing here reads a clock or parses a body."""

import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta

from bridge.errors import Refusal, Unverified

TOLERANCE = timedelta(minutes=5)
"""How far a signed timestamp may be from now, either way: the figure every vendor with a timestamp uses."""


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, hashlib.sha256)


def any_equal(expected: Iterable[bytes | str], given: bytes | str) -> bool:
    """Whether ``given`` is one of ``expected``; every one is compared, each in constant time."""
    actual = _bytes(given)
    found = False
    for candidate in expected:
        found |= hmac.compare_digest(_bytes(candidate), actual)
    return found


def is_time(written: str, digits: int) -> bool:
    """Whether a header is a plain number of at most so many digits: 11 hold every second, 14 every millisecond that a date can have."""
    return written.isascii() and written.isdecimal() and len(written) <= digits


def check_age(signed_at: datetime, now: datetime, tolerance: timedelta = TOLERANCE) -> None:
    """Raise ``Unverified`` (stale or future) when the signed time is too far from now.

    Kept apart from a wrong signature: a CRM that does not sign its retries anew shows up here, and only here.
    """
    if now - signed_at > tolerance:
        raise Unverified(Refusal.STALE, f"the signed timestamp is older than {tolerance.total_seconds():.0f} s")
    if signed_at - now > tolerance:
        raise Unverified(Refusal.FUTURE, f"the signed timestamp is more than {tolerance.total_seconds():.0f} s ahead")


def _bytes(value: bytes | str) -> bytes:
    return value.encode() if isinstance(value, str) else value
