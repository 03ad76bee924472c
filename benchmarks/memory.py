"""What a finished event takes of Redis: a new lead of a generic source, received, tried twice, called.

    python -m benchmarks.memory --events 20000

Everything is counted that Redis has more of afterwards, the delivery as received and all indexes included. It is said by kind of key too, where
that can be told; what is left over are Redis' own tables.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click
from redis import Redis
from rich.console import Console
from rich.table import Table

from benchmarks.accept import Gun
from benchmarks.comparing import Figure, Goal
from benchmarks.servers import bridge
from benchmarks.table import show
from bridge import wiring
from bridge.calls import call_request
from bridge.ingest import Ingest
from bridge.ledger import Beginning, Ledger, Record, call_gate, layout
from bridge.model import Attempt, CallCommand, Delivery, Entry, Status

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
_LEASE = timedelta(minutes=1)
_AT_ONCE = 100
_WORKER = "bridge-1:31232:a1b2c3"


def fill(ledger: Ledger, ingest: Ingest, gun: Gun, count: int) -> None:
    """As it goes when the platform says *not now* first."""
    shots = gun.singles(count)
    for _ in range(0, count, _AT_ONCE):
        for shot in (next(shots) for _ in range(_AT_ONCE)):
            headers = {**shot.headers, "host": "bridge.example.com", "user-agent": "Zapier", "accept": "*/*", "accept-encoding": "gzip, deflate"}
            told = {name.lower(): value for name, value in headers.items()} | {"content-length": str(len(shot.body))}
            ingest.take(Delivery(source="zapier", method="POST", url=f"{gun.url}{shot.path}", headers=told, body=shot.body, received_at=NOW))
        work(ledger, NOW, Status.WAITING)
        work(ledger, NOW + timedelta(seconds=1), Status.DONE)


def work(ledger: Ledger, now: datetime, status: Status) -> None:
    entries = ledger.claim(_WORKER, _AT_ONCE, _LEASE, now)
    ledger.begin(_WORKER, _LEASE, [_begun(entry) for entry in entries], now)
    ledger.record(_WORKER, [_record(ledger.entry(entry.key) or entry, now, status) for entry in entries], now)


def _begun(entry: Entry) -> Beginning:
    contact = entry.event.contact
    command = CallCommand(campaign="welcome", phone=(contact.phone if contact else None) or "", payload={"name": contact.name if contact else ""})
    gate = call_gate(command, entry.event, None)
    return Beginning(entry=entry, request=entry.request or call_request(command, entry.key), call=gate, rule=entry.rule, trace=entry.trace)


def _record(entry: Entry, now: datetime, status: Status) -> Record:
    done = status is Status.DONE
    tried = (
        {"outcome": "made", "note": "call job made", "status": 200} if done else {"outcome": "not now", "note": "429 limit.exceeded", "status": 429}
    )
    job = str(31_000_000 + int(entry.event.entity.id if entry.event.entity else 0))
    return Record(
        entry=entry,
        status=status,
        reason=f"call job {job} was made" if done else "429 limit.exceeded; tried again",
        due=None if done else now + timedelta(seconds=1),
        attempts=(Attempt(at=now, what="call", seconds=0.0512, worker=_WORKER, **tried),),  # type: ignore[arg-type]  # each of its own kind
        jobs=(job,) if done else None,
        campaign="welcome",
    )


def measure(count: int) -> tuple[Figure, Counter[str]]:
    """Bytes an event, and by kind of key."""
    with bridge() as made:
        config, redis = made.config, made.redis
        redis.config_set("appendfsync", "no")
        ledger = Ledger(redis, wiring.retention(config), wiring.call_memory(config))
        sources = wiring.sources(config)
        ingest = Ingest(sources=sources, policy=wiring.policy_of(config), ledger=ledger, clock=lambda: NOW)
        gun = Gun("https://bridge.example.com", sources["zapier"], sources["hubspot"], 0)
        fill(ledger, ingest, gun, 1_000)  # what is there once, whatever comes
        before = used(redis)
        fill(ledger, ingest, gun, count)
        taken = (used(redis) - before) / count
        unfinished = sum(redis.zcard(layout.due(lane)) for lane in layout.LANES)  # type: ignore[misc]  # not asynchronous
        if unfinished:
            raise SystemExit(f"{unfinished} events did not finish: what was measured is not what it says")
        figure = Figure(
            path="memory", measure="ledger bytes of a finished event", goal=Goal(most=1_500), unit="B", product=[taken], note="two attempts"
        )
        return figure, by_kind(redis, count + 1_000)


def used(redis: Redis) -> int:
    return int(redis.info("memory")["used_memory"])


def by_kind(redis: Redis, count: int) -> Counter[str]:
    """Bytes an event of each kind of key."""
    sizes: Counter[str] = Counter()
    keys = list(redis.scan_iter(f"{layout.PREFIX}*", count=5_000))
    for start in range(0, len(keys), 2_000):
        pipeline = redis.pipeline(transaction=False)
        for key in keys[start : start + 2_000]:
            pipeline.memory_usage(key, samples=5)
        for key, size in zip(keys[start : start + 2_000], pipeline.execute(), strict=True):
            sizes[kind_of(str(key))] += size or 0
    return Counter({kind: round(size / count) for kind, size in sizes.items() if size >= count})


def kind_of(key: str) -> str:
    parts = key.removeprefix(layout.PREFIX).split(":")
    return ":".join(parts[:2]) if parts[0] in {"by", "bits", "ref"} else parts[0]


def told(sizes: Counter[str], whole: float) -> Sequence[tuple[str, int]]:
    return [*sizes.most_common(), ("Redis' own tables", round(whole - sum(sizes.values())))]


@click.command()
@click.option("--events", type=click.IntRange(1_000, 1_000_000), default=20_000, show_default=True)
def main(events: int) -> None:
    """Count the bytes of a finished event."""
    figure, sizes = measure(events)
    show([figure])
    table = Table("kind of key", "bytes an event")
    for kind, size in told(sizes, figure.value):
        table.add_row(kind, f"{size:,}")
    Console().print(table)


if __name__ == "__main__":
    main()
