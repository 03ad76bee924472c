"""The simulator's own side, under ``/simulator``: what was called, what was asked, and the levers.

JSON for tests and scripts, one page for people. Nothing here is logged as a request or struck by a fault.
"""

import re
from typing import Any, TypeVar

from flask import Blueprint, Response, abort, jsonify, make_response, redirect, render_template, request, url_for
from pydantic import BaseModel, TypeAdapter, ValidationError
from werkzeug.wrappers import Response as AnyResponse

from bridge.model import iso
from bridge.phones import mask
from bridge.quantities import Duration, show_duration
from bridge.simulator.crm import check_record
from bridge.simulator.faults import Fault
from bridge.simulator.jobs import Job, Move
from bridge.simulator.settings import Settings
from bridge.simulator.world import World, world

SHOWN = 200
"""How many calls the page shows, the latest first; the JSON has them all."""

_NUMBER = re.compile(r"[+(]?[0-9](?:[() .-]*[0-9]){9,14}")  # ten digits: shorter ones are dates and prices
_LONGEST_NAME = 24
_FAULTS = TypeAdapter(list[Fault])
_CONTENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

_Document = TypeVar("_Document", bound=BaseModel)


class Clock(BaseModel):
    """The body of ``POST /simulator/clock``."""

    advance: Duration


desk = Blueprint("desk", __name__)


@desk.errorhandler(ValidationError)
def wrong(error: ValidationError) -> tuple[Response, int]:
    problems = [{"field": ".".join(map(str, problem["loc"])), "message": problem["msg"]} for problem in error.errors()]
    message = "; ".join(f"{problem['field']}: {problem['message']}" for problem in problems)
    return jsonify({"error": {"code": "invalid", "message": message, "problems": problems}}), 422


@desk.get("/")
def root() -> AnyResponse:
    return redirect(url_for("desk.page"))


@desk.get("/simulator/", strict_slashes=False)
def page() -> Response:
    """The calls, latest first, and the faults in force. Numbers are masked unless ``?numbers=full`` asks for them."""
    here, full = world(), request.args.get("numbers") == "full"
    jobs = here.platform.jobs
    html = render_template(
        "simulator.html",
        calls=[_shown(record, full=full) for record in (_record(here, job) for job in reversed(jobs[-SHOWN:]))],
        total=len(jobs),
        requests=here.journal.total,
        faults=here.faults.documents(),
        settings=here.platform.settings.model_dump(mode="json"),
        now=iso(here.clock.now().replace(microsecond=0)),
        ahead=show_duration(here.clock.ahead) if here.clock.ahead else "",
        full=full,
    )
    return make_response(html, {"Content-Security-Policy": _CONTENT_POLICY, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


@desk.get("/simulator/calls")
def calls() -> Response:
    """Every call job, which is every time a phone would have rung, oldest first."""
    here = world()
    return jsonify({"calls": [_record(here, job) for job in here.platform.jobs], "requests": here.journal.total})


@desk.get("/simulator/requests")
def requests() -> Response:
    return jsonify({"requests": [entry.document() for entry in world().journal.entries]})


@desk.post("/simulator/reset")
def reset() -> Response:
    world().reset()
    return jsonify({"reset": True})


@desk.get("/simulator/clock")
def clock() -> Response:
    return jsonify({"now": iso(world().clock.now()), "ahead": show_duration(world().clock.ahead)})


@desk.post("/simulator/clock")
def advance() -> Response:
    world().clock.advance(_body(Clock).advance)
    return clock()


@desk.post("/simulator/jobs/<job_id>")
def move(job_id: str) -> Response:
    """Moves a job to any status; ``finished``, ``call_result`` and ``report_data`` are optional."""
    change = _body(Move)
    try:
        return jsonify(_record(world(), world().platform.move(job_id, change, world().clock.now())))
    except KeyError:
        abort(404)


@desk.post("/simulator/jobs/<job_id>/redial")
def redial(job_id: str) -> Response:
    """Makes what the script's ``redial`` makes: another job for the same number."""
    try:
        return jsonify(_record(world(), world().platform.redial(job_id, world().clock.now())))
    except KeyError:
        abort(404)


@desk.get("/simulator/settings")
def settings() -> Response:
    return jsonify(world().platform.settings.model_dump(mode="json"))


@desk.post("/simulator/settings")
def configure() -> Response:
    """The switches that are given change, the others stay."""
    platform, given = world().platform, _json()
    known = platform.settings.model_dump()
    platform.settings = Settings.model_validate({**known, **given} if isinstance(given, dict) else given)
    return settings()


@desk.get("/simulator/faults")
def faults() -> Response:
    return jsonify({"faults": world().faults.documents()})


@desk.post("/simulator/faults")
def add_faults() -> Response:
    """One fault or a list of them, behind those in force."""
    given = _json()
    world().faults.add(_FAULTS.validate_python(given if isinstance(given, list) else [given]))
    return faults()


@desk.delete("/simulator/faults")
def clear_faults() -> Response:
    world().faults.clear()
    return faults()


@desk.delete("/simulator/faults/<fault_id>")
def remove_fault(fault_id: str) -> Response:
    try:
        world().faults.remove(fault_id)
    except KeyError:
        abort(404)
    return faults()


@desk.post("/simulator/records/<crm>/<kind>/<record_id>")
def change_record(crm: str, kind: str, record_id: str) -> Response:
    """What a CRM stand-in says about one record from now on; ``contacts`` of a HubSpot deal are its associations."""
    check_record(crm, kind)
    properties = _json()
    if not isinstance(properties, dict):
        abort(422)
    world().records.change(f"{crm}/{kind}/{record_id}", properties)
    return jsonify(world().records.changed(f"{crm}/{kind}/{record_id}"))


@desk.delete("/simulator/records/<crm>/<kind>/<record_id>")
def remove_record(crm: str, kind: str, record_id: str) -> Response:
    check_record(crm, kind)
    world().records.remove(f"{crm}/{kind}/{record_id}")
    return jsonify({"removed": record_id})


def _record(here: World, job: Job) -> dict[str, Any]:
    """One call. ``requests``: how often its key was sent; without a key, how often it was the answer."""
    return {
        "id": job.id,
        "campaign": job.campaign,
        "phone": job.phone,
        "payload": job.number.payload,
        "options": job.number.options,
        "status": job.status,
        "idempotence_key": job.key,
        "requests": here.journal.sent(job.campaign, job.key) if job.key else here.platform.answered(job),
        "created_at": iso(job.created_at),
        "cancelled_at": iso(job.cancelled_at) if job.cancelled_at else None,
        "finished_at": iso(job.finished_at) if job.finished_at else None,
        "redial_of": job.redial_of,
    }


def _shown(record: dict[str, Any], *, full: bool) -> dict[str, Any]:
    """As it stands on the page: a payload may carry numbers too, and a long token is likely a real one."""
    payload = ", ".join(f"{name}: {value}" for name, value in record["payload"].items())
    token = record["campaign"]
    return {
        **record,
        "campaign": token if len(token) <= _LONGEST_NAME else f"{token[:6]}…{token[-2:]}",
        "phone": f"+{record['phone']}" if full else mask(f"+{record['phone']}"),
        "payload": payload if full else _NUMBER.sub(lambda match: mask(match[0]), payload),
    }


def _body(kind: type[_Document]) -> _Document:
    return kind.model_validate(_json())


def _json() -> Any:
    """Malformed is None, which no model takes."""
    return request.get_json(force=True, silent=True)
