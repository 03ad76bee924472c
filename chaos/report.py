"""What came of a run: a table for people, JSON for machines."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from chaos.faults import Struck
from chaos.judge import Broken, Evidence
from chaos.watch import Orphan

RECOVERY = 30.0
"""Seconds within which an event whose worker died is moving again, with the default calls_api.timeout."""


@dataclass(kw_only=True)
class Report:
    """Everything there is to say; ``recovery`` by fault: how many, and the longest until web and calls went on."""

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
    taken_over: int
    moving_again: list[float]
    recovery: dict[str, tuple[int, float | None, float | None]]
    outage_lines: dict[str, int] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        return {"ok": not self.broken, **asdict(self)}


def recovery(past: Sequence[Struck], accepted: Sequence[float], called: Sequence[float]) -> dict[str, tuple[int, float | None, float | None]]:
    """By fault: how often, and the longest from its end to the next accepted delivery and to the next new call job."""
    found: dict[str, tuple[int, float | None, float | None]] = {}
    for struck in past:
        number, web, calls = found.get(struck.name, (0, None, None))
        found[struck.name] = (number + 1, _longer(web, _next(accepted, struck.healed)), _longer(calls, _next(called, struck.healed)))
    return found


def moving_again(orphans: Sequence[Orphan]) -> list[float]:
    return sorted(round(orphan.moved, 2) for orphan in orphans if orphan.moved is not None)


def crashes(evidence: Evidence) -> int:
    return sum(entry.crashes for entry in evidence.entries.values() if entry)


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
    table.add_row("leases that ran out", str(report.taken_over))
    table.add_row("lines that say that Redis is away", ", ".join(f"{times} × {line}" for line, times in sorted(report.outage_lines.items())) or "0")
    return table


def _spread(times: Sequence[float]) -> str:
    if not times:
        return "none in hand"
    return f"{len(times)}, moving again after {times[len(times) // 2]:.1f} s (median), {times[-1]:.1f} s (longest)"


def _faults(report: Report) -> Table:
    table = _table("What went wrong with processes and Redis", "fault", "times", "next 202/200 after", "next call job after")
    for name, (number, web, calls) in sorted(report.recovery.items()):
        table.add_row(name, str(number), _seconds(web), _seconds(calls))
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


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} s"


def _next(times: Sequence[float], after: float) -> float | None:
    place = bisect_left(times, after)
    return times[place] - after if place < len(times) else None


def _longer(one: float | None, other: float | None) -> float | None:
    return max((value for value in (one, other) if value is not None), default=None)
