"""``callbridge events``: what the ledger holds, and having it decided again."""

import json
import sys

import click

from bridge.cli.explain import explain
from bridge.cli.options import config_option, json_option, loaded
from bridge.explaining import find_entries
from bridge.replaying import Replaying
from bridge.wiring import build, require_redis

NOTHING_MATCHED = 3


@click.group()
def events() -> None:
    """Events that were received: what became of them, and replay."""


@events.command()
@click.argument("what", metavar="EVENT_ID|PHONE|REF")
@config_option
@json_option
@click.pass_context
def show(ctx: click.Context, what: str, config_path: str | None, *, as_json: bool) -> None:
    """What did happen to an event, and why; the same as `explain`."""
    ctx.invoke(explain, what=what, source_name=None, kind=None, content_type=None, query="", headers=(), config_path=config_path, as_json=as_json)


@events.command()
@click.argument("keys", nargs=-1, required=True, metavar="EVENT_ID|PHONE|REF...")
@config_option
@json_option
def replay(keys: tuple[str, ...], config_path: str | None, *, as_json: bool) -> None:
    """Decide events again that failed, were suppressed or ignored: from the delivery as received, with today's rules, under the same key.

    Nobody is called twice for one event: one that is done is left alone. Exit 1 when one of them was not replayed.
    """
    config = loaded(config_path)[1]
    require_redis(config)
    services = build(config)
    found = {entry.key: entry for key in keys for entry in find_entries(services.ledger, list(config.sources), key)}
    if not found:
        click.echo("Nothing in the ledger matches. Try the event id, a phone number with its country code, or a ref such as deal:555.", err=True)
        sys.exit(NOTHING_MATCHED)
    told = [Replaying(services.ingest).replay(entry) for entry in found.values()]
    if as_json:
        click.echo(json.dumps([{"key": each.key, "replayed": each.good, "told": each.told} for each in told], ensure_ascii=False, indent=2))
    else:
        for each in told:
            click.echo(f"{'replayed' if each.good else 'NOT replayed'}  {each.key}  {each.told}")
    sys.exit(0 if all(each.good for each in told) else 1)
