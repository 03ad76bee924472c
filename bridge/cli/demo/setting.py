"""The demo's setting: a simulator in this process, and a bridge of its own beside it, on ports that are free."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from shutil import rmtree
from string import Template

import requests

from bridge.config import load
from bridge.embedded import is_running
from bridge.errors import StartupError
from bridge.simulator import running_simulator
from bridge.wiring import Services, build

_HERE = files("bridge.cli.demo")
SAMPLES = _HERE.joinpath("samples")
_SIMULATOR_PORT = 9000
_PORTS_TRIED = 50
_PATIENCE = 60.0
_GRACE = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A running bridge and the simulator it calls."""

    url: str
    simulator: str
    config_path: Path
    samples: Path
    log: Path
    services: Services
    bridge: "subprocess.Popen[bytes]"


@contextmanager
def staged(data_dir: Path, port: int, *, keep: bool) -> Iterator[Stage]:
    """Both are gone when the block ends. ``StartupError`` when they cannot be had."""
    if is_running(data_dir):
        raise StartupError(f"another demo is running in {data_dir}: end it with Ctrl-C there, or give this one a --data-dir of its own")
    if not keep:
        rmtree(data_dir / "redis", ignore_errors=True)
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartupError(f"{data_dir} cannot be used ({error.strerror}): name another folder with --data-dir") from error
    with running_simulator(port=_free_port(_SIMULATOR_PORT)) as simulator:
        free = _free_port(port)
        config_path = data_dir / "config.yaml"
        config_path.write_text(_config(free, simulator.url))
        _copy_samples(data_dir / "samples")
        with _bridge(config_path, data_dir / "bridge.log", f"http://127.0.0.1:{free}") as process:
            yield Stage(
                url=f"http://127.0.0.1:{free}",
                simulator=simulator.url,
                config_path=config_path,
                samples=data_dir / "samples",
                log=data_dir / "bridge.log",
                services=build(load(config_path, os.environ)),
                bridge=process,
            )


def _config(port: int, simulator: str) -> str:
    written = _HERE.joinpath("config.yaml").read_text(encoding="utf-8")
    return Template(written).substitute(port=port, simulator=simulator)


def _copy_samples(target: Path) -> None:
    """For `send` and `explain`: what the demo itself sends."""
    target.mkdir(exist_ok=True)
    for sample in SAMPLES.iterdir():
        if not sample.name.endswith(".meta.json"):
            (target / sample.name).write_bytes(sample.read_bytes())


@contextmanager
def _bridge(config_path: Path, log: Path, url: str) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {name: value for name, value in os.environ.items() if name != "PORT"}  # the demo's port is written in its configuration
    environment["CALLBRIDGE_PARENT"] = str(os.getpid())  # a demo that is killed leaves no bridge behind
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [sys.executable, "-m", "bridge", "run", "--config", str(config_path)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=lines,
            start_new_session=True,  # Ctrl-C reaches the demo alone, which ends the bridge in order
        )
        try:
            _await(lambda: _is_ready(url), process, log)
            yield process
        finally:
            _end(process)


def _await(ready: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while not ready():
        if process.poll() is not None or time.monotonic() > until:
            last = log.read_text(errors="replace").strip().rpartition("\n")[2]
            raise StartupError(f"the bridge did not come up; its last words in {log}: {last}")
        time.sleep(0.1)


def _is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=2).ok
    except requests.RequestException:
        return False


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port(wanted: int) -> int:
    """The wanted port, or the next one that nobody has."""
    for port in range(wanted, wanted + _PORTS_TRIED):
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
    raise StartupError(f"no port from {wanted} to {wanted + _PORTS_TRIED - 1} is free: name another one with --port")
