"""The ledger: what was decided and what came of it. Every write is one script, so it happens whole or not at all."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from bridge.errors import LedgerUnavailable
from bridge.ledger import layout
from bridge.ledger.fields import (
    Texts,
    as_accepted,
    as_recorded,
    attempts_counted,
    begin_fields,
    found,
    gate_arguments,
    mark_arguments,
    new_fields,
    qualified,
    read_entry,
    record_fields,
    unpacked,
    written,
)
from bridge.ledger.gathering import Gathering
from bridge.ledger.packing import as_bytes, pack, unpack
from bridge.ledger.records import Accepted, Beginning, Beside, Blocked, Go, Lost, NewEntry, Part, Record, Retention, millis
from bridge.model import Entry, Rate, Status, from_ms, to_ms
from bridge.terms import forgotten_terms

PAUSE = timedelta(milliseconds=250)
"""How soon an event that found its person busy is looked at again."""

FAILURES = 5
"""In a row, at one campaign: then the platform is taken to be down, and calls wait instead of adding to its trouble."""

LEFT_ALONE, LONGEST_ALONE = timedelta(seconds=5), timedelta(minutes=2)
"""How long a campaign is left alone then, twice as long each time it still does not answer."""

_SCRIPTS = {
    **{name: ("common", name) for name in ("accept", "claim", "record", "renew", "release", "pace", "erase", "sweep")},
    "replay": ("common", "turn_of_plan", "replay"),
    **{name: ("common", "gate", name) for name in ("begin", "foresee")},
}

_ACCEPTED_AT_ONCE = 32
"""Deliveries in one script, at most. It holds up everything else in Redis for some 0.1 ms each."""

_TEXTS_FROM, _TEXTS_OF_REPLAY_FROM, _TEXTS_OF_BEGIN_FROM, _TEXTS_OF_RECORD_FROM = 6, 7, 9, 7
"""The places of the first text among what scripts are given."""

_REPLAY_TRIES = 5

MOST_CONNECTIONS = 2000
"""Of one process: more than it has threads. Whoever found none left would take Redis to be away."""

REFUSED_KEPT = 20
REFUSED_FOR = timedelta(days=7)


def connect(url: str, timeout: float = 2.0, *, text: bool = True) -> Redis:
    """A client that never sends a write twice: what timed out may have happened, and the caller must be told.

    ``text`` False leaves answers as bytes, as RQ wants them. What is packed is no text, and comes with surrogates: see :mod:`bridge.ledger.packing`.
    """
    return Redis.from_url(
        url,
        decode_responses=text,
        encoding_errors="surrogateescape",
        retry=Retry(NoBackoff(), 0),
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        health_check_interval=0,
        max_connections=MOST_CONNECTIONS,
    )


class Ledger:
    """The only door to what is remembered. Raises ``LedgerUnavailable`` when Redis did not take it, or did not say."""

    def __init__(self, redis: Redis, retention: Retention, call_memory: timedelta = timedelta(0)) -> None:
        """``call_memory``: how far back a cooldown can reach."""
        self.redis = redis
        self.retention = retention
        self._call_memory = int(call_memory.total_seconds() * 1000)
        self._scripts = {name: redis.register_script(script(*parts)) for name, parts in _SCRIPTS.items()}
        self._accepting = Gathering[Accepted, list[str]](self._accept, _ACCEPTED_AT_ONCE)

    def accept(self, delivery_id: str, delivery: Mapping[str, Any], new: Sequence[NewEntry], now: datetime) -> list[str]:
        """Take in one delivery, all of it or nothing, in one round trip.

        Per event: empty when it is new, else the status of the same event that was there before. Deliveries that come at one moment, on
        several threads, share the round trip.
        """
        return self._accepting.ask(Accepted(delivery_id, pack(written(delivery)), new, now))

    def _accept(self, deliveries: Sequence[Accepted]) -> Sequence[list[str] | Exception]:
        """All with one script. Should it break over one of them, that one must not take the others with it: then each goes alone, and finds
        what the broken try had written already.
        """
        try:
            return self._accept_together(deliveries)
        except LedgerUnavailable as unavailable:
            if len(deliveries) == 1 or not isinstance(unavailable.__cause__, ResponseError):
                raise
            return [self._accept_alone(delivery) for delivery in deliveries]

    def _accept_alone(self, delivery: Accepted) -> list[str] | Exception:
        try:
            return self._accept_together([delivery])[0]
        except LedgerUnavailable as unavailable:
            return unavailable

    def _accept_together(self, deliveries: Sequence[Accepted]) -> list[list[str]]:
        texts = Texts(_TEXTS_FROM)
        told = [
            {
                "id": delivery.id,
                "source": delivery.new[0].event.source,
                "record": texts.put(delivery.record)[0],
                "events": [self._accepted(entry, delivery.now, texts) for entry in delivery.new],
            }
            for delivery in deliveries
        ]
        now = max(delivery.now for delivery in deliveries)
        answers = iter(self._run("accept", now, self.retention.dedup, self.retention.longest, written(told), *texts.all))
        return [[next(answers) for _ in delivery.new] for delivery in deliveries]

    def _accepted(self, new: NewEntry, now: datetime, texts: Texts) -> dict[str, Any]:
        """What most events do not have is left out."""
        told = {name: value for name, value in self._new(new, now).items() if value not in (False, []) or name == "refs"}
        return {**told, "entry": texts.put(*told["entry"])}

    def replay(self, again: NewEntry, now: datetime, part: Part | None = None, *, keep_request: bool = False) -> str:
        """Have a finished event looked at again as ``again`` says; empty, or the status that forbids it.

        ``keep_request``: what it sent before is what it sends again, if it may. As part of a replay of many it is counted there in the same step,
        and only in its turn: ``halted`` when that replay does not run, ``overtaken`` when another process is further with it.
        """
        answer = "changed"
        for _ in range(_REPLAY_TRIES):
            answer = self._replay(again, now, part, keep_request=keep_request)
            if answer != "changed":
                break
        return answer

    def _replay(self, again: NewEntry, now: datetime, part: Part | None, *, keep_request: bool) -> str:
        with available():
            packed, is_open = self.redis.hmget(layout.event(again.key), "packed", "open")
        packed = str(packed or "")
        before = unpacked(packed) if packed else {}
        if not (keep_request or is_open):  # what may have been sent stays bound
            before.pop("request", None)
        texts = Texts(_TEXTS_OF_REPLAY_FROM)
        event = {
            **self._new(again, now),
            "entry": texts.put(*new_fields(again, before)),
            "lane": layout.LANES[0 if again.first else 2],
            "keep": keep_request,
            "part": {"plan": part.plan, "place": part.place} if part else False,
            "of": again.replay or False,
        }
        return str(self._run("replay", now, self.retention.longest, self.retention.dedup, written(event), as_bytes(packed), *texts.all))

    def claim(  # noqa: PLR0913 -- who, how much, and what not
        self, worker: str, room: int, lease: timedelta, now: datetime, *, empty_handed: bool = True, beside: Beside | None = None
    ) -> list[Entry]:
        """Up to ``room`` due events, each leased to ``worker`` together with all its refs; cancels first.

        An event whose worker died twice is given only to one that is ``empty_handed``, and nothing else with it. What is ``beside`` is looked
        at again after its pause, in the order it had.
        """
        aside = (
            {name: {each: millis(pause) for each, pause in of.items()} for name, of in (("places", beside.places), ("rules", beside.rules))}
            if beside
            else {}
        )
        rows = self._run("claim", now, worker, room, millis(lease), millis(PAUSE), int(empty_handed), json.dumps(aside) if aside else "")
        return [read_entry(row[0], dict(zip(row[2::2], row[3::2], strict=True)), Status(row[1])) for row in rows]

    def foresee(self, beginnings: Sequence[Beginning], now: datetime) -> list[Go | Blocked]:
        """What the last gate would say to these calls, but for who is busy and whose turn it is; changes nothing."""
        events = [{"key": item.entry.key, "refs": qualified(item.entry.event), "call": gate_arguments(item.call)} for item in beginnings if item.call]
        answers = [_word(*answer) for answer in self._run("foresee", now, json.dumps(events))]
        return [answer for answer in answers if not isinstance(answer, Lost)]

    def erase(self, own: str, entries: Sequence[Entry], phones: Sequence[str], now: datetime) -> None:
        """Take everything about these people out: bodies, documents, requests, what leads to them. ``own`` is the event that says so.

        What stops redeliveries of their events stays.
        """
        events = [
            {
                "key": entry.key,
                "document": json.dumps(entry.event.forgotten().document()),
                "campaign": entry.campaign,
                "terms": forgotten_terms(entry.event),
            }
            for entry in entries
        ]
        self._run("erase", now, own, self.retention.done, json.dumps(events), json.dumps(list(phones)))
        with available():
            for name in self.redis.scan_iter(layout.refused("*"), count=1000):
                self._erase_refused(name, phones)

    def _erase_refused(self, name: str, phones: Sequence[str]) -> None:
        if self.redis.type(name) != "list":
            return
        for kept in map(str, self.redis.lrange(name, 0, -1)):
            if any(phone.removeprefix("+") in kept for phone in phones):
                self.redis.lrem(name, 0, kept)

    def begin(self, worker: str, lease: timedelta, beginnings: Sequence[Beginning], now: datetime) -> list[Go | Lost | Blocked]:
        """The last gate before requests go out, and the note that they do; see ``begin.lua``."""
        texts = Texts(_TEXTS_OF_BEGIN_FROM)
        events = [
            {
                "key": item.entry.key,
                "refs": qualified(item.entry.event),
                "entry": texts.put(*begin_fields(item)),
                "marks": mark_arguments(item.marks),
                "call": gate_arguments(item.call) if item.call else False,
                "pace": item.call.pace_ms if item.call and item.call.pace_ms else False,
                "probed": item.probed,
                "sure": item.sure,
            }
            for item in beginnings
        ]
        kept = self.retention
        answers = self._run("begin", now, worker, millis(lease), kept.longest, kept.dedup, self._call_memory, written(events), *texts.all)
        return [_word(*answer) for answer in answers]

    def record(self, worker: str, records: Sequence[Record], now: datetime) -> list[bool]:
        """Write what came of attempts; False where the lease was lost meanwhile and another worker's word counts."""
        texts, counts = Texts(_TEXTS_OF_RECORD_FROM), written(attempts_counted(records))
        events = written([self._recorded(item, texts) for item in records])
        return [bool(kept) for kept in self._run("record", now, worker, self.retention.longest, events, counts, *texts.all)]

    def renew(self, worker: str, lease: timedelta, held: Iterable[str], now: datetime) -> set[str]:
        """Keep the leases of what is still being worked on; the keys that are still this worker's."""
        return set(self._run("renew", now, worker, millis(lease), json.dumps(list(held))))

    def release(self, worker: str, held: Iterable[str], now: datetime) -> None:
        """Give back what a worker had in hand when Redis went away; what another has taken over since is not held against it as a crash."""
        self._run("release", now, worker, json.dumps(list(held)))

    def pace(self, name: str, rate: Rate, now: datetime, longest: timedelta = timedelta(seconds=1)) -> float:
        """Seconds until the next turn of a rate limit; the turn is taken only when that is within ``longest``."""
        return float(self._run("pace", now, name, rate.interval * 1000, millis(longest))) / 1000

    def sweep(self, most: int, now: datetime) -> int:
        """Forget finished events whose retention is over, and what leads to them; how many, at ``most`` so many."""
        return int(self._run("sweep", now, most, self.retention.longest))

    def refuse(self, source: str, refusal: str, request: Mapping[str, Any]) -> None:
        """Count a refused request and keep it in a small ring, so that a wrong secret can be seen and mended."""
        with available():
            pipeline = self.redis.pipeline(transaction=True)
            pipeline.hincrby(layout.refused_count(source), refusal, 1)
            pipeline.lpush(layout.refused(source), json.dumps(request))
            pipeline.ltrim(layout.refused(source), 0, REFUSED_KEPT - 1)
            pipeline.pexpire(layout.refused(source), millis(REFUSED_FOR))
            pipeline.execute()

    def beat(self, now: datetime, remembered: datetime | None) -> bool:
        """Leave a sign of life, and say whether the store is older than it was when ``remembered`` was left in it: somebody restored it."""
        with available():
            found = self.redis.getset(layout.PULSE, to_ms(now))
            older = remembered is not None and (found is None or from_ms(float(str(found))) < remembered)
            if older:
                self.redis.set(layout.RESTORED, to_ms(now), px=self.retention.longest)
        return older

    def due_count(self, now: datetime) -> int:
        """How many events somebody should look at now."""
        with available():
            pipeline = self.redis.pipeline(transaction=False)
            for lane in layout.LANES:
                pipeline.zcount(layout.due(lane), "-inf", to_ms(now))
            return sum(pipeline.execute())

    def unfinished_count(self) -> int:
        with available():
            pipeline = self.redis.pipeline(transaction=False)
            for lane in layout.LANES:
                pipeline.zcard(layout.due(lane))
            return sum(pipeline.execute())

    def left_alone_since(self, campaign: str) -> datetime | None:
        """Since when a campaign's platform does not answer; None while it does."""
        with available():
            since = self.redis.hget(layout.breaker(campaign), "open")
        return from_ms(float(str(since))) if since else None

    def left_alone(self, campaigns: Sequence[str]) -> dict[str, datetime]:
        """Those of the campaigns for which the platform does not answer, and since when."""
        with available():
            pipeline = self.redis.pipeline(transaction=False)
            for campaign in campaigns:
                pipeline.hget(layout.breaker(campaign), "open")
            rows = pipeline.execute() if campaigns else []
        return {campaign: from_ms(float(since)) for campaign, since in zip(campaigns, rows, strict=True) if since}

    def other_layouts(self) -> list[str]:
        """The numbers of ledgers on this Redis that another version made, and that hold something unfinished.

        Each is asked for by name: a look through all keys takes seconds where there are millions.
        """
        others = [number for number in layout.NUMBERS if number != layout.LAYOUT]
        with available():
            pipeline = self.redis.pipeline(transaction=False)
            for number in others:
                pipeline.exists(*layout.due_in(number))
            found = pipeline.execute()
        return [str(number) for number, there in zip(others, found, strict=True) if there]

    def unfinished(self) -> dict[str, datetime]:
        """Every event that is not finished, and when it is looked at next."""
        with available():
            rows: list[Any] = [row for lane in layout.LANES for row in self.redis.zrange(layout.due(lane), 0, -1, withscores=True)]
        return {key: from_ms(at) for key, at in rows}

    def next_look(self, key: str) -> datetime | None:
        """When somebody looks at an event next; None when it is finished."""
        with available():
            pipeline = self.redis.pipeline(transaction=False)
            for lane in layout.LANES:
                pipeline.zscore(layout.due(lane), key)
            found = [at for at in pipeline.execute() if at is not None]
        return from_ms(found[0]) if found else None

    def check_writable(self) -> None:
        with available():
            self.redis.set(layout.WRITABLE, 1, px=60_000)

    def entry(self, key: str) -> Entry | None:
        with available():
            row: dict[str, str] = self.redis.hgetall(layout.event(key))  # type: ignore[assignment]  # decode_responses
        return read_entry(key, row) if row else None

    def refs(self, entry: Entry) -> list[str]:
        """Everything that ties an event to others, as the ledger spells it; what records were merged into included."""
        with available():
            stored = self.redis.hget(layout.event(entry.key), "refs")
        return json.loads(str(stored)) if stored else []

    def delivery(self, delivery_id: str) -> dict[str, Any] | None:
        with available():
            stored = self.redis.get(layout.delivery(delivery_id))
        return json.loads(unpack(str(stored))) if stored else None

    def deliveries(self, delivery_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Those of them that are kept."""
        with available():
            rows: list[Any] = self.redis.mget([layout.delivery(each) for each in delivery_ids]) if delivery_ids else []
        return {each: json.loads(unpack(row)) for each, row in zip(delivery_ids, rows, strict=True) if row}

    def sharing(self, refs: Iterable[str], most: int = 0) -> list[Entry]:
        """The events that share any of these (qualified) refs, newest first, at ``most`` so many of each; what retention took is left out."""
        with available():
            pipeline = self.redis.pipeline(transaction=False)
            for ref in refs:
                pipeline.zrevrange(layout.ref(ref), 0, most - 1)
            found = list(dict.fromkeys(key for keys_ in pipeline.execute() for key in keys_))
            for key in found:
                pipeline.hgetall(layout.event(key))
            rows = pipeline.execute() if found else []
        return sorted((read_entry(key, row) for key, row in zip(found, rows, strict=True) if row), key=lambda entry: entry.accepted_at, reverse=True)

    def _new(self, new: NewEntry, now: datetime) -> dict[str, Any]:
        finished = new.status.finished
        return {
            "key": new.key,
            "claim": new.claim or new.key,
            "window": millis(new.event.window) if new.event.window else False,
            "entry": new_fields(new),
            "lane": layout.LANES[0 if new.first else 1],
            "due": False if finished else to_ms(now),
            "ttl": self.retention.of(new.status) if finished else False,
            "refs": qualified(new.event),
            "marks": mark_arguments(new.marks),
            "entity": layout.qualify(new.event.source, (new.event.entity.ref,))[0] if new.event.entity else False,
            "absorbed": layout.qualify(new.event.source, new.event.absorbed),
            "found": found(as_accepted(new, now)),
        }

    def _recorded(self, record: Record, texts: Texts) -> dict[str, Any]:
        fields, gone = record_fields(record)
        return {
            "key": record.entry.key,
            "refs": qualified(record.entry.event),
            "entry": texts.put(*fields),
            "gone": gone,
            "trouble": record.trouble,
            "due": to_ms(record.due) if record.due else False,
            "ttl": False if record.due else self.retention.of(record.status),
            "free": record.free,
            "hasten": list(record.hasten),
            "wake": list(record.wake),
            "wants_phone": record.wants_phone,
            "hold": [record.hold[0], to_ms(record.hold[1])] if record.hold else False,
            "health": [*record.answered, FAILURES, millis(LEFT_ALONE), millis(LONGEST_ALONE)] if record.answered else False,
            "found": found(as_recorded(record)),
        }

    def _run(self, name: str, now: datetime, *arguments: str | bytes | float) -> Any:
        with available():
            return self._scripts[name](args=[layout.PREFIX, to_ms(now), *arguments])


@contextmanager
def available() -> Iterator[None]:
    """Whatever Redis did not do becomes ``LedgerUnavailable``."""
    try:
        yield
    except RedisError as error:
        raise LedgerUnavailable(f"Redis did not take it: {type(error).__name__}: {error}") from error


def _word(word: str, by: str = "", at: str = "") -> Go | Lost | Blocked:
    if word == "go":
        return Go()
    if word == "lost":
        return Lost()
    if word in {"paced", "held", "silent"}:
        return Blocked(word, at=from_ms(float(by)))
    if word == "paused":
        return Blocked(word, by=at, scope=by)
    return Blocked(word, by, from_ms(float(at)) if at else None)


def script(*parts: str) -> str:
    """The text of a script, put together."""
    return "".join(files("bridge.ledger").joinpath("scripts", f"{name}.lua").read_text(encoding="utf-8") for name in parts)
