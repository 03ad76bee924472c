"""``callbridge do-not-call``: the list of numbers that nobody calls."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

import click
from rich.console import Console
from rich.table import Table

from bridge.cli.options import MOMENT, config_option, json_option, loaded
from bridge.ledger import Unwanted
from bridge.ledger.do_not_call import EVERY_CAMPAIGN
from bridge.number_lists import COLUMNS, BadLine, Reading, row, written
from bridge.phones import to_e164
from bridge.wiring import Services, build, clock, require_redis

NOTHING_MATCHED = 3

_region = click.option("--region", metavar="CC", help="Country of numbers written without a country code, such as US or DE.")
_campaign = click.option("--campaign", help="Only in this campaign. Default: in every one.")


@click.group("do-not-call")
def do_not_call() -> None:
    """Numbers that nobody calls, in one campaign or in all. Adding one also stops the calls it waits for."""


@do_not_call.command()
@click.argument("phones", nargs=-1, required=True, metavar="PHONE...")
@_campaign
@click.option("--until", type=MOMENT, help="When it ends: 30d from now, or an ISO time. Default: never.")
@click.option("--source", "told_by", default="operator", show_default=True, help="Who asked for it.")
@click.option("--note", default="", help="Why; shown as the reason of every call that is not made.")
@_region
@config_option
def add(phones: tuple[str, ...], region: str | None, config_path: str | None, **entry: Any) -> None:
    """Put numbers on the list."""
    services = _services(config_path)
    campaign = _known_campaign(services, entry["campaign"])
    numbers = [_number(phone, region) for phone in phones]
    now = clock()
    entries = [
        Unwanted(phone=phone, campaign=campaign, source=entry["told_by"], note=entry["note"], added=now, until=entry["until"]) for phone in numbers
    ]
    stopped = services.ordering.do_not_call(entries)
    click.echo(f"{_counted(len(entries))} on the list.{_stopping(stopped)}")


@do_not_call.command()
@click.argument("phones", nargs=-1, required=True, metavar="PHONE...")
@_campaign
@_region
@config_option
def remove(phones: tuple[str, ...], campaign: str | None, region: str | None, config_path: str | None) -> None:
    """Take numbers off the list. Calls that it prevented are not made up for. Exit 3 when none was on it."""
    services = _services(config_path)
    gone = [services.ordering.list.remove(_number(phone, region), campaign) for phone in phones]
    missing = [phone for phone, entries in zip(phones, gone, strict=True) if not entries]
    click.echo(f"{_counted(len(phones) - len(missing))} now off the list." + (f" Not on it: {', '.join(missing)}." if missing else ""))
    sys.exit(0 if len(missing) < len(phones) else NOTHING_MATCHED)


@do_not_call.command("list")
@click.argument("phone", required=False)
@_region
@config_option
@json_option
def list_(phone: str | None, region: str | None, config_path: str | None, *, as_json: bool) -> None:
    """Show the list, or what stands against one PHONE. Exit 3 when nothing does."""
    entries = _services(config_path).ordering.list
    found = list(entries.of(_number(phone, region)) if phone else entries.all())
    if as_json:
        click.echo(json.dumps([row(entry) for entry in found], ensure_ascii=False, indent=2))
    else:
        _show(found)
    sys.exit(0 if found else NOTHING_MATCHED)


@do_not_call.command("import")
@click.argument("file", type=click.File(encoding="utf-8-sig"))
@click.option("--skip-bad", is_flag=True, help="Import the good lines although there are bad ones.")
@_region
@config_option
def import_(file: TextIO, region: str | None, config_path: str | None, *, skip_bad: bool) -> None:
    """Import a CSV FILE (- for standard input): a column `phone`, and any of campaign, source, note, until.

    All lines are checked first; with a bad one nothing is imported, and the bad ones are named. Exit 1 when there were any.
    """
    services = _services(config_path)
    read = list(Reading(tuple(services.config.campaigns), clock(), region).lines(file))
    good, bad = [entry for entry in read if isinstance(entry, Unwanted)], [entry for entry in read if isinstance(entry, BadLine)]
    for line in bad:
        click.echo(f"line {line.number}: {line.why}", err=True)
    if bad and not skip_bad:
        click.echo(f"Nothing was imported: {len(bad)} of {len(read)} lines are bad. Correct them, or import the rest with --skip-bad.", err=True)
        sys.exit(1)
    stopped = services.ordering.do_not_call(good)
    click.echo(f"{_counted(len(good))} on the list.{_stopping(stopped)}")
    sys.exit(1 if bad else 0)


@do_not_call.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@config_option
def export(file: Path | None, config_path: str | None) -> None:
    """Write the list as CSV, to FILE or to standard output; `import` takes it back."""
    entries = _services(config_path).ordering.list.all()
    lines = list(written(entries))
    if file:
        file.write_text("".join(lines), encoding="utf-8")
        click.echo(f"{len(lines) - 1} entries in {file}.")
    else:
        click.echo("".join(lines), nl=False)


def _services(config_path: str | None) -> Services:
    config = loaded(config_path)[1]
    require_redis(config)
    return build(config)


def _known_campaign(services: Services, campaign: str | None) -> str:
    if campaign is not None and campaign not in services.config.campaigns:
        raise click.BadParameter(f"no campaign is called '{campaign}'; there are {', '.join(services.config.campaigns)}", param_hint="--campaign")
    return campaign or EVERY_CAMPAIGN


def _number(written: str, region: str | None) -> str:
    phone = to_e164(written, region)
    if phone is None:
        raise click.BadParameter(f"'{written}' is no phone number: write it with + and the country code, or give --region", param_hint="PHONE")
    return phone


def _show(entries: Iterable[Unwanted]) -> None:
    table = Table(box=None, header_style="bold")
    for column in COLUMNS:
        table.add_column(column)
    for entry in entries:
        table.add_row(*({**row(entry), "campaign": "every" if entry.campaign == EVERY_CAMPAIGN else entry.campaign}[name] for name in COLUMNS))
    Console().print(table if table.row_count else "Nobody is on the list.")


def _counted(numbers: int) -> str:
    return f"{numbers} number{'s are' if numbers != 1 else ' is'}"


def _stopping(numbers: int) -> str:
    return f" For {numbers} of them calls may wait or be planned: they are being stopped." if numbers else ""
