"""A delivery as it was received, for people to read: secrets were taken out when it was kept, numbers are concealed here. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from bridge.concealing import Concealer
from bridge.deliveries import restored

MOST = 64 * 1024
"""Characters of a body that are shown."""

_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """``body`` is as it came, ``laid_out`` the same for the eye, empty where it is neither JSON nor a form; ``note`` says what is missing."""

    request: str
    body: str
    laid_out: str
    note: str


def received(record: Mapping[str, Any] | None, conceal: Concealer, most: int = MOST) -> Received | None:
    """None for what is not kept, or was no request. ``most`` characters of the body are shown."""
    if record is None or "body" not in record:
        return None
    delivery = restored(record)
    body = delivery.body.decode("utf-8", "replace")
    head = [f"{delivery.method} {delivery.url}", *(f"{name}: {value}" for name, value in delivery.headers.items())]
    notes = [
        "" if record["encoding"] == "utf-8" else "it is not UTF-8: what cannot be read is shown as \ufffd",
        f"only the first {most:,} of {len(body):,} characters are shown" if len(body) > most else "",
    ]
    return Received(
        request=conceal.theirs("\n".join(head)),
        body=_begun(body, conceal, most),
        laid_out=_begun(_laid_out(body, delivery.content_type), conceal, most),
        note="; ".join(filter(None, notes)),
    )


def _laid_out(body: str, content_type: str) -> str:
    if content_type == _FORM:
        return "\n".join(f"{name} = {value}" for name, value in parse_qsl(body, keep_blank_values=True))
    try:
        return json.dumps(json.loads(body), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return ""


def _begun(text: str, conceal: Concealer, most: int) -> str:
    return f"{conceal.beginning(text, most)}{'…' if len(text) > most else ''}"
