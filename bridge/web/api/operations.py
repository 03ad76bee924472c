"""How an operation is added to the API: its docstring is its description, its annotations say what it takes, its model what it answers.

The first line of the docstring is the summary; the name of the function is the operation's id.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any, TypeVar, get_type_hints

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel

from bridge.web.api.models.forms import Repeatable
from bridge.web.api.models.problems import Problem
from bridge.web.api.once import Once
from bridge.web.api.reading import Takes, takes

View = TypeVar("View", bound=Callable[..., BaseModel])

SECURITY = "token"

_REFUSED = {
    400: "The body is no JSON.",
    401: "No token, or a wrong one.",
    403: "The API is closed: the configuration names no operator's token.",
    404: "There is nothing of this name.",
    409: "It cannot be done as things stand; the message says why. Or a request with the same `Idempotency-Key` is under way.",
    413: "The body is too large.",
    415: "The body is not announced as JSON.",
    422: "A parameter or a part of the body is wrong: `field` names it, and the message says what would be right. Nothing was done.",
    429: "Too many wrong tokens came from this address: `Retry-After` says when the next one is looked at.",
    503: "Redis does not answer, or takes no writes: `Retry-After` says when to come again.",
}
_EVERYWHERE = (401, 403, 422, 429, 503)
_OF_A_BODY = (400, 413, 415)


@dataclass(frozen=True, slots=True)
class Operations:
    """Adds to one blueprint; ``tag`` is what the operations added from here on belong to."""

    blueprint: APIBlueprint
    once: Once
    tag: Tag = field(default_factory=lambda: Tag(name="other"))

    def about(self, name: str, description: str) -> "Operations":
        """The same, for operations of one kind."""
        return replace(self, tag=Tag(name=name, description=description))

    def get(self, rule: str, answer: type[BaseModel]) -> Callable[[View], View]:
        return self._added("get", rule, 200, answer)

    def post(self, rule: str, answer: type[BaseModel], status: int = 202, *, large: bool = False) -> Callable[[View], View]:
        """May be repeated under an ``Idempotency-Key``, and is done once. ``large``: its body may be as large as a delivery."""
        return self._added("post", rule, status, answer, large=large)

    def put(self, rule: str, answer: type[BaseModel]) -> Callable[[View], View]:
        return self._added("put", rule, 200, answer)

    def patch(self, rule: str, answer: type[BaseModel]) -> Callable[[View], View]:
        return self._added("patch", rule, 200, answer)

    def delete(self, rule: str, answer: type[BaseModel]) -> Callable[[View], View]:
        return self._added("delete", rule, 200, answer)

    def _added(self, method: str, rule: str, status: int, answer: type[BaseModel], *, large: bool = False) -> Callable[[View], View]:
        def decorate(view: View) -> View:
            wanted = takes(get_type_hints(view), large=large)
            summary, description = _told(view)
            getattr(self.blueprint, method)(
                rule,
                tags=[self.tag],
                summary=summary,
                description=description,
                operation_id=view.__name__,
                responses={status: answer, **_refusals(method, rule, wanted)},
            )(self._responder(view, method, status, wanted))
            return view

        return decorate

    def _responder(self, view: Callable[..., BaseModel], method: str, status: int, wanted: Takes) -> Callable[..., Response]:
        """The view with its model written as JSON, and what :mod:`bridge.web.api.reading` reads of it; done once where it is a POST."""

        @wraps(view)
        def respond(**arguments: Any) -> Response:
            return Response(view(**arguments).model_dump_json(exclude_none=True, by_alias=True), status, content_type="application/json")

        @wraps(respond)
        def respond_once(header: Repeatable, **arguments: Any) -> Response:
            return self.once.do(header.key, lambda: respond(**arguments))

        respond_once.__annotations__ = {**view.__annotations__, "header": Repeatable}
        chosen: Callable[..., Response] = respond_once if method == "post" else respond
        chosen.takes = wanted  # type: ignore[attr-defined]  # where Flask keeps its own marks too
        return chosen


def _refusals(method: str, rule: str, wanted: Takes) -> Mapping[int, dict[str, Any]]:
    codes = {*_EVERYWHERE, *(_OF_A_BODY if wanted.body else ()), *([404] if "<" in rule else ()), *([409] if method == "post" else ())}
    problem = {"application/json": {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}
    return {code: {"description": _REFUSED[code], "content": problem} for code in sorted(codes)}


def _told(view: Callable[..., Any]) -> tuple[str, str]:
    """The docstring as summary and description: paragraphs stay, lines do not."""
    paragraphs = [" ".join(part.split()) for part in (inspect.getdoc(view) or "").split("\n\n")]
    return paragraphs[0], "\n\n".join(paragraphs[1:]) or paragraphs[0]
