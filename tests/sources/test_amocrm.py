"""amoCRM and Kommo: who is believed, what a body of many records means, both keys, what has no time, look-ups and tokens."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.ledger import TokenStore
from bridge.model import Contact, Delivery, Entity, Event, Stage, Unparsed
from bridge.sources.amocrm import AmoCrm, AmoCrmSettings
from workers.crm_api import CrmApi

SECRET, TOKEN = "a secret of our own & more", "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.long-lived"
AT = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
NOW = str(int(AT.timestamp()))
URL = "https://bridge.example.com/webhooks/amocrm"
WITH_SECRET = f"{URL}?token=a%20secret%20of%20our%20own%20%26%20more"
MOBILE, WORK = "+12813322576", "+12813322575"
INTEGRATION = {"client_id": "6a2d4741-0000", "client_secret": "PZp1wm7VpAUBvpTzADj4", "refresh_token": "def50200-1"}
REDIRECT = "https://bridge.example.com/"


def amocrm(**settings) -> AmoCrm:
    told = {"kind": "amocrm", "secret": SECRET, "region": "US", "api_token": TOKEN, "api_base": "https://acme.amocrm.ru", **settings}
    return AmoCrm("amocrm", AmoCrmSettings(**told))


def pairs(value: object, name: str) -> list[tuple[str, str]]:
    if not isinstance(value, dict | list):
        return [(name, str(value))]
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return [pair for key, child in inner for pair in pairs(child, f"{name}[{key}]")]


def form(account: dict | None = None, **body: object) -> str:
    """A body as amoCRM sends it: ``form(leads={"add": [{…}]})``."""
    whole = {**body, "account": {"id": "32427762", "subdomain": "acme"} if account is None else account}
    return urlencode([pair for name, value in whole.items() for pair in pairs(value, name)])


def lead(action: str = "status", **more: object) -> str:
    told = {"id": "555", "name": "Test", "status_id": "142", "old_status_id": "76789230", "pipeline_id": "9621010", "last_modified": NOW}
    return form(leads={action: [{name: value for name, value in {**told, **more}.items() if value is not None}]})


def pipeline(action: str = "status", **more: object) -> str:
    """What a stage of the digital pipeline sends."""
    return lead(action, name=None, last_modified=None, **more)


def field(code: str, *values: object) -> dict:
    return {"id": "735649", "name": code.title(), "values": [{"value": value, "enum": "718321"} for value in values], "code": code}


def person(action: str = "add", *fields: dict, **more: object) -> str:
    told = {"id": "101", "name": "Alex Doe", "last_modified": NOW, "created_at": NOW, "type": "contact", "custom_fields": list(fields)}
    return form(contacts={action: [{**told, **more}]})


@pytest.fixture
def told(delivered):
    """The event of a body, or all of them where there are more."""

    def parse(body: str, source: AmoCrm | None = None) -> Event:
        events = (source or amocrm()).parse(delivered(body, url=WITH_SECRET, received_at=AT))
        return events[0] if len(events) == 1 else events

    return parse


def refusal(source: AmoCrm, delivery: Delivery) -> Refusal:
    with pytest.raises(Unverified) as refused:
        source.verify(delivery, AT)
    return refused.value.refusal


# Who may send.


def test_the_secret_in_the_url_opens_the_source(delivered):
    amocrm().verify(delivered(lead(), url=WITH_SECRET), AT)


@pytest.mark.parametrize(
    ("url", "expected"), [(URL, Refusal.MISSING), (f"{URL}?token=", Refusal.MISSING), (f"{URL}?token=wrong", Refusal.WRONG_SECRET)]
)
def test_without_it_nobody_is_believed(url, expected, delivered):
    headers = {"User-Agent": "amoCRM-Webhooks/3.0", "X-Amocrm-Requestid": "249d486e-b53a-465a-8fe2-f6cd830ad18a"}

    assert refusal(amocrm(), delivered(lead(), headers, url=url)) is expected


@pytest.mark.parametrize("account", ["32427762", 32427762, "acme", "ACME"], ids=repr)
def test_an_account_is_known_by_its_id_or_by_its_subdomain(account, delivered):
    amocrm(account=account).verify(delivered(lead(), url=WITH_SECRET), AT)


@pytest.mark.parametrize("told", [{}, {"id": "1"}, {"subdomain": "other"}, {"id": "acme2", "_links": {"self": "https://acme.amocrm.ru"}}])
def test_another_account_is_refused(told, delivered):
    assert refusal(amocrm(account="acme"), delivered(form(told, leads={"add": [{"id": "1"}]}), url=WITH_SECRET)) is Refusal.WRONG_ACCOUNT


def test_a_stranger_is_refused_as_one_before_the_account_is_looked_at(delivered):
    assert refusal(amocrm(account="other"), delivered(lead(), url=f"{URL}?token=wrong")) is Refusal.WRONG_SECRET


def test_a_genuine_body_that_cannot_be_read_is_kept_and_not_refused(delivered):
    amocrm(account="acme").verify(delivered(b"\xff", url=WITH_SECRET), AT)


def test_the_secret_is_cut_out_of_what_is_kept(delivered):
    kept = amocrm().storable(delivered(lead(), url=WITH_SECRET))

    assert kept.url == f"{URL}?token=***"
    assert kept.body.decode() == lead()


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({"api_base": None}, "api_base"),
        ({"api_base": None, "api_token": None, "redirect_uri": REDIRECT, **INTEGRATION}, "api_base"),
        ({"api_token": None, **INTEGRATION}, "redirect_uri"),
        ({"api_token": None, "client_id": "6a2d4741-0000"}, "go together"),
    ],
)
def test_what_look_ups_need_is_asked_for_by_the_configuration(settings, missing):
    with pytest.raises(ValidationError, match=missing):
        amocrm(**settings)


def test_a_source_without_look_ups_needs_no_address():
    assert amocrm(api_token=None, api_base=None).probe() is None


# What a webhook means.


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (lead("add"), "lead.created"),
        (lead("update", old_status_id=None), "lead.updated"),
        (lead("update", old_status_id="142"), "lead.updated"),
        (lead("update"), "lead.stage_changed"),
        (lead("status"), "lead.stage_changed"),
        (lead("status", old_status_id=None), "lead.stage_changed"),
        (lead("status", status_id=None), "lead.updated"),
        (lead("responsible"), "lead.updated"),
        (lead("restore"), "lead.updated"),
        (lead("delete"), "lead.deleted"),
        (lead("note"), "unknown"),
        (lead("explode"), "unknown"),
        (person("add"), "contact.created"),
        (person("update"), "contact.updated"),
        (person("update", status_id="1", old_status_id="2"), "contact.updated"),
        (person("restore"), "contact.updated"),
        (person("delete"), "contact.deleted"),
        (person("add", type="company"), "unknown"),
        (form(contacts={"add": [{"id": "101"}]}), "contact.created"),
        (form(companies={"add": [{"id": "101"}]}), "unknown"),
        (form(customers={"add": [{"id": "101"}]}), "unknown"),
        (form(task={"update": [{"id": "7", "last_modified": "23.11.2026 08:40"}]}), "unknown"),
        (form(message={"add": [{"id": "m1", "text": "Hello"}]}), "unknown"),
    ],
)
def test_every_entity_and_action_has_a_type(body, expected, told):
    assert told(body).type == expected


def test_a_move_tells_both_stages(told):
    assert told(lead()).stage == told(lead("update")).stage == Stage(after="142", before="76789230")
    assert told(lead("add")).stage is None


def test_what_nobody_knows_is_told_apart_by_what_it_says_and_without_a_time_for_three_hours(told):
    assert told(lead("note", last_modified=None)).window == timedelta(hours=3)
    assert told(lead("note")).window is None


def test_a_company_is_no_contact_of_the_same_number(told):
    company = told(person("add", field("PHONE", MOBILE), type="company"))

    assert (company.entity, company.refs, company.contact) == (Entity("company", "101"), ("company:101",), None)


def test_every_record_of_a_body_is_an_event(told):
    events = told(
        form(
            leads={"status": [{"id": "1", "status_id": "142"}, {"id": "2", "status_id": "143"}], "delete": {"7": {"id": "3"}}},
            contacts={"update": [{"id": "4"}]},
        )
    )

    assert [(event.type, event.entity.id) for event in events] == [
        ("lead.stage_changed", "1"),
        ("lead.stage_changed", "2"),
        ("lead.deleted", "3"),
        ("contact.updated", "4"),
    ]


def test_a_record_that_cannot_be_read_does_not_take_the_others_with_it(told):
    first, broken, last = told(form(leads={"add": [{"id": "1"}, {"name": "nobody"}, {"id": "3"}]}))

    assert (first.entity.id, last.entity.id) == ("1", "3")
    assert broken == Unparsed(broken.id, "leads[add] without the id of a record")
    assert broken.id == told(form(leads={"add": [{"name": "nobody"}]})).id != told(form(leads={"add": [{"name": "somebody"}]})).id


@pytest.mark.parametrize("body", ["", "a=b", "leads=x", "account%5Bid%5D=1", "leads%5Badd%5D=", "leads%5B0%5D=1"])
def test_a_body_without_any_record_is_unreadable(body, delivered):
    with pytest.raises(Unreadable):
        amocrm().parse(delivered(body))


def test_the_numbers_of_a_contact_are_found_wherever_their_field_stands(told):
    fields = [field("POSITION", "555"), field("PHONE", "(281) 332-2575", "", MOBILE), field("EMAIL", "alex@example.com", "a@example.com")]
    gaps = {str(2 * place + 1): each for place, each in enumerate(fields)}

    for custom_fields in (fields, gaps):
        event = told(person(custom_fields=custom_fields))

        assert event.contact == Contact(id="101", name="Alex Doe", phone=WORK, phones=(WORK, MOBILE), email="alex@example.com")
        assert event.refs == ("contact:101", f"phone:{WORK}", f"phone:{MOBILE}")


@pytest.mark.parametrize("values", [{"value": WORK, "enum": "5"}, [WORK], {"3": {"value": WORK}}, WORK, [[], {"value": WORK}]])
def test_the_values_of_a_field_come_in_any_shape(values, told):
    assert told(person("add", {"code": "PHONE", "values": values})).contact.phones == (WORK,)


@pytest.mark.parametrize("fields", [[], [field("PHONE")], [{"code": "PHONE"}], [{"code": "PHONE", "values": [[WORK]]}], ["x"], "x"])
def test_a_contact_without_a_number_has_none(fields, told):
    assert told(person(custom_fields=fields)).contact == Contact(id="101", name="Alex Doe")


@pytest.mark.parametrize(
    ("body", "at"),
    [
        (person("add", created_at="1795423100"), "1795423100"),
        (person("update", created_at="1795423100"), NOW),
        (lead("add", date_create="1795423100"), "1795423100"),
        (lead("add", date_create="17265663a90"), NOW),
        (lead("update", last_modified=None, updated_at="1795423100"), "1795423100"),
        (pipeline("add"), None),
        (pipeline(), None),
        (lead("delete"), None),
    ],
)
def test_an_event_happened_when_the_record_says(body, at, told):
    assert told(body).occurred_at == (datetime.fromtimestamp(int(at), UTC) if at else None)


# Incoming leads.

UID = "f575b754b0d1eb1c380e53d6821ffd2820a6dfbe3822de0cfddaf266980f"


def incoming(told_as: str = "add", **more: object) -> str:
    return form(unsorted={told_as: [{"uid": UID, "category": "forms", "created_at": NOW, **more}]})


ACCEPTED = incoming("delete", action="accept", accept_result={"leads": ["15258873"]})
DECLINED = incoming("delete", action="decline", decline_result={"leads": ["15258873"]})
FROM_A_FORM = {"leads": [{"id": "15258873"}], "contacts": [{"name": "Alex Doe", "custom_fields": [field("PHONE", WORK)]}]}


@pytest.mark.parametrize("lead_id", [{"lead_id": "15258873"}, {"data": FROM_A_FORM}, {"data": {"leads": {"id": "15258873"}}}])
def test_an_incoming_lead_is_a_new_lead(lead_id, told):
    event = told(incoming(**lead_id))

    assert (event.type, event.entity, event.occurred_at, event.window) == ("lead.created", Entity("lead", "15258873"), AT, None)
    assert event.fact == told(lead("add", id="15258873")).fact


def test_an_incoming_lead_tells_whom_it_came_from(told):
    assert told(incoming(data=FROM_A_FORM)).contact == Contact(name="Alex Doe", phone=WORK, phones=(WORK,))
    assert told(incoming(lead_id="1")).contact is None


def test_a_delete_that_accepts_is_no_deletion(told):
    event = told(ACCEPTED)

    assert (event.type, event.entity, event.occurred_at, event.window) == ("lead.updated", Entity("lead", "15258873"), None, None)
    assert event.id == f"32427762:unsorted:accept:{UID}"
    assert amocrm().can_look_up(event)


def test_a_delete_that_declines_is_one(told):
    event = told(DECLINED)

    assert (event.type, event.fact) == ("lead.deleted", told(lead("delete", id="15258873")).fact)


def test_who_was_accepted_with_the_lead_is_tied_to_it(told):
    result = {"leads": ["1", "2"], "contacts": [{"id": "101"}], "companies": ["3"]}

    assert told(incoming("delete", action="accept", accept_result=result)).refs == ("lead:1", "lead:2", "contact:101")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (incoming("update", lead_id="1"), "lead.updated"),
        (incoming("delete", lead_id="1"), "lead.deleted"),
        (incoming("delete", lead_id="1", action="explode"), "unknown"),
        (incoming("explode", lead_id="1"), "unknown"),
        (incoming(), "unknown"),
    ],
)
def test_whatever_else_befalls_an_incoming_lead_has_a_type(body, kind, told):
    event = told(body)

    assert event.type == kind
    assert event.entity == (Entity("unsorted", UID) if body == incoming() else Entity("lead", "1"))


def test_an_incoming_lead_without_a_uid_is_kept_as_failed(told):
    assert isinstance(told(form(unsorted={"add": [{"lead_id": "1"}]})), Unparsed)


def test_two_changes_of_an_incoming_lead_are_two_events(told):
    one, other = (told(incoming("update", lead_id="1", source_data={"text": text})) for text in ("hello", "is anybody there?"))

    assert one.id != other.id
    assert one.fact != other.fact
    assert one.window == timedelta(hours=3)


# Both keys.


def keys_of(*events: Event) -> list[tuple[str, str]]:
    return [(event.id, event.fact) for event in events]


def test_one_move_that_is_told_in_three_ways_is_three_events_and_one_fact(told):
    ways = [told(lead("status")), told(lead("update")), told(lead("update", old_status_id=None))]

    assert len({event.id for event in ways}) == 3
    assert {event.fact for event in ways} == {f"amocrm:32427762:lead:555:changed:{NOW}"}


def test_the_captures_of_one_move_are_one_fact(sample, told):
    ways = [told(sample(f"amocrm/fixture2016_lead_{name}.txt")) for name in ("status", "update")]

    assert ways[0].id != ways[1].id
    assert ways[0].fact == ways[1].fact


@pytest.mark.parametrize(
    "other",
    [
        lead(id="556"),
        lead(last_modified=str(int(NOW) + 1)),
        lead("add"),
        lead("delete"),
        person("update", id="555"),
        form({"id": "1"}, leads={"status": [{"id": "555", "status_id": "142", "last_modified": NOW}]}),
    ],
)
def test_what_else_happened_is_another_event_and_another_fact(other, told):
    one, another = told(lead()), told(other)

    assert one.id != another.id
    assert one.fact != another.fact


def test_moves_within_one_second_are_events_of_their_own(told):
    moves = [told(lead(old_status_id=old, status_id=new)) for old, new in (("1", "2"), ("2", "3"), ("3", "2"))]

    assert len({event.id for event in moves}) == 3


@pytest.mark.parametrize(
    ("body", "window"),
    [
        (lead(), None),
        (lead("add"), None),
        (pipeline("add"), None),
        (person("update"), None),
        (pipeline(), timedelta(hours=3)),
        (lead("delete"), timedelta(hours=3)),
        (person("delete"), timedelta(hours=3)),
        (person("update", last_modified=""), timedelta(hours=3)),
    ],
)
def test_what_has_no_time_and_may_happen_again_is_the_same_for_three_hours(body, window, told):
    assert told(body).window == window


def test_moves_of_the_digital_pipeline_are_told_apart_by_both_stages(told):
    events = [told(pipeline(old_status_id=old, status_id=new)) for old, new in (("1", "2"), ("2", "3"), ("3", "2"))]

    assert len({event.id for event in events}) == len({event.fact for event in events}) == 3
    assert keys_of(events[0]) == keys_of(told(pipeline(old_status_id="1", status_id="2", old_pipeline_id="7")))


def test_a_subdomain_stands_in_for_an_account_without_an_id(told):
    event = told(form({"subdomain": "Test000002"}, leads={"add": [{"id": "1", "account_id": "10216991"}]}))

    assert keys_of(event) == [("test000002:leads:add:1", "amocrm:test000002:lead:1:created")]


@given(
    st.sampled_from([lead(), pipeline(), person("update", field("PHONE", WORK)), incoming(data=FROM_A_FORM), ACCEPTED, form(x={"y": [{"z": "1"}]})]),
    st.randoms(),
)
def test_keys_do_not_depend_on_the_order_in_which_a_body_is_written(body, shuffle):
    again = parse_qsl(body)
    shuffle.shuffle(again)
    deliveries = [Delivery(source="amocrm", body=each.encode(), url=URL, received_at=AT) for each in (body, urlencode(again))]

    assert keys_of(*amocrm().parse(deliveries[0])) == keys_of(*amocrm().parse(deliveries[1]))


NAMES = st.sampled_from(
    ["leads", "contacts", "unsorted", "account", "task", "add", "status", "delete", "0", "1", "id", "uid", "data", "custom_fields", "values"]
)


@given(st.lists(st.tuples(st.lists(NAMES, min_size=1, max_size=5), st.text(max_size=6) | st.sampled_from(["PHONE", "company", NOW]))))
def test_any_form_is_read_or_refused(fields):
    told = [(path[0] + "".join(f"[{part}]" for part in path[1:]), value) for path, value in fields]
    try:
        events = amocrm().parse(Delivery(source="amocrm", body=urlencode(told).encode(), url=URL, received_at=AT))
    except Unreadable:
        return

    assert all(event.id for event in events)
    assert all(json.dumps(event.document()) for event in events if isinstance(event, Event))


# Look-ups.


def a_lead(*contacts: dict, **more: object) -> dict:
    told = {"id": 555, "name": "Test", "status_id": 142, "pipeline_id": 9621010, "updated_at": int(NOW), "is_deleted": False}
    return {**told, "custom_fields_values": None, "_embedded": {"contacts": list(contacts)}, **more}


def a_person(*values: dict, **more: object) -> dict:
    phones = [{"field_id": 735649, "field_name": "Phone", "field_code": "PHONE", "field_type": "multitext", "values": list(values)}]
    emails = [{"field_id": 735651, "field_code": "EMAIL", "values": [{"value": "alex@example.com", "enum_code": "WORK"}]}]
    return {"id": 101, "name": "Alex Doe", "updated_at": int(NOW), "custom_fields_values": [*emails, *phones], **more}


def number(value: str, code: str = "WORK") -> dict:
    return {"value": value, "enum_id": 718321, "enum_code": code}


def test_a_lead_is_read_and_then_its_main_contact(told, look_up, answering):
    answers = (
        answering(a_lead({"id": 102, "is_main": False}, {"id": 101, "is_main": True})),
        answering(a_person(number(WORK), number(MOBILE, "MOB"))),
    )
    event, asked = look_up(amocrm(), told(lead()), *answers)

    assert [each.url for each in asked] == ["https://acme.amocrm.ru/api/v4/leads/555?with=contacts", "https://acme.amocrm.ru/api/v4/contacts/101"]
    assert {each.headers["Authorization"] for each in asked} == {f"Bearer {TOKEN}"}
    assert event.contact == Contact(id="101", name="Alex Doe", phone=MOBILE, phones=(MOBILE, WORK), email="alex@example.com")
    assert event.refs == ("lead:555", "contact:101", "contact:102", f"phone:{MOBILE}", f"phone:{WORK}")


def test_numbers_of_a_record_are_text_before_and_after_it_was_looked_up(told, look_up, answering):
    before = told(lead(price="500"))
    event, _ = look_up(amocrm(), before, answering(a_lead(price=500, loss_reason_id=None)))

    assert {name: event.fields[name] for name in ("id", "status_id", "pipeline_id", "price")} == {
        "id": "555",
        "status_id": "142",
        "pipeline_id": "9621010",
        "price": "500",
    }
    assert event.fields["is_deleted"] is False
    assert "custom_fields_values" in event.fields


def test_a_contact_is_read_by_its_id(told, look_up, answering):
    event, asked = look_up(amocrm(), told(person()), answering(a_person({"value": WORK, "enum": "WORK"}, number("+12813322577", "FAX"))))

    assert (len(asked), event.contact.phones, event.fields["id"]) == (1, (WORK,), "101")


def test_a_contact_whose_fields_are_all_empty_has_no_number(told, look_up, answering):
    event, _ = look_up(amocrm(), told(person()), answering(a_person(custom_fields_values=None)))

    assert event.contact == Contact(id="101", name="Alex Doe")


@pytest.mark.parametrize("nobody", [a_lead(), a_lead(_embedded={}), a_lead(_embedded=None), a_lead(_embedded={"contacts": None})])
def test_a_lead_without_a_contact_has_nobody_to_call(nobody, told, look_up, answering):
    event, asked = look_up(amocrm(), told(lead()).knowing(contact=Contact(id="1", phone=WORK, phones=(WORK,))), answering(nobody))

    assert (event.contact, len(asked)) == (None, 1)


def test_an_incoming_lead_without_a_contact_is_called_under_the_number_it_told(told, look_up, answering):
    event, _ = look_up(amocrm(), told(incoming(data=FROM_A_FORM)), answering(a_lead(id=15258873)))

    assert event.contact.phone == WORK


def test_the_number_that_was_told_is_called_while_it_is_theirs(told, look_up, answering):
    before = told(person("add", field("PHONE", WORK)))
    event, _ = look_up(amocrm(), before, answering(a_person(number(MOBILE, "MOB"), number(WORK))))

    assert (event.contact.phone, event.contact.phones) == (WORK, (MOBILE, WORK))


@pytest.mark.parametrize("gone", ["lead:555", "contact:101"])
def test_no_content_means_that_the_record_is_gone(gone, told, look_up, answering):
    before = [answering(a_lead({"id": 101, "is_main": True}))] if gone.startswith("contact") else []

    with pytest.raises(LookupFailed, match=f"{gone} does not exist in amoCRM any more") as failed:
        look_up(amocrm(), told(lead()), *before, answering("", 204))

    assert failed.value.final


def test_a_lead_in_the_bin_is_gone_too(told, look_up, answering):
    with pytest.raises(LookupFailed, match="lead:555 does not exist") as failed:
        look_up(amocrm(), told(lead()), answering(a_lead(is_deleted=True)))

    assert failed.value.final


@pytest.mark.parametrize(
    ("body", "status"),
    [({"title": "Not Found", "status": 404}, 404), ("<html>", 404), ("", 200), ({}, 200), ([], 200), ({"id": 555, "title": "Not Found"}, 404)],
)
def test_any_other_answer_does_not_mean_that_it_is_gone(body, status, told, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(amocrm(), told(lead()), answering(body, status))

    assert (failed.value.final, failed.value.parked) == (False, False)


@pytest.mark.parametrize(
    ("body", "status", "parked"),
    [("Too many requests", 429, False), ("<html>", 403, True), ("", 402, True), ({"title": "Unauthorized"}, 401, True), ("Bad gateway", 502, False)],
)
def test_a_refusal_is_told_by_its_status_whatever_its_body(body, status, parked, answering):
    with pytest.raises(LookupFailed) as failed:
        amocrm().judge(answering(body, status))

    assert (failed.value.parked, failed.value.final) == (parked, False)
    assert TOKEN not in failed.value.message


@pytest.mark.parametrize(("headers", "wait"), [({}, 5), ({"retry_after": "9"}, 9)])
def test_too_many_requests_are_waited_out(headers, wait, answering):
    with pytest.raises(LookupFailed, match="too many requests") as failed:
        amocrm().judge(answering("Too many requests", 429, **headers))

    assert failed.value.retry_after == wait


@pytest.mark.parametrize(
    ("body", "settings", "possible"),
    [
        (lead(), {}, True),
        (person(), {}, True),
        (ACCEPTED, {}, True),
        (lead("delete"), {}, False),
        (DECLINED, {}, False),
        (person("add", type="company"), {}, False),
        (incoming(), {}, False),
        (form(task={"add": [{"id": "1"}]}), {}, False),
        (lead(), {"api_token": None}, False),
        (lead(), {"api_token": None, "redirect_uri": REDIRECT, **INTEGRATION}, True),
    ],
)
def test_only_what_amocrm_could_tell_is_asked(body, settings, possible, told):
    assert amocrm(**settings).can_look_up(told(body)) is possible


def test_what_is_no_record_is_returned_as_it_came(told, look_up):
    event = told(form(task={"add": [{"id": "1"}]}))

    assert look_up(amocrm(), event) == (event, [])


def test_an_id_cannot_lead_a_look_up_elsewhere(told, look_up, answering):
    _, (asked,) = look_up(amocrm(), told(lead(id="../users?x")), answering(a_lead()))

    assert asked.url == "https://acme.amocrm.ru/api/v4/leads/..%2Fusers%3Fx?with=contacts"


def test_the_api_is_asked_no_oftener_than_one_integration_may():
    assert AmoCrm.lookup_rate.count / AmoCrm.lookup_rate.seconds <= 7


# Moves without a time.


@pytest.mark.parametrize("ago", [0, 299, -60])
def test_a_move_of_the_digital_pipeline_is_the_fact_that_the_general_webhook_tells(ago, told, look_up, answering):
    moved = str(int(NOW) - ago)
    event, _ = look_up(amocrm(), told(pipeline()), answering(a_lead(updated_at=int(moved))))

    assert (event.fact, event.window) == (told(lead(last_modified=moved)).fact, None)
    assert event.occurred_at == datetime.fromtimestamp(int(moved), UTC)


@pytest.mark.parametrize("record", [{"updated_at": int(NOW) - 301}, {"updated_at": None}, {"status_id": 143}])
def test_it_stays_what_it_was_where_the_record_tells_of_something_else(record, told, look_up, answering):
    before = told(pipeline())
    event, _ = look_up(amocrm(), before, answering(a_lead(**record)))

    assert (event.fact, event.window, event.occurred_at) == (before.fact, timedelta(hours=3), None)


def test_what_has_a_time_keeps_it(told, look_up, answering):
    before = told(lead(last_modified=str(int(NOW) - 10)))
    event, _ = look_up(amocrm(), before, answering(a_lead()))

    assert keys_of(event) == keys_of(before)
    assert event.occurred_at == before.occurred_at


# A second look.


@pytest.mark.parametrize(("status", "says"), [(142, None), (143, "lead:555 is in stage 143 now, not in 142 any more")])
def test_a_lead_that_has_moved_on_is_superseded(status, says, told, look_up, answering):
    fresh, _ = look_up(amocrm(), told(lead()), answering(a_lead(status_id=status)))

    assert amocrm().superseded(told(lead()), fresh) == says


def test_a_contact_with_another_number_is_superseded(told, look_up, answering):
    before = told(person("add", field("PHONE", WORK)))
    fresh, _ = look_up(amocrm(), before, answering(a_person(number(MOBILE))))

    assert amocrm().superseded(before, fresh) == "the number of contact:101 in amoCRM (Kommo) is another one now"


# Over HTTP.


def test_a_lead_is_looked_up_with_a_long_lived_token(told, fake_crm, crm_api, answering):
    source = amocrm(api_base=fake_crm.url)
    fake_crm.answer(answering(a_lead({"id": 101, "is_main": True})), answering(a_person(number(MOBILE))))
    event = crm_api.converse(source, source.look_up(told(lead()), ()))

    assert event.contact.phone == MOBILE
    assert [(each.url, each.headers["authorization"]) for each in fake_crm.asked] == [
        ("/api/v4/leads/555?with=contacts", f"Bearer {TOKEN}"),
        ("/api/v4/contacts/101", f"Bearer {TOKEN}"),
    ]


def test_a_record_that_is_gone_is_told_by_an_empty_answer(told, fake_crm, crm_api, answering):
    source = amocrm(api_base=fake_crm.url)
    fake_crm.answer(answering("", 204))

    with pytest.raises(LookupFailed, match="does not exist") as failed:
        crm_api.converse(source, source.look_up(told(lead()), ()))

    assert failed.value.final


def test_a_limit_is_told_in_plain_text(told, fake_crm, crm_api, answering):
    source = amocrm(api_base=fake_crm.url)
    fake_crm.answer(answering("Too many requests", 429))

    with pytest.raises(LookupFailed, match="too many requests") as failed:
        crm_api.converse(source, source.look_up(told(lead()), ()))

    assert (failed.value.retry_after, failed.value.parked) == (5, False)


def test_a_refused_token_parks_the_event(told, fake_crm, crm_api, answering):
    source = amocrm(api_base=fake_crm.url)
    fake_crm.answer(answering({"title": "Unauthorized", "status": 401, "detail": "…"}, 401))

    with pytest.raises(LookupFailed, match="refused api_token") as failed:
        crm_api.converse(source, source.look_up(told(lead()), ()))

    assert failed.value.parked
    assert TOKEN not in str(failed.value)


def test_a_probe_asks_for_the_account(fake_crm, crm_api, answering):
    source = amocrm(api_base=fake_crm.url)
    fake_crm.answer(answering({"id": 32427762, "subdomain": "acme"}))

    crm_api.probe(source, source.probe())

    assert fake_crm.asked[0].url == "/api/v4/account"


@pytest.fixture
def oauth_api(redis):
    """The worker's own client, with a ledger to keep tokens in."""
    with closing(CrmApi(timedelta(seconds=2), pool_size=2, store=TokenStore(redis))) as api:
        yield api


def integration(url: str) -> AmoCrm:
    return amocrm(api_token=None, api_base=url, redirect_uri=REDIRECT, **INTEGRATION)


def tokens(place: int) -> dict:
    return {"token_type": "Bearer", "expires_in": 86400, "access_token": f"access-{place}", "refresh_token": f"def50200-{place + 1}"}


def test_an_integration_trades_its_refresh_token_and_asks_with_what_it_got(told, fake_crm, oauth_api, answering):
    source = integration(fake_crm.url)
    fake_crm.answer(answering(tokens(1)), answering(a_person(number(MOBILE))))
    event = oauth_api.converse(source, source.look_up(told(person()), ()))
    renewal, asked = fake_crm.asked

    assert event.contact.phone == MOBILE
    assert (renewal.method, renewal.url, renewal.headers["content-type"]) == ("POST", "/oauth2/access_token", "application/json")
    assert json.loads(renewal.body) == {**INTEGRATION, "grant_type": "refresh_token", "redirect_uri": REDIRECT}
    assert asked.headers["authorization"] == "Bearer access-1"


def test_a_token_that_has_expired_is_renewed_with_the_newest_refresh_token(told, fake_crm, oauth_api, answering):
    source = integration(fake_crm.url)
    fake_crm.answer(answering(tokens(1)), answering({"status": 401}, 401), answering(tokens(2)), answering(a_person(number(MOBILE))))
    oauth_api.converse(source, source.look_up(told(person()), ()))

    assert json.loads(fake_crm.asked[2].body)["refresh_token"] == "def50200-2"
    assert fake_crm.asked[3].headers["authorization"] == "Bearer access-2"


def test_an_integration_that_was_switched_off_parks_the_event(told, fake_crm, oauth_api, answering):
    source = integration(fake_crm.url)
    fake_crm.answer(answering({"hint": "Token has been revoked", "title": "Некорректный запрос", "status": 400}, 400))

    with pytest.raises(LookupFailed, match="Token has been revoked") as failed:
        oauth_api.converse(source, source.look_up(told(person()), ()))

    assert failed.value.parked
    assert not any(secret in str(failed.value) for secret in INTEGRATION.values())
