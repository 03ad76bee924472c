"""One event as a line of a list: concealed, and in words."""

from dataclasses import dataclass
from datetime import datetime

from bridge.concealing import Concealer
from bridge.model import OPERATOR, Entry
from bridge.phones import mask
from bridge.telling import what_happened
from bridge.web.ops.addresses import event_address


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """``who`` is a name where there is one, ``what`` says what happened to which record; ``rule`` and ``campaign`` may be empty."""

    key: str
    address: str
    status: str
    at: datetime
    who: str
    phone: str
    what: str
    type: str
    source: str
    rule: str
    campaign: str
    reason: str


def row(entry: Entry, conceal: Concealer | None = None) -> Row:
    """``conceal`` is for the people that are shown; by default those of this event alone."""
    conceal = conceal or Concealer.of([entry.event], ids=entry.jobs)
    person = entry.event.contact
    return Row(
        key=conceal.ours(entry.key),
        address=event_address(entry.key),
        status=entry.status.value,
        at=entry.accepted_at,
        who=conceal.theirs(person.name or "") if person else "",
        phone=shown_phone(person.phone or "", conceal) if person else "",
        what="ordered by an operator" if entry.event.source == OPERATOR else conceal.ours(what_happened(entry.event)),
        type=entry.event.type,
        source=entry.event.source,
        rule=entry.rule or "",
        campaign=entry.campaign or "",
        reason=conceal.ours(entry.reason),
    )


def shown_phone(phone: str, conceal: Concealer) -> str:
    """Empty for what has too few digits to be a number: there is nothing to recognise in it."""
    return phone if conceal.off else mask(phone).removeprefix("…")
