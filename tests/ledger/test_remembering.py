"""Counters, issues and who did what."""

from datetime import timedelta
from itertools import pairwise

import pytest

from bridge.ledger import Act, Audit, Issues, Totals
from bridge.ledger.issues import State
from bridge.model import Attempt, Status


@pytest.fixture
def issues(redis):
    return Issues(redis)


@pytest.fixture
def totals(redis):
    return Totals(redis)


def fail(desk, key, reason="refused: it has 3 numbers"):
    desk.accept(key, refs=(f"lead:{key}",))
    (entry,) = desk.claim()
    desk.record(entry, Status.FAILED, reason=reason)


def test_totals_count_what_came_in_what_became_of_it_and_how_long_it_took(desk, totals):
    desk.accept("e1")
    desk.accept("e1")
    (entry,) = desk.claim()
    desk.later(seconds=3)
    tried = Attempt(at=desk.now, what="call", outcome="made", note="", seconds=0.1)
    desk.record(entry, campaign="welcome", attempts=(tried,))
    desk.accept("e2", status=Status.IGNORED)

    assert totals.now(desk.now).totals == {
        "accepted|crm": 2,
        "duplicates|crm": 1,
        "finished|crm|welcome|done": 1,
        "finished|crm||ignored": 1,
        "attempts|welcome|call|made": 1,
        "took|welcome|5": 1,
        "took_ms|welcome": 3000,
    }
    assert totals.now(desk.now).statuses["done"] == 1
    assert totals.heard() == {"crm": desk.now}


def test_an_attempt_that_another_worker_recorded_is_counted_and_its_end_is_not(desk, totals):
    desk.accept("e1")
    (entry,) = desk.claim("w1")
    desk.later(seconds=30)
    desk.claim("w2")
    tried = Attempt(at=desk.now, what="call", outcome="unknown", note="", seconds=0.1)

    desk.record(entry, worker="w1", attempts=(tried,))

    assert totals.now(desk.now).totals == {"accepted|crm": 1, "attempts|crm|call|unknown": 1}


def test_totals_are_noted_once_a_minute_and_kept_for_a_time(desk, totals):
    for second in range(0, 240, 20):
        totals.note(desk.now + timedelta(seconds=second))
    desk.later(seconds=240)

    noted = totals.since("minute", desk.now - timedelta(minutes=10))

    assert [(later.at - sooner.at).total_seconds() for sooner, later in pairwise(noted)] == [60, 60, 60]
    totals.note(desk.now + timedelta(hours=4))
    assert len(totals.since("minute", desk.now - timedelta(hours=1))) == 1
    assert len(totals.since("hour", desk.now - timedelta(hours=1))) == 2


def test_failures_of_one_kind_are_one_issue(desk, issues):
    fail(desk, "e1")
    desk.later(minutes=1)
    fail(desk, "e2", "refused: it has 14 numbers")
    fail(desk, "e3", "gave up after 24 h: no answer")

    (late, early) = issues.all()

    assert {(issue.count, issue.failed, issue.cause) for issue in (late, early)} == {
        (2, 2, "refused: it has … numbers"),
        (1, 1, "gave up after … h: no answer"),
    }
    both = early if early.count == 2 else late
    assert (both.sample, both.last - both.first, both.state) == ("e2", timedelta(minutes=1), State.OPEN)


def test_a_resolved_issue_opens_again_by_itself(desk, issues):
    fail(desk, "e1")
    (issue,) = issues.all()
    assert issues.change(issue.fingerprint, State.RESOLVED, "Anna", desk.now)
    assert issues.all()[0].state is State.RESOLVED

    desk.later(hours=1)
    fail(desk, "e2")

    (again,) = issues.all()
    assert (again.state, again.reopened, again.count) == (State.OPEN, desk.now, 2)


def test_an_acknowledged_issue_stays_acknowledged(desk, issues):
    fail(desk, "e1")
    issues.change(issues.all()[0].fingerprint, State.ACKNOWLEDGED, "Anna", desk.now)

    fail(desk, "e2")

    assert (issues.all()[0].state, issues.all()[0].by) == (State.ACKNOWLEDGED, "Anna")


def test_what_was_replayed_counts_among_the_failed_no_more(desk, issues):
    fail(desk, "e1")

    assert desk.replay("e1") == ""

    assert (issues.all()[0].count, issues.all()[0].failed) == (1, 0)


def test_there_is_no_changing_an_issue_that_is_not_there(desk, issues):
    assert not issues.change("nothing", State.RESOLVED, "Anna", desk.now)


def test_an_issue_that_was_not_seen_for_as_long_as_anything_is_kept_is_forgotten(desk, issues):
    fail(desk, "e1")
    desk.later(days=91)

    desk.ledger.sweep(10, desk.now)

    assert issues.all() == []


def test_who_did_what_is_told_of_all_and_of_one(desk, redis):
    audit = Audit(redis, desk.ledger.retention)
    audit.write(Act(at=desk.now, by="Anna", what="replayed", targets=("crm:e1", "phone:+1"), note="they asked"))
    audit.write(Act(at=desk.now + timedelta(minutes=1), by="Ben", what="paused all calling"))

    assert [(act.by, act.what) for act in audit.last()] == [("Ben", "paused all calling"), ("Anna", "replayed")]
    assert [act.note for act in audit.of(["phone:+1", "crm:e1"])] == ["they asked"]
    assert audit.of(["crm:e2"]) == []
