"""Call hours: when it opens next, in every zone, on days when clocks change too."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bridge.hours import next_opening, show, zones
from bridge.rules import DAYS, Hours

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo", "America/Santiago", "Pacific/Apia")


def hours(start="09:00", end="20:00", days=DAYS):
    return Hours.model_validate({"from": start, "to": end, "days": list(days)})


def at(text):
    return datetime.fromisoformat(text).astimezone(UTC)


def is_open(rule, zone, moment):
    """Said again here, in other words than the product's."""
    local = moment.astimezone(zone)
    return local.strftime("%a").lower() in rule.days and rule.start <= local.time() < rule.end


NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("rule", "now", "opening"),
    [
        (hours(), "2026-11-23T10:00-05:00", "2026-11-23T10:00-05:00"),
        (hours(), "2026-11-23T08:59-05:00", "2026-11-23T09:00-05:00"),
        (hours(), "2026-11-23T20:00-05:00", "2026-11-24T09:00-05:00"),
        (hours(days=["mon"]), "2026-11-23T20:00-05:00", "2026-11-30T09:00-05:00"),
        (hours("02:30", "05:00"), "2026-03-08T01:00-05:00", "2026-03-08T03:00-04:00"),  # there is no 02:30 on this day
        (hours("01:30", "01:45"), "2026-11-01T01:10-05:00", "2026-11-01T01:30-05:00"),  # there are two 01:30 on this day
        (hours("01:10", "02:00"), "2026-11-01T01:05-04:00", "2026-11-01T01:10-04:00"),
    ],
)
def test_it_opens_next(rule, now, opening):
    assert next_opening(rule, (NEW_YORK,), at(now)) == at(opening)


def test_it_is_open_only_when_it_is_open_in_every_zone():
    where = (NEW_YORK, ZoneInfo("America/Los_Angeles"))

    assert next_opening(hours(), where, at("2026-11-23T09:00-05:00")) == at("2026-11-23T12:00-05:00")


def test_hours_that_never_come_at_once_are_told():
    assert next_opening(hours("09:00", "10:00"), (ZoneInfo("UTC"), ZoneInfo("Asia/Tokyo")), at("2026-11-23T09:00+00:00")) is None


MINUTES = st.integers(0, 24 * 60 - 1).map(lambda minute: time(minute // 60, minute % 60))
WINDOWS = st.tuples(MINUTES, MINUTES).filter(lambda pair: pair[0] < pair[1])
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 -- the zone is the next argument
NEAR_CHANGES = st.sampled_from(["2026-03-08T06:30+00:00", "2026-11-01T05:10+00:00", "2026-04-05T02:00+00:00", "2026-04-24T21:00+00:00"]).flatmap(
    lambda text: st.integers(-120, 120).map(lambda minutes: at(text) + timedelta(minutes=minutes))
)


@settings(deadline=None, max_examples=150)
@given(WINDOWS, st.sets(st.sampled_from(DAYS), min_size=1), st.sets(st.sampled_from(ZONES), min_size=1, max_size=2), MOMENTS | NEAR_CHANGES)
@example((time(0, 30), time(23, 59)), set(DAYS), {"Africa/Cairo"}, at("2026-04-23T21:50+00:00"))
@example((time(23, 10), time(23, 50)), {"sat"}, {"America/Santiago"}, at("2026-04-05T02:55+00:00"))
def test_the_next_opening_is_open_everywhere_and_nothing_before_it_is(window, days, names, now):
    rule, where = hours(*(f"{edge:%H:%M}" for edge in window), days=days), tuple(ZoneInfo(name) for name in names)

    opening = next_opening(rule, where, now)

    def all_open(moment):
        return all(is_open(rule, zone, moment) for zone in where)

    steps = (now + timedelta(minutes=10) * step for step in range(8 * 144))
    assert not any(all_open(moment) for moment in steps if opening is None or moment < opening)
    if opening:
        assert opening >= now
        assert all_open(opening)
        assert opening - timedelta(seconds=1) < now or not all_open(opening - timedelta(seconds=1))


def test_a_named_zone_counts_and_the_number_is_asked_without_one():
    assert [str(zone) for zone in zones("Europe/Berlin", "+12025550123")] == ["Europe/Berlin"]
    assert "America/New_York" in {str(zone) for zone in zones(None, "+12025550123")}


@pytest.mark.parametrize(("offset", "expected"), [("+03:00", 3), ("-05:30", -5.5), ("UTC+3", 3), ("GMT-03:00", -3), ("+0530", 5.5)])
def test_an_offset_is_a_zone_as_it_is_at_the_platform(offset, expected):
    (zone,) = zones(offset, "+12025550123")

    assert at("2026-11-23T00:00+00:00").astimezone(zone).utcoffset() == timedelta(hours=expected)


@pytest.mark.parametrize("named", ["Mars/Olympus", "../../etc/passwd", "America", "\x00", "us_slash_eastern", "+25:00"])
def test_a_zone_nobody_knows_is_no_zone(named):
    assert zones(named, "+12025550123") == ()


@pytest.mark.parametrize(
    ("days", "shown"), [(DAYS, "mon–sun 09:00–20:00"), (["mon", "wed"], "mon/wed 09:00–20:00"), (DAYS[:5], "mon–fri 09:00–20:00")]
)
def test_hours_are_shown_as_people_write_them(days, shown):
    assert show(hours(days=days)) == shown
