"""``callbridge pause``, ``resume`` and ``switches``."""

import getpass

import pytest


@pytest.mark.parametrize(
    ("options", "scope"), [((), "*"), (("--campaign", "welcome"), "campaign:welcome"), (("--source", "zapier"), "source:zapier")]
)
def test_what_is_paused_waits_and_goes_on_when_it_is_resumed(bridge, options, scope):
    paused = bridge.run("pause", *options, "--note", "a wrong list", "--by", "Anna")
    bridge.receive()
    bridge.work()
    listed = bridge.run("switches", "--json")

    assert (paused.code, bridge.status(), bridge.calls) == (0, "parked", [])
    (row,) = listed.document
    assert (row["scope"], row["by"], row["note"], row["parked"]) == (scope, "Anna", "a wrong list", 1)
    assert bridge.run("pause", "--show", "--json").document == listed.document

    resumed = bridge.run("resume", *options, "--json")
    bridge.work()

    assert resumed.document == {"scope": scope, "resumed": True, "decided_again": 1, "still_paused": []}
    assert (bridge.status(), len(bridge.calls)) == ("done", 1)


def test_what_waits_is_counted_for_the_switch_that_holds_it(bridge):
    bridge.run("pause", "--source", "zapier")
    bridge.receive()
    bridge.work()
    bridge.run("pause", "--campaign", "welcome")

    assert {row["scope"]: row["parked"] for row in bridge.run("switches", "--json").document} == {"campaign:welcome": 0, "source:zapier": 1}
    assert bridge.run("resume", "--campaign", "welcome", "--json").document["decided_again"] == 0


def test_pausing_asks_nothing_and_says_how_it_ends(bridge):
    assert bridge.run("pause").out == "all calling is paused. `callbridge resume` lets it go on.\n"
    assert bridge.run("pause", "--campaign", "welcome").out == "campaign welcome is paused. `callbridge resume --campaign welcome` lets it go on.\n"


def test_each_pause_is_ended_by_its_own_name(bridge):
    bridge.run("pause", "--campaign", "welcome")

    told = bridge.run("resume")

    assert (told.code, told.out) == (3, "all calling was not paused. Still paused: campaign welcome.\n")
    assert bridge.run("resume", "--campaign", "welcome").out == "campaign welcome is resumed: 0 parked events are decided again now.\n"
    assert bridge.run("resume", "--campaign", "welcome", "--json").document["resumed"] is False


def test_who_did_it_is_written_down_by_login_name(bridge):
    bridge.run("pause", "--source", "hubspot")
    bridge.run("resume", "--source", "hubspot", "--by", "  Anna   Lee ")

    assert bridge.acts == [("Anna Lee", "resumed source hubspot"), (getpass.getuser(), "paused source hubspot")]


def test_nothing_paused_is_exit_3(bridge):
    told = bridge.run("switches")

    assert (told.code, told.err) == (3, "Nothing is paused.\n")
    assert (bridge.run("switches", "--json").code, bridge.run("switches", "--json").document) == (3, [])


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--campaign", "welcom"), "no campaign is called 'welcom'; there are welcome. Did you mean 'welcome'?"),
        (("--source", "x"), "no source is called 'x'; there are hubspot, pipedrive, billing, zapier, lab\n"),
        (("--source", "zapier", "--campaign", "welcome"), "--campaign and --source exclude each other"),
        (("--by", "x" * 41), "a name is at most 40 characters that can be seen"),
    ],
)
def test_what_cannot_be_meant_pauses_nothing(bridge, words, why):
    told = bridge.run("pause", *words)

    assert told.code == 2
    assert why in told.err
    assert bridge.services.switches.all() == {}
