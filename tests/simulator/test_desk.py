"""The simulator's own side: the page, the records, the levers."""

import pytest


def test_the_page_shows_calls_and_masks_numbers_unless_asked(sim):
    sim.add("12025550123", key="hubspot:77", name="Ann <b>", mobile="(202) 555-0144", since="2026-11-23")

    masked = sim.get("/").text
    full = sim.get("/simulator/?numbers=full").text

    assert "hubspot:77" in masked
    assert "+120…23" in masked
    assert "Ann &lt;b&gt;" in masked
    assert "2026-11-23" in masked
    assert not any(number in masked for number in ("12025550123", "2025550123", "555-0144"))
    assert "+12025550123" in full
    assert "(202) 555-0144" in full


def test_the_page_needs_no_script_and_nothing_from_elsewhere(sim):
    answer = sim.get("/simulator/")

    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "<script" not in answer.text
    assert "prefers-color-scheme: dark" in answer.text


def test_the_page_shows_the_faults_in_force_and_a_shortened_token(sim):
    token = "aaaaaaaa.bbbbbbbbbbbb.cccccccccccccc"
    sim.add(token=token)
    sim.fault("5xx", after=True, times=3, status=503, probability=0.25)
    sim.fault("429", retry_after=9)

    text = sim.get("/simulator/").text

    assert "5xx (after it took effect)" in text
    assert "0 of 3" in text
    assert "25.0 %" in text
    assert "retry after 9 s" in text
    assert token not in text


def test_an_empty_page_says_so(sim):
    assert "No calls yet" in sim.get("/simulator").text


def test_requests_are_logged_as_they_came(sim):
    sim.add(key="k")
    sim.add("1")
    sim.campaign("control/pause", token="bad")

    log = sim.log()

    assert [(entry["method"], entry["path"], entry["key"], entry["status"]) for entry in log] == [
        ("POST", "/api/crmCalls/campaign/welcome/addPhone", "k", 200),
        ("POST", "/api/crmCalls/campaign/welcome/addPhone", None, 400),
        ("POST", "/api/calls/campaign/bad/control/pause", None, 404),
    ]
    assert sim.get("/simulator/calls").json()["requests"] == 3


def test_the_same_bytes_have_the_same_digest(sim):
    sim.add(key="k", name="Ann")
    sim.add(key="k", name="Ann")
    sim.add(key="k", name="Bob")

    first, second, third = (entry["body"] for entry in sim.log())

    assert first == second != third


def test_a_request_that_was_never_answered_counts_for_its_key(sim):
    sim.fault("5xx", times=2)
    for _ in range(3):
        sim.add(key="k")

    assert [call["requests"] for call in sim.calls()] == [3]


def test_a_call_without_a_key_counts_what_it_answered(sim):
    sim.set(duplicate_wording="A")
    sim.add()
    sim.add()

    assert [call["requests"] for call in sim.calls()] == [2]


def test_reset_forgets_everything_and_starts_with_the_same_ids(sim):
    first = sim.add().json()
    sim.set(id_form="array")
    sim.fault("429")
    sim.advance("5d")

    sim.post("/simulator/reset")

    assert sim.calls() == []
    assert sim.log() == []
    assert sim.get("/simulator/faults").json() == {"faults": []}
    assert sim.get("/simulator/settings").json()["id_form"] == "quoted"
    assert sim.get("/simulator/clock").json()["ahead"] == "0s"
    assert sim.add().json() == first


@pytest.mark.parametrize("body", [{"advance": "soon"}, {}, [], {"advance": 5}])
def test_a_clock_that_cannot_be_set_is_refused(sim, body):
    assert sim.post("/simulator/clock", json=body).status_code == 422


@pytest.mark.parametrize("body", [{"id_form": "roman"}, {"speling": "help"}, [], None])
def test_settings_that_do_not_exist_are_refused_and_change_nothing(sim, body):
    before = sim.get("/simulator/settings").json()

    answer = sim.post("/simulator/settings", json=body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")
    assert sim.get("/simulator/settings").json() == before


@pytest.mark.parametrize("path", ["/simulator/jobs/1", "/simulator/jobs/1/redial"])
def test_an_unknown_job_cannot_be_moved(sim, path):
    assert sim.post(path, json={"status": "noAnswer"}).status_code == 404
