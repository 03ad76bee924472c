"""Without an operator in the configuration there is no way in."""

import pytest

SHARED = "shared-token-of-everybody"


@pytest.fixture
def closed(open_side, redis_url):
    return open_side(redis_url, "max_body: 64KiB").browser()


@pytest.mark.parametrize("path", ["/ops/", "/ops", "/ops/login", "/ops/search?q=x", "/ops/nothing"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_pages_say_how_to_open_them(closed, path, method):
    answer = closed.open(path, method=method, data={"token": ""})

    assert answer.status_code == 403
    assert "set server.ops_token (OPS_TOKEN in the example) or server.operators" in answer.text
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer "}, {"Authorization": "Bearer None"}, {"Authorization": f"Bearer {SHARED}"}])
def test_so_does_the_api(closed, headers):
    answer = closed.get("/api/v1/whoami", headers=headers)

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (403, "closed")
    assert "server.ops_token" in answer.get_json()["error"]["message"]


def test_a_session_of_the_time_before_opens_nothing(side, anna, open_side, redis_url):
    anna.application = open_side(redis_url, "max_body: 64KiB").app

    assert anna.get("/ops/").status_code == 403


def test_the_closed_page_has_its_style(closed, read):
    page = read(closed.get("/ops/"))

    assert closed.get(page.all("link")[1]["href"]).status_code == 200


def test_webhooks_are_as_open_as_ever(closed):
    assert closed.post("/webhooks/zapier", json={}, headers={"Authorization": "Bearer zapier-secret-of-ours"}).status_code == 422
