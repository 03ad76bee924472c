"""How each CRM tells a fact: bodies as they come over the wire, and what changes when they come again."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from bridge.model import iso, present, to_ms
from chaos.stories import Fact, What

SOURCES = """
  hubspot: {kind: hubspot, secret: chaos-hubspot, api_token: chaos, api_base: "%(platform)s/hubspot", region: US}
  pipedrive: {kind: pipedrive, secret: "chaos:pipedrive", api_token: chaos, api_base: "%(platform)s/pipedrive", region: US}
  newsletter: {kind: standard_webhooks, secret: "whsec_Y2hhb3Mtc2VjcmV0LW9mLXRoZS1uZXdzbGV0dGVy", region: US}
  zapier: {kind: generic, secret: chaos-zapier}
"""

Spell = Callable[[Sequence[Fact], int], bytes]


@dataclass(frozen=True, slots=True)
class Crm:
    """One sender: how it spells, how long it waits for an answer, and the pauses before each time it sends again.

    The real pauses are minutes and hours; these are as many and grow alike. When they are used up the delivery is given up.
    """

    spell: Spell
    timeout: float
    pauses: Sequence[float]


def _hubspot(facts: Sequence[Fact], attempt: int) -> bytes:
    return _json([{**_HUBSPOT[fact.what](fact), **_envelope(fact), "attemptNumber": attempt} for fact in facts])


def _envelope(fact: Fact) -> dict[str, Any]:
    return {"eventId": fact.person, "subscriptionId": 25, "portalId": 33, "appId": 1160452, "objectId": fact.person, "occurredAt": to_ms(fact.at)}


def _property(name: str, value: Callable[[Fact], str]) -> Callable[[Fact], dict[str, Any]]:
    return lambda fact: {"subscriptionType": "contact.propertyChange", "propertyName": name, "propertyValue": value(fact)}


_HUBSPOT: Mapping[What, Callable[[Fact], dict[str, Any]]] = {
    What.CREATED: lambda _: {"subscriptionType": "contact.creation"},
    What.NUMBER: _property("mobilephone", lambda fact: fact.phone),
    What.AGAIN: _property("lifecyclestage", lambda _: "opportunity"),
    What.NOISE: lambda _: {"subscriptionType": "company.creation"},
    What.GONE: lambda _: {"subscriptionType": "contact.deletion"},
}
_ACTIONS = {What.CREATED: "create", What.AGAIN: "change", What.NOISE: "change", What.GONE: "delete"}
_VERBS = {What.CREATED: "created", What.AGAIN: "updated", What.NOISE: "touched", What.GONE: "deleted"}


def _pipedrive(facts: Sequence[Fact], attempt: int) -> bytes:
    (fact,) = facts
    record = {
        "id": fact.person,
        "name": fact.name,
        "phones": [{"value": fact.phone, "primary": True, "label": "work"}],
        "label": "opportunity" if fact.what is What.AGAIN else "cold",
        "update_time": iso(fact.at.replace(microsecond=0)),
    }
    there = fact.what is not What.GONE
    meta = {
        "action": _ACTIONS[fact.what],
        "company_id": "8087566",
        "entity_id": str(fact.person),
        "entity": "person",
        "id": str(uuid5(NAMESPACE_URL, f"{fact.person}/{fact.what}")),
        "timestamp": iso(fact.at),
        "version": "2.0",
        "attempt": attempt + 1,
    }
    return _json({"data": record if there else None, "previous": _before(fact, record), "meta": meta})


def _before(fact: Fact, record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if fact.what is What.GONE:
        return record
    return {"label": "new"} if fact.what in {What.AGAIN, What.NOISE} else None


def _newsletter(facts: Sequence[Fact], attempt: int) -> bytes:
    del attempt  # its retries differ in their headers alone
    (fact,) = facts
    data = {"id": str(fact.person), "fullName": fact.name, "phoneNumber": fact.phone, "label": _label(fact), "copy": fact.copy}
    return _json({"type": f"contact.{_VERBS[fact.what]}", "timestamp": iso(fact.at), "data": present(data)})


def _zapier(facts: Sequence[Fact], attempt: int) -> bytes:
    del attempt
    (fact,) = facts
    told = {
        "event_id": f"{fact.person}-{fact.what}-{fact.copy}",
        "type": f"lead.{_VERBS[fact.what]}",
        "occurred_at": iso(fact.at),
        "entity": {"type": "lead", "id": str(fact.person)},
        "contact": {"id": str(fact.person), "name": fact.name, "phone": fact.phone},
        "fields": present({"label": _label(fact)}),
    }
    return _json(told)


def _label(fact: Fact) -> str | None:
    return "opportunity" if fact.what is What.AGAIN else None


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()


CRMS: Mapping[str, Crm] = {
    "hubspot": Crm(_hubspot, 5, (1, 2, 3, 5, 8, 8, 8, 8, 8, 8)),
    "pipedrive": Crm(_pipedrive, 4, (1, 3, 9)),
    "newsletter": Crm(_newsletter, 6, (1, 2, 4, 8, 8, 8, 8)),
    "zapier": Crm(_zapier, 6, (1, 2, 4, 8, 8)),
}
