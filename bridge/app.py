"""The web application. It cannot call anybody: nothing it imports is able to."""

import logging
import os
import threading

from flask import Flask, Response
from redis.exceptions import RedisError
from werkzeug.exceptions import HTTPException

from bridge import durability, log
from bridge.config import find, load
from bridge.durability import Durability
from bridge.errors import LedgerUnavailable
from bridge.web.answers import http_problem, problem
from bridge.web.health import health
from bridge.web.hooks import hooks
from bridge.wiring import Services, build

_log = logging.getLogger("callbridge.web")


def create_app(services: Services) -> Flask:
    """The application for one configuration."""
    config = services.config
    app = Flask("bridge", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = config.server.max_body
    app.url_map.merge_slashes = False  # a redirect would lose the delivery: few senders follow one with their body
    app.config["MAX_FORM_MEMORY_SIZE"] = None  # adapters read the raw body; Werkzeug's form parser is never used
    app.register_blueprint(hooks(services.ingest, public_url(services)))
    app.register_blueprint(health(services.ledger, lambda: _durability(services), config.redis.durability))
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _fault)
    return app


def from_environment() -> Flask:
    """For gunicorn: ``bridge.app:from_environment()`` with ``CALLBRIDGE_CONFIG`` naming the configuration."""
    log.configure()
    services = build(load(find(None, os.environ), os.environ), redis_timeout=1.0)
    threading.Thread(target=services.spool.run, args=(services.ingest.take_in, threading.Event()), name="spool", daemon=True).start()
    return create_app(services)


def public_url(services: Services) -> str:
    """How senders see this server; without a configured address, the one it listens on."""
    return services.config.server.public_url or f"http://{services.config.server.bind}"


def _durability(services: Services) -> Durability:
    try:
        return durability.read(services.redis)
    except RedisError as error:
        raise LedgerUnavailable(f"Redis does not answer: {type(error).__name__}") from error


def _http_error(error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 -- registered for nothing else
    return http_problem(error)


def _fault(error: Exception) -> Response:
    """A fault of ours: the sender is asked to send it again, and the log has the rest."""
    _log.error("unexpected fault", exc_info=error)
    return problem(500, "fault", "a fault of the bridge; it is in its log")
