"""Has a source been silent for longer than it should be? Pure.

Only the time from Monday to Friday counts, in UTC: a weekend without a webhook says nothing, and who was silent when the week ended is so until
something comes.
A source's limit is what the configuration says (``silence: 3h``, by day and by night); where it says nothing, it is learned from how long the
source was silent at the same time of the last working days, so that nights are known to be quiet.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

from bridge.ledger import Snapshot

LOOKED_BACK, FEWEST = 10, 5
"""How many working days a limit is learned from, and how few of them are too few to learn anything."""

SHORTEST = timedelta(hours=2)
"""No limit that is learned is shorter: what it is learned from was noted every hour."""

_WORKING_DAYS = 5
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Silence:
    """A source that last delivered at ``since``, which is longer ago than its ``limit``."""

    source: str
    since: datetime
    limit: timedelta


def judge(heard: Mapping[str, datetime], limits: Mapping[str, timedelta | None], now: datetime) -> list[Silence]:
    """The sources that are silent for too long.

    ``heard``: when each last delivered (``Totals.heard``); one that never did is being set up. A limit of None is no judgement.
    """
    now = last_worked(now)
    judged = [(source, heard[source], limit) for source, limit in limits.items() if limit is not None and source in heard]
    return [Silence(source, since, limit) for source, since, limit in judged if working_time(since, now) > limit]


def limits(configured: Mapping[str, timedelta | None], history: Sequence[Snapshot], now: datetime) -> dict[str, timedelta | None]:
    """The limit of each source, learned where none is configured. ``history``: hourly, the oldest first (``Totals.since("hour", …)``)."""
    now = last_worked(now)
    return {source: learned(history, source, now) if limit is None else limit for source, limit in configured.items()}


def learned(history: Sequence[Snapshot], source: str, now: datetime) -> timedelta | None:
    """How long the source may be silent at this time of day. None: too little is known of it.

    Half as long again as it ever was on the last working days, but for the worst of them, which may have been an outage.
    """
    heard = [after.at for before, after in pairwise(history) if _deliveries(before, source) != _deliveries(after, source)]
    then = [working_time(last, moment) for moment in _same_time(now) if (last := max((at for at in heard if at <= moment), default=None))]
    if len(then) < FEWEST:
        return None
    return max(SHORTEST, sorted(then)[-2] * 1.5)


def working_time(since: datetime, until: datetime) -> timedelta:
    """How much of the time between two moments was on Monday to Friday."""
    if until <= since:
        return timedelta(0)
    weeks, rest = divmod(until - since, 7 * _DAY)
    return weeks * _WORKING_DAYS * _DAY + sum(_working_parts(until - rest, until), timedelta(0))


def last_worked(now: datetime) -> datetime:
    """Now, or the last moment of the week that is over."""
    while not _works(now):
        now = datetime.combine(now.astimezone(UTC).date(), time(), UTC) - timedelta(microseconds=1)
    return now


def _working_parts(since: datetime, until: datetime) -> Iterator[timedelta]:
    moment = since.astimezone(UTC)
    while moment < until:
        midnight = datetime.combine(moment.date() + _DAY, time(), UTC)
        if _works(moment):
            yield min(midnight, until) - moment
        moment = midnight


def _same_time(now: datetime) -> list[datetime]:
    """This time of the last working days."""
    return [moment for days in range(1, 2 * LOOKED_BACK) if _works(moment := now - days * _DAY)][:LOOKED_BACK]


def _works(moment: datetime) -> bool:
    return moment.astimezone(UTC).weekday() < _WORKING_DAYS


def _deliveries(snapshot: Snapshot, source: str) -> int:
    """What grows with every delivery of a source, whether it brought anything new or not."""
    return sum(snapshot.totals.get(f"{what}|{source}", 0) for what in ("accepted", "duplicates"))
