"""What a benchmark finds: figures of the product beside those of what it is compared with, taken in turns in one run.

The machines are noisy, so a figure alone says little: the two sides take turns (A B A B), and what is compared with a goal is the ratio of
their medians.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be reached: ``least`` so much, or ``most``. Written as in the table: ``≥ 0.45``."""

    least: float | None = None
    most: float | None = None

    def __str__(self) -> str:
        return f"≥ {self.least:,g}" if self.least is not None else f"≤ {self.most:,g}"

    def reached(self, value: float) -> bool:
        return value >= self.least if self.least is not None else self.most is not None and value <= self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table. Without a ``baseline`` the median of ``product`` is what counts, else the ratio of the medians.

    ``note``: what else is to be known of it, such as how it was loaded.
    """

    path: str
    measure: str
    goal: Goal
    unit: str
    product: Sequence[float]
    baseline: Sequence[float] = ()
    note: str = ""

    @property
    def value(self) -> float:
        return median(self.product) / median(self.baseline) if self.baseline else median(self.product)

    @property
    def reached(self) -> bool:
        return self.goal.reached(self.value)

    @property
    def spread(self) -> float:
        """How far the runs are apart, as a part of their median; of the side where they are further apart."""
        return max((max(runs) - min(runs)) / median(runs) for runs in (self.product, self.baseline or self.product) if median(runs))

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "path": self.path,
            "measure": self.measure,
            "goal": str(self.goal),
            "value": _rounded(self.value),
            "reached": self.reached,
            "unit": self.unit,
            "product": [_rounded(run) for run in self.product],
            "baseline": [_rounded(run) for run in self.baseline],
            "spread": round(self.spread, 3),
            "note": self.note,
        }


def in_turns(rounds: int, *sides: Callable[[], float]) -> list[list[float]]:
    """Every side once, ``rounds`` times over; the runs of each."""
    runs: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for side, measure in zip(runs, sides, strict=True):
            side.append(measure())
    return runs


def percentile(values: Sequence[float], part: float) -> float:
    """The value that ``part`` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


def _rounded(value: float) -> float:
    """Four figures: more would be noise."""
    return float(f"{value:.4g}")
