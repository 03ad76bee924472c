"""What a plan says is what happens, whatever the events, the rules, the marks, the list, the cooldowns and the hour."""

from collections import Counter
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from bridge.filters import parse
from bridge.finding import Finder
from bridge.ingest import Ingest
from bridge.ledger import Audit, DoNotCallList, Plans, Retention, Search, State, Unwanted
from bridge.model import Status, iso
from bridge.planning import Planning
from bridge.replaying import Replaying
from bridge.stepping import Stepping

DAY = 86_400_000
RETENTION = Retention(dedup=30 * DAY, done=30 * DAY, failed=90 * DAY, ignored=10 * DAY)
HOME = ZoneInfo("America/Los_Angeles")
HOURS = {"from": "09:00", "to": "20:00"}
NOTHING = {"name": "nothing", "on": "nothing.at_all", "cancel": {}}
OWN = {"payload": {"id": "id"}}
"""So that the platform's own rule of duplicate numbers has nothing to say."""

RULES = (
    {"name": "welcome", "on": "lead.created", "call": {**OWN, "campaign": "welcome", "cooldown": "12h", "expires": "1h"}},
    {"name": "by day", "on": "lead.updated", "call": {**OWN, "campaign": "welcome", "cooldown": "12h", "hours": HOURS}},
    {"name": "follow up", "on": "deal.created", "call": {**OWN, "campaign": "other"}},
    {"name": "start again", "on": "deal.stage_changed", "cancel": {}, "call": {**OWN, "campaign": "other"}},
    {"name": "stop all", "on": "lead.deleted", "cancel": {}},
    {"name": "stop welcome", "on": "deal.updated", "cancel": {"campaigns": ["welcome"]}},
)
TYPES = [*(each["on"] for each in RULES), "note.added"]
PHONES = ["+16502530000", "+16502530001", "12"]
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(TYPES),
            "phone": st.sampled_from([*PHONES[:2], *PHONES]),
            "record": st.sampled_from(["1", "2"]),
            "age": st.sampled_from([1, 2, 3, 30, 7200]),
        }
    ),
    min_size=1,
    max_size=8,
)
UNWANTED = st.sets(st.sampled_from(PHONES[:2]), max_size=1)
HOUR = st.sampled_from([12, 22])


class Night:
    """A bench at an hour of the callee's day, on which an operator plans."""

    def __init__(self, bridge, redis, hour):
        self.bridge, self.redis = bridge, redis
        now = bridge.clock()
        there = (now.astimezone(HOME) + timedelta(days=1)).replace(hour=hour, minute=0, second=0, microsecond=0)
        bridge.clock.advance(seconds=(there.astimezone(UTC) - now).total_seconds())
        self.world = bridge.with_rules(*RULES)
        ledger, clock = self.world.ledger, bridge.clock
        plans, finder = Plans(redis, RETENTION), Finder(ledger, Search(redis), {})
        ingest = Ingest(sources=self.world.sources, policy=self.world.policy, ledger=ledger, clock=clock)
        self.stepping = Stepping(plans=plans, finder=finder, replaying=Replaying(ingest), clock=clock)
        self.planning = Planning(plans=plans, finder=finder, audit=Audit(redis, RETENTION), digest=self.world.policy.digest, clock=clock)

    def receive(self, events):
        now = self.bridge.clock()
        for number, told in enumerate(sorted(events, key=lambda each: -each["age"])):
            happened = iso((now - timedelta(seconds=told["age"])).replace(microsecond=0))
            entity = {"type": told["type"].partition(".")[0], "id": told["record"]}
            self.bridge.receive({"event_id": f"e{number}", "type": told["type"], "phone": told["phone"], "entity": entity, "occurred_at": happened})

    def plan(self):
        plan = self.planning.plan(parse("source:crm", self.bridge.clock()), "anna")
        while self.planning.one(plan.id).state is State.COUNTING:
            self.stepping.look("w")
        return self.planning.progress(plan.id)

    def carry_out(self, plan_id):
        self.planning.run(plan_id, "night", "fast", "anna")
        while self.stepping.look("w"):
            pass
        self.work()

    def work(self):
        """Until nothing is due any more."""
        for _ in range(12):
            self.bridge.work(self.world)
            self.bridge.clock.advance(milliseconds=300)

    def entries(self, count):
        return [self.bridge.entry(f"e{number}") for number in range(count)]


def told(progress):
    """Effects as the plan counts them; what would wait only to be suppressed is told apart."""
    counted = Counter()
    for tally in progress.tallies:
        counted["wait in vain" if tally.kind.startswith("would wait, and then") else tally.effect] += tally.count
    return counted


@pytest.mark.timeout(300)
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(events=EVENTS, unwanted=UNWANTED, hour=HOUR)
def test_a_plan_says_what_happens(bench, redis, platform, **given):
    events, unwanted, hour = given["events"], given["unwanted"], given["hour"]
    redis.flushdb()
    platform.ask("POST", "reset")
    night = Night(bench(NOTHING), redis, hour)
    night.receive(events)
    DoNotCallList(redis).add([Unwanted(phone=phone, added=night.bridge.clock()) for phone in sorted(unwanted)])

    progress = night.plan()
    said = told(progress)
    night.carry_out(progress.plan.id)
    plan, entries = night.planning.one(progress.plan.id), night.entries(len(events))

    note(f"{given}\n{said}")
    for entry in entries:
        note(f"{entry.key} {entry.event.type} {entry.event.refs} {entry.event.occurred_at}: {entry.status}, {entry.reason}")
    assert plan.total == len(events) == plan.replayed + plan.skipped + plan.failed
    called = [entry for entry in entries if entry.status is Status.DONE and entry.jobs]
    stopping = [entry for entry in entries if entry.status is Status.DONE and not entry.jobs]
    waiting = {entry.key for entry in entries if entry.status is Status.WAITING}
    assert len(called) == said["call"] == len(platform.calls)
    assert len(stopping) == said["cancel"]
    assert said["wait"] <= len(waiting) <= said["wait"] + said["wait in vain"]

    if waiting:
        night.bridge.clock.advance(hours=11, minutes=6)
        night.work()
    entries = night.entries(len(events))
    assert sum(entry.status is Status.DONE for entry in entries if entry.key in waiting) == said["wait"]
    assert len(platform.calls) == said["call"] + said["wait"]
    suppressed = sum(entry.status is Status.SUPPRESSED for entry in entries)
    idle = ("suppressed", "wait in vain", "ignored", "failed", "impossible")
    assert suppressed + plan.skipped + plan.failed == sum(said[effect] for effect in idle)
