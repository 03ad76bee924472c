"""The first sentence of an event's page."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.deciding import Policy, said_no, weigh
from bridge.model import OPERATOR, Contact, Entity, Entry, Event, Stage, Status, iso
from bridge.rules import Rule
from bridge.telling import Circumstances, Tone, tell, what_happened

NOW = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
EVENT = Event(
    source="crm",
    kind="generic",
    id="e1",
    type="lead.created",
    fact="f",
    received_at=NOW,
    entity=Entity("lead", "7"),
    contact=Contact(phone="+12125550123", phones=("+12125550123",)),
)
ENTRY = Entry(key="crm:e1", status=Status.QUEUED, was=Status.QUEUED, reason="rule 'call' matched", event=EVENT, accepted_at=NOW, campaign="welcome")


def entry(status, reason="so it is", **more):
    return replace(ENTRY, status=Status(status), reason=reason, **more)


def another(key="crm:e2", *, after=timedelta(minutes=5), **more):
    event = replace(EVENT, id=key.partition(":")[2], type="deal.stage_changed", entity=Entity("deal", "555"), stage=Stage(after="closedlost"))
    return replace(ENTRY, key=key, event=more.pop("event", event), accepted_at=NOW + after, **{"status": Status.DONE, "reason": "done", **more})


def called(**more):
    attempts = ({"at": iso(NOW + timedelta(minutes=3)), "what": "call", "outcome": "made"},)
    return entry("done", "call job 5665 was made", jobs=("5665",), attempts=attempts, **more)


def told(of, *others, due=None, calls=True):
    return tell(of, Circumstances(others=others, due=due, calls=calls), NOW)


def test_who_was_called_was_called_at_some_time():
    assert told(called()).text == "Called: call job 5665 was made in campaign welcome, 3 min after the lead came in."
    assert told(called()).tone is Tone.GOOD


def test_a_call_that_was_cancelled_was_called_off():
    cancel = another(cancels=({"id": "5665", "campaign": "welcome", "outcome": "cancelled"},))

    assert told(called(), cancel).text == (
        "Called off: call job 5665 was made in campaign welcome, 3 min after the lead came in, and was cancelled: "
        "deal 555 moved to closedlost (crm:e2)."
    )
    assert told(called(), cancel).named == ("crm:e2",)


def test_a_cancel_that_came_too_late_is_not_called_one():
    late = another(cancels=({"id": "5665", "campaign": "welcome", "outcome": "already finished (success)"},))

    text = told(called(), late).text

    assert text.startswith("Called: ")
    assert text.endswith("It was to be cancelled, but it was already finished (success): deal 555 moved to closedlost (crm:e2).")


@pytest.mark.parametrize("cancels", [({"id": "5665"},), ({"id": "1", "outcome": "cancelled"},)])
def test_a_cancel_of_something_else_or_without_an_outcome_changes_nothing(cancels):
    assert told(called(), another(cancels=cancels)).text.startswith("Called: ")


def test_who_waits_for_the_hour_will_be_called_at_one():
    rule = Rule.model_validate({"name": "r", "call": {"campaign": "welcome", "hours": {"days": ["mon"], "from": "09:00", "to": "20:00"}}})
    outlook = weigh(EVENT, Policy(rules=(rule,)), NOW)

    text = told(entry(outlook.status, outlook.reason), due=outlook.at).text

    assert text == (f"Will be called at {outlook.at:%Y-%m-%d %H:%M} UTC, in 5 h: outside call hours: waits for mon 09:00–20:00 in America/New_York.")


@pytest.mark.parametrize(
    ("status", "due", "calls", "text"),
    [
        ("queued", None, True, "Not called yet: accepted, and next in line."),
        ("running", NOW + timedelta(seconds=20), True, "Not called yet: being worked on right now."),
        ("queued", None, False, "Not done yet: accepted, and next in line."),
        ("waiting", NOW + timedelta(minutes=7), True, "Not called yet: so it is. It goes on by itself in 7 min."),
        ("waiting", NOW, True, "Not called yet: so it is."),
        (
            "waiting",
            NOW - timedelta(hours=6),
            True,
            "Overdue: a worker should have looked at it 6 h ago. Is one running? It is waiting: so it is.",
        ),
        ("parked", NOW + timedelta(minutes=7), True, "Not called yet, and held: so it is."),
        ("unknown", NOW + timedelta(seconds=9), True, "Being found out whether the call was made: so it is. It goes on by itself in 9 s."),
        ("suppressed", None, True, "Not called: so it is."),
        ("ignored", None, True, "Not called: so it is."),
        ("failed", None, True, "Not called: so it is."),
        ("failed", None, False, "Failed: so it is."),
        ("done", None, False, "Done: so it is."),
    ],
)
def test_every_status_has_its_sentence(status, due, calls, text):
    assert told(entry(status), due=due, calls=calls).text == text


def test_who_was_stopped_is_told_by_what():
    stopped = entry("suppressed", said_no("stopped", "crm:e2"))

    assert told(stopped, another()).text == (
        "Not called: deal 555 moved to closedlost (crm:e2), 5 min after the lead came in. Only something newer may have this person called again."
    )
    assert told(stopped).text.startswith("Not called: stop mark: crm:e2 says")


def test_who_was_stopped_while_waiting_for_the_hour_is_told_how_close_it_was():
    stopped = entry("suppressed", said_no("stopped", "crm:e2"), planned_at=NOW + timedelta(minutes=5, seconds=40))

    assert told(stopped, another()).text.startswith(
        "Not called: deal 555 moved to closedlost (crm:e2), 40 s before the call was due in its call hours, at 2026-11-23 08:45 UTC. Only"
    )
    assert ", 6 min after the lead came in." in told(stopped, another(after=timedelta(minutes=6))).text


def test_an_operators_order_is_called_one():
    order = replace(EVENT, source=OPERATOR, kind=OPERATOR, type="calls.cancel", entity=None)

    text = told(entry("suppressed", said_no("stopped", "operator:c1")), another("operator:c1", event=order, after=timedelta(seconds=-40))).text

    assert text.startswith("Not called: an operator ordered it (operator:c1), 40 s before the lead came in.")


def test_of_two_events_that_tell_the_same_the_other_is_named_with_what_came_of_it():
    twin = entry("suppressed", said_no("told", "crm:e2"))

    assert told(twin, another(jobs=("77",))).text == (
        "Not called: it tells the same as crm:e2, 5 min after the lead came in; call job 77 was made for that one in campaign welcome."
    )
    assert told(twin, another(status=Status.FAILED, reason="refused.")).text.endswith("that one is failed: refused.")


def test_whoever_was_called_for_something_else_is_not_called_uncalled():
    text = told(entry("ignored", "no rule is for it"), another(jobs=("77",))).text

    assert text == (
        "Not called: no rule is for it. For another event of the same person there was a call: call job 77 in campaign welcome (crm:e2, 5 min after)."
    )


def test_somebody_who_was_forgotten_stays_so():
    assert "forgotten" in told(replace(called(), event=EVENT.forgotten())).text


@pytest.mark.parametrize(
    ("type_", "text"),
    [("lead.created", "a lead was created"), ("order.deleted", "an order was deleted"), ("form.sent", "form.sent"), ("hello", "hello")],
)
def test_an_event_of_no_record_is_told_by_its_type(type_, text):
    assert what_happened(replace(EVENT, type=type_, entity=None)) == text


def test_a_call_for_something_else_that_was_cancelled_is_not_told_as_one_that_was_made():
    instead = another("crm:e2", jobs=("5666",))
    cancel = another("crm:e3", after=timedelta(minutes=6), cancels=({"id": "5666", "campaign": "welcome", "outcome": "cancelled"},))

    text = told(entry("suppressed", "expired"), instead, cancel).text

    assert text.endswith("there was a call, which was cancelled: call job 5666 in campaign welcome (crm:e2, 5 min after).")
