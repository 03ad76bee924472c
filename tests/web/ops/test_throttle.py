"""Wrong tokens are counted, over all web processes and both doors, and at some point nobody looks at them any more."""

import pytest

from bridge.errors import LedgerUnavailable, TooManyTries
from bridge.ledger import Throttle, connect
from bridge.ledger.throttling import FROM_ALL, neighbourhood

SHARED, ANNA = "shared-token-of-everybody", "token-of-anna-and-nobody-else"
NOT_THERE = "unix:///nowhere/redis.sock"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def test_after_ten_wrong_tokens_not_even_a_right_one_is_looked_at(side, browser, login, read):
    assert [login(browser, f"wrong-{number}").status_code for number in range(10)] == [403] * 10

    answer = login(browser, ANNA)

    assert answer.status_code == 429
    assert 880 <= int(answer.headers["Retry-After"]) <= 900
    assert "Try again in 15 minutes" in read(answer).text
    assert browser.get("/ops/").status_code == 303


def test_the_tries_of_two_processes_and_of_both_doors_are_counted_together(side, open_side, redis_url, login):
    other = open_side(redis_url)
    for number in range(5):
        login(side.browser(), f"wrong-{number}")
        other.browser().get("/api/v1/whoami", headers=bearer("wrong"))

    by_form = login(other.browser(), ANNA)
    by_api = side.browser().get("/api/v1/whoami", headers=bearer(ANNA))

    assert (by_form.status_code, by_api.status_code) == (429, 429)
    assert by_api.get_json()["error"]["code"] == "too_many_tries"
    assert int(by_api.headers["Retry-After"]) > 800


def test_somebody_elsewhere_may_still_log_in(side, login):
    for number in range(10):
        login(side.browser("203.0.113.7"), f"wrong-{number}")

    assert login(side.browser("203.0.113.8"), ANNA).status_code == 303


def test_a_session_goes_on_while_its_address_has_to_wait(side, anna, login):
    for number in range(11):
        login(side.browser(), f"wrong-{number}")

    assert anna.get("/ops/").status_code == 200


def test_right_tokens_and_missing_ones_are_no_wrong_ones(side, login):
    browser = side.browser()
    for _ in range(11):
        assert browser.get("/api/v1/whoami", headers=bearer(ANNA)).status_code == 200
        assert browser.get("/api/v1/whoami").status_code == 401

    assert login(browser, ANNA).status_code == 303


def test_without_a_trusted_proxy_nobody_can_claim_another_address(side, login, read):
    browser = side.browser()
    for number in range(11):
        token = read(browser.get("/ops/login")).field("csrf_token")
        answer = browser.post(
            "/ops/login",
            data={"csrf_token": token, "token": "wrong"},
            headers={"X-Forwarded-For": f"198.51.100.{number}", "Forwarded": "for=1.2.3.4"},
        )

    assert answer.status_code == 429


def test_behind_trusted_proxies_the_client_is_counted_and_not_what_he_claims(open_side, redis_url):
    browser = open_side(redis_url, f"ops_token: {SHARED}, trusted_proxies: 1").browser("127.0.0.1")
    headers = [{**bearer("wrong"), "X-Forwarded-For": f"{number}.1.1.1, 203.0.113.9"} for number in range(11)]

    answers = [browser.get("/api/v1/whoami", headers=each).status_code for each in headers]

    assert answers == [401] * 10 + [429]
    assert browser.get("/api/v1/whoami", headers={**bearer(SHARED), "X-Forwarded-For": "203.0.113.10"}).status_code == 200


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::"),
        ("2001:db8:1:2:bbbb::2", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("", "unknown"),
        ("not an address:*", "unknown"),
    ],
)
def test_what_counts_as_one_address(address, counted_as):
    assert neighbourhood(address) == counted_as


def test_many_addresses_together_have_a_limit_too(redis):
    throttle = Throttle(redis)
    for number in range(FROM_ALL.amount):
        throttle.count(f"198.51.{number // 250}.{number % 250}")

    with pytest.raises(TooManyTries):
        throttle.require_room("203.0.113.7")


def test_what_is_counted_is_forgotten_by_redis(redis):
    Throttle(redis).count("203.0.113.7")

    keys = redis.keys("callbridge:1:throttle*")
    assert len(keys) == 2
    assert all(0 < redis.ttl(key) <= 900 for key in keys)


def test_who_cannot_count_lets_nobody_try(open_side, read):
    browser = open_side(NOT_THERE).browser()
    token = read(browser.get("/ops/login")).field("csrf_token")

    page = browser.post("/ops/login", data={"csrf_token": token, "token": ANNA})
    answer = browser.get("/api/v1/whoami", headers=bearer(ANNA))

    assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
    assert "The ledger cannot be reached" in page.text
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (503, "unavailable")
    with pytest.raises(LedgerUnavailable):
        Throttle(connect(NOT_THERE)).count("203.0.113.7")
