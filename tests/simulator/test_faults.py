"""Each fault, as a client meets it: what it is answered, and whether the phone would have rung."""

import time

import pytest
import requests

NUMBERS = [{"phone": f"1202555010{line}"} for line in range(5)]


def test_too_many_requests_says_when_to_come_back_and_calls_nobody(sim):
    sim.fault("429", times=1, retry_after=7)

    answer = sim.add()

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert sim.calls() == []
    assert sim.add().status_code == 200


@pytest.mark.parametrize(("after", "jobs"), [(False, 0), (True, 1)])
def test_a_server_error_comes_before_or_after_the_call_was_made(sim, after, jobs):
    sim.fault("5xx", times=1, status=503, after=after)

    answer = sim.add(key="k")

    assert answer.status_code == 503
    assert len(sim.calls()) == jobs


def test_a_repeat_after_a_server_error_finds_the_job_that_was_made(sim):
    sim.fault("5xx", times=1, after=True)
    sim.add(key="k")

    answer = sim.add(key="k")

    assert answer.json() == sim.calls()[0]["id"]
    assert [call["requests"] for call in sim.calls()] == [2]


def test_a_proxy_answers_in_html(sim):
    sim.fault("html", times=1)

    answer = sim.add()

    assert answer.status_code == 502
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "<h1>502 Bad Gateway</h1>" in answer.text


@pytest.mark.parametrize(("fault", "jobs"), [("reset_before", 0), ("reset_after", 1), ("lost_answer", 1)])
def test_a_connection_ends_without_an_answer(sim, fault, jobs):
    sim.fault(fault, times=1)

    with pytest.raises(requests.ConnectionError):
        sim.add()

    assert len(sim.calls()) == jobs
    assert sim.log()[0]["status"] is None
    assert sim.log()[0]["fault"] == fault


@pytest.mark.parametrize(("after", "jobs"), [(False, 0), (True, 1)])
def test_a_hanging_platform_outwaits_the_client(sim, after, jobs):
    sim.fault("hang", times=1, after=after)

    with pytest.raises(requests.ReadTimeout):
        sim.session.post(f"{sim.url}/api/crmCalls/campaign/welcome/addPhone", data={"phone": "12025550123"}, timeout=0.3)

    assert len(sim.calls()) == jobs


def test_a_lost_answer_may_be_silent_for_a_while(sim):
    sim.fault("lost_answer", times=1, seconds=0.3)
    began = time.monotonic()

    with pytest.raises(requests.ConnectionError):
        sim.add()

    assert time.monotonic() - began >= 0.3


def test_latency_delays_the_ordinary_answer_and_lets_the_next_fault_strike(sim):
    sim.fault("latency", seconds=0.2)
    sim.fault("429", times=1)
    began = time.monotonic()

    answers = [sim.add(), sim.add()]

    assert [answer.status_code for answer in answers] == [429, 200]
    assert time.monotonic() - began >= 0.4
    assert [entry["fault"] for entry in sim.log()] == ["latency, 429", "latency"]


@pytest.mark.parametrize(("fault", "status", "error"), [("bad_token", 404, "invalid.token"), ("stopped_campaign", 400, "invalid.call.task.state")])
def test_a_campaign_can_be_away_for_a_while(sim, fault, status, error):
    sim.fault(fault)
    answer = sim.add(key="k")
    sim.delete("/simulator/faults")

    assert (answer.status_code, answer.json()["type"]) == (status, error)
    assert sim.add(key="k").status_code == 200


def test_ids_come_back_in_another_order(sim):
    sim.fault("shuffled_ids")

    ids = sim.add_many(*NUMBERS).json()

    made = [call["id"] for call in sim.calls()]
    assert ids != made
    assert sorted(ids) == sorted(made)


def test_one_id_is_missing(sim):
    sim.fault("one_short")

    ids = sim.add_many(*NUMBERS).json()

    assert ids == [call["id"] for call in sim.calls()][:-1]


def test_a_fault_of_lists_leaves_refusals_as_they_are(sim):
    sim.fault("one_short")

    assert sim.add_many({"phone": "1"}).json()["type"] == "phone.bad.format"


def test_a_fault_may_be_for_one_endpoint_or_one_campaign(sim):
    sim.fault("5xx", endpoint="addPhones")
    sim.fault("429", campaign="busy")

    statuses = [sim.add().status_code, sim.add_many(*NUMBERS).status_code, sim.add(token="busy").status_code]

    assert statuses == [200, 500, 429]


def test_a_fault_may_be_for_a_crm(sim):
    sim.fault("429", endpoint="/hubspot/*", times=1)

    answers = [sim.get("/hubspot/crm/v3/objects/contacts/1", headers={"Authorization": "Bearer x"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [429, 200]


def test_chance_repeats_with_the_seed(sim):
    sim.fault("5xx", probability=0.5)
    first = [sim.add(name=str(number)).status_code for number in range(20)]
    sim.post("/simulator/reset")
    sim.fault("5xx", probability=0.5)

    second = [sim.add(name=str(number)).status_code for number in range(20)]

    assert first == second
    assert set(first) == {200, 500}


def test_faults_are_listed_with_what_they_did_and_taken_away_one_by_one(sim):
    sim.post("/simulator/faults", json=[{"fault": 429, "times": 2}, {"fault": "hang", "campaign": "other"}])
    sim.add()

    listed = sim.get("/simulator/faults").json()["faults"]

    assert [(fault["id"], fault["fault"], fault["times"], fault["struck"], fault["spent"]) for fault in listed] == [
        ("1", "429", 2, 1, False),
        ("2", "hang", None, 0, False),
    ]
    assert len(sim.delete("/simulator/faults/1").json()["faults"]) == 1
    assert sim.delete("/simulator/faults/1").status_code == 404
    assert sim.add().status_code == 200


@pytest.mark.parametrize(
    "fault", [{"fault": "earthquake"}, {"fault": "429", "probability": 2}, {"fault": "5xx", "status": 200}, {"flaut": "429"}, "429"]
)
def test_a_fault_that_is_none_is_refused_with_a_reason(sim, fault):
    answer = sim.post("/simulator/faults", json=fault)

    assert answer.status_code == 422
    assert answer.json()["error"]["problems"]


def test_the_simulators_own_side_never_fails(sim):
    sim.fault("reset_before")

    assert sim.get("/simulator/calls").status_code == 200
    assert sim.get("/simulator/").status_code == 200
