"""``/ops/``: pages for operators.

Everything under the path is guarded (:mod:`bridge.web.ops.guard`), whether it exists or not. A new page is a function that adds its
routes to the blueprint, named in :data:`PAGES`, and a line in :data:`bridge.web.ops.frame.LINKS` if it belongs in the head of every page.
"""

from collections.abc import Callable
from typing import cast

from flask import Blueprint, Flask

from bridge.durability import Durability
from bridge.web.ops import acting, assets, campaigns, entrance, event, history, issues, replays, searching, sources, start, switches, unwanted
from bridge.web.ops.cookies import Cookies
from bridge.web.ops.forms import sign_forms
from bridge.web.ops.frame import Frame
from bridge.web.ops.guard import Guard
from bridge.wiring import Services

PAGES: tuple[Callable[[Blueprint, Services], None], ...] = (
    acting.add,
    assets.add,
    entrance.add,
    event.add,
    start.add,
    searching.add,
    issues.add,
    replays.add,
    sources.add,
    campaigns.add,
    switches.add,
    unwanted.add,
    history.add,
)
"""What adds routes; the order does not matter."""


def ops(services: Services, durability: Callable[[], Durability]) -> Blueprint:
    """The blueprint. ``durability`` is what Redis really promises, for the foot of every page."""
    blueprint = Blueprint("ops", __name__, url_prefix="/ops", template_folder="templates")
    blueprint.before_app_request(Guard(services).check)
    Frame(services, durability).furnish(blueprint)
    for add in PAGES:
        add(blueprint, services)
    blueprint.record_once(lambda state: _sign(cast(Flask, state.app), services))
    return blueprint


def _sign(app: Flask, services: Services) -> None:
    if not services.operators.closed:
        sign_forms(app, services.operators.form_key(), Cookies.of(services.config))
