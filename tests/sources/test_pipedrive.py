"""Pipedrive: Basic auth, what webhooks of both versions mean, both keys, and its look-ups held by hand."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, Stage
from bridge.sources.pipedrive import Pipedrive, PipedriveSettings

SECRET = "callbridge:correct: horse"
TOKEN = "0123456789abcdef"
AT = datetime(2026, 11, 23, 8, 40, 0, 123000, tzinfo=UTC)
UUID, OTHER_UUID = "df47d877-b58c-4886-91cd-1aa83e1d7366", "71825ee0-0054-4267-b5fd-d28b7a414212"
PRIMARY, MOBILE = "+3725551234", "+3725551235"


def pipedrive(**settings) -> Pipedrive:
    return Pipedrive("pipedrive", PipedriveSettings(**{"kind": "pipedrive", "secret": SECRET, "region": "EE", "api_token": TOKEN, **settings}))


def basic(credentials: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}


def refusal(source: Pipedrive, delivery: Delivery) -> Refusal:
    with pytest.raises(Unverified) as refused:
        source.verify(delivery, AT)
    return refused.value.refusal


# Who may send.


def test_the_user_and_password_of_the_webhook_open_the_source(delivered):
    pipedrive().verify(delivered("{}", basic(SECRET)), AT)


@pytest.mark.parametrize("credentials", ["callbridge:wrong", "correct: horse", "callbridge", "", f"{SECRET} ", SECRET.upper()])
def test_any_other_user_or_password_does_not(credentials, delivered):
    assert refusal(pipedrive(), delivered("{}", basic(credentials))) is Refusal.WRONG_SECRET


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": ""}, {"Authorization": f"Bearer {SECRET}"}, {"Authorization": "Basic %%%"}, {"X-Webhook-Secret": SECRET}]
)
def test_without_basic_auth_nobody_is_believed(headers, delivered):
    assert refusal(pipedrive(), delivered("{}", headers)) is Refusal.MISSING


def test_while_the_password_is_rotated_both_are_good(delivered):
    rotating = pipedrive(secret=["callbridge:new", SECRET])

    rotating.verify(delivered("{}", basic("callbridge:new")), AT)
    rotating.verify(delivered("{}", basic(SECRET)), AT)
    assert refusal(rotating, delivered("{}", basic("callbridge:old"))) is Refusal.WRONG_SECRET


def test_a_password_with_letters_of_any_alphabet_is_compared_as_it_was_typed(delivered):
    pipedrive(secret="użytkownik:hasło").verify(delivered("{}", basic("użytkownik:hasło")), AT)


@pytest.mark.parametrize("secret", ["password", ["callbridge:new", "password"]])
def test_a_secret_that_is_no_user_and_password_is_refused_by_the_configuration(secret):
    with pytest.raises(ValidationError, match="user:password"):
        pipedrive(secret=secret)


@pytest.mark.parametrize(("told", "believed"), [(8087566, True), ("8087566", True), (8087567, False), (None, False)], ids=repr)
def test_where_a_company_is_configured_another_is_refused(told, believed, delivered):
    delivery = delivered(json.dumps({"meta": {"company_id": told}}), basic(SECRET))

    if believed:
        pipedrive(company_id=8087566).verify(delivery, AT)
    else:
        assert refusal(pipedrive(company_id="8087566"), delivery) is Refusal.WRONG_ACCOUNT


def test_a_stranger_is_refused_as_one_before_the_body_is_read(delivered):
    assert refusal(pipedrive(company_id="8087566"), delivered("not json", basic("who:knows"))) is Refusal.WRONG_SECRET


def test_a_genuine_body_that_cannot_be_read_is_kept_and_not_refused(delivered):
    pipedrive(company_id="8087566").verify(delivered("not json", basic(SECRET)), AT)


# What a webhook means.

DEAL = {"id": 8, "title": "A deal", "person_id": 101, "stage_id": 2, "pipeline_id": 1, "status": "open", "add_time": "2026-11-01T08:00:00Z"}
DEAL |= {"update_time": "2026-11-23T08:40:00Z", "stage_change_time": None, "won_time": None, "lost_time": None}
PERSON = {"id": 101, "name": "Alex Doe", "phones": [], "emails": [], "add_time": "2026-11-01T08:00:00Z", "update_time": "2026-11-23T08:40:00Z"}
LEAD = {"id": OTHER_UUID, "title": "A lead", "person_id": 101, "organization_id": None, "update_time": "2026-11-23T08:40:00.100Z"}


def v2(action: str, entity: str, data: dict | None, previous: dict | None = None, **meta) -> dict:
    record = data or previous or {}
    told = {
        "action": action,
        "company_id": "8087566",
        "correlation_id": "121e5331-7ec6-4af8-9994-0e52fb489044",
        "entity_id": str(record.get("id")),
        "entity": entity,
        "id": UUID,
        "timestamp": "2026-11-23T08:40:00.123Z",
        "webhook_id": "1",
        "attempt": 1,
        "version": "2.0",
    }
    return {"data": data, "previous": previous, "meta": {name: value for name, value in {**told, **meta}.items() if value is not None}}


def v1(event: str, current: dict | None, previous: dict | None = None, **meta) -> dict:
    action, _, entity = event.partition(".")
    told = {"action": action, "company_id": 8087566, "id": (current or previous or {}).get("id"), "object": entity, "webhook_id": "2", "v": 1}
    times = {"timestamp": 1795423200, "timestamp_micro": 1795423200123456}
    return {"v": 1, "meta": {**told, **times, **meta}, "current": current, "previous": previous, "retry": 0, "event": event}


def in_v1(record: dict) -> dict:
    """The same record as v1 writes it."""
    times = {name: value.replace("T", " ").rstrip("Z") for name, value in record.items() if name.endswith("_time") and value}
    lists = {old: record[new] or [{"value": "", "primary": True}] for old, new in (("phone", "phones"), ("email", "emails")) if new in record}
    return {name: value for name, value in record.items() if name not in ("phones", "emails")} | times | lists | {"owner_name": "Kim"}


def both(action: str, entity: str, data: dict | None, old: dict | None = None) -> tuple[dict, dict]:
    """One fact as v2 and as v1 tell it: ``old`` is what of the record was otherwise before, or the record where there is no other."""
    whole = {**data, **old} if data and old else old
    spelled = {"create": "added", "change": "updated", "delete": "deleted"}[action]
    return v2(action, entity, data, old), v1(f"{spelled}.{entity}", in_v1(data) if data else None, in_v1(whole) if whole else None)


MOVED = ({**DEAL, "stage_id": 5, "stage_change_time": "2026-11-23T08:40:00Z"}, {"stage_id": 2, "stage_change_time": None})
WON = ({**DEAL, "status": "won", "won_time": "2026-11-23T08:40:00Z"}, {"status": "open", "won_time": None})
LOST = ({**DEAL, "status": "lost", "lost_time": "2026-11-23T08:40:00Z"}, {"status": "open", "lost_time": None})
WON_AND_MOVED = ({**WON[0], "stage_id": 5}, {**WON[1], "stage_id": 2})
REOPENED = ({**DEAL, "status": "open"}, {"status": "lost"})
FACTS = {
    "a new deal": (both("create", "deal", DEAL), "deal.created", None),
    "a move": (both("change", "deal", *MOVED), "deal.stage_changed", Stage(after="5", before="2")),
    "a deal won": (both("change", "deal", *WON), "deal.stage_changed", Stage(after="won", before="2")),
    "a deal lost": (both("change", "deal", *LOST), "deal.stage_changed", Stage(after="lost", before="2")),
    "won and moved at once": (both("change", "deal", *WON_AND_MOVED), "deal.stage_changed", Stage(after="won", before="2")),
    "a deal reopened": (both("change", "deal", *REOPENED), "deal.stage_changed", Stage(after="2", before="lost")),
    "a lost deal moved": (both("change", "deal", {**MOVED[0], "status": "lost"}, MOVED[1]), "deal.stage_changed", Stage(after="5", before="2")),
    "another title": (both("change", "deal", DEAL, {"title": "Old"}), "deal.updated", None),
    "the same stage again": (both("change", "deal", DEAL, {"stage_id": 2}), "deal.updated", None),
    "a deal thrown away": (both("change", "deal", {**DEAL, "status": "deleted"}, {"status": "open"}), "deal.deleted", None),
    "a deal deleted": (both("delete", "deal", None, DEAL), "deal.deleted", None),
    "a new person": (both("create", "person", PERSON), "contact.created", None),
    "another name": (both("change", "person", PERSON, {"name": "Al"}), "contact.updated", None),
    "another number": (
        both("change", "person", {**PERSON, "phones": [{"value": PRIMARY, "primary": True}]}, {"phones": []}),
        "contact.updated",
        None,
    ),
    "a person deleted": (both("delete", "person", None, PERSON), "contact.deleted", None),
}
each_fact = pytest.mark.parametrize(("bodies", "kind", "stage"), FACTS.values(), ids=FACTS)


@each_fact
def test_both_versions_tell_what_happened(bodies, kind, stage, read):
    for body in bodies:
        event = read(pipedrive(), body)

        assert (event.type, event.stage) == (kind, stage)
        assert event.entity == (Entity("deal", "8") if kind.startswith("deal") else Entity("contact", "101"))
        assert event.occurred_at == AT


@each_fact
def test_both_versions_tell_one_fact_in_two_events(bodies, kind, stage, read):
    newer, older = (read(pipedrive(), body) for body in bodies)

    assert newer.fact == older.fact
    assert newer.id != older.id


def test_different_facts_are_different(read):
    facts = {read(pipedrive(), bodies[0]).fact for bodies, kind, _ in FACTS.values() if kind.endswith(("created", "deleted", "stage_changed"))}

    assert len(facts) == 10 - 2  # a deal thrown away is a deal deleted, and won is won whether it was moved too


def test_a_lead_tells_its_person_and_never_a_number(read):
    event = read(pipedrive(), v2("create", "lead", LEAD))

    assert (event.type, event.entity) == ("lead.created", Entity("lead", OTHER_UUID))
    assert (event.refs, event.contact) == ((f"lead:{OTHER_UUID}", "contact:101"), Contact(id="101"))


def test_a_lead_of_an_organisation_has_no_person(read):
    event = read(pipedrive(), v2("create", "lead", {**LEAD, "person_id": None, "organization_id": 5}))

    assert (event.refs, event.contact, pipedrive().can_look_up(event)) == ((f"lead:{OTHER_UUID}",), None, False)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (v2("change", "organization", {"id": 1}), "unknown"),
        (v2("create", "stage", {"id": 1}), "unknown"),
        (v2("explode", "deal", DEAL), "unknown"),
        (v1("added.activity", {"id": 1}), "unknown"),
        (v1("updated.user", None) | {"current": [{"id": 1}], "previous": [{"id": 1}]}, "unknown"),
        (v2("delete", "lead", None, LEAD), "lead.deleted"),
        (v2("delete", "deal", None, None, entity_id="8"), "deal.deleted"),
        (v1("merged.person", in_v1(PERSON), in_v1(PERSON)), "contact.updated"),
    ],
)
def test_every_object_and_action_has_a_type(body, expected, read):
    assert read(pipedrive(), body).type == expected


@pytest.mark.parametrize("spelled", ["phones", "phone"])
def test_the_numbers_of_a_person_come_best_first(spelled, read):
    rows = [
        {"value": "+3725550001", "label": "other"},
        {"value": "", "label": "mobile", "primary": False},
        {"value": "+3725550002", "label": "Work"},
        {"value": "555 1235", "label": "Mobile"},
        None,
        {"value": PRIMARY, "label": "home", "primary": True},
    ]
    event = read(pipedrive(), v2("create", "person", {"id": 101, "name": "Alex Doe", spelled: rows}))

    assert event.contact.phones == (PRIMARY, MOBILE, "+3725550002", "+3725550001")
    assert event.contact.phone == PRIMARY
    assert event.refs == ("contact:101", *(f"phone:{phone}" for phone in event.contact.phones))


def test_labels_of_a_persons_own_making_leave_the_order_as_it_was(read):
    rows = [{"value": PRIMARY, "label": ["x"]}, {"value": MOBILE, "label": None}]

    assert read(pipedrive(), v2("create", "person", {"id": 101, "phones": rows})).contact.phones == (PRIMARY, MOBILE)


@pytest.mark.parametrize("phones", [None, [], "", [{"value": ""}], [{"value": None}], [None], {}, [{}], [[]]])
def test_a_person_without_a_number_has_none(phones, read):
    event = read(pipedrive(), v2("create", "person", {**PERSON, "phones": phones}))

    assert event.contact == Contact(id="101", name="Alex Doe")


@pytest.mark.parametrize("phones", [PRIMARY, [PRIMARY], [{"value": PRIMARY}]])
def test_a_number_in_another_shape_is_still_read(phones, read):
    assert read(pipedrive(), v2("create", "person", {**PERSON, "phones": phones})).contact.phone == PRIMARY


def test_a_deal_of_version_one_tells_the_name_of_its_person_and_an_id_in_an_object(read):
    event = read(pipedrive(), v1("added.deal", {**in_v1(DEAL), "person_id": {"value": 101, "name": "Alex"}, "person_name": "Alex Doe"}))

    assert event.contact == Contact(id="101", name="Alex Doe")


def test_what_was_there_before_a_change_can_be_asked_for_by_rules(read):
    event = read(pipedrive(), v2("change", "deal", *MOVED))

    assert event.fields["previous"] == MOVED[1]
    assert event.fields["stage_id"] == 5
    assert "previous" not in read(pipedrive(), v2("create", "deal", DEAL)).fields


# Merges.

ABSORBED = v2("delete", "person", None, {**PERSON, "id": 102, "name": "Al", "phones": [{"value": PRIMARY}]}, merged_to_id="101", entity_id="102")
ABSORBING = v2("change", "person", PERSON, {"name": "Alex"}, merged_from_id="102", id=OTHER_UUID)


@pytest.mark.parametrize("half", [ABSORBED, ABSORBING], ids=["the end of one", "the change of the other"])
def test_a_merge_is_a_change_of_the_record_that_lives_on(half, read):
    event = read(pipedrive(), half)

    assert (event.type, event.entity, event.refs) == ("contact.updated", Entity("contact", "101"), ("contact:101", "contact:102"))


def test_the_two_halves_of_a_merge_are_two_events_and_one_fact(read):
    one, other = read(pipedrive(), ABSORBED), read(pipedrive(), ABSORBING)

    assert one.id != other.id
    assert one.fact == other.fact


def test_a_record_that_ended_in_a_merge_does_not_speak_for_the_one_that_lives_on(read):
    person, deal = read(pipedrive(), ABSORBED), read(pipedrive(), v2("delete", "deal", None, DEAL, merged_to_id="9"))

    assert (person.contact, person.fields) == (Contact(id="101"), {})
    assert (deal.contact, deal.fields, deal.refs) == (None, {}, ("deal:9", "deal:8"))


def test_two_merges_into_one_person_are_two_facts(read):
    assert read(pipedrive(), ABSORBED).fact != read(pipedrive(), ABSORBED | {"meta": {**ABSORBED["meta"], "entity_id": "103"}}).fact


# Both keys.


def with_meta(body: dict, **changes) -> dict:
    return body | {"meta": {**body["meta"], **changes}}


@pytest.mark.parametrize(
    "changes",
    [
        {"attempt": 4},
        {"webhook_id": "2"},
        {"correlation_id": "x"},
        {"webhook_owner_id": "9"},
        {"host": "pd-eu"},
        {"company_id": 8087566},
        {"entity_id": 8},
    ],
    ids=str,
)
def test_what_a_redelivery_of_version_two_may_change_is_in_no_key(changes, read):
    first, again = read(pipedrive(), v2("change", "deal", *MOVED)), read(pipedrive(), with_meta(v2("change", "deal", *MOVED), **changes))

    assert (first.id, first.fact) == (again.id, again.fact)


@pytest.mark.parametrize(
    "changes", [{"retry": 3}, {"meta": {**v1("added.deal", DEAL)["meta"], "webhook_id": "9", "prepublish_timestamp": 7}}], ids=["retry", "meta"]
)
def test_what_a_redelivery_of_version_one_may_change_is_in_no_key(changes, read):
    first, again = read(pipedrive(), v1("added.deal", DEAL)), read(pipedrive(), v1("added.deal", DEAL) | changes)

    assert (first.id, first.fact) == (again.id, again.fact)


@pytest.mark.parametrize("changes", [{"company_id": "1"}, {"entity_id": "9"}, {"action": "create"}, {"id": OTHER_UUID}], ids=str)
def test_another_event_of_version_two_has_another_id(changes, read):
    assert read(pipedrive(), v2("change", "deal", *MOVED)).id != read(pipedrive(), with_meta(v2("change", "deal", *MOVED), **changes)).id


@pytest.mark.parametrize("told", [8, "8", None, "not-a-uuid", 1], ids=repr)
def test_an_event_whose_id_names_no_event_is_known_by_its_time(told, read):
    first = read(pipedrive(), v2("change", "deal", *MOVED, id=told))
    later = read(pipedrive(), v2("change", "deal", *MOVED, id=told, timestamp="2026-11-23T08:40:00.124Z"))

    assert first.id == read(pipedrive(), v2("change", "deal", *MOVED, id=told, attempt=2)).id
    assert first.id != later.id


def test_an_id_that_is_the_leads_own_names_no_event(read):
    ids = {read(pipedrive(), v2("change", "lead", LEAD, {}, id=OTHER_UUID, timestamp=f"2026-11-23T08:40:0{second}Z")).id for second in (1, 2)}

    assert len(ids) == 2


def test_an_event_without_id_and_time_is_known_by_what_it_says(read):
    one, other = (read(pipedrive(), v2("change", "deal", {**DEAL, "title": title}, {}, id=None, timestamp=None)).id for title in ("one", "other"))

    assert one != other


def test_what_has_neither_id_nor_time_is_a_redelivery_for_as_long_as_pipedrive_tries_again(read):
    untimed = {"timestamp": None, "timestamp_micro": None}
    for body in (v2("change", "deal", *MOVED, id=None, **untimed), v1("updated.deal", DEAL, DEAL, **untimed)):
        assert read(pipedrive(), body).window == timedelta(minutes=10)
    for body in (v2("change", "deal", *MOVED, id=None), v2("change", "deal", *MOVED, **untimed), v2("create", "deal", DEAL, id=None, **untimed)):
        assert read(pipedrive(), body).window is None


def test_version_one_is_known_by_its_time_to_the_microsecond(read):
    first, later = (read(pipedrive(), v1("updated.deal", DEAL, DEAL, timestamp_micro=micro)).id for micro in (1795423200123456, 1795423200123457))

    assert first != later


@pytest.mark.parametrize(
    "other",
    [
        ({**MOVED[0], "id": 9}, MOVED[1]),
        ({**MOVED[0], "stage_id": 6}, MOVED[1]),
        ({**MOVED[0], "stage_change_time": "2026-11-23T08:41:00Z"}, MOVED[1]),
        WON,
        (DEAL, {"title": "Old"}),
    ],
)
def test_another_move_is_another_fact(other, read):
    assert read(pipedrive(), v2("change", "deal", *MOVED)).fact != read(pipedrive(), v2("change", "deal", *other, id=OTHER_UUID)).fact


def test_a_move_told_by_two_webhooks_is_one_fact_whatever_else_they_tell(read):
    first = read(pipedrive(), v2("change", "deal", *MOVED))
    second = read(
        pipedrive(), v2("change", "deal", {**MOVED[0], "title": "x"}, {**MOVED[1], "title": "y"}, id=OTHER_UUID, timestamp="2026-11-23T08:40:05Z")
    )

    assert first.id != second.id
    assert first.fact == second.fact


def test_an_edit_is_one_fact_and_the_next_edit_another(read):
    edits = [
        v2("change", "person", {**PERSON, "update_time": time}, {"name": "Al"}, timestamp=time)
        for time in ("2026-11-23T08:40:00Z", "2026-11-23T08:40:01Z")
    ]

    assert read(pipedrive(), edits[0]).fact != read(pipedrive(), edits[1]).fact


def test_an_edit_that_leaves_the_time_of_the_record_alone_is_another_fact_than_the_edit_before(read):
    before = read(pipedrive(), v2("change", "person", PERSON, {"name": "Al"}))
    later = read(pipedrive(), v2("change", "person", PERSON, {"open_deals_count": 1}, id=OTHER_UUID, timestamp="2026-11-23T09:40:00.123Z"))

    assert before.fact != later.fact


def test_the_update_that_version_one_sends_beside_a_creation_is_the_same_fact(read):
    new = in_v1({**PERSON, "add_time": "2026-11-23T08:40:00Z"})
    added, updated = read(pipedrive(), v1("added.person", new)), read(pipedrive(), v1("updated.person", new, {**new, "label": 5}))

    assert added.id != updated.id
    assert added.fact == updated.fact
    assert updated.fact != read(pipedrive(), v1("updated.person", new, {**new, "label": 5}, timestamp_micro=1795426800123456)).fact


@given(
    st.sampled_from([body for bodies, *_ in FACTS.values() for body in bodies]),
    st.fixed_dictionaries(
        {}, optional={"attempt": st.integers(1, 4), "webhook_id": st.text(), "user_id": st.integers(), "is_bulk_edit": st.booleans()}
    ),
    st.randoms(),
)
def test_keys_depend_on_nothing_that_pipedrive_counts_nor_on_the_order_of_names(body, changes, random):
    told = with_meta(body, **changes) | ({"retry": 2} if "retry" in body else {})
    names = list(told)
    random.shuffle(names)
    bodies = [json.dumps(each).encode() for each in (body, {name: told[name] for name in names})]
    first, second = (pipedrive().parse(Delivery(source="pipedrive", body=each, url="", received_at=AT))[0] for each in bodies)

    assert (first.id, first.fact) == (second.id, second.fact)


@pytest.mark.parametrize("body", [None, [], 7, "text", {}, {"meta": None}, {"meta": []}, {"data": DEAL, "previous": None}])
def test_a_body_without_meta_is_unreadable(body, delivered):
    with pytest.raises(Unreadable):
        pipedrive().parse(delivered(json.dumps(body)))


# Look-ups.


def event_about(kind: str, number: str = "8", **more) -> Event:
    told = {"source": "pipedrive", "kind": "pipedrive", "id": "1", "type": f"{kind}.updated", "fact": "f", "received_at": AT}
    return Event(**{**told, "entity": Entity(kind, number), "refs": (f"{kind}:{number}",), **more})


def found(**record) -> dict:
    return {"success": True, "data": record}


def person(*phones: str, **more) -> dict:
    rows = [{"value": phone, "primary": place == 0, "label": "work"} for place, phone in enumerate(phones)]
    return found(**{"id": 101, "name": "Alex Doe", "phones": rows, "emails": [], "is_deleted": False, **more})


def deal(**more) -> dict:
    return found(**{"id": 8, "person_id": 101, "stage_id": 5, "status": "open", "is_deleted": False, **more})


GONE = {"success": False, "error": "Person not found", "data": None}


def test_a_person_is_read_by_id(look_up, sample, answering):
    event, (asked,) = look_up(pipedrive(region=None), event_about("contact", "1"), answering(sample("pipedrive/api_person_get_v2_response.json")))

    assert event.contact == Contact(id="1", name="Person Name", phone="12345", phones=("12345", "54321"), email="email1@email.com")
    assert event.fields["job_title"] == "Manager"
    assert (asked.method, asked.url) == ("GET", "https://api.pipedrive.com/api/v2/persons/1")
    assert asked.headers["x-api-token"] == TOKEN


def test_a_deal_is_read_and_then_its_person(look_up, sample, answering):
    answers = (answering(sample("pipedrive/api_deal_get_v2_response.json")), answering(person(PRIMARY)))
    event, asked = look_up(pipedrive(), event_about("deal", fields={"previous": {"stage_id": 2}}), *answers)

    assert [each.url.partition("/api/v2/")[2] for each in asked] == ["deals/8", "persons/1"]
    assert event.contact == Contact(id="1", name="Alex Doe", phone=PRIMARY, phones=(PRIMARY,))
    assert event.refs == ("deal:8", "contact:1", f"phone:{PRIMARY}")
    assert event.fields["lost_reason"] == "Lost Reason"
    assert event.fields["previous"] == {"stage_id": 2}
    assert "phones" not in event.fields


def test_the_person_of_a_lead_is_known_already(look_up, answering):
    event, (asked,) = look_up(pipedrive(), event_about("lead", contact=Contact(id="101")), answering(person(PRIMARY)))

    assert asked.url.endswith("/persons/101")
    assert event.contact.phone == PRIMARY


def test_a_deal_without_a_person_has_nobody_to_call(look_up, answering):
    known = event_about("deal", contact=Contact(id="101", phone=PRIMARY, phones=(PRIMARY,)))
    event, asked = look_up(pipedrive(), known, answering(deal(person_id=None)))

    assert (event.contact, len(asked)) == (None, 1)


def test_the_number_that_was_told_is_called_while_it_is_theirs(look_up, answering):
    told = event_about("contact", "101", contact=Contact(id="101", phone=MOBILE, phones=(MOBILE,)))
    event, _ = look_up(pipedrive(), told, answering(person(PRIMARY, MOBILE)))

    assert (event.contact.phone, event.contact.phones) == (MOBILE, (PRIMARY, MOBILE))


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("contact", (GONE, 404)),
        ("contact", (person(is_deleted=True), 200)),
        ("contact", ({"success": True, "data": None}, 200)),
        ("deal", (GONE, 404)),
        ("deal", (deal(is_deleted=True), 200)),
        ("deal", (deal(status="deleted"), 200)),
    ],
)
def test_a_record_that_is_gone_ends_the_look_up_for_good(kind, answer, look_up, answering):
    with pytest.raises(LookupFailed, match=f"{kind}:8 does not exist in Pipedrive any more") as failed:
        look_up(pipedrive(), event_about(kind), answering(*answer))

    assert failed.value.final


def test_a_deal_whose_person_is_gone_says_so(look_up, answering):
    with pytest.raises(LookupFailed, match="contact:101 does not exist in Pipedrive any more") as failed:
        look_up(pipedrive(), event_about("deal"), answering(deal()), answering(GONE, 404))

    assert failed.value.final


@pytest.mark.parametrize("status", [200, 404])
def test_a_page_that_is_not_pipedrives_does_not_mean_that_the_record_is_gone(status, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(pipedrive(), event_about("contact"), answering("<html>Not Found</html>", status))

    assert not failed.value.final


@pytest.mark.parametrize(
    ("headers", "wait"), [({"x_ratelimit_reset": "2", "retry_after": "9"}, 2), ({"retry_after": "9"}, 9), ({}, 2), ({"retry_after": "soon"}, 2)]
)
def test_pipedrive_is_asked_again_when_its_limit_is_over(headers, wait, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(pipedrive(), event_about("contact"), answering({"success": False}, 429, **headers))

    assert (failed.value.retry_after, failed.value.final, failed.value.parked) == (wait, False, False)


def test_a_page_of_its_front_door_is_a_limit_and_no_wrong_token(look_up, answering):
    with pytest.raises(LookupFailed, match="too many") as failed:
        look_up(pipedrive(), event_about("contact"), answering("\n<!DOCTYPE html>", 403))

    assert (failed.value.retry_after, failed.value.parked) == (60, False)


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_token_parks_the_event_and_is_not_told(status, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(pipedrive(), event_about("contact"), answering({"success": False, "error": "unauthorized access"}, status))

    assert failed.value.parked
    assert TOKEN not in str(failed.value)


@pytest.mark.parametrize("record", [{"id": 101}, {"id": 101, "phones": None}, {"id": 101, "phones": {}}, {"id": 101, "phones": [[PRIMARY]]}])
def test_a_person_of_another_shape_is_one_without_a_number(record, look_up, answering):
    event, _ = look_up(pipedrive(), event_about("contact", "101"), answering({"success": True, "data": record}))

    assert event.contact == Contact(id="101")


@pytest.mark.parametrize("data", [[], "text", 7, {}])
def test_a_record_of_another_shape_is_none(data, look_up, answering):
    with pytest.raises(LookupFailed):
        look_up(pipedrive(), event_about("deal"), answering({"success": True, "data": data}))


@pytest.mark.parametrize(
    ("event", "token", "possible"),
    [
        (event_about("contact"), TOKEN, True),
        (event_about("deal"), TOKEN, True),
        (event_about("lead", contact=Contact(id="101")), TOKEN, True),
        (event_about("lead", contact=Contact(name="Alex")), TOKEN, False),
        (event_about("lead"), TOKEN, False),
        (event_about("organization"), TOKEN, False),
        (event_about("contact"), "", False),
        (event_about("deal", type="deal.deleted"), TOKEN, False),
        (event_about("deal", entity=None), TOKEN, False),
    ],
)
def test_only_what_pipedrive_could_tell_is_asked(event, token, possible):
    assert pipedrive(api_token=token).can_look_up(event) is possible


def test_look_ups_go_where_the_configuration_says_and_an_id_cannot_lead_them_elsewhere(look_up, answering):
    _, (asked,) = look_up(pipedrive(api_base="https://acme.pipedrive.com/"), event_about("contact", "../users/1?x"), answering(person()))

    assert asked.url == "https://acme.pipedrive.com/api/v2/persons/..%2Fusers%2F1%3Fx"
    with pytest.raises(ValidationError):
        pipedrive(api_base="acme.pipedrive.com")


def test_the_api_is_asked_no_oftener_than_the_smallest_plan_allows():
    assert Pipedrive.lookup_rate.count <= 20
    assert Pipedrive.lookup_rate.seconds >= 2


# A second look.


@pytest.mark.parametrize(
    ("told", "was", "now", "in_stage"),
    [
        ("5", {"status": "open"}, {}, None),
        ("5", {"status": "open"}, {"stage_id": 6}, "6"),
        ("5", {"status": "open"}, {"status": "won"}, "won"),
        ("5", {"status": "lost"}, {"status": "lost"}, None),
        ("5", {"status": "lost"}, {"status": "won"}, "won"),
        ("5", {}, {"status": "lost"}, "lost"),
        ("won", {"status": "won"}, {"status": "won"}, None),
        ("won", {"status": "won"}, {"status": "lost"}, "lost"),
        ("won", {"status": "won"}, {"status": "open"}, "5"),
    ],
)
def test_a_deal_that_has_moved_on_is_superseded(told, was, now, in_stage):
    before = event_about("deal", stage=Stage(after=told), fields=was)
    fresh = before.knowing(fields=deal(**now)["data"])
    expected = f"deal:8 is in stage {in_stage} now, not in {told} any more" if in_stage else None

    assert pipedrive().superseded(before, fresh) == expected


@pytest.mark.parametrize(
    ("phones", "says"),
    [
        ((PRIMARY,), None),
        ((MOBILE, "555 1234"), None),
        ((MOBILE,), "the number of contact:101 in Pipedrive is another one now"),
        ((), "contact:101 has no number in Pipedrive any more"),
    ],
)
def test_a_person_whose_number_has_changed_is_superseded(phones, says, look_up, answering):
    before = event_about("contact", "101", contact=Contact(id="101", phone=PRIMARY, phones=(PRIMARY,)))
    fresh, _ = look_up(pipedrive(), before, answering(person(*phones)))

    assert pipedrive().superseded(before, fresh) == says


def test_a_lead_whose_person_has_another_number_is_superseded(look_up, answering):
    before = event_about("lead", contact=Contact(id="101", phone=PRIMARY, phones=(PRIMARY,)))
    fresh, _ = look_up(pipedrive(), before, answering(person(MOBILE)))

    assert pipedrive().superseded(before, fresh) == "the number of lead:8 in Pipedrive is another one now"


def test_a_deal_that_got_another_person_is_not_called_under_the_number_of_the_first(look_up, answering):
    before = event_about("deal", contact=Contact(id="101", phone=PRIMARY, phones=(PRIMARY,)))
    fresh, _ = look_up(pipedrive(), before, answering(deal(person_id=102)), answering(person(MOBILE)))

    assert pipedrive().superseded(before, fresh) == "the number of deal:8 in Pipedrive is another one now"


def test_what_has_not_changed_goes_on(look_up, answering, read):
    before = read(pipedrive(), v2("change", "deal", *MOVED))
    fresh, _ = look_up(pipedrive(), before, answering(deal()), answering(person(PRIMARY)))

    assert pipedrive().superseded(before, fresh) is None
    assert fresh.happened_at - before.happened_at == timedelta(0)
