"""CloudEvents: the handshake, both ways of sending the token, the three modes, what an event means, both keys."""

import base64
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.errors import Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, Stage, Unparsed
from bridge.sources.cloudevents import CloudEvents, CloudEventsSettings

SECRET = "mF_9.B5f-4.1JqM"  # the specification's own example
HOOK = "https://bridge.example.com/webhooks/cloud"
AT = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
PHONE, MOBILE = "+12813322575", "+12813322576"
BEARER = {"Authorization": f"Bearer {SECRET}"}
STRUCTURED, BATCHED = "application/cloudevents+json", "application/cloudevents-batch+json"


def cloud(**settings) -> CloudEvents:
    return CloudEvents("cloud", CloudEventsSettings(**{"kind": "cloudevents", "secret": SECRET, "region": "US", **settings}))


def refusal(source: CloudEvents, delivery: Delivery) -> Refusal:
    with pytest.raises(Unverified) as refused:
        source.verify(delivery, AT)
    return refused.value.refusal


# May it send here?

ASKING = {"WebHook-Request-Origin": "eventemitter.example.com", "WebHook-Request-Rate": "120"}


@pytest.mark.parametrize("headers", [ASKING, {**ASKING, **BEARER}, {"WebHook-Request-Origin": "eventemitter.example.com"}])
def test_a_sender_that_asks_may_send(headers, delivered):
    reply = cloud().handshake(delivered("", headers, method="OPTIONS", url=f"{HOOK}?access_token=anything"))

    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers == {"Allow": "POST", "WebHook-Allowed-Origin": "eventemitter.example.com", "WebHook-Allowed-Rate": "*"}


@pytest.mark.parametrize(
    ("method", "headers"),
    [("OPTIONS", {}), ("OPTIONS", {"WebHook-Request-Origin": " "}), ("POST", ASKING), ("GET", ASKING), ("OPTIONS", {"Origin": "https://a.example"})],
)
def test_nothing_else_is_a_question(method, headers, delivered):
    assert cloud().handshake(delivered("", headers, method=method)) is None


def test_having_asked_opens_nothing(delivered):
    assert refusal(cloud(), delivered("{}", ASKING)) is Refusal.MISSING


# Who may send.


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        (BEARER, HOOK),
        ({"Authorization": f"bearer {SECRET}"}, HOOK),
        ({}, f"{HOOK}?access_token={SECRET}"),
        ({}, f"{HOOK}?p=q&access_token={SECRET}&r=s"),
        ({}, f"{HOOK}?access_token={SECRET}&p=q"),
        ({"X-Webhook-Secret": SECRET}, HOOK),
        ({}, f"{HOOK}?token={SECRET}"),
        (BEARER, f"{HOOK}?access_token=stale"),
    ],
)
def test_the_token_opens_the_source_in_the_header_and_in_the_url(headers, url, delivered):
    cloud().verify(delivered("{}", headers, url=url), AT)


@pytest.mark.parametrize(
    ("headers", "url", "expected"),
    [
        ({}, HOOK, Refusal.MISSING),
        ({}, f"{HOOK}?access_token=", Refusal.MISSING),
        ({}, f"{HOOK}?my_access_token={SECRET}", Refusal.MISSING),
        ({}, f"{HOOK}/access_token={SECRET}", Refusal.MISSING),
        ({"Authorization": f"Digest {SECRET}"}, HOOK, Refusal.MISSING),
        ({"Authorization": "Bearer wrong"}, HOOK, Refusal.WRONG_SECRET),
        ({}, f"{HOOK}?access_token=wrong", Refusal.WRONG_SECRET),
        ({}, f"{HOOK}?access_token={SECRET}x", Refusal.WRONG_SECRET),
    ],
)
def test_anything_else_does_not(headers, url, expected, delivered):
    assert refusal(cloud(), delivered("{}", headers, url=url)) is expected


def test_a_token_of_any_characters_may_be_in_the_url(delivered):
    cloud(secret="p&q=r +ü/%#").verify(delivered("{}", url=f"{HOOK}?access_token={quote('p&q=r +ü/%#', safe='')}"), AT)


def test_while_the_token_is_rotated_both_are_good(delivered):
    rotating = cloud(secret=["new", SECRET])

    rotating.verify(delivered("{}", url=f"{HOOK}?access_token=new"), AT)
    rotating.verify(delivered("{}", BEARER), AT)
    assert refusal(rotating, delivered("{}", url=f"{HOOK}?access_token=old")) is Refusal.WRONG_SECRET


def test_the_token_is_cut_out_of_what_is_kept(delivered):
    kept = cloud(secret=["new&", SECRET]).storable(delivered(f'{{"echo": "{SECRET}"}}', BEARER, url=f"{HOOK}?access_token=new%26&p=q"))

    assert SECRET not in repr(kept)
    assert kept.url == f"{HOOK}?access_token=***&p=q"


# Three modes.

EVENT = {"specversion": "1.0", "type": "com.example.contact.created", "source": "/crm", "id": "A-1", "time": "2026-11-23T08:40:00Z"}
PERSON = {"id": 7, "name": "Alex Doe", "phone": "(281) 332-2575"}
WHOLE = {**EVENT, "datacontenttype": "application/json", "data": PERSON}


def headers_of(event: dict[str, Any], content_type: str | None = "application/json") -> dict[str, str]:
    return {**{f"ce-{name}": str(value) for name, value in event.items()}, **({"Content-Type": content_type} if content_type else {})}


@pytest.fixture
def parsed(delivered):
    """The events of a body, whatever it is, and the content type it came with."""

    def parse(body: Any, content_type: str | None = STRUCTURED, source: CloudEvents | None = None, **headers: str) -> list[Event | Unparsed]:
        written = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {"Content-Type": content_type} if content_type else {}
        return list((source or cloud()).parse(delivered(written, {**named, **headers})))

    return parse


MODES = {
    "structured": (WHOLE, STRUCTURED, {}),
    "structured, with a charset": (WHOLE, f"{STRUCTURED}; charset=UTF-8", {}),
    "structured, in capitals": (WHOLE, STRUCTURED.title(), {}),
    "structured, without a data type": ({**EVENT, "data": PERSON}, STRUCTURED, {}),
    "structured, in base64": ({**EVENT, "data_base64": base64.b64encode(json.dumps(PERSON).encode()).decode()}, STRUCTURED, {}),
    "structured, headers repeated": (WHOLE, STRUCTURED, {"ce-id": "another", "ce-type": "another", "ce-source": "/another"}),
    "structured, not said to be": (WHOLE, "application/json", {}),
    "structured, nothing said": (WHOLE, None, {}),
    "batched": ([WHOLE], BATCHED, {}),
    "binary": (PERSON, None, headers_of(EVENT)),
    "binary, with a charset": (PERSON, None, headers_of(EVENT, "application/json; charset=utf-8")),
    "binary, of a vendor's type": (PERSON, None, headers_of(EVENT, "application/vnd.example.person+json")),
    "binary, without a type": (PERSON, None, headers_of(EVENT, None)),
}


@pytest.mark.parametrize(("body", "content_type", "headers"), MODES.values(), ids=MODES)
def test_an_event_is_the_same_in_every_mode(body, content_type, headers, parsed):
    (event,) = parsed(body, content_type, **headers)

    assert (event.id, event.type, event.occurred_at) == ("/crm:A-1", "com.example.contact.created", AT)
    assert event.entity == Entity("contact", "7")
    assert event.contact == Contact(id="7", name="Alex Doe", phone=PHONE, phones=(PHONE,))
    assert event.refs == ("contact:7", f"phone:{PHONE}")
    assert event.fields == PERSON


def test_every_event_of_a_batch_stands_alone(parsed):
    bad_data = {**EVENT, "id": "A-2", "data_base64": "%%%"}
    first, stranger, broken, last = parsed([WHOLE, {"hello": "world"}, bad_data, {**WHOLE, "id": "A-3"}], BATCHED)

    assert (first.id, last.id) == ("/crm:A-1", "/crm:A-3")
    assert isinstance(stranger, Unparsed)
    assert broken == Unparsed("/crm:A-2", "its data is not the JSON that it is said to be")


def test_an_empty_batch_is_no_event(parsed):
    assert parsed([], BATCHED) == []


@pytest.mark.parametrize("missing", ["id", "source"])
@pytest.mark.parametrize("blank", [None, "", " "])
def test_an_event_without_id_or_source_is_kept_as_failed_under_what_it_is(missing, blank, parsed):
    told = {**WHOLE, missing: blank}
    (unparsed,), (again,), (other,) = parsed(told), parsed(dict(reversed(told.items()))), parsed({**told, "subject": "x"})

    assert unparsed == again
    assert unparsed.id != other.id
    assert "source and id" in unparsed.why


def test_a_binary_event_without_its_id_is_kept_as_failed(parsed):
    (unparsed,) = parsed(PERSON, None, **headers_of({**EVENT, "id": ""}))

    assert isinstance(unparsed, Unparsed)


@pytest.mark.parametrize("element", [None, [], 7, "text", {}, [WHOLE]])
def test_what_is_no_event_does_not_take_the_batch_with_it(element, parsed):
    unparsed, event = parsed([element, WHOLE], BATCHED)

    assert isinstance(unparsed, Unparsed)
    assert event.id == "/crm:A-1"


@pytest.mark.parametrize("body", [b"", b"{", b"7", b"null", b'"text"', b"<a/>"])
@pytest.mark.parametrize("content_type", [STRUCTURED, BATCHED, "application/json", None])
def test_what_is_no_json_object_or_array_is_unreadable(body, content_type, parsed):
    with pytest.raises(Unreadable):
        parsed(body, content_type)


@pytest.mark.parametrize("content_type", ["application/cloudevents+avro", "application/cloudevents+protobuf", "application/cloudevents-batch+xml"])
def test_another_format_than_json_is_unreadable_and_named(content_type, parsed):
    with pytest.raises(Unreadable, match="cloudevents") as unreadable:
        parsed(WHOLE, content_type)

    assert content_type in unreadable.value.message


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("plain", "plain"),
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("Euro%20%e2%82%ac", "Euro €"),
        ("%41", "A"),
        ("100%25", "100%"),
        ("%2541", "%41"),
        ('"with \\"quotes\\" and \\\\"', 'with "quotes" and \\'),
        ('"a%20b"', "a b"),
        ('"open', '"open'),
        (" padded ", "padded"),
        ("+1", "+1"),
    ],
)
def test_an_attribute_in_a_header_is_decoded_once(written, expected, parsed):
    (event,) = parsed(PERSON, None, **headers_of(EVENT), **{"ce-note": written})

    assert event.fields["note"] == expected


@pytest.mark.parametrize("written", ["%C0%A0", "%FF", "%ed%a0%80"])
def test_an_attribute_that_is_no_utf_8_is_refused(written, parsed):
    (unparsed,) = parsed(PERSON, None, **headers_of(EVENT), **{"ce-note": written})

    assert isinstance(unparsed, Unparsed)
    assert "percent-encoded" in unparsed.why


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=20))
def test_every_text_comes_through_a_header_as_it_was(note):
    headers = {"ce-id": "1", "ce-source": "/crm", "ce-type": "note", "ce-note": quote(note, safe="")}
    (event,) = cloud().parse(Delivery(source="cloud", body=b"", url="", received_at=AT, headers=headers))

    assert event.fields == {"note": note}


@pytest.mark.parametrize("content_type", ["application/xml", "text/plain", "application/octet-stream", "application/vnd.apache.thrift.binary"])
def test_data_that_is_not_json_is_not_read_and_the_event_is(content_type, parsed):
    (binary,) = parsed(b"\x00<much wow='xml'/>", None, **headers_of(EVENT, content_type))
    (structured,) = parsed({**EVENT, "subject": "7", "datacontenttype": content_type, "data": '{"phone": "281-332-2575"}'})

    assert (binary.id, binary.fields, binary.entity) == ("/crm:A-1", {}, None)
    assert (structured.fields, structured.entity) == ({}, Entity("contact", "7"))


@pytest.mark.parametrize("body", [b"{", b"\xff", b"<a/>"])
def test_data_that_is_said_to_be_json_and_is_not_is_kept_as_failed(body, parsed):
    assert parsed(body, None, **headers_of(EVENT)) == [Unparsed("/crm:A-1", "its data is not the JSON that it is said to be")]


@pytest.mark.parametrize("data", [None, "text", 7, [], [{"phone": PHONE}]])
def test_data_that_is_no_object_has_no_fields(data, parsed):
    (event,) = parsed({**EVENT, "data": data})

    assert (event.fields, event.entity, event.contact) == ({}, None, None)


def test_a_string_of_json_is_a_string(parsed):
    (event,) = parsed({**EVENT, "data": json.dumps(PERSON)})

    assert event.fields == {}


def test_a_binary_event_needs_no_body(parsed):
    (event,) = parsed(b"", None, **headers_of({**EVENT, "subject": "7"}, None))

    assert (event.entity, event.fields) == (Entity("contact", "7"), {})


def test_an_attribute_that_is_null_is_absent_and_extensions_are_fields(parsed):
    (event,) = parsed({**WHOLE, "subject": None, "tenant": "acme", "quota": 5, "traceparent": None, "phone": "0"})

    assert event.fields == {"tenant": "acme", "quota": 5, **PERSON}


# What an event means.


@pytest.mark.parametrize(
    ("kind", "data", "subject", "expected"),
    [
        ("com.example.contact.created", {"id": 7}, None, Entity("contact", "7")),
        ("com.example.contact.created.v2", {"id": "7"}, None, Entity("contact", "7")),
        ("com.example.CRMLeadCreated", {"lead_id": "7"}, None, Entity("lead", "7")),
        ("com.example.OPPORTUNITY_MOVED", {"opportunityId": 7}, None, Entity("opportunity", "7")),
        ("com.example.lead.contact.changed", {"uuid": "u"}, None, Entity("contact", "u")),
        ("com.example.deal.won", {}, "partnerid/5/dealid/100", Entity("deal", "partnerid/5/dealid/100")),
        ("com.example.deal.won", {"id": "8"}, "7", Entity("deal", "8")),
        ("com.example.deal.won", {}, None, None),
        ("com.leadconnector.invoice.paid", {"id": "7"}, "7", None),
        (None, {"id": "7"}, "7", None),
    ],
)
def test_the_record_is_named_by_the_type_and_its_id_by_the_data_or_the_subject(kind, data, subject, expected, parsed):
    (event,) = parsed({**EVENT, "type": kind, "subject": subject, "data": data})

    assert (event.entity, event.type) == (expected, kind or "unknown")


@pytest.mark.parametrize(
    "data",
    [
        {"phone": "(281) 332-2575"},
        {"phoneNumber": PHONE},
        {"mobile": PHONE, "phone": None},
        {"phones": [{"type": "work", "value": PHONE}]},
        {"phone_numbers": [PHONE]},
        {"phone": "", "phones": [None, {"value": ""}, {"number": PHONE}]},
    ],
)
@pytest.mark.parametrize("nested", [None, "contact", "person", "customer"])
def test_a_number_is_found_where_senders_put_it(data, nested, parsed):
    (event,) = parsed({**EVENT, "data": {nested: data} if nested else data})

    assert (event.contact.phone, event.contact.phones, event.refs[-1]) == (PHONE, (PHONE,), f"phone:{PHONE}")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"fullName": "Alex Doe", "emailAddress": "a@example.com", "timeZone": "Europe/Berlin"}, ("Alex Doe", "a@example.com", "Europe/Berlin")),
        ({"first_name": "Alex", "last_name": "Doe", "timezone": ""}, ("Alex Doe", None, None)),
        ({"firstName": None, "lastName": "Doe"}, ("Doe", None, None)),
        ({"name": " "}, (None, None, None)),
    ],
)
def test_a_person_is_read_in_several_spellings(data, expected, parsed):
    (event,) = parsed({**EVENT, "data": {"id": 7, **data}})

    assert event.contact == Contact(id="7", name=expected[0], email=expected[1], time_zone=expected[2])


def test_the_name_of_a_deal_is_nobodys(parsed):
    (event,) = parsed({**EVENT, "type": "deal.created", "data": {"id": 8, "name": "Ten desks", "email": "sales@example.com", "contact_id": 7}})

    assert event.contact == Contact(id="7")
    assert event.refs == ("deal:8", "contact:7")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"stage": {"from": "new", "to": "won"}}, Stage(after="won", before="new")),
        ({"stage": "won"}, Stage(after="won")),
        ({"stageId": 5}, Stage(after="5")),
        ({"stage": {}}, None),
        ({}, None),
    ],
)
def test_a_stage_is_a_move_or_the_new_one_alone(data, expected, parsed):
    (event,) = parsed({**EVENT, "data": data})

    assert event.stage == expected


@pytest.mark.parametrize("time", [None, "", "yesterday", 0])
def test_a_time_that_is_not_told_is_absent(time, parsed):
    (event,) = parsed({**WHOLE, "time": time})

    assert event.occurred_at is None


# Pointing elsewhere.

POINTED = {
    "entity.type": "'deal'",
    "entity.id": "subject",
    "stage.to": "data.state.new",
    "stage.from": "data.state.old",
    "contact.id": "data.who.number",
    "contact.name": "data.who.title",
    "contact.phone": "data.who.tel",
    "contact.phones": "data.who.others",
    "contact.email": "tenantmail",
    "contact.time_zone": "data.zone",
}


def test_every_part_may_be_pointed_elsewhere(parsed):
    who = {"number": 9, "title": "Sam Poe", "tel": "281-332-2576", "others": [PHONE, None]}
    data = {"id": 1, "name": "no", "phone": "+12025550100", "who": who, "state": {"new": 5, "old": "4"}, "zone": "Europe/Berlin"}
    (event,) = parsed({**EVENT, "subject": "8", "tenantmail": "a@example.com", "data": data}, source=cloud(fields=POINTED))

    assert (event.entity, event.stage) == (Entity("deal", "8"), Stage(after="5", before="4"))
    assert event.contact == Contact(id="9", name="Sam Poe", phone=MOBILE, phones=(MOBILE, PHONE), email="a@example.com", time_zone="Europe/Berlin")


def test_a_part_that_is_pointed_at_nothing_is_absent(parsed):
    (event,) = parsed(WHOLE, source=cloud(fields=dict.fromkeys(POINTED, "data.nowhere")))

    assert (event.entity, event.stage, event.contact) == (None, None, None)


@pytest.mark.parametrize("found", ["[data]", "data", "`true`", "`1.5`", "length(data.nowhere)"])
def test_a_part_that_is_pointed_at_something_else_is_absent(found, parsed):
    (event,) = parsed(WHOLE, source=cloud(fields=dict.fromkeys(("entity.id", "contact.name", "contact.phone", "stage.to"), found)))

    assert (event.entity, event.stage) == (None, None)
    assert event.contact is None or event.contact.name is None


@pytest.mark.parametrize(
    ("fields", "why"),
    [({"event_id": "id"}, "'event_id' is nothing"), ({"contact": "data"}, "contact.phone"), ({"contact.id": "a.["}, "bad JMESPath")],
)
def test_what_cannot_be_pointed_is_refused_by_the_configuration(fields, why):
    with pytest.raises(ValidationError, match=why):
        cloud(fields=fields)


# Both keys.


@pytest.mark.parametrize(
    "changes", [{"time": None}, {"data": {}}, {"type": "other"}, {"subject": "x"}, {"traceparent": "00-1"}, {"specversion": "1.1"}]
)
def test_source_and_id_alone_tell_a_redelivery(changes, parsed):
    (first,), (again,) = parsed(WHOLE), parsed({**WHOLE, **changes})

    assert first.id == again.id


@pytest.mark.parametrize("changes", [{"id": "A-2"}, {"source": "/crm/2"}, {"source": "/crm:A-1", "id": ""}, {"source": "/crm:A", "id": "-1"}])
def test_another_source_or_id_is_another_event(changes, parsed):
    (first,), (other,) = parsed(WHOLE), parsed({**WHOLE, **changes})

    assert first.id != other.id


def test_one_fact_under_two_ids_is_one_fact(parsed):
    (one,), (other,) = parsed(WHOLE), parsed({**WHOLE, "id": "A-2", "traceparent": "00-2"})

    assert one.id != other.id
    assert one.fact == other.fact


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "/crm/2"},
        {"type": "com.example.contact.updated"},
        {"time": "2026-11-23T08:40:00.001Z"},
        {"data": {**PERSON, "id": 8}},
        {"data": {**PERSON, "stage": "won"}},
        {"type": "com.example.lead.created"},
    ],
)
def test_another_fact_is_another(changes, parsed):
    (one,), (other,) = parsed(WHOLE), parsed({**WHOLE, "id": "A-2", **changes})

    assert one.fact != other.fact


@pytest.mark.parametrize("changes", [{"time": None}, {"data": {}}, {"type": "com.example.something"}])
def test_a_fact_that_is_not_told_whole_is_merged_with_no_other(changes, parsed):
    (one,), (other,) = parsed({**WHOLE, **changes}), parsed({**WHOLE, **changes, "id": "A-2"})

    assert one.fact != other.fact


# As a sender would.


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (json.dumps(WHOLE).encode(), STRUCTURED),
        (json.dumps([WHOLE]).encode(), BATCHED),
        (json.dumps(PERSON).encode(), "application/json"),
        (b"<a/>", "application/octet-stream"),
    ],
)
def test_a_body_is_sent_in_the_mode_that_it_is_written_in(body, media_type, delivered):
    signed = cloud().sign(body, HOOK, AT)

    assert signed.headers == {"Content-Type": media_type, **BEARER}
    assert signed.url == HOOK
    cloud().verify(delivered(signed.body, signed.headers, url=signed.url), AT)


def test_there_is_nothing_to_look_up(parsed):
    (event,) = parsed(WHOLE)

    assert cloud(api_token="t").can_look_up(event) is False
    assert cloud(api_token="t").probe() is None
