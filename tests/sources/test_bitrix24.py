"""Bitrix24: who is believed, what an event or a robot means, both keys, what the look-up makes of an update, and its tokens."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.ledger import TokenStore
from bridge.model import Contact, Delivery, Entity, Event, Stage
from bridge.sources.base import HIDDEN
from bridge.sources.bitrix24 import Bitrix24, Bitrix24Settings
from workers.crm_api import CrmApi

SECRET, FOR_ROBOTS = "jvh9y1ulvt2m6k5or90v9mg8nn32ozas", "a secret for robots & more"
MEMBER, OTHER_MEMBER = "a223c6b3710f85df22e9377d6c4f7553", "d897063e1ce7c5eb9f04b9751eef5915"
WEBHOOK = "https://acme.bitrix24.com/rest/1/abc123abc123abc1/"
AT = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
TS = str(int(AT.timestamp()))
URL = "https://bridge.example.com/webhooks/bitrix24"
MOBILE, WORK = "+79161234567", "+74951234567"
APPLICATION = {"client_id": "local.573ad8a0346747", "client_secret": "LJSl0lNB76B5YY6u0YVQ3AW0DrVADcRT", "refresh_token": "refresh-1"}


def bitrix24(**settings) -> Bitrix24:
    told = {"kind": "bitrix24", "secret": [SECRET, FOR_ROBOTS], "region": "RU", "api_token": WEBHOOK, **settings}
    return Bitrix24("bitrix24", Bitrix24Settings(**told))


def form(**fields: object) -> str:
    """A form whose names are given as ``data__FIELDS__ID``."""
    return urlencode({f"{name.split('__')[0]}{''.join(f'[{part}]' for part in name.split('__')[1:])}": value for name, value in fields.items()})


def webhook(event: str = "ONCRMDEALUPDATE", number: str = "555", **more: object) -> str:
    told = {"event": event, "event_handler_id": "1", "data__FIELDS__ID": number, "ts": TS}
    return form(**{**told, "auth__member_id": MEMBER, "auth__application_token": SECRET, **more})


def robot(document: str = "DEAL_555", **more: object) -> str:
    kind = f"CCrmDocument{document.partition('_')[0].title()}"
    return form(**{"document_id__0": "crm", "document_id__1": kind, "document_id__2": document, "auth__member_id": MEMBER, **more})


@pytest.fixture
def told(delivered):
    """The event of a body."""

    def parse(body: str, url: str = URL, source: Bitrix24 | None = None) -> Event:
        (event,) = (source or bitrix24()).parse(delivered(body, url=url, received_at=AT))
        return event

    return parse


def refusal(source: Bitrix24, delivery: Delivery) -> Refusal:
    with pytest.raises(Unverified) as refused:
        source.verify(delivery, AT)
    return refused.value.refusal


# Who may send.


@pytest.mark.parametrize("token", [SECRET, FOR_ROBOTS])
def test_the_token_of_the_webhook_opens_the_source(token, delivered):
    bitrix24().verify(delivered(webhook(auth__application_token=token)), AT)


@pytest.mark.parametrize("token", ["", " ", "wrong", SECRET.upper(), f"{SECRET}x"])
def test_another_token_does_not(token, delivered):
    expected = Refusal.WRONG_SECRET if token.strip() else Refusal.MISSING

    assert refusal(bitrix24(), delivered(webhook(auth__application_token=token))) is expected


def test_a_robot_is_believed_by_the_secret_in_its_url(delivered):
    bitrix24().verify(delivered(robot(), url=f"{URL}?token=a+secret+for+robots+%26+more&stage=NEW"), AT)


@pytest.mark.parametrize(
    ("url", "expected"), [(URL, Refusal.MISSING), (f"{URL}?token=wrong", Refusal.WRONG_SECRET), (f"{URL}?stage=NEW", Refusal.MISSING)]
)
def test_a_robot_without_it_is_not(url, expected, delivered):
    assert refusal(bitrix24(), delivered(robot(), url=url)) is expected


def test_a_token_that_nobody_knows_is_no_matter_where_the_url_has_the_secret(delivered):
    bitrix24().verify(delivered(webhook(auth__application_token="of-another-handler"), url=f"{URL}?token={SECRET}"), AT)


def test_two_tokens_in_one_body_are_none(delivered):
    body = f"{webhook()}&{form(auth__application_token='another')}"

    assert refusal(bitrix24(), delivered(body)) is Refusal.MISSING


@pytest.mark.parametrize("body", [webhook(), robot()])
def test_where_a_portal_is_configured_another_is_refused(body, delivered):
    url = f"{URL}?token={SECRET}"

    bitrix24(member_id=MEMBER).verify(delivered(body, url=url), AT)
    assert refusal(bitrix24(member_id=OTHER_MEMBER), delivered(body, url=url)) is Refusal.WRONG_ACCOUNT


def test_where_a_portal_is_configured_a_body_that_names_none_is_refused(delivered):
    assert refusal(bitrix24(member_id=MEMBER), delivered("document_id%5B2%5D=DEAL_54", url=f"{URL}?token={SECRET}")) is Refusal.WRONG_ACCOUNT


def test_a_stranger_is_refused_as_one_before_the_portal_is_looked_at(delivered):
    assert refusal(bitrix24(member_id=OTHER_MEMBER), delivered(webhook(auth__application_token="wrong"))) is Refusal.WRONG_SECRET


def test_a_body_that_cannot_be_read_is_believed_by_the_url_alone(delivered):
    bitrix24(member_id=MEMBER).verify(delivered(b"\xff", url=f"{URL}?token={SECRET}"), AT)
    assert refusal(bitrix24(), delivered(b"\xff")) is Refusal.MISSING


@pytest.mark.parametrize(
    "settings", [{"api_token": "abc123"}, {"api_token": "https://acme.bitrix24.com/"}, {"api_token": f"{WEBHOOK}crm.deal.get?id=1"}]
)
def test_what_is_no_incoming_webhook_is_refused_by_the_configuration(settings):
    with pytest.raises(ValidationError, match="incoming webhook") as refused:
        bitrix24(**settings)

    assert settings["api_token"] not in str(refused.value).partition("[type=")[0].replace("https://acme.bitrix24.com/rest/1/abc123/", "")


def test_an_application_must_say_which_portal_it_asks():
    with pytest.raises(ValidationError, match="api_base"):
        bitrix24(api_token=None, **APPLICATION)


# Sending as Bitrix24 would.


def test_a_webhook_is_sent_with_the_token_in_its_body():
    signed = bitrix24().sign(webhook(auth__application_token="old").encode(), URL, AT)

    assert parse_qs(signed.body.decode())["auth[application_token]"] == [SECRET]
    assert (signed.url, signed.headers) == (URL, {"Content-Type": "application/x-www-form-urlencoded"})


def test_a_robot_is_sent_with_the_secret_in_its_url():
    signed = bitrix24(secret=FOR_ROBOTS).sign(robot().encode(), f"{URL}?stage=NEW", AT)

    assert signed.body == robot().encode()
    assert parse_qs(urlsplit(signed.url).query) == {"stage": ["NEW"], "token": [FOR_ROBOTS]}


# What a webhook means.


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("ONCRMLEADADD", "lead.created"),
        ("ONCRMLEADUPDATE", "lead.updated"),
        ("ONCRMLEADDELETE", "lead.deleted"),
        ("ONCRMCONTACTADD", "contact.created"),
        ("ONCRMCONTACTUPDATE", "contact.updated"),
        ("ONCRMCONTACTDELETE", "contact.deleted"),
        ("ONCRMDEALADD", "deal.created"),
        ("ONCRMDEALUPDATE", "deal.updated"),
        ("onCrmDealDelete", "deal.deleted"),
        ("ONCRMDEALMOVETOCATEGORY", "deal.updated"),
        ("ONCRMCOMPANYADD", "unknown"),
        ("ONCRMDEALUSERFIELDADD", "unknown"),
        ("ONCRMDEALRECURRINGADD", "unknown"),
        ("ONCRMDYNAMICITEMADD", "unknown"),
        ("ONAPPTEST", "unknown"),
        ("ONAPPINSTALL", "unknown"),
        ("ONTASKADD", "unknown"),
    ],
)
def test_every_event_has_a_type(event, expected, told):
    assert told(webhook(event)).type == expected


def test_a_deal_that_changes_its_pipeline_tells_the_stage_it_came_to(told):
    event = told(webhook("ONCRMDEALMOVETOCATEGORY", data__FIELDS__CATEGORY_ID="1", data__FIELDS__STAGE_ID="C1:NEW"))

    assert (event.type, event.stage, event.occurred_at) == ("deal.stage_changed", Stage(after="C1:NEW"), AT)


def test_an_item_of_a_type_of_ones_own_is_no_deal_of_the_same_number(told):
    item = told(webhook("ONCRMDYNAMICITEMUPDATE", data__FIELDS__ENTITY_TYPE_ID="1220"))

    assert (item.entity, item.refs) == (Entity("dynamic_1220", "555"), ("dynamic_1220:555",))


@pytest.mark.parametrize(
    ("document", "kind", "entity"),
    [
        ("DEAL_555", "deal.updated", Entity("deal", "555")),
        ("LEAD_9", "lead.updated", Entity("lead", "9")),
        ("CONTACT_9", "contact.updated", Entity("contact", "9")),
        ("COMPANY_9", "unknown", Entity("company", "9")),
        ("DYNAMIC_147_1", "unknown", Entity("dynamic_147", "1")),
        ("SMART_INVOICE_3", "unknown", Entity("smart_invoice", "3")),
        ("777", "unknown", Entity("crm", "777")),
    ],
)
def test_a_robot_tells_a_document(document, kind, entity, told):
    event = told(robot(document))

    assert (event.type, event.entity, event.refs) == (kind, entity, (entity.ref,))


def test_a_document_may_stand_alone(told):
    assert told("document_id=DEAL_555").entity == Entity("deal", "555")


def test_the_url_of_a_robot_may_name_the_stage_it_stands_on(told):
    event = told(robot(), url=f"{URL}?token=x&stage=C1%3ANEW")

    assert (event.type, event.stage) == ("deal.stage_changed", Stage(after="C1:NEW"))
    assert told(robot("CONTACT_9"), url=f"{URL}?stage=NEW").type == "contact.updated"


def test_what_a_robot_was_given_can_be_asked_for_by_rules(told):
    event = told(robot(workflow_id="664fa13bbbb410.99176768", code="call", properties__campaign="welcome", event_token="a|b|c"))

    assert event.fields["properties"] == {"campaign": "welcome"}
    assert "event_token" not in event.fields
    assert "auth" not in event.fields


@pytest.mark.parametrize("body", ["", "a=b", "event=", "event=A&event=B", "document_id=", "document_id%5B0%5D=crm&document_id%5B1%5D=", "0=a", "{}"])
def test_a_body_that_names_neither_event_nor_document_is_unreadable(body, delivered):
    with pytest.raises(Unreadable):
        bitrix24().parse(delivered(body))


# Both keys.


def keys_of(event: Event) -> tuple[str, str]:
    return event.id, event.fact


@pytest.mark.parametrize("event", ["ONCRMDEALADD", "ONCRMDEALUPDATE", "ONCRMDEALDELETE", "ONAPPTEST"])
@pytest.mark.parametrize(
    "changes", [{"event_handler_id": "2"}, {"auth__access_token": "s6p6eclrvim6da22ft9ch94ekreb52lv"}, {"auth__domain": "new.bitrix24.com"}]
)
def test_another_handler_of_the_same_event_tells_no_other(event, changes, told):
    assert keys_of(told(webhook(event))) == keys_of(told(webhook(event, **changes)))


@pytest.mark.parametrize(
    "changes", [{"number": "556"}, {"event": "ONCRMDEALADD"}, {"event": "ONCRMLEADUPDATE"}, {"auth__member_id": OTHER_MEMBER}, {"ts": "1"}]
)
def test_another_event_has_other_keys(changes, told):
    one, other = told(webhook()), told(webhook(**changes))

    assert one.id != other.id
    assert one.fact != other.fact


def test_a_record_is_created_once_whenever_that_is_told(told):
    assert keys_of(told(webhook("ONCRMLEADADD"))) == keys_of(told(webhook("ONCRMLEADADD", ts="1795423999")))


def test_an_application_and_an_outgoing_webhook_tell_one_event(sample, told):
    bodies = [json.loads(sample(f"bitrix24/{name}.json")) for name in ("app_event_deal_add", "outgoing_webhook_deal_add")]
    one, other = (
        told(webhook(each["event"], each["data"]["FIELDS"]["ID"], ts=each["ts"], **{f"auth__{name}": value for name, value in each["auth"].items()}))
        for each in bodies
    )

    assert keys_of(one) == keys_of(other)


@pytest.mark.parametrize(
    ("body", "window"),
    [
        (webhook(), None),
        (webhook("ONCRMLEADADD", ts=""), None),
        (webhook(ts=""), timedelta(minutes=1)),
        (robot(), timedelta(minutes=1)),
        (robot(workflow_id="664fa13bbbb410.99176768", code="call"), None),
    ],
)
def test_what_has_neither_id_nor_time_is_the_same_for_a_minute(body, window, told):
    assert told(body).window == window


def test_robots_on_two_stages_are_two_events(told):
    one, other = (told(robot(), url=f"{URL}?stage={stage}") for stage in ("NEW", "WON"))

    assert one.id != other.id
    assert one.fact != other.fact


def test_a_robot_that_runs_again_is_another_event_and_its_steps_are_too(told):
    runs = [("run-1", "call", "run-1|A1|x"), ("run-2", "call", "run-2|A1|x"), ("run-1", "text", "run-1|A1|x"), ("run-1", "call", "run-1|A2|x")]
    events = [told(robot(workflow_id=run, code=code, event_token=token)) for run, code, token in runs]

    assert len({event.id for event in events}) == len({event.fact for event in events}) == 4
    assert keys_of(events[0]) == keys_of(told(robot(workflow_id="run-1", code="call", event_token="run-1|A1|signed-anew", ts="1795423999")))


NAMES = ["event", "ts", "document_id", "document_id[2]", "data[FIELDS][ID]", "data[FIELDS]", "data", "auth", "workflow_id"]
VALUES = st.text(max_size=8) | st.sampled_from(["ONCRMDEALUPDATE", "DEAL_1", "_", "|", TS])
SECRETS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(["auth[access_token]", "event_token"], st.sampled_from([SECRET, f"a|b|{SECRET}", "||", ""]))
)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES), SECRETS)
def test_any_form_is_read_or_refused_and_what_is_kept_reads_the_same(fields, secrets):
    delivery = Delivery(source="bitrix24", body=urlencode({**fields, **secrets}).encode(), url=URL, received_at=AT)
    try:
        events = bitrix24().parse(delivery)
    except Unreadable:
        return

    assert bitrix24().parse(bitrix24().storable(delivery)) == events


# What nobody must read later.

TOKENS = {
    "auth__access_token": "s6p6eclrvim6da22ft9ch94ekreb52lv",
    "auth__refresh_token": "4s386p3q0tr8dy89xvmt96234v3dljg8",
    "event_token": "run|A1|MS1ekdI0CvXi8ycL8qNIn96hak8JEndG.54020ce2",
}


def test_tokens_are_cut_out_of_what_is_kept_and_nothing_else_is(delivered):
    kept = bitrix24().storable(delivered(robot(workflow_id="run", code="call", auth__application_token=SECRET, **TOKENS)))
    told = parse_qs(kept.body.decode())

    assert {told[f"auth[{name}]"][0] for name in ("access_token", "refresh_token", "application_token")} == {HIDDEN}
    assert (told["event_token"], told["auth[member_id]"], told["document_id[2]"]) == ([f"run|A1|{HIDDEN}"], [MEMBER], ["DEAL_555"])


def test_a_token_anywhere_in_a_body_is_cut_out(delivered):
    kept = bitrix24().storable(delivered(form(event="ONIMBOTMESSAGEADD", data__BOT__15010__access_token="1f21ce640065e1fe00586b10")))

    assert b"1f21ce640065e1fe00586b10" not in kept.body


@pytest.mark.parametrize("token", ["", "D", "DEAL"])
def test_what_is_too_short_for_a_token_tears_nothing_apart(token, delivered):
    assert bitrix24().storable(delivered(robot(auth__access_token=token))).body == robot(auth__access_token=token).encode()


@pytest.mark.parametrize("body", [b"", b"\xff", b"auth=x", b"auth%5Baccess_token%5D%5B%5D=a", b"[" * 5000, b"a=b&" * 6000])
def test_secrets_are_looked_for_in_any_body(body, delivered):
    assert list(bitrix24().secrets_in(delivered(body))) in ([], ["a"])


# Look-ups.


def at(minutes: float) -> str:
    """A time as the portal writes it, so many minutes after the webhook was sent."""
    return (AT + timedelta(minutes=minutes)).isoformat()


def item(**fields: object) -> dict:
    times = {"createdTime": at(-99999), "updatedTime": at(0), "movedTime": at(-99999)}
    return {"result": {"item": {"id": 555, "stageId": "EXECUTING", "contactId": 0, "contactIds": [], **times, **fields}}}


def phone(value: str, kind: str = "WORK") -> dict:
    return {"id": 1, "valueType": kind, "value": value, "typeId": "PHONE"}


def person(*phones: dict, **more: object) -> dict:
    emails = [{"id": 2, "valueType": "WORK", "value": "alex@example.com", "typeId": "EMAIL"}]
    return {"result": {"item": {"id": 84, "name": "Alex", "lastName": "Doe", "fm": [*phones, *emails], "updatedTime": at(-60), **more}}}


NOT_FOUND = {"error": "NOT_FOUND", "error_description": "Элемент не найден"}


def test_a_lead_is_read_with_its_own_numbers(told, look_up, sample, answering):
    event, (asked,) = look_up(bitrix24(), told(webhook("ONCRMLEADADD", "250")), answering(sample("bitrix24/api_crm_item_get_response.json")))

    assert event.contact == Contact(name="Админ Админов", phone="+6111111111", phones=("+6111111111",), email="admin@example.com")
    assert (event.type, event.stage, event.refs) == ("lead.created", None, ("lead:250", "phone:+6111111111"))
    assert (event.fields["stageId"], event.fields["ID"]) == ("IN_PROCESS", "250")
    assert (asked.method, asked.url) == ("POST", "https://acme.bitrix24.com/rest/1/abc123abc123abc1/crm.item.get.json")
    assert json.loads(asked.body) == {"entityTypeId": 1, "id": "250", "useOriginalUfNames": "Y"}


def test_a_deal_is_read_and_then_its_first_contact(told, look_up, answering):
    answers = (answering(item(contactId=84, contactIds=[84, 85])), answering(person(phone(WORK), phone("8 916 123-45-67", "MOBILE"))))
    event, asked = look_up(bitrix24(), told(webhook("ONCRMDEALADD")), *answers)

    assert [json.loads(each.body) for each in asked] == [
        {"entityTypeId": 2, "id": "555", "useOriginalUfNames": "Y"},
        {"entityTypeId": 3, "id": "84", "useOriginalUfNames": "Y"},
    ]
    assert event.contact == Contact(id="84", name="Alex Doe", phone=MOBILE, phones=(MOBILE, WORK), email="alex@example.com")
    assert event.refs == ("deal:555", "contact:84", "contact:85", f"phone:{MOBILE}", f"phone:{WORK}")
    assert "fm" not in event.fields


def test_a_contact_is_read_by_its_id(told, look_up, answering):
    event, asked = look_up(bitrix24(), told(webhook("ONCRMCONTACTADD", "84")), answering(person(phone(MOBILE))))

    assert (len(asked), event.contact.id, event.contact.phone, event.refs) == (1, "84", MOBILE, ("contact:84", f"phone:{MOBILE}"))


def test_a_lead_of_somebody_known_is_called_under_the_contacts_number(told, look_up, answering):
    answers = (answering(item(name="Alex", contactId=84)), answering(person(phone(MOBILE))))
    event, asked = look_up(bitrix24(), told(webhook("ONCRMLEADADD")), *answers)

    assert (len(asked), event.contact.id, event.contact.phone) == (2, "84", MOBILE)


def test_a_lead_without_a_number_and_without_a_contact_has_no_more_than_a_name(told, look_up, answering):
    event, _ = look_up(bitrix24(), told(webhook("ONCRMLEADADD")), answering(item(name="Alex", fm=[])))

    assert event.contact == Contact(name="Alex")


@pytest.mark.parametrize("nobody", [{}, {"contactId": 0}, {"contactId": None, "contactIds": None}, {"contactIds": {}}])
def test_a_deal_without_a_contact_has_nobody_to_call(nobody, told, look_up, answering):
    event, asked = look_up(bitrix24(), told(webhook("ONCRMDEALADD")), answering(item(**nobody)))

    assert (event.contact, len(asked), event.refs) == (None, 1, ("deal:555",))


def test_a_fax_and_a_pager_are_not_called(told, look_up, answering):
    rows = [phone("+74951111111", "FAX"), phone("+74952222222", "PAGER"), phone(WORK, "HOME"), {"typeId": "PHONE"}, None]
    event, _ = look_up(bitrix24(), told(webhook("ONCRMCONTACTADD", "84")), answering(person(*rows)))

    assert event.contact.phones == (WORK,)


def test_the_number_that_was_told_is_called_while_it_is_theirs(told, look_up, answering):
    known = told(webhook("ONCRMCONTACTADD", "84")).knowing(contact=Contact(id="84", phone=WORK, phones=(WORK,)))
    event, _ = look_up(bitrix24(), known, answering(person(phone(MOBILE, "MOBILE"), phone(WORK))))

    assert (event.contact.phone, event.contact.phones) == (WORK, (MOBILE, WORK))


@pytest.mark.parametrize("kind", ["LEAD", "DEAL"])
@pytest.mark.parametrize("minutes", [-14, -1, 0, 30])
def test_an_update_of_a_record_that_was_just_moved_is_a_change_of_stage(kind, minutes, told, look_up, answering):
    event, _ = look_up(bitrix24(), told(webhook(f"ONCRM{kind}UPDATE")), answering(item(movedTime=at(minutes), previousStageId="NEW")))

    assert (event.type, event.stage) == (f"{kind.lower()}.stage_changed", Stage(after="EXECUTING", before="NEW"))
    assert event.occurred_at == AT + timedelta(minutes=minutes)
    assert bitrix24().could_become(told(webhook(f"ONCRM{kind}UPDATE"))) == (event.type,)


@pytest.mark.parametrize(
    "record",
    [
        {"movedTime": at(-16)},
        {"movedTime": at(0), "createdTime": at(0)},
        {"movedTime": at(0), "createdTime": at(1)},
        {"movedTime": None},
        {"movedTime": at(0), "stageId": None},
    ],
)
def test_an_update_of_any_other_record_stays_one(record, told, look_up, answering):
    event, _ = look_up(bitrix24(), told(webhook()), answering(item(**record)))

    assert (event.type, event.stage, event.occurred_at) == ("deal.updated", None, AT)


def test_a_record_that_was_moved_right_after_it_was_made_is_still_a_new_one(told, look_up, answering):
    event, _ = look_up(bitrix24(), told(webhook("ONCRMDEALADD")), answering(item(createdTime=at(-1), movedTime=at(0))))

    assert (event.type, event.stage) == ("deal.created", None)
    assert bitrix24().could_become(event) == ()


def facts(look_up, *events: Event, answer) -> set[str]:
    return {look_up(bitrix24(), event, answer)[0].fact for event in events}


def test_every_way_of_telling_one_move_tells_one_fact(told, look_up, answering):
    ways = [
        told(webhook()),
        told(webhook(event_handler_id="2", ts=str(int(TS) + 7))),
        told(webhook("ONCRMDEALMOVETOCATEGORY", data__FIELDS__STAGE_ID="EXECUTING")),
        told(robot()),
        told(robot(), url=f"{URL}?stage=EXECUTING"),
        told(robot(workflow_id="664fa13bbbb410.99176768", code="call", ts=TS)),
    ]
    answer = answering(item(movedTime=at(-1)))

    assert facts(look_up, *ways, answer=answer) == {f"bitrix24:{MEMBER}:deal:555:stage%E2%86%92EXECUTING:2026-11-23T08%3A39%3A00Z"}
    assert {look_up(bitrix24(), event, answer)[0].window for event in ways} == {None}


def test_the_next_move_is_another_fact(told, look_up, answering):
    moves = [item(movedTime=at(0)), item(movedTime=at(1)), item(movedTime=at(0), stageId="WON")]

    assert len({look_up(bitrix24(), told(webhook()), answering(move))[0].fact for move in moves}) == 3


def test_what_was_told_of_another_stage_keeps_its_own_fact(told, look_up, answering):
    before = told(robot(), url=f"{URL}?stage=NEW")
    event, _ = look_up(bitrix24(), before, answering(item(movedTime=at(0))))

    assert (event.fact, event.stage, event.window) == (before.fact, Stage(after="NEW"), timedelta(minutes=1))


def test_a_robot_that_comes_long_after_the_move_tells_a_fact_of_its_own(told, look_up, answering):
    for before in (told(robot()), told(robot(), url=f"{URL}?stage=EXECUTING"), told(robot("CONTACT_84"))):
        event, _ = look_up(bitrix24(), before, answering(item(movedTime=at(-300), updatedTime=at(-1))))

        assert (event.fact, event.type, event.occurred_at) == (before.fact, before.type, None)


def test_an_edit_that_two_handlers_tell_is_one_fact(told, look_up, answering):
    twice = [told(webhook("ONCRMCONTACTUPDATE", "84")), told(webhook("ONCRMCONTACTUPDATE", "84", ts=str(int(TS) + 3)))]

    assert len({event.id for event in twice}) == 2
    assert facts(look_up, *twice, answer=answering(person(phone(MOBILE)))) == {f"bitrix24:{MEMBER}:contact:84:updated:2026-11-23T07%3A40%3A00Z"}


def test_an_update_that_comes_with_a_creation_is_the_same_fact(told, look_up, answering):
    created, updated = told(webhook("ONCRMCONTACTADD", "84")), told(webhook("ONCRMCONTACTUPDATE", "84"))
    event, _ = look_up(bitrix24(), updated, answering(person(phone(MOBILE), createdTime=at(-60))))

    assert (event.fact, event.type) == (created.fact, "contact.updated")


def test_looking_twice_changes_nothing_more(told, look_up, answering):
    answers = (answering(item(movedTime=at(-1), contactId=84)), answering(person(phone(MOBILE))))
    once, _ = look_up(bitrix24(), told(webhook()), *answers)

    assert look_up(bitrix24(), once, *answers)[0] == once


@pytest.mark.parametrize("gone", ["deal:555", "contact:84"])
def test_a_record_that_is_gone_ends_the_look_up_for_good(gone, told, look_up, answering):
    before = [answering(item(contactId=84))] if gone.startswith("contact") else []

    with pytest.raises(LookupFailed, match=f"{gone} does not exist in Bitrix24 any more") as failed:
        look_up(bitrix24(), told(webhook()), *before, answering(NOT_FOUND, 400))

    assert failed.value.final


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("<html>Not Found</html>", 404),
        ({"error": "ERROR_METHOD_NOT_FOUND"}, 404),
        ({"error": "NOT_FOUND"}, 500),
        ({"result": {}}, 200),
        ({"result": {"item": None}}, 200),
        ({"result": []}, 200),
        ("", 200),
        ({"error": "", "error_description": "Parameter"}, 400),
    ],
)
def test_any_other_answer_does_not_mean_that_it_is_gone(body, status, told, look_up, answering):
    with pytest.raises(LookupFailed) as failed:
        look_up(bitrix24(), told(webhook()), answering(body, status))

    assert (failed.value.final, failed.value.parked) == (False, False)


@pytest.mark.parametrize(
    ("error", "wait", "parked"),
    [
        ((503, "QUERY_LIMIT_EXCEEDED"), 1, False),
        ((429, "OPERATION_TIME_LIMIT"), 60, False),
        ((503, "OVERLOAD_LIMIT"), None, True),
        ((503, ""), None, False),
        ((500, "INTERNAL_SERVER_ERROR"), None, False),
        ((400, "ACCESS_DENIED"), None, True),
        ((403, "ACCESS_DENIED"), None, True),
        ((403, "insufficient_scope"), None, True),
        ((401, "NO_AUTH_FOUND"), None, True),
        ((401, "expired_token"), None, True),
    ],
)
def test_the_code_of_an_error_says_what_helps(error, wait, parked, answering):
    status, code = error
    with pytest.raises(LookupFailed) as failed:
        bitrix24().judge(answering({"error": code, "error_description": "…"}, status))

    assert (failed.value.retry_after, failed.value.parked, failed.value.final) == (wait, parked, False)
    assert "abc123" not in failed.value.message


@pytest.mark.parametrize(
    ("event", "settings", "possible"),
    [
        ("ONCRMDEALUPDATE", {}, True),
        ("ONCRMLEADADD", {}, True),
        ("ONCRMCONTACTUPDATE", {}, True),
        ("ONCRMDEALDELETE", {}, False),
        ("ONCRMCOMPANYUPDATE", {}, False),
        ("ONAPPTEST", {}, False),
        ("ONCRMDEALUPDATE", {"api_token": None}, False),
        ("ONCRMDEALUPDATE", {"api_token": None, "api_base": "https://acme.bitrix24.com", **APPLICATION}, True),
    ],
)
def test_only_what_bitrix24_could_tell_is_asked(event, settings, possible, told):
    source = bitrix24(**settings)

    assert source.can_look_up(told(webhook(event), source=source)) is possible
    assert (source.probe() is not None) is bool(source.api_token)


def test_what_is_no_record_is_returned_as_it_came(told, look_up):
    event = told(webhook("ONCRMCOMPANYUPDATE"))

    assert look_up(bitrix24(), event) == (event, [])


def test_an_update_that_cannot_be_looked_up_becomes_nothing(told):
    assert bitrix24(api_token=None).prospect(told(webhook())).types == ()
    assert bitrix24().prospect(told(webhook())).types == ("deal.stage_changed",)


def test_the_portal_is_asked_no_oftener_than_every_plan_allows():
    assert Bitrix24.lookup_rate.count / Bitrix24.lookup_rate.seconds <= 2


# A second look.


@pytest.mark.parametrize(("stage", "says"), [("EXECUTING", None), ("WON", "deal:555 is in stage WON now, not in EXECUTING any more")])
def test_a_deal_that_has_moved_on_is_superseded(stage, says, told, look_up, answering):
    before, _ = look_up(bitrix24(), told(webhook()), answering(item(movedTime=at(0))))
    fresh, _ = look_up(bitrix24(), before, answering(item(movedTime=at(0 if says is None else 5), stageId=stage)))

    assert bitrix24().superseded(before, fresh) == says


def test_a_contact_with_another_number_is_superseded(told, look_up, answering):
    before, _ = look_up(bitrix24(), told(webhook("ONCRMCONTACTADD", "84")), answering(person(phone(MOBILE))))
    fresh, _ = look_up(bitrix24(), before, answering(person(phone(WORK))))

    assert bitrix24().superseded(before, fresh) == "the number of contact:84 in Bitrix24 is another one now"


# Over HTTP.


def test_a_deal_is_looked_up_through_an_incoming_webhook(told, fake_crm, crm_api, answering):
    source = bitrix24(api_token=f"{fake_crm.url}/rest/1/abc123abc123abc1/")
    fake_crm.answer(answering(item(movedTime=at(-1), contactId=84)), answering(person(phone(MOBILE))))
    event = crm_api.converse(source, source.look_up(told(webhook()), ()))

    assert (event.type, event.contact.phone) == ("deal.stage_changed", MOBILE)
    assert [each.url for each in fake_crm.asked] == ["/rest/1/abc123abc123abc1/crm.item.get.json"] * 2


def test_a_portal_that_is_asked_too_often_says_so_with_a_503(told, fake_crm, crm_api, answering):
    source = bitrix24(api_token=f"{fake_crm.url}/rest/1/abc123abc123abc1")
    fake_crm.answer(answering({"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"}, 503))

    with pytest.raises(LookupFailed, match="too many requests") as failed:
        crm_api.converse(source, source.look_up(told(webhook()), ()))

    assert failed.value.retry_after == 1


def test_an_incoming_webhook_that_was_deleted_parks_the_event(told, fake_crm, crm_api, answering):
    source = bitrix24(api_token=f"{fake_crm.url}/rest/1/abc123abc123abc1")
    fake_crm.answer(answering({"error": "INVALID_CREDENTIALS", "error_description": "Invalid request credentials"}, 401))

    with pytest.raises(LookupFailed, match="refused api_token") as failed:
        crm_api.converse(source, source.look_up(told(webhook()), ()))

    assert failed.value.parked
    assert "abc123" not in str(failed.value)


def test_a_probe_asks_for_one_contact(fake_crm, crm_api, answering):
    source = bitrix24(api_token=f"{fake_crm.url}/rest/1/abc123abc123abc1")
    fake_crm.answer(answering({"result": {"items": []}}))

    crm_api.probe(source, source.probe())

    assert fake_crm.asked[0].url == "/rest/1/abc123abc123abc1/crm.item.list.json"


@pytest.fixture
def oauth_api(redis):
    """The worker's own client, with a ledger to keep tokens in."""
    with closing(CrmApi(timedelta(seconds=2), pool_size=2, store=TokenStore(redis))) as api:
        yield api


def application(url: str) -> Bitrix24:
    return bitrix24(api_token=None, api_base=url, oauth_base=url, **APPLICATION)


def tokens(number: int) -> dict:
    return {"access_token": f"access-{number}", "refresh_token": f"refresh-{number + 1}", "expires_in": 3600, "member_id": MEMBER, "domain": "x"}


def test_an_application_trades_its_refresh_token_and_asks_with_what_it_got(told, fake_crm, oauth_api, answering):
    source = application(fake_crm.url)
    fake_crm.answer(answering(tokens(1)), answering(item(movedTime=at(-1))))
    event = oauth_api.converse(source, source.look_up(told(webhook()), ()))
    renewal, asked = fake_crm.asked

    assert event.type == "deal.stage_changed"
    assert (renewal.method, urlsplit(renewal.url).path) == ("GET", "/oauth/token/")
    assert parse_qs(urlsplit(renewal.url).query) == {name: [value] for name, value in {"grant_type": "refresh_token", **APPLICATION}.items()}
    assert (asked.url, json.loads(asked.body)["auth"]) == ("/rest/crm.item.get.json", "access-1")


def test_a_token_that_has_expired_is_renewed_with_the_newest_refresh_token(told, fake_crm, oauth_api, answering):
    source = application(fake_crm.url)
    expired = answering({"error": "expired_token", "error_description": "The access token provided has expired."}, 401)
    fake_crm.answer(answering(tokens(1)), expired, answering(tokens(2)), answering(item()))
    oauth_api.converse(source, source.look_up(told(webhook()), ()))

    assert parse_qs(urlsplit(fake_crm.asked[2].url).query)["refresh_token"] == ["refresh-2"]
    assert json.loads(fake_crm.asked[3].body)["auth"] == "access-2"


def test_an_application_that_was_removed_parks_the_event(told, fake_crm, oauth_api, answering):
    source = application(fake_crm.url)
    fake_crm.answer(answering({"error": "invalid_grant", "error_description": "…"}, 400))

    with pytest.raises(LookupFailed, match=r"does not renew the token \(invalid_grant\)") as failed:
        oauth_api.converse(source, source.look_up(told(webhook()), ()))

    assert failed.value.parked
    assert not any(secret in str(failed.value) for secret in APPLICATION.values())
