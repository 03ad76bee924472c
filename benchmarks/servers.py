"""The product's own processes and those it is compared with, for the length of a measurement: on loopback, in a folder of their own."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from benchmarks.redis import running_redis
from bridge.config import Config, load

SECRET = "0123456789abcdef0123456789abcdef"  # noqa: S105 -- opens nothing

_CONFIG = """
redis: {{url: "{redis}", durability: always}}
data_dir: {folder}
server: {{bind: "127.0.0.1:{port}"}}
calls_api: {{base_url: "{platform}", timeout: 20s}}
campaigns:
{campaigns}
sources:
  zapier: {{kind: generic, secret: {secret}, hmac: {{header: X-Signature}}, region: US}}
  hubspot: {{kind: hubspot, secret: {secret}, region: US{crm}}}
rules:
  - {{name: call new leads, source: zapier, on: lead.created, call: {{campaign: welcome, cooldown: 12h, payload: {{name: contact.name}}}}}}
  - {{name: call new contacts, source: hubspot, on: contact.created, call: {{campaign: welcome, wait_for_phone: 1h}}}}
{rules}  - {{name: stop on delete, on: "*.deleted", cancel: {{}}}}
"""
_RULE = "  - {{name: call for {name}, source: zapier, on: {name}.created, call: {{campaign: {name}, payload: {{name: contact.name}}}}}}\n"


@dataclass(frozen=True, slots=True)
class Bridge:
    """A configuration and a Redis, both of the measurement. Nothing runs yet."""

    path: Path
    port: int
    redis: Redis

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def redis_url(self) -> str:
        return f"unix://{self.redis.connection_pool.connection_kwargs['path']}"

    @property
    def config(self) -> Config:
        return load(self.path, dict(os.environ))


@contextmanager
def bridge(platform: str = "http://127.0.0.1:9", campaigns: Mapping[str, str] | None = None, crm: str = "") -> Iterator[Bridge]:
    """``campaigns``: name → token; events of type ``<name>.created`` call in them. ``crm``: where HubSpot is asked, if it is.

    Redis writes every command to disk before it answers.
    """
    named = {"welcome": "0ms", **(campaigns or {})}
    with tempfile.TemporaryDirectory(prefix="cb-bench-") as folder, running_redis(appendonly="yes", appendfsync="always") as redis:
        path, port = Path(folder) / "callbridge.yaml", free_port()
        path.write_text(
            _CONFIG.format(
                redis=f"unix://{redis.connection_pool.connection_kwargs['path']}",
                folder=folder,
                port=port,
                platform=platform,
                secret=SECRET,
                crm=f", api_token: token, api_base: {crm}" if crm else "",
                campaigns="\n".join(f"  {name}: {{token: {token}}}" for name, token in named.items()),
                rules="".join(_RULE.format(name=name) for name in named if name != "welcome"),
            )
        )
        yield Bridge(path, port, redis)


@contextmanager
def running_web(bridge: Bridge) -> Iterator[str]:
    """``callbridge web``; its log goes to a file, as a service manager would keep it. Yields its address."""
    with running([sys.executable, "-m", "bridge", "web", "--config", str(bridge.path)], bridge.path.parent / "web.log"):
        _await(f"{bridge.url}/readyz", bridge.path.parent / "web.log")
        yield bridge.url


@contextmanager
def running_empty(bridge: Bridge) -> Iterator[str]:
    """The empty application on the same gunicorn settings. Yields its address."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--config", "python:bridge.gunicorn_conf", "benchmarks.empty:app"]
    with running(command, bridge.path.parent / "empty.log", CALLBRIDGE_BIND=f"127.0.0.1:{port}"):
        _await(f"http://127.0.0.1:{port}/", bridge.path.parent / "empty.log")
        yield f"http://127.0.0.1:{port}"


@contextmanager
def running_worker(bridge: Bridge, *options: str) -> Iterator[int]:
    """``callbridge worker``, its process id."""
    with running([sys.executable, "-m", "bridge", "worker", "--config", str(bridge.path), *options], bridge.path.parent / "worker.log") as process:
        yield process.pid


@contextmanager
def running(command: list[str], log: Path, **variables: str) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("ab") as told:
        process = subprocess.Popen(command, stdout=told, stderr=told, env={**os.environ, **variables})
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=70)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise SystemExit(f"{' '.join(command[2:])} did not end when it was told to:\n{log.read_text()[-2000:]}") from None


def _await(url: str, log: Path) -> None:
    """Any answer but ``not ready`` will do."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310 -- on loopback
                return
        except urllib.error.HTTPError as answer:
            if answer.code != 503:
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise SystemExit(f"nothing answers at {url}:\n{log.read_text()[-3000:]}")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
