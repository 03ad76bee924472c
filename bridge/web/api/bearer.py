"""The guard of the API: ``Authorization: Bearer <token>`` or nothing."""

from collections.abc import Callable

from flask import Response, request

from bridge.model import OPERATOR
from bridge.web.access import CLOSED, Access, enter
from bridge.web.answers import problem


def bearer(access: Access) -> Callable[[], Response | None]:
    """For ``before_request`` of a blueprint: lets operators in, and tells everybody else why not.

    Who uses the shared token has no name, and is called ``operator`` in the history.
    """

    def guard() -> Response | None:
        if access.operators.closed:
            return problem(403, "closed", CLOSED)
        token = _token()
        if not token:
            return _unauthorized("missing_token", "send the header `Authorization: Bearer <token>`, with your operator's token or the ops_token")
        holder = access.holder_of(token)
        if holder is None:
            return _unauthorized("wrong_token", "this token is nobody's")
        enter(holder.name or OPERATOR)
        return None

    return guard


def _token() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _unauthorized(code: str, message: str) -> Response:
    response = problem(401, code, message)
    response.headers["WWW-Authenticate"] = 'Bearer realm="callbridge"'
    return response
