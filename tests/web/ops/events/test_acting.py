"""What an operator does about an event: told before, done once, written down, and back to the event."""

from datetime import timedelta

import pytest

from bridge.ledger import Unwanted
from bridge.ledger.packing import pack, unpack
from bridge.model import Status

PHONE = "+12813322575"
DEEDS = ("replay", "request", "again", "cancel", "do-not-call", "forget")


def preview(desk, deed, key):
    return desk.get(f"/ops/act/{deed}/{key}")


def do(desk, deed, key, **form):
    page = preview(desk, deed, key)
    hidden = {each["name"]: each["value"] for each in page.all("input") if each.get("type") == "hidden"}
    return desk.anna.post(f"/ops/act/{deed}/{key}", data={**hidden, **form})


def after(desk, answer):
    assert answer.status_code == 303, answer.text
    return desk.read(desk.anna.get(answer.headers["Location"]))


@pytest.fixture
def failed(desk):
    key = desk.lead(7)
    desk.end(key, Status.FAILED, "refused by the platform: phone.bad.format")
    return key


def test_a_replay_shows_the_difference_first(desk, failed):
    text = preview(desk, "replay", failed).text

    assert "It calls +128…75 in campaign welcome now." in text
    assert "Comes to failed: refused by the platform: phone.bad.format calls +128…75 in campaign welcome now" in text
    assert "Rule call new leads the same" in text
    assert "no field of the event changes" in text
    assert "phone=128…75&name=Alex%20Doe" in text
    assert desk.entry(failed).status is Status.FAILED


def test_what_reads_differently_today_is_shown_field_by_field(desk, failed):
    kept = desk.services.redis.keys("callbridge:1:delivery:*")[0]
    body = unpack(desk.services.redis.get(kept)).replace("Alex Doe", "Alexandra Doe")
    desk.services.redis.set(kept, pack(body))

    text = preview(desk, "replay", failed).text

    assert "contact.name Alex Doe Alexandra Doe" in text
    assert "no field of the event changes" not in text


def test_it_is_replayed_and_its_page_says_so_and_keeps_itself_fresh(desk, failed):
    read = after(desk, do(desk, "replay", failed))

    assert desk.entry(failed).status is Status.QUEUED
    assert "Replayed: queued: " in read.text
    assert [section for section in read.all("section") if "data-live" in section]
    (act,) = desk.services.audit.of([failed])
    assert (act.by, act.what) == ("anna", "replayed")
    assert "Replayed: queued" not in desk.get(f"/ops/events/{failed}").text


def test_what_is_told_of_once_is_not_taken_by_a_part_that_keeps_itself_fresh(desk, failed):
    answer = do(desk, "replay", failed)

    desk.anna.get(f"/ops/events/{failed}", headers={"X-Live": "1"})

    assert "Replayed: queued" in after(desk, answer).text


def test_what_would_come_to_something_else_meanwhile_is_not_done(desk, failed):
    page = preview(desk, "replay", failed)
    desk.services.ordering.list.add([Unwanted(phone=PHONE, added=desk.services.clock())])
    hidden = {each["name"]: each["value"] for each in page.all("input") if each.get("type") == "hidden"}

    answer = desk.anna.post(f"/ops/act/replay/{failed}", data=hidden)

    assert answer.status_code == 422
    assert "It would come to something else now" in desk.read(answer).text
    assert "do-not-call: the number is on the list" in desk.read(answer).text
    assert desk.entry(failed).status is Status.FAILED
    assert desk.services.audit.last() == []


@pytest.mark.parametrize("deed", ["replay", "request", "again"])
def test_what_goes_on_by_itself_says_why_nothing_can_be_replayed_and_when_it_goes_on(desk, deed):
    key = desk.lead(7)
    desk.end(key, Status.WAITING, "the platform is busy", due=600)

    read = preview(desk, deed, key)

    assert "Nothing to be done: it is waiting and goes on by itself: the platform is busy." in read.text
    assert [form for form in read.all("form") if "/act/" in form.get("action", "")] == []
    assert "It goes on by itself in 9 min." in desk.get(f"/ops/events/{key}").text


def test_what_is_done_is_not_replayed_however_it_is_asked(desk):
    key = desk.lead(7)
    desk.call(key)

    answer = desk.post(f"/ops/act/replay/{key}")

    assert answer.status_code == 422
    assert desk.entry(key).status is Status.DONE


def test_the_same_request_is_offered_where_there_is_one(desk, failed):
    assert f"/ops/act/request/{failed}" not in [link["href"] for link in desk.get(f"/ops/events/{failed}").all("a")]
    desk.services.redis.hset(
        f"callbridge:1:event:{failed}",
        "request",
        '{"method":"POST","url":"/api/crmCalls/campaign/{token}/addPhone","headers":{"Idempotence-Key":"zapier:lead-7"},"body":"phone=12813322575&x=1"}',
    )
    assert f"/ops/act/request/{failed}" in [link["href"] for link in desk.get(f"/ops/events/{failed}").all("a")]

    text = preview(desk, "request", failed).text
    assert "Exactly what was sent before, under the same key" in text
    assert "phone=128…75&x=1" in text
    after(desk, do(desk, "request", failed))

    assert desk.entry(failed).request.body == "phone=12813322575&x=1"
    assert desk.entry(failed).status is Status.QUEUED


def test_to_call_again_needs_a_reason_and_is_an_event_of_its_own(desk):
    key = desk.lead(7)
    desk.call(key)

    without = do(desk, "again", key, reason="  ")
    assert without.status_code == 422
    assert "Say why the person is to be called again" in desk.read(without).text

    answer = do(desk, "again", key, reason="asked for another call")
    again = answer.headers["Location"].removeprefix("/ops/events/").replace("%7E", "~")

    assert again.startswith(f"{key}~again-")
    assert "called again on the word of anna: asked for another call" in after(desk, answer).text
    assert desk.entry(again).status is Status.QUEUED
    assert desk.entry(key).status is Status.DONE
    assert {act.note for act in desk.services.audit.of([key])} == {"asked for another call"}


def test_what_is_cancelled_is_shown_before(desk):
    key = desk.lead(7)
    desk.call(key)
    other = desk.lead(8, entity={"type": "lead", "id": "7"})
    stranger = desk.lead(9, phone=PHONE)

    read = preview(desk, "cancel", key)
    shown = {link["href"] for link in read.all("a") if link.get("class") == "event-who"}

    assert "Calls of lead 7 that wait here are not made" in read.text
    assert shown == {f"/ops/events/{key}", f"/ops/events/{other}"}
    assert stranger not in shown


def test_a_cancel_is_an_order_that_the_event_tells_of(desk):
    key = desk.lead(7)
    desk.call(key)

    read = after(desk, do(desk, "cancel", key, note="asked by phone"))

    assert "Ordered: the calls of lead 7 are being stopped." in read.text
    assert "anna cancelled" in read.text
    assert "asked by phone" in read.text
    assert "ordered by an operator" in read.text
    assert [section for section in read.all("section") if "data-live" in section]
    assert len([each for each in desk.services.ledger.unfinished() if each.startswith("operator:cancel:")]) == 1


def test_a_number_is_put_on_the_list_for_one_campaign_or_for_all(desk):
    key = desk.lead(7)

    one = after(desk, do(desk, "do-not-call", key, campaign="welcome", note="by letter"))
    assert "+128…75 is on the do-not-call list: nobody calls it in campaign welcome from now on; its calls are being stopped." in one.text
    after(desk, do(desk, "do-not-call", key, campaign="*"))

    listed = desk.services.ordering.list.of(PHONE)
    assert [(each.campaign, each.source, each.note) for each in listed] == [("*", "anna", ""), ("welcome", "anna", "by letter")]


def test_of_several_numbers_the_chosen_one_is(desk):
    key = desk.lead(7, contact={"name": "Alex", "phones": [PHONE, "+4930901820"]}, phone=PHONE)

    page = preview(desk, "do-not-call", key)
    assert [each["value"] for each in page.all("input") if each.get("type") == "radio"] == ["0", "1"]
    after(desk, do(desk, "do-not-call", key, phone="1"))

    assert desk.services.ordering.list.of(PHONE) == []
    assert len(desk.services.ordering.list.of("+4930901820")) == 1


@pytest.mark.parametrize(
    ("form", "told"), [({"campaign": "nowhere"}, "no campaign called"), ({"phone": "7"}, "choose one"), ({"note": "x" * 501}, "500 char")]
)
def test_what_is_filled_in_wrongly_is_told_and_kept(desk, form, told):
    key = desk.lead(7)

    answer = do(desk, "do-not-call", key, **{"note": "by letter", **form})

    assert answer.status_code == 422
    assert told in desk.read(answer).text.lower()
    assert form.get("note", "by letter") in answer.text
    assert desk.services.ordering.list.of(PHONE) == []


def test_a_person_is_forgotten_only_for_sure(desk):
    key = desk.lead(7)
    desk.lead(8, phone=PHONE)

    assert "What would be taken out" in preview(desk, "forget", key).text
    assert do(desk, "forget", key).status_code == 422
    read = after(desk, do(desk, "forget", key, sure="yes"))

    assert "Ordered: calls are stopped, then everything about this person is taken out." in read.text
    (order,) = [each for each in desk.services.ledger.unfinished() if each.startswith("operator:erase:")]
    assert set(desk.services.ledger.refs(desk.entry(order))) == {"zapier/lead:7", f"phone:{PHONE}"}
    assert PHONE not in str(desk.services.audit.last())


@pytest.mark.parametrize("deed", DEEDS)
def test_nothing_is_done_without_the_pages_own_form(desk, failed, deed):
    assert desk.anna.post(f"/ops/act/{deed}/{failed}", data={"sure": "yes", "reason": "x"}).status_code == 400
    assert desk.services.audit.last() == []
    assert desk.services.ledger.unfinished() == {}


@pytest.mark.parametrize("deed", DEEDS)
def test_an_operators_order_is_not_replayed_or_stopped(desk, deed):
    key = desk.lead(7)
    desk.call(key)
    after(desk, do(desk, "cancel", key))
    (order,) = [each for each in desk.services.ledger.unfinished() if each.startswith("operator:")]
    desk.end(order, Status.DONE, "call job 1: cancelled")

    assert [link for link in desk.get(f"/ops/events/{order}").all("a") if f"/act/{deed}/" in link["href"]] == []
    assert "order it again instead" in desk.get(f"/ops/events/{order}").text


@pytest.mark.parametrize("path", ["act/replay/zapier:nobody", "act/nothing/zapier:lead-7", "act/report/zapier:lead-7"])
def test_what_cannot_be_is_not_there(desk, path):
    desk.lead(7)
    assert desk.anna.get(f"/ops/{path}").status_code in {404, 405}


def test_the_platforms_report_is_asked_for_and_shown_when_it_is_there(desk):
    key = desk.lead(7)
    desk.call(key)

    answer = desk.post(f"/ops/act/report/{key}")
    read = after(desk, answer)
    (live,) = [section for section in read.all("section") if "data-live" in section]
    assert "The platform is being asked" in read.text
    assert live["id"] == "report"

    for _ in range(2):
        ask = desk.services.asks.take(0.1)
        assert (ask.campaign, ask.by, ask.arguments) == ("welcome", "anna", {"ids": ["5665336653"]})
        row = {
            "id": "5665336653",
            "phone": "12813322575",
            "status": "success",
            "attempts": 2,
            "talked_seconds": 31,
            "number": 1,
            "data": {"said": "+12813322575"},
        }
        desk.services.asks.give(ask.id, {"good": True, "told": "the platform's answer", "data": [row]})
    told = desk.read(desk.anna.get(live["data-live"]))

    assert "5665336653" in told.text
    assert "success" in told.text
    assert "said: +128…75" in told.text
    assert "2813322575" not in told.html
    assert [section for section in told.all("section") if "data-live" in section] == []


def test_a_report_that_nobody_reads_says_so(desk, hands):
    key = desk.lead(7)
    desk.call(key)
    location = desk.post(f"/ops/act/report/{key}").headers["Location"].partition("#")[0]

    hands.ahead += timedelta(minutes=1)

    assert "Nobody has answered. Workers ask the platform: is one running?" in desk.read(desk.anna.get(location)).text


def test_what_the_platform_refuses_to_tell_is_told(desk):
    key = desk.lead(7)
    desk.call(key)
    location = desk.post(f"/ops/act/report/{key}").headers["Location"].partition("#")[0]
    desk.services.asks.give(desk.services.asks.take(0.1).id, {"good": False, "told": "bad token", "data": None})
    desk.services.asks.give(desk.services.asks.take(0.1).id, {"good": True, "told": "the platform's answer", "data": []})

    text = desk.read(desk.anna.get(location)).text

    assert "Call jobs. bad token" in text
    assert "Attempts to reach the person. The platform knows of none." in text


def test_without_a_call_there_is_nothing_to_ask(desk):
    key = desk.lead(7)

    read = after(desk, desk.post(f"/ops/act/report/{key}"))

    assert "There is no call of this event to ask about." in read.text
    assert desk.services.asks.take(0.05) is None


def test_a_call_is_ordered_again_once_however_often_the_button_is_pressed(desk):
    key = desk.lead(7)
    desk.call(key)
    page = preview(desk, "again", key)
    hidden = {each["name"]: each["value"] for each in page.all("input") if each.get("type") == "hidden"}
    form = {**hidden, "reason": "the line was dead"}

    first, second = (desk.anna.post(f"/ops/act/again/{key}", data=form) for _ in range(2))

    assert first.headers["Location"] == second.headers["Location"]
    assert desk.services.search.count("status:queued") == 1
    assert "it was ordered before, and is queued" in after(desk, second).text
    assert [act.what for act in desk.services.audit.last()] == ["had the person called again"]
    assert do(desk, "again", key, reason="it was dead again").headers["Location"] != first.headers["Location"]
