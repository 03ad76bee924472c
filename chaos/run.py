"""One run, from the first process to the verdict."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from chaos import judge, report
from chaos.faults import Faults, Scene
from chaos.judge import Broken
from chaos.platform import Platform
from chaos.report import Report
from chaos.stage import Stage, staged
from chaos.stream import Stream
from chaos.watch import Watch

_STILL_SENDING = 90.0
_STILL_HELD = 60.0
_PEOPLE_TOLD = 3
_OUTAGE = ("Redis is away", "Redis went away", "Redis is back", "ended and is started again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for. ``drain``: the most seconds it may take to come to rest; ``longest``: the most that one fault lasts.

    ``only``: the faults there are, all where it is empty; ``lasting``: how long they last.
    """

    seed: int
    seconds: float
    rate: float
    drain: float
    timeout: str
    longest: float
    only: Sequence[str]
    lasting: float | None
    keep: bool


@dataclass
class Outcome:
    """The report, and the history of every event of the first people to whom a promise was broken."""

    report: Report
    histories: dict[str, list[str]] = field(default_factory=dict)


def run(wanted: Wanted, tell: Callable[[str], None]) -> Outcome:
    """Start everything, let it go wrong, heal it, wait for rest, judge, end everything."""
    with staged(wanted.timeout, keep=wanted.keep) as stage:
        tell(f"up in {stage.folder}, seed {wanted.seed}")
        return _Run(wanted, stage, tell).outcome()


class _Run:
    def __init__(self, wanted: Wanted, stage: Stage, tell: Callable[[str], None]) -> None:
        self._wanted, self._stage = wanted, stage
        self._began = time.monotonic()
        self._print = tell
        self._services = stage.services()
        self._watch = Watch(stage.ask_redis())
        self._stream = Stream(stage.url, stage.platform, dict(self._services.sources), wanted.seed, wanted.rate)
        scene = Scene(stage, self._watch, random.Random(wanted.seed + 2))
        self._faults = Faults(scene, self._tell, wanted.longest, wanted.only, wanted.lasting)
        self._platform = Platform(stage.platform, wanted.seed + 3)

    def _tell(self, line: str) -> None:
        self._print(f"{time.monotonic() - self._began:6.1f} s  {line}")

    def outcome(self) -> Outcome:
        until = self._began + self._wanted.seconds
        stopping = threading.Event()
        with self._beside(self._watch.run, stopping):
            with self._beside(self._platform.run, threading.Event()), self._telling(until):
                self._faults.run(until)
            healed = time.monotonic()
            self._finish_sending()
            self._stage.line.drain(_STILL_HELD)  # what is on its way to the platform may yet make a call
            judge.drain(self._services.ledger, self._wanted.drain, self._tell)
            drained_in = time.monotonic() - healed
        return self._judged(drained_in)

    @contextmanager
    def _telling(self, until: float) -> Iterator[None]:
        self._stream.start()
        thread = threading.Thread(target=self._stream.tell, args=(until,), daemon=True)
        thread.start()
        try:
            yield
            thread.join(10)
        except BaseException:
            self._stream.end()
            raise

    @contextmanager
    def _beside(self, what: Callable[[threading.Event], None], stopping: threading.Event) -> Iterator[None]:
        thread = threading.Thread(target=what, args=(stopping,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join(15)

    def _finish_sending(self) -> None:
        """All is well again; the CRMs go on with what they have still to deliver."""
        until = time.monotonic() + _STILL_SENDING
        self._tell(f"everything is healed; {self._stream.left()} deliveries are still to be sent")
        while self._stream.left() and time.monotonic() < until:
            self._stage.keep_up()
            time.sleep(0.2)
        self._stream.end()

    def _judged(self, drained_in: float) -> Outcome:
        evidence = judge.gather(self._stage, self._services.ledger, self._stream.events)
        broken = judge.judged(evidence)
        made = self._report(evidence, drained_in)
        made.broken = broken + self._of_the_processes(made)
        people = dict.fromkeys(evidence.events[one.key].fact.person for one in made.broken if one.key in evidence.events)
        keys = [key for person in [*people][:_PEOPLE_TOLD] for key in evidence.people[person]]
        histories = {key: judge.history(self._stage, self._services.ledger, key) for key in keys}
        return Outcome(made, histories)

    def _report(self, evidence: judge.Evidence, drained_in: float) -> Report:
        apart = time.monotonic() - datetime.now(UTC).timestamp()
        called = [datetime.fromisoformat(call["created_at"]).timestamp() + apart for call in evidence.calls]
        events = self._stream.events
        return Report(
            seed=self._wanted.seed,
            seconds=self._wanted.seconds,
            events=len(events),
            acknowledged=sum(known.acknowledged is not None for known in events.values()),
            call_jobs=len(evidence.calls),
            requests=sum(call["requests"] for call in evidence.calls),
            deliveries=dict(self._stream.answers),
            faults=dict(Counter(struck.name for struck in self._faults.past)),
            platform=dict(self._platform.struck),
            rings=dict(evidence.rings()),
            lost=len(evidence.lost()),
            drained_in=drained_in,
            moving_again=report.moving_again(self._watch.orphans),
            recovery=report.recovery(self._faults.past, self._began + self._wanted.seconds, sorted(self._stream.accepted_at), sorted(called)),
            outage_lines=self._lines(),
        )

    def _of_the_processes(self, made: Report) -> list[Broken]:
        broken = [Broken("", f"the bridge ended by itself with exit code {code}") for code in self._stage.ended_by_itself]
        broken += [Broken("", why) for why in self._stream.wrong]
        broken += [Broken(orphan.key, "never moved again after its worker was killed") for orphan in self._watch.orphans if orphan.moved is None]
        slow = [each for each in made.moving_again if each > report.RECOVERY]
        return broken + [Broken("", f"an event moved again only {each} s after its worker was killed") for each in slow]

    def _lines(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for line in self._stage.log.read_text(errors="replace").splitlines():
            if line.startswith("{") and any(phrase in line for phrase in _OUTAGE):
                found[json.loads(line)["message"]] += 1
        return dict(found)
