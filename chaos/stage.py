"""The processes: a Redis of its own, the simulator, and ``callbridge run`` with web, workers and dispatcher. Ended by pid, always."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import requests
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from bridge.config import load
from bridge.quantities import parse_duration
from bridge.redis_server import find_server
from bridge.wiring import Services, build
from chaos.proxy import Proxy
from chaos.spelling import SOURCES
from chaos.stories import RULES

_CONFIG = """server: {bind: "127.0.0.1:%(port)s", public_url: "http://127.0.0.1:%(port)s"}
redis: {url: "${REDIS_URL}"}
data_dir: ./data
calls_api: {base_url: "%(platform)s", timeout: %(timeout)s}
campaigns: {welcome: {token: welcome, rate_limit: 50/s}, numbers: {token: numbers}, follow-up: {token: follow-up}}
sources:"""
_PATIENCE = 60.0
_GRACE = 40.0
_BEYOND = 10.0  # that a lease lasts longer than the time-out of the Calls API
_OURS = ("CALLBRIDGE", "PORT", "REDIS_URL", "WEB_CONCURRENCY", "GUNICORN", "OPS_TOKEN")


class StageError(Exception):
    """Something of the harness did not come up; nothing can be said of the bridge."""


@dataclass
class Stage:
    """Where everything is. ``platform`` and ``redis_port`` are those themselves; the bridge is told of the ``line`` and the ``proxy`` before them.

    ``lease``: seconds that a worker has for one attempt.
    """

    folder: Path
    port: int
    platform: str
    redis_port: int
    proxy: Proxy
    line: Proxy
    lease: float
    environ: dict[str, str]
    redis: "subprocess.Popen[bytes]"
    bridge: "subprocess.Popen[bytes]"
    ended_by_itself: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "bridge.log"

    def services(self) -> Services:
        """The bridge's own ledger, past the proxy."""
        return build(load(self.folder / "config.yaml", {"REDIS_URL": f"redis://127.0.0.1:{self.redis_port}/0"}), redis_timeout=10)

    def ask_redis(self) -> Redis:
        return _client(self.redis_port)

    def pids(self, role: str) -> list[int]:
        """``web worker``, ``web server``, ``worker``, ``dispatcher`` (which looks after the workers), ``redis``, ``bridge`` (all but Redis)."""
        if role in {"redis", "bridge"}:
            return [(self.redis if role == "redis" else self.bridge).pid]
        parts = _children(self.bridge.pid)
        server = [pid for pid in parts if "gunicorn" in _command(pid)]
        keeper = [pid for pid in parts if "bridge worker" in _command(pid)]
        if role == "web server":
            return server
        if role == "dispatcher":
            return keeper
        if role == "web worker":
            return [pid for parent in server for pid in _children(parent)]
        return [pid for parent in keeper for pid in _children(parent) if "spawn_main" in _command(pid)]

    def start_redis(self) -> None:
        self.redis = _redis(self.folder, self.redis_port)

    def start_bridge(self) -> None:
        self.bridge = _bridge(self.folder, self.environ)

    def keep_up(self) -> None:
        """As an init system does: a bridge that ended is started again, and it is remembered that it did."""
        code = self.bridge.poll()
        if code is not None:
            self.ended_by_itself.append(code)
            self.start_bridge()


@contextmanager
def staged(timeout: str, *, keep: bool) -> Iterator[Stage]:
    """All of it up. ``keep``: leave the folder with data and log behind."""
    folder = Path(tempfile.mkdtemp(prefix="callbridge-chaos-"))
    platform_port, port, redis_port, proxy_port, line_port = free_ports(5)
    platform = f"http://127.0.0.1:{platform_port}"
    settings = {"port": port, "platform": f"http://127.0.0.1:{line_port}", "timeout": timeout}
    (folder / "config.yaml").write_text(_CONFIG % settings + SOURCES % settings + "rules:" + RULES)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    environ |= {"CALLBRIDGE_CONFIG": str(folder / "config.yaml"), "REDIS_URL": f"redis://127.0.0.1:{proxy_port}/0"}
    proxy, line, started = Proxy(proxy_port, redis_port), Proxy(line_port, platform_port), []
    try:
        with proxy.running(), line.running():
            started.append(_program(folder, environ, "simulator.log", "simulate", "--port", str(platform_port)))
            redis = _redis(folder, redis_port)
            bridge = _bridge(folder, environ)
            stage = Stage(folder, port, platform, redis_port, proxy, line, parse_duration(timeout).total_seconds() + _BEYOND, environ, redis, bridge)
            try:
                _await(lambda: _answers(f"{platform}/simulator/clock"), "the simulator")
                _await(lambda: _answers(f"{stage.url}/readyz"), f"the bridge (see {stage.log})")
                yield stage
            finally:
                _end_softly(stage.bridge)
                started += [stage.bridge, stage.redis]
    finally:
        for process in started:
            process.kill()
            process.wait()
        _end_strays(folder)
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def _redis(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    """Up and loaded. Its own settings are the bridge's own demands: append-only, fsynced before the answer, nothing dropped."""
    words = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--daemonize", "no"]
    words += ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"]
    with (folder / "redis.log").open("ab") as log:
        process = subprocess.Popen([str(find_server()), *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    with _client(port) as client:
        _await(lambda: _pongs(client), "Redis")
    return process


def _client(port: int) -> Redis:
    return Redis(host="127.0.0.1", port=port, decode_responses=True, socket_timeout=10, retry=Retry(NoBackoff(), 0))


def _bridge(folder: Path, environ: dict[str, str]) -> "subprocess.Popen[bytes]":
    return _program(folder, environ, "bridge.log", "run", "--redis-wait", "10m")


def _program(folder: Path, environ: dict[str, str], log: str, *words: str) -> "subprocess.Popen[bytes]":
    # A session of its own: Ctrl-C reaches the harness alone, which ends everything in order.
    with (folder / log).open("ab") as lines:
        command = [sys.executable, "-m", "bridge", *words]
        return subprocess.Popen(command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=lines, stderr=lines, start_new_session=True)


def _await(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise StageError(f"{what} did not come up within {_PATIENCE:.0f} s")
        time.sleep(0.05)


def _answers(url: str) -> bool:
    with suppress(requests.RequestException):
        return requests.get(url, timeout=5).ok
    return False


def _pongs(client: Redis) -> bool:
    with suppress(RedisError):
        return bool(client.ping())
    return False


def _end_softly(bridge: "subprocess.Popen[bytes]") -> None:
    bridge.terminate()
    with suppress(subprocess.TimeoutExpired):
        bridge.wait(_GRACE)


def _end_strays(folder: Path) -> None:
    """Whatever of this run is left, whoever its parent is now: it has the run's own folder in its command or its environment."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            told = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
            if str(folder).encode() in told and int(process.name) != os.getpid():
                os.kill(int(process.name), signal.SIGKILL)


def _children(parent: int) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, ppid = (process / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(ppid) == parent and state != "Z":
                found.append(int(process.name))
    return sorted(found)


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""
