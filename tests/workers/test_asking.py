"""What the doors have done at the platform."""

import pytest

from bridge.ledger import Asks
from workers.asking import Asking

CALL = {"name": "call", "on": "lead.created", "call": {"campaign": "welcome"}}


@pytest.fixture
def desk(bench, redis):
    b = bench(CALL)
    return b, Asks(redis), Asking(Asks(redis), b.world.calls_api, b.clock)


def ask(desk, what, **arguments):
    b, asks, asking = desk
    ask_id = asks.put(what, "welcome", "Anna", b.clock(), **arguments)
    assert asking.look(patience=0.1)
    return asks.answer(ask_id)


def test_a_campaign_is_told_as_the_platform_has_it(desk):
    told = ask(desk, "info")

    assert told["good"]
    assert told["data"]["status"]


def test_a_call_job_is_reported_by_its_id(desk):
    b = desk[0]
    b.lead()
    b.work()

    (job,) = ask(desk, "job_report", ids=list(b.entry().jobs))["data"]

    assert (job["id"], job["finished"]) == (b.entry().jobs[0], False)


def test_a_campaign_is_paused_and_resumed_at_the_platform(desk):
    assert ask(desk, "pause")["told"] == "campaign welcome is paused at the platform"
    assert ask(desk, "info")["data"]["status"].lower() == "paused"
    assert ask(desk, "resume")["good"]


def test_what_the_platform_refuses_is_told(desk):
    desk[0].platform.fault("bad_token")

    told = ask(desk, "pause")

    assert not told["good"]
    assert told["told"]


def test_what_nobody_waits_for_any_more_is_not_done(desk):
    b, asks, asking = desk
    ask_id = asks.put("stop", "welcome", "Anna", b.clock())
    b.clock.advance(minutes=1)

    asking.look(patience=0.1)

    assert not asks.answer(ask_id)["good"]
    assert b.platform.asked("stop") == []


def test_nothing_asked_is_nothing_done(desk):
    assert not desk[2].look(patience=0.05)
