"""What operators do, each written down with who did it: the one place that pages, API and command line go through to change anything.

Raises ``LedgerUnavailable`` when Redis does not take it, and ``Unusable`` for what must not be done as it is said.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bridge.errors import Unusable
from bridge.ledger import Act, Asks, Audit, Issues, Pause, RefusedRequest, Switches, Unwanted
from bridge.ledger.do_not_call import EVERY_CAMPAIGN
from bridge.ledger.issues import State
from bridge.ledger.switches import EVERYTHING
from bridge.model import OPERATOR, Entry
from bridge.ordering import Ordering
from bridge.phones import mask
from bridge.readmitting import Readmitted, Readmitting
from bridge.replaying import Mode, Replayed, Replaying

CONTROLS = {"pause": "paused the campaign at the platform", "resume": "resumed the campaign at the platform", "stop": "stopped the campaign for good"}
"""What can be done to a campaign at the platform, as the audit log tells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operating:
    """``by`` is always the name of the person, as the history shows it."""

    replaying: Replaying
    ordering: Ordering
    switches: Switches
    issues: Issues
    audit: Audit
    asks: Asks
    campaigns: Collection[str]
    sources: Collection[str]
    clock: Callable[[], datetime]

    def replay(self, entry: Entry, mode: Mode, by: str, reason: str = "", order: str = "") -> Replayed:
        """One event, as :class:`bridge.replaying.Mode` says; ``again`` needs a reason, and is done once for an ``order``."""
        if mode is Mode.AGAIN:
            done = self.replaying.call_again(entry, by, reason, order)
            what = "had the person called again"
        else:
            done = self.replaying.replay(entry, mode)
            what = "replayed" if mode is Mode.RULES else "replayed with the request of before"
        if done.good:
            self._write(by, what, (entry.key, *([done.key] if done.key != entry.key else [])), reason)
        return done

    def cancel(self, entry: Entry, by: str, note: str = "") -> str:
        """Stop the calls of this event's record: those that wait and those that are planned. The key of the order that does it."""
        own = entry.event.entity.ref if entry.event.entity else None
        known = self.ordering.ledger.refs(entry)
        refs = [ref for ref in known if own and ref.endswith(f"/{own}")] or known
        if not refs or entry.event.source == OPERATOR:
            raise Unusable("nothing ties this event to a call: there is nothing to cancel")
        key = self.ordering.cancel(refs)
        self._write(by, "cancelled", (entry.key, key), note)
        return key

    def pause(self, scope: str, by: str, note: str = "") -> None:
        """``scope`` is ``*``, ``campaign:<name>`` or ``source:<name>``."""
        self._known(scope)
        self.switches.pause(Pause(scope=scope, by=by, at=self.clock(), note=note))
        self._write(by, f"paused {told_scope(scope)}", (f"scope:{scope}",), note)

    def resume(self, scope: str, by: str) -> bool:
        """Whether it was paused. What was parked is decided again at once."""
        was = self.switches.resume(scope, self.clock())
        if was:
            self._write(by, f"resumed {told_scope(scope)}", (f"scope:{scope}",))
        return was

    def add_unwanted(self, entries: Sequence[Unwanted], by: str) -> int:
        """Put numbers on the do-not-call list; for how many calls may have been stopped."""
        stopped = self.ordering.do_not_call([replace(entry, source=entry.source or by) for entry in entries])
        if len(entries) == 1:
            self._write(by, f"put {mask(entries[0].phone)} on the do-not-call list", (f"phone:{entries[0].phone}",), entries[0].note)
        elif entries:
            self._write(by, f"put {len(entries)} numbers on the do-not-call list")
        return stopped

    def remove_unwanted(self, phone: str, campaign: str | None, by: str) -> int:
        """Take a number off the list, for one campaign or (None) altogether; how many entries that were."""
        gone = self.ordering.list.remove(phone, campaign)
        if gone:
            where = {None: "", EVERY_CAMPAIGN: "in every campaign"}.get(campaign, f"in campaign {campaign}")
            self._write(by, f"took {mask(phone)} off the do-not-call list", (f"phone:{phone}",), where)
        return gone

    def erase(self, refs: Sequence[str], by: str) -> str:
        """Forget a person; the key of the order that does it. The history does not say who it was."""
        key = self.ordering.erase(refs)
        self._write(by, "had a person forgotten", (key,))
        return key

    def readmit(self, readmitting: Readmitting, request: RefusedRequest, by: str) -> Readmitted:
        """Take in a refused request, if it is genuine by today's secrets."""
        done = readmitting.readmit(request)
        if done.receipts:
            keys = tuple(receipt.key for receipt in done.receipts)
            self._write(by, "took in a request that had been refused", (f"source:{request.source}", *keys))
        return done

    def change_issue(self, fingerprint: str, state: State, by: str) -> bool:
        """Whether there is such an issue."""
        known = self.issues.change(fingerprint, state, by, self.clock())
        if known:
            self._write(by, f"called the issue {state}", (f"issue:{fingerprint}",))
        return known

    def export_unwanted(self, by: str) -> None:
        """Write down that somebody takes the whole do-not-call list, numbers and all: before it is given out."""
        self._write(by, "exported the do-not-call list, with whole numbers")

    def reveal(self, phone: str, entry_key: str, by: str) -> str:
        """The whole number, after it was written down who looked at it."""
        self.look(entry_key, (phone,), by)
        return phone

    def look(self, entry_key: str, phones: Sequence[str], by: str) -> None:
        """Write down that somebody looks at an event with whole numbers, the raw delivery included: before anything is shown."""
        self._write(by, "looked at the whole number", (entry_key, *(f"phone:{phone}" for phone in phones)))

    def look_at(self, numbers: str, targets: Sequence[str], by: str) -> None:
        """Before whole numbers are shown, it is written down who looks; ``numbers`` says whose they are."""
        self._write(by, f"looked at the whole numbers of {numbers}", targets)

    def control(self, action: str, campaign: str, by: str, note: str = "") -> str:
        """Pause, resume or stop a campaign at the platform; the id under which its answer will be."""
        self._known(f"campaign:{campaign}")
        if action not in CONTROLS:
            raise Unusable(f"'{action}' is nothing that can be done to a campaign; there are {', '.join(CONTROLS)}", field="action")
        self._write(by, CONTROLS[action], (f"campaign:{campaign}",), note)
        return self.asks.put(action, campaign, by, self.clock())

    def ask(self, what: str, campaign: str, by: str, **arguments: Any) -> str:
        """Have the platform asked, which changes nothing; the id under which its answer will be."""
        self._known(f"campaign:{campaign}")
        return self.asks.put(what, campaign, by, self.clock(), **arguments)

    def _known(self, scope: str) -> None:
        kind, _, name = scope.partition(":")
        there = {"campaign": self.campaigns, "source": self.sources}.get(kind, ())
        if scope != EVERYTHING and name not in there:
            raise Unusable(f"there is no {kind} called '{name}'; there are {', '.join(there) or 'none'}", field="scope")

    def _write(self, by: str, what: str, targets: Sequence[str] = (), note: str = "") -> None:
        self.audit.write(Act(at=self.clock(), by=by, what=what, targets=tuple(targets), note=note.strip()))


def told_scope(scope: str) -> str:
    """``*`` is all calling; ``campaign:welcome`` is campaign welcome."""
    return "all calling" if scope == EVERYTHING else scope.replace(":", " ", 1)
