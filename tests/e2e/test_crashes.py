"""``kill -9`` of each process in turn: nothing accepted is lost, nobody is called twice, and no operator is needed."""

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import requests


def test_a_worker_killed_with_a_request_in_flight_leads_to_one_call_in_the_end(bridge, platform, until, lead):
    running = bridge(timeout="1s")
    platform.fault("latency", seconds=0.9, endpoint="addPhone", times=1)
    running.deliver(lead(1))
    until(platform.requests)

    running.kill("spawn_main")
    killed = time.monotonic()

    until(lambda: running.status("zapier:lead-1") == "done", 30)
    assert time.monotonic() - killed < 16  # a lease of 1 s + 10 s, and the dispatcher's next look
    assert running.entry("zapier:lead-1").crashes == 0
    (call,) = platform.calls()
    assert call["requests"] == 2
    requests = [request for request in platform.requests() if request["path"].endswith("addPhone")]
    assert {(request["key"], request["body"]) for request in requests} == {("zapier:lead-1", requests[0]["body"])}


def test_an_embedded_redis_that_was_killed_comes_back_with_everything_accepted(bridge, platform, until, lead):
    running = bridge()
    platform.fault("429", times=4)
    accepted = [number for number in range(1, 9) if running.deliver(lead(number))[0] == 202]

    running.kill("valkey-server" if running.pids("valkey-server") else "redis-server")

    until(lambda: running.get("/readyz") == 200, 20)
    assert running.deliver(lead(9)) == (202, "queued")
    assert running.deliver(lead(1)) == (200, "duplicate")
    until(lambda: all(running.status(f"zapier:lead-{number}") == "done" for number in (*accepted, 9)), 30)
    assert accepted == list(range(1, 9))
    assert sorted(call["idempotence_key"] for call in platform.calls()) == [f"zapier:lead-{number}" for number in range(1, 10)]


@pytest.mark.long
def test_when_the_supervisor_is_killed_its_processes_end_and_the_next_start_goes_on(bridge, platform, until, lead):
    running = bridge()
    platform.fault("429", times=1, retry_after=4)
    running.deliver(lead(1))
    until(lambda: running.status("zapier:lead-1") == "waiting")
    before = running.pids()

    supervisor = running.started.pop()
    supervisor.kill()
    supervisor.wait()
    started_again = running.start()  # at once, as systemd would
    until(lambda: len(before & running.pids()) == 1)  # Redis, which is taken over
    running.up()

    until(lambda: running.status("zapier:lead-1") == "done", 20)
    assert running.deliver(lead(1)) == (200, "duplicate")
    assert len(platform.calls()) == 1
    assert started_again.poll() is None
    assert running.stop() == 0
    assert running.pids() == set()


@pytest.mark.long
def test_web_and_worker_that_were_killed_are_started_again(bridge, until, lead):
    running = bridge()

    killed = running.kill("gunicorn") | running.kill("bridge worker")

    until(lambda: running.get("/readyz") == 200, 15)
    assert running.deliver(lead(1)) == (202, "queued")
    until(lambda: running.status("zapier:lead-1") == "done")
    assert not killed & running.pids()
    assert running.log.count("a part ended and is started again") == 2


@pytest.mark.long
def test_a_worker_frozen_until_its_lease_ran_out_calls_nobody_a_second_time(bridge, platform, until, lead):
    running = bridge(timeout="1s")
    platform.fault("latency", seconds=0.8, endpoint="addPhone", times=1)
    running.deliver(lead(1))
    until(platform.requests)
    frozen = running.pids("spawn_main")

    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(13)  # the lease is 1 s + 10 s
    for pid in frozen:
        os.kill(pid, signal.SIGCONT)

    until(lambda: running.status("zapier:lead-1") == "done", 30)
    assert len(platform.calls()) == 1
    requests = [request for request in platform.requests() if request["path"].endswith("addPhone")]
    assert {request["key"] for request in requests} == {"zapier:lead-1"}


@pytest.mark.long
def test_a_web_server_that_was_killed_leaves_the_port_to_the_next_although_senders_keep_their_connections(bridge, until, lead):
    running = bridge()
    (server,) = [pid for pid in running.pids("gunicorn") if _parent(pid) == running.started[0].pid]
    before, ended = running.pids("gunicorn"), threading.Event()

    def deliver_over_one_connection():
        with requests.Session() as session:
            while not ended.wait(0.1):
                with suppress(requests.RequestException):
                    running.deliver(lead(1), session)

    sender = threading.Thread(target=deliver_over_one_connection)
    sender.start()
    until(lambda: running.status("zapier:lead-1"))
    os.kill(server, signal.SIGKILL)

    try:
        until(lambda: not before & running.pids("gunicorn"), 8)
        until(lambda: running.get("/readyz") == 200, 8)
    finally:
        ended.set()
        sender.join()
    assert running.deliver(lead(2)) == (202, "queued")


def _parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
