"""Adding numbers: both endpoints, every refusal, every form of an answer."""

import json

import pytest

GOOD = {"phone": "12025550123"}


def test_a_number_from_a_form_becomes_one_call_with_everything_else_as_payload(sim):
    answer = sim.add("12025550123", key="hubspot:1", name="Ann", gmtZone="-05:00")

    job_id = answer.json()
    assert answer.status_code == 200
    assert job_id.isdecimal()
    assert sim.calls()[0] | {"created_at": "…"} == {
        "id": job_id,
        "campaign": "welcome",
        "phone": "12025550123",
        "payload": {"name": "Ann"},
        "options": {"gmtZone": "-05:00"},
        "status": "planned",
        "idempotence_key": "hubspot:1",
        "requests": 1,
        "created_at": "…",
        "cancelled_at": None,
        "finished_at": None,
        "redial_of": None,
    }


def test_a_number_from_a_query_is_added_by_get(sim):
    answer = sim.get("/api/crmCalls/campaign/welcome/addPhone", params={"phone": "12025550123", "name": "Ann", "Idempotence-Key": "k"})

    assert answer.status_code == 200
    assert (sim.calls()[0]["payload"], sim.calls()[0]["idempotence_key"]) == ({"name": "Ann"}, "k")


def test_a_host_that_reads_the_key_from_headers_only_takes_one_in_the_query_for_payload(sim):
    sim.set(key_on_get="header")

    sim.get("/api/crmCalls/campaign/welcome/addPhone", params={"phone": "12025550123", "Idempotence-Key": "k"})

    assert (sim.calls()[0]["payload"], sim.calls()[0]["idempotence_key"]) == ({"Idempotence-Key": "k"}, None)


def test_a_host_that_reads_the_key_from_the_query_only_does_not_see_the_header(sim):
    sim.set(key_on_get="query")

    sim.get("/api/crmCalls/campaign/welcome/addPhone", params={"phone": "12025550123"}, headers={"Idempotence-Key": "k"})

    assert sim.calls()[0]["idempotence_key"] is None


@pytest.mark.parametrize(
    ("where", "payload"),
    [("form", {"from": "form"}), ("query", {"from": "query", "more": "1"}), ("both", {"from": "form", "more": "1"})],
)
def test_a_post_is_read_from_where_the_host_reads_it(sim, where, payload):
    sim.set(params=where)

    answer = sim.post(
        "/api/crmCalls/campaign/welcome/addPhone",
        params={"phone": "12025550124", "from": "query", "more": "1"},
        data={"phone": "12025550123", "from": "form"},
    )

    assert answer.status_code == 200
    assert sim.calls()[0]["payload"] == payload


@pytest.mark.parametrize(
    ("form", "read", "content_type"),
    [
        ("quoted", lambda text, job: text == f'"{job}"', "application/json"),
        ("bare", lambda text, job: text == job, "text/plain"),
        ("number", lambda text, job: text == job, "application/json"),
        ("array", lambda text, job: json.loads(text) == [job], "application/json"),
    ],
)
def test_a_single_id_comes_in_the_form_that_was_asked_for(sim, form, read, content_type):
    sim.set(id_form=form)

    answer = sim.add()

    assert read(answer.text, sim.calls()[0]["id"])
    assert answer.headers["Content-Type"].startswith(content_type)


def test_many_numbers_get_as_many_ids_that_are_not_consecutive(sim):
    answer = sim.add_many(*({"phone": f"120255501{line:02}"} for line in range(20)))

    ids = [int(job_id) for job_id in answer.json()]
    assert len(set(ids)) == 20
    assert ids != list(range(ids[0], ids[0] + 20))
    assert all(isinstance(job_id, str) for job_id in answer.json())


def test_the_fields_of_add_phones_are_kept_as_options_and_payload_may_nest(sim):
    number = {
        "phone": "12025550123",
        "payload": {"deal": {"id": 555}},
        "startDateTime": "2030-01-01T10:00:00Z",
        "finishDateTime": "2030-01-02T10:00:00Z",
        "allowedDays": ["mon", "fri"],
        "allowedTime": {"default": [{"localTimeFrom": "09:00", "localTimeTo": "12:00"}, {"localTimeFrom": "13:00", "localTimeTo": "18:00"}]},
        "retryIntervalInMinutes": 60,
        "maxAttempts": 3,
        "gmtZone": "Europe/Berlin",
        "dialerPriority": 2,
    }

    answer = sim.add_many(number)

    assert answer.status_code == 200
    assert sim.calls()[0]["payload"] == number.pop("payload")
    assert {**sim.calls()[0]["options"], "phone": "12025550123"} == number


def test_a_phone_may_be_a_json_number(sim):
    assert sim.add_many({"phone": 12025550123}).status_code == 200


@pytest.mark.parametrize("phone", ["+12025550123", "1 202 555 0123", "123", "call me", "0012025550123", ""])
def test_a_number_that_breaks_the_rules_of_its_country_is_refused(sim, phone):
    answer = sim.add(phone)

    assert answer.status_code == 400
    assert (answer.json()["type"], answer.json()["phone"]) == ("phone.bad.format", phone)
    assert sim.calls() == []


@pytest.mark.parametrize("zone", ["+03:00", "-5", "UTC+3", "Z", "GMT", "+0530", "+18:00", "America/New_York"])
def test_zones_that_the_platform_understands_are_taken(sim, zone):
    assert sim.add(gmtZone=zone).status_code == 200


@pytest.mark.parametrize("zone", ["+19:00", "+18:01", "Mars/Olympus", " 03:00", "3"])
def test_a_zone_that_is_none_is_refused(sim, zone):
    answer = sim.add(gmtZone=zone)

    assert answer.status_code == 400
    assert answer.json()["type"] == "phone.gmtZone.bad.format"
    assert (answer.json()["phone"], answer.json()["gmtZone"]) == ("12025550123", zone)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"dialerPriority": 6}, "invalid.dialer_priority"),
        ({"dialerPriority": 0}, "invalid.dialer_priority"),
        (
            {"allowedTime": {"mon": [{"localTimeFrom": "09:00", "localTimeTo": "12:00"}, {"localTimeFrom": "11:00", "localTimeTo": "13:00"}]}},
            "invalid.call.allowed.time",
        ),
        ({"allowedTime": {"mon": [{"localTimeFrom": "9:00", "localTimeTo": "12:00"}]}}, "invalid.call.allowed.time"),
        ({"allowedTime": {"mon": []}}, "invalid.call.allowed.time"),
        ({"gmtZone": "nowhere"}, "phone.gmtZone.bad.format"),
        ({"phone": "1"}, "phone.bad.format"),
        ({"maxAttempts": 51}, "bad.request"),
        ({"retryIntervalInMinutes": 2881}, "bad.request"),
        ({"startDateTime": "2030-01-02T10:00:00Z", "finishDateTime": "2030-01-01T10:00:00Z"}, "bad.request"),
        ({"allowedDays": []}, "bad.request"),
    ],
)
def test_one_bad_number_rejects_the_whole_array(sim, wrong, error):
    answer = sim.add_many(GOOD, {"phone": "12025550124", **wrong})

    assert (answer.status_code, answer.json()["type"]) == (400, error)
    assert sim.calls() == []


def test_the_same_phone_twice_in_one_array_is_refused_and_named(sim):
    answer = sim.add_many(GOOD, {"phone": "12025550124"}, GOOD)

    assert answer.status_code == 400
    assert answer.json()["type"] == "phone.duplicated"
    assert (answer.json()["phone"], answer.json()["phonesDuplicates"]) == ("12025550123", ["12025550123"])
    assert sim.calls() == []


def test_a_host_may_leave_the_list_of_duplicates_out(sim):
    sim.set(phones_duplicates=False)

    assert "phonesDuplicates" not in sim.add_many(GOOD, GOOD).json()


def test_a_stopped_campaign_takes_no_numbers(sim):
    sim.campaign("control/stop")

    for answer in (sim.add(), sim.add_many(GOOD)):
        assert answer.status_code == 400
        assert (answer.json()["type"], answer.json()["state"]) == ("invalid.call.task.state", "FINISHED")
    assert sim.calls() == []


def test_a_paused_campaign_takes_numbers(sim):
    sim.campaign("control/pause")

    assert sim.add().status_code == 200


@pytest.mark.parametrize("token", ["bad", "bad-welcome", "gone"])
def test_a_bad_token_has_no_campaign(sim, token):
    sim.set(bad_tokens=["gone"])

    for answer in (sim.add(token=token), sim.add_many(GOOD, token=token)):
        assert (answer.status_code, answer.json()["type"]) == (404, "invalid.token")


@pytest.mark.parametrize("body", [b"{not json", b"{}", b'["12025550123"]', b"[{}]", b""])
def test_a_body_that_is_no_array_of_numbers_is_refused(sim, body):
    answer = sim.campaign("addPhones", data=body)

    assert (answer.status_code, answer.json()["type"]) == (400, "bad.request")


def test_a_form_without_a_phone_is_refused(sim):
    answer = sim.post("/api/crmCalls/campaign/welcome/addPhone", data={"name": "Ann"})

    assert (answer.status_code, answer.json()["type"]) == (400, "bad.request")


def test_an_unknown_path_is_answered_in_json(sim):
    answer = sim.get("/api/calls/campaign/welcome/nothing")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
