"""The whole bridge as real processes, each with a port and a data directory of its own, against the simulator.

``bridge()`` starts ``callbridge run`` on an embedded Redis; what it gives back can be asked, hurt and started again.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests

from bridge.config import load
from bridge.errors import LedgerUnavailable
from bridge.model import Entry
from bridge.simulator import running_simulator
from bridge.wiring import build

CONFIG = """
server: {bind: "127.0.0.1:%(port)s"}
redis: {url: %(redis)s}
data_dir: ./data
calls_api: {base_url: "%(platform)s", timeout: %(timeout)s}
campaigns: {welcome: {token: welcome}}
sources: {zapier: {kind: generic, secret: zapier-secret}}
rules:
  - {name: call new leads, on: lead.created, call: {campaign: welcome}}
  - {name: stop on delete, on: lead.deleted, cancel: {campaigns: [welcome]}}
"""
HEADERS = {"Authorization": "Bearer zapier-secret", "Content-Type": "application/json"}
Found = TypeVar("Found")


def until(condition: Callable[[], Found], seconds: float = 15.0, every: float = 0.05) -> Found:
    """Wait until the condition is true, and give what it gave; fail when the time is up."""
    give_up = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > give_up:
            pytest.fail(f"waited {seconds} s in vain; the last answer was {found!r}")
        time.sleep(every)
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def is_running(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@dataclass
class Bridge:
    """One bridge: a folder with its configuration, and whatever processes of it are running."""

    folder: Path
    port: int
    started: "list[subprocess.Popen[bytes]]" = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def start(self, *command: str) -> "subprocess.Popen[bytes]":
        """``callbridge <command>``, by default ``run``; its configuration is found as operators name it, by the environment."""
        environ = {**os.environ, "CALLBRIDGE_CONFIG": str(self.config), "CALLBRIDGE_PARENT": str(os.getpid())}  # no run outlives its tests
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "bridge", *(command or ("run",))],
                env=environ,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.started.append(process)
        return process

    def up(self) -> "Bridge":
        """Once it can store what it is given."""
        until(lambda: self.get("/readyz") == 200 or self.started[-1].poll() is not None, 30)
        assert self.started[-1].poll() is None, self.log
        return self

    def stop(self) -> int:
        """As an operator does: SIGTERM to what was started last, and its exit code."""
        process = self.started.pop()
        process.terminate()
        return process.wait(20)

    def get(self, path: str) -> int | None:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection, suppress(OSError, http.client.HTTPException):
            connection.request("GET", path)
            return connection.getresponse().status
        return None

    def deliver(self, body: Any, session: requests.Session | None = None) -> tuple[int, str]:
        """The answer's status, and the word for its first event."""
        post = session.post if session else requests.post
        answer = post(f"http://127.0.0.1:{self.port}/webhooks/zapier", data=json.dumps(body), headers=HEADERS, timeout=10)
        return answer.status_code, answer.json()["events"][0]["status"] if answer.status_code < 300 else answer.text

    def entry(self, key: str) -> Entry | None:
        """What the ledger says; None while Redis is away too."""
        services = build(load(self.config, {}), redis_timeout=20)  # a machine with much to do may keep a test waiting
        with services.redis, suppress(LedgerUnavailable):
            return services.ledger.entry(key)
        return None

    def status(self, key: str) -> str | None:
        entry = self.entry(key)
        return entry.status if entry else None

    def unfinished(self) -> list[str]:
        services = build(load(self.config, {}), redis_timeout=20)  # a machine with much to do may keep a test waiting
        with services.redis:
            return list(services.ledger.unfinished())

    def pids(self, command: str = "") -> set[int]:
        """The running processes of this bridge, whoever their parent is now; ``command`` is a part of their command line."""
        found = set()
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                line, environ = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
                if str(self.folder).encode() in line + environ and command.encode() in line.replace(b"\0", b" "):
                    found.add(int(process.name))
        return {pid for pid in found if is_running(pid)}

    def kill(self, command: str) -> set[int]:
        """``kill -9`` of the processes with this in their command line."""
        killed = self.pids(command)
        assert killed, f"no process of this bridge has {command!r} in its command line"
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        return killed

    def end(self) -> None:
        """Whatever a test left running."""
        for process in self.started:
            process.terminate()
        for process in self.started:
            with suppress(subprocess.TimeoutExpired):
                process.wait(15)
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self.started:
            process.wait()


@dataclass(frozen=True)
class Platform:
    """The simulator of the Calls API."""

    url: str

    def calls(self) -> list[dict[str, Any]]:
        return requests.get(f"{self.url}/simulator/calls", timeout=5).json()["calls"]

    def requests(self) -> list[dict[str, Any]]:
        return requests.get(f"{self.url}/simulator/requests", timeout=5).json()["requests"]

    def fault(self, fault: str, **more: Any) -> None:
        requests.post(f"{self.url}/simulator/faults", json={"fault": fault, **more}, timeout=5).raise_for_status()

    def mend(self) -> None:
        requests.delete(f"{self.url}/simulator/faults", timeout=5).raise_for_status()


@pytest.fixture(scope="session", autouse=True)
def _needs_proc() -> None:
    if not Path("/proc/self/environ").exists():
        pytest.skip("looks for processes in /proc")


@pytest.fixture
def platform() -> Iterator[Platform]:
    with running_simulator() as simulator:
        yield Platform(simulator.url)


@pytest.fixture
def new_bridge(platform) -> Iterator[Callable[..., Bridge]]:
    """A bridge that is configured and not started yet."""
    made: list[Bridge] = []

    def make(*, redis: str = "", timeout: str = "10s") -> Bridge:
        folder, port = Path(tempfile.mkdtemp(prefix="cb-e2e-")), free_port()
        (folder / "config.yaml").write_text(CONFIG % {"port": port, "redis": redis, "platform": platform.url, "timeout": timeout})
        made.append(Bridge(folder, port))
        return made[-1]

    yield make
    for each in made:
        each.end()
        shutil.rmtree(each.folder, ignore_errors=True)


@pytest.fixture
def bridge(new_bridge) -> Callable[..., Bridge]:
    """``callbridge run``, up."""

    def started(**settings: str) -> Bridge:
        made: Bridge = new_bridge(**settings)
        made.start()
        return made.up()

    return started


@pytest.fixture(name="until")
def wait_until() -> Callable[..., Any]:
    return until


@pytest.fixture
def lead() -> Callable[..., dict[str, Any]]:
    """A new lead; each number is another person."""
    return lambda number=1, **more: {
        "event_id": f"lead-{number}",
        "type": "lead.created",
        "phone": f"+1281332{2000 + number}",
        "entity": {"type": "lead", "id": str(number)},
        **more,
    }
