"""Cancelling, reports, campaign information and control."""

import pytest

PHONE, OTHER = "12025550123", "12025550124"


@pytest.fixture
def job(sim):
    return sim.add(PHONE, name="Ann").json()


def report(sim, what="callJob/getReport", **body):
    answer = sim.campaign(what, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_planned_call_is_cancelled_by_id(sim, job):
    answer = sim.campaign("callJob/cancel", json={"ids": [job]})

    assert (answer.status_code, answer.json()) == (200, [job])
    assert sim.calls()[0]["status"] == "cancelledByUser"
    assert sim.calls()[0]["cancelled_at"]


def test_ids_and_phones_may_be_sent_as_numbers(sim, job):
    assert sim.campaign("callJob/cancel", json={"ids": [int(job)], "phones": [int(PHONE)]}).json() == [job]


def test_a_cancel_by_phone_takes_all_its_calls_in_this_campaign(sim, job):
    second = sim.add(PHONE, name="Bob").json()
    sim.add(PHONE, token="other")

    answer = sim.campaign("callJob/cancel", json={"phones": [PHONE]})

    assert answer.json() == [job, second]
    assert [call["status"] for call in sim.calls()] == ["cancelledByUser", "cancelledByUser", "planned"]


def test_a_call_in_progress_is_allowed_to_finish(sim, job):
    sim.move(job, "inProcess")

    answer = sim.campaign("callJob/cancel", json={"ids": [job]})

    assert answer.json() == [job]
    assert sim.calls()[0]["status"] == "inProcess"
    assert sim.move(job, "longCallWithResult").json()["status"] == "longCallWithResult"


def test_a_call_cancelled_in_progress_is_not_tried_again(sim, job):
    sim.move(job, "inProcess")
    sim.campaign("callJob/cancel", json={"ids": [job]})

    after = sim.move(job, "onRetry").json()

    assert after["status"] == "cancelledByUser"
    assert after["finished_at"]


@pytest.mark.parametrize(
    ("body", "error"),
    [({"ids": ["1"]}, "id.not.found"), ({"phones": ["12025550199"]}, "phone.not.found"), ({"ids": "all"}, "bad.request"), ([], "bad.request")],
)
@pytest.mark.parametrize("endpoint", ["callJob/cancel", "callJob/getReport", "callAttempt/getReport"])
def test_what_is_not_of_this_campaign_is_refused(sim, job, endpoint, body, error):
    answer = sim.campaign(endpoint, json=body)

    assert (answer.status_code, answer.json()["type"]) == (400, error)


def test_one_unknown_id_cancels_nothing(sim, job):
    assert sim.campaign("callJob/cancel", json={"ids": [job, "1"]}).status_code == 400
    assert sim.calls()[0]["status"] == "planned"


def test_an_id_of_another_campaign_is_unknown_here(sim, job):
    assert sim.campaign("callJob/cancel", token="other", json={"ids": [job]}).json()["type"] == "id.not.found"


def test_the_same_key_cancels_once_and_answers_the_same(sim, job):
    first = sim.campaign("callJob/cancel", json={"ids": [job]}, headers=sim.key("k:cancel"))

    again = sim.campaign("callJob/cancel", json={"ids": [job]}, headers=sim.key("k:cancel"))

    assert again.json() == first.json() == [job]


@pytest.mark.parametrize(("choice", "status"), [("skip", 200), ("return", 200), ("error", 400)])
def test_what_cancelling_a_finished_call_answers_can_be_chosen(sim, job, choice, status):
    sim.set(cancel_finished=choice)
    sim.move(job, "noAnswer")

    answer = sim.campaign("callJob/cancel", json={"ids": [job]})

    assert answer.status_code == status
    assert choice == "error" or answer.json() == ([job] if choice == "return" else [])
    assert sim.calls()[0]["status"] == "noAnswer"


def test_a_new_job_is_reported_as_the_platform_was_seen_to(sim, job):
    [row] = report(sim, ids=[job])

    assert isinstance(row.pop("createdAt"), int)
    assert row == {
        "callJobId": job,
        "phone": PHONE,
        "attemptsCount": 0,
        "finishedAt": None,
        "jobStatus": "planned",
        "redialNumber": None,
        "callDuration": 0,
        "tagName": None,
        "tagPayload": None,
        "reportData": None,
    }


def test_a_finished_call_is_reported_by_job_and_by_attempt(sim, job):
    sim.move(job, "inProcess")
    sim.move(job, "onRetry")
    sim.move(job, "inProcess")
    sim.advance("90s")
    sim.move(job, "longCallWithResult", call_result="ACCEPTED", report_data={"deal": "555"})

    [row] = report(sim, phones=[PHONE])
    attempts = report(sim, "callAttempt/getReport", phones=[PHONE])

    assert (row["jobStatus"], row["attemptsCount"], row["callDuration"], row["reportData"]) == ("longCallWithResult", 2, 90, {"deal": "555"})
    assert [attempt["attemptNumber"] for attempt in attempts] == [1, 2]
    assert (attempts[1]["callResult"], attempts[1]["finishedAt"] - attempts[1]["startedAt"]) == ("ACCEPTED", pytest.approx(90_000, abs=5_000))


def test_payload_is_in_no_report(sim, job):
    sim.move(job, "noAnswer")

    for answer in (report(sim, ids=[job]), report(sim, "callAttempt/getReport", ids=[job])):
        assert "payload" not in answer[0]


def test_a_redial_is_another_job_of_the_same_phone(sim, job):
    again = sim.post(f"/simulator/jobs/{job}/redial").json()["id"]

    assert [(row["callJobId"], row["redialNumber"]) for row in report(sim, phones=[PHONE])] == [(job, None), (again, 1)]


def test_a_status_nobody_listed_may_be_unfinished(sim, job):
    sim.move(job, "unknown")
    assert report(sim, ids=[job])[0]["finishedAt"] is None

    sim.move(job, "answeredByRobot", finished=True)

    assert report(sim, ids=[job])[0]["finishedAt"]


def test_reports_come_in_pages_without_a_total(sim):
    sim.add_many(*({"phone": f"120255501{line:02}"} for line in range(25)))

    first = report(sim, "callJob/getReportByDate", filter={}, pagination={})
    second = report(sim, "callJob/getReportByDate", pagination={"page": 1, "pageSize": 20})

    assert first["pagination"] == {"page": 0, "pageSize": 20}
    assert (len(first["items"]), len(second["items"])) == (20, 5)


def test_reports_are_filtered_by_date(sim, job):
    sim.move(job, "noAnswer")
    now = sim.get("/simulator/clock").json()["now"]
    sim.advance("2h")
    later = sim.add(OTHER).json()
    sim.move(later, "inProcess")

    created = report(sim, "callJob/getReportByDate", filter={"createdAtFrom": now})
    finished = report(sim, "callJob/getReportByDate", filter={"finishedAtTo": now})
    started = report(sim, "callAttempt/getReportByDate", filter={"startedAtFrom": now})
    open_jobs = report(sim, "callJob/getUnfinished", page=0, pageSize=10)

    assert [row["callJobId"] for row in created["items"]] == [later]
    assert [row["callJobId"] for row in finished["items"]] == [job]
    assert [row["callJobId"] for row in started["items"]] == [later]
    assert [row["callJobId"] for row in open_jobs["items"]] == [later]


@pytest.mark.parametrize("body", [{"pagination": {"pageSize": 201}}, {"pagination": {"page": 200}}, {"filter": {"createdAtFrom": "yesterday"}}, []])
def test_a_page_that_cannot_be_is_refused(sim, body):
    assert sim.campaign("callJob/getReportByDate", json=body).json()["type"] == "bad.request"


def test_a_campaign_tells_about_itself(sim, job):
    sim.move(job, "inProcess")
    sim.advance("30s")
    sim.move(job, "longCallWithNoResult")
    sim.move(sim.add(OTHER).json(), "inProcess")

    information = sim.get("/api/calls/campaign/welcome").json()

    assert (information["name"], information["status"]) == ("welcome", "inProgress")
    assert information["shortReport"] | {"usedTalkingTime": 30} == {
        "totalNumbers": 2,
        "processedNumbers": 1,
        "usedTalkingTime": 30,
        "usedAsrSeconds": 0,
        "inProcessCalls": 1,
        "retryCalls": 0,
    }


@pytest.mark.parametrize(("spelling", "words"), [("openapi", ["new", "inProgress", "paused"]), ("help", ["planned", "inProcess", "paused"])])
def test_campaign_statuses_are_spelled_as_the_host_does(sim, spelling, words):
    sim.set(spelling=spelling)
    seen = [sim.get("/api/calls/campaign/welcome/status").json()]
    sim.add()
    seen.append(sim.get("/api/calls/campaign/welcome/status").json())
    sim.campaign("control/pause")
    seen.append(sim.get("/api/calls/campaign/welcome/status").json())

    assert seen == words


@pytest.mark.parametrize(("spelling", "word"), [("openapi", "cancelledByUser"), ("help", "canceled")])
def test_a_cancelled_job_is_spelled_as_the_host_does(sim, job, spelling, word):
    sim.set(spelling=spelling)
    sim.campaign("callJob/cancel", json={"ids": [job]})

    assert report(sim, ids=[job])[0]["jobStatus"] == word


def test_a_bare_status_has_no_quotes(sim):
    sim.set(id_form="bare")

    assert sim.get("/api/calls/campaign/welcome/status").text == "new"


def test_pause_and_resume_answer_with_nothing(sim, job):
    for action, status in (("pause", "paused"), ("resume", "inProgress")):
        answer = sim.campaign(f"control/{action}")

        assert (answer.status_code, answer.content) == (200, b"")
        assert sim.get("/api/calls/campaign/welcome/status").json() == status


def test_stop_leaves_what_was_not_called_undone_and_is_final(sim, job):
    ringing = sim.add(OTHER).json()
    sim.move(ringing, "inProcess")

    sim.campaign("control/stop")

    assert {call["id"]: call["status"] for call in sim.calls()} == {job: "notDone", ringing: "inProcess"}
    answer = sim.campaign("control/resume")
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "invalid.call.task.state",
        "message": "A campaign in this state cannot resume",
        "args": {"state": "FINISHED"},
    }


def test_a_control_that_is_repeated_with_its_key_is_not_refused(sim):
    answers = [sim.campaign("control/pause", headers=sim.key("k")) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert sim.campaign("control/pause").status_code == 400


@pytest.mark.parametrize(
    "endpoint",
    ["callJob/cancel", "callJob/getReport", "callAttempt/getReport", "callJob/getReportByDate", "callJob/getUnfinished", "control/stop"],
)
def test_every_endpoint_knows_a_bad_token(sim, endpoint):
    answer = sim.campaign(endpoint, token="bad", json={})

    assert (answer.status_code, answer.json()["type"]) == (404, "invalid.token")


@pytest.mark.parametrize("path", ["", "/status"])
def test_information_knows_a_bad_token(sim, path):
    assert sim.get(f"/api/calls/campaign/bad{path}").json()["type"] == "invalid.token"
