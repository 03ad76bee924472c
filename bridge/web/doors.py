"""Which door a request came to, and what every answer given there carries."""

from enum import StrEnum

from flask import Flask, Response, request


class Door(StrEnum):
    """The operators' two, with the beginning of their paths; everything else is for machines that nobody logs in to."""

    OPS = "/ops"
    API = "/api"
    OTHER = ""


def door() -> Door:
    """By the path alone, so that what does not exist under it is guarded like what does."""
    first = "/" + request.path.split("/")[1]
    return Door(first) if first in (Door.OPS, Door.API) else Door.OTHER


_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_ONE_YEAR = 31_536_000


def protect(app: Flask, *, https: bool) -> None:
    """Have every answer under /ops and /api carry the headers that confine a browser. ``https``: the public address is such a one."""

    @app.after_request
    def headers(response: Response) -> Response:
        if door() is not Door.OTHER:
            response.headers.extend(_HEADERS)
            response.headers.setdefault("Cache-Control", "no-store")
            if https or request.is_secure:
                response.headers["Strict-Transport-Security"] = f"max-age={_ONE_YEAR}"
        return response
