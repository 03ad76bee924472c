"""Twenty: its signature, both shapes of its bodies, both keys, its numbers and countries, and its look-ups by hand and over HTTP."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, Stage, Unparsed, from_ms
from bridge.sources.twenty import Twenty, TwentySettings

SECRET = "twenty-secret"
TOKEN = "eyJ0.api.key"
AT = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
PERSON_ID, DEAL_ID = "20202020-1c0e-494c-a1b6-85b1c6fefaa5", "20202020-be10-412b-a663-16bd3c2228e1"
PARIS, OFFICE = "+33610203040", "+33142685300"
# Computed from the server's code, which publishes no vector.
VECTOR = {
    "body": '{"eventName":"person.created"}',
    "timestamp": "1735066639761",
    "signature": "d98097c8e6e8b2e1a2bc812b310a3c5b483883797d190a1eeb67881706337d44",
}
SIGNED_AT = from_ms(1735066639761)


def twenty(**settings) -> Twenty:
    return Twenty("twenty", TwentySettings(**{"kind": "twenty", "secret": SECRET, "api_token": TOKEN, **settings}))


def signed(**changes: str) -> dict[str, str]:
    told = {**VECTOR, **changes}
    return {"X-Twenty-Webhook-Timestamp": told["timestamp"], "X-Twenty-Webhook-Signature": told["signature"]}


def refusal(source: Twenty, delivery: Delivery, at: datetime = SIGNED_AT) -> Refusal:
    with pytest.raises(Unverified) as refused:
        source.verify(delivery, at)
    return refused.value.refusal


# Who may send.


def test_the_signature_of_the_servers_code_is_believed(delivered):
    twenty().verify(delivered(VECTOR["body"], signed()), SIGNED_AT)
    twenty().verify(delivered(VECTOR["body"], signed(signature=VECTOR["signature"].upper())), SIGNED_AT)


def test_a_body_is_signed_as_the_server_signs_it():
    headers = twenty().sign(VECTOR["body"].encode(), "https://bridge.example.com", SIGNED_AT).headers

    assert headers == {"Content-Type": "application/json", **signed()}


@pytest.mark.parametrize("nonce", ["", "0123456789abcdef0123456789abcdef", "anything"])
def test_the_nonce_proves_nothing_and_is_not_asked_for(nonce, delivered):
    twenty().verify(delivered(VECTOR["body"], {**signed(), "X-Twenty-Webhook-Nonce": nonce}), SIGNED_AT)


def test_the_bytes_are_what_is_signed_and_not_what_they_say(delivered):
    assert refusal(twenty(), delivered('{"eventName": "person.created"}', signed())) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"signature": ""}, Refusal.MISSING),
        ({"timestamp": ""}, Refusal.MISSING),
        ({"timestamp": "yesterday"}, Refusal.MISSING),
        ({"timestamp": "-1735066639761"}, Refusal.MISSING),
        ({"timestamp": "1" * 15}, Refusal.MISSING),
        ({"timestamp": "1735066639762"}, Refusal.WRONG_SIGNATURE),
        ({"signature": VECTOR["signature"][:-1]}, Refusal.WRONG_SIGNATURE),
        ({"signature": f"sha256={VECTOR['signature']}"}, Refusal.WRONG_SIGNATURE),
    ],
    ids=str,
)
def test_any_other_signature_or_time_is_not(changes, expected, delivered):
    assert refusal(twenty(), delivered(VECTOR["body"], signed(**changes))) is expected


def test_a_webhook_without_a_secret_is_told_what_it_lacks(delivered):
    with pytest.raises(Unverified, match="give the webhook a secret"):
        twenty().verify(delivered(VECTOR["body"]), SIGNED_AT)


@pytest.mark.parametrize(("late", "expected"), [(301, Refusal.STALE), (-301, Refusal.FUTURE)])
def test_a_captured_request_cannot_be_sent_again_later(late, expected, delivered):
    assert refusal(twenty(), delivered(VECTOR["body"], signed()), SIGNED_AT + timedelta(seconds=late)) is expected


def test_a_stranger_is_told_apart_from_a_slow_clock(delivered):
    late = SIGNED_AT + timedelta(hours=1)

    assert refusal(twenty(secret="another"), delivered(VECTOR["body"], signed()), late) is Refusal.WRONG_SIGNATURE


def test_while_the_secret_is_rotated_both_are_good(delivered):
    twenty(secret=["new", SECRET]).verify(delivered(VECTOR["body"], signed()), SIGNED_AT)


# What a webhook means.

PERSON = {"id": PERSON_ID, "name": {"firstName": "Alex", "lastName": "Doe"}, "emails": {"primaryEmail": "alex@example.com"}}
PERSON |= {"phones": {"primaryPhoneNumber": "06 10 20 30 40", "primaryPhoneCallingCode": "+33", "primaryPhoneCountryCode": "FR"}}
PERSON |= {"createdAt": "2026-11-01T08:00:00.000Z", "updatedAt": "2026-11-23T08:39:59.500Z", "deletedAt": None}
NEWBORN = {**PERSON, "createdAt": PERSON["updatedAt"]}
DEAL = {"id": DEAL_ID, "name": "Twenty of them", "stage": "MEETING", "pointOfContactId": PERSON_ID}
DEAL |= {"createdAt": "2026-11-01T08:00:00.000Z", "updatedAt": "2026-11-23T08:39:59.500Z", "deletedAt": None}


def body(event_name: str, record: dict, *changed: str, **more) -> dict:
    """As the server's code makes it."""
    told = {
        "targetUrl": "https://bridge.example.com/webhooks/twenty",
        "eventName": event_name,
        "objectMetadata": {"id": "370985db-22d8-4463-8e5f-2271d30913bd", "nameSingular": event_name.partition(".")[0]},
        "workspaceId": "872cfcf1-c79f-42bc-877d-5829f06eb3f9",
        "webhookId": "90056586-1228-4e03-a507-70140aa85c05",
        "eventDate": "2026-11-23T08:39:59.900Z",
        "record": record,
    }
    return {**told, **({"updatedFields": list(changed)} if changed else {}), **more}


def documented(event_name: str, record: dict, **more) -> dict:
    """As the documentation shows it."""
    return {"event": event_name, "data": record, "timestamp": "2026-11-23T08:40:00Z", **more}


@pytest.mark.parametrize(
    ("told", "expected", "stage"),
    [
        (body("person.created", PERSON), "contact.created", None),
        (body("person.updated", PERSON, "phones"), "contact.updated", None),
        (body("person.upserted", PERSON, "phones"), "contact.updated", None),
        (body("person.upserted", NEWBORN), "contact.created", None),
        (body("person.deleted", PERSON), "contact.deleted", None),
        (body("person.destroyed", PERSON), "contact.deleted", None),
        (body("person.restored", PERSON), "contact.updated", None),
        (body("opportunity.created", DEAL), "deal.created", None),
        (body("opportunity.updated", DEAL, "name", "stage"), "deal.stage_changed", Stage(after="MEETING")),
        (body("opportunity.upserted", DEAL, "stage"), "deal.stage_changed", Stage(after="MEETING")),
        (body("opportunity.updated", DEAL, "position"), "deal.updated", None),
        (body("opportunity.updated", DEAL), "deal.updated", None),
        (body("opportunity.updated", {**DEAL, "stage": None}, "stage"), "deal.updated", None),
        (body("opportunity.deleted", DEAL, "stage"), "deal.deleted", None),
        (body("person.updated", {**PERSON, "stage": "x"}, "stage"), "contact.updated", None),
        (body("company.created", DEAL), "unknown", None),
        (body("lead.created", PERSON), "unknown", None),
        (body("person.exploded", PERSON), "unknown", None),
        (body("person", PERSON), "unknown", None),
    ],
)
def test_every_object_and_action_has_a_type(told, expected, stage, read):
    event = read(twenty(), told)

    assert (event.type, event.stage) == (expected, stage)


def test_the_documented_shape_says_the_same(read):
    sent, shown = read(twenty(), body("opportunity.created", DEAL)), read(twenty(), documented("opportunity.created", DEAL))

    assert (shown.type, shown.entity, shown.contact, shown.fields) == (sent.type, sent.entity, sent.contact, sent.fields)
    assert shown.occurred_at == sent.occurred_at


def test_a_pattern_is_no_event(read):
    old = {"eventType": "*.*", "objectMetadata": {"nameSingular": "person"}, "record": PERSON}
    event = read(twenty(), old)

    assert (event.type, event.entity) == ("unknown", Entity("contact", PERSON_ID))
    assert read(twenty(), old | {"eventType": "person.created"}).type == "contact.created"


def test_the_fragments_of_the_servers_own_test_are_changes(sample, read):
    position, name = json.loads(sample("twenty/test_update_fragments.json"))
    changed = [read(twenty(), body("person.updated", each["record"], *each["updatedFields"])) for each in (position, name)]

    assert [event.fields["updatedFields"] for event in changed] == [["position"], ["nameSingular", "position"]]


@pytest.mark.parametrize(
    ("event_name", "changes", "expected"),
    [
        ("person.created", {}, "2026-11-01T08:00:00Z"),
        ("person.created", {"createdAt": "2023-10-19 10:10:12.490"}, "2023-10-19T10:10:12.490Z"),
        ("person.created", {"createdAt": None}, "2026-11-23T08:39:59.900Z"),
        ("person.updated", {}, "2026-11-23T08:39:59.500Z"),
        ("person.updated", {"updatedAt": None}, "2026-11-23T08:39:59.900Z"),
        ("person.deleted", {"deletedAt": "2026-11-23T08:39:59.700Z"}, "2026-11-23T08:39:59.700Z"),
        ("person.deleted", {}, "2026-11-23T08:39:59.900Z"),
    ],
)
def test_it_happened_when_the_record_says_so(event_name, changes, expected, read):
    assert read(twenty(), body(event_name, {**PERSON, **changes})).document()["occurred_at"] == expected


# Numbers.


def phones(number: object, calling_code: object = None, country: object = None, *more: dict) -> dict:
    told = {"primaryPhoneNumber": number, "primaryPhoneCallingCode": calling_code, "primaryPhoneCountryCode": country}
    return {"id": PERSON_ID, "phones": {**told, "additionalPhones": list(more)}}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (("06 10 20 30 40", "+33", "FR"), PARIS),
        (("0610203040", "+33", None), PARIS),
        (("610203040", "33", ""), PARIS),
        (("06 10 20 30 40", "", "FR"), PARIS),
        (("+33 6 10 20 30 40", "+33", "FR"), PARIS),
        (("06 9876 5432", "+39", "IT"), "+390698765432"),
        (("8 912 345-67-89", "+7", "RU"), "+79123456789"),
        (("(281) 332-2575", "+1", "US"), "+12813322575"),
        (("604 555 0199", "+1", "CA"), "+16045550199"),
        (("030 123456", "+49", "US"), "+4930123456"),
        (("+49 30 123456", "+33", "FR"), "+4930123456"),
        ((33610203040, None, None), PARIS),
    ],
)
def test_a_number_is_put_together_by_the_rules_of_its_country(told, expected, read):
    assert read(twenty(), body("person.created", phones(*told))).contact.phone == expected


@pytest.mark.parametrize("told", [("06 10 20 30 40", None, None), ("06 10 20 30 40", "", "")])
def test_a_number_without_a_country_is_read_by_the_sources_region(told, read):
    assert read(twenty(region="FR"), body("person.created", phones(*told))).contact.phone == PARIS
    assert read(twenty(), body("person.created", phones(*told))).contact.phone == "06 10 20 30 40"


def test_the_shape_of_the_servers_snapshot_is_read(sample, read):
    told = json.loads(sample("twenty/phones_field_shape.json"))

    assert read(twenty(), body("person.created", {"id": PERSON_ID, "phones": told})).contact.phones == (PARIS,)


def test_the_primary_number_comes_first_and_the_others_after_it(read):
    more = (
        {"number": "1 42 68 53 00", "callingCode": "+33", "countryCode": "FR"},
        {"number": ""},
        None,
        {"number": "0610203040", "callingCode": "+33"},
    )
    event = read(twenty(), body("person.created", phones("06 10 20 30 40", "+33", "FR", *more)))

    assert event.contact == Contact(id=PERSON_ID, phone=PARIS, phones=(PARIS, OFFICE))
    assert event.refs == (f"contact:{PERSON_ID}", f"phone:{PARIS}", f"phone:{OFFICE}")


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"phones": None},
        {"phones": []},
        {"phones": "x"},
        {"phones": {"primaryPhoneNumber": ""}},
        {"phones": {"primaryPhoneNumber": None, "primaryPhoneCallingCode": "+33", "additionalPhones": None}},
        {"phones": {"primaryPhoneNumber": [PARIS], "additionalPhones": {}}},
    ],
)
def test_a_person_without_a_number_has_none(told, read):
    assert read(twenty(), body("person.created", {"id": PERSON_ID, **told})).contact == Contact(id=PERSON_ID)


@pytest.mark.parametrize(("country", "code"), [(["FR"], "+33"), ({}, []), ("XX", "+abc"), (7, True)])
def test_a_country_that_is_none_does_not_bring_the_reading_down(country, code, read):
    assert read(twenty(), body("person.created", phones("06 10 20 30 40", code, country))).contact.phones in {(PARIS,), ("06 10 20 30 40",)}


def test_names_and_addresses_are_read_in_both_shapes(read):
    flat = {"id": PERSON_ID, "firstName": "Alex", "lastName": "Doe", "email": "alex@example.com", "phone": PARIS}

    for event in (read(twenty(), body("person.created", PERSON)), read(twenty(), documented("person.created", flat))):
        assert event.contact == Contact(id=PERSON_ID, name="Alex Doe", phone=PARIS, phones=(PARIS,), email="alex@example.com")


@pytest.mark.parametrize(
    ("record", "contact"),
    [
        (DEAL, Contact(id=PERSON_ID)),
        ({**DEAL, "pointOfContactId": None}, None),
        (
            {**DEAL, "pointOfContactId": None, "pointOfContact": {**PERSON, "emails": None}},
            Contact(id=PERSON_ID, name="Alex Doe", phone=PARIS, phones=(PARIS,)),
        ),
        ({**DEAL, "pointOfContact": None}, Contact(id=PERSON_ID)),
    ],
)
def test_an_opportunity_tells_its_point_of_contact(record, contact, read):
    event = read(twenty(), body("opportunity.created", record))

    assert event.contact == contact
    assert (f"contact:{PERSON_ID}" in event.refs) is (contact is not None)


# Both keys.


@pytest.mark.parametrize(
    "changes",
    [{"eventDate": "2026-11-23T08:39:59.904Z"}, {"webhookId": "x"}, {"targetUrl": "x"}, {"userId": "x"}, {"workspaceMemberId": "x"}],
    ids=str,
)
@pytest.mark.parametrize("event_name", ["person.created", "person.updated", "person.deleted"])
def test_what_differs_between_the_posts_of_one_change_is_in_no_key(event_name, changes, read):
    first, again = read(twenty(), body(event_name, PERSON)), read(twenty(), body(event_name, PERSON, **changes))

    assert (first.id, first.fact) == (again.id, again.fact)


@pytest.mark.parametrize(
    "other",
    [
        body("person.deleted", PERSON),
        body("person.updated", {**PERSON, "id": "another"}),
        body("person.updated", {**PERSON, "updatedAt": "2026-11-23T08:39:59.501Z"}),
        body("person.updated", PERSON, workspaceId="another"),
        body("opportunity.updated", {**DEAL, "id": PERSON_ID}),
    ],
)
def test_another_change_is_another_event_and_another_fact(other, read):
    first, second = read(twenty(), body("person.updated", PERSON)), read(twenty(), other)

    assert first.id != second.id
    assert first.fact != second.fact


@pytest.mark.parametrize(
    ("told", "again"),
    [
        (body("person.created", NEWBORN), body("person.upserted", NEWBORN)),
        (body("person.updated", PERSON, "name"), body("person.upserted", PERSON, "name")),
        (body("opportunity.updated", DEAL, "stage"), body("opportunity.upserted", DEAL, "stage")),
        (
            body("person.deleted", {**PERSON, "deletedAt": PERSON["updatedAt"]}),
            body("person.destroyed", {**PERSON, "deletedAt": PERSON["updatedAt"]}),
        ),
    ],
)
def test_what_is_told_under_two_names_is_two_events_and_one_fact(told, again, read):
    one, other = read(twenty(), told), read(twenty(), again)

    assert one.id != other.id
    assert (one.fact, one.type) == (other.fact, other.type)


def test_a_person_is_created_once_whatever_the_record_says_later(read):
    assert len({read(twenty(), body("person.created", record)).fact for record in (PERSON, NEWBORN)}) == 1


def test_every_stage_and_every_time_it_is_entered_is_a_fact_of_its_own(read):
    records = [DEAL, {**DEAL, "stage": "PROPOSAL"}, {**DEAL, "updatedAt": "2026-11-24T08:00:00.000Z"}]

    assert len({read(twenty(), body("opportunity.updated", record, "stage")).fact for record in records}) == 3


@pytest.mark.parametrize(
    ("event_name", "window"),
    [("person.created", None), ("person.deleted", None), ("person.updated", timedelta(hours=1)), ("x.y", timedelta(hours=1))],
)
def test_a_record_without_a_time_is_told_apart_by_what_it_says_for_an_hour(event_name, window, read):
    timeless = {"id": PERSON_ID, "city": "Paris"}
    first, again = (read(twenty(), documented(event_name, timeless, timestamp=f"2026-11-23T08:4{minute}:00Z")) for minute in (0, 1))
    other = read(twenty(), documented(event_name, {**timeless, "city": "Lyon"}))

    assert (first.id, first.fact, first.window) == (again.id, again.fact, window)
    assert first.id != other.id
    assert (first.fact == other.fact) is (window is None)


def test_a_time_makes_a_window_needless(read):
    assert read(twenty(), body("person.updated", PERSON)).window is None


@given(
    st.sampled_from([body("person.updated", PERSON, "name"), body("opportunity.updated", DEAL, "stage"), documented("person.created", PERSON)]),
    st.fixed_dictionaries({}, optional={name: st.text() for name in ("eventDate", "timestamp", "webhookId", "targetUrl", "userId")}),
    st.randoms(),
)
def test_keys_depend_on_nothing_that_is_made_at_dispatch_nor_on_the_order_of_names(told, changes, random):
    names = list({**told, **changes})
    random.shuffle(names)
    bodies = [json.dumps(each).encode() for each in (told, {name: {**told, **changes}[name] for name in names})]
    first, second = (twenty().parse(Delivery(source="twenty", body=each, url="", received_at=AT))[0] for each in bodies)

    assert (first.id, first.fact) == (second.id, second.fact)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"eventName": "person.created"},
        {"eventName": ".created", "record": {"id": "1"}},
        {"record": {"id": "1"}},
        {"eventName": "*.*", "record": PERSON},
    ],
)
def test_a_body_without_an_object_or_a_record_is_kept_and_told_apart_by_what_stays(told, read):
    unparsed, again = read(twenty(), told), read(twenty(), {**told, "eventDate": "later", "webhookId": "another"})

    assert isinstance(unparsed, Unparsed)
    assert unparsed == again


@pytest.mark.parametrize("told", [None, [], 7, "text"])
def test_a_body_that_is_no_object_is_unreadable(told, delivered):
    with pytest.raises(Unreadable):
        twenty().parse(delivered(json.dumps(told)))


# Look-ups.


def event_about(entity: Entity, **more) -> Event:
    told = {"source": "twenty", "kind": "twenty", "id": "1", "type": f"{entity.type}.updated", "fact": "f", "received_at": AT}
    return Event(**{**told, "entity": entity, "refs": (entity.ref,), **more})


ABOUT_PERSON, ABOUT_DEAL = event_about(Entity("contact", PERSON_ID)), event_about(Entity("deal", DEAL_ID))
FOUND_PERSON, FOUND_DEAL = {"data": {"person": PERSON}}, {"data": {"opportunity": DEAL}}
GONE = {"statusCode": 404, "error": "NotFoundException", "messages": ["Record not found"]}
GONE_BEFORE = {"statusCode": 400, "error": "BadRequestException", "messages": ["Record not found"]}


def test_a_person_is_read_by_id(look_up, answering):
    event, (asked,) = look_up(twenty(), ABOUT_PERSON, answering(FOUND_PERSON))

    assert event.contact == Contact(id=PERSON_ID, name="Alex Doe", phone=PARIS, phones=(PARIS,), email="alex@example.com")
    assert event.refs == (f"contact:{PERSON_ID}", f"phone:{PARIS}")
    assert event.fields["createdAt"] == PERSON["createdAt"]
    assert (asked.method, asked.url) == ("GET", f"https://api.twenty.com/rest/people/{PERSON_ID}?depth=0")
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"


def test_an_opportunity_is_read_and_then_its_point_of_contact(look_up, answering):
    event, asked = look_up(twenty(), ABOUT_DEAL, answering(FOUND_DEAL), answering(FOUND_PERSON))

    assert [each.url.partition("/rest/")[2] for each in asked] == [f"opportunities/{DEAL_ID}?depth=0", f"people/{PERSON_ID}?depth=0"]
    assert event.contact.phone == PARIS
    assert event.refs == (f"deal:{DEAL_ID}", f"contact:{PERSON_ID}", f"phone:{PARIS}")
    assert event.fields["name"] == "Twenty of them"
    assert "phones" not in event.fields


def test_an_opportunity_without_a_point_of_contact_has_nobody_to_call(look_up, answering):
    known = event_about(Entity("deal", DEAL_ID), contact=Contact(id=PERSON_ID, phone=PARIS, phones=(PARIS,)))
    event, asked = look_up(twenty(), known, answering({"data": {"opportunity": {**DEAL, "pointOfContactId": None}}}))

    assert (event.contact, len(asked)) == (None, 1)


def test_the_number_that_was_told_is_called_while_it_is_theirs(look_up, answering):
    told = event_about(Entity("contact", PERSON_ID), contact=Contact(id=PERSON_ID, phone=OFFICE, phones=(OFFICE,)))
    more = {"number": "142685300", "callingCode": "+33", "countryCode": "FR"}
    event, _ = look_up(twenty(), told, answering({"data": {"person": phones("06 10 20 30 40", "+33", "FR", more)}}))

    assert (event.contact.phone, event.contact.phones) == (OFFICE, (PARIS, OFFICE))


@pytest.mark.parametrize("answer", [(GONE, 404), (GONE_BEFORE, 400)], ids=["today", "in older servers"])
@pytest.mark.parametrize("event", [ABOUT_PERSON, ABOUT_DEAL], ids=["person", "opportunity"])
def test_a_record_that_is_gone_ends_the_look_up_for_good(event, answer, look_up, answering):
    with pytest.raises(LookupFailed, match=f"{event.entity.ref} does not exist in Twenty any more") as failed:
        look_up(twenty(), event, answering(*answer))

    assert failed.value.final


def test_an_opportunity_whose_person_is_gone_says_so(look_up, answering):
    with pytest.raises(LookupFailed, match=f"contact:{PERSON_ID} does not exist in Twenty any more") as failed:
        look_up(twenty(), ABOUT_DEAL, answering(FOUND_DEAL), answering(GONE, 404))

    assert failed.value.final


@pytest.mark.parametrize(
    "answer",
    [
        ("<html>Not Found</html>", 404),
        ("<html>Twenty</html>", 200),
        ({"statusCode": 404, "error": "Not Found", "message": "Cannot GET /rest/people/1"}, 404),
        ({"statusCode": 400, "error": "BadRequestException", "messages": ["'1' is not a valid UUID"]}, 400),
        ({"data": {}}, 200),
        ({"data": {"person": None}}, 200),
        ({"data": [PERSON]}, 200),
        ([], 200),
        ({}, 500),
    ],
)
def test_any_other_answer_does_not_mean_that_the_record_is_gone(answer, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(twenty(), ABOUT_PERSON, answering(*answer))

    assert not failed.value.final
    assert not failed.value.parked


@pytest.mark.parametrize(
    "person", [{"id": PERSON_ID}, {"id": PERSON_ID, "phones": {}}, {"id": PERSON_ID, "name": "Alex", "emails": [], "phones": [PARIS]}]
)
def test_a_person_of_another_shape_is_one_without_a_number(person, look_up, answering):
    event, _ = look_up(twenty(), ABOUT_PERSON, answering({"data": {"person": person}}))

    assert event.contact == Contact(id=PERSON_ID)


@pytest.mark.parametrize(
    ("event", "token", "possible"),
    [
        (ABOUT_PERSON, TOKEN, True),
        (ABOUT_DEAL, TOKEN, True),
        (event_about(Entity("company", "1")), TOKEN, False),
        (ABOUT_PERSON, "", False),
        (event_about(Entity("deal", DEAL_ID), type="deal.deleted"), TOKEN, False),
        (replace(ABOUT_DEAL, entity=None), TOKEN, False),
    ],
)
def test_only_what_twenty_could_tell_is_asked(event, token, possible, look_up):
    source = twenty(api_token=token or None)

    assert source.can_look_up(event) is possible
    assert (source.probe() is None) is not bool(token)
    if event.entity is None or event.entity.type == "company":
        assert look_up(source, event) == (event, [])


def test_look_ups_go_where_the_configuration_says_and_an_id_cannot_lead_them_elsewhere(look_up, answering):
    source = twenty(api_base="https://crm.example.com/")
    _, (asked,) = look_up(source, event_about(Entity("contact", "../metadata?x")), answering(FOUND_PERSON))

    assert asked.url == "https://crm.example.com/rest/people/..%2Fmetadata%3Fx?depth=0"
    with pytest.raises(ValidationError):
        twenty(api_base="crm.example.com")


def test_look_ups_never_go_where_a_body_says(read, look_up, answering):
    event = read(twenty(), body("person.created", PERSON, targetUrl="https://evil.example.com"))
    _, (asked,) = look_up(twenty(), event, answering(FOUND_PERSON))

    assert asked.url.startswith("https://api.twenty.com/rest/")


# The same over HTTP.


def test_a_conversation_over_http_brings_the_person(fake_crm, crm_api, answering):
    source = twenty(api_base=fake_crm.url)
    fake_crm.answer(answering(FOUND_DEAL), answering(FOUND_PERSON), answering({"data": {"people": []}}))

    event = crm_api.converse(source, source.look_up(ABOUT_DEAL, ()))
    crm_api.probe(source, source.probe())

    assert event.contact.phone == PARIS
    assert [asked.url for asked in fake_crm.asked] == [
        f"/rest/opportunities/{DEAL_ID}?depth=0",
        f"/rest/people/{PERSON_ID}?depth=0",
        "/rest/people?limit=1&depth=0",
    ]
    assert {asked.headers["authorization"] for asked in fake_crm.asked} == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(("headers", "wait"), [({}, 60), ({"retry_after": "7"}, 7), ({"retry_after": "soon"}, 60)])
def test_too_many_requests_are_waited_out(headers, wait, fake_crm, crm_api, answering):
    source = twenty(api_base=fake_crm.url)
    fake_crm.answer(answering({"statusCode": 429, "error": "HttpException", "messages": ["Limit reached (100 tokens per 60000 ms)"]}, 429, **headers))

    with pytest.raises(LookupFailed, match="too many requests") as failed:
        crm_api.converse(source, source.look_up(ABOUT_PERSON, ()))

    assert (failed.value.retry_after, failed.value.final, failed.value.parked) == (wait, False, False)


@pytest.mark.parametrize(
    ("status", "told"),
    [(401, {"error": "UNAUTHENTICATED", "messages": ["Token has expired."]}), (403, {"messages": ["Missing authentication token"]})],
)
def test_a_key_that_expired_parks_the_event_and_is_not_told(status, told, fake_crm, crm_api, answering):
    source = twenty(api_base=fake_crm.url)
    fake_crm.answer(answering(told, status))

    with pytest.raises(LookupFailed) as failed:
        crm_api.converse(source, source.look_up(ABOUT_PERSON, ()))

    assert failed.value.parked
    assert TOKEN not in str(failed.value)


def test_the_api_is_asked_no_oftener_than_it_allows():
    assert Twenty.lookup_rate.interval >= 0.6


# A second look.


@pytest.mark.parametrize(("now", "says"), [("MEETING", None), ("PROPOSAL", f"deal:{DEAL_ID} is in stage PROPOSAL now, not in MEETING any more")])
def test_an_opportunity_that_has_moved_on_is_superseded(now, says, read, look_up, answering):
    before = read(twenty(), body("opportunity.updated", DEAL, "stage"))
    fresh, _ = look_up(twenty(), before, answering({"data": {"opportunity": {**DEAL, "stage": now}}}), answering(FOUND_PERSON))

    assert twenty().superseded(before, fresh) == says


def test_a_person_whose_number_has_changed_is_superseded(read, look_up, answering):
    before = read(twenty(), body("person.created", PERSON))
    fresh, _ = look_up(twenty(), before, answering({"data": {"person": phones("1 42 68 53 00", "+33", "FR")}}))

    assert twenty().superseded(before, fresh) == f"the number of contact:{PERSON_ID} in Twenty is another one now"
