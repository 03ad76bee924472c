"""The use cases of an operator's orders: the do-not-call list, and forgetting a person. Command line, API and pages call these."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from bridge import orders
from bridge.keys import event_key
from bridge.ledger import DoNotCallList, Ledger, NewEntry, Unwanted, layout
from bridge.ledger.do_not_call import EVERY_CAMPAIGN
from bridge.model import OPERATOR, Event, Status, iso
from bridge.phones import to_e164

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Ordering:
    """Raises ``LedgerUnavailable`` when Redis does not take an order; one that was taken is carried out by the workers."""

    ledger: Ledger
    list: DoNotCallList
    clock: Callable[[], datetime]

    def do_not_call(self, entries: Sequence[Unwanted]) -> int:
        """From now on nobody calls these, and calls that wait or are planned are stopped; for how many numbers there may be some.

        The list is written first: from then on the last gate refuses, whatever happens to the rest.
        """
        stopped = 0
        for start in range(0, len(entries), _AT_ONCE):
            some = entries[start : start + _AT_ONCE]
            self.list.add(some)
            known = set(self.list.known([entry.phone for entry in some]))
            events = [self._stop(entry) for entry in some if entry.phone in known]
            if events:
                self._accept(events)
            stopped += len(events)
        return stopped

    def erase(self, refs: Sequence[str]) -> str:
        """Forget the person behind these refs, as the ledger spells them; the key of the event that does it."""
        event = orders.erasure(uuid4().hex, refs, self.clock())
        self._accept([event])
        return event_key(OPERATOR, event.id)

    def cancel(self, refs: Sequence[str]) -> str:
        """Stop the calls of these refs, as the ledger spells them; the key of the event that does it."""
        event = orders.cancel(uuid4().hex, refs, self.clock())
        self._accept([event])
        return event_key(OPERATOR, event.id)

    def _stop(self, entry: Unwanted) -> Event:
        campaigns = None if entry.campaign == EVERY_CAMPAIGN else (entry.campaign,)
        return orders.do_not_call(uuid4().hex, entry.phone, campaigns, self.clock())

    def _accept(self, events: Sequence[Event]) -> None:
        new = [
            NewEntry(key=event_key(OPERATOR, event.id), status=Status.QUEUED, reason="ordered by an operator", event=event, first=True)
            for event in events
        ]
        now = self.clock()
        self.ledger.accept(uuid4().hex, {"source": OPERATOR, "received_at": iso(now)}, new, now)


def person_refs(wanted: str, sources: Sequence[str]) -> list[str]:
    """A phone number with its country code, or a ref such as ``contact:101``, as the ledger spells it in any of the sources.

    Empty when it is neither.
    """
    if phone := to_e164(wanted):
        return [f"phone:{phone}"]
    kind, colon, number = wanted.partition(":")
    if not (kind and colon and number):
        return []
    return [ref for source in sources for ref in layout.qualify(source, (wanted,))]
