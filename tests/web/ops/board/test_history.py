"""``/ops/history``: who did what."""

import pytest

from bridge.ledger import Act, Audit


def write(board, count=1, by="bert", **more):
    told = {"at": board.services.clock(), "by": by, "what": "replayed", **more}
    for _ in range(count):
        board.services.audit.write(Act(**told))


def links(page):
    return {each.get("href") for each in page.all("a")}


def test_it_tells_who_did_what_to_what_and_why(board):
    write(board, targets=("zapier:lead-7",), note="the mapping was wrong")
    page = board.get("/ops/history")

    assert "now bert replayed zapier:lead-7 the mapping was wrong" in page.text
    assert "/ops/events/zapier:lead-7" in links(page)


@pytest.mark.parametrize(
    ("target", "shown", "url"),
    [
        ("campaign:welcome", "campaign welcome", "/ops/campaigns/welcome"),
        ("source:zapier", "source zapier", "/ops/sources/zapier"),
        ("issue:0123456789ab", "issue 0123456789ab", "/ops/issues/0123456789ab"),
        ("scope:*", "all calling", "/ops/switches"),
        ("scope:campaign:welcome", "campaign welcome", "/ops/switches"),
        ("plan:p1", "plan p1", "/ops/replays/p1"),
        ("replay:p1", "replay p1", "/ops/search?q=replay:p1"),
    ],
)
def test_what_it_was_done_to_is_a_link(board, target, shown, url):
    write(board, targets=(target,))
    page = board.get("/ops/history")

    assert shown in page.text
    assert url in links(page)


def test_no_number_is_whole_even_in_a_note(board):
    write(board, targets=("phone:+12813322575",), what="looked at the whole number", note="rang (281) 332-2575 myself")
    html = board.get("/ops/history").html

    assert "+128…75" in html
    assert "332-2575" not in html
    assert "2813322575" not in html


def test_it_is_narrowed_to_one_person(board):
    write(board, by="bert", what="replayed")
    write(board, by="carla", what="cancelled")
    page = board.get("/ops/history", by="carla")

    assert "carla cancelled" in page.text
    assert "bert replayed" not in page.text
    assert "<option selected>carla</option>" in page.html


@pytest.mark.parametrize("by", ["", "bert"])
def test_a_long_one_is_shown_in_pages(board, by):
    for number in range(60):
        write(board, what=f"did no {number:03d}")
        write(board, by="carla", what=f"saw no {number:03d}")
    page, seen = board.get("/ops/history", by=by), 0
    while True:
        seen += page.text.count("did no ")
        older = [each["href"] for each in page.all("a") if each.get("rel") == "next"]
        if not older:
            break
        page = board.get(older[0])

    assert seen == 60


def test_no_more_acts_are_looked_at_than_is_quick(board, redis):
    write(board, by="bert")
    write(board, 20, by="carla")
    audit = Audit(redis, board.services.ledger.retention, looks=10)

    found, before = audit.page(5, by="bert")
    assert (found, bool(before)) == ([], True)
    while before and not found:
        found, before = audit.page(5, before, by="bert")
    assert [act.by for act in found] == ["bert"]


@pytest.mark.parametrize("before", ["nonsense", "1", "1-1 x", "-", "+", "99999999999999999999-0", "1-99999999999999999999"])
def test_what_is_no_place_in_it_is_not_found(board, before):
    assert board.anna.get("/ops/history", query_string={"before": before}).status_code == 404
