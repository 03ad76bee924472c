"""``/healthz`` and ``/readyz``."""

import pytest

NOT_THERE = "unix:///nowhere/redis.sock"


def test_a_process_is_alive_whatever_redis_does(open_door):
    answer = open_door(NOT_THERE).client.get("/healthz")

    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})


def test_readiness_says_that_redis_takes_writes_and_how_durable_it_is(door):
    answer = door.client.get("/readyz")

    redis = answer.get_json()["redis"]
    assert (answer.status_code, answer.get_json()["status"]) == (200, "ready")
    assert (redis["reachable"], redis["writable"], redis["durability"], redis["asked"]) == (True, True, "unsafe", "unsafe")
    assert redis["server"].startswith(("Valkey ", "Redis "))
    assert redis["notes"] == []


def test_what_is_weaker_than_it_should_be_is_shown_in_sentences(open_door, start_redis):
    answer = open_door(start_redis(maxmemory_policy="allkeys-lru")).client.get("/readyz")

    (note,) = answer.get_json()["redis"]["notes"]
    assert "set maxmemory-policy noeviction, not allkeys-lru" in note


def test_without_redis_it_is_not_ready_and_tells_a_stranger_no_address(open_door):
    answer = open_door(NOT_THERE).client.get("/readyz")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.get_json() == {"error": {"code": "unavailable", "message": "Redis does not answer, or takes no writes"}}


@pytest.mark.parametrize("setting", [{"maxmemory": "1"}, {"min_replicas_to_write": "1"}])
def test_a_redis_that_takes_no_writes_is_not_ready(open_door, start_redis, setting):
    answer = open_door(start_redis(**setting)).client.get("/readyz")

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (503, "unavailable")
