"""What a replay of many costs: how long it takes to plan one, what its list of events takes of Redis, how fast events are put in.

    python -m benchmarks.plans --events 100000

Fills a Redis of its own with events that no rule was for, one in each delivery, mends the rule, and plans to replay them all; then puts some of
them in as fast as it goes. Nobody is called. A hundred thousand take some five minutes and 500 MB.
"""

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import click
from redis import Redis
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.redis import running_redis
from bridge.config import load
from bridge.filters import parse
from bridge.ledger import State, layout
from bridge.model import Delivery
from bridge.wiring import Services, build

CONFIG = """
redis: {url: "%s", durability: unsafe}
data_dir: %s
campaigns: {welcome: {token: welcome}}
sources: {zapier: {kind: generic, insecure: true}}
rules:
  - {name: call new leads, on: %s, call: {campaign: welcome, cooldown: 12h, payload: {name: contact.name}}}
  - {name: stop on delete, on: lead.deleted, cancel: {}}
"""


@dataclass(frozen=True)
class Spent:
    """How long something took, in how many steps, and the longest of them."""

    seconds: float
    steps: int
    longest: float


def services(redis: Redis, folder: str, called: str) -> Services:
    path = Path(folder) / "config.yaml"
    path.write_text(CONFIG % (f"unix://{redis.connection_pool.connection_kwargs['path']}", folder, called), encoding="utf-8")
    return build(load(path, {}), redis_timeout=60)


def lead(number: int, bridge: Services) -> Delivery:
    told = {
        "event_id": f"lead-{number}",
        "type": "lead.created",
        "name": f"Alex K{number}",
        "phone": f"+1281{3000000 + number}",
        "entity": {"type": "lead", "id": str(number)},
        "fields": {"plan": "gold", "page": "/pricing", "owner": "Anna"},
    }
    headers = {"content-type": "application/json"}
    return Delivery(source="zapier", body=json.dumps(told).encode(), url="http://bridge/", received_at=bridge.clock(), headers=headers)


def fill(bridge: Services, count: int, told: Console) -> None:
    for number in track(range(count), f"{count:,} events", console=told, transient=True):
        delivery = lead(number, bridge)
        bridge.ingest.accept(delivery, bridge.ingest.entries(delivery))


def spend(step: Callable[[], object], goes_on: Callable[[], bool]) -> Spent:
    began, steps, longest = time.perf_counter(), 0, 0.0
    while goes_on():
        start = time.perf_counter()
        step()
        steps, longest = steps + 1, max(longest, time.perf_counter() - start)
    return Spent(time.perf_counter() - began, steps, longest)


def measure(bridge: Services, redis: Redis, put_in: int) -> list[tuple[str, str]]:
    planning, stepping = bridge.planning, bridge.stepping
    before = redis.info("memory")["used_memory"]
    plan_id = planning.plan(parse("status:ignored", bridge.clock()), "anna").id
    look = lambda: stepping.look("w")  # noqa: E731 -- given three times
    gathered = spend(look, lambda: planning.one(plan_id).gathering)
    listed = planning.plans.memory(plan_id)
    peak = 0

    def count() -> None:
        nonlocal peak
        look()
        peak = max(peak, redis.info("memory")["used_memory"] - before)

    counted = spend(count, lambda: planning.one(plan_id).state is State.COUNTING)
    progress = planning.progress(plan_id)
    total = progress.plan.total
    time.sleep(1)  # what is not needed any more is freed in the background
    left = redis.info("memory")["used_memory"] - before
    planning.run(plan_id, "measured", "fast", "anna")
    ran = spend(look, lambda: planning.one(plan_id).replayed < min(put_in, total))
    done = planning.one(plan_id)
    planning.cancel(plan_id, "anna")
    return [
        ("events planned", f"{total:,}, of which {progress.acting:,} would be put in"),
        ("finding them", _told(gathered, total)),
        ("finding out what would come of each", _told(counted, total)),
        ("the list of them, in Redis", f"{listed / 2**20:.1f} MiB, {listed / total:.0f} bytes an event"),
        ("the most it took while it was counted", f"{peak / 2**20:.1f} MiB, {peak / total:.0f} bytes an event"),
        ("what it takes until it is confirmed", f"{left / 2**20:.1f} MiB"),
        ("put in as fast as it goes", f"{done.replayed:,} in {ran.seconds:.1f} s, {done.replayed / ran.seconds:,.0f} a second"),
        ("one look at how they stand", f"{_standing(bridge, plan_id):.2f} s"),
    ]


def _told(spent: Spent, total: int) -> str:
    each = f"{spent.seconds / total * 1000:.2f} ms an event"
    return f"{spent.seconds:.1f} s, {each}; {spent.steps} steps, the longest {spent.longest * 1000:.0f} ms"


def _standing(bridge: Services, plan_id: str) -> float:
    start = time.perf_counter()
    bridge.planning.plans.stand(plan_id)
    return time.perf_counter() - start


@click.command()
@click.option("--events", type=click.IntRange(1000, 1_000_000), default=10_000, show_default=True)
@click.option("--put-in", type=click.IntRange(100, 100_000), default=5_000, show_default=True, help="How many of them are put in.")
def main(events: int, put_in: int) -> None:
    """Measure what a replay of many costs."""
    told = Console(stderr=True)
    with running_redis() as redis, tempfile.TemporaryDirectory(prefix="cb-") as folder:
        unready = services(redis, folder, "nothing.yet")
        fill(unready, events, told)
        kept = redis.info("memory")["used_memory"]
        rows = measure(replace(services(redis, folder, "lead.created")), redis, put_in)
        table = Table("what", "measured", title=f"A replay of {events:,} events ({kept / 2**20:,.0f} MiB of ledger)")
        for what, measured in rows:
            table.add_row(what, measured)
        Console(width=120).print(table)
        click.echo(f"keys of plans that are left: {len(redis.keys(layout.plan('*')))}")


if __name__ == "__main__":
    main()
