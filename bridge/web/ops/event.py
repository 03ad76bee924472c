"""``/ops/events/<key>``: why this person was called, or was not."""

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.concealing import phones_of
from bridge.ledger import Cursor
from bridge.model import OPERATOR, Status
from bridge.timeline import Timeline
from bridge.web.access import operator
from bridge.web.ops import portrait, reporting
from bridge.web.ops.addresses import act_address, event_address
from bridge.web.ops.offers import offers
from bridge.web.ops.received import received
from bridge.web.ops.rows import row, shown_phone
from bridge.wiring import Services

SOON, LATER = 2, 15
"""Seconds between two looks at an event that goes on: while it is being worked on, and while it waits."""

_AT_WORK = frozenset({Status.QUEUED, Status.RUNNING, Status.UNKNOWN})


def add(blueprint: Blueprint, services: Services) -> None:
    """An event's page, its whole numbers, and the report of its call."""
    page = EventPage(services)
    blueprint.add_url_rule("/events/<path:key>", "events_one", page.show)
    blueprint.add_url_rule("/act/reveal/<path:key>", "events_reveal", page.reveal, methods=["POST"])
    blueprint.add_url_rule("/act/report/<path:key>", "events_report", page.report, methods=["POST"])
    blueprint.add_app_template_filter(lambda key, deed: act_address(deed, key), "act_address_of")


def cursor(written: str) -> Cursor | None:
    """Where a list goes on; 404 for what is no such place."""
    try:
        return Cursor.read(written) if written else None
    except ValueError:
        abort(404)


class EventPage:
    """Everything known of one event and of its person."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def show(self, key: str) -> str:
        return self._page(self._timeline(key))

    def reveal(self, key: str) -> str:
        """The same page with every number whole, this once; it is written down first who looked."""
        timeline = self._timeline(key)
        written = tuple(dict.fromkeys((*timeline.phones, *phones_of(timeline.entry.event))))
        self._services.operating.look(timeline.entry.key, written, operator())
        return self._page(timeline, whole=True)

    def report(self, key: str) -> AnyResponse:
        entry, services = self._timeline(key).entry, self._services
        if not reporting.can_ask(entry, tuple(services.config.campaigns)):
            flash("There is no call of this event to ask about.", "bad")
            return redirect(event_address(key), 303)
        asked = reporting.ask(entry, services.operating, operator(), services.clock())
        return redirect(f"{event_address(key)}?report={asked}#report", 303)

    def _timeline(self, key: str) -> Timeline:
        timeline = self._services.timelines.of(key, cursor(request.args.get("after", "")))
        if timeline is None:
            abort(404)
        return timeline

    def _page(self, timeline: Timeline, *, whole: bool = False) -> str:
        services, entry = self._services, timeline.entry
        conceal, now = portrait.concealer(timeline, off=whole), services.clock()
        return render_template(
            "event.html",
            whole=whole,
            row=row(entry, conceal),
            title=portrait.title(entry, conceal),
            phones=[shown for phone in phones_of(entry.event) if (shown := shown_phone(phone, conceal))],
            sentence=portrait.sentence(timeline, conceal),
            tone=timeline.told.tone,
            facts=portrait.facts(timeline, conceal),
            moments=portrait.moments(timeline, conceal, now),
            verdicts=portrait.verdicts(entry, services.policy.rules, conceal),
            document=portrait.document_text(entry.event, conceal),
            sent=portrait.sent(entry.request, services.explainer.base_url, conceal),
            received=received(timeline.delivery, conceal),
            obstacles=portrait.obstacles(timeline, conceal, now),
            history=portrait.history(timeline, conceal),
            others=[row(other, conceal) for other in timeline.others.entries],
            offers=offers(timeline, services.operating.replaying.foresee(entry)) if not whole else [],
            report=reporting.report(timeline, services.asks, tuple(services.config.campaigns), conceal, now),
            replay=_replay(entry.replay),
            key=entry.key,
            every=0 if whole else _every(timeline),
            **_links(timeline),
        )


def _links(timeline: Timeline) -> dict[str, Any]:
    """Where the page leads on to."""
    address, after = event_address(timeline.entry.key), request.args.get("after", "")
    older = f"{address}?after={timeline.others.next}#others" if timeline.others.next else None
    query = request.query_string.decode("ascii", "replace")
    return {
        "address": address,
        "here": f"{address}?{query}" if query else address,
        "older": older,
        "newest": f"{address}#others" if after else None,
    }


def _every(timeline: Timeline) -> int:
    """Seconds until the page looks for news; 0 where none is to be expected."""
    open_orders = any(other.event.source == OPERATOR and not other.status.finished for other in timeline.others.entries)
    if open_orders or timeline.entry.status in _AT_WORK:
        return SOON
    return 0 if timeline.entry.status.finished else LATER


def _replay(replay: str | None) -> tuple[str, str] | None:
    """The replay of many that it was part of: its id and its page."""
    return (replay, f"{url_for('ops.start')}replays/{replay}") if replay else None
