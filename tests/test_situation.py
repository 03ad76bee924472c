"""What is held and why, and what somebody should look at."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.ledger import KnownIssue, Pause, Sample
from bridge.ledger.issues import State
from bridge.ledger.sampling import Held
from bridge.model import Status
from bridge.silence import Silence
from bridge.situation import HELD, Situation, kinds

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
EMPTY = Sample(0, None, ())
WELL = Situation(at=NOW, statuses={}, samples=dict.fromkeys(HELD, EMPTY), workers=1)
ISSUE = KnownIssue(
    fingerprint="f1",
    source="crm",
    campaign="welcome",
    cause="c",
    reason="r",
    sample="crm:1",
    count=9,
    failed=4,
    first=NOW,
    last=NOW,
    state=State.OPEN,
)


def held(*reasons):
    return tuple(Held(f"crm:{place}", reason, "welcome") for place, reason in enumerate(reasons))


def unknown(minutes):
    return {**WELL.samples, Status.UNKNOWN: Sample(3, NOW - timedelta(minutes=minutes), held("no answer came"))}


def test_reasons_that_differ_in_names_and_numbers_are_of_one_kind():
    sample = Sample(3, NOW, held("waits until 2026-11-23T09:00:00Z", "waits until 2026-11-24T09:00:00Z", "no phone number yet"))
    most, other = kinds(Status.WAITING, sample)

    assert (most.count, most.exact, most.told) == (2, True, "waits until 2026-11-23T09:00:00Z")
    assert (other.count, other.says) == (1, "no phone number yet")
    assert most.says == "waits until"


def test_of_many_the_sample_stands_for_all():
    (kind,) = kinds(Status.PARKED, Sample(1000, NOW, held("stopped", "stopped")))

    assert (kind.count, kind.exact) == (1000, False)


def test_what_holds_most_comes_first():
    samples = {Status.WAITING: Sample(1, NOW, held("a")), Status.UNKNOWN: EMPTY, Status.PARKED: Sample(2, NOW, held("b", "b"))}

    assert [(kind.status, kind.count) for kind in replace(WELL, samples=samples).kinds] == [(Status.PARKED, 2), (Status.WAITING, 1)]


def test_words_to_search_by_are_short():
    (kind,) = kinds(Status.WAITING, Sample(1, NOW, held("word " * 40)))

    assert len(kind.says) <= 60
    assert kind.told.startswith(kind.says)


def test_when_all_is_well_there_is_nothing_to_look_at():
    assert WELL.remarks == []


@pytest.mark.parametrize(
    ("change", "level", "what", "told"),
    [
        ({"workers": 0}, "bad", "workers", "No worker is running"),
        ({"past_due": 1}, "bad", "past_due", "1 event is past due"),
        ({"past_due": 1200}, "bad", "past_due", "1,200 events are past due"),
        ({"alone": {"welcome": NOW - timedelta(hours=2)}}, "bad", "campaign", "The platform has not answered for campaign welcome for 2 h"),
        ({"alone": {"welcome": NOW - timedelta(seconds=20)}}, "bad", "campaign", "The platform does not answer for campaign welcome; calls wait"),
        ({"issues": [ISSUE]}, "bad", "issues", "1 issue is open, with 4 failed events"),
        ({"issues": [ISSUE, replace(ISSUE, failed=1), replace(ISSUE, state=State.RESOLVED)]}, "bad", "issues", "2 issues are open, with 5 failed"),
        ({"samples": unknown(16)}, "doubtful", "unknown", "Of 3 calls it is not known whether they were made, the oldest for 16 min"),
        ({"silent": [Silence("amocrm", NOW - timedelta(hours=3), timedelta(hours=2))]}, "doubtful", "source", "amocrm has delivered nothing for 3 h"),
        ({"spooled": 2}, "doubtful", "spool", "2 deliveries wait on this host's disk"),
    ],
)
def test_what_somebody_should_look_at(change, level, what, told):
    (remark,) = replace(WELL, **change).remarks

    assert (remark.level, remark.what) == (level, what)
    assert remark.told.startswith(told)


@pytest.mark.parametrize("change", [{"samples": unknown(14)}, {"issues": [replace(ISSUE, state=State.ACKNOWLEDGED)]}])
def test_what_nobody_needs_to_look_at(change):
    assert replace(WELL, **change).remarks == []


def test_the_worst_comes_first():
    remarks = replace(WELL, spooled=1, past_due=1).remarks

    assert [remark.level for remark in remarks] == ["bad", "doubtful"]


def test_it_is_told_as_json():
    pause = Pause(scope="source:crm", by="anna", at=NOW)
    told = replace(WELL, samples=unknown(16), pauses={"source:crm": pause}, issues=[ISSUE]).document()

    assert told["held"] == [{"status": "unknown", "reason": "no answer came", "count": 3, "exact": False}]
    assert told["oldest"] == {"unknown": "2026-11-23T11:44:00Z"}
    assert (told["paused"], told["open_issues"], len(told["remarks"])) == (["source:crm"], 1, 2)
