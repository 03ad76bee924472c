"""What an event is found by: the terms of the ledger's index. Pure.

A term is ``<what>:<value>``. Refs (phones, CRM records) are not among them: the ledger has an index of its own for those.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.keys import digest
from bridge.model import Entry, Event, Status, unique

WORDS = 8
"""The most words of one person's name and address that lead to an event."""

_WORD = re.compile(r"[^\W_]+")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_KEY = re.compile(r"[A-Za-z0-9_-]+:[!-~]{2,}")
_MASKED = re.compile(r"\+?[0-9]*…[0-9]+")
_NUMBER = re.compile(r"[0-9][0-9.,:TZ+-]*")
_NO_CAUSE = frozenset({Status.QUEUED, Status.RUNNING, Status.DONE})


@dataclass(frozen=True, slots=True)
class Issue:
    """Failures of one kind: ``fingerprint`` is the same for the same source, campaign and cause."""

    source: str
    campaign: str
    cause: str

    @property
    def fingerprint(self) -> str:
        return digest(f"{self.source}\n{self.campaign}\n{self.cause}")[:12]


def terms_of(entry: Entry) -> tuple[str, ...]:
    """Everything but its status that an event is found by."""
    person = entry.event.contact
    words = words_of(person.name or "")[:WORDS] if person else ()
    mail = (person.email.casefold(),) if person and person.email else ()
    issue = issue_of(entry)
    kinds = (
        ("source", (entry.event.source,)),
        ("rule", (entry.rule,)),
        ("campaign", (entry.campaign,)),
        ("cause", (cause_term(entry.reason) if entry.status not in _NO_CAUSE else None,)),
        ("issue", (issue.fingerprint if issue else None,)),
        ("replay", (entry.replay,)),
        ("job", entry.jobs),
        ("word", words + mail),
    )
    return unique([f"{kind}:{value}" for kind, values in kinds for value in values if value])


def issue_of(entry: Entry) -> Issue | None:
    """The issue a failed event belongs to; None for any other."""
    return Issue(entry.event.source, entry.campaign or "", cause(entry.reason)) if entry.status is Status.FAILED else None


def words_of(text: str) -> tuple[str, ...]:
    """The words of a name as they are looked for: without case and accents, at least two letters long."""
    plain = "".join(char for char in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(char))
    return unique([word for word in _WORD.findall(plain) if len(word) > 1])


def cause(reason: str) -> str:
    """What reasons of one kind have in common: without names in quotes, keys of events, numbers and times."""
    for pattern in (_QUOTED, _MASKED, _KEY, _NUMBER):
        reason = pattern.sub("…", reason)
    return reason[:200]


def cause_term(reason: str) -> str:
    return digest(cause(reason))[:12]


def forgotten_terms(event: Event) -> Sequence[str]:
    """What an event is still found by when its person was forgotten."""
    return (f"source:{event.source}",)
