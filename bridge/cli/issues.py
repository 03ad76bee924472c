"""``callbridge issues``: failures grouped by what they have in common, and whether somebody looks after them."""

import json
import sys
from collections.abc import Iterable
from typing import Any

import click
from rich.text import Text

from bridge.cli.helping import examples
from bridge.cli.options import NOTHING_MATCHED, by_option, config_option, json_option, opened
from bridge.cli.tables import facts, out, shown, table, when
from bridge.errors import Unusable
from bridge.ledger import KnownIssue
from bridge.ledger.issues import State
from bridge.model import iso
from bridge.wiring import Services

_COLOURS = {State.OPEN: "red", State.ACKNOWLEDGED: "yellow", State.RESOLVED: "green"}
_MOST = 10_000


@click.group()
def issues() -> None:
    """Failures of one kind (source, campaign, cause), counted together. A resolved one opens by itself when it happens again."""


@issues.command("list", epilog=examples("issues list", "issues list --state resolved", "issues list --json"))
@click.option("--state", "states", type=click.Choice([state.value for state in State]), multiple=True, help="Default: open and acknowledged.")
@config_option
@json_option
def list_(states: tuple[str, ...], config_path: str | None, *, as_json: bool) -> None:
    """List issues, the one seen last first. Exit 3 when there are none."""
    wanted = {State(state) for state in states} or {State.OPEN, State.ACKNOWLEDGED}
    found = [issue for issue in _all(opened(config_path)) if issue.state in wanted]
    if as_json:
        click.echo(json.dumps({"items": [_row(issue) for issue in found]}, ensure_ascii=False, indent=2))
    elif found:
        made = table("issue", "state", "failed", "of", "source", "campaign", "last (UTC)", "reason of the last")
        for issue in found:
            where = (shown(issue.source), shown(issue.campaign))
            made.add_row(issue.fingerprint, _state(issue), str(issue.failed), str(issue.count), *where, when(issue.last), shown(issue.reason))
        out().print(made)
    else:
        click.echo(f"No issue is {' or '.join(sorted(wanted))}.", err=True)
    sys.exit(0 if found else NOTHING_MATCHED)


@issues.command(epilog=examples("issues show 4be2f1a09c3d", "issues show 4be2 --json"))
@click.argument("fingerprint")
@config_option
@json_option
def show(fingerprint: str, config_path: str | None, *, as_json: bool) -> None:
    """Show one issue, and how to go on. FINGERPRINT may be cut short as long as only one begins so. Exit 3 when there is no such issue."""
    issue = _one(opened(config_path), fingerprint)
    if as_json:
        click.echo(json.dumps(_row(issue), ensure_ascii=False, indent=2))
        return
    last = f"{issue.state} by {shown(issue.by)} at {when(issue.changed)} UTC" if issue.by else ""
    console = out()
    console.print(
        facts(
            [
                ("issue", issue.fingerprint),
                ("state", _state(issue)),
                ("changed", last),
                ("opened again", f"{when(issue.reopened)} UTC" if issue.reopened else ""),
                ("reason", issue.reason),
                ("source", issue.source),
                ("campaign", issue.campaign),
                ("failures", f"{issue.count}, of which {issue.failed} are failed still"),
                ("first seen", f"{when(issue.first)} UTC"),
                ("last seen", f"{when(issue.last)} UTC"),
                ("an event", issue.sample),
            ]
        )
    )
    console.print(f"\nIts events:  callbridge events list --issue {issue.fingerprint} --status failed", soft_wrap=True)
    console.print(f"One of them: callbridge events show {issue.sample}", soft_wrap=True)


def _change(name: str, state: State, told: str) -> None:
    @issues.command(name, help=f"{told} Exit 3 when there is no such issue.", epilog=examples(f"issues {name} 4be2f1a09c3d"))
    @click.argument("fingerprints", nargs=-1, required=True, metavar="FINGERPRINT...")
    @by_option
    @config_option
    @json_option
    def change(fingerprints: tuple[str, ...], by: str, config_path: str | None, *, as_json: bool) -> None:
        services = opened(config_path)
        found = [_one(services, fingerprint) for fingerprint in fingerprints]
        for issue in found:
            services.operating.change_issue(issue.fingerprint, state, by)
        if as_json:
            click.echo(json.dumps([{"fingerprint": issue.fingerprint, "state": state.value, "was": issue.state.value} for issue in found]))
            return
        for issue in found:
            click.echo(f"{issue.fingerprint} is {state}.{_left(issue) if state is State.RESOLVED else ''}")


_change("acknowledge", State.ACKNOWLEDGED, "Say that somebody looks after these issues.")
_change("resolve", State.RESOLVED, "Say that the cause is mended. What has failed stays failed until it is replayed.")
_change("reopen", State.OPEN, "Say that somebody has to look at these issues again.")


def _left(issue: KnownIssue) -> str:
    return f" {issue.failed} of its events are failed still." if issue.failed else ""


def _all(services: Services) -> list[KnownIssue]:
    return services.issues.all(_MOST)


def _one(services: Services, begun: str) -> KnownIssue:
    exact = services.issues.one(begun)
    if exact:
        return exact
    found = [issue for issue in _all(services) if begun and issue.fingerprint.startswith(begun)]
    if len(found) > 1:
        raise Unusable(f"{len(found)} issues begin with '{begun}': {_listed(found)}")
    if not found:
        click.echo(f"There is no issue '{begun}'; `callbridge issues list` shows those there are.", err=True)
        sys.exit(NOTHING_MATCHED)
    return found[0]


def _listed(found: Iterable[KnownIssue]) -> str:
    return ", ".join(issue.fingerprint for issue in found)


def _state(issue: KnownIssue) -> Text:
    return Text(issue.state.value, _COLOURS[issue.state])


def _row(issue: KnownIssue) -> dict[str, Any]:
    return {
        "fingerprint": issue.fingerprint,
        "state": issue.state.value,
        "source": issue.source,
        "campaign": issue.campaign or None,
        "cause": issue.cause,
        "reason": issue.reason,
        "count": issue.count,
        "failed": issue.failed,
        "first": iso(issue.first),
        "last": iso(issue.last),
        "sample": issue.sample,
        "reopened": iso(issue.reopened) if issue.reopened else None,
        "by": issue.by or None,
        "changed": iso(issue.changed) if issue.changed else None,
    }
