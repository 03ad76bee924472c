"""The alarm clock: rings when something is due, as often as there are workers for it."""

import threading
import time
from datetime import timedelta

import pytest

from bridge.ledger import connect
from bridge.queue import wake_ups
from workers.dispatcher import Dispatcher


@pytest.fixture
def alarm(bench, redis_url):
    """A bridge, its queue, and a dispatcher for two workers of eight threads."""
    bridge = bench()
    with connect(redis_url, timeout=5) as bell, connect(redis_url, text=False) as connection:
        queue = wake_ups(connection)
        yield bridge, queue, Dispatcher(bridge.world, bell, queue, processes=2)


def leads(bridge, count):
    for number in range(count):
        bridge.lead(f"e{number}", phone=f"+165025300{number:02}")


@pytest.mark.parametrize(("due", "rings"), [(0, 0), (1, 1), (8, 1), (9, 2), (30, 2)])
def test_it_rings_for_as_many_workers_as_the_due_events_keep_busy(alarm, due, rings):
    bridge, queue, dispatcher = alarm
    leads(bridge, due)

    assert dispatcher.look() == rings
    assert dispatcher.look() == 0
    assert queue.count == rings


def test_what_is_due_later_does_not_ring_before(alarm, platform):
    bridge, _, dispatcher = alarm
    bridge.lead()
    platform.fault("429", times=1, retry_after=60)
    bridge.work()
    assert dispatcher.look() == 0

    bridge.clock.advance(seconds=70)
    assert dispatcher.look() == 1


def test_a_wake_up_that_was_lost_is_rung_again(alarm):
    bridge, queue, dispatcher = alarm
    bridge.lead()
    dispatcher.look()
    queue.empty()

    assert dispatcher.look() == 1


def test_a_worker_that_died_is_noticed_when_its_lease_runs_out(alarm):
    bridge, _, dispatcher = alarm
    bridge.lead()
    bridge.world.ledger.claim("dead", 1, timedelta(seconds=5), bridge.clock())
    assert dispatcher.look() == 0

    bridge.clock.advance(seconds=6)
    assert dispatcher.look() == 1


def test_acceptance_rings_at_once_and_the_dispatcher_outlives_redis_being_away(alarm, redis, caplog):
    bridge, queue, dispatcher = alarm
    stopping = threading.Event()
    thread = threading.Thread(target=dispatcher.run, args=(stopping,))
    thread.start()
    try:
        redis.client_kill_filter(_type="normal", skipme=True)
        time.sleep(0.05)
        began = time.monotonic()
        bridge.lead()
        while not queue.count:
            assert time.monotonic() - began < 5
            time.sleep(0.01)
    finally:
        stopping.set()
        thread.join(5)

    assert not thread.is_alive()
