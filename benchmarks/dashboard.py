"""How long the dashboard takes, with few events in the ledger and with many.

    python -m benchmarks.dashboard --events 10000 --events 1000000

Fills a Redis of its own as `benchmarks.search` does, notes counters for a month as the workers would, and times what the page is made
of: how things stand, and the figures of each stretch of time. A million events take some ten minutes and 4 GB.
"""

import json
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import median

import click
from redis import Redis
from rich.console import Console
from rich.table import Table

from benchmarks.redis import running_redis
from benchmarks.search import MONTH, NOW, SOURCES, fill
from bridge.ledger import Issues, Ledger, Switches, Totals, layout
from bridge.listening import Listening
from bridge.measuring import Measuring
from bridge.model import to_ms
from bridge.overseeing import Overseer
from bridge.overview import Stretch
from bridge.spool import Spool


def note(redis: Redis, totals: Totals) -> None:
    """Every hour of the month, every ten minutes of the last three days, every minute of the last hours: with all counters there are."""
    last = totals.now(NOW)
    for step, apart, back in (("hour", 60, MONTH), ("ten", 10, timedelta(days=3)), ("minute", 1, timedelta(hours=3))):
        pipeline = redis.pipeline(transaction=False)
        for number in range(int(back / timedelta(minutes=apart))):
            at = NOW - back + timedelta(minutes=apart * number)
            share = 1 - (NOW - at) / MONTH
            counted = {name: int(count * share) for name, count in last.totals.items()}
            written = json.dumps({"at": to_ms(at), "totals": counted, "statuses": last.statuses}, separators=(",", ":"))
            pipeline.zadd(layout.history(step), {written: to_ms(at)})
        pipeline.execute()


def parts(redis: Redis, ledger: Ledger) -> dict[str, Callable[[], object]]:
    """What is timed."""
    totals = Totals(redis)
    measuring = Measuring(
        redis=redis,
        totals=totals,
        issues=Issues(redis),
        switches=Switches(redis),
        listening=Listening(totals, dict.fromkeys(SOURCES)),
        spool=Spool(Path("/nowhere")),
        campaigns=("welcome", "follow-up"),
        sources=SOURCES,
        asked="unsafe",
    )
    overseer = Overseer(ledger, measuring)
    overseer.situation(NOW)  # learns how long sources may be silent, which holds for minutes
    figures = {f"figures of {stretch.value}": partial(overseer.overview, stretch, NOW) for stretch in Stretch}
    return {"how things stand": lambda: overseer.situation(NOW), **figures}


def timed(part: Callable[[], object], times: int) -> list[float]:
    """Milliseconds of each try, the shortest first."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        part()
        taken.append((time.perf_counter() - started) * 1000)
    return sorted(taken)


@click.command()
@click.option("--events", "sizes", type=click.IntRange(1000, 5_000_000), multiple=True, default=(10_000, 1_000_000), show_default=True)
@click.option("--times", type=click.IntRange(3, 1000), default=50, show_default=True, help="Tries of each part.")
@click.option("--json", "as_json", is_flag=True)
def main(sizes: Sequence[int], times: int, *, as_json: bool) -> None:
    """Time what the dashboard is made of."""
    console, measured = Console(stderr=as_json), dict[str, dict[int, tuple[float, float]]]()
    for count in sizes:
        with running_redis() as redis:
            ledger = fill(redis, count, console)
            note(redis, Totals(redis))
            for name, part in parts(redis, ledger).items():
                taken = timed(part, times)
                measured.setdefault(name, {})[count] = (median(taken), taken[int(len(taken) * 0.95) - 1])
    if as_json:
        click.echo(json.dumps({"milliseconds": measured}, indent=2))
    else:
        show(console, sizes, measured)


def show(console: Console, sizes: Sequence[int], measured: dict[str, dict[int, tuple[float, float]]]) -> None:
    table = Table("part", *(f"{count:,} events" for count in sizes), title="median, 95th percentile (ms)")
    for name, rows in measured.items():
        table.add_row(name, *(f"{rows[count][0]:.1f}  {rows[count][1]:.1f}" for count in sizes))
    console.print(table)


if __name__ == "__main__":
    main()
