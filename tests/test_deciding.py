"""The choke point: who is called, who is not, and who has to wait."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.deciding import Policy, may_cancel, weigh
from bridge.model import Contact, Event, Status
from bridge.rules import Rule

NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)  # a Monday, ten in New York
PHONE = "+12125550123"
EVENT = Event(
    source="crm",
    kind="generic",
    id="1",
    type="lead.created",
    fact="f",
    received_at=NOW,
    refs=("lead:1",),
    contact=Contact(phone=PHONE, phones=(PHONE,)),
)


def policy(*rules, **more):
    return Policy(rules=tuple(Rule.model_validate({"name": "r", **rule}) for rule in rules), **more)


def call(**more):
    return {"call": {"campaign": "welcome", **more}}


def seen(phone):
    return replace(EVENT, contact=Contact(phone=phone))


def test_a_lead_with_a_number_is_called():
    outlook = weigh(EVENT, policy(call()), NOW)

    assert (outlook.status, outlook.call.phone, outlook.call.campaign) == (Status.QUEUED, PHONE, "welcome")
    assert PHONE not in outlook.reason


def test_without_a_rule_it_is_ignored():
    assert weigh(EVENT, policy(), NOW).status is Status.IGNORED
    assert weigh(EVENT, policy({"on": "x"}), NOW).status is Status.IGNORED


@pytest.mark.parametrize("written", ["12", "call me", "+1", "0000000000"])
def test_what_cannot_be_read_as_a_number_is_called_by_nobody(written):
    outlook = weigh(seen(written), policy(call()), NOW)

    assert (outlook.status, outlook.call) == (Status.FAILED, None)


def test_a_national_number_is_read_in_the_sources_country():
    assert weigh(seen("(212) 555-0123"), policy(call(), regions={"crm": "US"}), NOW).call.phone == PHONE
    assert weigh(seen("(212) 555-0123"), policy(call()), NOW).status is Status.FAILED


def test_a_person_without_a_number_waits():
    outlook = weigh(replace(EVENT, contact=None), policy(call()), NOW)

    assert (outlook.status, outlook.at) == (Status.WAITING, None)


@pytest.mark.parametrize(("age", "status"), [(timedelta(hours=1), Status.QUEUED), (timedelta(hours=1, seconds=1), Status.SUPPRESSED)])
def test_a_fact_expires(age, status):
    assert weigh(replace(EVENT, occurred_at=NOW - age), policy(call(expires="1h")), NOW).status is status


@pytest.mark.parametrize(
    ("mode", "status"),
    [
        ({"mode": "shadow"}, Status.SUPPRESSED),
        ({"mode": "allowlist"}, Status.SUPPRESSED),
        ({"mode": "allowlist", "allowlist": frozenset({PHONE})}, Status.QUEUED),
        ({"mode": "live"}, Status.QUEUED),
    ],
)
def test_the_mode_decides_who_may_be_called(mode, status):
    assert weigh(EVENT, policy(call(), **mode), NOW).status is status


def test_outside_call_hours_it_waits_for_them():
    outlook = weigh(EVENT, policy(call(hours={"from": "12:00", "to": "13:00"})), NOW)

    assert outlook.status is Status.WAITING
    opening = NOW + timedelta(hours=2)
    assert opening <= outlook.at < opening + timedelta(minutes=5)
    assert weigh(EVENT, policy(call(hours={"from": "12:00", "to": "13:00"})), outlook.at).status is Status.QUEUED


@pytest.mark.parametrize("number", range(20))
def test_a_window_shorter_than_the_spread_still_comes(number):
    rules = policy(call(hours={"from": "12:00", "to": "12:01"}))
    event = replace(EVENT, id=str(number))

    assert weigh(event, rules, weigh(event, rules, NOW).at).status is Status.QUEUED


def test_who_lives_nobody_knows_where_is_not_called():
    event = replace(EVENT, contact=Contact(phone=PHONE, time_zone="Mars/Olympus"))

    outlook = weigh(event, policy(call(hours={"from": "00:00", "to": "23:59"})), NOW)

    assert outlook.status is Status.WAITING
    assert outlook.at > NOW


def test_hours_that_never_come_in_every_zone_of_a_number_are_for_an_operator():
    event = replace(EVENT, contact=Contact(phone="+18005550123"))  # a toll-free number may be anywhere in North America

    outlook = weigh(event, policy(call(hours={"from": "09:00", "to": "10:00"})), NOW)

    assert outlook.status is Status.FAILED
    assert "widen" in outlook.reason


def test_a_cancel_goes_before_the_call_of_the_same_rule():
    outlook = weigh(EVENT, policy({**call(), "cancel": {"campaigns": ["other"]}}), NOW)

    assert outlook.cancel.campaigns == ("other",)
    assert outlook.call is not None


def test_a_cancel_does_not_ask_for_a_number_hours_or_mode():
    outlook = weigh(replace(EVENT, contact=None), policy({"cancel": {}}, mode="shadow"), NOW)

    assert (outlook.status, outlook.call) == (Status.QUEUED, None)
    assert outlook.cancel is not None


def test_a_rule_that_does_nothing_says_so():
    assert weigh(EVENT, policy({}), NOW).status is Status.IGNORED


def test_what_could_turn_out_to_cancel_is_known_by_its_type():
    rules = policy({"on": "lead.*", "where": "fields.no", "cancel": {}}).rules

    assert may_cancel(EVENT, rules)
    assert not may_cancel(replace(EVENT, type="deal.created"), rules)


def test_the_same_event_is_decided_the_same_way_twice():
    rules = policy(call(hours={"from": "12:00", "to": "13:00"}, payload={"t": "type"}, schedule={"max_attempts": 2}))

    assert weigh(EVENT, rules, NOW) == weigh(EVENT, rules, NOW)
