"""What a Redis really promises: read from its own configuration, judged against what ``redis.durability`` asks for.

Only the configuration tells. ``WAITAOF`` is never asked: Valkey answers it before the fsync that it should wait for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from redis import Redis, ResponseError

from bridge.errors import StartupError


class Level(StrEnum):
    """What an answered write survives: a power cut; one, less the last second; no power cut, perhaps no restart; nobody knows."""

    ALWAYS = "always"
    EVERYSEC = "everysec"
    UNSAFE = "unsafe"
    UNKNOWN = "unknown"


OLDEST = (6, 2)
"""The first Redis with all the commands that the bridge and RQ use."""

_NEARLY_FULL = 0.9

_LEVELS = {"always": Level.ALWAYS, "everysec": Level.EVERYSEC, "no": Level.UNSAFE}
_FSYNC = {level: fsync for fsync, level in _LEVELS.items()}
_STRENGTH = {Level.UNSAFE: 0, Level.EVERYSEC: 1, Level.ALWAYS: 2}
_LOSES = {
    Level.EVERYSEC: "a power cut takes what it answered in the last second or two",
    Level.UNSAFE: "a power cut, perhaps a mere restart, takes what it answered",
}

_SETTINGS = ("appendonly", "appendfsync", "no-appendfsync-on-rewrite", "maxmemory", "maxmemory-policy")

_NAMES = {"valkey_version": "Valkey", "dragonfly_version": "Dragonfly", "redis_version": "Redis"}

# Lines of INFO, what they say when all is well, and what it means when they say something else. Absent is well.
_PROBLEMS = (
    ("aof_last_write_status", "ok", "cannot write its append-only file and takes no events: free space on its disk (its log names the error)"),
    ("role", "master", "is a replica and takes no writes: point redis.url at its primary"),
    ("redis_mode", "standalone", "is not a server of its own but a cluster or a sentinel: point redis.url at a single server"),
)
_WARNINGS = (
    (
        "aof_last_bgrewrite_status",
        "ok",
        "could not rewrite its append-only file, which goes on growing: free disk space or memory (its log names the error)",
    ),
    (
        "rdb_last_bgsave_status",
        "ok",
        "could not save its last snapshot, and may refuse writes until it can: free disk space or memory, or switch snapshots off (save '')",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Durability:
    """What one server promises.

    ``eviction``: it is set to drop records when its memory is full. ``problems`` must be mended whatever was asked
    for, ``warnings`` should be; each is a sentence with its mend.
    """

    level: Level
    eviction: bool
    server: str
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def read(redis: Redis) -> Durability:
    """Ask the server, in one round trip. A refusal to tell is an answer too; no connection is redis-py's own error."""
    with redis.pipeline(transaction=False) as pipeline:
        pipeline.info()
        for name in _SETTINGS:
            pipeline.config_get(name)
        info, *settings = [_told(answer) for answer in pipeline.execute(raise_on_error=False)]
    return judge(info, {_text(name): _text(value) for answer in settings for name, value in answer.items()})


def judge(info: Mapping[str, Any], config: Mapping[str, str]) -> Durability:
    """``INFO`` and ``CONFIG GET`` as a judgement; both may lack what the server does not tell."""
    server = _server(info)
    policy = config.get("maxmemory-policy") or str(info.get("maxmemory_policy", "noeviction"))
    return Durability(
        level=_level(config),
        eviction=policy != "noeviction",
        server=server,
        problems=(*_evicts(server, policy), *_too_old(server, info), *_said(server, info, _PROBLEMS)),
        warnings=(*_nearly_full(server, info, config), *_said(server, info, _WARNINGS)),
    )


def check(durability: Durability, asked: str) -> list[str]:
    """All that is wrong and all that is doubtful, a sentence each with its mend; empty when ``asked`` is kept."""
    return [*_faults(durability, asked), *_doubts(durability, asked)]


def is_weaker(durability: Durability, asked: str) -> bool:
    """Whether it is known to promise less than ``asked``; a server that does not tell is not."""
    return durability.level is not Level.UNKNOWN and _STRENGTH[durability.level] < _STRENGTH[Level(asked)]


def require(redis: Redis, asked: str) -> list[str]:
    """Raise ``StartupError`` when the server is weaker than asked or cannot be used; returns what is only doubtful.

    A server that cannot be reached raises redis-py's own error: whether to wait for it is the caller's business.
    """
    durability = read(redis)
    if faults := _faults(durability, asked):
        raise StartupError("\n".join(faults))
    return _doubts(durability, asked)


def _faults(durability: Durability, asked: str) -> list[str]:
    level, wanted = durability.level, Level(asked)
    if not is_weaker(durability, asked):
        return list(durability.problems)
    weakness = (
        f"redis.durability is {wanted}, but {durability.server} only promises {level}: {_LOSES[level]}. Give it "
        f"`appendonly yes`, `appendfsync {_FSYNC[wanted]}` and `no-appendfsync-on-rewrite no`, or set redis.durability to {level}"
    )
    return [weakness, *durability.problems]


def _doubts(durability: Durability, asked: str) -> list[str]:
    if durability.level is not Level.UNKNOWN or asked == Level.UNSAFE:
        return list(durability.warnings)
    doubt = (
        f"{durability.server} does not tell how durable it is, so that redis.durability {asked} cannot be checked: "
        "see with its provider that a write is on disk before it is answered, or use a server that lets CONFIG GET be asked"
    )
    return [doubt, *durability.warnings]


def _level(config: Mapping[str, str]) -> Level:
    """The weakest moment counts: a server that stops syncing while it rewrites its file promises nothing."""
    if config.get("appendonly") == "no":
        return Level.UNSAFE
    if config.get("appendonly") != "yes" or config.get("appendfsync") not in _LEVELS:
        return Level.UNKNOWN
    return Level.UNSAFE if config.get("no-appendfsync-on-rewrite") == "yes" else _LEVELS[config["appendfsync"]]


def _server(info: Mapping[str, Any]) -> str:
    return next((f"{name} {info[key]}" for key, name in _NAMES.items() if key in info), "this Redis")


def _evicts(server: str, policy: str) -> list[str]:
    """Wrong even without a ``maxmemory``: the day somebody sets one, records that stop a second call are gone."""
    if policy == "noeviction":
        return []
    return [
        f"{server} drops records when its memory is full, and then people are called twice or never: set maxmemory-policy noeviction, not {policy}"
    ]


def _too_old(server: str, info: Mapping[str, Any]) -> list[str]:
    numbers = [int(part) for part in str(info.get("redis_version", "")).split(".")[:2] if part.isdecimal()]
    if not numbers or tuple(numbers) >= OLDEST:
        return []
    return [f"{server} is too old, the bridge needs Redis 6.2 or any Valkey: upgrade it, or leave redis.url empty for the embedded one"]


def _nearly_full(server: str, info: Mapping[str, Any], config: Mapping[str, str]) -> list[str]:
    limit = int(config.get("maxmemory") or info.get("maxmemory", 0))
    used = int(info.get("used_memory", 0))
    if used <= limit * _NEARLY_FULL or not limit:
        return []
    return [f"{server} has used {used / limit:.0%} of its maxmemory and will refuse events when it is full: raise maxmemory or shorten retention"]


def _said(server: str, info: Mapping[str, Any], table: tuple[tuple[str, str, str], ...]) -> list[str]:
    return [f"{server} {meaning}" for name, well, meaning in table if info.get(name, well) != well]


def _told(answer: Any) -> Mapping[Any, Any]:
    """The answer; nothing where the command was refused, as managed servers and ACLs do."""
    if isinstance(answer, ResponseError):
        return {}
    if isinstance(answer, Exception):
        raise answer
    told: Mapping[Any, Any] = answer
    return told


def _text(value: Any) -> str:
    """Bytes or text, as the client was made."""
    return value.decode() if isinstance(value, bytes) else str(value)
