"""``callbridge history``: who did what."""

import json
import re
import sys
from collections.abc import Sequence
from itertools import islice

import click

from bridge.cli.helping import examples
from bridge.cli.looking import named
from bridge.cli.options import NOTHING_MATCHED, config_option, json_option, opened
from bridge.cli.tables import out, shown, table, when
from bridge.concealing import Concealer
from bridge.ledger import Act, Audit
from bridge.ledger.audit import KEPT
from bridge.model import iso
from bridge.phones import mask, to_e164
from bridge.wiring import Services

_STEPS = (1_000, 10_000, KEPT)
_PHONE = re.compile(r"phone:(\+[0-9]+)")


@click.command(epilog=examples("history", "history --by anna", "history --of lead-7", "history --of campaign:welcome --limit 5 --json"))
@click.option("--by", metavar="NAME", help="Only what this person did.")
@click.option("--of", metavar="EVENT_ID|PHONE|WHAT", help="Only what was done to this: an event, a number, campaign:NAME, issue:FINGERPRINT.")
@click.option("--limit", type=click.IntRange(1, KEPT), default=50, show_default=True, help="The newest so many.")
@config_option
@json_option
def history(by: str | None, of: str | None, limit: int, config_path: str | None, *, as_json: bool) -> None:
    """Show who changed what by hand, the newest first: pauses, replays, cancels, the do-not-call list, campaigns. Exit 3 when nothing matches.

    Numbers are masked here whoever looked at them.
    """
    services = opened(config_path)
    found = _found(services, by, of, limit + 1)
    acts = found[:limit]
    if as_json:
        click.echo(json.dumps({"items": [_row(act) for act in acts], "more": len(found) > limit}, ensure_ascii=False, indent=2))
    elif acts:
        made = table("when (UTC)", "who", "what", "to what", "note")
        for act in acts:
            made.add_row(when(act.at), shown(act.by), shown(act.what), shown(", ".join(_targets(act))), shown(Concealer().theirs(act.note)))
        out().print(made)
    else:
        click.echo("Nobody did anything of the kind.", err=True)
    if len(found) > limit and not as_json:
        click.echo(f"There is more: --limit {limit * 2} shows it.", err=True)
    sys.exit(0 if acts else NOTHING_MATCHED)


def _found(services: Services, by: str | None, of: str | None, most: int) -> list[Act]:
    if of is not None:
        acts = services.audit.of(_meant(services, of))
        return [act for act in acts if by is None or _is_same(act.by, by)][:most]
    return _last(services.audit, by, most)


def _last(audit: Audit, by: str | None, most: int) -> list[Act]:
    """The log has no index of people: it is read further back until there is enough."""
    if by is None:
        return audit.last(most)
    found: list[Act] = []
    for step in _STEPS:
        acts = audit.last(step)
        found = list(islice((act for act in acts if _is_same(act.by, by)), most))
        if len(found) == most or len(acts) < step:
            break
    return found


def _meant(services: Services, of: str) -> Sequence[str]:
    phone = to_e164(of.removeprefix("phone:"))
    return [of, *([f"phone:{phone}"] if phone else []), *(entry.key for entry in named(services.finder, of))]


def _is_same(name: str, written: str) -> bool:
    return name.casefold() == written.casefold()


def _targets(act: Act) -> list[str]:
    return [_PHONE.sub(lambda found: f"phone:{mask(found[1])}", target) for target in act.targets]


def _row(act: Act) -> dict[str, object]:
    return {"at": iso(act.at), "by": act.by, "what": act.what, "targets": _targets(act), "note": Concealer().theirs(act.note)}
