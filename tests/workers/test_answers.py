import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import HttpResponse, from_ms
from workers.answers import (
    LONGEST_WAIT,
    Answer,
    CampaignInfo,
    Outcome,
    TransportFailure,
    failure,
    moment,
    read_add,
    read_attempts,
    read_cancel,
    read_control,
    read_info,
    read_report,
    read_status,
)

READERS = [read_add, read_cancel, read_control, read_report, read_attempts, read_status, read_info]
NOW = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["type", "error", "message", "items", "callJobId"]) | st.text(), inner)
    ),
    max_leaves=10,
)
BODIES = st.text() | st.binary().map(lambda data: data.decode("utf-8", "replace")) | JSON.map(json.dumps)
HEADERS = st.fixed_dictionaries({}, optional={"retry-after": st.text() | st.integers().map(str), "date": st.text()})


def rejection(status, type_, message="no", **more):
    return HttpResponse(status, {}, json.dumps({"type": type_, "message": message, **more}))


# The contract of all readers.


@given(status=st.integers(100, 999), headers=HEADERS, body=BODIES, read=st.sampled_from(READERS))
def test_no_answer_is_too_odd_to_be_read(status, headers, body, read):
    read(HttpResponse(status, headers, body))


@given(status=st.integers(200, 299), headers=HEADERS, body=BODIES, read=st.sampled_from(READERS))
def test_a_success_that_cannot_be_read_is_never_taken_for_a_refusal(status, headers, body, read):
    answer = read(HttpResponse(status, headers, body))

    assert not isinstance(answer, Answer) or answer.outcome in {Outcome.MADE, Outcome.UNKNOWN}


@given(status=st.integers(500, 599), headers=HEADERS, body=BODIES, read=st.sampled_from(READERS))
def test_a_server_error_says_nothing_about_what_was_made(status, headers, body, read):
    assert read(HttpResponse(status, headers, body)).outcome is Outcome.UNKNOWN


@given(body=BODIES)
def test_a_call_is_made_only_when_its_id_is_there(body):
    answer = read_add(HttpResponse(200, {}, body))

    assert (answer.outcome is Outcome.MADE) == bool(answer.ids)
    assert all(job_id.isascii() and job_id.isdecimal() for job_id in answer.ids)


@given(
    phone=st.from_regex(r"\+?[0-9]{1,3}[ (.-]{0,2}[0-9]{3}[ ).-]{0,2}[0-9]{3}[ .-]?[0-9]{2,4}", fullmatch=True),
    before=st.text(max_size=200),
    status=st.sampled_from([400, 404, 409, 422]),
    key=st.sampled_from(["type", "message"]),
)
def test_a_note_never_holds_a_phone_number(phone, before, status, key):
    body = json.dumps({"type": "new.type", "message": "m", key: f"{before} {phone} is wrong"})

    answer = read_add(HttpResponse(status, {}, body))

    assert phone not in answer.note


@pytest.mark.parametrize("kind", TransportFailure)
@pytest.mark.parametrize("read", READERS)
def test_every_reader_takes_a_failure_for_what_it_is(kind, read):
    assert read(kind) == failure(kind)


# No answer.


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        (TransportFailure.UNREACHABLE, Outcome.NOT_NOW),
        (TransportFailure.UNSENDABLE, Outcome.CANNOT),
        (TransportFailure.NO_TOKEN, Outcome.CANNOT),
        (TransportFailure.NO_ANSWER, Outcome.UNKNOWN),
        (TransportFailure.BROKEN, Outcome.UNKNOWN),
        (TransportFailure.OVERSIZED, Outcome.UNKNOWN),
    ],
)
def test_only_what_was_provably_never_sent_was_not_made(kind, outcome):
    assert failure(kind).outcome is outcome


# Adding.


@pytest.mark.parametrize(
    "body", ['"5665336642"', "5665336642", " 5665336642\r\n", '["5665336642"]', "[5665336642]", "\ufeff5665336642", "005665336642"]
)
def test_an_id_is_read_in_every_form_it_may_come_in(body):
    answer = read_add(HttpResponse(200, {}, body))

    assert answer.outcome is Outcome.MADE
    assert answer.ids == ("005665336642" if body.startswith("00") else "5665336642",)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        "OK",
        "true",
        "-5",
        "1.5",
        '""',
        '["5665336642", null]',
        '{"id": "5665336642"}',
        '{"type": "phone.bad.format", "phone": "16500000000"}',
        '"56653366',
        "<html>502</html>",
        "٣٤٥",
        "9" * 41,
        "[" * 100_000,
        "9" * 5000,
    ],
)
def test_a_200_without_a_certain_id_is_unknown(body):
    assert read_add(HttpResponse(200, {}, body)).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("status", "type_", "outcome"),
    [
        (400, "phone.duplicated", Outcome.DUPLICATED),
        (400, "phone.bad.format", Outcome.REFUSED),
        (400, "phone.gmtZone.bad.format", Outcome.REFUSED),
        (400, "invalid.call.allowed.time", Outcome.REFUSED),
        (400, "invalid.dialer_priority", Outcome.REFUSED),
        (400, "invalid.call.task.state", Outcome.CANNOT),
        (404, "invalid.token", Outcome.CANNOT),
        (409, "something.new", Outcome.REFUSED),
        (404, "something.new", Outcome.REFUSED),
        (500, "phone.bad.format", Outcome.UNKNOWN),
    ],
)
def test_a_type_decides_what_a_rejection_means_and_is_kept(status, type_, outcome):
    answer = read_add(rejection(status, type_, phone="16500000000"))

    assert (answer.outcome, answer.code, answer.status) == (outcome, type_, status)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (301, Outcome.CANNOT),
        (307, Outcome.CANNOT),
        (400, Outcome.REFUSED),
        (401, Outcome.CANNOT),
        (403, Outcome.CANNOT),
        (404, Outcome.CANNOT),
        (405, Outcome.CANNOT),
        (408, Outcome.UNKNOWN),
        (413, Outcome.REFUSED),
        (425, Outcome.NOT_NOW),
        (429, Outcome.NOT_NOW),
        (500, Outcome.UNKNOWN),
        (502, Outcome.UNKNOWN),
        (503, Outcome.UNKNOWN),
        (600, Outcome.UNKNOWN),
    ],
)
def test_a_page_of_something_in_between_is_read_by_its_status(status, outcome):
    answer = read_add(HttpResponse(status, {"content-type": "text/html"}, "<html>go away</html>"))

    assert answer.outcome is outcome
    assert answer.code is None
    assert "html" not in answer.note


@pytest.mark.parametrize(
    "body", ["<h1>Not Found</h1>", '{"timestamp": 1, "status": 404, "error": "Not Found"}', '{"type": "about:blank", "title": "Not Found"}', ""]
)
def test_a_404_that_is_not_the_platforms_points_at_the_base_url(body):
    answer = read_add(HttpResponse(404, {}, body))

    assert answer.outcome is Outcome.CANNOT
    assert "calls_api.base_url" in answer.note


def test_what_the_server_wrote_is_one_short_line_in_a_note():
    answer = read_add(rejection(422, "too.many", "first\n\tsecond\x00\u202e third " + "word " * 100))

    assert answer.note.startswith("the platform refused it (422): too.many: first second third word")
    assert len(answer.note) < 250
    assert answer.note.isprintable()


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 0 "}, 0.0),
        ({"retry-after": "999999"}, LONGEST_WAIT),
        ({"retry-after": "9" * 399}, LONGEST_WAIT),
        ({"retry-after": format_datetime(NOW + timedelta(seconds=90), usegmt=True), "date": format_datetime(NOW, usegmt=True)}, 90.0),
        ({"retry-after": format_datetime(NOW - timedelta(days=1), usegmt=True), "date": format_datetime(NOW, usegmt=True)}, 0.0),
        ({"retry-after": format_datetime(NOW + timedelta(days=1), usegmt=True), "date": format_datetime(NOW, usegmt=True)}, LONGEST_WAIT),
        ({"retry-after": format_datetime(NOW, usegmt=True)}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_honoured_within_an_hour(headers, wait):
    answer = read_add(HttpResponse(429, headers, ""))

    assert (answer.outcome, answer.retry_after) == (Outcome.NOT_NOW, wait)


def test_a_503_that_says_when_is_unknown_and_keeps_the_time():
    answer = read_add(HttpResponse(503, {"retry-after": "30"}, ""))

    assert (answer.outcome, answer.retry_after) == (Outcome.UNKNOWN, 30.0)


# Cancelling and control.


def test_a_cancel_tells_which_call_jobs_it_stopped():
    answer = read_cancel(HttpResponse(200, {}, '["5665336642", 5665336644]'))

    assert (answer.outcome, answer.ids) == (Outcome.MADE, ("5665336642", "5665336644"))


@pytest.mark.parametrize("response", [HttpResponse(200, {}, "[]"), rejection(400, "id.not.found"), rejection(400, "phone.not.found")])
def test_a_cancel_that_finds_nothing_is_done_with_a_note(response):
    answer = read_cancel(response)

    assert (answer.outcome, answer.ids) == (Outcome.MADE, ())
    assert "nothing to cancel" in answer.note


@pytest.mark.parametrize(
    ("response", "outcome"),
    [
        (HttpResponse(200, {}, ""), Outcome.UNKNOWN),
        (HttpResponse(200, {}, '{"ids": []}'), Outcome.UNKNOWN),
        (rejection(404, "invalid.token"), Outcome.CANNOT),
        (rejection(500, "id.not.found"), Outcome.UNKNOWN),
        (rejection(429, "id.not.found"), Outcome.NOT_NOW),
    ],
)
def test_a_cancel_that_may_not_have_happened_is_not_done(response, outcome):
    assert read_cancel(response).outcome is outcome


def test_a_control_has_an_empty_answer_and_an_envelope_of_its_own():
    refused = HttpResponse(400, {}, json.dumps({"error": "campaign.not.paused", "message": "Not paused", "args": {}}))

    assert read_control(HttpResponse(200)).outcome is Outcome.MADE
    assert read_control(refused).outcome is Outcome.REFUSED
    assert read_control(refused).code == "campaign.not.paused"


def test_a_control_that_the_campaigns_state_forbids_does_not_say_what_that_state_is():
    """To resume one that runs is refused with the word that a call gets of one that is over."""
    refused = HttpResponse(400, {}, json.dumps({"error": "invalid.call.task.state", "message": "no", "args": {"state": "IN_PROGRESS"}}))

    assert "does not allow it" in read_control(refused).note
    assert "stopped or finished" not in read_control(refused).note


# Reports.

ROW = {"callJobId": "5665336642", "phone": "16500000000", "attemptsCount": 0, "createdAt": 1691006924166, "finishedAt": None, "jobStatus": "planned"}


@pytest.mark.parametrize("body", [[ROW], {"items": [ROW], "pagination": {"page": 0, "pageSize": 20}}])
def test_a_job_report_is_read_bare_or_in_pages(body):
    (job,) = read_report(HttpResponse(200, {}, json.dumps(body)))

    assert (job.id, job.phone, job.status, job.finished, job.attempts) == ("5665336642", "16500000000", "planned", False, 0)
    assert job.created_at == from_ms(1691006924166)
    assert "16500000000" not in repr(job)


def test_a_finished_job_keeps_what_the_script_reported():
    row = ROW | {
        "callJobId": 5665336642,
        "attemptsCount": "2",
        "finishedAt": "2023-08-02T20:10:00+00:00",
        "jobStatus": "canceled",
        "redialNumber": 1,
        "callDuration": 31,
        "reportData": {"crm": "555"},
    }

    (job,) = read_report(HttpResponse(200, {}, json.dumps([row])))

    assert (job.id, job.status, job.finished, job.attempts, job.redial, job.talked_seconds) == ("5665336642", "cancelledByUser", True, 2, 1, 31)
    assert job.finished_at == datetime(2023, 8, 2, 20, 10, tzinfo=UTC)
    assert job.data == {"crm": "555"}


def test_a_job_finished_at_a_time_nobody_can_read_is_finished():
    (job,) = read_report(HttpResponse(200, {}, json.dumps([ROW | {"finishedAt": "yesterday", "jobStatus": "brandNew"}])))

    assert (job.finished, job.finished_at, job.status) == (True, None, "brandNew")


@pytest.mark.parametrize("body", ["", "{}", '{"items": null}', "<html>", json.dumps([ROW, {"phone": "1"}]), json.dumps([ROW, None])])
def test_a_report_that_cannot_be_read_whole_is_not_a_report_of_nothing(body):
    answer = read_report(HttpResponse(200, {}, body))

    assert isinstance(answer, Answer)
    assert answer.outcome is Outcome.UNKNOWN


def test_an_attempt_report_has_the_result_the_script_set():
    row = {"callJobId": "1", "phone": "16500000000", "attemptNumber": 2, "jobStatus": "longCallWithResult", "callResult": "ACCEPTED"}

    (attempt,) = read_attempts(HttpResponse(200, {}, json.dumps([row | {"startedAt": 1691006924166, "finishedAt": None}])))

    assert (attempt.job_id, attempt.number, attempt.status, attempt.result) == ("1", 2, "longCallWithResult", "ACCEPTED")
    assert (attempt.started_at, attempt.finished_at) == (from_ms(1691006924166), None)


@pytest.mark.parametrize(
    "value", [1691006924166, 1691006924166.0, "1691006924166", "2023-08-02T20:08:44.166Z", "2023-08-02T22:08:44.166+02:00"], ids=repr
)
def test_a_time_is_read_in_every_form_it_may_come_in(value):
    assert moment(value) == datetime(2023, 8, 2, 20, 8, 44, 166000, tzinfo=UTC)


@given(value=JSON)
def test_a_time_is_aware_or_none(value):
    read = moment(value)

    assert read is None or read.utcoffset() == timedelta(0)


# Campaigns.


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('"inProgress"', "inProgress"),
        ("inProcess", "inProgress"),
        ("FINISHED\n", "finished"),
        ('"paused"', "paused"),
        ('"somethingNew"', "somethingNew"),
    ],
)
def test_a_status_is_read_quoted_or_not_and_in_both_spellings(body, status):
    assert read_status(HttpResponse(200, {}, body)) == status


@pytest.mark.parametrize("body", ["", "null", "123", "<html>", '{"status": "paused"}', "two words"])
def test_what_is_no_status_is_unknown(body):
    answer = read_status(HttpResponse(200, {}, body))

    assert isinstance(answer, Answer)
    assert answer.outcome is Outcome.UNKNOWN


def test_campaign_information_is_read_with_its_counts():
    body = {"id": 17, "name": "Welcome", "projectName": "P", "status": "inProcess", "shortReport": {"totalNumbers": 3, "retryCalls": None}}

    info = read_info(HttpResponse(200, {}, json.dumps(body)))

    assert info == CampaignInfo(id="17", name="Welcome", project="P", status="inProgress", counts={"totalNumbers": 3})
