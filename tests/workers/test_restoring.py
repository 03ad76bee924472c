"""A Redis that came back older than it was: it has forgotten calls that were made."""

from datetime import timedelta

import pytest

from bridge.ledger import Ledger
from workers.pulse import Pulse

DAY = timedelta(days=1)


@pytest.fixture
def backup(redis):
    """Take a copy of everything now; what it gives back puts it there again."""

    def take():
        kept = {key: (redis.pttl(key), redis.execute_command("DUMP", key, NEVER_DECODE=[])) for key in redis.keys("*")}

        def restore() -> None:
            redis.flushdb()
            for key, (ttl, dump) in kept.items():
                redis.restore(key, max(ttl, 0), dump)

        return restore

    return take


def beat(bridge, tmp_path):
    return Pulse(Ledger(bridge.world.ledger.redis, bridge.world.ledger.retention), tmp_path / "pulse").beat(bridge.clock())


def test_who_was_called_before_is_not_called_again_even_when_the_platform_forgot_the_key(bench, platform, backup, tmp_path):
    bridge = bench()
    beat(bridge, tmp_path)
    bridge.lead("called", phone="+16502530000")
    bridge.lead("waiting", phone="+16502530001", type="lead.updated")
    restore = backup()
    bridge.work()
    bridge.clock.advance(hours=25)
    beat(bridge, tmp_path)

    restore()
    assert beat(bridge, tmp_path)
    bridge.work_through()

    assert bridge.status("called") == "done"
    assert "before the ledger was restored" in bridge.entry("called").reason
    assert len(platform.calls) == 1


def test_who_was_not_called_is_called_now(bench, platform, backup, tmp_path):
    bridge = bench()
    beat(bridge, tmp_path)
    bridge.lead()
    restore = backup()
    bridge.clock.advance(minutes=15)
    beat(bridge, tmp_path)
    restore()
    assert beat(bridge, tmp_path)

    bridge.work_through()
    bridge.lead("later", phone="+16502530009")
    bridge.work()

    assert (bridge.status(), bridge.status("later")) == ("done", "done")
    assert len(platform.calls) == 2
    assert len(platform.asked("callJob/getReport")) == 1


def test_while_the_platform_does_not_say_nobody_is_called(bench, platform, backup, tmp_path):
    bridge = bench()
    beat(bridge, tmp_path)
    bridge.lead()
    restore = backup()
    bridge.clock.advance(minutes=15)
    beat(bridge, tmp_path)
    restore()
    beat(bridge, tmp_path)
    platform.fault("5xx", times=1, endpoint="callJob/getReport")

    bridge.work()

    assert bridge.status() == "waiting"
    assert platform.calls == []


def test_a_store_that_is_as_it_was_is_no_restored_one(bench, tmp_path):
    bridge = bench()

    assert not beat(bridge, tmp_path)
    bridge.clock.advance(seconds=6)
    assert not beat(bridge, tmp_path)
    bridge.clock.ahead -= DAY  # a clock put back is no restored store
    assert not beat(bridge, tmp_path)


def test_an_emptied_store_is_one_that_is_older(bench, redis, tmp_path):
    bridge = bench()
    beat(bridge, tmp_path)
    redis.flushdb()
    bridge.clock.advance(minutes=15)

    assert beat(bridge, tmp_path)


def test_two_dispatchers_whose_clocks_differ_do_not_take_each_other_for_a_backup(bench, tmp_path):
    bridge = bench()
    fast, slow = tmp_path / "fast", tmp_path / "slow"

    found = []
    for _ in range(5):
        bridge.clock.ahead += timedelta(seconds=6)
        found.append(beat(bridge, slow))
        bridge.clock.ahead += timedelta(minutes=1)
        found.append(beat(bridge, fast))
        bridge.clock.ahead -= timedelta(minutes=1)

    assert not any(found)
