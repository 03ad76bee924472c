"""``callbridge erase``: forget a person."""

import json
import sys
from datetime import timedelta

import click

from bridge.cli.helping import examples
from bridge.cli.options import DURATION, NOTHING_MATCHED, SOURCE, by_option, config_option, json_option, known, opened
from bridge.cli.waiting import carried_out
from bridge.model import Entry
from bridge.ordering import person_refs


@click.command(epilog=examples("erase '+1 (281) 332-2575'", "erase contact:101 --source hubspot --yes --json"))
@click.argument("who", metavar="PHONE|REF")
@click.option("--source", type=SOURCE, help="The source that REF belongs to. Default: every configured one.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--wait", "patience", type=DURATION, default="30s", show_default=True, help="How long to wait until the workers have done it.")
@by_option
@config_option
@json_option
def erase(who: str, source: str | None, patience: timedelta, *, by: str, config_path: str | None, yes: bool, as_json: bool) -> None:
    """Erase what is remembered of a person, by PHONE (with its country code) or REF (such as contact:101).

    Calls that wait or are planned are stopped first. Webhooks already received stay recognised as repeats. The do-not-call list stays
    as it is, and so does what the platform knows.
    """
    services = opened(config_path)
    sources = services.config.sources
    refs = person_refs(who, [known(source, sources, "source", "--source")] if source else list(sources))
    if not refs:
        raise click.BadParameter(f"'{who}' is neither a phone number with its country code nor a ref such as contact:101", param_hint="PHONE|REF")
    found = services.ledger.sharing(refs)
    if not found:
        click.echo("Nothing in the ledger is about this person.", err=True)
        sys.exit(NOTHING_MATCHED)
    if not yes:
        click.confirm(f"{len(found)} events are about this person. Stop their calls and erase what was received? It cannot be undone", abort=True)
    _report(carried_out(services, services.operating.erase(refs, by), patience), as_json=as_json)


def _report(entry: Entry, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"event_key": entry.key, "status": entry.status.value, "reason": entry.reason}, ensure_ascii=False))
    else:
        click.echo(f"{entry.status}: {entry.reason}")
