"""One event's page: the sentence, what happened, how it was decided, what was sent and received, and who else it has to do with."""

import json
import re

import pytest

from bridge.ledger import Act, Unwanted
from bridge.model import Attempt, Status

PHONE = "+12813322575"
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


def page(desk, key, **query):
    return desk.get(f"/ops/events/{key}", **query)


def html(desk, key):
    return desk.anna.get(f"/ops/events/{key}").text


def links(read):
    return [link["href"] for link in read.all("a")]


def test_it_begins_with_the_answer(desk):
    key = desk.lead(7)
    desk.call(key)

    text = page(desk, key).text

    assert "Called: call job 5665336653 was made in campaign welcome, less than a second after the lead came in." in text
    assert re.search(r"<title>Alex Doe", html(desk, key))


def test_who_was_not_called_is_told_why_and_by_what(desk):
    key = desk.lead(7)
    (cancel,) = desk.deliver({"event_id": "gone-7", "type": "lead.deleted", "phone": PHONE, "entity": {"type": "lead", "id": "7"}})
    desk.end(cancel, Status.DONE, "nothing to cancel")
    desk.end(key, Status.SUPPRESSED, f"stop mark: {cancel} says that calls on facts this old are not wanted any more; a newer event may call again")

    shown = page(desk, key)

    assert f"Not called: lead 7 was deleted ( {cancel} ), less than a second after the lead came in." in shown.text
    assert f"/ops/events/{cancel}" in links(shown)
    assert "Calls for zapier/lead:7, phone:+128…75 on anything older are stopped in campaign welcome" in shown.text


def test_every_attempt_is_told_with_its_answer_time_and_worker(desk):
    key = desk.lead(7)
    now = desk.services.clock()
    attempt = Attempt(at=now, what="call", outcome="refused", note="phone.bad.format", seconds=0.024, status=400, worker="host:7:abc")
    desk.end(key, Status.FAILED, "refused by the platform: phone.bad.format", attempts=(attempt,))

    text = page(desk, key).text

    for part in ("Call: refused", "phone.bad.format · HTTP 400 · took 24 ms · worker host:7:abc", "Came in from zapier"):
        assert part in text


def test_rule_by_rule_it_is_told_what_was_asked_and_what_stood_there(desk):
    key = desk.lead(7, fields={"plan": "silver"})

    text = page(desk, key).text

    assert "call new leads: where is not true: fields.plan == 'gold'" in text
    assert 'fields.plan "silver"' in text
    assert "stop on delete: on lead.deleted, not lead.created" in text


def test_the_request_is_shown_as_it_goes_out_but_for_token_and_numbers(desk):
    key = desk.lead(7)
    desk.call(key)

    read = page(desk, key)

    assert "POST https://ds.tovie.ai/api/crmCalls/campaign/***/addPhone" in read.text
    assert "Idempotence-Key: zapier:lead-7" in read.text
    assert "phone=128…75&name=Alex%20Doe&mobile=%28281…75" in read.text


def test_the_delivery_is_shown_as_it_came_without_secret_and_number(desk):
    key = desk.lead(7, mobile="(281) 332-2575", note="call +49 30 901820 instead")

    shown = html(desk, key)

    assert "zapier-secret-of-ours" not in shown
    assert "Authorization" in shown or "authorization" in shown
    for number in ("2813322575", "332-2575", "901820"):
        assert number not in shown
    assert "call +493…20 instead" in shown


@pytest.mark.parametrize("gone", [True, False])
def test_a_delivery_that_is_not_kept_any_more_is_not_missed(desk, gone):
    key = desk.lead(7)
    if gone:
        desk.services.redis.delete(*desk.services.redis.keys("callbridge:1:delivery:*"))

    assert ("It is not kept any more." in page(desk, key).text) is gone


def test_what_is_no_json_and_what_is_no_text_is_shown_all_the_same(desk):
    form = b"event_id=f1&type=lead.created&phone=%2B12813322575&name=Alex+Doe"
    signed = {"Authorization": "Bearer zapier-secret-of-ours", "Content-Type": "application/x-www-form-urlencoded"}
    desk.app.test_client().post("/webhooks/zapier", data=form, headers=signed)

    text = page(desk, "zapier:f1").text

    assert "name = Alex Doe" in text
    assert "phone=+128…75&name=Alex+Doe" in text
    assert "2813322575" not in html(desk, "zapier:f1")


def test_other_events_of_the_same_person_are_there_and_go_on_by_time(desk):
    for number in range(30):
        desk.lead(number, phone=PHONE)
    key = desk.lead(100, phone=PHONE)

    first = page(desk, key)
    older = next(link["href"] for link in first.all("a") if link.get("rel") == "next")
    second = desk.read(desk.anna.get(older.partition("#")[0]))

    shown = {link for read in (first, second) for link in links(read) if link.startswith("/ops/events/") and "?" not in link and "#" not in link}
    assert len(shown) == 30
    assert "Not called yet" in second.text


def test_who_did_what_is_there(desk):
    key = desk.lead(7)
    desk.services.audit.write(Act(at=desk.services.clock(), by="bert", what="replayed", targets=(key,), note="asked by mail"))
    desk.services.audit.write(Act(at=desk.services.clock(), by="bert", what="took +128…75 off the list", targets=(f"phone:{PHONE}",)))

    text = page(desk, key).text

    assert "bert replayed" in text
    assert "asked by mail" in text
    assert "bert took +128…75 off the list" in text


def test_the_do_not_call_list_is_told(desk):
    key = desk.lead(7)
    desk.services.ordering.list.add([Unwanted(phone=PHONE, added=desk.services.clock(), note="asked by letter", campaign="welcome")])

    text = page(desk, key).text

    assert "+128…75 is on the do-not-call list in campaign welcome" in text
    assert "asked by letter" in text


@pytest.mark.parametrize(
    ("status", "due", "told"),
    [
        (Status.WAITING, 3600, "Not called yet: so it is. It goes on by itself in 59 min."),
        (Status.PARKED, 600, "Not called yet, and held: so it is."),
    ],
)
def test_what_goes_on_by_itself_says_when_and_keeps_itself_fresh(desk, status, due, told):
    key = desk.lead(7)
    desk.end(key, status, due=due)

    read = page(desk, key)

    assert told in read.text
    assert f"Replay with today’s rules Not now: it is {status} and goes on by itself: so it is." in read.text
    (live,) = [section for section in read.all("section") if "data-live" in section]
    assert (live["data-live"], live["id"]) == (f"/ops/events/{key}", "account")


def test_what_is_finished_is_asked_for_once(desk):
    key = desk.lead(7)
    desk.call(key)

    assert [section for section in page(desk, key).all("section") if "data-live" in section] == []


@pytest.mark.parametrize("event_id", ["a/../b", "a%2Fb", "a//b", "?q=1", "#x", 'x"><script>', "%", "a+b c".replace(" ", "_"), "&amp;", "é"])
def test_a_strange_id_has_its_page(desk, event_id):
    key = desk.lead(7, event_id=event_id)
    desk.lead(8, phone=PHONE)

    (address,) = {link for link in links(desk.search("lead:7")) if "/ops/events/" in link}
    read = desk.read(desk.anna.get(address))

    assert "lead 7 was created" in read.text
    assert "/.." not in address
    assert len(read.all("script")) == 1
    assert key


def test_what_is_not_there_is_a_page_that_says_so(desk):
    assert desk.anna.get("/ops/events/zapier:nobody").status_code == 404
    assert desk.anna.get("/ops/events/x").status_code == 404
    desk.lead(7)
    assert desk.anna.get("/ops/events/zapier:lead-7?after=x").status_code == 404


def test_a_strangers_words_stay_words(desk):
    key = desk.lead(7, name=HOSTILE, entity={"type": HOSTILE, "id": HOSTILE}, fields={"plan": "gold", HOSTILE: HOSTILE}, email=HOSTILE)
    desk.end(key, Status.FAILED, HOSTILE, attempts=(Attempt(at=desk.services.clock(), what="call", outcome="refused", note=HOSTILE, seconds=1),))

    for path in ("events", "act/replay", "act/again", "act/cancel", "act/do-not-call", "act/forget"):
        read = desk.get(f"/ops/{path}/{key}")
        assert len(read.all("script")) == 1
        assert read.all("img") == []
        assert read.inline == []
        assert HOSTILE in "".join(read.words)


def test_half_a_character_spoils_no_page(desk):
    raw = json.dumps({"event_id": "h1", "type": "lead.created", "phone": PHONE, "name": "A", "fields": {"x": "B"}}).replace('"B"', '"\\ud800"')
    desk.app.test_client().post("/webhooks/zapier", data=raw, headers={"Authorization": "Bearer zapier-secret-of-ours"})

    assert page(desk, "zapier:h1").text


def test_whole_numbers_are_shown_on_purpose_once_and_it_is_written_down(desk):
    key = desk.lead(7, mobile="(281) 332-2575")
    assert PHONE not in html(desk, key)

    answer = desk.post(f"/ops/act/reveal/{key}")

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert PHONE in answer.text
    assert "(281) 332-2575" in answer.text
    assert "zapier-secret-of-ours" not in answer.text
    (act,) = desk.services.audit.of([key])
    assert (act.by, act.what, act.targets) == ("anna", "looked at the whole number", (key, f"phone:{PHONE}"))
    assert PHONE not in html(desk, key)
    assert "anna looked at the whole number" in page(desk, key).text


def test_a_look_that_cannot_be_written_down_is_not_had(desk):
    key = desk.lead(7)

    assert desk.anna.post(f"/ops/act/reveal/{key}").status_code == 400
    assert desk.anna.get(f"/ops/act/reveal/{key}").status_code == 404
    assert desk.services.audit.of([key]) == []


def test_a_forgotten_person_has_a_page_that_says_so(desk):
    key = desk.lead(7)
    entry = desk.call(key)
    desk.services.ledger.erase("operator:x", [entry], [PHONE], desk.services.clock())

    read = page(desk, key)

    assert "The person was forgotten" in read.text
    assert "Alex" not in read.html
