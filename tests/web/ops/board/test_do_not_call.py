"""``/ops/do-not-call``: numbers that nobody calls."""

import io
from datetime import timedelta

import pytest

from bridge.ledger import Unwanted

PHONE = "+12813322575"


def entries(board, phone=PHONE):
    return board.services.ordering.list.of(phone)


def listed(board, *phones, **more):
    added = board.services.clock()
    board.services.ordering.list.add([Unwanted(phone=phone, added=added, **more) for phone in phones])


def upload(board, text, **form):
    return board.post("/ops/do-not-call/import", file=(io.BytesIO(text.encode()), "list.csv"), **form)


@pytest.mark.parametrize("spelled", ["+1 281 332 2575", "(281) 332-2575", "0012813322575"[2:]])
def test_a_number_is_added_in_any_spelling(board, spelled):
    page = board.done("/ops/do-not-call/add", phone=spelled, campaign="welcome", until="30d", note="asked us not to")

    (entry,) = entries(board)
    assert (entry.campaign, entry.note, entry.source) == ("welcome", "asked us not to", "anna")
    assert timedelta(days=29) < entry.until - board.services.clock() < timedelta(days=31)
    assert "The number is on the list." in page.text
    assert "+128…75" in page.text
    assert "welcome, ends in 29 d" in page.text
    assert board.deeds[0] == ("anna", "put +128…75 on the do-not-call list")


def test_it_goes_for_every_campaign_and_for_good_unless_something_else_is_said(board):
    page = board.done("/ops/do-not-call/add", phone=PHONE)

    assert (entries(board)[0].campaign, entries(board)[0].until) == ("*", None)
    assert "every campaign, for good" in page.text


def test_calls_that_wait_are_stopped_and_that_is_told(board):
    board.lead()

    assert "For 1 of them calls may wait or be planned" in board.done("/ops/do-not-call/add", phone=PHONE).text


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"phone": "nonsense"}, "This is no number"),
        ({"phone": ""}, "This is no number"),
        ({"phone": PHONE, "campaign": "nowhere"}, "There is no such campaign."),
        ({"phone": PHONE, "until": "someday"}, "is no time: write 30d"),
        ({"phone": PHONE, "until": "2020-01-01"}, "is over already."),
    ],
)
def test_what_is_wrong_is_told_beside_the_field_and_nothing_typed_is_lost(board, form, told):
    answer = board.post("/ops/do-not-call/add", note="a long story", **form)

    page = board.read(answer)
    assert answer.status_code == 422
    assert told in page.text
    assert page.field("note") == "a long story"
    assert page.field("phone") == form["phone"]
    assert board.services.ordering.list.size() == 0


@pytest.mark.parametrize("spelled", ["+1 281 332 2575", "281.332.2575"])
def test_a_number_is_looked_up_in_any_spelling(board, spelled):
    listed(board, PHONE, "+16502530000", note="asked us not to")
    page = board.get("/ops/do-not-call", q=spelled)

    assert "+128…75" in page.text
    assert "+165…00" not in page.text
    assert "It is not on the list" in board.get("/ops/do-not-call", q="+16502530001").text
    assert "cannot be read as a number" in board.get("/ops/do-not-call", q="hello").text


def test_a_line_is_removed_by_a_mark_that_does_not_tell_the_number(board):
    listed(board, PHONE)
    listed(board, PHONE, campaign="welcome")
    page = board.get("/ops/do-not-call")
    marks = {each["value"] for each in page.all("input") if each.get("name") == "mark"}
    assert "2813322575" not in page.html
    (mark,) = marks

    page = board.done("/ops/do-not-call/remove", mark=mark, campaign="welcome")

    assert "The entry is off the list." in page.text
    assert [entry.campaign for entry in entries(board)] == ["*"]
    assert board.deeds[0] == ("anna", "took +128…75 off the do-not-call list")
    assert board.services.audit.last()[0].note == "in campaign welcome"
    assert "It was not on the list any more." in board.done("/ops/do-not-call/remove", mark=mark, campaign="welcome").text


def test_the_history_has_no_sign_for_every_campaign(board):
    listed(board, PHONE)
    (mark,) = {each["value"] for each in board.get("/ops/do-not-call").all("input") if each.get("name") == "mark"}

    board.done("/ops/do-not-call/remove", mark=mark, campaign="*")

    assert board.services.audit.last()[0].note == "in every campaign"


@pytest.mark.parametrize("mark", ["", "1-", f"1-{'0' * 32}x", PHONE])
def test_what_is_no_mark_is_refused(board, mark):
    assert board.post("/ops/do-not-call/remove", mark=mark, campaign="*").status_code == 400


def test_another_numbers_mark_removes_nothing(board):
    listed(board, PHONE, "+16502530000")
    marks = [each["value"] for each in board.get("/ops/do-not-call").all("input") if each.get("name") == "mark"]
    forged = f"{marks[0].partition('-')[0]}-{'0' * 32}"

    assert "It was not on the list any more." in board.done("/ops/do-not-call/remove", mark=forged, campaign="*").text
    assert board.services.ordering.list.size() == 2


def test_a_long_list_is_shown_in_pages(board):
    listed(board, *(f"+1650253{number:04d}" for number in range(120)))
    page, shown = board.get("/ops/do-not-call"), []
    while True:
        shown += [each["value"] for each in page.all("input") if each.get("name") == "mark"]
        older = [each["href"] for each in page.all("a") if each.get("rel") == "next"]
        if not older:
            break
        page = board.get(older[0])

    assert len(shown) == len(set(shown)) == 120
    assert [each["href"] for each in page.all("a") if each.get("rel") == "prev"] == ["/ops/do-not-call?from=50"]


def test_a_file_is_imported(board):
    text = f"phone,campaign,note\n{PHONE},,asked\n(650) 253-0000,welcome,\n"

    page = board.get(upload(board, text, region="US").headers["Location"])

    assert "2 entries are on the list." in page.text
    assert [entry.campaign for entry in entries(board, "+16502530000")] == ["welcome"]
    assert board.deeds[0] == ("anna", "put 2 numbers on the do-not-call list")


BAD = f"phone,campaign\n{PHONE},\n281-nonsense-2575,\n+16502530000,nowhere\n"


def test_with_a_bad_line_nothing_is_imported_and_the_lines_are_named_by_their_numbers(board):
    answer = upload(board, BAD)
    page = board.read(answer)

    assert answer.status_code == 422
    assert "Nothing was imported: 2 of 3 lines cannot be taken." in page.text
    assert "Line 3: its number cannot be read" in page.text
    assert "Line 4: there is no such campaign." in page.text
    assert "nonsense" not in page.html
    assert "nowhere" not in page.text.replace("nowhere: they are bad lines", "")
    assert board.services.ordering.list.size() == 0


def test_the_good_lines_are_imported_where_that_is_asked_for(board):
    page = board.get(upload(board, BAD, skip="on").headers["Location"])

    assert "1 entry is on the list. 2 bad lines were left out." in page.text
    assert len(entries(board)) == 1


def test_of_many_bad_lines_the_rest_are_counted(board):
    page = board.read(upload(board, "phone\n" + "x\n" * 30))

    assert "Line 21: its number" in page.text
    assert "And in 10 more lines: its number cannot be read" in page.text


@pytest.mark.parametrize(("text", "told"), [("", "the first line must name the columns"), ("number\n+1\n", "the first line must name the columns")])
def test_a_file_without_the_column_is_refused(board, text, told):
    answer = upload(board, text)

    assert answer.status_code == 422
    assert told in board.read(answer).text


def test_without_a_file_it_says_so(board):
    answer = board.post("/ops/do-not-call/import")

    assert answer.status_code == 422
    assert board.services.ordering.list.size() == 0


def test_a_file_may_be_larger_than_a_form_but_not_than_a_delivery(board):
    lines = "".join(f"+1650{number:07d}\n" for number in range(2_000_000, 2_008_000))

    assert upload(board, f"phone\n{lines}").status_code == 303
    assert board.services.ordering.list.size() == 8000
    assert upload(board, "phone\n" + "x" * 140_000).status_code == 413


def test_the_export_has_whole_numbers_is_written_down_and_can_be_imported_again(board):
    listed(board, PHONE, note="a, b")
    answer = board.post("/ops/do-not-call/export")

    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="do-not-call-20')
    assert f'{PHONE},*,,"a, b",' in answer.text
    assert board.deeds[0] == ("anna", "exported the do-not-call list, with whole numbers")
    board.services.ordering.list.remove(PHONE)
    assert upload(board, answer.text).status_code == 303
    assert [entry.note for entry in entries(board)] == ["a, b"]


def test_it_cannot_be_exported_by_a_link(board):
    assert board.anna.get("/ops/do-not-call/export").status_code == 405
