"""What the totals were at a moment."""

from datetime import timedelta

import pytest

from bridge.ledger import Totals

MINUTE = timedelta(minutes=1)


@pytest.fixture
def noted(desk):
    """Noted three times, a minute apart, with one event more each time."""
    totals = Totals(desk.redis)
    for number in range(3):
        desk.accept(f"e{number}")
        totals.note(desk.now)
        desk.now += MINUTE
    return totals


def test_it_is_what_was_noted_last(noted, desk):
    began = desk.now - 3 * MINUTE
    asked = [began - MINUTE, began, began + MINUTE / 2, began + 2 * MINUTE, began + 100 * MINUTE]

    found = noted.at("minute", asked)

    assert [each and each.totals["accepted|crm"] for each in found] == [None, 1, 1, 3, 3]
    assert [each and each.at for each in found] == [None, began, began, began + 2 * MINUTE, began + 2 * MINUTE]
    assert noted.at("minute", []) == []


def test_the_first_note_tells_when_it_began(noted, desk):
    assert noted.began() == desk.now - 3 * MINUTE


def test_where_nothing_was_noted_nothing_is_known(redis, desk):
    totals = Totals(redis)

    assert totals.began() is None
    assert totals.at("hour", [desk.now]) == [None]
