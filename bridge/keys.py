"""Keys: how an event's and a fact's identity is spelled. The same parts give the same key for ever.

A key is visible ASCII. Parts are joined with ``:``; inside a part ``:``, ``%`` and whatever is not visible ASCII are
percent-encoded, so that different parts never give the same key.
"""

import hashlib
import re
from urllib.parse import quote

LONGEST = 200
"""The contract's limit for an ``Idempotence-Key``."""

SUFFIX_ROOM = len(":cancel")
_DIGEST = 16
_CUT = re.compile(r".*~[0-9a-f]{16}")
_VISIBLE = re.compile(r"[!-~]*")
_UNCHANGED = re.compile(r"[!-$&-9;-~]*")  # visible, without % and :
_PLAIN = "!\"#$&'()*+,-./;<=>?@[\\]^_`{|}~"


def join(*parts: object) -> str:
    """The parts as one key; ``None`` (absent) and an empty text are different parts."""
    return ":".join("%" if part is None else _quoted(str(part)) for part in parts)


def _quoted(part: str) -> str:
    return part if _UNCHANGED.fullmatch(part) else quote(part, safe=_PLAIN)


def digest(text: str | bytes) -> str:
    """A short stand-in for a value that is long, or that is nobody's business (a phone number, a name)."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()[:_DIGEST]


def event_key(source: str, event_id: str) -> str:
    """``<source>:<event id>``: what a redelivery is recognised by, and the ``Idempotence-Key`` of the call.

    An id that would not fit, or that is not visible ASCII, is cut and ends in a digest of the whole.
    """
    return f"{source}:{_cut(event_id, LONGEST - SUFFIX_ROOM - len(source) - 1)}"


def _cut(text: str, room: int) -> str:
    """The text where it fits as it is. One that only looks as if it had been cut is cut too: it could be another's stand-in."""
    if len(text) <= room and _VISIBLE.fullmatch(text) and not _CUT.fullmatch(text):
        return text
    visible = "".join(_VISIBLE.findall(text))
    return f"{visible[: room - _DIGEST - 1]}~{digest(text)}"


def cancel_key(event_key: str, place: int = 0) -> str:
    """The ``Idempotence-Key`` of a cancel made by the same event; of its further call jobs (``place`` from 1), one of their own each."""
    suffix = f":cancel:{place + 1}" if place else ":cancel"
    room = LONGEST - len(suffix)
    stem = event_key if len(event_key) <= room else f"{event_key[: room - _DIGEST - 1]}~{digest(event_key)}"
    return stem + suffix
