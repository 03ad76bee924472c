"""``callbridge demo``: the whole bridge against the simulator, real webhooks sent as CRMs send them, and what came of it.

``setting`` starts it, ``sending`` plays the CRMs, ``showing`` prints the tables.
"""

import os
import sys
import threading
from pathlib import Path

import click
from rich.console import Console

from bridge.cli.demo.sending import play
from bridge.cli.demo.setting import Stage, staged
from bridge.cli.demo.showing import show_next_steps, show_results
from bridge.cli.ending import until_told
from bridge.cli.helping import examples

_NARROWEST = 110


@click.command(epilog=examples("demo", "demo --exit --port 8500", "demo --keep"))
@click.option(
    "--data-dir", type=click.Path(file_okay=False, path_type=Path), default=Path("data/demo"), show_default=True, help="Where it keeps its files."
)
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="The bridge's port; the next free one when it is taken.")
@click.option("--keep", is_flag=True, help="Keep what the last demo remembers: what it sent then is a duplicate now, and nobody is called again.")
@click.option("--exit", "leave", is_flag=True, help="End after the tables instead of staying up.")
def demo(data_dir: Path, port: int, *, keep: bool, leave: bool) -> None:
    """Show the whole bridge at work, calling nobody.

    Starts Redis, web, workers and a simulated Calls API, sends webhooks as CRMs send them, and shows what came of each.
    """
    stopping = threading.Event()
    until_told(stopping)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _NARROWEST)
    console.print("Starting Redis, web, workers, and a simulated Calls API that rings nobody …")
    with staged(data_dir, port, keep=keep) as stage:
        console.print(f"The bridge is at {stage.url}, the simulated platform at {stage.simulator}.\n")
        delivered = play(stage, lambda line: console.print(f"  {line}", style="bright_black", markup=False))
        show_results(console, stage, delivered)
        if leave:
            return
        show_next_steps(console, stage)
        _stay(stage, stopping)
        console.print("\nEnding …")


def _stay(stage: Stage, stopping: threading.Event) -> None:
    """Until told to stop, or the bridge is gone."""
    while not stopping.wait(0.5):
        if stage.bridge.poll() is not None:
            click.echo(f"callbridge: the bridge ended; see {os.path.relpath(stage.log)}", err=True)
            sys.exit(1)
