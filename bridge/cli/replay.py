"""``callbridge replay``: many events decided again, after it was counted what that would do."""

import json
import sys
from collections.abc import Callable
from typing import Any

import click

from bridge import queue
from bridge.cli.filtering import asked, filter_options
from bridge.cli.helping import examples
from bridge.cli.options import NOTHING_MATCHED, by_option, config_option, json_option, opened
from bridge.cli.tables import DIM, out, shown, table, when
from bridge.cli.watching import counted, followed
from bridge.concealing import Concealer
from bridge.errors import Unusable
from bridge.foreseeing import Effect
from bridge.ledger import Plan, State
from bridge.model import Status
from bridge.progress import MODEST, Progress, read_speed, show_speed
from bridge.replaying import Mode
from bridge.stepping import ITSELF
from bridge.wiring import Services

_id: Callable[[Any], Any] = click.argument("plan_id", metavar="ID")


@click.group()
def replay() -> None:
    """Decide many events again: plan it, look at what it would do, run it, watch it. For single events: `callbridge events replay`."""


@replay.command(
    epilog=examples(
        "replay plan status:failed since:7d",
        "replay plan --status failed --source hubspot --since 2026-11-21",
        "replay plan --issue 0123456789ab --status failed --json",
        "replay plan --failed-in 261124-090000-4f2a",
    )
)
@click.argument("words", nargs=-1)
@filter_options
@click.option("--failed-in", metavar="ID", help="What failed in this replay, or could not be replayed in it; in the same way, and nothing else.")
@click.option(
    "--mode",
    type=click.Choice([Mode.RULES.value, Mode.REQUEST.value]),
    default=Mode.RULES.value,
    show_default=True,
    help="rules: from the deliveries as received, with today's rules. request: the exact requests of before.",
)
@by_option
@config_option
@json_option
def plan(words: tuple[str, ...], *, failed_in: str | None, mode: str, by: str, config_path: str | None, as_json: bool, **wanted: Any) -> None:
    """Count what a replay of these events would do; nothing is replayed yet.

    WORDS and options choose events as in `callbridge events list`; what comes in later is not among them. A filter that means every event is
    refused with exit 2. Exit 3 when nothing matches.
    """
    services = opened(config_path) if failed_in is None else _knowing(config_path, failed_in)
    sought = asked(words, wanted, services.clock())
    if failed_in is not None and not sought.is_empty:
        raise click.UsageError("--failed-in says which events: leave out the others")
    made = services.planning.plan(sought, by, Mode(mode)) if failed_in is None else services.planning.of_failed(failed_in, by)
    progress = counted(services, made.id)
    if not progress.plan.total:
        services.planning.cancel(made.id, by)
        click.echo("No event matches: there is nothing to replay.", err=True)
    if as_json:
        _print(progress)
    elif progress.plan.total:
        _show_counts(progress)
        further = f" `callbridge replay run {made.id} --name NAME` does it." if progress.acting else ""
        out().print(f"\nNothing was replayed.{further}", soft_wrap=True)
    sys.exit(0 if progress.plan.total else NOTHING_MATCHED)


@replay.command(
    epilog=examples("replay run 261124-090000-4f2a --name 'wrong time zones'", "replay run 261124-090000-4f2a --name weekend --speed 20/s --yes")
)
@_id
@click.option("--name", "called", metavar="TEXT", help="What it is for, as the history shows it. Asked for on a terminal.")
@click.option("--speed", default=MODEST, show_default=True, metavar="RATE", help="How many events are put in: 5/s, 300/m, or fast.")
@click.option("--yes", is_flag=True, help="Do not ask; it was looked at what it would do.")
@by_option
@config_option
@json_option
def run(plan_id: str, *, called: str | None, speed: str, yes: bool, by: str, config_path: str | None, as_json: bool) -> None:
    """Confirm a plan, and have its events put in by the workers. One whose counts are old is counted again first, and shown again."""
    services = _knowing(config_path, plan_id)
    read_speed(speed)
    name = called if called is not None else _asked_name(services.planning.one(plan_id))
    progress = services.planning.progress(plan_id)
    while progress.plan.state in {State.COUNTING, State.PLANNED}:
        progress = _fresh(services, progress, by)
        _require_effect(progress)
        if not yes:
            _show_counts(progress)
            _confirm(progress, speed)
        services.planning.run(plan_id, name, speed, by)
        progress = services.planning.progress(plan_id)
        if progress.plan.state is not State.COUNTING:
            break  # else it has aged while somebody thought about it
    else:
        raise Unusable(f"it is {progress.plan.state} already")
    _warn_when_alone(services)
    if as_json:
        _print(progress)
    else:
        click.echo(f"Begun, {show_speed(progress.plan.speed)}. `callbridge replay watch {plan_id}` shows how far it is.")


@replay.command(epilog=examples("replay watch 261124-090000-4f2a", "replay watch 261124-090000-4f2a --json"))
@_id
@config_option
@json_option
def watch(plan_id: str, *, config_path: str | None, as_json: bool) -> None:
    """Show how far a replay is, until it has ended. Exit 1 when something failed in it, or when it was cancelled."""
    services = _knowing(config_path, plan_id)
    if services.planning.one(plan_id).state is State.COUNTING:
        counted(services, plan_id)
    if services.planning.one(plan_id).state is State.PLANNED:
        raise Unusable(f"nobody has confirmed it: `callbridge replay run {plan_id} --name NAME` does")
    _warn_when_alone(services)
    progress = followed(services, plan_id)
    if as_json:
        _print(progress)
    else:
        _show_end(progress)
    done = progress.plan.state is State.FINISHED and not progress.plan.failed and not progress.plan.standing.get(Status.FAILED)
    sys.exit(0 if done else 1)


@replay.command("list", epilog=examples("replay list", "replay list --limit 5 --json"))
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="The newest so many.")
@config_option
@json_option
def list_(limit: int, config_path: str | None, *, as_json: bool) -> None:
    """Show replays, the newest first. Exit 3 when there is none."""
    services = opened(config_path)
    plans = services.planning.plans.all(limit)
    if as_json:
        told = [services.planning.progress(each.id).document() for each in plans]
        click.echo(json.dumps({"items": told}, ensure_ascii=False, indent=2))
    elif plans:
        out().print(_listed(plans))
    else:
        click.echo("No replay was planned yet.", err=True)
    sys.exit(0 if plans else NOTHING_MATCHED)


@replay.command(epilog=examples("replay show 261124-090000-4f2a", "replay show 261124-090000-4f2a --json"))
@_id
@config_option
@json_option
def show(plan_id: str, *, config_path: str | None, as_json: bool) -> None:
    """Show one replay: what it was counted to do, and how far it is."""
    services = _knowing(config_path, plan_id)
    progress = services.planning.progress(plan_id)
    if as_json:
        _print(progress)
        return
    _show_counts(progress)
    if progress.plan.started:
        click.echo()
        _show_end(progress)


def _change(word: str, told: str, text: str) -> click.Command:
    """A command that takes a replay from one state to another."""

    @click.command(word, help=text, epilog=examples(f"replay {word} 261124-090000-4f2a", f"replay {word} 261124-090000-4f2a --json"))
    @_id
    @by_option
    @config_option
    @json_option
    def command(plan_id: str, *, by: str, config_path: str | None, as_json: bool) -> None:
        services = _knowing(config_path, plan_id)
        getattr(services.planning, word)(plan_id, by)
        if as_json:
            _print(services.planning.progress(plan_id))
        else:
            click.echo(told)

    return command


for _command in (
    _change(
        "pause",
        "Paused: no more events are put in. Those that were put in go on.",
        "Put no more events in until it is resumed. What was put in goes on.",
    ),
    _change("resume", "It goes on where it was.", "Go on where it was paused, by today's rules."),
    _change(
        "cancel",
        "Cancelled. What is left stays as it was.",
        "Put no more events in, for good. What is left stays as it was, what was put in goes on.",
    ),
):
    replay.add_command(_command)


def _knowing(config_path: str | None, plan_id: str) -> Services:
    """The bridge, when it has such a replay; else the command ends."""
    services = opened(config_path)
    if services.planning.plans.one(plan_id) is None:
        click.echo(f"There is no replay '{shown(plan_id)}'; `callbridge replay list` shows those there are.", err=True)
        sys.exit(NOTHING_MATCHED)
    return services


def _fresh(services: Services, progress: Progress, by: str) -> Progress:
    """With counts that are good today."""
    if progress.aged:
        click.echo(f"It is counted again: {progress.aged}.", err=True)
        services.planning.count_again(progress.plan.id, by)
    return counted(services, progress.plan.id)


def _require_effect(progress: Progress) -> None:
    if not progress.acting:
        click.echo("A replay would change nothing: none of its events would be put in. `callbridge replay show` says why.", err=True)
        sys.exit(NOTHING_MATCHED)


def _confirm(progress: Progress, speed: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on: look at what it would do, and say --yes")
    click.confirm(f"\nReplay {_events(progress.acting)}, {show_speed(read_speed(speed))}?", abort=True)


def _asked_name(plan: Plan) -> str:
    if plan.name:
        return plan.name
    if not sys.stdin.isatty():
        raise click.UsageError("give it a name with --name: the history shows it")
    return str(click.prompt("Name, as the history shows it"))


def _warn_when_alone(services: Services) -> None:
    if not queue.workers(services.redis):
        click.echo("No worker is running: it goes on when `callbridge worker` (or `run`) is started.", err=True)


def _print(progress: Progress) -> None:
    click.echo(json.dumps(progress.document(), ensure_ascii=False, indent=2))


def _show_counts(progress: Progress) -> None:
    """What would come of the events, those first that would be put in."""
    console, plan = out(), progress.plan
    console.print(
        f"{shown(Concealer().theirs(plan.name)) or 'Plan'} {plan.id}: {Concealer().theirs(plan.written)}, {_events(plan.total)}", soft_wrap=True
    )
    if plan.understood:
        console.print(f"taken for {plan.understood}", style=DIM)
    made = table("events", "what would come of them")
    for tally in sorted(progress.tallies, key=lambda each: not Effect(each.effect).acts):
        made.add_row(f"{tally.count:,}", shown(tally.kind), style=None if Effect(tally.effect).acts else DIM)
    console.print(made)
    console.print(f"{progress.acting:,} would be put in, {plan.total - progress.acting:,} passed over.")


def _show_end(progress: Progress) -> None:
    """How far it is, and what has become of what was put in."""
    console, plan = out(), progress.plan
    told = f"{plan.replayed:,} put in, {plan.skipped:,} passed over, {plan.failed:,} could not be replayed, {plan.left:,} left"
    console.print(f"{plan.state.value}: {told}", soft_wrap=True)
    if plan.changed.note and plan.changed.by == ITSELF:
        console.print(shown(plan.changed.note), soft_wrap=True)
    if plan.standing:
        console.print("of those put in: " + ", ".join(f"{plan.standing[status]:,} {status}" for status in Status if plan.standing.get(status)))
    for word, causes in (("passed over", progress.skipped), ("could not be replayed", progress.failed)):
        for cause, count in causes.items():
            console.print(f"  {count:,} {word}: {shown(cause)}", style=DIM, soft_wrap=True)
    if plan.standing.get(Status.FAILED) or (plan.failed and plan.state.ended):
        console.print(f"`callbridge replay plan --failed-in {plan.id}` plans what failed again.", soft_wrap=True)


def _events(number: int) -> str:
    return f"{number:,} event{'s' if number != 1 else ''}"


def _listed(plans: list[Plan]) -> Any:
    made = table("id", "state", "events", "put in", "by", "planned (UTC)", "name, and filter")
    for plan in plans:
        name = f"{shown(plan.name)}\n" if plan.name else ""
        about = Concealer().theirs(f"{name}{shown(plan.written)}")
        made.add_row(plan.id, plan.state.value, f"{plan.total:,}", f"{plan.replayed:,}", shown(plan.by), when(plan.created), about)
    return made
