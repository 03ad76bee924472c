"""Explaining: what it says would happen is what happens, in one shape, without a secret in it."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.deciding import Policy
from bridge.explaining import Explainer
from bridge.ingest import Ingest
from bridge.ledger import Ledger, Retention
from bridge.model import Delivery, Status
from bridge.rules import Rule
from bridge.sources import kinds

NOW = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)
SHAPE = {"event", "event_key", "fact_key", "decision"}
DECISION = {"status", "reason", "rule", "trace", "requests"}
REQUEST = {"method", "url", "headers", "body"}
LEAD = {"event_id": "1", "type": "lead.created", "phone": "+12813322575", "occurred_at": "2026-11-23T08:40:00Z"}


def rules(*given):
    return tuple(Rule.model_validate(rule) for rule in given)


CALL = rules(
    {"name": "stop", "on": "lead.deleted", "cancel": {"campaigns": ["welcome"]}},
    {"name": "both", "on": "lead.stage_changed", "cancel": {}, "call": {"campaign": "welcome"}},
    {"name": "call", "on": "lead.created", "call": {"campaign": "welcome", "expires": "24h"}},
)


def source(kind="generic", **more):
    return kinds()[kind]("crm", kinds()[kind].settings_type.model_validate({"kind": kind, "insecure": True, **more}))


def delivery(body, **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Delivery(source="crm", body=raw, url="http://bridge/webhooks/crm", received_at=NOW, headers=headers)


POLICY = Policy(rules=CALL)


def explain(body, policy=POLICY, adapter=None, **headers):
    return Explainer(policy=policy, base_url="https://ds.tovie.ai").delivery(adapter or source(), delivery(body, **headers), NOW)


def decision(body, **more):
    ((event,),) = (explain(body, **more)["events"],)
    assert (event.keys(), event["decision"].keys()) == (SHAPE, DECISION)
    return event["decision"]


@pytest.mark.parametrize(
    ("changes", "policy", "status", "reason", "requests"),
    [
        ({}, {}, "queued", "+128…75 is to be called in campaign welcome", ["addPhone"]),
        ({"type": "lead.deleted"}, {}, "queued", "rule 'stop': calls are cancelled in welcome", ["cancel"]),
        ({"type": "lead.stage_changed"}, {}, "queued", "+128…75 is to be called in campaign welcome", ["cancel", "addPhone"]),
        (
            {"occurred_at": "2026-11-20T08:40:00Z"},
            {},
            "suppressed",
            "expired: it happened at 2026-11-20T08:40:00Z, and the rule calls within 1d",
            [],
        ),
        ({}, {"mode": "allowlist"}, "suppressed", "mode allowlist: +128…75 is not on the allowlist", ["addPhone"]),
        ({}, {"mode": "shadow"}, "suppressed", "mode shadow: +128…75 would have been called in campaign welcome", ["addPhone"]),
        ({"type": "lead.updated"}, {}, "ignored", "no rule is for lead.updated from crm", []),
        ({"phone": "12"}, {}, "failed", "'…' cannot be read as a phone number: correct it in the CRM, or set `region` on the source", []),
        ({"phone": "+1202556201"}, {}, "failed", "'+120…01' cannot be read as a phone number: correct it in the CRM", []),
        ({"phone": "12"}, {"regions": {"crm": "US"}}, "failed", "'…' cannot be read as a phone number of US: correct it in the CRM", []),
        ({"phone": ""}, {}, "waiting", "no phone number yet: contact.phone is empty", []),
    ],
)
def test_each_decision_says_its_status_its_reason_and_what_would_go_out(changes, policy, status, reason, requests):
    told = decision({**LEAD, **changes}, policy=Policy(rules=CALL, **policy))

    assert told["status"] == status
    assert told["reason"].startswith(reason)
    assert [request["url"].rpartition("/")[2] for request in told["requests"]] == requests
    assert all(request.keys() == REQUEST and "/campaign/***/" in request["url"] for request in told["requests"])


def test_a_cancel_goes_out_under_a_key_of_its_own():
    (cancel,) = decision({**LEAD, "type": "lead.deleted"})["requests"]

    assert cancel["headers"]["Idempotence-Key"] == "crm:1:cancel"


def test_a_look_up_comes_first_with_its_token_masked():
    asking = source("hubspot", api_token="pat-secret")
    told = decision({"subscriptionType": "lead.creation", "objectId": 7, "portalId": 1}, adapter=asking)

    (request,) = told["requests"]
    assert told["reason"] == "contact.phone must be looked up first"
    assert (request.keys(), request["headers"]["Authorization"]) == (REQUEST, "***")


class Promising(kinds()["generic"]):
    """An adapter that thinks it can look up, and then has nothing to ask."""

    def can_look_up(self, event):
        return event.contact is None


def test_a_look_up_that_asks_nothing_is_no_request():
    told = decision({"event_id": "1", "type": "lead.created"}, adapter=Promising("crm", source().settings))

    assert (told["reason"], told["requests"]) == ("contact.phone must be looked up first", [])


def test_an_insecure_source_says_that_it_takes_what_did_not_prove_itself():
    assert explain(LEAD)["verified"] == (
        "no secret: send it as `Authorization: Bearer …`, `X-Webhook-Secret` or Basic; taken all the same, because the source is insecure"
    )


def test_a_right_secret_is_said_to_be_one():
    assert explain(LEAD, adapter=source(secret="right", insecure=False), authorization="Bearer right")["verified"] is True


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["generic", "hubspot", "standard_webhooks"]),
    body=st.one_of(
        st.binary(max_size=20),
        st.sampled_from(["lead.created", "lead.deleted", "lead.updated"]).map(lambda kind: json.dumps({**LEAD, "type": kind}).encode()),
        st.sampled_from(["lead.creation", "contact.deletion", ""]).map(lambda kind: json.dumps([{"subscriptionType": kind, "objectId": 7}]).encode()),
    ),
)
def test_what_it_says_would_happen_is_what_happens(redis, kind, body):
    redis.flushdb()
    adapter = source(kind)
    told = explain(body, adapter=adapter)
    ingest = Ingest(sources={"crm": adapter}, policy=POLICY, ledger=Ledger(redis, Retention(*[10**9] * 4)), clock=lambda: NOW)
    if "error" in told:
        return

    receipts = ingest.take(delivery(body))

    assert [event["event_key"] for event in told["events"]] == [receipt.key for receipt in receipts]
    for event, receipt in zip(told["events"], receipts, strict=True):
        entry = ingest.ledger.entry(receipt.key)
        assert (event["event"], event["fact_key"]) == (entry.event.document(), entry.event.fact)
        assert (event["decision"]["reason"], event["decision"]["rule"]) == (entry.reason, entry.rule)
        assert (event["decision"]["status"] == "ignored") == (entry.status is Status.IGNORED)


def test_what_did_happen_has_the_same_shape_and_more(redis):
    ledger = Ledger(redis, Retention(*[10**9] * 4))
    Ingest(sources={"crm": source()}, policy=POLICY, ledger=ledger, clock=lambda: NOW).take(delivery(LEAD))

    told = Explainer(policy=Policy(), base_url="https://ds.tovie.ai").entry(ledger.entry("crm:1"))

    assert told.keys() == SHAPE
    assert told["decision"].keys() >= DECISION
    assert (told["decision"]["status"], told["decision"]["rule"], told["decision"]["duplicates"]) == ("queued", "call", 0)
