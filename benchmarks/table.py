"""The figures as a table in the terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.comparing import Figure


def show(figures: Sequence[Figure], console: Console | None = None) -> None:
    """Each figure with its goal; how far the runs are apart tells how much to believe."""
    table = Table("path", "measure", "goal", "reached", "product", "beside it", "runs apart")
    for figure in figures:
        reached = f"[{'green' if figure.reached else 'red'}]{figure.value:,.3g}[/]"
        sides = [_median(runs, figure.unit) for runs in (figure.product, figure.baseline)]
        table.add_row(
            figure.path, "\n".join(part for part in (figure.measure, figure.note) if part), str(figure.goal), reached, *sides, f"{figure.spread:.0%}"
        )
    (console or Console()).print(table)


def _median(runs: Sequence[float], unit: str) -> str:
    return f"{sorted(runs)[len(runs) // 2]:,.4g} {unit}" if runs else ""
