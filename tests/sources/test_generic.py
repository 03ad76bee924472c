"""A sender of one's own: how it proves itself, what it may send in which form, what is refused by name, both keys."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.errors import Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Stage
from bridge.sources.generic import Generic, GenericSettings

SECRET = "correct-horse"
PHONE, MOBILE = "+12813322575", "+12813322576"
EVENT = {"event_id": "lead-7", "type": "lead.created", "phone": PHONE}
AT = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)


def generic(**settings) -> Generic:
    return Generic("zapier", GenericSettings(**{"kind": "generic", "secret": SECRET, "region": "US", **settings}))


def basic(credentials: str) -> str:
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"


def refusal(source: Generic, delivery: Delivery) -> Refusal:
    with pytest.raises(Unverified) as refused:
        source.verify(delivery, AT)
    return refused.value.refusal


def refused(source: Generic, body: Any, **more) -> Unreadable:
    written = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = more.get("headers", {})
    with pytest.raises(Unreadable) as unreadable:
        source.parse(Delivery(source="zapier", body=written, url="", received_at=AT, headers=headers))
    return unreadable.value


# Who may send.


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {SECRET}"},
        {"Authorization": f"bearer  {SECRET} "},
        {"X-Webhook-Secret": SECRET},
        {"X-Webhook-Secret": f" {SECRET} "},
        {"Authorization": basic(f"anybody:{SECRET}")},
        {"Authorization": basic(f":{SECRET}")},
        {"Authorization": basic("who:knows"), "X-Webhook-Secret": SECRET},
    ],
)
def test_the_secret_opens_the_source_however_it_is_sent(headers, delivered):
    generic().verify(delivered("{}", headers), AT)


def test_a_secret_may_be_a_user_with_a_password(delivered):
    source = generic(secret="zapier:correct:horse")

    source.verify(delivered("{}", {"Authorization": basic("zapier:correct:horse")}), AT)
    assert refusal(source, delivered("{}", {"Authorization": basic("other:correct:horse")})) is Refusal.WRONG_SECRET


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, Refusal.MISSING),
        ({"Authorization": "Bearer"}, Refusal.MISSING),
        ({"Authorization": "Bearer  "}, Refusal.MISSING),
        ({"X-Webhook-Secret": " "}, Refusal.MISSING),
        ({"Authorization": SECRET}, Refusal.MISSING),
        ({"Authorization": f"Digest {SECRET}"}, Refusal.MISSING),
        ({"Authorization": "Basic %%%"}, Refusal.MISSING),
        ({"X-Signature": SECRET}, Refusal.MISSING),
        ({"Authorization": "Bearer wrong"}, Refusal.WRONG_SECRET),
        ({"X-Webhook-Secret": SECRET[:-1]}, Refusal.WRONG_SECRET),
        ({"X-Webhook-Secret": SECRET + SECRET}, Refusal.WRONG_SECRET),
        ({"Authorization": basic(f"{SECRET}:")}, Refusal.WRONG_SECRET),
        ({"Authorization": basic(SECRET + ":x")}, Refusal.WRONG_SECRET),
    ],
)
def test_anything_else_does_not(headers, expected, delivered):
    assert refusal(generic(), delivered("{}", headers)) is expected


def test_while_the_secret_is_rotated_both_are_good(delivered):
    rotating = generic(secret=["new", SECRET])

    rotating.verify(delivered("{}", {"X-Webhook-Secret": "new"}), AT)
    rotating.verify(delivered("{}", {"X-Webhook-Secret": SECRET}), AT)
    assert refusal(rotating, delivered("{}", {"X-Webhook-Secret": "old"})) is Refusal.WRONG_SECRET


def test_a_blank_secret_is_not_opened_by_a_blank_password(delivered):
    assert refusal(generic(secret=[" "]), delivered("{}", {"Authorization": basic("anybody: ")})) is Refusal.NO_SECRET


BODY = b'{"event_id": 1}'


def signature(algorithm: str, encoding: str, secret: str = SECRET) -> str:
    """As a sender would compute it."""
    digest = hmac.new(secret.encode(), BODY, getattr(hashlib, algorithm)).digest()
    return digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()


each_form = pytest.mark.parametrize("algorithm", ["sha256", "sha1", "sha512"])
each_encoding = pytest.mark.parametrize("encoding", ["hex", "base64"])


@each_form
@each_encoding
@pytest.mark.parametrize("prefix", ["", "sha=", "v1 "])
def test_a_signature_is_believed_in_the_form_that_was_agreed(algorithm, encoding, prefix, delivered):
    source = generic(hmac={"header": "X-Signature", "algorithm": algorithm, "encoding": encoding, "prefix": prefix})

    source.verify(delivered(BODY, {"X-Signature": f" {prefix}{signature(algorithm, encoding)} "}), AT)


@each_form
@each_encoding
def test_what_send_signs_is_believed(algorithm, encoding, delivered):
    source = generic(hmac={"header": "X-Signature", "algorithm": algorithm, "encoding": encoding, "prefix": "x="})

    source.verify(delivered(BODY, source.sign(BODY, "", AT).headers), AT)


SIGNING = {"header": "X-Signature", "prefix": "sha256="}


@pytest.mark.parametrize(
    "given",
    [
        signature("sha256", "hex"),
        "sha256=" + signature("sha256", "base64"),
        "sha256=" + signature("sha1", "hex"),
        "sha256=" + signature("sha256", "hex", "wrong"),
        "sha256=" + signature("sha256", "hex")[:-1],
        "sha256=",
    ],
)
def test_a_signature_of_any_other_form_is_refused(given, delivered):
    assert refusal(generic(hmac=SIGNING), delivered(BODY, {"X-Signature": given})) is Refusal.WRONG_SIGNATURE


def test_a_hex_signature_counts_in_either_case_and_a_base64_one_does_not(delivered):
    generic(hmac=SIGNING).verify(delivered(BODY, {"X-Signature": "sha256=" + signature("sha256", "hex").upper()}), AT)
    based = generic(hmac={"header": "X-Signature", "encoding": "base64"})
    assert refusal(based, delivered(BODY, {"X-Signature": signature("sha256", "base64").swapcase()})) is Refusal.WRONG_SIGNATURE


def test_where_the_body_is_signed_the_secret_itself_opens_nothing(delivered):
    assert refusal(generic(hmac=SIGNING), delivered(BODY, {"Authorization": f"Bearer {SECRET}"})) is Refusal.MISSING
    assert refusal(generic(hmac=SIGNING, secret=()), delivered(BODY, {"X-Signature": "sha256="})) is Refusal.NO_SECRET


def test_while_the_secret_is_rotated_both_sign(delivered):
    generic(hmac=SIGNING, secret=["new", SECRET]).verify(delivered(BODY, {"X-Signature": "sha256=" + signature("sha256", "hex")}), AT)


@pytest.mark.parametrize(
    "wrong", [{}, {"header": ""}, {"header": "X", "algorithm": "md5"}, {"header": "X", "encoding": "hexx"}, {"header": "X", "key": "y"}]
)
def test_a_signature_that_nobody_could_check_is_refused_by_the_configuration(wrong):
    with pytest.raises(ValidationError):
        generic(hmac=wrong)


# In which form.

FORMS = {
    "json": (json.dumps(EVENT).encode(), "application/json"),
    "json with a charset": (json.dumps(EVENT).encode(), "application/json; charset=utf-8"),
    "json of a kind": (json.dumps(EVENT).encode(), "application/vnd.acme.v2+json"),
    "json that says nothing": (json.dumps(EVENT).encode(), ""),
    "json that says text": (json.dumps(EVENT).encode(), "text/plain"),
    "json that says form": (json.dumps(EVENT).encode(), "application/x-www-form-urlencoded"),
    "form": (urlencode(EVENT).encode(), "application/x-www-form-urlencoded"),
    "form that says nothing": (urlencode(EVENT).encode(), ""),
    "xml": ("".join(f"<{name}>{value}</{name}>" for name, value in EVENT.items()).encode(), "application/xml"),
    "xml of a kind": (b"<e>" + b"".join(f"<{name}>{value}</{name}>".encode() for name, value in EVENT.items()) + b"</e>", "text/xml;charset=utf-8"),
    "xml that says nothing": ("".join(f"<{name}>{value}</{name}>" for name, value in EVENT.items()).encode(), ""),
}


@pytest.mark.parametrize(("body", "content_type"), FORMS.values(), ids=FORMS)
def test_an_event_may_come_in_every_form_that_automation_tools_send(body, content_type, delivered):
    (event,) = generic().parse(delivered(body, {"Content-Type": content_type} if content_type else {}))

    assert (event.id, event.type, event.contact) == ("lead-7", "lead.created", Contact(phone=PHONE, phones=(PHONE,)))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/json"),
        (b"", ""),
        (b"{", "application/json"),
        (urlencode(EVENT).encode(), "application/json"),
        (b"<a>", "application/xml"),
        (b"a=%ff", "application/x-www-form-urlencoded"),
        (b"--x", "multipart/form-data; boundary=x"),
    ],
)
def test_what_cannot_be_read_is_refused(body, content_type):
    assert refused(generic(), body, headers={"content-type": content_type}).message


# What it may say.


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"name": "Alex Doe", "email": "a@example.com"}, Contact(name="Alex Doe", email="a@example.com", phone=PHONE, phones=(PHONE,))),
        ({"contact": {"phone": MOBILE, "id": 7}}, Contact(id="7", phone=MOBILE, phones=(MOBILE,))),
        ({"contact": {"phones": [MOBILE, "", None]}}, Contact(phone=PHONE, phones=(PHONE, MOBILE))),
        ({"contact": {"phones": MOBILE}}, Contact(phone=PHONE, phones=(PHONE, MOBILE))),
        ({"contact": {"time_zone": "Europe/Berlin"}}, Contact(time_zone="Europe/Berlin", phone=PHONE, phones=(PHONE,))),
        ({"phone": 12813322575}, Contact(phone=PHONE, phones=(PHONE,))),
        ({"phone": "281 332 2575"}, Contact(phone=PHONE, phones=(PHONE,))),
        ({"phone": "later"}, Contact(phone="later", phones=("later",))),
        ({"phone": "", "name": None, "email": " ", "contact": {}}, None),
        ({"phone": "", "contact": {"name": " ", "phones": []}}, None),
    ],
)
def test_a_person_may_be_told_at_the_top_or_inside(more, expected, read):
    assert read(generic(), EVENT | more).contact == expected


@pytest.mark.parametrize("blank", [None, "", "  ", [], {}], ids=repr)
@pytest.mark.parametrize("name", ["occurred_at", "entity", "stage", "contact", "fields", "refs", "name", "email", "phone"])
def test_a_blank_value_is_an_absent_one(name, blank, read):
    told = {**EVENT, "phone": None}

    assert read(generic(), {**told, name: blank}) == read(generic(), told)


@pytest.mark.parametrize(
    ("told", "kind", "expected"),
    [
        ({"type": "deal", "id": 555}, "lead.created", Entity("deal", "555")),
        ({"id": "7"}, "lead.created", Entity("lead", "7")),
        ({"id": "7"}, "crm.lead.created", Entity("crm", "7")),
        ({"type": "deal"}, "lead.created", None),
        ({"type": "deal", "id": ""}, "lead.created", None),
    ],
)
def test_a_record_takes_its_type_from_the_events_where_it_has_none(told, kind, expected, read):
    assert read(generic(), EVENT | {"entity": told, "type": kind}).entity == expected


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"from": "new", "to": 5}, Stage(after="5", before="new")),
        ({"to": "won"}, Stage(after="won")),
        ({"from": "new"}, Stage(before="new")),
        ({"to": ""}, None),
    ],
)
def test_a_stage_is_told_as_a_move(told, expected, read):
    assert read(generic(), EVENT | {"stage": told}).stage == expected


@pytest.mark.parametrize(
    "written", ["2026-11-23T08:40:00Z", "2026-11-23T10:40:00+02:00", "2026-11-23 08:40:00", 1795423200, "1795423200", 1795423200000], ids=repr
)
def test_a_time_may_be_written_in_several_ways(written, read):
    assert read(generic(), EVENT | {"occurred_at": written}).occurred_at == AT


def test_refs_are_the_record_the_person_the_numbers_and_what_else_is_told(read):
    told = {"entity": {"type": "deal", "id": 555}, "contact": {"id": 7, "phones": [MOBILE, "later"]}, "refs": ["household:9", "deal:555", ""]}

    assert read(generic(), EVENT | told).refs == ("deal:555", "contact:7", f"phone:{PHONE}", f"phone:{MOBILE}", "household:9")
    assert read(generic(), EVENT | {"refs": "household:9"}).refs[-1] == "household:9"


def test_whatever_has_another_name_is_a_field(read):
    event = read(generic(), EVENT | {"plan": "gold", "source": "web", "fields": {"plan": "silver", "seats": 3}})

    assert event.fields == {"plan": "silver", "source": "web", "seats": 3}


# What is refused, and by which name.


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"event_id": None}, "event_id", "Idempotency-Key"),
        ({"event_id": " "}, "event_id", "fields: {event_id: …}"),
        ({"event_id": 1.5}, "event_id", "text or a whole number"),
        ({"event_id": True}, "event_id", "text or a whole number"),
        ({"event_id": [1]}, "event_id", "text or a whole number"),
        ({"type": None}, "type", "send type"),
        ({"type": {"a": 1}}, "type", "text"),
        ({"occurred_at": "yesterday"}, "occurred_at", "ISO 8601"),
        ({"occurred_at": 5}, "occurred_at", "epoch"),
        ({"entity": "deal:555"}, "entity", "type, id"),
        ({"entity": {"id": 1.5}}, "entity.id", "text"),
        ({"entity": {"id": "7"}, "type": "created"}, "entity.type", "lead, a contact, a deal"),
        ({"stage": "won"}, "stage", "from, to"),
        ({"stage": {"to": ["won"]}}, "stage.to", "text"),
        ({"contact": "Alex"}, "contact", "id, name, phone"),
        ({"contact": {"phone": [PHONE]}}, "contact.phone", "text"),
        ({"phone": {"value": PHONE}}, "contact.phone", "text"),
        ({"contact": {"phones": [{"value": PHONE}]}}, "contact.phones", "text"),
        ({"contact": {"time_zone": 1.5}}, "contact.time_zone", "text"),
        ({"refs": [{}, {"a": 1}]}, "refs", "text"),
        ({"fields": [1]}, "fields", "object"),
    ],
)
def test_what_is_missing_or_wrong_is_named(changes, field, says):
    error = refused(generic(), EVENT | changes)

    assert error.field == field
    assert says in error.message


@pytest.mark.parametrize("body", [None, 7, "text", [[]], [7], [None]])
def test_what_is_no_event_is_refused(body):
    assert "object" in refused(generic(), body).message


def test_the_element_of_an_array_that_is_wrong_is_named_and_none_is_taken():
    error = refused(generic(), [EVENT, EVENT | {"event_id": 2, "occurred_at": "soon"}])

    assert error.field == "[1].occurred_at"
    assert "element 1" in error.message


# Both keys.


def test_an_array_is_an_event_for_each_element(read):
    events = read(generic(), [EVENT | {"event_id": number} for number in range(3)])

    assert [event.id for event in events] == ["0", "1", "2"]


def test_an_empty_array_is_no_event(delivered):
    assert generic().parse(delivered("[]")) == []


KEY = {"Idempotency-Key": "key-1"}


@pytest.mark.parametrize("body", [EVENT | {"event_id": None}, EVENT | {"event_id": ""}, [EVENT | {"event_id": None}]])
def test_the_id_may_come_in_a_header_where_there_is_one_event(body, read):
    assert read(generic(), body, headers=KEY).id == "key-1"


def test_the_id_in_the_body_counts_more_than_the_one_in_the_header(read):
    assert read(generic(), EVENT, headers=KEY).id == "lead-7"


def test_one_header_cannot_name_two_events():
    headers = {name.lower(): value for name, value in KEY.items()}

    assert refused(generic(), [{"type": "lead.created"}] * 2, headers=headers).field == "[0].event_id"


def test_a_body_may_be_its_own_id_where_that_is_asked_for(read):
    source = generic(fields={"event_id": "body_hash"})
    first, reordered, other = ({"type": "x", "a": 1}, {"a": 1, "type": "x"}, {"type": "x", "a": 2})

    assert read(source, first).id == read(source, reordered, headers=KEY).id
    assert read(source, first).id != read(source, other).id


WHOLE = EVENT | {"occurred_at": "2026-11-23T08:40:00Z", "entity": {"type": "deal", "id": "555"}, "stage": {"to": "won"}}


def test_the_same_fact_under_another_id_is_one_fact(read):
    one, other = read(generic(), WHOLE), read(generic(), WHOLE | {"event_id": "lead-8", "name": "Alex", "stage": {"from": "new", "to": "won"}})

    assert one.id != other.id
    assert one.fact == other.fact


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "deal.updated"},
        {"occurred_at": "2026-11-23T08:40:01Z"},
        {"entity": {"type": "deal", "id": "556"}},
        {"entity": {"type": "lead", "id": "555"}},
        {"stage": {"to": "lost"}},
    ],
    ids=str,
)
def test_another_fact_is_another(changes, read):
    assert read(generic(), WHOLE).fact != read(generic(), WHOLE | changes).fact


@pytest.mark.parametrize("missing", ["occurred_at", "entity"])
def test_a_fact_that_is_not_told_whole_is_merged_with_no_other(missing, read):
    one, other = (read(generic(), WHOLE | {missing: None, "event_id": number}) for number in (1, 2))

    assert one.fact != other.fact


@given(st.text(min_size=1).filter(str.strip), st.text(min_size=1).filter(str.strip))
def test_two_ids_are_never_one_fact(one, other):
    bodies = [json.dumps({"event_id": number, "type": "x"}).encode() for number in (one, other)]
    first, second = (generic().parse(Delivery(source="zapier", body=body, url="", received_at=AT))[0] for body in bodies)

    assert (first.id == second.id) == (first.fact == second.fact)


# Fields that stand elsewhere.

ELSEWHERE = {
    "event_id": ("a.b", {"a": {"b": "e-1"}}, lambda event: event.id, "e-1"),
    "type": ("'lead.lost'", {}, lambda event: event.type, "lead.lost"),
    "occurred_at": ("changed", {"changed": 1795423200}, lambda event: event.occurred_at, AT),
    "fields": ("data", {"data": {"plan": "gold"}}, lambda event: event.fields, {"plan": "gold"}),
    "fields.plan": ("data.plan", {"data": {"plan": "gold"}}, lambda event: event.fields["plan"], "gold"),
    "refs": ("[house]", {"house": "house:1"}, lambda event: event.refs[-1], "house:1"),
    "entity": ("record", {"record": {"type": "deal", "id": 5}}, lambda event: event.entity, Entity("deal", "5")),
    "entity.id": ("lead_id", {"lead_id": 5}, lambda event: event.entity, Entity("lead", "5")),
    "stage": ("move", {"move": {"from": "a", "to": "b"}}, lambda event: event.stage, Stage(after="b", before="a")),
    "stage.from": ("old", {"old": "a"}, lambda event: event.stage, Stage(before="a")),
    "stage.to": ("stage", {"stage": "won"}, lambda event: event.stage, Stage(after="won")),
    "contact": ("person", {"person": {"name": "Al"}}, lambda event: event.contact.name, "Al"),
    "contact.id": ("who", {"who": 7}, lambda event: event.contact.id, "7"),
    "contact.name": ("contact", {"contact": "Alex"}, lambda event: event.contact.name, "Alex"),
    "contact.phone": ("answers[?q=='tel'].a | [0]", {"answers": [{"q": "tel", "a": MOBILE}]}, lambda event: event.contact.phone, MOBILE),
    "contact.phones": ("numbers[].n", {"numbers": [{"n": MOBILE}]}, lambda event: event.contact.phones, (PHONE, MOBILE)),
    "contact.email": ("mail", {"mail": "a@example.com"}, lambda event: event.contact.email, "a@example.com"),
    "contact.time_zone": ("tz", {"tz": "Europe/Berlin"}, lambda event: event.contact.time_zone, "Europe/Berlin"),
    "phone": ("tel", {"tel": MOBILE}, lambda event: event.contact.phone, MOBILE),
    "name": ("join(' ', [first, last])", {"first": "Alex", "last": "Doe"}, lambda event: event.contact.name, "Alex Doe"),
    "email": ("mail", {"mail": "a@example.com"}, lambda event: event.contact.email, "a@example.com"),
}


@pytest.mark.parametrize("target", ELSEWHERE)
def test_every_field_can_be_pointed_elsewhere(target, read):
    expression, more, told, expected = ELSEWHERE[target]

    assert told(read(generic(fields={target: expression}), EVENT | more)) == expected


def test_the_type_of_a_record_can_be_pointed_elsewhere(read):
    source = generic(fields={"entity.type": "kind", "entity.id": "entity"})

    assert read(source, EVENT | {"kind": "deal", "entity": 5}).entity == Entity("deal", "5")


def test_a_part_that_is_pointed_elsewhere_leaves_the_others_where_they_are(read):
    event = read(generic(fields={"contact.phone": "tel"}), EVENT | {"tel": MOBILE, "contact": {"name": "Alex", "phone": "1"}})

    assert event.contact == Contact(name="Alex", phone=MOBILE, phones=(MOBILE,))


def test_a_part_counts_more_than_the_whole_that_is_pointed_elsewhere_too(read):
    source = generic(fields={"contact.phone": "tel", "contact": "person"})

    assert read(source, EVENT | {"tel": MOBILE, "person": {"name": "Alex", "phone": PHONE}}).contact == Contact(
        name="Alex", phone=MOBILE, phones=(MOBILE,)
    )


def test_a_name_that_is_pointed_elsewhere_is_the_bodys_own_again(read):
    event = read(generic(fields={"type": "'lead.created'", "event_id": "uid", "stage.to": "stage"}), {"uid": 1, "type": "webform", "stage": "new"})

    assert (event.type, event.stage) == ("lead.created", Stage(after="new"))
    assert event.fields == {"uid": 1, "type": "webform", "stage": "new"}


def test_a_field_that_is_pointed_at_nothing_is_absent_or_named_where_it_is_needed(read):
    assert read(generic(fields={"contact.name": "join(' ', [first, last])"}), EVENT).contact.name is None
    assert "'a.b' finds nothing" in refused(generic(fields={"event_id": "a.b"}), EVENT, headers={"idempotency-key": "1"}).message


@pytest.mark.parametrize("target", ["contact.fax", "id", "contact.phone.0", "Type", "stage.", "fields.", ""])
def test_a_field_that_no_event_has_is_refused_by_the_configuration(target):
    with pytest.raises(ValidationError, match="no field of an event"):
        generic(fields={target: "x"})


@pytest.mark.parametrize("expression", ["a[", "", "foo("])
def test_an_expression_that_cannot_be_read_is_refused_by_the_configuration(expression):
    with pytest.raises(ValidationError, match="JMESPath"):
        generic(fields={"type": expression})
