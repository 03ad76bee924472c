"""The use case of a replay: an event that came to nothing is decided again, and before that it is foreseen what would come of it.

``rules``    from the delivery as it was received, with today's rules; it keeps its key, so whatever it sent before is the same call
``request``  the exact request that it sent before, where today's rules still let it call
``again``    another call, under a new key: for events that are done, on an operator's word and with a reason
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import uuid4

from bridge.calls import CrmParams, call_request
from bridge.deciding import FOR_GOOD, Outlook, patience, weigh
from bridge.deliveries import restored
from bridge.errors import Unreadable, Unusable
from bridge.foreseeing import Effect, Foreseen, effect_of, plainly
from bridge.ingest import UNREADABLE, Ingest
from bridge.keys import event_key
from bridge.ledger import Beginning, Blocked, CallGate, Mark, NewEntry, Part, call_gate
from bridge.model import OPERATOR, Entry, Event, Receipt, Status, iso, unique
from bridge.rules import Rule

HALTED = "the replay that it is part of does not go on here"

_WHY_NOT = {
    Status.DONE: "it is done: a replay would change nothing",
    "forgotten": "its record was removed when its retention ended",
    "erased": "the person asked to be forgotten",
    "halted": HALTED,
    "overtaken": HALTED,
    "changed": "others replay it at this moment too: look again",
}
PLATFORM_REPEATS = timedelta(hours=24)
_REFUSES = "The platform refuses the same number with the same payload within 24 h: then it will say so, and nobody is called"
_NOT_KEPT = "the delivery as it was received is not kept any more"
_AGAIN = re.compile(r".*~again-[0-9a-f]{8}")
_ORDER = re.compile(r"[0-9a-f]{8}")


class Mode(StrEnum):
    """What is done again; see the module."""

    RULES = "rules"
    REQUEST = "request"
    AGAIN = "again"


_CALLED = frozenset({Effect.CALL, Effect.WAIT, Effect.PARKED})

Readings = dict[str, Sequence[NewEntry] | str]
"""What the deliveries of some events say today, or why that cannot be said; each is read once, however many events came in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Weighed:
    """An event decided again, before the ledger's last gate was asked."""

    entry: Entry
    event: Event
    outlook: Outlook
    mode: Mode
    marks: tuple[Mark, ...]
    first: str = ""

    @property
    def rule(self) -> Rule | None:
        return self.outlook.decision.rule

    @property
    def key(self) -> str:
        return event_key(self.event.source, self.event.id)

    @property
    def call(self) -> CallGate | None:
        """What the gate is to be asked about."""
        may = self.outlook.call and self.outlook.status in {Status.QUEUED, Status.WAITING}
        return call_gate(self.outlook.call, self.event, self.rule) if self.outlook.call and may else None

    @property
    def beginning(self) -> Beginning:
        return Beginning(entry=replace(self.entry, key=self.key, event=self.event), call=self.call)

    def heeds(self, verdict: Blocked) -> bool:
        """Whether the gate's no counts already: who waits for an hour is told at once only what waiting does not change."""
        return self.outlook.status is Status.QUEUED or verdict.word in FOR_GOOD


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to; ``told`` says it in one sentence. ``key`` is that of the event that goes on."""

    key: str
    good: bool
    told: str


@dataclass(frozen=True, slots=True)
class Replaying:
    """Raises ``LedgerUnavailable`` when Redis does not take it."""

    ingest: Ingest
    crm_params: CrmParams = "form"

    def foresee(self, entry: Entry, mode: Mode = Mode.RULES, readings: Readings | None = None) -> Foreseen:
        """What :meth:`replay` would lead to, by the function that decides for the worker and by the ledger's last gate. Changes nothing."""
        (seen,) = self.foresee_all([entry], mode, readings)
        return seen

    def foresee_all(self, entries: Sequence[Entry], mode: Mode = Mode.RULES, readings: Readings | None = None) -> list[Foreseen]:
        """The same of many at once, each as if it were alone. ``readings``: of their deliveries, where they were read just now."""
        readings = self.read([entry for entry in entries if _why_not(entry, mode) is None]) if readings is None else readings
        weighed = [self._weighed(entry, mode, readings) for entry in entries]
        asked = [each for each in weighed if isinstance(each, _Weighed) and each.call]
        beginnings = [each.beginning for each in asked]
        verdicts = self.ingest.ledger.foresee(beginnings, self.ingest.clock()) if beginnings else []
        refused = {id(each): said for each, said in zip(asked, verdicts, strict=True) if isinstance(said, Blocked) and each.heeds(said)}
        return [self._told(each, refused.get(id(each))) if isinstance(each, _Weighed) else each for each in weighed]

    def read(self, entries: Sequence[Entry]) -> Readings:
        """What the deliveries of these events say today. They do not change, so it holds for as long as the rules and adapters do."""
        sources = {entry.delivery: entry.event.source for entry in entries if entry.event.source in self.ingest.sources}
        kept = self.ingest.ledger.deliveries(unique(list(sources)))
        return {delivery: self._reading(record, sources[delivery]) for delivery, record in kept.items()}

    def replay(self, entry: Entry, mode: Mode = Mode.RULES, part: Part | None = None, readings: Readings | None = None) -> Replayed:
        """Have one event decided again. ``part``: its turn in the replay of many that it belongs to; see :meth:`bridge.ledger.Ledger.replay`."""
        if mode is Mode.AGAIN:
            raise Unusable("another call needs a name and a reason: see `call_again`")
        again = self._read_again(entry, readings)
        if isinstance(again, str):
            return Replayed(entry.key, good=False, told=again)
        if isinstance(again, list):
            return self._read_at_last(entry, again, part)
        if mode is Mode.REQUEST:
            seen = self.foresee(entry, mode, readings)
            if not seen.effect.acts:
                return Replayed(entry.key, good=False, told=seen.told)
        return self._restated(_as_part(again, entry, part), part, keep_request=mode is Mode.REQUEST)

    def call_again(self, entry: Entry, by: str, reason: str, order: str = "") -> Replayed:
        """Another call of the same person on the same rules, as an event of its own. Raises ``Unusable`` without a reason.

        ``order`` (:func:`new_order`) tells one order from the next: the same one, sent twice, is one call.
        """
        if not reason.strip():
            raise Unusable("say why the person is to be called again: it is written down", field="reason")
        order = order or new_order()
        if not _ORDER.fullmatch(order):
            raise Unusable("this order was not made here: nothing was done; look at it again", field="order")
        if why_not := _why_not(entry, Mode.AGAIN):
            return Replayed(entry.key, good=False, told=why_not.told)
        read = self._read_again(entry)
        if not isinstance(read, NewEntry):
            return Replayed(entry.key, good=False, told=read if isinstance(read, str) else "it cannot be read")
        event = self._as_new(read.event, f"~again-{order}")
        ordered = f"called again on the word of {by}: {reason.strip()}"
        new = replace(
            read, key=event_key(event.source, event.id), claim="", event=event, status=Status.QUEUED, reason=ordered, trace=(ordered,), marks=()
        )
        record = self.ingest.ledger.delivery(entry.delivery) or {"source": event.source, "received_at": iso(event.received_at)}
        (known,) = self.ingest.ledger.accept(uuid4().hex, record, [new], self.ingest.clock())
        return Replayed(new.key, good=not known, told=f"it was ordered before, and is {known}" if known else ordered)

    def _restated(self, again: NewEntry, part: Part | None, *, keep_request: bool = False) -> Replayed:
        forbidden = self.ingest.ledger.replay(again, self.ingest.clock(), part, keep_request=keep_request)
        if forbidden:
            return Replayed(again.key, good=False, told=_WHY_NOT.get(forbidden, f"it is {forbidden} and goes on by itself"))
        return Replayed(again.key, good=True, told=f"{again.status}: {again.reason}")

    def _reading(self, record: Mapping[str, Any], source: str) -> Sequence[NewEntry] | str:
        try:
            return self.ingest.entries(replace(restored(record), source=source))
        except Unreadable as unread:
            return f"its delivery cannot be read as source '{source}' is configured today: {unread.message}"

    def _read_again(self, entry: Entry, readings: Readings | None = None) -> NewEntry | list[NewEntry] | str:
        """The event as its delivery reads today; all that is in it where it could not be read; or why there is none."""
        if entry.event.source == OPERATOR:
            return "an operator ordered it: order it again instead"
        if entry.event.source not in self.ingest.sources:
            return f"source '{entry.event.source}' is not in the configuration any more"
        new = (self.read([entry]) if readings is None else readings).get(entry.delivery, _NOT_KEPT)
        if isinstance(new, str):
            return new
        if entry.event.type == UNREADABLE:
            return "it cannot be read today either; see its reason" if all(each.event.type == UNREADABLE for each in new) else list(new)
        if _AGAIN.fullmatch(entry.event.id):
            return NewEntry(key=entry.key, status=Status.QUEUED, reason=entry.reason, event=entry.event, rule=entry.rule)
        found = next((each for each in new if each.key == entry.key), None)
        return found or "its delivery is read differently today, and this event is not in it any more"

    def _read_at_last(self, entry: Entry, new: list[NewEntry], part: Part | None) -> Replayed:
        """What could not be read has no key of its own: the events that are found in it now have."""
        record = self.ingest.ledger.delivery(entry.delivery) or {}
        receipts = self.ingest.accept(replace(restored(record), source=entry.event.source), [_as_part(each, entry, part) for each in new])
        told = f"replayed: read as {', '.join(_named(receipt) for receipt in receipts)}"
        itself = NewEntry(key=entry.key, status=Status.SUPPRESSED, reason=told, event=entry.event)
        done = self._restated(_as_part(itself, entry, part), part)
        return replace(done, told=told) if done.good or part is None else done

    def _would_read(self, new: list[NewEntry]) -> Foreseen:
        told = f"it would be read as {', '.join(f'{each.key} ({each.status}: {each.reason})' for each in new)}"
        return plainly(Effect.READ, told, "would be read at last, and decided")

    def _as_new(self, event: Event, suffix: str) -> Event:
        """A fact of this moment, so that neither its age nor a stop of before speaks against it; cooldown, hours and the list still do."""
        now = self.ingest.clock()
        return replace(event, id=f"{_without_suffix(event.id)}{suffix}", fact=f"{event.fact}{suffix}", occurred_at=now, received_at=now, window=None)

    def _weighed(self, entry: Entry, mode: Mode, readings: Readings) -> _Weighed | Foreseen:
        """Decided again with today's rules, or what forbids that."""
        why_not = _why_not(entry, mode)
        if why_not:
            return why_not
        again = self._read_again(entry, readings)
        if isinstance(again, str):
            return plainly(Effect.IMPOSSIBLE, again, again)
        if isinstance(again, list):
            return self._would_read(again)
        event = self._as_new(again.event, "~again-00000000") if mode is Mode.AGAIN else again.event
        source, now = self.ingest.sources[event.source], self.ingest.clock()
        outlook = weigh(event, self.ingest.policy, now, source.prospect(event))
        weighed = _Weighed(entry=entry, event=event, outlook=outlook, mode=mode, marks=again.marks)
        if not (outlook.decision.missing and entry.event.type != UNREADABLE):
            return weighed
        known = weigh(event.knowing(contact=entry.event.contact, fields=entry.event.fields, refs=entry.event.refs), self.ingest.policy, now)
        return replace(weighed, outlook=known, first=f"asks {event.source} first; as far as is known, then ")

    def _told(self, weighed: _Weighed, verdict: Blocked | None) -> Foreseen:
        outlook, mode = weighed.outlook, weighed.mode
        prospect = self.ingest.sources[weighed.event.source].prospect(weighed.event)
        effect, told, kind = effect_of(outlook, verdict, patience(outlook.decision.rule, weighed.event, prospect))
        if weighed.first and effect in {Effect.CALL, Effect.WAIT, Effect.CANCEL}:
            told, kind = f"{weighed.first}{told}", f"asks the CRM first; as far as is known, then {kind}"
        if mode is Mode.REQUEST and effect not in _CALLED:
            effect = Effect.IMPOSSIBLE if effect.acts else effect
            told = f"today's rules do not have this person called: {told}"
        if mode is Mode.AGAIN and effect is Effect.CALL and self._called_lately(weighed.entry):
            told = f"{told}. {_REFUSES}"
        request = None
        if outlook.call and effect in _CALLED:
            request = weighed.entry.request if mode is Mode.REQUEST else call_request(outlook.call, weighed.key, crm_params=self.crm_params)
        return Foreseen(
            effect=effect,
            told=told,
            kind=kind,
            event=weighed.event,
            rule=weighed.rule.name if weighed.rule else None,
            trace=outlook.decision.trace,
            request=request,
            call=weighed.call if effect in {Effect.CALL, Effect.WAIT} else None,
            at=outlook.at,
            marks=weighed.marks if effect.acts else (),
        )

    def _called_lately(self, entry: Entry) -> bool:
        return bool(entry.jobs) and entry.ended_at is not None and self.ingest.clock() - entry.ended_at < PLATFORM_REPEATS


def new_order() -> str:
    """What one order to call again is known by."""
    return uuid4().hex[:8]


def _why_not(entry: Entry, mode: Mode) -> Foreseen | None:
    """What forbids a replay, as far as the event itself says."""
    if not entry.status.finished:
        return plainly(Effect.UNFINISHED, f"it is {entry.status} and goes on by itself: {entry.reason}", "goes on by itself")
    if entry.status is Status.DONE and mode is not Mode.AGAIN:
        return plainly(Effect.DONE, f"it is done, and stays so: {entry.reason}", "already done")
    if mode is Mode.REQUEST and entry.request is None:
        return plainly(Effect.IMPOSSIBLE, "it never sent a request that could be sent again", "never sent a request")
    return None


def _as_part(new: NewEntry, entry: Entry, part: Part | None) -> NewEntry:
    """What was part of a replay of many stays found by it until another one takes it up."""
    return replace(new, replay=part.plan if part else entry.replay)


def _without_suffix(event_id: str) -> str:
    return event_id[: -len("~again-00000000")] if _AGAIN.fullmatch(event_id) else event_id


def _named(receipt: Receipt) -> str:
    return f"{receipt.key} ({receipt.status})"
