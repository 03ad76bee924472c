"""How long a session lasts, and what ends it."""

from datetime import timedelta

import pytest

SHARED, ANNA, BERT = "shared-token-of-everybody", "token-of-anna-and-nobody-else", "token-of-bert-and-nobody-else"


def is_in(client):
    return client.get("/ops/").status_code == 200


def leave(client, read):
    return client.post("/ops/logout", data={"csrf_token": read(client.get("/ops/")).field("csrf_token")})


def test_logging_out_ends_it_for_good(side, anna, read):
    kept = anna.get_cookie("callbridge-session", path="/ops").value

    answer = leave(anna, read)

    assert "You are logged out" in anna.get(answer.headers["Location"]).text
    thief = side.browser()
    thief.set_cookie("callbridge-session", kept, path="/ops")
    assert not is_in(thief)


def test_it_holds_in_every_web_process_and_after_every_restart(anna, open_side, redis_url, read):
    other = open_side(redis_url).browser()
    for name in ("callbridge-session", "callbridge-forms"):
        other.set_cookie(name, anna.get_cookie(name, path="/ops").value if anna.get_cookie(name, path="/ops") else "", path="/ops")

    assert is_in(other)


def test_a_form_of_one_process_is_taken_by_another(anna, open_side, redis_url, read):
    token = read(anna.get("/ops/")).field("csrf_token")
    other = open_side(redis_url).browser()
    for name in ("callbridge-session", "callbridge-forms"):
        other.set_cookie(name, anna.get_cookie(name, path="/ops").value, path="/ops")

    assert other.post("/ops/logout", data={"csrf_token": token}).headers["Location"] == "/ops/login?said=out"


@pytest.mark.parametrize(
    "server",
    [
        f"ops_token: {SHARED}, operators: {{anna: another-token-of-anna, bert: {BERT}}}",
        f"ops_token: {SHARED}, operators: {{bert: {BERT}}}",
        f"ops_token: {ANNA}, operators: {{bert: {BERT}}}",
        f"ops_token: {SHARED}, operators: {{anna: {BERT}}}",
    ],
)
def test_another_token_or_none_ends_what_was_begun_with_it(side, anna, login, open_side, server):
    dora = side.browser()
    login(dora, SHARED, name="Dora")
    now = open_side(side.services.config.redis.url, server)
    for client in (anna, dora):
        client.application = now.app

    assert not is_in(anna)
    assert is_in(dora) is (f"ops_token: {SHARED}" in server)


def test_it_ends_when_it_has_not_been_used_for_two_hours(anna, hands):
    hands.ahead = timedelta(hours=1, minutes=59)
    assert is_in(anna)
    hands.ahead += timedelta(hours=1, minutes=59)
    assert is_in(anna)

    hands.ahead += timedelta(hours=2, seconds=1)
    assert not is_in(anna)


def test_it_ends_after_twelve_hours_however_much_it_is_used(anna, hands):
    for _ in range(11):
        hands.ahead += timedelta(hours=1)
        assert is_in(anna)

    hands.ahead += timedelta(minutes=59)
    assert is_in(anna)
    hands.ahead += timedelta(minutes=2)
    assert not is_in(anna)


def test_that_it_is_used_is_written_once_a_minute_at_most(side, anna, hands):
    (key,) = side.services.redis.keys("callbridge:1:session:*")
    first = side.services.redis.get(key)

    hands.ahead = timedelta(seconds=50)
    anna.get("/ops/")
    assert side.services.redis.get(key) == first

    hands.ahead = timedelta(seconds=70)
    anna.get("/ops/")
    assert side.services.redis.get(key) != first


def test_a_page_that_refreshes_itself_does_not_keep_it(anna, hands):
    for _ in range(3):
        hands.ahead += timedelta(minutes=50)
        answer = anna.get("/ops/", headers={"X-Live": "1"})

    assert answer.status_code == 401


def test_redis_forgets_it_by_itself(side, anna):
    (key,) = side.services.redis.keys("callbridge:1:session:*")

    assert 7190 <= side.services.redis.ttl(key) <= 7200


def test_a_copy_of_the_ledger_opens_nothing(side, anna):
    (key,) = side.services.redis.keys("callbridge:1:session:*")
    kept = side.services.redis.get(key)
    thief = side.browser()
    for found in (key.rpartition(":")[2], kept):
        thief.set_cookie("callbridge-session", found, path="/ops")
        assert not is_in(thief)

    assert anna.get_cookie("callbridge-session", path="/ops").value not in key + kept


@pytest.mark.parametrize("made_up", ["x", "", "a" * 3000, "*", "\u00e9", "../.."])
def test_a_made_up_cookie_is_no_session(side, made_up):
    browser = side.browser()
    browser.set_cookie("callbridge-session", made_up, path="/ops")

    assert browser.get("/ops/").status_code == 303


def test_a_session_that_ends_while_it_is_used_stays_ended(side, anna, hands):
    id_ = anna.get_cookie("callbridge-session", path="/ops").value
    session = side.services.sessions.find(id_, hands())
    side.services.sessions.end(id_)

    side.services.sessions.note(session, hands() + timedelta(minutes=5))

    assert side.services.sessions.find(id_, hands()) is None


def test_a_form_sent_after_its_end_is_not_taken_and_its_sender_is_told(anna, hands, read):
    token = read(anna.get("/ops/")).field("csrf_token")
    hands.ahead = timedelta(hours=3)

    answer = anna.post("/ops/logout", data={"csrf_token": token})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/ops/login?said=ended")
    assert "nothing was done" in anna.get(answer.headers["Location"]).text
