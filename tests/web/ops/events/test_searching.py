"""One box: what is found, how it was understood, and what to do where nothing is."""

import pytest

from bridge.filters import NAMES
from bridge.model import Status
from bridge.web.ops.searching import HELP

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'


def links(page):
    return [link["href"] for link in page.all("a")]


@pytest.mark.parametrize(
    "written", ["+1 281 332 2575", "(281) 332-2575", "phone:+12813322575", "alex", "lead:7", "5665336653", 'rule:"call new leads"']
)
def test_an_event_is_found_by_whatever_is_known_of_it(desk, written):
    key = desk.lead(7)
    desk.lead(8, name="Sam Poe")
    desk.call(key)

    assert f"/ops/events/{key}" in links(desk.search(written))


def test_it_says_how_it_was_understood_without_the_number(desk):
    desk.lead(7)

    text = desk.search("+1 281 332 2575").text

    assert "Understood as the phone number +128…75." in text


def test_each_line_tells_who_what_why_and_when(desk):
    desk.end(desk.lead(7), Status.FAILED, "refused by the platform: bad format", campaign="welcome")

    text = desk.search("status:failed").text

    for part in ("Alex Doe", "+128…75", "lead 7 was created", "zapier", "call new leads", "campaign welcome", "failed", "refused by the platform"):
        assert part in text


def test_the_id_of_an_event_leads_straight_to_it(desk):
    desk.lead(7)

    answer = desk.anna.get("/ops/search", query_string={"q": "zapier:lead-7"})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/ops/events/zapier:lead-7")
    assert desk.anna.get("/ops/search", query_string={"q": "lead-7"}).status_code == 303


def test_an_id_that_two_sources_gave_does_not(desk):
    desk.lead(7)
    desk.deliver({"event_id": "lead-7", "type": "lead.created", "entity": {"type": "lead", "id": "9"}}, "billing")

    assert {"/ops/events/zapier:lead-7", "/ops/events/billing:lead-7"} <= set(links(desk.search("lead-7")))


def test_the_tabs_keep_the_rest_of_what_was_asked_for(desk):
    for number in (7, 8, 9):
        desk.lead(number)
    desk.end("zapier:lead-8", Status.FAILED)
    desk.deliver({"event_id": "c1", "type": "contact.created", "entity": {"type": "contact", "id": "1"}})

    page = desk.search("source:zapier status:failed")
    text = page.text

    assert "all 4" in text
    assert "queued 2" in text
    assert "failed 1" in text
    assert "ignored 1" in text
    assert "done" not in text
    assert "/ops/search?q=status:queued+source:zapier" in links(page)
    assert "all 4" in desk.search("").text


def test_more_than_a_page_goes_on_by_time(desk):
    for number in range(60):
        desk.lead(number)

    first = desk.search("source:zapier")
    older = next(link["href"] for link in first.all("a") if link.get("rel") == "next")
    second = desk.read(desk.anna.get(older))

    shown = [[link for link in links(page) if link.startswith("/ops/events/")] for page in (first, second)]
    assert [len(page) for page in shown] == [50, 10]
    assert len({*shown[0], *shown[1]}) == 60
    assert any(link.get("rel") == "prev" for link in second.all("a"))


def test_a_page_that_gave_up_looking_says_how_far_it_looked(desk):
    desk.services.finder.search._looks = 3  # noqa: SLF001 -- how many are a lot
    for number in range(8):
        desk.lead(number)
    desk.end("zapier:lead-0", Status.FAILED)
    desk.end("zapier:lead-1", Status.FAILED)

    page = desk.search("source:zapier name:alex name:doe")

    assert "Looked back to" in page.text
    assert "Look further back" in page.text


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("status:lost", "there are queued, running, waiting"),
        ("since:soon", "write 24h for a day ago"),
        ("status:", ""),
        ("x" * 501, "500 characters"),
    ],
)
def test_what_cannot_be_meant_is_answered_with_what_could_be(desk, written, told):
    answer = desk.anna.get("/ops/search", query_string={"q": written})

    assert answer.status_code == (422 if told else 200)
    assert told in desk.read(answer).text
    assert desk.read(answer).field("q") == written


def test_a_place_in_the_list_that_is_none_is_refused(desk):
    assert desk.anna.get("/ops/search", query_string={"q": "", "after": "x"}).status_code == 422


def test_where_nothing_is_there_is_a_way_on(desk):
    assert "No event has come in yet" in desk.search("").text
    text = desk.search("Nobody At All").text
    assert "Nothing was found" in text
    assert "country code" in text


def test_what_is_found_can_be_replayed(desk):
    desk.end(desk.lead(7), Status.FAILED)

    assert "/ops/replays/new?q=status%3Afailed" in links(desk.search("status:failed"))
    assert not [link for link in links(desk.search("")) if "replays/new" in link]


def test_a_strangers_words_stay_words(desk):
    key = desk.lead(7, name=HOSTILE, event_id="x<script>", entity={"type": "lead", "id": HOSTILE})
    desk.end(key, Status.FAILED, f"refused: {HOSTILE}")

    for written in ("status:failed", HOSTILE, f'reason:"{HOSTILE}'):
        answer = desk.anna.get("/ops/search", query_string={"q": written}, follow_redirects=True)
        page = desk.read(answer)
        assert len(page.all("script")) == 1
        assert page.all("img") == []
        assert page.inline == []


def test_a_name_that_is_a_number_is_masked_like_one(desk):
    desk.lead(7, name="+1 (281) 332-2575", event_id="wa-12813322575")

    html = desk.anna.get("/ops/search").text

    assert "332-2575" not in html
    assert "wa-128…75" not in html  # a name stands there, not the id
    assert ">+128…75<" in html


def test_every_name_of_the_box_is_explained():
    assert [name for name, *_ in HELP] == list(NAMES)
