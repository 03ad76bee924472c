"""What a Redis promises, read from real servers with all kinds of settings, and judged from answers no test server gives."""

import tempfile
from pathlib import Path

import pytest
from redis import ConnectionError as NotConnected
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bridge.durability import Level, check, judge, read, require
from bridge.embedded import EmbeddedRedis
from bridge.errors import StartupError

GOOD = {"appendonly": "yes", "appendfsync": "always", "no-appendfsync-on-rewrite": "no", "maxmemory": "0", "maxmemory-policy": "noeviction"}
VALKEY = {"valkey_version": "9.1.2", "redis_version": "7.2.4", "role": "master", "redis_mode": "standalone", "aof_last_write_status": "ok"}


@pytest.fixture(params=["RESP2, text", "RESP3, text", "RESP2, bytes", "RESP3, bytes"])
def connect(request):
    """A client as anybody may have made it."""
    protocol, kind = request.param.split(", ")
    return lambda url: Redis.from_url(url, protocol=int(protocol[-1]), decode_responses=kind == "text")


@pytest.fixture
def promise(start_redis):
    """What a server started with these settings promises."""

    def durability(**settings):
        with Redis.from_url(start_redis(**settings)) as client:
            return read(client)

    return durability


def test_the_embedded_redis_promises_what_was_asked_of_it(connect):
    with tempfile.TemporaryDirectory(prefix="cb-") as data_dir, EmbeddedRedis(Path(data_dir)) as embedded, connect(embedded.url) as client:
        durability = read(client)
        warnings = require(client, "always")

    assert durability.level is Level.ALWAYS
    assert not durability.eviction
    assert warnings == []


def test_the_server_is_called_by_its_own_name_and_version(promise):
    name, version = promise().server.split(" ")

    assert name in {"Valkey", "Redis"}
    assert version[0].isdecimal()


@pytest.mark.parametrize(
    ("settings", "level"),
    [
        ({"appendonly": "yes", "appendfsync": "always"}, Level.ALWAYS),
        ({"appendonly": "yes", "appendfsync": "everysec"}, Level.EVERYSEC),
        ({"appendonly": "yes", "appendfsync": "no"}, Level.UNSAFE),
        ({"appendonly": "no", "appendfsync": "always"}, Level.UNSAFE),
        ({"appendonly": "yes", "appendfsync": "always", "no_appendfsync_on_rewrite": "yes"}, Level.UNSAFE),
    ],
)
def test_the_level_is_what_the_settings_add_up_to(promise, settings, level):
    durability = promise(**settings)

    assert durability.level is level
    assert durability.problems == ()


def test_a_weaker_server_is_refused_with_what_to_set(start_redis):
    with Redis.from_url(start_redis(appendonly="yes", appendfsync="everysec")) as client:
        with pytest.raises(StartupError) as refusal:
            require(client, "always")

        assert require(client, "everysec") == []
    assert "redis.durability is always, but" in str(refusal.value)
    assert "only promises everysec: a power cut takes what it answered in the last second or two" in str(refusal.value)
    assert "`appendonly yes`, `appendfsync always` and `no-appendfsync-on-rewrite no`, or set redis.durability to everysec" in str(refusal.value)


def test_a_server_that_may_evict_is_refused_whatever_was_asked(start_redis):
    with Redis.from_url(start_redis(maxmemory_policy="allkeys-lru")) as client:
        eviction = read(client).eviction

        with pytest.raises(StartupError, match="set maxmemory-policy noeviction, not allkeys-lru"):
            require(client, "unsafe")

    assert eviction


def test_a_server_that_hides_its_configuration_is_doubted_and_not_refused(start_redis, connect):
    url = start_redis(rename_command="CONFIG hidden")

    with connect(url) as client:
        durability = read(client)
        warnings = require(client, "always")

    assert durability.level is Level.UNKNOWN
    assert not durability.eviction
    assert [warning for warning in warnings if "redis.durability always cannot be checked" in warning] == warnings
    assert len(warnings) == 1


def test_a_user_who_may_not_ask_is_doubted_too(start_redis):
    url = start_redis()
    with Redis.from_url(url) as client:
        client.execute_command("ACL", "SETUSER", "bridge", "on", ">secret", "~*", "+@all", "-config", "-info")

    with Redis.from_url(url, username="bridge", password="secret") as client:
        durability = read(client)

    assert durability.level is Level.UNKNOWN
    assert durability.server == "this Redis"
    assert check(durability, "unsafe") == []


def test_an_eviction_policy_is_seen_even_where_the_configuration_is_hidden(start_redis):
    url = start_redis(rename_command="CONFIG hidden", maxmemory_policy="volatile-lru")

    with Redis.from_url(url) as client, pytest.raises(StartupError, match="set maxmemory-policy noeviction, not volatile-lru"):
        require(client, "always")


def test_a_replica_is_refused(start_redis):
    url = start_redis(appendonly="yes", appendfsync="always", replicaof="127.0.0.1 1")

    with Redis.from_url(url) as client, pytest.raises(StartupError, match="is a replica and takes no writes"):
        require(client, "always")


def test_a_server_that_is_not_there_is_no_judgement(tmp_path):
    with Redis.from_url(f"unix://{tmp_path}/nobody.sock", retry=Retry(NoBackoff(), 0)) as client, pytest.raises(NotConnected):
        require(client, "always")


@pytest.mark.parametrize(
    ("info", "sentence"),
    [
        ({"redis_version": "6.0.16"}, "Redis 6.0.16 is too old"),
        ({"redis_version": "5.0.14"}, "Redis 5.0.14 is too old"),
        ({**VALKEY, "aof_last_write_status": "err"}, "cannot write its append-only file and takes no events: free space on its disk"),
        ({**VALKEY, "redis_mode": "cluster"}, "point redis.url at a single server"),
        ({**VALKEY, "aof_last_bgrewrite_status": "err"}, "could not rewrite its append-only file"),
        ({**VALKEY, "rdb_last_bgsave_status": "err"}, "could not save its last snapshot"),
        ({**VALKEY, "maxmemory": 1000, "used_memory": 950}, "has used 95% of its maxmemory and will refuse events when it is full"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(info, sentence):
    config = {**GOOD, "maxmemory": ""}

    said = check(judge(info, config), "always")

    assert len(said) == 1
    assert sentence in said[0]


@pytest.mark.parametrize("info", [VALKEY, {"redis_version": "6.2.0"}, {"redis_version": "10.0.0"}, {**VALKEY, "maxmemory": 1000, "used_memory": 900}])
def test_nothing_is_said_of_a_good_server(info):
    assert check(judge(info, GOOD), "always") == []


@pytest.mark.parametrize("asked", ["always", "everysec", "unsafe"])
@pytest.mark.parametrize("fsync", ["always", "everysec", "no"])
def test_a_server_is_good_enough_exactly_when_it_is_as_strong_as_asked(fsync, asked):
    strength = ["no", "unsafe", "everysec", "always"]
    offered = judge(VALKEY, {**GOOD, "appendfsync": fsync})

    said = check(offered, asked)

    assert bool(said) == (strength.index(offered.level) < strength.index(asked))


@pytest.mark.parametrize(
    "told", [{}, {"appendonly": "yes"}, {"appendfsync": "always"}, {"appendonly": "yes", "appendfsync": "sometimes"}, {"appendonly": "maybe"}]
)
def test_half_an_answer_is_unknown(told):
    assert judge(VALKEY, told).level is Level.UNKNOWN
