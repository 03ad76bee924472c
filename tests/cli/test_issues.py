"""``callbridge issues``: failures grouped, and looked after."""

import pytest


@pytest.fixture
def failing(bridge):
    bridge.receive("a", phone="12")
    bridge.receive("b", phone="13")
    bridge.work()
    return bridge


def the_one(bridge, *options):
    (item,) = bridge.run("issues", "list", "--json", *options).document["items"]
    return item


def test_failures_of_one_kind_are_one_issue(failing):
    item = the_one(failing)
    for_people = failing.run("issues", "list")

    assert (item["state"], item["count"], item["failed"], item["source"]) == ("open", 2, 2, "zapier")
    assert all(shown in for_people.out for shown in (item["fingerprint"], "open", "cannot be read as a phone number"))
    assert {event["event_key"] for event in failing.run("events", "list", "--issue", item["fingerprint"], "--json").document["items"]} == {
        "zapier:a",
        "zapier:b",
    }


def test_one_issue_is_shown_by_the_beginning_of_its_fingerprint(failing):
    item = the_one(failing)

    told = failing.run("issues", "show", item["fingerprint"][:4])

    assert told.code == 0
    assert f"callbridge events list --issue {item['fingerprint']} --status failed" in told.out
    assert failing.run("issues", "show", item["fingerprint"], "--json").document == item


def test_an_issue_is_acknowledged_resolved_and_opened_again(failing):
    fingerprint = the_one(failing)["fingerprint"]

    acknowledged = failing.run("issues", "acknowledge", fingerprint, "--by", "Anna", "--json")
    resolved = failing.run("issues", "resolve", fingerprint, "--by", "Anna")
    gone = failing.run("issues", "list")
    listed = the_one(failing, "--state", "resolved")
    reopened = failing.run("issues", "reopen", fingerprint, "--by", "Anna")

    assert acknowledged.document == [{"fingerprint": fingerprint, "state": "acknowledged", "was": "open"}]
    assert resolved.out == f"{fingerprint} is resolved. 2 of its events are failed still.\n"
    assert (gone.code, gone.err) == (3, "No issue is acknowledged or open.\n")
    assert (listed["state"], listed["by"]) == ("resolved", "Anna")
    assert reopened.out == f"{fingerprint} is open.\n"
    assert failing.acts == [("Anna", f"called the issue {state}") for state in ("open", "resolved", "acknowledged")]


@pytest.mark.parametrize("command", ["show", "acknowledge", "resolve", "reopen"])
def test_an_issue_that_does_not_exist_is_exit_3(failing, command):
    told = failing.run("issues", command, "nothing")

    assert told.code == 3
    assert told.err == "There is no issue 'nothing'; `callbridge issues list` shows those there are.\n"


def test_a_beginning_that_several_have_is_not_guessed(failing):
    told = failing.run("issues", "resolve", "")

    assert told.code == 3
    assert the_one(failing)["state"] == "open"
