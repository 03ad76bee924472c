"""Call hours: when a person may be called, in the person's own time. Pure; zones come from the CRM or from the number."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers import timezone as phone_zones

from bridge.rules import DAYS, Hours

_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(0?[0-9]|1[0-8])(?::?([0-5][0-9]))?")
_AHEAD = 9
"""Days to look ahead: any weekly window opens within them, whatever the zones."""


def zones(named: str | None, phone: str) -> tuple[tzinfo, ...]:
    """Where the person may be: the zone or offset the CRM names, else every zone the number can be in; empty when nobody knows."""
    if named:
        found = _zone(named)
        return (found,) if found else ()
    names = phone_zones.time_zones_for_number(phonenumbers.parse(phone))
    known = tuple(zone for name in names if (zone := _zone(name)))
    return known if len(known) == len(names) else ()


def next_opening(hours: Hours, where: Sequence[tzinfo], now: datetime) -> datetime | None:
    """``now`` when calling is allowed in every candidate zone at once, else when that will next be so; None if never."""
    openings = sorted({opening for zone in where for opening in _openings(hours, zone, now) if opening > now})
    return next((moment for moment in (now, *openings) if all(_open(hours, zone, moment) for zone in where)), None)


def _open(hours: Hours, zone: tzinfo, moment: datetime) -> bool:
    local = moment.astimezone(zone)
    return DAYS[local.weekday()] in hours.days and hours.start <= local.time() < hours.end


def _openings(hours: Hours, zone: tzinfo, now: datetime) -> Iterator[datetime]:
    """Every moment at which a window may begin: the hour itself, twice where clocks are put back over it, and the change of clocks."""
    today = now.astimezone(zone).date()
    for ahead in range(_AHEAD):
        opening = datetime.combine(today + timedelta(days=ahead), hours.start, zone)
        yield from (opening.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    yield from _changes(zone, now.astimezone(UTC).replace(microsecond=0))


def _changes(zone: tzinfo, now: datetime) -> Iterator[datetime]:
    """When the zone's clocks are put forward or back in the days ahead; one change a day is all there ever is."""
    for ahead in range(_AHEAD):
        before, after = now + timedelta(days=ahead), now + timedelta(days=ahead + 1)
        if _offset(zone, before) == _offset(zone, after):
            continue
        while after - before > timedelta(seconds=1):
            middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
            before, after = (middle, after) if _offset(zone, middle) == _offset(zone, before) else (before, middle)
        yield after


def _offset(zone: tzinfo, moment: datetime) -> timedelta | None:
    return moment.astimezone(zone).utcoffset()


def _zone(name: str) -> tzinfo | None:
    """An IANA name, or an offset as the Calls API takes it: ``+03:00``, ``UTC-5``."""
    if match := _OFFSET.fullmatch(name.strip()):
        return timezone((1 if match[1] == "+" else -1) * timedelta(hours=int(match[2]), minutes=int(match[3] or 0)))
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def show(hours: Hours) -> str:
    """``mon–fri 09:00–20:00`` for a reason in plain words."""
    return f"{'/'.join(_runs(hours.days))} {_clock(hours.start)}–{_clock(hours.end)}"


def _runs(days: Iterable[str]) -> list[str]:
    chosen = [day for day in DAYS if day in set(days)]
    places = [DAYS.index(day) for day in chosen]
    if len(chosen) > 2 and places == list(range(places[0], places[-1] + 1)):
        return [f"{chosen[0]}–{chosen[-1]}"]
    return list(chosen)


def _clock(moment: time) -> str:
    return moment.strftime("%H:%M")
