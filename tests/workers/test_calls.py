import json
from datetime import UTC, datetime, time, timedelta, timezone
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import calls
from bridge.model import CallCommand, CallPlan, Window

KEY = "hubspot:11"
COMMAND = CallCommand(campaign="welcome", phone="+16500000000", payload={"name": "Alex Doe", "deal": 555}, time_zone="+03:00")
PLAN = CallPlan(
    allowed_days=("mon", "tue"),
    allowed_time={"default": (Window(time(9), time(18, 30)),), "sat": (Window(time(10), time(12)), Window(time(13), time(14)))},
    max_attempts=3,
    retry_interval_minutes=60,
    priority=2,
    start_at=datetime(2026, 11, 23, 10, 0, tzinfo=timezone(timedelta(hours=2))),
    finish_at=datetime(2026, 11, 24, 8, 40, tzinfo=UTC),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_a_command_without_a_plan_is_one_form_for_crm_calls():
    request = calls.call_request(COMMAND, KEY)

    assert (request.method, request.url) == ("POST", "/api/crmCalls/campaign/{token}/addPhone")
    assert request.headers == {"Content-Type": "application/x-www-form-urlencoded", "Idempotence-Key": KEY}
    assert request.body == "phone=16500000000&gmtZone=%2B03%3A00&deal=555&name=Alex%20Doe"


def test_parameters_in_the_query_are_never_in_the_body_too():
    request = calls.call_request(COMMAND, KEY, crm_params="query")

    assert request.url == "/api/crmCalls/campaign/{token}/addPhone?phone=16500000000&gmtZone=%2B03%3A00&deal=555&name=Alex%20Doe"
    assert request.headers == {"Idempotence-Key": KEY}
    assert request.body == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("text", "text"),
        ("+1 & more=й", "+1 & more=й"),
        (7, "7"),
        (2.5, "2.5"),
        (True, "true"),
        (False, "false"),
        ({"b": [1, None], "a": "x"}, '{"a":"x","b":[1,null]}'),
        ([], "[]"),
        ("", ""),
        (float("inf"), "inf"),
        ("half \ud800 a pair", "half ? a pair"),
    ],
)
def test_a_payload_value_becomes_text_in_a_form(value, text):
    request = calls.call_request(CallCommand(campaign="c", phone="+16500000000", payload={"x": value}), KEY)

    assert dict(parse_qsl(request.body, keep_blank_values=True)) == {"phone": "16500000000", "x": text}


def test_an_absent_value_and_an_unknown_zone_are_left_out_of_a_form():
    request = calls.call_request(CallCommand(campaign="c", phone="+16500000000", payload={"x": None}), KEY)

    assert request.body == "phone=16500000000"


def test_a_payload_cannot_take_the_place_of_the_apis_own_names():
    payload = {"phone": "19990000000", "gmtZone": "Z", "Idempotence-Key": "other", "x": "1"}

    request = calls.call_request(CallCommand(campaign="c", phone="+16500000000", payload=payload), KEY)

    assert request.body == "phone=16500000000&x=1"


def test_a_command_with_a_plan_is_an_array_of_one_for_add_phones():
    command = CallCommand(campaign="welcome", phone="+16500000000", payload={"name": "Ærø", "n": {"b": 1, "a": None}}, time_zone="Z", plan=PLAN)

    request = calls.call_request(command, KEY)

    assert (request.method, request.url) == ("POST", "/api/calls/campaign/{token}/addPhones")
    assert request.headers == {"Content-Type": "application/json", "Idempotence-Key": KEY}
    assert "Ærø" in request.body
    assert json.loads(request.body) == [
        {
            "phone": "16500000000",
            "payload": {"name": "Ærø", "n": {"b": 1, "a": None}},
            "gmtZone": "Z",
            "allowedDays": ["mon", "tue"],
            "allowedTime": {
                "default": [{"localTimeFrom": "09:00", "localTimeTo": "18:30"}],
                "sat": [{"localTimeFrom": "10:00", "localTimeTo": "12:00"}, {"localTimeFrom": "13:00", "localTimeTo": "14:00"}],
            },
            "maxAttempts": 3,
            "retryIntervalInMinutes": 60,
            "dialerPriority": 2,
            "startDateTime": "2026-11-23T08:00:00Z",
            "finishDateTime": "2026-11-24T08:40:00Z",
        }
    ]


def test_what_a_plan_leaves_open_is_left_to_the_campaign():
    request = calls.call_request(CallCommand(campaign="c", phone="+16500000000", plan=CallPlan(max_attempts=1)), KEY, crm_params="query")

    assert request.url == "/api/calls/campaign/{token}/addPhones"
    assert request.body == '[{"maxAttempts":1,"phone":"16500000000"}]'


@given(payload=st.dictionaries(st.text(max_size=8), VALUES, max_size=4), planned=st.booleans(), crm_params=st.sampled_from(["form", "query"]))
def test_the_order_of_a_payload_never_changes_the_bytes(payload, planned, crm_params):
    plan = PLAN if planned else None
    backwards = dict(reversed(payload.items()))
    commands = [CallCommand(campaign="c", phone="+16500000000", payload=each, plan=plan) for each in (payload, backwards)]

    first, second = (calls.call_request(command, KEY, crm_params=crm_params) for command in commands)

    assert first == second
    if planned:
        assert json.loads(first.body.encode(), parse_constant=pytest.fail)[0]["phone"] == "16500000000"
    else:
        assert (first.url + first.body).isascii()


def test_a_get_says_its_key_in_both_places_because_hosts_disagree():
    request = calls.add_phone_get(CallCommand(campaign="c", phone="+16500000000"), KEY)

    assert request.method == "GET"
    assert request.url == "/api/crmCalls/campaign/{token}/addPhone?phone=16500000000&Idempotence-Key=hubspot%3A11"
    assert request.headers == {"Idempotence-Key": KEY}


def test_a_test_call_is_a_get_of_its_own_path_without_a_key():
    request = calls.test_add_phone(CallCommand(campaign="c", phone="+16500000000", payload={"a": 1}))

    assert (request.method, request.url) == ("GET", "/api/crmCalls/campaign/{token}/test/addPhone?phone=16500000000&a=1")
    assert request.headers == {}


def test_a_cancel_names_ids_or_phones_as_text():
    by_id = calls.cancel_request(["5665336642"], f"{KEY}:cancel")
    by_phone = calls.cancel_request([], f"{KEY}:cancel", phones=["+16500000000"])

    assert (by_id.method, by_id.url) == ("POST", "/api/calls/campaign/{token}/callJob/cancel")
    assert by_id.headers["Idempotence-Key"] == "hubspot:11:cancel"
    assert by_id.body == '{"ids":["5665336642"]}'
    assert by_phone.body == '{"phones":["16500000000"]}'


@pytest.mark.parametrize("build", [lambda: calls.cancel_request([], KEY), calls.job_report, calls.attempt_report])
def test_a_request_about_nobody_is_not_built(build):
    with pytest.raises(ValueError, match="at least one"):
        build()


@pytest.mark.parametrize(
    ("request_", "method", "path", "body"),
    [
        (calls.job_report(ids=["1"]), "POST", "callJob/getReport", {"ids": ["1"]}),
        (calls.attempt_report(phones=["+16500000000"]), "POST", "callAttempt/getReport", {"phones": ["16500000000"]}),
        (
            calls.job_report_by_date(created=calls.Period(PLAN.start_at), finished=calls.Period(end=PLAN.finish_at), page=2, page_size=50),
            "POST",
            "callJob/getReportByDate",
            {
                "filter": {"createdAtFrom": "2026-11-23T08:00:00Z", "finishedAtTo": "2026-11-24T08:40:00Z"},
                "pagination": {"page": 2, "pageSize": 50},
            },
        ),
        (
            calls.attempt_report_by_date(started=calls.Period(PLAN.start_at, PLAN.finish_at)),
            "POST",
            "callAttempt/getReportByDate",
            {
                "filter": {"startedAtFrom": "2026-11-23T08:00:00Z", "startedAtTo": "2026-11-24T08:40:00Z"},
                "pagination": {"page": 0, "pageSize": 200},
            },
        ),
        (calls.unfinished(1, 20), "POST", "callJob/getUnfinished", {"page": 1, "pageSize": 20}),
        (calls.campaign_info(), "GET", "", None),
        (calls.campaign_status(), "GET", "status", None),
    ],
)
def test_a_read_has_the_path_and_body_of_the_reference_and_no_key(request_, method, path, body):
    assert (request_.method, request_.url) == (method, "/".join(["/api/calls/campaign/{token}", *filter(None, [path])]))
    assert (json.loads(request_.body) if request_.body else None) == body
    assert "Idempotence-Key" not in request_.headers


@pytest.mark.parametrize("action", calls.Control)
def test_a_control_has_an_empty_body_and_a_key(action):
    request = calls.control(action, KEY)

    assert (request.method, request.url, request.body) == ("POST", f"/api/calls/campaign/{{token}}/control/{action.value}", "")
    assert request.headers == {"Idempotence-Key": KEY}


def test_a_shown_request_hides_the_token_and_is_otherwise_what_is_sent():
    shown = calls.shown(calls.call_request(COMMAND, KEY), "https://ds.tovie.ai/")

    assert shown == {
        "method": "POST",
        "url": "https://ds.tovie.ai/api/crmCalls/campaign/***/addPhone",
        "headers": {"Content-Type": "application/x-www-form-urlencoded", "Idempotence-Key": KEY},
        "body": "phone=16500000000&gmtZone=%2B03%3A00&deal=555&name=Alex%20Doe",
    }


@pytest.mark.parametrize(
    "request_",
    [
        calls.call_request(COMMAND, KEY),
        calls.call_request(COMMAND, KEY, crm_params="query"),
        calls.call_request(CallCommand(campaign="c", phone="+16500000000", payload={"again": "16500000000"}, plan=PLAN), KEY),
        calls.cancel_request(["5665336642"], KEY, phones=["+16500000000"]),
    ],
)
def test_a_request_shown_on_a_page_has_no_full_number(request_):
    shown = calls.shown(request_, "https://ds.tovie.ai", mask_phones=True)

    assert calls.phones_of(request_) == ("16500000000",)
    assert "16500000000" not in str(shown)
    assert "165…00" in str(shown)
    assert ("5665336642" in shown["body"]) == ("5665336642" in request_.body)
