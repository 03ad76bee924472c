"""Which sources are silent, judged by limits that are configured or learned from the ledger's hourly notes."""

from datetime import UTC, datetime, timedelta

import pytest

from bridge.ledger import Totals
from bridge.listening import LEARNED_FOR, Listening

NOW = datetime(2026, 11, 25, 15, tzinfo=UTC)  # a Wednesday
HOUR = timedelta(hours=1)


@pytest.fixture
def noted(redis):
    """Three weeks in which the shop delivered something every hour."""
    totals = Totals(redis)
    for hours in range(21 * 24, 0, -1):
        redis.hincrby("callbridge:1:totals", "accepted|shop", 1)
        totals.note(NOW - hours * HOUR)
    return totals


def silent(listening, now, **heard):
    return [silence.source for silence in listening.silent(heard, now)]


def test_a_configured_limit_is_kept(redis):
    listening = Listening(Totals(redis), {"shop": timedelta(hours=3)})

    assert silent(listening, NOW, shop=NOW - 2 * HOUR) == []
    assert silent(listening, NOW, shop=NOW - 4 * HOUR) == ["shop"]


def test_without_one_it_is_learned(noted):
    listening = Listening(noted, {"shop": None})

    assert silent(listening, NOW, shop=NOW - HOUR) == []
    assert silent(listening, NOW, shop=NOW - 4 * HOUR) == ["shop"]


def test_on_a_weekend_it_is_what_it_was_when_the_week_ended(noted):
    saturday = datetime(2026, 11, 28, 15, tzinfo=UTC)

    assert silent(Listening(noted, {"shop": None}), saturday, shop=saturday - 16 * HOUR) == []
    assert silent(Listening(noted, {"shop": None}), saturday, shop=saturday - 48 * HOUR) == ["shop"]


def test_what_was_learned_is_good_for_a_while_and_then_learned_again(noted, redis):
    listening = Listening(noted, {"shop": None})
    assert silent(listening, NOW, shop=NOW - 4 * HOUR) == ["shop"]
    redis.delete("callbridge:1:history:hour")

    assert silent(listening, NOW + LEARNED_FOR / 2, shop=NOW - 4 * HOUR) == ["shop"]
    assert silent(listening, NOW + LEARNED_FOR, shop=NOW - 4 * HOUR) == []
