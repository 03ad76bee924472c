"""What came of a run: a table for people, JSON for machines."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from chaos.faults import Struck
from chaos.judge import Broken
from chaos.watch import Orphan

RECOVERY = 30.0
"""Seconds within which an event whose worker died is moving again, with the default calls_api.timeout."""

_AFTERMATH = 30.0


@dataclass(kw_only=True)
class Report:
    """Everything there is to say; ``recovery`` by fault: how many, and the longest silence of the web and of calls after it."""

    seed: int
    seconds: float
    events: int
    acknowledged: int
    call_jobs: int
    requests: int
    deliveries: dict[str, int]
    faults: dict[str, int]
    platform: dict[str, int]
    rings: dict[int, int]
    lost: int
    drained_in: float
    moving_again: list[float]
    recovery: dict[str, tuple[int, float, float]]
    outage_lines: dict[str, int] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        return {"ok": not self.broken, **asdict(self)}


def recovery(past: Sequence[Struck], ended: float, accepted: Sequence[float], called: Sequence[float]) -> dict[str, tuple[int, float, float]]:
    """By fault: how often, and the longest silence after it, of the web and of new call jobs, before the next one began.

    ``ended``: when nothing new was told any more, so that silence is no wonder.
    """
    found: dict[str, tuple[int, float, float]] = {}
    for struck, following in zip(past, [*past[1:], None], strict=True):
        until = min(struck.healed + _AFTERMATH, following.began if following else ended)
        number, web, calls = found.get(struck.name, (0, 0.0, 0.0))
        found[struck.name] = (number + 1, max(web, _silence(accepted, struck.healed, until)), max(calls, _silence(called, struck.healed, until)))
    return found


def moving_again(orphans: Sequence[Orphan]) -> list[float]:
    return sorted(round(orphan.moved, 2) for orphan in orphans if orphan.moved is not None)


def show(console: Console, report: Report) -> None:
    """The tables, and one sentence."""
    console.print(_counts(report))
    console.print(_faults(report))
    console.print(_platform(report))
    verdict = "all promises kept" if not report.broken else f"{len(report.broken)} promises broken"
    console.print(f"seed {report.seed}, {report.seconds:.0f} s: {verdict}", style="bold green" if not report.broken else "bold red")


def _counts(report: Report) -> Table:
    table = _table("What came in and what came of it", "", "")
    answers = ", ".join(f"{times} × {word}" for word, times in sorted(report.deliveries.items()))
    sent = sum(times for word, times in report.deliveries.items() if word != "given up")
    table.add_row("deliveries", f"{sent}: {answers}")
    table.add_row("events", f"{report.events}, {report.acknowledged} of them acknowledged")
    table.add_row("lost", str(report.lost))
    table.add_row("call jobs", f"{report.call_jobs}, by {report.requests} requests to the platform")
    table.add_row("rings per logical call", ", ".join(f"{times} × {rings}" for rings, times in sorted(report.rings.items())))
    table.add_row("at rest after", f"{report.drained_in:.0f} s")
    table.add_row("events of killed workers", _spread(report.moving_again))
    table.add_row("lines that say that Redis is away", ", ".join(f"{times} × {line}" for line, times in sorted(report.outage_lines.items())) or "0")
    return table


def _spread(times: Sequence[float]) -> str:
    if not times:
        return "none in hand"
    return f"{len(times)}, moving again after {times[len(times) // 2]:.1f} s (median), {times[-1]:.1f} s (longest)"


def _faults(report: Report) -> Table:
    table = _table("What went wrong with processes, Redis and the network", "fault", "times", "longest silence of the web", "of new call jobs")
    for name, (number, web, calls) in sorted(report.recovery.items()):
        table.add_row(name, str(number), f"{web:.1f} s", f"{calls:.1f} s")
    return table


def _platform(report: Report) -> Table:
    table = _table("What went wrong at the platform and the CRM's API", "answer", "requests")
    for name, number in sorted(Counter(report.platform).items()):
        table.add_row(name, str(number))
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=f"\n{title}", title_justify="left", title_style="bold", box=SIMPLE_HEAD, show_header=any(columns))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _silence(times: Sequence[float], since: float, until: float) -> float:
    """The longest pause in the time between."""
    marks = [since, *times[bisect_left(times, since) : bisect_left(times, until)], max(since, until)]
    return max(later - earlier for earlier, later in pairwise(marks))
