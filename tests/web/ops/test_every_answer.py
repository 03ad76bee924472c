"""What holds for every answer under /ops and /api, whatever is asked for."""

import pytest

from bridge.errors import LedgerUnavailable
from bridge.web.ops.guard import OPEN

ANNA = "token-of-anna-and-nobody-else"
ERRORS = ("/ops/nothing", "/ops/login/nothing", "/ops/static/0/nothing.css", "/api/nothing", "/api/v1/nothing", "/ops", "/api")
PAGES = ("/ops/", "/ops/login", "/ops/nothing", "/ops/gallery")


def addresses(app):
    """Every route under the two doors, with something in the place of what varies."""
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith(("/ops", "/api"))]
    assert len(rules) > 4
    return [(rule.endpoint, app.url_map.bind("").build(rule.endpoint, dict.fromkeys(rule.arguments, "1"), force_external=False)) for rule in rules]


def check(answer):
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in answer.headers["Permissions-Policy"]
    assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize("who", ["anna", "browser"])
def test_it_confines_the_browser_and_is_kept_by_no_cache(side, who, request):
    client = request.getfixturevalue(who)

    for _, path in [*addresses(side.app), *(("", path) for path in ERRORS)]:
        for method in ("GET", "POST", "DELETE", "OPTIONS"):
            answer = client.open(path, method=method)
            check(answer)
            assert answer.headers["Cache-Control"] == "no-store" or "/static/" in path


@pytest.fixture
def broken(side):
    """A page with a fault in it."""
    side.app.add_url_rule("/ops/broken", "ops.broken", lambda: 1 / 0)


def test_every_failure_does_too(broken, anna, open_side):
    away = open_side("unix:///nowhere/redis.sock").browser()
    away.set_cookie("callbridge-session", "x", path="/ops")

    answers = {
        500: anna.get("/ops/broken"),
        503: away.get("/ops/"),
        405: anna.get("/ops/logout"),
        404: anna.get("/ops/nothing"),
        400: anna.post("/ops/logout"),
        413: anna.post("/ops/logout", data={"csrf_token": "x" * 70_000}),
    }

    for status, answer in answers.items():
        assert (answer.status_code, answer.content_type) == (status, "text/html; charset=utf-8")
        check(answer)
    assert set(answers[405].headers["Allow"].split(", ")) == {"OPTIONS", "POST"}
    assert "1 / 0" not in answers[500].text


@pytest.fixture
def leaving(side):
    """A page during which Redis goes away."""

    def leave():
        raise LedgerUnavailable("Redis did not take it")

    side.app.add_url_rule("/ops/leaving", "ops.leaving", leave)


def test_when_redis_goes_away_nothing_is_shown_that_would_have_to_ask_it(leaving, anna, read):
    answer = anna.get("/ops/leaving")

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "durability" not in read(answer).text
    assert "Log out" not in read(answer).text


def test_over_https_it_says_that_it_always_will_be(side, open_side, redis_url):
    public = open_side(redis_url, "ops_token: shared-token-of-everybody, public_url: 'https://bridge.example.com'")

    assert side.browser(https=True).get("/ops/login", base_url="https://localhost").headers["Strict-Transport-Security"] == "max-age=31536000"
    assert public.browser().get("/api/v1/whoami").headers["Strict-Transport-Security"] == "max-age=31536000"


def test_what_is_elsewhere_has_none_of_it(side, browser):
    assert "Content-Security-Policy" not in browser.get("/healthz").headers
    assert "Content-Security-Policy" not in browser.post("/webhooks/zapier").headers


def test_without_a_session_there_is_nothing_but_the_way_in(side, browser):
    for endpoint, path in addresses(side.app):
        if endpoint.startswith("ops.") and endpoint not in OPEN:
            for method in ("GET", "POST", "PUT", "DELETE"):
                answer = browser.open(path, method=method)
                assert (answer.status_code, answer.headers["Location"].startswith("/ops/login?")) == (303, True), path


def test_what_does_not_exist_looks_to_a_stranger_like_what_does(browser):
    assert browser.get("/ops/nothing").headers["Location"] == "/ops/login?next=/ops/nothing"


def test_no_page_has_a_script_or_a_style_in_itself_or_anything_from_elsewhere(gallery, anna, browser, read):
    for client in (anna, browser):
        for path in PAGES:
            page = read(client.get(path, follow_redirects=True))
            assert page.inline == []
            outside = [value for _, attributes in page.tags for name, value in attributes.items() if name in {"src", "href", "action"}]
            assert [value for value in outside if value and not value.startswith(("/", "#", "?"))] == []


def test_every_form_that_does_something_carries_its_token(gallery, anna, browser, read):
    for client in (anna, browser):
        for path in PAGES:
            page = read(client.get(path, follow_redirects=True))
            posting = [form for form in page.all("form") if form.get("method") == "post"]
            assert len(posting) == len([each for each in page.all("input") if each.get("name") == "csrf_token"])


def test_ids_on_a_page_are_its_own(gallery, anna, read):
    for path in PAGES:
        ids = [attributes["id"] for _, attributes in read(anna.get(path)).tags if "id" in attributes]
        assert sorted(ids) == sorted(set(ids))


def test_style_and_script_are_asked_for_once(side, browser, read):
    page = read(browser.get("/ops/login"))
    style, script = page.all("link")[1]["href"], page.all("script")[0]["src"]

    for path, kind in ((style, "text/css"), (script, "text/javascript")):
        answer = browser.get(path)
        assert (answer.status_code, answer.mimetype) == (200, kind)
        assert "immutable" in answer.headers["Cache-Control"]
        assert "Cookie" not in answer.headers.get("Vary", "")
    assert browser.get("/ops/static/of-another-version/ops.css").headers["Cache-Control"] == "no-cache"
    assert browser.get("/ops/static/of-another-version/guard.py").status_code == 404
