"""``/ops/history``: who did what, the newest first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, abort, render_template, request, url_for

from bridge.concealing import Concealer
from bridge.ledger import Act
from bridge.ledger.audit import place
from bridge.web.ops.addresses import event_address, search_address
from bridge.wiring import Services

PAGE = 50

_RECENT = 500


@dataclass(frozen=True, slots=True)
class Deed:
    """One line: ``targets`` are (what it was done to, where that is shown or empty)."""

    at: datetime
    by: str
    what: str
    targets: tuple[tuple[str, str], ...]
    note: str


def add(blueprint: Blueprint, services: Services) -> None:
    """``/ops/history?by=&before=``."""

    @blueprint.get("/history")
    def history() -> str:
        by, before = request.args.get("by", ""), request.args.get("before", "")
        acts, further = services.audit.page(PAGE, _place(before), by)
        people = sorted({*services.config.server.operators, *(act.by for act in services.audit.last(_RECENT)), *filter(None, [by])})
        kept: dict[str, Any] = {"by": by} if by else {}
        return render_template(
            "history.html",
            deeds=[deed(act) for act in acts],
            people=people,
            by=by,
            older=url_for("ops.history", before=further, **kept) if further else None,
            newest=url_for("ops.history", **kept) if before else None,
        )


def _place(before: str) -> str:
    try:
        return place(before) if before else ""
    except ValueError:
        abort(404)


def deed(act: Act) -> Deed:
    """As it is shown: no number is whole, whatever somebody wrote into a note."""
    conceal = Concealer()
    return Deed(act.at, act.by, conceal.ours(act.what), tuple(_target(each, conceal) for each in act.targets), conceal.theirs(act.note))


_PAGES: Mapping[str, Callable[[str], str]] = {
    "campaign": lambda name: url_for("ops.campaigns_one", name=name),
    "source": lambda name: url_for("ops.sources_one", name=name),
    "issue": lambda name: url_for("ops.issues_one", fingerprint=name),
    "scope": lambda _: url_for("ops.switches"),
    "plan": lambda name: f"{url_for('ops.start')}replays/{name}",
    "replay": lambda name: search_address(f"replay:{name}"),
}


def _target(target: str, conceal: Concealer) -> tuple[str, str]:
    """A source and an event are both ``<name>:<rest>``; no source is called as one of these kinds are, as far as the history can tell."""
    kind, _, name = target.partition(":")
    if kind == "phone":
        return conceal.ours(name), ""
    if kind == "scope":
        return "all calling" if name == "*" else name.replace(":", " ", 1), _PAGES[kind](name)
    if kind in _PAGES:
        return f"{kind} {name}", _PAGES[kind](name)
    return conceal.ours(target), event_address(target)
