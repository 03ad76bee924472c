"""``callbridge web``: what receives webhooks, alone. It imports nothing that it does not need: the time to its first answer is mostly imports."""

import os
import sys
from datetime import timedelta

import click

from bridge import log
from bridge.cli.helping import examples
from bridge.cli.options import config_option, loaded, patience_option
from bridge.cli.supervisor import gunicorn, ready_redis, require_port
from bridge.wiring import require_redis


@click.command(epilog=examples("web", "web --redis-wait 5m"))
@config_option
@patience_option
def web(config_path: str | None, patience: timedelta) -> None:
    """Receive webhooks (gunicorn). Needs a Redis: redis.url, or a `callbridge run` beside it."""
    path, config = loaded(config_path)
    log.configure()
    require_redis(config)
    require_port(config.server.bind)
    ready_redis(config, patience)
    environment = gunicorn(path, config, os.environ)
    click.echo(f"listening at http://{config.server.bind}", err=True)
    os.execve(sys.executable, environment.command, dict(environment.variables))  # noqa: S606 -- no shell, and gunicorn is to get the signals itself
