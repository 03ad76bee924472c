"""``callbridge do-not-call``: the list of numbers that nobody calls."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import click

from bridge.cli.helping import examples
from bridge.cli.options import CAMPAIGN, MOMENT, NOTHING_MATCHED, by_option, config_option, json_option, known, opened
from bridge.cli.tables import out, shown, table
from bridge.ledger import Unwanted
from bridge.ledger.do_not_call import EVERY_CAMPAIGN
from bridge.number_lists import COLUMNS, BadLine, Reading, row, written
from bridge.phones import to_e164
from bridge.wiring import Services, clock

_region = click.option("--region", metavar="CC", help="Country of numbers written without a country code, such as US or DE.")
_campaign = click.option("--campaign", type=CAMPAIGN, help="Only in this campaign. Default: in every one.")


@click.group("do-not-call")
def do_not_call() -> None:
    """Numbers that nobody calls, in one campaign or in all. Adding one also stops the calls it waits for."""


@do_not_call.command(
    epilog=examples(
        "do-not-call add +16500000000 --note 'asked by letter'",
        "do-not-call add '(650) 000-0000' --region US --campaign welcome --until 30d",
    )
)
@click.argument("phones", nargs=-1, required=True, metavar="PHONE...")
@_campaign
@click.option("--until", type=MOMENT, help="When it ends: 30d from now, or an ISO time. Default: never.")
@click.option("--source", "told_by", default="operator", show_default=True, help="Who asked for it.")
@click.option("--note", default="", help="Why; shown as the reason of every call that is not made.")
@_region
@by_option
@config_option
@json_option
def add(phones: tuple[str, ...], *, region: str | None, by: str, config_path: str | None, as_json: bool, **entry: Any) -> None:
    """Put numbers on the list. Calls that they wait for, or that are planned, are stopped."""
    services = opened(config_path)
    campaign = _known_campaign(services, entry["campaign"])
    numbers = [_number(phone, region) for phone in phones]
    now = clock()
    entries = [
        Unwanted(phone=phone, campaign=campaign, source=entry["told_by"], note=entry["note"], added=now, until=entry["until"]) for phone in numbers
    ]
    _tell_added(len(entries), services.operating.add_unwanted(entries, by), as_json=as_json)


@do_not_call.command(epilog=examples("do-not-call remove +16500000000", "do-not-call remove +16500000000 --campaign welcome --json"))
@click.argument("phones", nargs=-1, required=True, metavar="PHONE...")
@_campaign
@_region
@by_option
@config_option
@json_option
def remove(phones: tuple[str, ...], *, campaign: str | None, region: str | None, by: str, config_path: str | None, as_json: bool) -> None:
    """Take numbers off the list. Calls that it prevented are not made up for. Exit 3 when none was on it."""
    services = opened(config_path)
    gone = [services.operating.remove_unwanted(_number(phone, region), campaign, by) for phone in phones]
    missing = [phone for phone, entries in zip(phones, gone, strict=True) if not entries]
    if as_json:
        click.echo(json.dumps({"removed": len(phones) - len(missing), "not_on_it": missing}))
    else:
        click.echo(f"{_counted(len(phones) - len(missing))} now off the list." + (f" Not on it: {', '.join(missing)}." if missing else ""))
    sys.exit(0 if len(missing) < len(phones) else NOTHING_MATCHED)


@do_not_call.command("list", epilog=examples("do-not-call list", "do-not-call list '+1 650-000-0000' --json"))
@click.argument("phone", required=False)
@_region
@config_option
@json_option
def list_(phone: str | None, region: str | None, config_path: str | None, *, as_json: bool) -> None:
    """Show the list, or what stands against one PHONE. Exit 3 when nothing does."""
    entries = opened(config_path).ordering.list
    found = list(entries.of(_number(phone, region)) if phone else entries.all())
    if as_json:
        click.echo(json.dumps([row(entry) for entry in found], ensure_ascii=False, indent=2))
    else:
        _show(found)
    sys.exit(0 if found else NOTHING_MATCHED)


@do_not_call.command("import", epilog=examples("do-not-call import list.csv", "do-not-call import list.csv --region DE --skip-bad"))
@click.argument("file", type=click.File(encoding="utf-8-sig"))
@click.option("--skip-bad", is_flag=True, help="Import the good lines although there are bad ones.")
@_region
@by_option
@config_option
@json_option
def import_(file: TextIO, *, region: str | None, by: str, config_path: str | None, as_json: bool, skip_bad: bool) -> None:
    """Import a CSV FILE (- for standard input): a column `phone`, and any of campaign, source, note, until.

    All lines are checked first; with a bad one nothing is imported, and the bad ones are named. Exit 1 when there were any.
    """
    services = opened(config_path)
    read = list(Reading(tuple(services.config.campaigns), clock(), region).lines(file))
    good, bad = [entry for entry in read if isinstance(entry, Unwanted)], [entry for entry in read if isinstance(entry, BadLine)]
    for line in bad:
        click.echo(f"line {line.number}: {line.why}", err=True)
    if bad and not skip_bad:
        click.echo(f"Nothing was imported: {len(bad)} of {len(read)} lines are bad. Correct them, or import the rest with --skip-bad.", err=True)
        sys.exit(1)
    _tell_added(len(good), services.operating.add_unwanted(good, by), as_json=as_json)
    sys.exit(1 if bad else 0)


@do_not_call.command(epilog=examples("do-not-call export list.csv", "do-not-call export | sort"))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@by_option
@config_option
def export(file: Path | None, by: str, config_path: str | None) -> None:
    """Write the list as CSV, to FILE or to standard output; `import` takes it back. That you did is written down."""
    services = opened(config_path)
    services.operating.export_unwanted(by)
    lines = list(written(services.ordering.list.all()))
    if file:
        file.write_text("".join(lines), encoding="utf-8")
        click.echo(f"{len(lines) - 1} entries in {file}.")
    else:
        click.echo("".join(lines), nl=False)


def _known_campaign(services: Services, campaign: str | None) -> str:
    return known(campaign, services.config.campaigns, "campaign", "--campaign") if campaign is not None else EVERY_CAMPAIGN


def _number(written: str, region: str | None) -> str:
    phone = to_e164(written, region)
    if phone is None:
        raise click.BadParameter(f"'{written}' is no phone number: write it with + and the country code, or give --region", param_hint="PHONE")
    return phone


def _show(entries: Sequence[Unwanted]) -> None:
    if not entries:
        click.echo("Nobody is on the list.", err=True)
        return
    made = table(*COLUMNS)
    for entry in entries:
        cells = {**row(entry), "campaign": "every" if entry.campaign == EVERY_CAMPAIGN else entry.campaign}
        made.add_row(*(shown(cells[name]) for name in COLUMNS))
    out().print(made)


def _tell_added(numbers: int, stopped: int, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"added": numbers, "stopping": stopped}))
    else:
        click.echo(f"{_counted(numbers)} on the list.{_stopping(stopped)}")


def _counted(numbers: int) -> str:
    return f"{numbers} number{'s are' if numbers != 1 else ' is'}"


def _stopping(numbers: int) -> str:
    return f" For {numbers} of them calls may wait or be planned: they are being stopped." if numbers else ""
