"""``/webhooks/<source>``: where CRMs and automation tools deliver. Translates HTTP to a delivery and a receipt back to HTTP."""

import json
import logging
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from flask import Blueprint, Request, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from bridge.errors import LedgerUnavailable, Unreadable, Unverified
from bridge.ingest import Ingest
from bridge.log import wide
from bridge.model import Delivery, Receipt, Reply, Status
from bridge.web.answers import problem

RETRY_AFTER = 5
"""Seconds a CRM is asked to wait when Redis is away; most have their own idea."""

_log = logging.getLogger("callbridge.delivery")


def hooks(ingest: Ingest, public_url: str) -> Blueprint:
    """The blueprint; ``public_url`` is how senders see this server, since some of them sign the URL."""
    blueprint = Blueprint("hooks", __name__)

    @blueprint.route("/webhooks/<source>", methods=["POST", "GET", "HEAD", "OPTIONS"], provide_automatic_options=False)
    def receive(source: str) -> Response:
        started = perf_counter()
        response, told = _answer(ingest, source, public_url)
        wide(_log, "delivery", {"source": source, "status": response.status_code, "ms": round((perf_counter() - started) * 1000, 1), **told})
        return response

    return blueprint


def _answer(ingest: Ingest, name: str, public_url: str) -> tuple[Response, dict[str, Any]]:
    if name not in ingest.sources:
        return problem(404, "unknown_source", f"no source is called '{name}'"), {}
    try:
        delivery = _delivery(request, name, public_url, ingest)
        return _taken(ingest, name, delivery)
    except RequestEntityTooLarge:
        return problem(413, "too_large", "the body is larger than this bridge takes"), {"code": "too_large"}
    except Unverified as refused:
        return problem(401, refused.refusal, refused.message), {"code": refused.refusal}
    except Unreadable as unreadable:
        return problem(422, "unreadable", unreadable.message, field=unreadable.field), {"code": "unreadable", "field": unreadable.field}
    except LedgerUnavailable as away:
        response = problem(503, "unavailable", "the bridge cannot store this now; send it again")
        response.headers["Retry-After"] = str(RETRY_AFTER)
        return response, {"code": "unavailable", "error": str(away)}


def _taken(ingest: Ingest, name: str, delivery: Delivery) -> tuple[Response, dict[str, Any]]:
    source = ingest.sources[name]
    handshake = source.handshake(delivery)
    if handshake:
        return _reply(handshake), {"code": "handshake"}
    if delivery.method != "POST":
        response = problem(405, "method_not_allowed", "webhooks are delivered with POST")
        response.headers["Allow"] = "POST"
        return response, {}
    receipts = ingest.take(delivery)
    told = {"events": len(receipts), "keys": [receipt.key for receipt in receipts[:20]], "statuses": _counts(receipts)}
    acknowledgement = source.acknowledge(receipts)
    return (_reply(acknowledgement) if acknowledgement else _receipt(receipts)), told


def _delivery(incoming: Request, source: str, public_url: str, ingest: Ingest) -> Delivery:
    # The path and query as they came: a signature covers the bytes, and decoding and encoding again is not the identity.
    raw = incoming.environ.get("RAW_URI") or incoming.environ.get("REQUEST_URI") or incoming.full_path.rstrip("?")
    return Delivery(
        source=source,
        method=incoming.method,
        url=public_url + str(raw),
        headers={name.lower(): value for name, value in incoming.headers.items()},
        body=incoming.get_data(cache=False),
        received_at=ingest.clock(),
    )


def _receipt(receipts: Sequence[Receipt]) -> Response:
    """202 while something new is kept; 200 when every event was a duplicate or meant nothing."""
    statuses = {receipt.status for receipt in receipts}
    word = "duplicate" if statuses == {"duplicate"} else "ignored"
    kept = bool(statuses - {"duplicate", Status.IGNORED})
    events = [{"id": receipt.id, "status": receipt.status, "reason": receipt.reason} for receipt in receipts]
    body = {"status": "accepted" if kept else word, "events": events}
    return Response(json.dumps(body, ensure_ascii=False), 202 if kept else 200, content_type="application/json")


def _reply(reply: Reply) -> Response:
    return Response(reply.body, reply.status, dict(reply.headers))


def _counts(receipts: Sequence[Receipt]) -> dict[str, int]:
    statuses = [str(receipt.status) for receipt in receipts]
    return {status: statuses.count(status) for status in dict.fromkeys(statuses)}
