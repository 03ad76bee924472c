"""Redis away or full for a while: nobody has to be started again, and nobody says it a thousand times."""

import json
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

OUTAGE = 10.0


@contextmanager
def full(url):
    """It answers and takes no writes."""
    with Redis.from_url(url) as client:
        client.config_set("maxmemory", "1mb")
        yield
        client.config_set("maxmemory", "0")


@contextmanager
def gone(url):
    """Connections end, and there are no new ones."""
    socket = Path(url.removeprefix("unix://"))
    away = socket.with_name("away.sock")
    with Redis.from_url(url) as client:
        client.ping()
        socket.rename(away)
        client.client_kill_filter(_type="normal", skipme=True)
    yield
    away.rename(socket)


@pytest.fixture
def running(new_bridge, start_redis):
    """A bridge, and the URL of the Redis that it was given."""
    url = start_redis(appendonly="yes", appendfsync="always", maxmemory_policy="noeviction")
    made = new_bridge(redis=url)
    made.start()
    return made.up(), url


@pytest.mark.parametrize("outage", [pytest.param(full, marks=pytest.mark.long), gone])
def test_an_outage_of_redis_costs_no_process_and_is_said_once(outage, running, platform, until, lead):
    running, url = running
    platform.fault("429", times=1, retry_after=2)
    running.deliver(lead(1))
    until(lambda: running.status("zapier:lead-1") == "waiting")
    before = running.pids()

    with outage(url):
        assert running.deliver(lead(2))[0] == 503
        time.sleep(OUTAGE)
    back = time.monotonic()

    assert until(lambda: running.deliver(lead(2))[0] == 202, 5)
    until(lambda: [running.status(f"zapier:lead-{number}") for number in (1, 2)] == ["done", "done"], 10)
    assert time.monotonic() - back < 6
    assert running.pids() == before
    lines = [json.loads(line) for line in running.log.splitlines() if line.startswith("{")]
    said = [line["message"] for line in lines if line["level"] in {"warning", "error"}]
    assert said.count("Redis is away; waiting for it") == 1, said
    assert len(said) <= 4, said
