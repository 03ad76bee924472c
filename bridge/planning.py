"""The use case of a replay of many, as operators see it: plan it, look at what it would do, confirm it with a name and a speed, watch it.

The events are chosen once, and what comes later is not among them. The work itself is done in :mod:`bridge.stepping`, by whoever is there.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import uuid4

from bridge.concealing import Concealer
from bridge.errors import Unusable
from bridge.filters import Filter
from bridge.finding import Finder, Sought
from bridge.ledger import Act, Audit, Change, Plan, Plans, State
from bridge.model import Status, to_ms
from bridge.progress import MODEST, Glance, Progress, rate_of, read_speed, show_speed
from bridge.replaying import Mode

AGED = timedelta(minutes=10)
"""After this long a plan says what would have happened: it is counted again before it may run."""

LONGEST_NAME = 80
GLANCED = 10_000
"""How many events a look at a filter counts before it says *or more*."""

_GLANCES = 10
"""How many pages it takes for that, since what is looked for may be rare among very many."""

_DID = {
    (State.PLANNED, State.COUNTING): "had a replay of many counted again",
    (State.PLANNED, State.RUNNING): "began a replay of many",
    (State.PAUSED, State.RUNNING): "resumed a replay of many",
    (State.RUNNING, State.PAUSED): "paused a replay of many",
}
"""As the audit log tells it."""

_MODES = (Mode.RULES, Mode.REQUEST)
_NOT_NOW = {"none": "there is no such replay; it may be past its retention", State.COUNTING: "it is being counted; wait for what it would do"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Planning:
    """Raises ``LedgerUnavailable`` when Redis does not take it, and ``Unusable`` for what cannot be done as it is said.

    ``digest`` stands for the rules that this process goes by; ``by`` is always the name of the person, as the history shows it.
    """

    plans: Plans
    finder: Finder
    audit: Audit
    digest: str
    clock: Callable[[], datetime]

    def glance(self, sought: Filter, most: int = GLANCED) -> Glance:
        """What a filter finds now, without a plan."""
        found = self.finder.page(sought, size=5)
        terms = found.sought
        _require_all(terms)
        if terms.keys is not None:
            return Glance(len(found.page.entries), all=True, newest=found.page.entries, understood=found.understood)
        count, after = 0, None
        for _ in range(_GLANCES):
            keys, after = self.finder.search.keys(terms.wanted, most, after)
            count += len(keys)
            if after is None or count >= most:
                break
        return Glance(count, all=after is None, newest=found.page.entries, understood=found.understood)

    def plan(self, sought: Filter, by: str, mode: Mode = Mode.RULES, name: str = "") -> Plan:
        """Have it counted what a replay of these events would do. Nothing is replayed yet."""
        return self._plan(sought, by, mode, name)

    def _plan(self, sought: Filter, by: str, mode: Mode, name: str, *more: str) -> Plan:
        """``more`` are indexes of events that are meant too, whatever the filter says but for its time."""
        now = self.clock()
        sought = replace(sought, since=sought.since.replace(microsecond=0) if sought.since else None)
        frozen = replace(sought, until=min(sought.until or now, now))
        self._require_filter(sought, frozen, now)
        if mode not in _MODES:
            raise Unusable("calling again under a new key is done for one event at a time, with a reason", field="mode")
        terms = self.finder.terms(frozen)
        _require_all(terms)
        named = tuple(entry.key for entry in self.finder.page(frozen).page.entries) if terms.keys is not None else None
        plan = Plan(
            id=_new_id(now),
            state=State.COUNTING,
            filter=frozen.document(),
            written=str(sought),
            understood=terms.understood,
            groups=tuple((*group, *more) for group in terms.wanted.groups),
            since=frozen.since,
            until=frozen.until or now,
            named=named,
            mode=mode,
            by=by,
            created=now,
            name=_name(name),
            speed=MODEST,
            history=(Change(State.COUNTING, now, by),),
        )
        while not self.plans.add(plan):
            plan = replace(plan, id=_new_id(now))
        self._write(plan.id, by, "planned a replay of many", f"{Concealer().theirs(plan.written)} ({mode})")
        return plan

    def of_failed(self, plan_id: str, by: str) -> Plan:
        """Plan to replay what failed in a replay of many: what was put in and is failed now, and what could not be replayed."""
        had = self.one(plan_id)
        sought = Filter(replay=(had.id,), status=(Status.FAILED,))
        return self._plan(sought, by, Mode(had.mode), f"what failed in {had.name or had.id}"[:LONGEST_NAME], f"plan:{had.id}:failed")

    def run(self, plan_id: str, name: str, speed: str, by: str) -> Plan:
        """Confirm what was counted, and begin. When it has aged it is counted again instead, and the new counts are to be confirmed."""
        plan, now = self.one(plan_id), self.clock()
        called, pace = _name(name), read_speed(speed)
        if not called:
            raise Unusable("give it a name: the history shows it, and whoever looks at it later knows what it was for", field="name")
        if plan.state is State.PLANNED and not plan.total:
            raise Unusable("no event matches its filter: there is nothing to replay", field="q")
        told: dict[str, str | float] = {"name": called, "speed": pace}
        if plan.state is State.PLANNED and (why := self.aged(plan)):
            return self._count_again(plan, by, why, **told)
        begun: dict[str, str | float] = {"started": to_ms(now), "next": to_ms(now), "samples": json.dumps([(to_ms(now), 0)])}
        return self._turn(plan, (State.PLANNED,), State.RUNNING, by, f"“{called}”, {show_speed(pace)}", **told, **begun)

    def count_again(self, plan_id: str, by: str) -> Plan:
        """The same events, as things stand now."""
        return self._count_again(self.one(plan_id), by, "")

    def pause(self, plan_id: str, by: str) -> Plan:
        """Take no more events; those that were put in go on."""
        return self._turn(self.one(plan_id), (State.RUNNING,), State.PAUSED, by)

    def resume(self, plan_id: str, by: str) -> Plan:
        """Go on, by the rules of today."""
        plan, now = self.one(plan_id), self.clock()
        fresh: dict[str, str | float] = {"digest": self.digest, "next": to_ms(now), "samples": json.dumps([(to_ms(now), plan.place)])}
        return self._turn(plan, (State.PAUSED,), State.RUNNING, by, "", **fresh)

    def cancel(self, plan_id: str, by: str) -> Plan:
        """Take no more, for good. What is left stays as it was; what was put in goes on."""
        plan = self.one(plan_id)
        if plan.state.begun:
            return self._turn(plan, (State.RUNNING, State.PAUSED), State.CANCELLED, by)
        return self._turn(plan, (State.COUNTING, State.PLANNED), State.CANCELLED, by, "", place=0)

    def one(self, plan_id: str) -> Plan:
        """Raises ``Unusable`` when there is none."""
        plan = self.plans.one(plan_id)
        if plan is None:
            raise Unusable(_NOT_NOW["none"], field="id")
        return plan

    def progress(self, plan_id: str) -> Progress:
        plan = self.one(plan_id)
        causes = self.plans.causes(plan_id)
        return Progress(
            plan=plan,
            tallies=self.plans.tallies(plan_id),
            skipped=causes["skipped"],
            failed=causes["failed"],
            aged=self.aged(plan) if plan.state is State.PLANNED else "",
            rate=rate_of(plan, self.clock()),
            memory=self.plans.memory(plan_id),
        )

    def aged(self, plan: Plan) -> str:
        """Why it does not say any more what would happen; empty while it does."""
        if plan.digest != self.digest:
            return "the rules have changed since it was counted"
        if plan.counted is None or self.clock() - plan.counted > AGED:
            return f"it was counted more than {AGED // timedelta(minutes=1)} minutes ago"
        return ""

    def _count_again(self, plan: Plan, by: str, note: str, **told: str | float) -> Plan:
        fresh: dict[str, str | float] = {"stage": "gathering", "cursor": "", "total": 0, "place": 0}
        return self._turn(plan, (State.PLANNED,), State.COUNTING, by, note, **fresh, **told)

    def _turn(self, plan: Plan, allowed: Sequence[State], state: State, by: str, note: str = "", **fields: str | float) -> Plan:
        forbidden = self.plans.turn(plan.id, allowed, Change(state, self.clock(), by, note), **fields)
        if forbidden:
            raise Unusable(_NOT_NOW.get(forbidden, f"it is {forbidden}"), field="state")
        self._write(plan.id, by, _DID.get((plan.state, state), "cancelled a replay of many"), note)
        return self.one(plan.id)

    def _write(self, plan_id: str, by: str, what: str, note: str) -> None:
        self.audit.write(Act(at=self.clock(), by=by, what=what, targets=(f"plan:{plan_id}",), note=note))

    @staticmethod
    def _require_filter(sought: Filter, frozen: Filter, now: datetime) -> None:
        if sought.is_empty or frozen == Filter(until=now):
            raise Unusable("say which events are meant: a filter that means every event is refused. For instance status:failed since:7d", field="q")


def _require_all(terms: Sought) -> None:
    """A list may leave out what it says it does; a plan means every event."""
    if terms.incomplete:
        raise Unusable(terms.incomplete, field="q")


def _name(written: str) -> str:
    name = " ".join(written.split())
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise Unusable(f"a name has at most {LONGEST_NAME} characters, all of which can be seen", field="name")
    return name


def _new_id(now: datetime) -> str:
    """Short, in the order in which they were made, and good in a URL and in the search box."""
    return f"{now:%y%m%d-%H%M%S}-{uuid4().hex[:4]}"
