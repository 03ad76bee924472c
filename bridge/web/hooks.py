"""``/webhooks/<source>``: where CRMs and automation tools deliver. Translates HTTP to a delivery and a receipt back to HTTP."""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

from flask import Blueprint, Request, Response, current_app, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import BadRequest, HTTPException, RequestEntityTooLarge

from bridge.errors import LedgerUnavailable, Unreadable, Unverified
from bridge.ingest import Ingest
from bridge.log import wide
from bridge.model import Delivery, Receipt, Reply, Status
from bridge.web.answers import code_of, http_problem, problem, unavailable

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""All of them come here: some CRMs ask for a handshake by GET, and the rest is told what is right in one form."""

_LONGEST_NAME = 64  # of what a stranger calls a source, in what is said of it; a configured one is shorter
_ORIGIN = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/?]*")

_log = logging.getLogger("callbridge.delivery")


def hooks(ingest: Ingest, public_url: str) -> Blueprint:
    """The blueprint; ``public_url`` is how senders see this server, since some of them sign the URL."""
    blueprint = Blueprint("hooks", __name__)

    @blueprint.route("/webhooks/<source>", methods=METHODS, provide_automatic_options=False)
    def receive(source: str) -> Response:
        started = perf_counter()
        response, told = _answer(ingest, source, public_url)
        spent = round((perf_counter() - started) * 1000, 1)
        wide(_log, "delivery", {"source": source[:_LONGEST_NAME], "method": request.method, "status": response.status_code, "ms": spent, **told})
        return response

    return blueprint


def _answer(ingest: Ingest, name: str, public_url: str) -> tuple[Response, dict[str, Any]]:
    if name not in ingest.sources:
        message = f"no source is called '{name[:_LONGEST_NAME]}': the path is /webhooks/ and a name under `sources` in the configuration"
        return problem(404, "unknown_source", message), {"code": "unknown_source"}
    try:
        return _taken(ingest, name, _delivery(request, name, public_url, ingest))
    except Unverified as refused:
        return problem(401, refused.refusal, refused.message), {"code": refused.refusal, "why": refused.message}
    except Unreadable as unreadable:
        told = {"code": "unreadable", "field": unreadable.field, "why": unreadable.message}
        return problem(422, "unreadable", unreadable.message, field=unreadable.field), told
    except LedgerUnavailable as away:
        return unavailable("the bridge cannot store this now: send it again"), {"code": "unavailable", "why": str(away)}
    except HTTPException as error:
        return _not_read(error)


def _not_read(error: HTTPException) -> tuple[Response, dict[str, Any]]:
    """The body is too large, or the sender hung up in the middle of it."""
    if not isinstance(error, RequestEntityTooLarge):
        return http_problem(error), {"code": code_of(error)}
    limit = f"{_limit()} bytes, the most this bridge takes (server.max_body)"
    return problem(413, "too_large", f"the body is larger than {limit}"), {"code": "too_large"}


def _taken(ingest: Ingest, name: str, delivery: Delivery) -> tuple[Response, dict[str, Any]]:
    source = ingest.sources[name]
    handshake = source.handshake(delivery)
    if handshake:
        return _reply(handshake), {"code": "handshake"}
    if delivery.method != "POST":
        response = problem(405, "method_not_allowed", "webhooks are delivered with POST")
        response.headers["Allow"] = "POST"
        return response, {"code": "method_not_allowed"}
    receipts = ingest.take(delivery)
    told = {"events": len(receipts), "keys": [receipt.key for receipt in receipts[:20]], "statuses": _counts(receipts)}
    acknowledgement = source.acknowledge(receipts, delivery)
    return (_reply(acknowledgement) if acknowledgement else _receipt(receipts)), told


def _delivery(incoming: Request, source: str, public_url: str, ingest: Ingest) -> Delivery:
    # The path and query as they came: a signature covers the bytes, and decoding and encoding again is not the identity. Some
    # proxies name themselves in front of the path.
    raw = incoming.environ.get("RAW_URI") or incoming.environ.get("REQUEST_URI") or incoming.full_path.rstrip("?")
    return Delivery(
        source=source,
        method=incoming.method,
        url=public_url + _ORIGIN.sub("", str(raw)),
        headers=_headers(incoming.environ),
        body=_body(incoming),
        received_at=ingest.clock(),
    )


def _headers(environ: Mapping[str, Any]) -> dict[str, str]:
    """As PEP 3333 has them, by their names in lower case."""
    sent = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    return sent | {name.replace("_", "-").lower(): environ[name] for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)}


def _body(incoming: Request) -> bytes:
    """The whole body, or none of it.

    Left to itself Werkzeug cuts a body in chunks off at the limit, and believes a sender who hung up half-way that this was all:
    half a form reads like a whole one with a shorter phone number.
    """
    limit = _limit()
    incoming.max_content_length = limit + 1
    try:
        body = incoming.get_data(cache=False)
    except ParseException as crooked:  # chunks that make no sense
        raise BadRequest from crooked
    if len(body) > limit:
        raise RequestEntityTooLarge
    if len(body) < (incoming.content_length or 0):
        raise BadRequest
    return body


def _limit() -> int:
    return int(current_app.config["MAX_CONTENT_LENGTH"])


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
