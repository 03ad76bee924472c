"""Forms that only our own pages can send (CSRF), and how much they may hold."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, request
from flask.sessions import SecureCookieSessionInterface
from flask_wtf.csrf import CSRFError, CSRFProtect

from bridge.ledger.sessions import LONGEST
from bridge.web.ops.cookies import FORMS, Cookies

SMALL = 64 * 1024
"""Bytes of a form, unless its view is :func:`large`."""

View = TypeVar("View", bound=Callable[..., Any])


class FormCookie(SecureCookieSessionInterface):
    """Flask's own session, which holds the secret that the forms of one browser share and nothing else."""

    def __init__(self, cookies: Cookies) -> None:
        self._cookies = cookies

    def get_cookie_name(self, _: Flask) -> str:
        return self._cookies.name(FORMS)

    def get_cookie_path(self, _: Flask) -> str:
        return self._cookies.path

    def get_cookie_secure(self, _: Flask) -> bool:
        return self._cookies.secure

    def get_cookie_samesite(self, _: Flask) -> str:
        return "Lax"


def sign_forms(app: Flask, key: bytes, cookies: Cookies) -> None:
    """Have ``csrf_token()`` in templates. Nothing is checked but what :func:`require_own_form` is asked about."""
    app.secret_key = key
    app.session_interface = FormCookie(cookies)
    app.config.update(
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=int(LONGEST.total_seconds()),  # a form is as old as the session that it belongs to can become
        WTF_CSRF_SSL_STRICT=False,  # compares the referrer with a host name that a proxy may have changed; see Sec-Fetch-Site below
    )
    CSRFProtect(app)


def require_own_form() -> None:
    """Raise ``CSRFError`` for a form that no page of ours, shown to this browser, has sent."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise CSRFError("sent by another site")
    current_app.extensions["csrf"].protect()


def large(view: View) -> View:
    """Marks a view whose form may be as large as a delivery (``server.max_body``): a file to import."""
    view.takes_large_forms = True  # type: ignore[attr-defined]  # where Flask keeps its own marks too
    return view


def limit_form() -> None:
    """Have this request's form be small, unless it goes to a large one."""
    view = current_app.view_functions.get(request.endpoint or "")
    limit = int(current_app.config["MAX_CONTENT_LENGTH"])
    if not getattr(view, "takes_large_forms", False):
        limit = min(limit, SMALL)
    request.max_content_length = request.max_form_memory_size = limit
