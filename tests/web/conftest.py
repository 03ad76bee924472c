"""The web application over a real Redis, and a sender that signs as the CRMs do.

``door``: the application itself. ``start_web``: the same behind the real web server, as a process of its own.
"""

import http.client
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from bridge.app import create_app
from bridge.config import load
from bridge.log import JsonLines
from bridge.sources.base import Signed, Source
from bridge.wiring import Services, build, clock

PUBLIC = "https://bridge.example.com"
CONFIG = """
server: {public_url: %(public)s, max_body: 64KiB}
redis: {url: "%(redis)s", durability: unsafe}
data_dir: %(data)s
campaigns: {welcome: {token: campaign-token-of-welcome}}
sources:
  hubspot: {kind: hubspot, secret: hubspot-client-secret}
  pipedrive: {kind: pipedrive, secret: "callbridge:correct horse"}
  billing: {kind: standard_webhooks, secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}
  zapier: {kind: generic, secret: zapier-secret-of-ours}
  lab: {kind: generic, insecure: true}
  odoo: {kind: odoo, secret: odoo-secret-of-ours}
rules:
  - {name: call new leads, on: lead.created, call: {campaign: welcome, payload: {name: contact.name}}}
  - {name: stop on delete, on: lead.deleted, cancel: {campaigns: [welcome]}}
"""
SERVED = """
server: {bind: "127.0.0.1:%(port)s", public_url: "%(public)s", max_body: %(max_body)s}
redis: {url: "%(redis)s", durability: unsafe}
data_dir: %(data)s
sources:
  hubspot: {kind: hubspot, secret: hubspot-client-secret}
  zapier: {kind: generic, secret: zapier-secret}
  salesforce: {kind: salesforce, secret: salesforce-secret}
"""
LEAD = {"event_id": "lead-7", "type": "lead.created", "phone": "+12813322575", "name": "Alex Doe", "entity": {"type": "lead", "id": "7"}}


def lead(number: int = 7, **more: Any) -> dict[str, Any]:
    """What a generic sender says about one new lead; each number is another person."""
    return {**LEAD, "event_id": f"lead-{number}", "entity": {"type": "lead", "id": str(number)}, "phone": f"+1281332{2568 + number}", **more}


@dataclass
class Door:
    """The web application and what stands behind it."""

    services: Services
    client: FlaskClient

    def deliver(self, source: str, body: Any, *, query: str = "", headers: Mapping[str, str] | None = None) -> TestResponse:
        """Signed as the source's CRM would; ``headers`` replace what the signature says."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        path = f"/webhooks/{source}{query}"
        adapter = self.services.sources[source]
        signed = adapter.sign(raw, PUBLIC + path, clock()) if adapter.secrets else Signed(raw, PUBLIC + path, {"Content-Type": "application/json"})
        return self.client.post(signed.url.removeprefix(PUBLIC), data=signed.body, headers={**signed.headers, **(headers or {})})

    def refused(self, source: str) -> list[dict[str, Any]]:
        """The ring of refused requests, the last one first."""
        return [json.loads(kept) for kept in self.services.redis.lrange(f"callbridge:1:refused:{source}", 0, -1)]

    def refusals(self, source: str) -> dict[str, str]:
        return self.services.redis.hgetall(f"callbridge:1:refused:count:{source}")


@pytest.fixture
def open_door(tmp_path) -> Callable[[str], Door]:
    """A door whose ledger is at the given Redis URL."""

    def opened(url: str) -> Door:
        path = tmp_path / "config.yaml"
        path.write_text(CONFIG % {"public": PUBLIC, "redis": url, "data": tmp_path})
        services = build(load(path, {}), redis_timeout=1.0)
        return Door(services, create_app(services).test_client())

    return opened


@pytest.fixture
def door(open_door, redis_url) -> Door:
    return open_door(redis_url)


@pytest.fixture(name="lead")
def a_lead() -> Callable[..., dict[str, Any]]:
    return lead


@pytest.fixture
def log_lines(caplog) -> Callable[[str], list[dict[str, Any]]]:
    """The lines of one logger, as they would be written."""
    caplog.set_level(logging.INFO)
    return lambda logger: [json.loads(JsonLines().format(record)) for record in caplog.records if record.name == logger]


@dataclass
class Web:
    """``callbridge web`` on a port of its own."""

    port: int
    hubspot: Source
    process: "subprocess.Popen[bytes]"
    folder: Path

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def connect(self) -> "closing[http.client.HTTPConnection]":
        return closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10))

    def post(self, path: str, body: Any, headers: Mapping[str, str], **more: Any) -> tuple[int, bytes]:
        with self.connect() as connection:
            return exchange(connection, path, body, headers, **more)

    def call(self, words: bytes = b"") -> socket.socket:
        """A connection over which these bytes went; it stays open."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        connection.sendall(words)
        return connection

    def say(self, words: bytes) -> bytes:
        """Everything the server answers to these bytes; the connection is closed for writing behind them."""
        with self.call(words) as connection:
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def memory(self) -> int:
        """Bytes in memory of all its processes."""
        tree = subprocess.run(["ps", "-o", "rss=", "--pid", str(self.process.pid), "--ppid", str(self.process.pid)], capture_output=True, check=True)
        return sum(int(line) * 1024 for line in tree.stdout.split())


def exchange(connection: http.client.HTTPConnection, path: str, body: Any, headers: Mapping[str, str], **more: Any) -> tuple[int, bytes]:
    connection.request("POST", path, body, headers, **more)
    answer = connection.getresponse()
    return answer.status, answer.read()


@contextmanager
def running_web(redis: str, workers: int, max_body: str, **environ: str) -> Iterator[Web]:
    folder = Path(tempfile.mkdtemp(prefix="cb-web-"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    path = folder / "config.yaml"
    path.write_text(SERVED % {"port": port, "public": PUBLIC, "redis": redis, "data": folder, "max_body": max_body})
    with (folder / "log").open("wb") as log:
        variables = {**os.environ, "WEB_CONCURRENCY": str(workers), **environ}
        process = subprocess.Popen([sys.executable, "-m", "bridge", "web", "--config", str(path)], env=variables, stdout=log, stderr=log)
    try:
        web = Web(port, build(load(path, {})).sources["hubspot"], process, folder)
        _answers(web)
        yield web
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(25)
        shutil.rmtree(folder, ignore_errors=True)


def _answers(web: Web) -> None:
    """Once it ends a connection, with an answer or without: the port is open before there is a worker."""
    for _ in range(400):
        assert web.process.poll() is None, f"callbridge web ended at once: {web.log}"
        with suppress(ConnectionRefusedError), suppress(ConnectionResetError):
            web.say(b"GET /healthz HTTP/1.0\r\n\r\n")
            return
        time.sleep(0.05)
    pytest.fail("callbridge web does not answer")


@pytest.fixture(scope="module")
def start_web(redis_server: str) -> Iterator[Callable[..., Web]]:
    """``start_web(workers=2, max_body="64KiB")``, and environment variables by name."""
    with ExitStack() as started:

        def start(*, workers: int = 1, max_body: str = "64KiB", **environ: str) -> Web:
            return started.enter_context(running_web(redis_server, workers, max_body, **environ))

        yield start


@pytest.fixture(scope="module")
def web(start_web: Callable[..., Web]) -> Web:
    return start_web()
