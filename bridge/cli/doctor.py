"""``callbridge doctor``: is everything that should be true, true?"""

import json
import sys

import click
from rich.text import Text

from bridge.cli.helping import examples
from bridge.cli.online import try_tokens
from bridge.cli.options import config_option, json_option, loaded
from bridge.cli.tables import busy, out, shown
from bridge.config import warnings
from bridge.examining import Examination, Finding
from bridge.wiring import build, clock

_SIGNS = {"good": ("✓", "green"), "doubtful": ("!", "yellow"), "bad": ("✗", "red")}


@click.command(epilog=examples("doctor", "doctor --online", "doctor --json"))
@click.option("--online", is_flag=True, help="Also try every token with a harmless read.")
@config_option
@json_option
def doctor(config_path: str | None, *, online: bool, as_json: bool) -> None:
    """Look at the configuration, the disk, Redis, workers, and what waits, is paused, failed or is silent; name the mend of what is not right.

    Exit 1 when something is bad.
    """
    path, config = loaded(config_path)
    services = build(config, redis_timeout=2.0)
    findings = [Finding("good", "configuration", f"{path} can be used"), *(Finding("doubtful", "configuration", note) for note in warnings(config))]
    findings += Examination(config, services.ledger, services.spool).findings(clock())
    if online:
        with busy("trying every token …"):
            findings += [Finding("good" if tried.good else "bad", tried.what, tried.told) for tried in try_tokens(config)]
    if as_json:
        told = [{"level": found.level, "what": found.what, "told": found.told} for found in findings]
        click.echo(json.dumps({"ok": _is_well(findings), "findings": told}, ensure_ascii=False, indent=2))
    else:
        console = out()
        for found in findings:
            console.print(Text.assemble(_SIGNS[found.level], " ", (shown(found.what), "bold"), f"  {shown(found.told)}"), soft_wrap=True)
    sys.exit(0 if _is_well(findings) else 1)


def _is_well(findings: list[Finding]) -> bool:
    return all(found.level != "bad" for found in findings)
