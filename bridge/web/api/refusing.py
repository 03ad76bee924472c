"""How the API says no."""

from collections.abc import Mapping
from typing import Any, NoReturn

from flask import Response, abort
from pydantic import ValidationError

from bridge.errors import Unusable
from bridge.web.answers import problem
from bridge.web.api.reading import readable

_SAID: Mapping[str, str] = {
    "missing": "is missing",
    "extra_forbidden": "there is nothing of this name here",
    "string_unicode": "holds half a character, which no encoding can write",
}


def refuse(status: int, code: str, message: str, field: str | None = None) -> NoReturn:
    """End the request with this answer."""
    abort(problem(status, code, message, field=field))


def missing(what: str) -> NoReturn:
    """There is nothing of this name."""
    refuse(404, "not_found", what)


def unusable_problem(error: Unusable) -> Response:
    """What was asked for must not, or cannot, be done as it was said."""
    return problem(422, "unusable", readable(error.message), field=error.field)


def invalid(error: ValidationError) -> Response:
    """A parameter or a body that is not as its model says: all that is wrong in the message, the first of it as ``field``."""
    found = [(_place(each), _said(each)) for each in error.errors(include_url=False, include_input=False)]
    field, message = found[0]
    others = "".join(f"; {place}: {said}" for place, said in found[1:])
    return problem(422, "invalid", readable(f"{message}{others}"), field=readable(field) or None)


def _place(error: Any) -> str:
    return ".".join(str(part) for part in error["loc"])


def _said(error: Any) -> str:
    told = _SAID.get(error["type"]) or error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{told[0].lower()}{told[1:]}"
