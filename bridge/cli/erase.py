"""``callbridge erase``: forget a person."""

import json
import sys
import time
from datetime import timedelta

import click

from bridge.cli.options import DURATION, config_option, json_option, loaded
from bridge.errors import StartupError
from bridge.model import Entry
from bridge.ordering import person_refs
from bridge.quantities import show_duration
from bridge.wiring import Services, build, require_redis

NOTHING_MATCHED = 3


@click.command()
@click.argument("who", metavar="PHONE|REF")
@click.option("--source", help="The source that REF belongs to. Default: every configured one.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--wait", "patience", type=DURATION, default="30s", show_default=True, help="How long to wait until the workers have done it.")
@config_option
@json_option
def erase(who: str, source: str | None, patience: timedelta, config_path: str | None, *, yes: bool, as_json: bool) -> None:
    """Erase what is remembered of a person, by PHONE (with its country code) or REF (such as contact:101).

    Calls that wait or are planned are stopped first. Webhooks already received stay recognised as repeats. The do-not-call list stays
    as it is, and so does what the platform knows.
    """
    config = loaded(config_path)[1]
    require_redis(config)
    if source is not None and source not in config.sources:
        raise click.BadParameter(f"no source is called '{source}'; there are {', '.join(config.sources) or 'none'}", param_hint="--source")
    refs = person_refs(who, [source] if source else list(config.sources))
    if not refs:
        raise click.BadParameter(f"'{who}' is neither a phone number with its country code nor a ref such as contact:101", param_hint="PHONE|REF")
    services = build(config)
    found = services.ledger.sharing(refs)
    if not found:
        click.echo("Nothing in the ledger is about this person.", err=True)
        sys.exit(NOTHING_MATCHED)
    if not yes:
        click.confirm(f"{len(found)} events are about this person. Stop their calls and erase what was received? It cannot be undone", abort=True)
    _report(_carried_out(services, services.ordering.erase(refs), patience), as_json=as_json)


def _carried_out(services: Services, key: str, patience: timedelta) -> Entry:
    """The workers do it, since there may be a call to stop."""
    until = time.monotonic() + patience.total_seconds()
    while True:
        entry = services.ledger.entry(key)
        if entry and entry.status.finished:
            return entry
        if time.monotonic() > until:
            why = f" It says: {entry.reason}." if entry else ""
            raise StartupError(f"ordered, but not done within {show_duration(patience)}: are workers running?{why} `callbridge explain {key}` tells")
        time.sleep(0.1)


def _report(entry: Entry, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"event_key": entry.key, "status": entry.status.value, "reason": entry.reason}, ensure_ascii=False))
    else:
        click.echo(f"{entry.status}: {entry.reason}")
