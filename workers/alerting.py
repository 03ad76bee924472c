"""Tells the receivers of alerts: looks how things are, decides what is news to whom, and posts it.

Any number of supervisors may; one of them does, and another goes on when it is gone. A receiver that does not answer is tried again, later
each time, and holds up nothing but its own messages.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.alerts import Known, holding, judge
from bridge.announcing import Message, heartbeat, message, request
from bridge.config.schema import AlertSettings, Concern
from bridge.keys import digest
from bridge.ledger import AlertBook
from bridge.ledger.alerts import Line as Waiting
from bridge.measuring import Measures, Measuring
from bridge.model import HttpRequest, HttpResponse
from workers.answers import TransportFailure

EVERY = 15.0
"""Seconds between looks."""

AT_ONCE = 20
"""Messages one receiver is sent at one look."""

TOO_OLD = timedelta(hours=24)
"""What nobody took for so long is no news any more."""

LEASE = timedelta(seconds=60)
"""More than one message can take; it is held again before each."""

_AGAIN = tuple(timedelta(seconds=seconds) for seconds in (15, 30, 60, 300, 900))

_FAILURES = {
    TransportFailure.UNREACHABLE: "it could not be reached",
    TransportFailure.UNSENDABLE: "its address cannot be used",
    TransportFailure.NO_ANSWER: "it took the message and did not answer in time",
    TransportFailure.BROKEN: "the connection broke before its answer was there",
    TransportFailure.OVERSIZED: "its answer is far too long",
}

Post = Callable[[HttpRequest], HttpResponse | TransportFailure]

_log = logging.getLogger("callbridge.alerts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """``worker`` names this supervisor; ``post`` sends one request, once. Raises ``LedgerUnavailable`` when Redis goes away."""

    receivers: Sequence[AlertSettings]
    public_url: str | None
    measuring: Measuring
    book: AlertBook
    post: Post
    clock: Callable[[], datetime]
    worker: str

    def look(self) -> bool:
        """Decide and tell; False, because there is nothing to do before the next look is due."""
        if self.receivers and self.book.hold(self.worker, LEASE):
            measures = self.measuring.read(self.clock())
            for receiver in self.receivers:
                self._decide(receiver, measures)
            for receiver in self.receivers:
                self._tell(receiver)
        return False

    def _decide(self, receiver: AlertSettings, measures: Measures) -> None:
        name, now = _name(receiver), measures.at
        known = {key: Known.read(written) for key, written in self.book.known(name).items()}
        news, then = judge(holding(measures), known, receiver, now)
        if news or then != known:
            messages = [message(each, self.public_url, now).written() for each in news]
            self.book.decide(name, {key: each.written() for key, each in then.items()}, messages)

    def _tell(self, receiver: AlertSettings) -> None:
        name = _name(receiver)
        for _ in range(AT_ONCE):
            line, now = self.book.line(name), self.clock()
            if line.again and now < line.again:
                return
            written = line.message
            sent = Message.read(written) if written else self._heartbeat(receiver, line.beat, now)
            if sent is None or not self.book.hold(self.worker, LEASE):
                return
            if now - sent.at < TOO_OLD and not self._is_taken(receiver, sent, line):
                return
            if written:
                self.book.taken(name, written)
            else:
                self.book.beaten(name, now)

    def _heartbeat(self, receiver: AlertSettings, last: datetime | None, now: datetime) -> Message | None:
        due = Concern.HEARTBEAT in receiver.on and (last is None or now - last >= receiver.heartbeat)
        return heartbeat(self.public_url, now) if due else None

    def _is_taken(self, receiver: AlertSettings, sent: Message, line: Waiting) -> bool:
        """A receiver that does not take alerts is said once, and once that it does again."""
        told = {"receiver": receiver.host, "id": sent.id, "type": sent.type}
        why = failure(self.post(request(sent, receiver, self.clock())))
        if why:
            if not line.failures:
                _log.warning("a receiver does not take alerts; it is tried again until it does", extra={**told, "why": why})
            self.book.failed(_name(receiver), self.clock() + _AGAIN[min(line.failures, len(_AGAIN) - 1)])
        elif line.failures:
            _log.warning("the receiver takes alerts again", extra={**told, "after_tries": line.failures})
        else:
            _log.info("alert", extra=told)
        return not why


def failure(answer: HttpResponse | TransportFailure) -> str:
    """Why it was not taken, in words; empty when it was. What else the receiver says is nobody's business."""
    if isinstance(answer, TransportFailure):
        return _FAILURES.get(answer, answer.value)
    return "" if 200 <= answer.status < 300 else f"it answered {answer.status}"


def _name(receiver: AlertSettings) -> str:
    """Its address may be a secret, so it is known by a digest."""
    return digest(receiver.url.get_secret_value())
