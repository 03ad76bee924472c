"""The figures as a picture: how far each is from its goal.

python -m benchmarks.plot docs/performance.json docs/performance.svg
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import matplotlib as mpl
from matplotlib.figure import Figure as Picture

_REACHED, _MISSED, _LINE = "#2a7f62", "#b4532a", "#666666"


def plot(figures: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Bars to the right of the line have reached their goal; twice as far is twice as good. Writes an SVG, the same for the same figures."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "callbridge", "font.family": "sans-serif", "font.size": 9})
    rows = list(reversed(figures))
    picture = Picture(figsize=(9, 0.8 + 0.34 * len(rows)), layout="constrained")
    axes = picture.add_subplot()
    axes.barh(range(len(rows)), [margin(row) for row in rows], color=[_REACHED if row["reached"] else _MISSED for row in rows], height=0.62)
    axes.axvline(1, color=_LINE, linewidth=1)
    axes.set_xscale("log", base=2)
    axes.set_yticks(range(len(rows)), [f"{row['path']}: {row['measure']}" for row in rows])
    axes.set_xlabel("how many times its goal (log)")
    for place, row in enumerate(rows):
        axes.text(max(margin(row), 1) * 1.04, place, f"{row['value']:,.4g}  ({row['goal']})", va="center", color=_LINE)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.25)
    picture.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def margin(row: Mapping[str, Any]) -> float:
    """1 where the goal is just reached, 2 where it is twice as good."""
    sign, goal = str(row["goal"]).split()
    wanted, value = float(goal.replace(",", "")), float(row["value"])
    return value / wanted if sign == "≥" else wanted / value


@click.command()
@click.argument("figures", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("picture", type=click.Path(dir_okay=False, path_type=Path))
def main(figures: Path, picture: Path) -> None:
    """Draw the figures of a run of `python -m benchmarks --out FIGURES`."""
    plot(json.loads(figures.read_text(encoding="utf-8"))["figures"], picture)


if __name__ == "__main__":
    main()
