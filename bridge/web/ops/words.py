"""How the pages say things: statuses, times."""

from datetime import UTC, datetime, timedelta
from math import inf

from bridge.model import Rate, Status
from bridge.quantities import in_words

MEANINGS = {
    Status.QUEUED: "accepted, and next in line",
    Status.RUNNING: "an attempt is under way",
    Status.WAITING: "goes on by itself, at the time shown",
    Status.UNKNOWN: "sent, and no answer came: it is being found out whether the call job exists",
    Status.PARKED: "held until a campaign or a person lets it go on",
    Status.DONE: "the call job was made, or cancelled",
    Status.SUPPRESSED: "deliberately no call",
    Status.FAILED: "needs an operator",
    Status.IGNORED: "no rule matched",
}
"""What each status means, for somebody who sees it the first time."""

_LONG_AGO = timedelta(days=30)


def relatively(moment: datetime, now: datetime) -> str:
    """``3 min ago``, ``in 2 h``; a date once that says more."""
    apart = abs(now - moment)
    if apart >= _LONG_AGO:
        return f"{moment.astimezone(UTC):%Y-%m-%d}"
    if apart < timedelta(seconds=1):
        return "now"
    return f"{in_words(apart)} ago" if moment < now else f"in {in_words(apart)}"


def exactly(moment: datetime) -> str:
    """``2026-11-23 08:40:00 UTC``."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def figure(number: float) -> str:
    """``1,234,567``, and no more places behind the point than it has."""
    return f"{number:,.10g}"


def lasting(seconds: float | None) -> str:
    """``850 ms``, ``1.2 s``, ``4 min``; a dash where nothing is known, and a word where it is longer than is counted."""
    if seconds is None:
        return "–"
    if seconds == inf:
        return "over a day"
    size, unit = next((size, unit) for size, unit in _SPANS if seconds >= size or unit == "ms")
    return f"{seconds / size:.2g} {unit}" if seconds / size < 10 else f"{seconds / size:.0f} {unit}"


_SPANS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (0.001, "ms"))


def rate(limit: Rate) -> str:
    """``5/s``, ``300/min``, ``100 in 10 s``."""
    unit = {1.0: "s", 60.0: "min", 3600.0: "h", 86400.0: "d"}.get(limit.seconds)
    return f"{limit.count}/{unit}" if unit else f"{limit.count} in {limit.seconds:g} s"
