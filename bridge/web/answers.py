"""The forms of an answer that every door shares."""

import json

from flask import Response


def problem(status: int, code: str, message: str, **more: str | None) -> Response:
    """``{"error": {"code", "message", …}}``, the only form an error takes."""
    error = {"code": code, "message": message, **{name: value for name, value in more.items() if value is not None}}
    return Response(json.dumps({"error": error}, ensure_ascii=False), status, content_type="application/json")
