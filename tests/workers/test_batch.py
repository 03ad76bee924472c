"""Many at once: several workers, several threads, and Redis going away in the middle."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bridge.errors import LedgerUnavailable
from bridge.model import Rate
from workers.batch import Batch, hands


def wait_for(true, seconds=5.0):
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not come true in time"
        time.sleep(0.01)


def test_31_identical_events_through_two_workers_with_eight_threads_are_one_call(bench, platform):
    bridge = bench()
    platform.fault("latency", seconds=0.05)

    with ThreadPoolExecutor(10) as pool:
        deliveries = [pool.submit(bridge.lead) for _ in range(31)]
        batches = [pool.submit(bridge.work, bridge.worker(concurrency=4)) for _ in range(2)]
        receipts = [delivery.result()[0] for delivery in deliveries]
        [batch.result() for batch in batches]
    bridge.work()

    assert sorted(receipt.status for receipt in receipts) == ["duplicate"] * 30 + ["queued"]
    assert len(platform.calls) == len(platform.requests) == 1
    assert (bridge.status(), bridge.entry().duplicates) == ("done", 30)


def test_one_fact_told_by_many_events_to_many_workers_is_one_call(bench, platform):
    bridge = bench()
    fact = {"entity": {"type": "lead", "id": "1"}, "occurred_at": "2026-11-23T08:40:00Z"}
    for number in range(20):
        bridge.lead(f"e{number}", **fact)

    with ThreadPoolExecutor(4) as pool:
        [batch.result() for batch in [pool.submit(bridge.work) for _ in range(4)]]
    for _ in range(30):
        bridge.clock.advance(milliseconds=600)
        bridge.work()

    assert len(platform.calls) == 1
    ended = [bridge.entry(f"e{number}") for number in range(20)]
    assert sorted(entry.status for entry in ended) == ["done"] + ["suppressed"] * 19
    assert sum("same fact as" in entry.reason for entry in ended) == 19


def test_different_people_are_called_side_by_side(bench, platform):
    bridge = bench(concurrency=8)
    for number in range(8):
        bridge.lead(f"e{number}", phone=f"+1650253000{number}")
    platform.fault("latency", seconds=0.3)
    began = time.monotonic()

    bridge.work()

    assert len(platform.calls) == 8
    assert time.monotonic() - began < 1.5


def test_a_batch_goes_on_while_there_is_more_than_it_has_room_for(bench, platform):
    bridge = bench(concurrency=2)
    for number in range(7):
        bridge.lead(f"e{number}", phone=f"+1650253000{number}")

    assert bridge.work() == 7
    assert len(platform.calls) == 7


def test_a_batch_that_is_told_to_stop_begins_nothing_new(bench, platform):
    bridge = bench()
    bridge.lead()
    with hands(1) as threads:
        assert Batch(bridge.worker(), lambda: True, threads).run() == 0

    assert platform.requests == []
    assert bridge.status() == "queued"


def test_requests_of_one_campaign_are_spread_evenly(bench, platform):
    bridge = bench(rates={"welcome": Rate(count=10, seconds=1)})
    for number in range(6):
        bridge.lead(f"e{number}", phone=f"+1650253000{number}")
    until = time.monotonic() + 5

    while len(platform.calls) < 6 and time.monotonic() < until:
        bridge.work()
        time.sleep(0.02)

    times = [request["at"] for request in platform.requests]
    seconds = sorted(float(at[17:-1]) for at in times)
    assert len(seconds) == 6
    assert (seconds[-1] - seconds[0]) % 60 >= 0.45


def test_a_long_request_keeps_its_lease(bench, platform):
    bridge = bench(lease=timedelta(seconds=0.6))
    bridge.lead()
    platform.fault("latency", seconds=0.9)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(bridge.work)
        wait_for(lambda: platform.requests)
        time.sleep(0.7)  # longer than the lease
        assert bridge.work() == 0
        first.result()

    assert len(platform.requests) == 1
    assert bridge.status() == "done"


def test_a_worker_that_died_is_succeeded_by_one_that_sends_the_same(bench, platform):
    bridge = bench()
    bridge.lead()
    dead = bridge.worker()
    platform.fault("latency", seconds=0.3, times=1)
    with ThreadPoolExecutor(1) as pool:
        attempt = pool.submit(bridge.work, replace(dead, ledger=Deaf(dead.ledger)))
        assert isinstance(attempt.exception(), Died)
    assert bridge.status() == "running"

    bridge.clock.advance(seconds=6)
    bridge.work()

    first, second = platform.asked("addPhone")
    assert (first["key"], first["body"]) == (second["key"], second["body"])
    assert len(platform.calls) == 1
    assert bridge.status() == "done"


class Deaf:
    """A ledger that takes no record: what a process that dies after it has sent leaves behind."""

    def __init__(self, ledger):
        self.ledger = ledger

    def __getattr__(self, name):
        if name == "record":
            raise Died
        return getattr(self.ledger, name)


class Died(BaseException):
    pass


def test_redis_away_while_a_request_is_in_flight_loses_nothing(bench, platform, redis):
    bridge = bench(concurrency=2)
    bridge.lead()
    platform.fault("latency", seconds=0.4)
    worker = bridge.worker()
    worker.ledger.redis.connection_pool.connection_kwargs["socket_timeout"] = 0.2

    with ThreadPoolExecutor(1) as pool:
        attempt = pool.submit(bridge.work, worker)
        wait_for(lambda: platform.requests)
        redis.client_pause(1200, all=True)
        assert isinstance(attempt.exception(), LedgerUnavailable)

    assert (bridge.status(), len(bridge.entry().attempts)) == ("done", 1)
    assert len(platform.requests) == 1


def test_a_fault_of_ours_in_one_delivery_does_not_take_the_others_with_it(bench, platform, caplog):
    bridge = bench()
    bridge.lead("bad")
    bridge.lead("good", phone="+16502530001")
    worker = bridge.worker()
    broken = replace(worker, calls_api=Broken(worker.calls_api))

    bridge.work(broken)

    assert bridge.status("good") == "done"
    assert bridge.status("bad") == "running"
    assert "failed unexpectedly" in caplog.text
    bridge.clock.advance(seconds=6)
    bridge.work()
    assert bridge.status("bad") == "done"


class Broken:
    def __init__(self, calls_api):
        self.calls_api = calls_api
        self.lock = threading.Lock()

    def add(self, campaign, request):
        if "16502530000" in request.body:
            raise ZeroDivisionError
        return self.calls_api.add(campaign, request)


@pytest.mark.parametrize("hot", [40])
def test_many_events_of_one_person_do_not_keep_others_waiting(bench, platform, hot):
    bridge = bench(concurrency=2)
    holder = bridge.worker()
    bridge.lead("first")
    holder.ledger.claim("elsewhere", 1, timedelta(seconds=60), bridge.clock())
    bridge.receive(*({"event_id": f"h{n}", "type": "lead.created", "phone": "+16502530000"} for n in range(hot)))
    bridge.lead("other", phone="+16502530001")
    bridge.clock.advance(seconds=1)

    for _ in range(3):
        bridge.work()

    assert bridge.status("other") == "done"


SLOW = {"name": "slow", "on": "slow.created", "call": {"campaign": "other"}}
QUICK = {"name": "quick", "on": "lead.created", "call": {"campaign": "welcome"}}


def test_a_slow_campaign_with_much_to_do_does_not_keep_the_others_waiting(bench, platform):
    bridge = bench(SLOW, QUICK, concurrency=16)
    platform.fault("latency", seconds=0.8, campaign="other")
    bridge.receive(*({"event_id": f"s{n}", "type": "slow.created", "phone": f"+165025310{n:02}"} for n in range(60)))
    bridge.receive(*({"event_id": f"q{n}", "type": "lead.created", "phone": f"+165025300{n:02}"} for n in range(60)))
    began = time.monotonic()

    with ThreadPoolExecutor(1) as pool:
        batch = pool.submit(bridge.work)
        wait_for(lambda: len(platform.asked_of("welcome")) == 60)
        took, slow = time.monotonic() - began, len(platform.asked_of("other"))
        batch.result()

    assert took < 3  # the slow ones need at least 5 s by themselves
    assert slow < 60
    assert len(platform.calls) == 120
    assert max(when_and_how_many(platform.asked_of("other"), 0.8)) <= 9  # half of the slots, and one


def when_and_how_many(requests, seconds):
    """How many were under way when each began."""
    times = sorted(datetime.fromisoformat(request["at"]).timestamp() for request in requests)
    return [sum(at - seconds < other <= at for other in times) for at in times]


def test_a_slow_crm_does_not_keep_those_waiting_who_need_no_look_up(bench, platform):
    lookup = {"name": "look up", "source": "hubspot", "on": "contact.created", "call": {"campaign": "welcome"}}
    bridge = bench(lookup, QUICK, concurrency=8)
    platform.fault("latency", seconds=0.6, endpoint="/hubspot/*")
    created = {"subscriptionType": "contact.creation", "portalId": 1, "occurredAt": 1_763_800_000_000}
    bridge.receive(*({**created, "eventId": n, "objectId": n} for n in range(100, 130)), source="hubspot")
    bridge.receive(*({"event_id": f"q{n}", "type": "lead.created", "phone": f"+165025300{n:02}"} for n in range(30)))

    with ThreadPoolExecutor(1) as pool:
        batch = pool.submit(bridge.work)
        wait_for(lambda: all(bridge.status(f"q{n}") == "done" for n in range(30)), seconds=2)
        batch.result()


def test_what_was_held_ready_is_given_back_when_the_batch_is_told_to_stop(bench, platform):
    bridge = bench(concurrency=16)
    platform.fault("latency", seconds=0.5)
    for number in range(16):
        bridge.lead(f"e{number}", phone=f"+165025300{number:02}")
    stopping = threading.Event()

    with ThreadPoolExecutor(1) as pool, hands(16) as threads:
        batch = pool.submit(Batch(bridge.worker(), stopping.is_set, threads).run)
        wait_for(lambda: len(platform.requests) >= 9)
        stopping.set()
        batch.result()

    assert len(platform.calls) == len(platform.requests) == 9
    ended = [bridge.entry(f"e{number}") for number in range(16)]
    assert sorted(entry.status for entry in ended) == ["done"] * 9 + ["queued"] * 7
    assert {entry.crashes for entry in ended} == {0}
