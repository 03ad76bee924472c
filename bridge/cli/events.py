"""``callbridge events``: what the ledger holds, having it decided again, and stopping its calls."""

import json
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import click
from rich.console import Console

from bridge.calls import shown as shown_request
from bridge.cli.explain import did, tell
from bridge.cli.helping import examples
from bridge.cli.listing import list_
from bridge.cli.looking import MOST_NAMED, NOT_FOUND, named
from bridge.cli.options import DURATION, NOTHING_MATCHED, by_option, config_option, json_option, opened
from bridge.cli.tables import out, shown, table
from bridge.cli.waiting import carried_out
from bridge.errors import Unusable
from bridge.foreseeing import Foreseen
from bridge.model import Entry, HttpRequest
from bridge.replaying import Mode
from bridge.wiring import Services


@click.group()
def events() -> None:
    """Events that were received: what became of them, replay, cancel."""


events.add_command(list_)


@events.command(epilog=examples("events show lead-7", "events show '+1 (281) 332-2575' --limit 5", "events show deal:555 --json"))
@click.argument("what", metavar="EVENT_ID|PHONE|REF|WORDS")
@click.option("--limit", type=click.IntRange(1, 1000), default=MOST_NAMED, show_default=True, help="The newest so many.")
@config_option
@json_option
def show(what: str, limit: int, config_path: str | None, *, as_json: bool) -> None:
    """Show what did happen to an event, and why; the same as `explain`. Exit 3 when nothing matches."""
    tell(did(what, config_path, limit), as_json=as_json)


@events.command(
    epilog=examples(
        "events replay lead-7 --dry-run",
        "events replay lead-7",
        "events replay '+1 (281) 332-2575' --mode request",
        "events replay lead-7 --mode again --reason 'the line was dead'",
    )
)
@click.argument("keys", nargs=-1, required=True, metavar="EVENT_ID|PHONE|REF...")
@click.option(
    "--mode",
    type=click.Choice([mode.value for mode in Mode]),
    default=Mode.RULES.value,
    show_default=True,
    help="rules: from the delivery as received, with today's rules. request: the exact request of before. again: another call, under a new key.",
)
@click.option("--reason", default="", metavar="TEXT", help="Why; it is written down. `again` needs one.")
@click.option("--dry-run", is_flag=True, help="Say what would come of it, and change nothing.")
@by_option
@config_option
@json_option
def replay(keys: tuple[str, ...], *, mode: str, config_path: str | None, as_json: bool, dry_run: bool, by: str, reason: str) -> None:
    """Decide events again that failed, were suppressed or ignored, under the same key.

    Nobody is called twice for one event: one that is done is left alone, unless --mode again says so. Exit 1 when one of them was not
    replayed, 3 when nothing matches.
    """
    services, how = opened(config_path), Mode(mode)
    found = _named(services, keys, one_each=how is Mode.AGAIN)
    if dry_run:
        _foretell(services, found, how, as_json=as_json)
        return
    told = [services.operating.replay(entry, how, by, reason) for entry in found]
    if as_json:
        click.echo(json.dumps([{"key": each.key, "replayed": each.good, "told": each.told} for each in told], ensure_ascii=False, indent=2))
    else:
        for each in told:
            click.echo(f"{'replayed' if each.good else 'NOT replayed'}  {each.key}  {shown(each.told)}")
    sys.exit(0 if all(each.good for each in told) else 1)


@events.command(epilog=examples("events cancel lead-7 --note 'asked on the phone'", "events cancel '+1 (281) 332-2575' --json"))
@click.argument("keys", nargs=-1, required=True, metavar="EVENT_ID|PHONE|REF...")
@click.option("--note", default="", metavar="TEXT", help="Why; it is written down.")
@click.option("--wait", "patience", type=DURATION, default="30s", show_default=True, help="How long to wait until the workers have done it.")
@by_option
@config_option
@json_option
def cancel(keys: tuple[str, ...], *, note: str, patience: timedelta, by: str, config_path: str | None, as_json: bool) -> None:
    """Stop the calls of these events' records: those that wait, and those that are planned at the platform.

    A conversation under way is left to end. Newer events may call again. Exit 1 when it could not be done, 3 when nothing matches.
    """
    services = opened(config_path)
    orders = {entry.key: services.operating.cancel(entry, by, note) for entry in _named(services, keys)}
    done = {key: carried_out(services, order, patience) for key, order in orders.items()}
    if as_json:
        told = [{"key": key, "order": entry.key, "status": entry.status.value, "reason": entry.reason} for key, entry in done.items()]
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        for key, entry in done.items():
            click.echo(f"{entry.status}  {key}  {shown(entry.reason)}")


def _named(services: Services, keys: Sequence[str], *, one_each: bool = False) -> list[Entry]:
    """The events that are meant, each once. ``one_each``: every word must name a single one."""
    found: dict[str, Entry] = {}
    for key in keys:
        entries = named(services.finder, key)
        if not entries:
            click.echo(f"'{key}': {NOT_FOUND[0].lower()}{NOT_FOUND[1:]}", err=True)
        if one_each and len(entries) > 1:
            raise Unusable(f"'{key}' is {len(entries)} events, and the person would be called for each of them: name one by its id")
        found |= {entry.key: entry for entry in entries}
    if not found:
        sys.exit(NOTHING_MATCHED)
    return list(found.values())


def _foretell(services: Services, entries: Sequence[Entry], mode: Mode, *, as_json: bool) -> None:
    seen = [(entry, services.operating.replaying.foresee(entry, mode)) for entry in entries]
    if as_json:
        click.echo(json.dumps([_foretold(services, entry, foreseen) for entry, foreseen in seen], ensure_ascii=False, indent=2))
        return
    console = out()
    for entry, foreseen in seen:
        _show_foreseen(console, services, entry, foreseen)
    console.print("Nothing was changed.")


def _show_foreseen(console: Console, services: Services, entry: Entry, foreseen: Foreseen) -> None:
    """What would become different, beside what is."""
    if not foreseen.effect.acts:
        console.print(f"{entry.key}: a replay would come to nothing: {shown(foreseen.told)}", soft_wrap=True)
        return
    made = table("", "now", "then")
    for name, now, then in (
        ("decision", f"{entry.status}: {entry.reason}", foreseen.told),
        ("rule", entry.rule or "–", foreseen.rule or "–"),
        ("key", entry.key, entry.key if foreseen.event is None or foreseen.event.id == entry.event.id else "a new one"),
        ("request", _written(services, entry.request), _written(services, foreseen.request)),
    ):
        made.add_row(name, shown(now), "the same" if now == then else shown(then))
    console.print(made)


def _written(services: Services, request: HttpRequest | None) -> str:
    if request is None:
        return "–"
    told = shown_request(request, services.config.calls_api.base_url, mask_phones=True)
    return f"{told['method']} {told['url']} {told['body']}"


def _foretold(services: Services, entry: Entry, foreseen: Foreseen) -> dict[str, Any]:
    base_url = services.config.calls_api.base_url
    requests = [shown_request(each, base_url) if each else None for each in (entry.request, foreseen.request)]
    return {
        "key": entry.key,
        "acts": foreseen.effect.acts,
        "effect": foreseen.effect.value,
        "told": foreseen.told,
        "kind": foreseen.kind,
        "now": {"status": entry.status.value, "reason": entry.reason, "rule": entry.rule, "request": requests[0]},
        "then": {"rule": foreseen.rule, "trace": list(foreseen.trace), "request": requests[1]},
    }
