"""The use case of a replay: an event that came to nothing is decided again, and before that it is foreseen what would come of it.

``rules``    from the delivery as it was received, with today's rules; it keeps its key, so whatever it sent before is the same call
``request``  the exact request that it sent before, where today's rules still let it call
``again``    another call, under a new key: for events that are done, on an operator's word and with a reason
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from uuid import uuid4

from bridge.calls import CrmParams, call_request
from bridge.deciding import FOR_GOOD, Outlook, weigh
from bridge.deliveries import restored
from bridge.errors import Unusable
from bridge.foreseeing import Effect, Foreseen, effect_of, plainly
from bridge.ingest import UNREADABLE, Ingest
from bridge.keys import event_key
from bridge.ledger import Beginning, Blocked, NewEntry, call_gate
from bridge.model import OPERATOR, Delivery, Entry, Event, Receipt, Status, iso

_WHY_NOT = {
    Status.DONE: "it is done: a replay would change nothing",
    "forgotten": "its record was removed when its retention ended",
}
PLATFORM_REPEATS = timedelta(hours=24)
_REFUSES = "The platform refuses the same number with the same payload within 24 h: then it will say so, and nobody is called"
_AGAIN = re.compile(r".*~again-[0-9a-f]{8}")


class Mode(StrEnum):
    """What is done again; see the module."""

    RULES = "rules"
    REQUEST = "request"
    AGAIN = "again"


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

    def foresee(self, entry: Entry, mode: Mode = Mode.RULES) -> Foreseen:
        """What :meth:`replay` would lead to, by the function that decides for the worker and by the ledger's last gate. Changes nothing."""
        if not entry.status.finished:
            return plainly(Effect.UNFINISHED, f"it is {entry.status} and goes on by itself: {entry.reason}", "goes on by itself")
        if entry.status is Status.DONE and mode is not Mode.AGAIN:
            return plainly(Effect.DONE, f"it is done, and stays so: {entry.reason}", "already done")
        if mode is Mode.REQUEST and entry.request is None:
            return plainly(Effect.IMPOSSIBLE, "it never sent a request that could be sent again", "never sent a request")
        again = self._read_again(entry)
        if not isinstance(again, NewEntry):
            return plainly(Effect.IMPOSSIBLE, again, again) if isinstance(again, str) else self._would_read(again)
        return self._foreseen_again(entry, again.event) if mode is Mode.AGAIN else self._foreseen(entry, again.event, mode)

    def _foreseen_again(self, entry: Entry, event: Event) -> Foreseen:
        seen = self._foreseen(entry, self._as_new(event, "~again-00000000"), Mode.AGAIN)
        lately = entry.ended_at is not None and self.ingest.clock() - entry.ended_at < PLATFORM_REPEATS
        return replace(seen, told=f"{seen.told}. {_REFUSES}") if lately and entry.jobs and seen.effect is Effect.CALL else seen

    def replay(self, entry: Entry, mode: Mode = Mode.RULES, part_of: str | None = None) -> Replayed:
        """Have one event decided again. ``part_of``: the replay of many that it belongs to."""
        if mode is Mode.AGAIN:
            raise Unusable("another call needs a name and a reason: see `call_again`")
        again = self._read_again(entry)
        if isinstance(again, str):
            return Replayed(entry.key, good=False, told=again)
        if isinstance(again, list):
            return self._read_at_last(entry, again)
        if mode is Mode.REQUEST:
            seen = self.foresee(entry, mode)
            if not seen.effect.acts:
                return Replayed(entry.key, good=False, told=seen.told)
        return self._restated(replace(again, replay=part_of), keep_request=mode is Mode.REQUEST)

    def call_again(self, entry: Entry, by: str, reason: str) -> Replayed:
        """Another call of the same person on the same rules, as an event of its own. Raises ``Unusable`` without a reason."""
        if not reason.strip():
            raise Unusable("say why the person is to be called again: it is written down", field="reason")
        read = self._read_again(entry)
        if not isinstance(read, NewEntry):
            return Replayed(entry.key, good=False, told=read if isinstance(read, str) else "it cannot be read")
        event = self._as_new(read.event, f"~again-{uuid4().hex[:8]}")
        ordered = f"called again on the word of {by}: {reason.strip()}"
        new = replace(
            read, key=event_key(event.source, event.id), claim="", event=event, status=Status.QUEUED, reason=ordered, trace=(ordered,), marks=()
        )
        record = self.ingest.ledger.delivery(entry.delivery) or {"source": event.source, "received_at": iso(event.received_at)}
        self.ingest.ledger.accept(uuid4().hex, record, [new], self.ingest.clock())
        return Replayed(new.key, good=True, told=ordered)

    def _restated(self, again: NewEntry, *, keep_request: bool = False) -> Replayed:
        forbidden = self.ingest.ledger.replay(again, self.ingest.clock(), keep_request=keep_request)
        if forbidden:
            return Replayed(again.key, good=False, told=_WHY_NOT.get(forbidden, f"it is {forbidden} and goes on by itself"))
        return Replayed(again.key, good=True, told=f"{again.status}: {again.reason}")

    def _read_again(self, entry: Entry) -> NewEntry | list[NewEntry] | str:
        """The event as its delivery reads today; all that is in it where it could not be read; or why there is none."""
        if entry.event.source == OPERATOR:
            return "an operator ordered it: order it again instead"
        delivery = self._delivery(entry)
        if isinstance(delivery, str):
            return delivery
        new = self.ingest.entries(delivery)
        if entry.event.type == UNREADABLE:
            return "it cannot be read today either; see its reason" if all(each.event.type == UNREADABLE for each in new) else new
        if _AGAIN.fullmatch(entry.event.id):
            return NewEntry(key=entry.key, status=Status.QUEUED, reason=entry.reason, event=entry.event, rule=entry.rule)
        found = next((each for each in new if each.key == entry.key), None)
        return found or "its delivery is read differently today, and this event is not in it any more"

    def _read_at_last(self, entry: Entry, new: list[NewEntry]) -> Replayed:
        """What could not be read has no key of its own: the events that are found in it now have."""
        record = self.ingest.ledger.delivery(entry.delivery) or {}
        receipts = self.ingest.accept(replace(restored(record), source=entry.event.source), new)
        told = f"replayed: read as {', '.join(_named(receipt) for receipt in receipts)}"
        self._restated(NewEntry(key=entry.key, status=Status.SUPPRESSED, reason=told, event=entry.event))
        return Replayed(entry.key, good=True, told=told)

    def _would_read(self, new: list[NewEntry]) -> Foreseen:
        told = f"it would be read as {', '.join(f'{each.key} ({each.status}: {each.reason})' for each in new)}"
        return plainly(Effect.READ, told, "would be read at last, and decided")

    def _delivery(self, entry: Entry) -> Delivery | str:
        if entry.event.source not in self.ingest.sources:
            return f"source '{entry.event.source}' is not in the configuration any more"
        record: Mapping[str, object] | None = self.ingest.ledger.delivery(entry.delivery)
        if record is None:
            return "the delivery as it was received is not kept any more"
        return replace(restored(record), source=entry.event.source)

    def _as_new(self, event: Event, suffix: str) -> Event:
        """A fact of this moment, so that neither its age nor a stop of before speaks against it; cooldown, hours and the list still do."""
        now = self.ingest.clock()
        return replace(event, id=f"{_without_suffix(event.id)}{suffix}", fact=f"{event.fact}{suffix}", occurred_at=now, received_at=now, window=None)

    def _foreseen(self, entry: Entry, event: Event, mode: Mode) -> Foreseen:
        source, now = self.ingest.sources[event.source], self.ingest.clock()
        outlook = weigh(event, self.ingest.policy, now, source.prospect(event))
        if outlook.decision.missing and entry.event.type != UNREADABLE:
            known = weigh(event.knowing(contact=entry.event.contact, fields=entry.event.fields, refs=entry.event.refs), self.ingest.policy, now)
            return self._told(entry, event, known, mode, first=f"asks {event.source} first; as far as is known, then ")
        return self._told(entry, event, outlook, mode)

    def _told(self, entry: Entry, event: Event, outlook: Outlook, mode: Mode, first: str = "") -> Foreseen:
        verdict = self._gate(entry, event, outlook)
        rule = outlook.decision.rule
        effect, told, kind = effect_of(outlook, verdict)
        if first and effect in {Effect.CALL, Effect.WAIT, Effect.CANCEL}:
            told, kind = f"{first}{told}", f"asks the CRM first; as far as is known, then {kind}"
        if mode is Mode.REQUEST and effect not in {Effect.CALL, Effect.WAIT}:
            effect, told = Effect.IMPOSSIBLE, f"today's rules do not have this person called: {told}"
        request = None
        if outlook.call and effect in {Effect.CALL, Effect.WAIT, Effect.PARKED}:
            key = event_key(event.source, event.id)
            request = entry.request if mode is Mode.REQUEST else call_request(outlook.call, key, crm_params=self.crm_params)
        return Foreseen(
            effect=effect, told=told, kind=kind, event=event, rule=rule.name if rule else None, trace=outlook.decision.trace, request=request
        )

    def _gate(self, entry: Entry, event: Event, outlook: Outlook) -> Blocked | None:
        if outlook.call is None or outlook.status not in {Status.QUEUED, Status.WAITING}:
            return None
        call = call_gate(outlook.call, event, outlook.decision.rule)
        own = replace(entry, key=event_key(event.source, event.id), event=event)
        (verdict,) = self.ingest.ledger.foresee([Beginning(entry=own, call=call)], self.ingest.clock())
        stands = isinstance(verdict, Blocked) and (outlook.status is Status.QUEUED or verdict.word in FOR_GOOD)
        return verdict if isinstance(verdict, Blocked) and stands else None


def _without_suffix(event_id: str) -> str:
    return event_id[: -len("~again-00000000")] if _AGAIN.fullmatch(event_id) else event_id


def _named(receipt: Receipt) -> str:
    return f"{receipt.key} ({receipt.status})"
