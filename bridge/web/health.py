"""``/healthz`` and ``/readyz``: is this process alive, and can it keep what it is given."""

import json
from collections.abc import Callable

from flask import Blueprint, Response

from bridge.durability import Durability
from bridge.errors import LedgerUnavailable
from bridge.ledger import Ledger
from bridge.web.answers import problem


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
            return problem(503, "unavailable", str(away))
        redis = {"reachable": True, "writable": True, "durability": found.level, "asked": asked, "eviction": found.eviction, "server": found.server}
        return Response(json.dumps({"status": "ready", "redis": redis}), content_type="application/json")

    return blueprint
