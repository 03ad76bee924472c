"""Forms under /ops come from our own pages; nothing else is asked for that."""

import io

import pytest

from bridge.web.ops.forms import SMALL, large

ANNA = "token-of-anna-and-nobody-else"
LEAD = {"event_id": "lead-7", "type": "lead.created", "phone": "+12813322575", "entity": {"type": "lead", "id": "7"}}


@pytest.fixture
def acting(side):
    """A side with two forms that do something."""
    done = []

    def act():
        done.append(True)
        return "done"

    @large
    def take():
        return act()

    side.app.add_url_rule("/ops/act", "ops.act", act, methods=["POST"])
    side.app.add_url_rule("/ops/take", "ops.take", take, methods=["POST"])
    return done


def test_a_form_of_our_own_page_is_taken(acting, anna, read):
    token = read(anna.get("/ops/")).field("csrf_token")

    assert anna.post("/ops/act", data={"csrf_token": token}).text == "done"


@pytest.mark.parametrize("token", [None, "", "x", "ImFiYyI.aaaaaa.bbbb"])
def test_a_form_without_its_token_does_nothing_and_says_what_to_do(acting, anna, token):
    answer = anna.post("/ops/act", data={} if token is None else {"csrf_token": token})

    assert (answer.status_code, acting) == (400, [])
    assert "The form had become old" in answer.text
    assert "Nothing was done. Go back" in answer.text


def test_a_token_of_another_browser_does_nothing(acting, side, anna, login, read):
    bert = side.browser()
    login(bert, "token-of-bert-and-nobody-else")
    token = read(bert.get("/ops/")).field("csrf_token")

    assert (anna.post("/ops/act", data={"csrf_token": token}).status_code, acting) == (400, [])


def test_a_token_from_before_logging_in_does_nothing_afterwards(acting, side, browser, login, read):
    early = read(browser.get("/ops/login")).field("csrf_token")
    login(browser, ANNA)
    browser.get("/ops/")

    assert (browser.post("/ops/act", data={"csrf_token": early}).status_code, acting) == (400, [])


@pytest.mark.parametrize("where", ["cross-site", "same-site"])
def test_a_form_that_the_browser_calls_anothers_does_nothing(acting, anna, read, where):
    token = read(anna.get("/ops/")).field("csrf_token")

    assert anna.post("/ops/act", data={"csrf_token": token}, headers={"Sec-Fetch-Site": where}).status_code == 400
    assert acting == []


def test_nobody_can_be_logged_in_or_out_by_another_site(side, browser, anna):
    assert browser.post("/ops/login", data={"token": ANNA}).status_code == 400
    assert anna.post("/ops/logout").status_code == 400
    assert anna.get("/ops/").status_code == 200


def test_a_form_is_small_unless_it_is_there_to_take_a_file(acting, anna, read):
    token = read(anna.get("/ops/")).field("csrf_token")

    def send(path, size):
        return anna.post(path, data={"csrf_token": token, "file": (io.BytesIO(b"x" * size), "list.csv")}).status_code

    assert send("/ops/act", SMALL + 1) == 413
    assert send("/ops/take", SMALL + 1) == 200
    assert anna.post("/ops/take", data=b"x" * (1024**2 + 1), content_type="multipart/form-data; boundary=x").status_code == 413
    assert anna.post("/ops/act", data={"csrf_token": token, "text": "x" * SMALL}).status_code == 413
    assert len(acting) == 1


def test_webhooks_are_asked_for_no_token_of_a_form(side):
    answer = side.browser().post("/webhooks/zapier", json=LEAD, headers={"Authorization": "Bearer zapier-secret-of-ours"})

    assert answer.status_code == 200
    assert answer.get_json()["events"][0]["id"] == "lead-7"


def test_a_webhook_as_a_form_is_not_taken_apart_before_its_signature_is_checked(side):
    body = {"csrf_token": "x", "event_id": "lead-8", "type": "lead.created"}

    assert side.browser().post("/webhooks/zapier", data=body, headers={"Authorization": "Bearer zapier-secret-of-ours"}).status_code in {
        200,
        202,
        422,
    }
