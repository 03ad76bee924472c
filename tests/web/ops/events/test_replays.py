"""The pages of replays of many: chosen, counted, confirmed, watched; nothing is done that was not confirmed."""

import re
from dataclasses import replace

import pytest

from bridge.app import create_app
from bridge.config import load
from bridge.filters import parse
from bridge.ledger import State
from bridge.model import Status
from bridge.wiring import build


@pytest.fixture
def many(desk):
    """Events that no rule was for when they came: without the plan that the rule asks for they are ignored. One was called already."""
    for number in range(1, 7):
        desk.lead(number, fields={"plan": "none"} if number != 3 else {"plan": "gold"}, name="Alex <b>Doe</b>")
    desk.call("zapier:lead-3")
    return desk


def step(desk, times=8):
    for _ in range(times):
        desk.services.stepping.look("w")


def planned(desk, written="source:zapier"):
    """The id of a replay that was planned on the page and counted."""
    answer = desk.post("/ops/replays", q=written, mode="rules")
    assert answer.status_code == 303, answer.text
    plan_id = answer.headers["Location"].rpartition("/")[2]
    step(desk)
    return plan_id


def running(desk, written="source:zapier"):
    """One that was confirmed, too."""
    plan_id = planned(desk, written)
    desk.services.planning.run(plan_id, "Monday", "fast", "anna")
    return plan_id


@pytest.fixture
def mended(many, tmp_path, login, hands):
    """The same bridge, started again after its rule was mended: every lead is called, whatever its plan."""
    path = tmp_path / "mended.yaml"
    path.write_text((tmp_path / "config.yaml").read_text().replace(""" where: "fields.plan == 'gold'",""", ""))
    services = replace(build(load(path, {}), redis_timeout=1.0), clock=hands)
    app = create_app(services)
    client = app.test_client()
    assert login(client, "token-of-anna-and-nobody-else").status_code == 303
    return replace(many, services=services, app=app, anna=client)


def test_an_empty_list_says_how_to_begin(desk):
    page = desk.get("/ops/replays")

    assert "No replay was planned yet" in page.text
    assert any(link.get("aria-current") == "page" and link["href"] == "/ops/replays" for link in page.all("a"))


def test_the_filter_is_looked_at_before_anything_is_planned(many):
    page = many.get("/ops/replays/new", q="status:ignored")

    assert "5 events match now" in page.text
    assert page.field("q") == "status:ignored"
    assert "callbridge live" in page.text
    assert many.services.planning.plans.all() == []
    assert "2813322569" not in page.html
    assert "<b>Doe" not in page.html


@pytest.mark.parametrize(("written", "told"), [("status:bad", "is no status"), ("since:yesterday", "is no time")])
def test_a_filter_that_is_none_says_what_could_be_written_and_keeps_what_was(desk, written, told):
    shown, sent = desk.anna.get("/ops/replays/new", query_string={"q": written}), desk.post("/ops/replays", q=written)

    for answer in (shown, sent):
        assert answer.status_code == 422
        assert told in desk.read(answer).text
        assert desk.read(answer).field("q") == written


def test_one_that_means_everything_is_refused_with_the_way_out(many):
    answer = many.post("/ops/replays", q="  ", mode="rules")

    assert answer.status_code == 422
    assert "For instance status:failed since:7d" in many.read(answer).text
    assert many.services.planning.plans.all() == []


def test_what_it_would_do_is_counted_by_effect_with_examples_before_it_can_be_confirmed(mended):
    plan_id = planned(mended)
    page = mended.get(f"/ops/replays/{plan_id}")

    assert "would call now in campaign welcome 5" in page.text
    assert "already done 1" in page.text
    assert "Replay 5 events" in page.text
    assert "calls the person in campaign welcome now" in page.text
    assert not any("data-live" in section for section in page.all("section"))
    assert "28133225" not in page.html
    assert mended.services.ledger.unfinished_count() == 0


def test_while_it_is_counted_it_says_how_far_it_is_and_keeps_itself_fresh(many):
    answer = many.post("/ops/replays", q="source:zapier", mode="rules")
    path = answer.headers["Location"]

    page = many.get(path)
    assert "Finding the events" in page.text
    assert "No worker is running, so nothing happens." in page.text
    assert [section["data-live"] for section in page.all("section") if "data-live" in section] == [path]
    step(many, 1)
    assert "0 of 6" in many.get(path).text


def test_it_is_confirmed_with_a_name_and_a_speed_runs_and_is_told_of_afterwards(mended):
    plan_id = planned(mended)
    answer = mended.post(f"/ops/replays/{plan_id}/run", name=" What  failed <i>on</i> Monday", speed="300/m")
    assert answer.status_code == 303
    page = mended.get(answer.headers["Location"])
    assert "It has begun." in page.text
    assert "Speed: 300/m." in page.text
    assert "What failed &lt;i&gt;on&lt;/i&gt; Monday" in page.html

    mended.services.planning.plans.note(plan_id, speed="")
    step(mended)
    page = mended.get(f"/ops/replays/{plan_id}")
    plan = mended.services.planning.one(plan_id)
    assert (plan.state, plan.replayed, plan.skipped) == (State.FINISHED, 5, 1)
    assert re.search(r"Put in 5 .*Passed over 1 .*Left 0", page.text)
    assert f"/ops/search?q=replay:{plan_id}+status:queued" in [link["href"] for link in page.all("a")]
    assert "already done 1" in page.text
    assert "5" in mended.get("/ops/replays").text
    assert len(mended.search(f"replay:{plan_id}").all("li")) >= 5


@pytest.mark.parametrize(
    ("form", "told"), [({"name": "", "speed": "5/s"}, "Give it a name"), ({"name": "Monday", "speed": "quick"}, "'quick' is no speed")]
)
def test_a_form_that_lacks_something_is_shown_again_with_what_was_typed(mended, form, told):
    plan_id = planned(mended)

    answer = mended.post(f"/ops/replays/{plan_id}/run", **form)
    page = mended.read(answer)

    assert answer.status_code == 422
    assert told in page.text
    assert (page.field("name"), page.field("speed")) == (form["name"], form["speed"])
    assert mended.services.planning.one(plan_id).state is State.PLANNED


def test_one_that_has_aged_is_counted_again_and_says_so(mended):
    plan_id = planned(mended)
    mended.services.planning.plans.note(plan_id, counted=1)

    assert "These numbers are old: it was counted more than 10 minutes ago." in mended.get(f"/ops/replays/{plan_id}").text
    answer = mended.post(f"/ops/replays/{plan_id}/run", name="Monday", speed="5/s")
    page = mended.get(answer.headers["Location"])
    assert "Nothing was replayed yet" in page.text
    step(mended)

    page = mended.get(f"/ops/replays/{plan_id}")
    assert (page.field("name"), page.field("speed")) == ("Monday", "5/s")
    assert mended.services.planning.one(plan_id).replayed == 0


def test_it_can_be_paused_resumed_and_cancelled_and_what_cannot_be_done_says_why(mended):
    plan_id = running(mended)

    assert "It is paused" in mended.get(mended.post(f"/ops/replays/{plan_id}/pause").headers["Location"]).text
    step(mended)
    assert mended.services.planning.one(plan_id).replayed == 0
    assert "It goes on where it was." in mended.get(mended.post(f"/ops/replays/{plan_id}/resume").headers["Location"]).text
    assert "It is cancelled." in mended.get(mended.post(f"/ops/replays/{plan_id}/cancel").headers["Location"]).text

    refused = mended.post(f"/ops/replays/{plan_id}/resume")
    assert refused.status_code == 422
    assert "It is cancelled." in mended.read(refused).text
    acts = mended.services.audit.of([f"plan:{plan_id}"])
    assert [(act.by, act.what.split()[0]) for act in acts] == [("anna", word) for word in ("cancelled", "resumed", "paused", "began", "planned")]


def test_what_failed_in_it_becomes_a_plan_of_its_own(mended):
    plan_id = running(mended)
    step(mended)
    for key in ("zapier:lead-1", "zapier:lead-2"):
        mended.end(key, Status.FAILED, "refused by the platform")
    mended.services.planning.plans.note(plan_id, stood=1)
    step(mended)

    assert "Plan to replay what failed in it" in mended.get(f"/ops/replays/{plan_id}").text
    answer = mended.post(f"/ops/replays/{plan_id}/failed")
    step(mended)
    page = mended.get(answer.headers["Location"])
    assert "what failed in Monday" in page.html
    assert "Replay 2 events" in page.text


def test_a_number_in_the_filter_is_on_no_page(many):
    plan_id = planned(many, 'phone:"+1 281 332 2569"')

    for path in ("/ops/replays", f"/ops/replays/{plan_id}"):
        assert "2569" not in many.get(path).html
        assert "phone:" in many.get(path).text
    assert "2569" not in str(many.services.planning.progress(plan_id).document())
    assert "2569" not in str(many.services.audit.last())


@pytest.mark.parametrize("path", ["/ops/replays/nothing", "/ops/replays/261124-000000-abcd"])
def test_there_is_no_page_of_what_there_is_not(desk, path):
    assert desk.anna.get(path).status_code == 404
    assert desk.post(f"{path}/pause").status_code == 404


def test_nothing_but_the_table_can_be_done_and_nothing_by_a_form_of_others(many):
    plan_id = planned(many)

    assert many.post(f"/ops/replays/{plan_id}/explode").status_code == 404
    assert many.anna.post(f"/ops/replays/{plan_id}/cancel").status_code == 400
    assert many.services.planning.one(plan_id).state is State.PLANNED


def test_the_list_is_paged(desk):
    desk.lead()
    for _ in range(33):
        desk.services.planning.plan(parse("source:zapier", desk.services.clock()), "anna")

    first = desk.get("/ops/replays")
    (older,) = [link["href"] for link in first.all("a") if link.get("rel") == "next"]
    second = desk.get("/ops/replays", before=older.rpartition("=")[2])

    shown = [{link["href"] for link in page.all("a") if re.search(r"replays/\d", link["href"])} for page in (first, second)]
    assert (len(shown[0]), len(shown[1]), shown[0] & shown[1]) == (30, 3, set())


def test_no_page_has_anything_inline(mended):
    plan_id = running(mended)
    for path in ("/ops/replays", "/ops/replays/new", f"/ops/replays/{plan_id}"):
        assert mended.get(path, q="source:zapier").inline == []


def test_a_list_does_not_begin_again_behind_what_is_not_in_it(desk):
    assert desk.anna.get("/ops/replays", query_string={"before": "261123-090000-gone"}).status_code == 404


def test_one_that_was_discarded_before_it_ran_says_what_it_would_have_done(mended):
    plan_id = planned(mended)
    page = mended.get(mended.post(f"/ops/replays/{plan_id}/cancel").headers["Location"])

    assert "It was discarded before anything was replayed." in page.text
    assert "What it would have done" in page.text
    assert mended.services.planning.progress(plan_id).document()["left"] == 6
