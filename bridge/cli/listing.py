"""``callbridge events list``: looking for events, a page or all of them."""

import json
import shlex
import sys
from itertools import count
from typing import Any

import click

from bridge.cli.filtering import asked, filter_options
from bridge.cli.helping import examples
from bridge.cli.looking import look, pages
from bridge.cli.options import NOTHING_MATCHED, config_option, json_option, meant_instead, opened
from bridge.cli.tables import DIM, out, show_events
from bridge.filters import Filter
from bridge.ledger import Cursor
from bridge.model import OPERATOR
from bridge.wiring import Services

_PAGE = 200


class _Place(click.ParamType[Cursor]):
    name = "cursor"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Cursor:
        try:
            return Cursor.read(str(value))
        except ValueError as wrong:
            self.fail(f"{wrong}: copy it from what the page before said", param, ctx)


@click.command(
    "list",
    epilog=examples(
        "events list status:failed since:24h",
        "events list '+1 (281) 332-2575'",
        "events list Alex Doe --rule 'call new leads'",
        "events list --status failed,unknown --source hubspot --json",
        "events list --campaign welcome --all --json | jq -r .event_key",
    ),
)
@click.argument("words", nargs=-1)
@filter_options
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many.")
@click.option("--after", type=_Place(), metavar="CURSOR", help="Go on behind this place; the page before names it.")
@click.option("--all", "everything", is_flag=True, help="All of them; with --json a line for each event, as they are found.")
@config_option
@json_option
def list_(
    words: tuple[str, ...], *, limit: int, after: Cursor | None, everything: bool, config_path: str | None, as_json: bool, **wanted: Any
) -> None:
    """Look for events, the newest first.

    WORDS are what the search box of the pages takes: a number in any spelling, a name, an id, a reason, or NAME:VALUE such as status:failed. Options
    say the same. Values of one name are alternatives, names narrow each other. Exit 3 when nothing matches.
    """
    services = opened(config_path)
    sought = asked(words, wanted, services.clock())
    found = _all(services, sought, after, as_json=as_json) if everything else _page(services, sought, limit, after, as_json=as_json)
    sys.exit(0 if found else NOTHING_MATCHED)


def _page(services: Services, sought: Filter, limit: int, after: Cursor | None, *, as_json: bool) -> int:
    found = look(services.finder, sought, limit, after)
    if as_json:
        items = [services.explainer.entry(entry) for entry in found.entries]
        told = {"items": items, "next": str(found.next) if found.next else None, "understood": found.understood}
        _say_what_was_not_looked_for(found.incomplete)
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return len(items)
    console = out()
    _say_what_was_understood(sought, found.understood)
    _say_what_was_not_looked_for(found.incomplete)
    show_events(console, found.entries)
    if found.next:
        more = f"\nThere are more: --after {shlex.quote(str(found.next))} goes on, --limit shows more at once, --all shows all."
        console.print(more, style=DIM, soft_wrap=True)
    if not found.entries:
        _say_that_nothing_matched(services, sought, after)
    return len(found.entries)


def _all(services: Services, sought: Filter, after: Cursor | None, *, as_json: bool) -> int:
    """Written page by page: there may be more than memory holds."""
    console, shown = out(), 0
    for page, found in zip(count(), pages(services.finder, sought, _PAGE, after), strict=False):
        shown += len(found.page.entries)
        if not page:
            _say_what_was_not_looked_for(found.sought.incomplete)
        if as_json:
            for entry in found.page.entries:
                click.echo(json.dumps(services.explainer.entry(entry), ensure_ascii=False))
            continue
        if not page:
            _say_what_was_understood(sought, found.understood)
        show_events(console, found.page.entries, header=not page)
    if not shown and not as_json:
        _say_that_nothing_matched(services, sought, after)
    return shown


def _say_what_was_understood(sought: Filter, understood: str) -> None:
    """To standard error: a table in a file holds nothing else."""
    if sought.text and understood:
        click.echo(f"'{sought.text}' was taken for {understood}", err=True)


def _say_what_was_not_looked_for(incomplete: str) -> None:
    if incomplete:
        click.echo(f"note: {incomplete}", err=True)


def _say_that_nothing_matched(services: Services, sought: Filter, after: Cursor | None) -> None:
    if after:
        click.echo("There are no more.", err=True)
        return
    click.echo("No event matches." if not sought.is_empty else "There are no events yet.", err=True)
    for what, asked_for, names in (
        ("source", sought.source, [*services.config.sources, OPERATOR]),
        ("campaign", sought.campaign, list(services.config.campaigns)),
        ("rule", sought.rule, [rule.name for rule in services.config.rules]),
    ):
        for name in (name for name in asked_for if name not in names):
            click.echo(f"No {what} is called '{name}' today{meant_instead(name, names)}", err=True)
