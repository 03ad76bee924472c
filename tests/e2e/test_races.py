"""Calls and their stops within milliseconds of each other, in both orders, through real processes and a platform that takes its time."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from time import monotonic

import pytest
import requests

PEOPLE = 500
T0 = datetime(2026, 11, 24, 12, tzinfo=UTC)
ENDED = {"done", "suppressed"}


def at(seconds: float) -> str:
    return (T0 + timedelta(seconds=seconds)).isoformat()


@pytest.mark.timeout(180)
def test_of_500_people_whose_stop_races_their_call_nobody_is_called_too_many_and_nobody_too_few(bridge, platform, until, lead):
    """The stop of even numbers is newer than the call and must win, whichever arrives first; that of odd ones is older and must not."""
    running = bridge()
    for seconds in (0.3, 0.15, 0.05):
        platform.fault("latency", seconds=seconds, probability=0.3)
    chance = random.Random(7)
    pairs = []
    for number in range(PEOPLE):
        call = lead(number, occurred_at=at(number))
        stop = lead(number, event_id=f"stop-{number}", type="lead.deleted", occurred_at=at(number + (0.5 if number % 2 == 0 else -0.5)))
        pairs.append([call, stop] if chance.random() < 0.5 else [stop, call])
    local = threading.local()

    def deliver(body):
        local.session = getattr(local, "session", None) or requests.Session()
        return running.deliver(body, local.session)

    with ThreadPoolExecutor(16) as senders:
        answers = list(senders.map(deliver, [body for pair in pairs for body in pair]))
    assert set(answers) == {(202, "queued")}
    until(lambda: not running.unfinished(), 90, every=0.5)

    calls = {call["idempotence_key"]: call for call in platform.calls()}
    alive = {key for key, call in calls.items() if call["cancelled_at"] is None}
    assert alive == {f"zapier:lead-{number}" for number in range(1, PEOPLE, 2)}
    assert len(calls) == len(platform.calls())


@pytest.mark.long
@pytest.mark.timeout(120)
def test_a_stop_does_not_wait_behind_ten_thousand_calls(bridge, platform, until, lead):
    """The platform takes 300 ms for each: the calls would take minutes, the stop takes an attempt or two."""
    running = bridge()
    running.deliver(lead(1))
    until(lambda: running.status("zapier:lead-1") == "done")
    platform.fault("latency", seconds=0.3)
    bodies = [[lead(number) for number in range(2 + start, 2 + start + 100)] for start in range(0, 10_000, 100)]
    with requests.Session() as session:
        for body in bodies:
            running.deliver(body, session)
        started = monotonic()
        running.deliver(lead(1, event_id="stop", type="lead.deleted"), session)

    until(lambda: running.status("zapier:stop") == "done", 10, every=0.02)

    assert monotonic() - started < 3
    assert len(running.unfinished()) > 1000
