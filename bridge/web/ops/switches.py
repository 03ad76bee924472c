"""``/ops/switches``: what stops calling at once, and what lets it go on."""

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.ledger import Pause
from bridge.ledger.switches import EVERYTHING
from bridge.model import Status
from bridge.operating import told_scope
from bridge.web.access import operator
from bridge.web.ops.holding import Holding
from bridge.wiring import Services

LONGEST_NOTE = 500


@dataclass(frozen=True, slots=True)
class Switch:
    """One thing that can be paused. ``count``: how many unfinished events it holds, or would hold; ``pause`` None while it is on."""

    scope: str
    name: str
    pause: Pause | None
    count: int
    exact: bool


def add(blueprint: Blueprint, services: Services) -> None:
    """The switches, and the two things that can be done to each."""
    pages = SwitchPages(services)
    blueprint.add_url_rule("/switches", "switches", pages.show)
    blueprint.add_url_rule("/switches/pause", "switches_pause", pages.pause, methods=["POST"])
    blueprint.add_url_rule("/switches/resume", "switches_resume", pages.resume, methods=["POST"])


class SwitchPages:
    """Pausing needs no confirmation: it is the switch for when something goes wrong. It asks why."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def show(self) -> str:
        services = self._services
        pauses, holding = services.switches.all(), Holding.of(services)
        everything = Switch(EVERYTHING, "All calling", pauses.get(EVERYTHING), holding.total, exact=True)
        return render_template(
            "switches.html",
            everything=everything,
            groups=(
                ("Campaigns", [self._switch("campaign", name, pauses, holding) for name in services.config.campaigns]),
                ("Sources", [self._switch("source", name, pauses, holding) for name in services.config.sources]),
            ),
            longest_note=LONGEST_NOTE,
            parked=services.search.count(f"status:{Status.PARKED}"),
        )

    def pause(self) -> AnyResponse:
        scope = self._scope()
        self._services.operating.pause(scope, operator(), request.form.get("note", "").strip()[:LONGEST_NOTE])
        flash(f"{_capital(told_scope(scope))} is paused. What is being sent at this moment is finished.", "good")
        return redirect(url_for("ops.switches"), 303)

    def resume(self) -> AnyResponse:
        scope = self._scope()
        was = self._services.operating.resume(scope, operator())
        told = "goes on. What was parked is decided again now" if was else "was not paused: somebody resumed it before"
        flash(f"{_capital(told_scope(scope))} {told}.", "good" if was else "doubtful")
        return redirect(url_for("ops.switches"), 303)

    def _scope(self) -> str:
        scope = request.form.get("scope", "")
        config = self._services.config
        known = {EVERYTHING, *(f"campaign:{name}" for name in config.campaigns), *(f"source:{name}" for name in config.sources)}
        return scope if scope in known | set(self._services.switches.all()) else abort(404)

    @staticmethod
    def _switch(kind: str, name: str, pauses: Mapping[str, Pause], holding: Holding) -> Switch:
        scope = f"{kind}:{name}"
        return Switch(scope, name, pauses.get(scope), holding.count(kind, name), exact=holding.exact)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
