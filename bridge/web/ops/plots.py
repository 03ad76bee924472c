"""The charts of the dashboard: which figures, under which names, in which colours. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from math import inf

from bridge.overview import Figures, Overview, Stretch
from bridge.web.ops.charts import Series, Stack, stacked

_LABELS = {Stretch.HOUR: "%H:%M", Stretch.DAY: "%H:%M", Stretch.WEEK: "%a %d, %H:%M", Stretch.MONTH: "%b %d"}

_FAST = ((1.0, "within a second"), (10.0, "10 s"), (60.0, "a minute"), (1800.0, "half an hour"), (inf, "longer"))
"""The bounds, in seconds, that calls are sorted by."""


@dataclass(frozen=True, slots=True)
class Plot:
    """One chart and what its figures count; ``totals`` are those of the whole stretch, whether it is known when or not."""

    title: str
    unit: str
    stack: Stack
    totals: tuple[float, ...]


def plots(overview: Overview, source: str | None, campaign: str | None) -> list[Plot]:
    """What can be told of the choice: calls are a campaign's, deliveries a source's."""
    made = [_plot("What became of events", "events", overview, _ENDED, _ended)]
    if campaign is None:
        made.insert(0, _plot("What came in", "events", overview, _CAME, lambda found: (found.accepted, found.duplicates)))
    if source is None:
        made.append(_plot("How soon calls were made", "calls", overview, _SPEEDS, speeds))
        made.append(_plot("Requests sent, and what came of them", "requests", overview, _OUTCOMES, _outcomes))
    return made


_CAME = (Series("new", "tone-new"), Series("received before", "tone-faint"))
_ENDED = (Series("done", "tone-good"), Series("suppressed", "tone-calm"), Series("ignored", "tone-faint"), Series("failed", "tone-bad"))
_SPEEDS = tuple(Series(name, f"tone-{number}") for number, (_, name) in enumerate(_FAST, 1))
_OUTCOMES = (Series("taken", "tone-good"), Series("not now", "tone-faint"), Series("no answer", "tone-doubtful"), Series("refused", "tone-bad"))
_MEANT = {"made": 0, "duplicated": 0, "not_now": 1, "not sent": 1, "unknown": 2}
"""Where an attempt's outcome belongs in that list; whatever is not named was refused."""


def _plot(title: str, unit: str, overview: Overview, series: Sequence[Series], values: Callable[[Figures], Sequence[float]]) -> Plot:
    form = _LABELS[overview.stretch]
    columns = [(f"{slot.at.astimezone(UTC):{form}}", values(slot.figures) if slot.figures else None) for slot in overview.slots]
    return Plot(title, unit, stacked(series, columns), tuple(values(overview.whole)))


def _ended(found: Figures) -> Sequence[float]:
    return [found.finished.get(each.name, 0) for each in _ENDED]


def speeds(found: Figures) -> Sequence[float]:
    """How many calls were made within each of the bounds, and not within the one before."""
    counts = [0.0] * len(_FAST)
    for seconds, count in found.took.items():
        counts[next(place for place, (bound, _) in enumerate(_FAST) if seconds <= bound)] += count
    return counts


def _outcomes(found: Figures) -> Sequence[float]:
    counts = [0.0] * len(_OUTCOMES)
    for outcome, count in found.attempts.items():
        counts[_MEANT.get(outcome, len(_OUTCOMES) - 1)] += count
    return counts
