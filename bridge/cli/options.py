"""Options that several commands share."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from bridge.config import Config, find, load
from bridge.quantities import parse_duration


class _Duration(click.ParamType[timedelta]):
    """``10s``, ``5m``, ``24h``, as in the configuration."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


DURATION = _Duration()

config_option: Callable[[Any], Any] = click.option(
    "--config", "config_path", metavar="FILE", help="Configuration file. Default: $CALLBRIDGE_CONFIG, else ./config.yaml."
)
json_option: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


def loaded(config_path: str | None) -> tuple[Path, Config]:
    """The configuration file that applies, and what it says."""
    path = find(config_path, os.environ)
    return path, load(path, os.environ)
