"""The way in: a token becomes a session, and nothing else does."""

import json
import logging

import pytest

from bridge.log import JsonLines

SHARED, ANNA = "shared-token-of-everybody", "token-of-anna-and-nobody-else"
HTTPS = f"ops_token: {SHARED}, operators: {{anna: {ANNA}}}, public_url: 'https://bridge.example.com'"


def cookie(answer, name):
    """The one cookie of that name that an answer sets."""
    (found,) = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith(f"{name}=")]
    return found


def test_whoever_has_not_logged_in_is_sent_to_the_form_and_back_to_what_he_asked_for(side, browser, login):
    answer = browser.get("/ops/search?q=%2B1%20281&page=2")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/ops/login?next=/ops/search?q%3D%252B1%2520281%26page%3D2")
    form = browser.get(answer.headers["Location"])
    assert 'name="next" value="/ops/search?q=%2B1%20281&amp;page=2"' in form.text
    assert login(browser, ANNA, next="/ops/search?q=%2B1%20281&page=2").headers["Location"] == "/ops/search?q=%2B1%20281&page=2"


def test_an_operators_own_token_tells_who_he_is(browser, login, read):
    assert login(browser, ANNA, name="bert").status_code == 303

    assert "anna" in read(browser.get("/ops/")).text


def test_with_the_shared_token_he_has_to_say_it(browser, login, read):
    nameless = login(browser, SHARED, name="  ")
    assert (nameless.status_code, "Say who you are" in nameless.text) == (422, True)
    assert login(browser, SHARED, name="x" * 41).status_code == 422
    assert login(browser, SHARED, name="a\u202eb").status_code == 422

    assert login(browser, SHARED, name=" Dora  <b>Klein ").status_code == 303
    page = browser.get("/ops/")
    assert "Dora &lt;b&gt;Klein" in page.text
    assert "<b>Klein" not in page.text


@pytest.mark.parametrize("name", ["anna", "ANNA", " Bert "])
def test_nobody_can_pass_for_an_operator_with_a_token_of_his_own(browser, login, name):
    answer = login(browser, SHARED, name=name)

    assert (answer.status_code, "another name" in answer.text) == (422, True)
    assert browser.get("/ops/").status_code == 303


@pytest.mark.parametrize("token", ["", "nobody-has-this", ANNA[:-1], f"{ANNA}x", ANNA.upper(), "ß" * 20, "\x00"])
def test_a_wrong_token_is_refused_and_told_to_nobody(browser, login, caplog, token):
    caplog.set_level(logging.DEBUG)

    answer = login(browser, token)

    assert answer.status_code == 403
    assert browser.get("/ops/").status_code == 303
    told = "".join(JsonLines().format(record) for record in caplog.records) + answer.text
    assert len(token) < 5 or json.dumps(token)[1:-1] not in told
    assert "wrong token" in told


def test_no_token_is_in_a_log_line_a_page_or_the_ledger(side, browser, login, caplog):
    caplog.set_level(logging.DEBUG)

    pages = [login(browser, "a-wrong-token-of-somebody").text, login(browser, ANNA).text, browser.get("/ops/").text]
    browser.post("/ops/logout")

    kept = "".join(f"{key} {side.services.redis.dump(key)!r}" for key in side.services.redis.scan_iter() if "throttle" not in key)
    told = "".join(JsonLines().format(record) for record in caplog.records) + "".join(pages) + kept
    assert [token for token in (SHARED, ANNA, "a-wrong-token-of-somebody") if token in told] == []


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(browser, login):
    session = cookie(login(browser, ANNA), "callbridge-session")

    assert {"HttpOnly", "SameSite=Lax", "Path=/ops", "Max-Age=43200"} <= set(session.split("; "))
    assert "Secure" not in session


@pytest.mark.parametrize(("server", "https"), [(HTTPS, False), (HTTPS, True), (HTTPS.partition(", public_url")[0], True)])
def test_over_https_it_is_bound_to_the_host_and_to_https(open_side, redis_url, read, server, https):
    browser = open_side(redis_url, server).browser(https=https)
    form = browser.get("/ops/login", base_url="https://localhost")
    token = read(form).field("csrf_token")

    answer = browser.post("/ops/login", data={"csrf_token": token, "token": ANNA}, base_url="https://localhost")

    for line in (cookie(answer, "__Host-callbridge-session"), cookie(form, "__Host-callbridge-forms")):
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(line.split("; "))
        assert "Domain" not in line
    assert browser.get("/ops/", base_url="https://localhost").status_code == 200


def test_a_browser_that_could_not_keep_the_cookie_is_told_before_it_tries(open_side, redis_url):
    side = open_side(redis_url, HTTPS)

    assert "opened without https" in side.browser().get("/ops/login").text
    assert "opened without https" not in side.browser().get("/ops/login", base_url="https://localhost").text


def test_a_trusted_proxy_is_believed_about_https_and_no_other_is(open_side, redis_url):
    told = {"X-Forwarded-Proto": "https"}

    trusting = open_side(redis_url, f"ops_token: {SHARED}, trusted_proxies: 1").browser().get("/ops/login", headers=told)
    wary = open_side(redis_url, f"ops_token: {SHARED}").browser().get("/ops/login", headers=told)

    assert cookie(trusting, "__Host-callbridge-forms")
    assert cookie(wary, "callbridge-forms")


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/ops/",
        "//evil.example/ops/",
        "/\\evil.example",
        "/ops/\\evil.example",
        "\\\\evil.example/ops/",
        "/ops/../webhooks/zapier",
        "/ops/%2e%2e/api/v1/whoami",
        "/ops",
        "/opsy/",
        "javascript:alert(1)//ops/",
        "/ops/\nSet-Cookie: a=b",
        "/ops/ \t",
        " /ops/x",
    ],
)
def test_nobody_is_sent_anywhere_else_after_it(browser, login, elsewhere):
    assert login(browser, ANNA, next=elsewhere).headers["Location"] == "/ops/"
    assert browser.get("/ops/login", query_string={"next": elsewhere}).headers["Location"] == "/ops/"


def test_who_logs_in_gets_a_session_of_his_own_whatever_his_browser_brought(side, login, read):
    planter, victim = side.browser(), side.browser()
    login(planter, ANNA)
    brought = planter.get_cookie("callbridge-session", path="/ops").value
    form = read(victim.get("/ops/login"))
    victim.set_cookie("callbridge-session", brought, path="/ops")

    victim.post("/ops/login", data={"csrf_token": form.field("csrf_token"), "token": ANNA})

    assert victim.get_cookie("callbridge-session", path="/ops").value != brought
    assert victim.get("/ops/").status_code == 200
    assert planter.get("/ops/").status_code == 303
