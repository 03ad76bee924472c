"""The use case of looking for events: what somebody wrote becomes indexes of the ledger. Pages, API and command line call this."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from bridge.errors import Unusable
from bridge.filters import Filter
from bridge.keys import event_key
from bridge.ledger import Cursor, Ledger, Page, Search, Wanted
from bridge.ledger.search import BEGUN
from bridge.model import OPERATOR, Entry, Status, unique
from bridge.phones import mask, to_e164
from bridge.terms import terms_of, words_of

PAGE = 50

_COUNTED = 200

_FEWEST_DIGITS = 7
_NOTHING = ("by:nothing",)
_MOST_GROUPS = 64


@dataclass(frozen=True, slots=True)
class Sought:
    """A filter in the ledger's terms: whoever has it finds the same events, however many.

    ``cut``: what names begin with that more known words begin with than are looked for.
    """

    wanted: Wanted
    keys: tuple[str, ...] | None = None
    understood: str = ""
    cut: tuple[str, ...] = ()

    @property
    def incomplete(self) -> str:
        """What is not looked for, in a sentence; empty where that is nothing."""
        words = " and ".join(f"'{word}'" for word in self.cut)
        return f"more than {BEGUN} names begin with {words}, and only the first {BEGUN} are looked for: write more of the name" if words else ""


@dataclass(frozen=True, slots=True)
class Found:
    """A page of what was ``sought``. ``whole``: there are no others, neither before nor behind it."""

    page: Page
    sought: Sought
    whole: bool = False

    @property
    def understood(self) -> str:
        """In a few words what the free text was taken for (``the phone number +165…00``); empty where there was none."""
        return self.sought.understood

    @property
    def named(self) -> bool:
        """Whether the events were named one by one, by key or id."""
        return self.sought.keys is not None


@dataclass(frozen=True, slots=True)
class Finder:
    """Raises ``LedgerUnavailable`` when Redis does not answer. ``regions``: where numbers without a country code may be from, by source."""

    ledger: Ledger
    search: Search
    regions: Mapping[str, str | None]

    def page(self, sought: Filter, after: Cursor | None = None, size: int = PAGE) -> Found:
        """A page of the events that are meant, the newest first."""
        terms = self.terms(sought)
        if terms.keys is not None:
            entries = [entry for entry in self.search.entries(terms.keys) if self._fits(entry, terms.wanted)]
            return Found(Page(tuple(entries)), terms, whole=True)
        page = self.search.page(terms.wanted, size, after)
        return Found(page, terms, whole=after is None and page.next is None)

    def counts(self, sought: Filter, found: Found) -> dict[Status, int] | None:
        """How many events of each status there are, whichever of them is asked for; None where that would take a look at too many.

        ``found`` is a page of them.
        """
        if replace(sought, status=()).is_empty:
            return self.search.counts()
        if found.whole and not sought.status:
            return _counted(found.page.entries)
        if found.page.looked_back_to:
            return None
        terms = found.sought
        wanted = replace(terms.wanted, groups=terms.wanted.groups[bool(sought.status) :])  # the status comes first, where one is asked for
        if terms.keys is not None:
            return _counted([entry for entry in self.search.entries(terms.keys) if self._fits(entry, wanted)])
        keys, more = self.search.keys(wanted, _COUNTED)
        return None if more else _counted(self.search.entries(keys))

    def terms(self, sought: Filter) -> Sought:
        """The filter as the ledger is asked for it. ``keys`` where events were named one by one."""
        groups = [
            *self._each("by:status", sought.status),
            *self._each("by:source", sought.source),
            *self._each("by:campaign", sought.campaign),
            *self._each("by:rule", sought.rule),
            *self._each("by:job", sought.job),
            *self._each("by:issue", sought.issue),
            *self._each("by:replay", sought.replay),
            *self._any(sought.phone, self.phones),
            *self._any(sought.record, self.records),
            *_alternatives([self._words(name) for name in sought.name]),
        ]
        if sought.reason:
            groups.append(self._reasons(sought.reason) or _NOTHING)
        keys = [key for name in sought.event for key in self._keys(name)] if sought.event else None
        cut = self._cut(sought.name)
        if not sought.text:
            return _sought(sought, groups, keys, cut=cut)
        named = self._keys(sought.text)
        if named:
            both = [key for key in named if keys is None or key in keys]
            return _sought(sought, groups, both, f"the event {sought.text}", cut)
        more, understood = self._free(sought.text)
        cut += self._cut([sought.text]) if understood == _name(sought.text) else ()
        return _sought(sought, [*groups, *more], keys, understood, cut)

    def phones(self, written: str) -> tuple[str, ...]:
        """The indexes of the numbers that this may be: with a country code, or from where one of the sources is."""
        if sum(char.isdigit() for char in written) < _FEWEST_DIGITS:
            return ()
        # 00 goes before a country code in most of the world, though not in every region: a search may try it, since it calls nobody.
        spellings = [written, f"+{written[2:]}"] if written.startswith("00") else [written]
        regions = unique([region or "" for region in ("", *self.regions.values())])
        numbers = [to_e164(spelling, region) for spelling in spellings for region in regions]
        return unique([f"ref:phone:{number}" for number in numbers if number])

    def records(self, written: str) -> tuple[str, ...]:
        """The indexes of the CRM records that this may be: ``hubspot/deal:555``, ``deal:555`` in any source, or an id alone."""
        if "/" in written and ":" in written:
            return (f"ref:{written}",)
        kinds = self.search.record_types()
        kind, colon, _ = written.partition(":")
        if colon:
            return tuple(f"ref:{known.partition('/')[0]}/{written}" for known in kinds if known.endswith(f"/{kind}"))
        return tuple(f"ref:{known}:{written}" for known in kinds)

    def _free(self, text: str) -> tuple[list[tuple[str, ...]], str]:
        """What a text without a name is taken for: the first of these that leads to anything."""
        ways: Sequence[tuple[Callable[[], Sequence[tuple[str, ...]]], str]] = (
            (lambda: [self.phones(text)], f"the phone number {mask(text)}"),
            (lambda: [(f"by:job:{text}", *self.records(text))], f"the call job or CRM record {text}"),
            (
                lambda: [tuple(f"by:{what}:{text}" for what in ("rule", "campaign", "source", "status"))],
                f"the rule, campaign, source or status {text}",
            ),
            (lambda: self._words(text), _name(text)),
            (lambda: [self._reasons(text)], f"a reason that says '{text}'"),
        )
        for groups_of, understood in ways:
            groups = [self.search.filled(group) for group in groups_of()]
            if groups and all(groups):
                return groups, understood
        return [_NOTHING], ""

    def _words(self, name: str) -> list[tuple[str, ...]]:
        """A group for each word, in which every known word that begins so is an alternative."""
        if "@" in name:
            return [(f"by:word:{name.strip().casefold()}",)]
        return [tuple(f"by:word:{known}" for known in self.search.words(word)[:BEGUN]) or _NOTHING for word in words_of(name)] or [_NOTHING]

    def _cut(self, names: Collection[str]) -> tuple[str, ...]:
        words = unique([word for name in names if "@" not in name for word in words_of(name)])
        return tuple(word for word in words if len(self.search.words(word)) > BEGUN)

    def _reasons(self, says: str) -> tuple[str, ...]:
        return tuple(f"by:cause:{kind}" for kind in self.search.causes(says))

    def _keys(self, name: str) -> tuple[str, ...]:
        """The events that are called so: by key, or by the id that the CRM gave."""
        names = (name, *(event_key(source, name) for source in (*self.regions, OPERATOR)))
        return tuple(entry.key for entry in self.search.entries(unique(names)))

    @staticmethod
    def _each(index: str, values: Collection[str]) -> list[tuple[str, ...]]:
        return [tuple(f"{index}:{value}" for value in values)] if values else []

    @staticmethod
    def _any(values: Collection[str], indexes: Callable[[str], tuple[str, ...]]) -> list[tuple[str, ...]]:
        return [unique([index for value in values for index in indexes(value)]) or _NOTHING] if values else []

    def _fits(self, entry: Entry, wanted: Wanted) -> bool:
        terms = {*(f"by:{term}" for term in terms_of(entry)), f"by:status:{entry.status}"}
        in_time = (wanted.since is None or entry.accepted_at >= wanted.since) and (wanted.until is None or entry.accepted_at <= wanted.until)
        refs = {f"ref:{ref}" for ref in self.ledger.refs(entry)}
        return in_time and all((terms | refs) & set(group) for group in wanted.groups)


def _sought(sought: Filter, groups: Sequence[tuple[str, ...]], keys: Sequence[str] | None, understood: str = "", cut: tuple[str, ...] = ()) -> Sought:
    wanted = Wanted(groups=tuple(groups), since=sought.since, until=sought.until)
    return Sought(wanted, unique(keys) if keys is not None else None, understood, cut)


def _name(text: str) -> str:
    return f"the name {text}"


def _alternatives(names: Sequence[Sequence[tuple[str, ...]]]) -> list[tuple[str, ...]]:
    """The groups of which all hold where all groups of one of the names do. Raises ``Unusable`` where those would be too many."""
    if prod(map(len, names)) > _MOST_GROUPS:
        raise Unusable("these are too many words to be alternatives: look for fewer names at once", field="name")
    return [unique([index for group in groups for index in group]) for groups in product(*names)] if names else []


def _counted(entries: Iterable[Entry]) -> dict[Status, int]:
    found = Counter(entry.status for entry in entries)
    return {status: found[status] for status in Status}
