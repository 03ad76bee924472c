"""``/replays``: planned, counted, confirmed, watched, ended; nothing is replayed that was not confirmed."""

import pytest

from bridge.model import Status
from bridge.web.api.places import opaque


@pytest.fixture
def failed(desk):
    """Three that failed, and one that is done."""
    desk.call(desk.lead(9))
    return [desk.end(desk.lead(number), Status.FAILED, "the platform refuses it").key for number in (1, 2, 3)]


@pytest.fixture
def step(desk):
    """What a worker does beside deliveries."""

    def stepped(times=8):
        for _ in range(times):
            desk.services.stepping.look("w")

    return stepped


@pytest.fixture
def planned(anna, failed, step):
    plan = anna.post("replays", {"q": "status:failed", "name": "the outage"})
    step()
    return f"replays/{plan['id']}"


def test_it_is_planned_and_counted_before_anything_is_done(anna, desk, failed, step):
    plan = anna.post("replays", {"q": "status:failed phone:+12813322569 since:24h", "mode": "rules", "name": "the outage"})

    assert (plan["state"], plan["by"], plan["name"]) == ("counting", "anna", "the outage")
    assert "2813322569" not in str(plan)
    step()
    counted = anna.get(plan["url"].removeprefix("/api/v1/"))
    assert (counted["state"], counted["events"], counted["would_act"]) == ("planned", 1, 1)
    (effect,) = counted["effects"]
    assert (effect["effect"], effect["kind"], effect["count"]) == ("call", "would call now in campaign welcome", 1)
    assert effect["examples"] == [{"key": "zapier:lead-1", "told": "calls the person in campaign welcome now"}]
    assert {desk.entry(key).status for key in failed} == {Status.FAILED}


def test_confirmed_it_runs_to_its_end_and_its_events_are_found(anna, desk, failed, planned, step):
    running = anna.post(f"{planned}/run", {"name": "Monday", "speed": "fast"})
    assert (running["state"], running["name"]) == ("running", "Monday")

    step()

    done = anna.get(planned)
    assert (done["state"], done["replayed"], done["left"], done["failed"]["count"]) == ("finished", 3, 0, 0)
    assert [change["state"] for change in done["history"]] == ["counting", "planned", "running", "finished"]
    assert {each["key"] for each in anna.get(done["found_by"].removeprefix("/api/v1/"))["items"]} == set(failed)
    assert {desk.entry(key).status for key in failed} == {Status.QUEUED}


def test_it_is_paused_goes_on_and_is_cancelled(anna, desk, failed, planned, step):
    anna.post(f"{planned}/run", {"name": "Monday", "speed": "1/h"})
    assert anna.post(f"{planned}/pause", {})["state"] == "paused"
    step()
    assert anna.post(f"{planned}/resume", {})["state"] == "running"
    assert anna.post(f"{planned}/cancel", {})["state"] == "cancelled"
    step()

    assert anna.get(planned)["state"] == "cancelled"
    assert [what for _, what in desk.acts()][:3] == ["cancelled a replay of many", "resumed a replay of many", "paused a replay of many"]


def test_what_its_state_forbids_is_a_conflict(anna, planned):
    for turn in ("pause", "resume"):
        assert anna.post(f"{planned}/{turn}", {}, 409)["error"]["code"] == "cannot_be_done_now"
    anna.post(f"{planned}/cancel", {})
    assert anna.post(f"{planned}/run", {"name": "Monday"}, 409)
    assert anna.post(f"{planned}/recount", {}, 409)


def test_it_is_counted_again(anna, planned, step):
    assert anna.post(f"{planned}/recount", {})["state"] == "counting"
    step()
    assert anna.get(planned)["state"] == "planned"


def test_what_failed_in_one_is_planned_as_another(anna, planned):
    plan_id = planned.rpartition("/")[2]

    another = anna.post("replays", {"failed_in": plan_id})

    assert (another["state"], another["name"], another["filter"]["status"]) == ("counting", "what failed in the outage", ["failed"])
    assert another["filter"]["replay"] == [plan_id]  # an id is long, and yet nobody's number
    assert [each["id"] for each in anna.get("replays")["items"]] == [another["id"], plan_id]


def test_the_list_is_turned_page_by_page(anna, failed):
    made = [anna.post("replays", {"q": f"name:alex since:{days}d"})["id"] for days in range(1, 6)]

    found, after = [], {}
    while after is not None:
        page = anna.get("replays", limit=2, **after)
        found += [each["id"] for each in page["items"]]
        after = {"after": page["next"]} if "next" in page else None

    assert sorted(found) == sorted(made)
    assert len(found) == len(made)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "q"),
        ({"q": "since:1000d", "failed_in": "x"}, "q"),
        ({"q": " "}, "q"),
        ({"q": "status:fine"}, "status"),
        ({"q": "status:failed", "mode": "again"}, "mode"),
        ({"q": "status:failed", "name": "x" * 81}, "name"),
    ],
)
def test_what_means_everything_or_nothing_is_no_plan(anna, failed, body, field):
    assert anna.post("replays", body, 422)["error"]["field"] == field
    assert anna.get("replays") == {"items": []}


@pytest.mark.parametrize(("body", "field"), [({}, "name"), ({"name": "x", "speed": "soon"}, "speed"), ({"name": " "}, "name")])
def test_it_is_confirmed_with_a_name_and_a_speed(anna, planned, body, field):
    assert anna.post(f"{planned}/run", body, 422)["error"]["field"] == field
    assert anna.get(planned)["state"] == "planned"


def test_one_that_is_not_there_is_not_found(anna):
    assert anna.get("replays/nothing", 404)
    assert anna.post("replays/nothing/run", {"name": "x"}, 404)
    assert anna.post("replays/nothing/pause", {}, 404)
    assert anna.post("replays", {"failed_in": "nothing"}, 422)["error"]["field"] == "failed_in"
    assert anna.post("replays/nothing/stop", {}, 422)["error"]["field"] == "turn"


def test_what_is_no_place_in_the_list_begins_it_again_for_nobody(anna, planned):
    assert anna.get("replays", 422, after=opaque("261123-090000-gone"))["error"]["field"] == "after"
