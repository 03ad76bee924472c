"""``/events`` and ``/person``: finding, looking, foreseeing, replaying, cancelling."""

from datetime import timedelta

import pytest

from bridge.concealing import Concealer
from bridge.explaining import Explainer
from bridge.ledger import Wanted
from bridge.model import Status
from bridge.web.api.veil import Veil

NASTY = [
    "a/b",
    "a//b//",
    "../../whoami",
    "a/../b",
    "100%",
    "%2F",
    "%252F",
    "a?b#c",
    "a:b:%:c",
    "x/replay",
    "x/delivery",
    "x/related",
    "x/replay/replay",
    "replay",
    "/",
    ".",
    "..",
    "a&b=c;d,e+f",
    "'\"<script>",
    "a\\b",
    "~{}[]^`|",
    "z" * 190,
]


def keys(page):
    return [item["key"] for item in page["items"]]


def test_events_are_found_by_the_box_or_by_parameters(anna, desk):
    done, failed = desk.lead(7), desk.lead(8, name="Berta Roe")
    desk.call(done)
    desk.end(failed, Status.FAILED, "the platform refuses it: phone.bad.format")

    assert keys(anna.get("events")) == [failed, done]
    assert keys(anna.get("events", q="status:failed")) == keys(anna.get("events", status="failed")) == [failed]
    assert keys(anna.get("events", status=["failed", "done"], source="zapier")) == [failed, done]
    assert keys(anna.get("events", phone="(281) 332-2575")) == [done]
    assert keys(anna.get("events", job="5665336653")) == [done]
    assert keys(anna.get("events", name="berta", since="1h")) == [failed]
    assert keys(anna.get("events", reason="bad.format", campaign="welcome")) == []
    assert keys(anna.get("events", event="lead-8")) == [failed]
    free = anna.get("events", q="281 332 2575")
    assert (keys(free), free["understood"]) == ([done], "the phone number 281…75")


def test_an_event_in_a_list_says_what_it_is(anna, desk):
    desk.call(desk.lead(7))

    (item,) = anna.get("events")["items"]

    accepted, ended = item.pop("accepted_at"), item.pop("ended_at")
    assert accepted <= ended
    assert item == {
        "key": "zapier:lead-7",
        "url": "/api/v1/events/zapier%3Alead-7",
        "status": "done",
        "reason": "call job 5665336653 was made",
        "source": "zapier",
        "type": "lead.created",
        "entity": {"type": "lead", "id": "7"},
        "person": {"name": "Alex Doe", "phone": "+128…75"},
        "rule": "call new leads",
        "campaign": "welcome",
        "jobs": ["5665336653"],
        "duplicates": 0,
    }


def test_pages_follow_one_another_until_the_end(anna, desk):
    all_of_them = [desk.lead(number) for number in range(7)][::-1]

    found, after = [], {}
    while after is not None:
        page = anna.get("events", limit=3, **after)
        found += keys(page)
        after = {"after": page["next"]} if "next" in page else None
        assert len(page["items"]) <= 3

    assert found == all_of_them


def test_a_place_in_a_list_shows_nothing_and_is_taken_as_it_is(anna, desk):
    for number in range(3):
        desk.lead(number)
    place = anna.get("events", limit=1)["next"]

    assert "lead" not in place
    for wrong in (place[:-3], place + "A", "!", "é", "0" * 400, "MTc5NTQ"):
        assert anna.get("events", 422, after=wrong)["error"]["field"] == "after"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"status": "fine"}, "status.0"),
        ({"since": "yesterday"}, "since"),
        ({"limit": "0"}, "limit"),
        ({"limit": "201"}, "limit"),
        ({"limit": "5.0"}, "limit"),
        ({"limit": ""}, "limit"),
        ({"limit": ["5", "6"]}, "limit"),
        ({"colour": "red"}, "colour"),
        ({"q": "Alex", "status": "failed"}, "q"),
        ({"q": "since:never"}, "since"),
        ({"q": "x" * 501}, "q"),
        ({"text": ""}, "text"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(anna, query, field):
    error = anna.get("events", 422, **query)["error"]

    assert error["field"] == field
    assert error["message"]


def test_an_event_is_told_whole_as_explain_tells_it(anna, desk, at):
    key = desk.lead(7)
    entry = desk.call(key)

    told = anna.get(at(key), reveal="true")

    explained = Explainer(policy=desk.services.policy, base_url="https://ds.tovie.ai").entry(entry)
    shape = {name: told[name] for name in ("event", "event_key", "fact_key", "decision")}
    assert shape == explained
    assert told["told"].startswith("Called: call job 5665336653 was made in campaign welcome")
    assert told["refs"] == ["zapier/lead:7", "phone:+12813322575"]
    assert set(told["times"]) == {"received", "accepted", "ended"}


def test_what_waits_says_until_when(anna, desk, at):
    key = desk.lead(7)
    desk.end(key, Status.WAITING, "outside call hours: waits for mon-fri", due=timedelta(hours=1))

    told = anna.get(at(key))

    assert told["decision"]["status"] == "waiting"
    assert told["times"]["next_look"] > told["times"]["accepted"]


def test_numbers_are_masked_until_they_are_asked_for_and_that_is_written_down(anna, desk, at):
    key = desk.lead(7, fields={"plan": "gold", "mobile": 2813322575, "work": "+49 30 901820", "id": 20261123})
    desk.call(key)

    for address in (at(key), at(key, "delivery"), at(key, "replay")):
        hidden, shown = anna.ask("GET", address).get_data(as_text=True), anna.ask("GET", address, reveal="true").get_data(as_text=True)
        assert "3322575" not in hidden.replace(" ", "")
        assert "901820" not in hidden
        assert "12813322575" in shown
    assert "+49 30 901820" in anna.get(at(key), reveal="true")["event"]["fields"]["work"]
    assert desk.acts() == [("anna", "looked at the whole number")] * 4
    (act, *_) = anna.get(at(key))["acts"]
    assert (act["by"], act["targets"]) == ("anna", ["zapier:lead-7", "phone:+128…75"])


def test_the_delivery_is_shown_as_it_was_received(anna, desk, at):
    told = anna.get(at(desk.lead(7), "delivery"))

    assert (told["method"], told["url"], told["encoding"]) == ("POST", "https://bridge.example.com/webhooks/zapier", "utf-8")
    assert '"event_id": "lead-7"' in told["body"]
    assert told["headers"]["authorization"] == "***"


def test_what_an_operator_ordered_came_by_no_delivery(anna, desk, at):
    desk.call(desk.lead(7))
    order = anna.post(at("zapier:lead-7", "cancel"), {"note": "asked for it"})["key"]

    assert anna.get(at(order))["event"]["source"] == "operator"
    assert anna.get(at(order, "delivery"), 404)["error"]["message"].startswith("an operator ordered it")


def test_other_events_of_the_same_person_are_related(anna, desk, at):
    first, other = desk.lead(7), desk.lead(8, phone="+12813322575")
    desk.lead(9)

    assert keys(anna.get(at(first, "related"))) == [other]


@pytest.mark.parametrize("path", ["", "/delivery", "/related", "/replay"])
def test_an_event_that_is_not_there_is_not_found(anna, path):
    assert anna.get(f"events/zapier%3Anobody{path}", 404)["error"]["code"] == "not_found"


@pytest.mark.parametrize("event_id", NASTY)
def test_every_key_is_found_under_its_own_address(anna, desk, at, event_id):
    key = desk.lead(7, event_id=event_id)
    desk.end(key, Status.FAILED)

    (item,) = anna.get("events")["items"]
    assert item["key"] == key
    below = item["url"].removeprefix("/api/v1/")
    assert below == at(key)
    assert anna.get(below)["event_key"] == key
    assert anna.get(f"{below}/delivery")["source"] == "zapier"
    assert anna.get(f"{below}/replay")["before"]["status"] == "failed"
    assert anna.post(f"{below}/replay", {})["key"] == key


def test_where_one_key_is_the_beginning_of_another_each_is_itself(anna, desk, at):
    short, long = desk.lead(7, event_id="x"), desk.lead(8, event_id="x/replay")
    desk.end(short, Status.FAILED)

    assert anna.get(at(long))["event_key"] == long
    assert anna.get(at(short, "replay"))["before"]["status"] == "failed"
    assert anna.ask("POST", at(long), {}).status_code == 405
    assert desk.entry(short).status is Status.FAILED


def test_it_is_foreseen_what_a_replay_would_do_and_nothing_is_done(anna, desk, at):
    key = desk.lead(7)
    before = desk.end(key, Status.FAILED, "the platform refuses it")

    seen = anna.get(at(key, "replay"))

    assert (seen["effect"], seen["acts"], seen["told"]) == ("call", True, "calls +128…75 in campaign welcome now")
    assert seen["request"]["url"] == "https://ds.tovie.ai/api/crmCalls/campaign/***/addPhone"
    assert seen["before"]["reason"] == "the platform refuses it"
    assert desk.entry(key) == before


def test_a_failed_event_is_replayed_by_somebody_for_a_reason(anna, desk, at):
    key = desk.lead(7)
    desk.end(key, Status.FAILED)

    done = anna.post(at(key, "replay"), {"mode": "rules", "reason": "the mapping is mended"})

    assert (done["key"], done["url"]) == (key, "/api/v1/events/zapier%3Alead-7")
    assert desk.entry(key).status is Status.QUEUED
    (act,) = anna.get(at(key))["acts"]
    assert (act["by"], act["what"], act["note"]) == ("anna", "replayed", "the mapping is mended")


def test_what_goes_on_by_itself_is_not_replayed(anna, desk, at):
    key = desk.lead(7)

    assert anna.get(at(key, "replay"))["effect"] == "unfinished"
    assert anna.post(at(key, "replay"), {}, 409)["error"]["code"] == "cannot_replay"
    assert desk.acts() == []


def test_another_call_needs_a_reason_and_has_a_key_of_its_own(anna, desk, at):
    key = desk.lead(7)
    desk.call(key)

    assert anna.post(at(key, "replay"), {"mode": "again"}, 422)["error"]["field"] == "reason"
    again = anna.post(at(key, "replay"), {"mode": "again", "reason": "the line was cut"})

    assert again["key"].startswith("zapier:lead-7~again-")
    assert desk.entry(again["key"]).status is Status.QUEUED
    assert "the line was cut" in again["told"]


def test_the_calls_of_a_record_are_stopped(anna, desk, at):
    key = desk.lead(7)

    order = anna.post(at(key, "cancel"), {"note": "asked for it"})

    assert order["key"].startswith("operator:cancel:")
    assert desk.entry(order["key"]).event.refs == ("zapier/lead:7",)
    assert desk.acts() == [("anna", "cancelled")]
    assert anna.post(at(order["key"], "cancel"), {"note": "again"}, 422)["error"]["code"] == "unusable"


@pytest.mark.parametrize("body", [{"mode": "twice"}, {"mode": None}, {"mode": "rules", "why": "x"}, {"reason": 5}, {"reason": "x" * 501}])
def test_a_body_that_says_something_else_changes_nothing(anna, desk, at, body):
    key = desk.lead(7)
    desk.end(key, Status.FAILED)

    assert anna.post(at(key, "replay"), body, 422)["error"]["field"] in {"mode", "why", "reason"}
    assert desk.entry(key).status is Status.FAILED


@pytest.mark.parametrize("spelled", ["+12813322575", "(281) 332-2575", "12813322575"])
def test_a_persons_events_are_found_by_any_spelling_of_the_number(anna, desk, spelled):
    key = desk.lead(7)
    desk.lead(8)
    anna.post("do-not-call", {"entries": [{"phone": "+12813322575", "note": "asked for it"}]}, 200)

    told = anna.get("person", phone=spelled)

    assert key in keys(told)
    assert told["phones"] == ["+128…75"]
    assert [(each["phone"], each["note"], each["holds"]) for each in told["unwanted"]] == [("+128…75", "asked for it", True)]
    assert [act["what"] for act in told["acts"]] == ["put +128…75 on the do-not-call list"]
    assert anna.get("person", phone=spelled, reveal="true")["phones"] == ["+12813322575"]
    assert desk.acts()[0] == ("anna", "looked at the whole numbers of a person")


@pytest.mark.parametrize("wrong", ["Alex", "123", "+"])
def test_what_is_no_number_is_nobodys(anna, wrong):
    assert anna.get("person", 422, phone=wrong)["error"]["field"] == "phone"


def test_what_no_encoding_can_write_and_what_is_too_long_for_a_number_are_told_all_the_same(anna, desk, at):
    desk.lead(7, fields={"plan": "gold", "\ud83d": 2**100})

    assert anna.get(at("zapier:lead-7"), reveal="true")["event"]["fields"] == {"plan": "gold", "\ufffd": 2**100}
    assert Veil(Concealer()).document({"\ud83d": "\udc00"}) == {"?": "?"}


@pytest.mark.parametrize("status", [Status.QUEUED, Status.WAITING, Status.UNKNOWN, Status.PARKED])
def test_nobody_is_called_again_as_long_as_the_first_call_is_to_come(anna, desk, at, status):
    key = desk.lead(7)
    if status is not Status.QUEUED:
        desk.end(key, status, due=timedelta(hours=1))

    told = anna.post(at(key, "replay"), {"mode": "again", "reason": "nothing happened yet"}, 409)

    assert told["error"]["message"].startswith(f"it is {status} and goes on by itself")
    assert len(desk.services.search.keys(Wanted(groups=()), 10)[0]) == 1
