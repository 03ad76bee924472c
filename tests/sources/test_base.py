"""What adapters share: times, ids, settings and numbers; judging answers; what a second look finds."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bridge.errors import LookupFailed, Refusal, Unreadable, Unverified
from bridge.model import Contact, Entity, Event, HttpResponse, Receipt, Stage
from bridge.sources.base import ApiBase, Source, SourceSettings
from bridge.sources.values import (
    answer,
    answer_about,
    basic_credentials,
    fingerprint,
    first,
    joined,
    keeping,
    listed,
    mapping,
    moment,
    named_texts,
    phone_refs,
    refs,
    restated,
    retry_after,
    rows,
    seconds,
    text,
    with_people,
)

PRIMARY, MOBILE, UNREADABLE = "+12813322575", "+12813322576", "call after five"


class Toy(Source):
    """An adapter that overrides nothing it need not."""

    kind = "toy"
    title = "Toy CRM"

    def verify(self, delivery, now):
        del delivery, now
        self.require_secret()

    def parse(self, delivery):
        raise NotImplementedError

    def sign(self, body, url, now):
        raise NotImplementedError

    def stage_now(self, before, fresh):
        del before
        return text(fresh.fields.get("stage"))


def toy(**settings) -> Toy:
    return Toy("toy", SourceSettings(kind="toy", **settings))


def an_event(**more) -> Event:
    told = {"source": "toy", "kind": "toy", "id": "1", "type": "deal.updated", "fact": "f", "received_at": datetime(2026, 11, 23, tzinfo=UTC)}
    return Event(**{**told, "entity": Entity("deal", "555"), **more})


# Times, ids, credentials.


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-23T08:40:00.123Z",
        "2026-11-23T08:40:00.123456Z",
        "2026-11-23T10:40:00.123+02:00",
        "2026-11-23 08:40:00.123",
        " 2026-11-23T08:40:00.123Z ",
        1795423200.123,
        "1795423200.123",
        1795423200123,
        "1795423200123",
        1795423200123456,
    ],
    ids=repr,
)
def test_a_time_is_read_in_every_spelling(written):
    assert moment(written) == datetime(2026, 11, 23, 8, 40, 0, 123000, tzinfo=UTC)


@pytest.mark.parametrize(
    "written", [None, "", " ", "now", True, [], {}, 12, 0, -1795423200, "1795", "0001-01-01T00:00:00Z", "9999-12-31", 10**15 * 9], ids=repr
)
def test_what_is_no_time_of_our_age_is_none(written):
    assert moment(written) is None


@given(st.datetimes(datetime(1991, 1, 1), datetime(2190, 1, 1), timezones=st.timezones()))  # noqa: DTZ001 -- the zones are drawn beside
def test_a_time_is_the_same_however_it_is_written(when):
    written = when.astimezone(UTC)
    exact = written - timedelta(microseconds=written.microsecond % 1000)
    milliseconds = (exact - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)

    assert moment(when.isoformat()) == exact
    assert moment(milliseconds) == exact


@pytest.mark.parametrize(
    ("value", "expected"), [(7, "7"), (" 7 ", "7"), ("", None), (" ", None), (0, "0"), (True, None), (1.5, None), (None, None), ([7], None)]
)
def test_an_id_is_text_whatever_its_type(value, expected):
    assert text(value) == expected


@pytest.mark.parametrize(("value", "expected"), [("7", 7.0), (None, None), ("", None), ("-1", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)])
def test_a_retry_after_is_read_where_it_is_seconds(value, expected):
    assert seconds(value) == expected


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC "])
def test_basic_credentials_are_read_whatever_the_spelling_of_the_scheme(scheme):
    header = f" {scheme} {base64.b64encode(b'user:pass:word').decode()} "

    assert basic_credentials(header) == b"user:pass:word"


@pytest.mark.parametrize("header", [None, "", "Basic", "Basic !", "Bearer dXNlcjpwYXNz", "Basic dXNlcjpwYXN"])
def test_what_is_no_basic_header_gives_no_credentials(header):
    assert not basic_credentials(header)


def test_a_fingerprint_does_not_depend_on_the_order_of_names():
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})
    assert fingerprint({"a": 1, "b": [1, 2]}) != fingerprint({"a": 1, "b": [2, 1]})


@pytest.mark.parametrize("value", [None, [], "text", 1])
def test_what_is_no_object_counts_as_an_empty_one(value):
    assert mapping(value) == {}


@pytest.mark.parametrize("value", [None, {}, "text", 1])
def test_what_is_no_array_counts_as_an_empty_one(value):
    assert (listed(value), rows(value)) == ([], [])


def test_of_an_array_only_its_objects_are_rows():
    assert rows([{"id": 1}, "text", None, [2], {}]) == [{"id": 1}, {}]


def test_the_first_that_has_something_in_it_counts():
    assert first([None, " ", False, 0, "7"]) == "0"
    assert first([]) is None


@pytest.mark.parametrize(("parts", "name"), [(("Alex", "Lee"), "Alex Lee"), ((None, " Lee "), "Lee"), ((None, ""), None), ((), None)])
def test_a_name_is_joined_of_what_is_told_of_it(parts, name):
    assert joined(*parts) == name


def test_texts_are_found_at_any_depth_by_the_name_they_go_by():
    told = {"a": "1", "b": [{"c": "2"}, "3", 4], "d": {"e": {"f": "5"}}}

    assert list(named_texts(told)) == [("a", "1"), ("c", "2"), ("b", "3"), ("f", "5")]


# Settings.


@pytest.mark.parametrize("secret", ["s3cret", ["s3cret"], ("s3cret", " ")])
def test_a_secret_may_stand_alone_or_in_a_list_and_a_blank_one_is_none(secret):
    assert toy(secret=secret).secrets == ["s3cret"]


@pytest.mark.parametrize("secret", [(), "", [" "]])
def test_without_a_secret_verification_fails_closed(secret, delivered, now):
    with pytest.raises(Unverified) as refused:
        toy(secret=secret).verify(delivered("{}"), now)

    assert refused.value.refusal is Refusal.NO_SECRET


def unreadable() -> list[str]:
    raise Unreadable("the body is not JSON")


def test_an_account_is_asked_for_where_one_is_configured():
    toy().verify_account("account", None, unreadable)
    toy().verify_account("account", "acme", lambda: ["7", None, "acme"])


@pytest.mark.parametrize(
    ("told", "says"), [(["7", "other"], "account is 7 or other"), (["ACME"], "account is ACME"), ([None, ""], "not told"), ([], "not told")]
)
def test_another_account_is_refused(told, says):
    with pytest.raises(Unverified, match=f"{says}.*takes acme") as refused:
        toy().verify_account("account", "acme", lambda: told)

    assert refused.value.refusal is Refusal.WRONG_ACCOUNT


def test_a_body_whose_account_cannot_be_read_is_left_to_parse():
    toy().verify_account("account", "acme", unreadable)


def test_what_a_crm_calls_a_secret_is_cut_out_where_it_is_long_enough_to_be_one(delivered):
    crm = toy(secret="own")
    crm.secrets_in = lambda _: ["", "lead", "12345678"]

    kept = crm.storable(delivered("own lead 12345678", {"x-other": "12345678"}))

    assert (kept.body, kept.headers["x-other"]) == (b"*** lead ***", "***")


def test_a_short_secret_is_cut_out_where_it_is_a_word_and_leaves_other_words_alone(delivered):
    kept = toy(secret="s").storable(delivered('{"type": "deal.stage_changed", "secret": "s", "id": "s-1"}'))

    assert kept.body == b'{"type": "deal.stage_changed", "secret": "***", "id": "s-1"}'


def test_a_crm_that_wants_200_is_told_so_with_the_receipts(delivered):
    crm, receipts = toy(), [Receipt(id="1", key="crm:1", status="queued", reason="")]

    assert crm.acknowledge(receipts, delivered("{}")) is None
    crm.wants_200 = True
    reply = crm.acknowledge(receipts, delivered("{}"))

    assert (reply.status, json.loads(reply.body)) == (200, {"status": "accepted", "events": [{"id": "1", "status": "queued"}]})


@pytest.mark.parametrize(
    ("event", "possible"),
    [
        ({}, True),
        ({"entity": Entity("order", "1")}, False),
        ({"entity": None}, False),
        ({"type": "deal.deleted"}, False),
    ],
)
def test_what_is_looked_up_is_there_and_of_a_type_that_the_adapter_reads(event, possible):
    crm = toy(api_token="t0ken")
    crm.looked_up = {"deal"}

    assert crm.can_look_up(an_event(**event)) is possible


def test_a_secret_made_of_digits_is_text():
    assert toy(secret=1234, api_token=5678).api_token == "5678"
    assert toy(secret=1234).secrets == ["1234"]


def test_a_region_must_be_a_country():
    with pytest.raises(ValidationError, match="ISO 3166"):
        toy(region="Narnia")


class WithApi(SourceSettings):
    api_base: ApiBase = "https://api.example.com"


def test_the_address_of_an_api_may_end_in_a_slash():
    assert WithApi(kind="toy", api_base="https://crm.example.com/").api_base == "https://crm.example.com"


@pytest.mark.parametrize("address", ["crm.example.com", "ftp://crm.example.com", "https://", ""])
def test_the_address_of_an_api_must_be_one(address):
    with pytest.raises(ValidationError, match="https://"):
        WithApi(kind="toy", api_base=address)


# People.


def test_numbers_are_read_with_the_country_of_the_source_and_listed_once():
    contact = toy(region="US").contact("(281) 332-2575", "+1 281 332 2575", 12813322576, None, " ", True)

    assert contact == Contact(phone=PRIMARY, phones=(PRIMARY, MOBILE))


def test_the_number_to_call_is_the_first_that_can_be_read():
    assert toy(region="US").contact(UNREADABLE, PRIMARY) == Contact(phone=PRIMARY, phones=(UNREADABLE, PRIMARY))


def test_a_number_that_cannot_be_read_stays_as_it_was_written_and_ties_nobody_together():
    contact = toy().contact(UNREADABLE, id="7")

    assert contact == Contact(id="7", phone=UNREADABLE, phones=(UNREADABLE,))
    assert phone_refs(contact) == ()


def test_every_readable_number_ties_a_person_together():
    assert phone_refs(toy().contact(PRIMARY, UNREADABLE, MOBILE)) == (f"phone:{PRIMARY}", f"phone:{MOBILE}")
    assert phone_refs(None) == ()


def test_refs_are_records_people_and_numbers_each_once_in_the_order_given():
    person = toy().contact(PRIMARY, UNREADABLE, id="7")

    assert refs(Entity("deal", "555"), None, person, Entity("contact", "7")) == ("deal:555", "contact:7", f"phone:{PRIMARY}")
    assert refs(Contact(), None) == ()


# Whom a record is about.


def called(told: Contact | None, *people: Contact) -> Contact | None:
    return with_people(an_event(contact=told), people).contact


ALEX, SAM = Contact(id="1", phone=PRIMARY, phones=(PRIMARY,)), Contact(id="2", phone=MOBILE, phones=(MOBILE,))


def test_the_first_of_several_people_who_has_a_number_is_called_and_all_are_refs():
    event = with_people(an_event(), [Contact(id="0"), SAM, ALEX])

    assert event.contact == SAM
    assert event.refs[-5:] == ("contact:0", "contact:2", f"phone:{MOBILE}", "contact:1", f"phone:{PRIMARY}")


def test_who_was_told_comes_first():
    assert called(Contact(id="2"), ALEX, SAM) == SAM
    assert called(Contact(id="0"), Contact(id="0"), ALEX) == ALEX


def test_who_was_told_with_a_number_is_not_swapped_for_another_person():
    assert called(SAM, ALEX, Contact(id="2")) == Contact(id="2")


def test_who_was_told_and_is_not_there_any_more_is_not_called():
    assert called(SAM, ALEX) == ALEX
    assert called(SAM) is None


def test_somebody_of_whom_nothing_is_known_is_nobody():
    assert called(None, Contact()) is None
    assert called(Contact(phone=MOBILE), Contact(), ALEX) == ALEX


# Answers of an API.


@pytest.mark.parametrize("status", [200, 207, 299, 404])
def test_an_answer_that_an_adapter_can_read_is_passed_on(status):
    toy().judge(HttpResponse(status))


@pytest.mark.parametrize(("status", "parked"), [(429, False), (401, True), (403, True), (302, False), (400, False), (500, False), (503, False)])
def test_an_answer_that_no_adapter_can_read_fails_the_look_up(status, parked):
    with pytest.raises(LookupFailed) as failed:
        toy(api_token="t0ken").judge(HttpResponse(status))

    assert (failed.value.parked, failed.value.final) == (parked, False)
    assert "t0ken" not in str(failed.value)


@pytest.mark.parametrize("status", [429, 477, 503])
def test_a_crm_says_when_it_may_be_asked_again(status):
    with pytest.raises(LookupFailed) as failed:
        toy().judge(HttpResponse(status, {"retry-after": "7"}))

    assert failed.value.retry_after == 7


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "Tue, 23 May 2023 14:42:01 GMT", "date": "Tue, 23 May 2023 14:41:58 GMT"}, 3),
        ({"retry-after": "Tue, 23 May 2023 14:41:58 GMT", "date": "Tue, 23 May 2023 14:42:01 GMT"}, 0),
        ({"retry-after": "Tue, 23 May 2023 14:42:01 GMT"}, None),
        ({"retry-after": "7", "date": "Tue, 23 May 2023 14:42:01 GMT"}, 7),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_when_to_ask_again_may_be_told_as_a_date_by_the_answers_own_clock(headers, wait):
    assert retry_after(HttpResponse(429, headers)) == wait


@pytest.mark.parametrize(("status", "headers", "wait"), [(429, {}, 9), (429, {"retry-after": "7"}, 7), (503, {}, None)])
def test_a_crm_that_does_not_say_when_is_left_alone_for_as_long_as_its_adapter_says(status, headers, wait):
    crm = toy()
    crm.lookup_pause = 9

    with pytest.raises(LookupFailed) as failed:
        crm.judge(HttpResponse(status, headers))

    assert failed.value.retry_after == wait


def test_only_a_404_in_json_is_the_apis_own():
    with pytest.raises(LookupFailed, match="deal:555 does not exist in Toy CRM any more") as gone:
        answer_about(HttpResponse(404, {}, "{}"), "deal:555", "Toy CRM")
    with pytest.raises(LookupFailed, match="not JSON") as elsewhere:
        answer_about(HttpResponse(404, {}, "<html>"), "deal:555", "Toy CRM")

    assert (gone.value.final, elsewhere.value.final) == (True, False)
    assert answer_about(HttpResponse(200, {}, '{"id": 555}'), "deal:555", "Toy CRM") == {"id": 555}


def test_a_fact_that_is_restated_stays_about_the_same_record():
    assert restated(an_event(fact="toy:acme:deal:555:updated:1"), "stage→9", None) == "toy:acme:deal:555:stage%E2%86%929:%"


@pytest.mark.parametrize("body", ["", "<html>", "[1]", '"text"', "null", '{"a": 1'])
def test_an_answer_that_is_no_json_object_fails_the_look_up(body):
    with pytest.raises(LookupFailed, match="not"):
        answer(HttpResponse(200, {}, body))


def test_an_adapter_without_an_api_asks_nothing(look_up):
    event = an_event()
    conversation = toy().look_up(event, ("name",))

    with pytest.raises(StopIteration) as ended:
        next(conversation)

    assert not toy(api_token="t0ken").can_look_up(event)
    assert ended.value.value == event


# A second look, just before the call.


def seen_again(before: dict, fresh: dict) -> str | None:
    return toy(region="US").superseded(an_event(**before), an_event(**fresh))


@pytest.mark.parametrize(
    ("before", "fresh"),
    [
        ({}, {}),
        ({}, {"contact": Contact(phone=PRIMARY, phones=(PRIMARY,))}),
        ({"contact": Contact(id="1", name="Alex")}, {"contact": None}),
        ({"contact": Contact(phone=PRIMARY)}, {"contact": Contact(phone=MOBILE, phones=(MOBILE, PRIMARY))}),
        ({"contact": Contact(phone="(281) 332-2575")}, {"contact": Contact(phone=PRIMARY, phones=(PRIMARY,))}),
        ({"stage": Stage(after="won")}, {"stage": Stage(after="won"), "fields": {"stage": "won"}}),
        ({"stage": Stage(before="won")}, {"fields": {"stage": "lost"}}),
        ({}, {"fields": {"stage": "lost"}}),
    ],
)
def test_what_is_still_true_goes_on(before, fresh):
    assert seen_again(before, fresh) is None


@pytest.mark.parametrize(
    ("before", "fresh", "says"),
    [
        ({"stage": Stage(after="won")}, {"fields": {"stage": "lost"}}, "deal:555 is in stage lost now, not in won any more"),
        ({"stage": Stage(after="won")}, {"fields": {}}, "deal:555 is in no stage now, not in won any more"),
        (
            {"contact": Contact(phone=PRIMARY)},
            {"contact": Contact(phone=MOBILE, phones=(MOBILE,))},
            "the number of deal:555 in Toy CRM is another one now",
        ),
        ({"contact": Contact(phone=PRIMARY)}, {"contact": Contact(id="1")}, "deal:555 has no number in Toy CRM any more"),
        ({"contact": Contact(phone=PRIMARY)}, {"contact": None}, "deal:555 has no number in Toy CRM any more"),
    ],
)
def test_what_has_changed_is_said_in_one_sentence_without_the_number(before, fresh, says):
    assert seen_again(before, fresh) == says


def test_the_number_that_was_told_stays_the_one_to_call_while_it_is_theirs():
    fresh = Contact(id="1", phone=PRIMARY, phones=(PRIMARY, MOBILE))

    assert keeping(fresh, Contact(phone=MOBILE)) == replace(fresh, phone=MOBILE)


@pytest.mark.parametrize("told", [None, Contact(), Contact(phone="+12813322577")])
def test_another_number_than_theirs_is_not_kept(told):
    fresh = Contact(id="1", phone=PRIMARY, phones=(PRIMARY, MOBILE))

    assert keeping(fresh, told) == fresh
