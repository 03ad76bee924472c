"""Attio: its signature, what a webhook may be about, both keys, and the look-ups that decide what has happened, by hand and over HTTP."""

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, Stage, Unparsed
from bridge.sources.attio import Attio, AttioSettings

SECRET, TOKEN = "b0f2c7a1d5e94c3f8a6e7d2b1c0f9e8d", "0123456789abcdef"
AT = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
WORKSPACE, PEOPLE, DEALS, LEADS, COMPANIES, OUTREACH, PIPELINE = (f"{number:08x}-0000-4000-8000-000000000000" for number in range(1, 8))
RECORDS = {PEOPLE: "contact", DEALS: "deal", LEADS: "lead", OUTREACH: "lead", PIPELINE: "deal"}
STAGE, TITLE = "41252299-f8c7-4b5e-99c9-4ff8321d2f96", "09b83ceb-dc4f-4d14-be9e-cfaf94fde485"
IN_PROGRESS, WON = "11f07f01-c10f-4e05-a522-33e050bc52ee", "527def35-7994-4ef7-9584-80ef8de352a8"
OFFICE, MOBILE = "+12813322575", "+12813322576"


def attio(**settings) -> Attio:
    return Attio("attio", AttioSettings(**{"kind": "attio", "secret": SECRET, "api_token": TOKEN, "records": RECORDS, "region": "US", **settings}))


def refusal(source: Attio, delivery: Delivery) -> Refusal:
    with pytest.raises(Unverified) as refused:
        source.verify(delivery, AT)
    return refused.value.refusal


# Who may send.

BODY = b'{"webhook_id": "1", "events": []}'
SIGNATURE = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("header", ["Attio-Signature", "X-Attio-Signature"])
def test_the_body_is_signed_with_the_secret_as_it_is_written(header, delivered):
    attio().verify(delivered(BODY, {header: SIGNATURE}), AT)
    attio().verify(delivered(BODY, {header: SIGNATURE.upper()}), AT)


@pytest.mark.parametrize(
    ("body", "signature"), [(BODY + b" ", SIGNATURE), (BODY, "0" * 64), (BODY, SIGNATURE[:-1]), (BODY, hashlib.sha256(BODY).hexdigest())]
)
def test_any_other_signature_is_refused(body, signature, delivered):
    assert refusal(attio(), delivered(body, {"Attio-Signature": signature})) is Refusal.WRONG_SIGNATURE


def test_a_wrong_signature_is_not_made_up_for_by_the_header_for_old_middleware(delivered):
    assert refusal(attio(), delivered(BODY, {"Attio-Signature": "0", "X-Attio-Signature": SIGNATURE})) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize("headers", [{}, {"Attio-Signature": ""}, {"Authorization": f"Bearer {SECRET}"}, {"X-Webhook-Secret": SECRET}])
def test_without_a_signature_nobody_is_believed(headers, delivered):
    assert refusal(attio(), delivered(BODY, headers)) is Refusal.MISSING


def test_while_the_secret_is_changed_both_are_good(delivered):
    attio(secret=["new", SECRET]).verify(delivered(BODY, {"Attio-Signature": SIGNATURE}), AT)
    assert refusal(attio(secret=["new"]), delivered(BODY, {"Attio-Signature": SIGNATURE})) is Refusal.WRONG_SIGNATURE
    assert refusal(attio(secret=[]), delivered(BODY, {"Attio-Signature": SIGNATURE})) is Refusal.NO_SECRET


@pytest.mark.parametrize("records", [{"people": "contact"}, {DEALS: "company"}, {"": "deal"}])
def test_records_are_told_by_their_ids_and_are_what_we_know(records):
    with pytest.raises(ValidationError):
        attio(records=records)


# What a webhook means.


def record(action: str, holder: str, record_id: str = "r1", **more) -> dict:
    attribute = {"attribute_id": more.pop("attribute")} if "attribute" in more else {}
    ids = {"workspace_id": WORKSPACE, "object_id": holder, "record_id": record_id, **attribute}
    return {"event_type": f"record.{action}", "id": ids, "actor": {"type": "workspace-member", "id": "m1"}, **more}


def entry(action: str, holder: str, parent: str = PEOPLE, **more) -> dict:
    attribute = {"attribute_id": more.pop("attribute")} if "attribute" in more else {}
    ids = {"workspace_id": WORKSPACE, "list_id": holder, "entry_id": "e1", **attribute}
    return {"event_type": f"list-entry.{action}", "id": ids, "parent_object_id": parent, "parent_record_id": "p1", **more}


def message(*events: dict) -> dict:
    return {"webhook_id": "w1", "events": list(events)}


@pytest.fixture
def told(read):
    """The event of a message with this one in it."""
    return lambda element, key="k1", **settings: read(attio(**settings), message(element), headers={"idempotency-key": key} if key else {})


@pytest.mark.parametrize(
    ("element", "kind", "entity"),
    [
        (record("created", PEOPLE), "contact.created", Entity("contact", "r1")),
        (record("updated", PEOPLE, attribute=TITLE), "contact.updated", Entity("contact", "r1")),
        (record("deleted", PEOPLE), "contact.deleted", Entity("contact", "r1")),
        (record("merged", PEOPLE), "contact.updated", Entity("contact", "r1")),
        (record("created", DEALS), "deal.created", Entity("deal", "r1")),
        (record("updated", DEALS, attribute=STAGE), "deal.updated", Entity("deal", "r1")),
        (record("deleted", LEADS), "lead.deleted", Entity("lead", "r1")),
        (record("created", DEALS.upper()), "deal.created", Entity("deal", "r1")),
        (entry("created", OUTREACH), "lead.created", Entity("lead", "e1")),
        (entry("updated", PIPELINE, attribute=STAGE), "deal.updated", Entity("deal", "e1")),
        (entry("deleted", PIPELINE), "deal.deleted", Entity("deal", "e1")),
        (record("created", COMPANIES), "unknown", Entity("record", "r1")),
        (entry("created", COMPANIES), "unknown", Entity("list-entry", "e1")),
        (entry("created", PEOPLE), "unknown", Entity("list-entry", "e1")),
        (record("exploded", DEALS), "unknown", Entity("deal", "r1")),
        ({"event_type": "task.created", "id": {"workspace_id": WORKSPACE, "task_id": "t1"}}, "unknown", Entity("task", "t1")),
        ({"event_type": "call-recording.created", "id": {"call_recording_id": "c1"}}, "unknown", Entity("call-recording", "c1")),
        ({"event_type": "record.created", "id": {"object_id": DEALS}}, "unknown", None),
        ({"event_type": "record.created", "id": None}, "unknown", None),
    ],
)
def test_what_a_record_is_here_the_configuration_says(element, kind, entity, told):
    event = told(element)

    assert (event.type, event.entity, event.stage, event.occurred_at) == (kind, entity, None, None)


def test_without_configuration_everything_is_unknown_and_shows_the_ids_that_are_needed(told):
    event = told(record("updated", DEALS, attribute=STAGE), records={})

    assert event.type == "unknown"
    assert (event.fields["object_id"], event.fields["attribute_id"]) == (DEALS, STAGE)


def test_an_entry_tells_the_record_that_it_is_of(told):
    assert (told(entry("created", OUTREACH)).refs, told(entry("created", OUTREACH)).contact) == (("lead:e1", "contact:p1"), Contact(id="p1"))
    assert (told(entry("created", PIPELINE, DEALS)).refs, told(entry("created", PIPELINE, DEALS)).contact) == (("deal:e1", "deal:p1"), None)
    assert told(entry("created", PIPELINE, COMPANIES)).refs == ("deal:e1",)


def test_who_changed_it_can_be_asked_for_by_rules(told):
    assert told(record("created", DEALS)).fields["actor"] == {"type": "workspace-member", "id": "m1"}


def test_a_merge_is_a_change_of_the_record_that_is_left_and_ties_both_to_it(told):
    event = told(record("merged", PEOPLE, duplicate_object_id=PEOPLE, duplicate_record_id="r2"))

    assert (event.type, event.refs, event.contact) == ("contact.updated", ("contact:r1", "contact:r2"), Contact(id="r1"))


@pytest.mark.parametrize("element", [None, 7, "record.created", [], {}, {"event_type": None}, {"event_type": "created"}])
def test_each_event_of_a_message_stands_alone(element, read):
    first, broken, last = read(attio(), message(record("created", DEALS), element, record("created", PEOPLE)), headers={"idempotency-key": "k1"})

    assert isinstance(broken, Unparsed)
    assert [first.id, broken.id, last.id] == ["k1:0", "k1:1", "k1:2"]


@pytest.mark.parametrize("body", [None, [], 7, {}, {"events": None}, {"events": {}}])
def test_a_body_without_events_is_unreadable(body, read):
    with pytest.raises(Unreadable):
        read(attio(), body)


# Both keys.


def test_a_redelivery_is_told_by_its_header_and_another_message_too(told):
    element = record("updated", DEALS, attribute=STAGE)

    assert told(element, "k1").id == told(element, "k1").id == "k1:0"
    assert told(element, "k2").id == "k2:0"
    assert told(element, "k1").window is None


@pytest.mark.parametrize("action", ["created", "deleted", "merged"])
def test_what_happens_once_is_one_fact_whichever_webhook_tells_it(action, told):
    first, second = told(record(action, PEOPLE), "k1"), told(record(action, PEOPLE), "k2")

    assert first.id != second.id
    assert first.fact == second.fact


def test_both_halves_of_a_merge_are_one_fact(told):
    halves = [told(record("merged", PEOPLE, duplicate_object_id=PEOPLE, duplicate_record_id=other), other) for other in ("r2", "r3")]

    assert halves[0].fact == halves[1].fact


def test_what_a_record_is_called_here_does_not_change_the_fact(told):
    assert told(record("created", DEALS)).fact == told(record("created", DEALS), records={}).fact


def test_different_facts_are_different(told):
    elements = [
        *(record(action, PEOPLE) for action in ("created", "deleted", "merged")),
        record("created", PEOPLE, "r2"),
        record("created", DEALS),
        entry("created", OUTREACH),
        entry("created", PIPELINE),
        entry("deleted", PIPELINE),
    ]

    assert len({told(element).fact for element in elements}) == len(elements)
    assert told(record("updated", DEALS, attribute=STAGE), "k1").fact != told(record("updated", DEALS, attribute=STAGE), "k2").fact


def test_without_its_header_an_update_is_the_same_for_some_minutes_and_anything_else_for_ever(told):
    update, creation = told(record("updated", DEALS, attribute=STAGE), None), told(record("created", DEALS), None)

    assert update.id == told(record("updated", DEALS, attribute=STAGE), None).id
    assert update.id != told(record("updated", DEALS, attribute=TITLE), None).id
    assert (update.window, creation.window) == (timedelta(minutes=5), None)
    assert creation.fact == told(record("created", DEALS), "k1").fact


@given(st.sampled_from([record("created", PEOPLE), entry("updated", OUTREACH, attribute=STAGE)]), st.sampled_from(["k1", ""]), st.randoms())
def test_keys_do_not_depend_on_the_order_of_names(element, key, random):
    names = list(element)
    random.shuffle(names)
    bodies = [json.dumps(message(each)).encode() for each in (element, {name: element[name] for name in names})]
    deliveries = [Delivery(source="attio", body=body, url="", received_at=AT, headers={"idempotency-key": key}) for body in bodies]
    first, second = (attio().parse(delivery)[0] for delivery in deliveries)

    assert (first.id, first.fact) == (second.id, second.fact)


# Look-ups.

SINCE = {"active_from": "2026-11-23T08:39:58.253000000Z", "active_until": None}
NOT_FOUND = {"status_code": 404, "type": "invalid_request_error", "code": "not_found", "message": "not found"}


def value(kind: str, **told) -> dict:
    return {**SINCE, "created_by_actor": {"type": "system", "id": None}, "attribute_type": kind, **told}


def status(status_id: str = WON, attribute: str = STAGE, title: str = "Won") -> dict:
    return value("status", status={"title": title, "id": {"workspace_id": WORKSPACE, "attribute_id": attribute, "status_id": status_id}})


def referring(*people: str) -> list[dict]:
    return [value("record-reference", target_object="people", target_record_id=person) for person in people]


def deal(*people: str, **values) -> dict:
    return {
        "data": {
            "id": {},
            "created_at": "2026-11-23T08:00:00.000000000Z",
            "values": {"stage": [status()], "associated_people": referring(*people), **values},
        }
    }


def person(*phones: str, name: str = "Alex Doe") -> dict:
    numbers = [value("phone-number", original_phone_number=phone, normalized_phone_number=phone, country_code="US") for phone in phones]
    values = {"name": [value("personal-name", full_name=name)], "email_addresses": [value("email-address", email_address="alex@example.com")]}
    return {"data": {"id": {}, "created_at": "2026-11-23T08:00:00.000000000Z", "values": {**values, "phone_numbers": numbers}}}


def list_entry(parent: str, parent_id: str = "p1", **values) -> dict:
    return {"data": {"parent_object": parent, "parent_record_id": parent_id, "created_at": "2026-11-23T08:00:00Z", "entry_values": values}}


def paths(asked) -> list[str]:
    return [each.url.removeprefix("https://api.attio.com/v2/") for each in asked]


def test_a_person_is_read_by_the_ids_of_the_webhook(told, look_up, sample, answering):
    event, (asked,) = look_up(attio(), told(record("created", PEOPLE)), answering(sample("attio/api_person_response.json")))

    assert (asked.method, paths([asked])) == ("GET", [f"objects/{PEOPLE}/records/r1"])
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert event.contact == Contact(id="r1", name="John Smith", phone="+15558675309", phones=("+15558675309",), email="john-smith@attio.com")
    assert event.refs == ("contact:r1", "phone:+15558675309")
    assert event.occurred_at == datetime(2022, 11, 21, 13, 22, 49, 61000, tzinfo=UTC)


def test_attributes_become_fields_by_their_slugs(told, look_up, sample, answering):
    answers = (answering(sample("attio/api_deal_response.json")), answering(sample("attio/api_person_response.json")))
    event, asked = look_up(attio(), told(record("created", DEALS)), *answers)

    assert paths(asked) == [f"objects/{DEALS}/records/r1", "objects/people/records/891dcbfc-9141-415d-9b2a-2238a6cc012d"]
    assert (event.fields["name"], event.fields["value"], event.fields["stage"]["title"]) == ("Contract with Fundstack", 4200, "In Progress")
    assert event.fields["associated_people"] == ["891dcbfc-9141-415d-9b2a-2238a6cc012d"]
    assert event.fields["owner"] == ["50cf242c-7fa3-4cad-87d0-75b1af71c57b"]
    assert event.contact.phone == "+15558675309"


@pytest.mark.parametrize(
    ("rows", "field"),
    [
        ([value("number", value=42)], 42),
        ([value("checkbox", value=False)], False),
        ([value("select", option={"title": "Gold", "id": {}})], [{"title": "Gold", "id": {}}]),
        ([value("domain", domain="a.com"), value("domain", domain="b.com")], ["a.com", "b.com"]),
        ([value("phone-number", original_phone_number="12")], ["12"]),
        ([value("location", city="Berlin")], value("location", city="Berlin")),
        ([{"odd": 1}], {"odd": 1}),
        ([], None),
        ("odd", None),
    ],
)
def test_a_field_is_the_value_without_what_is_written_around_it(rows, field, told, look_up, answering):
    event, _ = look_up(attio(), told(record("created", DEALS)), answering(deal(own=rows)))

    assert event.fields["own"] == field


def test_a_field_cannot_take_the_place_of_an_id_of_the_webhook(told, look_up, answering):
    event, _ = look_up(attio(), told(record("created", DEALS)), answering(deal(object_id=[value("text", value="x")], actor=[])))

    assert (event.fields["object_id"], event.fields["actor"]["id"]) == (DEALS, "m1")


def test_a_changed_attribute_that_is_a_status_is_a_move(told, look_up, answering):
    before = told(record("updated", DEALS, attribute=STAGE))
    event, asked = look_up(attio(), before, answering(deal("p1")), answering(person(OFFICE)))

    assert paths(asked) == [f"objects/{DEALS}/records/r1", "objects/people/records/p1"]
    assert (event.type, event.stage) == ("deal.stage_changed", Stage(after=WON))
    assert event.occurred_at == datetime(2026, 11, 23, 8, 39, 58, 253000, tzinfo=UTC)
    assert event.fact == f"attio:{WORKSPACE}:{DEALS}:r1:stage%E2%86%92{WON}:2026-11-23T08%3A39%3A58.253Z"


def test_a_move_told_by_two_webhooks_is_one_fact(told, look_up, answering):
    moves = [look_up(attio(), told(record("updated", DEALS, attribute=STAGE), key), answering(deal()))[0] for key in ("k1", "k2", None)]

    assert len({move.fact for move in moves}) == 1
    assert {move.window for move in moves} == {None}


def test_the_next_move_is_another_fact(told, look_up, answering):
    element = record("updated", DEALS, attribute=STAGE)
    later = {**status(), "active_from": "2026-11-24T08:00:00.000000000Z"}
    facts = {look_up(attio(), told(element), answering(deal(stage=[row])))[0].fact for row in (status(), status(IN_PROGRESS), later)}

    assert len(facts) == 3


def test_any_other_attribute_is_asked_for_its_time(told, look_up, answering):
    before = told(record("updated", DEALS, attribute=TITLE))
    event, asked = look_up(attio(), before, answering(deal()), answering({"data": [value("text", value="New")]}))

    assert paths(asked)[1] == f"objects/{DEALS}/records/r1/attributes/{TITLE}/values"
    assert (event.type, event.stage) == ("deal.updated", None)
    assert event.fact == f"attio:{WORKSPACE}:{DEALS}:r1:updated:{TITLE}:2026-11-23T08%3A39%3A58.253Z"


@pytest.mark.parametrize("answer", [({"data": []}, 200), (NOT_FOUND, 404), ({"data": [{"active_from": "soon"}]}, 200)])
def test_an_attribute_that_was_emptied_tells_no_time(answer, told, look_up, answering):
    before = told(record("updated", DEALS, attribute=TITLE))
    event, _ = look_up(attio(), before, answering(deal()), answering(*answer))

    assert (event.type, event.fact, event.occurred_at) == (before.type, before.fact, None)


def test_the_status_of_a_person_is_no_stage(told, look_up, answering):
    body = person(OFFICE)
    body["data"]["values"]["mood"] = [status(attribute=TITLE)]
    event, asked = look_up(attio(), told(record("updated", PEOPLE, attribute=TITLE)), answering(body))

    assert (event.type, event.stage, len(asked)) == ("contact.updated", None, 1)


def test_what_has_been_decided_stays_when_it_is_looked_up_again(told, look_up, answering):
    once, _ = look_up(attio(), told(record("updated", DEALS, attribute=STAGE)), answering(deal("p1")), answering(person(OFFICE)))
    again, _ = look_up(attio(), once, answering(deal("p1", stage=[status(IN_PROGRESS)])), answering(person(OFFICE)))

    assert (again.type, again.stage, again.fact, again.occurred_at) == (once.type, once.stage, once.fact, once.occurred_at)
    assert attio().superseded(once, again) == f"deal:r1 is in stage {IN_PROGRESS} now, not in {WON} any more"
    assert attio().superseded(once, once) is None


def test_a_deal_whose_status_was_emptied_is_in_no_stage(told, look_up, answering):
    once, _ = look_up(attio(), told(record("updated", DEALS, attribute=STAGE)), answering(deal()))
    again, _ = look_up(attio(), once, answering(deal(stage=[])))

    assert attio().superseded(once, again) == f"deal:r1 is in no stage now, not in {WON} any more"


@pytest.mark.parametrize(
    ("element", "types"),
    [
        (record("updated", DEALS, attribute=STAGE), ("deal.stage_changed",)),
        (entry("updated", OUTREACH, attribute=STAGE), ("lead.stage_changed",)),
        (record("merged", DEALS), ()),
        (record("created", DEALS), ()),
        (record("updated", PEOPLE, attribute=STAGE), ()),
        (record("updated", COMPANIES, attribute=STAGE), ()),
    ],
)
def test_only_a_changed_attribute_may_turn_out_to_be_a_move(element, types, told, look_up, answering):
    assert attio().prospect(told(element)).types == types
    assert attio(api_token=None).prospect(told(element)).types == ()


def test_what_turned_out_not_to_be_a_move_is_not_taken_for_one_again(told, look_up, answering):
    event, _ = look_up(attio(), told(record("updated", DEALS, attribute=TITLE)), answering(deal()), answering({"data": [value("text")]}))

    assert attio().prospect(event).types == ()


# Whom to call.


def test_the_people_of_a_deal_are_read_until_one_has_a_number(told, look_up, answering):
    answers = (answering(deal("p1", "p2", "p3")), answering(person()), answering(person(OFFICE, name="Kim Lee")))
    event, asked = look_up(attio(), told(record("created", DEALS)), *answers)

    assert len(asked) == 3
    assert (event.contact.id, event.contact.name, event.contact.phone) == ("p2", "Kim Lee", OFFICE)
    assert event.refs == ("deal:r1", "contact:p1", "contact:p2", f"phone:{OFFICE}", "contact:p3")


def test_somebody_who_is_gone_is_passed_over(told, look_up, answering):
    event, _ = look_up(attio(), told(record("created", DEALS)), answering(deal("p1", "p2")), answering(NOT_FOUND, 404), answering(person(OFFICE)))

    assert event.contact.id == "p2"


def test_a_deal_of_many_people_is_not_asked_for_without_end(told, look_up, answering):
    people = [f"p{number}" for number in range(30)]
    event, asked = look_up(attio(), told(record("created", DEALS)), answering(deal(*people)), *[answering(person())] * 10)

    assert len(asked) == 11
    assert event.contact == Contact(id="p0", name="Alex Doe", email="alex@example.com")


def test_a_deal_of_nobody_has_nobody_to_call(told, look_up, answering):
    event, asked = look_up(attio(), told(record("created", DEALS)), answering(deal()))

    assert (event.contact, len(asked)) == (None, 1)


def test_where_the_people_stand_can_be_configured(told, look_up, answering):
    body = deal(buyer=referring("p7"))
    event, _ = look_up(attio(people_in=["seller", "buyer"]), told(record("created", DEALS)), answering(body), answering(person(OFFICE)))

    assert event.contact.id == "p7"


def test_a_record_with_a_number_of_its_own_is_called_itself(told, look_up, answering):
    event, asked = look_up(attio(), told(record("created", LEADS)), answering(person(MOBILE)))

    assert (event.contact, len(asked)) == (Contact(name="Alex Doe", phone=MOBILE, phones=(MOBILE,), email="alex@example.com"), 1)
    assert event.refs == ("lead:r1", f"phone:{MOBILE}")


def test_the_person_of_an_entry_is_the_record_it_is_of(told, look_up, sample, answering):
    answers = (answering(sample("attio/api_list_entry_response.json")), answering(sample("attio/api_person_response.json")))
    attribute = "e350362f-4b55-4c0f-93f4-379ae8ff2e5b"
    event, asked = look_up(attio(), told(entry("updated", OUTREACH, attribute=attribute)), *answers)

    assert paths(asked) == [f"lists/{OUTREACH}/entries/e1", "objects/people/records/891dcbfc-9141-415d-9b2a-2238a6cc012d"]
    assert (event.type, event.stage, event.contact.phone) == ("lead.stage_changed", Stage(after=WON), "+15558675309")
    assert event.fact == f"attio:{WORKSPACE}:{OUTREACH}:e1:stage%E2%86%92{WON}:2023-01-01T15%3A00%3A00Z"
    assert event.fields["status"]["title"] == "In Progress"


def test_the_people_of_an_entry_may_be_those_of_a_deal(told, look_up, answering):
    answers = (answering(list_entry("deals")), answering(deal("p4")), answering(person(OFFICE)))
    event, asked = look_up(attio(), told(entry("created", PIPELINE, DEALS)), *answers)

    assert paths(asked)[1:] == ["objects/deals/records/p1", "objects/people/records/p4"]
    assert event.contact.id == "p4"


def test_an_entry_of_a_company_has_nobody_unless_the_configuration_says_who(told, look_up, answering):
    company = {"data": {"values": {"team": referring("p5")}}}
    nobody, _ = look_up(attio(), told(entry("created", PIPELINE, COMPANIES)), answering(list_entry("companies")), answering(company))
    team = attio(people_in=["team"])
    event, _ = look_up(
        team, told(entry("created", PIPELINE, COMPANIES)), answering(list_entry("companies")), answering(company), answering(person(OFFICE))
    )

    assert (nobody.contact, event.contact.id) == (None, "p5")


def test_who_was_told_is_asked_for_first_and_called_under_the_number_that_was_told(told, look_up, answering):
    before = replace(told(record("created", DEALS)), contact=Contact(id="p2", phone=MOBILE, phones=(MOBILE,)))
    event, asked = look_up(attio(), before, answering(deal("p1", "p2")), answering(person(OFFICE, MOBILE)))

    assert paths(asked)[1] == "objects/people/records/p2"
    assert (event.contact.id, event.contact.phone) == ("p2", MOBILE)


# What goes wrong.


@pytest.mark.parametrize("element", [record("created", DEALS), entry("created", PIPELINE)])
def test_a_record_that_is_gone_ends_the_look_up_for_good(element, told, look_up, answering):
    with pytest.raises(LookupFailed, match="does not exist in Attio any more") as failed:
        look_up(attio(), told(element), answering(NOT_FOUND, 404))

    assert failed.value.final


@pytest.mark.parametrize("answer", [("<html>", 404), ({"error": "no such route"}, 404), ({"data": None}, 200), ({"data": []}, 200), ({}, 200)])
def test_an_answer_that_holds_no_record_does_not_mean_that_it_is_gone(answer, told, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(attio(), told(record("created", DEALS)), answering(*answer))

    assert not failed.value.final


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry_after": "Tue, 23 May 2023 14:42:01 GMT", "date": "Tue, 23 May 2023 14:41:58 GMT"}, 3),
        ({"retry_after": "Tue, 23 May 2023 14:42:01 GMT", "date": "Tue, 23 May 2023 14:42:01 GMT"}, 1),
        ({"retry_after": "Tue, 23 May 2023 14:42:01 GMT"}, 1),
        ({"retry_after": "Tue, 23 May 2023 14:42:01 -0000", "date": "Tue, 23 May 2023 14:41:58 GMT"}, 3),
        ({"retry_after": "7"}, 7),
        ({"retry_after": "soon", "date": "now"}, 1),
        ({}, 1),
    ],
)
def test_attio_says_by_a_date_when_it_may_be_asked_again(headers, wait, told, look_up, answering):
    with pytest.raises(LookupFailed, match="too many requests") as failed:
        look_up(attio(), told(record("created", DEALS)), answering({}, 429, **headers))

    assert (failed.value.retry_after, failed.value.final, failed.value.parked) == (wait, False, False)


@pytest.mark.parametrize("element", [record("deleted", DEALS), record("created", COMPANIES), {"event_type": "task.created", "id": {"task_id": "t1"}}])
def test_what_is_gone_or_unknown_is_not_asked_for(element, told):
    assert not attio().can_look_up(told(element))


def test_without_a_token_nothing_is_asked(told):
    assert attio().can_look_up(told(record("created", DEALS)))
    assert not attio(api_token=None).can_look_up(told(record("created", DEALS)))
    assert attio(api_token=None).probe() is None


def test_what_is_unknown_is_left_as_it_is(told, look_up):
    event = told(record("created", COMPANIES))

    assert look_up(attio(), event) == (event, [])


def test_an_id_cannot_lead_a_look_up_elsewhere(told, look_up, answering):
    _, (asked,) = look_up(attio(api_base="https://attio.example.com/"), told(record("created", PEOPLE, "../../self?x")), answering(person()))

    assert asked.url == f"https://attio.example.com/v2/objects/{PEOPLE}/records/..%2F..%2Fself%3Fx"


# Over HTTP.


@pytest.fixture
def move(told) -> Event:
    return told(record("updated", DEALS, attribute=STAGE))


def test_the_worker_finds_out_that_a_deal_has_moved_and_whom_to_call(move, fake_crm, crm_api, answering):
    source = attio(api_base=fake_crm.url)
    fake_crm.answer(answering(deal("p1")), answering(person(OFFICE)))

    event = crm_api.converse(source, source.look_up(move, ()))

    assert (event.type, event.contact.phone) == ("deal.stage_changed", OFFICE)
    assert [each.url for each in fake_crm.asked] == [f"/v2/objects/{DEALS}/records/r1", "/v2/objects/people/records/p1"]
    assert fake_crm.asked[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_the_worker_is_told_how_long_to_leave_attio_alone(move, fake_crm, crm_api, sample, answering):
    source = attio(api_base=fake_crm.url)
    fake_crm.answer(answering(sample("attio/api_429.json"), 429, Retry_After="Tue, 23 May 2023 14:42:01 GMT"))

    with pytest.raises(LookupFailed) as failed:
        crm_api.converse(source, source.look_up(move, ()))

    assert failed.value.retry_after == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_attio_refuses_parks_the_event_and_is_not_told(status, move, fake_crm, crm_api, answering):
    source = attio(api_base=fake_crm.url)
    fake_crm.answer(*[answering({"status_code": status, "code": "unauthorized"}, status)] * 2)

    for ask in (lambda: crm_api.converse(source, source.look_up(move, ())), lambda: crm_api.probe(source, source.probe())):
        with pytest.raises(LookupFailed) as failed:
            ask()

        assert failed.value.parked
        assert TOKEN not in str(failed.value)


def test_the_token_is_tried_with_a_read_that_it_needs_its_scopes_for(fake_crm, crm_api, answering):
    source = attio(api_base=fake_crm.url)
    fake_crm.answer(answering({"data": []}))

    crm_api.probe(source, source.probe())

    assert fake_crm.asked[0].url == "/v2/objects"


def test_an_event_without_its_envelope_is_the_same_event(read):
    event = {"event_type": "record.created", "id": {"workspace_id": "w", "object_id": "o", "record_id": "r"}, "actor": {"type": "system"}}

    assert read(attio(), event) == read(attio(), {"webhook_id": "x", "events": [event]})
