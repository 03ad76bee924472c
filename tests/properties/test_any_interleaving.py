"""Whatever happens in whatever order, the right people are called once, and nobody else.

A state machine delivers, repeats and reorders webhooks about a few people who share a phone number, kills workers at every step they take,
freezes them past their leases, loses answers, jumps over midnight and the change of clocks, puts numbers on the do-not-call list, pauses and
resumes, and replays what has ended. After every step, and when all has come to rest, what the ledger says is held against the platform's own
record and against a model that knows nothing but what was delivered.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Lock
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from bridge.deciding import Policy
from bridge.explaining import Explainer
from bridge.ingest import Ingest
from bridge.ledger import DoNotCallList, Ledger, Pause, Retention, Switches, Unwanted, connect
from bridge.model import Delivery, Entry, Status, iso
from bridge.ordering import Ordering
from bridge.replaying import Replaying
from bridge.rules import Rule
from bridge.sources import kinds
from bridge.terms import terms_of
from workers.batch import Batch, hands
from workers.calls_api import CallsApi
from workers.crm_api import CrmApi
from workers.world import World

DAY = 86_400_000
LEASE = timedelta(seconds=5)
SECRET = "secret-of-the-crm"
HOME = ZoneInfo("America/Los_Angeles")
SHARED, OWN = "+16502530000", "+16502530001"
PHONES = (SHARED, SHARED, OWN)
"""The first two people share a number."""

HOURS = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "09:00", "to": "20:00"}
RULES: tuple[dict[str, Any], ...] = (
    {"name": "welcome", "on": "lead.created", "call": {"campaign": "welcome", "payload": {"id": "id"}}},
    {"name": "by day", "on": "lead.updated", "call": {"campaign": "welcome", "payload": {"id": "id"}, "hours": HOURS}},
    {"name": "follow up", "on": "deal.created", "call": {"campaign": "other", "payload": {"id": "id"}}},
    {"name": "start again", "on": "deal.stage_changed", "cancel": {}, "call": {"campaign": "other", "payload": {"id": "id"}}},
    {"name": "stop all", "on": "lead.deleted", "cancel": {}},
    {"name": "stop welcome", "on": "deal.updated", "cancel": {"campaigns": ["welcome"]}},
    {"name": "stop this deal", "on": "deal.deleted", "cancel": {"scope": "entity"}},
)
BY_TYPE = {each["on"]: each for each in RULES}
FAULTS = ("lost_answer", "reset_before", "reset_after", "5xx", "429", "html", "stopped_campaign")
WATCHED = frozenset({"claim", "begin", "record", "sharing", "add", "cancel", "job_report", "status"})
SOON, LATER = st.sampled_from([1, 6, 40, 700]), st.sampled_from([3_700, 8 * 3_600, 25 * 3_600])
STARTS = {
    "now": None,
    "clocks go forward": datetime(2027, 3, 14, 1, 58, tzinfo=HOME),
    "clocks go back": datetime(2027, 11, 7, 0, 58, tzinfo=HOME),
    "midnight": datetime(2027, 1, 31, 23, 59, 50, tzinfo=HOME),
    "the hour begins": datetime(2027, 2, 2, 8, 59, 50, tzinfo=HOME),
    "the hour ends": datetime(2027, 2, 2, 19, 59, 50, tzinfo=HOME),
}


class Killed(BaseException):
    """What a worker process is, when it is."""


@dataclass
class Life:
    """What befalls a worker at its n-th step; once it is dead it takes no further one."""

    at: int = 0
    befalls: Callable[[], None] | None = None
    dead: bool = False
    steps: int = 0
    lock: Lock = field(default_factory=Lock)

    def step(self) -> None:
        with self.lock:
            self.steps += 1
            due = self.steps == self.at
            if due and self.befalls is None:
                self.dead = True
        if self.dead:
            raise Killed
        if due and self.befalls:
            self.befalls()


class Mortal:
    """A collaborator whose owner may die before and after everything it does."""

    def __init__(self, inner: Any, life: Life) -> None:
        self._inner, self._life = inner, life

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in WATCHED:
            return found

        def watched(*arguments: Any, **named: Any) -> Any:
            self._life.step()
            result = found(*arguments, **named)
            self._life.step()
            return result

        return watched


@dataclass(frozen=True)
class Told:
    """One webhook, and what it means to who knows the rules."""

    id: str
    type: str
    person: int
    at: datetime

    @property
    def key(self) -> str:
        return f"crm:{self.id}"

    @property
    def entity(self) -> str:
        return f"{self.type.partition('.')[0]}:{self.person}"

    @property
    def refs(self) -> frozenset[str]:
        return frozenset({self.entity, f"contact:{self.person}", f"phone:{PHONES[self.person]}"})

    @property
    def fact(self) -> tuple[Any, ...]:
        return (self.type, self.person, self.at)

    @property
    def campaign(self) -> str | None:
        return BY_TYPE[self.type].get("call", {}).get("campaign")

    @property
    def restarts(self) -> bool:
        return {"cancel", "call"} <= BY_TYPE[self.type].keys()

    @property
    def by_day(self) -> bool:
        return "hours" in BY_TYPE[self.type].get("call", {})

    def body(self) -> bytes:
        kind, _, number = self.entity.partition(":")
        told = {
            "event_id": self.id,
            "type": self.type,
            "occurred_at": iso(self.at),
            "entity": {"type": kind, "id": number},
            "contact": {"id": str(self.person), "phone": PHONES[self.person]},
        }
        return json.dumps(told).encode()

    def stops(self, other: "Told", campaign: str | None) -> bool:
        """Whether a call for ``other`` must not outlive this."""
        cancel = BY_TYPE[self.type].get("cancel")
        if cancel is None or other.key == self.key or other.at > self.at:
            return False
        if other.at == self.at and self.restarts and other.restarts:
            return False  # of two that stop and then call, at one moment, one call is left, and it is not known which
        named = cancel.get("campaigns")
        shared = self.entity in other.refs if cancel.get("scope") == "entity" else bool(self.refs & other.refs)
        return shared and (named is None or campaign in named)


class Bridge:
    """One bridge on a real Redis and the simulator; its clock stands still until it is moved."""

    def __init__(self, redis_url: str, simulator_url: str, stack: ExitStack) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.http = stack.enter_context(requests.Session())
        self.url = simulator_url
        self.redis = connect(redis_url)
        stack.callback(self.redis.close)
        self.redis.flushdb()
        self.ask("POST", "reset")
        self.ledger = Ledger(self.redis, Retention(dedup=30 * DAY, done=30 * DAY, failed=90 * DAY, ignored=DAY))
        adapter = kinds()["generic"]
        sources = {"crm": adapter("crm", adapter.settings_type(kind="generic", secret=SECRET))}
        self.policy = Policy(rules=tuple(Rule.model_validate(each) for each in RULES))
        self.calls_api = CallsApi(simulator_url, timedelta(seconds=1), {"welcome": "welcome", "other": "other"}, 4)
        stack.callback(self.calls_api.close)
        self.ingest = Ingest(sources=sources, policy=self.policy, ledger=self.ledger, clock=self.clock)
        self.ordering = Ordering(ledger=self.ledger, list=DoNotCallList(self.redis), clock=self.clock)
        self.switches = Switches(self.redis)
        self.replaying = Replaying(self.ingest)
        self.source = sources["crm"]
        self.workers = count(1)
        self.world = World(
            ledger=self.ledger,
            policy=self.policy,
            sources=sources,
            calls_api=self.calls_api,
            crm_api=CrmApi(timedelta(seconds=1), 1),
            rates={},
            crm_params="form",
            clock=self.clock,
            worker="w0",
            lease=LEASE,
            concurrency=4,
        )
        stack.callback(self.world.crm_api.close)

    def clock(self) -> datetime:
        return self.now

    def ask(self, method: str, path: str, document: Any = None) -> Any:
        answer = self.http.request(method, f"{self.url}/simulator/{path}", json=document, timeout=10)
        assert answer.ok, answer.text
        return answer.json()

    def calls(self) -> list[dict[str, Any]]:
        return self.ask("GET", "calls")["calls"]

    def advance(self, by: timedelta) -> None:
        self.now += by
        self.ask("POST", "clock", {"advance": f"{by.total_seconds():.3f}s"})

    def delivery(self, told: Told) -> Delivery:
        headers = {"authorization": f"Bearer {SECRET}", "content-type": "application/json"}
        return Delivery(source="crm", body=told.body(), url="http://bridge/crm", received_at=self.now, headers=headers)

    def entry(self, told: Told) -> Entry:
        found = self.ledger.entry(told.key)
        assert found is not None, f"{told.key} was answered 2xx and is not in the ledger"
        return found

    def work(self, life: Life, guard: Callable[[Any], Any]) -> None:
        """One wake-up of one worker process, to the end of its life."""
        world = replace(
            self.world,
            ledger=Mortal(self.ledger, life),  # type: ignore[arg-type]
            calls_api=Mortal(guard(self.calls_api), life),  # type: ignore[arg-type]
            worker=f"w{next(self.workers)}",
        )
        with hands(world.concurrency) as threads:
            try:
                Batch(world, lambda: False, threads).run()
            except Killed:
                life.dead = True


class Lives(RuleBasedStateMachine):
    """``told`` is the model: what was delivered, in order. ``redis_url`` and ``simulator_url`` are given to a subclass made for the run."""

    redis_url: str
    simulator_url: str

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.bridge = Bridge(self.redis_url, self.simulator_url, self.stack)
        self.told: dict[str, Told] = {}
        self.unwanted: set[tuple[str, str]] = set()
        self.ever_unwanted: set[str] = set()
        self.paused: set[str] = set()
        self.in_flight: Counter[str] = Counter()
        self.overtime = False
        self.faults = False
        self.broken: list[str] = []
        self.numbers = count(1)

    # What happens.

    @initialize(start=st.sampled_from(sorted(STARTS)))
    def begin(self, start: str) -> None:
        moment = STARTS[start]
        if moment:
            self.bridge.advance(moment.astimezone(UTC) - self.bridge.now)

    @rule(kind=st.sampled_from(sorted(BY_TYPE)), person=st.integers(0, 2), minutes=st.integers(0, 3))
    def deliver(self, kind: str, person: int, minutes: int) -> None:
        told = Told(f"e{next(self.numbers)}", kind, person, self.bridge.now - timedelta(minutes=minutes))
        self.told[told.key] = told
        self._take(told)

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def redeliver(self, data: st.DataObject) -> None:
        told = data.draw(st.sampled_from(list(self.told.values())))
        (receipt,) = self._take(told)
        assert receipt.status == "duplicate"

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def tell_the_same_fact_again(self, data: st.DataObject) -> None:
        first = data.draw(st.sampled_from(list(self.told.values())))
        again = replace(first, id=f"e{next(self.numbers)}")
        self.told[again.key] = again
        self._take(again)

    @rule()
    def work(self) -> None:
        self._work(Life())

    @rule(step=st.integers(1, 24))
    def work_and_die(self, step: int) -> None:
        self._work(Life(at=step))

    @rule(step=st.integers(1, 16), seconds=st.sampled_from([0, 0, 6, 60]))
    def work_slowly_while_another_works(self, step: int, seconds: int) -> None:
        def meanwhile() -> None:
            if seconds:
                self.overtime = True
                self.bridge.advance(timedelta(seconds=seconds))
            self._work(Life())

        self._work(Life(at=step, befalls=meanwhile))
        self.overtime = False

    @rule(fault=st.sampled_from(FAULTS), times=st.integers(1, 3), endpoint=st.sampled_from(["addPhone", "callJob/*", None]))
    def something_is_wrong_at_the_platform(self, fault: str, times: int, endpoint: str | None) -> None:
        self.faults = True
        more = {"retry_after": 20} if fault == "429" else {}
        self.bridge.ask("POST", "faults", {"fault": fault, "times": times, "endpoint": endpoint, **more})

    @rule(seconds=st.one_of(SOON, SOON, LATER))
    def time_passes(self, seconds: int) -> None:
        self.bridge.advance(timedelta(seconds=seconds))

    @rule(phone=st.sampled_from([SHARED, OWN]), campaign=st.sampled_from(["*", "welcome"]))
    def somebody_wants_no_calls(self, phone: str, campaign: str) -> None:
        self.unwanted.add((phone, campaign))
        self.ever_unwanted.add(phone)
        self.bridge.ordering.do_not_call([Unwanted(phone=phone, campaign=campaign, added=self.bridge.now)])

    @precondition(lambda self: self.unwanted)
    @rule(data=st.data())
    def somebody_changes_their_mind(self, data: st.DataObject) -> None:
        phone, campaign = data.draw(st.sampled_from(sorted(self.unwanted)))
        self.unwanted.discard((phone, campaign))
        self.bridge.ordering.list.remove(phone, campaign)

    @rule(scope=st.sampled_from(["*", "campaign:welcome", "source:crm"]))
    def somebody_pauses(self, scope: str) -> None:
        self.paused.add(scope)
        self.bridge.switches.pause(Pause(scope=scope, by="Anna", at=self.bridge.now))

    @precondition(lambda self: self.paused)
    @rule(data=st.data())
    def somebody_resumes(self, data: st.DataObject) -> None:
        scope = data.draw(st.sampled_from(sorted(self.paused)))
        self.paused.discard(scope)
        self.bridge.switches.resume(scope, self.bridge.now)

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def somebody_replays(self, data: st.DataObject) -> None:
        entry = self.bridge.entry(data.draw(st.sampled_from(list(self.told.values()))))
        replayable = entry.status in {Status.FAILED, Status.SUPPRESSED}
        alone = not self.bridge.ledger.unfinished() and not self.faults and not entry.open
        foreseen = self.bridge.replaying.foresee(entry)
        assert self.bridge.replaying.replay(entry).good is replayable
        if replayable and alone:
            self._work(Life())
            came = self.bridge.entry(self.told[entry.key]).status
            expected = {"call": "done", "cancel": "done", "wait": "waiting"}.get(foreseen.effect, foreseen.effect)
            assert came == expected, f"a replay of {entry.key} was to be {foreseen}, and it became {came}"

    @rule(data=st.data(), status=st.sampled_from(["inProcess", "noAnswer", "onRetry"]))
    def the_platform_dials(self, data: st.DataObject, status: str) -> None:
        planned = [call["id"] for call in self.bridge.calls() if call["status"] in {"planned", "onRetry"}]
        if planned:
            self.bridge.ask("POST", f"jobs/{data.draw(st.sampled_from(planned))}", {"status": status})

    @precondition(lambda self: not self.faults)
    @rule(kind=st.sampled_from(sorted(BY_TYPE)), person=st.integers(0, 2), minutes=st.integers(0, 3))
    def what_explain_foretells_comes_true(self, kind: str, person: int, minutes: int) -> None:
        if self.bridge.ledger.unfinished():
            return
        told = Told(f"e{next(self.numbers)}", kind, person, self.bridge.now - timedelta(minutes=minutes))
        explainer = Explainer(policy=self.bridge.policy, base_url="https://platform", ledger=self.bridge.ledger)
        (foretold,) = explainer.delivery(self.bridge.source, self.bridge.delivery(told), self.bridge.now)["events"]
        self.told[told.key] = told
        self._take(told)
        self._work(Life())
        came = self.bridge.entry(told).status
        expected = {"queued": {"done"}}.get(foretold["decision"]["status"], {foretold["decision"]["status"]})
        assert came in expected, f"explain said {foretold['decision']}, and it became {came}"

    # What must be true at any time.

    @invariant()
    def nothing_was_done_that_must_not_be_done(self) -> None:
        assert self.broken == []

    @invariant()
    def what_is_unfinished_is_due_and_nothing_else_is(self) -> None:
        due = self.bridge.ledger.unfinished()
        for told in self.told.values():
            assert self.bridge.entry(told).status.finished is (told.key not in due), told.key

    @invariant()
    def no_event_and_no_fact_has_two_call_jobs(self) -> None:
        jobs = Counter(call["idempotence_key"] for call in self.bridge.calls())
        assert all(number == 1 for number in jobs.values()), jobs
        facts = Counter(self.told[key].fact for key in jobs)
        assert all(number == 1 for number in facts.values()), facts

    @invariant()
    def no_call_outlives_a_stop_that_is_done(self) -> None:
        done = [told for told in self.told.values() if "cancel" in BY_TYPE[told.type] and self._stopped(told)]
        for call in self.bridge.calls():
            if call["status"] in {"planned", "onRetry"}:
                outlived = [told.key for told in done if told.stops(self.told[call["idempotence_key"]], call["campaign"])]
                assert outlived == [], f"{call['idempotence_key']} is still to be called, although {outlived} is done"

    def teardown(self) -> None:
        try:
            self._come_to_rest()
            self._account_for_everybody()
            self._find_everything()
            self._replay_everything()
        finally:
            self.stack.close()

    # The model's own hands.

    def _take(self, told: Told) -> Sequence[Any]:
        return self.bridge.ingest.take(self.bridge.delivery(told))

    def _work(self, life: Life) -> None:
        self.bridge.work(life, self._guarded)

    def _stopped(self, told: Told) -> bool:
        """A rule that stops and then calls has stopped as soon as it says so, and it says so when it is done."""
        return self.bridge.entry(told).status is Status.DONE

    def _guarded(self, calls_api: CallsApi) -> Any:
        """The platform's client, with somebody looking over its shoulder."""
        machine = self

        class Guarded:
            def __getattr__(self, name: str) -> Any:
                return getattr(calls_api, name)

            def add(self, campaign: str, request: Any) -> Any:
                machine._look(machine.told[request.headers["Idempotence-Key"]], campaign)
                phone = PHONES[machine.told[request.headers["Idempotence-Key"]].person]
                machine.in_flight[phone] += 1
                try:
                    return calls_api.add(campaign, request)
                finally:
                    machine.in_flight[phone] -= 1

        return Guarded()

    def _look(self, told: Told, campaign: str) -> None:
        phone = PHONES[told.person]
        if self.paused & {"*", "source:crm", f"campaign:{campaign}"}:
            self.broken.append(f"{told.key}: called although {sorted(self.paused)} is paused")
        if {(phone, "*"), (phone, campaign)} & self.unwanted:
            self.broken.append(f"{told.key}: {phone} is on the do-not-call list")
        if self.in_flight[phone] and not self.overtime:
            self.broken.append(f"{told.key}: two attempts for {phone} at once")
        local = self.bridge.now.astimezone(HOME)
        if told.by_day and not 9 <= local.hour < 20 and not self.overtime:
            self.broken.append(f"{told.key}: called at {local:%H:%M}")

    def _come_to_rest(self) -> None:
        self.bridge.ask("DELETE", "faults")
        for scope in self.paused:
            self.bridge.switches.resume(scope, self.bridge.now)
        self.paused.clear()
        for _ in range(400):
            self._work(Life())
            due = self.bridge.ledger.unfinished()
            if not due:
                return
            soonest = min(due.values()) - self.bridge.now
            if soonest > timedelta():
                self.bridge.advance(soonest + timedelta(milliseconds=1))
        raise AssertionError(f"it does not come to rest: {[self.bridge.ledger.entry(key) for key in self.bridge.ledger.unfinished()]}")

    def _account_for_everybody(self) -> None:
        self.no_event_and_no_fact_has_two_call_jobs()
        self.no_call_outlives_a_stop_that_is_done()
        made = {call["idempotence_key"] for call in self.bridge.calls()}
        for told in self.told.values():
            entry = self.bridge.entry(told)
            assert entry.status in {Status.DONE, Status.SUPPRESSED} or "came to no end" in entry.reason, f"{told}: {entry}"
            if "is not known" in entry.reason:
                continue
            calls = told.campaign is not None and entry.status is Status.DONE
            assert calls is (told.key in made), f"{told}: {entry.status}, {entry.reason}; and at the platform: {told.key in made}"
            if entry.status is Status.SUPPRESSED:
                assert self._is_just(told, entry.reason), f"{told}: {entry.reason}"
        assert self.broken == []

    def _is_just(self, told: Told, reason: str) -> bool:
        """Whether the reason not to call is one the model knows to be true."""
        if reason.startswith("do-not-call"):
            return PHONES[told.person] in self.ever_unwanted
        by = next((word.rstrip(":;") for word in reason.split() if word.startswith(("crm:", "operator:"))), "")
        if reason.startswith("stop mark") and by.startswith("operator:"):
            return PHONES[told.person] in self.ever_unwanted
        if reason.startswith("stop mark"):
            return self.told[by].stops(told, told.campaign)
        return reason.startswith("same fact as") and self.told[by].fact == told.fact

    def _find_everything(self) -> None:
        """Everything that leads to an event leads to those that it should, and to no others."""
        prefix = "callbridge:1:"
        found = {(name, key) for name in self.bridge.redis.keys(f"{prefix}by:*") for key in self.bridge.redis.zrange(name, 0, -1)}
        entries = [self.bridge.ledger.entry(name.removeprefix(f"{prefix}event:")) for name in self.bridge.redis.keys(f"{prefix}event:*")]
        terms = {(term, entry.key) for entry in entries if entry for term in (*terms_of(entry), f"status:{entry.status}")}
        assert found == {(f"{prefix}by:{term}", key) for term, key in terms}

    def _replay_everything(self) -> None:
        before = [(call["id"], call["status"]) for call in self.bridge.calls()]
        for told in self.told.values():
            (receipt,) = self._take(told)
            assert receipt.status == "duplicate"
        self._work(Life())
        assert [(call["id"], call["status"]) for call in self.bridge.calls()] == before


@pytest.mark.timeout(3600)
def test_whatever_happens_the_right_people_are_called_once_and_nobody_else(redis_url: str, simulator_url: str, examples: int) -> None:
    machine = type("Lives", (Lives,), {"redis_url": redis_url, "simulator_url": simulator_url})
    chosen = settings(
        max_examples=examples,
        derandomize="CALLBRIDGE_EXAMPLES" not in os.environ,  # the short form is the same for everybody; the long one looks further each time
        stateful_step_count=25,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)
