"""One webhook, one call: through every process of the bridge, however often it is delivered."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests


def test_a_webhook_becomes_one_call_job(bridge, platform, until, lead):
    running = bridge()

    assert running.deliver(lead(1)) == (202, "queued")

    (call,) = until(platform.calls)
    assert (call["phone"], call["idempotence_key"], call["requests"]) == ("12813322001", "zapier:lead-1", 1)
    until(lambda: running.status("zapier:lead-1") == "done")
    assert running.entry("zapier:lead-1").jobs == (call["id"],)
    assert running.unfinished() == []


def test_redeliveries_at_once_and_after_a_restart_of_everything_are_one_call_job(bridge, platform, until, lead):
    running = bridge()
    sessions = [requests.Session() for _ in range(32)]

    with ThreadPoolExecutor(32) as senders:
        answers = list(senders.map(lambda number: running.deliver(lead(1), sessions[number % 32]), range(64)))
    for session in sessions:
        session.close()

    assert Counter(answers) == {(202, "queued"): 1, (200, "duplicate"): 63}
    until(lambda: running.status("zapier:lead-1") == "done")
    assert running.stop() == 0

    running.start()
    running.up()

    assert running.deliver(lead(1)) == (200, "duplicate")
    assert running.entry("zapier:lead-1").duplicates == 64
    assert running.deliver(lead(2)) == (202, "queued")
    until(lambda: running.status("zapier:lead-2") == "done")
    assert [call["idempotence_key"] for call in platform.calls()] == ["zapier:lead-1", "zapier:lead-2"]


@pytest.mark.long
def test_a_cancel_cancels_the_call_that_its_lead_made(bridge, platform, until, lead):
    running = bridge()
    running.deliver(lead(1))
    until(lambda: running.status("zapier:lead-1") == "done")

    running.deliver(lead(1, event_id="lead-1-deleted", type="lead.deleted"))

    until(lambda: running.status("zapier:lead-1-deleted") == "done")
    (call,) = platform.calls()
    assert call["cancelled_at"]


@pytest.mark.long
def test_web_and_worker_run_as_programs_of_their_own(new_bridge, platform, until, lead, start_redis):
    apart = new_bridge(redis=start_redis(appendonly="yes", appendfsync="always"))
    apart.start("web")
    apart.up()

    assert apart.deliver(lead(1)) == (202, "queued")
    assert platform.calls() == []

    apart.start("worker", "--processes", "1")
    until(lambda: apart.status("zapier:lead-1") == "done")
    assert len(platform.calls()) == 1
    assert (apart.stop(), apart.stop()) == (0, 0)
    assert apart.pids() == set()
