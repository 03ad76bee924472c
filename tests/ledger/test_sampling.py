"""Some events of each status, evenly over all of them."""

from datetime import timedelta

import pytest

from bridge.ledger import NewEntry, Sampling
from bridge.model import Status


@pytest.fixture
def fill(desk, make_event):
    """Events accepted a minute apart: the first half for one reason, the others for another."""

    def filled(count):
        for number in range(count):
            reason = "stopped" if number < count // 2 else "outside the hours"
            new = NewEntry(key=f"crm:{number}", status=Status.IGNORED, reason=reason, event=make_event(str(number)))
            desk.ledger.accept("delivery", {}, [new], desk.now)
            desk.now += timedelta(minutes=1)

    return filled


def test_few_are_all_looked_at(desk, fill):
    began = desk.now
    fill(7)
    samples = Sampling(desk.redis).samples([Status.IGNORED, Status.PARKED])

    sample, none = samples[Status.IGNORED], samples[Status.PARKED]
    assert (none.total, none.oldest, none.held) == (0, None, ())
    assert (sample.total, sample.oldest) == (7, began)
    assert [held.key for held in sample.held] == [f"crm:{number}" for number in range(7)]
    assert {(held.source, held.campaign) for held in sample.held} == {("crm", "")}


def test_of_many_some_are_looked_at_from_the_oldest_to_the_newest(desk, fill):
    fill(100)
    (sample,) = Sampling(desk.redis, most=10).samples([Status.IGNORED]).values()

    assert sample.total == 100
    assert [held.key for held in sample.held] == [f"crm:{number}" for number in range(0, 100, 10)]
    assert [held.reason for held in sample.held] == ["stopped"] * 5 + ["outside the hours"] * 5
