"""Holds the platform's own record against the stories. Nothing of the bridge is believed but that it finished."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import requests

from bridge.errors import LedgerUnavailable
from bridge.ledger import Ledger
from bridge.model import Entry, Status
from chaos.stage import Stage
from chaos.stories import STOPS, Fact
from chaos.stream import Known

ALIVE = frozenset({"planned", "onRetry", "inProcess"})
_WELL = frozenset({Status.DONE, Status.SUPPRESSED, Status.IGNORED})


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise that was not kept, and the event that shows it."""

    key: str
    why: str


@dataclass
class Evidence:
    """Everything that is known when all has come to rest."""

    events: Mapping[str, Known]
    entries: Mapping[str, Entry | None]
    calls: Sequence[Mapping[str, Any]]
    unfinished: Sequence[str]
    asked: Sequence[Mapping[str, Any]]
    by_key: Mapping[str, list[Mapping[str, Any]]] = field(init=False)
    people: Mapping[int, list[str]] = field(init=False)

    def __post_init__(self) -> None:
        self.by_key, self.people = defaultdict(list), defaultdict(list)
        for call in self.calls:
            self.by_key[call["idempotence_key"]].append(call)
        for key, known in self.events.items():
            self.people[known.fact.person].append(key)

    def jobs(self, key: str) -> list[Mapping[str, Any]]:
        return self.by_key.get(key, [])

    def logical_calls(self) -> Mapping[tuple[int, str], list[str]]:
        """The keys of the events that ask for one call: copies of a fact ask for the same one."""
        asked: dict[tuple[int, str], list[str]] = defaultdict(list)
        for key, known in self.events.items():
            if known.fact.campaign:
                asked[known.fact.call].append(key)
        return asked

    def rings(self) -> Counter[int]:
        """How many logical calls had how many call jobs."""
        return Counter(sum(len(self.jobs(key)) for key in keys) for keys in self.logical_calls().values())

    def lost(self) -> list[str]:
        return [key for key, known in self.events.items() if known.acknowledged and self.entries[key] is None]


def drain(ledger: Ledger, seconds: float, tell: Callable[[str], None]) -> bool:
    """Wait until nothing is unfinished; False when the time is up before."""
    until, told = time.monotonic() + seconds, 0.0
    while True:
        with suppress(LedgerUnavailable):
            left = len(ledger.unfinished())
            if not left:
                return True
            if time.monotonic() > told + 5:
                tell(f"{left} events are still open")
                told = time.monotonic()
        if time.monotonic() > until:
            return False
        time.sleep(0.2)


def gather(stage: Stage, ledger: Ledger, events: Mapping[str, Known]) -> Evidence:
    calls = requests.get(f"{stage.platform}/simulator/calls", timeout=30).json()["calls"]
    return Evidence(events, {key: ledger.entry(key) for key in events}, calls, list(ledger.unfinished()), _asked(stage))


def judged(evidence: Evidence) -> list[Broken]:
    """Every promise, for every event."""
    broken = [Broken(key, "is still unfinished") for key in evidence.unfinished]
    for key, known in evidence.events.items():
        broken += [Broken(key, why) for why in _of_the_event(evidence, key, known)]
    for keys in evidence.logical_calls().values():
        broken += [Broken(keys[0], why) for why in _of_the_call(evidence, keys)]
    return broken + list(_of_the_platform(evidence))


def _of_the_event(evidence: Evidence, key: str, known: Known) -> Iterator[str]:
    entry = evidence.entries[key]
    if known.acknowledged and entry is None:
        yield "was answered 2xx and is not in the ledger"
    if entry and entry.status not in _WELL:
        yield f"ended as {entry.status}: {entry.reason}"
    if entry and known.fact.what in STOPS and known.fact.campaign is None and entry.status is not Status.DONE:
        yield f"is a cancel and was not carried out: {entry.status}, {entry.reason}"
    if known.fact.campaign is None and evidence.jobs(key):
        yield "made a call, and no rule says so"


def _of_the_call(evidence: Evidence, keys: Sequence[str]) -> Iterator[str]:
    """One logical call, asked for by one event or by copies of it."""
    fact, jobs = evidence.events[keys[0]].fact, [job for key in keys for job in evidence.jobs(key)]
    alive = [job for job in jobs if job["status"] in ALIVE]
    acknowledged = any(evidence.events[key].acknowledged for key in keys)
    certainly, perhaps = _stops(evidence, fact)
    if len(jobs) > 1:
        yield f"has {len(jobs)} call jobs"
    if certainly and alive:
        yield f"call job {alive[0]['id']} outlives {certainly[0]}"
    if acknowledged and not certainly and not perhaps and len(alive) != 1:
        entries = [evidence.entries[key] for key in keys]
        told = "; ".join(f"{entry.status}: {entry.reason}" for entry in entries if entry)
        yield f"was to be called and has {len(jobs)} call jobs, {len(alive)} of them alive ({told})"
    if any(job["phone"] != fact.phone.removeprefix("+") or job["campaign"] != fact.campaign for job in jobs):
        yield "somebody else was called, or for another campaign"


def _stops(evidence: Evidence, fact: Fact) -> tuple[list[str], list[str]]:
    """The newer stops of this person: those that were acknowledged, and those that may have been taken all the same."""
    stops = [key for key in evidence.people[fact.person] if evidence.events[key].fact.stops(fact)]
    certainly = [key for key in stops if evidence.events[key].acknowledged]
    return certainly, [key for key in stops if key not in certainly]


def _of_the_platform(evidence: Evidence) -> Iterator[Broken]:
    for key in evidence.by_key:
        if key not in evidence.events:
            yield Broken(str(key), "made a call, and nobody sent such an event")
    bodies: dict[str, set[str]] = defaultdict(set)
    for one in evidence.asked:
        bodies[one["key"] or ""].add(one["body"])
    yield from (Broken(key, f"was sent with {len(sent)} different bodies") for key, sent in bodies.items() if key and len(sent) > 1)


def _asked(stage: Stage) -> list[Mapping[str, Any]]:
    """The platform's last ten thousand requests."""
    asked: list[Mapping[str, Any]] = requests.get(f"{stage.platform}/simulator/requests", timeout=30).json()["requests"]
    return asked


def history(stage: Stage, ledger: Ledger, key: str) -> list[str]:
    """All that is known of one event: the ledger's entry, the platform's requests, the log."""
    entry = ledger.entry(key)
    told = [f"ledger: {entry.status}, {entry.reason}; crashes {entry.crashes}, tries {entry.tries}" if entry else "ledger: nothing"]
    told += [f"  attempt {json.dumps(attempt)}" for attempt in (entry.attempts if entry else ())]
    told += [f"  platform {json.dumps(one)}" for one in _asked(stage) if one["key"] and one["key"].startswith(key)]
    return told + [f"  log {line}" for line in stage.log.read_text(errors="replace").splitlines() if f'"{key}"' in line]
