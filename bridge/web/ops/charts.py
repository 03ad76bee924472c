"""Where the strokes of a small chart go. Pure: the macro draws it, and a table beside it says the same in figures."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 600, 120
_GAP = 0.25  # of a bar's place is left free


@dataclass(frozen=True, slots=True)
class Point:
    """One figure under its name, and the rectangle or the dot that stands for it."""

    label: str
    value: float
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """What is to be drawn in :data:`WIDTH` by :data:`HEIGHT`, and the largest figure, which reaches the top."""

    points: tuple[Point, ...]
    top: float
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def path(self) -> str:
        """The dots as one line, for SVG's ``points``."""
        return " ".join(f"{point.x},{point.y}" for point in self.points)


def bars(figures: Sequence[tuple[str, float]]) -> Chart:
    """One bar a figure, side by side; none is below zero."""
    top, place = _top(figures), WIDTH / max(1, len(figures))
    width = place * (1 - _GAP)
    points = [_bar(label, value, place * (number + _GAP / 2), width, top) for number, (label, value) in enumerate(figures)]
    return Chart(tuple(points), top)


def line(figures: Sequence[tuple[str, float]]) -> Chart:
    """A dot a figure, from edge to edge."""
    top, step = _top(figures), WIDTH / max(1, len(figures) - 1)
    points = [Point(label, value, round(step * number, 1), _y(value, top), 0, 0) for number, (label, value) in enumerate(figures)]
    return Chart(tuple(points), top)


def _bar(label: str, value: float, x: float, width: float, top: float) -> Point:
    y = _y(value, top)
    return Point(label, value, round(x, 1), y, round(width, 1), round(HEIGHT - y, 1))


def _top(figures: Sequence[tuple[str, float]]) -> float:
    return max((value for _, value in figures), default=0)


def _y(value: float, top: float) -> float:
    return round(HEIGHT * (1 - (value / top if top else 0)), 1)
