"""All figures of docs/performance.md in one run.

    make bench
    python -m benchmarks --only accept --only deliver --rounds 5

Each is printed as it comes, and written to a file with --out. Nothing else should run on the machine meanwhile.
"""

import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from benchmarks import accept, deliver, fairness, growth, latency, memory, round_trips, start
from benchmarks.comparing import Figure
from benchmarks.redis import running_redis
from benchmarks.table import show

_PACKAGES = ("flask", "gunicorn", "redis", "hiredis", "rq", "requests", "urllib3")


@dataclass(frozen=True, slots=True)
class Size:
    """``seconds`` of load in each run, ``rounds`` of both sides, ``events`` in the large ledger."""

    seconds: float
    rounds: int
    events: int
    told: Console


IN_FLIGHT = 400
"""Requests of the one worker process: of them a single campaign may have half."""

BENCHES: Mapping[str, Callable[[Size], Sequence[Figure]]] = {
    "accept": lambda size: accept.measure(size.seconds, size.rounds),
    "deliver": lambda size: deliver.measure(size.seconds, size.rounds, IN_FLIGHT),
    "round-trips": lambda _: round_trips.measure(200, 2_000),
    "latency": lambda _: latency.measure(200, 0.05),
    "fairness": lambda size: fairness.measure(size.seconds * 2, size.rounds),
    "start": lambda size: start.measure(size.rounds),
    "memory": lambda _: [memory.measure(20_000)[0]],
    "growth": lambda size: growth.measure((10_000, size.events), size.rounds, size.told),
}


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    with running_redis() as redis:
        server = redis.info("server")
    name = next((line.partition(": ")[2] for line in _lines("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    return {
        "cpus": os.cpu_count(),
        "cpu": name,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "python": platform.python_version(),
        "server": f"{server.get('server_name', 'redis')} {server.get('valkey_version', server['redis_version'])}",
        "packages": {package: version(package) for package in _PACKAGES},
        "durability": "appendfsync always",
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def write(figures: Sequence[Figure], out: Path) -> None:
    told = {"machine": machine(), "figures": [figure.document() for figure in figures]}
    out.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


@click.command()
@click.option("--only", "wanted", type=click.Choice([*BENCHES]), multiple=True, help="Some of them; all without it.")
@click.option("--seconds", default=5.0, show_default=True, help="Of load in each run.")
@click.option("--rounds", default=5, show_default=True, help="How often both sides take their turn.")
@click.option("--events", default=1_000_000, show_default=True, help="In the large ledger; a million take some ten minutes and 3 GB.")
@click.option("--out", type=click.Path(path_type=Path), help="Where to write the figures, as JSON.")
def main(wanted: Sequence[str], seconds: float, rounds: int, events: int, out: Path | None) -> None:
    """Measure everything that docs/performance.md tells."""
    console = Console()
    size, figures = Size(seconds, rounds, events, console), list[Figure]()
    for name in wanted or BENCHES:
        began = time.monotonic()
        found = BENCHES[name](size)
        figures += found
        show(found, console)
        console.print(f"{name}: {time.monotonic() - began:.0f} s", style="dim")
    if out:
        write(figures, out)


if __name__ == "__main__":
    main()
