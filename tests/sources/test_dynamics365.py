"""Dynamics 365: who may send, what a context means, stages with and without images, both keys, and its look-ups held by hand and over HTTP."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, HttpResponse, Stage
from bridge.sources.dynamics365 import Dynamics365, Dynamics365Settings
from bridge.sources.oauth import ACCESS_TOKEN, Tokens

SECRET, TOKEN, API = "correct-horse-battery-staple", "a-users-token", "https://acme.crm4.dynamics.com"
URL = "https://bridge.example.com/webhooks/crm"
AT = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
MS = int(AT.timestamp() * 1000)
ORGANIZATION, OTHER = "4ef5b371-e89e-e711-8122-000d3aa2331c", "99999999-e89e-e711-8122-000d3aa2331c"
LEAD, DEAL, PERSON = (f"{digit * 8}-aaaa-4000-8000-000000000001" for digit in "123")
NOBODY = "00000000-0000-0000-0000-000000000000"
PRIMARY, MOBILE = "+12813322575", "+12813322576"
CONTRACTS = ":http://schemas.microsoft.com/xrm/2011/Contracts"
CREDENTIALS = {"tenant_id": "a-tenant", "client_id": "an-app", "client_secret": "the app's secret"}


def dynamics(**settings) -> Dynamics365:
    told = {"kind": "dynamics365", "secret": SECRET, "region": "US", "api_token": TOKEN, "api_base": API, **settings}
    return Dynamics365("crm", Dynamics365Settings(**told))


def signing_in(**settings) -> Dynamics365:
    return dynamics(**{**CREDENTIALS, "api_token": None, **settings})


def refusal(source: Dynamics365, delivery: Delivery) -> Refusal:
    with pytest.raises(Unverified) as refused:
        source.verify(delivery, AT)
    return refused.value.refusal


# Who may send.


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"X-Webhook-Secret": SECRET}, ""),
        ({"Authorization": f"Bearer {SECRET}"}, ""),
        ({}, f"?code={SECRET}"),
        ({}, f"?x=1&code={SECRET}"),
        ({}, f"?token={SECRET}"),
    ],
)
def test_the_secret_opens_the_source_however_dataverse_was_told_to_send_it(headers, query, delivered):
    dynamics().verify(delivered("{}", headers, url=URL + query), AT)


@pytest.mark.parametrize(
    ("headers", "query", "expected"),
    [
        ({"X-Webhook-Secret": "wrong"}, "", Refusal.WRONG_SECRET),
        ({}, "?code=wrong", Refusal.WRONG_SECRET),
        ({"X-Webhook-Secret": SECRET}, "?code=wrong", Refusal.WRONG_SECRET),
        ({}, "?code=", Refusal.MISSING),
        ({}, f"?key={SECRET}", Refusal.MISSING),
        ({"x-ms-dynamics-organization": "acme.crm4.dynamics.com"}, "", Refusal.MISSING),
        ({}, "", Refusal.MISSING),
    ],
)
def test_nothing_else_does(headers, query, expected, delivered):
    assert refusal(dynamics(), delivered("{}", headers, url=URL + query)) is expected


def test_while_the_key_is_rotated_both_are_good(delivered):
    rotating = dynamics(secret=["new", SECRET])

    for code in ("new", SECRET):
        rotating.verify(delivered("{}", url=f"{URL}?code={code}"), AT)


@pytest.mark.parametrize(("told", "believed"), [(ORGANIZATION, True), (ORGANIZATION.upper(), True), (OTHER, False), (None, False), (7, False)])
def test_where_an_organization_is_configured_another_is_refused(told, believed, delivered):
    source, delivery = dynamics(organization_id=ORGANIZATION), delivered(json.dumps({"OrganizationId": told}), {"X-Webhook-Secret": SECRET})

    if believed:
        source.verify(delivery, AT)
    else:
        assert refusal(source, delivery) is Refusal.WRONG_ACCOUNT


def test_a_stranger_is_refused_as_one_before_the_body_is_read(delivered):
    assert refusal(dynamics(organization_id=ORGANIZATION), delivered("not json", {"X-Webhook-Secret": "who knows"})) is Refusal.WRONG_SECRET


def test_a_genuine_body_that_cannot_be_read_is_kept_and_not_refused(delivered):
    dynamics(organization_id=ORGANIZATION).verify(delivered("not json", {"X-Webhook-Secret": SECRET}), AT)


def test_the_key_in_the_url_is_not_kept(delivered):
    kept = dynamics().storable(delivered("{}", url=f"{URL}?code={SECRET}"))

    assert SECRET not in kept.url


# What a context means.


def choice(value: int) -> dict:
    return {"__type": f"OptionSetValue{CONTRACTS}", "Value": value}


def reference(table: str, record: str) -> dict:
    return {"__type": f"EntityReference{CONTRACTS}", "Id": record, "KeyAttributes": [], "LogicalName": table, "Name": None, "RowVersion": None}


def attributes(values: dict) -> list[dict]:
    return [{"key": name, "value": value} for name, value in values.items()]


def context(message: str, table: str, target: dict | None = None, *, before: dict | None = None, after: dict | None = None, **told) -> dict:
    """A context whose Target and images are given as names and values."""
    record = {"lead": LEAD, "opportunity": DEAL, "contact": PERSON}.get(table, OTHER)
    entity = {"__type": f"Entity{CONTRACTS}", "Attributes": attributes({"modifiedon": f"/Date({MS})/", **(target or {})}), "Id": record}
    whole = {
        "MessageName": message,
        "PrimaryEntityName": table,
        "PrimaryEntityId": record,
        "OrganizationId": ORGANIZATION,
        "OperationId": "44444444-0000-4000-8000-000000000001",
        "CorrelationId": "c0ffee00-0000-4000-8000-000000000001",
        "OperationCreatedOn": f"/Date({MS + 1000})/",
        "OwningExtension": {"Id": "75417616-4ea2-e711-8122-000d3aa2331c", "LogicalName": "sdkmessageprocessingstep"},
        "InputParameters": [{"key": "SuppressDuplicateDetection", "value": False}, {"key": "Target", "value": entity}],
        "PreEntityImages": [{"key": "Pre", "value": {"Attributes": attributes(before)}}] if before else [],
        "PostEntityImages": [{"key": "Post", "value": {"Attributes": attributes(after)}}] if after else [],
    }
    return {**whole, **told}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (context("Create", "lead"), "lead.created"),
        (context("Create", "contact"), "contact.created"),
        (context("Create", "opportunity", {"stepname": "1-Qualify", "statecode": choice(0)}), "deal.created"),
        (context("Update", "lead"), "lead.updated"),
        (context("Update", "contact", {"statuscode": choice(2), "stepname": "x"}), "contact.updated"),
        (context("Delete", "lead"), "lead.deleted"),
        (context("Delete", "contact"), "contact.deleted"),
        (context("Delete", "opportunity"), "deal.deleted"),
        (context("Update", "account"), "unknown"),
        (context("Update", "opportunitysalesprocess"), "unknown"),
        (context("Assign", "lead"), "unknown"),
        (context("Win", "opportunity"), "unknown"),
        (context("Create", "lead", PrimaryEntityId=NOBODY), "unknown"),
        (context("Update", "lead", InputParameters=[]), "lead.updated"),
        (context("Update", "lead", InputParameters=None, PreEntityImages=None, PostEntityImages=None), "lead.updated"),
    ],
)
def test_every_message_and_table_has_a_type(body, expected, read):
    assert read(dynamics(), body).type == expected


def test_a_record_without_its_primary_id_is_known_by_its_target(read):
    body = context("Update", "lead", PrimaryEntityId=None)

    assert read(dynamics(), body).entity == Entity("lead", LEAD)


OPEN, WON, LOST = ({"statecode": choice(state)} for state in range(3))
FIRST, SECOND = {"stepname": "1-Qualify"}, {"stepname": "2-Develop"}


@pytest.mark.parametrize(
    ("target", "before", "after", "stage"),
    [
        (SECOND, FIRST, None, Stage(after="2-Develop", before="1-Qualify")),
        (SECOND, None, None, Stage(after="2-Develop")),
        (SECOND, SECOND, None, None),
        (WON, None, None, Stage(after="won")),
        (LOST, {**FIRST, **OPEN}, None, Stage(after="lost", before="1-Qualify")),
        ({**WON, **SECOND}, {**FIRST, **OPEN}, None, Stage(after="won", before="1-Qualify")),
        (WON, {**FIRST, **WON}, None, None),
        ({**SECOND, **WON}, {**FIRST, **WON}, None, None),
        (SECOND, {**FIRST, **WON}, None, None),
        (OPEN, {**FIRST, **WON}, None, Stage(after="1-Qualify", before="won")),
        (OPEN, WON, FIRST, Stage(after="1-Qualify", before="won")),
        (OPEN, WON, None, None),
        (OPEN, None, FIRST, None),
        (OPEN, {**FIRST, **OPEN}, None, None),
        ({"stepname": None}, FIRST, None, None),
        ({"name": "x"}, FIRST, SECOND, None),
        ({"statecode": "odd", **FIRST}, None, None, Stage(after="1-Qualify")),
    ],
)
def test_a_deal_moves_when_its_stage_was_sent_or_it_was_closed_or_opened_again(target, before, after, stage, read):
    event = read(dynamics(), context("Update", "opportunity", target, before=before, after=after))

    assert (event.stage, event.type) == (stage, "deal.stage_changed" if stage else "deal.updated")


def test_a_lead_moves_with_its_status_and_which_columns_are_stages_can_be_said(read):
    named = dynamics(deal_stage="salesstagecode", lead_stage="new_phase")

    assert read(dynamics(), context("Update", "lead", {"statuscode": choice(3)})).stage == Stage(after="3")
    assert read(named, context("Update", "lead", {"new_phase": "hot", "statuscode": choice(3)})).stage == Stage(after="hot")
    assert read(named, context("Update", "opportunity", {"salesstagecode": choice(2), **FIRST})).stage == Stage(after="2")
    assert read(named, context("Update", "lead", {"statecode": choice(1)})).stage is None


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (choice(3), 3),
        ({"__type": f"Money{CONTRACTS}", "Value": 100.5}, 100.5),
        (reference("account", OTHER), OTHER),
        ([choice(1), choice(2)], [1, 2]),
        (f"/Date({MS})/", "2026-11-23T08:40:00Z"),
        ("/Date(-86400000)/", "1969-12-31T00:00:00Z"),
        ("/Date(999999999999999)/", "/Date(999999999999999)/"),
        ("/Date(x)/", "/Date(x)/"),
        ({"__type": f"EntityCollection{CONTRACTS}", "Entities": []}, {"__type": f"EntityCollection{CONTRACTS}", "Entities": []}),
        ("text", "text"),
        (False, False),
        (None, None),
    ],
)
def test_a_columns_value_is_plain_in_fields(value, plain, read):
    assert read(dynamics(), context("Update", "lead", {"a_column": value})).fields["a_column"] == plain


def test_fields_are_all_that_is_told_and_what_was_there_before_a_change(read):
    body = context("Update", "lead", {"b": 2, "same": 1}, before={"b": 1, "same": 1, "c": 3}, after={"d": 4, "b": 2})

    assert read(dynamics(), body).fields == {"modifiedon": "2026-11-23T08:40:00Z", "b": 2, "same": 1, "c": 3, "d": 4, "previous": {"b": 1}}


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"modifiedon": f"/Date({MS})/"}, AT),
        ({"modifiedon": None, "createdon": f"/Date({MS + 5})/"}, AT + timedelta(milliseconds=5)),
        ({"modifiedon": None}, AT + timedelta(seconds=1)),
        ({"modifiedon": "yesterday"}, AT + timedelta(seconds=1)),
    ],
)
def test_it_happened_when_the_record_was_changed_or_when_the_operation_began(times, expected, read):
    assert read(dynamics(), context("Update", "lead", times)).occurred_at == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (f"/Date({MS}+0000)/", AT),
        (f"/Date({MS}-0700)/", AT - timedelta(hours=7)),
        (f"/Date({MS}+0530)/", AT + timedelta(hours=5, minutes=30)),
        ("/Date(9999999999999)/", None),
        ("/Date(253402300799999+2359)/", None),
        (None, None),
        (MS, None),
    ],
)
def test_an_offset_is_added_and_a_time_of_no_calendar_is_none(written, expected, read):
    body = context("Delete", "lead", InputParameters=[{"key": "Target", "value": reference("lead", LEAD)}], OperationCreatedOn=written)

    assert read(dynamics(), body).occurred_at == expected


def test_microsofts_own_example_happened_when_its_operation_began(sample, delivered):
    body = json.loads(sample("dynamics365/contact_update_remoteexecutioncontext.json"))
    changed = dynamics().parse(delivered(json.dumps(body)))[0].occurred_at
    began = dynamics().parse(delivered(json.dumps({**body, "InputParameters": []})))[0].occurred_at

    assert began - changed == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("table", "target", "expected"),
    [
        ("contact", {"fullname": "Alex Doe", "emailaddress1": "a@example.com"}, Contact(id=PERSON, name="Alex Doe", email="a@example.com")),
        ("contact", {"telephone1": PRIMARY, "mobilephone": MOBILE}, Contact(id=PERSON, phone=MOBILE, phones=(MOBILE, PRIMARY))),
        ("contact", {"telephone3": "281 332 2575", "mobilephone": ""}, Contact(id=PERSON, phone=PRIMARY, phones=(PRIMARY,))),
        ("lead", {"telephone1": PRIMARY}, Contact(phone=PRIMARY, phones=(PRIMARY,))),
        ("lead", {"parentcontactid": reference("contact", PERSON)}, Contact(id=PERSON)),
        ("lead", {"subject": "x"}, None),
        ("opportunity", {"parentcontactid": reference("contact", PERSON)}, Contact(id=PERSON)),
        ("opportunity", {"customerid": reference("contact", PERSON)}, Contact(id=PERSON)),
        ("opportunity", {"customerid": reference("account", OTHER)}, None),
        ("opportunity", {"customerid": reference("account", OTHER), "parentcontactid": None}, None),
        ("opportunity", {"parentcontactid": "odd", "mobilephone": MOBILE, "fullname": "x"}, None),
        ("account", {"telephone1": PRIMARY}, None),
    ],
)
def test_the_person_is_the_record_or_the_contact_it_names(table, target, expected, read):
    event = read(dynamics(), context("Update", table, target))

    assert event.contact == expected
    assert (f"contact:{PERSON}" in event.refs) == (expected is not None and expected.id == PERSON)


def test_what_an_image_says_of_the_person_counts_too(read):
    event = read(dynamics(), context("Update", "contact", {"jobtitle": "x"}, before={"mobilephone": MOBILE}, after={"fullname": "Alex Doe"}))

    assert event.contact == Contact(id=PERSON, name="Alex Doe", phone=MOBILE, phones=(MOBILE,))
    assert event.refs == (f"contact:{PERSON}", f"phone:{MOBILE}")


# Both keys.


SYNCHRONOUS = {"OperationId": NOBODY}


@pytest.mark.parametrize("changes", [{"OperationId": OTHER}, {"OrganizationId": OTHER}, {"OwningExtension": {"Id": OTHER}}, SYNCHRONOUS], ids=str)
def test_another_operation_or_step_is_another_event(changes, read):
    assert read(dynamics(), context("Update", "lead")).id != read(dynamics(), context("Update", "lead", **changes)).id


@pytest.mark.parametrize(
    "changes",
    [{"CorrelationId": OTHER}, {"MessageName": "Delete"}, {"PrimaryEntityId": OTHER}, {"PrimaryEntityName": "contact"}, {"OrganizationId": OTHER}],
    ids=str,
)
def test_without_an_operation_an_event_is_known_by_all_there_is(changes, read):
    first = context("Update", "lead", **SYNCHRONOUS)

    assert read(dynamics(), first).id == read(dynamics(), {**first, "OperationCreatedOn": "/Date(0)/", "OperationId": None}).id
    assert read(dynamics(), first).id != read(dynamics(), {**first, **changes}).id
    assert read(dynamics(), first).id != read(dynamics(), context("Update", "lead", {"subject": "x"}, **SYNCHRONOUS)).id


@pytest.mark.parametrize(
    "body",
    [
        context("Create", "lead"),
        context("Update", "lead", {"subject": "x"}),
        context("Update", "opportunity", SECOND),
        context("Delete", "lead", InputParameters=[{"key": "Target", "value": reference("lead", LEAD)}]),
        context("Update", "account"),
    ],
)
def test_two_steps_tell_one_fact_in_two_events(body, read):
    other = {**body, "OwningExtension": {"Id": OTHER}, "OperationId": OTHER, "OperationCreatedOn": f"/Date({MS + 9000})/"}
    first, second = read(dynamics(), body), read(dynamics(), other)

    assert first.id != second.id
    assert first.fact == second.fact


def test_a_step_with_images_and_one_without_tell_one_move(read):
    plain = read(dynamics(), context("Update", "opportunity", SECOND))
    pictured = read(dynamics(), context("Update", "opportunity", SECOND, before=FIRST, after={"name": "x"}))

    assert plain.fact == pictured.fact


def test_different_facts_are_different(read):
    later = {"modifiedon": f"/Date({MS + 60_000})/"}
    bodies = [
        context("Create", "lead"),
        context("Create", "contact"),
        context("Create", "lead", OrganizationId=OTHER),
        context("Create", "lead", PrimaryEntityId=OTHER),
        context("Update", "lead"),
        context("Update", "lead", {"subject": "x"}),
        context("Update", "lead", {"subject": "y"}),
        context("Update", "lead", later),
        context("Update", "lead", {"statuscode": choice(2)}),
        context("Update", "lead", {"statuscode": choice(3)}),
        context("Update", "lead", {"statuscode": choice(3), **later}),
        context("Update", "opportunity", WON),
        context("Update", "opportunity", LOST),
        context("Delete", "lead"),
        context("Delete", "lead", {"modifiedon": None}),
        context("Assign", "lead"),
    ]

    assert len({read(dynamics(), body).fact for body in bodies}) == len(bodies)


@pytest.mark.parametrize(
    ("message", "told", "window"),
    [
        ("Update", {}, None),
        ("Update", {"CorrelationId": None}, timedelta(hours=1)),
        ("Delete", {"CorrelationId": None}, timedelta(hours=1)),
        ("Create", {"CorrelationId": None}, None),
    ],
)
def test_a_fact_that_nothing_dates_is_good_for_an_hour(message, told, window, read):
    assert read(dynamics(), context(message, "lead", InputParameters=[], **told)).window == window


typed = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.integers(0, 9).map(choice) | st.just(f"/Date({MS})/")
columns = st.dictionaries(st.sampled_from(["statecode", "statuscode", "stepname", "mobilephone", "modifiedon", "x"]), typed)


@given(target=columns, before=columns, operation=st.sampled_from([NOBODY, OTHER]), random=st.randoms())
def test_keys_do_not_depend_on_the_order_of_names(target, before, operation, random):
    body, again = (context("Update", "opportunity", target, before=before, OperationId=operation) for _ in range(2))
    again["InputParameters"].reverse()
    random.shuffle(again["InputParameters"][0]["value"]["Attributes"])
    names = list(again)
    random.shuffle(names)
    bodies = [json.dumps(each).encode() for each in (body, {name: again[name] for name in names})]
    deliveries = [Delivery(source="crm", body=each, url=URL, received_at=AT) for each in bodies]
    (first,), (second,) = (dynamics().parse(delivery) for delivery in deliveries)

    assert (first.id, first.fact, first.stage) == (second.id, second.fact, second.stage)


@pytest.mark.parametrize("body", [None, [], 7, "text", {}, {"MessageName": "Update"}, {"PrimaryEntityName": "lead"}])
def test_a_body_that_is_no_context_is_unreadable(body, delivered):
    with pytest.raises(Unreadable):
        dynamics().parse(delivered(json.dumps(body)))


# Look-ups.


def event_about(kind: str, record: str = PERSON, **more) -> Event:
    told = {"source": "crm", "kind": "dynamics365", "id": "1", "type": f"{kind}.updated", "fact": "f", "received_at": AT}
    return Event(**{**told, "entity": Entity(kind, record), "refs": (f"{kind}:{record}",), **more})


def person(**more) -> dict:
    return {"contactid": PERSON, "fullname": "Alex Doe", "emailaddress1": None, "mobilephone": MOBILE, "telephone1": PRIMARY, **more}


ALEX = Contact(id=PERSON, name="Alex Doe", phone=MOBILE, phones=(MOBILE, PRIMARY))


def test_a_contact_is_read_by_id(look_up, answering):
    event, (asked,) = look_up(dynamics(), event_about("contact"), answering({"@odata.etag": "x", **person(donotphone=False)}))

    assert event.contact == ALEX
    assert event.fields == {"contactid": PERSON, "fullname": "Alex Doe", "mobilephone": MOBILE, "telephone1": PRIMARY, "donotphone": False}
    assert (asked.method, asked.url) == ("GET", f"{API}/api/data/v9.2/contacts({PERSON})")
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"


def test_a_deal_is_read_together_with_its_contact(look_up, sample, answering):
    event, (asked,) = look_up(dynamics(), event_about("deal", DEAL), answering(sample("dynamics365/api_opportunity_response.json")))
    contact = "33333333-cccc-4000-8000-000000000003"

    assert event.contact == Contact(id=contact, name="Alex Doe", phone=MOBILE, phones=(MOBILE, PRIMARY), email="alex@example.com")
    assert event.refs == (f"deal:{DEAL}", f"contact:{contact}", f"phone:{MOBILE}", f"phone:{PRIMARY}")
    assert event.fields["parentcontactid"] == contact
    assert event.fields["customerid"] == "55555555-dddd-4000-8000-000000000005"
    assert (event.fields["stepname"], event.fields["statecode"], event.fields["estimatedvalue"]) == ("2-Develop", 0, 5000.0)
    assert [name for name in event.fields if "@" in name or name.startswith("_") or event.fields[name] is None] == []
    assert asked.url.startswith(f"{API}/api/data/v9.2/opportunities({DEAL})?$expand=parentcontactid($select=contactid,fullname,")


def test_a_lead_is_its_own_person(look_up, answering):
    answer = {"leadid": LEAD, "fullname": "Alex Doe", "telephone1": PRIMARY, "_parentcontactid_value": PERSON, "new_total_value": 7}
    event, (asked,) = look_up(dynamics(), event_about("lead", LEAD), answering(answer))

    assert event.contact == Contact(id=PERSON, name="Alex Doe", phone=PRIMARY, phones=(PRIMARY,))
    assert event.refs == (f"lead:{LEAD}", f"contact:{PERSON}", f"phone:{PRIMARY}")
    assert (event.fields["parentcontactid"], event.fields["new_total_value"]) == (PERSON, 7)
    assert asked.url.endswith(f"/leads({LEAD})")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"parentcontactid": person(), "customerid_contact": None}, ALEX),
        ({"parentcontactid": None, "customerid_contact": person()}, ALEX),
        ({"parentcontactid": {"contactid": OTHER}, "customerid_contact": person()}, ALEX),
        ({"parentcontactid": {"contactid": OTHER}, "customerid_contact": None}, Contact(id=OTHER)),
        ({"parentcontactid": None, "customerid_contact": None}, None),
        ({"parentcontactid": [], "customerid_contact": "x"}, None),
        ({}, None),
    ],
)
def test_of_a_deals_contact_and_its_customer_the_first_with_a_number_is_called(answer, expected, look_up, answering):
    known = event_about("deal", DEAL, contact=Contact(id="x", phone="+12813320000", phones=("+12813320000",)))
    event, _ = look_up(dynamics(), known, answering({"opportunityid": DEAL, **answer}))

    assert event.contact == expected


def test_the_number_that_was_told_is_called_while_it_is_theirs(look_up, answering):
    told = event_about("contact", contact=Contact(id=PERSON, phone=PRIMARY, phones=(PRIMARY,)))
    event, _ = look_up(dynamics(), told, answering(person()))

    assert (event.contact.phone, event.contact.phones) == (PRIMARY, (MOBILE, PRIMARY))


def test_what_was_told_and_is_empty_now_is_told_so(look_up, answering):
    event, _ = look_up(dynamics(), event_about("contact", fields={"jobtitle": "x", "previous": {}}), answering(person(jobtitle=None, other=None)))

    assert event.fields["jobtitle"] is None
    assert "other" not in event.fields


def test_a_record_that_is_gone_ends_the_look_up_for_good(look_up, sample, answering):
    with pytest.raises(LookupFailed, match=f"contact:{PERSON} does not exist in Dynamics 365 any more") as failed:
        look_up(dynamics(), event_about("contact"), answering(sample("dynamics365/api_not_found.json"), 404))

    assert failed.value.final


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"error": {"code": "0x8006088a", "message": "Resource not found for the segment 'contacts'"}}, 404),
        ({"error": None}, 404),
        ({}, 404),
        ("<html>Not Found</html>", 404),
        ("<html>Sign in</html>", 200),
        ([], 200),
        ({"error": {"code": "0x80040217"}}, 500),
        ({}, 204),
    ],
)
def test_nothing_else_means_that_it_is_gone(body, status, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(dynamics(), event_about("contact"), answering(body, status))

    assert not failed.value.final


@pytest.mark.parametrize(("headers", "wait"), [({"retry_after": "38"}, 38), ({}, None)])
def test_dataverse_is_asked_again_when_its_limit_is_over(headers, wait, look_up, answering):
    body = {"error": {"code": "0x80072322", "message": "Number of requests exceeded the limit of 6000 over time window of 300 seconds."}}

    with pytest.raises(LookupFailed, match="too many requests") as failed:
        look_up(dynamics(), event_about("contact"), answering(body, 429, **headers))

    assert (failed.value.retry_after, failed.value.final, failed.value.parked) == (wait, False, False)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_parks_the_event_and_is_not_told(status, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(dynamics(), event_about("contact"), answering({"error": {"code": "0x80040220"}}, status))

    assert failed.value.parked
    assert TOKEN not in str(failed.value)


@pytest.mark.parametrize(
    ("event", "settings", "possible"),
    [
        (event_about("contact"), {}, True),
        (event_about("lead"), {}, True),
        (event_about("deal"), {}, True),
        (event_about("account", type="unknown"), {}, False),
        (event_about("contact", type="contact.deleted"), {}, False),
        (event_about("contact", entity=None), {}, False),
        (event_about("contact"), {"api_token": None}, False),
        (event_about("contact"), {"api_token": None, **CREDENTIALS}, True),
    ],
)
def test_only_what_dataverse_could_tell_is_asked(event, settings, possible):
    assert dynamics(**settings).can_look_up(event) is possible


def test_an_id_cannot_lead_a_look_up_elsewhere(look_up, answering):
    _, (asked,) = look_up(dynamics(), event_about("contact", "x)/../leads(1?y"), answering(person()))

    assert asked.url == f"{API}/api/data/v9.2/contacts(x%29%2F..%2Fleads%281%3Fy)"


# Tokens.


def test_an_app_signs_in_as_itself(sample, answering):
    source = signing_in()
    request = source.renewal("")

    assert source.renews
    assert source.api_token == ACCESS_TOKEN
    assert (request.method, request.url) == ("POST", "https://login.microsoftonline.com/a-tenant/oauth2/v2.0/token")
    assert {name: value for name, (value,) in parse_qs(request.body).items()} == {
        "grant_type": "client_credentials",
        "client_id": "an-app",
        "client_secret": "the app's secret",
        "scope": f"{API}/.default",
    }
    assert source.renewed(answering(sample("dynamics365/api_token_response.json")), "") == Tokens("an-access-token", "", 3599.0)


def test_a_token_that_was_given_is_not_renewed():
    assert not dynamics().renews
    assert not dynamics(**CREDENTIALS).renews
    assert not dynamics(api_token=None).renews


def test_credentials_that_microsoft_does_not_take_park_the_event_and_are_not_told(answering):
    body = {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}

    with pytest.raises(LookupFailed, match=r"invalid_client.*check tenant_id, client_id and client_secret") as failed:
        signing_in().renewed(answering(body, 401), "")

    assert failed.value.parked
    assert CREDENTIALS["client_secret"] not in str(failed.value)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_sign_in_that_fails_today_is_tried_again(status, answering):
    with pytest.raises(LookupFailed) as failed:
        signing_in().renewed(answering({"error": "temporarily_unavailable"}, status, retry_after="5"), "")

    assert (failed.value.parked, failed.value.retry_after) == (False, 5)


@pytest.mark.parametrize(
    "settings",
    [
        {"client_id": "x"},
        {"tenant_id": "x", "client_id": "x"},
        {"client_id": "x", "client_secret": "x"},
        {**CREDENTIALS, "refresh_token": "x"},
        {**CREDENTIALS, "api_base": None},
        {"api_token": "x", "api_base": None},
        {"api_base": "acme.crm4.dynamics.com"},
    ],
    ids=str,
)
def test_half_of_what_a_look_up_needs_is_refused_by_the_configuration(settings):
    with pytest.raises(ValidationError):
        Dynamics365Settings(**{"kind": "dynamics365", "api_base": API, **settings})


def test_a_look_up_goes_over_http_and_so_does_a_probe(fake_crm, crm_api, sample):
    source = dynamics(api_base=fake_crm.url)
    fake_crm.answer(HttpResponse(200, {}, sample("dynamics365/api_opportunity_response.json")), HttpResponse(200, {}, '{"UserId": "x"}'))

    event = crm_api.converse(source, source.look_up(event_about("deal", DEAL), ()))
    crm_api.probe(source, source.probe())

    assert event.contact.phone == MOBILE
    assert [urlsplit(asked.url).path for asked in fake_crm.asked] == [f"/api/data/v9.2/opportunities({DEAL})", "/api/data/v9.2/WhoAmI"]
    assert parse_qs(urlsplit(fake_crm.asked[0].url).query)["$expand"][0].count("mobilephone") == 2
    assert {asked.headers["authorization"] for asked in fake_crm.asked} == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("answer", "parked", "wait"),
    [(HttpResponse(429, {"Retry-After": "38"}, "{}"), False, 38), (HttpResponse(401, {}, ""), True, None)],
)
def test_limits_and_a_refused_token_are_seen_over_http_too(answer, parked, wait, fake_crm, crm_api):
    source = dynamics(api_base=fake_crm.url)
    fake_crm.answer(answer)

    with pytest.raises(LookupFailed) as failed:
        crm_api.converse(source, source.look_up(event_about("contact"), ()))

    assert (failed.value.parked, failed.value.retry_after) == (parked, wait)


def test_without_a_token_there_is_nothing_to_probe():
    assert dynamics(api_token=None).probe() is None


# A second look.


@pytest.mark.parametrize(
    ("told", "now", "in_stage"),
    [
        ("1-Qualify", {"stepname": "1-Qualify", "statecode": 0}, None),
        ("1-Qualify", {"stepname": "2-Develop", "statecode": 0}, "stage 2-Develop"),
        ("1-Qualify", {"stepname": "1-Qualify", "statecode": 1}, "stage won"),
        ("won", {"stepname": "1-Qualify", "statecode": 1}, None),
        ("won", {"stepname": "1-Qualify", "statecode": 0}, "stage 1-Qualify"),
        ("1-Qualify", {"stepname": None, "statecode": 0}, "no stage"),
    ],
)
def test_a_deal_that_has_moved_on_is_superseded(told, now, in_stage, look_up, answering):
    before = event_about("deal", DEAL, stage=Stage(after=told))
    fresh, _ = look_up(dynamics(), before, answering({"opportunityid": DEAL, **now}))
    expected = f"deal:{DEAL} is in {in_stage} now, not in {told} any more" if in_stage else None

    assert dynamics().superseded(before, fresh) == expected


@pytest.mark.parametrize(("now", "superseded"), [(1, False), (2, True)])
def test_a_lead_of_another_status_is_superseded(now, superseded, look_up, answering):
    before = event_about("lead", LEAD, stage=Stage(after="1"))
    fresh, _ = look_up(dynamics(), before, answering({"leadid": LEAD, "statuscode": now}))

    assert bool(dynamics().superseded(before, fresh)) is superseded
