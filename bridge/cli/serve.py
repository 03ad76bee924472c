"""``run``, ``worker``, ``simulate``: what stays up. ``web`` is by itself, since it starts without what these need."""

import sys
from datetime import timedelta

import click

from bridge import log
from bridge.cli.helping import examples
from bridge.cli.options import config_option, loaded, patience_option
from bridge.cli.supervisor import Supervisor, ready_redis
from bridge.simulator import serve as serve_simulator
from bridge.wiring import require_redis
from workers.runner import CONCURRENCY, supervise

_processes = click.option("--processes", type=click.IntRange(1, 64), default=2, show_default=True, help="Worker processes.")
_concurrency = click.option(
    "--concurrency",
    type=click.IntRange(1, 1000),
    default=CONCURRENCY,
    show_default=True,
    help="Requests in flight in each worker process, at most; half of them to one campaign.",
)


@click.command(epilog=examples("run", "run --config /etc/callbridge.yaml --processes 4"))
@config_option
@_processes
@_concurrency
@patience_option
def run(config_path: str | None, processes: int, concurrency: int, patience: timedelta) -> None:
    """Run the whole bridge in this terminal: Redis if none is configured, web, workers."""
    path, config = loaded(config_path)
    log.configure()
    sys.exit(Supervisor(path, config, processes, concurrency, patience).run())


@click.command(epilog=examples("worker", "worker --processes 4 --concurrency 50"))
@config_option
@_processes
@_concurrency
@patience_option
def worker(config_path: str | None, processes: int, concurrency: int, patience: timedelta) -> None:
    """Carry out what the ledger holds: worker processes and the dispatcher."""
    path, config = loaded(config_path)
    log.configure()
    require_redis(config)
    ready_redis(config, patience)
    supervise(path.resolve(), processes, concurrency)


@click.command(epilog=examples("simulate", "simulate --port 9100"))
@click.option("--host", default="127.0.0.1", show_default=True, help="Where it listens.")
@click.option("--port", type=click.IntRange(0, 65535), default=9000, show_default=True, help="0 takes a free one.")
def simulate(host: str, port: int) -> None:
    """Run the Calls API simulator alone: point calls_api.base_url at it."""

    def told(url: str) -> None:
        click.echo(
            f"Calls API simulator at {url}\n  its calls    {url}/   (JSON: {url}/simulator/calls)\n  faults       POST {url}/simulator/faults",
            err=True,
        )

    serve_simulator(host, port, ready=told)
