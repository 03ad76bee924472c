"""The command line as a program of its own, in a folder of its own."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests
from click.testing import CliRunner
from werkzeug.serving import make_server

from bridge.app import create_app
from bridge.cli import main
from bridge.config import load
from bridge.model import Delivery
from bridge.simulator import running_simulator
from bridge.wiring import Services, build, clock
from workers.runner import Process, build_world

OURS = ("CALLBRIDGE", "PORT", "COLUMNS")  # the last is set for processes that run tests beside each other
FIXTURES = Path(__file__).parents[1] / "fixtures"
CONFIG = """
server: {bind: "127.0.0.1:%(port)s"}
redis: {url: "%(redis)s", durability: unsafe}
data_dir: ./data
campaigns: {welcome: {token: campaign-token-of-welcome}}
sources:
  hubspot: {kind: hubspot, secret: hubspot-client-secret, api_token: hubspot-api-token, region: US}
  pipedrive: {kind: pipedrive, secret: "callbridge:correct horse"}
  billing: {kind: standard_webhooks, secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}
  zapier: {kind: generic, secret: zapier-secret-of-ours, region: US}
  lab: {kind: generic, insecure: true}
rules:
  - {name: call new leads, on: lead.created, call: {campaign: welcome, payload: {name: contact.name}}}
  - {name: stop on delete, on: lead.deleted, cancel: {campaigns: [welcome]}}
  - {name: call new contacts, source: hubspot, on: contact.created, call: {campaign: welcome}}
"""


@dataclass(frozen=True)
class Told:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Folder:
    """Where commands are run; there may be a ``config.yaml`` in it."""

    path: Path

    def write(self, name: str, content: Any) -> Path:
        file = self.path / name
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return file

    def run(self, *words: object, typed: str | None = None, **environ: str) -> Told:
        """``callbridge …`` in this process: the same door, without a new interpreter each time."""
        cleared: dict[str, str | None] = dict.fromkeys(name for name in os.environ if name.startswith(OURS))
        with chdir(self.path):
            told = CliRunner().invoke(main, [str(word) for word in words], input=typed, env={**cleared, **environ})
        if told.exception and not isinstance(told.exception, SystemExit):
            raise told.exception
        return Told(told.exit_code, told.stdout, told.stderr)

    def run_as(self, name: str, *words: object, **environ: str) -> str:
        """The same under the name that a shell calls it by; what it says."""
        with chdir(self.path):
            return CliRunner().invoke(main, [str(word) for word in words], prog_name=name, env=environ).stdout

    def spawn(self, *words: object, **environ: str) -> Told:
        """``callbridge …`` as a program of its own."""
        process = self.start(*words, **environ)
        try:
            out, err = process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.terminate()  # not killed: a supervisor that is killed leaves its Redis behind
            process.communicate(timeout=20)
            raise
        return Told(process.returncode, out, err)

    def start(self, *words: object, **environ: str) -> "subprocess.Popen[str]":
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        return subprocess.Popen(
            [sys.executable, "-m", "bridge", *map(str, words)],
            cwd=self.path,
            env={**kept, "CALLBRIDGE_PARENT": str(os.getpid()), **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@dataclass(frozen=True)
class Bridge:
    """A bridge with the simulator as its platform; webhooks of Zapier come in, and what is due is carried out when it is told to."""

    folder: Folder
    services: Services
    platform: str

    def receive(self, event_id: str = "lead-7", **more: Any) -> None:
        told = {"event_id": event_id, "type": "lead.created", "phone": "+12813322575", "name": "Alex Doe", **more}
        headers = {"authorization": "Bearer zapier-secret-of-ours", "content-type": "application/json"}
        body = json.dumps(told).encode()
        self.services.ingest.take(Delivery(source="zapier", body=body, url="http://b/webhooks/zapier", received_at=clock(), headers=headers))

    def work(self) -> None:
        process = Process(build_world(self.services.config, concurrency=4))
        process.deliver_due()
        process.hands.close()
        process.world.calls_api.close()
        process.world.crm_api.close()
        process.world.ledger.redis.close()

    def run(self, *words: object, typed: str | None = None, **environ: str) -> Told:
        return self.folder.run(*words, typed=typed, **environ)

    def status(self, event_id: str = "lead-7") -> str:
        entry = self.services.ledger.entry(f"zapier:{event_id}")
        assert entry is not None
        return entry.status.value

    @property
    def calls(self) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = requests.get(f"{self.platform}/simulator/calls", timeout=5).json()["calls"]
        return calls

    @property
    def acts(self) -> list[tuple[str, str]]:
        """Who did what, the newest first."""
        return [(act.by, act.what) for act in self.services.audit.last()]


@pytest.fixture
def folder(tmp_path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def configured(folder, redis_url, free_port) -> Folder:
    """A folder with a configuration whose ledger is the test's Redis."""
    folder.write("config.yaml", CONFIG % {"port": free_port, "redis": redis_url})
    return folder


@pytest.fixture(scope="session")
def simulated() -> Iterator[str]:
    with running_simulator() as simulator:
        yield simulator.url


@pytest.fixture
def bridge(configured, simulated) -> Iterator[Bridge]:
    requests.post(f"{simulated}/simulator/reset", timeout=5)
    written = (configured.path / "config.yaml").read_text()
    configured.write("config.yaml", f'{written}calls_api: {{base_url: "{simulated}", timeout: 2s}}\n')
    made = build(load(configured.path / "config.yaml", {}))
    with made.redis:
        yield Bridge(configured, made, simulated)


@pytest.fixture
def services(configured) -> Iterator[Services]:
    made = build(load(configured.path / "config.yaml", {}))
    with made.redis:
        yield made


@pytest.fixture
def serving(services) -> Iterator[None]:
    """The configured web application, listening."""
    server = make_server(services.config.server.host, services.config.server.port, create_app(services), threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def sample() -> Callable[[str], Path]:
    return lambda path: FIXTURES / path
