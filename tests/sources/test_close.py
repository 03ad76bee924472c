"""Close: its signature, what an event means, merges, both keys, and its look-ups by hand and over HTTP."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, Stage
from bridge.sources.close import Close, CloseSettings

KEY = "058bfb6a3d8cfdc4da7c3be5901b16ae11da982b46a25fb2cd7016e97a140a1c"  # the example of Close's own page
OTHER_KEY = "11" * 32
TOKEN = "api_4h5SWXfGTvnjUxTLRgIFt6"
BODY = b'{"event": {"id": "ev_1"}, "subscription_id": "whsub_1"}'
SIGNED_AT = datetime(2018, 12, 8, 12, 17, 20, tzinfo=UTC)
TIMESTAMP = "1544271440"  # of the same page; the body it signs there is not published, so this vector is our own
SIGNATURE = "35503efd4c53b6a5ae8c66a2de89dcd87dc8ede1a2022e182fa0d05105190480"
AT = datetime(2026, 11, 23, 8, 40, 0, 123000, tzinfo=UTC)
ORGANIZATION = "orga_Bnvb4C6ur74cnEX825rjjDDusTIIpQcFX2qusZcjGr5"
OFFICE, MOBILE, FAX = "+12484345508", "+12484345510", "+12484345509"


def close(**settings) -> Close:
    return Close("close", CloseSettings(**{"kind": "close", "secret": KEY, "api_token": TOKEN, **settings}))


def signed(**changes: str) -> dict[str, str]:
    headers = {"close-sig-hash": SIGNATURE, "close-sig-timestamp": TIMESTAMP}
    return {**headers, **{f"close-sig-{name}": value for name, value in changes.items()}}


def refusal(source: Close, delivery: Delivery, now: datetime = SIGNED_AT) -> Refusal:
    with pytest.raises(Unverified) as refused:
        source.verify(delivery, now)
    return refused.value.refusal


# Who may send.


def test_a_signature_is_of_the_time_and_the_body_under_the_bytes_that_the_key_stands_for(delivered):
    expected = hmac.new(bytes.fromhex(KEY), TIMESTAMP.encode() + BODY, hashlib.sha256).hexdigest()

    assert expected == SIGNATURE
    close().verify(delivered(BODY, signed()), SIGNED_AT)
    close().verify(delivered(BODY, signed(hash=SIGNATURE.upper())), SIGNED_AT)


def test_the_letters_of_the_key_are_not_the_key(delivered):
    wrong = hmac.new(KEY.encode(), TIMESTAMP.encode() + BODY, hashlib.sha256).hexdigest()

    assert refusal(close(), delivered(BODY, signed(hash=wrong))) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize("body", [BODY + b" ", b"", BODY.replace(b"ev_1", b"ev_2")])
def test_another_body_is_not_believed(body, delivered):
    assert refusal(close(), delivered(body, signed())) is Refusal.WRONG_SIGNATURE


def test_another_time_is_not_believed(delivered):
    assert refusal(close(), delivered(BODY, signed(timestamp="1544271441"))) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize(
    "changes", [{"hash": ""}, {"timestamp": ""}, {"timestamp": "soon"}, {"timestamp": "-1"}, {"timestamp": "9" * 12}, {"timestamp": "١"}]
)
def test_without_a_signature_and_its_time_nobody_is_believed(changes, delivered):
    assert refusal(close(), delivered(BODY, signed(**changes))) is Refusal.MISSING


@pytest.mark.parametrize(("late", "expected"), [(301, Refusal.STALE), (-301, Refusal.FUTURE)])
def test_a_signature_is_good_for_five_minutes_either_way(late, expected, delivered):
    close().verify(delivered(BODY, signed()), SIGNED_AT + timedelta(seconds=300))
    close().verify(delivered(BODY, signed()), SIGNED_AT - timedelta(seconds=300))
    assert refusal(close(), delivered(BODY, signed()), SIGNED_AT + timedelta(seconds=late)) is expected


def test_where_old_signatures_are_allowed_they_are_good_for_as_long_as_close_tries_again(delivered):
    source = close(allow_old=True)

    source.verify(delivered(BODY, signed()), SIGNED_AT + timedelta(hours=72))
    assert refusal(source, delivered(BODY, signed()), SIGNED_AT + timedelta(hours=73)) is Refusal.STALE


def test_an_old_signature_that_is_wrong_is_called_wrong_and_not_old(delivered):
    assert refusal(close(secret=OTHER_KEY), delivered(BODY, signed()), SIGNED_AT + timedelta(days=9)) is Refusal.WRONG_SIGNATURE


def test_while_the_key_is_changed_both_are_good(delivered):
    close(secret=[OTHER_KEY, KEY]).verify(delivered(BODY, signed()), SIGNED_AT)
    assert refusal(close(secret=[OTHER_KEY]), delivered(BODY, signed())) is Refusal.WRONG_SIGNATURE


def test_without_a_key_nobody_is_believed(delivered):
    assert refusal(close(secret=[]), delivered(BODY, signed())) is Refusal.NO_SECRET


@pytest.mark.parametrize("secret", ["change-me", "0", "0g", "", [KEY, "xyz"]])
def test_a_secret_that_is_no_key_is_refused_by_the_configuration(secret):
    with pytest.raises(ValidationError, match="signature_key"):
        close(secret=secret)


# What an event means.

CONTACT = {
    "id": "cont_1",
    "lead_id": "lead_1",
    "name": "Alex Doe",
    "emails": [{"email": "alex@example.com"}],
    "phones": [{"type": "office", "phone": OFFICE}],
}
NUMBERLESS = {"id": "cont_2", "lead_id": "lead_1", "name": "Kim Lee", "emails": [], "phones": []}
LEAD = {"id": "lead_1", "name": "Acme", "status_id": "stat_new", "status_label": "New", "contacts": [NUMBERLESS, CONTACT]}
DEAL = {"id": "oppo_1", "lead_id": "lead_1", "contact_id": "cont_1", "contact_name": "Alex Doe", "status_id": "stat_open", "status_type": "active"}
RECORDS = {"lead": LEAD, "contact": CONTACT, "opportunity": DEAL}
MERGE = {"merge_source_lead_id": "lead_2", "merge_destination_lead_id": "lead_1"}


def told(action: str, kind: str, previous: dict | None = None, /, **more) -> dict:
    """A body; ``previous`` is what was otherwise before."""
    data = {**RECORDS[kind], **more.pop("data", {})}
    event = {
        "id": "ev_1",
        "action": action,
        "object_type": kind,
        "object_id": data["id"],
        "lead_id": data.get("lead_id", data["id"]),
        "organization_id": ORGANIZATION,
        "date_created": "2026-11-23T08:40:00.000000",
        "date_updated": "2026-11-23T08:40:00.123000",
        "changed_fields": sorted(previous or {}),
        "previous_data": data if action == "deleted" else previous,
        "data": None if action == "deleted" else data,
        "meta": {},
    }
    return {"event": {**event, **more}, "subscription_id": "whsub_1"}


MOVED = told("updated", "opportunity", {"status_id": "stat_open", "status_type": "active"}, data={"status_id": "stat_won", "status_type": "won"})


@pytest.mark.parametrize("kind", ["lead", "contact", "opportunity"])
@pytest.mark.parametrize("action", ["created", "updated", "deleted"])
def test_every_record_and_action_has_its_type(kind, action, read):
    record = "deal" if kind == "opportunity" else kind
    event = read(close(), told(action, kind))

    assert (event.type, event.entity) == (f"{record}.{action}", Entity(record, RECORDS[kind]["id"]))
    assert event.occurred_at == AT


@pytest.mark.parametrize(
    ("kind", "action"),
    [("activity.call", "created"), ("activity.opportunity_status_change", "created"), ("lead", "exploded"), ("task.lead", "completed")],
)
def test_whatever_else_happens_is_unknown_and_kept(kind, action, read):
    event = read(close(), told("created", "lead", object_type=kind, action=action, object_id="x_1"))

    assert event.type == "unknown"
    assert event.refs[0] == f"{kind}:x_1"


@pytest.mark.parametrize(
    ("kind", "old", "new", "stage"),
    [
        ("opportunity", "stat_open", "stat_won", Stage(after="stat_won", before="stat_open")),
        ("lead", "stat_new", "stat_hot", Stage(after="stat_hot", before="stat_new")),
        ("lead", None, "stat_hot", Stage(after="stat_hot")),
        ("lead", "stat_new", "stat_new", None),
        ("lead", "stat_new", None, None),
        ("contact", "stat_new", "stat_hot", None),
    ],
)
def test_a_stage_is_a_status_that_is_not_what_it_was(kind, old, new, stage, read):
    event = read(close(), told("updated", kind, {"status_id": old}, data={"status_id": new}))

    assert event.stage == stage
    assert event.type.endswith("stage_changed" if stage else "updated")


def test_a_status_that_is_only_there_has_not_changed(read):
    event = read(close(), told("updated", "opportunity", {"value": 1}))

    assert (event.type, event.stage) == ("deal.updated", None)


def test_the_object_id_is_believed_where_the_data_has_another(read):
    assert read(close(), told("updated", "opportunity", {"value": 1}, object_id="oppo_7")).entity == Entity("deal", "oppo_7")


def test_what_changed_can_be_asked_for_by_rules(read):
    event = read(close(), MOVED)

    assert event.fields["changed_fields"] == ["status_id", "status_type"]
    assert event.fields["previous_data"] == {"status_id": "stat_open", "status_type": "active"}
    assert event.fields["status_type"] == "won"
    assert "previous_data" not in read(close(), told("deleted", "contact")).fields


def test_the_first_contact_with_a_number_is_the_one_to_call_and_all_are_refs(read):
    event = read(close(), told("created", "lead"))

    assert event.contact == Contact(id="cont_1", name="Alex Doe", phone=OFFICE, phones=(OFFICE,), email="alex@example.com")
    assert event.refs == ("lead:lead_1", "contact:cont_2", "contact:cont_1", f"phone:{OFFICE}")


def test_a_lead_without_a_number_still_tells_its_first_contact(read):
    assert read(close(), told("created", "lead", data={"contacts": [NUMBERLESS]})).contact == Contact(id="cont_2", name="Kim Lee")
    assert read(close(), told("created", "lead", data={"contacts": []})).contact is None


def test_a_fax_is_no_number_to_call(read):
    phones = [{"type": "fax", "phone": FAX}, {"type": "office", "phone": OFFICE}, {"type": "mobile", "phone": MOBILE}]
    event = read(close(), told("created", "contact", data={"phones": phones}))

    assert (event.contact.phone, event.contact.phones) == (OFFICE, (OFFICE, MOBILE))
    assert f"phone:{FAX}" not in event.refs


def test_an_opportunity_tells_its_lead_and_its_contact_and_never_a_number(read):
    event = read(close(), told("created", "opportunity"))

    assert event.refs == ("deal:oppo_1", "lead:lead_1", "contact:cont_1")
    assert event.contact == Contact(id="cont_1", name="Alex Doe")
    assert read(close(), told("created", "opportunity", data={"contact_id": None, "contact_name": None})).contact is None


def test_what_was_deleted_is_told_as_it_was(read):
    event = read(close(), told("deleted", "contact"))

    assert (event.contact.phone, event.refs) == (OFFICE, ("contact:cont_1", "lead:lead_1", f"phone:{OFFICE}"))


@pytest.mark.parametrize("phones", [None, {}, "x", [None], [[]], [{"phone": None}], [{"phone": ""}], [{}]])
def test_a_contact_without_a_number_has_none(phones, read):
    assert read(close(), told("created", "contact", data={"phones": phones, "emails": None})).contact == Contact(id="cont_1", name="Alex Doe")


@pytest.mark.parametrize("missing", ["id", "action", "object_type", "object_id"])
def test_an_event_that_does_not_say_what_it_is_about_is_unreadable(missing, read):
    with pytest.raises(Unreadable):
        read(close(), told("created", "lead", **{missing: None}))


@pytest.mark.parametrize("body", [None, [], 7, "text", {}, {"event": None}, {"event": []}, {"subscription_id": "whsub_1"}])
def test_a_body_without_an_event_is_unreadable(body, read):
    with pytest.raises(Unreadable):
        read(close(), body)


# Merges.

PARTS = {
    "the merge itself": told("merged", "lead", meta=MERGE),
    "the change of the lead that lives on": told("updated", "lead", {"contact_ids": ["cont_2"]}, meta=MERGE, id="ev_2"),
    "the end of the other lead": told("deleted", "lead", meta=MERGE, id="ev_3", object_id="lead_2", lead_id="lead_2"),
    "the end of a contact that both had": told("deleted", "contact", meta=MERGE, id="ev_4", object_id="cont_9", lead_id="lead_2"),
    "the end of an opportunity": told("deleted", "opportunity", meta=MERGE, id="ev_5", object_id="oppo_9", lead_id="lead_2"),
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_every_part_of_a_merge_is_a_change_of_the_lead_that_lives_on(part, read):
    event = read(close(), part)

    assert (event.type, event.entity) == ("lead.updated", Entity("lead", "lead_1"))
    assert {"lead:lead_1", "lead:lead_2"} <= set(event.refs)


def test_the_parts_of_a_merge_are_one_fact_in_many_events(read):
    events = [read(close(), part) for part in PARTS.values()]

    assert len({event.fact for event in events}) == 1
    assert len({event.id for event in events}) == len(PARTS)


@pytest.mark.parametrize("part", list(PARTS)[2:])
def test_a_record_that_ended_in_a_merge_does_not_speak_for_the_lead_that_lives_on(part, read):
    event = read(close(), PARTS[part])

    assert (event.contact, event.fields) == (None, {})
    assert not any(ref.startswith("phone:") for ref in event.refs)


def test_the_record_that_ended_is_still_a_ref(read):
    assert read(close(), PARTS["the end of a contact that both had"]).refs == ("lead:lead_1", "contact:cont_9", "lead:lead_2")


def test_a_contact_that_only_moves_to_another_lead_has_changed_itself(read):
    event = read(close(), told("updated", "contact", {"lead_id": "lead_2"}, meta=MERGE))

    assert (event.type, event.entity) == ("contact.updated", Entity("contact", "cont_1"))


def test_a_lead_that_also_moves_while_it_is_merged_into_has_moved(read):
    event = read(close(), told("updated", "lead", {"status_id": "stat_old"}, meta=MERGE))

    assert (event.type, event.stage) == ("lead.stage_changed", Stage(after="stat_new", before="stat_old"))


def test_two_merges_into_one_lead_are_two_facts(read):
    first, second = (read(close(), told("merged", "lead", meta={**MERGE, "merge_source_lead_id": other})) for other in ("lead_2", "lead_3"))

    assert first.fact != second.fact


# Both keys.


def keys_of(event: Event) -> tuple[str, str]:
    return event.id, event.fact


@pytest.mark.parametrize("body", [MOVED, told("created", "lead"), told("updated", "contact", {"name": "Al"}), told("deleted", "contact")])
@pytest.mark.parametrize("changes", [{"date_updated": "2026-11-23T08:45:00"}, {"request_id": "req_2"}, {"user_id": None}], ids=str)
def test_what_a_redelivery_may_change_is_in_no_key(body, changes, read):
    again = {"event": {**body["event"], **changes}, "subscription_id": "whsub_2"}

    assert keys_of(read(close(), body)) == keys_of(read(close(), again))


@pytest.mark.parametrize("changes", [{"id": "ev_2"}, {"organization_id": "orga_2"}])
def test_another_event_has_another_id(changes, read):
    assert read(close(), MOVED).id != read(close(), {"event": {**MOVED["event"], **changes}}).id


@pytest.mark.parametrize("action", ["created", "deleted"])
def test_what_happens_once_is_one_fact_however_often_it_is_told(action, read):
    first, second = (read(close(), told(action, "contact", id=event_id)) for event_id in ("ev_1", "ev_2"))

    assert first.id != second.id
    assert first.fact == second.fact


def test_different_facts_are_different(read):
    bodies = [
        *(told(action, kind) for kind in RECORDS for action in ("created", "updated", "deleted")),
        MOVED,
        told("updated", "opportunity", {"status_id": "stat_open"}, data={"status_id": "stat_lost"}),
        told("updated", "opportunity", {"status_id": "stat_open"}, data={"status_id": "stat_won"}, id="ev_2"),
        told("updated", "contact", {"name": "Al"}, id="ev_2"),
        told("created", "contact", data={"id": "cont_9"}),
    ]

    assert len({read(close(), body).fact for body in bodies}) == len(bodies)


@given(st.sampled_from([MOVED, *PARTS.values(), told("created", "lead")]), st.randoms())
def test_keys_do_not_depend_on_the_order_of_names(body, random):
    names = list(body["event"])
    random.shuffle(names)
    bodies = [json.dumps(each).encode() for each in (body, {"event": {name: body["event"][name] for name in names}})]
    first, second = (close().parse(Delivery(source="close", body=each, url="", received_at=AT))[0] for each in bodies)

    assert keys_of(first) == keys_of(second)


# Look-ups.


def about(kind: str, number: str = "oppo_1", **more) -> Event:
    told = {"source": "close", "kind": "close", "id": "1", "type": f"{kind}.updated", "fact": "f", "received_at": AT}
    return Event(**{**told, "entity": Entity(kind, number), "refs": (f"{kind}:{number}",), **more})


GONE = {"error": "Empty query: Contact does not exist."}


def test_a_lead_is_read_with_its_contacts_in_it(look_up, sample, answering):
    (listed, *_) = json.loads(sample("close/api_leads_list_response.json"))["data"]
    event, (asked,) = look_up(close(), about("lead", listed["id"]), answering(listed))

    assert (asked.method, asked.url) == ("GET", f"https://api.close.com/api/v1/lead/{listed['id']}/")
    assert asked.headers["Authorization"] == f"Basic {base64.b64encode(f'{TOKEN}:'.encode()).decode()}"
    assert (event.contact.name, event.contact.phone) == ("Michael Scott", OFFICE)
    assert [ref for ref in event.refs if ref.startswith("phone:")] == [f"phone:{OFFICE}", "phone:+16317918378", "phone:+18004377950"]
    assert len([ref for ref in event.refs if ref.startswith("contact:")]) == 5
    assert event.fields["status_label"] == "Interested"


def test_a_lead_that_has_nobody_yet_has_nobody_to_call(look_up, sample, answering):
    event, _ = look_up(close(), about("lead"), answering(sample("close/api_lead_create_response.json")))

    assert event.contact is None


def test_a_contact_is_read_by_its_id(look_up, answering):
    event, (asked,) = look_up(close(), about("contact", "cont_1"), answering(CONTACT))

    assert asked.url.endswith("/api/v1/contact/cont_1/")
    assert event.contact.phone == OFFICE


def test_an_opportunity_is_read_and_then_its_contact(look_up, answering):
    event, asked = look_up(close(), about("deal", fields={"previous_data": {"value": 1}}), answering(DEAL), answering(CONTACT))

    assert [each.url.partition("/api/v1/")[2] for each in asked] == ["opportunity/oppo_1/", "contact/cont_1/"]
    assert event.refs == ("deal:oppo_1", "contact:cont_1", f"phone:{OFFICE}")
    assert event.fields == {**DEAL, "previous_data": {"value": 1}}


def test_an_opportunity_without_a_contact_is_its_leads(look_up, answering):
    event, asked = look_up(close(), about("deal"), answering({**DEAL, "contact_id": None}), answering(LEAD))

    assert asked[1].url.endswith("/api/v1/lead/lead_1/")
    assert event.contact.phone == OFFICE


def test_an_opportunity_of_nobody_has_nobody_to_call(look_up, answering):
    event, asked = look_up(close(), about("deal"), answering({"id": "oppo_1"}))

    assert (event.contact, len(asked)) == (None, 1)


def test_who_was_told_is_called_while_they_are_there(look_up, answering):
    other = {**CONTACT, "id": "cont_3", "phones": [{"phone": FAX}]}
    both = {**CONTACT, "phones": [{"phone": OFFICE}, {"phone": MOBILE}]}
    before = about("lead", "lead_1", contact=Contact(id="cont_1", phone=MOBILE, phones=(MOBILE,)))
    event, _ = look_up(close(), before, answering({**LEAD, "contacts": [other, both]}))

    assert (event.contact.id, event.contact.phone) == ("cont_1", MOBILE)
    assert close().superseded(before, event) is None


def test_who_had_no_number_gives_way_to_somebody_who_has(look_up, answering):
    before = about("lead", "lead_1", contact=Contact(id="cont_2", name="Kim Lee"))
    event, _ = look_up(close(), before, answering(LEAD))

    assert event.contact.id == "cont_1"


def test_a_record_that_is_gone_ends_the_look_up_for_good(look_up, answering):
    with pytest.raises(LookupFailed, match="deal:oppo_1 does not exist in Close any more") as failed:
        look_up(close(), about("deal"), answering(GONE, 404))

    assert failed.value.final


def test_a_deal_whose_contact_is_gone_says_so(look_up, answering):
    with pytest.raises(LookupFailed, match="contact:cont_1 does not exist in Close any more") as failed:
        look_up(close(), about("deal"), answering(DEAL), answering(GONE, 404))

    assert failed.value.final


@pytest.mark.parametrize("status", [200, 404])
def test_a_page_that_is_not_closes_does_not_mean_that_the_record_is_gone(status, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(close(), about("deal"), answering("<html>Not Found</html>", status))

    assert not failed.value.final


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"ratelimit": "limit=100, remaining=0, reset=2.75", "retry_after": "3"}, 2.75),
        ({"ratelimit": "limit=100", "retry_after": "3"}, 3),
        ({"ratelimit": "reset=soon"}, None),
        ({"retry_after": "3"}, 3),
        ({}, None),
    ],
)
def test_close_is_asked_again_when_its_limit_is_over(headers, wait, look_up, answering):
    with pytest.raises(LookupFailed, match="too many requests") as failed:
        look_up(close(), about("deal"), answering({}, 429, **headers))

    assert (failed.value.retry_after, failed.value.final, failed.value.parked) == (wait, False, False)


@pytest.mark.parametrize(
    ("event", "token", "possible"),
    [
        (about("contact"), TOKEN, True),
        (about("lead"), TOKEN, True),
        (about("deal"), TOKEN, True),
        (about("deal", type="deal.deleted"), TOKEN, False),
        (about("activity.call"), TOKEN, False),
        (about("deal"), "", False),
        (about("deal", entity=None), TOKEN, False),
    ],
)
def test_only_what_close_could_tell_is_asked(event, token, possible):
    assert close(api_token=token).can_look_up(event) is possible


def test_what_close_cannot_tell_of_is_left_as_it_is(look_up):
    assert look_up(close(), about("activity.call", "acti_1")) == (about("activity.call", "acti_1"), [])


def test_look_ups_go_where_the_configuration_says_and_an_id_cannot_lead_them_elsewhere(look_up, answering):
    _, (asked,) = look_up(close(api_base="https://close.example.com/"), about("contact", "../me/?x"), answering(CONTACT))

    assert asked.url == "https://close.example.com/api/v1/contact/..%2Fme%2F%3Fx/"
    with pytest.raises(ValidationError):
        close(api_base="close.example.com")


@pytest.mark.parametrize(("status_id", "in_stage"), [("stat_won", None), ("stat_lost", "stat_lost")])
def test_a_deal_that_has_moved_on_is_superseded(status_id, in_stage, read, look_up, answering):
    before = read(close(), MOVED)
    fresh, _ = look_up(close(), before, answering({**DEAL, "status_id": status_id}), answering(CONTACT))

    expected = f"deal:oppo_1 is in stage {in_stage} now, not in stat_won any more" if in_stage else None
    assert close().superseded(before, fresh) == expected
    assert (fresh.type, fresh.stage, fresh.fact) == (before.type, before.stage, before.fact)


# Over HTTP.


def test_the_worker_reads_a_deal_and_its_contact(fake_crm, crm_api, answering):
    source = close(api_base=fake_crm.url)
    fake_crm.answer(answering(DEAL), answering(CONTACT))

    event = crm_api.converse(source, source.look_up(about("deal"), ()))

    assert event.contact.phone == OFFICE
    assert [each.url for each in fake_crm.asked] == ["/api/v1/opportunity/oppo_1/", "/api/v1/contact/cont_1/"]
    assert fake_crm.asked[0].headers["authorization"] == f"Basic {base64.b64encode(f'{TOKEN}:'.encode()).decode()}"


def test_the_worker_is_told_how_long_to_leave_close_alone(fake_crm, crm_api, answering):
    source = close(api_base=fake_crm.url)
    fake_crm.answer(answering({}, 429, RateLimit="limit=20, remaining=0, reset=0.5", Retry_After="1"))

    with pytest.raises(LookupFailed) as failed:
        crm_api.converse(source, source.look_up(about("deal"), ()))

    assert failed.value.retry_after == 0.5


def test_a_key_that_close_refuses_parks_the_event_and_is_not_told(fake_crm, crm_api, answering):
    source = close(api_base=fake_crm.url)
    fake_crm.answer(answering({"error": "The API key is not valid"}, 401), answering({"error": "The API key is not valid"}, 401))

    for ask in (lambda: crm_api.converse(source, source.look_up(about("deal"), ())), lambda: crm_api.probe(source, source.probe())):
        with pytest.raises(LookupFailed) as failed:
            ask()

        assert failed.value.parked
        assert TOKEN not in str(failed.value)


def test_the_key_is_tried_with_a_read_of_one_lead(fake_crm, crm_api, answering):
    source = close(api_base=fake_crm.url)
    fake_crm.answer(answering({"data": [], "has_more": False}))

    crm_api.probe(source, source.probe())

    assert fake_crm.asked[0].url == "/api/v1/lead/?_limit=1&_fields=id"
    assert close(api_token="").probe() is None
