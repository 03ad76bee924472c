"""What is around the pages, and what they are made of."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from bridge import __version__
from bridge.model import Status
from bridge.web.ops.charts import HEIGHT, WIDTH, bars, line
from bridge.web.ops.words import exactly, figure, relatively

NOW = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)


def test_every_page_says_what_bridge_this_is_and_who_is_logged_in(anna, read):
    text = read(anna.get("/ops/")).text

    for word in ("callbridge", "live", "anna", "Log out", f"callbridge {__version__}", "durability: unsafe"):
        assert word in text


def test_the_page_that_is_shown_is_marked_in_the_head(anna, read):
    assert [link["href"] for link in read(anna.get("/ops/")).all("a") if link.get("aria-current") == "page"] == ["/ops/"]
    assert [link["href"] for link in read(anna.get("/ops/nothing")).all("a") if link.get("aria-current")] == []


@pytest.mark.parametrize(("theme", "shown"), [("dark", "dark"), ("light", "light"), ("'\"><script>", None), ("", None)])
def test_the_page_is_drawn_as_its_reader_chose(anna, read, theme, shown):
    anna.set_cookie("callbridge-theme", theme, path="/ops")

    assert read(anna.get("/ops/")).all("html")[0].get("data-theme") == shown


def test_each_status_has_a_sign_of_its_own_beside_its_word(gallery, anna):
    html = anna.get("/ops/gallery").text

    signs = dict(re.findall(r'class="status (\w+)".*?<path d="([^"]+)"', html))
    assert sorted(signs) == sorted(Status)
    assert len(set(signs.values())) == len(Status)


def test_a_number_is_masked_wherever_it_is_shown(gallery, anna):
    html = anna.get("/ops/gallery").text

    assert "+128…75" in html
    assert "2813322575" not in html


@pytest.mark.parametrize(
    ("apart", "words"),
    [
        (timedelta(0), "now"),
        (timedelta(milliseconds=900), "now"),
        (timedelta(seconds=-59), "59 s ago"),
        (timedelta(minutes=-3), "3 min ago"),
        (timedelta(hours=2, minutes=59), "in 2 h"),
        (timedelta(days=-29), "29 d ago"),
        (timedelta(days=-31), "2026-10-23"),
        (timedelta(days=400), "2027-12-28"),
    ],
)
def test_how_far_away_a_moment_is(apart, words):
    assert relatively(NOW + apart, NOW) == words


def test_a_moment_is_told_exactly_in_one_zone():
    assert exactly(datetime.fromisoformat("2026-11-23T10:40:00+02:00")) == "2026-11-23 08:40:00 UTC"


@pytest.mark.parametrize(("number", "shown"), [(0, "0"), (11.0, "11"), (1234567, "1,234,567"), (0.25, "0.25")])
def test_a_figure_is_readable(number, shown):
    assert figure(number) == shown


def test_bars_stand_on_the_ground_side_by_side_and_the_largest_reaches_the_top():
    chart = bars([("a", 5), ("b", 10), ("c", 0)])

    assert [(bar.y, bar.height) for bar in chart.points] == [(60, 60), (0, 120), (120, 0)]
    assert all(left.x + left.width < right.x for left, right in zip(chart.points, chart.points[1:], strict=False))
    assert chart.points[-1].x + chart.points[-1].width < WIDTH


def test_a_line_goes_from_edge_to_edge():
    chart = line([("a", 1), ("b", 2), ("c", 0)])

    assert chart.path == f"0.0,60.0 300.0,0.0 600.0,{HEIGHT}.0"


@pytest.mark.parametrize("figures", [[], [("a", 0)], [("a", 7)]])
def test_little_or_nothing_can_be_drawn(figures):
    assert len(bars(figures).points) == len(line(figures).points) == len(figures)
