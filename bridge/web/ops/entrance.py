"""Logging in and out."""

import logging
import re
from urllib.parse import unquote

from flask import Blueprint, g, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.ledger.sessions import LONGEST
from bridge.operators import LONGEST_NAME, Holder, read_name
from bridge.web.access import Access, operator
from bridge.web.ops.cookies import SESSION, Cookies
from bridge.wiring import Services

START = "/ops/"

_LOCAL = re.compile(r"/ops/[!-\[\]-~]*")  # no blanks, no control characters, no backslash

_SAID = {
    "ended": ("doubtful", "Your session had ended, so nothing was done. Log in, and send it again."),
    "out": ("good", "You are logged out."),
    "wrong": ("bad", "This token is nobody's. After ten wrong ones you would have to wait."),
    "nameless": ("bad", f"Say who you are: the shared token does not tell. At most {LONGEST_NAME} characters."),
    "taken": ("bad", "This name belongs to an operator with a token of his own. Use that token, or another name."),
}

_log = logging.getLogger("callbridge.operators")


def add(blueprint: Blueprint, services: Services) -> None:
    """``/ops/login`` and ``/ops/logout``."""
    entrance = Entrance(services)
    blueprint.add_url_rule("/login", "login", entrance.show, methods=["GET"])
    blueprint.add_url_rule("/login", "log_in", entrance.log_in, methods=["POST"])
    blueprint.add_url_rule("/logout", "log_out", entrance.log_out, methods=["POST"])


class Entrance:
    """Turns a token into a session."""

    def __init__(self, services: Services) -> None:
        self._access = Access(services.operators, services.throttle)
        self._sessions = services.sessions
        self._clock = services.clock
        self._cookies = Cookies.of(services.config)

    def show(self) -> AnyResponse | str:
        if "operator" in g:
            return redirect(local(request.args.get("next", "")), 303)
        return self._form(request.args.get("said", ""), request.args.get("next", ""))

    def log_in(self) -> AnyResponse | tuple[str, int]:
        holder = self._access.holder_of(request.form.get("token", "").strip())
        if holder is None:
            return self._form("wrong", request.form.get("next", "")), 403
        name, objection = self._name(holder)
        if objection:
            return self._form(objection, request.form.get("next", "")), 422
        return self._enter(holder, name)

    def log_out(self) -> AnyResponse:
        self._sessions.end(self._cookies.read(SESSION))
        _log.info("logged out", extra={"operator": operator()})
        session.clear()
        response = redirect(url_for("ops.login", said="out"), 303)
        self._cookies.drop(response, SESSION)
        return response

    def _enter(self, holder: Holder, name: str) -> AnyResponse:
        """A new session, whatever the browser brought: an id that somebody else has put there is worth nothing."""
        if earlier := self._cookies.read(SESSION):
            self._sessions.end(earlier)
        begun = self._sessions.begin(name, holder.name, holder.prove, self._clock())
        session.clear()
        _log.info("logged in", extra={"operator": name, "address": request.remote_addr})
        response = redirect(local(request.form.get("next", "")), 303)
        self._cookies.put(response, SESSION, begun.id, LONGEST)
        return response

    def _name(self, holder: Holder) -> tuple[str, str]:
        """The operator's name, or what is wrong with what he calls himself."""
        if holder.name:
            return holder.name, ""
        name = read_name(request.form.get("name", ""))
        if name is None:
            return "", "nameless"
        return name, "taken" if self._access.operators.is_taken(name) else ""

    def _form(self, said: str, after: str) -> str:
        kind, text = _SAID.get(said, ("", ""))
        operators = self._access.operators
        # Over plain HTTP a browser would not keep our cookie, and every try would end as an old form.
        wants_https = self._cookies.secure and not request.is_secure
        return render_template(
            "login.html",
            kind=kind,
            text=text,
            next=local(after),
            name=request.form.get("name", ""),
            shared=operators.shared,
            named=bool(operators.names),
            wants_https=wants_https,
            longest_name=LONGEST_NAME,
            bare=True,
        )


def local(path: str) -> str:
    """The path if it is one of ours, else the start page: nobody is sent anywhere by a link that he did not look at."""
    plain = path.partition("?")[0]
    inside = _LOCAL.fullmatch(path) and ".." not in unquote(plain).split("/")
    return path if inside else START
