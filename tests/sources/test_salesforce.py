"""Salesforce: who may send, what a trigger's URL and a callout mean, both keys, the acknowledgement, and look-ups held by hand and over HTTP."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.ledger import TokenStore
from bridge.model import Contact, Delivery, Entity, Event, Receipt, Stage, Unparsed
from bridge.sources.oauth import ACCESS_TOKEN
from bridge.sources.salesforce import Salesforce, SalesforceSettings
from workers.crm_api import CrmApi

SECRET = "correct: horse?battery&staple"
NOW = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
ORG, ORG_15, OTHER_ORG = "00Dd0000000dtDqEAI", "00Dd0000000dtDq", "00Dd0000000dtDQEAY"
LEAD, CONTACT, DEAL = "00Qd000000Ab1CdEAJ", "003d000000Lm2NoAAJ", "006d000000Xy1ZaAAJ"
OFFICE, MOBILE = "+12813322575", "+12813322576"
URL = "https://bridge.example.com/webhooks/salesforce"
BASE = "https://acme.my.salesforce.com"
SESSION = "00Dd0000000dtDq!AQ4AQMadeUpAndOpensNothing.0123456789"
AT = "2026-11-23T08:39:58.000Z"
APP = {"client_id": "app", "client_secret": "client-secret", "refresh_token": "refresh-0"}


def salesforce(**settings) -> Salesforce:
    told = {"kind": "salesforce", "secret": SECRET, "region": "US", "api_base": BASE, "api_token": "t0ken", **settings}
    return Salesforce("salesforce", SalesforceSettings(**{name: value for name, value in told.items() if value is not None}))


def renewing(**settings) -> Salesforce:
    return salesforce(api_token=None, **APP, **settings)


def refusal(source: Salesforce, delivery: Delivery, now: datetime = NOW) -> Refusal:
    with pytest.raises(Unverified) as refused:
        source.verify(delivery, now)
    return refused.value.refusal


def notification(fields: dict[str, str], name: str = "Lead", number: str = "04ld000000TzMKqAAN") -> str:
    record = "".join(f"<sf:{field}>{value}</sf:{field}>" for field, value in fields.items())
    sobject = f'<sObject xsi:type="sf:{name}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">{record}</sObject>'
    return f"<Notification>{f'<Id>{number}</Id>' if number else ''}{sobject}</Notification>"


def message(*notifications: str, org: str = ORG, session: str = '<SessionId xsi:nil="true"/>') -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound">'
        f"<OrganizationId>{org}</OrganizationId><ActionId>04kd0000000PCgvAAG</ActionId>{session}{''.join(notifications)}"
        "</notifications></soapenv:Body></soapenv:Envelope>"
    )


def callout(*events: dict, org: str | None = ORG) -> str:
    return json.dumps({"org_id": org, "events": events})


def event(kind: str = "deal.stage_changed", record: dict | None = None, **more) -> dict:
    return {"event_id": "e-1", "type": kind, "record": {"Id": DEAL, "StageName": "Closed Won", "LastStageChangeDate": AT, **(record or {})}, **more}


@pytest.fixture
def sent(delivered):
    """The events of a body sent to a trigger's URL."""

    def parse(body: str, kind: str | None = None, source: Salesforce | None = None) -> list:
        return list((source or salesforce()).parse(delivered(body, url=f"{URL}?type={kind}&token=***" if kind else f"{URL}?token=***")))

    return parse


# Who may send.


def test_the_secret_of_the_url_opens_the_source(delivered):
    salesforce().verify(delivered(message(), url=salesforce().with_secret_in_url(f"{URL}?type=lead.created")), NOW)


def test_a_message_sent_for_a_test_has_the_secret_where_salesforce_would_have_it(delivered):
    signed = salesforce().sign(message().encode(), f"{URL}?type=lead.created", NOW)

    assert signed.url == f"{URL}?type=lead.created&token=correct%3A%20horse%3Fbattery%26staple"
    assert signed.headers == {"Content-Type": "text/xml; charset=utf-8"}
    salesforce().verify(delivered(signed.body, signed.headers, url=signed.url), NOW)


@pytest.mark.parametrize("token", ["wrong", "correct:%20horse", ""])
def test_another_secret_in_the_url_does_not(token, delivered):
    refused = refusal(salesforce(), delivered(message(), url=f"{URL}?token={token}"))

    assert refused is (Refusal.WRONG_SECRET if token else Refusal.MISSING)


@pytest.mark.parametrize("told", [ORG, ORG_15])
@pytest.mark.parametrize("configured", [ORG, ORG_15])
def test_an_organisation_is_the_same_with_fifteen_characters_and_with_eighteen(told, configured, delivered):
    source = salesforce(organization_id=configured)

    for body in (message(org=told), callout(event(), org=told)):
        source.verify(delivered(body, url=source.with_secret_in_url(URL)), NOW)


@pytest.mark.parametrize("told", [OTHER_ORG, OTHER_ORG[:15], ORG.lower(), "", None])
def test_another_organisation_is_refused(told, delivered):
    source = salesforce(organization_id=ORG)

    for body in (message(org=told or ""), callout(event(), org=told)):
        assert refusal(source, delivered(body, url=source.with_secret_in_url(URL))) is Refusal.WRONG_ACCOUNT


def test_a_stranger_is_refused_as_one_before_the_body_is_read(delivered):
    assert refusal(salesforce(organization_id=ORG), delivered("<no xml", url=f"{URL}?token=wrong")) is Refusal.WRONG_SECRET


@pytest.mark.parametrize("body", ["<no xml", "no json"])
def test_a_genuine_body_that_cannot_be_read_is_kept_and_not_refused(body, delivered):
    salesforce(organization_id=ORG).verify(delivered(body, url=salesforce().with_secret_in_url(URL)), NOW)


@pytest.mark.parametrize("written", ["00D", "00Dd0000000dtDq!AI", "00Dd0000000dtDqE", "Acme"])
def test_an_organisation_is_given_by_its_id(written):
    with pytest.raises(ValidationError, match="15 or 18 characters"):
        salesforce(organization_id=written)


def test_the_contract_of_callouts_does_not_change(delivered):
    """Made with ``printf '1795423200000.{"events":[]}' | openssl dgst -sha256 -hmac s3cret``."""
    signed = salesforce(secret="s3cret").sign(b'{"events":[]}', URL, NOW)

    assert signed.headers["X-Callbridge-Timestamp"] == "1795423200000"
    assert signed.headers["X-Callbridge-Signature"] == "v1=f0506bca336b87f670bc81d8c58655147eb2f22464aeefed50e96a58567b5c54"
    assert (signed.url, signed.body) == (URL, b'{"events":[]}')
    salesforce(secret="s3cret").verify(delivered(signed.body, signed.headers), NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"X-Callbridge-Timestamp": "1795423200001"},
        {"X-Callbridge-Signature": "v1="},
        {"X-Callbridge-Signature": "v2=00"},
        {"X-Callbridge-Signature": ""},
    ],
)
def test_a_signature_that_does_not_match_is_not_made_good_by_the_secret_in_the_url(change, delivered):
    headers = {**salesforce().sign(b"{}", URL, NOW).headers, **change}

    assert refusal(salesforce(), delivered("{}", headers, url=salesforce().with_secret_in_url(URL))) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize("timestamp", ["", "now", "-1795423200000", "1795423200000.0", "١٧٩٥", "9" * 15])
def test_a_time_that_is_none_is_refused(timestamp, delivered):
    headers = {**salesforce().sign(b"{}", URL, NOW).headers, "X-Callbridge-Timestamp": timestamp}

    assert refusal(salesforce(), delivered("{}", headers)) is Refusal.MISSING


def test_a_callout_that_cannot_sign_may_bring_the_secret_itself(delivered):
    salesforce().verify(delivered("{}", {"Authorization": f"Bearer {SECRET}"}), NOW)


def test_a_session_id_is_never_kept(delivered):
    source = salesforce()
    body = message(notification({"Id": LEAD, "Description": f"I am {SESSION}"}), session=f"<SessionId> {SESSION}\n</SessionId>")
    delivery = delivered(body, url=source.with_secret_in_url(f"{URL}?type=lead.created"))

    kept = source.storable(delivery)

    assert list(source.secrets_in(delivery)) == [SESSION]
    assert SESSION.encode() not in kept.body
    assert [one.id for one in source.parse(kept)] == [one.id for one in source.parse(delivery)]


@given(st.binary(max_size=80).map(lambda data: b"<SessionId" + data + b"</ns:SessionId><SessionId>"))
def test_what_is_secret_is_looked_for_in_anything(body):
    delivery = Delivery(source="salesforce", body=body, url=URL, received_at=NOW)

    salesforce().storable(delivery)


def test_no_body_makes_the_search_for_a_session_slow(delivered):
    body = b"<SessionId>" + b"<SessionId" * 100_000 + b"<" + b"a" * 200_000 + b">" + b"x" * 200_000

    assert list(salesforce().secrets_in(delivered(body))) == []


# What a message means.


@pytest.mark.parametrize(
    ("name", "told", "expected"),
    [
        *[("Lead", f"lead.{what}", f"lead.{what}") for what in ("created", "updated", "stage_changed", "deleted")],
        *[("Contact", f"contact.{what}", f"contact.{what}") for what in ("created", "updated", "deleted")],
        *[("Opportunity", f"deal.{what}", f"deal.{what}") for what in ("created", "updated", "stage_changed", "deleted")],
        ("Contact", "contact.stage_changed", "unknown"),
        ("Lead", "contact.created", "unknown"),
        ("Lead", "lead.create", "unknown"),
        ("Lead", None, "lead.updated"),
        ("Account", None, "unknown"),
        ("Account", "account.created", "unknown"),
        ("Account", "lead.created", "unknown"),
        ("Leads__c", "lead.created", "unknown"),
        ("", "lead.created", "unknown"),
    ],
)
def test_a_type_is_what_the_trigger_says_of_such_an_object(name, told, expected, sent):
    (found,) = sent(message(notification({"Id": LEAD}, name)), told)

    assert found.type == expected
    assert found.entity == (Entity({"Lead": "lead", "Contact": "contact", "Opportunity": "deal"}.get(name, name.lower()), LEAD) if name else None)


def test_a_stage_is_told_without_the_old_one(sent):
    (deal,) = sent(message(notification({"Id": DEAL, "StageName": "Closed Won"}, "Opportunity")), "deal.stage_changed")
    (lead,) = sent(message(notification({"Id": LEAD, "Status": "Working"})), "lead.stage_changed")
    (updated,) = sent(message(notification({"Id": DEAL, "StageName": "Closed Won"}, "Opportunity")), "deal.updated")

    assert (deal.stage, lead.stage, updated.stage) == (Stage(after="Closed Won"), Stage(after="Working"), None)


def test_a_stage_that_the_admin_did_not_tick_is_not_told(sent):
    (found,) = sent(message(notification({"Id": DEAL, "LastModifiedDate": AT}, "Opportunity")), "deal.stage_changed")

    assert (found.type, found.stage) == ("deal.stage_changed", None)
    assert found.fact == f"salesforce:{ORG}:deal:{DEAL}:stage_changed:2026-11-23T08%3A39%3A58Z"


def test_the_old_stage_is_told_by_a_callout(sent):
    (found,) = sent(callout(event(stage_from="Prospecting")))

    assert found.stage == Stage(after="Closed Won", before="Prospecting")


def test_a_record_that_was_deleted_before_the_message_left_is_no_event_of_any_type(sent):
    empty = '<Notification><Id>04ld000000TzMKqAAN</Id><sObject xsi:type="sf:Lead" xmlns:sf="urn:x"/></Notification>'
    nothing = "<Notification><Id>04ld000000TzMKrAAN</Id></Notification>"

    for found in sent(message(empty, nothing), "lead.created"):
        assert (found.type, found.entity, found.refs, found.contact) == ("unknown", None, (), None)


@pytest.mark.parametrize(
    ("fields", "called", "phones"),
    [
        ({"Phone": "(281) 332-2575", "MobilePhone": "281 332 2576"}, OFFICE, (OFFICE, MOBILE)),
        ({"MobilePhone": "281 332 2576"}, MOBILE, (MOBILE,)),
        ({"Phone": "ask for Kim", "MobilePhone": "281 332 2576"}, MOBILE, ("ask for Kim", MOBILE)),
        ({"Phone": "", "MobilePhone": " "}, None, ()),
        ({"Fax": OFFICE}, None, ()),
    ],
)
def test_numbers_are_those_of_the_person(fields, called, phones, sent):
    (found,) = sent(message(notification({"Id": CONTACT, **fields}, "Contact")), "contact.updated")

    assert found.contact == Contact(id=CONTACT, phone=called, phones=phones)


def test_a_person_is_named_by_both_names_or_by_the_whole(sent):
    parts, whole = sent(
        message(
            notification({"Id": LEAD, "FirstName": "Alex", "LastName": "Doe"}),
            notification({"Id": LEAD, "Name": "Dr Alex Doe", "LastName": "Doe", "Email": "a@example.com"}, number="04ld000000TzMKrAAN"),
        ),
        "lead.created",
    )

    assert parts.contact == Contact(name="Alex Doe")
    assert whole.contact == Contact(name="Dr Alex Doe", email="a@example.com")


def test_the_name_of_a_deal_is_nobodys(sent):
    (found,) = sent(message(notification({"Id": DEAL, "Name": "Doe &amp; Sons", "Phone": OFFICE}, "Opportunity")), "deal.created")

    assert (found.contact, found.refs) == (None, (f"deal:{DEAL}",))
    assert found.fields["Name"] == "Doe & Sons"


def test_ids_of_fifteen_characters_are_those_of_eighteen(sent):
    short, long = sent(callout(event(record={"Id": DEAL[:15]}, contact={"Id": CONTACT[:15]}), event(contact={"Id": CONTACT})))

    assert (short.entity, short.refs, short.fact) == (long.entity, long.refs, long.fact)
    assert long.refs == (f"deal:{DEAL}", f"contact:{CONTACT}")


@pytest.mark.parametrize(
    "record_id", [ORG, LEAD, CONTACT, DEAL, "0015f00002J9YYEAA3", "003ak00000IiFInAAN", "005d0000000yYC7AAM", "001d000001XD5XKAA1"]
)
def test_the_last_three_characters_are_those_that_salesforce_gives(record_id, sent):
    (found,) = sent(message(notification({"Id": record_id[:15]})), "lead.created")

    assert found.entity.id == record_id


# Keys.


def test_a_retry_is_the_same_event_however_its_fields_and_its_company_have_changed(sent):
    first, second = notification({"Id": LEAD, "Phone": OFFICE}), notification({"Id": LEAD}, number="04ld000000TzMKrAAN")
    retried = notification({"Id": LEAD, "Phone": MOBILE, "LastModifiedDate": AT})

    whole, alone = sent(message(first, second), "lead.created"), sent(message(retried, session=f"<SessionId>{SESSION}</SessionId>"), "lead.created")

    assert alone[0].id == whole[0].id
    assert alone[0].fact == whole[0].fact
    assert whole[0].id != whole[1].id


def test_a_creation_told_by_two_triggers_is_one_fact_in_two_events(sent):
    (told,) = sent(message(notification({"Id": LEAD})), "lead.created")
    (again,) = sent(message(notification({"Id": LEAD, "LastModifiedDate": AT}, number="04ld000000TzMKrAAN")), "lead.created")
    (called_out,) = sent(callout({"event_id": "e-1", "type": "lead.created", "record": {"Id": LEAD}}))

    assert told.fact == again.fact == called_out.fact
    assert len({told.id, again.id, called_out.id}) == 3


def test_a_stage_told_by_message_and_callout_is_one_fact(sent):
    moved = {"Id": DEAL, "StageName": "Closed Won", "LastStageChangeDate": AT}
    (told,) = sent(message(notification({**moved, "LastModifiedDate": "2026-11-23T08:40:00.000Z"}, "Opportunity")), "deal.stage_changed")
    (called_out,) = sent(callout(event(record={"LastStageChangeDate": "2026-11-23T08:39:58.000+0000"}, stage_from="Prospecting")))

    assert told.fact == called_out.fact


@pytest.mark.parametrize(
    "other",
    [
        event(record={"StageName": "Closed Lost"}),
        event(record={"LastStageChangeDate": "2026-11-23T08:39:59.000Z"}),
        event(record={"Id": DEAL.replace("Xy", "Xz")}),
        event("deal.updated", {"LastModifiedDate": AT}),
        event("deal.created"),
        event("deal.deleted", {"LastModifiedDate": AT}),
    ],
)
def test_different_facts_are_different(other, sent):
    one, another = sent(callout(event(), other))

    assert one.fact != another.fact


def test_another_organisation_has_facts_and_events_of_its_own(sent):
    (ours,), (theirs,) = sent(callout(event())), sent(callout(event(), org=OTHER_ORG))

    assert (ours.id != theirs.id, ours.fact != theirs.fact) == (True, True)


def test_without_a_time_nothing_is_merged_by_accident(sent):
    one, another = sent(
        message(notification({"Id": LEAD}), notification({"Id": LEAD}, number="04ld000000TzMKrAAN")),
        "lead.updated",
    )

    assert one.fact != another.fact
    assert (one.occurred_at, one.window) == (None, None)


@pytest.mark.parametrize(
    ("kind", "fields", "at"),
    [
        ("deal.created", {"CreatedDate": AT, "LastModifiedDate": "2026-11-24T00:00:00Z"}, AT),
        ("deal.updated", {"CreatedDate": "2026-11-01T00:00:00Z", "LastModifiedDate": AT}, AT),
        ("deal.updated", {"SystemModstamp": AT}, AT),
        ("deal.stage_changed", {"LastStageChangeDate": AT, "LastModifiedDate": "2026-11-24T00:00:00Z"}, AT),
        ("deal.stage_changed", {"LastModifiedDate": AT}, AT),
        ("deal.created", {"LastModifiedDate": AT}, None),
        ("deal.updated", {"LastModifiedDate": "yesterday"}, None),
    ],
)
def test_it_happened_when_the_record_says(kind, fields, at, sent):
    (found,) = sent(message(notification({"Id": DEAL, "StageName": "Won", **fields}, "Opportunity")), kind)

    assert found.occurred_at == (datetime.fromisoformat(at) if at else None)


def test_it_happened_when_the_callout_says_where_it_does(sent):
    (found,) = sent(callout(event("deal.deleted", {"LastModifiedDate": "2026-11-01T00:00:00Z"}, occurred_at=AT)))

    assert found.occurred_at == datetime.fromisoformat(AT)


# What cannot be read.


def test_a_notification_without_an_id_does_not_take_the_others_with_it(sent):
    lost, found = sent(message(notification({"Id": LEAD}, number=""), notification({"Id": LEAD})), "lead.created")
    (again,) = sent(message(notification({"Id": LEAD, "Phone": OFFICE}, number="")), "lead.created")

    assert isinstance(lost, Unparsed)
    assert isinstance(found, Event)
    assert (again.id, lost.why) == (lost.id, "a notification without an Id")


@pytest.mark.parametrize("broken", [None, 7, "text", [], {}, {"event_id": None}, {"event_id": ["e"]}])
def test_an_event_of_a_callout_without_an_id_does_not_take_the_others_with_it(broken, sent):
    lost, found = sent(callout(broken, event()))

    assert isinstance(lost, Unparsed)
    assert isinstance(found, Event)


@pytest.mark.parametrize(
    "body",
    [
        "<a/>",
        "<soapenv:Envelope/>",
        message()[:-1],
        "<!DOCTYPE x [<!ENTITY a 'b'>]>" + message().partition("?>")[2],
        message().replace("<SessionId", "&a;<SessionId"),
        "",
        "[]",
        "{}",
        '{"events": {}}',
    ],
)
def test_a_body_that_is_neither_is_refused(body, sent):
    with pytest.raises(Unreadable):
        sent(body)


@pytest.mark.parametrize("before", ["", "\n  ", "\ufeff", "\ufeff\n"])
def test_white_space_before_the_declaration_is_no_matter(before, sent):
    assert [one.type for one in sent(before + message(notification({"Id": LEAD})), "lead.created")] == ["lead.created"]


def test_a_message_of_a_hundred_is_a_hundred_events(sent):
    found = sent(message(*(notification({"Id": LEAD}, number=f"04ld0000000{place:04}AAN") for place in range(100))), "lead.updated")

    assert len({one.id for one in found}) == 100


# The acknowledgement.


@pytest.mark.parametrize("receipts", [[], [Receipt(id="1", key="salesforce:1", status="duplicate", reason="")]])
def test_the_answer_is_the_one_that_salesforce_takes_for_success(receipts, sample, delivered):
    reply = salesforce().acknowledge(receipts, delivered("<Envelope/>"))
    ours, published = (fromstring(body).find("{*}Body") for body in (reply.body, sample("salesforce/om_ack_response.xml").encode()))

    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/xml; charset=utf-8")
    assert [(node.tag, (node.text or "").strip()) for node in ours.iter()] == [(node.tag, (node.text or "").strip()) for node in published.iter()]


def test_a_callout_gets_the_bridges_own_answer(delivered):
    assert salesforce().acknowledge([], delivered('{"events": []}')) is None


# Look-ups.


def event_about(kind: str, record_id: str | None = None, **more) -> Event:
    told = {"source": "salesforce", "kind": "salesforce", "id": "1", "type": f"{kind}.updated", "fact": "f", "received_at": NOW}
    record_id = record_id or {"lead": LEAD, "contact": CONTACT, "deal": DEAL}.get(kind, "001d000001XD5XKAA1")
    return Event(**{**told, "entity": Entity(kind, record_id), "refs": (f"{kind}:{record_id}",), **more})


def rows(*records: dict) -> dict:
    return {"totalSize": len(records), "done": True, "records": [{"attributes": {"type": "X", "url": "/x"}, **record} for record in records]}


def role(record_id: str, **fields) -> dict:
    return {"Contact": {"attributes": {"type": "Contact", "url": "/x"}, "Id": record_id, "Name": "Alex Doe", "Email": None, **fields}}


def asked_for(request) -> str:
    return parse_qs(urlsplit(request.url).query)["q"][0]


def test_a_lead_is_read_whole(look_up, answering):
    record = {"Id": LEAD, "FirstName": "Alex", "LastName": "Doe", "Name": "Alex Doe", "Phone": OFFICE, "Company": "Doe & Sons"}
    event, (asked,) = look_up(salesforce(), event_about("lead"), answering(rows(record)), wanted=("lifecyclestage",))

    assert (asked.method, asked.url.partition("?")[0]) == ("GET", f"{BASE}/services/data/v60.0/query")
    assert asked_for(asked).split("'") == ["SELECT FIELDS(ALL) FROM Lead WHERE Id = ", LEAD, " LIMIT 1"]
    assert asked.headers["Authorization"] == "Bearer t0ken"
    assert event.contact == Contact(name="Alex Doe", phone=OFFICE, phones=(OFFICE,))
    assert event.refs == (f"lead:{LEAD}", f"phone:{OFFICE}")
    assert (event.fields["Company"], "attributes" in event.fields) == ("Doe & Sons", False)


def test_a_deal_is_read_and_then_the_people_of_its_roles(look_up, answering):
    other = CONTACT.replace("Lm", "Ln")
    people = rows(role(CONTACT), role(other, Phone="(281) 332-2575", MobilePhone=MOBILE), {"Contact": None})
    event, asked = look_up(salesforce(), event_about("deal"), answering(rows({"Id": DEAL, "StageName": "Won"})), answering(people))

    assert [asked_for(each).partition(" WHERE ")[0] for each in asked] == [
        "SELECT FIELDS(ALL) FROM Opportunity",
        "SELECT Contact.Id, Contact.Name, Contact.Email, Contact.Phone, Contact.MobilePhone FROM OpportunityContactRole",
    ]
    assert asked_for(asked[1]).endswith(f"WHERE OpportunityId = '{DEAL}' ORDER BY IsPrimary DESC LIMIT 50")
    assert event.contact == Contact(id=other, name="Alex Doe", phone=OFFICE, phones=(OFFICE, MOBILE))
    assert event.refs == (f"deal:{DEAL}", f"contact:{CONTACT}", f"contact:{other}", f"phone:{OFFICE}", f"phone:{MOBILE}")
    assert event.fields["StageName"] == "Won"


def test_a_deal_without_roles_has_nobody_to_call(look_up, answering):
    known = event_about("deal", contact=Contact(id=CONTACT, phone=OFFICE, phones=(OFFICE,)))
    event, _ = look_up(salesforce(), known, answering(rows({"Id": DEAL})), answering(rows()))

    assert event.contact is None


def test_the_number_that_was_told_is_called_while_it_is_theirs(look_up, answering):
    told = event_about("contact", contact=Contact(id=CONTACT, phone=MOBILE, phones=(MOBILE,)))
    event, _ = look_up(salesforce(), told, answering(rows({"Id": CONTACT, "Phone": OFFICE, "MobilePhone": MOBILE})))

    assert (event.contact.phone, event.contact.phones) == (MOBILE, (OFFICE, MOBILE))


def test_a_record_that_is_gone_ends_the_look_up_for_good(look_up, answering):
    with pytest.raises(LookupFailed, match=f"contact:{CONTACT} does not exist in Salesforce any more") as failed:
        look_up(salesforce(), event_about("contact"), answering(rows()))

    assert failed.value.final


@pytest.mark.parametrize("body", [{}, {"records": None}, {"records": {}}, [], "<html>"])
def test_an_answer_of_another_shape_does_not_mean_that_the_record_is_gone(body, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(salesforce(), event_about("contact"), answering(body))

    assert not failed.value.final


def error(code: str, message: str = "…") -> list[dict]:
    return [{"message": message, "errorCode": code}]


@pytest.mark.parametrize(
    ("answered", "parked", "says"),
    [
        ((error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), 403), False, "used up"),
        ((error("INVALID_SESSION_ID", "Session expired or invalid"), 401), True, "refused api_token"),
        ((error("API_DISABLED_FOR_ORG"), 403), True, "refused api_token"),
        ((error("INVALID_TYPE"), 400), True, "INVALID_TYPE"),
        ((error("NOT_FOUND"), 404), True, "check api_base, api_version"),
        (("<html>", 404), True, "check api_base"),
        ((error("UNKNOWN_EXCEPTION"), 500), False, "answered 500"),
        (([], 503), False, "answered 503"),
        (("", 302), False, "answered 302"),
    ],
)
def test_every_refusal_of_the_api_has_its_meaning(answered, parked, says, look_up, answering):
    with pytest.raises(LookupFailed, match=says) as failed:
        look_up(salesforce(), event_about("contact"), answering(*answered))

    assert (failed.value.parked, failed.value.final, failed.value.retry_after) == (parked, False, 900 if says == "used up" else None)
    assert "t0ken" not in failed.value.message


@pytest.mark.parametrize(
    ("about", "possible"),
    [
        (event_about("lead"), True),
        (event_about("contact"), True),
        (event_about("deal"), True),
        (event_about("account"), False),
        (event_about("lead", type="lead.deleted"), False),
        (event_about("lead", entity=None), False),
        (event_about("lead", "' OR Name != '"), False),
        (event_about("lead", "00Qd000000Ab1CdEAJ'"), False),
        (event_about("lead", "00Q"), False),
    ],
)
def test_only_what_salesforce_could_tell_is_asked(about, possible, look_up):
    assert salesforce().can_look_up(about) is possible
    assert not salesforce(api_token=None).can_look_up(about)
    if not possible:
        assert look_up(salesforce(), about) == (about, [])


@pytest.mark.parametrize("token", [{"api_token": "t0ken"}, APP])
def test_a_token_without_an_address_is_a_mistake(token):
    with pytest.raises(ValidationError, match="My Domain"):
        salesforce(**{"api_token": None, "api_base": None, **token})


@pytest.mark.parametrize("version", ["v60.0", "60", "60.0/../..", "latest"])
def test_a_version_of_the_api_is_two_digits_and_a_zero(version):
    with pytest.raises(ValidationError):
        salesforce(api_version=version)


@pytest.mark.parametrize(
    ("stage", "says"), [("Closed Won", None), ("Closed Lost", f"deal:{DEAL} is in stage Closed Lost now, not in Closed Won any more")]
)
def test_a_deal_that_has_moved_on_is_superseded(stage, says, look_up, answering):
    before = event_about("deal", stage=Stage(after="Closed Won"))
    fresh, _ = look_up(salesforce(), before, answering(rows({"Id": DEAL, "StageName": stage})), answering(rows()))

    assert salesforce().superseded(before, fresh) == says


def test_a_lead_that_has_moved_on_is_superseded(look_up, answering):
    before = event_about("lead", stage=Stage(after="Open"))
    fresh, _ = look_up(salesforce(), before, answering(rows({"Id": LEAD, "Status": "Unqualified"})))

    assert salesforce().superseded(before, fresh) == f"lead:{LEAD} is in stage Unqualified now, not in Open any more"


# Tokens, over HTTP.


@pytest.fixture
def api(redis):
    with closing(CrmApi(timedelta(seconds=2), pool_size=2, store=TokenStore(redis))) as api:
        yield api


def token(access: str, **more: str) -> dict:
    """As Salesforce answers: no word of when it ends, and a refresh token only where the app rotates them."""
    return {"access_token": access, "instance_url": BASE, "id": f"{BASE}/id/x", "token_type": "Bearer", "issued_at": "1795423200000", **more}


def test_a_look_up_gets_itself_a_token_and_uses_it(fake_crm, api, answering):
    source = renewing(api_base=fake_crm.url)
    fake_crm.answer(answering(token("access-1")), answering(rows({"Id": LEAD, "Phone": OFFICE})), answering(rows({"Id": LEAD, "Phone": OFFICE})))

    found = [api.converse(source, source.look_up(event_about("lead"), ())) for _ in range(2)]

    assert [each.contact.phone for each in found] == [OFFICE, OFFICE]
    renewal, first, second = fake_crm.asked
    assert (renewal.method, renewal.url) == ("POST", "/services/oauth2/token")
    assert parse_qs(renewal.body) == {name: [value] for name, value in {"grant_type": "refresh_token", **APP}.items()}
    assert {first.headers["authorization"], second.headers["authorization"]} == {"Bearer access-1"}


def test_an_expired_token_is_renewed_with_what_the_last_renewal_brought(fake_crm, api, answering):
    source = renewing(api_base=fake_crm.url)
    expired = answering(error("INVALID_SESSION_ID"), 401)
    fake_crm.answer(
        answering(token("access-1", refresh_token="refresh-1")), expired, answering(token("access-2")), answering(rows({"Id": LEAD, "Phone": OFFICE}))
    )

    api.converse(source, source.look_up(event_about("lead"), ()))

    assert parse_qs(fake_crm.asked[2].body)["refresh_token"] == ["refresh-1"]
    assert fake_crm.asked[3].headers["authorization"] == "Bearer access-2"


def test_a_refresh_token_that_was_withdrawn_parks_the_event(fake_crm, api, answering):
    source = renewing(api_base=fake_crm.url)
    fake_crm.answer(answering({"error": "invalid_grant", "error_description": "expired access/refresh token"}, 400))

    with pytest.raises(LookupFailed, match="invalid_grant") as failed:
        api.converse(source, source.look_up(event_about("lead"), ()))

    assert failed.value.parked


def test_the_limit_of_a_day_is_told_over_http_as_well(fake_crm, api, answering):
    source = salesforce(api_base=fake_crm.url)
    fake_crm.answer(answering(error("REQUEST_LIMIT_EXCEEDED"), 403, sforce_limit_info="api-usage=100000/100000"))

    with pytest.raises(LookupFailed) as failed:
        api.converse(source, source.look_up(event_about("lead"), ()))

    assert (failed.value.retry_after, failed.value.parked) == (900, False)


def test_a_token_that_is_refused_parks_the_event(fake_crm, crm_api, answering):
    source = salesforce(api_base=fake_crm.url)
    fake_crm.answer(answering(error("INVALID_SESSION_ID"), 401))

    with pytest.raises(LookupFailed) as failed:
        crm_api.converse(source, source.look_up(event_about("lead"), ()))

    assert failed.value.parked


def test_a_probe_reads_one_id(fake_crm, crm_api, answering):
    source = salesforce(api_base=fake_crm.url)
    fake_crm.answer(answering(rows({"Id": CONTACT})))

    crm_api.probe(source, source.probe())

    assert asked_for(fake_crm.asked[0]) == "SELECT Id FROM Contact LIMIT 1"
    assert salesforce(api_token=None).probe() is None


def test_requests_carry_the_token_of_the_hour_where_it_expires(look_up, answering):
    _, (asked,) = look_up(renewing(), event_about("lead"), answering(rows({"Id": LEAD})))

    assert asked.headers["Authorization"] == f"Bearer {ACCESS_TOKEN}"
