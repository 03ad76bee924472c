"""What a request must be before its operation sees it: small, without unknown or repeated parameters, its body a JSON object."""

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Union, get_args, get_origin

from flask import Response, current_app, request
from pydantic import BaseModel
from werkzeug.exceptions import BadRequest

from bridge.web.answers import problem

SMALL = 64 * 1024
"""Bytes of a body, unless its operation takes large ones."""


@dataclass(frozen=True, slots=True)
class Takes:
    """What an operation takes: parameters that may stand once, those that may be repeated, and whether a body, and a large one."""

    single: frozenset[str] = frozenset()
    many: frozenset[str] = frozenset()
    body: bool = False
    large: bool = False


def takes(hints: Mapping[str, Any], *, large: bool) -> Takes:
    """By the annotations of the operation."""
    query: type[BaseModel] | None = hints.get("query")
    fields = query.model_fields if query else {}
    many = frozenset(field.alias or name for name, field in fields.items() if _is_list(field.annotation))
    return Takes(frozenset(field.alias or name for name, field in fields.items()) - many, many, "body" in hints, large)


def check() -> Response | None:
    """For ``before_request`` of the blueprint; None lets it pass."""
    wanted: Takes = getattr(current_app.view_functions.get(request.endpoint or ""), "takes", Takes())
    if not wanted.large:
        request.max_content_length = min(SMALL, int(current_app.config["MAX_CONTENT_LENGTH"]))
    return _parameters(wanted) or (_body() if wanted.body else None)


def _parameters(wanted: Takes) -> Response | None:
    known = sorted(wanted.single | wanted.many)
    for name, values in request.args.lists():
        if name not in known:
            there = f"there are {', '.join(known)}" if known else "there are none here"
            return problem(422, "invalid", f"there is no parameter of this name; {there}", field=readable(name))
        if len(values) > 1 and name in wanted.single:
            return problem(422, "invalid", "this parameter may stand once", field=name)
    return None


def _body() -> Response | None:
    if not request.is_json:
        return problem(415, "unsupported_media_type", "send a JSON object, with the header `Content-Type: application/json`")
    try:
        document = request.get_json()
    except (BadRequest, RecursionError):
        return problem(400, "bad_request", "the body is no JSON")
    if not isinstance(document, dict):
        return problem(422, "invalid", "the body must be a JSON object")
    return None


def readable(text: str) -> str:
    """Half a character, which no encoding can write, becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def _is_list(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return any(_is_list(each) for each in get_args(annotation))
    return origin in (list, tuple)
