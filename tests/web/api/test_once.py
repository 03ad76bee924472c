"""A POST under an ``Idempotency-Key`` is done once, however often it is sent."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from bridge.ledger import Answered, Answers, Claim
from bridge.model import Status

AGAIN = {"mode": "again", "reason": "the line was cut"}


@pytest.fixture
def called(desk):
    key = desk.lead(7)
    desk.call(key)
    return key


def calls(desk):
    return len([act for act in desk.acts() if act[1] == "had the person called again"])


def test_what_is_sent_again_is_answered_as_before_and_not_done_again(anna, desk, at, called):
    sender = anna.repeating("k-1")

    first, second = (sender.ask("POST", at(called, "replay"), AGAIN) for _ in range(2))

    assert (first.status_code, second.status_code) == (202, 202)
    assert first.get_json() == second.get_json()
    assert ("Idempotent-Replayed" in first.headers, second.headers.get("Idempotent-Replayed")) == (False, "true")
    assert calls(desk) == 1


def test_without_a_key_each_is_done(anna, desk, at, called):
    assert anna.post(at(called, "replay"), AGAIN)["key"] != anna.post(at(called, "replay"), AGAIN)["key"]
    assert calls(desk) == 2


def test_another_request_under_the_same_key_is_refused(anna, desk, at, called):
    sender = anna.repeating("k-1")
    sender.post(at(called, "replay"), AGAIN)

    for path, body in ((at(called, "replay"), {**AGAIN, "reason": "another"}), (at(called, "cancel"), AGAIN), ("asks", AGAIN)):
        answer = sender.ask("POST", path, body)
        assert answer.status_code == 422
    assert sender.post(at(called, "replay"), {**AGAIN, "reason": "another"}, 422)["error"] == {
        "code": "key_used",
        "message": "this key was used for another request within the last 24 hours: use a new one for each thing to be done",
        "field": "Idempotency-Key",
    }
    assert calls(desk) == 1


def test_a_refusal_is_an_answer_too(anna, desk, at):
    key = desk.lead(7)
    sender = anna.repeating("k-1")
    before = sender.post(at(key, "replay"), {}, 409)
    desk.end(key, Status.FAILED)

    assert sender.post(at(key, "replay"), {}, 409) == before
    assert anna.repeating("k-2").post(at(key, "replay"), {})["key"] == key
    assert sender.repeating("k-3").post("events/zapier%3Anobody/cancel", {}, 404) == sender.repeating("k-3").post(
        "events/zapier%3Anobody/cancel", {}, 404
    )
    assert anna.repeating("k-4").post("erase", {}, 422) == anna.repeating("k-4").post("erase", {}, 422)


def test_a_body_that_is_no_request_uses_no_key_up(anna, desk, at, called):
    sender = anna.repeating("k-1")

    sender.post(at(called, "replay"), {"mode": "twice"}, 422)

    assert sender.post(at(called, "replay"), AGAIN)["key"]


def test_the_keys_of_two_operators_do_not_meet(anna, bert, desk, at, called):
    anna.repeating("k-1").post(at(called, "replay"), AGAIN)
    bert.repeating("k-1").post(at(called, "replay"), AGAIN)

    assert calls(desk) == 2


def test_twins_do_not_both_act(anna, desk, at, called):
    sender = anna.repeating("k-1")

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda _: sender.ask("POST", at(called, "replay"), AGAIN), range(16)))

    assert calls(desk) == 1
    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.get_json()["key"] for answer in answers if answer.status_code == 202}) == 1
    assert {answer.get_json()["error"]["code"] for answer in answers if answer.status_code == 409} <= {"under_way"}


def test_while_the_first_is_under_way_its_twin_is_told_to_wait(redis, desk):
    answers, now = Answers(redis), desk.clock()

    assert answers.claim("anna", "k", "r", now) is Claim.OURS
    assert answers.claim("anna", "k", "r", now) is Claim.UNDER_WAY
    assert answers.claim("anna", "k", "other", now) is Claim.ANOTHER
    answers.keep("anna", "k", "r", Answered(202, "{}"))
    assert answers.claim("anna", "k", "r", now) == Answered(202, "{}")
    assert answers.claim("anna", "k", "other", now) is Claim.ANOTHER


def test_what_was_begun_and_never_answered_is_not_done_again(anna, desk, at, called, redis):
    sender = anna.repeating("k-1")
    sender.post(at(called, "replay"), AGAIN)
    (name,) = redis.keys("callbridge:1:once:*")
    kept = json.loads(redis.get(name))
    redis.set(name, json.dumps({"request": kept["request"], "at": int(desk.clock().timestamp() * 1000)}))  # as its process would have left it

    assert sender.post(at(called, "replay"), AGAIN, 409)["error"]["code"] == "under_way"
    desk.clock.ahead += timedelta(minutes=2)
    assert sender.post(at(called, "replay"), AGAIN, 409)["error"]["code"] == "outcome_unknown"
    assert calls(desk) == 1


def test_a_day_later_a_key_is_as_new(redis, desk):
    answers = Answers(redis)
    answers.claim("anna", "k", "r", desk.clock())
    (name,) = redis.keys("callbridge:1:once:*")
    claimed = redis.pttl(name)
    answers.keep("anna", "k", "r", Answered(202, "{}"))

    assert 86_000_000 < claimed <= 86_400_000
    assert 86_000_000 < redis.pttl(name) <= 86_400_000
    assert "anna" not in name


@pytest.mark.parametrize("key", ["", " ", "two words", "é", "k" * 201])
def test_a_key_is_made_of_visible_letters(anna, at, called, key):
    assert anna.repeating(key).post(at(called, "replay"), AGAIN, 422)["error"]["field"] == "Idempotency-Key"


def test_when_redis_is_away_nothing_is_begun(open_desk):
    away = open_desk("unix:///nowhere/redis.sock")
    answer = away.app.test_client().post(
        "/api/v1/erase", json={"phone": "+12813322575"}, headers={"Authorization": "Bearer token-of-anna-and-nobody-else", "Idempotency-Key": "k"}
    )

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
