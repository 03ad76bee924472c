"""HubSpot: its published signatures, what each notice means, both keys, and its look-ups held by hand."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, Stage, Unparsed
from bridge.sources.hubspot import HubSpot, HubSpotSettings

FIXTURES = Path(__file__).parents[1] / "fixtures" / "hubspot"
VECTORS = json.loads((FIXTURES / "signature_vectors.json").read_text())["vectors"]
SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
TOKEN = "pat-na1-secret"
SIGNED_AT = datetime(2023, 9, 2, 12, 26, tzinfo=UTC)  # the timestamp of the published v3 vector
OFFICE, MOBILE = "+12813322575", "+12813322576"


def hubspot(**settings) -> HubSpot:
    return HubSpot("hubspot", HubSpotSettings(**{"kind": "hubspot", "secret": SECRET, "region": "US", "api_token": TOKEN, **settings}))


def signed(vector: dict, **changes) -> Delivery:
    """The request of a published vector."""
    told = {**vector, **changes}
    headers = {
        "v1": {"x-hubspot-signature": told["expected"], "x-hubspot-signature-version": "v1"},
        "v2": {"x-hubspot-signature": told["expected"], "x-hubspot-signature-version": "v2"},
        "v3": {"x-hubspot-signature-v3": told["expected"], "x-hubspot-request-timestamp": told["timestamp"]},
    }
    return Delivery(
        source="hubspot",
        body=told["body"].encode(),
        url=told["uri"] or "https://www.example.com/webhook_uri",
        method=told["method"],
        received_at=SIGNED_AT,
        headers=told.get("headers", headers[told["version"]]),
    )


def refusal(source: HubSpot, delivery: Delivery, now: datetime = SIGNED_AT) -> Refusal:
    with pytest.raises(Unverified) as refused:
        source.verify(delivery, now)
    return refused.value.refusal


V1, V2, V3 = (next(vector for vector in VECTORS if vector["version"] == version) for version in ("v1", "v2", "v3"))
each_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])


# Signatures.


@each_vector
def test_a_published_signature_is_believed(vector):
    hubspot(allow_v1=True).verify(signed(vector), SIGNED_AT)


@each_vector
def test_a_published_signature_is_not_believed_of_another_body(vector):
    assert refusal(hubspot(allow_v1=True), signed(vector, body=vector["body"] + " ")) is Refusal.WRONG_SIGNATURE


@each_vector
def test_a_published_signature_is_not_believed_under_another_secret(vector):
    assert refusal(hubspot(allow_v1=True, secret="another"), signed(vector)) is Refusal.WRONG_SIGNATURE


@each_vector
def test_while_the_client_secret_is_rotated_both_are_good(vector):
    hubspot(allow_v1=True, secret=["new", SECRET]).verify(signed(vector), SIGNED_AT)


@pytest.mark.parametrize("vector", [V2, V3], ids=["v2", "v3"])
@pytest.mark.parametrize(
    "changes", [{"method": "PUT"}, {"uri": "https://www.example.com/webhook_uri?x=1"}, {"uri": "http://www.example.com/webhook_uri"}]
)
def test_method_and_url_are_signed_too(vector, changes):
    assert refusal(hubspot(), signed(vector, **changes)) is Refusal.WRONG_SIGNATURE


def test_the_oldest_signature_is_refused_unless_it_is_allowed():
    assert refusal(hubspot(), signed(V1)) is Refusal.MISSING


def test_a_signature_that_names_no_version_is_the_oldest():
    headers = {"x-hubspot-signature": V1["expected"].upper()}

    hubspot(allow_v1=True).verify(signed(V1, headers=headers), SIGNED_AT)
    assert refusal(hubspot(), signed(V1, headers=headers)) is Refusal.MISSING


@pytest.mark.parametrize("v3", ["", "AAAA", V3["expected"].lower()])
def test_a_wrong_v3_is_never_made_up_for_by_an_older_signature_that_is_right(v3):
    headers = {"x-hubspot-signature-v3": v3, "x-hubspot-request-timestamp": V3["timestamp"], "x-hubspot-signature": V1["expected"]}

    assert refusal(hubspot(allow_v1=True), signed(V1, headers=headers)) is Refusal.WRONG_SIGNATURE


def test_a_v3_that_is_right_needs_no_other():
    headers = signed(V3).headers | {"x-hubspot-signature": "wrong", "x-hubspot-signature-version": "v1"}

    hubspot().verify(signed(V3, headers=headers), SIGNED_AT)


@pytest.mark.parametrize(("late", "expected"), [(301, Refusal.STALE), (-301, Refusal.FUTURE)])
def test_a_signature_is_good_for_five_minutes_either_way(late, expected):
    source = hubspot()

    source.verify(signed(V3), SIGNED_AT + timedelta(seconds=300))
    source.verify(signed(V3), SIGNED_AT - timedelta(seconds=300))
    assert refusal(source, signed(V3), SIGNED_AT + timedelta(seconds=late)) is expected


def test_an_old_signature_that_is_wrong_is_called_wrong_and_not_old():
    assert refusal(hubspot(secret="another"), signed(V3), SIGNED_AT + timedelta(days=1)) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize("timestamp", ["", "soon", "-1", "1.5", "9" * 15])
def test_a_timestamp_that_is_none_is_refused(timestamp):
    assert refusal(hubspot(), signed(V3, timestamp=timestamp)) is Refusal.MISSING


@pytest.mark.parametrize(
    ("called", "signed_as"),
    [
        ("https://b.example.com/h%3a%2F%3F%40%21%24%27%28%29%2A%2C%3B", "https://b.example.com/h:/?@!$'()*,;"),
        ("https://b.example.com/h?next=a%2Fb&q=%3F", "https://b.example.com/h?next=a/b&q=?"),
        ("https://b.example.com/h?left=%20%2B%26%3D%25%2F", "https://b.example.com/h?left=%20%2B%26%3D%25/"),
    ],
)
def test_the_url_is_signed_with_some_of_its_escapes_undone(called, signed_as, delivered, now):
    headers = hubspot().sign(b"[]", signed_as, now).headers

    hubspot().verify(delivered("[]", headers, url=called), now)


def test_what_send_signs_is_believed(delivered, now):
    url = "https://bridge.example.com/webhooks/hubspot?tag=a%2Fb"

    hubspot().verify(delivered("[]", hubspot(secret=[SECRET, "old"]).sign(b"[]", url, now).headers, url=url), now)


# What a notice means.


def notice(subscription: str, **more) -> dict:
    told = {
        "eventId": 100,
        "subscriptionId": 1,
        "portalId": 33,
        "appId": 7,
        "occurredAt": 1795423200123,
        "subscriptionType": subscription,
        "attemptNumber": 0,
        "objectId": 101,
        "changeSource": "CRM",
    }
    return {name: value for name, value in {**told, **more}.items() if value is not None}


@pytest.mark.parametrize(
    ("subscription", "more", "expected"),
    [
        ("contact.creation", {"changeFlag": "NEW"}, "contact.created"),
        ("contact.deletion", {"changeFlag": "DELETED"}, "contact.deleted"),
        ("contact.privacyDeletion", {}, "contact.deleted"),
        ("contact.restore", {}, "contact.updated"),
        ("contact.merge", {}, "contact.updated"),
        ("contact.propertyChange", {"propertyName": "phone", "propertyValue": OFFICE}, "contact.updated"),
        ("contact.propertyChange", {"propertyName": "dealstage", "propertyValue": "x"}, "contact.updated"),
        ("deal.creation", {"changeFlag": "CREATED"}, "deal.created"),
        ("deal.propertyChange", {"propertyName": "dealstage", "propertyValue": "closedwon"}, "deal.stage_changed"),
        ("deal.propertyChange", {"propertyName": "dealstage", "propertyValue": ""}, "deal.updated"),
        ("deal.propertyChange", {"propertyName": "dealstage"}, "deal.updated"),
        ("deal.propertyChange", {"propertyName": "pipeline", "propertyValue": "default"}, "deal.updated"),
        ("deal.deletion", {}, "deal.deleted"),
        ("object.creation", {"objectTypeId": "0-1"}, "contact.created"),
        ("object.deletion", {"objectTypeId": "0-3"}, "deal.deleted"),
        ("object.creation", {"objectTypeId": "0-136"}, "lead.created"),
        ("object.propertyChange", {"objectTypeId": "0-3", "propertyName": "dealstage", "propertyValue": "won"}, "deal.stage_changed"),
        ("object.propertyChange", {"objectTypeId": "0-136", "propertyName": "hs_pipeline_stage", "propertyValue": "new"}, "lead.stage_changed"),
        ("company.creation", {}, "unknown"),
        ("object.creation", {"objectTypeId": "0-5"}, "unknown"),
        ("object.creation", {}, "unknown"),
        ("contact.somethingNew", {}, "unknown"),
        ("contact", {}, "unknown"),
    ],
)
def test_a_subscription_says_what_happened(subscription, more, expected, read):
    assert read(hubspot(), [notice(subscription, **more)]).type == expected


def test_the_kind_of_a_notice_may_stand_under_either_name(read):
    old = notice("contact.creation") | {"eventType": "contact.creation"}
    del old["subscriptionType"]

    assert read(hubspot(), [old]) == read(hubspot(), [notice("contact.creation")])


def test_a_stage_is_the_new_one_alone(read):
    event = read(hubspot(), [notice("deal.propertyChange", propertyName="dealstage", propertyValue="closedwon", objectId=555)])

    assert event.stage == Stage(after="closedwon")
    assert event.fields == {"dealstage": "closedwon"}
    assert (event.entity, event.refs, event.contact) == (Entity("deal", "555"), ("deal:555",), None)


@pytest.mark.parametrize("name", ["phone", "mobilephone"])
def test_a_changed_number_is_told_at_once(name, read):
    event = read(hubspot(), [notice("contact.propertyChange", propertyName=name, propertyValue="(281) 332-2575")])

    assert event.contact == Contact(id="101", phone=OFFICE, phones=(OFFICE,))
    assert event.refs == ("contact:101", f"phone:{OFFICE}")


@pytest.mark.parametrize("value", ["REDACTED", "", None])
def test_a_number_that_is_not_told_is_absent(value, read):
    event = read(hubspot(), [notice("contact.propertyChange", propertyName="phone", propertyValue=value)])

    assert (event.contact, event.refs) == (Contact(id="101"), ("contact:101",))


def test_a_value_that_is_kept_back_is_not_taken_for_the_property(read):
    event = read(hubspot(), [notice("contact.propertyChange", propertyName="ssn", propertyValue="REDACTED")])

    assert event.fields == {}


def test_another_property_is_no_number(read):
    event = read(hubspot(), [notice("contact.propertyChange", propertyName="fax", propertyValue=OFFICE)])

    assert (event.contact, event.fields) == (Contact(id="101"), {"fax": OFFICE})


def test_a_merge_is_about_the_record_that_lives_on_and_ties_the_others_to_it(read):
    merge = notice("contact.merge", objectId=None, primaryObjectId=1, mergedObjectIds=[2, 3], newObjectId=9, numberOfPropertiesMoved=4)
    event = read(hubspot(), [merge])

    assert event.entity == Entity("contact", "9")
    assert event.refs == ("contact:9", "contact:1", "contact:2", "contact:3")
    assert event.contact == Contact(id="9")


@pytest.mark.parametrize(("more", "survivor"), [({"newObjectId": None}, "1"), ({"objectId": 5}, "9"), ({"mergedObjectIds": None}, "9")])
def test_a_merge_may_say_less(more, survivor, read):
    told = {"objectId": None, "primaryObjectId": 1, "mergedObjectIds": [2], "newObjectId": 9, **more}

    assert read(hubspot(), [notice("deal.merge", **told)]).entity == Entity("deal", survivor)


def association(subscription: str, kind: str, from_id: int, to_id: int, **more) -> dict:
    told = {"associationType": kind, "fromObjectId": from_id, "toObjectId": to_id, "associationRemoved": False, "isPrimaryAssociation": False}
    return notice(subscription, **{"objectId": None, **told, **more})


DEAL_TIED = ("deal.updated", "deal:555", ("deal:555", "contact:101"), "101")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (association("deal.associationChange", "DEAL_TO_CONTACT", 555, 101), DEAL_TIED),
        (association("deal.associationChange", "deal_to_contact_unlabeled", 555, 101), DEAL_TIED),
        (association("object.associationChange", "DEAL_TO_CONTACT", 555, 101), DEAL_TIED),
        (association("object.associationChange", "DEAL_TO_CONTACT", 555, 101, fromObjectTypeId="0-3", toObjectTypeId="0-1"), DEAL_TIED),
        (
            association("object.associationChange", "LEAD_TO_PRIMARY_CONTACT", 6, 101, fromObjectTypeId="0-136", toObjectTypeId="0-1"),
            ("lead.updated", "lead:6", ("lead:6", "contact:101"), "101"),
        ),
        (
            association("contact.associationChange", "CONTACT_TO_DEAL", 101, 555),
            ("contact.updated", "contact:101", ("contact:101", "deal:555"), "101"),
        ),
        (
            association("contact.associationChange", "CONTACT_TO_COMPANY", 101, 8),
            ("contact.updated", "contact:101", ("contact:101",), "101"),
        ),
        (
            association("deal.associationChange", "DEAL_TO_CONTACT", 555, 101, associationRemoved=True),
            ("deal.updated", "deal:555", ("deal:555",), None),
        ),
        (
            association("contact.associationChange", "CONTACT_TO_DEAL", 101, 555, associationRemoved="true"),
            ("contact.updated", "contact:101", ("contact:101",), "101"),
        ),
    ],
)
def test_an_association_ties_two_records_together_until_it_is_removed(told, expected, read):
    event = read(hubspot(), [told])

    assert (event.type, event.entity.ref, event.refs, event.contact.id if event.contact else None) == expected


# Both keys.


@pytest.mark.parametrize("changes", [{"attemptNumber": 9}, {"eventId": 2}, {"subscriptionId": 2}, {"appId": 8}, {"changeSource": "API"}])
def test_what_a_redelivery_may_change_is_in_no_key(changes, read):
    first, again = (read(hubspot(), [notice("contact.propertyChange", propertyName="phone", propertyValue="1", **more)]) for more in ({}, changes))

    assert (first.id, first.fact) == (again.id, again.fact)


@pytest.mark.parametrize(
    "changes",
    [{"portalId": 34}, {"objectId": 102}, {"propertyName": "mobilephone"}, {"propertyValue": "2"}, {"occurredAt": 1795423200124}],
    ids=str,
)
def test_another_change_has_other_keys(changes, read):
    told = {"propertyName": "phone", "propertyValue": "1"}
    first, other = (read(hubspot(), [notice("contact.propertyChange", **{**told, **more})]) for more in ({}, changes))

    assert first.id != other.id
    assert first.fact != other.fact


def test_a_creation_and_a_change_in_the_same_millisecond_are_two(read):
    created, changed = read(hubspot(), [notice("contact.creation"), notice("contact.propertyChange", propertyName="phone", propertyValue=OFFICE)])

    assert created.id != changed.id
    assert created.fact != changed.fact


@pytest.mark.parametrize(
    ("classic", "generic"),
    [
        (notice("contact.creation"), notice("object.creation", objectTypeId="0-1", occurredAt=1795423200999)),
        (notice("deal.deletion"), notice("object.deletion", objectTypeId="0-3")),
        (
            notice("deal.propertyChange", propertyName="dealstage", propertyValue="won"),
            notice("object.propertyChange", objectTypeId="0-3", propertyName="dealstage", propertyValue="won"),
        ),
        (
            notice("contact.propertyChange", propertyName="phone", propertyValue="1"),
            notice("object.propertyChange", objectTypeId="0-1", propertyName="phone", propertyValue="1"),
        ),
        (
            association("deal.associationChange", "DEAL_TO_CONTACT", 555, 101),
            association("object.associationChange", "DEAL_TO_CONTACT", 555, 101, fromObjectTypeId="0-3", toObjectTypeId="0-1"),
        ),
    ],
)
def test_one_fact_told_by_two_kinds_of_subscription_is_one_fact(classic, generic, read):
    first, second = read(hubspot(), [classic, generic])

    assert first.id != second.id
    assert first.fact == second.fact


@pytest.mark.parametrize("told", [{"occurredAt": None}, {"occurredAt": "soon"}])
def test_what_has_no_time_is_a_redelivery_for_as_long_as_hubspot_tries_again(told, read):
    moved = notice("deal.propertyChange", propertyName="dealstage", propertyValue="won", **told)

    assert read(hubspot(), [moved]).window == timedelta(hours=25)
    assert read(hubspot(), [notice("contact.creation", **told)]).window is None
    assert read(hubspot(), [{**moved, "occurredAt": 1795423200123}]).window is None


def test_an_association_told_from_both_ends_is_one_fact(read):
    ends = (("deal.associationChange", "DEAL_TO_CONTACT", 555, 101), ("contact.associationChange", "CONTACT_TO_DEAL", 101, 555))
    there, back = read(hubspot(), [association(*end) for end in ends])

    assert there.id != back.id
    assert there.fact == back.fact


def test_of_a_deals_contacts_the_one_that_was_just_tied_to_it_is_called(read, look_up, answering):
    tied = read(hubspot(), [association("deal.associationChange", "DEAL_TO_CONTACT", 555, 101)])
    deal = {"id": "555", "properties": {}, "associations": {"contacts": {"results": [{"id": "100"}, {"id": "101"}]}}}
    people = {"results": [{"id": "100", "properties": {"phone": OFFICE}}, {"id": "101", "properties": {"phone": MOBILE}}]}

    event, _ = look_up(hubspot(), tied, answering(deal), answering(people))

    assert (event.contact.id, event.contact.phone) == ("101", MOBILE)


def test_a_primary_association_told_beside_the_plain_one_is_the_same_event(read):
    told = ("contact.associationChange", "CONTACT_TO_COMPANY", 101, 8)
    plain, primary = read(hubspot(), [association(*told), association(*told, isPrimaryAssociation=True)])

    assert plain.id == primary.id


def test_removing_an_association_is_another_fact_than_making_it(read):
    made, removed = read(
        hubspot(), [association("deal.associationChange", "DEAL_TO_CONTACT", 555, 101, associationRemoved=removed) for removed in (False, True)]
    )

    assert made.id != removed.id
    assert made.fact != removed.fact


def test_two_merges_into_one_record_are_two_facts(read):
    first, second = read(hubspot(), [notice("contact.merge", objectId=None, primaryObjectId=1, mergedObjectIds=[merged]) for merged in (2, 3)])

    assert first.fact != second.fact


@given(
    st.dictionaries(st.sampled_from(["eventId", "attemptNumber", "subscriptionId", "appId"]), st.integers(0)),
    st.permutations(list(notice("deal.creation"))),
)
def test_keys_depend_on_nothing_that_hubspot_counts_nor_on_the_order_of_names(changes, order):
    told = notice("deal.creation") | changes
    bodies = [json.dumps([notice("deal.creation")]).encode(), json.dumps([{name: told[name] for name in order}]).encode()]
    first, second = (hubspot().parse(Delivery(source="hubspot", body=body, url="", received_at=SIGNED_AT))[0] for body in bodies)

    assert (first.id, first.fact) == (second.id, second.fact)


# Batches.


def test_one_broken_element_does_not_take_the_others_with_it(read):
    broken = [None, 7, "text", [], {"objectId": 1}, notice("contact.creation", objectId=None), notice("contact.creation", objectId={"id": 1})]
    parsed = read(hubspot(), [notice("contact.creation"), *broken, notice("deal.creation")])

    assert [type(each) for each in parsed] == [Event, *[Unparsed] * len(broken), Event]
    assert len({each.id for each in parsed}) == len(parsed)


def test_a_broken_element_is_recognised_when_it_comes_again(read):
    broken = notice("contact.creation", objectId=None)

    assert read(hubspot(), [broken]) == read(hubspot(), [broken | {"attemptNumber": 5, "eventId": 6}])


def test_a_hundred_notices_are_a_hundred_events(read):
    assert len({event.id for event in read(hubspot(), [notice("contact.creation", objectId=number) for number in range(1, 101)])}) == 100


def test_an_empty_batch_has_no_events(delivered):
    assert hubspot().parse(delivered("[]")) == []


def test_a_notice_without_its_brackets_is_read(read):
    assert read(hubspot(), notice("contact.creation")) == read(hubspot(), [notice("contact.creation")])


@pytest.mark.parametrize("body", ["", "null", "7", '"text"', "[", "<html>"])
def test_what_is_no_batch_is_unreadable(body, delivered):
    with pytest.raises(Unreadable):
        hubspot().parse(delivered(body))


# Look-ups.


def event_about(kind: str, number: str = "555", **more) -> Event:
    told = {"source": "hubspot", "kind": "hubspot", "id": "1", "type": f"{kind}.updated", "fact": "f", "received_at": SIGNED_AT}
    return Event(**{**told, "entity": Entity(kind, number), "refs": (f"{kind}:{number}",), **more})


def person(number: str, **properties) -> dict:
    return {"id": number, "properties": properties, "archived": False}


def deal(*people: str, **properties) -> dict:
    found = {"id": "555", "properties": {"dealstage": "won", "pipeline": "default", **properties}, "archived": False}
    return found | ({"associations": {"contacts": {"results": [{"id": each, "type": "deal_to_contact"} for each in people]}}} if people else {})


GONE = {"status": "error", "message": "resource not found", "category": "OBJECT_NOT_FOUND"}


def test_a_contact_is_read_by_its_id(look_up, sample, answering):
    found = json.loads(sample("hubspot/api_contacts_search_with_phone_response.json"))["results"][0]
    event, (asked,) = look_up(hubspot(), event_about("contact", "103107104018"), answering(found), wanted=("lifecyclestage", "phone"))

    assert event.contact == Contact(
        id="103107104018", name="Johnnie Conroy", phone="+19199767082", phones=("+19199767082",), email="kaseyweissnat@volkman.biz"
    )
    assert event.refs == ("contact:103107104018", "phone:+19199767082")
    assert event.fields == found["properties"]
    assert (asked.method, urlsplit(asked.url)[:3]) == ("GET", ("https", "api.hubapi.com", "/crm/v3/objects/contacts/103107104018"))
    assert {"phone", "mobilephone", "lifecyclestage"} <= set(parse_qs(urlsplit(asked.url).query)["properties"][0].split(","))
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"


def test_a_deal_is_read_with_its_people(look_up, sample, answering):
    people = json.loads(sample("hubspot/api_contacts_batch_read_response.json"))
    answers = (answering(deal("110338039632", "110323586992", amount="200")), answering(people))
    event, (first, second) = look_up(hubspot(), event_about("deal", stage=Stage(after="won")), *answers, wanted=("amount",))

    assert event.contact == Contact(id="110338039632", name="Brian Halligan (Sample Contact)", email="bh@hubspot.com")
    assert event.refs == ("deal:555", "contact:110338039632", "contact:110323586992")
    assert event.fields == {"dealstage": "won", "pipeline": "default", "amount": "200"}
    assert urlsplit(first.url).path == "/crm/v3/objects/deals/555"
    assert parse_qs(urlsplit(first.url).query) == {"properties": ["dealstage,pipeline,amount"], "associations": ["contacts"]}
    assert (second.method, urlsplit(second.url).path) == ("POST", "/crm/v3/objects/contacts/batch/read")
    assert json.loads(second.body)["inputs"] == [{"id": "110338039632"}, {"id": "110323586992"}]
    assert "phone" in json.loads(second.body)["properties"]


def test_a_lead_is_read_with_its_stage(look_up, answering):
    _, (asked,) = look_up(hubspot(), event_about("lead"), answering(deal()))

    assert urlsplit(asked.url).path == "/crm/v3/objects/leads/555"
    assert parse_qs(urlsplit(asked.url).query)["properties"] == ["hs_pipeline_stage,hs_pipeline"]


def test_of_several_people_the_first_with_a_number_is_called_whatever_the_order_of_the_answer(look_up, answering):
    people = {"results": [person("3", phone=MOBILE), person("2", phone=OFFICE), person("1", phone=None)]}
    event, _ = look_up(hubspot(), event_about("deal"), answering(deal("1", "2", "3")), answering(people))

    assert event.contact == Contact(id="2", phone=OFFICE, phones=(OFFICE,))
    assert event.refs == ("deal:555", "contact:1", "contact:2", f"phone:{OFFICE}", "contact:3", f"phone:{MOBILE}")


def test_people_that_are_missing_from_the_answer_are_passed_over(look_up, answering):
    event, _ = look_up(hubspot(), event_about("deal"), answering(deal("1", "2")), answering({"results": [person("2", phone=OFFICE)]}, 207))

    assert event.contact.id == "2"


def test_a_deal_without_people_has_nobody_to_call_yet(look_up, answering):
    event, asked = look_up(hubspot(), event_about("deal"), answering(deal()))

    assert (event.contact, len(asked)) == (None, 1)


def test_a_person_who_was_taken_off_the_deal_is_not_called_for_it(look_up, answering):
    known = event_about("deal", contact=Contact(id="1", phone=OFFICE, phones=(OFFICE,)))

    assert look_up(hubspot(), known, answering(deal()))[0].contact is None
    assert look_up(hubspot(), known, answering(deal("1")), answering({"results": []}))[0].contact is None


def test_both_numbers_of_a_person_are_known_and_the_one_that_was_told_is_called(look_up, answering):
    told = event_about("contact", "1", contact=Contact(id="1", phone=MOBILE, phones=(MOBILE,)))
    answers = answering(person("1", phone=OFFICE, mobilephone=MOBILE))

    assert look_up(hubspot(), event_about("contact", "1"), answers)[0].contact == Contact(id="1", phone=OFFICE, phones=(OFFICE, MOBILE))
    assert look_up(hubspot(), told, answers)[0].contact == Contact(id="1", phone=MOBILE, phones=(OFFICE, MOBILE))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("america_slash_new_york", "America/New_York"),
        ("us_slash_eastern", "US/Eastern"),
        ("america_slash_argentina_slash_buenos_aires", "America/Argentina/Buenos_Aires"),
        ("america_slash_port_of_spain", "America/Port_of_Spain"),
        ("Europe/Berlin", "Europe/Berlin"),
        ("narnia_slash_cair_paravel", None),
        ("", None),
        (None, None),
    ],
)
def test_a_time_zone_is_told_as_the_rest_of_the_world_spells_it(written, expected, look_up, answering):
    event, _ = look_up(hubspot(), event_about("contact", "1"), answering(person("1", hs_timezone=written)))

    assert event.contact.time_zone == expected


@pytest.mark.parametrize("kind", ["contact", "deal", "lead"])
def test_a_record_that_is_gone_ends_the_look_up_for_good(kind, look_up, answering):
    for answers in (answering(GONE, 404), answering({"id": "555", "properties": {}, "archived": True})):
        with pytest.raises(LookupFailed, match=f"{kind}:555 does not exist in HubSpot any more") as failed:
            look_up(hubspot(), event_about(kind), answers)

        assert failed.value.final


def test_a_page_that_is_not_hubspots_does_not_mean_that_the_record_is_gone(look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(hubspot(), event_about("contact"), answering("<html>Not Found</html>", 404))

    assert not failed.value.final


def test_the_daily_limit_is_waited_for_longer(look_up, sample, answering):
    with pytest.raises(LookupFailed, match="daily") as failed:
        look_up(hubspot(), event_about("contact"), answering(sample("hubspot/api_429_rate_limit.json"), 429))

    assert failed.value.retry_after == 3600


@pytest.mark.parametrize(
    ("status", "headers", "wait"), [(429, {}, 10), (429, {"retry_after": "3"}, 3), (423, {}, 2), (477, {"retry_after": "60"}, 60), (502, {}, None)]
)
def test_hubspot_is_asked_again_when_it_may_be(status, headers, wait, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(hubspot(), event_about("contact"), answering({"policyName": "TEN_SECONDLY_ROLLING"}, status, **headers))

    assert (failed.value.retry_after, failed.value.final, failed.value.parked) == (wait, False, False)


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_token_parks_the_event_and_is_not_told(status, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(hubspot(), event_about("contact"), answering({"status": "error"}, status))

    assert failed.value.parked
    assert TOKEN not in str(failed.value)


@pytest.mark.parametrize("body", [{}, {"properties": None}, {"properties": []}, {"id": 1, "properties": {"phone": ["x"]}}])
def test_a_contact_of_another_shape_is_a_person_without_a_number(body, look_up, answering):
    event, _ = look_up(hubspot(), event_about("contact", "1"), answering(body))

    assert event.contact is None or event.contact.phone is None


@pytest.mark.parametrize(
    "associations",
    [None, [], {"contacts": None}, {"contacts": []}, {"contacts": {"results": None}}, {"contacts": {"results": [None, {}, {"id": None}]}}],
)
def test_a_deal_of_another_shape_is_one_without_people(associations, look_up, answering):
    event, asked = look_up(hubspot(), event_about("deal"), answering({**deal(), "associations": associations}))

    assert (event.contact, len(asked)) == (None, 1)


@pytest.mark.parametrize(
    ("event", "token", "possible"),
    [
        (event_about("contact"), TOKEN, True),
        (event_about("deal"), TOKEN, True),
        (event_about("lead"), TOKEN, True),
        (event_about("contact"), "", False),
        (event_about("company"), TOKEN, False),
        (event_about("deal", type="deal.deleted"), TOKEN, False),
        (event_about("deal", entity=None), TOKEN, False),
    ],
)
def test_only_what_hubspot_could_tell_is_asked(event, token, possible):
    assert hubspot(api_token=token).can_look_up(event) is possible


def test_look_ups_go_where_the_configuration_says_and_an_id_cannot_lead_them_elsewhere(look_up, answering):
    source = hubspot(api_base="https://proxy.example.com/hubspot/")
    _, (asked,) = look_up(source, event_about("contact", "../../x?y#z"), answering(person("1")))

    assert asked.url.startswith("https://proxy.example.com/hubspot/crm/v3/objects/contacts/..%2F..%2Fx%3Fy%23z?properties=")
    with pytest.raises(ValidationError):
        HubSpotSettings(kind="hubspot", api_base="proxy.example.com")


def test_the_api_is_asked_no_oftener_than_the_smallest_plan_allows():
    assert HubSpot.lookup_rate.count <= 100
    assert HubSpot.lookup_rate.seconds >= 10


# A second look.


@pytest.mark.parametrize(
    ("now_in", "says"),
    [("won", None), ("lost", "deal:555 is in stage lost now, not in won any more"), (None, "deal:555 is in no stage now, not in won any more")],
)
def test_a_deal_that_has_moved_on_is_superseded(now_in, says, look_up, answering):
    before = event_about("deal", stage=Stage(after="won"), fields={"dealstage": "won"})
    fresh, _ = look_up(hubspot(), before, answering(deal(dealstage=now_in)))

    assert hubspot().superseded(before, fresh) == says


def test_a_lead_that_has_moved_on_is_superseded(look_up, answering):
    before = event_about("lead", stage=Stage(after="new"), fields={"hs_pipeline_stage": "new"})
    fresh, _ = look_up(hubspot(), before, answering({"id": "555", "properties": {"hs_pipeline_stage": "qualified"}}))

    assert hubspot().superseded(before, fresh) == "lead:555 is in stage qualified now, not in new any more"


@pytest.mark.parametrize(
    ("properties", "says"),
    [
        ({"phone": OFFICE, "mobilephone": MOBILE}, None),
        ({"phone": "281-332-2576"}, None),
        ({"phone": OFFICE}, "the number of contact:1 in HubSpot is another one now"),
        ({"phone": None, "mobilephone": ""}, "contact:1 has no number in HubSpot any more"),
    ],
)
def test_a_person_whose_number_has_changed_is_superseded(properties, says, look_up, answering):
    before = event_about("contact", "1", contact=Contact(id="1", phone=MOBILE, phones=(MOBILE,)))
    fresh, _ = look_up(hubspot(), before, answering(person("1", **properties)))

    assert hubspot().superseded(before, fresh) == says


def test_a_creation_is_as_true_as_it_was(look_up, answering):
    before = event_about("deal", type="deal.created")
    fresh, _ = look_up(hubspot(), before, answering(deal("1")), answering({"results": [person("1", phone=OFFICE)]}))

    assert hubspot().superseded(before, fresh) is None


def test_the_vectors_are_what_they_say():
    assert hashlib.sha256((V1["secret"] + V1["body"]).encode()).hexdigest() == V1["expected"]
    assert int(V3["timestamp"]) == SIGNED_AT.timestamp() * 1000
