"""Options that several commands share."""

import os
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from difflib import get_close_matches
from getpass import getuser
from pathlib import Path
from typing import Any

import click
import yaml
from click.shell_completion import CompletionItem

from bridge.config import Config, find, load
from bridge.operators import LONGEST_NAME, read_name
from bridge.quantities import parse_duration
from bridge.sources.values import moment
from bridge.wiring import Services, build, clock, require_redis

NOTHING_MATCHED = 3
"""The exit code that says so."""


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


class Named(click.ParamType[str]):
    """A name of the configuration; the shell completes it. Whether there is such a thing, the command says."""

    name = "name"

    def __init__(self, section: str) -> None:
        self._section = section

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        del param
        return [CompletionItem(name) for name in _names(ctx.params.get("config_path"), self._section) if name.startswith(incomplete)]


class _Operator(click.ParamType[str]):
    """A name as the history shows it."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        name = read_name(str(value))
        if name is None:
            self.fail(f"a name is at most {LONGEST_NAME} characters that can be seen", param, ctx)
        return name


DURATION = _Duration()
MOMENT = _Moment()
SOURCE, CAMPAIGN, RULE = Named("sources"), Named("campaigns"), Named("rules")


def login_name() -> str:
    """Who is at the keyboard; a container may know only a number."""
    try:
        return read_name(getuser()) or "command line"
    except (KeyError, OSError):
        return f"user {os.getuid()}"


config_option: Callable[[Any], Any] = click.option(
    "--config",
    "config_path",
    metavar="FILE",
    type=click.Path(),
    help="Configuration file. Default: $CALLBRIDGE_CONFIG, else ./config.yaml.",
)
query_option: Callable[[Any], Any] = click.option(
    "--query", default="", metavar="NAME=VALUE", help="What the webhook's URL ends in, such as type=lead.created, where the CRM was told so."
)
json_option: Callable[[Any], Any] = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
patience_option: Callable[[Any], Any] = click.option(
    "--redis-wait", "patience", type=DURATION, default="60s", show_default=True, help="How long to wait for Redis at the start, such as 5m."
)
by_option: Callable[[Any], Any] = click.option(
    "--by", type=_Operator(), default=login_name, metavar="NAME", help="Who does it, as the history tells. Default: your login name."
)


def loaded(config_path: str | None) -> tuple[Path, Config]:
    """The configuration file that applies, and what it says."""
    path = find(config_path, os.environ)
    return path, load(path, os.environ)


def opened(config_path: str | None) -> Services:
    """The bridge of a configuration, with its ledger. ``StartupError`` where none is to be found."""
    config = loaded(config_path)[1]
    require_redis(config)
    return build(config)


def known(name: str, names: Collection[str], what: str, hint: str) -> str:
    """The name, when there is such a thing; else the command ends with what there is, and what was probably meant."""
    if name not in names:
        raise click.BadParameter(f"no {what} is called '{name}'; there are {', '.join(names) or 'none'}{meant_instead(name, names)}", param_hint=hint)
    return name


def meant_instead(name: str, names: Collection[str]) -> str:
    """The end of a sentence about a name that does not exist."""
    close = get_close_matches(name, names, n=1)
    return f". Did you mean '{close[0]}'?" if close else ""


def _names(config_path: str | None, section: str) -> list[str]:
    """As they stand in the file: it need not be right, nor its variables set, to complete a name."""
    try:
        document = yaml.safe_load(find(config_path, os.environ).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return []
    found = document.get(section) if isinstance(document, dict) else None
    if isinstance(found, dict):
        return [str(name) for name in found]
    return [str(each["name"]) for each in found or () if isinstance(each, dict) and "name" in each]
