"""What somebody with access to the bridge orders, as events of their own: they are remembered, decided and carried out like any other.

Pure. Each has an id made for it, because two orders are two orders, and no phone number in that id: ids are logged.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bridge.model import OPERATOR, CancelCommand, Event

DO_NOT_CALL = "do-not-call.added"
ERASE = "person.erase"
CANCEL = "calls.cancel"


def do_not_call(order_id: str, phone: str, campaigns: Sequence[str] | None, now: datetime) -> Event:
    """A number was put on the do-not-call list: the calls it waits for are stopped. ``campaigns`` None: in every one."""
    order = _order(f"do-not-call:{order_id}", DO_NOT_CALL, (f"phone:{phone}",), now)
    return replace(order, fields={"campaigns": list(campaigns)} if campaigns else {})


def erasure(order_id: str, refs: Sequence[str], now: datetime) -> Event:
    """Forget a person: calls are stopped first, since nobody could stop a call that nobody knows. ``refs`` as the ledger spells them."""
    return replace(_order(f"erase:{order_id}", ERASE, tuple(refs), now), forget=True)


def cancel(order_id: str, refs: Sequence[str], now: datetime) -> Event:
    """The calls of these refs, as the ledger spells them, are stopped: on every fact up to now."""
    return _order(f"cancel:{order_id}", CANCEL, tuple(refs), now)


def stops(event: Event) -> CancelCommand:
    """What an order stops."""
    campaigns = event.fields.get("campaigns")
    return CancelCommand(campaigns=tuple(campaigns) if campaigns else None)


def _order(event_id: str, event_type: str, refs: tuple[str, ...], now: datetime) -> Event:
    return Event(
        source=OPERATOR,
        kind=OPERATOR,
        id=event_id,
        type=event_type,
        fact=event_id,
        received_at=now,
        occurred_at=now,
        refs=refs,
    )
