"""monday.com: the challenge, an app's JWT, what each event means on which board, both keys, and its look-ups held by hand and over HTTP."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Delivery, Entity, Event, HttpResponse, Receipt, Stage
from bridge.sources.monday import Monday, MondaySettings

FIXTURES = Path(__file__).parents[1] / "fixtures" / "monday"
SECRET, OLD_SECRET = "b4f9d2c17e0a4c5f8d3e6a7b9c1d2e3f", "0123456789abcdef0123456789abcdef"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.a-users-token"
URL = "https://bridge.example.com/webhooks/crm"
AT = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
LEADS, DEALS, PIPELINE, CONTACTS, OTHERS = "1771812698", "1771812700", "1771812701", "1771812702", "1771812799"
BOARDS = {LEADS: "lead", DEALS: {"items": "deal", "stage": "deal_stage"}, PIPELINE: {"items": "deal", "stage": "group"}, CONTACTS: "contact"}
PRIMARY, MOBILE = "+12813322575", "+12813322576"


def monday(**settings) -> Monday:
    return Monday("crm", MondaySettings(**{"kind": "monday", "secret": SECRET, "boards": BOARDS, "api_token": TOKEN, "region": "US", **settings}))


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def jwt(secret: str = SECRET, header: dict | None = None, **claims) -> str:
    """A JWT made by hand, after RFC 7515; the claims are those of monday.com's own example, at another hour."""
    published = json.loads((FIXTURES / "jwt_claims.json").read_text())
    made = int(AT.timestamp())
    told = {**published, "aud": URL, "iat": made, "exp": made + (published["exp"] - published["iat"]), **claims}
    signed = f"{encoded(json.dumps(header or {'alg': 'HS256', 'typ': 'JWT'}).encode())}.{encoded(json.dumps(told).encode())}"
    return f"{signed}.{encoded(hmac.digest(secret.encode(), signed.encode(), hashlib.sha256))}"


@pytest.fixture
def signed(delivered):
    def make(token: str | None = None, **more) -> Delivery:
        return delivered("{}", {"Authorization": token or jwt()}, **more)

    return make


def refusal(source: Monday, delivery: Delivery, now: datetime = AT) -> Refusal:
    with pytest.raises(Unverified) as refused:
        source.verify(delivery, now)
    return refused.value.refusal


# The challenge.


def test_a_challenge_goes_back_as_it_came_and_is_no_delivery(sample, delivered):
    reply = monday().handshake(delivered(sample("monday/challenge.json")))

    assert (reply.status, json.loads(reply.body)) == (200, json.loads(sample("monday/challenge.json")))
    assert reply.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "",
        "not json",
        '{"challenge"',
        '"challenge"',
        '["challenge"]',
        '{"challenge": 7}',
        '{"challenge": null}',
        '{"event": {}, "challenge": "x"}',
    ],
)
def test_what_is_no_challenge_is_an_ordinary_delivery(body, delivered):
    assert monday().handshake(delivered(body)) is None


def test_an_answer_is_200_or_monday_sends_it_again(delivered):
    reply = monday().acknowledge([Receipt(id="1", key="crm:1", status="queued", reason="")], delivered("{}"))

    assert reply.status == 200
    assert json.loads(reply.body) == {"status": "accepted", "events": [{"id": "1", "status": "queued"}]}


# Who may send.


@pytest.mark.parametrize("prefix", ["", "Bearer ", "bearer  "])
def test_the_jwt_of_an_app_opens_the_source(prefix, signed):
    monday().verify(signed(prefix + jwt()), AT)


@pytest.mark.parametrize(
    "token",
    [
        jwt(secret=OLD_SECRET),
        jwt()[:-2],
        jwt() + "A",
        jwt().rpartition(".")[0] + ".",
        ".".join([encoded(b'{"alg":"none"}'), jwt().split(".")[1], ""]),
        jwt(header={"alg": "none"}),
        jwt(header={"alg": "HS512"}),
        jwt(header={"alg": "RS256"}),
        jwt(header={"typ": "JWT"}),
        jwt(header={"alg": "HS256", "crit": ["exp"]}),
        "a.b.c",
    ],
)
def test_no_other_jwt_does_whatever_algorithm_it_asks_for(token, signed):
    assert refusal(monday(), signed(token)) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize("claims", [["not", "an", "object"], "text", None, 7])
def test_a_jwt_that_says_nothing_is_refused(claims, signed):
    head = ".".join([encoded(b'{"alg":"HS256"}'), encoded(json.dumps(claims).encode())])
    token = f"{head}.{encoded(hmac.digest(SECRET.encode(), head.encode(), hashlib.sha256))}"

    assert refusal(monday(), signed(token)) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize(
    ("audience", "believed"),
    [
        (URL, True),
        (f"{URL}/", True),
        (f"{URL}?x=1", True),
        ("https://other.example.com/webhooks/crm", False),
        ("http://bridge.example.com/webhooks/crm", False),
        (f"{URL}s", False),
        ("", False),
        (None, False),
        ([URL], False),
    ],
)
def test_a_jwt_for_another_url_is_refused(audience, believed, signed):
    delivery = signed(jwt(aud=audience), url=f"{URL}?tag=1")

    if believed:
        monday().verify(delivery, AT)
    else:
        assert refusal(monday(), delivery) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize(
    ("late", "expected"),
    [(0, None), (299, None), (300, None), (301, Refusal.STALE), (-300, None), (-301, Refusal.FUTURE)],
)
def test_a_jwt_is_good_for_five_minutes(late, expected, signed):
    now = AT + timedelta(seconds=late)

    if expected is None:
        monday().verify(signed(), now)
    else:
        assert refusal(monday(), signed(), now) is expected


def test_a_jwt_that_ends_sooner_is_good_no_longer(signed):
    token = jwt(exp=int(AT.timestamp()) + 60)

    monday().verify(signed(token), AT + timedelta(seconds=60))
    assert refusal(monday(), signed(token), AT + timedelta(seconds=61)) is Refusal.STALE


@pytest.mark.parametrize("claims", [{"exp": None}, {"iat": None}, {"exp": "soon"}, {"iat": True}, {"exp": 1e400}], ids=repr)
def test_a_jwt_without_times_is_refused(claims, signed):
    assert refusal(monday(), signed(jwt(**claims))) in {Refusal.MISSING, Refusal.WRONG_SIGNATURE}


def test_a_time_is_judged_only_once_the_signature_is_right(signed):
    assert refusal(monday(), signed(jwt(secret=OLD_SECRET)), AT + timedelta(days=1)) is Refusal.WRONG_SIGNATURE


@pytest.mark.parametrize(
    ("configured", "told", "believed"), [(1825529, "1825529", True), ("1825529", 1825529, True), ("1825529", 1, False)], ids=repr
)
def test_where_an_account_is_configured_another_is_refused(configured, told, believed, signed):
    source, delivery = monday(account_id=configured), signed(jwt(accountId=told))

    if believed:
        source.verify(delivery, AT)
    else:
        assert refusal(source, delivery) is Refusal.WRONG_ACCOUNT


def test_the_secret_in_the_url_opens_the_source_of_a_boards_own_webhook(delivered):
    source = monday(secret="what stands in the url")

    source.verify(delivered("{}", url=source.with_secret_in_url(URL)), AT)
    assert refusal(source, delivered("{}", url=f"{URL}?token=another")) is Refusal.WRONG_SECRET
    assert refusal(source, delivered("{}", url=URL)) is Refusal.MISSING


def test_who_sends_a_jwt_is_judged_by_it_alone(delivered):
    delivery = delivered("{}", {"Authorization": jwt(secret=OLD_SECRET)}, url=monday().with_secret_in_url(URL))

    assert refusal(monday(), delivery) is Refusal.WRONG_SIGNATURE


def test_while_the_secret_is_rotated_both_are_good(signed):
    rotating = monday(secret=[SECRET, OLD_SECRET])

    rotating.verify(signed(), AT)
    rotating.verify(signed(jwt(secret=OLD_SECRET)), AT)


def test_what_the_source_signs_is_a_jwt_that_others_can_read():
    token = monday(account_id="1825529").sign(b"{}", URL, AT).headers["Authorization"]
    head, claims, signature = token.split(".")

    assert encoded(hmac.digest(SECRET.encode(), f"{head}.{claims}".encode(), hashlib.sha256)) == signature
    assert json.loads(base64.urlsafe_b64decode(claims + "==")) == {
        "accountId": "1825529",
        "aud": URL,
        "iat": int(AT.timestamp()),
        "exp": int(AT.timestamp()) + 300,
    }


def test_neither_the_secret_of_a_url_nor_a_jwt_is_kept(delivered):
    source = monday()
    kept = source.storable(delivered("{}", {"Authorization": jwt()}, url=source.with_secret_in_url(URL)))

    assert SECRET not in kept.url
    assert kept.headers["authorization"] == "***"


def test_a_refusal_does_not_tell_the_secret_of_the_url(delivered):
    with pytest.raises(Unverified) as refused:
        monday().verify(delivered("{}", {"Authorization": jwt(aud="https://x")}, url=monday().with_secret_in_url(URL)), AT)

    assert SECRET not in str(refused.value)


# What an event means.


def event(kind: str, **told) -> dict:
    known = {"boardId": int(LEADS), "pulseId": 7, "pulseName": "Alex Doe", "groupId": "topics", "triggerUuid": "u1", "subscriptionId": 1}
    times = {"triggerTime": "2026-11-23T08:40:00.500Z", "isRetry": False}
    return {"event": {"type": kind, **known, **times, **told}}


def column(name: str, value: object, previous: object = None, **told) -> dict:
    at = {"changedAt": 1795423200.123456}
    return event("update_column_value", **{**at, "columnId": name, "value": value, "previousValue": previous, **told})


def label(name: str | None, index: int = 1) -> dict:
    return {"label": {"index": index, "text": name, "style": {"color": "#fff"}}, "post_id": None}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (event("create_pulse"), "lead.created"),
        (event("create_pulse", boardId=DEALS), "deal.created"),
        (event("create_pulse", boardId=int(CONTACTS)), "contact.created"),
        (event("create_pulse", boardId=int(OTHERS)), "unknown"),
        (event("create_pulse", boardId=None), "unknown"),
        (event("create_pulse", pulseId=None), "unknown"),
        (event("update_name", value={"name": "x"}), "lead.updated"),
        (event("restore_pulse"), "lead.updated"),
        (event("archive_pulse"), "lead.deleted"),
        (event("delete_pulse", pulseId=None, itemId=7), "lead.deleted"),
        (event("move_pulse_into_group", destGroupId="won"), "lead.updated"),
        (event("move_pulse_into_group", destGroupId="won", boardId=PIPELINE), "deal.stage_changed"),
        (event("move_pulse_into_group", destGroupId="won", sourceGroupId="won", boardId=PIPELINE), "deal.updated"),
        (column("status", label("Won")), "lead.stage_changed"),
        (column("status", label("Won"), label("New")), "lead.stage_changed"),
        (column("status", label("Won"), label("Won")), "lead.updated"),
        (column("status", label(""), label("New")), "lead.updated"),
        (column("status", None, label("New")), "lead.updated"),
        (column("status", "Won"), "lead.updated"),
        (column("status", {"label": "Won"}), "lead.updated"),
        (column("priority", label("High")), "lead.updated"),
        (column("status", label("Won"), boardId=DEALS), "deal.updated"),
        (column("deal_stage", label("Won"), boardId=DEALS), "deal.stage_changed"),
        (column("status", label("Won"), boardId=CONTACTS), "contact.updated"),
        (column("status", label("Won"), boardId=OTHERS), "unknown"),
        (event("create_update", textBody="hello"), "unknown"),
        (event("create_column", columnId="text", pulseId=None), "unknown"),
        (event("move_subitem", pulseId=None, subitem=8), "unknown"),
        (event("explode"), "unknown"),
        (event(""), "unknown"),
        ({"event": {}}, "unknown"),
    ],
)
def test_every_event_has_the_type_of_its_board(body, expected, read):
    told = read(monday(), body)

    assert told.type == expected
    assert (told.stage is not None) == expected.endswith("stage_changed")


def test_a_move_tells_both_labels(read):
    assert read(monday(), column("status", label("Won"), label("New"))).stage == Stage(after="Won", before="New")


def test_where_groups_are_the_stage_a_move_tells_both_by_their_ids(read):
    body = event("move_pulse_into_group", boardId=PIPELINE, sourceGroupId="new", destGroupId="won", destGroup={"id": "won", "title": "Won!"})

    assert read(monday(), body).stage == Stage(after="won", before="new")


def test_without_boards_every_item_is_unknown_and_kept(read):
    told = read(monday(boards={}), event("create_pulse"))

    assert (told.type, told.entity, told.fields["boardId"]) == ("unknown", Entity("item", "7"), LEADS)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (label("Won"), "Won"),
        ({"phone": "12813322575", "countryShortName": "US"}, "12813322575"),
        ({"email": "a@example.com", "text": "Alex"}, "a@example.com"),
        ({"value": 12, "unit": None}, 12),
        ({"text": "long"}, "long"),
        ({"personsAndTeams": [{"id": 1}]}, {"personsAndTeams": [{"id": 1}]}),
        ("plain", "plain"),
        (None, None),
    ],
)
def test_a_column_shows_what_it_says(value, shown, read):
    told = read(monday(), column("a_column", value, label("Old")))

    assert told.fields == {"a_column": shown, "name": "Alex Doe", "boardId": LEADS, "groupId": "topics", "previous": {"a_column": "Old"}}


@pytest.mark.parametrize(
    ("value", "phone"),
    [
        ({"phone": "12813322575", "countryShortName": "US"}, PRIMARY),
        ({"phone": "2813322575", "countryShortName": "us"}, PRIMARY),
        ({"phone": "030123456", "countryShortName": "DE"}, "+4930123456"),
        ({"phone": "4930123456", "countryShortName": "DE"}, "+4930123456"),
        ({"phone": "+12813322575", "countryShortName": ""}, PRIMARY),
        ({"phone": "(281) 332-2575"}, PRIMARY),
        ({"phone": "2813322575", "countryShortName": "XX"}, PRIMARY),
        ({"phone": "call after five", "countryShortName": "US"}, "call after five"),
        ({"phone": "", "countryShortName": ""}, None),
        ({"phone": ["x"]}, None),
    ],
)
def test_a_number_is_read_in_the_country_that_stands_beside_it(value, phone, read):
    told = read(monday(), column("phone", value, boardId=CONTACTS))

    assert told.contact.phone == phone
    assert told.refs == ("contact:7", *([f"phone:{phone}"] if phone and phone[0] == "+" else []))


@pytest.mark.parametrize(
    ("board", "expected"),
    [
        (LEADS, Contact(name="Alex Doe", phone=PRIMARY, phones=(PRIMARY,))),
        (CONTACTS, Contact(id="7", name="Alex Doe", phone=PRIMARY, phones=(PRIMARY,))),
        (DEALS, Contact(phone=PRIMARY, phones=(PRIMARY,))),
        (OTHERS, None),
    ],
)
def test_an_item_of_people_is_its_person_and_a_deal_has_no_name_of_one(board, expected, read):
    body = event("create_pulse", boardId=board, columnValues={"status": label("New"), "phone": {"phone": "12813322575", "countryShortName": "US"}})

    assert read(monday(), body).contact == expected


def test_a_deal_that_tells_no_number_has_no_contact(read):
    assert read(monday(), column("deal_stage", label("Won"), boardId=DEALS)).contact is None


# Both keys.


@pytest.mark.parametrize("changes", [{"isRetry": True}, {"retryCount": 3}, {"subscriptionId": 9}, {"boardId": LEADS}, {"pulseId": "7"}], ids=str)
@pytest.mark.parametrize("body", [column("status", label("Won")), event("create_pulse"), event("delete_pulse"), event("explode")])
def test_what_a_redelivery_may_change_is_in_no_key(body, changes, read):
    first, again = read(monday(), body), read(monday(), {"event": {**body["event"], **changes}})

    assert (first.id, first.fact) == (again.id, again.fact)


@pytest.mark.parametrize("changes", [{"triggerUuid": "u2"}, {"pulseId": 8}, {"boardId": DEALS}, {"columnId": "x"}, {"type": "update_name"}], ids=str)
def test_another_event_has_another_id(changes, read):
    body = column("status", label("Won"))

    assert read(monday(), body).id != read(monday(), {"event": {**body["event"], **changes}}).id


def test_an_event_without_a_uuid_is_known_by_its_time_and_without_that_by_what_it_says(read):
    def told(priority: str = "High", **changes) -> Event:
        return read(monday(), column("priority", label(priority), triggerUuid=None, **changes))

    timeless = {"changedAt": None, "triggerTime": None}

    assert told().id == told(isRetry=True, triggerTime="2026-11-23T08:41:00Z").id
    assert told().id != told(changedAt=1795423201).id
    assert told(**timeless).id == told(**timeless, isRetry=True).id
    assert told(**timeless).id != told("Low", **timeless).id
    assert (told().window, told(**timeless).window) == (None, timedelta(hours=1))


def test_a_creation_is_told_once_in_an_items_life_even_without_a_time(read):
    assert read(monday(), event("create_pulse", triggerTime=None)).window is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (column("status", label("Won")), column("status", label("Won"), label("New"), triggerUuid="u2", triggerTime="2026-11-23T08:40:09Z")),
        (column("priority", label("High")), column("priority", label("High"), triggerUuid="u2", subscriptionId=2)),
        (event("create_pulse"), event("create_pulse", triggerUuid="u2", triggerTime="2026-11-23T08:40:01Z")),
        (
            event("update_name", value={"name": "x"}),
            event("update_name", value={"name": "x"}, triggerUuid="u2", triggerTime="2026-11-23T08:40:00.9Z"),
        ),
    ],
)
def test_what_two_webhooks_tell_of_one_change_is_one_fact(one, other, read):
    first, second = read(monday(), one), read(monday(), other)

    assert first.id != second.id
    assert first.fact == second.fact


def test_different_facts_are_different(read):
    bodies = [
        column("status", label("Won")),
        column("status", label("Lost")),
        column("status", label("Won"), changedAt=1795423300),
        column("status", label("Won"), pulseId=8),
        column("status", label("Won"), boardId=DEALS),
        column("status", None),
        column("priority", label("High")),
        column("priority", label("Low")),
        event("create_pulse"),
        event("delete_pulse"),
        event("restore_pulse"),
        event("update_name", value={"name": "x"}),
        event("update_name", value={"name": "y"}),
        event("move_pulse_into_group", destGroupId="a"),
        event("move_pulse_into_group", destGroupId="b"),
    ]

    assert len({read(monday(), body).fact for body in bodies}) == len(bodies)


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
values = st.recursive(scalars, lambda inner: st.dictionaries(st.sampled_from(["label", "text", "phone", "countryShortName", "email", "x"]), inner))


@given(value=values, previous=values, uuid=scalars, at=scalars, random=st.randoms())
def test_keys_do_not_depend_on_the_order_of_names_nor_on_what_monday_counts(value, previous, uuid, at, random):
    told = column("status", value, previous, triggerUuid=uuid, changedAt=at, triggerTime=at)["event"]
    names = [*told, "retryCount"]
    random.shuffle(names)
    again = {"event": {name: {**told, "retryCount": 4, "isRetry": True, "subscriptionId": 9}[name] for name in names}}
    bodies = [json.dumps(body).encode() for body in ({"event": told}, again)]
    first, second = (monday().parse(Delivery(source="crm", body=body, url=URL, received_at=AT))[0] for body in bodies)

    assert (first.id, first.fact) == (second.id, second.fact)


@pytest.mark.parametrize("body", [None, [], 7, "text", {}, {"event": None}, {"event": []}, {"payload": {"inboundFieldValues": {}}}])
def test_a_body_without_an_event_is_unreadable(body, delivered):
    with pytest.raises(Unreadable):
        monday().parse(delivered(json.dumps(body)))


# Look-ups.


def event_about(kind: str, board: str, **more) -> Event:
    told = {"source": "crm", "kind": "monday", "id": "1", "type": f"{kind}.updated", "fact": "f", "received_at": AT}
    return Event(**{**told, "entity": Entity(kind, "7"), "refs": (f"{kind}:7",), "fields": {"boardId": board}, **more})


def phone(*numbers: str) -> list[dict]:
    return [{"id": f"phone{place}", "type": "phone", "text": n, "phone": n, "country_short_name": "US"} for place, n in enumerate(numbers)]


def item(board: str = LEADS, columns: list[dict] | None = None, **more) -> dict:
    whole = {"id": "7", "name": "Alex Doe", "state": "active", "board": {"id": board}, "group": {"id": "topics"}, "column_values": columns or []}
    return {**whole, **more}


def found(*items: dict, boards: tuple[str, ...] = (LEADS,)) -> dict:
    return {"data": {"boards": [{"id": board} for board in boards], "items": list(items)}}


def test_a_deal_is_read_with_the_people_it_is_connected_to_in_one_query(look_up, sample, answering):
    asked_about = event_about("deal", DEALS, entity=Entity("deal", "1772099500"), refs=("deal:1772099500",))
    event, (asked,) = look_up(monday(), asked_about, answering(sample("monday/api_item_response.json")))

    assert event.contact == Contact(id="1772099400", name="Alex Doe", phone=PRIMARY, phones=(PRIMARY,), email="alex@example.com")
    assert event.refs == ("deal:1772099500", "contact:1772099400", f"phone:{PRIMARY}")
    assert event.fields["deal_stage"] == "Won"
    assert event.fields["deal_value"] == "5000"
    assert (asked.method, asked.url, asked.headers["Authorization"]) == ("POST", "https://api.monday.com/v2", TOKEN)
    assert json.loads(asked.body)["variables"] == {"board": [DEALS], "item": ["1772099500"]}
    assert "API-Version" not in asked.headers


@pytest.mark.parametrize(
    ("kind", "board", "expected"),
    [
        ("lead", LEADS, Contact(name="Alex Doe", phone=PRIMARY, phones=(PRIMARY, MOBILE), email="a@example.com")),
        ("contact", CONTACTS, Contact(id="7", name="Alex Doe", phone=PRIMARY, phones=(PRIMARY, MOBILE), email="a@example.com")),
        ("deal", DEALS, Contact(phone=PRIMARY, phones=(PRIMARY, MOBILE), email="a@example.com")),
    ],
)
def test_the_numbers_of_an_item_are_those_of_its_phone_columns(kind, board, expected, look_up, answering):
    columns = [{"id": "email", "type": "email", "text": "x", "email": "a@example.com"}, *phone("12813322575", "", "12813322576")]
    event, _ = look_up(monday(), event_about(kind, board), answering(found(item(board, columns))))

    assert event.contact == expected


def test_an_items_own_number_comes_before_that_of_its_people_and_all_are_refs(look_up, answering):
    linked = {"id": "c", "type": "board_relation", "linked_items": [item(CONTACTS, phone("12813322576"), id="9")]}
    event, _ = look_up(monday(), event_about("deal", DEALS), answering(found(item(DEALS, [linked, *phone("12813322575")]))))

    assert event.contact.phone == PRIMARY
    assert set(event.refs) == {"deal:7", f"phone:{PRIMARY}", "contact:9", f"phone:{MOBILE}"}


@pytest.mark.parametrize(
    "linked",
    [
        item(OTHERS, phone("12813322576"), id="9"),
        item(DEALS, phone("12813322576"), id="9"),
        item(CONTACTS, phone("12813322576"), id="9", state="archived"),
        item(CONTACTS, phone("12813322576"), id=None),
        {**item(CONTACTS, phone("12813322576")), "board": None},
        None,
        "text",
    ],
)
def test_nobody_is_called_through_a_link_but_living_items_of_boards_of_people(linked, look_up, answering):
    columns = [{"id": "c", "type": "board_relation", "linked_items": [linked]}]
    event, _ = look_up(monday(), event_about("deal", DEALS), answering(found(item(DEALS, columns))))

    assert (event.contact, event.refs) == (None, ("deal:7",))


def test_the_number_that_was_told_is_called_while_it_is_theirs(look_up, answering):
    told = event_about("lead", LEADS, contact=Contact(name="Alex Doe", phone=MOBILE, phones=(MOBILE,)))
    event, _ = look_up(monday(), told, answering(found(item(columns=phone("12813322575", "12813322576")))))

    assert (event.contact.phone, event.contact.phones) == (MOBILE, (PRIMARY, MOBILE))


@pytest.mark.parametrize("answer", [found(), found(item(state="archived")), found(item(state="deleted")), found(item(state="deleted"), boards=())])
def test_an_item_that_is_gone_ends_the_look_up_for_good(answer, look_up, answering):
    with pytest.raises(LookupFailed, match=r"lead:7 does not exist in monday\.com any more") as failed:
        look_up(monday(), event_about("lead", LEADS), answering(answer))

    assert failed.value.final


@pytest.mark.parametrize("answer", [found(boards=()), {"data": {"boards": None, "items": None}}, {"data": {}}, {"data": None}, {}])
def test_an_item_of_a_board_that_the_user_does_not_see_is_not_gone(answer, look_up, answering):
    with pytest.raises(LookupFailed, match="not to be seen") as failed:
        look_up(monday(), event_about("lead", LEADS), answering(answer))

    assert (failed.value.parked, failed.value.final) == (True, False)


@pytest.mark.parametrize("body", ["<html>", "[]", '"x"'])
def test_a_page_that_is_not_mondays_does_not_mean_that_the_item_is_gone(body, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(monday(), event_about("lead", LEADS), answering(body))

    assert not failed.value.final


COMPLEXITY = json.loads((FIXTURES / "api_complexity_error.json").read_text())
OLDER = {"error_code": "ComplexityException", "status_code": 429, "error_message": "Complexity budget exhausted", "errors": ["Complexity …"]}


@pytest.mark.parametrize(
    ("body", "status", "wait"),
    [
        (COMPLEXITY, 200, 60),
        (COMPLEXITY, 429, 60),
        (OLDER, 200, None),
        (OLDER, 429, None),
        ({"errors": [{"message": "x", "extensions": {"code": "DAILY_LIMIT_EXCEEDED"}}]}, 429, 3600),
        ({"errors": [{"message": "x", "extensions": {"code": "IP_RATE_LIMIT_EXCEEDED", "retry_in_seconds": 10}}]}, 429, 10),
        ({"errors": ["Rate Limit Exceeded"]}, 429, None),
        ({"errors": [{"message": "Internal server error"}]}, 500, None),
        ({"data": {"items": []}, "errors": [{"message": "x", "extensions": None}]}, 200, None),
        ("<html>error</html>", 503, None),
        ('{"error', 500, None),
    ],
)
def test_monday_is_asked_again_when_its_limit_is_over(body, status, wait, look_up, answering):
    with pytest.raises(LookupFailed, match=str(status)) as failed:
        look_up(monday(), event_about("lead", LEADS), answering(body, status))

    assert (failed.value.retry_after, failed.value.final, failed.value.parked) == (wait, False, False)


@pytest.mark.parametrize(("body", "wait"), [(OLDER, 9), ("Too many requests", 9), ({"errors": ["Rate Limit Exceeded"]}, 9), (COMPLEXITY, 60)])
def test_a_header_says_when_where_the_body_does_not(body, wait, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(monday(), event_about("lead", LEADS), answering(body, 429, retry_after="9"))

    assert failed.value.retry_after == wait


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"errors": ["Not Authenticated"]}, 401),
        ({"error_code": "UserUnauthorizedException", "status_code": 403, "errors": ["x"]}, 403),
        ((FIXTURES / "api_unauthorized_error.json").read_text(), 200),
        ({"errors": [{"message": "x", "extensions": {"code": "UserUnauthorizedException"}}]}, 200),
    ],
)
def test_a_token_that_may_not_read_parks_the_event_and_is_not_told(body, status, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(monday(), event_about("lead", LEADS), answering(body, status))

    assert failed.value.parked
    assert TOKEN not in str(failed.value)


@pytest.mark.parametrize(
    ("columns", "more"),
    [(None, {}), ([None, 7, {}, {"id": None, "text": "x"}, {"id": "phone", "phone": 7}], {"group": None}), ([], {"name": None, "column_values": {}})],
)
def test_an_item_of_another_shape_is_one_without_a_number(columns, more, look_up, answering):
    event, _ = look_up(monday(region=None), event_about("contact", CONTACTS), answering(found(item(CONTACTS, columns, **more))))

    assert event.contact.id == "7"
    assert not [ref for ref in event.refs if ref.startswith("phone:")]


@pytest.mark.parametrize(
    ("event", "token", "possible"),
    [
        (event_about("lead", LEADS), TOKEN, True),
        (event_about("deal", DEALS), TOKEN, True),
        (event_about("contact", CONTACTS), TOKEN, True),
        (event_about("lead", LEADS), "", False),
        (event_about("lead", LEADS, type="lead.deleted"), TOKEN, False),
        (event_about("item", OTHERS, type="unknown"), TOKEN, False),
        (event_about("lead", LEADS, entity=None), TOKEN, False),
    ],
)
def test_only_what_monday_could_tell_is_asked(event, token, possible):
    assert monday(api_token=token).can_look_up(event) is possible


def test_a_look_up_goes_over_http_and_so_does_a_probe(fake_crm, crm_api, sample):
    source = monday(api_base=fake_crm.url, api_token="secret-token")
    fake_crm.answer(HttpResponse(200, {}, sample("monday/api_item_response.json")), HttpResponse(200, {}, '{"data": {"boards": []}}'))

    event = crm_api.converse(source, source.look_up(event_about("deal", DEALS), ()))
    crm_api.probe(source, source.probe())

    assert event.contact.phone == PRIMARY
    assert [(asked.method, asked.url, asked.headers["authorization"]) for asked in fake_crm.asked] == [("POST", "/v2", "secret-token")] * 2
    assert json.loads(fake_crm.asked[0].body)["query"].count("{") == json.loads(fake_crm.asked[0].body)["query"].count("}")


@pytest.mark.parametrize(
    ("answer", "parked", "wait"),
    [
        (HttpResponse(200, {}, json.dumps(COMPLEXITY)), False, 60),
        (HttpResponse(429, {"Retry-After": "7"}, "slow down"), False, 7),
        (HttpResponse(401, {}, '{"errors": ["Not Authenticated"]}'), True, None),
    ],
)
def test_limits_and_a_refused_token_are_seen_over_http_too(answer, parked, wait, fake_crm, crm_api):
    source = monday(api_base=fake_crm.url)
    fake_crm.answer(answer)

    with pytest.raises(LookupFailed) as failed:
        crm_api.converse(source, source.look_up(event_about("lead", LEADS), ()))

    assert (failed.value.parked, failed.value.retry_after) == (parked, wait)


def test_without_a_token_there_is_nothing_to_probe():
    assert monday(api_token=None).probe() is None


# A second look.


@pytest.mark.parametrize(
    ("now", "says"),
    [
        ("New", None),
        ("Lost", "lead:7 is in stage Lost now, not in New any more"),
        ("", "lead:7 is in no stage now, not in New any more"),
        (None, "lead:7 is in no stage now, not in New any more"),
    ],
)
def test_an_item_that_has_moved_on_is_superseded(now, says, look_up, answering):
    before = event_about("lead", LEADS, stage=Stage(after="New"))
    fresh, _ = look_up(monday(), before, answering(found(item(columns=[{"id": "status", "type": "status", "text": now}]))))

    assert monday().superseded(before, fresh) == says


@pytest.mark.parametrize(("told", "says"), [("topics", None), ("new", "deal:7 is in stage topics now, not in new any more")])
def test_an_item_that_went_to_another_group_is_superseded_where_groups_are_the_stage(told, says, look_up, answering):
    before = event_about("deal", PIPELINE, stage=Stage(after=told))
    fresh, _ = look_up(monday(), before, answering(found(item(PIPELINE))))

    assert monday().superseded(before, fresh) == says


def test_a_lead_whose_number_has_changed_is_superseded(look_up, answering):
    before = event_about("lead", LEADS, contact=Contact(phone=PRIMARY, phones=(PRIMARY,)))
    fresh, _ = look_up(monday(), before, answering(found(item(columns=phone("12813322576")))))

    assert monday().superseded(before, fresh) == "the number of lead:7 in monday.com is another one now"


# Settings.


def test_boards_may_be_written_short_and_their_ids_without_quotes():
    settings = MondaySettings(kind="monday", boards={int(LEADS): "lead", DEALS: {"items": "deal", "stage": "group"}})

    assert [(board, told.items, told.stage) for board, told in settings.boards.items()] == [(LEADS, "lead", "status"), (DEALS, "deal", "group")]


@pytest.mark.parametrize("board", ["ticket", {"items": "deal", "phone": "x"}, {"stage": "status"}, 7, None])
def test_a_board_of_anything_else_is_refused_by_the_configuration(board):
    with pytest.raises(ValidationError):
        monday(boards={LEADS: board})
