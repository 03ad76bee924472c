"""Copper: where the secret may stand, what notifications mean, keys without an id or a time, and its look-ups held by hand and over HTTP."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, HttpResponse, Receipt, Stage, Unparsed
from bridge.sources.copper import Copper, CopperSettings

SECRET, TOKEN, OWNER = "correct-horse-battery-staple", "an-api-key", "owner@example.com"
URL = "https://bridge.example.com/webhooks/crm"
AT = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
PRIMARY, MOBILE = "+12813322575", "+12813322576"


def copper(**settings) -> Copper:
    told = {"kind": "copper", "secret": SECRET, "region": "US", "api_token": TOKEN, "user_email": OWNER, **settings}
    return Copper("crm", CopperSettings(**told))


def refusal(source: Copper, delivery: Delivery) -> Refusal:
    with pytest.raises(Unverified) as refused:
        source.verify(delivery, AT)
    return refused.value.refusal


def notification(event: str, kind: str, *ids: object, **more) -> dict:
    return {"ids": list(ids or (7,)), "type": kind, "event": event, "subscription_id": 17065, **more}


def update(kind: str, **changes) -> dict:
    return notification("update", kind, updated_attributes=changes)


# Who may send.


@pytest.mark.parametrize(
    ("headers", "body", "query"),
    [
        ({"X-Webhook-Secret": SECRET}, {}, ""),
        ({"Authorization": f"Bearer {SECRET}"}, {}, ""),
        ({"X-Webhook-Secret": SECRET}, {"secret": "hook_source"}, ""),
        ({}, {"secret": SECRET}, ""),
        ({}, {}, f"?token={SECRET}"),
    ],
)
def test_the_secret_opens_the_source_from_a_header_the_body_or_the_url(headers, body, query, delivered):
    copper().verify(delivered(json.dumps({**notification("new", "lead"), **body}), headers, url=URL + query), AT)


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({}, {}, Refusal.MISSING),
        ({}, {"key": SECRET}, Refusal.MISSING),
        ({}, {"secret": None}, Refusal.MISSING),
        ({}, {"secret": ""}, Refusal.MISSING),
        ({}, {"secret": [SECRET]}, Refusal.MISSING),
        ({}, {"secret": "hook_source"}, Refusal.WRONG_SECRET),
        ({"X-Webhook-Secret": "wrong"}, {}, Refusal.WRONG_SECRET),
        ({"X-Webhook-Secret": "wrong"}, {"secret": SECRET}, Refusal.WRONG_SECRET),
    ],
)
def test_nothing_else_does(headers, body, expected, delivered):
    assert refusal(copper(), delivered(json.dumps({**notification("new", "lead"), **body}), headers)) is expected


@pytest.mark.parametrize("body", ["", "not json", "[]", '"secret"', "7"])
def test_a_body_that_is_none_proves_nothing_and_one_with_a_good_header_is_kept(body, delivered):
    assert refusal(copper(), delivered(body)) is Refusal.MISSING
    copper().verify(delivered(body, {"X-Webhook-Secret": SECRET}), AT)


def test_the_pair_may_have_another_name_and_two_secrets_while_they_rotate(delivered):
    source = copper(secret=["new-horse-battery-staple", SECRET], secret_field="proof")

    for secret in source.secrets:
        source.verify(delivered(json.dumps({"ids": [1], "proof": secret})), AT)
    assert refusal(source, delivered(json.dumps({"ids": [1], "secret": SECRET}))) is Refusal.MISSING


def test_without_a_secret_a_pair_in_the_body_opens_nothing(delivered):
    assert refusal(copper(secret=()), delivered('{"secret": ""}')) is Refusal.MISSING
    assert refusal(copper(secret=()), delivered('{"secret": "x"}')) is Refusal.NO_SECRET


@pytest.mark.parametrize("body", [{"secret": SECRET}, {"secret": "another-secret-of-theirs"}, {"anything": "another-secret-of-theirs"}])
def test_the_pairs_of_a_subscription_are_not_kept(body, delivered):
    delivery = delivered(json.dumps({**update("opportunity", stage=["Qualified", "Contract Sent"]), **body}))
    kept = copper().storable(delivery)

    assert not any(value in kept.body.decode() for value in body.values())
    assert copper().parse(kept) == copper().parse(delivery)


@pytest.mark.parametrize("pair", ["opportunity", "update", "stage", "7", ""])
def test_a_pair_that_is_a_plain_word_does_not_take_the_rest_of_the_body_with_it(pair, delivered):
    delivery = delivered(json.dumps({**update("opportunity", stage=["Qualified", "Contract Sent"]), "source": pair}))

    assert copper().parse(copper().storable(delivery)) == copper().parse(delivery)


def test_an_answer_is_200(delivered):
    reply = copper().acknowledge([Receipt(id="1", key="crm:1", status="queued", reason="")], delivered("{}"))

    assert (reply.status, json.loads(reply.body)) == (200, {"status": "accepted", "events": [{"id": "1", "status": "queued"}]})


# What a notification means.


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (notification("new", "lead"), "lead.created"),
        (notification("new", "person"), "contact.created"),
        (notification("new", "opportunity"), "deal.created"),
        (notification("delete", "lead"), "lead.deleted"),
        (notification("delete", "person"), "contact.deleted"),
        (notification("delete", "opportunity"), "deal.deleted"),
        (notification("update", "lead"), "lead.updated"),
        (update("lead", details=[None, "x"]), "lead.updated"),
        (update("lead", status=["New", "Unqualified"]), "lead.stage_changed"),
        (update("person", status=["a", "b"], stage=["a", "b"]), "contact.updated"),
        (update("opportunity", stage=["Qualified", "Contract Sent"]), "deal.stage_changed"),
        (update("opportunity", name=["a", "b"]), "deal.updated"),
        (notification("new", "opportunity", updated_attributes={"stage": [None, "Qualified"]}), "deal.created"),
        (notification("new", "company"), "unknown"),
        (notification("new", "activity_log"), "unknown"),
        (notification("merge", "lead"), "unknown"),
        ({"ids": [7]}, "unknown"),
    ],
)
def test_every_record_and_event_has_a_type(body, expected, read):
    assert read(copper(), body).type == expected


@pytest.mark.parametrize(
    ("kind", "changes", "stage"),
    [
        ("opportunity", {"stage": ["Qualified", "Contract Sent"]}, Stage(after="Contract Sent", before="Qualified")),
        ("opportunity", {"pipeline_stage_id": [987790, 987793]}, Stage(after="987793", before="987790")),
        ("opportunity", {"pipeline_stage_id": [1, 2], "stage": ["Qualified", "Contract Sent"]}, Stage(after="Contract Sent", before="Qualified")),
        ("opportunity", {"status": ["Open", "Won"]}, Stage(after="Won", before="Open")),
        ("opportunity", {"stage": ["Qualified", "Contract Sent"], "status": ["Open", "Lost"]}, Stage(after="Lost", before="Open")),
        ("opportunity", {"status": ["Lost", "Open"]}, Stage(after="Open", before="Lost")),
        ("opportunity", {"status": ["Lost", "Open"], "stage": ["A", "B"]}, Stage(after="B", before="A")),
        ("opportunity", {"stage": [None, "Qualified"]}, Stage(after="Qualified")),
        ("opportunity", {"stage": "Qualified"}, Stage(after="Qualified")),
        ("opportunity", {"stage": ["Qualified", "Qualified"]}, None),
        ("opportunity", {"stage": ["Qualified", None]}, None),
        ("opportunity", {"stage": ["Qualified", ["odd"]]}, None),
        ("lead", {"status": ["New", "Open"], "status_id": [1, 2]}, Stage(after="Open", before="New")),
        ("lead", {"status_id": [1, 2]}, Stage(after="2", before="1")),
        ("lead", {"stage": ["A", "B"]}, None),
    ],
)
def test_a_move_tells_both_stages(kind, changes, stage, read):
    assert read(copper(), update(kind, **changes)).stage == stage


def test_each_record_of_a_notification_is_an_event_of_its_own(read):
    events = read(copper(), notification("new", "lead", 7, "8", None, [9], True))

    assert [event.entity.ref for event in events[:2]] == ["lead:7", "lead:8"]
    assert all(isinstance(event, Unparsed) for event in events[2:])
    assert len({event.id for event in events}) == 5


def test_fields_are_the_new_values_and_the_old_ones_stand_under_previous(read):
    event = read(copper(), update("opportunity", monetary_value=[1, 2.5], tags=[["a"], ["a", "b"]], odd="x"))

    assert event.fields == {
        "monetary_value": 2.5,
        "tags": ["a", "b"],
        "odd": "x",
        "previous": {"monetary_value": 1, "tags": ["a"], "odd": None},
    }
    assert read(copper(), notification("new", "lead", secret="x", key="y")).fields == {}


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        ("person", {"name": ["Al", "Alex Doe"]}, Contact(id="7", name="Alex Doe")),
        ("person", {}, Contact(id="7")),
        ("person", {"phone_numbers": [[], [{"number": "281 332 2575"}]]}, Contact(id="7", phone=PRIMARY, phones=(PRIMARY,))),
        ("person", {"emails": [[], [{"email": "a@example.com"}]]}, Contact(id="7", email="a@example.com")),
        ("person", {"phone_numbers": "odd"}, Contact(id="7")),
        ("lead", {"phone_numbers": [None, [{"number": PRIMARY}]]}, Contact(phone=PRIMARY, phones=(PRIMARY,))),
        ("lead", {"email": [None, {"email": "a@example.com"}]}, Contact(email="a@example.com")),
        ("lead", {"details": ["x", "y"]}, None),
        ("opportunity", {"primary_contact_id": [1, 101]}, Contact(id="101")),
        ("opportunity", {"name": ["x", "A deal"]}, None),
        ("company", {"name": ["x", "y"]}, None),
    ],
)
def test_what_an_update_says_of_the_person_is_told(kind, changes, expected, read):
    assert read(copper(), update(kind, **changes)).contact == expected


def test_a_timestamp_is_the_time_where_one_is_sent(read):
    assert read(copper(), notification("new", "lead", timestamp="2026-11-23T08:39:00Z")).occurred_at == AT - timedelta(minutes=1)
    assert read(copper(), notification("new", "lead")).occurred_at is None


# Both keys.


@pytest.mark.parametrize("body", [notification("new", "lead"), notification("delete", "lead"), update("lead", status=["New", "Open"])])
@pytest.mark.parametrize("changes", [{"timestamp": "2026-11-23T08:41:00Z"}, {"secret": "x"}, {"ids": ["7"]}, {"ids": [7, 8]}], ids=str)
def test_what_is_not_the_event_is_in_no_key(body, changes, delivered):
    first, again = (copper().parse(delivered(json.dumps(each)))[0] for each in (body, {**body, **changes}))

    assert (first.id, first.fact) == (again.id, again.fact)


@pytest.mark.parametrize("changes", [{"ids": [8]}, {"type": "person"}, {"event": "delete"}, {"subscription_id": 1}], ids=str)
def test_another_notification_is_another_event(changes, read):
    assert read(copper(), notification("new", "lead")).id != read(copper(), {**notification("new", "lead"), **changes}).id


@pytest.mark.parametrize(
    "body", [notification("new", "lead"), notification("delete", "lead"), update("lead", status=["a", "b"]), update("lead", x=[1, 2])]
)
def test_two_subscriptions_tell_one_fact_in_two_events(body, read):
    first, second = read(copper(), body), read(copper(), {**body, "subscription_id": 1})

    assert first.id != second.id
    assert first.fact == second.fact


@pytest.mark.parametrize(
    ("body", "once"),
    [
        (notification("new", "lead"), True),
        (notification("delete", "lead"), True),
        (notification("new", "company"), True),
        (update("lead", status=["a", "b"]), False),
        (update("lead", x=[1, 2]), False),
        (notification("merge", "lead"), False),
    ],
)
def test_what_may_happen_again_is_one_event_for_as_long_as_a_notification_may_be_late(body, once, read):
    window = read(copper(), body).window

    assert (window is None) == once
    assert once or timedelta(minutes=15) < window < timedelta(hours=1)


def test_different_facts_are_different(read):
    bodies = [
        notification("new", "lead"),
        notification("new", "lead", 8),
        notification("new", "person"),
        notification("delete", "lead"),
        notification("merge", "lead"),
        update("lead", status=["a", "b"]),
        update("lead", status=["b", "a"]),
        update("lead", x=[1, 2]),
        update("lead", x=[2, 1]),
        update("lead", y=[1, 2]),
        update("lead"),
    ]
    facts = {read(copper(), body).fact for body in bodies}

    assert len(facts) == len(bodies)
    elsewhere = Copper("other", CopperSettings(kind="copper"))  # another account has a lead 7 too
    assert read(elsewhere, bodies[0]).fact not in facts


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
pairs = st.lists(scalars | st.lists(scalars, max_size=2), max_size=3) | scalars


@given(
    kind=st.sampled_from(["lead", "person", "opportunity", "task"]),
    event=st.sampled_from(["new", "update", "delete", "x"]),
    changes=st.dictionaries(st.sampled_from(["status", "stage", "name", "phone_numbers", "primary_contact_id"]), pairs),
    random=st.randoms(),
)
def test_keys_do_not_depend_on_the_order_of_names(kind, event, changes, random):
    body = notification(event, kind, updated_attributes=changes)
    names, changed = list(body), list(changes)
    random.shuffle(names)
    random.shuffle(changed)
    again = {name: {**body, "updated_attributes": {name: changes[name] for name in changed}}[name] for name in names}
    deliveries = [Delivery(source="crm", body=json.dumps(each).encode(), url=URL, received_at=AT) for each in (body, again)]
    (first,), (second,) = (copper().parse(delivery) for delivery in deliveries)

    assert (first.id, first.fact, first.stage, first.contact) == (second.id, second.fact, second.stage, second.contact)


@pytest.mark.parametrize("body", [None, [], 7, "text", {}, {"ids": None}, {"ids": []}, {"ids": 7}, {"type": "lead", "event": "new"}])
def test_a_body_without_ids_is_unreadable(body, delivered):
    with pytest.raises(Unreadable):
        copper().parse(delivered(json.dumps(body)))


# Look-ups.


def event_about(kind: str, record: str = "7", **more) -> Event:
    told = {"source": "crm", "kind": "copper", "id": "1", "type": f"{kind}.updated", "fact": "f", "received_at": AT}
    return Event(**{**told, "entity": Entity(kind, record), "refs": (f"{kind}:{record}",), **more})


def person(*numbers: str, **more) -> dict:
    return {"id": 7, "name": "Alex Doe", "emails": [], "phone_numbers": [{"number": number, "category": "work"} for number in numbers], **more}


def paths(asked: list) -> list[str]:
    return [each.url.partition("/developer_api/v1/")[2] for each in asked]


def test_a_lead_is_its_own_person_and_is_called_by_its_mobile_first(look_up, sample, answering):
    event, (asked,) = look_up(copper(), event_about("lead", "8894157"), answering(sample("copper/api_lead_response.json")))

    assert event.contact == Contact(name="Test Lead", phone=MOBILE, phones=(MOBILE, PRIMARY), email="address@workemail.com")
    assert event.refs == ("lead:8894157", f"phone:{MOBILE}", f"phone:{PRIMARY}")
    assert (event.fields["status"], event.fields["company_name"]) == ("New", "Lead's Company")
    assert (asked.method, asked.url) == ("GET", "https://api.copper.com/developer_api/v1/leads/8894157")
    assert {name: asked.headers[name] for name in asked.headers if name.startswith("X-PW")} == {
        "X-PW-AccessToken": TOKEN,
        "X-PW-Application": "developer_api",
        "X-PW-UserEmail": OWNER,
    }


def test_a_person_is_read_by_id(look_up, sample, answering):
    event, asked = look_up(copper(), event_about("contact", "27140359"), answering(sample("copper/api_person_response.json")))

    assert event.contact == Contact(id="27140359", name="My Contact", phone=MOBILE, phones=(MOBILE, PRIMARY), email="mycontact@example.com")
    assert paths(asked) == ["people/27140359"]


def test_a_deal_is_read_and_then_its_primary_contact(look_up, sample, answering):
    answers = [answering(sample(f"copper/api_{name}_response.json")) for name in ("opportunity", "person")]
    event, asked = look_up(copper(), event_about("deal", "4956209"), *answers)

    assert paths(asked) == ["opportunities/4956209", "people/27140359"]
    assert event.contact.id == "27140359"
    assert event.refs == ("deal:4956209", "contact:27140359", f"phone:{MOBILE}", f"phone:{PRIMARY}")
    assert (event.fields["status"], event.fields["pipeline_stage_id"]) == ("Open", 987793)


def test_the_stage_of_a_deal_that_moved_is_read_by_its_name(look_up, sample, answering):
    answers = [answering(sample(f"copper/api_{name}_response.json")) for name in ("opportunity", "pipeline_stages", "person")]
    event, asked = look_up(copper(), event_about("deal", "4956209", stage=Stage(after="Contract Sent")), *answers)

    assert paths(asked) == ["opportunities/4956209", "pipeline_stages", "people/27140359"]
    assert event.fields["stage"] == "Contract Sent"
    assert copper().superseded(event_about("deal", stage=Stage(after="Contract Sent")), event) is None


@pytest.mark.parametrize("stages", [[], [None, 7], {}, [{"id": 987793}]])
def test_a_stage_without_a_name_is_none(stages, look_up, sample, answering):
    answers = (answering(sample("copper/api_opportunity_response.json")), answering(stages), answering(sample("copper/api_person_response.json")))
    event, _ = look_up(copper(), event_about("deal", stage=Stage(after="x")), *answers)

    assert "stage" not in event.fields


def test_stages_that_are_no_json_do_not_tell_that_there_is_none(look_up, sample, answering):
    with pytest.raises(LookupFailed, match="not JSON"):
        look_up(copper(), event_about("deal", stage=Stage(after="x")), answering(sample("copper/api_opportunity_response.json")), answering("<html>"))


def test_a_deal_without_a_contact_has_nobody_to_call(look_up, answering):
    known = event_about("deal", contact=Contact(id="101", phone=PRIMARY, phones=(PRIMARY,)))
    event, asked = look_up(copper(), known, answering({"id": 7, "primary_contact_id": None, "status": "Open"}))

    assert (event.contact, len(asked), event.fields["status"]) == (None, 1, "Open")


def test_the_number_that_was_told_is_called_while_it_is_theirs(look_up, answering):
    told = event_about("contact", contact=Contact(id="7", phone=MOBILE, phones=(MOBILE,)))
    event, _ = look_up(copper(), told, answering(person(PRIMARY, MOBILE)))

    assert (event.contact.phone, event.contact.phones) == (MOBILE, (PRIMARY, MOBILE))


@pytest.mark.parametrize("kind", ["lead", "contact", "deal"])
def test_a_record_that_is_gone_ends_the_look_up_for_good(kind, look_up, sample, answering):
    with pytest.raises(LookupFailed, match=f"{kind}:7 does not exist in Copper any more") as failed:
        look_up(copper(), event_about(kind), answering(sample("copper/api_not_found.json"), 404))

    assert failed.value.final


def test_a_deal_whose_contact_is_gone_says_so(look_up, sample, answering):
    answers = (answering({"id": 7, "primary_contact_id": 101}), answering(sample("copper/api_not_found.json"), 404))

    with pytest.raises(LookupFailed, match="contact:101 does not exist") as failed:
        look_up(copper(), event_about("deal"), *answers)

    assert failed.value.final


@pytest.mark.parametrize(
    ("body", "status"),
    [("<html>Not Found</html>", 404), ({}, 404), ({"error": "not_found"}, 404), ("<html>", 200), ([], 200), ({}, 200), ({"success": False}, 500)],
)
def test_nothing_else_means_that_it_is_gone(body, status, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(copper(), event_about("contact"), answering(body, status))

    assert not failed.value.final


@pytest.mark.parametrize(("headers", "wait"), [({}, 20), ({"retry_after": "7"}, 7)])
def test_copper_is_asked_again_when_its_limit_is_over(headers, wait, look_up, answering):
    with pytest.raises(LookupFailed, match="too many requests") as failed:
        look_up(copper(), event_about("contact"), answering({"success": False, "status": 429}, 429, **headers))

    assert (failed.value.retry_after, failed.value.final, failed.value.parked) == (wait, False, False)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_parks_the_event_and_is_not_told(status, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(copper(), event_about("contact"), answering({"success": False, "status": status}, status))

    assert failed.value.parked
    assert TOKEN not in str(failed.value)


@pytest.mark.parametrize(
    "record", [{"id": 7}, {"id": 7, "phone_numbers": None, "emails": {}}, {"id": 7, "phone_numbers": [None, 7, {}, {"number": [], "category": {}}]}]
)
def test_a_person_of_another_shape_is_one_without_a_number(record, look_up, answering):
    event, _ = look_up(copper(), event_about("contact"), answering(record))

    assert event.contact == Contact(id="7")


@pytest.mark.parametrize(
    ("event", "token", "possible"),
    [
        (event_about("lead"), TOKEN, True),
        (event_about("contact"), TOKEN, True),
        (event_about("deal"), TOKEN, True),
        (event_about("company", type="unknown"), TOKEN, False),
        (event_about("deal", type="deal.deleted"), TOKEN, False),
        (event_about("deal", entity=None), TOKEN, False),
        (event_about("lead"), None, False),
    ],
)
def test_only_what_copper_could_tell_is_asked(event, token, possible):
    assert copper(api_token=token).can_look_up(event) is possible


def test_a_key_is_good_only_with_the_address_of_its_owner():
    with pytest.raises(ValidationError, match="user_email"):
        copper(user_email=None)


def test_an_id_cannot_lead_a_look_up_elsewhere(look_up, answering):
    _, (asked,) = look_up(copper(), event_about("contact", "../users/1?x"), answering(person()))

    assert asked.url.endswith("/people/..%2Fusers%2F1%3Fx")


def test_a_look_up_goes_over_http_and_so_does_a_probe(fake_crm, crm_api, sample):
    source = copper(api_base=fake_crm.url)
    fake_crm.answer(
        *(HttpResponse(200, {}, sample(f"copper/api_{name}_response.json")) for name in ("opportunity", "person")), HttpResponse(200, {}, "{}")
    )

    event = crm_api.converse(source, source.look_up(event_about("deal", "4956209"), ()))
    crm_api.probe(source, source.probe())

    assert event.contact.phone == MOBILE
    assert [urlsplit(asked.url).path.removeprefix("/developer_api/v1/") for asked in fake_crm.asked] == [
        "opportunities/4956209",
        "people/27140359",
        "account",
    ]
    assert {(asked.headers["x-pw-accesstoken"], asked.headers["x-pw-useremail"]) for asked in fake_crm.asked} == {(TOKEN, OWNER)}


@pytest.mark.parametrize(("answer", "parked", "wait"), [(HttpResponse(429, {}, ""), False, 20), (HttpResponse(401, {}, "{}"), True, None)])
def test_limits_and_a_refused_key_are_seen_over_http_too(answer, parked, wait, fake_crm, crm_api):
    source = copper(api_base=fake_crm.url)
    fake_crm.answer(answer)

    with pytest.raises(LookupFailed) as failed:
        crm_api.converse(source, source.look_up(event_about("contact"), ()))

    assert (failed.value.parked, failed.value.retry_after) == (parked, wait)


def test_without_a_key_there_is_nothing_to_probe():
    assert copper(api_token=None).probe() is None


# A second look.


@pytest.mark.parametrize(
    ("told", "now", "in_stage"),
    [
        ("Qualified", {"status": "Open", "stage": "Qualified"}, None),
        ("Qualified", {"status": "Open", "stage": "Contract Sent"}, "stage Contract Sent"),
        ("Qualified", {"status": "Won", "stage": "Qualified"}, "stage Won"),
        ("987790", {"status": "Open", "stage": "Qualified", "pipeline_stage_id": 987790}, None),
        ("987790", {"status": "Open", "stage": "Contract Sent", "pipeline_stage_id": 987793}, "stage Contract Sent"),
        ("Won", {"status": "Won", "stage": "Qualified"}, None),
        ("Won", {"status": "Open", "stage": "Qualified"}, "stage Qualified"),
        ("Open", {"status": "Open", "stage": "Qualified"}, None),
        ("Open", {"status": "Lost", "stage": "Qualified"}, "stage Lost"),
    ],
)
def test_a_deal_that_has_moved_on_is_superseded(told, now, in_stage):
    before = event_about("deal", stage=Stage(after=told))
    expected = f"deal:7 is in {in_stage} now, not in {told} any more" if in_stage else None

    assert copper().superseded(before, before.knowing(fields=now)) == expected


@pytest.mark.parametrize(("told", "superseded"), [("New", False), ("208231", False), ("Open", True), ("1", True)])
def test_a_lead_of_another_status_is_superseded(told, superseded, look_up, sample, answering):
    before = event_about("lead", stage=Stage(after=told))
    fresh, _ = look_up(copper(), before, answering(sample("copper/api_lead_response.json")))

    assert bool(copper().superseded(before, fresh)) is superseded


def test_a_person_whose_number_has_changed_is_superseded(look_up, answering):
    before = event_about("contact", contact=Contact(id="7", phone=PRIMARY, phones=(PRIMARY,)))
    fresh, _ = look_up(copper(), before, answering(person(MOBILE)))

    assert copper().superseded(before, fresh) == "the number of contact:7 in Copper is another one now"
