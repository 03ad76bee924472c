"""``/ops/campaigns``: as the bridge has them, and as the platform has them when it is asked."""

from datetime import timedelta

import pytest

from bridge.model import Status
from bridge.web.ops.platform import Question


def test_the_list_says_what_each_does(board):
    board.lead(1)
    board.end(board.lead(2), Status.DONE, campaign="welcome", outcome="made")
    board.services.operating.pause("campaign:follow-up", "bert")
    page = board.get("/ops/campaigns")

    assert "welcome calls 5/s 1 0 0 1" in page.text
    assert "follow-up paused by bert none 0 0 0 0" in page.text


def test_a_platform_that_does_not_answer_is_told(board, hands):
    board.services.redis.hset("callbridge:1:breaker:welcome", "open", int(hands().timestamp() * 1000))

    assert "no answer since" in board.get("/ops/campaigns").text
    assert "The platform has not answered for this campaign since" in board.get("/ops/campaigns/welcome").text
    assert "The platform does not answer for campaign welcome" in board.get("/ops/").text


def test_the_platform_is_asked_and_its_answer_shown_when_it_is_there(board):
    page = board.done("/ops/campaigns/welcome/ask")
    (live,) = [each for each in page.all("section") if "data-live" in each]
    assert "A worker is asking the platform" in page.text

    ask = board.answer(data={"id": "7", "name": "<b>Welcome</b>", "project": "p", "status": "inProgress", "counts": {"totalNumbers": 12}})
    page = board.get(live["data-live"])

    assert (ask.what, ask.campaign, ask.by) == ("info", "welcome", "anna")
    assert "Status inProgress" in page.text
    assert "total numbers 12" in page.text
    assert "<b>Welcome" not in page.html
    assert [each for each in page.all("section") if "data-live" in each] == []


def test_what_the_platform_refuses_is_told(board):
    page = board.done("/ops/campaigns/welcome/ask")
    (live,) = [each["data-live"] for each in page.all("section") if "data-live" in each]
    board.answer(good=False, told="the platform refused the token (401)")

    assert "the platform refused the token (401)" in board.get(live).text


def test_nobody_waits_for_an_answer_for_ever(board, hands):
    location = board.post("/ops/campaigns/welcome/ask").headers["Location"]
    hands.ahead = timedelta(minutes=1)
    page = board.get(location)

    assert "No answer came. A worker must be running for that" in page.text
    assert [each for each in page.all("section") if "data-live" in each] == []


@pytest.mark.parametrize("action", ["pause", "resume"])
def test_it_is_controlled_there_and_that_is_written_down(board, action):
    page = board.done(f"/ops/campaigns/welcome/{action}")
    assert "A worker is asking the platform" in page.text
    assert board.answer().what == action
    assert board.deeds[0] == ("anna", f"{action}d the campaign at the platform")


def test_to_stop_it_for_good_its_name_must_be_typed(board):
    answer = board.post("/ops/campaigns/welcome/stop", name="welcom")

    assert answer.status_code == 422
    assert "Nothing was done: to stop it for good, its name, welcome, is to be typed" in board.read(answer).text
    assert board.deeds == []
    assert board.services.asks.take(0.01) is None

    board.done("/ops/campaigns/welcome/stop", name=" welcome ", note="the season is over")

    assert board.answer().what == "stop"
    assert board.deeds == [("anna", "stopped the campaign for good")]


JOB = {"id": "5665336653", "phone": "12813322575", "status": "finished", "attempts": 2, "data": {"answer": "yes", "called": "+12813322575"}}


@pytest.mark.parametrize(
    ("about", "arguments"),
    [
        ("5665336653", {"ids": ["5665336653"]}),
        ("1, 2;3  4", {"ids": ["1", "2", "3", "4"]}),
        ("+1 (281) 332-2575", {"phones": ["12813322575"]}),
    ],
)
def test_call_jobs_are_reported_by_id_or_number_without_showing_one(board, about, arguments):
    page = board.done("/ops/campaigns/welcome/report", about=about)
    (live,) = [each["data-live"] for each in page.all("section") if "data-live" in each]
    first, second = board.answer(data=[JOB]), board.answer(data=[])
    page = board.get(live)

    assert (first.what, second.what) == ("job_report", "attempt_report")
    assert first.arguments == second.arguments == arguments
    assert "5665336653" in page.text
    assert "answer: yes" in page.text
    assert "The platform knows of none." in page.text
    assert "2813322575" not in page.html


@pytest.mark.parametrize("about", ["", "Alex Doe", "12; drop", "1 " * 51])
def test_what_is_neither_is_told_beside_the_field_and_kept(board, about):
    answer = board.post("/ops/campaigns/welcome/report", about=about)

    assert answer.status_code == 422
    page = board.read(answer)
    assert "Write the ids of call jobs" in page.text or "ask about 50 at a time" in page.text
    assert page.field("about") == about
    assert board.services.asks.take(0.01) is None


def test_there_is_no_campaign_that_is_not_configured_and_nothing_else_to_do_to_one(board):
    assert board.anna.get("/ops/campaigns/nowhere").status_code == 404
    assert board.post("/ops/campaigns/nowhere/pause").status_code == 404
    assert board.post("/ops/campaigns/welcome/explode").status_code == 404
    assert board.deeds == []


@pytest.mark.parametrize("written", ["", "x", "0" * 32, f"{'0' * 32}.", f"{'g' * 32}.1", f"{'0' * 32}.<script>"])
def test_an_address_that_asks_for_nothing_shows_nothing(board, written):
    assert Question.read(written) is None
    assert "Ask the platform" in board.get("/ops/campaigns/welcome", asked=written).text
