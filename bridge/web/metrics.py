"""``/metrics``: what Prometheus asks for. Open, like ``/healthz``: there is no secret and nobody's number in it."""

import logging
from collections.abc import Callable
from datetime import datetime

from flask import Blueprint, Response

from bridge.errors import LedgerUnavailable
from bridge.measuring import Measures, Measuring
from bridge.metrics import CONTENT_TYPE, text

_log = logging.getLogger("callbridge.web")


def metrics(measuring: Measuring, clock: Callable[[], datetime]) -> Blueprint:
    """The blueprint.

    When Redis is away the answer is 200 all the same, with ``callbridge_up 0`` and what is known without it: so an alert can tell a bridge
    that is up without its memory from one that is not there, and sees the spool fill meanwhile. Everything else is absent then, not 0.
    """
    blueprint = Blueprint("metrics", __name__)

    @blueprint.get("/metrics")
    def measured() -> Response:
        return Response(text(_measures(measuring, clock()), measuring.spooled()), content_type=CONTENT_TYPE)

    return blueprint


def _measures(measuring: Measuring, now: datetime) -> Measures | None:
    try:
        return measuring.read(now)
    except LedgerUnavailable as away:
        _log.debug("nothing to measure", extra={"error": str(away)})
        return None
