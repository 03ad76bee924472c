"""One box: phones in any spelling, names, ids, reasons."""

from datetime import UTC, datetime, timedelta

import pytest

from bridge.errors import Unusable
from bridge.filters import parse
from bridge.finding import Finder
from bridge.ledger import Ledger, NewEntry, Record, Retention, Search
from bridge.model import Contact, Entity, Event, Status

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
DAY = 86_400_000
RETENTION = Retention(dedup=30 * DAY, done=30 * DAY, failed=90 * DAY, ignored=DAY)
ALEX = Contact(name="Alex Doe", phone="+12813322575", email="alex@example.com")


class Desk:
    def __init__(self, redis):
        self.ledger = Ledger(redis, RETENTION)
        self.finder = Finder(self.ledger, Search(redis), {"hubspot": "US", "amo": "RU"})
        self.now = NOW

    def accept(self, key, *, record="101", person=ALEX, refs=(), rule="call new leads"):
        source, _, event_id = key.partition(":")
        known = (f"contact:{record}", *([f"phone:{person.phone}"] if person.phone else []), *refs)
        event = Event(
            source=source,
            kind="generic",
            id=event_id,
            type="contact.created",
            fact=key,
            received_at=self.now,
            entity=Entity("contact", record),
            refs=known,
            contact=person,
        )
        self.ledger.accept("d", {}, [NewEntry(key=key, status=Status.QUEUED, reason="", event=event, rule=rule)], self.now)
        self.now += timedelta(seconds=1)

    def end(self, key, status, **more):
        for entry in self.ledger.claim("w", 100, timedelta(seconds=20), self.now):
            if entry.key == key:
                self.ledger.record("w", [Record(**{"entry": entry, "status": status, "reason": "", **more})], self.now)
            else:
                self.ledger.release("w", [entry.key], self.now)

    def found(self, written):
        return [entry.key for entry in self.finder.page(parse(written, self.now)).page.entries]

    def understood(self, written):
        return self.finder.page(parse(written, self.now)).understood


@pytest.fixture
def desk(redis):
    desk = Desk(redis)
    desk.accept("hubspot:1")
    desk.accept("hubspot:2", record="102", person=Contact(name="Sam Poe", phone="+16502530001"), rule="stop")
    desk.accept("amo:3", record="103", person=Contact(name="Александр Иванов", phone="+79991234567"))
    return desk


@pytest.mark.parametrize(
    "written",
    ["+1 281 332 2575", "(281) 332-2575", "1.281.332.2575", "12813322575", "001 281 332 2575", "phone:+12813322575", 'phone:"281 332 2575"'],
)
def test_a_phone_number_in_any_spelling_of_a_country_that_a_source_is_from(desk, written):
    assert desk.found(written) == ["hubspot:1"]


def test_a_number_of_another_sources_country(desk):
    assert desk.found("8 (999) 123-45-67") == ["amo:3"]
    assert "the phone number" in desk.understood("8 (999) 123-45-67")
    assert "1234567" not in desk.understood("8 (999) 123-45-67")


@pytest.mark.parametrize(
    ("written", "keys"),
    [
        ("alex", ["hubspot:1"]),
        ("Doe Alex", ["hubspot:1"]),
        ("алекс", ["amo:3"]),
        ("name:Po", ["hubspot:2"]),
        ("alex@example.com", ["hubspot:1"]),
        ("alex poe", []),
        ("name:!!", []),
        ("hubspot:1", ["hubspot:1"]),
        ("3", ["amo:3"]),
        ("contact:102", ["hubspot:2"]),
        ("102", ["hubspot:2"]),
        ("hubspot/contact:102", ["hubspot:2"]),
        ("record:103", ["amo:3"]),
        ("record:deal:103", []),
        ("stop", ["hubspot:2"]),
        ('rule:"call new leads"', ["amo:3", "hubspot:1"]),
        ("call new leads", ["amo:3", "hubspot:1"]),
        ("source:hubspot", ["hubspot:2", "hubspot:1"]),
        ("source:hubspot rule:stop", ["hubspot:2"]),
        ("source:amo,hubspot alex", ["hubspot:1"]),
        ("status:queued", ["amo:3", "hubspot:2", "hubspot:1"]),
        ("event:hubspot:1,amo:3", ["hubspot:1", "amo:3"]),
        ("event:hubspot:1 rule:stop", []),
        ("event:hubspot:1 amo:3", []),
        ("event:hubspot:1,amo:3 amo:3", ["amo:3"]),
        ("name:alex,sam", ["hubspot:2", "hubspot:1"]),
        ('name:"alex doe" name:"sam p"', ["hubspot:2", "hubspot:1"]),
        ("name:alex,sam name:nobody", ["hubspot:2", "hubspot:1"]),
        ("source:hubspot name:doe,иван", ["hubspot:1"]),
        ("event:hubspot:1 phone:+12813322575 status:queued since:1h", ["hubspot:1"]),
        ("since:1h", ["amo:3", "hubspot:2", "hubspot:1"]),
        ("until:1h", []),
        ("nobody at all", []),
        ("issue:nothing", []),
        ("", ["amo:3", "hubspot:2", "hubspot:1"]),
    ],
)
def test_what_is_written_finds(desk, written, keys):
    assert desk.found(written) == keys


def test_words_that_more_names_begin_with_than_are_looked_for_are_told(desk):
    for number in range(41):
        desk.accept(f"hubspot:m{number}", person=Contact(name=f"Ma{number:02}"))

    assert [desk.finder.terms(parse(written, desk.now)).cut for written in ("name:ma", "ma", "name:ma0", "alex")] == [("ma",), ("ma",), (), ()]
    assert len(desk.found("name:ma")) == 40


def test_names_that_are_too_many_to_be_alternatives_are_refused(desk):
    with pytest.raises(Unusable, match="fewer names"):
        desk.found(" ".join(f'name:"a{number} b{number} c{number}"' for number in range(5)))


def test_a_call_job_an_issue_and_a_reason(desk):
    desk.end("hubspot:1", Status.DONE, jobs=("5665",), campaign="welcome")
    desk.end("hubspot:2", Status.FAILED, reason="refused by the platform: bad format")

    assert desk.found("5665") == desk.found("job:5665") == desk.found("campaign:welcome") == ["hubspot:1"]
    assert desk.found('reason:"BY the platform"') == desk.found("by the platform") == ["hubspot:2"]
    assert desk.understood("by the platform") == "a reason that says 'by the platform'"
    assert desk.found("reason:welcome") == []


def test_what_is_found_is_counted_by_status_whichever_of_them_is_asked_for(desk):
    desk.end("hubspot:1", Status.FAILED)

    def counted(written, size=50):
        sought = parse(written, desk.now)
        told = desk.finder.counts(sought, desk.finder.page(sought, size=size))
        return {str(status): count for status, count in told.items() if count}

    assert counted("") == {"queued": 2, "failed": 1}
    assert counted("source:hubspot") == {"queued": 1, "failed": 1}
    assert counted("source:hubspot", size=1) == {"queued": 1, "failed": 1}
    assert counted("status:failed source:hubspot") == {"queued": 1, "failed": 1}
    assert counted("status:done alex") == {"failed": 1}
    assert counted("status:queued hubspot:1") == {"failed": 1}


def test_what_would_take_long_to_count_is_not_counted(desk):
    for number in range(201):
        desk.accept(f"hubspot:many{number}")
    sought = parse("source:hubspot", desk.now)

    assert desk.finder.counts(sought, desk.finder.page(sought)) is None
