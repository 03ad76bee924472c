"""``/ops/replays``: replays of many, from the filter to the summary."""

from collections.abc import Callable, Mapping

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge import queue
from bridge.concealing import Concealer
from bridge.errors import Unusable
from bridge.filters import Filter, parse
from bridge.ledger import Plan
from bridge.model import Entry
from bridge.planning import LONGEST_NAME, Planning
from bridge.progress import FAST, Glance, Progress, lasting, show_speed
from bridge.replaying import Mode
from bridge.web.access import operator
from bridge.web.ops.plan_view import PlanView, groups_of, moments_of
from bridge.web.ops.rows import Row, row
from bridge.wiring import Services

PAGE = 30

MODES = {
    Mode.RULES: (
        "Decide again by today’s rules",
        "Each event is read again from what was received. It keeps its key: a call that it made before is the same call.",
    ),
    Mode.REQUEST: (
        "Send the request of before",
        "Exactly what each event sent before, where today’s rules still let it call. What never sent a request is passed over.",
    ),
}

_SAID = {
    "run": "It has begun. Live events go first; those of the replay follow at its speed.",
    "pause": "It is paused: no more events are put in. Those that were put in go on.",
    "resume": "It goes on where it was.",
    "cancel": "It is cancelled. What is left stays as it was.",
    "count": "It is being counted again, as things stand now.",
}
_COUNTED_AGAIN = "Nothing was replayed yet: {why}. It is being counted again; look at the new numbers, and confirm them."


def add(blueprint: Blueprint, services: Services) -> None:
    """The list, the form, one replay, and what can be done to it."""
    pages = ReplayPages(services)
    blueprint.add_app_template_filter(lasting, "time_span")
    blueprint.add_app_template_filter(lambda text: f"{text[:1].upper()}{text[1:]}", "capital")
    blueprint.add_url_rule("/replays", "replays", pages.show_all)
    blueprint.add_url_rule("/replays", "replays_plan", pages.plan, methods=["POST"])
    blueprint.add_url_rule("/replays/new", "replays_new", pages.new)
    blueprint.add_url_rule("/replays/<plan_id>", "replays_one", pages.show)
    blueprint.add_url_rule("/replays/<plan_id>/<deed>", "replays_done", pages.do, methods=["POST"])


class ReplayPages:
    """Everything that changes something goes through :class:`bridge.planning.Planning`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._planning = services.planning

    def show_all(self) -> str:
        try:
            plans = self._planning.plans.all(PAGE + 1, request.args.get("before", ""))
        except ValueError:
            abort(404)
        older = url_for("ops.replays", before=plans[PAGE - 1].id) if len(plans) > PAGE else None
        newer = url_for("ops.replays") if request.args.get("before") else None
        return render_template("replays.html", views=[PlanView.of(plan) for plan in plans[:PAGE]], older=older, newer=newer)

    def new(self) -> str | tuple[str, int]:
        """The filter, how many events it finds, and the newest of them."""
        written = " ".join(request.args.get("q", "").split())
        if not written:
            return self._form(written)
        try:
            return self._form(written, self._planning.glance(self._filter(written)))
        except Unusable as refused:
            return self._form(written, refused=refused), 422

    def plan(self) -> AnyResponse | tuple[str, int]:
        written = " ".join(request.form.get("q", "").split())
        try:
            plan = self._planning.plan(self._filter(written), operator(), _mode(request.form.get("mode", "")))
        except Unusable as refused:
            return self._form(written, refused=refused), 422
        return redirect(_address(plan), 303)

    def show(self, plan_id: str) -> str:
        return self._page(self._progress(plan_id))

    def do(self, plan_id: str, deed: str) -> AnyResponse | tuple[str, int]:
        """One of the table below, then back to the page; a form that was not understood is shown again, with what was typed."""
        if deed not in DEEDS:
            abort(404)
        before = self._progress(plan_id)
        try:
            plan = DEEDS[deed](self._planning, plan_id, request.form)
        except Unusable as refused:
            return self._page(self._progress(plan_id), refused), 422
        flash(_told(deed, before, plan), "doubtful" if deed == "run" and before.aged else "good")
        return redirect(_address(plan), 303)

    def _filter(self, written: str) -> Filter:
        return parse(written, self._services.clock())

    def _progress(self, plan_id: str) -> Progress:
        try:
            return self._planning.progress(plan_id)
        except Unusable:
            abort(404)

    def _form(self, written: str, glance: Glance | None = None, refused: Unusable | None = None) -> str:
        return render_template(
            "replay_new.html",
            written=written,
            glance=glance,
            rows=[row(entry) for entry in glance.newest] if glance else [],
            refused=refused.message if refused else "",
            modes=MODES,
            chosen=_mode(request.values.get("mode", "")),
        )

    def _page(self, progress: Progress, refused: Unusable | None = None) -> str:
        plan = progress.plan
        return render_template(
            "replay.html",
            progress=progress,
            view=PlanView.of(plan),
            modes=MODES,
            moments=moments_of(plan),
            groups=groups_of(progress.tallies),
            examples=self._examples(progress),
            alone=plan.state in {"counting", "running"} and not queue.workers(self._services.redis),
            refused=refused.message if refused else "",
            wrong=refused.field if refused else "",
            typed=request.form,
            fast=FAST,
            longest_name=LONGEST_NAME,
        )

    def _examples(self, progress: Progress) -> list[tuple[Row, str, str]]:
        """Each with what would come of it, and what it is counted under; events that were forgotten since are left out."""
        found = progress.examples() if not progress.plan.state.ended else []
        entries: Mapping[str, Entry] = {entry.key: entry for entry in self._services.search.entries([example.key for _, example in found])}
        return [
            (row(entries[example.key]), Concealer.of([entries[example.key].event]).ours(example.told), tally.kind)
            for tally, example in found
            if example.key in entries
        ]


DEEDS: Mapping[str, Callable[[Planning, str, Mapping[str, str]], Plan]] = {
    "run": lambda planning, plan_id, form: planning.run(plan_id, form.get("name", ""), form.get("speed", ""), operator()),
    "count": lambda planning, plan_id, _: planning.count_again(plan_id, operator()),
    "pause": lambda planning, plan_id, _: planning.pause(plan_id, operator()),
    "resume": lambda planning, plan_id, _: planning.resume(plan_id, operator()),
    "cancel": lambda planning, plan_id, _: planning.cancel(plan_id, operator()),
    "failed": lambda planning, plan_id, _: planning.of_failed(plan_id, operator()),
}
"""What can be done to a replay; each gives the replay to be shown next."""


def _told(deed: str, before: Progress, plan: Plan) -> str:
    if deed == "run" and before.aged:
        return _COUNTED_AGAIN.format(why=before.aged)
    if deed == "failed":
        return f"This is a new plan, for what failed in {before.plan.name or before.plan.id}."
    speed = f" Speed: {show_speed(plan.speed)}." if deed == "run" else ""
    return f"{_SAID[deed]}{speed}"


def _mode(written: str) -> Mode:
    return Mode(written) if written in set(MODES) else Mode.RULES


def _address(plan: Plan) -> str:
    return url_for("ops.replays_one", plan_id=plan.id)
