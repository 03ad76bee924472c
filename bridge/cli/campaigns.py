"""``callbridge campaigns``: the campaigns at the platform, beside what this bridge does with them."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import uuid4

import click

from bridge.calls import Control
from bridge.cli.helping import examples
from bridge.cli.options import CAMPAIGN, by_option, config_option, json_option, known, loaded, opened
from bridge.cli.platform import Told, at_platform
from bridge.cli.reporting import report
from bridge.cli.tables import busy, facts, out, shown, table, when
from bridge.config import Config
from bridge.errors import LedgerUnavailable, StartupError
from bridge.ledger import Act, Search, Wanted
from bridge.model import Status, iso
from bridge.operating import CONTROLS
from bridge.wiring import Services, build, require_redis

_COUNTED = (Status.WAITING, Status.PARKED, Status.UNKNOWN)
_CHUNK = 500
_DONE = {Control.PAUSE: "paused", Control.RESUME: "resumed", Control.STOP: "stopped for good"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ours:
    """What this bridge does with a campaign."""

    paused_by: str = ""
    silent_since: datetime | None = None
    counts: Mapping[Status, int]

    def told(self) -> str:
        if self.paused_by:
            return f"paused here by {self.paused_by}"
        return f"left alone since {when(self.silent_since)}" if self.silent_since else "calls"

    def document(self) -> dict[str, Any]:
        return {
            "paused_by": self.paused_by or None,
            "left_alone_since": iso(self.silent_since) if self.silent_since else None,
            **{status.value: count for status, count in self.counts.items()},
        }


@click.group()
def campaigns() -> None:
    """Campaigns at the platform. What `pause` does here stops the platform's calls; `callbridge pause --campaign` stops only new ones."""


campaigns.add_command(report)


@campaigns.command("list", epilog=examples("campaigns list", "campaigns list --json"))
@config_option
@json_option
def list_(config_path: str | None, *, as_json: bool) -> None:
    """Every configured campaign: its status at the platform, and what waits for it here. Exit 1 when the platform does not say."""
    config = loaded(config_path)[1]
    with at_platform(config) as platform, busy("asking the platform …"):
        told = platform.statuses(list(config.campaigns))
    ours = _ours(config, list(config.campaigns))
    if as_json:
        items = [{"campaign": one.campaign, "platform": one.status or None, "trouble": one.trouble or None, **_document(ours, one)} for one in told]
        click.echo(json.dumps({"items": items}, ensure_ascii=False, indent=2))
    else:
        _show(told, ours)
    sys.exit(1 if any(one.trouble for one in told) else 0)


@campaigns.command(epilog=examples("campaigns show welcome", "campaigns show welcome --json"))
@click.argument("name", type=CAMPAIGN)
@config_option
@json_option
def show(name: str, config_path: str | None, *, as_json: bool) -> None:
    """One campaign: its name, status and counts at the platform, and what waits for it here."""
    config = loaded(config_path)[1]
    known(name, config.campaigns, "campaign", "NAME")
    with at_platform(config) as platform, busy("asking the platform …"):
        info = platform.info(name)
    ours = _ours(config, [name])
    if as_json:
        at_platform_ = {"id": info.id, "name": info.name, "project": info.project, "status": info.status, "counts": dict(info.counts)}
        told = {"campaign": name, "platform": at_platform_, "here": ours[name].document() if ours else None}
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    rate = config.campaigns[name].rate_limit
    here = [("here", ours[name].told()), *((status.value, count) for status, count in ours[name].counts.items())] if ours else []
    console = out()
    console.print(facts([("campaign", name), ("at the platform", f"{info.name} ({info.status})"), ("project", info.project)]))
    console.print(facts([(f"  {counted}", count) for counted, count in info.counts.items()]))
    console.print(facts([*here, ("rate limit", f"{rate.count} in {rate.seconds:g} s" if rate else "")]))


_yes: Callable[[Any], Any] = click.option("--yes", is_flag=True, help="Do not ask.")
_note: Callable[[Any], Any] = click.option("--note", default="", metavar="TEXT", help="Why; it is written down.")


@campaigns.command(epilog=examples("campaigns pause welcome --note 'the script is being mended'"))
@click.argument("name", type=CAMPAIGN)
@_note
@by_option
@config_option
@json_option
def pause(name: str, *, note: str, by: str, config_path: str | None, as_json: bool) -> None:
    """Have the platform pause a campaign: it calls nobody until it is resumed."""
    _control(name, Control.PAUSE, _Order(config_path, by, note, as_json=as_json))


@campaigns.command(epilog=examples("campaigns resume welcome"))
@click.argument("name", type=CAMPAIGN)
@_note
@by_option
@config_option
@json_option
def resume(name: str, *, note: str, by: str, config_path: str | None, as_json: bool) -> None:
    """Have the platform go on with a paused campaign."""
    _control(name, Control.RESUME, _Order(config_path, by, note, as_json=as_json))


@campaigns.command(epilog=examples("campaigns stop welcome", "campaigns stop welcome --yes --note 'the season is over'"))
@click.argument("name", type=CAMPAIGN)
@_yes
@_note
@by_option
@config_option
@json_option
def stop(name: str, *, yes: bool, note: str, by: str, config_path: str | None, as_json: bool) -> None:
    """Stop a campaign at the platform FOR GOOD: nobody can start it again, and its planned calls are not made."""
    config = loaded(config_path)[1]
    known(name, config.campaigns, "campaign", "NAME")
    if not yes:
        click.echo(f"This is final: campaign {name} cannot be started again. `campaigns pause` can be undone.", err=True)
        typed = click.prompt("Type the campaign's name to stop it", err=True, default="", show_default=False)
        if typed != name:
            click.echo("Not stopped: that is not its name.", err=True)
            sys.exit(1)
    _control(name, Control.STOP, _Order(config_path, by, note, as_json=as_json))


@dataclass(frozen=True, slots=True)
class _Order:
    config_path: str | None
    by: str
    note: str
    as_json: bool


def _control(name: str, action: Control, order: _Order) -> None:
    """Written down first: what cannot be written down must not be done."""
    services = opened(order.config_path)
    known(name, services.config.campaigns, "campaign", "NAME")
    act = Act(at=services.clock(), by=order.by, what=CONTROLS[action], targets=(f"campaign:{name}",), note=order.note.strip())
    services.audit.write(act)
    try:
        with at_platform(services.config) as platform, busy("telling the platform …"):
            platform.control(name, action, f"operator:{uuid4().hex}")
    except StartupError as refused:
        services.audit.write(replace(act, at=services.clock(), what="the platform did not do it", note=str(refused)))
        raise
    if order.as_json:
        click.echo(json.dumps({"campaign": name, "done": action.value}))
    else:
        click.echo(f"campaign {name} is {_DONE[action]} at the platform")


def _ours(config: Config, names: list[str]) -> dict[str, _Ours]:
    """Empty where the ledger cannot be asked: the platform can be asked all the same."""
    try:
        require_redis(config)
        services = build(config)
        return {name: _our(services, name) for name in names}
    except (StartupError, LedgerUnavailable) as away:
        click.echo(f"note: what waits here is left out: {away}", err=True)
        return {}


def _our(services: Services, name: str) -> _Ours:
    paused = services.switches.all()
    pause_ = paused.get(f"campaign:{name}") or paused.get("*")
    return _Ours(
        paused_by=pause_.by if pause_ else "",
        silent_since=services.ledger.left_alone_since(name),
        counts={status: _count(services, name, status) for status in _COUNTED},
    )


def _count(services: Services, name: str, status: Status) -> int:
    """What has not been sent yet is known by the rules that call in this campaign."""
    rules = [f"by:rule:{rule.name}" for rule in services.config.rules if rule.call and rule.call.campaign == name]
    return _size(services.search, Wanted(groups=((f"by:status:{status}",), (f"by:campaign:{name}", *rules))))


def _size(search: Search, wanted: Wanted) -> int:
    after, found = None, 0
    while True:
        keys, after = search.keys(wanted, _CHUNK, after)
        found += len(keys)
        if after is None:
            return found


def _document(ours: Mapping[str, _Ours], told: Told) -> dict[str, Any]:
    return {"here": ours[told.campaign].document()} if told.campaign in ours else {"here": None}


def _show(told: list[Told], ours: Mapping[str, _Ours]) -> None:
    if not told:
        click.echo("No campaign is configured.", err=True)
        return
    made = table("campaign", "at the platform", *(["here", *_COUNTED] if ours else []))
    for one in told:
        here = ours.get(one.campaign)
        counts = [shown(here.told()), *(str(here.counts[status]) for status in _COUNTED)] if here else []
        made.add_row(one.campaign, shown(one.status or one.trouble), *counts)
    out().print(made)
