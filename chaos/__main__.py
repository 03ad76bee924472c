"""``python -m chaos --seconds 120 --seed 7``: what ``make chaos`` runs. Exit 0: all promises kept; 1: one was not; 2: wrong use."""

import json
import random
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import click
from rich.console import Console

from chaos.faults import FAULTS
from chaos.report import show
from chaos.run import Wanted, run
from chaos.stage import StageError

_SHOWN = 20


@click.command()
@click.option(
    "--seconds", type=click.FloatRange(5, 86_400), default=120, show_default=True, help="How long things go wrong; coming to rest comes after."
)
@click.option("--seed", type=int, default=None, help="Of people and faults. Default: another one each time; it is printed.")
@click.option("--rate", type=click.FloatRange(0.1, 200), default=5, show_default=True, help="New people a second.")
@click.option("--drain", type=click.FloatRange(1, 3600), default=300, show_default=True, help="The most seconds it may take to come to rest.")
@click.option("--timeout", default="10s", show_default=True, help="calls_api.timeout; a lease is 10 s longer.")
@click.option("--longest", type=click.FloatRange(1, 600), default=30, show_default=True, help="No fault lasts longer; those that must are left out.")
@click.option(
    "--only", type=click.Choice(sorted(FAULTS)), multiple=True, help="Nothing but this goes wrong with processes and Redis; may be repeated."
)
@click.option(
    "--lasting", type=click.FloatRange(0.1, 3600), help="How many seconds a fault lasts, where it lasts at all. Default: as the chances say."
)
@click.option("--json", "as_json", type=click.Path(dir_okay=False, path_type=Path), help="Write the report there, too.")
@click.option("--keep", is_flag=True, help="Leave the folder with Redis' data and the logs behind.")
def main(*, seed: int | None, as_json: Path | None, **wanted: Any) -> None:
    """Run the real bridge through faults at random, and hold the platform's record against what was sent."""
    signal.signal(signal.SIGTERM, _as_ctrl_c)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 130)
    seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    try:
        outcome = run(Wanted(seed=seed, **wanted), lambda line: console.print(line, markup=False, style="bright_black"))
    except StageError as error:
        raise click.ClickException(str(error)) from error
    show(console, outcome.report)
    if as_json:
        as_json.write_text(json.dumps(outcome.report.document(), indent=2))
    for broken in outcome.report.broken[:_SHOWN]:
        console.print(f"BROKEN {broken.key}: {broken.why}", style="red", markup=False, soft_wrap=True)
    for key, lines in outcome.histories.items():
        console.print(f"\nhistory of {key} (seed {seed})", style="bold", markup=False)
        console.print("\n".join(lines), markup=False, soft_wrap=True)
    sys.exit(1 if outcome.report.broken else 0)


def _as_ctrl_c(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
