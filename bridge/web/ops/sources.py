"""``/ops/sources``: who delivers, when they last did, what was refused and why, and taking it in once its cause is mended."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.concealing import Concealer
from bridge.errors import Refusal
from bridge.ledger import Pause, RefusedRequest
from bridge.overview import Figures, Stretch
from bridge.readmitting import Readmitted, Readmitting, Verdict
from bridge.silence import Silence
from bridge.sources.base import Manual
from bridge.web.access import operator
from bridge.web.ops.plots import plots
from bridge.web.ops.received import Received, received
from bridge.wiring import Services

REFUSALS = {
    Refusal.MISSING: ("carried no proof at all", "Enter the webhook at the CRM as its page says, with its secret; or a stranger tries the door."),
    Refusal.WRONG_SIGNATURE: (
        "were signed with another secret",
        "Compare the secret in the configuration with the CRM's; behind a proxy, server.public_url.",
    ),
    Refusal.WRONG_SECRET: ("carried another secret", "Compare the secret in the configuration with the one that the CRM sends."),
    Refusal.WRONG_ACCOUNT: ("came from another account", "The secret is right. Correct the account in the configuration, if it is one of yours."),
    Refusal.STALE: ("were signed too long ago", "Set the clocks of both hosts by NTP. A CRM that does not sign its retries anew shows up here too."),
    Refusal.FUTURE: ("were signed in the future", "Set this host's clock by NTP."),
    Refusal.NO_SECRET: ("came while no secret was configured", "Set the source's secret in the configuration."),
}
"""What each refusal means, and its mend."""

MOST_SHOWN = 16 * 1024
"""Characters of a refused body: there are many on one page, and strangers choose how large they are."""

_GOOD = (Verdict.TAKEN, Verdict.DUPLICATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A source in the list."""

    name: str
    title: str
    heard: datetime | None
    pause: Pause | None
    silent: Silence | None
    figures: Figures
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A refused request, concealed. ``objection``: why it cannot be taken in now; empty where it can."""

    id: str
    at: datetime
    message: str
    request: Received | None
    objection: str


def add(blueprint: Blueprint, services: Services) -> None:
    """The list, one source, and taking in what was refused."""
    pages = SourcePages(services)
    blueprint.add_url_rule("/sources", "sources", pages.index)
    blueprint.add_url_rule("/sources/<name>", "sources_one", pages.show)
    blueprint.add_url_rule("/sources/<name>/readmit", "sources_readmit", pages.readmit, methods=["POST"])


class SourcePages:
    """The sources of the configuration."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._readmitting = Readmitting(services.ingest, services.refusals)
        server = services.config.server
        self._public = server.public_url or f"http://{server.bind}"

    def index(self) -> str:
        return render_template("sources.html", lines=self._lines(tuple(self._services.config.sources)))

    def show(self, name: str) -> str:
        self._known(name)
        services, now = self._services, self._services.clock()
        source, overview = services.sources[name], services.overseer.overview(Stretch.DAY, now, source=name)
        (line,) = self._lines((name,))
        return render_template(
            "source.html",
            line=line,
            source=source,
            manual=_manual(source.manual),
            address=f"{self._public}/webhooks/{name}",
            local=services.config.server.public_url is None,
            plots=plots(overview, name, None),
            limit=services.measuring.listening.limits(now).get(name),
            configured=services.config.sources[name].silence is not None,
            refusals=[(count, *_meaning(why)) for why, count in Counter(services.totals.refused([name])[name]).most_common()],
            refused=[self._shown(each) for each in services.refusals.of(name)],
        )

    def readmit(self, name: str) -> AnyResponse:
        """One refused request, or all of them."""
        self._known(name)
        chosen = request.form.get("id", "")
        asked = [each for each in reversed(self._services.refusals.of(name)) if chosen in {"", each.id}]
        if chosen and not asked:
            flash("This request is not kept any more: only the last few are.", "doubtful")
        done = [self._services.operating.readmit(self._readmitting, each, operator()) for each in asked]
        _tell(done)
        return redirect(url_for("ops.sources_one", name=name, _anchor="refused"), 303)

    def _lines(self, names: Sequence[str]) -> list[Line]:
        services, now = self._services, self._services.clock()
        heard, pauses, overview = services.totals.heard(), services.switches.all(), services.overseer.overview(Stretch.DAY, now)
        silent = {silence.source: silence for silence in services.measuring.listening.silent(heard, now)}
        refused = services.totals.refused(names)
        return [
            Line(
                name=name,
                title=services.sources[name].title,
                heard=heard.get(name),
                pause=pauses.get(f"source:{name}"),
                silent=silent.get(name),
                figures=overview.sources.get(name, Figures()),
                refused=sum(refused[name].values()),
            )
            for name in names
        ]

    def _shown(self, refused: RefusedRequest) -> Shown:
        conceal = Concealer(times=(refused.received_at,))
        objection = self._readmitting.foresee(refused)
        return Shown(
            id=refused.id,
            at=refused.received_at,
            message=conceal.theirs(refused.message),
            request=received(refused.record, conceal, MOST_SHOWN),
            objection=conceal.theirs(objection.told) if objection else "",
        )

    def _known(self, name: str) -> None:
        if name not in self._services.sources:
            abort(404)


def _manual(manual: Manual) -> list[tuple[str, str]]:
    told = (("Where to enter it", manual.where), ("How it proves itself", manual.proof), ("Secret", manual.secret), ("api_token", manual.api_token))
    return [(name, text) for name, text in told if text]


def _meaning(why: str) -> tuple[str, str]:
    """A word of another version is told as it is."""
    known = {refusal.value: told for refusal, told in REFUSALS.items()}
    return known.get(why, (why, ""))


def _tell(done: Sequence[Readmitted]) -> None:
    good = [each for each in done if each.verdict in _GOOD]
    if good:
        events = [receipt.status for each in good for receipt in each.receipts]
        new = sum(status != "duplicate" for status in events)
        flash(
            f"{len(good)} request{'s' * (len(good) != 1)} taken in: {new} new event{'s' * (new != 1)}, {len(events) - new} received before.", "good"
        )
    for told, count in Counter(each.told for each in done if each.verdict not in _GOOD).items():
        flash(f"{count} stayed out: {told}.", "doubtful")
