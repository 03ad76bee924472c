"""The forms of an answer that every door shares."""

import json
from datetime import timedelta

from flask import Response
from werkzeug.exceptions import HTTPException

RETRY_AFTER = 5
"""Seconds a sender is asked to wait when Redis is away; most have their own idea."""

_MESSAGES = {
    400: "the request did not come whole, or cannot be read: send it again",
    404: "there is nothing at this path; webhooks go to /webhooks/<source>, and /api/v1/openapi.json describes the API",
    405: "this path does not take that method; see the Allow header",
}


def problem(status: int, code: str, message: str, **more: str | None) -> Response:
    """``{"error": {"code", "message", …}}``, the only form an error takes."""
    error = {"code": code, "message": message, **{name: value for name, value in more.items() if value is not None}}
    return Response(json.dumps({"error": error}, ensure_ascii=False), status, content_type="application/json")


def unavailable(message: str) -> Response:
    """503, and when to come again."""
    response = problem(503, "unavailable", message)
    response.headers["Retry-After"] = str(RETRY_AFTER)
    return response


def too_many_tries(wait: timedelta) -> Response:
    """429, and when the next token is looked at."""
    seconds = int(wait.total_seconds())
    response = problem(429, "too_many_tries", f"too many wrong tokens: none is looked at for {seconds} s, not even a right one")
    response.headers["Retry-After"] = str(seconds)
    return response


def http_problem(error: HTTPException) -> Response:
    """What Flask and Werkzeug refuse by themselves (404, 405, …), with the headers they say it with."""
    status = error.code or 500
    response = problem(status, code_of(error), _MESSAGES.get(status, error.description or error.name))
    response.headers.extend((name, value) for name, value in error.get_headers() if name.lower() != "content-type")
    return response


def code_of(error: HTTPException) -> str:
    """Its name as a code: ``not_found``."""
    return error.name.lower().replace(" ", "_")
