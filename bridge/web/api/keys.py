"""Keys of events in addresses. They hold slashes, and a server is given a path decoded: ``/events/a%2Freplay`` looks like ``/events/a/replay``."""

from urllib.parse import unquote

from flask import current_app, request
from werkzeug.exceptions import MethodNotAllowed

_WHOLE = "api.event"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


def as_sent() -> None:
    """For ``before_request``: the line of the request as it was sent tells whether its last part is an event's or what is asked about it.

    Behind a proxy that decodes addresses nothing tells; then it is what is asked about the event.
    """
    rule, named = request.url_rule, request.view_args
    if rule is None or not named or "key" not in named or rule.endpoint == _WHOLE:
        return
    asked = rule.rule.rpartition("/")[2]
    if _last_part() in {asked, ""}:
        return
    if request.method not in _READS:
        raise MethodNotAllowed(["GET", "HEAD", "OPTIONS"])
    request.url_rule = next(current_app.url_map.iter_rules(_WHOLE))
    request.view_args = {"key": f"{named['key']}/{asked}"}


def _last_part() -> str:
    sent = str(request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or "")
    return unquote(sent.partition("?")[0].rpartition("/")[2])
