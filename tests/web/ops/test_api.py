"""The API's guard: a bearer token, and nothing else."""

from dataclasses import replace

import pytest

from bridge.app import create_app
from bridge.operators import Operators

SHARED, ANNA = "shared-token-of-everybody", "token-of-anna-and-nobody-else"


def ask(client, authorization=None):
    return client.get("/api/v1/whoami", headers={"Authorization": authorization} if authorization else {})


@pytest.mark.parametrize(("token", "name"), [(ANNA, "anna"), (SHARED, "operator")])
def test_a_token_tells_who_is_asking(browser, token, name):
    assert ask(browser, f"Bearer {token}").get_json() == {"operator": name}
    assert ask(browser, f"bearer  {token} ").get_json() == {"operator": name}


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer ", f"Basic {ANNA}", ANNA, f"Token {ANNA}"])
def test_without_one_it_says_what_to_send(browser, authorization):
    answer = ask(browser, authorization)

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (401, "missing_token")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("token", ["nobody-has-this", ANNA[:-1], f"{ANNA},{SHARED}", "é"])
def test_a_wrong_one_is_nobodys(browser, token):
    answer = ask(browser, f"Bearer {token}")

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (401, "wrong_token")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert token not in answer.text


def test_the_cookie_of_the_pages_does_not_open_it(anna):
    assert ask(anna).status_code == 401


def test_it_compares_with_every_token_there_is(side):
    compared = []
    counting = Operators(SHARED, {"anna": ANNA}, equal=lambda one, other: compared.append(1) or one == other)
    client = create_app(replace(side.services, operators=counting)).test_client()

    assert ask(client, f"Bearer {SHARED}").status_code == 200
    assert len(compared) == 2


def test_what_does_not_exist_there_is_told_in_json(browser):
    answer = browser.get("/api/v1/nothing")

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "not_found")
