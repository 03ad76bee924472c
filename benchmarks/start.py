"""How long ``callbridge web`` takes until it is ready, beside what its libraries take to be imported.

python -m benchmarks.start
"""

import subprocess
import sys
import time

import click

from benchmarks.comparing import Figure, Goal, in_turns
from benchmarks.servers import bridge, running_web
from benchmarks.table import show

LIBRARIES = "import flask, redis, rq, requests"


def ready() -> float:
    """Seconds from the start of the process to its being ready."""
    with bridge() as made:
        began = time.perf_counter()
        with running_web(made):
            return time.perf_counter() - began


def imported() -> float:
    """Seconds that a process takes for the libraries alone."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", LIBRARIES], check=True, timeout=60)
    return time.perf_counter() - began


def measure(rounds: int) -> list[Figure]:
    product, libraries = in_turns(rounds, ready, imported)
    measured = f'`callbridge web` to ready, over python -c "{LIBRARIES}"'
    return [Figure(path="start", measure=measured, goal=Goal(most=3), unit="s", product=product, baseline=libraries)]


@click.command()
@click.option("--rounds", default=7, show_default=True, help="How often both take their turn.")
def main(rounds: int) -> None:
    """Time how soon the web server is ready."""
    show(measure(rounds))


if __name__ == "__main__":
    main()
