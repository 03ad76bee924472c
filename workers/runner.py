"""Worker processes: how one is built, how RQ drives it, and who looks after it.

``supervise`` keeps N worker processes and the dispatcher alive. RQ's worker gives up when Redis goes away, or is full, while it is
busy; here its process stays and makes another, as often as it takes and without a word: the dispatcher says once that Redis is away.
"""

import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType
from uuid import uuid4

from redis import Redis
from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.exceptions import StopRequested
from rq.serializers import JSONSerializer

from bridge import log, wiring
from bridge.config import Config, load
from bridge.errors import LedgerUnavailable
from bridge.ledger import AlertBook, Asks, TokenStore, Totals, connect
from bridge.queue import wake_ups
from bridge.spool import Spool
from bridge.stepping import Stepping
from workers.alerting import EVERY, Alerting
from workers.asking import Asking
from workers.batch import Batch, hands
from workers.calls_api import CallsApi
from workers.chores import Chore
from workers.crm_api import CrmApi
from workers.dispatcher import Dispatcher
from workers.hands import Hands
from workers.line import Line
from workers.pulse import Pulse
from workers.subscriptions import Subscriptions
from workers.world import World

CONCURRENCY = 100
"""Requests one worker process has in flight at most, unless told otherwise; to one campaign or CRM half of them. A slot costs a thread, and
that only once it is used."""

_LEASE_BEYOND_TIMEOUT = timedelta(seconds=10)
_RQ_TTL = 20
"""Seconds. RQ waits for a wake-up for 15 less, and for any answer for 5 less: how long a connection that says nothing is believed."""
_AGAIN = 1.0
_SWEPT_AT_ONCE = 200
_RESTART = (0.2, 1.0, 3.0, 10.0)
_RECEIVERS_ANSWER_WITHIN = timedelta(seconds=10)
_GRACE = 60.0
"""Seconds open attempts are given to end when the worker is told to stop; more than any HTTP timeout."""

_log = logging.getLogger("callbridge.worker")


@dataclass(slots=True)
class Process:
    """One worker process: its world, its threads, and whether it was told to stop."""

    world: World
    stopping: threading.Event = field(default_factory=threading.Event)
    hands: Hands = field(init=False)
    left: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.hands = hands(self.world.concurrency)

    def deliver_due(self) -> int:
        batch = Batch(self.world, self.stopping.is_set, self.hands)
        try:
            self.give_back()
            return batch.run()
        except LedgerUnavailable as away:
            self.left |= batch.hand
            _log.warning("Redis went away in the middle of deliveries; they are given back when it is there", extra={"error": str(away)})
            return 0

    def give_back(self) -> None:
        """What was in hand when Redis went away; else it would count as a crash of this process, and three of those fail an event."""
        if self.left:
            self.world.ledger.release(self.world.worker, self.left, self.world.clock())
            self.left.clear()

    def end(self, patience: float) -> None:
        """Let open attempts end, and give back what is left if Redis comes back in time; else the leases bring it back."""
        self.hands.close()
        until = time.monotonic() + patience
        while self.left and time.monotonic() < until:
            try:
                self.give_back()
            except LedgerUnavailable:
                time.sleep(0.2)


_current: list[Process] = []


def current() -> Process:
    """This process's worker, for the task that RQ calls."""
    return _current[0]


def build_world(config: Config, concurrency: int = CONCURRENCY) -> World:
    """A worker's collaborators, made after the fork: connections are not shared between processes."""
    services = wiring.build(config)
    timeout = config.calls_api.timeout
    return World(
        ledger=services.ledger,
        policy=services.policy,
        sources=services.sources,
        calls_api=CallsApi(config.calls_api.base_url, timeout, wiring.tokens(config), concurrency),
        crm_api=CrmApi(timeout, concurrency, TokenStore(services.redis), wiring.clock),
        rates=wiring.rates(config),
        crm_params=config.calls_api.crm_params.value,
        clock=wiring.clock,
        worker=f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:6]}",
        lease=timeout + _LEASE_BEYOND_TIMEOUT,
        concurrency=concurrency,
    )


class BridgeWorker(SimpleWorker):
    """RQ's in-process worker; told to stop, it also stops claiming events."""

    max_connection_wait_time = 2.0  # RQ's own minute would be waited for after every long outage

    def subscribe(self) -> None:
        """Not to RQ's remote commands: nobody gives them, and their thread would be left over whenever Redis goes away."""

    def _install_signal_handlers(self) -> None:
        super()._install_signal_handlers()  # type: ignore[no-untyped-call]  # RQ leaves it so
        if current().stopping.is_set():
            raise StopRequested  # told so before there was anybody of RQ's to be told

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        current().stopping.set()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]  # RQ leaves it so


def work(path: Path, concurrency: int, parent: int) -> None:
    """The life of one worker process: listens for wake-ups until it is told to stop."""
    log.configure()
    logging.getLogger("rq.worker").addFilter(_silent_about_redis)
    config = load(path, os.environ)
    process = Process(build_world(config, concurrency))
    _current[:] = [process]
    _until_told(process.stopping)
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    try:
        while not process.stopping.is_set():
            _listen(config)
            _until_told(process.stopping)
            process.stopping.wait(_AGAIN)
    except StopRequested:
        pass  # told so in the moment between two of RQ's workers
    finally:
        process.end(_GRACE / 2)


def _listen(config: Config) -> None:
    """For as long as RQ's worker does: until it is told to stop, or Redis goes away."""
    connection = connect(wiring.redis_url(config), timeout=_RQ_TTL - 5, text=False)
    try:
        worker = BridgeWorker([wake_ups(connection)], connection=connection, serializer=JSONSerializer, worker_ttl=_RQ_TTL, log_job_description=False)
        worker.work(logging_level="WARNING")
    except RedisError as away:
        _log.debug("Redis is away", extra={"error": type(away).__name__})
    finally:
        connection.close()


def _silent_about_redis(record: logging.LogRecord) -> bool:
    """RQ says of every try that Redis is away, in each process; the dispatcher says it once for all."""
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, RedisError) or "Redis" in str(record.msg) or "redis.exceptions." in record.getMessage())


def _until_told(stopping: threading.Event) -> None:
    """SIGTERM and SIGINT set the event; RQ's handlers, which replace these while it listens, ask Redis first."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())


def supervise(path: Path, processes: int, concurrency: int = CONCURRENCY) -> None:
    """Keep worker processes and the dispatcher going until SIGTERM or SIGINT; open attempts are finished first."""
    stopping = threading.Event()
    _until_told(stopping)
    config = load(path, os.environ)
    url = wiring.redis_url(config)
    world = build_world(config, concurrency)
    dispatcher = Dispatcher(
        world, connect(url, timeout=5.0), wake_ups(connect(url, text=False)), processes, Pulse(world.ledger, config.data_dir / "pulse")
    )
    ringing = threading.Thread(target=dispatcher.run, args=(stopping,), name="dispatcher", daemon=True)
    ringing.start()
    subscriptions = Subscriptions(world.sources.values(), TokenStore(world.ledger.redis), world.crm_api.renew, world.clock)
    threading.Thread(target=subscriptions.run, args=(stopping,), name="subscriptions", daemon=True).start()
    for chore in (*chores(world, connect(url, timeout=5.0), wiring.build(config).stepping), *alerting(config, world)):
        chore.start(stopping)
    places = [_Place(path, concurrency) for _ in range(processes)]
    parent = int(os.environ.get("CALLBRIDGE_PARENT") or 0)
    while not stopping.is_set():
        for place in places:
            place.keep()
        stopping.wait(0.2)
        if parent and os.getppid() != parent:
            stopping.set()  # `callbridge run` is gone; half a bridge would only confuse
    _end(places)
    ringing.join(timeout=5)


def chores(world: World, patient: Redis, stepping: Stepping) -> list[Chore]:
    """What goes on beside the deliveries. ``patient``: a connection that may be waited on for seconds."""
    asking = Asking(Asks(patient), world.calls_api, world.clock)
    totals = Totals(world.ledger.redis)

    def note() -> bool:
        totals.note(world.clock())
        return False

    return [
        Chore("asking", asking.look, every=0.0),
        Chore("totals", note, every=5.0),
        Chore("plans", lambda: stepping.look(world.worker), every=0.2),
        Chore("sweeping", lambda: world.ledger.sweep(_SWEPT_AT_ONCE, world.clock()) == _SWEPT_AT_ONCE, every=10.0),
    ]


def alerting(config: Config, world: World) -> list[Chore]:
    """Who tells the receivers of alerts, where there are any."""
    redis = world.ledger.redis
    teller = Alerting(
        receivers=config.alerts,
        public_url=config.server.public_url,
        measuring=wiring.measuring(config, redis, Spool(config.data_dir / "spool")),
        book=AlertBook(redis),
        post=Line(_RECEIVERS_ANSWER_WITHIN, pool_size=1).send,
        clock=world.clock,
        worker=world.worker,
    )
    return [Chore("alerting", teller.look, every=EVERY)] if config.alerts else []


@dataclass(slots=True)
class _Place:
    """One place for a worker process; filled again when it falls empty, more slowly when it keeps falling."""

    path: Path
    concurrency: int
    process: SpawnProcess | None = None
    started: float = 0.0
    falls: int = 0

    def keep(self) -> None:
        if self.process and self.process.is_alive():
            return
        now = time.monotonic()
        if self.process:
            self.falls = 0 if now - self.started > 60 else self.falls
            if now - self.started < _RESTART[min(self.falls, len(_RESTART) - 1)]:
                return
            self.falls += 1
            _log.warning("a worker process ended and is started again", extra={"exit": self.process.exitcode})
        context = multiprocessing.get_context("spawn")
        self.process = context.Process(target=work, args=(self.path, self.concurrency, os.getpid()), name="callbridge-worker")
        self.process.start()
        self.started = now


def _end(places: list[_Place]) -> None:
    """SIGTERM to each; SIGKILL to what has not ended within the grace: its leases tell the next worker."""
    alive = [place.process for place in places if place.process and place.process.is_alive()]
    for process in alive:
        process.terminate()
    until = time.monotonic() + _GRACE
    for process in alive:
        process.join(max(0.0, until - time.monotonic()))
        if process.is_alive():
            process.kill()


def _follow(parent: int) -> None:
    """A worker whose supervisor is gone ends by itself, as gently as if it had been told to."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)
