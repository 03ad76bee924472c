"""``callbridge alerts``: do the receivers of alerts take them?"""

import json
import sys
from datetime import timedelta

import click

from bridge.announcing import request, trial
from bridge.cli.helping import examples
from bridge.cli.options import NOTHING_MATCHED, config_option, json_option, loaded
from bridge.config import Config
from bridge.config.schema import AlertSettings
from bridge.wiring import clock
from workers.alerting import failure
from workers.answers import TransportFailure
from workers.line import Line

_PATIENCE = timedelta(seconds=10)


@click.group()
def alerts() -> None:
    """Webhooks that this bridge sends when somebody should look; see `alerts` in the configuration."""


@alerts.command(epilog=examples("alerts test", "alerts test --url hooks.slack.com", "alerts test --json"))
@click.option("--url", "part", default="", metavar="TEXT", help="Only those whose address has this in it.")
@config_option
@json_option
def test(part: str, config_path: str | None, *, as_json: bool) -> None:
    """Send a test message to each receiver, and say what came back. Exit 1 when one did not take it, 3 when there is none."""
    config = loaded(config_path)[1]
    receivers = [receiver for receiver in config.alerts if part in receiver.url.get_secret_value()]
    if not receivers:
        click.echo("No receiver of alerts is configured with such an address; see `alerts` in config.example.yaml.", err=True)
        sys.exit(NOTHING_MATCHED)
    told = [_tried(receiver, config) for receiver in receivers]
    if as_json:
        click.echo(json.dumps(told, indent=2))
    else:
        for each in told:
            click.echo(f"{each['receiver']}: {'taken' if each['taken'] else 'NOT taken'}, {each['told']}")
    sys.exit(0 if all(each["taken"] for each in told) else 1)


def _tried(receiver: AlertSettings, config: Config) -> dict[str, object]:
    """Its host alone is shown: the rest of an address may be a secret."""
    now = clock()
    line = Line(_PATIENCE, pool_size=1)
    answer = line.send(request(trial(config.server.public_url, now), receiver, now))
    line.close()
    why = failure(answer)
    status = None if isinstance(answer, TransportFailure) else answer.status
    return {"receiver": receiver.host, "format": receiver.format.value, "taken": not why, "status": status, "told": why or f"it answered {status}"}
