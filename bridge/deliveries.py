"""A delivery as it is kept: what was received, word for word, so that it can be read again."""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bridge.model import Delivery, iso


def kept(delivery: Delivery) -> dict[str, Any]:
    """As JSON takes it. Whoever keeps it has taken the secrets out before (``Source.storable``)."""
    try:
        body, encoding = delivery.body.decode(), "utf-8"
    except UnicodeDecodeError:
        body, encoding = base64.b64encode(delivery.body).decode(), "base64"
    return {
        "source": delivery.source,
        "method": delivery.method,
        "url": delivery.url,
        "headers": dict(delivery.headers),
        "body": body,
        "encoding": encoding,
        "received_at": iso(delivery.received_at),
    }


def restored(record: Mapping[str, Any]) -> Delivery:
    """The inverse. ``KeyError`` or ``ValueError`` for what is no such record."""
    written = str(record["body"])
    return Delivery(
        source=record["source"],
        method=record["method"],
        url=record["url"],
        headers=record["headers"],
        body=base64.b64decode(written, validate=True) if record["encoding"] == "base64" else written.encode(),
        received_at=datetime.fromisoformat(record["received_at"]),
    )
