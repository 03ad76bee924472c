"""``/ops/act/<deed>/<key>``: first what it would do, then the doing, then back to the event."""

from flask import Blueprint, abort, flash, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from bridge.errors import Unusable
from bridge.timeline import Timeline
from bridge.web.access import operator
from bridge.web.ops import portrait
from bridge.web.ops.addresses import event_address
from bridge.web.ops.deeds import DOINGS, LONGEST_NOTE
from bridge.web.ops.offers import Deed
from bridge.web.ops.rows import row
from bridge.wiring import Services


def add(blueprint: Blueprint, services: Services) -> None:
    """Each deed, shown by GET and done by POST."""
    acting = Acting(services)
    blueprint.add_url_rule("/act/<deed>/<path:key>", "events_foreseen", acting.show, methods=["GET"])
    blueprint.add_url_rule("/act/<deed>/<path:key>", "events_done", acting.do, methods=["POST"])


class Acting:
    """One page for all of them."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def show(self, deed: str, key: str) -> str:
        return self._page(_known(deed), self._timeline(key))

    def do(self, deed: str, key: str) -> AnyResponse | tuple[str, int]:
        wanted, timeline = _known(deed), self._timeline(key)
        try:
            done = DOINGS[wanted].do(self._services, timeline, operator())
        except Unusable as refused:
            return self._page(wanted, timeline, refused), 422
        flash(portrait.concealer(timeline).ours(done.told), "good" if done.good else "bad")
        return redirect(event_address(done.key), 303)

    def _timeline(self, key: str) -> Timeline:
        timeline = self._services.timelines.of(key)
        if timeline is None:
            abort(404)
        return timeline

    def _page(self, deed: Deed, timeline: Timeline, refused: Unusable | None = None) -> str:
        conceal = portrait.concealer(timeline)
        view = DOINGS[deed].see(self._services, timeline)
        return render_template(
            "act.html",
            deed=deed.value,
            key=timeline.entry.key,
            address=event_address(timeline.entry.key),
            title=portrait.title(timeline.entry, conceal),
            row=row(timeline.entry, conceal),
            view=view,
            why_not=conceal.ours(view.why_not),
            refused=conceal.ours(refused.message) if refused else "",
            wrong=refused.field if refused else "",
            longest_note=LONGEST_NOTE,
            typed=request.form,
            **view.more,
        )


def _known(deed: str) -> Deed:
    """404 for what is none."""
    if deed not in set(Deed):
        abort(404)
    return Deed(deed)
