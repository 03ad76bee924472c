"""``callbridge check``: could the bridge start with this configuration; and with ``--online``, would its tokens be taken?"""

import json
import sys
from collections.abc import Sized
from pathlib import Path

import click

from bridge.cli.helping import examples
from bridge.cli.online import Tried, try_tokens
from bridge.cli.options import config_option, json_option, loaded
from bridge.config import Config, warnings


@click.command(epilog=examples("check", "check config.example.yaml", "check --online --json"))
@click.argument("file", required=False)
@click.option(
    "--online", is_flag=True, help="Also try every token with a harmless read, at the platform and at the CRMs. Exit 1 when one is refused."
)
@config_option
@json_option
def check(file: str | None, config_path: str | None, *, online: bool, as_json: bool) -> None:
    """Check a configuration: every problem at once, with its line. Exit 2 when there is one."""
    path, config = loaded(file or config_path)
    notes = warnings(config)
    if not as_json:
        _tell(path, config, notes)
    tried = [_told(one, as_json=as_json) for one in try_tokens(config)] if online else []
    if as_json:
        tokens = {"tokens": [{"what": one.what, "good": one.good, "told": one.told} for one in tried]} if online else {}
        click.echo(json.dumps({"ok": all(one.good for one in tried), "file": str(path), "warnings": notes, **tokens}, ensure_ascii=False))
    sys.exit(0 if all(one.good for one in tried) else 1)


def _tell(path: Path, config: Config, notes: list[str]) -> None:
    for note in notes:
        click.echo(f"note: {note}", err=True)
    counts = ", ".join(f"{len(things)} {word if len(things) != 1 else word[:-1]}" for word, things in _counted(config))
    click.echo(f"{path.name}: good. {counts}, mode {config.mode.value}.")


def _told(tried: Tried, *, as_json: bool) -> Tried:
    """Said as soon as it is known: a host that does not answer takes its time."""
    if not as_json:
        click.echo(f"{tried.what}: {'good' if tried.good else 'NOT GOOD'}, {tried.told}")
    return tried


def _counted(config: Config) -> list[tuple[str, Sized]]:
    return [("sources", config.sources), ("rules", config.rules), ("campaigns", config.campaigns)]
