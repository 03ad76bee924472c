"""``run``, ``web``, ``worker``, ``simulate``: how they refuse to start, and that what stays up ends when told to."""

import json
import socket
import time
import urllib.request

import pytest
from redis import Redis

NO_REDIS = "redis://:a-password@127.0.0.1:9/0"


def config(folder, port, redis=""):
    url = f'redis: {{url: "{redis}", durability: unsafe}}\n' if redis else ""
    folder.write("config.yaml", f'server: {{bind: "127.0.0.1:{port}"}}\n{url}')


@pytest.mark.parametrize("command", ["run", "web"])
def test_a_taken_port_is_said_in_one_line(folder, redis_url, free_port, command):
    config(folder, free_port, redis_url)
    with socket.create_server(("127.0.0.1", free_port)):
        told = folder.spawn(command)

    assert told.code == 1
    assert told.err == f"callbridge: cannot listen at 127.0.0.1:{free_port} (Address already in use): set server.bind, or PORT, to a free one\n"


def test_an_address_that_is_not_ours_is_said_at_once(folder, redis_url):
    config(folder, 8000, redis_url)
    folder.write("config.yaml", (folder.path / "config.yaml").read_text().replace("127.0.0.1:8000", "192.0.2.1:8000"))

    told = folder.spawn("run")

    assert told.code == 1
    assert told.err.startswith("callbridge: cannot listen at 192.0.2.1:8000 (Cannot assign requested address)")


@pytest.mark.parametrize("command", ["run", "web", "worker"])
def test_without_its_redis_it_waits_as_long_as_it_was_told_and_says_what_to_do(folder, free_port, command):
    config(folder, free_port, NO_REDIS)

    told = folder.spawn(command, "--redis-wait", "500ms")

    assert told.code == 1
    assert told.err.splitlines() == [
        "Redis does not answer at redis://127.0.0.1:9/0 (ConnectionError); waiting up to 0.5s for it",
        "callbridge: Redis does not answer at redis://127.0.0.1:9/0 (ConnectionError): start it, or correct redis.url",
    ]


def test_while_it_waits_for_redis_it_can_be_told_to_stop(folder, free_port):
    config(folder, free_port, NO_REDIS)
    process = folder.start("run")
    assert "waiting up to 1m for it" in process.stderr.readline()
    told = time.monotonic()

    process.terminate()

    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")
    assert time.monotonic() - told < 3


@pytest.mark.parametrize("command", ["web", "worker"])
def test_a_part_alone_starts_no_redis_of_its_own(folder, free_port, command):
    config(folder, free_port)

    told = folder.spawn(command)

    assert told.code == 1
    assert "no redis.url is configured and no embedded Redis is running under" in told.err
    assert "start everything with `callbridge run`, or set redis.url" in told.err


@pytest.mark.parametrize("command", ["run", "web", "worker"])
def test_a_redis_that_is_weaker_than_asked_for_is_refused_with_the_mend(folder, start_redis, free_port, command):
    config(folder, free_port, start_redis())
    folder.write("config.yaml", (folder.path / "config.yaml").read_text().replace(", durability: unsafe", ""))

    told = folder.spawn(command)

    assert told.code == 1
    assert "redis.durability is always, but Valkey" in told.err
    assert "appendfsync always" in told.err


def test_a_wrong_password_is_said_at_once_and_not_waited_for(folder, start_redis, free_port):
    url = start_redis()
    with Redis.from_url(url) as client:
        client.config_set("requirepass", "right")
    config(folder, free_port, url.replace("unix://", "unix://:wrong@"))

    told = folder.spawn("web")

    assert told.code == 1
    assert "refused the user or the password: correct redis.url" in told.err
    assert "wrong" not in told.err


def test_the_simulator_alone_answers_and_ends_when_told_to(folder, free_port):
    process = folder.start("simulate", "--port", free_port)
    assert process.stderr.readline() == f"Calls API simulator at http://127.0.0.1:{free_port}\n"

    with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/simulator/calls", timeout=5) as answer:
        assert json.load(answer) == {"calls": [], "requests": 0}
    process.terminate()

    process.communicate(timeout=10)
    assert process.returncode == 0


def test_the_simulator_says_when_its_port_is_taken(folder, free_port):
    with socket.create_server(("127.0.0.1", free_port)):
        told = folder.spawn("simulate", "--port", free_port)

    assert (told.code, told.err) == (
        1,
        f"callbridge: the simulator cannot listen on 127.0.0.1:{free_port}: Address already in use; another --port may be free\n",
    )


def test_a_part_that_cannot_stay_up_ends_the_whole_with_a_word(folder, free_port):
    config(folder, free_port)

    told = folder.spawn("run", GUNICORN_CMD_ARGS="--worker-class nonsense")

    assert told.code == 1
    assert "callbridge: web ends as soon as it is started; see the lines above" in told.err
