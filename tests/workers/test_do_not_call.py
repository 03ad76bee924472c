"""The do-not-call list at the last gate, and what waits when a number is put on it."""

from datetime import timedelta
from uuid import uuid4

import pytest

from bridge.ledger import DoNotCallList, Unwanted
from bridge.ordering import Ordering

PHONE = "+16502530000"


@pytest.fixture
def ordering(bench):
    """A bench, and what an operator can order at it."""

    def start(*rules, **more):
        bridge = bench(*rules, **more)
        ledger = bridge.world.ledger
        return bridge, Ordering(ledger=ledger, list=DoNotCallList(ledger.redis), clock=bridge.clock)

    return start


def unwanted(bridge, **more):
    return Unwanted(**{"phone": PHONE, "added": bridge.clock(), "source": "letter", "note": "asked on Monday", **more})


def test_nobody_on_the_list_is_called_and_the_reason_says_why_and_what_would_change_it(ordering, platform):
    bridge, operator = ordering()
    operator.do_not_call([unwanted(bridge)])

    bridge.lead()
    bridge.work()

    assert bridge.status() == "suppressed"
    assert "letter, asked on Monday, since" in bridge.entry().reason
    assert "callbridge do-not-call remove" in bridge.entry().reason
    assert PHONE not in bridge.entry().reason
    assert platform.calls == []


def test_an_entry_for_one_campaign_leaves_the_others_alone(ordering, platform):
    bridge, operator = ordering()
    operator.do_not_call([unwanted(bridge, campaign="other")])

    bridge.lead()
    bridge.work()

    assert bridge.status() == "done"


def test_an_entry_that_has_run_out_stops_nobody(ordering, platform):
    bridge, operator = ordering()
    operator.do_not_call([unwanted(bridge, until=bridge.clock() + timedelta(hours=1))])
    bridge.clock.advance(hours=2)

    bridge.lead()
    bridge.work()

    assert bridge.status() == "done"


def test_adding_a_number_cancels_its_planned_call_and_frees_nobody_elses(ordering, platform):
    bridge, operator = ordering()
    bridge.lead("hers")
    bridge.lead("his", phone="+16502530001")
    bridge.work()

    stopped = operator.do_not_call([unwanted(bridge)])
    bridge.work()

    assert stopped == 1
    assert {call["phone"]: call["status"] for call in platform.calls} == {"16502530000": "cancelledByUser", "16502530001": "planned"}


def test_adding_a_number_ends_what_waits_for_call_hours_at_once(ordering, platform):
    now_is_never = {"days": ["mon"], "from": "03:00", "to": "03:01"}
    bridge, operator = ordering({"name": "call", "on": "lead.created", "call": {"campaign": "welcome", "hours": now_is_never}})
    bridge.lead()
    bridge.work()
    assert bridge.status() == "waiting"

    operator.do_not_call([unwanted(bridge)])
    bridge.work_through()

    assert bridge.status() == "suppressed"
    assert platform.calls == []


def test_adding_a_number_while_its_call_may_have_been_made_finds_that_out_first(ordering, platform):
    bridge, operator = ordering()
    platform.fault("lost_answer", times=1, endpoint="addPhone")
    bridge.lead()
    bridge.work()
    assert bridge.status() == "unknown"

    operator.do_not_call([unwanted(bridge)])
    bridge.work_through(12, seconds=5)

    (call,) = platform.calls
    assert call["status"] == "cancelledByUser"


def test_a_number_nobody_has_heard_of_needs_nothing_stopped(ordering):
    bridge, operator = ordering()

    assert operator.do_not_call([unwanted(bridge)]) == 0
    assert bridge.world.ledger.unfinished() == {}


def test_what_is_taken_off_the_list_may_be_called_again(ordering, platform):
    bridge, operator = ordering()
    operator.do_not_call([unwanted(bridge), unwanted(bridge, campaign="welcome")])

    assert operator.list.remove(PHONE, "welcome") == 1
    assert [entry.campaign for entry in operator.list.of(PHONE)] == ["*"]
    assert operator.list.remove(PHONE) == 1
    assert list(operator.list.all()) == []

    bridge.lead()
    bridge.work()
    assert bridge.status() == "done"


def test_the_list_may_be_long(ordering):
    bridge, operator = ordering()
    operator.do_not_call([unwanted(bridge, phone=f"+1650253{number:04}", note=str(uuid4())) for number in range(1200)])

    assert len({entry.phone for entry in operator.list.all()}) == 1200
