"""Figures over time, from counters that only grow. 2026-11-23 12:34 is when they are looked at."""

from datetime import UTC, datetime, timedelta
from math import inf

import pytest

from bridge.ledger import Snapshot
from bridge.overview import Figures, Noted, Stretch, borders, figures, growth, overview

NOW = datetime(2026, 11, 23, 12, 34, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=400)


def snapshot(at=NOW, **totals):
    return Snapshot(at, {name.replace("__", "|"): count for name, count in totals.items()}, {})


def looked(snapshots, now, stretch=Stretch.DAY, began=LONG_AGO, **more):
    """What is seen when these were noted."""
    marks = borders(stretch, now.at)
    noted = [max((each for each in snapshots if each.at <= mark), key=lambda each: each.at, default=None) for mark in marks]
    return overview(stretch, Noted(noted, began), now, **more)


def steady(hours=26, per_ten_minutes=1, **more):
    """Noted every ten minutes, with one more event each time."""
    start = NOW - timedelta(hours=hours)
    return [snapshot(start + timedelta(minutes=10 * step), accepted__crm=step * per_ten_minutes, **more) for step in range(hours * 6 + 1)]


@pytest.mark.parametrize(
    ("stretch", "slots", "first"),
    [
        (Stretch.HOUR, 31, NOW - timedelta(hours=1)),
        (Stretch.DAY, 49, NOW - timedelta(hours=24, minutes=4)),
        (Stretch.WEEK, 43, NOW - timedelta(days=7, minutes=34)),
        (Stretch.MONTH, 31, datetime(2026, 10, 24, tzinfo=UTC)),
    ],
)
def test_slots_begin_at_round_times_and_reach_as_far_back_as_was_asked(stretch, slots, first):
    assert len(borders(stretch, NOW)) == slots
    assert borders(stretch, NOW)[0] == first
    assert borders(stretch, NOW) == borders(stretch, NOW + timedelta(seconds=30))


def test_a_slot_is_what_the_counters_grew_by_in_it():
    noted = steady()
    seen = looked(noted, snapshot(NOW, accepted__crm=noted[-1].totals["accepted|crm"] + 5))

    accepted = [slot.figures.accepted for slot in seen.slots]
    assert set(accepted[:-1]) == {3}
    assert seen.whole.accepted == sum(accepted) == 48 * 3 + 6


def test_what_happened_while_nobody_noted_counts_for_the_whole_and_for_no_slot():
    noted = [each for each in steady() if not NOW - timedelta(hours=6) < each.at < NOW - timedelta(hours=3)]
    seen = looked(noted, noted[-1])

    unknown = [slot.at for slot in seen.slots if slot.figures is None]
    assert [at.hour for at in unknown] == [7, 7, 8, 8, 9, 9]
    assert seen.whole.accepted == 24 * 6 + 1


def test_a_counter_that_began_anew_is_counted_from_there():
    assert growth(snapshot(accepted__crm=100), snapshot(accepted__crm=7)) == {"accepted|crm": 7}
    assert growth(snapshot(accepted__crm=7), snapshot(accepted__crm=7)) == {}


def test_a_young_ledger_had_nothing_before_it_began():
    began = NOW - timedelta(minutes=50)
    noted = [snapshot(began + timedelta(minutes=minutes), accepted__crm=13) for minutes in (0, 10, 20, 30, 40)]
    seen = looked(noted, snapshot(NOW, accepted__crm=13), began=began)

    assert [slot.figures.accepted for slot in seen.slots][-4:] == [0, 13, 0, 0]
    assert seen.whole.accepted == 13


def test_a_ledger_of_which_nobody_noted_anything_shows_what_it_holds():
    seen = looked([], snapshot(NOW, accepted__crm=13), began=None)

    assert seen.whole.accepted == seen.slots[-1].figures.accepted == 13


def test_where_nothing_is_kept_any_more_nothing_is_known():
    seen = looked([], snapshot(NOW, accepted__crm=13))

    assert {slot.figures for slot in seen.slots} == {None}
    assert seen.whole == Figures()


GROWN = {
    "accepted|amocrm": 4,
    "accepted|hubspot": 2,
    "duplicates|amocrm": 1,
    "finished|amocrm|welcome|done": 3,
    "finished|hubspot|welcome|failed": 1,
    "finished|hubspot||ignored": 2,
    "attempts|welcome|call|made": 3,
    "attempts|welcome|probe|answered": 1,
    "attempts|amocrm|look up|answered": 2,
    "took|welcome|0.5": 2,
    "took|welcome|10": 1,
    "took_ms|welcome": 12345,
    "something|else": 1,
}


def test_figures_of_everybody():
    found = figures(GROWN)

    assert (found.accepted, found.duplicates, found.calls, found.ended) == (6, 1, 3, 6)
    assert found.finished == {"done": 3, "failed": 1, "ignored": 2}


def test_figures_of_one_source_have_no_calls_times_since_those_are_campaigns():
    found = figures(GROWN, source="hubspot")

    assert (found.accepted, found.finished, found.calls) == (2, {"failed": 1, "ignored": 2}, 0)


def test_figures_of_one_campaign_have_no_deliveries_since_those_are_sources():
    found = figures(GROWN, campaign="welcome")

    assert (found.accepted, found.finished, found.attempts, found.calls) == (0, {"done": 3, "failed": 1}, {"made": 3}, 3)


def test_sources_and_campaigns_are_listed_by_name():
    seen = looked([], Snapshot(NOW, GROWN, {}), began=None, source="amocrm")

    assert list(seen.sources) == ["amocrm", "hubspot"]
    assert list(seen.campaigns) == ["welcome"]
    assert seen.whole.accepted == 4
    assert seen.sources["hubspot"].accepted == 2


@pytest.mark.parametrize(
    ("took", "share", "seconds"),
    [
        ({0.5: 100}, 0.5, 0.25),
        ({0.5: 50, 1: 50}, 0.5, 0.5),
        ({0.5: 50, 1: 50}, 0.75, 0.75),
        ({0.05: 90, 10: 10}, 0.95, 5.025),
        ({0.5: 1, inf: 9}, 0.5, inf),
        ({}, 0.5, None),
    ],
)
def test_shares_are_read_within_their_bucket(took, share, seconds):
    assert Figures(took=took).within(share) == pytest.approx(seconds)


def test_it_is_told_as_json():
    told = looked([], Snapshot(NOW, {**GROWN, "took|welcome|more": 40}, {}), began=None).document()

    assert (told["stretch"], told["until"]) == ("24h", "2026-11-23T12:34:00Z")
    assert told["whole"]["calls"] == 43
    assert "median" not in told["whole"]
    assert told["slots"][0]["figures"]["accepted"] == 0
    assert told["campaigns"]["welcome"]["finished"] == {"done": 3, "failed": 1}
