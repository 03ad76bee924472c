"""How many events one worker process delivers: looked up, decided, sent, and recorded on disk with all that is searched by.

    python -m benchmarks.deliver

With the Calls API at 50 ms beside RQ's own ``WorkerPool`` of eight doing one ``requests.Session.post`` per job, and with one that answers at
once beside a tight loop of ``requests.Session.post``. The Calls API is a process of its own that costs next to nothing, and so is Redis.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks import stock
from benchmarks.comparing import Figure, Goal, in_turns
from benchmarks.filling import fill
from benchmarks.platform import Platform, running_platform
from benchmarks.servers import Bridge, bridge, running, running_worker
from benchmarks.table import show
from bridge.wiring import build

POOL = 8
CONCURRENCY = 400
AT_ONCE = 200
"""Sends in flight when the memory of a worker process is looked at; each takes so long:"""
SLOW = "1000ms"

MOST_A_SECOND = {"50ms": 4000, "0ms": 2500}
"""Events that are made ready for each second: more than one process delivers."""

_LOOK = 0.02


@dataclass(frozen=True, slots=True)
class Sides:
    """The product's side and the others, each on a Redis of its own and all on one platform."""

    platform: Platform
    seconds: float
    options: tuple[str, ...]

    def product(self, latency: str) -> float:
        """Events a second that end."""
        with self._bridge() as made:
            fill(made, int(self.seconds * MOST_A_SECOND[latency]), latency)
            with running_worker(made, "--processes", "1", *self.options):
                return _rate(build(made.config).ledger.unfinished_count, self.seconds)

    def pool(self, latency: str) -> float:
        """Jobs a second of RQ's own."""
        with self._bridge() as made:
            jobs = stock.queue(made.redis)
            stock.fill(made.redis, self._url(latency), int(self.seconds * 1000))
            with running([sys.executable, "-m", "benchmarks.stock", "pool", made.redis_url, str(POOL)], made.path.parent / "stock.log"):
                return _rate(lambda: jobs.count, self.seconds)

    def loop(self) -> float:
        """Posts a second of ``requests`` alone."""
        command = [sys.executable, "-m", "benchmarks.stock", "loop", self._url("0ms"), str(self.seconds)]
        return float(subprocess.run(command, capture_output=True, text=True, check=True, timeout=self.seconds + 30).stdout)

    def memory(self) -> float:
        """MiB of a worker process with :data:`AT_ONCE` sends in flight, which is half of its slots, when it has been at it for a while."""
        with self._bridge() as made:
            fill(made, 10 * AT_ONCE, SLOW)
            with running_worker(made, "--processes", "1", "--concurrency", str(2 * AT_ONCE)) as supervisor:
                _until(lambda: self.platform.under_way() >= AT_ONCE)
                time.sleep(3)
                return max(map(_resident, _children(supervisor)))

    def _bridge(self) -> AbstractContextManager[Bridge]:
        return bridge(self.platform.url, {latency: latency for latency in (*MOST_A_SECOND, SLOW)})

    def _url(self, latency: str) -> str:
        return f"{self.platform.url}/api/crmCalls/campaign/{latency}/addPhone"


def _until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not true():
        if time.monotonic() > until:
            raise SystemExit("what was to be measured did not come about")
        time.sleep(_LOOK)


def _rate(left: Callable[[], int], seconds: float) -> float:
    """How many a second become fewer, once the first are; what there was must last for so long."""
    before = left()
    while left() == before:
        time.sleep(_LOOK)
    time.sleep(0.5)  # all of them are warm
    began, before = time.perf_counter(), left()
    time.sleep(seconds)
    now, after = time.perf_counter(), left()
    if not after:
        raise SystemExit("there was not enough to do: the figure would be too low")
    return (before - after) / (now - began)


def _children(parent: int) -> Iterator[int]:
    """The processes that this one has started."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            told = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended since
        if int(told[1]) == parent:
            yield int(stat.parent.name)


def _resident(process: int) -> float:
    told = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return int(told["VmRSS"].split()[0]) / 1024


def measure(seconds: float, rounds: int, concurrency: int = CONCURRENCY) -> list[Figure]:
    """All three, one after the other."""
    note = f"--concurrency {concurrency}"
    with running_platform() as platform:
        sides = Sides(platform, seconds, ("--concurrency", str(concurrency)))
        slow, pool = in_turns(rounds, lambda: sides.product("50ms"), lambda: sides.pool("50ms"))
        quick, loop = in_turns(rounds, lambda: sides.product("0ms"), sides.loop)
        (memory,) = in_turns(1, sides.memory)
    return [
        Figure(
            path="deliver",
            measure=f"API at 50 ms: events/s of one process over RQ's WorkerPool of {POOL}",
            goal=Goal(least=15),
            unit="/s",
            product=slow,
            baseline=pool,
            note=note,
        ),
        Figure(
            path="deliver",
            measure="API at 0 ms: events/s of one process over a loop of requests.Session.post",
            goal=Goal(least=0.5),
            unit="/s",
            product=quick,
            baseline=loop,
            note=note,
        ),
        Figure(path="memory", measure=f"worker process with {AT_ONCE} sends in flight", goal=Goal(most=120), unit="MiB", product=memory),
    ]


@click.command()
@click.option("--seconds", default=4.0, show_default=True, help="Of load in each run.")
@click.option("--rounds", default=3, show_default=True, help="How often both sides take their turn.")
@click.option("--concurrency", default=CONCURRENCY, show_default=True, help="The worker's own; half of it are in flight to one campaign.")
def main(seconds: float, rounds: int, concurrency: int) -> None:
    """Time how fast one worker process delivers."""
    show(measure(seconds, rounds, concurrency))


if __name__ == "__main__":
    main()
