"""What every request under /ops has to pass, before anybody looks whether there is such a page."""

from urllib.parse import quote

from flask import Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.ledger import Session
from bridge.web.access import enter
from bridge.web.doors import Door, door
from bridge.web.ops.cookies import SESSION, Cookies
from bridge.web.ops.failures import page
from bridge.web.ops.forms import limit_form, require_own_form
from bridge.wiring import Services

OPEN = frozenset({"ops.asset", "ops.login", "ops.log_in"})
"""What is shown to somebody who has not logged in."""

LIVE = "X-Live"
"""The header of what a page asks for by itself: nobody is there, necessarily, so it keeps no session alive."""

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Closed without operators; a session, but for the login page; our own forms."""

    def __init__(self, services: Services) -> None:
        self._operators = services.operators
        self._sessions = services.sessions
        self._clock = services.clock
        self._cookies = Cookies.of(services.config)

    def check(self) -> AnyResponse | None:
        """For ``before_request`` of the whole application; None lets it pass."""
        if door() is not Door.OPS or request.endpoint == "ops.asset":
            return None
        if self._operators.closed:
            return page("closed")
        limit_form()
        session = self._session()
        if session is None and request.endpoint not in OPEN:
            return self._to_login()
        if request.method not in _READS:
            require_own_form()
        if session:
            self._pass(session)
        return None

    def _session(self) -> Session | None:
        """The session of this browser, if its token is still what it was."""
        id_ = self._cookies.read(SESSION)
        session = self._sessions.find(id_, self._clock()) if id_ else None
        return session if session and self._operators.confirm(session.holder, session.digest, session.proof) else None

    def _pass(self, session: Session) -> None:
        enter(session.operator)
        if LIVE not in request.headers:
            self._sessions.note(session, self._clock())

    def _to_login(self) -> AnyResponse:
        """With the way back to a page; a form is not sent again by itself, so its sender is told that it was not taken."""
        if LIVE in request.headers:
            return Response("the session has ended", 401)
        if request.method in _READS:
            return redirect(url_for("ops.login", next=_asked_for()), 303)
        return redirect(url_for("ops.login", said="ended"), 303)


def _asked_for() -> str:
    query = request.query_string.decode("ascii", "replace")
    return quote(request.path) + (f"?{query}" if query else "")
