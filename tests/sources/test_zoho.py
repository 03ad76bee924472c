"""Zoho CRM: tokens in bodies, several records in one request, windows, what a look-up makes of an event, channels kept alive, renewed tokens."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.ledger import TokenStore
from bridge.model import Contact, Delivery, Entity, Event, Stage, Unparsed
from bridge.sources.oauth import ACCESS_TOKEN
from bridge.sources.zoho import Zoho, ZohoSettings
from workers.crm_api import CrmApi
from workers.subscriptions import Subscriptions

SECRET = "a token of the channel"
NOW = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
CHANNEL = "1000000068001"
LEAD, CONTACT, DEAL = "5725767000003000064", "5725767000002000001", "5725767000004000001"
OFFICE, MOBILE = "+12813322575", "+12813322576"
URL = "https://bridge.example.com/webhooks/zoho"
MINUTES = timedelta(minutes=10)
APP = {"client_id": "1000.CLIENT", "client_secret": "client-secret", "refresh_token": "1000.refresh"}
MODIFIED = "2026-11-23T14:09:58+05:30"  # 08:39:58 UTC


def zoho(**settings) -> Zoho:
    told = {"kind": "zoho", "secret": SECRET, "region": "US", "api_token": "t0ken", **settings}
    return Zoho("zoho", ZohoSettings(**{name: value for name, value in told.items() if value is not None}))


def renewing(**settings) -> Zoho:
    return zoho(api_token=None, **APP, **settings)


def subscribing(**settings) -> Zoho:
    return renewing(**{"channel_id": CHANNEL, "notify_url": URL, **settings})


def refusal(source: Zoho, delivery: Delivery) -> Refusal:
    with pytest.raises(Unverified) as refused:
        source.verify(delivery, NOW)
    return refused.value.refusal


def notified(module: str = "Deals", operation: str = "update", *, ids: tuple = (DEAL,), values: dict | None = None, **more) -> dict:
    """A notification as Zoho sends it; ``values`` by record, from a channel that returns them."""
    told = {
        "server_time": 1795423200123,
        "query_params": {},
        "module": module,
        "resource_uri": f"https://www.zohoapis.com/crm/v2/{module}",
        "ids": list(ids),
        "affected_fields": [{record: list(fields)} for record, fields in (values or {}).items()],
        "operation": operation,
        "channel_id": CHANNEL,
        "token": SECRET,
    }
    if values is not None:
        told["affected_values"] = [{"record_id": record, "values": fields} for record, fields in values.items()]
    return {**told, **more}


def staged(stage: str = "Closed Won", **more) -> dict:
    return notified(values={DEAL: {"Stage": stage}}, **more)


UNSAID = notified(affected_fields=[{DEAL: ["Stage", "Probability"]}])


# Who may send.


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (SECRET, None),
        ("another", Refusal.WRONG_SECRET),
        (SECRET.upper(), Refusal.WRONG_SECRET),
        (None, Refusal.MISSING),
        ("", Refusal.MISSING),
        ([SECRET], Refusal.MISSING),
        (True, Refusal.MISSING),
    ],
    ids=repr,
)
def test_a_notification_is_believed_by_the_token_of_its_channel(told, expected, delivered):
    delivery = delivered(json.dumps(notified(token=told)))

    if expected is None:
        zoho().verify(delivery, NOW)
    else:
        assert refusal(zoho(), delivery) is expected


def test_a_token_that_is_null_is_not_one_that_nobody_configured(delivered, sample):
    captured = delivered(sample("zoho/notification_lead_delete.json"))

    assert refusal(zoho(secret=()), captured) is Refusal.MISSING
    assert refusal(zoho(), captured) is Refusal.MISSING


def test_a_notification_is_not_believed_by_a_header_instead(delivered):
    headers = {"X-Webhook-Secret": SECRET, "Authorization": f"Bearer {SECRET}"}

    assert refusal(zoho(), delivered(json.dumps(notified(token=None)), headers, url=f"{URL}?token={SECRET}")) is Refusal.MISSING


@pytest.mark.parametrize(("told", "believed"), [(CHANNEL, True), (int(CHANNEL), True), ("1000000068002", False), (None, False)], ids=repr)
def test_where_a_channel_is_configured_another_is_refused(told, believed, delivered):
    delivery = delivered(json.dumps(notified(channel_id=told)))

    if believed:
        zoho(channel_id=CHANNEL).verify(delivery, NOW)
    else:
        assert refusal(zoho(channel_id=CHANNEL), delivery) is Refusal.WRONG_ACCOUNT


@pytest.mark.parametrize(
    ("headers", "more"),
    [
        ({"X-Webhook-Secret": SECRET}, {}),
        ({"Authorization": f"Bearer {SECRET}"}, {}),
        ({}, {"url": f"{URL}?token=a%20token%20of%20the%20channel"}),
    ],
)
@pytest.mark.parametrize("body", ['{"type": "lead.created", "id": "1"}', "type=lead.created&id=1", "not json {"])
def test_a_workflow_proves_itself_by_a_header_or_in_the_url(body, headers, more, delivered):
    zoho(channel_id=CHANNEL).verify(delivered(body, headers, **more), NOW)


@pytest.mark.parametrize("body", [json.dumps({"id": "1", "token": SECRET}), "id=1&token=a+token+of+the+channel"])
def test_a_workflow_may_bring_the_secret_as_a_parameter(body, delivered):
    zoho().verify(delivered(body), NOW)


@pytest.mark.parametrize("headers", [{}, {"X-Webhook-Secret": "wrong"}])
def test_a_workflow_without_the_secret_is_refused(headers, delivered):
    assert refusal(zoho(), delivered('{"id": "1"}', headers)) is (Refusal.WRONG_SECRET if headers else Refusal.MISSING)


def test_tokens_are_cut_out_of_what_is_kept(delivered):
    passing_by = "1000.23dnsbbbh455jnn"
    body = notified(token="of another channel", query_params={"Authorization": passing_by, "key1": "a-value-of-no-matter"})
    delivery = delivered(json.dumps(body), url=f"{URL}?authorization={passing_by}&key1=a-value-of-no-matter")

    kept = zoho().storable(delivery)

    assert set(zoho().secrets_in(delivery)) == {"of another channel", passing_by}
    assert [word for word in ("of another channel", passing_by) if word in f"{kept.body.decode()} {kept.url}"] == []
    assert b"a-value-of-no-matter" in kept.body


def test_a_token_so_short_that_it_stands_in_every_id_is_left_alone(delivered):
    delivery = delivered(json.dumps(notified(token="5725767")))

    assert zoho().storable(delivery).body == delivery.body


@given(
    st.binary(max_size=60)
    | st.recursive(st.none() | st.text(), lambda inner: st.dictionaries(st.sampled_from(["token", "query_params", "ids"]), inner)).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_what_is_secret_is_looked_for_in_anything(body):
    zoho().storable(Delivery(source="zoho", body=body, url=URL, received_at=NOW))


@pytest.mark.parametrize("body", [json.dumps(notified(token=None)), '{"type": "lead.created", "id": "1"}', "type=lead.created&id=1", "{}"])
def test_what_is_sent_for_a_test_is_believed(body, delivered):
    signed = zoho(channel_id=CHANNEL).sign(body.encode(), URL, NOW)

    zoho(channel_id=CHANNEL).verify(delivered(signed.body, signed.headers, url=signed.url), NOW)


# What a notification means.


@pytest.mark.parametrize(
    ("module", "operation", "expected"),
    [
        *[(module, "insert", f"{kind}.created") for module, kind in (("Leads", "lead"), ("Contacts", "contact"), ("Deals", "deal"))],
        *[(module, "update", f"{kind}.updated") for module, kind in (("Leads", "lead"), ("Contacts", "contact"), ("Deals", "deal"))],
        *[(module, "delete", f"{kind}.deleted") for module, kind in (("Leads", "lead"), ("Contacts", "contact"), ("Deals", "deal"))],
        ("Accounts", "insert", "unknown"),
        ("Leads", "explode", "unknown"),
        ("Leads", None, "unknown"),
        (None, "insert", "unknown"),
    ],
)
def test_every_module_and_operation_has_a_type(module, operation, expected, read):
    event = read(zoho(), notified(module, operation, ids=(LEAD,)))

    assert event.type == expected
    assert event.entity == (
        Entity({"Leads": "lead", "Contacts": "contact", "Deals": "deal", "Accounts": "accounts"}[module], LEAD) if module else None
    )


@pytest.mark.parametrize(
    ("body", "expected", "stage"),
    [
        (staged(), "deal.stage_changed", Stage(after="Closed Won")),
        (notified("Leads", ids=(LEAD,), values={LEAD: {"Lead_Status": "Contacted"}}), "lead.stage_changed", Stage(after="Contacted")),
        (notified("Contacts", ids=(CONTACT,), values={CONTACT: {"Stage": "x", "Lead_Status": "y"}}), "contact.updated", None),
        (notified("Deals", "insert", values={DEAL: {"Stage": "Qualification"}}), "deal.created", None),
        (notified("Deals", "delete", values={DEAL: {"Stage": "Qualification"}}), "deal.deleted", None),
        (notified(values={DEAL: {"Stage": None}}), "deal.updated", None),
        (notified(values={"5725767000004000009": {"Stage": "Closed Won"}}), "deal.updated", None),
        (UNSAID, "deal.updated", None),
    ],
)
def test_a_stage_that_was_affected_is_a_change_of_stage(body, expected, stage, read):
    event = read(zoho(), body)

    assert (event.type, event.stage) == (expected, stage)


def test_each_record_is_an_event_of_its_own_with_what_is_told_of_it(read):
    other = "5725767000004000002"
    first, second = read(zoho(), notified(ids=(DEAL, other), values={other: {"Amount": 5}, DEAL: {"Stage": "Closed Won"}}))

    assert (first.entity.id, first.type, first.fields) == (DEAL, "deal.stage_changed", {"Stage": "Closed Won", "affected_fields": ["Stage"]})
    assert (second.entity.id, second.type, second.fields) == (other, "deal.updated", {"Amount": 5, "affected_fields": ["Amount"]})


def test_a_record_is_the_same_event_alone_and_among_others(read):
    alone = read(zoho(), staged())
    among, _ = read(zoho(), notified(ids=(DEAL, "5725767000004000002"), values={DEAL: {"Stage": "Closed Won"}}))

    assert (alone.id, alone.fact) == (among.id, among.fact)


@pytest.mark.parametrize("broken", [None, {}, [], True, 1.5, " "])
def test_an_id_that_is_none_does_not_take_the_others_with_it(broken, read):
    lost, found = read(zoho(), notified(ids=(broken, DEAL)))
    again, _ = read(zoho(), notified(ids=(broken, DEAL), server_time=1))

    assert isinstance(lost, Unparsed)
    assert isinstance(found, Event)
    assert lost.id == again.id


@pytest.mark.parametrize("ids", [["5725767000004000001"], [5725767000004000001]])
def test_an_id_is_text_whatever_its_type(ids, read):
    assert read(zoho(), notified(ids=tuple(ids))).entity == Entity("deal", DEAL)


def test_the_module_is_believed_and_not_the_address_of_the_resource(read):
    event = read(zoho(), staged(resource_uri="https://www.zohoapis.com/crm/v2/Leads"))

    assert event.entity.type == "deal"


@pytest.mark.parametrize(
    ("module", "values", "contact"),
    [
        (
            "Contacts",
            {"Phone": "(281) 332-2575", "Mobile": MOBILE, "Full_Name": "Alex Doe"},
            Contact(id=DEAL, name="Alex Doe", phone=OFFICE, phones=(OFFICE, MOBILE)),
        ),
        ("Leads", {"Mobile": MOBILE, "First_Name": "Alex", "Last_Name": "Doe"}, Contact(name="Alex Doe", phone=MOBILE, phones=(MOBILE,))),
        ("Leads", {"Phone": "ask Kim", "Mobile": MOBILE}, Contact(phone=MOBILE, phones=("ask Kim", MOBILE))),
        ("Leads", {"Email": "a@example.com"}, Contact(email="a@example.com")),
        ("Leads", {"Phone": None, "Company": "Doe & Sons"}, None),
        ("Deals", {"Contact_Name": {"id": CONTACT, "name": "Alex Doe"}, "Deal_Name": "A deal"}, Contact(id=CONTACT, name="Alex Doe")),
        ("Deals", {"Amount": 5}, None),
        ("Accounts", {"Phone": OFFICE}, None),
    ],
)
def test_a_person_is_whoever_the_values_tell(module, values, contact, read):
    assert read(zoho(), notified(module, values={DEAL: values})).contact == contact


@pytest.mark.parametrize("told", [None, [], {}, "Stage", [None], [{DEAL: None}], [{DEAL: {"Stage": 1}}], [{DEAL: [None, {}, []]}], [[DEAL]]])
def test_affected_fields_of_another_shape_are_none(told, read):
    event = read(zoho(), notified(affected_fields=told))

    assert (event.type, event.fields) == ("deal.updated", {})


# Keys and windows.


def test_a_redelivery_is_the_same_event_whenever_it_was_sent(read):
    first, again = read(zoho(), staged()), read(zoho(), staged(server_time=1795423999999, token="***", query_params={"a": "b"}))

    assert (first.id, first.fact, first.window) == (again.id, again.fact, MINUTES)


@pytest.mark.parametrize(
    "other",
    [
        staged("Closed Lost"),
        notified(values={DEAL: {"Stage": "Closed Won", "Amount": 5}}),
        staged(channel_id="1000000068002"),
        notified("Deals", "delete", values={DEAL: {"Stage": "Closed Won"}}),
        notified("Leads", values={DEAL: {"Stage": "Closed Won"}}),
        UNSAID,
    ],
)
def test_another_notification_is_another_event(other, read):
    assert read(zoho(), staged()).id != read(zoho(), other).id


def test_a_creation_counts_for_ever_and_everything_else_for_ten_minutes(read):
    bodies = [notified("Leads", "insert"), notified("Leads"), notified("Leads", "delete"), staged(), notified("Leads", "explode")]

    assert [read(zoho(), body).window for body in bodies] == [None, MINUTES, MINUTES, MINUTES, MINUTES]


def test_two_channels_tell_one_fact_in_two_events(read):
    for body in (staged(), notified("Leads", "insert"), notified("Leads", "delete"), notified(values={DEAL: {"Amount": 5}})):
        here, there = read(zoho(), body), read(zoho(), {**body, "channel_id": "1000000068002"})

        assert (here.fact, here.id != there.id) == (there.fact, True)


@pytest.mark.parametrize(
    ("one", "another"),
    [
        (staged(), staged("Closed Lost")),
        (staged(), notified("Deals", "insert")),
        (notified("Deals", "delete"), notified("Deals", "insert")),
        (notified(values={DEAL: {"Amount": 5}}), notified(values={DEAL: {"Amount": 6}})),
        (notified("Leads", "insert"), notified("Contacts", "insert")),
        (notified("Leads", "explode"), notified("Leads", "implode")),
    ],
)
def test_different_facts_are_different(one, another, read):
    assert read(zoho(), one).fact != read(zoho(), another).fact


# A workflow's own webhook.


def workflow(**more) -> dict:
    return {"type": "deal.stage_changed", "id": DEAL, "Stage": "Closed Won", "Modified_Time": MODIFIED, **more}


def test_a_workflow_tells_its_type_and_fields_of_the_record(read):
    event = read(zoho(), workflow(Contact_Name="Alex Doe", Phone="(281) 332-2575"))

    assert (event.type, event.entity, event.stage) == ("deal.stage_changed", Entity("deal", DEAL), Stage(after="Closed Won"))
    assert event.occurred_at == datetime(2026, 11, 23, 8, 39, 58, tzinfo=UTC)
    assert event.contact == Contact(name="Alex Doe", phone=OFFICE, phones=(OFFICE,))
    assert (event.fields["Stage"], "type" in event.fields, event.window) == ("Closed Won", False, None)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("lead.created", "lead.created"),
        ("contact.updated", "contact.updated"),
        ("deal.deleted", "deal.deleted"),
        ("lead.stage_changed", "lead.stage_changed"),
        ("contact.stage_changed", "unknown"),
        ("lead.create", "unknown"),
        ("created", "unknown"),
        (None, "unknown"),
        ("account.created", "unknown"),
    ],
)
def test_a_workflow_has_the_type_it_was_given(told, expected, read):
    assert read(zoho(), workflow(type=told)).type == expected


def test_a_stage_that_every_webhook_of_a_workflow_carries_is_no_change_of_stage(read):
    event = read(zoho(), workflow(type="deal.updated"))

    assert (event.type, event.stage) == ("deal.updated", None)


def test_a_form_tells_what_json_does(delivered, read):
    form = f"type=deal.stage_changed&id={DEAL}&Stage=Closed+Won&Modified_Time=2026-11-23T14%3A09%3A58%2B05%3A30"
    (event,) = zoho().parse(delivered(form, {"Content-Type": "application/x-www-form-urlencoded"}))

    assert event == read(zoho(), workflow())


@pytest.mark.parametrize("written", ["23-11-2026 02:09 PM", "2026-11-23 14:09:58", "2026-11-23T14:09:58"])
def test_a_time_without_a_zone_tells_changes_apart_and_is_no_time(written, read):
    event, later = read(zoho(), workflow(Modified_Time=written)), read(zoho(), workflow(Modified_Time=f"{written} again"))

    assert (event.occurred_at, event.window) == (None, None)
    assert (event.id != later.id, event.fact != later.fact) == (True, True)


@pytest.mark.parametrize("written", [None, "", " "])
def test_without_a_time_a_workflow_is_believed_for_ten_minutes(written, read):
    event, other = read(zoho(), workflow(Modified_Time=written)), read(zoho(), workflow(Modified_Time=written, Stage="Closed Lost"))

    assert (event.window, event.id != other.id, event.fact != other.fact) == (MINUTES, True, True)


def test_a_creation_is_one_fact_whoever_tells_it(read):
    facts = {read(zoho(), body).fact for body in (notified("Leads", "insert", ids=(LEAD,)), workflow(type="lead.created", id=LEAD))}

    assert facts == {f"zoho:lead:{LEAD}:created"}


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"ids": {}}', '{"ids": null}', '{"id": ""}', "type=lead.created", "{", '"text"'])
def test_a_body_about_nothing_is_refused(body, delivered):
    with pytest.raises(Unreadable):
        zoho().parse(delivered(body))


def test_a_multipart_body_is_refused_with_the_way_out(delivered):
    with pytest.raises(Unreadable, match="as JSON"):
        zoho().parse(delivered("--x", {"Content-Type": "multipart/form-data; boundary=x"}))


def test_a_notification_about_no_record_is_no_event(delivered):
    assert zoho().parse(delivered(json.dumps(notified(ids=())))) == []


# Look-ups.


def answered(**fields) -> dict:
    return {"data": [{"Modified_Time": MODIFIED, "Created_Time": "2026-11-01T10:00:00+05:30", **fields}]}


PERSON = {"id": CONTACT, "Full_Name": "Alex Doe", "Email": "a@example.com", "Phone": "(281) 332-2575", "Mobile": None}


def test_a_lead_is_read_by_its_id_whatever_is_wanted(look_up, answering, read):
    before = read(zoho(), notified("Leads", "insert", ids=(LEAD,)))
    event, (asked,) = look_up(zoho(), before, answering(answered(id=LEAD, Phone=OFFICE, Company="Doe & Sons")), wanted=("lifecyclestage",))

    assert (asked.method, asked.url) == ("GET", f"https://www.zohoapis.com/crm/v8/Leads/{LEAD}")
    assert asked.headers["Authorization"] == "Zoho-oauthtoken t0ken"
    assert event.contact == Contact(phone=OFFICE, phones=(OFFICE,))
    assert event.refs == (f"lead:{LEAD}", f"phone:{OFFICE}")
    assert event.fields["Company"] == "Doe & Sons"


def test_a_deal_is_read_and_then_its_contact(look_up, answering, read):
    deal = answered(id=DEAL, Stage="Closed Won", Contact_Name={"id": CONTACT, "name": "Alex Doe"})
    event, asked = look_up(zoho(), read(zoho(), staged()), answering(deal), answering(answered(**PERSON)))

    assert [each.url.partition("/crm/v8/")[2] for each in asked] == [f"Deals/{DEAL}", f"Contacts/{CONTACT}"]
    assert event.contact == Contact(id=CONTACT, name="Alex Doe", email="a@example.com", phone=OFFICE, phones=(OFFICE,))
    assert event.refs == (f"deal:{DEAL}", f"contact:{CONTACT}", f"phone:{OFFICE}")
    assert (event.fields["Stage"], "Phone" in event.fields) == ("Closed Won", False)


@pytest.mark.parametrize("contact", [None, {}, {"id": None}, "Alex Doe"])
def test_a_deal_without_a_contact_has_nobody_to_call(contact, look_up, answering, read):
    known = read(zoho(), notified(values={DEAL: {"Contact_Name": {"id": CONTACT, "name": "Alex"}}}))
    event, asked = look_up(zoho(), known, answering(answered(id=DEAL, Contact_Name=contact)))

    assert (event.contact, len(asked)) == (None, 1)


def test_the_number_that_was_told_is_called_while_it_is_theirs(look_up, answering, read):
    told = read(zoho(), notified("Contacts", ids=(CONTACT,), values={CONTACT: {"Mobile": MOBILE}}))
    event, _ = look_up(zoho(), told, answering(answered(**{**PERSON, "Mobile": MOBILE})))

    assert (event.contact.phone, event.contact.phones) == (MOBILE, (OFFICE, MOBILE))


def test_the_record_says_when_it_was_changed_and_then_ten_minutes_are_over(look_up, answering, read):
    event, _ = look_up(zoho(), read(zoho(), staged()), answering(answered(id=DEAL, Stage="Closed Won")))

    assert event.occurred_at == datetime(2026, 11, 23, 8, 39, 58, tzinfo=UTC)
    assert (event.fact, event.window) == (f"zoho:deal:{DEAL}:stage%E2%86%92Closed%20Won:2026-11-23T08%3A39%3A58Z", None)


def test_a_channel_and_a_workflow_tell_one_fact_once_the_record_was_read(look_up, answering, read):
    record = answered(id=DEAL, Stage="Closed Won")
    unzoned = workflow(Modified_Time="23-11-2026 02:09 PM")

    seen = [look_up(zoho(), read(zoho(), body), answering(record))[0] for body in (staged(), UNSAID, unzoned, workflow())]

    assert {(each.type, each.fact, each.window) for each in seen} == {("deal.stage_changed", read(zoho(), workflow()).fact, None)}


def test_a_creation_happened_when_the_record_was_made_and_stays_the_same_fact(look_up, answering, read):
    before = read(zoho(), notified("Leads", "insert", ids=(LEAD,)))
    event, _ = look_up(zoho(), before, answering(answered(id=LEAD)))

    assert event.occurred_at == datetime(2026, 11, 1, 4, 30, tzinfo=UTC)
    assert event.fact == before.fact


def test_two_changes_of_one_record_that_are_read_at_once_want_one_call(look_up, answering, read):
    bodies = [notified(values={DEAL: {"Amount": amount}}) for amount in (5, 6)]
    first, second = (look_up(zoho(), read(zoho(), body), answering(answered(id=DEAL)))[0] for body in bodies)

    assert first.fact == second.fact


def test_a_second_look_changes_nothing_of_what_the_event_is(look_up, answering, read):
    once, _ = look_up(zoho(), read(zoho(), UNSAID), answering(answered(id=DEAL, Stage="Closed Won")))
    later = answered(id=DEAL, Stage="Closed Lost", Modified_Time="2026-11-24T00:00:00+05:30")
    twice, _ = look_up(zoho(), once, answering(later))

    assert (twice.type, twice.stage, twice.fact, twice.occurred_at) == (once.type, once.stage, once.fact, once.occurred_at)


@pytest.mark.parametrize("record", [{}, {"Modified_Time": None}, {"Modified_Time": "soon"}])
def test_a_record_without_a_time_leaves_the_ten_minutes(record, look_up, answering, read):
    before = read(zoho(), staged())
    event, _ = look_up(zoho(), before, answering({"data": [{"id": DEAL, **record}]}))

    assert (event.fact, event.window, event.occurred_at) == (before.fact, MINUTES, None)


def test_what_only_the_record_can_tell_is_announced(read):
    unsaid, amount, told = read(zoho(), UNSAID), read(zoho(), notified(values={DEAL: {"Amount": 5}})), read(zoho(), staged())

    assert zoho().prospect(unsaid).types == ("deal.stage_changed",)
    assert zoho(api_token=None).prospect(unsaid).types == ()
    assert (zoho().could_become(amount), zoho().could_become(told)) == ((), ())


def test_an_affected_stage_that_is_empty_now_is_no_change_of_stage(look_up, answering, read):
    event, _ = look_up(zoho(), read(zoho(), UNSAID), answering(answered(id=DEAL, Stage=None)))

    assert (event.type, event.stage) == ("deal.updated", None)


def test_a_record_that_is_gone_ends_the_look_up_for_good(look_up, answering, read):
    with pytest.raises(LookupFailed, match=f"deal:{DEAL} does not exist in Zoho CRM any more") as failed:
        look_up(zoho(), read(zoho(), staged()), answering("", 204))

    assert failed.value.final


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": []}, {"data": [None]}, {"data": {}}, [], "<html>", ""])
def test_an_answer_of_another_shape_does_not_mean_that_the_record_is_gone(body, look_up, answering, read):
    with pytest.raises(LookupFailed) as failed:
        look_up(zoho(), read(zoho(), staged()), answering(body))

    assert not failed.value.final


def error(code: str) -> dict:
    return {"code": code, "details": {}, "message": "…", "status": "error"}


@pytest.mark.parametrize(
    ("given", "parked", "wait"),
    [
        ((error("TOO_MANY_REQUESTS"), 429), False, 60),
        (("<html>", 429), False, 60),
        ((error("INVALID_TOKEN"), 401), True, None),
        ((error("OAUTH_SCOPE_MISMATCH"), 401), True, None),
        ((error("NO_PERMISSION"), 403), True, None),
        (("<html>", 403), True, None),
        ((error("INVALID_URL_PATTERN"), 404), True, None),
        ((error("INVALID_DATA"), 400), False, None),
        ((error("INTERNAL_ERROR"), 500), False, None),
    ],
)
def test_every_refusal_of_the_api_has_its_meaning(given, parked, wait, look_up, answering):
    told, status = given
    event = Event(source="zoho", kind="zoho", id="1", type="lead.updated", fact="f", received_at=NOW, entity=Entity("lead", LEAD))
    with pytest.raises(LookupFailed, match=str(status)) as failed:
        look_up(zoho(), event, answering(told, status))

    assert (failed.value.parked, failed.value.final, failed.value.retry_after) == (parked, False, wait)
    assert "t0ken" not in failed.value.message


def test_zoho_is_asked_again_when_it_says(look_up, answering, read):
    with pytest.raises(LookupFailed) as failed:
        look_up(zoho(), read(zoho(), staged()), answering(error("TOO_MANY_REQUESTS"), 429, retry_after="7"))

    assert failed.value.retry_after == 7


@pytest.mark.parametrize(
    ("body", "possible"),
    [
        (notified("Leads", "insert"), True),
        (notified("Contacts"), True),
        (staged(), True),
        (notified("Leads", "delete"), False),
        (notified("Accounts", "insert"), False),
        (notified("Leads", "explode"), False),
    ],
)
def test_only_what_zoho_could_tell_is_asked(body, possible, look_up, read):
    event = read(zoho(), body)

    assert zoho().can_look_up(event) is possible
    assert not zoho(api_token=None).can_look_up(event)
    if not possible:
        assert look_up(zoho(), event) == (event, [])


def test_look_ups_go_where_the_configuration_says_and_an_id_cannot_lead_them_elsewhere(look_up, answering, read):
    source = zoho(api_base="https://www.zohoapis.eu/")
    _, (asked,) = look_up(source, read(source, notified("Leads", ids=("../users/1?x",))), answering(answered()))

    assert asked.url == "https://www.zohoapis.eu/crm/v8/Leads/..%2Fusers%2F1%3Fx"


@pytest.mark.parametrize(
    ("stage", "says"), [("Closed Won", None), ("Closed Lost", f"deal:{DEAL} is in stage Closed Lost now, not in Closed Won any more")]
)
def test_a_deal_that_has_moved_on_is_superseded(stage, says, look_up, answering, read):
    before = read(zoho(), staged())
    fresh, _ = look_up(zoho(), before, answering(answered(id=DEAL, Stage=stage)))

    assert zoho().superseded(before, fresh) == says


# The channel.

WATCHED = {
    "code": "SUCCESS",
    "details": {"events": [{"channel_expiry": "2026-11-29T14:10:00+05:30", "resource_name": "Leads", "channel_id": CHANNEL}]},
}
DATE = "Mon, 23 Nov 2026 08:40:00 GMT"  # six days before that


def test_a_channel_is_subscribed_again_long_before_its_week_is_over(sample):
    subscription = subscribing(events=["Deals.all"]).subscription(NOW)
    (asked,) = json.loads(subscription.request.body)["watch"]
    (documented,) = json.loads(sample("zoho/watch_request.json"))["watch"]

    assert (subscription.request.method, subscription.request.url) == ("POST", "https://www.zohoapis.com/crm/v8/actions/watch")
    assert subscription.every * 2 <= timedelta(days=6)
    assert asked["channel_expiry"] == (NOW + timedelta(days=6)).isoformat()
    assert (asked["channel_id"], asked["token"], asked["notify_url"], asked["events"]) == (CHANNEL, SECRET, URL, documented["events"])
    assert (asked["return_affected_field_values"], asked["notify_on_related_action"]) == (True, False)
    assert asked.keys() - {"notify_on_related_action"} <= documented.keys()


def test_without_an_address_nothing_is_subscribed():
    assert (zoho().subscription(NOW), renewing(channel_id=CHANNEL).subscription(NOW)) == (None, None)


@pytest.mark.parametrize("missing", [{"channel_id": None}, {"secret": None}, {"secret": " "}, dict.fromkeys(APP)])
def test_a_subscription_without_what_it_takes_is_a_mistake(missing):
    with pytest.raises(ValidationError, match="has the bridge subscribe"):
        zoho(**{"api_token": None, "channel_id": CHANNEL, "notify_url": URL, **APP, **missing})


def test_a_token_too_long_for_zoho_is_a_mistake():
    with pytest.raises(ValidationError, match="50 characters"):
        subscribing(secret="x" * 51)
    subscribing(secret="x" * 50)
    zoho(secret="x" * 51)  # of a workflow's webhook


def test_zohos_own_example_of_an_answer_says_that_it_worked(sample, answering):
    subscribing().judge_subscription(answering(sample("zoho/watch_response.json"), 201))


@pytest.mark.parametrize("headers", [{}, {"date": DATE}, {"date": "soon"}, {"date": ""}])
def test_a_channel_that_lives_until_the_next_renewal_is_good(headers, answering):
    subscribing().judge_subscription(answering({"watch": [WATCHED]}, 201, **headers))


@pytest.mark.parametrize("ends", ["2026-11-23T14:39:59+05:30", "2026-11-23T00:00:00+05:30"])
def test_a_channel_that_ends_before_the_next_renewal_is_not(ends, answering):
    short = {"code": "SUCCESS", "details": {"events": [WATCHED["details"]["events"][0], {"channel_expiry": ends}]}}

    with pytest.raises(LookupFailed, match="before it is renewed again"):
        subscribing().judge_subscription(answering({"watch": [short]}, 201, date=DATE))


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"watch": [{**WATCHED, "code": "INVALID_DATA", "status": "error"}]}, 200, "INVALID_DATA"),
        ({"watch": [WATCHED, {"code": "LIMIT_EXCEEDED"}]}, 207, "LIMIT_EXCEEDED"),
        ({"watch": [None]}, 200, "did not take"),
        ({"watch": []}, 200, "did not take"),
        ({"watch": {}}, 200, "did not take"),
        ({}, 200, "did not take"),
        (error("INVALID_DATA"), 400, "400"),
        (error("OAUTH_SCOPE_MISMATCH"), 401, "OAUTH_SCOPE_MISMATCH"),
        ("", 204, "JSON"),
        ("<html>", 200, "JSON"),
    ],
)
def test_an_answer_that_does_not_say_so_is_no_renewal(body, status, says, answering):
    with pytest.raises(LookupFailed, match=says):
        subscribing().judge_subscription(answering(body, status))


# Over HTTP.


@pytest.fixture
def api(redis):
    with closing(CrmApi(timedelta(seconds=2), pool_size=2, store=TokenStore(redis))) as api:
        yield api


def here(fake_crm, **settings) -> Zoho:
    return renewing(api_base=fake_crm.url, accounts_base=fake_crm.url, **settings)


def token(access: str) -> dict:
    return {"access_token": access, "api_domain": "https://www.zohoapis.com", "token_type": "Bearer", "expires_in": 3600}


def test_a_look_up_gets_itself_a_token_and_uses_it(fake_crm, api, answering, read):
    source = here(fake_crm)
    fake_crm.answer(answering(token("access-1")), answering(answered(**PERSON)), answering(answered(**PERSON)))
    event = read(source, notified("Contacts", ids=(CONTACT,)))

    found = [api.converse(source, source.look_up(event, ())) for _ in range(2)]

    assert [each.contact.phone for each in found] == [OFFICE, OFFICE]
    renewal, first, second = fake_crm.asked
    assert (renewal.method, renewal.url) == ("POST", "/oauth/v2/token")
    assert parse_qs(renewal.body) == {name: [value] for name, value in {"grant_type": "refresh_token", **APP}.items()}
    assert {first.headers["authorization"], second.headers["authorization"]} == {"Zoho-oauthtoken access-1"}


def test_a_token_that_zoho_takes_no_more_is_renewed_once(fake_crm, api, answering, read):
    source = here(fake_crm)
    fake_crm.answer(answering(token("access-1")), answering(error("INVALID_TOKEN"), 401), answering(token("access-2")), answering(answered(**PERSON)))

    event = api.converse(source, source.look_up(read(source, notified("Contacts", ids=(CONTACT,))), ()))

    assert event.contact.phone == OFFICE
    assert fake_crm.asked[3].headers["authorization"] == "Zoho-oauthtoken access-2"
    assert parse_qs(fake_crm.asked[2].body)["refresh_token"] == [APP["refresh_token"]]


def test_a_missing_scope_is_not_mended_by_another_token(fake_crm, api, answering, read):
    source = here(fake_crm)
    fake_crm.answer(answering(token("access-1")), answering(error("OAUTH_SCOPE_MISMATCH"), 401))

    with pytest.raises(LookupFailed, match="scopes") as failed:
        api.converse(source, source.look_up(read(source, staged()), ()))

    assert (failed.value.parked, len(fake_crm.asked)) == (True, 2)


def test_a_refresh_token_that_is_not_good_is_told_with_status_200_and_parks_the_event(fake_crm, api, answering, read):
    source = here(fake_crm)
    fake_crm.answer(answering({"error": "invalid_code"}))

    with pytest.raises(LookupFailed, match="invalid_code") as failed:
        api.converse(source, source.look_up(read(source, staged()), ()))

    assert failed.value.parked


def test_who_renews_too_often_waits_and_need_not_authorise_again(fake_crm, api, answering, read):
    source = here(fake_crm)
    denied = {"error_description": "You have made too many requests continuously. Please try again after some time.", "error": "Access Denied"}
    fake_crm.answer(answering(denied, 400))

    with pytest.raises(LookupFailed) as failed:
        api.converse(source, source.look_up(read(source, staged()), ()))

    assert (failed.value.parked, failed.value.retry_after) == (False, 600)


def test_too_many_requests_are_told_over_http_as_well(fake_crm, crm_api, answering, read):
    source = zoho(api_base=fake_crm.url)
    fake_crm.answer(answering(error("TOO_MANY_REQUESTS"), 429))

    with pytest.raises(LookupFailed) as failed:
        crm_api.converse(source, source.look_up(read(source, staged()), ()))

    assert (failed.value.retry_after, failed.value.parked) == (60, False)


def test_a_channel_is_renewed_over_http_with_the_token_of_the_hour(fake_crm, api, answering, redis):
    source = here(fake_crm, channel_id=CHANNEL, notify_url=URL)
    in_six_days = (datetime.now(UTC) + timedelta(days=6)).isoformat()  # the server dates its answers by the clock
    watched = {"code": "SUCCESS", "details": {"events": [{"channel_expiry": in_six_days, "channel_id": CHANNEL}]}}
    fake_crm.answer(answering(token("access-1")), answering({"watch": [watched]}, 201))

    assert Subscriptions([source], TokenStore(redis), api.renew, lambda: NOW).look() == 1

    assert (fake_crm.asked[1].method, fake_crm.asked[1].url) == ("POST", "/crm/v8/actions/watch")
    assert fake_crm.asked[1].headers["authorization"] == "Zoho-oauthtoken access-1"
    assert json.loads(fake_crm.asked[1].body)["watch"][0]["token"] == SECRET


def test_a_channel_that_zoho_did_not_take_is_due_again_in_a_minute(fake_crm, api, answering, redis, caplog):
    source = here(fake_crm, channel_id=CHANNEL, notify_url=URL)
    fake_crm.answer(answering(token("access-1")), answering({"watch": [{"code": "INVALID_DATA"}]}))

    assert Subscriptions([source], TokenStore(redis), api.renew, lambda: NOW).look() == 0

    assert 0 < redis.pttl("callbridge:1:subscribed:zoho") <= 60_000
    assert SECRET not in caplog.text


def test_a_probe_reads_one_id(fake_crm, crm_api, answering):
    source = zoho(api_base=fake_crm.url)
    fake_crm.answer(answering(answered(id=CONTACT)))

    crm_api.probe(source, source.probe())

    assert fake_crm.asked[0].url == "/crm/v8/Contacts?fields=id&per_page=1"
    assert zoho(api_token=None).probe() is None


def test_requests_carry_the_token_of_the_hour_where_it_expires(look_up, answering, read):
    _, (asked,) = look_up(renewing(), read(renewing(), staged()), answering(answered(id=DEAL)))

    assert asked.headers["Authorization"] == f"Zoho-oauthtoken {ACCESS_TOKEN}"
