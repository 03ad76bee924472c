"""Where the blocks of a chart go."""

import itertools

import pytest

from bridge.overview import Figures
from bridge.web.ops.charts import HEIGHT, WIDTH, Series, round_top, stacked
from bridge.web.ops.plots import speeds

KINDS = (Series("done", "tone-good"), Series("failed", "tone-bad"))


def test_the_first_of_a_column_stands_on_the_ground_and_the_others_on_it():
    (column,) = stacked(KINDS, [("08:00", (3, 1))]).columns

    done, failed = column.blocks
    assert done.y + done.height == HEIGHT
    assert failed.y + failed.height == done.y
    assert done.height == 3 * failed.height
    assert (done.tone, failed.tone) == ("tone-good", "tone-bad")


def test_columns_stand_side_by_side_within_the_chart():
    columns = stacked(KINDS, [(f"{hour:02}:00", (hour, 1)) for hour in range(24)]).columns

    assert all(left.x + left.width < right.x for left, right in itertools.pairwise(columns))
    assert columns[0].x > 0
    assert columns[-1].x + columns[-1].width < WIDTH


def test_none_reaches_beyond_the_top():
    stack = stacked(KINDS, [("a", (500, 321)), ("b", (10, 0))])

    assert stack.top == 1000
    assert all(block.y >= 0 for column in stack.columns for block in column.blocks)


@pytest.mark.parametrize(("most", "top"), [(0, 1), (1, 1), (3, 4), (5, 6), (7, 10), (11, 20), (99, 100), (100, 100), (101, 200), (4001, 6000)])
def test_the_top_is_easily_halved(most, top):
    assert round_top(most) == top


def test_what_nobody_knows_has_no_blocks_and_counts_for_nothing():
    stack = stacked(KINDS, [("a", None), ("b", (2, 0)), ("c", (0, 0))])

    assert [len(column.blocks) for column in stack.columns] == [0, 1, 0]
    assert (stack.gaps, stack.totals, stack.empty) == (1, [2, 0], False)
    assert stacked(KINDS, [("a", None), ("b", (0, 0))]).empty


def test_five_labels_at_most_stand_below_without_what_is_behind_a_comma():
    many = stacked(KINDS, [(f"Mon {hour:02}, 08:00", (1, 1)) for hour in range(31)])

    assert many.ticks == ["Mon 00", "Mon 07", "Mon 15", "Mon 22", "Mon 30"]
    assert stacked(KINDS, [("a", (1, 1))]).ticks == ["a"]


def test_calls_are_sorted_by_how_soon_they_were_made():
    took = {0.05: 1, 1.0: 2, 2.5: 4, 60.0: 8, 1800.0: 16, 7200.0: 32, float("inf"): 64}

    assert speeds(Figures(took=took)) == [3, 4, 8, 16, 96]
