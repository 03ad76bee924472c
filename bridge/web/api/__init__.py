"""``/api/v1``: JSON for operators and their machines. A bearer token opens it; the cookie of /ops never does."""

from flask import Blueprint

from bridge.web.access import Access, operator
from bridge.web.api.bearer import bearer
from bridge.wiring import Services


def api(services: Services) -> Blueprint:
    """The blueprint of everything under ``/api/v1``."""
    blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
    blueprint.before_request(bearer(Access(services.operators, services.throttle)))

    @blueprint.get("/whoami")
    def whoami() -> dict[str, str]:
        return {"operator": operator()}

    return blueprint
