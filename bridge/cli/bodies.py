"""Request bodies in files, as ``send`` and ``explain`` take them."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import click

from bridge.model import Delivery

_BY_FIRST_BYTE = {b"{": "application/json", b"[": "application/json", b"<": "application/xml"}


def content_type(body: bytes) -> str:
    """What a body looks like; automation tools send nothing else."""
    return _BY_FIRST_BYTE.get(body.lstrip()[:1], "application/x-www-form-urlencoded")


def parsed_headers(lines: Iterable[str]) -> dict[str, str]:
    """``K: V`` lines as a CRM sends them."""
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise click.BadParameter(f"'{line}' is no header: write 'Name: value'", param_hint="--header")
        if not f"{name}{value}".isprintable() or not _is_latin(name.strip(), ascii_only=True) or not _is_latin(value):
            raise click.BadParameter(f"'{line}' is no header: its name is ASCII, its value Latin-1, and both are one line", param_hint="--header")
        headers[name.strip().lower()] = value.strip()
    return headers


def _is_latin(text: str, *, ascii_only: bool = False) -> bool:
    try:
        text.encode("ascii" if ascii_only else "latin-1")
    except UnicodeEncodeError:
        return False
    return True


def delivery_from(file: Path, source: str, url: str, headers: dict[str, str], now: datetime) -> Delivery:
    """A file as if it had been delivered."""
    body = file.read_bytes()
    headers.setdefault("content-type", content_type(body))
    return Delivery(source=source, body=body, url=url, received_at=now, headers=headers)
