"""One claimed event while a worker has it: what is known, what was tried, and how to end it."""

import logging
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import perf_counter
from typing import Any, TypeVar

from bridge.deciding import Outlook
from bridge.errors import LookupFailed
from bridge.ledger import Beginning, Blocked, CallGate, Lost, Record
from bridge.log import wide
from bridge.model import OPERATOR, Attempt, Entry, Event, HttpRequest, Prospect, Status
from bridge.sources.base import Source
from workers import policy
from workers.answers import Answer
from workers.effects import Effect, Outside
from workers.policy import Ending
from workers.world import World

_log = logging.getLogger("callbridge.attempt")
Told = TypeVar("Told")


@dataclass(slots=True)
class Case:
    """``event`` and ``outlook`` are replaced as more becomes known; ``attempts`` grows with every request made.

    ``stopped``: the unfinished events that this one stops; they are decided again at once. ``bound``: the request that went out.
    """

    entry: Entry
    world: World
    event: Event
    outlook: Outlook | None = None
    attempts: list[Attempt] = field(default_factory=list)
    cancels: tuple[Mapping[str, Any], ...] | None = None
    stopped: tuple[str, ...] = ()
    bound: HttpRequest | None = None

    @property
    def source(self) -> Source:
        return self.world.sources[self.event.source]

    @property
    def known(self) -> Entry:
        """The entry, with what was learned since it was claimed."""
        if not self.learned and self.bound is None:
            return self.entry
        return replace(self.entry, event=self.event, request=self.bound or self.entry.request)

    @property
    def learned(self) -> bool:
        """Whether more is known of the event than when it was claimed."""
        return self.event is not self.entry.event

    def prospect(self) -> Prospect:
        """What may still become known; of what an operator ordered, nothing."""
        return Prospect() if self.event.source == OPERATOR else self.source.prospect(self.event)

    def now(self) -> datetime:
        return self.world.clock()

    def ask(self, what: str, place: str, do: Callable[[], Told]) -> Generator[Effect, Any, Told]:
        """Do something outside, at ``place``, and write down that it was done, how long it took and what came of it."""
        started, at = perf_counter(), self.now()
        try:
            told: Told = yield Outside(do, place)
        except LookupFailed as failed:
            self._note(what, at, started, ("failed", failed.message, None))
            raise
        self._note(what, at, started, _outcome(told))
        return told

    def beginning(self, *, request: HttpRequest | None = None, call: CallGate | None = None, **more: Any) -> Beginning:
        """What :mod:`workers.batch` takes to the ledger's last gate."""
        return Beginning(
            entry=self.known,
            learned=self.learned,
            request=request,
            call=call,
            cancels=self.cancels,
            rule=self._rule,
            trace=self._trace,
            **more,
        )

    def end(self, ending: Ending, *, campaign: str | None = None, **more: Any) -> Record:
        """The record of this attempt. What was reserved for a call is given back when the event ends and certainly none was made."""
        settled = ending.settled and (ending.tells or not self.entry.open)
        # What may have been sent is unknown, whatever else it waits for.
        unknown = ending.status is Status.WAITING and not settled
        return Record(
            entry=self.known,
            status=Status.UNKNOWN if unknown else ending.status,
            reason=ending.reason,
            due=ending.due,
            attempts=tuple(self.attempts),
            settled=settled,
            jobs=ending.jobs,
            campaign=campaign,
            cancels=self.cancels,
            free=ending.due is None and settled and not ending.called,
            trouble=ending.trouble,
            hold=(f"campaign:{campaign}", ending.hold_until) if ending.hold_until and campaign else None,
            answered=(campaign, ending.answered) if ending.answered is not None and campaign else None,
            rule=self._rule,
            trace=self._trace,
            wake=self.stopped,
            **more,
        )

    def blocked(self, verdict: Blocked | Lost) -> Record | None:
        """What follows when the last gate said no; None when another worker has the event now."""
        if isinstance(verdict, Lost):
            return None
        return self.end(policy.after_gate(verdict, self.now()), campaign=self.aim)

    def _note(self, what: str, at: datetime, started: float, told: tuple[str, str, int | None]) -> None:
        outcome, note, status = told
        spent = round(perf_counter() - started, 4)
        attempt = Attempt(at=at, what=what, outcome=outcome, note=note, status=status, seconds=spent, worker=self.world.worker)
        self.attempts.append(attempt)
        line = {"key": self.entry.key, "source": self.event.source, "type": self.event.type, "rule": self._rule, "tries": self.entry.tries}
        wide(_log, "attempt", {**line, **attempt.document()})

    @property
    def aim(self) -> str | None:
        """The campaign that a request is bound to, else the one that the rule calls in: an event is found under it, called or not."""
        rule = self.outlook.decision.rule if self.outlook else None
        meant = rule.call.campaign if rule and rule.call else None
        return self.entry.campaign if self.entry.request else meant

    @property
    def _rule(self) -> str | None:
        return self.outlook.decision.rule.name if self.outlook and self.outlook.decision.rule else None

    @property
    def _trace(self) -> tuple[str, ...]:
        return self.outlook.decision.trace if self.outlook else ()


def _outcome(told: object) -> tuple[str, str, int | None]:
    if isinstance(told, Answer):
        return told.outcome.value, told.note, told.status
    return ("not sent", "the lease ran out before", None) if told is None else ("answered", "", None)
