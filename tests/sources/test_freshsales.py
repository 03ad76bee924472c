"""Freshsales: its secret and account, what workflows and product events mean, both keys, and its look-ups by hand and over HTTP."""

import base64
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, Stage
from bridge.sources.freshsales import Freshsales, FreshsalesSettings

SECRET, TOKEN = "correct-horse-battery-staple", "sfg999666t673t7t82"
BASE = "https://acme.myfreshworks.com/crm/sales"
AT = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
MOBILE, WORK = "+12813322575", "+12813322576"


def freshsales(**settings) -> Freshsales:
    told = {"kind": "freshsales", "secret": SECRET, "region": "US", "api_token": TOKEN, "api_base": BASE, **settings}
    return Freshsales("freshsales", FreshsalesSettings(**told))


def refusal(source: Freshsales, delivery: Delivery) -> Refusal:
    with pytest.raises(Unverified) as refused:
        source.verify(delivery, AT)
    return refused.value.refusal


# Who may send.

OPENS = {"X-Webhook-Secret": SECRET}


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        (OPENS, ""),
        ({"Authorization": f"Bearer {SECRET}"}, ""),
        ({"Authorization": f"Basic {base64.b64encode(f'freshsales:{SECRET}'.encode()).decode()}"}, ""),
        ({}, f"https://bridge.example.com/webhooks/freshsales?token={SECRET}"),
    ],
)
def test_the_secret_opens_wherever_a_workflow_can_put_it(headers, url, delivered):
    freshsales().verify(delivered("{}", headers, url=url), AT)


def test_anything_else_does_not(delivered):
    assert refusal(freshsales(), delivered("{}", {"X-Webhook-Secret": "wrong"})) is Refusal.WRONG_SECRET
    assert refusal(freshsales(), delivered("{}")) is Refusal.MISSING
    assert refusal(freshsales(secret=[]), delivered("{}", OPENS)) is Refusal.NO_SECRET


def test_while_the_secret_is_changed_both_are_good(delivered):
    freshsales(secret=["new", SECRET]).verify(delivered("{}", OPENS), AT)


@pytest.mark.parametrize(
    ("body", "believed"),
    [
        ({"account_id": "13"}, True),
        ({"account_id": 13}, True),
        ({"account_id": "1", "domain": "13"}, True),
        ({"account_id": "14"}, False),
        ({"account_id": None}, False),
        ({}, False),
        ([], False),
    ],
    ids=str,
)
def test_where_an_account_is_configured_another_is_refused(body, believed, delivered):
    delivery = delivered(json.dumps(body), OPENS)

    if believed:
        freshsales(account_id=13).verify(delivery, AT)
    else:
        assert refusal(freshsales(account_id="13"), delivery) is Refusal.WRONG_ACCOUNT


def test_the_account_may_be_told_by_a_form_and_by_its_domain(delivered):
    freshsales(account_id="acme.myfreshworks.com").verify(delivered("domain=acme.myfreshworks.com&event=deal.created", OPENS), AT)


def test_a_stranger_is_refused_as_one_before_the_body_is_read_and_a_genuine_body_that_cannot_be_read_is_kept(delivered):
    source = freshsales(account_id="13")

    assert refusal(source, delivered('{"name": "Bob "the" Builder"}', {"X-Webhook-Secret": "wrong"})) is Refusal.WRONG_SECRET
    source.verify(delivered('{"name": "Bob "the" Builder"}', OPENS), AT)


def test_a_token_needs_the_address_of_its_account():
    with pytest.raises(ValidationError, match="api_base"):
        freshsales(api_base=None)
    with pytest.raises(ValidationError):
        freshsales(api_base="acme.myfreshworks.com")


def test_what_is_delivered_in_place_of_freshsales_is_labelled_as_what_it_is():
    assert freshsales().sign(b' {"event": 1}', "", AT).headers == {"Content-Type": "application/json", **OPENS}
    assert freshsales().sign(b"event=deal.created", "", AT).headers == {"Content-Type": "application/x-www-form-urlencoded", **OPENS}


# What a body means.

TIMES = {"created_at": "2026-11-01T08:00:00Z", "updated_at": "2026-11-23T08:40:00Z"}
CONTACT = {"id": 24, "display_name": "Alex Doe", "email": "alex@example.com", "mobile_number": MOBILE, "work_number": WORK, **TIMES}
DEAL = {"id": 16, "name": "A deal", "deal_stage_id": 7, "stage_updated_time": "2026-11-23T08:40:00Z", **TIMES}
LEAD = {**CONTACT, "id": 32, "lead_stage_id": 6, "stage_updated_time": "2026-11-23T08:40:00Z"}
RECORDS = {"contact": CONTACT, "deal": DEAL, "lead": LEAD}


def product(event: str, record: dict, changes: dict | None = None, **more) -> dict:
    """A product event as Freshsales Classic tells it."""
    name = event.removeprefix("on").removesuffix("Create").removesuffix("Update").removesuffix("Delete").lower()
    told = {**record, "changes": changes} if changes else record
    return {
        "account_id": "13",
        "event": event,
        "timestamp": 1496400354326,
        "data": {"users": [{"id": 1, "mobile_number": "+919999999999"}], name: told},
        **more,
    }


def suite(event: str, record: dict, changes: dict | None = None, **more) -> dict:
    """The same of a newer account."""
    body = product(event, {name: value if name == "id" or name.endswith("_at") else {"value": value} for name, value in record.items()}, **more)
    return body | {"data": {**body["data"], "changes": {"misc_changes": {}, "model_changes": changes or {}, "system_changes": {}}}}


def workflow(event: str, record: dict, **more) -> dict:
    return {"account_id": "13", "event": event, event.partition(".")[0]: record, **more}


MOVED = {"deal_stage_id": [5, 7], "updated_at": ["2026-11-20T08:00:00Z", "2026-11-23T08:40:00Z"]}


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize(("word", "action"), [("Create", "created"), ("Update", "updated"), ("Delete", "deleted")])
def test_every_record_and_action_has_its_type_whichever_way_it_is_told(name, word, action, read):
    bodies = [told(f"on{name.title()}{word}", RECORDS[name]) for told in (product, suite)]

    for body in (*bodies, workflow(f"{name}.{action}", RECORDS[name])):
        event = read(freshsales(), body)

        assert (event.type, event.stage) == (f"{name}.{action}", None)
        assert event.entity == Entity(name, str(RECORDS[name]["id"]))


@pytest.mark.parametrize(
    ("event", "record"),
    [
        ("onSalesAccountUpdate", "sales_account"),
        ("onAppointmentCreate", "appointment"),
        ("contact.stage_changed", "contact"),
        ("deal.exploded", "deal"),
    ],
)
def test_whatever_else_happens_is_unknown_and_kept(event, record, read):
    told = read(freshsales(), {"event": event, record: {"id": 8, "title": "x", **TIMES}})

    assert (told.type, told.entity, told.fields["title"]) == ("unknown", Entity(record, "8"), "x")


@pytest.mark.parametrize("event", ["onAppInstall", "onDeal", "onCreate", "ping", "deal", ".", "deal.created"])
def test_an_event_about_nothing_that_is_there_is_kept_too(event, read):
    assert read(freshsales(), {"event": event}).entity is None


@pytest.mark.parametrize(
    ("body", "stage"),
    [
        (product("onDealUpdate", DEAL, MOVED), Stage(after="7", before="5")),
        (suite("onDealUpdate", DEAL, MOVED), Stage(after="7", before="5")),
        (product("onLeadUpdate", LEAD, {"lead_stage_id": [None, 6]}), Stage(after="6")),
        (workflow("deal.stage_changed", DEAL), Stage(after="7")),
        (workflow("lead.stage_changed", {**LEAD, "lead_stage_id": "Qualified"}), Stage(after="Qualified")),
        (product("onDealUpdate", {**DEAL, "deal_stage_id": None}, MOVED), Stage(after="7", before="5")),
    ],
)
def test_a_move_tells_its_stage(body, stage, read):
    event = read(freshsales(), body)

    assert (event.type.partition(".")[2], event.stage) == ("stage_changed", stage)
    assert event.occurred_at == AT


@pytest.mark.parametrize(
    "body",
    [
        product("onDealUpdate", DEAL, {"amount": ["1", "2"]}),
        product("onDealUpdate", DEAL, {"deal_stage_id": [7, 7]}),
        product("onDealUpdate", DEAL),
        product("onContactUpdate", CONTACT, {"deal_stage_id": [5, 7], "contact_status_id": [1, 4]}),
        product("onDealCreate", DEAL, MOVED),
        workflow("deal.updated", DEAL),
    ],
)
def test_nothing_else_is_a_move(body, read):
    assert read(freshsales(), body).stage is None


def test_a_move_that_does_not_say_where_to_is_one_all_the_same(read):
    event = read(freshsales(), workflow("deal.stage_changed", {"id": 16, **TIMES}))

    assert (event.type, event.stage) == ("deal.stage_changed", None)


@pytest.mark.parametrize(
    ("body", "at"),
    [
        (product("onContactCreate", CONTACT), datetime(2026, 11, 1, 8, tzinfo=UTC)),
        (workflow("contact.created", {"id": 1, "updated_at": "2026-11-23T08:40:00Z"}), AT),
        (product("onContactUpdate", CONTACT), AT),
        (workflow("deal.stage_changed", {**DEAL, "stage_updated_time": ""}), AT),
        (product("onContactDelete", CONTACT), None),
        (workflow("contact.updated", {"id": 1, "updated_at": "a while ago"}), None),
    ],
)
def test_when_it_happened_is_told_for_everything_but_a_deletion(body, at, read):
    assert read(freshsales(), body).occurred_at == at


def test_the_mobile_number_of_a_contact_comes_first(read):
    event = read(freshsales(), product("onContactCreate", CONTACT))

    assert event.contact == Contact(id="24", name="Alex Doe", phone=MOBILE, phones=(MOBILE, WORK), email="alex@example.com")
    assert event.refs == ("contact:24", f"phone:{MOBILE}", f"phone:{WORK}")


def test_a_lead_is_a_person_and_no_contact(read):
    event = read(freshsales(), product("onLeadCreate", LEAD))

    assert event.contact == Contact(name="Alex Doe", phone=MOBILE, phones=(MOBILE, WORK), email="alex@example.com")
    assert event.refs == ("lead:32", f"phone:{MOBILE}", f"phone:{WORK}")


def test_the_agents_of_an_account_are_nobody_to_call(read):
    assert read(freshsales(), product("onDealCreate", DEAL)).contact is None


@pytest.mark.parametrize(
    ("record", "name", "email"),
    [
        ({"first_name": "Alex", "last_name": "Doe"}, "Alex Doe", None),
        ({"first_name": "", "last_name": "Doe"}, "Doe", None),
        ({"emails": [{"value": "a@b.c", "is_primary": True}]}, None, "a@b.c"),
        ({"emails": {"value": [{"email": "a@b.c"}]}}, None, "a@b.c"),
        ({"emails": ["a@b.c", None]}, None, None),
        ({"mobile_number": "", "work_number": None}, None, None),
    ],
)
def test_names_and_addresses_come_in_more_than_one_form(record, name, email, read):
    assert read(freshsales(), workflow("contact.created", {"id": 24, **record})).contact == Contact(id="24", name=name, email=email)


@pytest.mark.parametrize(
    "more",
    [
        {"contact": CONTACT},
        {"contacts": [{"id": 23}, CONTACT]},
        {"data": {"deal": DEAL, "contacts": [CONTACT]}},
        {"data": {"deal": DEAL, "associations": {"contacts": [CONTACT]}}},
    ],
)
def test_the_contacts_of_a_deal_are_taken_where_they_are_told(more, read):
    event = read(freshsales(), workflow("deal.created", DEAL, **more))

    assert (event.contact.id, event.contact.phone) == ("24", MOBILE)
    assert event.refs[0] == "deal:16"
    assert "contact:24" in event.refs


@pytest.mark.parametrize("contacts", [["Alex", "24"], "24", None, {}, [None]])
def test_contacts_in_another_form_are_looked_up_and_not_guessed_from(contacts, read):
    assert read(freshsales(), product("onDealCreate", DEAL) | {"contacts": contacts}).contact is None


def test_what_changed_can_be_asked_for_by_rules(read):
    for body in (product("onDealUpdate", DEAL, MOVED), suite("onDealUpdate", DEAL, MOVED)):
        assert read(freshsales(), body).fields == {**DEAL, "changes": MOVED}


# The two encodings.


def as_form(body: dict) -> str:
    flat = [(f"{name}[{inner}]", told) for name, value in body.items() if isinstance(value, dict) for inner, told in value.items()]
    return urlencode([*((name, value) for name, value in body.items() if not isinstance(value, dict)), *flat])


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "application/json", "text/plain", ""])
def test_a_form_says_the_same_as_json_whatever_the_header_says(content_type, delivered):
    body = workflow("deal.stage_changed", {name: str(value) for name, value in DEAL.items()}, contact={"id": "24", "mobile_number": MOBILE})
    headers = {"Content-Type": content_type}
    (form,), (document,) = (freshsales().parse(delivered(each, headers)) for each in (as_form(body), "\n " + json.dumps(body)))

    assert form == document


@given(st.text(st.characters(codec="utf-8")).filter(lambda name: name.strip() and "{{" not in name))
def test_any_name_comes_through_a_form(name):
    body = as_form(workflow("contact.created", {"id": "24", "display_name": name}))
    (event,) = freshsales().parse(Delivery(source="freshsales", body=body.encode(), url="", received_at=AT))

    assert event.contact == Contact(id="24", name=name.strip())


@pytest.mark.parametrize("left", ["{{contact.mobile_number}}", " {{ contact.mobile_number }} "])
def test_a_placeholder_that_was_left_standing_is_nothing(left, read):
    event = read(freshsales(), workflow("contact.created", {"id": "24", "mobile_number": left, "work_number": WORK}))

    assert (event.contact.phones, event.fields) == ((WORK,), {"id": "24", "work_number": WORK})


@pytest.mark.parametrize(
    "body", ["", "not json", '{"name": "Bob "the" Builder"}', "[]", "7", "{}", '{"event": []}', "name=x", "<event>deal.created</event>"]
)
def test_a_body_without_an_event_is_unreadable(body, delivered):
    with pytest.raises(Unreadable):
        freshsales().parse(delivered(body))


# Both keys.


@pytest.mark.parametrize(
    "body",
    [
        product("onContactCreate", CONTACT),
        product("onDealUpdate", DEAL, MOVED),
        product("onDealDelete", DEAL),
        workflow("contact.updated", CONTACT),
    ],
)
def test_what_a_redelivery_may_change_is_in_no_key(body, read):
    first, again = read(freshsales(), body), read(freshsales(), {**body, "timestamp": 1763887201, "region": "EU", "productContext": None})

    assert (first.id, first.fact, first.window) == (again.id, again.fact, None)


@pytest.mark.parametrize(
    "bodies",
    [
        (product("onContactCreate", CONTACT), suite("onContactCreate", CONTACT), workflow("contact.created", {"id": "24"})),
        (product("onDealUpdate", DEAL, MOVED), suite("onDealUpdate", DEAL, MOVED), workflow("deal.stage_changed", DEAL)),
        (
            product("onContactUpdate", CONTACT, {"city": [None, "x"]}),
            workflow("contact.updated", {"id": "24", "updated_at": "2026-11-23T09:40:00.250+01:00"}),
        ),
        (product("onDealDelete", DEAL), workflow("deal.deleted", {"id": "16"})),
    ],
    ids=["creation", "move", "update", "deletion"],
)
def test_a_workflow_and_a_product_event_tell_one_fact(bodies, read):
    events = [read(freshsales(), body) for body in bodies]

    assert len({event.fact for event in events}) == 1
    assert events[0].id != events[-1].id


def test_different_facts_are_different(read):
    bodies = [
        *(product(f"on{name.title()}{word}", record) for name, record in RECORDS.items() for word in ("Create", "Update", "Delete")),
        product("onDealUpdate", DEAL, MOVED),
        product("onDealUpdate", {**DEAL, "deal_stage_id": 8}, {"deal_stage_id": [5, 8]}),
        product("onDealUpdate", {**DEAL, "stage_updated_time": "2026-11-24T08:40:00Z"}, MOVED),
        product("onContactUpdate", {**CONTACT, "updated_at": "2026-11-23T08:40:01Z"}),
        product("onContactCreate", {**CONTACT, "id": 25}),
        product("onContactCreate", CONTACT) | {"account_id": "14"},
    ]

    assert len({read(freshsales(), body).fact for body in bodies}) == len(bodies)


def test_two_edits_in_one_second_are_two_events(read):
    first, second = (read(freshsales(), product("onDealUpdate", DEAL, changes)) for changes in (MOVED, {"amount": ["1", "2"]}))

    assert first.id != second.id


def test_without_a_time_an_update_is_the_same_for_some_minutes(read):
    bodies = [workflow("contact.updated", {"id": "24", "mobile_number": phone}) for phone in (MOBILE, MOBILE, WORK)]
    first, again, other = (read(freshsales(), body) for body in bodies)

    assert first.window == timedelta(minutes=10)
    assert (first.id, first.fact) == (again.id, again.fact)
    assert first.id != other.id
    assert first.fact != other.fact


def test_without_a_time_a_creation_still_happens_once(read):
    event = read(freshsales(), workflow("contact.created", {"id": "24"}))

    assert (event.id, event.window) == ("13:contact.created:contact:24", None)


def test_a_record_without_an_id_is_told_by_what_it_says(read):
    first, other = (read(freshsales(), workflow("contact.created", {"display_name": name})) for name in ("Alex", "Kim"))

    assert first.id != other.id
    assert first.fact != other.fact
    assert first.window is not None


# What must not be kept.


def test_installation_parameters_are_cut_out_and_nothing_else_is(delivered):
    secrets = {
        "api_key": "0123456789abcdef",
        "more": [{"Access_Token": "s3cr3t-t0ken"}],
        "password": "short",
        "domain": "acme.myfreshworks.com",
        "n": 1,
    }
    body = json.dumps(product("onContactCreate", CONTACT) | {"iparams": secrets})
    kept = freshsales().storable(delivered(body, OPENS))

    assert b"0123456789abcdef" not in kept.body
    assert b"s3cr3t-t0ken" not in kept.body
    assert b"acme.myfreshworks.com" in kept.body
    assert kept.headers["x-webhook-secret"] == "***"
    assert freshsales().parse(kept) == freshsales().parse(delivered(body))


@pytest.mark.parametrize("body", [b"", b"{", b"\xff=\xff", b"[]", b'{"iparams": 7}', b'{"iparams": {"key": null}}', b"iparams[key]=0123456789"])
def test_looking_for_secrets_raises_nothing(body, delivered):
    assert list(freshsales().secrets_in(delivered(body))) in ([], ["0123456789"])


# Look-ups.


def about(kind: str, number: str = "16", **more) -> Event:
    told = {"source": "freshsales", "kind": "freshsales", "id": "1", "type": f"{kind}.updated", "fact": "f", "received_at": AT}
    return Event(**{**told, "entity": Entity(kind, number), "refs": (f"{kind}:{number}",), **more})


GONE = {"errors": {"code": 404, "message": ["Not Found"]}}


@pytest.mark.parametrize(("kind", "record"), [("contact", CONTACT), ("lead", LEAD)])
def test_a_person_is_read_by_id(kind, record, look_up, answering):
    event, (asked,) = look_up(freshsales(), about(kind, "24"), answering({kind: record}))

    assert (asked.method, asked.url) == ("GET", f"{BASE}/api/{kind}s/24")
    assert asked.headers["Authorization"] == f"Token token={TOKEN}"
    assert (event.contact.phone, event.contact.id) == (MOBILE, "24" if kind == "contact" else None)
    assert event.fields["updated_at"] == "2026-11-23T08:40:00Z"


def test_a_deal_is_read_with_its_contacts_and_then_the_first_of_them(look_up, sample, answering):
    answers = (answering(sample("freshsales/api_deal_response.json")), answering({"contact": CONTACT}))
    event, asked = look_up(freshsales(), about("deal", fields={"changes": MOVED}), *answers)

    assert [each.url.removeprefix(f"{BASE}/api/") for each in asked] == ["deals/16?include=contacts", "contacts/24"]
    assert (event.contact.id, event.contact.phone) == ("24", MOBILE)
    assert event.refs == ("deal:16", "contact:24", f"phone:{MOBILE}", f"phone:{WORK}", "contact:25")
    assert (event.fields["amount"], event.fields["changes"]) == ("1230.0", MOVED)


def test_contacts_that_come_whole_are_not_read_again(look_up, answering):
    event, asked = look_up(freshsales(), about("deal"), answering({"deal": DEAL, "contacts": [{"id": 23, "mobile_number": None}, CONTACT]}))

    assert (event.contact.id, len(asked)) == ("24", 1)


def test_where_only_ids_are_told_contacts_are_read_until_one_has_a_number(look_up, answering):
    answers = ({"contact": {"id": 1, "mobile_number": None}}, {"contact": {**CONTACT, "id": 2}})
    event, asked = look_up(freshsales(), about("deal"), answering({"deal": {**DEAL, "contact_ids": [1, 2, 3]}}), *map(answering, answers))

    assert (event.contact.id, len(asked)) == ("2", 3)
    assert {"contact:1", "contact:2", "contact:3"} <= set(event.refs)


def test_a_contact_that_is_gone_is_passed_over(look_up, answering):
    answers = (answering({"deal": {**DEAL, "contact_ids": [1, 2]}}), answering(GONE, 404), answering({"contact": {**CONTACT, "id": 2}}))
    event, _ = look_up(freshsales(), about("deal"), *answers)

    assert event.contact.id == "2"


def test_a_deal_of_many_contacts_is_not_asked_for_without_end(look_up, answering):
    deal = answering({"deal": {**DEAL, "contact_ids": list(range(30))}})
    event, asked = look_up(freshsales(), about("deal"), deal, *[answering({"contact": {}})] * 5)

    assert (event.contact, len(asked)) == (Contact(id="0"), 6)


def test_who_was_told_is_read_first_and_called_under_the_number_that_was_told(look_up, answering):
    before = about("deal", contact=Contact(id="25", phone=WORK, phones=(WORK,)))
    deal = {"deal": DEAL, "contacts": [{**CONTACT, "mobile_number": "+12813322577"}, {"id": 25}]}
    event, asked = look_up(freshsales(), before, answering(deal), answering({"contact": {**CONTACT, "id": 25}}))

    assert asked[1].url.endswith("/contacts/25")
    assert (event.contact.id, event.contact.phone) == ("25", WORK)
    assert freshsales().superseded(before, event) is None


def test_a_deal_of_nobody_has_nobody_to_call(look_up, answering):
    event, _ = look_up(freshsales(), about("deal"), answering({"deal": {**DEAL, "contact_ids": None}}))

    assert event.contact is None


def test_a_record_that_is_gone_ends_the_look_up_for_good(look_up, answering):
    with pytest.raises(LookupFailed, match="deal:16 does not exist in Freshsales any more") as failed:
        look_up(freshsales(), about("deal"), answering(GONE, 404))

    assert failed.value.final


@pytest.mark.parametrize("answer", [("<html>", 404), ("<html>", 200), ({}, 200), ({"deal": None}, 200), ({"contact": CONTACT}, 200)])
def test_an_answer_without_the_record_does_not_mean_that_it_is_gone(answer, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(freshsales(), about("deal"), answering(*answer))

    assert not failed.value.final


@pytest.mark.parametrize(
    ("event", "settings", "possible"),
    [
        (about("contact"), {}, True),
        (about("lead"), {}, True),
        (about("deal"), {}, True),
        (about("deal", type="deal.deleted"), {}, False),
        (about("sales_account"), {}, False),
        (about("deal", entity=None), {}, False),
        (about("deal"), {"api_token": None, "api_base": None}, False),
    ],
)
def test_only_what_freshsales_could_tell_is_asked(event, settings, possible):
    assert freshsales(**settings).can_look_up(event) is possible


def test_what_freshsales_cannot_tell_of_is_left_as_it_is(look_up):
    assert look_up(freshsales(), about("sales_account")) == (about("sales_account"), [])


def test_an_id_cannot_lead_a_look_up_elsewhere(look_up, answering):
    _, (asked,) = look_up(freshsales(api_base="https://acme.freshsales.io/"), about("lead", "../contacts/1?x"), answering({"lead": LEAD}))

    assert asked.url == "https://acme.freshsales.io/api/leads/..%2Fcontacts%2F1%3Fx"


@pytest.mark.parametrize(
    ("told", "now", "in_stage"),
    [("7", 7, None), ("7", 8, "8"), ("7", None, "no stage"), ("Won", 8, None)],
    ids=["still", "moved on", "none", "by name"],
)
def test_a_deal_that_has_moved_on_is_superseded(told, now, in_stage, look_up, answering):
    before = about("deal", stage=Stage(after=told))
    fresh, _ = look_up(freshsales(), before, answering({"deal": {**DEAL, "deal_stage_id": now}}))
    says = freshsales().superseded(before, fresh)

    assert (says is None) is (in_stage is None)
    assert in_stage is None or in_stage in says


def test_a_person_is_in_no_stage():
    assert freshsales().superseded(about("contact"), about("contact")) is None


# Over HTTP.


def test_the_worker_reads_a_deal_and_its_contact(fake_crm, crm_api, sample, answering):
    source = freshsales(api_base=f"{fake_crm.url}/crm/sales")
    fake_crm.answer(answering(sample("freshsales/api_deal_response.json")), answering({"contact": CONTACT}))

    event = crm_api.converse(source, source.look_up(about("deal"), ()))

    assert event.contact.phone == MOBILE
    assert [each.url for each in fake_crm.asked] == ["/crm/sales/api/deals/16?include=contacts", "/crm/sales/api/contacts/24"]
    assert fake_crm.asked[0].headers["authorization"] == f"Token token={TOKEN}"


@pytest.mark.parametrize(("headers", "wait"), [({"Retry_After": "900"}, 900), ({}, None)])
def test_the_worker_is_told_how_long_to_leave_freshsales_alone(headers, wait, fake_crm, crm_api, answering):
    source = freshsales(api_base=fake_crm.url)
    fake_crm.answer(answering({"message": "Too many requests"}, 429, **headers))

    with pytest.raises(LookupFailed, match="too many requests") as failed:
        crm_api.converse(source, source.look_up(about("deal"), ()))

    assert (failed.value.retry_after, failed.value.final, failed.value.parked) == (wait, False, False)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_freshsales_refuses_parks_the_event_and_is_not_told(status, fake_crm, crm_api, answering):
    source = freshsales(api_base=fake_crm.url)
    fake_crm.answer(*[answering({"login": "failed", "message": "Invalid API key"}, status)] * 2)

    for ask in (lambda: crm_api.converse(source, source.look_up(about("deal"), ())), lambda: crm_api.probe(source, source.probe())):
        with pytest.raises(LookupFailed) as failed:
            ask()

        assert failed.value.parked
        assert TOKEN not in str(failed.value)


def test_the_key_is_tried_with_a_read_of_the_owners(fake_crm, crm_api, answering):
    source = freshsales(api_base=fake_crm.url)
    fake_crm.answer(answering({"users": []}))

    crm_api.probe(source, source.probe())

    assert fake_crm.asked[0].url == "/api/selector/owners"
    assert freshsales(api_token=None, api_base=None).probe() is None
