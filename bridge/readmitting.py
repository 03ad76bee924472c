"""Taking in what was refused, once the secret is mended: each request is verified again, with today's secrets, as of when it came.

Only its own proof opens the door. Where that proof was a secret rather than a signature, it was removed before the request was kept, and
cannot be verified any more: the CRM must send it again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bridge.deliveries import restored
from bridge.errors import Unreadable, Unverified
from bridge.ingest import Ingest
from bridge.ledger import Refusals, RefusedRequest
from bridge.model import Delivery, Receipt
from bridge.sources.base import HIDDEN, Source


class Verdict(StrEnum):
    """What came of it."""

    TAKEN = "taken"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    UNPROVABLE = "unprovable"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Readmitted:
    """One request's verdict in a sentence, and the receipts of its events."""

    request: RefusedRequest
    verdict: Verdict
    told: str
    receipts: tuple[Receipt, ...] = ()


@dataclass(frozen=True, slots=True)
class Readmitting:
    """Raises ``LedgerUnavailable`` when Redis does not take it; then the request stays where it is."""

    ingest: Ingest
    refusals: Refusals

    def foresee(self, request: RefusedRequest) -> Readmitted | None:
        """Why :meth:`readmit` would not take it in; None: it would. Changes nothing."""
        source = self.ingest.sources[request.source]
        return _objection(source, request)

    def readmit(self, request: RefusedRequest) -> Readmitted:
        """Take it in if it is genuine. It is decided as of when it came, as every delivery is."""
        delivery = restored(request.record)
        objection = self.foresee(request)
        if objection:
            return objection
        try:
            receipts = self.ingest.accept(delivery, self.ingest.entries(delivery))
        except Unreadable as unread:
            return Readmitted(request, Verdict.UNREADABLE, f"it is genuine, but cannot be understood: {unread.message}")
        self.refusals.remove(request)
        return _taken(request, receipts)


def _objection(source: Source, request: RefusedRequest) -> Readmitted | None:
    delivery = restored(request.record)
    if _would_believe_what_is_hidden(source):
        return Readmitted(request, Verdict.UNPROVABLE, f"a secret of '{source.name}' is what stands here for removed ones: use another secret")
    if source.settings.insecure:
        return None
    try:
        source.verify(delivery, delivery.received_at)
    except Unverified as refused:
        if any(HIDDEN in part for part in _parts(delivery)):
            told = "its proof was a secret, which was removed when it was kept: have the CRM send it again"
            return Readmitted(request, Verdict.UNPROVABLE, told)
        return Readmitted(request, Verdict.REFUSED, f"still refused: {refused.message}")
    return None


def _would_believe_what_is_hidden(source: Source) -> bool:
    return any(HIDDEN in secret for secret in source.secrets)


def _parts(delivery: Delivery) -> Iterator[str]:
    yield delivery.url
    yield from delivery.headers.values()
    yield delivery.body.decode("utf-8", "replace")


def _taken(request: RefusedRequest, receipts: Sequence[Receipt]) -> Readmitted:
    new = [receipt for receipt in receipts if receipt.status != "duplicate"]
    verdict = Verdict.TAKEN if new else Verdict.DUPLICATE
    events = f"{len(receipts)} event{'s' * (len(receipts) != 1)}"
    told = f"it is genuine, and taken in: {events}" if new else f"it is genuine, and was received before: {events}"
    return Readmitted(request, verdict, told, tuple(receipts))
