"""The Calls API over HTTP: reads requests, spells answers. What is true is decided in :mod:`bridge.simulator.platform`."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, request

from bridge.simulator.platform import Request
from bridge.simulator.rejections import Rejected
from bridge.simulator.reports import attempt_rows, attempts_by_date, job_rows, jobs_by_date, unfinished
from bridge.simulator.settings import IdForm, KeyOnGet, Params
from bridge.simulator.world import world

KEY = "Idempotence-Key"
"""The platform's own spelling; ``Idempotency-Key`` is not it."""

_ID_BODIES: dict[IdForm, Callable[[str], tuple[str, str]]] = {
    IdForm.QUOTED: lambda job_id: (json.dumps(job_id), "application/json"),
    IdForm.BARE: lambda job_id: (job_id, "text/plain"),
    IdForm.NUMBER: lambda job_id: (job_id, "application/json"),
    IdForm.ARRAY: lambda job_id: (json.dumps([job_id]), "application/json"),
}
_READ_FORM = frozenset({Params.FORM, Params.BOTH})
_READ_QUERY = frozenset({Params.QUERY, Params.BOTH})
_JOB_REPORTS = {"getReportByDate": jobs_by_date, "getUnfinished": unfinished}

api = Blueprint("api", __name__, url_prefix="/api")


@api.errorhandler(Rejected)
def rejected(rejection: Rejected) -> tuple[Response, int]:
    return jsonify(rejection.document), rejection.status


@api.post("/crmCalls/campaign/<token>/addPhone")
def post_phone(token: str) -> Response:
    return _id(world().platform.add_one(_request(token), _posted_params()))


@api.get("/crmCalls/campaign/<token>/addPhone")
def get_phone(token: str) -> Response:
    return _id(world().platform.add_one(*_get(token)))


@api.get("/crmCalls/campaign/<token>/test/addPhone")
def test_phone(token: str) -> Response:
    """A real call, without the rule of duplicate numbers."""
    return _id(world().platform.add_one(*_get(token), again=True))


@api.post("/calls/campaign/<token>/addPhones")
def add_phones(token: str) -> Response:
    return jsonify(world().platform.add_many(_request(token), _document()))


@api.post("/calls/campaign/<token>/callJob/cancel")
def cancel(token: str) -> Response:
    return jsonify(world().platform.cancel(_request(token), _document()))


@api.post("/calls/campaign/<token>/callJob/getReport")
def job_report(token: str) -> Response:
    platform = world().platform
    return jsonify(job_rows(platform.find(_request(token), _document()), platform.settings.spelling))


@api.post("/calls/campaign/<token>/callAttempt/getReport")
def attempt_report(token: str) -> Response:
    platform = world().platform
    return jsonify(attempt_rows(platform.find(_request(token), _document()), platform.settings.spelling))


@api.post("/calls/campaign/<token>/callJob/<any(getReportByDate, getUnfinished):report>")
def job_pages(token: str, report: str) -> Response:
    platform = world().platform
    return jsonify(_JOB_REPORTS[report](platform.of_campaign(_request(token)), _document(), platform.settings.spelling))


@api.post("/calls/campaign/<token>/callAttempt/getReportByDate")
def attempt_pages(token: str) -> Response:
    platform = world().platform
    return jsonify(attempts_by_date(platform.of_campaign(_request(token)), _document(), platform.settings.spelling))


@api.get("/calls/campaign/<token>")
def information(token: str) -> Response:
    return jsonify(world().platform.information(_request(token)))


@api.get("/calls/campaign/<token>/status")
def status(token: str) -> Response:
    """Quoted or not follows the form of a single id; it is never a number or an array."""
    text = world().platform.status(_request(token))
    bare = world().platform.settings.id_form == IdForm.BARE
    return Response(text, content_type="text/plain") if bare else jsonify(text)


@api.post("/calls/campaign/<token>/control/<any(pause, resume, stop):action>")
def control(token: str, action: str) -> Response:
    world().platform.control(_request(token), action)
    return Response(status=200)


def _request(token: str) -> Request:
    return Request(token, request.headers.get(KEY), world().clock.now())


def _posted_params() -> Mapping[str, str]:
    """What this host does not read is as if it had not been sent."""
    where = world().platform.settings.params
    query = request.args.to_dict() if where in _READ_QUERY else {}
    return {**query, **(request.form.to_dict() if where in _READ_FORM else {})}


def _get(token: str) -> tuple[Request, Mapping[str, str]]:
    """A key that this host does not read from the query is payload like any other parameter."""
    params, where = request.args.to_dict(), world().platform.settings.key_on_get
    from_query = None if where == KeyOnGet.HEADER else params.pop(KEY, None)
    from_header = None if where == KeyOnGet.QUERY else request.headers.get(KEY)
    return Request(token, from_header or from_query, world().clock.now()), params


def _document() -> Any:
    """The JSON of the body, whatever its content type says; malformed is None, which no endpoint takes for an answer."""
    return request.get_json(force=True, silent=True)


def _id(job_id: str) -> Response:
    body, content_type = _ID_BODIES[world().platform.settings.id_form](job_id)
    return Response(body, content_type=content_type)
