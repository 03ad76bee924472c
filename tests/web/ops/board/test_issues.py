"""``/ops/issues``: failures of one kind, and what is done about them."""

import pytest

from bridge.ledger import layout
from bridge.ledger.issues import MOST, State


def test_the_list_counts_failures_of_one_kind_together(board):
    board.fail(1)
    board.fail(2)
    board.fail(3, "the campaign token is refused")

    page = board.get("/ops/issues")

    assert "the platform refused the number" in page.text
    assert "2 failed still, of 2" in page.text
    assert "1 failed still, of 1" in page.text


def test_it_can_be_narrowed_to_a_state(board):
    first = board.fail(1)
    board.fail(2, "the campaign token is refused")
    board.services.operating.change_issue(first, State.RESOLVED, "bert")

    opened, resolved, every = (board.get("/ops/issues", state=state).text for state in ("open", "resolved", "all"))

    assert ("refused the number" in opened, "token is refused" in opened) == (False, True)
    assert ("refused the number" in resolved, "token is refused" in resolved) == (True, False)
    assert "open 1 acknowledged 0 resolved 1 all 2" in every


def test_more_than_are_looked_at_are_not_cut_off_without_a_word(board):
    kept = board.services.redis.hgetall(layout.issue(board.fail(1)))
    for number in range(MOST - 2):
        board.services.redis.hset(layout.issue(f"{number:012d}"), mapping=kept)
        board.services.redis.zadd(layout.ISSUES, {f"{number:012d}": float(kept["last"])})
    few = board.get("/ops/issues").text

    board.fail(2, "the campaign token is refused")

    assert ("500 that were seen last" in few, "500 that were seen last" in board.get("/ops/issues").text) == (False, True)


def test_an_issue_shows_its_events_and_leads_to_the_plan_of_their_replay(board):
    fingerprint = board.fail(1)
    board.fail(2)
    page = board.get(f"/ops/issues/{fingerprint}")

    links = [each["href"] for each in page.all("a")]
    assert "/ops/events/zapier:lead-1" in links
    assert "/ops/events/zapier:lead-2" in links
    assert f"/ops/replays/new?q=issue%3A{fingerprint}%20status%3Afailed" in links


@pytest.mark.parametrize("state", ["acknowledged", "resolved"])
def test_what_it_is_called_is_remembered_with_who_said_so(board, state):
    fingerprint = board.fail()
    page = board.done(f"/ops/issues/{fingerprint}/state", state=state)

    assert f"The issue is {state} now." in page.text
    assert "anna called it so" in page.text
    assert board.deeds[0] == ("anna", f"called the issue {state}")
    assert board.services.issues.one(fingerprint).state == state


def test_a_resolved_one_that_happens_again_says_that_it_came_back(board):
    fingerprint = board.fail(1)
    board.post(f"/ops/issues/{fingerprint}/state", state="resolved")
    board.fail(2)

    assert "came back" in board.get("/ops/issues").text
    assert "It was resolved, and came back" in board.get(f"/ops/issues/{fingerprint}").text


def test_pages_of_its_events_go_on(board):
    for number in range(60):
        fingerprint = board.fail(number)
    page = board.get(f"/ops/issues/{fingerprint}")
    (older,) = [each["href"] for each in page.all("a") if each.get("rel") == "next"]

    keys = {each["href"] for shown in (page, board.get(older)) for each in shown.all("a") if "/ops/events/" in (each.get("href") or "")}
    assert len(keys) == 60


@pytest.mark.parametrize(("path", "status"), [("/ops/issues/0123456789ab", 404), ("/ops/issues/%3Cscript%3E", 404)])
def test_there_is_no_page_of_what_does_not_exist(board, path, status):
    assert board.anna.get(path).status_code == status


def test_it_is_called_nothing_that_is_no_state(board):
    fingerprint = board.fail()

    assert board.post(f"/ops/issues/{fingerprint}/state", state="gone").status_code == 400
    assert board.anna.get(f"/ops/issues/{fingerprint}?after=nonsense").status_code == 404
