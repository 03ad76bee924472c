"""``callbridge history``: who did what."""

import pytest


@pytest.fixture
def done(bridge):
    bridge.receive()
    bridge.run("pause", "--by", "Anna", "--note", "a wrong list; ring 281 332 2575")
    bridge.run("resume", "--by", "Ben")
    bridge.run("do-not-call", "add", "+12813322575", "--by", "Anna", "--note", "by letter")
    bridge.run("do-not-call", "remove", "+12813322575", "--by", "Ben")
    return bridge


def told_of(told):
    return [(act["by"], act["what"]) for act in told.document["items"]]


def test_the_newest_is_first_and_no_number_is_whole(done):
    told = done.run("history", "--json")
    for_people = done.run("history")

    assert told_of(told) == [
        ("Ben", "took +128…75 off the do-not-call list"),
        ("Anna", "put +128…75 on the do-not-call list"),
        ("Ben", "resumed all calling"),
        ("Anna", "paused all calling"),
    ]
    assert told.document["items"][0]["targets"] == ["phone:+128…75"]
    assert "a wrong list" in for_people.out
    assert "2813322575" not in (told.out + for_people.out).replace(" ", "")


def test_it_can_be_that_of_one_person(done):
    assert told_of(done.run("history", "--by", "anna", "--json")) == [("Anna", "put +128…75 on the do-not-call list"), ("Anna", "paused all calling")]


def test_it_can_be_that_of_one_number_event_or_switch(done):
    done.run("events", "cancel", "lead-7", "--wait", "1ms", "--by", "Anna")

    assert len(told_of(done.run("history", "--of", "+1 281 332 2575", "--json"))) == 3  # its event was cancelled, too
    assert told_of(done.run("history", "--of", "lead-7", "--json")) == [("Anna", "cancelled")]
    assert told_of(done.run("history", "--of", "scope:*", "--by", "Ben", "--json")) == [("Ben", "resumed all calling")]


def test_what_is_left_out_is_said(done):
    told = done.run("history", "--limit", "1")

    assert told.err == "There is more: --limit 2 shows it.\n"
    assert (done.run("history", "--limit", "1", "--json").document["more"], done.run("history", "--limit", "4", "--json").document["more"]) == (
        True,
        False,
    )


def test_what_nobody_did_is_exit_3(bridge):
    assert bridge.run("history").code == 3
    assert bridge.run("history", "--by", "Carl", "--json").document == {"items": [], "more": False}
