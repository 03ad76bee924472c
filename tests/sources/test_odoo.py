"""Odoo: the secret in the URL, what an action's name and a record's dates mean, both keys, and its look-ups by either API."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, Stage
from bridge.sources.odoo import Odoo, OdooSettings

SECRET = "correct-horse"
TOKEN = "6578616d706c65"
HOOK = "https://bridge.example.com/webhooks/odoo"
AT = datetime(2026, 11, 23, 8, 39, 59, tzinfo=UTC)
PHONE, MOBILE = "+12813322575", "+12813322576"


def odoo(name: str = "odoo", **settings) -> Odoo:
    told = {"kind": "odoo", "secret": SECRET, "region": "US", "api_token": TOKEN, "api_base": "https://acme.odoo.com", **settings}
    return Odoo(name, OdooSettings(**told))


def refusal(source: Odoo, delivery: Delivery) -> Refusal:
    with pytest.raises(Unverified) as refused:
        source.verify(delivery, AT)
    return refused.value.refusal


# Who may send.


def test_the_url_that_is_entered_in_odoo_opens_the_source(delivered):
    signed = odoo().sign(b"{}", HOOK, AT)

    assert signed.url == f"{HOOK}?token={SECRET}"
    odoo().verify(delivered(signed.body, signed.headers, url=signed.url), AT)


def test_a_secret_with_any_characters_is_spelled_for_a_url(delivered):
    source = odoo(secret="p&q=r +ü/%#")
    signed = source.sign(b"{}", f"{HOOK}?from=crm", AT)

    assert signed.url.startswith(f"{HOOK}?from=crm&token=p%26q")
    source.verify(delivered("{}", url=signed.url), AT)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (HOOK, Refusal.MISSING),
        (f"{HOOK}?token=", Refusal.MISSING),
        (f"{HOOK}?Token={SECRET}", Refusal.MISSING),
        (f"{HOOK}?secret={SECRET}", Refusal.MISSING),
        (f"{HOOK}/{SECRET}", Refusal.MISSING),
        (f"{HOOK}?token=wrong", Refusal.WRONG_SECRET),
        (f"{HOOK}?token={SECRET[:-1]}", Refusal.WRONG_SECRET),
        (f"{HOOK}?token={SECRET.upper()}", Refusal.WRONG_SECRET),
        (f"{HOOK}?token={SECRET}x", Refusal.WRONG_SECRET),
    ],
)
def test_any_other_url_does_not(url, expected, delivered):
    assert refusal(odoo(), delivered("{}", url=url)) is expected


def test_while_the_secret_is_rotated_both_urls_are_good(delivered):
    rotating = odoo(secret=["new", SECRET])

    for secret in ("new", SECRET):
        rotating.verify(delivered("{}", url=f"{HOOK}?token={secret}"), AT)
    assert refusal(rotating, delivered("{}", url=f"{HOOK}?token=old")) is Refusal.WRONG_SECRET


def test_the_secret_is_cut_out_of_the_url_that_is_kept(delivered):
    kept = odoo(secret=[SECRET, "p&q"]).storable(delivered(f'{{"note": "{SECRET}"}}', url=f"{HOOK}?token=p%26q"))

    assert SECRET not in repr(kept)
    assert "p%26q" not in kept.url


# What a body means.

LEAD = {"type": "lead", "contact_name": "Alex Doe", "email_from": "alex@example.com", "phone": "(281) 332-2575", "mobile": False, "stage_id": 4}
DATES = {"create_date": "2026-11-01 08:00:00", "date_last_stage_update": "2026-11-20 08:00:00", "write_date": "2026-11-23 08:39:59"}
BORN = {"create_date": DATES["write_date"], "date_last_stage_update": DATES["write_date"]}
MOVED = {"date_last_stage_update": DATES["write_date"]}


def body(action: str | None, model: str = "crm.lead", number: int = 42, **record) -> dict:
    told = {"_model": model, "_id": number, "_action": action, **({"id": number} if record else {}), **record}
    return {name: value for name, value in told.items() if value is not None}


@pytest.mark.parametrize(
    ("action", "record", "expected"),
    [
        ("created(#1)", LEAD, "lead.created"),
        ("updated(#1)", LEAD, "lead.updated"),
        ("deleted(#1)", LEAD, "lead.deleted"),
        ("stage_changed(#1)", LEAD, "lead.stage_changed"),
        ("stage_changed(#1)", {**LEAD, "type": "opportunity"}, "deal.stage_changed"),
        ("lead.created(#1)", {**LEAD, "type": "opportunity"}, "deal.created"),
        ("deal.created(#1)", {}, "deal.created"),
        ("lead.created(#1)", {}, "lead.created"),
        ("contact.created(#1)", {}, "lead.created"),
        ("created(#1)", {"type": False}, "lead.created"),
        ("created", LEAD, "lead.created"),
        (" Lead.Created (#1)", LEAD, "lead.created"),
        ("Call new leads(#1)", LEAD, "unknown"),
        ("order.created(#1)", LEAD, "unknown"),
        ("exploded(#1)", LEAD, "unknown"),
        ("(#1)", LEAD, "unknown"),
        ("", LEAD, "unknown"),
        (None, LEAD, "unknown"),
    ],
)
def test_an_actions_name_says_what_happened_and_the_record_to_what(action, record, expected, read):
    assert read(odoo(), body(action, **record)).type == expected


@pytest.mark.parametrize(
    ("action", "model", "expected", "entity"),
    [
        ("created(#1)", "res.partner", "contact.created", Entity("contact", "42")),
        ("updated(#1)", "res.partner", "contact.updated", Entity("contact", "42")),
        ("deal.deleted(#1)", "res.partner", "contact.deleted", Entity("contact", "42")),
        ("stage_changed(#1)", "res.partner", "unknown", Entity("contact", "42")),
        ("created(#1)", "sale.order", "unknown", Entity("sale.order", "42")),
        ("deal.created(#1)", "sale.order", "unknown", Entity("sale.order", "42")),
    ],
)
def test_other_records_than_leads_are_contacts_or_unknown(action, model, expected, entity, read):
    event = read(odoo(), body(action, model))

    assert (event.type, event.entity) == (expected, entity)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("Neuer Lead(#412)", "lead.created"),
        ("Call new leads(#77)", "deal.stage_changed"),
        ("Call new leads", "deal.stage_changed"),
        ("deleted(#412)", "lead.created"),
        ("deleted(#413)", "lead.deleted"),
        ("Something else(#1)", "unknown"),
    ],
)
def test_the_source_may_say_what_an_action_means_by_its_number_or_its_name(action, expected, read):
    source = odoo(actions={"412": "created", "Call new leads": "deal.stage_changed"})
    record = {**LEAD, "type": None}

    assert read(source, body(action, **record)).type == expected


@pytest.mark.parametrize("meaning", ["create", "order.created", "", "lead.", "lead.created.twice"])
def test_a_meaning_that_is_none_is_refused_by_the_configuration(meaning):
    with pytest.raises(ValidationError, match="for action 412"):
        odoo(actions={"412": meaning})


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        (DATES, "lead.updated"),
        ({**DATES, **BORN}, "lead.created"),
        ({**DATES, **MOVED}, "lead.stage_changed"),
        ({**DATES, **MOVED, "stage_id": False}, "lead.updated"),
        ({"write_date": DATES["write_date"]}, "lead.updated"),
        ({"create_date": False, "write_date": False}, "lead.updated"),
        ({"create_date": DATES["write_date"]}, "lead.updated"),
        ({**DATES, "date_last_stage_update": "2026-11-23 08:39:58.999"}, "lead.updated"),
    ],
)
def test_the_dates_of_a_saved_lead_tell_whether_it_was_new_or_moved(dates, expected, read):
    assert read(odoo(), body("updated(#1)", **{**LEAD, **dates})).type == expected


def test_only_an_action_that_says_updated_is_read_by_dates(read):
    record = {**LEAD, **DATES, **BORN}

    assert read(odoo(), body("deleted(#1)", **record)).type == "lead.deleted"
    assert read(odoo(), body("stage_changed(#1)", **record)).type == "lead.stage_changed"
    assert read(odoo(), body("follow up(#1)", **record)).type == "unknown"
    assert read(odoo(), body("updated(#1)", "res.partner", **{**DATES, **BORN})).type == "contact.updated"


def test_a_move_tells_the_stage_it_led_to(read):
    event = read(odoo(), body("stage_changed(#1)", **{**LEAD, **DATES}))

    assert (event.stage, event.occurred_at) == (Stage(after="4"), datetime(2026, 11, 20, 8, tzinfo=UTC))
    assert read(odoo(), body("updated(#1)", **LEAD)).stage is None


def test_a_move_without_a_stage_is_a_change_that_a_look_up_may_make_a_move(read):
    event = read(odoo(), body("stage_changed(#1)", **{**LEAD, "stage_id": False}))

    assert (event.type, event.stage) == ("lead.updated", None)
    assert list(odoo().could_become(event)) == ["lead.stage_changed"]
    assert odoo().prospect(event).types == ("lead.stage_changed",)
    assert odoo(api_base=None).prospect(event).types == ()


@pytest.mark.parametrize("action", ["updated(#1)", "follow up(#1)", "created(#1)"])
def test_nothing_else_becomes_a_move(action, read):
    assert list(odoo().could_become(read(odoo(), body(action, **LEAD)))) == []
    assert list(odoo().could_become(read(odoo(), body("stage_changed(#1)", **LEAD)))) == []
    assert list(odoo().could_become(read(odoo(), body("stage_changed(#1)", "res.partner")))) == []


@pytest.mark.parametrize(("kind", "refs"), [("lead", ("lead:42", "deal:42")), ("opportunity", ("deal:42", "lead:42"))])
def test_a_lead_and_the_opportunity_it_becomes_are_one_record(kind, refs, read):
    assert read(odoo(), body("updated(#1)", type=kind)).refs == refs


def test_both_forms_of_a_relation_are_its_id(read):
    ids = read(odoo(), body("stage_changed(#1)", **LEAD, partner_id=17, tag_ids=[3, 5]))
    pairs = read(odoo(), body("stage_changed(#1)", **{**LEAD, "stage_id": [4, "Won"]}, partner_id=[17, "Azure, Alex Doe"], tag_ids=[3, 5]))

    assert ids == pairs
    assert (ids.stage, ids.contact.id, ids.fields["tag_ids"]) == (Stage(after="4"), "17", [3, 5])


def test_the_person_of_a_lead_is_in_the_lead(read):
    event = read(odoo(), body("created(#1)", **LEAD, partner_id=17, name="Ten desks", partner_name="Azure"))

    assert event.contact == Contact(id="17", name="Alex Doe", phone=PHONE, phones=(PHONE,), email="alex@example.com")
    assert event.refs == ("lead:42", "deal:42", "contact:17", f"phone:{PHONE}")


def test_a_contact_is_its_own_person_wherever_its_id_is_told(read):
    told = {"name": "Alex Doe", "email": False, "tz": "Europe/Berlin", "phone": MOBILE}

    assert read(odoo(), body("created(#1)", "res.partner", **told)).contact == Contact(
        id="42", name="Alex Doe", phone=MOBILE, phones=(MOBILE,), time_zone="Europe/Berlin"
    )
    assert read(odoo(), body("created(#1)", "res.partner")).contact == Contact(id="42")


@pytest.mark.parametrize(
    ("told", "phones", "called"),
    [
        ({"phone": "(281) 332-2575", "mobile": MOBILE, "phone_sanitized": PHONE}, (PHONE, MOBILE), PHONE),
        ({"phone": "030 123456", "phone_sanitized": "+4930123456"}, ("030 123456", "+4930123456"), "+4930123456"),
        ({"phone": False, "mobile": MOBILE}, (MOBILE,), MOBILE),
        ({"phone": "call after five"}, ("call after five",), "call after five"),
        ({"phone": False, "mobile": False, "phone_sanitized": False}, (), None),
        ({"phone": ["x"], "mobile": {}, "phone_sanitized": 12813322575}, (PHONE,), PHONE),
    ],
)
def test_every_number_is_known_and_one_that_can_be_read_is_called(told, phones, called, read):
    contact = read(odoo(), body("created(#1)", "res.partner", **told)).contact

    assert (contact.phones, contact.phone) == (phones, called)


def test_a_lead_without_anybody_has_no_contact(read):
    assert read(odoo(), body("created(#1)", type="lead", contact_name=False, partner_id=False)).contact is None


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("created", datetime(2026, 11, 1, 8, tzinfo=UTC)),
        ("stage_changed", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        ("updated", AT),
        ("follow up", AT),
        ("deleted", None),
    ],
)
def test_each_word_has_its_own_time(word, expected, read):
    assert read(odoo(), body(f"{word}(#1)", **{**LEAD, **DATES})).occurred_at == expected


@pytest.mark.parametrize("word", ["created", "stage_changed"])
def test_the_time_of_the_change_stands_in_for_one_that_was_not_ticked(word, read):
    assert read(odoo(), body(f"{word}(#1)", **LEAD, write_date=DATES["write_date"])).occurred_at == AT


def test_the_fields_are_the_records_own_and_the_actions_name(read):
    event = read(odoo(), body("created(#1)", **LEAD))

    assert event.fields == {"_action": "created(#1)", "id": 42, **LEAD}


@pytest.mark.parametrize(
    "told", [None, [], 7, "text", {}, {"_model": "crm.lead"}, {"_id": 7}, {"_model": "crm.lead", "_id": None}, [body("created")]]
)
def test_a_body_without_model_and_id_is_unreadable(told, delivered):
    with pytest.raises(Unreadable, match="_model and _id"):
        odoo().parse(delivered(json.dumps(told)))


# Both keys.


def keys_of(event: Event) -> tuple:
    return event.id, event.fact, event.window


@pytest.mark.parametrize("word", ["created", "updated", "stage_changed", "deleted", "follow up"])
def test_the_same_body_again_is_the_same_event(word, read):
    told = body(f"{word}(#1)", **{**LEAD, **DATES})

    assert keys_of(read(odoo(), told)) == keys_of(read(odoo(), told))


@pytest.mark.parametrize("word", ["created", "updated", "stage_changed", "deleted"])
@pytest.mark.parametrize("dates", [DATES, {}], ids=["with times", "without"])
def test_an_action_that_was_renamed_or_translated_is_the_same(word, dates, read):
    source = odoo(actions={"7": word})
    one, other = (read(source, body(f"{name}(#7)", **{**LEAD, **dates})) for name in ("Call", "Anrufen"))

    assert keys_of(one) == keys_of(other)


@pytest.mark.parametrize("word", ["created", "updated", "stage_changed", "deleted"])
def test_two_actions_about_one_save_are_two_events_and_one_fact(word, read):
    one, other = (read(odoo(), body(f"{word}(#{number})", **{**LEAD, **DATES})) for number in (1, 2))

    assert one.id != other.id
    assert one.fact == other.fact


def test_a_move_is_one_fact_whether_it_is_told_as_a_move_or_as_a_save(read):
    record = {**LEAD, **DATES, **MOVED}
    move, save = read(odoo(), body("stage_changed(#1)", **record)), read(odoo(), body("updated(#2)", **record))

    assert (move.type, save.type) == ("lead.stage_changed", "lead.stage_changed")
    assert move.id != save.id
    assert move.fact == save.fact


def test_a_creation_is_one_fact_whether_it_is_told_as_one_or_as_a_save(read):
    record = {**LEAD, **DATES, **BORN}

    assert read(odoo(), body("created(#1)", **record)).fact == read(odoo(), body("updated(#2)", **record)).fact


def test_a_lead_that_has_become_an_opportunity_is_the_same_record(read):
    lead, deal = (read(odoo(), body("created(#1)", **{**LEAD, "type": kind})) for kind in ("lead", "opportunity"))

    assert (lead.id, lead.fact) == (deal.id, deal.fact)


DIFFERENT = {
    "record": body("stage_changed(#1)", number=43, **{**LEAD, **DATES}),
    "model": body("stage_changed(#1)", "res.partner", **{**LEAD, **DATES}),
    "word": body("updated(#1)", **{**LEAD, **DATES}),
    "stage": body("stage_changed(#1)", **{**LEAD, **DATES, "stage_id": 5}),
    "time": body("stage_changed(#1)", **{**LEAD, **DATES, "date_last_stage_update": "2026-11-20 08:00:01"}),
}


@pytest.mark.parametrize("other", DIFFERENT.values(), ids=DIFFERENT)
def test_another_event_has_another_id_and_another_fact(other, read):
    one, two = read(odoo(), body("stage_changed(#1)", **{**LEAD, **DATES})), read(odoo(), other)

    assert one.id != two.id
    assert one.fact != two.fact


def test_two_edits_are_two_facts_even_within_a_second(read):
    one, two = (read(odoo(), body("updated(#1)", **LEAD, write_date=f"2026-11-23 08:39:59.{part}")) for part in ("100200", "101200"))

    assert one.fact != two.fact


def test_nobody_knows_whether_two_unknown_actions_mean_the_same(read):
    one, other = (read(odoo(), body(f"follow up(#{number})", **LEAD, write_date=DATES["write_date"])) for number in (1, 2))

    assert one.fact != other.fact


def test_two_databases_are_two_sources_with_facts_of_their_own(read):
    told = body("created(#1)", **LEAD)

    assert read(odoo("berlin"), told).fact != read(odoo("paris"), told).fact


@pytest.mark.parametrize(
    ("word", "record", "window"),
    [
        ("created", {}, None),
        ("deleted", {}, None),
        ("updated", {}, timedelta(minutes=1)),
        ("stage_changed", {}, timedelta(minutes=1)),
        ("follow up", {}, timedelta(minutes=1)),
        ("updated", DATES, None),
        ("stage_changed", {"write_date": DATES["write_date"]}, None),
        ("follow up", DATES, None),
    ],
)
def test_what_can_happen_again_and_has_no_time_has_a_window(word, record, window, read):
    assert read(odoo(), body(f"{word}(#1)", **LEAD, **record)).window == window


def test_without_a_time_another_content_is_another_event(read):
    one, other = (read(odoo(), body("updated(#1)", **{**LEAD, "phone": phone})) for phone in (PHONE, MOBILE))

    assert one.id != other.id
    assert one.fact != other.fact


def test_without_a_time_a_move_to_the_same_stage_is_the_same_fact(read):
    one, other = (read(odoo(), body("stage_changed(#1)", **{**LEAD, "phone": phone})) for phone in (PHONE, MOBILE))

    assert one.fact == other.fact
    assert one.fact != read(odoo(), body("stage_changed(#1)", **{**LEAD, "stage_id": 5})).fact


@given(st.sampled_from(["created", "updated", "stage_changed", "deleted", "follow up"]), st.booleans(), st.randoms())
def test_keys_do_not_depend_on_the_order_of_names(word, dated, random):
    told = list(body(f"{word}(#1)", **LEAD, **(DATES if dated else {})).items())
    shuffled = random.sample(told, len(told))
    first, second = (
        odoo().parse(Delivery(source="odoo", body=json.dumps(dict(each)).encode(), url="", received_at=AT))[0] for each in (told, shuffled)
    )

    assert keys_of(first) == keys_of(second)


# Look-ups.


def event_about(kind: str, number: str = "42", **more) -> Event:
    told = {"source": "odoo", "kind": "odoo", "id": "1", "type": f"{kind}.updated", "fact": "f", "received_at": AT}
    return Event(**{**told, "entity": Entity(kind, number), "refs": (f"{kind}:{number}",), **more})


def row(**more) -> list[dict]:
    return [{"id": 42, "type": "lead", "active": True, "stage_id": 4, "partner_id": 17, "phone": PHONE, "phone_sanitized": PHONE, **more}]


def test_a_lead_is_read_by_its_id(look_up, sample, answering):
    event, (asked,) = look_up(odoo(), event_about("deal"), answering(sample("odoo/api_read_lead.json")))

    assert event.contact == Contact(id="17", name="Sam Poe", phone=MOBILE, phones=(MOBILE,), email="sam@example.com")
    assert event.refs == ("deal:42", "contact:17", f"phone:{MOBILE}")
    assert (event.fields["stage_id"], event.type, event.fact) == (4, "deal.updated", "f")
    assert (asked.method, asked.url) == ("POST", "https://acme.odoo.com/json/2/crm.lead/read")
    assert asked.headers == {"Content-Type": "application/json", "Authorization": f"bearer {TOKEN}"}
    told = json.loads(asked.body)
    assert (told["ids"], told["load"]) == ([42], None)
    assert {"type", "stage_id", "phone", "phone_sanitized", "partner_id", "contact_name"} <= set(told["fields"])
    assert "mobile" not in told["fields"]  # which version 19 does not have any more


def test_a_contact_is_read_by_its_id(look_up, sample, answering):
    event, (asked,) = look_up(odoo(database="acme"), event_about("contact", "17"), answering(sample("odoo/api_read_contact.json")))

    assert event.contact == Contact(id="17", name="Sam Poe", phone=MOBILE, phones=(MOBILE,), email="sam@example.com", time_zone="Europe/Berlin")
    assert asked.url == "https://acme.odoo.com/json/2/res.partner/read"
    assert asked.headers["X-Odoo-Database"] == "acme"


def test_where_a_user_is_configured_the_older_api_is_asked(look_up, answering):
    source = odoo(database="acme", user_id=2)
    answer = answering({"jsonrpc": "2.0", "id": 1, "result": row()})
    event, (asked,) = look_up(source, event_about("lead"), answer)

    assert event.contact.phone == PHONE
    assert (asked.url, asked.headers) == ("https://acme.odoo.com/jsonrpc", {"Content-Type": "application/json"})
    told = json.loads(asked.body)
    assert (told["jsonrpc"], told["method"]) == ("2.0", "call")
    assert (told["params"]["service"], told["params"]["method"]) == ("object", "execute_kw")
    *who, arguments, named = told["params"]["args"]
    assert who == ["acme", 2, TOKEN, "crm.lead", "read"]
    assert (arguments, named["load"]) == ([[42]], None)


@pytest.mark.parametrize("settings", [{"user_id": 2}, {"user_id": "admin", "database": "acme"}])
def test_a_user_without_a_database_or_a_number_is_refused_by_the_configuration(settings):
    with pytest.raises(ValidationError, match="user_id"):
        odoo(**settings)


@pytest.mark.parametrize("settings", [{}, {"database": "acme", "user_id": "2"}], ids=["json-2", "json-rpc"])
def test_fields_that_rules_want_are_asked_for_when_odoo_has_them(settings, look_up, sample, answering):
    def told(document):
        return answering({"jsonrpc": "2.0", "id": 1, "result": document} if settings else document)

    known = json.loads(sample("odoo/api_fields_get.json"))
    wanted = ("lifecyclestage", "phone", "x_plan")
    event, (first, second) = look_up(odoo(**settings), event_about("lead"), told(known), told(row(x_plan="gold")), wanted=wanted)

    named = json.loads(first.body)["params"]["args"][6] if settings else json.loads(first.body)
    assert named == {"allfields": ["lifecyclestage", "x_plan"], "attributes": ["type"]}
    asked = json.loads(second.body)["params"]["args"][6] if settings else json.loads(second.body)
    assert asked["fields"][-1] == "x_plan"
    assert "lifecyclestage" not in asked["fields"]
    assert event.fields["x_plan"] == "gold"


def test_fields_that_the_body_carried_are_asked_for_again_without_a_question(look_up, answering):
    told = event_about("lead", fields={"_action": "updated(#1)", "x_plan": "silver"})
    event, (asked,) = look_up(odoo(), told, answering(row(x_plan="gold")), wanted=("_action", "x_plan"))

    assert json.loads(asked.body)["fields"][-1] == "x_plan"
    assert event.fields["x_plan"] == "gold"


def test_a_move_without_a_stage_gets_what_its_body_left_out(look_up, answering, read):
    told = read(odoo(), body("deal.stage_changed(#1)", number=42))
    event, _ = look_up(odoo(), told, answering(row(date_last_stage_update="2026-11-23 08:39:59")))
    whole = read(odoo(), body("stage_changed(#9)", **{**LEAD, **DATES, **MOVED}))

    assert (told.type, event.type) == ("deal.updated", "deal.stage_changed")
    assert (event.stage, event.occurred_at, event.window) == (Stage(after="4"), AT, None)
    assert event.fact == whole.fact
    assert event.id == told.id


def test_a_move_of_a_lead_without_any_stage_stays_a_change(look_up, answering, read):
    event, _ = look_up(odoo(), read(odoo(), body("stage_changed(#1)")), answering(row(stage_id=False)))

    assert (event.type, event.stage) == ("lead.updated", None)


def test_a_stage_that_was_told_stays_the_one_that_was_told(look_up, answering, read):
    told = read(odoo(), body("stage_changed(#1)", **LEAD))
    event, _ = look_up(odoo(), told, answering(row(stage_id=5)))

    assert (event.stage, event.fact) == (told.stage, told.fact)


def test_the_number_that_was_told_is_called_while_it_is_theirs(look_up, answering):
    told = event_about("contact", "42", contact=Contact(id="42", phone=MOBILE, phones=(MOBILE,)))
    event, _ = look_up(odoo(), told, answering(row(phone_sanitized=MOBILE)))

    assert (event.contact.phone, event.contact.phones) == (MOBILE, (PHONE, MOBILE))


def test_a_lead_that_lost_its_person_is_nobodys(look_up, answering):
    told = event_about("lead", contact=Contact(name="Alex Doe", phone=PHONE, phones=(PHONE,)))
    event, _ = look_up(odoo(), told, answering(row(partner_id=False, phone=False, phone_sanitized=False)))

    assert event.contact is None


@pytest.mark.parametrize("settings", [{}, {"database": "acme", "user_id": "2"}], ids=["json-2", "json-rpc"])
def test_a_record_that_is_gone_ends_the_look_up_for_good(settings, look_up, answering):
    gone = {"jsonrpc": "2.0", "id": 1, "result": []} if settings else []

    with pytest.raises(LookupFailed, match="lead:42 does not exist in Odoo any more") as failed:
        look_up(odoo(**settings), event_about("lead"), answering(gone))

    assert failed.value.final


@pytest.mark.parametrize(
    ("document", "status"),
    [("<html>Not Found</html>", 404), ({"message": "no such model"}, 404), ("<html>", 200), (None, 200), ({}, 200), ([7], 200)],
)
def test_an_answer_of_another_shape_does_not_mean_that_the_record_is_gone(document, status, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(odoo(), event_about("lead"), answering(document, status))

    assert not failed.value.final


@pytest.mark.parametrize("document", [{"jsonrpc": "2.0", "id": 1}, {"jsonrpc": "2.0", "id": 1, "result": None}, {"jsonrpc": "2.0", "result": {}}])
def test_an_answer_without_a_result_does_not_either(document, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(odoo(database="acme", user_id="2"), event_about("lead"), answering(document))

    assert not failed.value.final


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_key_parks_the_event_and_is_not_told(status, look_up, sample, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(odoo(), event_about("lead"), answering(sample("odoo/api_json2_invalid_key.json"), status))

    assert failed.value.parked
    assert TOKEN not in str(failed.value)


def test_a_wrong_key_of_the_older_api_comes_with_200_and_parks_all_the_same(look_up, sample, answering):
    with pytest.raises(LookupFailed, match="AccessDenied") as failed:
        look_up(odoo(database="acme", user_id="2"), event_about("lead"), answering(sample("odoo/api_jsonrpc_access_denied.json")))

    assert failed.value.parked


@pytest.mark.parametrize(
    ("name", "parked"), [("odoo.exceptions.AccessError", True), ("psycopg2.OperationalError", False), (None, False), (["x"], False)], ids=repr
)
def test_other_errors_of_the_older_api_pass_by_themselves_unless_a_user_may_not_read(name, parked, look_up, answering):
    for error in ({"data": {"name": name}}, {"data": {"name": name}, "message": PHONE}):
        with pytest.raises(LookupFailed) as failed:
            look_up(odoo(database="acme", user_id="2"), event_about("lead"), answering({"jsonrpc": "2.0", "error": error}))

        assert (failed.value.parked, failed.value.final) == (parked, False)
        assert PHONE not in str(failed.value)


@pytest.mark.parametrize(("status", "headers", "wait"), [(429, {"retry_after": "3"}, 3), (429, {}, None), (502, {}, None), (303, {}, None)])
def test_odoo_is_asked_again_when_it_may_be(status, headers, wait, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(odoo(), event_about("lead"), answering("", status, **headers))

    assert (failed.value.retry_after, failed.value.final, failed.value.parked) == (wait, False, False)


@pytest.mark.parametrize(
    ("event", "settings", "possible"),
    [
        (event_about("lead"), {}, True),
        (event_about("deal"), {}, True),
        (event_about("contact"), {}, True),
        (event_about("lead", type="unknown"), {}, True),
        (event_about("lead"), {"api_base": None}, False),
        (event_about("lead"), {"api_token": None}, False),
        (event_about("sale.order"), {}, False),
        (event_about("lead", "x_42"), {}, False),
        (event_about("deal", type="deal.deleted"), {}, False),
        (event_about("deal", entity=None), {}, False),
    ],
)
def test_only_what_odoo_could_tell_is_asked(event, settings, possible):
    assert odoo(**settings).can_look_up(event) is possible


def test_over_http_a_lead_is_read_and_the_key_sent(fake_crm, crm_api, answering):
    source = odoo(api_base=fake_crm.url, database="acme")
    fake_crm.answer(answering({"x_plan": {"type": "char"}}), answering(row(x_plan="gold")))

    event = crm_api.converse(source, source.look_up(event_about("lead"), ("x_plan",)))

    assert (event.contact.phone, event.fields["x_plan"]) == (PHONE, "gold")
    assert [(asked.method, asked.url) for asked in fake_crm.asked] == [("POST", "/json/2/crm.lead/fields_get"), ("POST", "/json/2/crm.lead/read")]
    assert {(asked.headers["authorization"], asked.headers["x-odoo-database"]) for asked in fake_crm.asked} == {(f"bearer {TOKEN}", "acme")}


def test_over_http_the_older_api_is_asked_in_its_own_form(fake_crm, crm_api, answering):
    source = odoo(api_base=fake_crm.url, database="acme", user_id="2")
    fake_crm.answer(answering({"jsonrpc": "2.0", "id": 1, "result": row()}))

    assert crm_api.converse(source, source.look_up(event_about("lead"), ())).contact.phone == PHONE
    assert fake_crm.asked[0].url == "/jsonrpc"


@pytest.mark.parametrize(("headers", "wait"), [({"retry_after": "7"}, 7), ({}, None)])
def test_over_http_too_many_requests_are_told_as_such(headers, wait, fake_crm, crm_api, answering):
    source = odoo(api_base=fake_crm.url)
    fake_crm.answer(answering({"message": "slow down"}, 429, **headers))

    with pytest.raises(LookupFailed, match="too many requests") as failed:
        crm_api.converse(source, source.look_up(event_about("lead"), ()))

    assert (failed.value.parked, failed.value.retry_after) == (False, wait)


def test_over_http_a_key_that_is_refused_parks(fake_crm, crm_api, sample, answering):
    source = odoo(api_base=fake_crm.url)
    fake_crm.answer(answering(sample("odoo/api_json2_invalid_key.json"), 401))

    with pytest.raises(LookupFailed) as failed:
        crm_api.converse(source, source.look_up(event_about("lead"), ()))

    assert failed.value.parked


@pytest.mark.parametrize("settings", [{}, {"database": "acme", "user_id": "2"}], ids=["json-2", "json-rpc"])
def test_over_http_a_key_is_tried_with_a_harmless_read(settings, fake_crm, crm_api, sample, answering):
    source = odoo(api_base=fake_crm.url, **settings)
    document = {"phone": {"type": "char"}}
    refused = (sample("odoo/api_jsonrpc_access_denied.json"), 200) if settings else (sample("odoo/api_json2_invalid_key.json"), 401)
    fake_crm.answer(answering({"jsonrpc": "2.0", "id": 1, "result": document} if settings else document), answering(*refused))

    crm_api.probe(source, source.probe())
    with pytest.raises(LookupFailed) as failed:
        crm_api.probe(source, source.probe())

    assert failed.value.parked
    assert odoo(api_base=None).probe() is odoo(api_token=None).probe() is None


# A second look.


@pytest.mark.parametrize(
    ("now", "says"),
    [
        ({}, None),
        ({"stage_id": 5}, "lead:42 is in stage 5 now, not in 4 any more"),
        ({"stage_id": False}, "lead:42 is in no stage now, not in 4 any more"),
        ({"active": False}, "lead:42 was archived in Odoo"),
        ({"phone": MOBILE, "phone_sanitized": MOBILE}, "the number of lead:42 in Odoo is another one now"),
        ({"phone": False, "phone_sanitized": False}, "lead:42 has no number in Odoo any more"),
    ],
)
def test_a_lead_that_has_moved_on_is_superseded(now, says, look_up, answering, read):
    before = read(odoo(), body("stage_changed(#1)", **LEAD))
    fresh, _ = look_up(odoo(), before, answering(row(**now)))

    assert odoo().superseded(before, fresh) == says


def test_what_was_archived_when_it_was_told_is_no_news(look_up, answering, read):
    before = read(odoo(), body("updated(#1)", **LEAD, active=False))
    fresh, _ = look_up(odoo(), before, answering(row(active=False)))

    assert odoo().superseded(before, fresh) is None
