"""When a source is silent for too long. 2026-11-23 is a Monday."""

from datetime import UTC, datetime, timedelta

import pytest

from bridge.ledger import Snapshot
from bridge.silence import Silence, judge, learned, limits, working_time

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
THREE = 3 * HOUR


def history(until: datetime, days: int = 21, opens: int = 8, closes: int = 18, without: tuple[datetime, ...] = ()) -> list[Snapshot]:
    """What was noted every hour of a source that delivers once an hour on working days."""
    snapshots, delivered = [], 0
    moment = until - days * DAY
    while moment < until:
        moment += HOUR
        works = moment.weekday() < 5 and opens < moment.hour <= closes and moment.replace(hour=0) not in without
        delivered += works
        snapshots.append(Snapshot(moment, {"accepted|amocrm": delivered, "accepted|other": 7}, {}))
    return snapshots


@pytest.mark.parametrize(("hours", "silent"), [(2, False), (3, False), (4, True)])
def test_a_source_is_silent_once_its_limit_is_over(hours, silent):
    now = MONDAY + 12 * HOUR
    since = now - hours * HOUR

    assert judge({"amocrm": since}, {"amocrm": THREE}, now) == ([Silence("amocrm", since, THREE)] if silent else [])


def test_the_weekend_does_not_count():
    friday_evening = MONDAY - 2 * DAY - HOUR

    assert judge({"amocrm": friday_evening}, {"amocrm": THREE}, MONDAY + HOUR) == []
    assert judge({"amocrm": friday_evening}, {"amocrm": THREE}, MONDAY + 3 * HOUR) != []


@pytest.mark.parametrize("now", [MONDAY - 2 * DAY, MONDAY - DAY - HOUR, MONDAY - HOUR])
def test_a_weekend_changes_no_judgement(now):
    silent, friday_evening, saturday = MONDAY - 10 * DAY, MONDAY - 2 * DAY - HOUR, MONDAY - 2 * DAY + HOUR

    assert judge({"amocrm": silent}, {"amocrm": THREE}, now) == [Silence("amocrm", silent, THREE)]
    assert judge({"amocrm": friday_evening}, {"amocrm": THREE}, now) == []
    assert judge({"amocrm": saturday}, {"amocrm": THREE}, now) == []


def test_a_source_that_never_delivered_is_not_silent_but_new():
    assert judge({}, {"amocrm": THREE}, MONDAY + 12 * HOUR) == []


def test_without_a_limit_there_is_no_judgement():
    assert judge({"amocrm": MONDAY - 100 * DAY}, {"amocrm": None}, MONDAY + 12 * HOUR) == []


@pytest.mark.parametrize(
    ("since", "until", "time"),
    [
        (MONDAY, MONDAY + HOUR, HOUR),
        (MONDAY + HOUR, MONDAY, timedelta(0)),
        (MONDAY - 3 * DAY, MONDAY, DAY),
        (MONDAY - 7 * DAY, MONDAY, 5 * DAY),
        (MONDAY - 700 * DAY - HOUR, MONDAY + HOUR, 500 * DAY + HOUR),
        (MONDAY - DAY - HOUR, MONDAY - HOUR, timedelta(0)),
        (MONDAY - 2 * DAY - HOUR, MONDAY + 5 * DAY + HOUR, 5 * DAY + HOUR),
    ],
)
def test_working_time_is_monday_to_friday(since, until, time):
    assert working_time(since, until) == time


def test_at_noon_a_busy_source_may_be_silent_for_little_longer_than_it_ever_is():
    now = MONDAY + 12 * HOUR

    assert learned(history(now), "amocrm", now) == 2 * HOUR


def test_at_night_it_may_be_silent_as_long_as_nights_are():
    now = MONDAY + DAY + 4 * HOUR  # ten hours after closing time
    limit = learned(history(now), "amocrm", now)

    assert limit == 15 * HOUR
    assert judge({"amocrm": now - 10 * HOUR}, {"amocrm": limit}, now) == []


def test_on_monday_morning_nobody_is_told_of_the_weekend():
    now = MONDAY + 8 * HOUR
    limit = learned(history(now), "amocrm", now)

    assert judge({"amocrm": MONDAY - 2 * DAY - 6 * HOUR}, {"amocrm": limit}, now) == []


def test_one_day_without_a_delivery_is_not_taken_for_the_rule():
    now = MONDAY + 12 * HOUR

    assert learned(history(now, without=(MONDAY - 4 * DAY,)), "amocrm", now) == 2 * HOUR


def test_of_four_days_nothing_is_learned():
    now = MONDAY + 4 * DAY + 12 * HOUR
    noted = [each for each in history(now, days=10) if each.at > MONDAY]

    assert learned(noted, "amocrm", now) is None
    assert learned([], "amocrm", now) is None


def test_what_is_configured_outweighs_what_could_be_learned():
    now = MONDAY + 12 * HOUR

    assert limits({"amocrm": 7 * HOUR, "other": None}, history(now), now) == {"amocrm": 7 * HOUR, "other": None}
    assert limits({"amocrm": None}, history(now), now) == {"amocrm": 2 * HOUR}


def test_a_counter_that_was_set_back_counts_as_heard():
    now = MONDAY + 12 * HOUR
    noted = history(now)
    set_back = [Snapshot(each.at, {"accepted|amocrm": each.totals["accepted|amocrm"] % 50}, {}) for each in noted]

    assert learned(set_back, "amocrm", now) == 2 * HOUR
