"""``/events``: found, looked at, replayed, cancelled; and ``/person``."""

from collections.abc import Mapping
from typing import Any

from bridge.concealing import phones_of
from bridge.deliveries import restored
from bridge.errors import Unusable
from bridge.filters import Filter, parse
from bridge.finding import Found
from bridge.ledger import Page
from bridge.model import OPERATOR, Entry, unique
from bridge.replaying import Mode
from bridge.terms import issue_of
from bridge.timeline import Timeline
from bridge.web.access import operator
from bridge.web.api import telling
from bridge.web.api.models import events as told
from bridge.web.api.models.forms import EventName, EventQuery, ModeQuery, NoteForm, PersonQuery, ReplayForm, Shown
from bridge.web.api.models.forms import Page as PageQuery
from bridge.web.api.operations import Operations
from bridge.web.api.places import address, cursor, opaque
from bridge.web.api.refusing import missing, refuse
from bridge.web.api.veil import Veil
from bridge.wiring import Services

_PAGING = frozenset({"q", "after", "limit"})


def add(api: Operations, services: Services) -> None:
    """What is asked about events, and done to them."""
    api, desk = api.about("events", "What came in, what was decided, and what came of it."), _Desk(services)
    _found(api, services, desk)
    _seen(api, desk)
    _done(api, services, desk)


def _found(api: Operations, services: Services, desk: "_Desk") -> None:

    @api.get("/events", told.EventPage)
    def find_events(query: EventQuery) -> told.EventPage:
        """Find events

        By `q`, as in the search box, or by one parameter for each name. The newest come first. A page may hold fewer than `limit` and still have
        a `next`: it stopped looking at `looked_back_to`.
        """
        found = services.finder.page(_filter(query, services), cursor(query.after), query.limit)
        page = found.page
        return told.EventPage(**_listed(page), looked_back_to=page.looked_back_to, **_told_of(found))

    @api.get("/events/<path:key>/related", told.EventPage)
    def related_events(path: EventName, query: PageQuery) -> told.EventPage:
        """Other events of the same lead or phone

        Those that share a ref with it, the newest first.
        """
        entry = desk.entry(path.key)
        page = services.timelines.sharing(entry, services.ledger.refs(entry), cursor(query.after), query.limit)
        return told.EventPage(**_listed(page), looked_back_to=page.looked_back_to)

    @api.get("/person", told.PersonWhole)
    def person(query: PersonQuery) -> told.PersonWhole:
        """Everything about a phone number

        Its events, what operators did about it, and what stands against it on the do-not-call list.
        """
        return desk.person(query)


def _seen(api: Operations, desk: "_Desk") -> None:
    @api.get("/events/<path:key>", told.EventWhole)
    def event(path: EventName, query: Shown) -> told.EventWhole:
        """Everything about an event

        What it said, how it was decided, what was tried, what it is tied to and who did what to it.
        """
        return desk.whole(path.key, reveal=query.reveal)

    @api.get("/events/<path:key>/delivery", told.Delivery)
    def event_delivery(path: EventName, query: Shown) -> told.Delivery:
        """The delivery that told it

        The request as it was received, without secrets. A number in it is masked, and whatever could be one.
        """
        return desk.delivery(path.key, reveal=query.reveal)

    @api.get("/events/<path:key>/replay", told.Foreseen)
    def foresee_replay(path: EventName, query: ModeQuery) -> told.Foreseen:
        """What a replay would do

        Decided by the function that decides for the workers, and by the ledger's last gate. Nothing is changed.
        """
        return desk.foresee(path.key, query.mode, reveal=query.reveal)


def _done(api: Operations, services: Services, desk: "_Desk") -> None:
    @api.post("/events/<path:key>/replay", told.Ordered)
    def replay_event(path: EventName, body: ReplayForm) -> told.Ordered:
        """Replay an event

        It is decided again and keeps its key, so whatever it sent before is the same call. With `again` the person is called another time, under a
        new key: send an `Idempotency-Key`, so that a repeated request is not a third call. What cannot be replayed is answered 409.
        """
        done = services.operating.replay(desk.entry(path.key), body.mode, operator(), body.reason)
        if not done.good:
            refuse(409, "cannot_replay", done.told)
        return desk.ordered(done.key, done.told)

    @api.post("/events/<path:key>/cancel", told.Ordered)
    def cancel_event(path: EventName, body: NoteForm) -> told.Ordered:
        """Stop the calls of an event's record

        Those that wait and those that are planned, on every fact up to now. A conversation under way is left to end. `key` is the order's own.
        """
        return desk.ordered(services.operating.cancel(desk.entry(path.key), operator(), body.note), "the calls are being stopped")


class _Desk:
    """What is told of one event, and of one person."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def entry(self, key: str) -> Entry:
        return self._services.ledger.entry(key) or missing("there is no event of this key, or not any more: what it showed is past its retention")

    def ordered(self, key: str, words: str) -> told.Ordered:
        return told.Ordered(key=key, url=address("events", key), told=words)

    def whole(self, key: str, *, reveal: bool) -> told.EventWhole:
        found = self._services.timelines.of(key)
        if found is None:
            missing("there is no event of this key, or not any more: what it showed is past its retention")
        self._note_reveal(found.entry, reveal=reveal)
        return self._whole(found, telling.veil_over(found.seen, *found.phones, lifted=reveal))

    def delivery(self, key: str, *, reveal: bool) -> told.Delivery:
        entry = self.entry(key)
        record = self._services.ledger.delivery(entry.delivery) if entry.delivery else None
        if record is None or "body" not in record:
            missing("an operator ordered it: there was no delivery" if entry.event.source == OPERATOR else "its delivery is not kept any more")
        self._note_reveal(entry, reveal=reveal)
        return told.Delivery(**delivered(record, telling.veil_over([entry], lifted=reveal)))

    def foresee(self, key: str, mode: Mode, *, reveal: bool) -> told.Foreseen:
        entry = self.entry(key)
        self._note_reveal(entry, reveal=reveal)
        seen = self._services.operating.replaying.foresee(entry, mode)
        numbers = phones_of(seen.event) if seen.event else ()
        veil, base_url = telling.veil_over([entry], *numbers, lifted=reveal), self._services.config.calls_api.base_url
        return told.Foreseen(
            mode=mode,
            effect=seen.effect,
            acts=seen.effect.acts,
            told=veil.ours(seen.told),
            kind=veil.ours(seen.kind),
            rule=seen.rule,
            trace=[veil.ours(line) for line in seen.trace],
            event=telling.document(seen.event, veil) if seen.event else None,
            request=telling.request_of(seen.request, base_url, veil) if seen.request else None,
            before=telling.decision(entry, self._services.explainer, veil),
        )

    def person(self, query: PersonQuery) -> told.PersonWhole:
        numbers = self.numbers(query.phone)
        if query.reveal:
            self._services.operating.look_at("a person", [f"phone:{number}" for number in numbers], operator())
        page = self._services.finder.page(Filter(phone=(query.phone,)), cursor(query.after), query.limit).page
        veil, now = telling.veil_over(page.entries, *numbers, lifted=query.reveal), self._services.clock()
        listed = [entry for number in numbers for entry in self._services.ordering.list.of(number)]
        return told.PersonWhole(
            **_listed(page),
            looked_back_to=page.looked_back_to,
            phones=[veil.phone(number) for number in numbers],
            acts=[telling.act(done, veil) for done in self._services.audit.of([f"phone:{number}" for number in numbers])],
            unwanted=[telling.unwanted(entry, veil, holds=entry.holds(now)) for entry in listed],
        )

    def numbers(self, written: str) -> tuple[str, ...]:
        found = self._services.finder.phones(written)
        if not found:
            raise Unusable("this is no phone number: write it with + and the country code", field="phone")
        return unique([index.removeprefix("ref:phone:") for index in found])

    def _note_reveal(self, entry: Entry, *, reveal: bool) -> None:
        if reveal:
            numbers = unique([*phones_of(entry.event), *(ref.removeprefix("phone:") for ref in self._phone_refs(entry))])
            self._services.operating.look(entry.key, numbers, operator())

    def _phone_refs(self, entry: Entry) -> list[str]:
        return [ref for ref in self._services.ledger.refs(entry) if ref.startswith("phone:")]

    def _whole(self, found: Timeline, veil: Veil) -> told.EventWhole:
        entry, now, issue = found.entry, self._services.clock(), issue_of(found.entry)
        return told.EventWhole(
            event=telling.document(entry.event, veil),
            event_key=entry.key,
            fact_key=veil.ours(entry.event.fact),
            decision=telling.decision(entry, self._services.explainer, veil),
            told=veil.ours(found.told.text),
            url=address("events", entry.key),
            times=_times(found),
            campaign=entry.campaign,
            refs=[veil.ours(ref) for ref in found.refs],
            tries=entry.tries,
            crashes=entry.crashes,
            cancels=[veil.document(dict(each)) for each in entry.cancels],
            issue=issue.fingerprint if issue else None,
            replay=entry.replay,
            acts=[telling.act(done, veil) for done in found.acts],
            unwanted=[telling.unwanted(each, veil, holds=each.holds(now)) for each in found.unwanted],
            marks=[telling.mark(mark.ref, mark.campaign, veil, at=mark.at, by=mark.by) for mark in found.marks],
            revealed=veil.lifted,
        )


def delivered(record: Mapping[str, Any], veil: Veil, most: int | None = None) -> dict[str, object]:
    """A kept request for people to read; one in another encoding than UTF-8 is whole only where nothing is hidden. Of the body ``most`` letters."""
    exact = record["encoding"] == "utf-8" or veil.lifted
    body = str(record["body"]) if exact else restored(record).body.decode("utf-8", "replace")
    headers = record["headers"]
    return {
        "source": record["source"],
        "method": record["method"],
        "url": veil.theirs(str(record["url"])),
        "headers": {name: veil.theirs(value) for name, value in headers.items()} if isinstance(headers, dict) else {},
        "body": veil.theirs(body) if most is None else veil.beginning(body, most),
        "encoding": record["encoding"] if exact else "utf-8",
        "received_at": record["received_at"],
        "revealed": veil.lifted,
    }


def _told_of(found: Found) -> dict[str, str | None]:
    return {"understood": found.understood or None, "incomplete": found.sought.incomplete or None}


def _listed(page: Page) -> dict[str, object]:
    return {"items": [telling.summary(entry) for entry in page.entries], "next": opaque(page.next)}


def _filter(query: EventQuery, services: Services) -> Filter:
    now = services.clock()
    named = {name: value for name in type(query).model_fields if name not in _PAGING and (value := getattr(query, name)) is not None}
    if query.q is None:
        return Filter.from_document(named, now)
    if named:
        raise Unusable("write all of it into `q`, or all of it as parameters of their own", field="q")
    return parse(query.q, now)


def _times(found: Timeline) -> told.Times:
    entry = found.entry
    return told.Times(
        occurred=entry.event.occurred_at,
        received=entry.event.received_at,
        accepted=entry.accepted_at,
        asked=entry.asked_at,
        tried=entry.tried_at,
        trouble_since=entry.since,
        next_look=found.due,
        planned=entry.planned_at,
        ended=entry.ended_at,
    )
