"""``/healthz`` and ``/readyz``: is this process alive, and can it keep what it is given."""

import json
import logging
from collections.abc import Callable

from flask import Blueprint, Response

from bridge.durability import Durability, check
from bridge.errors import LedgerUnavailable
from bridge.ledger import Ledger
from bridge.web.answers import unavailable

_log = logging.getLogger("callbridge.web")


def health(ledger: Ledger, durability: Callable[[], Durability], asked: str) -> Blueprint:
    """The blueprint; ``asked`` is the durability the configuration asks for, shown beside what Redis really does."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/healthz")
    def alive() -> Response:
        return Response('{"status": "ok"}', content_type="application/json")

    @blueprint.get("/readyz")
    def ready() -> Response:
        try:
            ledger.check_writable()
            found = durability()
        except LedgerUnavailable as away:
            # Anybody may ask, so the answer names no host and no path; the log does.
            _log.warning("not ready", extra={"error": str(away)})
            return unavailable("Redis does not answer, or takes no writes")
        return Response(json.dumps({"status": "ready", "redis": _shown(found, asked)}), content_type="application/json")

    return blueprint


def _shown(found: Durability, asked: str) -> dict[str, object]:
    """``notes``: what is weaker than it should be, a sentence each with its mend."""
    return {
        "reachable": True,
        "writable": True,
        "durability": found.level,
        "asked": asked,
        "eviction": found.eviction,
        "server": found.server,
        "notes": check(found, asked),
    }
