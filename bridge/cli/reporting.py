"""``callbridge campaigns report``: what the platform tells of call jobs, as a table, CSV or JSON."""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from io import StringIO
from typing import Any

import click

from bridge.calls import LARGEST_PAGE
from bridge.cells import shielded
from bridge.cli.helping import examples
from bridge.cli.options import CAMPAIGN, NOTHING_MATCHED, by_option, config_option, json_option, known, loaded, opened
from bridge.cli.platform import MOST_PAGES, Report, at_platform, until_now
from bridge.cli.tables import busy, out, shown, table, when
from bridge.config import Config
from bridge.errors import Unusable
from bridge.filters import read_moment
from bridge.ledger import Act
from bridge.model import iso
from bridge.phones import mask, to_e164
from bridge.wiring import clock
from workers.answers import AttemptReport, JobReport

_JOB = ("call_job", "phone", "status", "created", "finished", "attempts", "redial", "talked_seconds", "data")
_ATTEMPT = ("call_job", "phone", "attempt", "status", "result", "started", "finished", "redial", "talked_seconds", "data")
_TIMES = frozenset({"created", "started", "finished"})

Row = dict[str, Any]


@click.command(
    epilog=examples(
        "campaigns report welcome --since 24h",
        "campaigns report welcome --phone '+1 281 332 2575' --attempts",
        "campaigns report welcome --job 5665336653 --json",
        "campaigns report welcome --since 2026-11-01 --until 2026-12-01 --csv > november.csv",
    )
)
@click.argument("name", type=CAMPAIGN)
@click.option("--phone", "phones", multiple=True, metavar="PHONE", help="The call jobs of this number; may be repeated.")
@click.option("--job", "jobs", multiple=True, metavar="ID", help="This call job; may be repeated.")
@click.option("--since", metavar="TIME", help="All that were made since then: 24h ago, or an ISO time.")
@click.option("--until", metavar="TIME", help="All that were made until then. Default: now.")
@click.option("--attempts", is_flag=True, help="A row for each attempt to reach the person, with the result that the script set.")
@click.option("--reveal", is_flag=True, help="Whole phone numbers. That you looked at them is written down.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV, for a spreadsheet.")
@by_option
@config_option
@json_option
def report(
    name: str,
    *,
    phones: tuple[str, ...],
    jobs: tuple[str, ...],
    since: str | None,
    until: str | None,
    attempts: bool,
    reveal: bool,
    as_csv: bool,
    by: str,
    config_path: str | None,
    as_json: bool,
) -> None:
    """Ask the platform for its report of call jobs: of numbers, of ids, or of a time. Exit 3 when it knows of none."""
    config = loaded(config_path)[1]
    known(name, config.campaigns, "campaign", "NAME")
    if as_csv and as_json:
        raise click.UsageError("--csv and --json exclude each other")
    wanted = _wanted(config, phones, jobs, (since, until), attempts=attempts)
    rows = _asked(config, name, wanted)
    if reveal and rows:
        _write_down(config_path, name, by)
    told = [row if reveal else _masked(row) for row in rows]
    columns = _ATTEMPT if attempts else _JOB
    if as_json:
        click.echo(json.dumps({"items": told}, ensure_ascii=False, indent=2))
    elif as_csv:
        click.echo(_csv(told, columns), nl=False)
    else:
        _show(told, columns)
    sys.exit(0 if rows else NOTHING_MATCHED)


def _wanted(config: Config, phones: Sequence[str], jobs: Sequence[str], times: tuple[str | None, str | None], *, attempts: bool) -> Report:
    if bool(phones or jobs) is bool(times[0] or times[1]):
        raise click.UsageError("say which call jobs: by --phone or --job, or all of a time by --since")
    now = clock()
    start, end = (read_moment(written, now, name) if written else None for written, name in zip(times, ("since", "until"), strict=True))
    numbers = tuple(_number(config, phone) for phone in phones)
    return Report(ids=tuple(jobs), phones=numbers, period=until_now(start, end or now), attempts=attempts)


def _number(config: Config, written: str) -> str:
    """Where numbers without a country code may be from, the sources say."""
    regions = {source.region for source in config.sources.values() if source.region}
    found = {number for region in (None, *sorted(regions)) if (number := to_e164(written, region))}
    if len(found) != 1:
        raise Unusable(f"'{written}' is no phone number: write it with + and the country code", field="phone")
    return found.pop()


def _asked(config: Config, name: str, wanted: Report) -> list[Row]:
    rows: list[Row] = []
    with at_platform(config) as platform, busy("asking the platform …"):
        for number, page in enumerate(platform.report(name, wanted), start=1):
            rows += [_row(each) for each in page]
            if number == MOST_PAGES and len(page) == LARGEST_PAGE:
                click.echo(f"note: the platform tells of no more than {len(rows)} at once; ask for a shorter time with --since and --until", err=True)
    return rows


def _row(told: JobReport | AttemptReport) -> Row:
    common = {
        "phone": f"+{told.phone}" if told.phone.isdigit() else told.phone,
        "status": told.status,
        "finished": iso(told.finished_at) if told.finished_at else None,
        "redial": told.redial,
        "talked_seconds": told.talked_seconds,
        "data": dict(told.data),
    }
    if isinstance(told, JobReport):
        return {"call_job": told.id, "created": iso(told.created_at) if told.created_at else None, "attempts": told.attempts, **common}
    started = iso(told.started_at) if told.started_at else None
    return {"call_job": told.job_id, "attempt": told.number, "result": told.result, "started": started, **common}


def _masked(row: Row) -> Row:
    """In what the script reported too: it may have noted the number that it called."""
    digits = row["phone"].removeprefix("+")
    data = json.dumps(row["data"])
    return {**row, "phone": mask(row["phone"]), "data": json.loads(data.replace(digits, mask(digits)) if digits else data)}


def _write_down(config_path: str | None, name: str, by: str) -> None:
    services = opened(config_path)
    act = Act(at=services.clock(), by=by, what="looked at whole numbers in the platform's report", targets=(f"campaign:{name}",))
    services.audit.write(act)


def _csv(rows: Iterable[Row], columns: Sequence[str]) -> str:
    written = StringIO()
    writer = csv.DictWriter(written, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({**_shielded(row), "data": json.dumps(row["data"], ensure_ascii=False) if row["data"] else ""} for row in rows)
    return written.getvalue()


def _shielded(row: Row) -> Row:
    """What a script of the platform noted may be what the person said to it. A number's + is none of its own."""
    return {name: shielded(value) if isinstance(value, str) and name != "phone" else value for name, value in row.items()}


def _show(rows: Sequence[Row], columns: Sequence[str]) -> None:
    if not rows:
        click.echo("The platform knows of no such call job.", err=True)
        return
    made = table(*(f"{column.replace('_', ' ')}{' (UTC)' if column in _TIMES else ''}" for column in columns))
    for row in rows:
        made.add_row(*(_cell(column, row[column]) for column in columns))
    out().print(made)


def _cell(column: str, value: Any) -> str:
    if column in _TIMES and value:
        return when(datetime.fromisoformat(value))
    if isinstance(value, dict):
        return shown(", ".join(f"{name}: {item}" for name, item in value.items()))
    return "" if value is None else shown(value)
