"""Many deliveries at once: claims and records for all of them in one round trip each, HTTP requests side by side.

Deliveries are generators (:mod:`workers.effects`). This loop moves each as far as it can go and never waits for anything but its one
queue of what has come back. What waits for somebody else is done on threads: a request for one delivery, and for all of them together the
claims, the ledger's last gate, and the records of what has come to an end. Of those one of each kind is under way at a time, and meanwhile
the next gathers.
"""

import logging
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from time import monotonic, sleep
from typing import Any

from bridge.errors import LedgerUnavailable
from bridge.ledger import Beginning, Beside, Record
from bridge.log import wide
from bridge.model import Entry, Status
from workers.delivering import deliver
from workers.effects import Flow, Outside
from workers.hands import Hands
from workers.slots import STOPS, Slots, places_of, to_campaign
from workers.world import World

LONGEST = 300.0
"""Seconds a wake-up goes on claiming; then this process may be replaced. Less than RQ lets it last."""

_TICK = 0.05
"""Seconds between looks for new events while requests are in flight."""

_BESIDE = 0.1
"""Seconds between looks for events of other places while one has all it may have, when the last look found none."""

_PERSIST = 15.0
"""Seconds a result is kept trying to be recorded while Redis is away; then the lease tells the next worker."""

_TO_LEDGER = 4
"""Threads that wait for Redis: for claims, gates, records and leases."""

_log = logging.getLogger("callbridge.worker")


def hands(concurrency: int) -> Hands:
    """The threads that a worker process needs for so many requests at once."""
    return Hands(concurrency + _TO_LEDGER)


@dataclass(slots=True, eq=False)
class _Running:
    """``place``: where it has a slot, and ``since`` when."""

    entry: Entry
    flow: Flow
    value: Any = None
    error: BaseException | None = None
    place: str = ""
    since: float = 0.0


Held = tuple[_Running, Beginning | Outside]


@dataclass(slots=True)
class Batch:
    """The deliveries that one wake-up has in hand. ``stopping`` is asked before anything new is begun.

    ``hand``: the events that were claimed and came to no end; when Redis went away, they are to be given back when it is there again.
    """

    world: World
    stopping: Callable[[], bool]
    hands: Hands
    slots: Slots = field(init=False)
    places: dict[str, str] = field(init=False)
    little: int = field(init=False)
    back: SimpleQueue[tuple[Callable[[Any, BaseException | None], None], Any, BaseException | None]] = field(default_factory=SimpleQueue)
    under_way: int = 0
    busy: set[str] = field(default_factory=set)
    ready: deque[_Running] = field(default_factory=deque)
    held: dict[str, deque[Held]] = field(default_factory=lambda: defaultdict(deque))
    begun: list[tuple[_Running, Beginning]] = field(default_factory=list)
    ended: list[Record] = field(default_factory=list)
    hand: set[str] = field(default_factory=set)
    handled: int = 0
    dry: bool = False
    look_at: float = 0.0
    beside_at: float = 0.0
    aside_until: float = 0.0
    renewed: float = field(default_factory=monotonic)
    away: LedgerUnavailable | None = None

    def __post_init__(self) -> None:
        self.slots = Slots(self.world.concurrency)
        self.places = places_of(self.world.policy.rules)
        self.little = self.world.concurrency // 16

    def run(self) -> int:
        """Deliver what is due until nothing is, or until it is time to stop; how many events were in hand.

        When Redis goes away nothing new is begun; requests in flight are seen to their end, and their results are recorded if
        it comes back in time. Then ``LedgerUnavailable`` is raised.
        """
        until = monotonic() + LONGEST
        while True:
            going_on = not self.away and not self.stopping() and monotonic() < until
            self._advance()
            if not self.under_way and (not going_on or self.dry):
                break
            if going_on:
                self._claim()
            else:
                self._let_go()
            self._renew()
            self._collect()
        if self.away:
            raise self.away
        return self.handled

    # What is done on threads.

    def _outside(self, work: Callable[[], Any], then: Callable[[Any, BaseException | None], None]) -> None:
        self.under_way += 1
        self.hands.do(partial(self._do, work, then), self.under_way)

    def _do(self, work: Callable[[], Any], then: Callable[[Any, BaseException | None], None]) -> None:
        try:
            self.back.put((then, work(), None))
        except BaseException as error:  # noqa: BLE001 -- it is raised where it is waited for
            self.back.put((then, None, error))

    def _at_the_ledger(self, kind: str, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Whatever is asked of the ledger, one of a kind at a time. When Redis is away, nothing follows from it."""
        self.busy.add(kind)

        def told(value: Any, error: BaseException | None) -> None:
            self.busy.discard(kind)
            if isinstance(error, LedgerUnavailable):
                self.away = error
            elif error:
                raise error
            else:
                then(value)

        self._outside(work, told)

    def _collect(self) -> None:
        """Wait for something to come back, and take what else there is."""
        try:
            came = self.back.get(timeout=_TICK)
            while True:
                then, value, error = came
                self.under_way -= 1
                then(value, error)
                came = self.back.get_nowait()
        except Empty:
            return

    # Claiming.

    def _claim(self) -> None:
        """As many as can be begun, or held ready, wherever they turn out to go; else such as go to places that are not full."""
        now = monotonic()
        waits = now < self.look_at and (self.hand or now < self.aside_until)
        if waits or "claim" in self.busy or len(self.hand) > 2 * self.slots.total:
            return
        held, beside = sum(map(len, self.held.values())), None
        room = self.slots.room(held)
        if room <= self.little and self.hand:
            full = frozenset(place for place in self.slots.taken if not self.slots.admits(place))
            room = self.slots.room(held, beside=full)
            if not full or room <= self.little or now < self.beside_at:
                return  # some more will be free in a moment
            beside = self._beside(full)
        claim = partial(self.world.ledger.claim, self.world.worker, room, self.world.lease, empty_handed=not self.hand, beside=beside)
        self._at_the_ledger(
            "claim", lambda: claim(now=self.world.clock()), partial(self._claimed, beside is not None, bool(self.hand) or now < self.aside_until)
        )

    def _claimed(self, beside: bool, handed: bool, entries: list[Entry]) -> None:
        """``handed``: whether something was in hand or set aside when the claim was made. Only one made without tells that nothing is left."""
        now, self.dry = monotonic(), not (entries or handed)
        if beside:
            self.beside_at = now if entries else now + _BESIDE
        else:
            self.look_at = now if entries else now + _TICK
        self.hand.update(entry.key for entry in entries)
        self.ready.extend(_Running(entry, deliver(entry, self.world)) for entry in entries)
        self.handled += len(entries)

    def _beside(self, full: frozenset[str]) -> Beside:
        """Events of full places, set aside for a part of the time that those held ready will last."""
        pauses = {place: self.slots.pause(place) for place in full}
        self.aside_until = monotonic() + max(pauses.values()).total_seconds() + _TICK
        return Beside(pauses, {rule: pauses[place] for rule, place in self.places.items() if place in pauses})

    # Moving on.

    def _advance(self) -> None:
        """Move everything as far as it goes without waiting; gates and records are passed together."""
        while self.ready:
            self._step(self.ready.popleft())
        if self.begun and "begin" not in self.busy:
            self._begin()
        if self.ended and "record" not in self.busy:
            self._record()

    def _step(self, running: _Running) -> None:
        error, running.error = running.error, None
        try:
            effect = running.flow.throw(error) if error else running.flow.send(running.value)
        except StopIteration as stop:
            self._leave(running)
            if stop.value is not None:
                self.ended.append(stop.value)
            else:
                self.hand.discard(running.entry.key)
            return
        except LedgerUnavailable as away:
            self._leave(running)
            self.away = away
            return
        except Exception:  # noqa: BLE001 -- see below
            # A fault of ours in one delivery must not take the others with it; its lease runs out, and three of them are poison.
            _log.exception("a delivery failed unexpectedly", extra={"key": running.entry.key})
            self._leave(running)
            self.hand.discard(running.entry.key)
            return
        place = _place(effect)
        if place and place != running.place:
            self._leave(running)
            if not self.slots.admits(place):
                self.held[place].append((running, effect))
                return
            self._enter(running, place)
        self._carry_out(running, effect)

    def _carry_out(self, running: _Running, effect: Beginning | Outside) -> None:
        if isinstance(effect, Outside):
            self._outside(effect.do, partial(self._came_back, running))
        elif not self.away:
            self.begun.append((running, effect))

    def _came_back(self, running: _Running, value: Any, error: BaseException | None) -> None:
        running.value, running.error = value, error
        self.ready.append(running)

    def _begin(self) -> None:
        begun, self.begun = self.begun, []
        if self.away:
            return  # none goes out: they are given back
        beginnings = [item for _, item in begun]

        def told(verdicts: list[Any]) -> None:
            for (running, _), verdict in zip(begun, verdicts, strict=True):
                self._came_back(running, verdict, None)

        # When Redis goes away meanwhile it is not known whether it was noted that they go out, so none does. Their leases bring them back.
        self._at_the_ledger("begin", lambda: self.world.ledger.begin(self.world.worker, self.world.lease, beginnings, self.world.clock()), told)

    def _record(self) -> None:
        records, self.ended = self.ended, []

        def told(written: list[bool]) -> None:
            for record, kept in zip(records, written, strict=True):
                self.hand.discard(record.entry.key)
                _tell(record, kept=kept)

        self._at_the_ledger("record", lambda: self._write(records), told)

    def _write(self, records: list[Record]) -> list[bool]:
        """Results are facts about the world: they are kept trying to be written while Redis is away for a moment."""
        give_up = monotonic() + _PERSIST
        while True:
            try:
                return self.world.ledger.record(self.world.worker, records, self.world.clock())
            except LedgerUnavailable:
                if monotonic() > give_up:
                    raise
                sleep(0.5)

    def _renew(self) -> None:
        """Who is still at it says so, well before the lease runs out."""
        if "renew" in self.busy or not self.hand or monotonic() - self.renewed < self.world.lease.total_seconds() / 3:
            return
        self.renewed = monotonic()
        held = list(self.hand)
        self._at_the_ledger("renew", lambda: self.world.ledger.renew(self.world.worker, self.world.lease, held, self.world.clock()), lambda _: None)

    # Slots.

    def _enter(self, running: _Running, place: str) -> None:
        self.slots.take(place)
        running.place, running.since = place, monotonic()

    def _leave(self, running: _Running) -> None:
        """Give the slot back, to one that was held ready where there is one."""
        if not running.place:
            return
        self.slots.give(running.place, monotonic() - running.since)
        running.place = ""
        for place in [place for place, waiting in self.held.items() if waiting]:
            while self.held[place] and self.slots.admits(place):
                next_, effect = self.held[place].popleft()
                self._enter(next_, place)
                self._carry_out(next_, effect)

    def _let_go(self) -> None:
        """What is held ready is given back, so that another worker may have it at once; but for stopping calls, of which a part may be done."""
        if self.away:
            return
        keys = [running.entry.key for place, waiting in self.held.items() if place != STOPS for running, _ in waiting]
        for place in [place for place in self.held if place != STOPS]:
            del self.held[place]
        if keys:
            release = partial(self.world.ledger.release, self.world.worker, keys)
            self._at_the_ledger("release", lambda: release(self.world.clock()), lambda _: self.hand.difference_update(keys))


def _place(effect: Beginning | Outside) -> str:
    if isinstance(effect, Outside):
        return effect.place
    return to_campaign(effect.call.campaign) if effect.call else ""


def _tell(record: Record, *, kept: bool) -> None:
    line = {"key": record.entry.key, "status": record.status, "reason": record.reason, "jobs": record.jobs, "rule": record.rule}
    level = logging.ERROR if record.status is Status.FAILED else logging.INFO
    wide(_log, "event" if kept else "event recorded by another worker", line, level)
