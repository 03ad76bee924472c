"""``/ops/``: where an operator arrives. The one box, how things stand, and what happened lately."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, render_template, request, url_for

from bridge.model import Status
from bridge.overview import Overview, Stretch
from bridge.situation import Situation
from bridge.web.ops.addresses import search_address
from bridge.web.ops.plots import plots
from bridge.web.ops.words import lasting
from bridge.wiring import Services

EXAMPLES = (
    ("a phone number", "+1 281 332 2575", "in any spelling"),
    ("a name", "Alex Doe", "as the CRM has it"),
    ("a record of a CRM", "deal:555", "or only its id"),
    ("an event", "hubspot:1234567", "source and event id"),
    ("a call job", "98765", "its id at the platform"),
    ("a status", "failed", "or any other"),
)
"""What can be typed into the search box: what it is, one such, and how."""

STRETCHES = {
    Stretch.HOUR: "the last hour",
    Stretch.DAY: "the last 24 hours",
    Stretch.WEEK: "the last 7 days",
    Stretch.MONTH: "the last 30 days",
}

_MOST_SHOWN = 6


def add(blueprint: Blueprint, services: Services) -> None:
    """``/ops/?range=&source=&campaign=``."""
    blueprint.add_url_rule("/", "start", Board(services).show)


class Board:
    """The dashboard."""

    def __init__(self, services: Services) -> None:
        self._overseer = services.overseer
        self._clock = services.clock
        self._choices = {"source": tuple(services.config.sources), "campaign": tuple(services.config.campaigns)}

    def show(self) -> str:
        stretch = next((each for each in Stretch if each == request.args.get("range")), Stretch.DAY)
        chosen: dict[str, Any] = {what: name for what, names in self._choices.items() if (name := request.args.get(what)) in names}
        now = self._clock()
        situation, overview = self._overseer.situation(now), self._overseer.overview(stretch, now, chosen.get("source"), chosen.get("campaign"))
        return render_template(
            "start.html",
            examples=EXAMPLES,
            situation=situation,
            tiles=tiles(situation),
            kinds=situation.kinds[:_MOST_SHOWN],
            issues=situation.open_issues[:_MOST_SHOWN],
            addresses={remark: _address(remark.what, remark.name) for remark in situation.remarks},
            overview=overview,
            figures=figures(overview, chosen),
            plots=plots(overview, chosen.get("source"), chosen.get("campaign")),
            stretches=[_tab(each, stretch, chosen) for each in Stretch],
            told=STRETCHES[stretch],
            chosen=chosen,
            choices=self._choices,
            here=url_for("ops.start", range=stretch.value, **chosen),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A figure that leads somewhere; ``since``: how old the oldest of what it counts is, ``tone`` good, doubtful, bad or empty."""

    label: str
    count: int
    query: str
    note: str = ""
    since: datetime | None = None
    tone: str = ""


def tiles(situation: Situation) -> list[Tile]:
    """The present in figures."""
    counts = situation.statuses
    held = {status: (sample.total, sample.oldest if sample.total else None) for status, sample in situation.samples.items()}
    late = f"{situation.past_due:,} past due" if situation.past_due else "none is late"
    moving = sum(counts.get(status, 0) for status in (Status.QUEUED, Status.RUNNING))
    shown = [Tile(label="on their way", count=moving, query="status:queued,running", note=late, tone="bad" if situation.past_due else "")]
    for status, tone in _TONES.items():
        total, oldest = held[status]
        shown.append(Tile(label=status.value, count=total, query=f"status:{status}", since=oldest, tone=tone if total else ""))
    failed, note = counts.get(Status.FAILED, 0), f"{len(situation.open_issues)} open issue{'s' * (len(situation.open_issues) != 1)}"
    return [*shown, Tile(label="failed", count=failed, query="status:failed", note=note, tone="bad" if situation.open_issues else "")]


_TONES = {Status.WAITING: "", Status.UNKNOWN: "doubtful", Status.PARKED: "doubtful"}
"""How much it matters that something is held."""


def figures(overview: Overview, chosen: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """The stretch in figures: name, figure, and a word on it."""
    whole = overview.whole
    came = [("came in", f"{whole.accepted:,}", f"and {whole.duplicates:,} received before")] if "campaign" not in chosen else []
    calls = whole.finished.get(Status.DONE, 0)
    rest = whole.finished.get(Status.SUPPRESSED, 0)
    failed = whole.finished.get(Status.FAILED, 0)
    made = [
        ("done", f"{calls:,}", "called, or cancelled"),
        ("suppressed", f"{rest:,}", "deliberately no call"),
        ("failed", f"{failed:,}", "in this time"),
    ]
    spans = [("median", 0.5, "from taken in to call made"), ("95 %", 0.95, "of calls were made within")] if "source" not in chosen else []
    return [*came, *made, *((name, lasting(whole.within(share)), told) for name, share, told in spans)]


def _tab(stretch: Stretch, current: Stretch, chosen: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "label": STRETCHES[stretch].removeprefix("the last "),
        "url": url_for("ops.start", range=stretch.value, **chosen),
        "current": stretch is current,
    }


def _address(what: str, name: str) -> str:
    """Where one looks at what was remarked; empty where there is no page for it."""
    pages = {
        "issues": lambda: url_for("ops.issues"),
        "unknown": lambda: search_address("status:unknown"),
        "campaign": lambda: url_for("ops.campaigns_one", name=name),
        "source": lambda: url_for("ops.sources_one", name=name),
    }
    return pages[what]() if what in pages else ""
