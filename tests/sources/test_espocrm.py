"""EspoCRM: a key for each webhook and both of its signatures, events that only the signature names, both keys, and its look-ups."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, Stage, Unparsed
from bridge.sources.espocrm import EspoCrm, EspoCrmSettings

TOKEN = "0123456789abcdef0123456789abcdef"
SITE = "https://crm.example.com"
AT = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
PRIMARY, HOME = "+12813322575", "+12813322578"
# Computed from the server's code, which publishes no vector; the older signature holds the digest's bytes.
BODY = '[{"id":"someId","name":"some name"}]'
SIGNATURE = "d2gxOmJkZjQwMzY2MGQ0NzBhMjM4OGFlODlkMTAwNTZhNjlkNzdhNDY5MTQzOTIyMWJiMDMwYTJhMDJlNmM5OWJjMzE="
OLDER_SIGNATURE = "d2gxOr30A2YNRwojiK6J0QBWpp13pGkUOSIbsDCioC5smbwx"
EVENTS = {
    "lc": "Lead.create",
    "lu": "Lead.update",
    "ls": "Lead.fieldUpdate.status",
    "lp": "Lead.fieldUpdate.phoneNumber",
    "ld": "Lead.delete",
    "cc": "Contact.create",
    "cu": "Contact.update",
    "cd": "Contact.delete",
    "oc": "Opportunity.create",
    "ou": "Opportunity.update",
    "os": "Opportunity.fieldUpdate.stage",
    "oa": "Opportunity.fieldUpdate.amount",
    "od": "Opportunity.delete",
    "ac": "Account.create",
    "au": "Account.update",
}


def espocrm(**settings) -> EspoCrm:
    webhooks = {event: webhook for webhook, event in EVENTS.items()}
    told = {"kind": "espocrm", "secret": "wh1:espo-secret", "webhooks": webhooks, "api_token": TOKEN, "api_base": SITE, "region": "US"}
    return EspoCrm("espocrm", EspoCrmSettings(**{**told, **settings}))


def refusal(source: EspoCrm, delivery: Delivery) -> Refusal:
    with pytest.raises(Unverified) as refused:
        source.verify(delivery, AT)
    return refused.value.refusal


def of_webhook(webhook: str) -> dict[str, str]:
    """A header that names a webhook; that it fits is no matter of reading."""
    return {"Signature": base64.b64encode(f"{webhook}:{'0' * 64}".encode()).decode()}


def told(webhook: str, *items: object) -> Delivery:
    headers = {name.lower(): value for name, value in of_webhook(webhook).items()}
    return Delivery(source="espocrm", body=json.dumps(items).encode(), url="", received_at=AT, headers=headers)


def event_of(webhook: str, source: EspoCrm | None = None, **item: object) -> Event:
    (event,) = (source or espocrm()).parse(told(webhook, {"id": "65a1b2c3d4e5f6071", **item}))
    return event


# Who may send.


@pytest.mark.parametrize(
    "headers", [{"Signature": SIGNATURE}, {"X-Signature": OLDER_SIGNATURE}, {"Signature": SIGNATURE, "X-Signature": OLDER_SIGNATURE}]
)
def test_both_signatures_of_the_servers_code_are_believed(headers, delivered):
    espocrm().verify(delivered(BODY, headers), AT)


def test_a_body_is_signed_as_the_server_signs_it():
    headers = espocrm().sign(BODY.encode(), "https://bridge.example.com", AT).headers

    assert headers == {"Content-Type": "application/json", "Signature": SIGNATURE}


def test_a_signature_that_fails_never_falls_back_to_the_older_one(delivered):
    forged = of_webhook("wh1") | {"X-Signature": OLDER_SIGNATURE}

    assert refusal(espocrm(), delivered(BODY, forged)) is Refusal.WRONG_SIGNATURE


def test_each_signature_is_compared_in_its_own_form(delivered):
    assert refusal(espocrm(), delivered(BODY, {"Signature": OLDER_SIGNATURE})) is Refusal.WRONG_SIGNATURE
    assert refusal(espocrm(), delivered(BODY, {"X-Signature": SIGNATURE})) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize("value", ["", " ", "%%%", "é", "d2gx", base64.b64encode(b"wh1:").decode(), base64.b64encode(b":abc").decode(), "wh1:abc"])
def test_a_signature_that_names_no_webhook_is_none(value, delivered):
    assert refusal(espocrm(), delivered(BODY, {"Signature": value})) is Refusal.MISSING


@pytest.mark.parametrize("webhook", ["wh1 ", "wh\n1", "a" * 41, "é"])
def test_an_id_that_is_none_is_not_repeated_to_whoever_sent_it(webhook, delivered):
    with pytest.raises(Unverified) as refused:
        espocrm().verify(delivered(BODY, of_webhook(webhook)), AT)

    assert webhook not in refused.value.message


def test_a_webhook_of_which_no_key_is_known_is_refused_and_named(delivered):
    with pytest.raises(Unverified, match="wh2 has no key here") as refused:
        espocrm().verify(delivered(BODY, of_webhook("wh2")), AT)

    assert refused.value.refusal is Refusal.WRONG_SECRET


def test_the_key_of_one_webhook_does_not_open_another(delivered):
    """The id is not signed: a body of one webhook, sent on under another's id, would be another event."""
    two = espocrm(secret=["wh1:espo-secret", "wh2:another-secret"])
    digest = base64.b64decode(SIGNATURE).partition(b":")[2]
    passed_off = base64.b64encode(b"wh2:" + digest).decode()

    two.verify(delivered(BODY, {"Signature": SIGNATURE}), AT)
    assert refusal(two, delivered(BODY, {"Signature": passed_off})) is Refusal.WRONG_SIGNATURE


def test_while_the_key_of_a_webhook_is_rotated_both_are_good(delivered):
    espocrm(secret=["wh1:new", "wh1:espo-secret"]).verify(delivered(BODY, {"Signature": SIGNATURE}), AT)


def test_a_key_may_have_colons(delivered):
    source = espocrm(secret="wh1:a:b")

    source.verify(delivered(BODY, source.sign(BODY.encode(), "", AT).headers), AT)


@pytest.mark.parametrize("secret", ["espo-secret", "wh1:", ":espo-secret", "wh 1:espo-secret", ["wh1:espo-secret", "espo-secret"]])
def test_a_secret_that_is_no_id_and_key_is_refused_by_the_configuration(secret):
    with pytest.raises(ValidationError, match="webhook id"):
        espocrm(secret=secret)


@pytest.mark.parametrize("event", ["lead.create", "Lead", "Lead.created", "Lead.fieldUpdate", "Lead.fieldUpdate.", "Lead.create.x", ".create", ""])
def test_an_event_that_espocrm_does_not_have_is_refused_by_the_configuration(event):
    with pytest.raises(ValidationError, match=r"no event such as Lead\.create"):
        espocrm(webhooks={event: "wh1"})


# What a webhook means.


@pytest.mark.parametrize(
    ("webhook", "item", "expected", "stage"),
    [
        ("lc", {"status": "New"}, "lead.created", None),
        ("lu", {"description": "x"}, "lead.updated", None),
        ("lu", {"status": "Dead"}, "lead.stage_changed", Stage(after="Dead")),
        ("ls", {"status": "Converted"}, "lead.stage_changed", Stage(after="Converted")),
        ("ls", {"status": None}, "lead.updated", None),
        ("ls", {}, "lead.updated", None),
        ("lu", {"stage": "x"}, "lead.updated", None),
        ("lp", {"phoneNumber": PRIMARY}, "lead.updated", None),
        ("ld", {}, "lead.deleted", None),
        ("cc", {}, "contact.created", None),
        ("cu", {"status": "x", "stage": "x"}, "contact.updated", None),
        ("cd", {}, "contact.deleted", None),
        ("oc", {"stage": "Prospecting"}, "deal.created", None),
        ("ou", {"amount": 5}, "deal.updated", None),
        ("ou", {"stage": "Closed Won"}, "deal.stage_changed", Stage(after="Closed Won")),
        ("os", {"stage": "Closed Won"}, "deal.stage_changed", Stage(after="Closed Won")),
        ("oa", {"amount": 5, "amountCurrency": "EUR"}, "deal.updated", None),
        ("od", {}, "deal.deleted", None),
        ("ac", {}, "unknown", None),
        ("au", {"stage": "x"}, "unknown", None),
    ],
)
def test_every_event_has_a_type(webhook, item, expected, stage):
    event = event_of(webhook, **item)

    assert (event.type, event.stage) == (expected, stage)
    assert event.fields == {"id": "65a1b2c3d4e5f6071", **item}


@pytest.mark.parametrize(("webhook", "record"), [("lc", "lead"), ("cu", "contact"), ("od", "deal"), ("ac", "Account")])
def test_the_record_is_known_by_its_kind_and_id(webhook, record):
    event = event_of(webhook)

    assert event.entity == Entity(record, "65a1b2c3d4e5f6071")
    assert event.refs[0] == f"{record}:65a1b2c3d4e5f6071"


def test_an_id_of_digits_alone_is_an_id():
    assert event_of("1650", espocrm(webhooks={"Lead.create": 1650})).type == "lead.created"


def test_one_event_may_have_several_webhooks():
    source = espocrm(webhooks={"Lead.create": ["a", "b"]})

    assert [event_of(webhook, source).type for webhook in ("a", "b")] == ["lead.created", "lead.created"]


def test_the_older_signature_names_the_webhook_too():
    source = espocrm(webhooks={"Lead.create": "wh1"})
    delivery = replace(told("lc", {"id": "1"}), headers={"x-signature": OLDER_SIGNATURE})

    assert source.parse(delivery)[0].type == "lead.created"


@pytest.mark.parametrize(
    "headers", [{}, {"signature": "%%%"}, {name.lower(): value for name, value in of_webhook("zz").items()}], ids=["none", "broken", "unknown"]
)
def test_a_body_whose_event_nobody_knows_is_kept_whole(headers):
    with pytest.raises(Unreadable, match="webhooks"):
        espocrm().parse(replace(told("lc", {"id": "1"}), headers=headers))


@pytest.mark.parametrize("body", ["{}", '{"id": "1"}', "7", "null", "not json"])
def test_a_body_that_is_no_array_is_unreadable(body):
    with pytest.raises(Unreadable):
        espocrm().parse(replace(told("lc"), body=body.encode()))


def test_an_empty_array_tells_nothing():
    assert espocrm().parse(told("lc")) == []


def test_an_item_that_cannot_be_read_does_not_take_the_others_with_it():
    first, second, third, last = espocrm().parse(told("lc", {"id": "1"}, {"name": "x"}, None, {"id": 2}))

    assert (first.entity.id, last.entity.id) == ("1", "2")
    assert isinstance(second, Unparsed)
    assert second.id != third.id
    assert espocrm().parse(told("lc", {"name": "x"})) == [second]


@pytest.mark.parametrize(
    ("webhook", "item", "expected"),
    [
        ("lc", {"createdAt": "2026-11-23 08:36:10"}, datetime(2026, 11, 23, 8, 36, 10, tzinfo=UTC)),
        ("lc", {"createdAt": "soon"}, None),
        ("lc", {}, None),
        ("lu", {"createdAt": "2026-11-23 08:36:10"}, None),
        ("ld", {}, None),
    ],
)
def test_only_a_creation_tells_its_time(webhook, item, expected):
    assert event_of(webhook, **item).occurred_at == expected


# People and numbers.


def row(number: object, **more: object) -> dict:
    return {"phoneNumber": number, "primary": False, "type": "Mobile", "optOut": False, "invalid": False, **more}


@pytest.mark.parametrize(
    ("record", "phones"),
    [
        ({"phoneNumber": "(281) 332-2575"}, (PRIMARY,)),
        ({"phoneNumber": PRIMARY, "phoneNumberData": []}, (PRIMARY,)),
        ({"phoneNumber": PRIMARY, "phoneNumberData": None}, (PRIMARY,)),
        ({"phoneNumber": PRIMARY, "phoneNumberData": [row(HOME), row(PRIMARY, primary=True)]}, (PRIMARY, HOME)),
        ({"phoneNumber": PRIMARY, "phoneNumberData": [row(HOME), row(PRIMARY, primary=True, optOut=True)]}, (HOME,)),
        ({"phoneNumber": PRIMARY, "phoneNumberData": [row(HOME, invalid=True), row(PRIMARY, primary=True)]}, (PRIMARY,)),
        ({"phoneNumber": PRIMARY, "phoneNumberData": [row(HOME, type="Fax"), row(PRIMARY, type="Office")]}, (PRIMARY,)),
        ({"phoneNumber": PRIMARY, "phoneNumberData": [row(PRIMARY, optOut=True)]}, ()),
        ({"phoneNumber": PRIMARY, "phoneNumberIsOptedOut": True}, ()),
        ({"phoneNumber": PRIMARY, "phoneNumberIsInvalid": True}, ()),
        ({"phoneNumber": PRIMARY, "doNotCall": True, "phoneNumberData": [row(PRIMARY)]}, ()),
        ({"phoneNumber": PRIMARY, "doNotCall": False}, (PRIMARY,)),
        ({"phoneNumber": None}, ()),
        ({"phoneNumber": ""}, ()),
        ({"phoneNumber": [PRIMARY], "phoneNumberData": [None, "x", {}, row(None)]}, ()),
        ({}, ()),
    ],
)
@pytest.mark.parametrize("webhook", ["lc", "cc"])
def test_only_numbers_that_may_be_called_are_told(webhook, record, phones):
    event = event_of(webhook, lastName="Doe", firstName=None, **record)

    assert event.contact.phones == phones
    assert event.contact.phone == (phones[0] if phones else None)
    assert [ref for ref in event.refs if ref.startswith("phone:")] == [f"phone:{phone}" for phone in phones]


def test_a_lead_is_a_person_without_being_a_contact():
    person = {"name": "Alex Doe", "emailAddress": "alex@example.com"}

    assert event_of("lc", **person).contact == Contact(name="Alex Doe", email="alex@example.com")
    assert event_of("cc", **person).contact == Contact(id="65a1b2c3d4e5f6071", name="Alex Doe", email="alex@example.com")


@pytest.mark.parametrize(
    ("item", "name"),
    [
        ({"name": "Alex Doe", "firstName": "x", "lastName": "y"}, "Alex Doe"),
        ({"firstName": "Alex", "lastName": "Doe"}, "Alex Doe"),
        ({"firstName": None, "lastName": "Doe"}, "Doe"),
        ({"firstName": "Alex"}, None),
        ({"lastName": "Doe"}, None),
    ],
)
def test_half_a_name_that_changed_is_no_name(item, name):
    contact = event_of("lu", **item).contact

    assert (contact.name if contact else None) == name


@pytest.mark.parametrize(
    ("item", "contact", "refs"),
    [
        ({}, None, ()),
        ({"contactId": "c1", "contactName": "Alex Doe"}, Contact(id="c1", name="Alex Doe"), ("contact:c1",)),
        ({"contactsIds": ["c1", "c2"], "contactsNames": {"c1": "Alex Doe"}}, Contact(id="c1", name="Alex Doe"), ("contact:c1", "contact:c2")),
        ({"contactId": "c2", "contactsIds": ["c1", "c2"]}, Contact(id="c2"), ("contact:c2", "contact:c1")),
        ({"contactsIds": []}, None, ()),
        ({"contactsIds": [None, {}], "contactId": None}, None, ()),
        ({"contactsIds": "c1"}, None, ()),
        ({"contactId": "c1", "originalLeadId": "l1"}, Contact(id="c1"), ("contact:c1", "lead:l1")),
    ],
)
def test_an_opportunity_tells_its_contacts(item, contact, refs):
    event = event_of("ou", **item)

    assert event.contact == contact
    assert event.refs == ("deal:65a1b2c3d4e5f6071", *refs)


def test_a_converted_lead_is_tied_to_what_was_made_of_it():
    event = event_of("lu", status="Converted", createdContactId="c1", createdOpportunityId="o1")

    assert event.refs == ("lead:65a1b2c3d4e5f6071", "contact:c1", "deal:o1")


# Both keys.


def test_a_batch_cut_otherwise_gives_the_same_keys():
    items = [{"id": "1", "stage": "a"}, {"id": "2", "stage": "b"}, {"id": "3", "stage": "c"}]
    whole = espocrm().parse(told("os", *items))
    parts = [*espocrm().parse(told("os", *items[1:])), *espocrm().parse(told("os", items[0]))]

    assert {(event.id, event.fact) for event in whole} == {(event.id, event.fact) for event in parts}


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=5), st.randoms())
def test_keys_do_not_depend_on_the_order_of_names(item, random):
    names = list({**item, "id": "1"})
    random.shuffle(names)
    first, second = espocrm().parse(told("lu", {**item, "id": "1"}, {name: {**item, "id": "1"}[name] for name in names}))

    assert (first.id, first.fact) == (second.id, second.fact)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ou", {"stage": "Won", "probability": 100}), ("os", {"stage": "Won"})),
        (("ou", {"stage": "Won", "modifiedById": "1"}), ("ou", {"stage": "Won", "modifiedById": "2"})),
        (("lu", {"phoneNumber": PRIMARY, "modifiedById": "1", "modifiedByName": "x"}), ("lp", {"phoneNumber": PRIMARY})),
        (("lu", {"status": "Dead", "description": "x"}), ("ls", {"status": "Dead"})),
    ],
)
def test_one_change_told_by_two_webhooks_is_two_events_and_one_fact(one, other):
    first, second = (event_of(webhook, **item) for webhook, item in (one, other))

    assert first.id != second.id
    assert first.fact == second.fact


@pytest.mark.parametrize(
    "other",
    [
        ("os", {"id": "2", "stage": "Won"}),
        ("os", {"stage": "Lost"}),
        ("oa", {"amount": 5}),
        ("oc", {"stage": "Won"}),
        ("od", {}),
        ("ls", {"status": "Won"}),
    ],
)
def test_another_change_is_another_event_and_another_fact(other):
    webhook, item = other
    first, second = event_of("os", stage="Won"), event_of(webhook, **item)

    assert first.id != second.id
    assert first.fact != second.fact


def test_two_edits_of_one_record_are_two_facts():
    assert event_of("lu", description="x").fact != event_of("lu", description="y").fact


@pytest.mark.parametrize(
    ("webhook", "window"), [("lc", None), ("ld", None), ("lu", timedelta(hours=1)), ("os", timedelta(hours=1)), ("au", timedelta(hours=1))]
)
def test_a_change_has_a_window_longer_than_its_four_attempts(webhook, window):
    assert event_of(webhook, stage="x").window == window


def test_a_creation_is_one_fact_whatever_it_says():
    assert event_of("lc", name="x").fact == event_of("lc", name="y").fact
    assert event_of("lc", name="x").id == event_of("lc", name="y").id


def test_records_of_two_installations_do_not_meet():
    settings = espocrm().settings
    facts = {EspoCrm(name, settings).parse(told("lc", {"id": "1"}))[0].fact for name in ("one", "other")}

    assert len(facts) == 2


# Look-ups.


def event_about(kind: str, record_id: str = "r1", **more) -> Event:
    known = {"source": "espocrm", "kind": "espocrm", "id": "1", "type": f"{kind}.updated", "fact": "f", "received_at": AT}
    return Event(**{**known, "entity": Entity(kind, record_id), "refs": (f"{kind}:{record_id}",), **more})


PERSON = {"id": "r1", "name": "Alex Doe", "emailAddress": "alex@example.com", "phoneNumber": PRIMARY, "phoneNumberData": [row(PRIMARY, primary=True)]}
CONTACT = {**PERSON, "id": "c1"}
DEAL = {"id": "r1", "name": "A deal", "stage": "Negotiation", "contactId": "c1", "contactsIds": ["c1", "c2"], "modifiedAt": "2026-11-23 08:41:00"}


@pytest.mark.parametrize(("kind", "path", "contact_id"), [("lead", "Lead", None), ("contact", "Contact", "r1")])
def test_a_lead_or_contact_is_read_by_id(kind, path, contact_id, look_up, answering):
    event, (asked,) = look_up(espocrm(), event_about(kind), answering(PERSON))

    assert event.contact == Contact(id=contact_id, name="Alex Doe", phone=PRIMARY, phones=(PRIMARY,), email="alex@example.com")
    assert event.refs == (f"{kind}:r1", f"phone:{PRIMARY}")
    assert event.fields["emailAddress"] == "alex@example.com"
    assert (asked.method, asked.url, asked.headers["X-Api-Key"]) == ("GET", f"{SITE}/api/v1/{path}/r1", TOKEN)


def test_an_opportunity_is_read_and_then_its_contact(look_up, answering):
    event, asked = look_up(espocrm(), event_about("deal"), answering(DEAL), answering(CONTACT))

    assert [each.url.partition("/api/v1/")[2] for each in asked] == ["Opportunity/r1", "Contact/c1"]
    assert event.contact == Contact(id="c1", name="Alex Doe", phone=PRIMARY, phones=(PRIMARY,), email="alex@example.com")
    assert event.refs == ("deal:r1", "contact:c1", "contact:c2", f"phone:{PRIMARY}")
    assert event.fields["stage"] == "Negotiation"
    assert "phoneNumber" not in event.fields


@pytest.mark.parametrize("more", [{"contactId": None, "contactsIds": []}, {"contactId": None, "contactsIds": None}])
def test_an_opportunity_without_a_contact_has_nobody_to_call(more, look_up, answering):
    known = event_about("deal", contact=Contact(id="c1", phone=PRIMARY, phones=(PRIMARY,)))
    event, asked = look_up(espocrm(), known, answering({**DEAL, **more}))

    assert (event.contact, len(asked)) == (None, 1)


def test_the_first_of_all_contacts_stands_in_for_a_primary_one(look_up, answering):
    _, asked = look_up(espocrm(), event_about("deal"), answering({**DEAL, "contactId": None, "contactsIds": ["c2", "c1"]}), answering(CONTACT))

    assert asked[1].url.endswith("/Contact/c2")


def test_a_person_who_must_not_be_called_has_no_number(look_up, answering):
    event, _ = look_up(espocrm(), event_about("lead"), answering({**PERSON, "doNotCall": True}))

    assert (event.contact.phone, event.contact.phones) == (None, ())


def test_the_number_that_was_told_is_called_while_it_is_theirs(look_up, answering):
    known = event_about("lead", contact=Contact(phone=HOME, phones=(HOME,)))
    event, _ = look_up(espocrm(), known, answering({**PERSON, "phoneNumberData": [row(PRIMARY, primary=True), row(HOME)]}))

    assert (event.contact.phone, event.contact.phones) == (HOME, (PRIMARY, HOME))


@pytest.mark.parametrize("answer", [("", 404), ("<h1>404 Page Not Found</h1>", 404)])
@pytest.mark.parametrize("reason", ["", "Record r1 does not exist."])
@pytest.mark.parametrize("kind", ["lead", "contact", "deal"])
def test_a_record_that_is_gone_ends_the_look_up_for_good(kind, reason, answer, look_up, answering):
    with pytest.raises(LookupFailed, match=f"{kind}:r1 does not exist in EspoCRM any more") as failed:
        look_up(espocrm(), event_about(kind), answering(*answer, x_status_reason=reason))

    assert failed.value.final


def test_a_record_that_is_marked_deleted_is_gone(look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(espocrm(), event_about("lead"), answering({**PERSON, "deleted": True}))

    assert failed.value.final


def test_an_opportunity_whose_contact_is_gone_says_so(look_up, answering):
    with pytest.raises(LookupFailed, match="contact:c1 does not exist in EspoCRM any more") as failed:
        look_up(espocrm(), event_about("deal"), answering(DEAL), answering("", 404, x_status_reason=""))

    assert failed.value.final


@pytest.mark.parametrize(
    "answer", [("<html>Not Found</html>", 404), ({"error": "not found"}, 404), ("<html>EspoCRM</html>", 200), ([], 200), ("", 503)]
)
def test_any_other_answer_does_not_mean_that_the_record_is_gone(answer, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(espocrm(), event_about("lead"), answering(*answer))

    assert not failed.value.final
    assert not failed.value.parked


@pytest.mark.parametrize(
    ("event", "settings", "possible"),
    [
        (event_about("lead"), {}, True),
        (event_about("contact"), {}, True),
        (event_about("deal"), {}, True),
        (event_about("Account"), {}, False),
        (event_about("lead"), {"api_token": None}, False),
        (event_about("lead"), {"api_base": None}, False),
        (event_about("lead", type="lead.deleted"), {}, False),
        (event_about("lead", entity=None), {}, False),
    ],
)
def test_only_what_espocrm_could_tell_is_asked(event, settings, possible, look_up):
    source = espocrm(**settings)

    assert source.can_look_up(event) is possible
    assert (source.probe() is None) is bool(settings)
    if event.entity is None or event.entity.type == "Account":
        assert look_up(source, event) == (event, [])


def test_look_ups_go_where_the_configuration_says_and_an_id_cannot_lead_them_elsewhere(look_up, answering):
    _, (asked,) = look_up(espocrm(api_base=f"{SITE}/crm/"), event_about("lead", "../User/1?x"), answering(PERSON))

    assert asked.url == f"{SITE}/crm/api/v1/Lead/..%2FUser%2F1%3Fx"
    with pytest.raises(ValidationError):
        espocrm(api_base="crm.example.com")


# The same over HTTP.


def test_a_conversation_over_http_brings_the_contact(fake_crm, crm_api, answering):
    source = espocrm(api_base=fake_crm.url)
    fake_crm.answer(answering(DEAL), answering(CONTACT), answering({"user": {"id": "1"}}))

    event = crm_api.converse(source, source.look_up(event_about("deal"), ()))
    crm_api.probe(source, source.probe())

    assert event.contact.phone == PRIMARY
    assert [asked.url for asked in fake_crm.asked] == ["/api/v1/Opportunity/r1", "/api/v1/Contact/c1", "/api/v1/App/user"]
    assert {asked.headers["x-api-key"] for asked in fake_crm.asked} == {TOKEN}


def test_a_record_that_is_gone_is_known_over_http_by_its_header(fake_crm, crm_api, answering):
    source = espocrm(api_base=fake_crm.url)
    fake_crm.answer(answering("", 404, x_status_reason=""))

    with pytest.raises(LookupFailed) as failed:
        crm_api.converse(source, source.look_up(event_about("lead"), ()))

    assert failed.value.final


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_has_enough_is_asked_again_later(status, fake_crm, crm_api, answering):
    source = espocrm(api_base=fake_crm.url)
    fake_crm.answer(answering("", status, retry_after="7"))

    with pytest.raises(LookupFailed) as failed:
        crm_api.converse(source, source.look_up(event_about("lead"), ()))

    assert (failed.value.retry_after, failed.value.final, failed.value.parked) == (7, False, False)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused_parks_the_event_and_is_not_told(status, fake_crm, crm_api, answering):
    source = espocrm(api_base=fake_crm.url)
    fake_crm.answer(answering("", status, x_status_reason="Unauthorized"))

    with pytest.raises(LookupFailed) as failed:
        crm_api.converse(source, source.look_up(event_about("lead"), ()))

    assert failed.value.parked
    assert TOKEN not in str(failed.value)


# A second look.


@pytest.mark.parametrize(
    ("webhook", "field", "kind"), [("os", "stage", "deal"), ("ls", "status", "lead")], ids=["stage of an opportunity", "status of a lead"]
)
def test_a_record_that_has_moved_on_is_superseded(webhook, field, kind, look_up, answering):
    before = event_of(webhook, **{field: "Negotiation"})
    answers = [answering({**PERSON, **DEAL, field: "Dead"}), *([answering(CONTACT)] if kind == "deal" else [])]
    fresh, _ = look_up(espocrm(), before, *answers)

    assert espocrm().superseded(before, fresh) == f"{kind}:65a1b2c3d4e5f6071 is in stage Dead now, not in Negotiation any more"


def test_a_record_that_stays_where_it_was_goes_on(look_up, answering):
    before = event_of("os", stage="Negotiation")
    fresh, _ = look_up(espocrm(), before, answering(DEAL), answering(CONTACT))

    assert espocrm().superseded(before, fresh) is None
    assert (fresh.id, fresh.fact, fresh.window) == (before.id, before.fact, before.window)


def test_a_person_who_opted_out_since_is_superseded(look_up, answering):
    before = event_of("lc", phoneNumber=PRIMARY)
    fresh, _ = look_up(espocrm(), before, answering({**PERSON, "phoneNumberData": [row(PRIMARY, optOut=True)]}))

    assert espocrm().superseded(before, fresh) == "lead:65a1b2c3d4e5f6071 has no number in EspoCRM any more"
