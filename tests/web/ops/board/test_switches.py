"""``/ops/switches``: what stops calling at once, and lets it go on."""

import pytest

from bridge.model import Status


@pytest.mark.parametrize(("scope", "told"), [("*", "All calling"), ("campaign:welcome", "Campaign welcome"), ("source:zapier", "Source zapier")])
def test_what_is_paused_says_who_when_and_why_and_goes_on_when_it_is_resumed(board, scope, told):
    page = board.done("/ops/switches/pause", scope=scope, note="the script is wrong")

    assert f"{told} is paused. What is being sent at this moment is finished." in page.text
    assert "Paused by anna now : the script is wrong" in page.text.replace("now:", "now :")
    assert board.services.switches.all()[scope].note == "the script is wrong"

    page = board.done("/ops/switches/resume", scope=scope)

    assert f"{told} goes on." in page.text
    assert board.services.switches.all() == {}
    assert [by for by, _ in board.deeds] == ["anna", "anna"]


def test_it_says_beforehand_how_many_events_it_holds(board):
    for number in range(3):
        board.lead(number)
    board.end(board.lead(4), Status.PARKED, "stopped", due=60, campaign="follow-up")
    page = board.get("/ops/switches")

    assert "Pausing holds 4 unfinished events, of every source and campaign" in page.text
    assert "welcome Pausing holds 3 unfinished events" in page.text  # by the rule that matched, before it has a campaign
    assert "follow-up Pausing holds 1 unfinished event," in page.text
    assert "billing Pausing holds all that come; nothing of it is unfinished now." in page.text


def test_resuming_what_somebody_else_resumed_says_so(board):
    page = board.done("/ops/switches/resume", scope="*")

    assert "All calling was not paused: somebody resumed it before." in page.text


def test_what_is_no_switch_is_refused(board):
    for scope in ("", "campaign:nowhere", "everything", "<script>"):
        assert board.post("/ops/switches/pause", scope=scope).status_code == 404
    assert board.services.switches.all() == {}


def test_what_was_paused_before_it_left_the_configuration_can_be_resumed(board):
    board.services.redis.hset("callbridge:1:paused", "campaign:gone", '{"by": "bert", "at": 0, "note": ""}')

    board.done("/ops/switches/resume", scope="campaign:gone")

    assert board.services.switches.all() == {}


def test_the_banner_names_a_few_and_counts_the_rest(board):
    for scope in ("campaign:welcome", "campaign:follow-up", "source:zapier", "source:billing"):
        board.services.operating.pause(scope, "bert")

    assert (
        "Paused: campaign follow-up, by bert, now; campaign welcome, by bert, now; source billing, by bert, now; 1 more." in board.get("/ops/").text
    )


def test_without_its_form_nothing_is_paused(board):
    assert board.anna.post("/ops/switches/pause", data={"scope": "*"}).status_code == 400
    assert board.services.switches.all() == {}
