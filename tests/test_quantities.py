"""Durations, rates and times of day as people write them."""

from datetime import time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Rate
from bridge.quantities import in_words, parse_duration, parse_rate, parse_time_of_day, show_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("10s", 10), ("5m", 300), ("24h", 86400), ("30d", 2592000), ("2w", 1209600), ("250ms", 0.25), ("1.5h", 5400), (" 10 s ", 10)],
)
def test_a_duration_is_read(written, seconds):
    assert parse_duration(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize("written", ["", "10", "s", "-5s", "1h30m", "10 s s", "1e3s", "٣s", 10, None, [], "9" * 400 + "d", "999999999w"], ids=repr)
def test_what_is_no_duration_is_refused_in_words(written):
    with pytest.raises(ValueError, match="duration"):
        parse_duration(written)


@given(st.timedeltas(timedelta(0), timedelta(days=36500)))
def test_a_duration_that_is_shown_reads_as_itself(value):
    assert abs(parse_duration(show_duration(value)) - value) <= timedelta(microseconds=1)


@pytest.mark.parametrize(("value", "shown"), [("24h", "1d"), ("90m", "90m"), ("30d", "30d"), ("0s", "0s"), ("250ms", "0.25s"), ("36h", "36h")])
def test_a_duration_is_shown_in_the_largest_whole_unit(value, shown):
    assert show_duration(parse_duration(value)) == shown


@pytest.mark.parametrize(("written", "rate"), [("5/s", Rate(5, 1)), ("100/10s", Rate(100, 10)), ("300/m", Rate(300, 60)), ("1 / 2 h", Rate(1, 7200))])
def test_a_rate_is_read(written, rate):
    assert parse_rate(written) == rate
    assert parse_rate(rate) is rate


@pytest.mark.parametrize("written", ["", "5", "0/s", "5/0s", "5/00s", "5/ms", "-1/s", 5, None, "1/" + "9" * 400 + "d", "9" * 400 + "/s"], ids=repr)
def test_what_is_no_rate_is_refused_in_words(written):
    with pytest.raises(ValueError, match="rate"):
        parse_rate(written)


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.sampled_from("smhd"))
def test_requests_of_a_rate_are_spread_evenly(count, times, unit):
    rate = parse_rate(f"{count}/{times}{unit}")

    assert rate.interval * rate.count == pytest.approx(rate.seconds)


@pytest.mark.parametrize(
    ("written", "read"), [("9:00", time(9)), ("09:00", time(9)), ("23:59", time(23, 59)), ("24:00", time(23, 59)), ("0:00", time(0))]
)
def test_a_time_of_day_is_read(written, read):
    assert parse_time_of_day(written) == read


@pytest.mark.parametrize("written", ["", "9", "9:0", "24:01", "25:00", "9:60", 540, None, "09:00:00"], ids=repr)
def test_what_is_no_time_of_day_is_refused_in_words(written):
    with pytest.raises(ValueError, match="time of day"):
        parse_time_of_day(written)


@pytest.mark.parametrize(("seconds", "words"), [(0.5, "less than a second"), (40, "40 s"), (-61, "1 min"), (7300, "2 h"), (90_000, "1 d")])
def test_a_span_is_told_in_one_unit(seconds, words):
    assert in_words(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(59, "less than a minute"), (60, "1 min"), (3600, "1 h"), (12_345, "3 h 25 min"), (90_000, "1 d 1 h"), (86_460, "1 d 1 min")],
)
def test_a_span_is_told_in_two_units_no_smaller_than_is_asked(seconds, words):
    assert in_words(timedelta(seconds=seconds), most=2, smallest="min") == words
