"""What goes wrong under /ops, as a page that says what it means and what to do."""

from datetime import timedelta

from flask import Response, g, make_response, render_template
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from bridge.errors import LedgerUnavailable, TooManyTries
from bridge.web.access import CLOSED
from bridge.web.answers import RETRY_AFTER, code_of

_PAGES = {
    "closed": (403, "The operators’ side is closed", f"{CLOSED[0].upper()}{CLOSED[1:]}."),
    "old_form": (
        400,
        "The form had become old",
        "Nothing was done. Go back, load the page again, and send the form again. Should that not help: this browser keeps no cookies for this site.",
    ),
    "bad_request": (400, "This could not be read", "The request did not come whole. Nothing was done; send it again."),
    "forbidden": (403, "This is not allowed", "Nothing was done."),
    "not_found": (404, "There is nothing here", "The address may be mistyped, or what it showed is past its retention and was removed."),
    "method_not_allowed": (405, "This cannot be done that way", "Nothing was done. The address belongs to a form; go to the page that has it."),
    "request_entity_too_large": (413, "That is too much", "What was sent is larger than this form takes. Nothing was done."),
    "too_many_tries": (429, "Too many wrong tokens", "No token from your address is looked at for a while, not even a right one."),
    "fault": (500, "A fault of the bridge", "It is in the log, with all that is needed to mend it. Deliveries and calls go on."),
    "unavailable": (
        503,
        "The ledger cannot be reached",
        "Redis does not answer, or takes no writes. CRMs are asked to deliver again. Try again soon.",
    ),
}
_NO_FRAME = frozenset({"closed", "fault", "unavailable", "too_many_tries"})
"""Shown without what is around a page, which may be what failed."""


def page(word: str, wait: timedelta | None = None) -> Response:
    """The page for a word of the table above; ``wait`` is when to come again."""
    status, title, text = _PAGES[word]
    bare = word in _NO_FRAME or "operator" not in g
    response = make_response(render_template("error.html", status=status, title=title, text=text, wait=wait, bare=bare), status)
    if wait:
        response.headers["Retry-After"] = str(int(wait.total_seconds()))
    return response


def failure(error: Exception) -> Response:
    """The page for whatever was raised. Logging a fault is the caller's business."""
    if isinstance(error, TooManyTries):
        return page("too_many_tries", error.wait)
    if isinstance(error, LedgerUnavailable):
        return page("unavailable", timedelta(seconds=RETRY_AFTER))
    if isinstance(error, HTTPException):
        return _refused(error)
    return page("fault")


def _refused(error: HTTPException) -> Response:
    word = "old_form" if isinstance(error, CSRFError) else code_of(error)
    response = page(word if word in _PAGES else "bad_request")
    response.status_code = error.code or 400
    response.headers.extend((name, value) for name, value in error.get_headers() if name.lower() != "content-type")
    return response
