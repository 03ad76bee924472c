"""Events of a CRM that gives neither id nor time: within their window they are the same again, after it another."""

from dataclasses import replace
from datetime import timedelta

from bridge.ledger import NewEntry
from bridge.model import Status

HOURS = timedelta(hours=3)


def accept(desk, event, key, claim):
    told = replace(event(key, fact="entered the stage"), window=HOURS)
    return desk.ledger.accept("delivery", {}, [NewEntry(key=key, claim=claim, status=Status.QUEUED, reason="", event=told)], desk.now)


def test_within_the_window_it_is_the_same_event_and_after_it_another(desk, make_event, redis):
    assert accept(desk, make_event, "lead 1 @ 1", "lead 1") == [""]
    assert accept(desk, make_event, "lead 1 @ 2", "lead 1") == ["queued"]

    assert 0 < redis.pttl("callbridge:1:seen:lead 1") <= HOURS.total_seconds() * 1000
    redis.delete("callbridge:1:seen:lead 1")  # the window is over

    assert accept(desk, make_event, "lead 1 @ 3", "lead 1") == [""]
    assert set(desk.ledger.unfinished()) == {"lead 1 @ 1", "lead 1 @ 3"}
    assert desk.entry("lead 1 @ 1").duplicates == 1


def test_its_fact_counts_for_as_long_and_no_longer(desk, make_event, redis):
    accept(desk, make_event, "e1", "lead 1")
    (entry,) = desk.claim()

    assert entry.event.window == HOURS
    desk.call(entry, fact_window=entry.event.window)

    (fact,) = redis.keys("callbridge:1:fact:*")
    assert 0 < redis.pttl(fact) <= HOURS.total_seconds() * 1000
