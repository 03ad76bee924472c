"""``callbridge replay``: many events, from the plan to the end."""

import json
from datetime import timedelta

import pytest

from bridge.config import load
from bridge.ledger import Record, State
from bridge.model import Delivery, Status
from bridge.wiring import build, clock


@pytest.fixture
def many(configured, services):
    """Three events that no rule was for when they came; there is one today."""
    for number in range(3):
        body = {"event_id": f"n{number}", "type": "note.added", "phone": f"+1281332257{number}", "name": "Alex Doe"}
        headers = {"authorization": "Bearer zapier-secret-of-ours", "content-type": "application/json"}
        services.ingest.take(Delivery(source="zapier", body=json.dumps(body).encode(), url="http://b/", received_at=clock(), headers=headers))
    written = (configured.path / "config.yaml").read_text()
    configured.write("config.yaml", written + "  - {name: call on notes, on: note.added, call: {campaign: welcome}}\n")
    return configured


def planned(folder, *words):
    return folder.run("replay", "plan", *(words or ("status:ignored",)), "--json").document["id"]


@pytest.fixture
def workers(many, services):
    """What workers do about replays and what was put in: the first event fails, the others are done."""
    today = build(load(many.path / "config.yaml", {}))

    def work(times=4):
        for _ in range(times):
            today.stepping.look("w")
            for entry in today.ledger.claim("w", 10, timedelta(seconds=20), clock()):
                status = Status.FAILED if entry.key.endswith("n0") else Status.DONE
                today.ledger.record("w", [Record(entry=entry, status=status, reason="so it is")], clock())

    with today.redis:
        yield work


def test_a_plan_is_counted_here_and_shown_and_nothing_is_replayed(many, services):
    told = many.run("replay", "plan", "status:ignored", "--since", "1h")

    assert told.code == 0
    assert "3 would call now in campaign welcome" in " ".join(told.out.split())
    assert "3 would be put in, 0 passed over." in told.out
    assert "Nothing was replayed. `callbridge replay run " in told.out
    assert services.ledger.unfinished_count() == 0


def test_its_json_has_the_counts_and_the_examples(many):
    document = many.run("replay", "plan", "--status", "ignored", "--source", "zapier", "--json").document

    (effect,) = document["effects"]
    assert (document["state"], document["events"], document["would_act"]) == ("planned", 3, 3)
    assert (effect["effect"], effect["count"], len(effect["examples"])) == ("call", 3, 3)
    assert effect["examples"][0] == {"key": "zapier:n0", "told": "calls the person in campaign welcome now"}
    assert "28133225" not in json.dumps(document)


def test_a_filter_that_means_everything_is_wrong_use(many, services):
    told = many.run("replay", "plan")

    assert told.code == 2
    assert "status:failed since:7d" in told.err
    assert services.planning.plans.all() == []


def test_nothing_that_matches_is_exit_code_3_and_leaves_no_plan_open(many, services):
    told = many.run("replay", "plan", "status:failed")

    assert told.code == 3
    assert told.err.endswith("No event matches: there is nothing to replay.\n")
    assert [plan.state for plan in services.planning.plans.all()] == [State.CANCELLED]


def test_it_runs_and_is_watched_to_its_end_and_what_failed_is_exit_code_1(many, services, workers):
    plan_id = planned(many)
    told = many.run("replay", "run", plan_id, "--name", "wrong rule", "--speed", "fast", "--yes", "--by", "anna")
    assert told.code == 0
    assert told.out == f"Begun, as fast as it goes. `callbridge replay watch {plan_id}` shows how far it is.\n"
    assert "No worker is running" in told.err
    workers()
    services.planning.plans.note(plan_id, stood=1)
    workers()

    told = many.run("replay", "watch", plan_id)
    assert told.code == 1
    assert "finished: 3 put in, 0 passed over, 0 could not be replayed, 0 left" in told.out
    assert "of those put in: 2 done, 1 failed" in told.out
    assert f"callbridge replay plan --failed-in {plan_id}" in told.out
    assert many.run("replay", "plan", "--failed-in", plan_id, "--json").document["events"] == 1
    assert many.run("replay", "plan", "--failed-in", plan_id, "status:failed").code == 2
    assert many.run("replay", "plan", "--failed-in", "nothing").code == 3
    assert many.run("replay", "plan", "--replay", plan_id, "--status", "failed", "--json").document["events"] == 1
    assert [(change["state"], change["by"]) for change in many.run("replay", "show", plan_id, "--json").document["history"]] == [
        ("counting", many.run("replay", "list", "--json").document["items"][1]["by"]),
        ("planned", "callbridge"),
        ("running", "anna"),
        ("finished", "callbridge"),
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--name", "x"), "say --yes"),
        (("--yes",), "give it a name with --name"),
        (("--name", "x", "--yes", "--speed", "quick"), "'quick' is no speed"),
        (("--name", "", "--yes"), "give it a name"),
    ],
)
def test_without_a_terminal_it_is_told_everything_or_does_nothing(many, services, words, told):
    plan_id = planned(many)

    answer = many.run("replay", "run", plan_id, *words)

    assert answer.code == 2
    assert told in answer.err
    assert services.planning.one(plan_id).state is State.PLANNED


def test_a_plan_that_has_aged_is_counted_again_before_it_runs(many, services):
    plan_id = planned(many)
    services.planning.plans.note(plan_id, counted=1)

    told = many.run("replay", "run", plan_id, "--name", "x", "--yes")

    assert told.code == 0
    assert "It is counted again: it was counted more than 10 minutes ago." in told.err
    plan = services.planning.one(plan_id)
    assert (plan.state, [change.state for change in plan.history]) == (State.RUNNING, ["counting", "planned", "counting", "planned", "running"])


def test_it_is_paused_resumed_and_cancelled(many, services, workers):
    plan_id = planned(many)
    many.run("replay", "run", plan_id, "--name", "x", "--yes")

    assert many.run("replay", "pause", plan_id).out == "Paused: no more events are put in. Those that were put in go on.\n"
    workers()
    assert many.run("replay", "resume", plan_id, "--json").document["state"] == "running"
    assert many.run("replay", "cancel", plan_id).out == "Cancelled. What is left stays as it was.\n"
    again = many.run("replay", "cancel", plan_id)
    assert (again.code, again.err) == (2, "callbridge: it is cancelled\n")
    told = many.run("replay", "watch", plan_id)
    assert (told.code, told.out) == (1, "cancelled: 0 put in, 0 passed over, 0 could not be replayed, 3 left\n")


def test_one_that_would_change_nothing_is_not_run(many, services):
    written = (many.path / "config.yaml").read_text()
    many.write("config.yaml", written.replace("  - {name: call on notes, on: note.added, call: {campaign: welcome}}\n", ""))
    plan_id = planned(many)

    told = many.run("replay", "run", plan_id, "--name", "x", "--yes")

    assert told.code == 3
    assert "A replay would change nothing" in told.err
    assert services.planning.one(plan_id).state is State.PLANNED


def test_watching_what_nobody_confirmed_says_who_would_have_to(many):
    plan_id = planned(many)

    told = many.run("replay", "watch", plan_id)

    assert told.code == 2
    assert f"nobody has confirmed it: `callbridge replay run {plan_id} --name NAME` does" in told.err


@pytest.mark.parametrize("command", [("run", "--name", "x", "--yes"), ("watch",), ("show",), ("pause",), ("resume",), ("cancel",)])
def test_what_there_is_not_is_exit_code_3(many, command):
    told = many.run("replay", command[0], "261124-000000-abcd", *command[1:])

    assert told.code == 3
    assert "There is no replay '261124-000000-abcd'" in told.err


def test_the_list_and_one_of_it(many):
    assert many.run("replay", "list").code == 3
    plan_id = planned(many, 'phone:"+1 281 332 2570"')

    listed, one = many.run("replay", "list"), many.run("replay", "show", plan_id)

    assert plan_id in listed.out
    assert 'phone:"+128…70"' in listed.out
    assert "2813322570" not in listed.out + one.out
    assert "1 would be put in, 0 passed over." in one.out


def test_whoever_watches_one_that_is_paused_is_told_by_whom_and_why(many, services):
    plan_id = planned(many)
    many.run("replay", "run", plan_id, "--name", "x", "--speed", "fast", "--yes")
    services.stepping.look("w")  # of the bridge as it was before the rule was added
    services.planning.plans.give_back(plan_id, "w")
    assert "the rules have changed since it was confirmed" in many.run("replay", "show", plan_id).out

    with many.start("replay", "watch", plan_id) as watching:
        told = [watching.stderr.readline(), watching.stderr.readline()]
        many.run("replay", "cancel", plan_id)
        out, _ = watching.communicate(timeout=30)

    assert any(line.startswith("Paused by callbridge: the rules have changed") for line in told)
    assert (watching.returncode, out) == (1, "cancelled: 0 put in, 0 passed over, 0 could not be replayed, 3 left\n")
