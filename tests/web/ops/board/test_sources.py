"""``/ops/sources``: who delivers, what was refused and why, and what is taken in once the cause is mended."""

import pytest

from bridge.errors import Refusal
from bridge.web.ops.sources import REFUSALS

WRONG = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
INVOICE = {"type": "lead.created", "timestamp": "2026-11-23T08:40:00Z", "data": {"id": "in_1", "phone": "+12813322575"}}


def test_the_list_says_who_delivers(board):
    board.lead(1)
    board.lead(1)
    board.send(INVOICE, "billing", secret=WRONG)
    page = board.get("/ops/sources")

    assert "zapier Generic delivers now 1 1 0 0" in page.text
    assert "billing Standard Webhooks never heard of – 0 0 0 1" in page.text


def test_a_source_says_how_it_is_connected(board):
    page = board.get("/ops/sources/billing")

    assert "https://bridge.example.com/webhooks/billing" in page.text
    assert "HMAC-SHA256" in page.text
    assert "whsec_MfKQ" not in page.html


def test_what_the_manual_stresses_is_stressed_and_shows_no_marks(board):
    page = board.get("/ops/sources/zapier")

    assert "Zapier <em>Webhooks by Zapier</em>, Make <em>HTTP</em>" in page.html
    assert "*" not in page.text


def test_refusals_are_counted_by_reason_with_their_mend(board):
    board.send(INVOICE, "billing", secret=WRONG)
    board.app.test_client().post("/webhooks/billing", json=INVOICE)
    page = board.get("/ops/sources/billing")

    assert "1 were signed with another secret Compare the secret in the configuration with the CRM's" in page.text
    assert "1 carried no proof at all" in page.text


def test_every_refusal_has_a_meaning_and_a_mend():
    assert set(REFUSALS) == set(Refusal)
    assert all(meaning and mend for meaning, mend in REFUSALS.values())


def test_a_refused_request_is_shown_without_numbers_and_secrets(board):
    board.send(INVOICE, "billing", secret=WRONG)
    board.app.test_client().post(
        "/webhooks/zapier?token=a-token-that-is-secret",
        json={"phone": "(281) 332-2575", "name": "<b>Alex</b>"},
        headers={"Authorization": "Bearer a-stranger-tries-this"},
    )
    html = board.get("/ops/sources/zapier").html + board.get("/ops/sources/billing").html

    assert "&lt;b&gt;Alex&lt;/b&gt;" in html
    for private in ("332-2575", "2813322575", "a-stranger-tries-this", "a-token-that-is-secret", "<b>Alex"):
        assert private not in html


def test_before_the_mend_it_says_why_nothing_can_be_taken_in(board):
    board.send(INVOICE, "billing", secret=WRONG)
    page = board.get("/ops/sources/billing")

    assert "It cannot be taken in: still refused: no signature of the list matches." in page.text
    assert "Take it in" not in page.text
    assert "Take in all" not in page.text


def test_after_the_mend_one_is_taken_in(board, open_board):
    board.send(INVOICE, "billing", secret=WRONG)
    mended = open_board(billing=WRONG)
    (button,) = [each["value"] for each in mended.get("/ops/sources/billing").all("input") if each.get("name") == "id"]

    page = mended.done("/ops/sources/billing/readmit", id=button)

    assert "1 request taken in: 1 new event, 0 received before." in page.text
    assert mended.deeds[0] == ("anna", "took in a request that had been refused")
    assert mended.services.search.count("source:billing") == 1
    assert "Take it in" not in page.text


def test_after_the_mend_all_that_are_genuine_are_taken_in(board, open_board):
    for number in range(3):
        board.send({**INVOICE, "data": {"id": f"in_{number}"}}, "billing", secret=WRONG)
    board.app.test_client().post("/webhooks/billing", json=INVOICE)
    mended = open_board(billing=WRONG)

    page = mended.done("/ops/sources/billing/readmit")

    assert "3 requests taken in: 3 new events, 0 received before." in page.text
    assert "1 stayed out: still refused" in page.text


def test_a_secret_that_was_removed_cannot_be_proved_and_the_page_says_so(board, open_board):
    board.app.test_client().post(
        "/webhooks/zapier", json={"event_id": "1", "type": "t"}, headers={"Authorization": "Bearer the-new-secret-of-zapier"}
    )
    mended = open_board(zapier="the-new-secret-of-zapier")

    assert "its proof was a secret, which was removed when it was kept: have the CRM send it again" in mended.get("/ops/sources/zapier").text
    page = mended.done("/ops/sources/zapier/readmit")
    assert "1 stayed out: its proof was a secret" in page.text


def test_one_that_is_not_kept_any_more_is_not_taken_in(board):
    page = board.done("/ops/sources/billing/readmit", id="0123456789abcdef")

    assert "This request is not kept any more" in page.text


@pytest.mark.parametrize("path", ["/ops/sources/nobody", "/ops/sources/%3Cscript%3E"])
def test_there_is_no_page_of_a_source_that_is_not_configured(board, path):
    assert board.anna.get(path).status_code == 404
    assert board.post(f"{path}/readmit").status_code == 404


def test_what_another_version_refused_for_is_told_as_it_is(board):
    board.services.redis.hset("callbridge:1:refused:count:billing", "<moon phase>", 3)

    assert "3 <moon phase>" in board.get("/ops/sources/billing").text


def test_of_a_large_body_that_a_stranger_sent_the_beginning_is_shown(board):
    answer = board.app.test_client().post("/webhooks/zapier", data="x 281 332 2575 " * 8_000, content_type="application/json")
    assert answer.status_code == 401

    page = board.get("/ops/sources/zapier")

    assert "only the first 16,384 of 120,000 characters are shown" in page.text
    assert page.text.count("281…75") == 16_384 // 15 + 1
    assert "281 332" not in page.text
