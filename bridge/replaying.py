"""The use case of a replay: an event that came to nothing is read and decided again, from the delivery as it was received, with today's rules.

It keeps its key, so whatever it sent before is the same call. One that is done is not replayed: that would be another call, for which
somebody must give a reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bridge.deliveries import restored
from bridge.ingest import UNREADABLE, Ingest
from bridge.ledger import NewEntry
from bridge.model import Delivery, Entry, Receipt, Status

_WHY_NOT = {
    Status.DONE: "it is done: a replay would change nothing",
    "forgotten": "its record was removed when its retention ended",
}


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to; ``told`` says it in one sentence."""

    key: str
    good: bool
    told: str


@dataclass(frozen=True, slots=True)
class Replaying:
    """Raises ``LedgerUnavailable`` when Redis does not take it."""

    ingest: Ingest

    def replay(self, entry: Entry) -> Replayed:
        """Have one event decided again."""
        delivery = self._delivery(entry)
        if isinstance(delivery, str):
            return Replayed(entry.key, good=False, told=delivery)
        new = self.ingest.entries(delivery)
        if entry.event.type == UNREADABLE:
            return self._read_at_last(entry, delivery, new)
        again = next((each for each in new if each.key == entry.key), None)
        if again is None:
            return Replayed(entry.key, good=False, told="its delivery is read differently today, and this event is not in it any more")
        return self._restated(again)

    def _restated(self, again: NewEntry) -> Replayed:
        forbidden = self.ingest.ledger.replay(again, self.ingest.clock())
        if forbidden:
            return Replayed(again.key, good=False, told=_WHY_NOT.get(forbidden, f"it is {forbidden} and goes on by itself"))
        return Replayed(again.key, good=True, told=f"{again.status}: {again.reason}")

    def _read_at_last(self, entry: Entry, delivery: Delivery, new: list[NewEntry]) -> Replayed:
        """What could not be read has no key of its own: the events that are found in it now have."""
        if all(each.event.type == UNREADABLE for each in new):
            return Replayed(entry.key, good=False, told="it cannot be read today either; see its reason")
        receipts = self.ingest.accept(delivery, new)
        told = f"replayed: read as {', '.join(_named(receipt) for receipt in receipts)}"
        self._restated(NewEntry(key=entry.key, status=Status.SUPPRESSED, reason=told, event=entry.event))
        return Replayed(entry.key, good=True, told=told)

    def _delivery(self, entry: Entry) -> Delivery | str:
        record: Mapping[str, object] | None = self.ingest.ledger.delivery(entry.delivery)
        if record is None:
            return "the delivery as it was received is not kept any more"
        if entry.event.source not in self.ingest.sources:
            return f"source '{entry.event.source}' is not in the configuration any more"
        return replace(restored(record), source=entry.event.source)


def _named(receipt: Receipt) -> str:
    return f"{receipt.key} ({receipt.status})"
