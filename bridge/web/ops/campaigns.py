"""``/ops/campaigns``: each campaign as the bridge has it, and as the platform has it when it is asked; what can be done to it there."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.ledger import Pause
from bridge.model import Rate, Status
from bridge.operating import CONTROLS
from bridge.overview import Figures, Overview, Stretch
from bridge.phones import to_e164, wire
from bridge.web.access import operator
from bridge.web.ops.holding import Holding
from bridge.web.ops.platform import ATTEMPTS, JOBS, Question, answers, counted, table
from bridge.web.ops.plots import plots
from bridge.wiring import Services

MOST_ASKED = 50
"""Call jobs or numbers that one report is about."""

_BREAKS = re.compile(r"[\s,;]+")
_JOB = re.compile(r"[0-9]{1,40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """A campaign on this side. ``alone``: since when the platform does not answer for it. ``waiting`` … are counts, ``exact`` or estimated."""

    name: str
    rate: Rate | None
    pause: Pause | None
    alone: datetime | None
    rules: tuple[str, ...]
    waiting: int
    parked: int
    unknown: int
    exact: bool
    figures: Figures


def add(blueprint: Blueprint, services: Services) -> None:
    """The list, one campaign, its control and its reports."""
    pages = CampaignPages(services)
    blueprint.add_url_rule("/campaigns", "campaigns", pages.index)
    blueprint.add_url_rule("/campaigns/<name>", "campaigns_one", pages.show)
    blueprint.add_url_rule("/campaigns/<name>/ask", "campaigns_ask", pages.ask, methods=["POST"])
    blueprint.add_url_rule("/campaigns/<name>/report", "campaigns_report", pages.report, methods=["POST"])
    blueprint.add_url_rule("/campaigns/<name>/<action>", "campaigns_control", pages.control, methods=["POST"])


class CampaignPages:
    """Ours at once; the platform's on demand."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._campaigns = services.config.campaigns

    def index(self) -> str:
        overview = self._services.overseer.overview(Stretch.DAY, self._services.clock())
        holding, pauses = Holding.of(self._services), self._services.switches.all()
        alone = self._services.ledger.left_alone(tuple(self._campaigns))
        ours = [self._ours(name, overview, holding, pauses.get(f"campaign:{name}"), alone.get(name)) for name in self._campaigns]
        return render_template("campaigns.html", campaigns=ours)

    def show(self, name: str) -> str:
        self._known(name)
        return self._page(name)

    def ask(self, name: str) -> AnyResponse:
        """Have the campaign told as the platform has it now."""
        self._known(name)
        asked = [self._services.operating.ask("info", name, operator())]
        return self._to(name, "asked", asked, "platform")

    def report(self, name: str) -> AnyResponse | tuple[str, int]:
        """Have call jobs told as the platform has them, by id or by number."""
        self._known(name)
        try:
            about = self._about(request.form.get("about", ""))
        except ValueError as wrong:
            return self._page(name, objection=str(wrong), about_written=request.form.get("about", "")), 422
        asked = [self._services.operating.ask(what, name, operator(), **about) for what in ("job_report", "attempt_report")]
        return self._to(name, "report", asked, "report")

    def control(self, name: str, action: str) -> AnyResponse | tuple[str, int]:
        """Pause, resume or stop it there."""
        self._known(name)
        if action not in CONTROLS:
            abort(404)
        if action == "stop" and request.form.get("name", "").strip() != name:
            return self._page(name, refusal=f"Nothing was done: to stop it for good, its name, {name}, is to be typed as it stands here."), 422
        done = self._services.operating.control(action, name, operator(), request.form.get("note", ""))
        return self._to(name, "done", [done], "platform")

    def _page(self, name: str, **told: str) -> str:
        services, now = self._services, self._services.clock()
        overview = services.overseer.overview(Stretch.DAY, now, campaign=name)
        alone = services.ledger.left_alone((name,)).get(name)
        asked, done, report = (answers(Question.read(request.args.get(what, "")), services.asks, now) for what in ("asked", "done", "report"))
        captions = ((JOBS, "Call jobs"), (ATTEMPTS, "Attempts to reach the person"))
        return render_template(
            "campaign.html",
            ours=self._ours(name, overview, Holding.of(services), services.switches.all().get(f"campaign:{name}"), alone),
            plots=plots(overview, None, name),
            asked=asked,
            done=done,
            report=report,
            counts=counted(asked.all[0]) if asked.all else [],
            tables=[table(caption, columns, answer) for (columns, caption), answer in zip(captions, report.all, strict=False)],
            here=request.full_path.rstrip("?"),
            most=MOST_ASKED,
            **told,
        )

    def _ours(self, name: str, overview: Overview, holding: Holding, pause: Pause | None, alone: datetime | None) -> Ours:
        return Ours(
            name=name,
            rate=self._campaigns[name].rate_limit,
            pause=pause,
            alone=alone,
            rules=tuple(rule.name for rule in self._services.config.rules if rule.call and rule.call.campaign == name),
            waiting=holding.count("campaign", name, Status.QUEUED, Status.RUNNING, Status.WAITING),
            parked=holding.count("campaign", name, Status.PARKED),
            unknown=holding.count("campaign", name, Status.UNKNOWN),
            exact=holding.exact,
            figures=overview.campaigns.get(name, Figures()),
        )

    def _about(self, written: str) -> dict[str, Any]:
        """Ids of call jobs, one or several; or one number, which may have blanks in it. ``ValueError`` says what is neither."""
        phone = to_e164(written.strip()) if written.strip().startswith(("+", "00")) else None
        pieces = [piece for piece in _BREAKS.split(written) if piece]
        if phone:
            return {"phones": [wire(phone)]}
        if not pieces or not all(map(_JOB.fullmatch, pieces)):
            raise ValueError("Write the ids of call jobs, with blanks between them, or one number with + and its country code.")
        if len(pieces) > MOST_ASKED:
            raise ValueError(f"That is {len(pieces)}: ask about {MOST_ASKED} at a time.")
        return {"ids": pieces}

    def _to(self, name: str, what: str, asked: list[str], place: str) -> AnyResponse:
        question = Question(tuple(asked), self._services.clock())
        if what != "report":
            flash({"asked": "The platform is being asked.", "done": "It is being done at the platform; see below what comes of it."}[what], "good")
        return redirect(f"{url_for('ops.campaigns_one', name=name)}?{what}={question}#{place}", 303)

    def _known(self, name: str) -> None:
        if name not in self._campaigns:
            abort(404)
