"""The stand-ins for the APIs of HubSpot and Pipedrive."""

import phonenumbers
import pytest

HUBSPOT = {"Authorization": "Bearer any"}
PIPEDRIVE = {"x-api-token": "any"}


def hubspot(sim, path, **params):
    return sim.get(f"/hubspot/crm/v3/objects/{path}", params=params, headers=HUBSPOT)


def pipedrive(sim, path):
    return sim.get(f"/pipedrive/api/v2/{path}", headers=PIPEDRIVE)


def test_any_contact_exists_and_is_always_the_same_person(sim):
    first = hubspot(sim, "contacts/101", properties="firstname,lastname,phone").json()

    again = hubspot(sim, "contacts/101", properties="firstname,lastname,phone").json()

    assert first == again
    assert first["id"] == first["properties"]["hs_object_id"] == "101"
    assert first["properties"]["firstname"]
    assert hubspot(sim, "contacts/102", properties="phone").json()["properties"]["phone"] != first["properties"]["phone"]


@pytest.mark.parametrize("contact", ["1", "101", "110338039632", "abc-def"])
def test_numbers_are_possible_in_the_us_and_kept_for_fiction(sim, contact):
    phone = hubspot(sim, f"contacts/{contact}", properties="phone").json()["properties"]["phone"]

    number = phonenumbers.parse(phone, "US")
    assert phonenumbers.is_possible_number(number)
    assert phonenumbers.region_code_for_number(number) == "US"
    assert "-555-01" in phone


def test_ten_thousand_contacts_have_ten_thousand_numbers(sim):
    body = {"properties": ["phone"]}
    phones = set()
    for start in range(1_000, 11_000, 100):
        inputs = [{"id": str(number)} for number in range(start, start + 100)]
        rows = sim.post("/hubspot/crm/v3/objects/contacts/batch/read", json={**body, "inputs": inputs}, headers=HUBSPOT).json()["results"]
        phones |= {row["properties"]["phone"] for row in rows}

    assert len(phones) == 10_000


def test_a_property_that_was_not_asked_for_is_missing_and_an_empty_one_is_null(sim):
    properties = hubspot(sim, "contacts/101", properties="mobilephone").json()["properties"]

    assert properties["mobilephone"] is None
    assert "phone" not in properties
    assert "createdate" in properties


def test_a_deal_has_its_contact_when_associations_are_asked_for(sim):
    with_contacts = hubspot(sim, "deals/555", associations="contacts", properties="dealstage").json()
    without = hubspot(sim, "deals/555").json()

    [association] = with_contacts["associations"]["contacts"]["results"]
    assert association["type"] == "deal_to_contact"
    assert hubspot(sim, f"contacts/{association['id']}").status_code == 200
    assert "associations" not in without
    assert without["properties"]["dealname"]


def test_many_contacts_are_read_at_once_and_missing_ones_are_named(sim):
    body = {"properties": ["phone"], "inputs": [{"id": "101"}, {"id": "404"}]}

    answer = sim.post("/hubspot/crm/v3/objects/contacts/batch/read", json=body, headers=HUBSPOT)

    assert answer.status_code == 207
    assert [row["id"] for row in answer.json()["results"]] == ["101"]
    assert answer.json()["errors"][0]["context"] == {"ids": ["404"]}


def test_pipedrive_gives_a_person_with_a_primary_number(sim):
    document = pipedrive(sim, "persons/7").json()

    assert document["success"] is True
    assert document["data"]["id"] == 7
    assert document["data"]["phones"][0]["primary"] is True
    assert document["data"]["name"].startswith(document["data"]["first_name"])


def test_a_pipedrive_deal_names_a_person_that_exists(sim):
    deal = pipedrive(sim, "deals/9").json()["data"]

    assert isinstance(deal["person_id"], int)
    assert pipedrive(sim, f"persons/{deal['person_id']}").status_code == 200


@pytest.mark.parametrize("path", ["/hubspot/crm/v3/objects/contacts/1", "/hubspot/crm/v3/objects/deals/1", "/pipedrive/api/v2/persons/1"])
def test_without_a_token_nothing_is_told(sim, path):
    assert sim.get(path).status_code == 401


def test_the_id_404_does_not_exist(sim):
    answers = [hubspot(sim, "contacts/404"), hubspot(sim, "deals/404"), pipedrive(sim, "persons/404"), pipedrive(sim, "deals/404")]

    assert [answer.status_code for answer in answers] == [404] * 4


def test_a_record_says_what_it_was_told_to_say(sim):
    sim.post("/simulator/records/hubspot/deals/555", json={"dealstage": "closedwon", "contacts": []})
    sim.post("/simulator/records/pipedrive/persons/7", json={"phones": []})

    deal = hubspot(sim, "deals/555", properties="dealstage", associations="contacts").json()

    assert deal["properties"]["dealstage"] == "closedwon"
    assert "associations" not in deal
    assert pipedrive(sim, "persons/7").json()["data"]["phones"] == []


def test_a_record_can_be_removed_and_comes_back(sim):
    sim.delete("/simulator/records/hubspot/contacts/101")
    gone = hubspot(sim, "contacts/101").status_code

    sim.post("/simulator/records/hubspot/contacts/101", json={"phone": None})

    assert (gone, hubspot(sim, "contacts/101").status_code) == (404, 200)


def test_a_record_of_no_crm_cannot_be_changed(sim):
    assert sim.post("/simulator/records/hubspot/tickets/1", json={}).status_code == 404
