"""What a request must be, whichever operation it is for; and how everything is refused."""

import json

import pytest

PROBLEM = {"code", "message"}


@pytest.fixture
def addresses(desk):
    """Every operation, with something in the place of what varies."""
    adapter = desk.app.url_map.bind("")
    rules = [rule for rule in desk.app.url_map.iter_rules() if rule.rule.startswith("/api/")]
    assert len(rules) > 25
    return [
        (method, adapter.build(rule.endpoint, dict.fromkeys(rule.arguments, "1"), method=method))
        for rule in rules
        for method in rule.methods & {"GET", "POST", "PUT", "PATCH", "DELETE"}
    ]


def check(answer, status):
    assert (answer.status_code, answer.content_type) == (status, "application/json"), answer.text
    error = answer.get_json()["error"]
    assert set(error) >= PROBLEM
    assert error["message"]
    return error


@pytest.mark.parametrize("authorization", [None, "Bearer nobody-has-this-token", "Basic YW5uYTp4"])
def test_without_a_token_nothing_is_told_or_done(desk, addresses, authorization):
    for place, (method, path) in enumerate(addresses):
        client = desk.app.test_client()
        client.environ_base["REMOTE_ADDR"] = f"203.0.113.{place}"  # ten wrong tokens from one, and none is looked at
        answer = client.open(path, method=method, json={}, headers={"Authorization": authorization} if authorization else {})
        check(answer, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_after_too_many_wrong_tokens_even_the_right_one_waits(desk, anna):
    for _ in range(10):
        anna.client.get("/api/v1/events", headers={"Authorization": "Bearer nobody-has-this-token"})

    answer = anna.ask("GET", "events")

    assert check(answer, 429)["code"] == "too_many_tries"
    assert int(answer.headers["Retry-After"]) > 0


def test_a_parameter_that_nobody_knows_is_refused_everywhere(anna, addresses):
    for method, path in addresses:
        answer = anna.ask(method, path.removeprefix("/api/v1/"), {}, colour="red")
        assert check(answer, 422)["field"] == "colour", path


def test_what_is_not_json_is_refused_wherever_a_body_is_taken(anna, addresses):
    taken = [(method, path) for method, path in addresses if method in {"POST", "PUT", "PATCH"}]
    assert len(taken) >= 8
    headers = {"Authorization": f"Bearer {anna.token}"}
    for method, path in taken:
        for data, content_type, status in (
            ("note=x", "application/x-www-form-urlencoded", 415),
            ("{}", None, 415),
            ("{", "application/json", 400),
            ("[" * 60_000, "application/json", 400),
            (b"\xff\xfe", "application/json", 400),
            ("", "application/json", 400),
            ('"{}"', "application/json", 422),
            ("[]", "application/json", 422),
            ("null", "application/json", 422),
        ):
            check(anna.client.open(path, method=method, data=data, content_type=content_type, headers=headers), status)


def test_a_body_is_small(anna, addresses):
    headers = {"Authorization": f"Bearer {anna.token}"}
    for method, path in addresses:
        if method in {"POST", "PUT", "PATCH"} and not path.endswith("/do-not-call"):
            answer = anna.client.open(path, method=method, data=json.dumps({"note": "x" * 65_536}), content_type="application/json", headers=headers)
            check(answer, 413)


def test_all_that_is_wrong_is_told_at_once(anna):
    error = check(anna.ask("POST", "asks", {"what": "stop", "ids": []}), 422)

    assert error["field"] == "what"
    assert "campaign: is missing" in error["message"]
    assert "ids: " in error["message"]


def test_half_a_character_is_no_text(anna):
    for body in ({"note": "\ud800"}, {"\ud800": "x"}):
        assert check(anna.ask("PUT", "switches/*", body), 422)["message"]


def test_what_is_not_there_or_not_done_is_told_in_the_same_form(anna):
    check(anna.ask("GET", "nothing"), 404)
    answer = anna.ask("DELETE", "events")
    check(answer, 405)
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_nothing_that_was_sent_is_sent_back_in_a_refusal(anna):
    answer = anna.ask("POST", "asks", {"what": "a-secret-of-mine", "campaign": ["a-secret-of-mine"]})

    check(answer, 422)
    assert "a-secret-of-mine" not in answer.text


def test_the_cookie_of_the_pages_opens_nothing(desk):
    client = desk.app.test_client()
    client.set_cookie("callbridge-session", "x" * 43)

    check(client.post("/api/v1/erase", json={"phone": "+12813322575"}), 401)


def test_when_redis_is_away_it_says_when_to_come_again(open_desk):
    client = open_desk("unix:///nowhere/redis.sock").app.test_client()

    for path in ("events", "events/zapier%3Alead-7", "status", "do-not-call", "history", "sources"):
        answer = client.get(f"/api/v1/{path}", headers={"Authorization": "Bearer token-of-anna-and-nobody-else"})
        assert check(answer, 503)["code"] == "unavailable"
        assert int(answer.headers["Retry-After"]) > 0
