"""``/ops/search``: the one box, and what is found."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.errors import Unusable
from bridge.filters import Filter, parse
from bridge.finding import Found
from bridge.ledger import Cursor
from bridge.model import Status
from bridge.web.ops.addresses import event_address, search_address
from bridge.web.ops.rows import row
from bridge.web.ops.start import EXAMPLES
from bridge.wiring import Services

HELP = (
    ("status", "where it stands", "status:failed,unknown"),
    ("source", "which source told it", "source:hubspot"),
    ("campaign", "which campaign it calls in", "campaign:welcome"),
    ("rule", "which rule decided it", 'rule:"call new leads"'),
    ("phone", "a number, in any spelling", 'phone:"+1 202 555 0142"'),
    ("name", "a name, also one only begun, or an e-mail address", 'name:"alex d"'),
    ("record", "a record of the CRM", "record:deal:555"),
    ("event", "an event's id or key", "event:hubspot:1234567"),
    ("job", "a call job's id at the platform", "job:5665336653"),
    ("reason", "words of its reason", 'reason:"cannot be read"'),
    ("issue", "failures of one kind, by the issue's id", "issue:0123456789ab"),
    ("replay", "the replay of many that it was part of", "replay:…"),
    ("since", "accepted since then: so long ago, or a date", "since:24h"),
    ("until", "accepted until then", "until:2026-11-23T08:40"),
)
"""The names of the box: what each means, and an example."""


def add(blueprint: Blueprint, services: Services) -> None:
    """``/ops/search?q=&after=``."""
    blueprint.add_url_rule("/search", "events", Searching(services).show)
    blueprint.add_app_template_filter(event_address, "event_address")
    blueprint.add_app_template_filter(search_address, "search_address")


@dataclass(frozen=True, slots=True)
class Sought:
    """What was asked for, and what was found; ``error`` says why nothing was looked for."""

    written: str
    filter: Filter
    found: Found | None = None
    error: str = ""


class Searching:
    """The page of what is found."""

    def __init__(self, services: Services) -> None:
        self._finder = services.finder
        self._clock = services.clock

    def show(self) -> AnyResponse | str | tuple[str, int]:
        sought = self._sought(" ".join(request.args.get("q", "").split()), request.args.get("after", ""))
        if sought.found is None:
            return self._page(sought), 422
        entries = sought.found.page.entries
        if sought.found.named and len(entries) == 1:
            return redirect(event_address(entries[0].key), 303)
        return self._page(sought)

    def _sought(self, written: str, after: str) -> Sought:
        try:
            wanted = parse(written, self._clock())
            return Sought(written, wanted, self._finder.page(wanted, Cursor.read(after) if after else None))
        except Unusable as refused:
            return Sought(written, Filter(), error=refused.message)
        except ValueError as refused:
            return Sought(written, Filter(), error=str(refused))

    def _page(self, sought: Sought) -> str:
        found = sought.found
        return render_template(
            "search.html",
            sought=sought,
            rows=[row(entry) for entry in found.page.entries] if found else [],
            tabs=self._tabs(sought, found) if found else [],
            older=_further(sought.written, found.page.next) if found and found.page.next else None,
            newest=search_address(sought.written) if request.args.get("after") else None,
            plan=url_for("ops.start") + "replays/new",
            help=HELP,
            examples=EXAMPLES,
        )

    def _tabs(self, sought: Sought, found: Found) -> list[dict[str, Any]]:
        """Each status of what else was asked for; how many only where that is known without looking at all of them."""
        counts = self._finder.counts(sought.filter, found)
        chosen = sought.filter.status
        return [
            self._tab("all", (), sought.filter, counts),
            *(self._tab(status, (status,), sought.filter, counts) for status in _shown(counts, chosen)),
        ]

    @staticmethod
    def _tab(label: str, status: tuple[Status, ...], wanted: Filter, counts: dict[Status, int] | None) -> dict[str, Any]:
        tab = {"label": label, "url": search_address(str(replace(wanted, status=status))), "current": wanted.status == status}
        if counts is None:
            return tab
        return {**tab, "count": f"{sum(counts[each] for each in status or Status):,}"}


def _shown(counts: dict[Status, int] | None, chosen: Sequence[Status]) -> list[Status]:
    """A status that nothing has is no way to go on."""
    return [status for status in Status if counts is None or counts[status] or status in chosen]


def _further(written: str, after: Cursor) -> str:
    return url_for("ops.events", q=written, after=str(after))
