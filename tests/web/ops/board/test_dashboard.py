"""``/ops/``: how everything stands, and what happened lately."""

import re
import time
from datetime import timedelta

import pytest

from bridge.model import Rate, Status
from bridge.silence import working_time
from bridge.web.ops.words import lasting, rate


def tiles(page):
    """What the tiles count."""
    words = "on their way|waiting|unknown|parked|failed"
    return {name: int(count) for name, count in re.findall(rf"\b({words}) (\d+) ", page.text)}


def test_an_empty_bridge_says_what_is_missing(board):
    page = board.get("/ops/")

    assert "No worker is running, so what is accepted waits" in page.text
    assert "Nothing waits" in page.text
    assert tiles(page) == {"on their way": 0, "waiting": 0, "unknown": 0, "parked": 0, "failed": 0}


def test_it_counts_what_came_in_and_what_became_of_it(board):
    board.lead(1)
    board.lead(1)
    board.end(board.lead(2), Status.DONE, campaign="welcome", outcome="made")
    board.end(board.lead(3), Status.WAITING, "outside the call hours", due=60)
    board.end(board.lead(4), Status.UNKNOWN, "no answer came", due=60)
    board.end(board.lead(5), Status.PARKED, "the campaign is stopped", due=60)
    board.fail(6)

    page = board.get("/ops/")

    assert tiles(page) == {"on their way": 1, "waiting": 1, "unknown": 1, "parked": 1, "failed": 1}
    assert "came in 6 and 1 received before done 1 called, or cancelled" in page.text
    for reason in ("outside the call hours", "no answer came", "the campaign is stopped", "the platform refused the number"):
        assert reason in page.text
    assert "1 issue is open, with 1 failed event." in page.text


def test_what_waits_leads_to_its_events(board):
    board.end(board.lead(3), Status.WAITING, "waits until 2026-11-24T09:00:00Z", due=60)
    page = board.get("/ops/")
    (link,) = [each["href"] for each in page.all("a") if "reason" in (each.get("href") or "")]

    assert "waits until 2026" in board.get(link).text


def test_events_that_nobody_takes_are_past_due(board, hands):
    board.lead()
    hands.ahead = timedelta(minutes=1)

    assert "1 event is past due" in board.get("/ops/").text


def test_a_source_that_is_silent_for_longer_than_configured_is_told(board, hands, login):
    board.lead()
    since = hands()
    while working_time(since, hands()) <= timedelta(hours=4) or hands().weekday() >= 5:
        hands.ahead += timedelta(hours=1)
    assert login(board.anna, "token-of-anna-and-nobody-else").status_code == 303  # the session has ended by then

    assert "zapier has delivered nothing for" in board.get("/ops/").text
    assert "which is longer than 3 h." in board.get("/ops/").text
    assert "silent for too long" in board.get("/ops/sources").text
    assert "Is the webhook still entered at Generic" in board.get("/ops/sources/zapier").text


@pytest.mark.parametrize("stretch", ["1h", "24h", "7d", "30d"])
def test_it_looks_as_far_back_as_is_asked(board, stretch):
    board.lead()
    page = board.get("/ops/", range=stretch)

    current = [each["href"] for each in page.all("a") if each.get("aria-current") == "true"]
    assert current == [f"/ops/?range={stretch}"]
    assert "came in 1" in page.text


@pytest.mark.parametrize("query", [{"range": "nonsense"}, {"source": "nobody"}, {"campaign": "'\"><script>"}])
def test_what_it_does_not_know_is_left_aside(board, query):
    assert "The last 24 hours" in board.get("/ops/", **query).text


def test_one_source_is_told_alone(board):
    board.lead()
    page = board.get("/ops/", source="billing")

    assert "came in 0" in page.text
    assert "How soon calls were made" not in page.text.replace("How soon calls were made is not told by source", "")


def test_one_campaign_is_told_alone(board):
    board.end(board.lead(), Status.DONE, campaign="welcome", outcome="made")

    assert "done 1 called" in board.get("/ops/", campaign="welcome").text
    assert "done 0 called" in board.get("/ops/", campaign="follow-up").text
    assert "What came in 24" not in board.get("/ops/", campaign="welcome").text


def test_every_chart_has_its_figures_as_a_table(board):
    board.end(board.lead(), Status.DONE, campaign="welcome", outcome="made")
    page = board.get("/ops/")

    charts = [each for each in page.all("svg") if each.get("role") == "img"]
    assert len(charts) == 4
    assert page.text.count("As a table") == 4


def test_parts_of_it_keep_themselves_fresh(board):
    live = {each["id"]: each["data-live"] for each in board.get("/ops/", range="7d", source="zapier").all("section") if "data-live" in each}

    assert live == dict.fromkeys(("situation", "figures"), "/ops/?range=7d&source=zapier")


def test_a_paused_bridge_says_so_on_every_page(board):
    board.services.operating.pause("*", "bert", "the script is wrong")

    for path in ("/ops/", "/ops/issues", "/ops/sources", "/ops/campaigns", "/ops/do-not-call", "/ops/history", "/ops/search"):
        assert "All calling is paused by bert, now (the script is wrong)." in board.get(path).text


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "–"),
        (0.196, "196 ms"),
        (0.0042, "4.2 ms"),
        (1.25, "1.2 s"),
        (59, "59 s"),
        (240, "4 min"),
        (12_600, "3.5 h"),
        (float("inf"), "over a day"),
    ],
)
def test_durations_are_readable(seconds, shown):
    assert lasting(seconds) == shown


@pytest.mark.parametrize(("limit", "shown"), [((5, 1), "5/s"), ((300, 60), "300/min"), ((100, 10), "100 in 10 s")])
def test_rates_are_readable(limit, shown):
    assert rate(Rate(count=limit[0], seconds=limit[1])) == shown


def test_it_asks_redis_for_the_same_number_of_things_however_many_events_there_are(board, redis):
    def asked():
        before = redis.info("stats")["total_commands_processed"]
        board.get("/ops/")
        return redis.info("stats")["total_commands_processed"] - before

    for number in range(200):
        board.lead(number)
    board.get("/ops/")
    few = asked()
    for number in range(200, 600):
        board.lead(number)
    started = time.perf_counter()
    many = asked()

    assert many <= few + 10
    assert time.perf_counter() - started < 5
