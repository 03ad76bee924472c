"""Rules: the first that matches wins, and what is not known yet is not guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.model import Prospect
from bridge.rules import Rule, candidates, decide, wanted_fields

DOCUMENT = {"source": "crm", "type": "deal.created", "fields": {"a": "x"}, "contact": {"phone": "+1"}, "refs": []}


def rule(name="r", **more):
    return Rule.model_validate({"name": name, **more})


def names(decision):
    return decision.rule.name if decision.rule else None


def test_the_first_rule_that_matches_wins():
    decision = decide(DOCUMENT, [rule("no", on="lead.*"), rule("one", on="deal.*"), rule("two")])

    assert names(decision) == "one"
    assert decision.trace == ("no: on lead.*, not deal.created", "one: matches")


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"source": "other"}, None),
        ({"source": ["other", "crm"]}, "r"),
        ({"on": "deal.created"}, "r"),
        ({"on": ["lead.*", "deal.*"]}, "r"),
        ({"on": "deal"}, None),
        ({"where": "fields.a == 'x'"}, "r"),
        ({"where": "fields.a == 'y'"}, None),
        ({}, "r"),
    ],
)
def test_a_rule_matches_by_source_type_and_where(where, expected):
    assert names(decide(DOCUMENT, [rule(**where)])) == expected


def test_no_rules_is_a_reason():
    assert decide(DOCUMENT, []).reason == "no rules are configured"


@pytest.mark.parametrize("where", ["fields.stage == 'won'", "fields.stage != 'won'", "!(fields.do_not_call)"])
def test_what_depends_on_an_absent_field_waits_for_the_crm_whatever_its_absence_would_mean(where):
    rules = [rule("first", where=where), rule("second")]

    assert decide(DOCUMENT, rules, Prospect(can_look_up=True)).missing != ()
    assert names(decide(DOCUMENT, rules, Prospect(can_look_up=True))) == "first"
    assert decide(DOCUMENT, rules).missing == ()


def test_what_no_look_up_can_bring_is_decided_without_one():
    assert names(decide(DOCUMENT, [rule(where="stage.to == 'won'"), rule("next")], Prospect(can_look_up=True))) == "next"


def test_a_rule_for_others_needs_nothing():
    rules = [rule("other", on="lead.*", where="fields.no"), rule("ours")]

    assert (names(decide(DOCUMENT, rules, Prospect(can_look_up=True))), decide(DOCUMENT, rules, Prospect(can_look_up=True)).missing) == ("ours", ())


@pytest.mark.parametrize(
    ("call", "missing"),
    [
        ({"campaign": "c"}, ()),
        ({"campaign": "c", "phone": "contact.mobile"}, ("contact.mobile",)),
        ({"campaign": "c", "phone": "contact.mobile || contact.phone"}, ()),
        ({"campaign": "c", "payload": {"name": "contact.name", "b": "fields.b", "a": "fields.a"}}, ("contact.name", "fields.b")),
        ({"campaign": "c", "hours": {"from": "09:00", "to": "20:00"}}, ("contact.time_zone",)),
    ],
)
def test_a_call_waits_for_what_it_needs(call, missing):
    assert decide(DOCUMENT, [rule(call=call)], Prospect(can_look_up=True)).missing == missing
    assert names(decide(DOCUMENT, [rule(call=call)])) == "r"


def test_what_rules_read_of_a_record_is_what_a_look_up_asks_for():
    rules = [rule(where="fields.stage == 'x' && contact.name"), rule(call={"campaign": "c", "payload": {"x": "fields.amount"}})]

    assert wanted_fields(rules) == ("amount", "stage")


def test_candidates_are_told_by_source_and_type_alone():
    rules = [rule("a", on="lead.*"), rule("b", where="fields.no"), rule("c", source="other")]

    assert [each.name for each in candidates(DOCUMENT["source"], DOCUMENT["type"], rules)] == ["b"]


CONDITIONS = st.sampled_from(
    [None, "fields.a == 'x'", "fields.a != 'x'", "!(fields.b)", "fields.b == 'x' && fields.a", "fields.b || fields.c", "contact.name"]
)
RULES = st.lists(st.tuples(CONDITIONS, st.booleans()), max_size=4).map(
    lambda drawn: [
        rule(f"r{place}", **({"where": where} if where else {}), **({"call": {"campaign": "c", "payload": {"n": "fields.c"}}} if call else {}))
        for place, (where, call) in enumerate(drawn)
    ]
)
FIELDS = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["x", "y", "", None]))


@given(RULES, FIELDS, FIELDS, st.booleans())
def test_what_was_decided_before_a_look_up_stays_decided_after_it(rules, known, learned, named):
    before = {**DOCUMENT, "fields": known}
    after = {**DOCUMENT, "fields": {**learned, **known}, "contact": {"phone": "+1", **({"name": "Alex"} if named else {})}}

    decision = decide(before, rules, Prospect(can_look_up=True))

    if not decision.missing:
        assert names(decide(after, rules)) == names(decision)


@given(RULES, FIELDS)
def test_nothing_is_missing_where_nobody_can_be_asked(rules, known):
    assert decide({**DOCUMENT, "fields": known}, rules).missing == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"where": "fields."},
        {"where": 3},
        {"call": {"campaign": "c", "payload": {"phone": "contact.phone"}}},
        {"call": {"campaign": "c", "hours": {"from": "20:00", "to": "09:00"}}},
        {"call": {"campaign": "c", "schedule": {"retry_interval": "90s"}}},
        {"call": {"campaign": "c", "schedule": {"retry_interval": "49h"}}},
        {"cancel": {"campaign": "c"}},
        {"unknown": 1},
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(wrong):
    with pytest.raises(ValidationError):
        rule(**wrong)


@pytest.mark.parametrize("bare", [None, True, {}])
def test_a_bare_cancel_means_every_campaign(bare):
    assert rule(cancel=bare).cancel.campaigns is None


def test_a_rule_for_what_an_event_may_turn_out_to_be_waits_for_the_look_up():
    rules = [rule("moved", on="deal.stage_changed"), rule("edited", on="deal.updated")]
    document = {**DOCUMENT, "type": "deal.updated"}
    prospect = Prospect(can_look_up=True, types=("deal.stage_changed",))

    undecided = decide(document, rules, prospect)

    assert (names(undecided), undecided.missing) == ("moved", ("type",))
    assert [found.name for found in candidates(document["source"], document["type"], rules, prospect)] == ["moved", "edited"]
    assert names(decide(document, rules)) == "edited"
