"""``callbridge pause``, ``resume``, ``switches``: stopping all calling at once, or that of a campaign or a source, and letting it go on."""

import json
import sys
from collections.abc import Callable
from typing import Any

import click

from bridge.cli.helping import examples
from bridge.cli.options import CAMPAIGN, NOTHING_MATCHED, SOURCE, by_option, config_option, json_option, known, opened
from bridge.cli.tables import busy, out, shown, table, when
from bridge.concealing import Concealer
from bridge.config import Config
from bridge.ledger import Pause, Search, Wanted
from bridge.ledger.switches import EVERYTHING
from bridge.model import Status, iso
from bridge.operating import told_scope
from bridge.wiring import Services

_CHUNK = 500

_campaign: Callable[[Any], Any] = click.option("--campaign", type=CAMPAIGN, help="Only this campaign. Default: all calling.")
_source: Callable[[Any], Any] = click.option("--source", type=SOURCE, help="Only the events of this source.")


@click.command(epilog=examples("pause --note 'a wrong list was imported'", "pause --campaign welcome", "pause --source hubspot", "pause --show"))
@_campaign
@_source
@click.option("--note", default="", metavar="TEXT", help="Why; shown with everything that waits because of it.")
@click.option("--show", is_flag=True, help="Only show what is paused; the same as `callbridge switches`.")
@by_option
@config_option
@json_option
def pause(campaign: str | None, source: str | None, *, note: str, show: bool, by: str, config_path: str | None, as_json: bool) -> None:
    """Stop calling, at once and without asking. What is accepted meanwhile is parked, and calls can still be cancelled.

    A request that is being sent this moment is finished. Call jobs that the platform has already are its own: see `callbridge campaigns pause`.
    """
    services = opened(config_path)
    if show:
        sys.exit(_show(services, as_json=as_json))
    scope = _scope(services.config, campaign, source)
    services.operating.pause(scope, by, note)
    if as_json:
        click.echo(json.dumps({"scope": scope, "paused": True}))
        return
    click.echo(f"{told_scope(scope)} is paused. `callbridge resume{_options(scope)}` lets it go on.")


@click.command(epilog=examples("resume", "resume --campaign welcome", "resume --source hubspot --json"))
@_campaign
@_source
@by_option
@config_option
@json_option
def resume(campaign: str | None, source: str | None, *, by: str, config_path: str | None, as_json: bool) -> None:
    """Let calling go on that was paused. What was parked is decided again, as of now: who must not be called any more is not.

    Each pause is ended by its own name: `resume` without options ends that of all calling, not that of a campaign. Exit 3 when it was not paused.
    """
    services = opened(config_path)
    scope = _scope(services.config, campaign, source)
    parked = _parked(services.search, scope)
    with busy("waking what was parked …"):
        was = services.operating.resume(scope, by)
    left = list(services.switches.all().values())
    if as_json:
        told = {"scope": scope, "resumed": was, "decided_again": parked if was else 0, "still_paused": [pause.scope for pause in left]}
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        went_on = f"is resumed: {parked} parked {'events are' if parked != 1 else 'event is'} decided again now"
        still = f" Still paused: {', '.join(told_scope(pause.scope) for pause in left)}." if left else ""
        click.echo(f"{told_scope(scope)} {went_on if was else 'was not paused'}.{still}")
    sys.exit(0 if was else NOTHING_MATCHED)


@click.command(epilog=examples("switches", "switches --json"))
@config_option
@json_option
def switches(config_path: str | None, *, as_json: bool) -> None:
    """Show what is paused, by whom, since when and why, and how many events wait for it. Exit 3 when nothing is."""
    sys.exit(_show(opened(config_path), as_json=as_json))


def _show(services: Services, *, as_json: bool) -> int:
    paused = [(pause, _parked(services.search, pause.scope)) for pause in services.switches.all().values()]
    if as_json:
        click.echo(json.dumps([_row(pause, parked) for pause, parked in paused], ensure_ascii=False, indent=2))
    elif paused:
        made = table("paused", "by", "since (UTC)", "note", "parked")
        for pause, parked in paused:
            made.add_row(told_scope(pause.scope), shown(pause.by), when(pause.at), shown(Concealer().theirs(pause.note)), str(parked))
        out().print(made)
    else:
        click.echo("Nothing is paused.", err=True)
    return 0 if paused else NOTHING_MATCHED


def _row(pause: Pause, parked: int) -> dict[str, Any]:
    return {"scope": pause.scope, "by": pause.by, "since": iso(pause.at), "note": Concealer().theirs(pause.note), "parked": parked}


def _scope(config: Config, campaign: str | None, source: str | None) -> str:
    if campaign is not None and source is not None:
        raise click.UsageError("--campaign and --source exclude each other: each has a switch of its own")
    if campaign is not None:
        return f"campaign:{known(campaign, config.campaigns, 'campaign', '--campaign')}"
    return f"source:{known(source, config.sources, 'source', '--source')}" if source is not None else EVERYTHING


def _options(scope: str) -> str:
    kind, _, name = scope.partition(":")
    return f" --{kind} {name}" if name else ""


def _parked(search: Search, scope: str) -> int:
    """How many events say that they are parked by this switch."""
    wanted, after, found = Wanted(groups=((f"by:status:{Status.PARKED}",),), says=f"{told_scope(scope)} is paused"), None, 0
    while True:
        keys, after = search.keys(wanted, _CHUNK, after)
        found += len(keys)
        if after is None:
            return found
