"""What goes wrong with processes, Redis and the network: each fault is a context, and all is well again when it ends."""

import os
import random
import signal
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from chaos.proxy import Way
from chaos.stage import Stage
from chaos.watch import Watch

_STARTING = 5.0
_HELD_SHARE = 0.25
_ROOM = 3
"""So many times its own length must be left of a run for a fault that comes once."""


@dataclass
class Struck:
    """A fault as it happened; times are monotonic. ``struck`` is what was hit."""

    name: str
    began: float
    struck: str
    healed: float = 0.0


@dataclass(frozen=True, slots=True)
class Fault:
    """``strikes`` hits, and heals when it is resumed. ``seconds``: how long it lasts, at least and at most.

    ``once``: so long that a run has it once, and only where there is much of it left.
    """

    strikes: Callable[["Scene"], Generator[str, None, None]]
    seconds: tuple[float, float] = (0, 0)
    once: bool = False


@dataclass
class Scene:
    """What a fault may touch."""

    stage: Stage
    watch: Watch
    chance: random.Random

    def some(self, role: str, *, every: bool = False) -> list[int]:
        """One process of this role, or all of them; one that is just being started is waited for."""
        until = time.monotonic() + _STARTING
        while not (found := self.stage.pids(role)) and time.monotonic() < until:
            time.sleep(0.1)
        return found if every or not found else [self.chance.choice(found)]


def _kill(role: str, *, every: bool = False) -> Fault:
    def strikes(scene: Scene) -> Generator[str, None, None]:
        victims = scene.some(role, every=every)
        for pid in victims:
            _signal(pid, signal.SIGKILL)
        yield f"kill -9 {victims}" + (f", {scene.watch.bereaved(victims)} events in hand" if role == "worker" else "")

    return Fault(strikes)


def _kill_bridge(scene: Scene) -> Generator[str, None, None]:
    """The supervisor is killed and started again as an init system would; what it started must end by itself."""
    pid = scene.stage.bridge.pid
    scene.stage.bridge.kill()
    scene.stage.bridge.wait()
    scene.stage.start_bridge()
    yield f"kill -9 [{pid}], started again"


def _kill_redis(scene: Scene) -> Generator[str, None, None]:
    with scene.watch.outage():
        scene.stage.redis.kill()
        scene.stage.redis.wait()
        yield "kill -9, started again on its data"
        scene.stage.start_redis()


def _freeze(role: str, seconds: tuple[float, float]) -> Fault:
    def strikes(scene: Scene) -> Generator[str, None, None]:
        victims = scene.some(role)
        for pid in victims:
            _signal(pid, signal.SIGSTOP)
        try:
            if role == "redis":
                with scene.watch.outage():
                    yield "SIGSTOP"
            else:
                yield f"SIGSTOP {victims}"
        finally:
            for pid in victims:
                _signal(pid, signal.SIGCONT)

    return Fault(strikes, seconds)


def _configured(name: str, bad: str, good: str, seconds: tuple[float, float]) -> Fault:
    def strikes(scene: Scene) -> Generator[str, None, None]:
        with scene.watch.outage(), scene.stage.ask_redis() as redis:
            redis.config_set(name, bad)
            try:
                yield f"CONFIG SET {name} {bad}"
            finally:
                redis.config_set(name, good)

    return Fault(strikes, seconds)


def _line(way: Way, delay: tuple[float, float], seconds: tuple[float, float], *, once: bool = False) -> Fault:
    def strikes(scene: Scene) -> Generator[str, None, None]:
        held = scene.chance.uniform(*delay)
        with scene.watch.outage(), scene.stage.proxy.being(way, held):
            yield f"{way}, {held:.2f} s late" if held else str(way)

    return Fault(strikes, seconds, once)


def _network(way: Way, seconds: tuple[float, float]) -> Fault:
    """Between workers and platform, where the CRM's API is too."""

    def strikes(scene: Scene) -> Generator[str, None, None]:
        with scene.stage.line.being(way):
            yield str(way)

    return Fault(strikes, seconds)


def _hold_back(scene: Scene) -> Generator[str, None, None]:
    """Some requests arrive when their worker has given them up and their lease has run out, and nobody is there for the answer.

    To the platform a worker that is frozen between the last look at its lease and the sending looks the same.
    """
    held = scene.stage.lease + scene.chance.uniform(1, 6)
    with scene.stage.line.being(delay=held, share=_HELD_SHARE):
        yield f"one in {1 / _HELD_SHARE:.0f}, for {held:.1f} s"


FAULTS: Mapping[str, Fault] = {
    "web worker killed": _kill("web worker"),
    "web server killed": _kill("web server"),
    "worker killed": _kill("worker"),
    "all workers killed": _kill("worker", every=True),
    "dispatcher killed": _kill("dispatcher"),
    "bridge killed": Fault(_kill_bridge),
    "Redis killed": Fault(_kill_redis, (0.5, 8)),
    "web worker frozen": _freeze("web worker", (2, 10)),
    "worker frozen": _freeze("worker", (2, 8)),
    "worker frozen past its lease": _freeze("worker", (22, 26)),
    "dispatcher frozen": _freeze("dispatcher", (3, 12)),
    "Redis frozen": _freeze("redis", (1, 8)),
    "Redis full": _configured("maxmemory", "1mb", "0", (2, 8)),
    "Redis read-only": _configured("min-replicas-to-write", "1", "0", (2, 8)),
    "Redis slow": _line(Way.OPEN, (0.05, 0.3), (4, 10)),
    "Redis too slow": _line(Way.OPEN, (2.2, 4), (5, 10)),
    "Redis cut off": _line(Way.CUT, (0, 0), (1, 15)),
    "Redis half-open, late": _line(Way.LATE, (0, 0), (3, 12)),
    "Redis half-open, lost": _line(Way.LOST, (0, 0), (3, 12)),
    "Redis half-open, dead": _line(Way.DEAD, (0, 0), (3, 12)),
    "Redis away for more than a minute": _line(Way.CUT, (0, 0), (62, 75), once=True),
    "network cut off": _network(Way.CUT, (1, 8)),
    "network half-open, late": _network(Way.LATE, (3, 12)),
    "network half-open, lost": _network(Way.LOST, (3, 12)),
    "requests held back": Fault(_hold_back, (8, 14)),
}
_OFTEN = ("worker killed", "worker killed", "web worker killed", "all workers killed")


@dataclass
class Faults:
    """Deals them out of a shuffled deck, so that each comes before any comes again. The same seed gives the same order."""

    scene: Scene
    tell: Callable[[str], None]
    longest: float
    only: Sequence[str] = ()
    lasting: float | None = None
    past: list[Struck] = field(default_factory=list)

    def run(self, until: float) -> None:
        chance, deck = self.scene.chance, self._deck()
        while (left := until - time.monotonic()) > 1:
            name = next(deck, None)
            if name is None:
                deck = self._deck()
                continue
            least, most = self._lasts(name)
            if least > self._most(name, left):
                time.sleep(0.1)
                continue
            self._strike(name, min(chance.uniform(least, most), left))
            time.sleep(max(0.0, min(chance.uniform(0.3, 3.5), until - time.monotonic())))
            self.scene.stage.keep_up()

    def _lasts(self, name: str) -> tuple[float, float]:
        least, most = FAULTS[name].seconds
        if self.lasting and most:
            return self.lasting, self.lasting
        return (least, most) if FAULTS[name].once else (least, min(most, max(least, self.longest)))

    def _most(self, name: str, left: float) -> float:
        """How long it may last now."""
        if not FAULTS[name].once:
            return min(left, self.longest)
        if self.only:
            return left
        return 0.0 if name in {struck.name for struck in self.past} else left / _ROOM

    def _deck(self) -> Iterator[str]:
        names = list(self.only) or [*FAULTS, *_OFTEN]
        return iter(self.scene.chance.sample(names, len(names)))

    def _strike(self, name: str, seconds: float) -> None:
        with self._happening(name) as struck:
            self.tell(f"{name}{f' for {seconds:.1f} s' if seconds else ''}: {struck.struck}")
            time.sleep(seconds)

    @contextmanager
    def _happening(self, name: str) -> Iterator[Struck]:
        with contextmanager(FAULTS[name].strikes)(self.scene) as what:
            struck = Struck(name, time.monotonic(), what)
            self.past.append(struck)
            yield struck
        struck.healed = time.monotonic()


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
