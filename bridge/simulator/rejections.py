"""How the Calls API says no: each answer with its status and its body, as its OpenAPI document and help pages have it."""

from typing import Any

BAD_REQUEST = "bad.request"
"""Stands for whatever the platform says where nobody wrote it down: malformed JSON, a missing phone, a page of 0 rows."""


class Rejected(Exception):
    """The platform will not do it, and has changed nothing."""

    def __init__(self, type_: str, message: str, *, status: int = 400, **more: Any) -> None:
        super().__init__(type_)
        self.type = type_
        self.status = status
        self.document: dict[str, Any] = {"type": type_, **more, "message": message}


class ControlRejected(Rejected):
    """The same from ``control``, which has an envelope of its own: ``error`` where the others say ``type``."""

    def __init__(self, error: str, message: str, **args: Any) -> None:
        super().__init__(error, message)
        self.document = {"error": error, "message": message, "args": args}


def invalid_token() -> Rejected:
    return Rejected("invalid.token", "There is no campaign with this token", status=404)


def not_running(state: str) -> Rejected:
    """``state`` is upper case here, and only here."""
    return Rejected("invalid.call.task.state", "The campaign does not take numbers in its state", state=state.upper())


def duplicated(*phones: str, listed: bool) -> Rejected:
    """``phonesDuplicates`` is optional; ``listed`` says whether this host sends it."""
    more: dict[str, Any] = {"phonesDuplicates": list(phones)} if listed else {}
    return Rejected("phone.duplicated", "The number was added already; numbers were not added", phone=phones[0], **more)
