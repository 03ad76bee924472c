"""The ledger against a model: whatever workers, clocks and deliveries do, in any order, the invariants hold."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from redis import Redis

from bridge.ledger import Go, Lost
from bridge.ledger.states import ACCEPTED_AS, RECORDED_AS, TRANSITIONS
from bridge.model import Entry, Status

LEASE = timedelta(seconds=20)
KEYS = tuple(f"e{number}" for number in range(5))
REFS = ("lead:1", "phone:+1", "phone:+2")
WORKERS = ("w1", "w2", "w3")
some_refs = st.sets(st.sampled_from(REFS), max_size=2)


@dataclass(slots=True)
class Modelled:
    """What the model knows of one event. ``holder`` and ``until`` are its lease; ``held`` is what that worker was given."""

    status: Status
    refs: frozenset[str]
    holder: str | None = None
    until: datetime | None = None
    held: Entry | None = None
    crashes: int = 0
    going: bool = False
    seen: list[Status] = field(default_factory=list)


class Ledgers(RuleBasedStateMachine):
    """``desk_of`` is set by the test: a desk on a Redis that is emptied for every run."""

    desk_of = staticmethod(lambda: None)

    @initialize()
    def empty(self):
        self.desk = self.desk_of()
        self.events: dict[str, Modelled] = {}

    @rule(key=st.sampled_from(KEYS), refs=some_refs, status=st.sampled_from(sorted(ACCEPTED_AS)), first=st.booleans())
    def accept(self, key, refs, status, first):
        (answer,) = self.desk.accept(key, status=status, refs=tuple(sorted(refs)), first=first)
        known = self.events.get(key)
        assert answer == (known.status if known else "")
        if not known:
            self.events[key] = Modelled(status, frozenset(refs), seen=[status])

    @rule(worker=st.sampled_from(WORKERS), room=st.integers(1, 3))
    def claim(self, worker, room):
        entries = self.desk.claim(worker, room)
        assert len(entries) <= room
        for entry in entries:
            known = self.events[entry.key]
            assert entry.was == known.status
            assert not known.status.finished
            if known.status is Status.RUNNING:
                assert known.until <= self.desk.now
                known.crashes += known.holder != worker  # a worker that claims is alive
            assert entry.crashes == known.crashes
            known.holder, known.until, known.held, known.going = worker, self.desk.now + LEASE, entry, False
            self.moved(entry.key, Status.RUNNING)
        for key, known in self.events.items():
            if known.status in {Status.QUEUED, Status.WAITING}:
                self.moved(key, self.desk.entry(key).status)

    @precondition(lambda self: any(known.held for known in self.events.values()))
    @rule(data=st.data(), worker=st.sampled_from(WORKERS), learned=st.sets(st.sampled_from(REFS), max_size=1))
    def begin(self, data, worker, learned):
        key, known = self.one(data)
        verdict = self.desk.call(self.desk.knowing(known.held, *learned), worker)
        if worker != known.holder:
            assert isinstance(verdict, Lost)
            return
        if isinstance(verdict, Go):
            # The same owner may repeat itself; never may a second one, while the first one's lease lasts.
            known.held = self.desk.knowing(known.held, *learned)
            known.refs |= learned
            known.until, known.going = self.desk.now + LEASE, True
            assert self.desk.entry(key).open

    @precondition(lambda self: any(known.held for known in self.events.values()))
    @rule(data=st.data(), worker=st.sampled_from(WORKERS), status=st.sampled_from(sorted(RECORDED_AS)), wait=st.integers(0, 40))
    def record(self, data, worker, status, wait):
        key, known = self.one(data)
        written = self.desk.record(known.held, status, worker, wait=wait, settled=status is not Status.UNKNOWN)
        assert written is (worker == known.holder)
        if written:
            known.holder = known.until = known.held = None
            known.crashes, known.going = 0, False
            self.moved(key, status)

    @rule(worker=st.sampled_from(WORKERS))
    def renew(self, worker):
        held = {key for key, known in self.events.items() if known.holder == worker}
        kept = self.desk.ledger.renew(worker, LEASE, KEYS, self.desk.now)
        assert kept <= held
        for key in kept:
            self.events[key].until = self.desk.now + LEASE

    @rule(seconds=st.sampled_from([0.25, 1, 19, 21, 90]))
    def time_passes(self, seconds):
        """Redis's own clock goes with it: what a worker that went silent held of its people lapses too."""
        self.desk.later(seconds=seconds)
        for name in self.desk.redis.scan_iter("callbridge:1:lease:*"):
            self.desk.redis.pexpire(name, max(0, self.desk.redis.pttl(name) - int(seconds * 1000)))

    @invariant()
    def unfinished_is_due(self):
        unfinished = {key for key, known in self.events.items() if not known.status.finished}
        assert set(self.desk.ledger.unfinished()) == unfinished
        assert {key for key in self.events if self.desk.redis.pttl(f"callbridge:1:event:{key}") == -1} == unfinished

    @invariant()
    def statuses_are_as_modelled(self):
        assert {key: self.desk.entry(key).status for key in self.events} == {key: known.status for key, known in self.events.items()}

    @invariant()
    def one_attempt_per_person(self):
        """Of those whose lease has not run out."""
        alive = [known for known in self.events.values() if known.holder and known.until > self.desk.now]
        held = [ref for known in alive for ref in known.refs]
        assert len(held) == len(set(held))

    def one(self, data):
        return data.draw(st.sampled_from([(key, known) for key, known in self.events.items() if known.held]), label="event")

    def moved(self, key, status):
        known = self.events[key]
        if status is not known.status or status is Status.RUNNING:
            assert status in TRANSITIONS[known.status], (known.status, status)
            known.seen.append(status)
        known.status = status


@pytest.mark.timeout(60)
def test_whatever_happens_the_invariants_hold(redis: Redis, make_desk):
    class Here(Ledgers):
        @staticmethod
        def desk_of():
            redis.flushdb()
            return make_desk(redis)

    run_state_machine_as_test(
        Here,
        settings=settings(max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)),
    )


def test_every_status_is_in_the_table_and_finished_is_finished():
    assert set(TRANSITIONS) == set(Status)
    assert {status for status, after in TRANSITIONS.items() if not after} == {status for status in Status if status.finished}
