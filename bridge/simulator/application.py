"""The Flask application: the Calls API, the CRM stand-ins, the simulator's own side, and misbehaviour around them."""

from collections.abc import Iterable

from flask import Flask, Response, jsonify
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException

from bridge.simulator.api import api
from bridge.simulator.crm import hubspot, pipedrive
from bridge.simulator.desk import desk
from bridge.simulator.faults import Fault, Faults
from bridge.simulator.misbehaviour import Misbehaviour
from bridge.simulator.platform import Platform
from bridge.simulator.settings import Settings
from bridge.simulator.world import EXTENSION, World


class _InOrder(DefaultJSONProvider):
    """Fields in the order of the vendors' documentation."""

    sort_keys = False


def create_simulator(*, settings: Settings | None = None, faults: Iterable[Fault] = (), seed: int = 1) -> Flask:
    """A platform on its first day. The same ``seed`` gives the same ids and the same chances; all state is in the process."""
    settings = settings or Settings()
    app = Flask("bridge.simulator", static_folder=None)
    app.json = _InOrder(app)
    world = World(platform=Platform(settings, seed), faults=Faults(faults, seed), initial_settings=settings)
    app.extensions[EXTENSION] = world
    for blueprint in (api, hubspot, pipedrive, desk):
        app.register_blueprint(blueprint)
    app.register_error_handler(HTTPException, _http_error)
    app.wsgi_app = Misbehaviour(app.wsgi_app, world)  # type: ignore[method-assign]  # how Flask wants to be wrapped
    return app


def _http_error(error: HTTPException) -> tuple[Response, int]:
    """What Flask itself refuses: unknown paths and methods."""
    return jsonify({"error": {"code": error.name.lower().replace(" ", "_"), "message": error.description}}), error.code or 500
