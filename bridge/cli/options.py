"""Options that several commands share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bridge.config import Config, find, load

config_option: Callable[[Any], Any] = click.option(
    "--config", "config_path", metavar="FILE", help="Configuration file. Default: $CALLBRIDGE_CONFIG, else ./config.yaml."
)
json_option: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")


def loaded(config_path: str | None) -> tuple[Path, Config]:
    """The configuration file that applies, and what it says."""
    path = find(config_path, os.environ)
    return path, load(path, os.environ)
