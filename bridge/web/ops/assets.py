"""Style, script and icon of the pages, from the package itself. Their addresses hold a digest, so that a browser asks for each once."""

import hashlib
from importlib.resources import files

from flask import Blueprint, Response, abort, url_for

from bridge.wiring import Services

_TYPES = {
    "ops.css": "text/css; charset=utf-8",
    "ops.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_BODIES = {name: files("bridge.web.ops").joinpath("static", name).read_bytes() for name in _TYPES}
_DIGESTS = {name: hashlib.sha256(body).hexdigest()[:16] for name, body in _BODIES.items()}


def add(blueprint: Blueprint, _: Services) -> None:
    """``/ops/static/<digest>/<name>``."""

    @blueprint.get("/static/<digest>/<name>")
    def asset(digest: str, name: str) -> Response:
        if name not in _TYPES:
            abort(404)
        # Another version's page may ask for its own, while both are running: it gets ours, and does not keep it.
        kept = "public, max-age=31536000, immutable" if digest == _DIGESTS[name] else "no-cache"
        return Response(_BODIES[name], content_type=_TYPES[name], headers={"Cache-Control": kept})


def address(name: str) -> str:
    """Where a page finds it."""
    return url_for("ops.asset", digest=_DIGESTS[name], name=name)
