"""``run``, ``web``, ``worker``, ``simulate``: what stays up; and ``check``: whether it could."""

import json
import os
import sys
from pathlib import Path

import click

from bridge import log
from bridge.cli.options import config_option, json_option, loaded
from bridge.cli.supervisor import Supervisor, gunicorn, ready_redis
from bridge.config import warnings
from bridge.simulator import serve as serve_simulator
from bridge.wiring import require_redis
from workers.runner import CONCURRENCY, supervise

_processes = click.option("--processes", type=click.IntRange(1, 64), default=2, show_default=True, help="Worker processes.")
_concurrency = click.option(
    "--concurrency", type=click.IntRange(1, 500), default=CONCURRENCY, show_default=True, help="Requests in flight in each worker process, at most."
)


@click.command()
@config_option
@_processes
@_concurrency
def run(config_path: str | None, processes: int, concurrency: int) -> None:
    """Run the whole bridge in this terminal: Redis if none is configured, web, workers."""
    path, config = loaded(config_path)
    log.configure()
    sys.exit(Supervisor(path, config, processes, concurrency).run())


@click.command()
@config_option
def web(config_path: str | None) -> None:
    """Receive webhooks (gunicorn). Needs a Redis: redis.url, or a `callbridge run` beside it."""
    path, config = loaded(config_path)
    require_redis(config)
    ready_redis(config)
    environment = gunicorn(path, config, os.environ)
    click.echo(f"listening at http://{config.server.bind}", err=True)
    os.execve(sys.executable, environment.command, dict(environment.variables))  # noqa: S606 -- no shell, and gunicorn is to get the signals itself


@click.command()
@config_option
@_processes
@_concurrency
def worker(config_path: str | None, processes: int, concurrency: int) -> None:
    """Carry out what the ledger holds: worker processes and the dispatcher."""
    path, config = loaded(config_path)
    require_redis(config)
    log.configure()
    ready_redis(config)
    supervise(path.resolve(), processes, concurrency)


@click.command()
@click.argument("file", required=False)
@config_option
@json_option
def check(file: str | None, config_path: str | None, as_json: bool) -> None:
    """Check a configuration: every problem at once, with its line. Exit 2 when there is one."""
    path, config = loaded(file or config_path)
    notes = warnings(config)
    if as_json:
        click.echo(json.dumps({"ok": True, "file": str(path), "warnings": notes}))
        return
    for note in notes:
        click.echo(f"note: {note}", err=True)
    counts = f"{len(config.sources)} sources, {len(config.rules)} rules, {len(config.campaigns)} campaigns"
    click.echo(f"{Path(path).name}: good. {counts}, mode {config.mode.value}.")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=9000, show_default=True, help="0 takes a free one.")
def simulate(host: str, port: int) -> None:
    """Run the Calls API simulator alone: point calls_api.base_url at it."""

    def told(url: str) -> None:
        click.echo(
            f"Calls API simulator at {url}\n  its calls    {url}/   (JSON: {url}/simulator/calls)\n  faults       POST {url}/simulator/faults",
            err=True,
        )

    serve_simulator(host, port, ready=told)
