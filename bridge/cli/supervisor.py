"""``callbridge run``: Redis, web and workers as processes of one terminal, started, watched and ended together."""

import errno
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import click
from redis.exceptions import AuthenticationError, RedisError

from bridge import durability
from bridge.cli.ending import until_told
from bridge.config import Config
from bridge.embedded import EmbeddedRedis
from bridge.errors import StartupError
from bridge.ledger import connect
from bridge.quantities import show_duration
from bridge.wiring import redis_url

_GRACE = 90.0
_TOO_SOON = 5.0
_PORT_PATIENCE = 4.0
_REVIVE_PAUSE = 3.0
_log = logging.getLogger("callbridge.run")


@dataclass(frozen=True, slots=True)
class Program:
    """A command with its environment."""

    command: list[str]
    variables: Mapping[str, str]


def gunicorn(path: Path, config: Config, environ: Mapping[str, str]) -> Program:
    """The web server. It is a program of its own, so that it holds nothing of the command line's ability to call out."""
    sizes = {"CALLBRIDGE_BIND": config.server.bind, "CALLBRIDGE_MAX_BODY": str(config.server.max_body)}
    variables = {**environ, "CALLBRIDGE_CONFIG": str(path.resolve()), **sizes}
    return Program([sys.executable, "-m", "gunicorn", "--config", "python:bridge.gunicorn_conf", "bridge.app:from_environment()"], variables)


def ready_redis(config: Config, patience: timedelta, stopping: threading.Event | None = None) -> None:
    """Wait for Redis, or until told to stop; then refuse to start on one that is weaker than the configuration asks for."""
    stopping = stopping or threading.Event()
    until, told = time.monotonic() + patience.total_seconds(), False
    while not stopping.is_set():
        try:
            with connect(redis_url(config)) as client:
                for doubt in durability.require(client, config.redis.durability.value):
                    _log.warning(doubt)
        except AuthenticationError as refused:
            raise StartupError(f"Redis at {_place(config)} refused the user or the password: correct redis.url") from refused
        except RedisError as away:
            why = f"Redis does not answer at {_place(config)} ({type(away).__name__})"
            if time.monotonic() > until:
                raise StartupError(f"{why}: start it, or correct redis.url") from away
            if not told:
                click.echo(f"{why}; waiting up to {show_duration(patience)} for it", err=True)
                told = True
            stopping.wait(0.5)
        else:
            return


def require_port(bind: str, patience: float = 0.0, stopping: threading.Event | None = None) -> None:
    """``StartupError`` when the address cannot be listened at, not even after ``patience`` seconds."""
    stopping, until = stopping or threading.Event(), time.monotonic() + patience
    while error := _taken(bind):
        if error.errno != errno.EADDRINUSE or time.monotonic() > until or stopping.wait(0.2):
            raise StartupError(f"cannot listen at {bind} ({os.strerror(error.errno or 0)}): set server.bind, or PORT, to a free one") from error


def _taken(bind: str) -> OSError | None:
    host, _, port = bind.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.create_server((host.strip("[]"), int(port)), family=family):
            return None
    except OSError as error:
        return error


def _place(config: Config) -> str:
    """Where Redis is, without the password."""
    parts = urlsplit(redis_url(config))
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


@dataclass(slots=True)
class Supervisor:
    """Starts the parts in order, starts again what falls, and ends them in the opposite order."""

    path: Path
    config: Config
    processes: int
    concurrency: int
    patience: timedelta
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> int:
        """Until told to end; the exit code."""
        until_told(self.stopping)
        if self.config.redis.url:
            return self._serve(None)
        with EmbeddedRedis(self.config.data_dir, self.config.redis.durability.value, lambda line: click.echo(line, err=True)) as embedded:
            return self._serve(embedded)

    def _serve(self, embedded: EmbeddedRedis | None) -> int:
        # A bridge that was killed a moment ago leaves a web server behind that ends by itself; its port is waited for.
        require_port(self.config.server.bind, _PORT_PATIENCE, self.stopping)
        ready_redis(self.config, self.patience, self.stopping)
        if self.stopping.is_set():
            return 0
        parts = [_Part("web", self._web()), _Part("worker", self._worker())]
        try:
            for part in parts:
                part.start()
            click.echo(f"callbridge is up: http://{self.config.server.bind}  (mode {self.config.mode.value}; Ctrl-C ends it)", err=True)
            return self._watch(parts, embedded)
        finally:
            _end(parts)

    def _watch(self, parts: list["_Part"], embedded: EmbeddedRedis | None) -> int:
        while not self.stopping.wait(0.2):
            if embedded and not embedded.alive():
                self._revive(embedded)
            for part in parts:
                if not part.keep():
                    click.echo(f"callbridge: {part.name} ends as soon as it is started; see the lines above", err=True)
                    return 1
        return 0

    def _revive(self, embedded: EmbeddedRedis) -> None:
        """For as long as it takes: web answers 503 meanwhile, and workers wait. A full disk ends with more room, not with a restart."""
        _log.error("the embedded Redis ended and is started again")
        told = ""
        while not self.stopping.is_set():
            try:
                embedded.restart()
            except StartupError as error:
                if str(error) != told:
                    told = str(error)
                    _log.error("the embedded Redis does not start; it is tried again every few seconds", extra={"why": told})
                self.stopping.wait(_REVIVE_PAUSE)
            else:
                return

    def _web(self) -> Program:
        return gunicorn(self.path, self.config, self._variables())

    def _worker(self) -> Program:
        sizes = ["--processes", str(self.processes), "--concurrency", str(self.concurrency)]
        return Program([sys.executable, "-m", "bridge", "worker", *sizes], self._variables())

    def _variables(self) -> dict[str, str]:
        return {**os.environ, "CALLBRIDGE_CONFIG": str(self.path.resolve()), "CALLBRIDGE_PARENT": str(os.getpid())}


@dataclass(slots=True)
class _Part:
    name: str
    program: Program
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    falls: int = 0

    def start(self) -> None:
        # A session of its own: Ctrl-C reaches only the supervisor, which ends the parts in order.
        self.process = subprocess.Popen(self.program.command, env=dict(self.program.variables), start_new_session=True)
        self.started = time.monotonic()

    def keep(self) -> bool:
        """Start it again when it fell; False when it cannot stay up at all."""
        if self.process is None or self.process.poll() is None:
            return True
        self.falls = self.falls + 1 if time.monotonic() - self.started < _TOO_SOON else 1
        if self.falls > 3:
            return False
        _log.error("a part ended and is started again", extra={"part": self.name, "exit": self.process.returncode})
        self.start()
        return True


def _end(parts: list[_Part]) -> None:
    """Web first, so that nothing new comes in; then workers, whose open attempts end; Redis last."""
    for part in parts:
        if part.process is None or part.process.poll() is not None:
            continue
        part.process.terminate()
        try:
            part.process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            part.process.kill()
            part.process.wait()
