"""The use case of the web side: verify → parse → decide → accept. Nothing here knows HTTP or waits for anybody but Redis."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import uuid4

from bridge.deciding import Outlook, Policy, may_cancel, weigh
from bridge.deliveries import kept
from bridge.errors import LedgerUnavailable, Unreadable, Unverified
from bridge.keys import digest, event_key
from bridge.ledger import Ledger, Mark, NewEntry
from bridge.ledger.layout import qualify
from bridge.model import Delivery, Event, Receipt, Status, Unparsed, to_ms
from bridge.sources.base import Source
from bridge.spool import Spool

UNREADABLE = "unreadable"
"""The type of an event that could not be read; an operator replays it after the mapping is mended."""

_REMOVED = "forgotten"  # what accept.lua calls an event whose claim outlived its record

_log = logging.getLogger("callbridge.ingest")


@dataclass(frozen=True, slots=True)
class Ingest:
    """Takes deliveries in."""

    sources: Mapping[str, Source]
    policy: Policy
    ledger: Ledger
    clock: Callable[[], datetime]
    spool: Spool | None = None

    def take(self, delivery: Delivery) -> list[Receipt]:
        """Verify, decide and durably accept one delivery; a receipt per event, in order.

        Raises ``Unverified`` (nothing changed but a counter), ``Unreadable`` (from a source whose sender can mend it) or
        ``LedgerUnavailable`` (nothing may be promised).
        """
        source = self.sources[delivery.source]
        if not source.settings.insecure:
            self._verify(source, delivery)
        new = self.entries(delivery)
        try:
            return self.accept(delivery, new)
        except LedgerUnavailable:
            if source.sends_again or self.spool is None:
                raise
            self.spool.keep(source.storable(delivery))
            return [_on_disk(entry) for entry in new]

    def take_in(self, delivery: Delivery) -> None:
        """A delivery from the spool, which was verified when it came.

        Raises ``LedgerUnavailable``; or ``Unreadable``, where the configuration is not the one that it came under.
        """
        if delivery.source not in self.sources:
            raise Unreadable(f"source '{delivery.source}' is not in the configuration any more; its deliveries wait until it is back")
        self.accept(delivery, self.entries(delivery))

    def entries(self, delivery: Delivery) -> list[NewEntry]:
        """What an authentic delivery says, decided as of when it came. Raises ``Unreadable`` as :func:`read` does."""
        source = self.sources[delivery.source]
        return [self._entry(source, event, delivery) for event in read(source, delivery)]

    def accept(self, delivery: Delivery, new: Sequence[NewEntry]) -> list[Receipt]:
        """The one atomic step: all of it is durable when this returns."""
        if not new:
            return []
        record = kept(self.sources[delivery.source].storable(delivery))
        answers = self.ledger.accept(uuid4().hex, record, new, self.clock())
        return [_receipt(entry, answer) for entry, answer in zip(new, answers, strict=True)]

    def _verify(self, source: Source, delivery: Delivery) -> None:
        try:
            source.verify(delivery, delivery.received_at)
        except Unverified as refused:
            self._note_refusal(delivery, refused)
            raise

    def _entry(self, source: Source, parsed: Event | Unparsed, delivery: Delivery) -> NewEntry:
        if isinstance(parsed, Unparsed):
            return unreadable(source, parsed, delivery)
        outlook = weigh(parsed, self.policy, delivery.received_at, source.prospect(parsed))
        ended = outlook.status is Status.IGNORED
        event = told_apart(parsed)
        return NewEntry(
            key=event_key(source.name, event.id),
            claim=event_key(source.name, parsed.id),
            status=Status.IGNORED if ended else Status.QUEUED,
            reason=outlook.reason,
            event=event,
            rule=outlook.decision.rule.name if outlook.decision.rule else None,
            trace=outlook.decision.trace,
            first=not ended and may_cancel(parsed, self.policy.rules, source.prospect(parsed)),
            marks=stop_marks(parsed, outlook),
        )

    def _note_refusal(self, delivery: Delivery, refused: Unverified) -> None:
        request = {**kept(self.sources[delivery.source].storable(delivery)), "refusal": refused.refusal, "message": refused.message}
        try:
            self.ledger.refuse(delivery.source, refused.refusal, request)
        except LedgerUnavailable:
            return  # the answer is 401 either way, and a lost count of refusals harms nobody


def read(source: Source, delivery: Delivery) -> Sequence[Event | Unparsed]:
    """The events of an authentic delivery. Raises ``Unreadable`` only where the sender can mend the body.

    A CRM cannot, and neither can it mend a fault in its adapter: what came is kept, and is read again when that is mended.
    """
    try:
        return source.parse(delivery)
    except Unreadable as unread:
        if source.strict:
            raise
        return [Unparsed(digest(delivery.body), unread.message)]
    except Exception as fault:
        if source.strict:
            raise
        _log.exception("a fault in the adapter; the delivery is kept", extra={"source": source.name})
        return [Unparsed(digest(delivery.body), f"a fault in the bridge's own reading of it ({type(fault).__name__}, see the log)")]


def unreadable(source: Source, unparsed: Unparsed, delivery: Delivery) -> NewEntry:
    """What is authentic and could not be read, as the failed event that it is kept as."""
    event = Event(
        source=source.name,
        kind=source.kind,
        id=f"{UNREADABLE}:{unparsed.id}",
        type=UNREADABLE,
        fact=f"{UNREADABLE}:{source.name}:{unparsed.id}",
        received_at=delivery.received_at,
    )
    reason = f"authentic, but not understood: {unparsed.why}. The delivery is kept; replay it when the mapping is mended"
    return NewEntry(key=event_key(source.name, event.id), status=Status.FAILED, reason=reason, event=event)


def told_apart(event: Event) -> Event:
    """An event whose id is good for a time only gets the time it came, so that the next one has a record of its own."""
    return replace(event, id=f"{event.id}@{to_ms(event.received_at)}") if event.window else event


def stop_marks(event: Event, outlook: Outlook) -> tuple[Mark, ...]:
    """What a cancel leaves behind at once: no calls on facts as old as its own, for these refs."""
    cancel, rule = outlook.cancel, outlook.decision.rule
    if cancel is None:
        return ()
    refs = (event.entity.ref,) if cancel.entity_only and event.entity else event.refs
    restarts = bool(rule and rule.call)
    places = [(ref, campaign) for ref in qualify(event.source, refs) for campaign in cancel.campaigns or ("*",)]
    return tuple(Mark(ref, campaign, event.happened_at, restarts) for ref, campaign in places)


def _on_disk(entry: NewEntry) -> Receipt:
    reason = f"kept on disk until Redis is back; {entry.reason}"
    return Receipt(id=entry.event.id, key=entry.key, status=entry.status, reason=reason)


def _receipt(entry: NewEntry, answer: str) -> Receipt:
    if not answer:
        return Receipt(id=entry.event.id, key=entry.key, status=entry.status, reason=entry.reason)
    stands = "its record was removed when its retention ended" if answer == _REMOVED else f"it is {answer}"
    return Receipt(id=entry.event.id, key=entry.key, status="duplicate", reason=f"received before; {stands}")
