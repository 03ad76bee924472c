"""How long the first page of a search takes, with few events in the ledger and with many.

    python -m benchmarks.search --events 10000 --events 1000000

Fills a Redis of its own with a month of events, through the ledger's own scripts, and times what the pages and the API call, from the
words in the box to the last entry of the page. Says what an event costs in memory. A million take some ten minutes and 4 GB.
"""

import json
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median

import click
from redis import Redis
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.redis import running_redis
from bridge.calls import call_request
from bridge.filters import parse
from bridge.finding import Finder
from bridge.ledger import Beginning, CallGate, Ledger, NewEntry, Record, Retention, Search
from bridge.model import Attempt, CallCommand, Contact, Entity, Entry, Event, Status, iso

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MONTH = timedelta(days=30)
DAY = 86_400_000
RETENTION = Retention(dedup=90 * DAY, done=90 * DAY, failed=90 * DAY, ignored=90 * DAY)
AT_ONCE = 200
SOURCES = ("hubspot", "pipedrive", "zapier", "amocrm")
RULES = (("call new leads", "welcome"), ("call back", "follow-up"), ("stop when the deal is closed", ""))
FIRST = tuple("Alex Sam Kim Lee Maria Olga Ivan Anna Jose Lena Paul Nina Omar Rita Hugo Vera Ben Eva Max Ada".split())  # noqa: SIM905 -- shorter so
ENDS = (Status.DONE,) * 14 + (Status.SUPPRESSED,) * 3 + (Status.FAILED,) * 2 + (Status.WAITING,)
REASONS = {
    Status.DONE: "call job {number} was made",
    Status.SUPPRESSED: "cooldown: zapier:{number} had the same number called in this campaign, and the rule asks for a longer pause",
    Status.FAILED: "refused by the platform: phone.bad.format. Correct it and replay the event",
    Status.WAITING: "outside call hours; called at 2026-11-24T09:00:00Z",
}
LOOKED_FOR = (
    ("a phone number", "{national}"),
    ("a name", "Maria K{maria}"),
    ("a common first name", "name:maria"),
    ("the beginning of a name", "name:mar"),
    ("a record", "deal:{number}"),
    ("an event", "{source}:event-{number}"),
    ("a call job", "{job}"),
    ("a rule", 'rule:"call back"'),
    ("a campaign", "campaign:welcome"),
    ("a source", "source:amocrm"),
    ("a status", "status:failed"),
    ("a reason", 'reason:"bad.format"'),
    ("words of a reason", "longer pause"),
    ("the last day", "since:24h"),
    ("four at once", 'status:failed source:hubspot rule:"call back" since:7d'),
    ("what there is none of", 'status:waiting rule:"stop when the deal is closed"'),
    ("everything", ""),
)


def event(number: int, at: datetime) -> Event:
    person = number // 2
    phone = f"+1281{3000000 + person % 7000000}"
    contact = Contact(id=str(person), name=f"{FIRST[person % len(FIRST)]} K{person}", phone=phone, phones=(phone,), email=f"k{person}@example.com")
    source, record = SOURCES[number % len(SOURCES)], Entity("deal", str(number))
    return Event(
        source=source,
        kind="generic",
        id=f"event-{number}",
        type="deal.created",
        fact=f"{source}:deal:{number} created",
        received_at=at,
        occurred_at=at,
        entity=record,
        refs=(record.ref, f"contact:{person}", f"phone:{phone}"),
        contact=contact,
        fields={"amount": number, "pipeline": "sales", "owner": "Anna"},
    )


def fill(redis: Redis, count: int, told: Console) -> Ledger:
    """As a bridge does: accepted, claimed, begun, recorded."""
    ledger = Ledger(redis, RETENTION)
    with Progress(console=told, transient=True) as progress:
        task = progress.add_task(f"{count:,} events", total=count)
        for start in range(0, count, AT_ONCE):
            at = NOW - MONTH + MONTH * (start / count)
            some = [new(number, at) for number in range(start, min(start + AT_ONCE, count))]
            ledger.accept(f"d{start}", delivery(some[0].event), some, at)
            work(ledger, at)
            progress.advance(task, len(some))
    while work(ledger, NOW):
        """Who found the same person busy."""
    return ledger


def delivery(first: Event) -> dict[str, str | dict[str, str]]:
    """What it came in, as it is kept."""
    told = {"source": first.source, "method": "POST", "url": f"http://bridge.example.com/webhooks/{first.source}", "encoding": "utf-8"}
    return {**told, "headers": {"content-type": "application/json"}, "body": json.dumps(first.document()), "received_at": iso(first.received_at)}


def new(number: int, at: datetime) -> NewEntry:
    told, (rule, _) = event(number, at), RULES[number % 3 if number % 20 else 2]
    ended = number % 25 == 7
    return NewEntry(
        key=f"{told.source}:{told.id}",
        status=Status.IGNORED if ended else Status.QUEUED,
        reason="no rule is for deal.created" if ended else "is to be called",
        event=told,
        rule=None if ended else rule,
        trace=(f"{rule}: matches",),
    )


def work(ledger: Ledger, at: datetime) -> int:
    entries = ledger.claim("w", AT_ONCE, timedelta(minutes=1), at)
    begun = {entry.key: begin(entry, at) for entry in entries if entry.rule != RULES[2][0]}
    ledger.begin("w", timedelta(minutes=1), list(begun.values()), at)
    ledger.record("w", [record(entry, at) for entry in entries], at)
    return len(entries)


def begin(entry: Entry, at: datetime) -> Beginning:
    phone = entry.event.contact.phone if entry.event.contact else ""
    campaign = dict(RULES)[entry.rule or ""]
    command = CallCommand(campaign=campaign, phone=phone or "", payload={"name": "Alex"})
    gate = CallGate(source=entry.event.source, campaign=campaign, phone=phone or "", happened_at=at, fact=entry.key)
    return Beginning(entry=entry, request=call_request(command, entry.key), call=gate, rule=entry.rule)


def record(entry: Entry, at: datetime) -> Record:
    number = int(entry.event.id.removeprefix("event-"))
    status = ENDS[number % len(ENDS)] if entry.rule != RULES[2][0] else Status.DONE
    tried = tuple(
        Attempt(at=at, what=what, outcome="made", note="call job made", seconds=0.05, status=200, worker="host:1:abcdef")
        for what in ("look up", "call")
    )
    return Record(
        entry=replace(entry, attempts=()),
        status=status,
        reason=REASONS[status].format(number=number),
        due=None if status.finished else NOW + timedelta(days=1),
        attempts=tried,
        jobs=(str(10_000_000 + number),) if status is Status.DONE else None,
        campaign=dict(RULES)[entry.rule or ""] or None,
    )


def timed(finder: Finder, written: str, count: int, times: int) -> tuple[list[float], int]:
    """Milliseconds of each try, and how many entries the last page had."""
    chance, taken, entries = random.Random(written), [], 0
    for _ in range(times):
        number = chance.randrange(count)
        number -= number % 25 == 7  # ignored ones have no call job
        box = spelled(written, number)
        started = time.perf_counter()
        entries = len(finder.page(parse(box, NOW)).page.entries)
        taken.append((time.perf_counter() - started) * 1000)
    return sorted(taken), entries


def spelled(written: str, number: int) -> str:
    """The words in the box for one event of those there are."""
    person = number // 2
    maria = person - person % len(FIRST) + FIRST.index("Maria")
    national = f"(281) {str(3000000 + person % 7000000)[:3]}-{str(3000000 + person % 7000000)[3:]}"
    return written.format(number=number, maria=maria, national=national, source=SOURCES[number % len(SOURCES)], job=10_000_000 + number)


@click.command()
@click.option("--events", "sizes", type=click.IntRange(1000, 5_000_000), multiple=True, default=(10_000, 1_000_000), show_default=True)
@click.option("--times", type=click.IntRange(3, 1000), default=50, show_default=True, help="Tries of each search.")
@click.option("--json", "as_json", is_flag=True)
def main(sizes: Sequence[int], times: int, *, as_json: bool) -> None:
    """Time the first page of searches."""
    console = Console(stderr=as_json)
    measured: dict[str, dict[int, tuple[float, float, int]]] = {name: {} for name, _ in LOOKED_FOR}
    costs: dict[int, float] = {}
    for count in sizes:
        with running_redis() as redis:
            empty = int(redis.info("memory")["used_memory"])
            ledger = fill(redis, count, console)
            costs[count] = (int(redis.info("memory")["used_memory"]) - empty) / count
            finder = Finder(ledger, Search(redis), {"hubspot": "US", "pipedrive": None, "zapier": None, "amocrm": "RU"})
            for name, written in LOOKED_FOR:
                taken, entries = timed(finder, written, count, times)
                measured[name][count] = (median(taken), taken[int(len(taken) * 0.95) - 1], entries)
    if as_json:
        click.echo(json.dumps({"bytes_per_event": costs, "milliseconds": measured}, indent=2))
        return
    show(console, sizes, measured, costs)


def show(console: Console, sizes: Sequence[int], measured: dict[str, dict[int, tuple[float, float, int]]], costs: dict[int, float]) -> None:
    columns = [f"{count:,} events" for count in sizes]
    table = Table("first page of", *columns, title="median, 95th percentile (ms), entries")
    for name, rows in measured.items():
        table.add_row(name, *(f"{rows[count][0]:.1f}  {rows[count][1]:.1f}  {rows[count][2]}" for count in sizes))
    table.add_row("bytes an event", *(f"{costs[count]:,.0f}" for count in sizes))
    console.print(table)


if __name__ == "__main__":
    main()
