"""Waiting for the long work of a replay of many, with a bar on a terminal. Counting is helped along; the rest is the workers'."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from bridge.cli.tables import out, shown
from bridge.ledger import Plan, State
from bridge.model import Status
from bridge.progress import Progress, lasting
from bridge.wiring import Services

_EVERY = 0.2
_SETTLING = 20.0
"""Seconds that are given to what was put in last, once everything was."""

_AT_ONCE = (Status.QUEUED, Status.RUNNING)


def counted(services: Services, plan_id: str) -> Progress:
    """The plan once it was counted: here, unless a worker does it already."""
    me = f"{socket.gethostname()}:{os.getpid()}:cli"
    try:
        with _bar() as (bar, task):
            while (plan := services.planning.one(plan_id)).state is State.COUNTING:
                told = "finding the events" if plan.gathering else "finding out what would come of each"
                bar.update(
                    task, description=told, completed=plan.total if plan.gathering else plan.place, total=None if plan.gathering else plan.total
                )
                if not services.stepping.step(plan_id, me):
                    time.sleep(_EVERY)
    finally:
        services.planning.plans.give_back(plan_id, me)
    return services.planning.progress(plan_id)


def followed(services: Services, plan_id: str) -> Progress:
    """The replay once it has ended, and what was put in last was tried."""
    ended, paused = 0.0, None
    with _bar() as (bar, task):
        while True:
            progress = services.planning.progress(plan_id)
            plan = progress.plan
            if plan.state is State.PAUSED and paused != plan.changed:
                paused = plan.changed
                _tell_pause(plan)
            bar.update(task, description=_told(progress), completed=plan.place, total=plan.total)
            if plan.state.ended:
                ended = ended or time.monotonic()
                if _is_settled(progress) or time.monotonic() - ended > _SETTLING:
                    return progress
            time.sleep(_EVERY)


def _is_settled(progress: Progress) -> bool:
    plan = progress.plan
    looked = plan.stood is not None and plan.stood >= plan.changed.at
    return not plan.replayed or (looked and not any(plan.standing.get(status) for status in _AT_ONCE))


def _tell_pause(plan: Plan) -> None:
    """Whoever waits must know for whom."""
    note = f": {plan.changed.note}" if plan.changed.note else ""
    click.echo(f"Paused by {shown(plan.changed.by)}{shown(note)}. `callbridge replay resume {plan.id}` has it go on.", err=True)


def _told(progress: Progress) -> str:
    plan = progress.plan
    counts = f"{plan.replayed:,} put in, {plan.skipped:,} passed over, {plan.failed:,} failed"
    rate = f", {progress.rate:.1f}/s, {lasting(progress.time_left)} left" if progress.rate else ""
    return f"{plan.state.value}: {counts}{rate}"


@contextmanager
def _bar() -> Iterator[tuple[Bar, TaskID]]:
    """On standard error, where that is a terminal; else nothing is shown."""
    console = out(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield bar, bar.add_task("", total=None)
