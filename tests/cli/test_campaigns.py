"""``callbridge campaigns``: at the platform, and beside it what waits here."""

import csv
from io import StringIO

import pytest
import requests


@pytest.fixture
def called(bridge):
    bridge.receive()
    bridge.work()
    return bridge


def test_the_list_has_the_platforms_status_beside_ours(bridge):
    bridge.run("pause", "--campaign", "welcome", "--by", "Anna")
    bridge.receive()
    bridge.work()

    told = bridge.run("campaigns", "list", "--json")
    for_people = bridge.run("campaigns", "list")

    (item,) = told.document["items"]
    assert (told.code, item["campaign"], item["platform"], item["trouble"]) == (0, "welcome", "new", None)
    assert item["here"] == {"paused_by": "Anna", "left_alone_since": None, "waiting": 0, "parked": 1, "unknown": 0}
    assert "paused here by Anna" in for_people.out


def test_a_platform_that_does_not_answer_is_named_and_is_exit_1(bridge):
    requests.post(f"{bridge.platform}/simulator/faults", json={"fault": "reset_before"}, timeout=5)

    told = bridge.run("campaigns", "list")

    assert told.code == 1
    assert "the connection broke" in told.out or "could not be reached" in told.out
    assert bridge.run("campaigns", "show", "welcome").code == 1


def test_without_a_ledger_the_platform_is_asked_all_the_same(bridge, free_port):
    written = (bridge.folder.path / "config.yaml").read_text()
    away = "\n".join(f'redis: {{url: "redis://127.0.0.1:{free_port}"}}' if line.startswith("redis:") else line for line in written.splitlines())
    bridge.folder.write("config.yaml", away)

    told = bridge.run("campaigns", "list", "--json")

    assert told.code == 0
    assert told.document["items"] == [{"campaign": "welcome", "platform": "new", "trouble": None, "here": None}]
    assert "note: what waits here is left out" in told.err


def test_one_campaign_is_shown_with_its_counts(called):
    told = called.run("campaigns", "show", "welcome", "--json")
    for_people = called.run("campaigns", "show", "welcome")

    assert told.document["platform"]["status"] == "inProgress"
    assert told.document["platform"]["counts"]["totalNumbers"] == 1
    assert "totalNumbers" in for_people.out


def test_pausing_and_resuming_are_done_at_the_platform_and_written_down(bridge):
    paused = bridge.run("campaigns", "pause", "welcome", "--by", "Anna", "--note", "the script is wrong")
    (while_paused,) = bridge.run("campaigns", "list", "--json").document["items"]
    resumed = bridge.run("campaigns", "resume", "welcome", "--by", "Anna", "--json")
    (afterwards,) = bridge.run("campaigns", "list", "--json").document["items"]

    assert (paused.code, paused.out) == (0, "campaign welcome is paused at the platform\n")
    assert resumed.document == {"campaign": "welcome", "done": "resume"}
    assert (while_paused["platform"], afterwards["platform"]) == ("paused", "inProgress")
    assert bridge.acts == [("Anna", "resumed the campaign at the platform"), ("Anna", "paused the campaign at the platform")]


def test_what_the_platform_did_not_do_is_written_down_as_such(bridge):
    requests.post(f"{bridge.platform}/simulator/faults", json={"fault": "5xx"}, timeout=5)

    told = bridge.run("campaigns", "pause", "welcome", "--by", "Anna")

    assert told.code == 1
    assert told.err.startswith("callbridge: campaign welcome: the platform answered 5")
    assert bridge.acts == [("Anna", "the platform did not do it"), ("Anna", "paused the campaign at the platform")]


def test_stopping_is_final_and_asks_for_the_name(bridge):
    not_typed = bridge.run("campaigns", "stop", "welcome")
    assert (not_typed.code, bridge.acts) == (1, [])
    assert "This is final: campaign welcome cannot be started again" in not_typed.err

    told = bridge.run("campaigns", "stop", "welcome", "--yes", "--by", "Anna")
    (item,) = bridge.run("campaigns", "list", "--json").document["items"]

    assert (told.code, told.out) == (0, "campaign welcome is stopped for good at the platform\n")
    assert item["platform"] not in {"inProgress", "paused"}
    assert bridge.acts == [("Anna", "stopped the campaign for good")]


@pytest.mark.parametrize(("typed", "code"), [("welcome\n", 0), ("Welcome\n", 1), ("yes\n", 1), ("\n", 1)])
def test_only_the_campaigns_own_name_stops_it(bridge, typed, code):
    assert bridge.run("campaigns", "stop", "welcome", typed=typed).code == code
    assert len(bridge.acts) == (1 if code == 0 else 0)


@pytest.mark.parametrize("command", ["show", "pause", "resume", "stop", "report"])
def test_a_campaign_that_does_not_exist_is_wrong_use(bridge, command):
    told = bridge.run("campaigns", command, "welcom")

    assert told.code == 2
    assert "no campaign is called 'welcom'; there are welcome. Did you mean 'welcome'?" in told.err


def test_a_report_masks_numbers_unless_told_and_writes_down_that_it_was(called):
    masked = called.run("campaigns", "report", "welcome", "--since", "1h", "--json")
    whole = called.run("campaigns", "report", "welcome", "--phone", "(281) 332-2575", "--json", "--reveal", "--by", "Anna")

    (row,) = masked.document["items"]
    assert (row["phone"], row["status"], row["call_job"]) == ("+128…75", "planned", called.calls[0]["id"])
    assert "2813322575" not in masked.out
    assert whole.document["items"] == [{**row, "phone": "+12813322575"}]
    assert called.acts == [("Anna", "looked at whole numbers in the platform's report")]


def test_a_report_is_a_table_or_csv_too(called):
    job = called.calls[0]["id"]

    table = called.run("campaigns", "report", "welcome", "--job", job)
    (row,) = csv.DictReader(StringIO(called.run("campaigns", "report", "welcome", "--job", job, "--csv").out))

    assert job in table.out
    assert "+128…75" in table.out
    assert (row["call_job"], row["phone"], row["attempts"]) == (job, "+128…75", "0")


def test_a_report_of_attempts_has_a_row_for_each_and_masks_the_number_in_what_the_script_noted(called):
    job = called.calls[0]["id"]
    finished = {"status": "longCallWithResult", "call_result": "ACCEPTED", "report_data": {"number": "12813322575", "deal": "555"}}
    for move in ({"status": "inProcess"}, {"status": "onRetry"}, {"status": "inProcess"}, finished):
        requests.post(f"{called.platform}/simulator/jobs/{job}", json=move, timeout=5).raise_for_status()

    told = called.run("campaigns", "report", "welcome", "--phone", "+12813322575", "--attempts", "--json")
    since = called.run("campaigns", "report", "welcome", "--since", "1h", "--attempts")

    assert [(row["attempt"], row["call_job"]) for row in told.document["items"]] == [(1, job), (2, job)]
    assert (told.document["items"][1]["result"], told.document["items"][1]["data"]) == ("ACCEPTED", {"number": "128…75", "deal": "555"})
    assert "ACCEPTED" in since.out
    assert "2813322575" not in told.out + since.out


def test_a_report_of_a_time_is_read_to_its_last_page(bridge):
    for number in range(205):
        bridge.receive(f"n{number}", phone=f"+1281332{number:04}")
    while bridge.services.ledger.unfinished_count():
        bridge.work()

    told = bridge.run("campaigns", "report", "welcome", "--since", "1h", "--json")

    assert len({row["call_job"] for row in told.document["items"]}) == 205
    assert told.err == ""


def test_what_the_platform_does_not_know_is_exit_3(called):
    told = called.run("campaigns", "report", "welcome", "--job", "12345")

    assert (told.code, told.err) == (3, "The platform knows of no such call job.\n")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ((), "say which call jobs: by --phone or --job, or all of a time by --since"),
        (("--job", "1", "--since", "1h"), "say which call jobs"),
        (("--phone", "12"), "'12' is no phone number"),
        (("--since", "soon"), "'soon' is no time"),
        (("--since", "1h", "--csv", "--json"), "--csv and --json exclude each other"),
    ],
)
def test_a_report_of_nothing_in_particular_is_wrong_use(bridge, options, why):
    told = bridge.run("campaigns", "report", "welcome", *options)

    assert told.code == 2
    assert why in told.err


def test_on_a_terminal_a_wait_says_what_for_and_nothing_is_said_of_a_short_one(bridge):
    quick = bridge.run("campaigns", "list", FORCE_COLOR="1", TERM="xterm")
    requests.post(f"{bridge.platform}/simulator/faults", json={"fault": "latency", "seconds": 1}, timeout=5).raise_for_status()
    slow = bridge.run("campaigns", "list", FORCE_COLOR="1", TERM="xterm")
    piped = bridge.run("campaigns", "list")

    assert "asking the platform" in slow.err
    assert "asking the platform" not in quick.err + piped.err + slow.out
