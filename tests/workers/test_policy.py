"""What follows from what an attempt came to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.errors import LookupFailed
from bridge.ledger import Blocked
from bridge.model import Entry, Event, Status
from workers import policy
from workers.answers import LONGEST_WAIT, Answer, Outcome
from workers.policy import GIVE_UP, JITTER, delay

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
EVENT = Event(source="crm", kind="generic", id="1", type="lead.created", fact="f", received_at=NOW)
ENTRY = Entry(key="crm:1", status=Status.RUNNING, was=Status.QUEUED, reason="", event=EVENT, accepted_at=NOW)
OPEN = replace(ENTRY, open=True, asked_at=NOW, tries=1)
AWAY = LookupFailed("the CRM is away")


def answer(outcome, **more):
    return Answer(outcome=outcome, note="so it was said", **more)


@given(st.lists(st.integers(1, 3600), min_size=1, max_size=9).map(sorted), st.integers(-1, 30), st.text(max_size=20))
def test_a_delay_never_comes_early_and_little_late(schedule, tries, key):
    wait, promised = delay(schedule, tries, key).total_seconds(), schedule[min(max(tries, 0), len(schedule) - 1)]

    assert promised <= wait <= promised * (1 + JITTER)
    assert delay(schedule, tries, key) == delay(schedule, tries, key)


@pytest.mark.parametrize(
    ("outcome", "status", "settled"),
    [
        (Outcome.MADE, Status.DONE, True),
        (Outcome.REFUSED, Status.FAILED, True),
        (Outcome.NOT_NOW, Status.WAITING, True),
        (Outcome.UNKNOWN, Status.UNKNOWN, False),
        (Outcome.CANNOT, Status.PARKED, True),
        (Outcome.DUPLICATED, Status.SUPPRESSED, True),
    ],
)
def test_every_outcome_has_its_ending(outcome, status, settled):
    ending = policy.after_call(answer(outcome, ids=("7",)), ENTRY, NOW)

    assert (ending.status, ending.settled) == (status, settled)
    assert (ending.due is None) is status.finished
    assert ending.due is None or ending.due > NOW


@pytest.mark.parametrize("outcome", [Outcome.NOT_NOW, Outcome.CANNOT, Outcome.UNKNOWN])
def test_only_an_answer_about_the_call_itself_tells_what_became_of_a_lost_one(outcome):
    assert not policy.after_call(answer(outcome), OPEN, NOW).tells


@given(st.floats(0, 3600), st.integers(0, 12))
def test_a_retry_after_is_a_lower_bound_and_holds_the_campaign(seconds, tries):
    ending = policy.after_call(answer(Outcome.NOT_NOW, retry_after=seconds), replace(ENTRY, tries=tries), NOW)

    assert ending.due >= NOW + timedelta(seconds=seconds)
    assert ending.hold_until == (NOW + timedelta(seconds=seconds) if seconds else None)


@pytest.mark.parametrize(
    "end",
    [lambda entry, now: policy.after_call(answer(Outcome.NOT_NOW), entry, now), lambda entry, now: policy.after_lookup(AWAY, entry, now)],
    ids=["platform", "crm"],
)
def test_trouble_is_given_up_after_a_day_of_it_and_not_before(end):
    long_ago = replace(ENTRY, accepted_at=NOW - timedelta(days=9))

    assert end(long_ago, NOW).status is Status.WAITING
    assert end(replace(long_ago, since=NOW - GIVE_UP), NOW).status is Status.WAITING
    assert end(replace(long_ago, since=NOW - GIVE_UP - timedelta(seconds=1)), NOW).status is Status.FAILED


def test_what_may_have_been_made_is_never_given_up_unasked():
    ending = policy.after_call(answer(Outcome.NOT_NOW), replace(OPEN, since=NOW - 2 * GIVE_UP), NOW)

    assert ending.due is not None


@pytest.mark.parametrize(
    ("failed", "status"),
    [
        (LookupFailed("gone", final=True), Status.SUPPRESSED),
        (LookupFailed("token", parked=True), Status.PARKED),
        (LookupFailed("slow", retry_after=77), Status.WAITING),
    ],
)
def test_a_crm_that_does_not_help_ends_an_attempt(failed, status):
    ending = policy.after_lookup(failed, ENTRY, NOW)

    assert ending.status is status
    assert failed.retry_after is None or ending.due >= NOW + timedelta(seconds=failed.retry_after)


@pytest.mark.parametrize("asked", [LONGEST_WAIT + 1, 1e9, 1e12, 1e300, float("inf")])
def test_a_crm_that_asks_to_be_left_alone_for_ever_is_asked_again_all_the_same(asked):
    ending = policy.after_lookup(LookupFailed("slow", retry_after=asked), ENTRY, NOW)

    assert NOW + timedelta(seconds=LONGEST_WAIT) <= ending.due <= NOW + timedelta(hours=2)


@pytest.mark.parametrize(
    ("since", "patience", "status"),
    [
        (None, timedelta(), Status.FAILED),
        (None, timedelta(days=1), Status.WAITING),
        (NOW - timedelta(hours=23), timedelta(days=1), Status.WAITING),
        (NOW - timedelta(days=1), timedelta(days=1), Status.SUPPRESSED),
    ],
)
def test_a_number_that_does_not_come_is_waited_for_as_long_as_the_rule_has_patience(since, patience, status):
    ending = policy.without_phone(replace(ENTRY, since=since), "no phone", NOW, patience, "send it")

    assert ending.status is status
    assert ending.due is None or ending.due <= (since or NOW) + patience


@pytest.mark.parametrize("word", ["stopped", "told", "cooled"])
def test_a_gate_that_is_shut_names_the_other_event(word):
    ending = policy.after_gate(Blocked(word, "crm:9"), NOW)

    assert ending.status is Status.SUPPRESSED
    assert "crm:9" in ending.reason


@pytest.mark.parametrize("word", ["busy", "paced", "held", "silent"])
def test_a_gate_that_opens_later_is_waited_for(word):
    ending = policy.after_gate(Blocked(word, "crm:9", at=NOW + timedelta(seconds=3)), NOW)

    assert ending.status is Status.WAITING
    assert ending.due > NOW


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.MADE, None),
        (Outcome.REFUSED, Status.FAILED),
        (Outcome.CANNOT, Status.PARKED),
        (Outcome.UNKNOWN, Status.WAITING),
        (Outcome.NOT_NOW, Status.WAITING),
    ],
)
def test_a_cancel_is_sent_until_it_is_answered(outcome, status):
    ending = policy.after_cancel(answer(outcome), ENTRY, NOW)

    assert (ending and ending.status) is status


def tried(*told):
    """The entry, after attempts of these kinds and outcomes."""
    return replace(ENTRY, attempts=tuple({"what": what, "outcome": outcome} for what, outcome in told))


def test_a_cancel_that_failed_once_is_sent_again_within_seconds_however_much_was_asked_before():
    asked_often = tried(*[("look up", "answered")] * 8)

    assert policy.after_cancel(answer(Outcome.UNKNOWN), asked_often, NOW).due <= NOW + timedelta(seconds=1.1)
    assert policy.not_cancelled(asked_often, "1", NOW).due <= NOW + timedelta(seconds=1.1)
    assert policy.unsettled(answer(Outcome.UNKNOWN), asked_often, NOW).due <= NOW + timedelta(seconds=1.1)
    assert policy.after_lookup(AWAY, asked_often, NOW).due <= NOW + timedelta(seconds=1.1)


def test_what_fails_in_a_row_is_tried_less_and_less_often():
    failed = [tried(*[("cancel", "made")], *[("cancel", "unknown"), ("look up", "answered")] * times) for times in range(6)]

    waits = [policy.after_cancel(answer(Outcome.UNKNOWN), entry, NOW).due - NOW for entry in failed]

    assert waits == sorted(waits)
    assert waits[0] < timedelta(seconds=2)
    assert waits[-1] >= timedelta(minutes=1)


def test_a_cancel_that_waits_for_an_answer_looks_less_and_less_often():
    waits = [policy.unanswered_yet(ENTRY, NOW + timedelta(seconds=age)).due - NOW - timedelta(seconds=age) for age in (0, 1, 100, 10**6)]

    assert waits == sorted(waits)
    assert timedelta(0) < waits[0] <= waits[-1] == timedelta(minutes=1)
