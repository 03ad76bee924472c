"""``callbridge events``: list, show, replay and cancel."""

import json
import threading

import pytest

ON_NOTES = "  - {name: call on notes, on: note.added, call: {campaign: welcome}}\n"


def listed(told):
    return [item["event_key"] for item in told.document["items"]]


@pytest.fixture
def three(bridge):
    """Three events of two persons; the newest is c."""
    bridge.receive("a", entity={"type": "lead", "id": "1"})
    bridge.receive("b", name="Sam Poe", phone="+16502530001", type="note.added")
    bridge.receive("c", entity={"type": "lead", "id": "3"})
    return bridge


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ([], ["c", "b", "a"]),
        (["281", "332", "2575"], ["c", "a"]),
        (["Sam"], ["b"]),
        (["lead:3"], ["c"]),
        (["status:ignored"], ["b"]),
        (["--status", "ignored,queued", "--name", "alex"], ["c", "a"]),
        (["--status", "ignored", "--status", "queued"], ["c", "b", "a"]),
        (["rule:call new leads"], ["c", "a"]),
        (["status:ignored,queued since:1h"], ["c", "b", "a"]),
        (["name:alex record:lead:1"], ["a"]),
        (["--rule", "call new leads", "--record", "lead:1"], ["a"]),
        (["--phone", "(650) 253-0001", "--source", "zapier"], ["b"]),
        (["alex", "--since", "1h", "--event", "zapier:a"], ["a"]),
        (["--reason", "NO RULE"], ["b"]),
        (["--limit", "2"], ["c", "b"]),
    ],
)
def test_words_and_options_find_the_same_as_the_box_of_the_pages(three, words, keys):
    told = three.run("events", "list", *words, "--json")

    assert (told.code, listed(told)) == (0, [f"zapier:{key}" for key in keys])


def test_the_list_goes_on_where_the_page_before_ended_and_knows_its_end(three):
    first = three.run("events", "list", "--limit", "2", "--json")
    second = three.run("events", "list", "--limit", "2", "--json", "--after", first.document["next"])
    all_at_once = three.run("events", "list", "--limit", "3", "--json")

    assert listed(second) == ["zapier:a"]
    assert (second.document["next"], all_at_once.document["next"]) == (None, None)


def test_for_people_the_list_says_how_to_see_more_and_shows_no_whole_number(three):
    told = three.run("events", "list", "+1 281 332 2575", "--limit", "1")

    assert told.code == 0
    assert "was taken for the phone number +128…75" in told.err
    assert all(shown in told.out for shown in ("when (UTC)", "queued", "Alex Doe", "+128…75", "lead.created", "call new leads", "zapier:c"))
    assert "There are more: --after '" in told.out
    assert "2813322575" not in told.out


def test_in_a_narrow_terminal_each_event_stands_below_the_other(three):
    told = three.run("events", "list", "--limit", "2", COLUMNS="50")

    assert max(map(len, told.out.splitlines()[:8])) <= 60
    assert "when (UTC)" not in told.out
    assert "  lead.created  rule: call new leads\n  zapier:c\n" in told.out


def test_all_of_them_are_a_line_of_json_each(three):
    told = three.run("events", "list", "--all", "--json")

    assert [json.loads(line)["event_key"] for line in told.out.splitlines()] == ["zapier:c", "zapier:b", "zapier:a"]


def test_more_than_a_page_of_them_all_has_one_heading(bridge):
    for number in range(205):
        bridge.receive(f"n{number}")

    told = bridge.run("events", "list", "--all")

    assert told.out.count("when (UTC)") == 1
    assert told.out.count("zapier:n") == 205


def test_nothing_that_matches_is_exit_3_and_a_name_that_does_not_exist_is_said_to_be_none(three):
    told = three.run("events", "list", "--source", "zapper")

    assert (told.code, told.out) == (3, "")
    assert told.err.splitlines() == ["No event matches.", "No source is called 'zapper' today. Did you mean 'zapier'?"]


def test_a_ledger_without_events_says_so(bridge):
    assert bridge.run("events", "list").err == "There are no events yet.\n"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["status:faild"], "'faild' is no status; there are queued, running"),
        (["--status", "faild"], "'faild' is no status; there are queued, running"),
        (["--since", "yesterday"], "since: 'yesterday' is no time: write 24h for a day ago"),
        (["--after", "nowhere"], "this is no place in a list of events: copy it from what the page before said"),
        (["x" * 501], "longer than 500 characters"),
        (["--limit", "0"], "1<=x<=1000"),
    ],
)
def test_what_cannot_be_looked_for_is_wrong_use(bridge, words, why):
    told = bridge.run("events", "list", *words)

    assert told.code == 2
    assert why in told.err


def test_what_a_sender_wrote_cannot_take_over_the_terminal(bridge):
    bridge.receive("odd", name="Eve\x1b[2J\u202e\x9bm [bold]Doe[/] :key:", fields={"x": "\x9b2J"}, type="lead.created")

    for words in (["events", "list"], ["events", "show", "odd"], ["events", "list", "odd"]):
        out = bridge.run(*words, COLUMNS="200").out
        assert not {"\x1b", "\x9b", "\u202e"} & set(out)
        assert ":key:" in out
        assert "[bold]Doe[/]" in out


def test_colours_are_for_terminals_and_heed_no_color(three):
    assert "\x1b[" not in three.run("events", "list").out
    assert "\x1b[36mqueued" in three.run("events", "list", FORCE_COLOR="1", TERM="xterm-256color").out
    assert "\x1b[36m" not in three.run("events", "list", FORCE_COLOR="1", NO_COLOR="1", TERM="xterm-256color").out


def test_show_is_explain(three):
    assert three.run("events", "show", "a", "--json").document == three.run("explain", "a", "--json").document


def test_show_tells_the_newest_and_that_there_are_more(bridge):
    for number in range(22):
        bridge.receive(f"n{number:02}")

    told = bridge.run("events", "show", "+1 281 332 2575", "--json")
    more = bridge.run("explain", "281 332 2575", "--limit", "22", "--json")

    assert [event["event_key"] for event in told.document["events"]] == [f"zapier:n{number:02}" for number in range(21, 1, -1)]
    assert "note: these are the newest 20; --limit shows more" in told.err
    assert (len(more.document["events"]), more.err) == (22, "")


def test_an_ignored_event_is_decided_again_with_todays_rules(bridge):
    bridge.receive(type="note.added")
    with_rule(bridge)

    told = bridge.run("events", "replay", "lead-7", "--json", "--by", "Anna", "--reason", "a rule was missing")

    assert told.code == 0
    assert told.document == [{"key": "zapier:lead-7", "replayed": True, "told": "queued: +128…75 is to be called in campaign welcome"}]
    assert set(bridge.services.ledger.unfinished()) == {"zapier:lead-7"}
    (act,) = bridge.services.audit.last()
    assert (act.by, act.what, act.targets, act.note) == ("Anna", "replayed", ("zapier:lead-7",), "a rule was missing")


def with_rule(bridge):
    written = (bridge.folder.path / "config.yaml").read_text()
    bridge.folder.write("config.yaml", written.replace("rules:\n", f"rules:\n{ON_NOTES}"))


def test_a_dry_run_says_what_would_be_different_and_changes_nothing(bridge):
    bridge.receive(type="note.added")
    with_rule(bridge)

    told = bridge.run("events", "replay", "lead-7", "--dry-run", "--json")
    for_people = bridge.run("events", "replay", "lead-7", "--dry-run")

    (foreseen,) = told.document
    assert (foreseen["acts"], foreseen["effect"]) == (True, "call")
    assert (foreseen["now"]["status"], foreseen["now"]["rule"], foreseen["then"]["rule"]) == ("ignored", None, "call on notes")
    assert foreseen["then"]["request"]["headers"]["Idempotence-Key"] == "zapier:lead-7"
    assert "calls +128…75 in campaign welcome now" in for_people.out
    assert "12813322575" not in for_people.out
    assert for_people.out.endswith("Nothing was changed.\n")
    assert (bridge.status(), bridge.acts) == ("ignored", [])


def test_a_dry_run_of_what_would_come_to_nothing_says_why(bridge):
    bridge.receive(type="note.added")

    told = bridge.run("events", "replay", "lead-7", "--dry-run", "--mode", "request")

    assert told.out.startswith("zapier:lead-7: a replay would come to nothing: it never sent a request that could be sent again")


def test_one_that_cannot_be_replayed_says_why(bridge):
    bridge.receive()

    told = bridge.run("events", "replay", "+1 281 332 2575")

    assert told.code == 1
    assert told.out == "NOT replayed  zapier:lead-7  it is queued and goes on by itself\n"


def test_another_call_needs_a_reason_and_one_event(bridge):
    bridge.receive()
    bridge.receive("lead-8", fields={"plan": "gold"}, name="Alex B. Doe")
    bridge.work()

    without = bridge.run("events", "replay", "lead-7", "--mode", "again")
    two = bridge.run("events", "replay", "+12813322575", "--mode", "again", "--reason", "cut off")
    again = bridge.run("events", "replay", "lead-7", "--mode", "again", "--reason", "cut off", "--by", "Anna", "--json")

    assert (without.code, without.err) == (2, "callbridge: say why the person is to be called again: it is written down\n")
    assert two.code == 2
    assert "is 2 events, and the person would be called for each of them" in two.err
    assert again.document[0]["told"] == "called again on the word of Anna: cut off"
    assert bridge.acts == [("Anna", "had the person called again")]


@pytest.mark.parametrize("command", [("replay",), ("replay", "--dry-run"), ("cancel",)])
def test_nothing_found_is_exit_code_3(bridge, command):
    bridge.receive(name="Nobody")

    told = bridge.run("events", command[0], "nobody", *command[1:])  # a name is no way to say which events

    assert told.code == 3
    assert told.err.startswith("'nobody': nothing in the ledger matches. Try the event id")


def test_an_id_with_a_number_in_it_does_not_name_the_person_of_that_number(bridge):
    bridge.receive(type="note.added")

    assert bridge.run("events", "replay", "order-281-332-2575").code == 3
    assert bridge.run("events", "replay", "phone:+1 281-332-2575").code == 0


def test_what_names_too_many_events_is_left_to_a_replay_of_many(bridge):
    for number in range(21):
        bridge.receive(f"n{number}")

    told = bridge.run("events", "replay", "+12813322575")

    assert told.code == 2
    assert "'+12813322575' is more than 20 events: name them by their ids" in told.err


def test_a_planned_call_is_cancelled_at_the_platform_and_who_did_it_is_written_down(bridge):
    bridge.receive(entity={"type": "lead", "id": "7"})
    bridge.work()
    assert [call["status"] for call in bridge.calls] == ["planned"]
    done = threading.Event()

    def work() -> None:
        while not done.wait(0.05):
            bridge.work()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        told = bridge.run("events", "cancel", "lead:7", "--by", "Anna", "--json")
    finally:
        done.set()
        worker.join()

    (cancelled,) = told.document
    assert (told.code, cancelled["key"], cancelled["status"]) == (0, "zapier:lead-7", "done")
    assert cancelled["reason"].endswith("cancelled")
    assert [call["status"] for call in bridge.calls] == ["cancelledByUser"]
    assert bridge.acts == [("Anna", "cancelled")]


def test_a_cancel_that_no_worker_carries_out_says_so(bridge):
    bridge.receive()

    told = bridge.run("events", "cancel", "lead-7", "--wait", "100ms")

    assert told.code == 1
    assert "ordered, but not done within 0.1s: are workers running?" in told.err
