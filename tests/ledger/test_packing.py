"""What is packed is what it was; and what somebody reads of a finished event is all that there was."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.ledger import NewEntry
from bridge.ledger.packing import pack, unpack
from bridge.model import Attempt, Status

ATTEMPT = {"what": "call", "outcome": "made", "note": "call job made", "seconds": 0.05, "status": 200, "worker": "w"}


@given(st.text())
def test_a_text_that_was_packed_is_the_same_text(text):
    assert unpack(pack(text).decode("utf-8", "surrogateescape")) == text


@pytest.mark.parametrize("other", ["", "{}", "\x02abc"])
def test_what_was_not_packed_is_not_taken_for_it(other):
    with pytest.raises(ValueError, match="not packed"):
        unpack(other)


def finished(desk, status=Status.FAILED):
    """An event that was tried twice, and what its last worker knew of it."""
    desk.accept("e1")
    (entry,) = desk.claim()
    desk.call(entry)
    attempts = [Attempt(at=desk.now, **ATTEMPT)]
    desk.record(entry, Status.WAITING, attempts=attempts, trace=("rule: matches",), wait=1)
    desk.later(seconds=2)
    (entry,) = desk.claim()
    desk.call(entry)
    desk.record(entry, status, attempts=attempts, cancels=({"id": "7", "outcome": "cancelled"},))
    return entry


def test_of_a_finished_event_everything_is_read_as_before(desk):
    before = finished(desk)

    after = desk.entry("e1")

    assert (after.event, after.trace, after.request) == (before.event, ("rule: matches",), before.request)
    assert [attempt["outcome"] for attempt in after.attempts] == ["made", "made"]
    assert after.cancels == ({"id": "7", "outcome": "cancelled"},)
    kept = desk.redis.hkeys("callbridge:1:event:e1")
    assert "packed" in kept
    assert not {"document", "attempts", "request", "trace", "cancels"} & set(kept)


@pytest.mark.parametrize("keep", [True, False])
def test_a_replayed_event_knows_what_was_tried_and_its_request_only_where_that_is_sent_again(desk, keep):
    before = finished(desk)
    again = NewEntry(key="e1", status=Status.QUEUED, reason="", event=before.event)

    assert desk.ledger.replay(again, desk.now, keep_request=keep) == ""

    (after,) = desk.claim()
    assert len(after.attempts) == 2
    assert after.request == (before.request if keep else None)
    assert "packed" not in desk.redis.hkeys("callbridge:1:event:e1")


def test_a_request_that_the_last_worker_does_not_know_is_not_lost(desk):
    desk.accept("e1")
    (entry,) = desk.claim()
    desk.call(entry)

    desk.record(entry, Status.DONE, jobs=("7",))  # as it was claimed, before there was a request

    assert desk.entry("e1").request is not None


def test_an_event_that_is_ignored_keeps_its_document(desk):
    desk.accept("e1", status=Status.IGNORED, trace=("no rule",))

    assert (desk.entry("e1").event, desk.entry("e1").trace) == (desk.new_event("e1"), ("no rule",))
    again = NewEntry(key="e1", status=Status.IGNORED, reason="still", event=replace(desk.new_event("e1"), fields={"a": 1}))
    desk.ledger.replay(again, desk.now + timedelta(seconds=1))
    assert desk.entry("e1").event.fields == {"a": 1}
