"""What a number of events a day asks for, and where one Redis ends: a calculation from measured costs, not a measurement.

    python -m benchmarks.sizing
    python -m benchmarks.sizing --events-a-day 500000 --days 30

Redis runs scripts one after the other, so its time is what cannot be added. It is reckoned as one queue to which events come at random and which
takes the same time for each (M/D/1): the wait is utilisation / (2 × (1 - utilisation)) of an event's time. Left out are the fsyncs of
`appendfsync always`, which what waits together shares, and what operators and scrapes ask.
"""

import math
from dataclasses import dataclass

import click
from rich.console import Console
from rich.table import Table

REDIS_SECONDS = 0.6e-3
"""Redis' own time for one event, accepted by itself (0.145 ms) and delivered (0.45 ms): the dearest that was measured."""

BYTES = 3_219
"""Of one finished event with its delivery."""

ACCEPTED, DELIVERED = 680.0, 850.0
"""Events/s of one web process and of one worker process, with Redis and the load on the same two cores."""

BUSY = 0.7
"""What a part may be used in the busiest hour: the rest is for retries, replays and operators."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be there for one number of events a day."""

    a_second: float
    web: int
    workers: int
    redis_busy: float
    wait: float
    memory: float


def needs(a_day: int, days: int, busiest: float) -> Needs:
    """``busiest``: the part of a day's events that comes in its busiest hour.

    ``wait`` is in seconds, endless where Redis cannot keep up; ``memory`` in bytes.
    """
    a_second = a_day * busiest / 3600
    load = a_second * REDIS_SECONDS
    return Needs(
        a_second=a_second,
        web=math.ceil(a_second / ACCEPTED / BUSY),
        workers=math.ceil(a_second / DELIVERED / BUSY),
        redis_busy=load,
        wait=REDIS_SECONDS * load / 2 / (1 - load) if load < 1 else math.inf,
        memory=float(a_day * days * BYTES),
    )


def limits(days: int, busiest: float, memory: float) -> tuple[int, int]:
    """Events a day at which one Redis is busy for `BUSY` of its busiest hour, and at which ``memory`` bytes are full."""
    return int(BUSY / REDIS_SECONDS * 3600 / busiest), int(memory / BYTES / days)


@click.command()
@click.option("--events-a-day", "sizes", type=click.IntRange(1), multiple=True, default=(10_000, 100_000, 1_000_000, 10_000_000), show_default=True)
@click.option("--days", type=click.IntRange(1), default=30, show_default=True, help="How long finished events are kept (`retention.done`).")
@click.option("--busiest", type=click.FloatRange(1 / 24, 1), default=0.2, show_default=True, help="The part of a day's events in its busiest hour.")
@click.option("--memory", type=click.IntRange(1), default=16, show_default=True, help="GiB that Redis may take.")
def main(sizes: tuple[int, ...], days: int, busiest: float, memory: int) -> None:
    """Reckon processes, Redis' load and its memory for some numbers of events a day."""
    table = Table("events a day", "events/s", "web", "workers", "Redis busy", "waits", "memory")
    for size in sizes:
        found = needs(size, days, busiest)
        table.add_row(
            f"{size:,}",
            f"{found.a_second:,.1f}",
            str(found.web),
            str(found.workers),
            f"{found.redis_busy:.1%}",
            f"{found.wait * 1e3:.2f} ms" if found.wait < math.inf else "cannot keep up",
            f"{found.memory / 2**30:,.1f} GiB",
        )
    console = Console()
    console.print("In the busiest hour, with web and worker processes:")
    console.print(table)
    by_time, by_memory = limits(days, busiest, memory * 2**30)
    console.print(f"One Redis: {by_time:,} events a day by its time ({BUSY:.0%} busy), {by_memory:,} by {memory} GiB with {days} days kept.")


if __name__ == "__main__":
    main()
