"""Sending as CRMs send: signed afresh each time, again after a 5xx, a time-out or a refused connection, now and then twice, and in any order."""

import heapq
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

import requests

from bridge.keys import event_key
from bridge.model import Delivery, Event
from bridge.sources.base import Source
from bridge.wiring import clock
from chaos.spelling import CRMS, Crm
from chaos.stories import Fact, Stories, What

_SENDERS = 12
_TWICE = 0.15
_ANEW = 0.5
"""How many deliveries come over a connection of their own."""
_IMPORT_EVERY = 20.0


@dataclass
class Known:
    """One event: what its CRM knows of it. ``acknowledged`` is when it was first answered 2xx."""

    fact: Fact
    acknowledged: float | None = None
    statuses: list[str] = field(default_factory=list)


@dataclass
class _Parcel:
    """One delivery that is sent until it is answered 2xx, or given up."""

    source: str
    keys: Sequence[str]
    facts: Sequence[Fact]
    attempt: int = 0


class Stream:
    """``rate``: people a second. ``events`` is filled as they are told, by idempotence key."""

    def __init__(self, url: str, platform: str, sources: dict[str, Source], seed: int, rate: float) -> None:
        self._url, self._platform, self._sources = url, platform, sources
        self._stories, self._random = Stories(seed), random.Random(seed + 1)
        self._luck = random.Random(seed + 4)  # of the senders, whose order is nobody's
        self._pause = 1 / rate
        self._lock = threading.Condition()
        self._waiting: list[tuple[float, int, _Parcel]] = []
        self._numbers, self._flying = count(), 0
        self._ended = threading.Event()
        self.events: dict[str, Known] = {}
        self.answers: Counter[str] = Counter()
        self.accepted_at: list[float] = []
        self.wrong: list[str] = []
        self._threads = [threading.Thread(target=self._send_all, daemon=True) for _ in range(_SENDERS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def tell(self, until: float) -> None:
        """New people, until that time."""
        next_import = time.monotonic() + _IMPORT_EVERY / 4
        while (now := time.monotonic()) < until and not self._ended.is_set():
            if now >= next_import:
                next_import = now + _IMPORT_EVERY
                self._tell(self._stories.imported(clock()), together=True)
            self._tell(self._stories.one(clock()))
            self._ended.wait(self._random.expovariate(1 / self._pause))

    def left(self) -> int:
        """Deliveries that are still to be sent, or in flight."""
        with self._lock:
            return len(self._waiting) + self._flying

    def end(self) -> None:
        self._ended.set()
        with self._lock:
            self._lock.notify_all()
        for thread in self._threads:
            thread.join(10)

    def _tell(self, facts: Sequence[Fact], *, together: bool = False) -> None:
        """One after the other within a second or two, in any order; some of them twice."""
        for batch in [facts] if together else [[fact] for fact in facts]:
            self._prepare(batch)
            for _ in range(1 + (self._random.random() < _TWICE) * self._random.randint(1, 3)):
                self._put(self._parcel(batch), self._random.choice((0, 0, 0.05, self._random.uniform(0, 2))))

    def _prepare(self, facts: Sequence[Fact]) -> None:
        """What the CRM's own API says of a person is what its webhooks told."""
        for fact in facts:
            if fact.source == "hubspot" and fact.what is What.AGAIN:
                path = f"{self._platform}/simulator/records/hubspot/contacts/{fact.person}"
                requests.post(path, json={"lifecyclestage": "opportunity"}, timeout=10).raise_for_status()

    def _parcel(self, facts: Sequence[Fact]) -> _Parcel:
        source = self._sources[facts[0].source]
        signed = source.sign(CRMS[source.name].spell(facts, 0), self._url, clock())
        headers = {name.lower(): value for name, value in signed.headers.items()}
        delivery = Delivery(source=source.name, body=signed.body, url=self._url, received_at=clock(), headers=headers)
        ids = [event.id for event in source.parse(delivery) if isinstance(event, Event)]
        keys = [event_key(source.name, event_id) for event_id in ids]
        with self._lock:
            for key, fact in zip(keys, facts, strict=True):
                self.events.setdefault(key, Known(fact))
        return _Parcel(source.name, keys, facts)

    def _put(self, parcel: _Parcel, after: float) -> None:
        with self._lock:
            heapq.heappush(self._waiting, (time.monotonic() + after, next(self._numbers), parcel))
            self._lock.notify()

    def _take(self) -> _Parcel | None:
        with self._lock:
            while not self._ended.is_set():
                pause = self._waiting[0][0] - time.monotonic() if self._waiting else 1.0
                if self._waiting and pause <= 0:
                    self._flying += 1
                    return heapq.heappop(self._waiting)[2]
                self._lock.wait(min(pause, 1.0))
        return None

    def _send_all(self) -> None:
        with requests.Session() as session:
            while parcel := self._take():
                try:
                    self._send(parcel, session)
                finally:
                    with self._lock:
                        self._flying -= 1

    def _send(self, parcel: _Parcel, session: requests.Session) -> None:
        crm, source = CRMS[parcel.source], self._sources[parcel.source]
        signed = source.sign(crm.spell(parcel.facts, parcel.attempt), f"{self._url}/webhooks/{source.name}", clock())
        anew = self._luck.random() < _ANEW
        post = requests.post if anew else session.post
        word = _posted(lambda: post(signed.url, data=signed.body, headers=signed.headers, timeout=crm.timeout), self._accepted(parcel, anew=anew))
        with self._lock:
            self.answers[word] += 1
        if word.startswith("2"):
            return
        if word.startswith("4"):
            self.wrong.append(f"{parcel.source} was answered {word}: {parcel.keys[0]}")
        self._again(parcel, crm)

    def _again(self, parcel: _Parcel, crm: Crm) -> None:
        if parcel.attempt < len(crm.pauses):
            pause, parcel.attempt = crm.pauses[parcel.attempt], parcel.attempt + 1
            self._put(parcel, pause)
        else:
            self.answers["given up"] += 1

    def _accepted(self, parcel: _Parcel, *, anew: bool) -> Callable[[bytes], None]:
        def note(body: bytes) -> None:
            now, told = time.monotonic(), json.loads(body)["events"]
            with self._lock:
                if anew:  # over a connection that stands, a server whose end has begun still takes some
                    self.accepted_at.append(now)
                for key, receipt in zip(parcel.keys, told, strict=True):
                    known = self.events[key]
                    known.acknowledged = known.acknowledged or now
                    known.statuses.append(receipt["status"])

        return note


def _posted(post: Callable[[], requests.Response], accepted: Callable[[bytes], None]) -> str:
    """The answer as one word: its status, or what came instead."""
    try:
        answer = post()
    except requests.Timeout:
        return "timeout"
    except requests.RequestException:
        return "no connection"
    if answer.ok:
        accepted(answer.content)
    return str(answer.status_code)
