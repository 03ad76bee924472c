"""Where things are: addresses of what the API tells about, and where in a list a page begins."""

import base64
import binascii
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import quote

from bridge.ledger import Cursor
from bridge.web.api.refusing import refuse

ROOT = "/api/v1"

Place = TypeVar("Place")


def address(*parts: str) -> str:
    """``/api/v1/events/zapier%3Alead-7``: each part is one segment, whatever is in it."""
    return "/".join((ROOT, *(quote(part, safe="") for part in parts)))


def opaque(place: object) -> str | None:
    """A place in a list as the API gives it away: nothing that anybody should read."""
    return base64.urlsafe_b64encode(str(place).encode()).decode().rstrip("=") if place else None


def place(written: str | None, read: Callable[[str], Place]) -> Place | None:
    """The inverse. What was never given away is refused."""
    if written is None:
        return None
    try:
        padded = written.encode("ascii") + b"=" * (-len(written) % 4)
        return read(base64.b64decode(padded, altchars=b"-_", validate=True).decode())
    except (ValueError, binascii.Error):
        refuse(422, "invalid", "this is no place in a list: take `next` of the page before as it is", "after")


def cursor(written: str | None) -> Cursor | None:
    return place(written, Cursor.read)
