"""Replays of many: what each is about, what it was counted to lead to, and how far it is.

A plan's hash, by field:

    state stage              the words of :class:`State`; while it is counted, whether its events are still being gathered
    told                     what it was made as (JSON): filter, written, understood, wanted, mode, by, created
    name speed               what it was confirmed as; the speed as it is written (``5/s``), empty as fast as it goes
    total place              how many events it is about, and how many of them were counted or replayed so far
    cursor                   where the next page of events begins, while they are gathered
    counted digest           when it was counted (ms), and against which rules
    replayed skipped failed  how many events were put in, passed over, and could not be replayed
    started next             when it was begun, and when the next event may be put in (ms)
    samples                  how far it was at some moments of late (JSON): what the rate is measured by
    standing stood           how the events stand that were put in (JSON), and when that was looked at (ms)
    took                     how long that took (ms)
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from bridge.ledger import layout
from bridge.ledger.plan_records import COUNTED_BEHIND, EXAMPLES, Change, Counted, Plan, State, Tally, read_plan, told_fields
from bridge.ledger.records import Part, Retention, millis
from bridge.ledger.store import available, script
from bridge.model import Status, to_ms

LEASE = timedelta(seconds=15)
"""Who looks after a plan and says nothing for so long is taken to be gone."""

UNCONFIRMED = timedelta(days=7)
"""A plan that nobody confirms is forgotten after this long, and gives back the memory that its events take."""

_PAGE = 1000
_SCRIPTS = {
    "plan_turn": ("common", "plan_turn"),
    "plan_gather": ("common", "plan_gather"),
    "plan_count": ("common", "plan_count"),
    "plan_pass": ("common", "turn_of_plan", "plan_pass"),
}


class Plans:
    """Raises ``LedgerUnavailable`` when Redis does not take it."""

    def __init__(self, redis: Redis, retention: Retention) -> None:
        self._redis = redis
        self._kept = max(retention.failed, retention.longest)
        self._scripts = {name: redis.register_script(script(*parts)) for name, parts in _SCRIPTS.items()}

    def add(self, plan: Plan) -> bool:
        """Whether the id was free."""
        with available():
            if self._redis.exists(layout.plan(plan.id)):
                return False
            pipeline = self._redis.pipeline(transaction=True)
            for name, value in told_fields(plan).items():
                pipeline.hset(layout.plan(plan.id), name, value)
            for change in plan.history:
                pipeline.rpush(layout.plan(plan.id, "history"), change.written())
            pipeline.zadd(layout.PLANS, {plan.id: to_ms(plan.created)})
            pipeline.sadd(layout.ACTIVE_PLANS, plan.id)
            pipeline.execute()
        return True

    def one(self, plan_id: str) -> Plan | None:
        with available():
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.hgetall(layout.plan(plan_id))
            pipeline.lrange(layout.plan(plan_id, "history"), 0, -1)
            row, history = pipeline.execute()
        return read_plan(plan_id, row, history) if "told" in row else None

    def all(self, most: int = 50, before: str = "") -> list[Plan]:
        """The newest first; ``before``: only those behind this one in the list. Raises ``ValueError`` when it is not in it."""
        with available():
            place = self._redis.zrevrank(layout.PLANS, before) if before else -1
            if place is None:
                raise ValueError("this is no place in the list of replays")
            start = int(str(place)) + 1
            found: Any = self._redis.zrevrange(layout.PLANS, start, start + most - 1)
        plans = [(plan_id, self.one(plan_id)) for plan_id in map(str, found)]
        gone = [plan_id for plan_id, plan in plans if plan is None]
        if gone:
            with available():
                self._redis.zrem(layout.PLANS, *gone)
        return [plan for _, plan in plans if plan]

    def active(self) -> list[str]:
        """Those that somebody has to look after, the oldest first."""
        with available():
            return sorted(map(str, self._redis.smembers(layout.ACTIVE_PLANS)))

    def rest(self, plan_id: str) -> None:
        """Nobody has to look after this one any more."""
        with available():
            self._redis.srem(layout.ACTIVE_PLANS, plan_id)

    def take(self, plan_id: str, worker: str) -> bool:
        """Whether ``worker`` looks after the plan for a while. That keeps others from doing the same work; what keeps it right is that each step says
        where it begins.
        """
        name = layout.plan(plan_id, "worker")
        with available():
            if self._redis.set(name, worker, nx=True, px=millis(LEASE)):
                return True
            return self._redis.get(name) == worker and bool(self._redis.pexpire(name, millis(LEASE)))

    def give_back(self, plan_id: str, worker: str) -> None:
        """Whoever comes next need not wait until this one is taken to be gone."""
        name = layout.plan(plan_id, "worker")
        with available():
            if self._redis.get(name) == worker:
                self._redis.delete(name)

    def turn(self, plan_id: str, allowed: Collection[State], change: Change, **fields: str | float) -> str:
        """From one state to another; empty, or the state that forbids it (``none``: there is no such plan)."""
        flat = [str(part) for item in fields.items() for part in item]
        kept = {State.PLANNED: millis(UNCONFIRMED), State.FINISHED: self._kept, State.CANCELLED: self._kept}.get(change.state, "")
        forbidden = str(self._run("plan_turn", change.at, plan_id, json.dumps(list(allowed)), change.state, json.dumps(flat), change.written(), kept))
        if not forbidden and change.state in {State.FINISHED, State.CANCELLED}:
            self._drop(plan_id, "keys", "before", "taken")
        return forbidden

    def gather(self, plan_id: str, cursor: tuple[str, str], events: Sequence[tuple[float, str]], now: datetime) -> bool:
        """More events, found from ``cursor[0]``; ``cursor[1]`` is where to go on, empty at the end. False when another process was quicker."""
        flat = json.dumps([part for event in events for part in event])
        done = bool(self._run("plan_gather", now, plan_id, *cursor, flat))
        if done and not cursor[1]:
            self._drop(plan_id, "before")
        return done

    def before(self, plan_id: str, place: int, most: int) -> list[tuple[str, float]]:
        """Of a plan that is sorted again: its events as they were."""
        return self._ranked(layout.plan(plan_id, "before"), place, most)

    def keys(self, plan_id: str, place: int, most: int) -> list[str]:
        """The events from a place on, in the order in which they are replayed."""
        return [key for key, _ in self._ranked(layout.plan(plan_id, "keys"), place, most)]

    def count(self, plan_id: str, place: int, events: Sequence[Counted], now: datetime) -> bool:
        """Some more events, counted; False when another process was quicker."""
        written = json.dumps([event.document() for event in events], separators=(",", ":"))
        return bool(self._run("plan_count", now, plan_id, place, EXAMPLES, written, json.dumps(COUNTED_BEHIND)))

    def counted(self, plan_id: str) -> None:
        """What was only needed to count it is forgotten."""
        self._drop(plan_id, "taken")

    def passed(self, part: Part, key: str, word: str, cause: str, now: datetime) -> str:
        """An event that is passed over: ``skipped``, or ``failed`` where it could not be replayed. Empty, or why it is not its turn."""
        return str(self._run("plan_pass", now, part.plan, part.place, word, cause, key))

    def note(self, plan_id: str, **fields: str | float) -> None:
        """What only says how it goes."""
        with available():
            if self._redis.hexists(layout.plan(plan_id), "state"):
                self._redis.hset(layout.plan(plan_id), items=[part for item in fields.items() for part in item])

    def tallies(self, plan_id: str) -> list[Tally]:
        """By what would come of them, the largest number first."""
        with available():
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.hgetall(layout.plan(plan_id, "counts"))
            pipeline.hgetall(layout.plan(plan_id, "examples"))
            counts, examples = pipeline.execute()
        found = [Tally.read(name, int(count), examples.get(name, "[]")) for name, count in counts.items() if int(count)]
        return sorted(found, key=lambda tally: (-tally.count, tally.kind))

    def causes(self, plan_id: str) -> dict[str, dict[str, int]]:
        """Why events were ``skipped`` and why they ``failed``, the most frequent cause first."""
        with available():
            rows: Mapping[str, str] = self._redis.hgetall(layout.plan(plan_id, "causes"))  # type: ignore[assignment]  # not asynchronous
        told: dict[str, dict[str, int]] = {"skipped": {}, "failed": {}}
        for name, count in sorted(rows.items(), key=lambda row: (-int(row[1]), row[0])):
            word, _, cause = name.partition("|")
            told[word][cause] = int(count)
        return told

    def stand(self, plan_id: str) -> Counter[Status]:
        """How many of the events that it put in have each status now."""
        standing: Counter[Status] = Counter()
        place = 0
        while keys := self._ranked(layout.by(f"replay:{plan_id}"), place, _PAGE):
            standing.update(self._statuses([key for key, _ in keys]))
            place += len(keys)
        return standing

    def fullness(self) -> float:
        """How full Redis is: 1 is all it may take, 0 where it has no limit."""
        with available():
            told: Any = self._redis.info("memory")
        return float(told["used_memory"]) / float(told["maxmemory"]) if told.get("maxmemory") else 0.0

    def memory(self, plan_id: str) -> int:
        """The bytes that the plan's events take in Redis, while it may still run."""
        with available():
            return int(self._redis.memory_usage(layout.plan(plan_id, "keys"), samples=100) or 0)

    def _statuses(self, keys: Sequence[str]) -> list[Status]:
        with available():
            pipeline = self._redis.pipeline(transaction=False)
            for key in keys:
                pipeline.hget(layout.event(key), "status")
            return [Status(word) for word in pipeline.execute() if word]

    def _ranked(self, name: str, place: int, most: int) -> list[tuple[str, float]]:
        with available():
            rows: Any = self._redis.zrange(name, place, place + most - 1, withscores=True)
        return [(str(key), float(score)) for key, score in rows]

    def _drop(self, plan_id: str, *parts: str) -> None:
        """In the background: a million members are not freed in a moment."""
        with available():
            self._redis.unlink(*(layout.plan(plan_id, part) for part in parts))

    def _run(self, name: str, now: datetime, *arguments: str | float) -> Any:
        with available():
            return self._scripts[name](args=[layout.PREFIX, to_ms(now), *arguments])
