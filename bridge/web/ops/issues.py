"""``/ops/issues``: failures of one kind, counted together, and what to do about them."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.filters import Filter
from bridge.ledger import KnownIssue
from bridge.ledger.issues import MOST, State
from bridge.model import Status
from bridge.web.access import operator
from bridge.web.ops.addresses import search_address
from bridge.web.ops.event import cursor
from bridge.web.ops.rows import row
from bridge.wiring import Services

EVERY = "all"

_CHANGES = {
    State.ACKNOWLEDGED: ("Acknowledge", "Says that somebody looks after it. It stays in the list, and alarms nobody again."),
    State.RESOLVED: ("Resolve", "Says that its cause is mended. It opens again by itself when it happens again. It replays nothing."),
    State.OPEN: ("Open again", "Says that somebody has to look at it."),
}
"""What an operator can call an issue: the word on the button, and what that will do."""


def add(blueprint: Blueprint, services: Services) -> None:
    """The list, one issue, and what it is called."""
    pages = IssuePages(services)
    blueprint.add_url_rule("/issues", "issues", pages.index)
    blueprint.add_url_rule("/issues/<fingerprint>", "issues_one", pages.show)
    blueprint.add_url_rule("/issues/<fingerprint>/state", "issues_state", pages.change, methods=["POST"])


class IssuePages:
    """The list of issues, and one of them."""

    def __init__(self, services: Services) -> None:
        self._issues = services.issues
        self._finder = services.finder
        self._operating = services.operating

    def index(self) -> str:
        known, state = self._issues.all(), request.args.get("state", State.OPEN)
        shown = [issue for issue in known if state in {EVERY, issue.state}]
        return render_template("issues.html", issues=shown, tabs=_tabs(known, state), state=state, cut=MOST if len(known) >= MOST else None)

    def show(self, fingerprint: str) -> str:
        issue = self._one(fingerprint)
        found = self._finder.page(Filter(issue=(fingerprint,)), cursor(request.args.get("after", "")))
        after = found.page.next
        return render_template(
            "issue.html",
            issue=issue,
            rows=[row(entry) for entry in found.page.entries],
            older=url_for("ops.issues_one", fingerprint=fingerprint, after=str(after)) if after else None,
            newest=url_for("ops.issues_one", fingerprint=fingerprint) if request.args.get("after") else None,
            changes=[(state, *_CHANGES[state]) for state in _CHANGES if state is not issue.state],
            plan=f"{url_for('ops.start')}replays/new",
            query=f"issue:{fingerprint} status:{Status.FAILED}",
            all=search_address(f"issue:{fingerprint}"),
        )

    def change(self, fingerprint: str) -> AnyResponse:
        self._one(fingerprint)
        try:
            state = State(request.form.get("state", ""))
        except ValueError:
            abort(400)
        self._operating.change_issue(fingerprint, state, operator())
        flash(f"The issue is {state} now.", "good")
        return redirect(url_for("ops.issues_one", fingerprint=fingerprint), 303)

    def _one(self, fingerprint: str) -> KnownIssue:
        return self._issues.one(fingerprint) or abort(404)


def _tabs(known: Sequence[KnownIssue], current: str) -> list[dict[str, Any]]:
    counts = {state.value: sum(issue.state is state for issue in known) for state in State} | {EVERY: len(known)}
    return [{"label": name, "url": url_for("ops.issues", state=name), "current": name == current, "count": count} for name, count in counts.items()]
