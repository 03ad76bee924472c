"""Threads that come at the same moment are served together, each with its own answer."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from bridge.errors import LedgerUnavailable
from bridge.ledger import NewEntry
from bridge.ledger.gathering import Gathering
from bridge.model import Status


class Window:
    """Serves whoever stands in line when it is let; doubles numbers, and refuses odd ones."""

    def __init__(self, most=100):
        self.served = []
        self.open = threading.Event()
        self.began = threading.Event()
        self.line = Gathering(self.serve, most)

    def serve(self, items):
        self.began.set()
        assert self.open.wait(10)
        self.served.append(len(items))
        return [item * 2 if item % 2 == 0 else ValueError(str(item)) for item in items]


@pytest.fixture
def window():
    return Window()


def asked(window, numbers, threads=32):
    """Everybody asks while the first is being served; the answers, or what was raised."""

    def ask(number):
        try:
            return window.line.ask(number)
        except (ValueError, RuntimeError) as failed:
            return failed

    with ThreadPoolExecutor(threads) as pool:
        first = pool.submit(ask, numbers[0])
        assert window.began.wait(10)
        others = [pool.submit(ask, number) for number in numbers[1:]]
        while len(window.line._line) < len(others):  # noqa: SLF001 -- all of them stand there
            pass
        window.open.set()
        return [future.result(10) for future in (first, *others)]


def test_who_comes_alone_is_served_at_once_and_who_comes_meanwhile_together(window):
    assert asked(window, range(0, 40, 2)) == list(range(0, 80, 4))
    assert window.served == [1, 19]


def test_more_than_fit_go_in_turns():
    window = Window(most=4)

    assert asked(window, range(0, 22, 2)) == list(range(0, 44, 4))
    assert window.served == [1, 4, 4, 2]


def test_what_is_wrong_with_one_is_told_to_that_one(window):
    told = asked(window, [0, 1, 2, 3, 4])

    assert (told[0], told[2], told[4]) == (0, 4, 8)
    assert [str(each) for each in (told[1], told[3])] == ["1", "3"]


def test_what_is_wrong_with_all_is_told_to_all_and_the_next_are_served(window):
    def breaks(items):
        window.serve(items)
        raise RuntimeError("away")

    window.line = Gathering(breaks, 100)
    assert [str(each) for each in asked(window, [0, 2, 4])] == ["away"] * 3

    window.line._serve = window.serve  # noqa: SLF001 -- it is back
    assert window.line.ask(2) == 4


def test_deliveries_of_many_threads_are_all_kept_each_with_its_own_answer(desk, make_event):
    def accept(number):
        new = NewEntry(key=f"crm:e{number % 50}", status=Status.QUEUED, reason="", event=make_event(f"e{number % 50}", refs=(f"lead:{number % 50}",)))
        return desk.ledger.accept(f"d{number}", {"number": number}, [new], desk.now + timedelta(milliseconds=number))

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(accept, range(200)))

    assert sorted(answers) == sorted([[""]] * 50 + [["queued"]] * 150)
    for number in range(50):
        entry = desk.entry(f"crm:e{number}")
        assert (entry.duplicates, desk.ledger.delivery(entry.delivery)["number"] % 50) == (3, number)


def test_a_delivery_that_redis_breaks_over_takes_no_other_with_it(desk, make_event, redis_url):
    """Something of another kind stands where an event is to go."""
    desk.redis.set("callbridge:1:event:crm:bad", "no hash")
    barrier = threading.Barrier(8)

    def accept(key):
        barrier.wait(10)
        new = NewEntry(key=key, status=Status.QUEUED, reason="", event=make_event(key, refs=(key,)))
        try:
            return desk.ledger.accept(f"d{key}", {}, [new], desk.now)
        except LedgerUnavailable:
            return "unavailable"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(accept, ["crm:bad", *(f"crm:good{number}" for number in range(7))]))

    assert answers[0] == "unavailable"
    assert all(desk.entry(f"crm:good{number}").status is Status.QUEUED for number in range(7))
    assert "unavailable" not in answers[1:]
