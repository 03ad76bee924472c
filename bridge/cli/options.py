"""Options that several commands share."""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from bridge.config import Config, find, load
from bridge.quantities import parse_duration
from bridge.sources.values import moment
from bridge.wiring import clock


class _Duration(click.ParamType[timedelta]):
    """``10s``, ``5m``, ``24h``, as in the configuration."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Moment(click.ParamType[datetime]):
    """A time to come: ``30d`` from now, or ISO 8601; without a zone it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            found = moment(value) or clock() + parse_duration(value)
        except ValueError:
            self.fail(f"'{value}' is no time: write 30d, or an ISO time such as 2027-01-31T00:00:00Z", param, ctx)
        if found <= clock():
            self.fail(f"'{value}' is over already", param, ctx)
        return found


DURATION = _Duration()
MOMENT = _Moment()

config_option: Callable[[Any], Any] = click.option(
    "--config", "config_path", metavar="FILE", help="Configuration file. Default: $CALLBRIDGE_CONFIG, else ./config.yaml."
)
query_option: Callable[[Any], Any] = click.option(
    "--query", default="", metavar="NAME=VALUE", help="What the webhook's URL ends in, such as type=lead.created, where the CRM was told so."
)
json_option: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


def loaded(config_path: str | None) -> tuple[Path, Config]:
    """The configuration file that applies, and what it says."""
    path = find(config_path, os.environ)
    return path, load(path, os.environ)
