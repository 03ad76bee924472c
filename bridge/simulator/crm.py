"""Stand-ins for the CRM APIs that adapters ask, in the vendors' own shapes: HubSpot's objects and Pipedrive's v2.

Any id exists and any token opens them, so that a demo needs no data; 401 without a token, 404 for the id ``404``.
Shapes after https://developers.hubspot.com/docs/api/crm/contacts and https://developers.pipedrive.com/docs/api/v1 (v2 endpoints).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from flask import Blueprint, Response, abort, jsonify, make_response, request

from bridge.simulator.people import person, person_of_deal
from bridge.simulator.world import world

_CREATED = "2026-01-05T09:00:00.000Z"
_CREATED_SECONDS = "2026-01-05T09:00:00Z"
_CORRELATION = "00000000-0000-4000-8000-000000000000"
_PORTAL = 44237313
_ALWAYS = {"contacts": ("createdate", "hs_object_id", "lastmodifieddate"), "deals": ("createdate", "hs_lastmodifieddate", "hs_object_id")}
_BY_DEFAULT = {"contacts": ("email", "firstname", "lastname"), "deals": ("amount", "closedate", "dealname", "dealstage", "pipeline")}
_OBJECT_TYPES = {"contacts": "0-1", "deals": "0-3"}
_PIPEDRIVE_HINT = "Please check developers.pipedrive.com"

hubspot = Blueprint("hubspot", __name__, url_prefix="/hubspot")
pipedrive = Blueprint("pipedrive", __name__, url_prefix="/pipedrive")


@hubspot.before_request
def hubspot_token() -> Response | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return None
    message = "Authentication credentials not found. This API supports OAuth 2.0 authentication."
    return _hubspot_error(401, message, category="INVALID_AUTHENTICATION")


@hubspot.get("/crm/v3/objects/<any(contacts, deals):kind>/<object_id>")
def hubspot_object(kind: str, object_id: str) -> Response:
    """A property that was not asked for is missing; asked for and empty it is null."""
    if not world().records.has(f"hubspot/{kind}/{object_id}"):
        return _hubspot_error(404, "resource not found")
    document = _hubspot_document(kind, object_id, _listed("properties"))
    if kind == "deals" and "contacts" in _listed("associations"):
        people = world().records.changed(f"hubspot/deals/{object_id}").get("contacts", [person_of_deal(object_id)])
        if people:  # a deal without contacts has no `associations` at all
            document["associations"] = {"contacts": {"results": [{"id": str(one), "type": "deal_to_contact"} for one in people]}}
    return jsonify(document)


@hubspot.get("/crm/v3/objects/contacts")
def hubspot_list() -> Response:
    """An empty account: what a look at whether the token is taken gets."""
    return jsonify({"results": []})


@hubspot.post("/crm/v3/objects/contacts/batch/read")
def hubspot_batch_read() -> Response:
    """207 where some are missing; associations are not to be had here."""
    asked = request.get_json(force=True, silent=True) or {}
    ids = list(dict.fromkeys(str(given.get("id")) for given in asked.get("inputs", [])))
    if not ids or len(ids) > 100:
        return _hubspot_error(400, "inputs must hold 1 to 100 ids", category="VALIDATION_ERROR")
    there = [object_id for object_id in ids if world().records.has(f"hubspot/contacts/{object_id}")]
    missing = [object_id for object_id in ids if object_id not in there]
    results = [_hubspot_document("contacts", object_id, asked.get("properties", ())) for object_id in there]
    answer = {"status": "COMPLETE", "startedAt": _CREATED, "completedAt": _CREATED, "results": results}
    return make_response({**answer, **_missing(missing)}, 207 if missing else 200)


@pipedrive.before_request
def pipedrive_token() -> Response | None:
    if request.headers.get("x-api-token") or request.args.get("api_token") or request.headers.get("Authorization", "").startswith("Bearer "):
        return None
    return make_response({"success": False, "error": "unauthorized access", "errorCode": 401, "error_info": _PIPEDRIVE_HINT}, 401)


@pipedrive.get("/api/v2/persons")
def pipedrive_list() -> Response:
    return jsonify({"success": True, "data": [], "additional_data": {"next_cursor": None}})


@pipedrive.get("/api/v2/<any(persons, deals):kind>/<record_id>")
def pipedrive_record(kind: str, record_id: str) -> Response:
    name = f"pipedrive/{kind}/{record_id}"
    if not world().records.has(name):
        error = f"{kind[:-1].title()} not found"
        return make_response({"success": False, "error": error, "error_info": _PIPEDRIVE_HINT, "data": None}, 404)
    made = _pipedrive_person(record_id) if kind == "persons" else _pipedrive_deal(record_id)
    return jsonify({"success": True, "data": {**made, **world().records.changed(name)}})


def check_record(crm: str, kind: str) -> None:
    """404 unless there is such a stand-in."""
    if kind not in {"hubspot": ("contacts", "deals"), "pipedrive": ("persons", "deals")}.get(crm, ()):
        abort(404)


def _hubspot_document(kind: str, object_id: str, asked: Iterable[str]) -> dict[str, Any]:
    known = {**_HUBSPOT[kind](object_id), **world().records.changed(f"hubspot/{kind}/{object_id}")}
    names = {*_ALWAYS[kind], *(asked or _BY_DEFAULT[kind])}
    return {
        "id": object_id,
        "properties": {name: known.get(name) for name in sorted(names)},
        "createdAt": _CREATED,
        "updatedAt": _CREATED,
        "archived": False,
        "url": f"https://app.hubspot.com/contacts/{_PORTAL}/record/{_OBJECT_TYPES[kind]}/{object_id}",
    }


def _hubspot_contact(object_id: str) -> dict[str, Any]:
    someone = person(object_id)
    return {
        "createdate": _CREATED,
        "email": someone.email,
        "firstname": someone.first_name,
        "hs_object_id": object_id,
        "lastmodifieddate": _CREATED,
        "lastname": someone.last_name,
        "lifecyclestage": "lead",
        "phone": someone.phone,
    }


def _hubspot_deal(object_id: str) -> dict[str, Any]:
    return {
        "amount": "200",
        "createdate": _CREATED,
        "dealname": f"{person(person_of_deal(object_id)).name}'s order",
        "dealstage": "appointmentscheduled",
        "hs_lastmodifieddate": _CREATED,
        "hs_object_id": object_id,
        "pipeline": "default",
    }


_HUBSPOT = {"contacts": _hubspot_contact, "deals": _hubspot_deal}


def _pipedrive_person(record_id: str) -> dict[str, Any]:
    someone = person(record_id)
    return {
        "id": _pipedrive_id(record_id),
        "name": someone.name,
        "first_name": someone.first_name,
        "last_name": someone.last_name,
        "owner_id": 1,
        "org_id": None,
        "add_time": _CREATED_SECONDS,
        "update_time": _CREATED_SECONDS,
        "emails": [{"value": someone.email, "primary": True, "label": "work"}],
        "phones": [{"value": someone.phone, "primary": True, "label": "work"}],
        "is_deleted": False,
        "visible_to": 3,
        "label_ids": [],
        "picture_id": None,
        "custom_fields": {},
    }


def _pipedrive_deal(record_id: str) -> dict[str, Any]:
    person_id = person_of_deal(record_id)
    return {
        "id": _pipedrive_id(record_id),
        "title": f"{person(person_id).name} deal",
        "creator_user_id": 1,
        "owner_id": 1,
        "value": 200,
        "person_id": int(person_id),
        "org_id": None,
        "stage_id": 1,
        "pipeline_id": 1,
        "currency": "USD",
        "archive_time": None,
        "add_time": _CREATED_SECONDS,
        "update_time": _CREATED_SECONDS,
        "stage_change_time": None,
        "status": "open",
        "is_archived": False,
        "is_deleted": False,
        "probability": None,
        "lost_reason": None,
        "visible_to": 3,
        "close_time": None,
        "won_time": None,
        "lost_time": None,
        "label_ids": [],
        "origin": "ManuallyCreated",
        "custom_fields": {},
    }


def _pipedrive_id(record_id: str) -> int | str:
    return int(record_id) if record_id.isdecimal() else record_id


def _missing(ids: list[str]) -> Mapping[str, Any]:
    if not ids:
        return {}
    message = "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid."
    return {
        "numErrors": 1,
        "errors": [{"status": "error", "category": "OBJECT_NOT_FOUND", "message": message, "context": {"ids": ids}}],
    }


def _hubspot_error(status: int, message: str, **more: str) -> Response:
    return make_response({"status": "error", "message": message, "correlationId": _CORRELATION, **more}, status)


def _listed(name: str) -> list[str]:
    """``a,b`` and a parameter that is repeated mean the same."""
    return [part for value in request.args.getlist(name) for part in value.split(",") if part]
