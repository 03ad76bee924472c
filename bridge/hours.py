"""Call hours: when a person may be called, in the person's own time. Pure; zones come from the CRM or from the number."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers import timezone as phone_zones

from bridge.rules import DAYS, Hours

_AHEAD = 9
"""Days to look ahead: any weekly window opens within them, whatever the zones."""


def zones(named: str | None, phone: str) -> tuple[ZoneInfo, ...]:
    """Where the person may be: the zone the CRM names, else every zone the number can be in; empty when nobody knows."""
    if named:
        found = _zone(named)
        return (found,) if found else ()
    names = phone_zones.time_zones_for_number(phonenumbers.parse(phone))
    known = tuple(zone for name in names if (zone := _zone(name)))
    return known if len(known) == len(names) else ()


def next_opening(hours: Hours, where: Sequence[ZoneInfo], now: datetime) -> datetime | None:
    """``now`` when calling is allowed in every candidate zone at once, else when that will next be so; None if never."""
    openings = sorted({now, *(opening for zone in where for opening in _openings(hours, zone, now))})
    return next((moment for moment in openings if all(_open(hours, zone, moment) for zone in where)), None)


def _open(hours: Hours, zone: ZoneInfo, moment: datetime) -> bool:
    local = moment.astimezone(zone)
    return DAYS[local.weekday()] in hours.days and hours.start <= local.time() < hours.end


def _openings(hours: Hours, zone: ZoneInfo, now: datetime) -> Iterator[datetime]:
    today = now.astimezone(zone).date()
    for ahead in range(_AHEAD):
        opening = datetime.combine(today + timedelta(days=ahead), hours.start, zone).astimezone(now.tzinfo)
        if opening > now:
            yield opening


def _zone(name: str) -> ZoneInfo | None:
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
