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


@dataclass(frozen=True, slots=True)
class Series:
    """One kind of figure; ``tone`` is the class that colours it."""

    name: str
    tone: str


@dataclass(frozen=True, slots=True)
class Block:
    """One part of a column."""

    tone: str
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """One label's figures on top of each other; ``values`` None: nobody knows them."""

    label: str
    x: float
    width: float
    values: tuple[float, ...] | None
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Stack:
    """Columns of several series; ``top`` is a round figure that none reaches beyond."""

    series: tuple[Series, ...]
    columns: tuple[Column, ...]
    top: float
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def empty(self) -> bool:
        """Whether there is nothing but nothing in it."""
        return not any(any(column.values or ()) for column in self.columns)

    @property
    def gaps(self) -> int:
        """How many columns nobody knows the figures of."""
        return sum(column.values is None for column in self.columns)

    @property
    def totals(self) -> list[float]:
        """The sum of each series."""
        known = [column.values for column in self.columns if column.values is not None]
        return [sum(values[place] for values in known) for place in range(len(self.series))]

    @property
    def ticks(self) -> list[str]:
        """Labels for the foot: five at most, evenly apart, without what stands behind a comma."""
        labels = [column.label.partition(",")[0] for column in self.columns]
        return labels if len(labels) <= _TICKS else [labels[place * (len(labels) - 1) // (_TICKS - 1)] for place in range(_TICKS)]


_TICKS = 5


def stacked(series: Sequence[Series], figures: Sequence[tuple[str, Sequence[float] | None]]) -> Stack:
    """A column for each label, with a figure for each of the series, the first at the ground."""
    top, place = round_top(max((sum(values or ()) for _, values in figures), default=0)), WIDTH / max(1, len(figures))
    width = round(place * (1 - _GAP), 1)
    columns = [
        Column(label, round(place * (number + _GAP / 2), 1), width, tuple(values) if values is not None else None, _blocks(series, values or (), top))
        for number, (label, values) in enumerate(figures)
    ]
    return Stack(tuple(series), tuple(columns), top)


def round_top(most: float) -> float:
    """The next figure that is easily halved: 1, 2, 4, 6, 10, 20, 40, 60, 100 …"""
    power = float(10 ** max(0, len(str(int(most))) - 1))
    return next(step * power for step in (1, 2, 4, 6, 10) if step * power >= most)


def _blocks(series: Sequence[Series], values: Sequence[float], top: float) -> tuple[Block, ...]:
    ground, blocks = 0.0, []
    for each, value in zip(series, values, strict=False):
        if value:
            y = _y(ground + value, top)
            blocks.append(Block(each.tone, y, round(_y(ground, top) - y, 1)))
        ground += value
    return tuple(blocks)


def _bar(label: str, value: float, x: float, width: float, top: float) -> Point:
    y = _y(value, top)
    return Point(label, value, round(x, 1), y, round(width, 1), round(HEIGHT - y, 1))


def _top(figures: Sequence[tuple[str, float]]) -> float:
    return max((value for _, value in figures), default=0)


def _y(value: float, top: float) -> float:
    return round(HEIGHT * (1 - (value / top if top else 0)), 1)
