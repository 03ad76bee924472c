"""Where events and what is done to them are found. Every page that names an event takes its link from here."""

from urllib.parse import quote

from flask import url_for


def event_address(key: str) -> str:
    """An event's page. Its key is one segment, whatever is in it: a browser would tidy ``a/../b`` away."""
    return f"{url_for('ops.start')}events/{quote(key, safe=':')}"


def act_address(what: str, key: str) -> str:
    """Where it is shown what an action would do, and where it is done."""
    return f"{url_for('ops.start')}act/{what}/{quote(key, safe=':')}"


def search_address(written: str) -> str:
    """The events that are found by what would be written into the box."""
    return url_for("ops.events", q=written) if written else url_for("ops.events")
