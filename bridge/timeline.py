"""The use case behind one event's page: all that is known of it, and of the same lead and phone, told in a sentence first."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.concealing import phones_of
from bridge.ledger import Act, Audit, Cursor, DoNotCallList, Ledger, Page, Search, StopMark, StopMarks, Unwanted, Wanted
from bridge.model import OPERATOR, Entry
from bridge.phones import to_e164
from bridge.rules import Rule
from bridge.telling import Circumstances, Told, tell

PAGE = 20
"""How many other events of the same people are shown at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One event and what surrounds it. ``due``: when somebody looks at it next. ``others`` share a ref with it, the newest first.

    ``delivery`` is the request as it was received, None when it is not kept any more. ``calls``: it is about a call, not about stopping one.
    """

    entry: Entry
    told: Told
    calls: bool
    refs: tuple[str, ...]
    due: datetime | None
    others: Page
    delivery: Mapping[str, Any] | None
    acts: tuple[Act, ...]
    unwanted: tuple[Unwanted, ...]
    marks: tuple[StopMark, ...]

    @property
    def phones(self) -> tuple[str, ...]:
        """The numbers of this person as the ledger knows them, E.164."""
        return numbers(self.entry, self.refs)

    @property
    def seen(self) -> tuple[Entry, ...]:
        """Every event that is shown."""
        return (self.entry, *self.others.entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timelines:
    """Reads them. Raises ``LedgerUnavailable`` when Redis does not answer."""

    ledger: Ledger
    search: Search
    audit: Audit
    list: DoNotCallList
    marks: StopMarks
    rules: Sequence[Rule]
    clock: Callable[[], datetime]

    def of(self, key: str, after: Cursor | None = None) -> Timeline | None:
        """None when there is no such event, or not any more. ``after``: where the page of other events begins."""
        entry = self.ledger.entry(key)
        if entry is None:
            return None
        refs = tuple(self.ledger.refs(entry))
        due = None if entry.status.finished else self.ledger.next_look(key)
        latest, phones = self.sharing(entry, refs), numbers(entry, refs)
        calls = self._calls(entry)
        return Timeline(
            entry=entry,
            told=tell(entry, Circumstances(others=latest.entries, due=due, calls=calls), self.clock()),
            calls=calls,
            refs=refs,
            due=due,
            others=self.sharing(entry, refs, after) if after else latest,
            delivery=self.ledger.delivery(entry.delivery) if entry.delivery else None,
            acts=tuple(self.audit.of([key, *(f"phone:{phone}" for phone in phones)])),
            unwanted=tuple(each for phone in phones for each in self.list.of(phone)),
            marks=tuple(self.marks.of(refs)),
        )

    def sharing(self, entry: Entry, refs: Sequence[str], after: Cursor | None = None, size: int = PAGE) -> Page:
        """Other events of the same lead and phone, the newest first."""
        if not refs:
            return Page(())
        page = self.search.page(Wanted(groups=(tuple(f"ref:{ref}" for ref in refs),)), size, after)
        # The index knows when they were last touched; within a page they are told in the order in which they came.
        others = sorted((other for other in page.entries if other.key != entry.key), key=lambda other: other.accepted_at, reverse=True)
        return Page(tuple(others), page.next, page.looked_back_to)

    def _calls(self, entry: Entry) -> bool:
        """What rules say today, and what was sent, where there is no such rule any more."""
        if entry.event.source == OPERATOR:
            return False
        rule = next((rule for rule in self.rules if rule.name == entry.rule), None)
        return bool(entry.request) or (rule.call is not None or rule.cancel is None if rule else not entry.cancels)


def numbers(entry: Entry, refs: Sequence[str]) -> tuple[str, ...]:
    """The numbers of an event's person that can be read as such."""
    known = [ref.removeprefix("phone:") for ref in refs if ref.startswith("phone:")]
    return tuple(dict.fromkeys(number for phone in (*phones_of(entry.event), *known) if (number := to_e164(phone))))
