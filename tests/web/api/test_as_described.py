"""Every operation answers as its description says, to hundreds of requests that nobody would think of."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from bridge.filters import parse
from bridge.model import Status

ANNA = {"Authorization": "Bearer token-of-anna-and-nobody-else"}
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance, negative_data_rejection]
NEED_MORE = {
    "GET /api/v1/person",
    "POST /api/v1/do-not-call",
    "DELETE /api/v1/do-not-call/{phone}",
    "POST /api/v1/erase",
    "POST /api/v1/asks",
    "POST /api/v1/replays",
    "POST /api/v1/replays/{id}/run",
    "POST /api/v1/replays/{id}/{turn}",
}
"""What random words are not enough for; these have tests of their own."""

quick = settings(max_examples=5, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture
def described(desk):
    """With something behind every name that :func:`known` gives."""
    desk.call(desk.lead(7))
    desk.end(desk.lead(8), Status.FAILED, "the platform refuses it: phone.bad.format")
    desk.services.planning.plan(parse("status:failed", desk.clock()), "anna")
    for _ in range(8):
        desk.services.stepping.look("w")
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", desk.app, headers=ANNA)


def known(desk, path):
    """What the operation is about, where it is there."""
    (issue,) = desk.services.issues.all()
    name = "zapier" if "/sources/" in path else "welcome"
    if "/replays/" in path:
        return {"id": desk.services.planning.plans.all()[0].id} | ({"turn": "recount"} if "turn" in path else {})
    asked = desk.services.asks.put("status", "welcome", "anna", desk.clock())
    told = {"key": "zapier:lead-8", "fingerprint": issue.fingerprint, "scope": "campaign:welcome", "name": name, "action": "pause", "id": asked}
    return {part: value for part, value in {**told, "phone": "+12813322575"}.items() if f"{{{part}}}" in path}


def operations(described):
    return [each.ok() for each in described.get_all_operations()]


@pytest.mark.parametrize("mode", GenerationMode)
def test_every_operation_answers_as_described_whatever_it_is_sent(described, mode):
    for operation in operations(described):

        @quick
        @given(case=operation.as_strategy(mode))
        def tried(case):
            case.call_and_validate(headers=ANNA, checks=CHECKS)

        tried()


def test_every_operation_answers_as_described_about_what_is_there(described, desk):
    answered = set()
    for operation in operations(described):

        @quick
        @given(case=operation.as_strategy(GenerationMode.POSITIVE, path_parameters=known(desk, operation.path)))
        def tried(case):
            answered.add((case.operation.label, case.call_and_validate(headers=ANNA, checks=CHECKS).status_code))

        tried()

    never = {operation.label for operation in operations(described)} - {label for label, status in answered if status < 300}
    assert never <= NEED_MORE


def test_nobody_is_let_in_without_a_token(described, desk):
    for operation in operations(described):

        @settings(quick, max_examples=3)
        @given(case=operation.as_strategy(path_parameters=known(desk, operation.path)))
        def tried(case):
            answer = case.call(headers={"Authorization": ""})
            assert answer.status_code == 401
            case.validate_response(answer, checks=CHECKS)

        tried()
