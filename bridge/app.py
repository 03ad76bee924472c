"""The web application. It cannot call anybody: nothing it imports is able to."""

import logging
import os
import threading

from flask import Flask, Response
from gunicorn.http.errors import ParseException
from redis.exceptions import RedisError
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from bridge import durability, log
from bridge.config import find, load
from bridge.durability import Durability
from bridge.errors import LedgerUnavailable, TooManyTries
from bridge.web.answers import http_problem, problem, too_many_tries, unavailable
from bridge.web.api import api, application
from bridge.web.doors import Door, door, protect
from bridge.web.health import health
from bridge.web.hooks import hooks
from bridge.web.metrics import metrics
from bridge.web.ops import ops
from bridge.web.ops.failures import failure
from bridge.wiring import Services, build

_log = logging.getLogger("callbridge.web")


def create_app(services: Services) -> Flask:
    """The application for one configuration."""
    config = services.config
    app = application("bridge")
    app.config["MAX_CONTENT_LENGTH"] = config.server.max_body
    app.url_map.merge_slashes = False  # a redirect would lose the delivery: few senders follow one with their body
    app.config["MAX_FORM_MEMORY_SIZE"] = None  # adapters read the raw body; only forms under /ops are parsed, and have limits of their own
    app.register_blueprint(hooks(services.ingest, public_url(services)))
    app.register_blueprint(health(services.ledger, lambda: _durability(services), config.redis.durability))
    app.register_blueprint(metrics(services.measuring, services.clock))
    app.register_blueprint(ops(services, lambda: _durability(services)))
    app.register_api(api(services))
    protect(app, https=public_url(services).startswith("https:"))
    app.register_error_handler(HTTPException, _failed)
    app.register_error_handler(ParseException, lambda _: _failed(BadRequest()))  # a body in chunks that make no sense
    app.register_error_handler(Exception, _failed)
    _believe_proxies(app, config.server.trusted_proxies)
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


def _believe_proxies(app: Flask, proxies: int) -> None:
    """The client's address and scheme as so many proxies say; the host and the path stay what the last one asked for."""
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=0)  # type: ignore[method-assign]  # Flask's own way


def _failed(error: Exception) -> Response:
    """Whatever was raised: a page for operators, JSON for everybody else."""
    if not isinstance(error, HTTPException | LedgerUnavailable | TooManyTries):
        _log.error("unexpected fault", exc_info=error)
    return failure(error) if door() is Door.OPS else _problem(error)


def _problem(error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return http_problem(error)
    if isinstance(error, TooManyTries):
        return too_many_tries(error.wait)
    if isinstance(error, LedgerUnavailable):
        return unavailable("Redis does not answer, or takes no writes")
    # A fault of ours: the sender is asked to send it again, and the log has the rest.
    return problem(500, "fault", "a fault of the bridge; it is in its log")
