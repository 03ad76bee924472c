"""What holds for every one of these pages."""

import pytest

from bridge.ledger import Act, Unwanted
from bridge.ledger.issues import State
from bridge.model import Status

PATHS = (
    "/ops/",
    "/ops/issues",
    "/ops/sources",
    "/ops/sources/zapier",
    "/ops/sources/billing",
    "/ops/switches",
    "/ops/campaigns",
    "/ops/campaigns/welcome",
    "/ops/do-not-call",
    "/ops/history",
)


@pytest.fixture
def full(board, hostile):
    """With something hostile, and a number, wherever strangers or operators can write."""
    services, now = board.services, board.services.clock()
    board.lead(1, name=hostile)
    board.end(board.lead(2, name=hostile), Status.WAITING, f"waits: {hostile} +12813322570", due=60)
    fingerprint = board.fail(3, f"refused: {hostile} +12813322571", name=hostile)
    board.app.test_client().post("/webhooks/billing", data=f'{{"x": "{hostile} 12813322572"}}', headers={"X-Name": hostile})
    services.operating.change_issue(fingerprint, State.ACKNOWLEDGED, hostile)
    services.operating.pause("campaign:welcome", hostile, f"{hostile} +12813322573")
    services.ordering.list.add([Unwanted(phone="+12813322574", added=now, source=hostile, note=hostile)])
    services.audit.write(Act(at=now, by=hostile, what=hostile, targets=(f"zapier:{hostile}", "phone:+12813322574"), note=hostile))
    return board, [*PATHS, f"/ops/issues/{fingerprint}"]


def test_what_is_hostile_stays_text(full):
    board, paths = full
    for path in paths:
        page = board.get(path)
        assert "onerror" not in [name for _, attributes in page.tags for name in attributes]
        assert page.inline == [], path
        assert len(page.all("script")) == 1


def test_no_number_is_whole(full):
    board, paths = full
    for path in paths:
        assert "281332257" not in board.get(path).html, path


def test_no_secret_stands_on_any(full):
    board, paths = full
    for path in paths:
        html = board.get(path).html
        for secret in ("zapier-secret-of-ours", "whsec_MfKQ", "campaign-token", "token-of-anna"):
            assert secret not in html, path


def test_ids_on_a_page_are_its_own_and_forms_carry_their_token(full):
    board, paths = full
    for path in paths:
        page = board.get(path)
        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        assert sorted(ids) == sorted(set(ids)), path
        posting = [form for form in page.all("form") if form.get("method") == "post"]
        assert len(posting) == len([each for each in page.all("input") if each.get("name") == "csrf_token"]), path


def test_every_page_is_in_the_head_and_says_which_it_is(board):
    head = {each["href"] for each in board.get("/ops/").all("a")}
    for path in ("/ops/", "/ops/issues", "/ops/sources", "/ops/campaigns", "/ops/switches", "/ops/do-not-call", "/ops/history"):
        assert path in head
        assert [each["href"] for each in board.get(path).all("a") if each.get("aria-current") == "page"] == [path]
