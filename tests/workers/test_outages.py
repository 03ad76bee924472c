"""Redis goes away in the middle of deliveries, more often than an event may take its worker down."""

from threading import Timer

import pytest

from workers.runner import Process

CREATED = {"portalId": 33, "subscriptionType": "contact.creation", "objectId": 101, "occurredAt": 1764000000000}
RULE = {"name": "call", "on": "contact.created", "call": {"campaign": "welcome"}}


@pytest.fixture
def full(redis):
    """Redis takes no writes until it is told that it may."""
    yield lambda: redis.config_set("maxmemory", "1"), lambda: redis.config_set("maxmemory", "0")
    redis.config_set("maxmemory", "0")


def test_an_event_met_by_one_stall_after_another_is_delivered_in_the_end(bench, platform, full):
    bridge = bench(RULE)
    process = Process(bridge.worker())
    platform.fault("latency", seconds=0.3, endpoint="/hubspot/*")
    bridge.receive(CREATED, source="hubspot")
    fill, empty = full
    (key,) = bridge.world.ledger.unfinished()

    for _ in range(4):  # each time during the look-up, so that the last gate cannot be asked
        stall = Timer(0.15, fill)
        stall.start()
        assert process.deliver_due() == 0
        stall.join()
        empty()
        bridge.clock.advance(seconds=1)
    process.deliver_due()
    process.end(1)

    entry = bridge.world.ledger.entry(key)
    assert (entry.status, entry.crashes) == ("done", 0)
    assert len(platform.calls) == 1
