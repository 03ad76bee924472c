"""Acceptance: one step, one round trip, one entry, however often and from wherever it is tried."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from redis.exceptions import ResponseError

from bridge.errors import LedgerUnavailable
from bridge.ledger import Ledger, Retention, connect
from bridge.model import Status

DAYS = 86_400_000


def commands(redis):
    stats = redis.info("commandstats")
    return {name: stats[f"cmdstat_{name}"]["calls"] for name in ("eval", "evalsha", "script|load") if f"cmdstat_{name}" in stats}


def test_a_delivery_of_many_events_is_one_round_trip(desk, redis):
    desk.accept("warm")
    redis.config_resetstat()

    desk.accept(*(f"e{number}" for number in range(100)))

    assert commands(redis) == {"evalsha": 1}
    assert len(desk.ledger.unfinished()) == 101


def test_the_same_delivery_from_eight_threads_is_one_entry_and_the_rest_duplicates(desk):
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: desk.accept("e1", "e2"), range(31)))

    assert sorted(answers) == [["", ""]] + [["queued", "queued"]] * 30
    assert desk.entry("e1").duplicates == 30
    assert set(desk.ledger.unfinished()) == {"e1", "e2"}


def test_an_event_twice_in_one_delivery_is_a_duplicate_of_itself(desk):
    assert desk.accept("e1", "e1") == ["", "queued"]


def test_what_the_delivery_was_can_be_read_again_for_as_long_as_its_events(desk, redis):
    desk.accept("e1")

    assert desk.ledger.delivery(desk.entry("e1").delivery) == {"body": "x"}
    assert redis.pttl("callbridge:1:delivery:delivery") > 89 * DAYS


def test_a_redelivery_is_a_duplicate_even_after_the_entry_itself_has_gone(desk, redis):
    desk.accept("e1", status=Status.IGNORED)
    assert redis.zscore("callbridge:1:ends", "e1") == desk.now.timestamp() * 1000 + DAYS
    assert 2 * DAYS - 5000 < redis.pttl("callbridge:1:event:e1") <= 2 * DAYS  # should nobody sweep
    desk.later(days=1)
    desk.ledger.sweep(10, desk.now)

    assert desk.accept("e1") == ["forgotten"]
    assert desk.ledger.entry("e1") is None
    assert desk.ledger.unfinished() == {}


def test_a_redelivery_is_recognised_for_as_long_as_dedup_lasts(desk, redis):
    desk.accept("e1", status=Status.IGNORED)

    assert 30 * DAYS - 5000 < redis.pttl("callbridge:1:seen:e1") <= 30 * DAYS


def test_a_redelivery_of_what_is_kept_longer_than_dedup_is_a_duplicate_too(desk, redis):
    desk.accept("e1", status=Status.FAILED)
    redis.delete("callbridge:1:seen:e1")

    assert desk.accept("e1") == ["failed"]


def test_a_redelivery_does_not_prolong_the_life_of_an_entry(desk, redis):
    desk.accept("e1", status=Status.IGNORED)
    redis.pexpire("callbridge:1:event:e1", 5000)

    desk.accept("e1")

    assert redis.pttl("callbridge:1:event:e1") <= 5000


@pytest.mark.parametrize("status", [Status.FAILED, Status.IGNORED])
def test_what_is_finished_on_arrival_is_not_due(desk, status):
    desk.accept("e1", status=status)

    assert desk.ledger.unfinished() == {}
    assert desk.entry("e1").status == status


def test_a_delivery_redis_cannot_take_leaves_nothing_behind(desk, redis):
    desk.accept("warm")
    before = set(redis.keys())
    redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(LedgerUnavailable):
            desk.accept("e1", "e2")
    finally:
        redis.config_set("maxmemory", "0")

    assert set(redis.keys()) == before
    assert desk.accept("e1", "e2") == ["", ""]


def test_a_redis_that_is_not_there_is_said_to_be_unavailable(tmp_path):
    with connect(f"unix://{tmp_path}/none.sock") as nobody, pytest.raises(LedgerUnavailable):
        Ledger(nobody, Retention(1, 1, 1, 1), timedelta()).unfinished()


def test_what_is_read_is_what_was_written(desk):
    desk.accept("e1", refs=("lead:1", "phone:+1", "deal:Zürich \u0001 \U0001f600"), rule="call", trace=("a", "ü"))

    entry = desk.entry("e1")

    assert entry.event.refs == ("lead:1", "phone:+1", "deal:Zürich \u0001 \U0001f600")
    assert (entry.rule, entry.trace, entry.accepted_at) == ("call", ("a", "ü"), desk.now)
    assert [found.key for found in desk.ledger.sharing(["crm/deal:Zürich \u0001 \U0001f600"])] == ["e1"]


def test_an_error_of_a_script_is_no_promise(desk, redis):
    redis.set("callbridge:1:due:normal", "not a sorted set")

    with pytest.raises(LedgerUnavailable) as refused:
        desk.accept("e1")

    assert isinstance(refused.value.__cause__, ResponseError)
