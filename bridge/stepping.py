"""The long work of a replay of many, a step at a time: its events are gathered, foreseen and counted, and, once it is confirmed, put in one by one.

A step may be cut short anywhere and done again by anybody: what was done is noted in the same breath (:mod:`bridge.ledger.plans`), and each
step says where it begins. So it goes on in whichever worker's supervisor is there, and the command line may lend a hand with counting.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter

from bridge.deciding import may_cancel
from bridge.errors import LedgerUnavailable
from bridge.finding import Finder
from bridge.foreseeing import Effect, Foreseen, plainly
from bridge.ingest import UNREADABLE
from bridge.ledger import Change, Counted, Cursor, Part, Plan, Plans, State
from bridge.ledger.plan_records import Sample
from bridge.model import OPERATOR, Entry, Status, to_ms
from bridge.phones import mask
from bridge.quantities import parse_rate
from bridge.replaying import Mode, Readings, Replaying

ITSELF = "callbridge"
"""Who did what no operator did."""

GATHERED, COUNTED, RUN = 1000, 200, 50
"""How many events one step takes: some tenths of a second's work."""

FULL = 0.9
"""Of the memory that Redis may take. A plan that would need more is given up: webhooks come first."""

_FIRST = 10**13
"""Taken from the time of what may stop calls, so that it comes before whatever it stops."""

_BURST = timedelta(seconds=1)
"""How much of its time a replay may catch up on at once."""

_SAMPLED, _SAMPLES = timedelta(seconds=2), 15
_WATCHED = timedelta(days=30)
_FORGOTTEN = plainly(Effect.IMPOSSIBLE, "it was forgotten meanwhile", "its record was removed when its retention ended")
_GOES_ON = frozenset(Status) - frozenset(status for status in Status if status.finished)

_log = logging.getLogger("callbridge.plans")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepping:
    """Raises ``LedgerUnavailable`` when Redis does not take it; what was done so far stays done."""

    plans: Plans
    finder: Finder
    replaying: Replaying
    clock: Callable[[], datetime]

    def look(self, worker: str) -> bool:
        """A step of each plan that is not looked after by another; whether there is more to do at once.

        One that cannot be worked on keeps nobody from the others; what Redis did not take is raised when each had its turn.
        """
        more, refused = False, None
        for plan_id in self.plans.active():
            try:
                more = self.step(plan_id, worker) or more
            except LedgerUnavailable as away:
                refused = away
            except Exception:  # noqa: BLE001 -- a fault in one must not end the work on the others
                _log.exception("a replay of many cannot be worked on", extra={"plan": plan_id})
        if refused:
            raise refused
        return more

    def step(self, plan_id: str, worker: str) -> bool:
        """A step of one plan, unless another looks after it; whether there is more to do at once."""
        if not self.plans.take(plan_id, worker):
            return False
        plan = self.plans.one(plan_id)
        if plan is None:
            self.plans.rest(plan_id)
            return False
        return self.advance(plan)

    def advance(self, plan: Plan) -> bool:
        """A step from where ``plan`` stood when it was read; nothing, where it has gone on since. Whether there is more to do at once."""
        if plan.state is State.COUNTING:
            return self._has_room(plan) and (self._gather(plan) if plan.gathering else self._count(plan))
        again = self._run(plan) if plan.state is State.RUNNING else False
        self._stand(plan)
        return again

    # --- which events, and in which order

    def _gather(self, plan: Plan) -> bool:
        keys, after = self._found(plan)
        events = [(self._rank(entry), entry.key) for entry in self.finder.search.entries(keys) if plan.holds(entry)]
        self.plans.gather(plan.id, (plan.cursor, after), events, self.clock())
        return True

    def _has_room(self, plan: Plan) -> bool:
        full = self.plans.fullness() > FULL
        if full:
            self._turn(
                plan, State.CANCELLED, "Redis is nearly full, and what the plan must remember needs memory: plan for fewer events, or give it more"
            )
        return not full

    def _found(self, plan: Plan) -> tuple[Sequence[str], str]:
        """The next events, and where to go on; empty at the end. Of a plan that is counted again, those that it had."""
        word, _, place = plan.cursor.partition(" ")
        had = self.plans.before(plan.id, int(place or 0), GATHERED) if word == "again" or not plan.cursor else []
        if had or word == "again":
            after = int(place or 0) + len(had)
            return [key for key, _ in had], f"again {after}" if len(had) == GATHERED else ""
        if plan.named is not None:
            return plan.named, ""
        keys, next_ = self.finder.search.keys(plan.wanted, GATHERED, Cursor.read(plan.cursor) if plan.cursor else None)
        return keys, str(next_) if next_ else ""

    def _rank(self, entry: Entry) -> float:
        return to_ms(entry.accepted_at) - (_FIRST if self._may_stop_calls(entry) else 0)

    def _may_stop_calls(self, entry: Entry) -> bool:
        source = self.replaying.ingest.sources.get(entry.event.source)
        if entry.event.type == UNREADABLE:
            return True  # nobody knows yet what is in it
        if source is None or entry.event.source == OPERATOR:
            return False
        try:
            return may_cancel(entry.event, self.replaying.ingest.policy.rules, source.prospect(entry.event))
        except Exception:  # noqa: BLE001 -- a fault in an adapter is told when the event is foreseen
            return True

    # --- what would come of them

    def _count(self, plan: Plan) -> bool:
        keys = self.plans.keys(plan.id, plan.place, COUNTED)
        if keys:
            seen = self._foreseen_all(keys, Mode(plan.mode))
            self.plans.count(plan.id, plan.place, [self._counted(key, each) for key, each in zip(keys, seen, strict=True)], self.clock())
            return True
        self._turn(plan, State.PLANNED, "", counted=to_ms(self.clock()), digest=self.replaying.ingest.policy.digest, place=0)
        self.plans.counted(plan.id)
        return False

    def _foreseen_all(self, keys: Sequence[str], mode: Mode) -> list[Foreseen]:
        entries = {entry.key: entry for entry in self.finder.search.entries(keys)}
        there = [entries[key] for key in keys if key in entries]
        try:
            seen = dict(zip((entry.key for entry in there), self.replaying.foresee_all(there, mode), strict=True))
        except LedgerUnavailable:
            raise
        except Exception:  # noqa: BLE001 -- a fault in one adapter must not end the counting of the others: each is tried by itself
            seen = {entry.key: self._foreseen(entry, mode, None) for entry in there}
        return [seen.get(key, _FORGOTTEN) for key in keys]

    def _foreseen(self, entry: Entry | None, mode: Mode, readings: Readings | None) -> Foreseen:
        if entry is None:
            return _FORGOTTEN
        try:
            return self.replaying.foresee(entry, mode, readings)
        except LedgerUnavailable:
            raise
        except Exception as fault:  # noqa: BLE001 -- nor may it end the replay of the others
            _log.exception("an event cannot be foreseen", extra={"key": entry.key})
            told = f"a fault of the bridge ({type(fault).__name__}); it is in its log"
            return plainly(Effect.IMPOSSIBLE, told, told)

    def _counted(self, key: str, seen: Foreseen) -> Counted:
        person = seen.event.contact if seen.event else None
        return Counted(
            key=key,
            effect=seen.effect,
            kind=seen.kind,
            told=seen.told.replace(mask(person.phone), "the person") if person and person.phone and person.phone.startswith("+") else seen.told,
            at=seen.at or self.clock(),
            waits=seen.effect is Effect.WAIT,
            event=seen.event,
            call=seen.call,
            marks=seen.marks,
        )

    # --- putting them in

    def _run(self, plan: Plan) -> bool:
        digest = self.replaying.ingest.policy.digest
        if plan.digest != digest:
            self._turn(plan, State.PAUSED, "the rules have changed since it was confirmed: resume it to go on by today's rules, or cancel it")
            return False
        room = _room(plan, self.clock())
        if not room:
            return False
        keys = self.plans.keys(plan.id, plan.place, RUN)
        if not keys:
            self._turn(plan, State.FINISHED, "" if plan.place >= plan.total else "the list of the events that were left is gone")
            return False
        entries = {entry.key: entry for entry in self.finder.search.entries(keys)}
        put_in, place, readings = 0, plan.place, self._read(list(entries.values()))
        for key in keys:
            done = self._replay(key, entries.get(key), Part(plan.id, place), Mode(plan.mode), readings)
            if done is None:
                return False
            place, put_in = place + 1, put_in + done
            if put_in >= room:
                break
        self._note_pace(plan, place, put_in)
        return True

    def _read(self, entries: Sequence[Entry]) -> Readings | None:
        """The deliveries of the next events, each read once; None where each must be tried by itself."""
        try:
            return self.replaying.read(entries)
        except LedgerUnavailable:
            raise
        except Exception:  # noqa: BLE001 -- whose fault it is turns out when each is foreseen
            return None

    def _replay(self, key: str, entry: Entry | None, part: Part, mode: Mode, readings: Readings | None) -> bool | None:
        """Whether the event was put in, or was passed over; None when it is not this event's turn here."""
        seen = self._foreseen(entry, mode, readings)
        word, cause = ("failed" if seen.effect is Effect.IMPOSSIBLE else "skipped"), seen.kind
        if seen.effect.acts and entry:
            done = self.replaying.replay(entry, mode, part, readings)
            if done.good:
                return True
            cause = done.told
        return None if self.plans.passed(part, key, word, cause, self.clock()) else False

    def _note_pace(self, plan: Plan, place: int, put_in: int) -> None:
        now = self.clock()
        fields: dict[str, str | float] = {}
        if plan.speed and put_in:
            start = max(plan.next or now, now - _BURST)
            fields["next"] = to_ms(start + timedelta(seconds=parse_rate(plan.speed).interval) * put_in)
        if not plan.samples or now - plan.samples[-1].at >= _SAMPLED:
            samples = [*plan.samples, Sample(now, place)][-_SAMPLES:]
            fields["samples"] = json.dumps([(to_ms(each.at), each.place) for each in samples])
        if fields:
            self.plans.note(plan.id, **fields)

    # --- what has become of them

    def _stand(self, plan: Plan) -> None:
        """Look how the events stand that were put in; seldom where that takes long, and less and less often."""
        now = self.clock()
        since = now - plan.changed.at if plan.state.ended else timedelta(0)
        if plan.stood and now - plan.stood < max(timedelta(seconds=1), timedelta(milliseconds=20 * plan.took), since / 100):
            return
        began = perf_counter()
        standing = self.plans.stand(plan.id)
        self.plans.note(plan.id, standing=json.dumps(standing), stood=to_ms(now), took=round((perf_counter() - began) * 1000, 1))
        if plan.state.ended and (since > _WATCHED or not any(standing[status] for status in _GOES_ON)):
            self.plans.rest(plan.id)

    def _turn(self, plan: Plan, state: State, note: str, **fields: str | float) -> None:
        forbidden = self.plans.turn(plan.id, (plan.state,), Change(state, self.clock(), ITSELF, note), **fields)
        if not forbidden:
            _log.info("replay of many", extra={"plan": plan.id, "state": state, "note": note, **_numbers(plan)})


def _room(plan: Plan, now: datetime) -> int:
    """How many events may be put in now."""
    if not plan.speed:
        return RUN
    start = max(plan.next or now, now - _BURST)
    interval = timedelta(seconds=parse_rate(plan.speed).interval)
    return min(RUN, int((now - start) / interval) + 1) if now >= start else 0


def _numbers(plan: Plan) -> Mapping[str, int]:
    return {"events": plan.total, "replayed": plan.replayed, "skipped": plan.skipped, "failed": plan.failed}
