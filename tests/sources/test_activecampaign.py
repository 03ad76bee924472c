"""ActiveCampaign: the secret in the URL, forms and what they mean, both keys, moves that only a look-up tells, and its look-ups."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, HttpResponse, Prospect, Stage, Unparsed
from bridge.sources.activecampaign import ActiveCampaign, ActiveCampaignSettings

SECRET = "correct horse/battery+staple"
TOKEN = "0123456789abcdef"
API = "https://acme.api-us1.com"
URL = "https://bridge.example.com/webhooks/activecampaign"
NOW = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
AT = datetime(2026, 11, 23, 8, 39, 58, tzinfo=UTC)
PHONE, OTHER = "+12813322575", "+12813322578"


def activecampaign(**settings) -> ActiveCampaign:
    told = {"kind": "activecampaign", "secret": SECRET, "region": "US", "api_token": TOKEN, "api_base": API}
    return ActiveCampaign("activecampaign", ActiveCampaignSettings(**{**told, **settings}))


def refusal(source: ActiveCampaign, delivery: Delivery) -> Refusal:
    with pytest.raises(Unverified) as refused:
        source.verify(delivery, NOW)
    return refused.value.refusal


# Who may send.


@pytest.mark.parametrize("url", [URL, f"{URL}?list=1"])
def test_the_url_that_is_entered_there_opens_the_source(url, delivered):
    signed = activecampaign().sign(b"type=update", url, NOW)

    assert signed.url.endswith("token=correct%20horse%2Fbattery%2Bstaple")
    assert signed.body == b"type=update"
    activecampaign().verify(delivered(signed.body, signed.headers, url=signed.url), NOW)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (URL, Refusal.MISSING),
        (f"{URL}?token=", Refusal.MISSING),
        (f"{URL}?secret=correct+horse%2Fbattery%2Bstaple", Refusal.MISSING),
        (f"{URL}?token=wrong", Refusal.WRONG_SECRET),
        (f"{URL}?token=correct+horse", Refusal.WRONG_SECRET),
    ],
)
def test_any_other_url_does_not(url, expected, delivered):
    assert refusal(activecampaign(), delivered("type=update", url=url)) is expected


def test_a_secret_in_the_body_opens_nothing(delivered):
    assert refusal(activecampaign(), delivered(urlencode({"token": SECRET}), url=URL)) is Refusal.MISSING


def test_while_the_secret_is_rotated_both_are_good(delivered):
    rotating = activecampaign(secret=["new", SECRET])

    for secret in ("new", SECRET):
        rotating.verify(delivered("", url=activecampaign(secret=secret).sign(b"", URL, NOW).url), NOW)


def test_the_secret_is_cut_out_of_what_is_kept(delivered):
    source = activecampaign()
    kept = source.storable(delivered("type=update", url=source.sign(b"", URL, NOW).url))

    assert kept.url == f"{URL}?token=***"


# What a form means.

CONTACT = {"id": "119", "email": "alex@example.com", "first_name": "Alex", "last_name": "Doe", "phone": "(281) 332-2575", "tags": "hot"}
DEAL = {"id": "2", "title": "A deal", "stageid": "4", "stage_title": "Proposal", "status": "0", "contactid": "119"}
DATE_TIME = "2026-11-23T02:39:58-06:00"


def form(name: str | None, *, contact: dict | None = None, deal: dict | None = None, changed: tuple[str, ...] = (), **more) -> bytes:
    blocks = {f"{block}[{field}]": value for block, fields in (("contact", contact), ("deal", deal)) for field, value in (fields or {}).items()}
    numbered = {f"updated_fields[{place}]": field for place, field in enumerate(changed)}
    told = {"type": name, "date_time": DATE_TIME, "initiated_from": "admin", "list": "0", **blocks, **numbered, **more}
    return urlencode({field: value for field, value in told.items() if value is not None}).encode()


@pytest.fixture
def read_form(delivered):
    def parse(body: bytes, source: ActiveCampaign | None = None) -> Event:
        (event,) = (source or activecampaign()).parse(delivered(body, {"Content-Type": "application/x-www-form-urlencoded"}))
        return event

    return parse


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("subscribe", "contact.created"),
        ("update", "contact.updated"),
        ("contact_tag_added", "contact.updated"),
        ("contact_tag_removed", "contact.updated"),
        ("unsubscribe", "contact.updated"),
        ("sms_unsub", "contact.updated"),
        ("bounce", "unknown"),
        ("open", "unknown"),
        ("subscriber_note", "unknown"),
        ("somethingelse", "unknown"),
    ],
)
def test_every_type_of_a_contact_has_a_type(name, expected, read_form):
    event = read_form(form(name, contact=CONTACT))

    assert (event.type, event.entity, event.occurred_at) == (expected, Entity("contact", "119"), AT)
    assert event.contact == Contact(id="119", name="Alex Doe", phone=PHONE, phones=(PHONE,), email="alex@example.com")
    assert event.refs == ("contact:119", f"phone:{PHONE}")
    assert event.fields["type"] == name


@pytest.mark.parametrize(
    ("name", "changed", "expected"),
    [
        ("deal_add", (), "deal.created"),
        ("deal_update", ("title",), "deal.updated"),
        ("deal_update", ("title", "stage"), "deal.updated"),
        ("deal_note_add", (), "unknown"),
        ("deal_stage_add", (), "unknown"),
    ],
)
def test_every_type_of_a_deal_has_a_type(name, changed, expected, read_form):
    event = read_form(form(name, deal=DEAL, contact=CONTACT, changed=changed))

    assert (event.type, event.entity, event.stage) == (expected, Entity("deal", "2"), None)
    assert (event.contact.id, event.contact.phone) == ("119", PHONE)
    assert event.refs == ("deal:2", "contact:119", f"phone:{PHONE}")


def test_what_stands_beside_the_record_can_be_asked_for_by_rules(read_form):
    event = read_form(form("deal_update", deal=DEAL, contact=CONTACT, changed=("title", "stage"), tag="hot"))

    assert {name: event.fields[name] for name in ("stageid", "title", "tag", "list")} == {
        "stageid": "4",
        "title": "A deal",
        "tag": "hot",
        "list": "0",
    }
    assert event.fields["updated_fields"] == ["title", "stage"]
    assert "contact" not in event.fields


def test_the_contact_of_a_deal_may_be_no_more_than_its_id(read_form):
    event = read_form(form("deal_add", deal=DEAL))

    assert (event.contact, event.refs) == (Contact(id="119"), ("deal:2", "contact:119"))
    assert read_form(form("deal_add", deal={**DEAL, "contactid": ""})).contact is None


@pytest.mark.parametrize("phone", ["", " ", None])
def test_an_empty_number_is_none(phone, read_form):
    assert read_form(form("subscribe", contact={**CONTACT, "phone": phone})).contact.phones == ()


def test_a_number_that_is_told_twice_is_not_guessed_from(read_form):
    assert read_form(form("subscribe", contact=CONTACT) + b"&contact[phone]=%2B12813322578").contact.phones == ()


@pytest.mark.parametrize(
    ("date_time", "expected"),
    [
        ("2017-11-28T09:03:08-06:00", datetime(2017, 11, 28, 15, 3, 8, tzinfo=UTC)),
        ("2026-07-01T09:03:08-05:00", datetime(2026, 7, 1, 14, 3, 8, tzinfo=UTC)),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_a_time_is_read_with_its_offset(date_time, expected, read_form):
    assert read_form(form("update", contact=CONTACT, date_time=date_time)).occurred_at == expected


@pytest.mark.parametrize("body", [b"", b"{}", b"contact[id]=1", b"type=", b"type[x]=1", b"\xff=1", b"<a>1</a>"])
def test_a_form_without_a_type_is_unreadable(body, read_form):
    with pytest.raises(Unreadable):
        read_form(body)


def test_a_form_without_a_record_is_kept_and_told_apart_by_what_it_says(read_form):
    first, again, other = (read_form(form("list_add", **{"list": None, "list[id]": number})) for number in ("1", "1", "2"))

    assert isinstance(first, Unparsed)
    assert first == again
    assert first.id != other.id


# Both keys.


@given(
    st.sampled_from(
        [form("deal_update", deal=DEAL, contact=CONTACT, changed=("title", "stage", "mdate")), form("contact_tag_added", contact=CONTACT, tag="x")]
    ),
    st.randoms(),
)
def test_keys_do_not_depend_on_the_order_of_the_form(body, random):
    pairs = parse_qsl(body.decode())
    random.shuffle(pairs)
    told = [Delivery(source="activecampaign", body=each, url=URL, received_at=NOW) for each in (body, urlencode(pairs).encode())]
    (first,), (second,) = map(activecampaign().parse, told)

    assert (first.id, first.fact) == (second.id, second.fact)


@pytest.mark.parametrize("changed", [("title", "stage"), ("stage", "title")])
def test_the_order_of_what_changed_means_nothing(changed, read_form):
    first = read_form(form("deal_update", deal=DEAL, changed=("stage", "title")))
    second = read_form(form("deal_update", deal=DEAL, changed=changed))

    assert (first.id, first.fact) == (second.id, second.fact)


def test_a_list_of_changes_with_gaps_is_a_list(read_form):
    gaps = form("deal_update", deal=DEAL) + urlencode({"updated_fields[3]": "stage", "updated_fields[7]": "title"}).join(["&", ""]).encode()

    assert read_form(gaps).id == read_form(form("deal_update", deal=DEAL, changed=("title", "stage"))).id
    assert activecampaign().could_become(read_form(gaps)) == ("deal.stage_changed",)


def test_one_moment_in_two_zones_is_one_event(read_form):
    ids = {read_form(form("update", contact=CONTACT, date_time=time)).id for time in (DATE_TIME, "2026-11-23T08:39:58+00:00", "2026-11-23T08:39:58Z")}

    assert len(ids) == 1


@pytest.mark.parametrize(
    "other",
    [
        form("contact_tag_added", contact=CONTACT, tag="hot"),
        form("update", contact={**CONTACT, "id": "120"}),
        form("update", contact=CONTACT, date_time="2026-11-23T02:39:59-06:00"),
        form("subscribe", contact=CONTACT),
        form("deal_update", deal={**DEAL, "id": "119"}),
    ],
)
def test_another_event_has_another_id_and_another_fact(other, read_form):
    first, second = read_form(form("update", contact=CONTACT)), read_form(other)

    assert first.id != second.id
    assert first.fact != second.fact


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (form("contact_tag_added", contact=CONTACT, tag="hot"), form("contact_tag_added", contact=CONTACT, tag="cold")),
        (form("deal_update", deal=DEAL, changed=("title",)), form("deal_update", deal=DEAL, changed=("value",))),
        (form("deal_update", deal=DEAL), form("deal_update", deal={**DEAL, "stageid": "5"})),
        (form("subscribe", contact=CONTACT, list="1"), form("subscribe", contact=CONTACT, list="2")),
    ],
)
def test_two_events_of_one_second_are_told_apart(one, other, read_form):
    assert read_form(one).id != read_form(other).id


def test_a_contact_is_created_once_whatever_lists_it_joins(read_form):
    joined = [form("subscribe", contact=CONTACT, list="0"), form("subscribe", contact=CONTACT, list="7", date_time="2026-11-24T02:39:58-06:00")]
    first, second = map(read_form, joined)

    assert first.id != second.id
    assert first.fact == second.fact
    assert (first.window, second.fields["list"]) == (None, "7")


def test_one_update_told_by_two_webhooks_is_one_fact(read_form):
    first, second = (read_form(form("update", contact=CONTACT, list=told)) for told in ("0", "7"))

    assert first.fact == second.fact


@pytest.mark.parametrize(("name", "window"), [("update", timedelta(hours=1)), ("subscribe", None)])
def test_a_form_without_a_time_is_told_apart_by_what_it_says_for_an_hour(name, window, read_form):
    first, again, other = (read_form(form(name, contact={**CONTACT, "last_name": last_name}, date_time=None)) for last_name in ("Doe", "Doe", "Dee"))

    assert (first.id, first.fact, first.window) == (again.id, again.fact, window)
    assert first.id != other.id


def test_records_of_two_accounts_do_not_meet(delivered):
    settings = activecampaign().settings
    facts = {ActiveCampaign(name, settings).parse(delivered(form("subscribe", contact=CONTACT)))[0].fact for name in ("one", "other")}

    assert len(facts) == 2


# Moves, which only the deal's log tells.


def log(*moves: tuple[str, str, str], **more) -> dict:
    rows = [{"dataType": "d_stageid", "dataOldval": old, "dataAction": new, "cdate": time, **more} for old, new, time in moves]
    created = {"dataType": "", "dataAction": "add", "dataOldval": "", "cdate": "2026-11-20T10:22:03-06:00"}
    return {"dealActivities": [created, *rows]}


MOVED = form("deal_update", deal=DEAL, contact=CONTACT, changed=("title", "stage"))
FOUND_DEAL = {"deal": {"id": "2", "title": "A deal", "stage": "4", "status": "0", "contact": "119", "mdate": DATE_TIME}}
FOUND_CONTACT = {
    "contact": {"id": "119", "firstName": "Alex", "lastName": "Doe", "email": "alex@example.com", "phone": "(281) 332-2575", "deleted": "0"}
}


def answers_with(told: dict) -> list[HttpResponse]:
    return [HttpResponse(200, {}, json.dumps(each)) for each in (FOUND_DEAL, told, FOUND_CONTACT)]


@pytest.mark.parametrize(
    ("body", "types"),
    [
        (MOVED, ("deal.stage_changed",)),
        (form("deal_update", deal=DEAL, changed=("title",)), ()),
        (form("deal_update", deal=DEAL), ()),
        (form("deal_add", deal=DEAL, changed=("stage",)), ()),
        (form("update", contact=CONTACT, changed=("stage",)), ()),
    ],
)
def test_only_an_update_that_lists_the_stage_could_be_a_move(body, types, read_form):
    event = read_form(body)

    assert activecampaign().prospect(event) == Prospect(can_look_up=True, types=types)
    assert activecampaign(api_token=None).prospect(event) == Prospect()


def test_the_log_tells_a_move_with_its_old_stage_and_its_time(read_form, look_up):
    before = read_form(MOVED)
    event, asked = look_up(
        activecampaign(), before, *answers_with(log(("1", "3", "2026-11-22T02:00:00-06:00"), ("3", "4", "2026-11-23T02:39:57-06:00")))
    )

    assert (event.type, event.stage) == ("deal.stage_changed", Stage(after="4", before="3"))
    assert event.occurred_at == datetime(2026, 11, 23, 8, 39, 57, tzinfo=UTC)
    assert event.fact == "activecampaign:activecampaign:deal:2:stage%E2%86%924:2026-11-23T08%3A39%3A57Z"
    assert (event.id, event.window) == (before.id, None)
    assert [each.url.removeprefix(API) for each in asked] == ["/api/3/deals/2", "/api/3/deals/2/dealActivities?limit=100", "/api/3/contacts/119"]


@pytest.mark.parametrize(
    "told",
    [
        log(),
        log(("3", "4", "2026-11-01T02:39:57-06:00")),
        log(("3", "5", "2026-11-23T02:39:57-06:00")),
        log(("3", "4", "soon")),
        log(("3", "4", "2026-11-23T02:39:57-06:00"), dataType="status"),
        {},
        {"dealActivities": None},
        {"dealActivities": {}},
        {"dealActivities": [None, "x", [], {"dataType": ["d_stageid"], "dataAction": "4"}]},
    ],
)
def test_without_a_move_in_the_log_it_stays_an_update(told, read_form, look_up):
    before = read_form(MOVED)
    event, _ = look_up(activecampaign(), before, *answers_with(told))

    assert (event.type, event.stage, event.fact, event.occurred_at) == ("deal.updated", None, before.fact, before.occurred_at)
    assert event.contact.phone == PHONE


def test_the_edits_after_a_move_tell_the_same_fact(read_form, look_up):
    moves = log(("3", "4", "2026-11-23T02:39:57-06:00"))
    edits = [MOVED, form("deal_update", deal=DEAL, contact=CONTACT, changed=("title", "stage"), date_time="2026-11-23T02:41:00-06:00")]
    first, second = (look_up(activecampaign(), read_form(edit), *answers_with(moves))[0] for edit in edits)

    assert first.id != second.id
    assert first.fact == second.fact


def test_a_stage_that_is_entered_again_is_another_fact(read_form, look_up):
    entered = [("2026-11-23T02:39:57-06:00", DATE_TIME), ("2026-11-24T02:39:57-06:00", "2026-11-24T02:39:58-06:00")]
    moves = log(*[("3", "4", time) for time, _ in entered])
    facts = {
        look_up(activecampaign(), read_form(form("deal_update", deal=DEAL, changed=("stage",), date_time=told)), *answers_with(moves))[0].fact
        for _, told in entered
    }

    assert len(facts) == 2


@pytest.mark.parametrize("old", ["0", "", None])
def test_a_first_stage_comes_from_none(old, read_form, look_up):
    event, _ = look_up(activecampaign(), read_form(MOVED), *answers_with(log((old, "4", "2026-11-23T02:39:57-06:00"))))

    assert event.stage == Stage(after="4")


def test_the_log_is_read_only_where_it_may_tell_a_move(read_form, look_up, answering):
    _, asked = look_up(activecampaign(), read_form(form("deal_add", deal=DEAL)), answering(FOUND_DEAL), answering(FOUND_CONTACT))

    assert [each.url.removeprefix(f"{API}/api/3/") for each in asked] == ["deals/2", "contacts/119"]


# Look-ups.


def event_about(kind: str, record_id: str, **more) -> Event:
    told = {"source": "activecampaign", "kind": "activecampaign", "id": "1", "type": f"{kind}.updated", "fact": "f", "received_at": NOW}
    return Event(**{**told, "entity": Entity(kind, record_id), "refs": (f"{kind}:{record_id}",), **more})


ABOUT_CONTACT, ABOUT_DEAL = event_about("contact", "119"), event_about("deal", "2")
GONE = {"message": "No Result found for Subscriber with id 119"}


def contact(**more) -> dict:
    return {"contact": {**FOUND_CONTACT["contact"], **more}}


def test_a_contact_is_read_by_id(look_up, answering):
    event, (asked,) = look_up(activecampaign(), ABOUT_CONTACT, answering(FOUND_CONTACT))

    assert event.contact == Contact(id="119", name="Alex Doe", phone=PHONE, phones=(PHONE,), email="alex@example.com")
    assert event.refs == ("contact:119", f"phone:{PHONE}")
    assert event.fields["firstName"] == "Alex"
    assert (asked.method, asked.url, asked.headers["Api-Token"]) == ("GET", f"{API}/api/3/contacts/119", TOKEN)


def test_a_deal_is_read_and_then_its_contact(look_up, answering):
    event, _ = look_up(activecampaign(), ABOUT_DEAL, answering(FOUND_DEAL), answering(FOUND_CONTACT))

    assert (event.contact.id, event.contact.phone) == ("119", PHONE)
    assert event.refs == ("deal:2", "contact:119", f"phone:{PHONE}")
    assert (event.fields["stage"], "phone" in event.fields) == ("4", False)


@pytest.mark.parametrize("nobody", [None, ""])
def test_a_deal_without_a_contact_has_nobody_to_call(nobody, look_up, answering):
    known = replace(ABOUT_DEAL, contact=Contact(id="119", phone=PHONE, phones=(PHONE,)))
    event, asked = look_up(activecampaign(), known, answering({"deal": {**FOUND_DEAL["deal"], "contact": nobody}}))

    assert (event.contact, len(asked)) == (None, 1)


@pytest.mark.parametrize("event", [ABOUT_CONTACT, ABOUT_DEAL], ids=["contact", "deal"])
def test_a_record_that_is_gone_ends_the_look_up_for_good(event, look_up, answering):
    with pytest.raises(LookupFailed, match=f"{event.entity.ref} does not exist in ActiveCampaign any more") as failed:
        look_up(activecampaign(), event, answering(GONE, 404))

    assert failed.value.final


def test_a_contact_that_is_marked_deleted_is_gone(look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(activecampaign(), ABOUT_CONTACT, answering(contact(deleted="1")))

    assert failed.value.final


def test_a_deal_whose_contact_is_gone_says_so(look_up, answering):
    with pytest.raises(LookupFailed, match="contact:119 does not exist") as failed:
        look_up(activecampaign(), ABOUT_DEAL, answering(FOUND_DEAL), answering(GONE, 404))

    assert failed.value.final


@pytest.mark.parametrize(
    "answer",
    [("<html>Not Found</html>", 404), ({"message": "No route"}, 404), ("<html>", 200), ({}, 200), ({"contact": None}, 200), ([], 200), ({}, 503)],
)
def test_any_other_answer_does_not_mean_that_the_record_is_gone(answer, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(activecampaign(), ABOUT_CONTACT, answering(*answer))

    assert not failed.value.final
    assert not failed.value.parked


@pytest.mark.parametrize(
    ("event", "settings", "possible"),
    [
        (ABOUT_CONTACT, {}, True),
        (ABOUT_DEAL, {}, True),
        (event_about("account", "1"), {}, False),
        (replace(ABOUT_DEAL, entity=None), {}, False),
        (ABOUT_CONTACT, {"api_token": None}, False),
        (ABOUT_CONTACT, {"api_base": None}, False),
    ],
)
def test_only_what_activecampaign_could_tell_is_asked(event, settings, possible, look_up):
    source = activecampaign(**settings)

    assert source.can_look_up(event) is possible
    assert (source.probe() is None) is bool(settings)
    if event.entity is None or event.entity.type == "account":
        assert look_up(source, event) == (event, [])


def test_look_ups_go_where_the_configuration_says_and_an_id_cannot_lead_them_elsewhere(look_up, answering):
    _, (asked,) = look_up(activecampaign(api_base=f"{API}/"), event_about("contact", "../users?x"), answering(FOUND_CONTACT))

    assert asked.url == f"{API}/api/3/contacts/..%2Fusers%3Fx"
    with pytest.raises(ValidationError):
        activecampaign(api_base="acme")


# The same over HTTP.


def test_a_conversation_over_http_finds_the_move_and_the_contact(fake_crm, crm_api, answering, read_form):
    source = activecampaign(api_base=fake_crm.url)
    fake_crm.answer(*answers_with(log(("3", "4", "2026-11-23T02:39:57-06:00"))), answering({"contacts": []}))

    event = crm_api.converse(source, source.look_up(read_form(MOVED), ()))
    crm_api.probe(source, source.probe())

    assert (event.type, event.contact.phone) == ("deal.stage_changed", PHONE)
    assert [asked.url.removeprefix("/api/3/") for asked in fake_crm.asked] == [
        "deals/2",
        "deals/2/dealActivities?limit=100",
        "contacts/119",
        "contacts?limit=1",
    ]
    assert {asked.headers["api-token"] for asked in fake_crm.asked} == {TOKEN}


def test_too_many_requests_are_waited_out_as_long_as_it_says(fake_crm, crm_api, answering):
    source = activecampaign(api_base=fake_crm.url)
    fake_crm.answer(answering("", 429, retry_after="30", ratelimit_limit="5"))

    with pytest.raises(LookupFailed, match="too many requests") as failed:
        crm_api.converse(source, source.look_up(ABOUT_CONTACT, ()))

    assert (failed.value.retry_after, failed.value.final, failed.value.parked) == (30, False, False)


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused_parks_the_event_and_is_not_told(status, fake_crm, crm_api, answering):
    source = activecampaign(api_base=fake_crm.url)
    fake_crm.answer(answering({"message": "You are not authorized"}, status))

    with pytest.raises(LookupFailed) as failed:
        crm_api.converse(source, source.look_up(ABOUT_CONTACT, ()))

    assert failed.value.parked
    assert TOKEN not in str(failed.value)


def test_the_api_is_asked_no_oftener_than_an_account_may():
    assert ActiveCampaign.lookup_rate.interval >= 0.2


# A second look.


@pytest.mark.parametrize(("now", "says"), [("4", None), ("5", "deal:2 is in stage 5 now, not in 4 any more")])
def test_a_deal_that_has_gone_on_since_its_move_is_superseded(now, says, read_form, look_up, answering):
    before = read_form(MOVED)
    _, *others = answers_with(log(("3", "4", "2026-11-23T02:39:57-06:00")))
    fresh, _ = look_up(activecampaign(), before, answering({"deal": {**FOUND_DEAL["deal"], "stage": now}}), *others)

    assert activecampaign().superseded(before, fresh) == says
    assert activecampaign().superseded(fresh, fresh) == says


def test_a_deal_that_did_not_move_is_where_it_was(read_form, look_up):
    before = read_form(MOVED)
    fresh, _ = look_up(activecampaign(), before, *answers_with(log()))

    assert activecampaign().superseded(before, fresh) is None


def test_a_contact_whose_number_has_changed_is_superseded(read_form, look_up, answering):
    before = read_form(form("subscribe", contact=CONTACT))
    fresh, _ = look_up(activecampaign(), before, answering(contact(phone=OTHER)))

    assert activecampaign().superseded(before, fresh) == "the number of contact:119 in ActiveCampaign is another one now"
