"""The scripts run on every Redis from 6.2 on, and on Valkey."""

import re
from importlib.resources import files

import pytest

IN_6_2 = frozenset(
    [
        "DEL",
        "EXISTS",
        "GET",
        "HDEL",
        "HEXISTS",
        "HGET",
        "HGETALL",
        "HINCRBY",
        "HLEN",
        "HMGET",
        "HSET",
        "HSETNX",
        "LPUSH",
        "LTRIM",
        "PERSIST",
        "PEXPIRE",
        "RENAME",
        "RPUSH",
        "SADD",
        "SET",
        "SMEMBERS",
        "SREM",
        "ZADD",
        "ZCARD",
        "ZRANGEBYSCORE",
        "ZREM",
        "ZREMRANGEBYSCORE",
        "ZREVRANGEBYSCORE",
        "ZSCORE",
        "ZUNIONSTORE",
    ],
)
SINCE_7 = re.compile(r"'(?:PEXPIRE|EXPIRE)'[^\n]*'(?:NX|XX|GT|LT)'")
SCRIPTS = sorted(path.name for path in files("bridge.ledger").joinpath("scripts").iterdir())


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_uses_nothing_newer_than_redis_6_2(name):
    text = files("bridge.ledger").joinpath("scripts", name).read_text()

    assert set(re.findall(r"redis\.p?call\('([A-Z]+)'", text)) <= IN_6_2
    assert len(re.findall(r"redis\.p?call\(", text)) == len(re.findall(r"redis\.p?call\('[A-Z]+'", text))
    assert not SINCE_7.search(text)


def test_a_redis_that_forgot_the_scripts_is_taught_them_again(redis, desk):
    desk.accept("e1")
    redis.script_flush()

    assert desk.accept("e2") == [""]
