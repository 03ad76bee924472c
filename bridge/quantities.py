"""Durations (``10s``, ``24h``, ``30d``), rates (``5/s``) and times of day (``09:00``) as people write and read them."""

import re
from datetime import time, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator

from bridge.model import Rate

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d|w)")
_RATE = re.compile(r"([1-9][0-9]{0,8})\s*/\s*([0-9]{0,8})\s*(s|m|h|d)")
_TIME = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])")


def parse_duration(value: Any) -> timedelta:
    """``ValueError`` says what a duration looks like."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match:
        raise ValueError(f"'{value}' is no duration: write a number and a unit, such as 10s, 5m, 24h or 30d")
    try:
        return timedelta(seconds=float(match[1]) * _UNITS[match[2]])
    except OverflowError:
        raise ValueError(f"'{value}' is too large for a duration") from None


def parse_rate(value: Any) -> Rate:
    """``5/s``, ``100/10s`` or ``300/m``. ``ValueError`` says what a rate looks like."""
    if isinstance(value, Rate):
        return value
    match = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match or not (match[2] or "1").strip("0"):
        raise ValueError(f"'{value}' is no rate: write how many in what time, such as 5/s, 100/10s or 300/m")
    return Rate(count=int(match[1]), seconds=float(match[2] or 1) * _UNITS[match[3]])


def parse_time_of_day(value: Any) -> time:
    """``9:00`` to ``24:00``, which is the day's end and is kept as its last minute."""
    if isinstance(value, time):
        return value
    match = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if not match or (match[1] == "24" and match[2] != "00"):
        raise ValueError(f"'{value}' is no time of day: write it as \"09:00\", in quotes")
    return time(23, 59) if match[1] == "24" else time(int(match[1]), int(match[2]))


def show_duration(value: timedelta) -> str:
    """The shortest way to write it, in the largest unit that leaves a whole number."""
    for unit in ("d", "h", "m", "s"):
        span = timedelta(seconds=_UNITS[unit])
        if value >= span and not value % span:
            return f"{value // span}{unit}"
    return f"{value.total_seconds():.6f}".rstrip("0").rstrip(".") + "s"


_IN_WORDS = {"d": "day", "h": "hour", "min": "minute", "s": "second"}
_SECONDS = {"d": 86400, "h": 3600, "min": 60, "s": 1}


def in_words(span: timedelta, most: int = 1, smallest: str = "s") -> str:
    """``40 s``, or with two units at ``most`` ``3 h 20 min``; what is shorter than the ``smallest`` is ``less than a second``."""
    left, parts = abs(span), list[str]()
    for unit, seconds in _SECONDS.items():
        count, left = divmod(left, timedelta(seconds=seconds))
        parts += [f"{count} {unit}"] if count else []
        if unit == smallest:
            break
    return " ".join(parts[:most]) or f"less than a {_IN_WORDS[smallest]}"


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
RateLimit = Annotated[Rate, BeforeValidator(parse_rate)]
TimeOfDay = Annotated[time, BeforeValidator(parse_time_of_day)]
