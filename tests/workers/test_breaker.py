"""A platform that does not answer is left alone after some failures in a row, and asked by a read, never by a call, whether it is back."""

PHONES = [f"+165025300{number:02}" for number in range(40)]


def leads(bridge, numbers):
    for number in numbers:
        bridge.lead(f"e{number}", phone=PHONES[number], entity={"type": "lead", "id": str(number)})


def test_after_some_failures_in_a_row_calls_wait_and_the_platform_is_left_alone(bench, platform):
    bridge = bench(concurrency=1)
    platform.fault("5xx")
    leads(bridge, range(20))

    bridge.work()

    assert len(platform.asked("addPhone")) == 5
    assert {bridge.status(f"e{number}") for number in range(20)} == {"unknown", "waiting"}
    assert bridge.entry("e19").reason == "the platform does not answer for this campaign; goes on when it does"


def test_while_it_is_being_asked_whether_it_is_back_who_waits_says_that_it_does_not_answer(bench, platform):
    bridge = bench(concurrency=1)
    platform.fault("5xx")
    leads(bridge, range(12))
    bridge.work()
    bridge.work_through(6, seconds=4)

    told = {bridge.entry(f"e{number}").reason for number in range(12)}
    assert platform.asked("status")
    assert [reason for reason in told if "rate limit" in reason] == []


def test_when_it_is_back_one_read_finds_out_and_everybody_is_called_once(bench, platform):
    bridge = bench(concurrency=1)
    platform.fault("5xx")
    leads(bridge, range(12))
    bridge.work()
    bridge.clock.advance(seconds=6)
    before = len(platform.asked("addPhone"))
    bridge.work()

    assert len(platform.asked("status")) == 1
    assert len(platform.asked("addPhone")) == before

    platform.mend()
    bridge.work_through(40, seconds=5)

    assert {bridge.status(f"e{number}") for number in range(12)} == {"done"}
    assert len(platform.calls) == 12


def test_a_proper_answer_closes_it_again(bench, platform):
    bridge = bench(concurrency=1)
    platform.fault("5xx", times=4)
    leads(bridge, range(4))
    bridge.work()
    leads(bridge, [5])
    bridge.work()
    platform.fault("5xx", times=4)
    leads(bridge, range(6, 10))
    bridge.work()

    assert bridge.status("e5") == "done"
    assert platform.asked("status") == []
    assert bridge.world.ledger.redis.hget("callbridge:1:breaker:welcome", "open") is None


def test_one_campaigns_trouble_is_not_anothers(bench, platform):
    rules = [
        {"name": "one", "on": "lead.created", "call": {"campaign": "welcome"}},
        {"name": "two", "on": "deal.created", "call": {"campaign": "other"}},
    ]
    bridge = bench(*rules, concurrency=1)
    platform.fault("5xx", campaign="welcome")
    leads(bridge, range(8))
    bridge.work()

    bridge.lead("deal", type="deal.created", phone=PHONES[30])
    bridge.work()

    assert bridge.status("deal") == "done"


def test_being_asked_to_come_later_is_an_answer(bench, platform):
    bridge = bench(concurrency=1)
    platform.fault("429", retry_after=1)
    leads(bridge, range(8))

    bridge.work_through(10, seconds=2)

    assert platform.asked("status") == []


def test_a_platform_that_is_back_and_refuses_the_campaign_is_not_called_silent(bench, platform):
    bridge = bench(concurrency=1)
    platform.fault("5xx")
    leads(bridge, range(12))
    bridge.work()
    platform.mend()
    platform.fault("bad_token")
    bridge.clock.advance(seconds=6)
    bridge.work()

    assert platform.asked("status")
    assert bridge.world.ledger.redis.exists("callbridge:1:breaker:welcome") == 0
    assert "parked" in {bridge.status(f"e{number}") for number in range(12)}

    platform.mend()
    bridge.work_through(40, seconds=30)

    assert {bridge.status(f"e{number}") for number in range(12)} == {"done"}
    assert len(platform.calls) == 12
