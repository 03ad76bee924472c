"""A deploy: old and new processes side by side on one Redis, under load, and the old ones told to end."""

import threading
import time
from collections import Counter
from contextlib import suppress
from itertools import count

import pytest
import requests

SENDERS = 6


class Senders:
    """CRMs behind a balancer: each delivery goes to one of the servers there are, and again after a failure, to another one."""

    def __init__(self, lead, *bridges):
        self.lead, self.bridges = lead, list(bridges)
        self.numbers, self.ended = count(1), threading.Event()
        self.answers: Counter[int] = Counter()
        self.accepted: set[str] = set()
        self.threads = [threading.Thread(target=self._send) for _ in range(SENDERS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()

    def _send(self):
        with requests.Session() as session:
            while not self.ended.wait(0.05):
                number = next(self.numbers)
                while not self._sent(number, session):
                    time.sleep(0.05)
                if number % 5 == 0:
                    self._sent(number, session)  # some CRMs send twice, and the other server may get it

    def _sent(self, number, session):
        bridge = self.bridges[(number + self.answers.total()) % len(self.bridges)]
        with suppress(requests.RequestException):
            status, _ = bridge.deliver(self.lead(number), session)
            self.answers[status] += 1
            if status < 300:
                self.accepted.add(f"zapier:lead-{number}")
                return True
        return False


def parts(made):
    """Web and workers as programs of their own, as a deploy replaces them."""
    return made.start("worker", "--processes", "1"), made.start("web"), made.up()


@pytest.mark.timeout(120)
def test_a_rolling_deploy_under_load_loses_nothing_and_calls_nobody_twice(new_bridge, start_redis, platform, until, lead):
    url = start_redis(appendonly="yes", appendfsync="always", maxmemory_policy="noeviction")
    old, new = new_bridge(redis=url), new_bridge(redis=url)
    platform.fault("latency", seconds=0.3)
    parts(old)

    with Senders(lead, old) as senders:
        time.sleep(1.5)
        parts(new)
        senders.bridges.append(new)
        time.sleep(1.5)
        accepted_before = len(senders.accepted)
        senders.bridges.remove(old)  # the balancer is told first, and connections that stand send on
        ended = [process.terminate() or process.wait(30) for process in reversed(old.started)]
        time.sleep(1)
        accepted_after = len(senders.accepted)

    until(lambda: not new.unfinished(), 60, every=0.2)
    calls = Counter(call["idempotence_key"] for call in platform.calls())
    assert ended == [0, 0]
    assert old.pids() == set()
    assert senders.answers.keys() <= {200, 202}
    assert accepted_before > 50
    assert accepted_after > accepted_before
    assert calls.keys() == senders.accepted
    assert set(calls.values()) == {1}
    assert {call["requests"] for call in platform.calls()} == {1}, "an attempt that was open when its worker was told to end was given up"
    assert "Traceback" not in old.log + new.log


@pytest.mark.long
@pytest.mark.timeout(120)
def test_each_of_two_bridges_on_one_redis_finishes_what_the_other_was_killed_with(new_bridge, start_redis, platform, until, lead):
    url = start_redis(appendonly="yes", appendfsync="always", maxmemory_policy="noeviction")
    old, new = new_bridge(redis=url, timeout="1s"), new_bridge(redis=url, timeout="1s")
    parts(old)
    platform.fault("latency", seconds=0.8, endpoint="addPhone")
    for number in range(1, 21):
        old.deliver(lead(number))
    until(platform.requests)

    for process in old.started:
        process.kill()
    parts(new)
    for number in range(1, 21):
        new.deliver(lead(number))

    until(lambda: not new.unfinished(), 60, every=0.2)
    assert sorted(call["idempotence_key"] for call in platform.calls()) == sorted(f"zapier:lead-{number}" for number in range(1, 21))
