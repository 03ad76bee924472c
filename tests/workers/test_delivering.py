"""One event on its way to one call, and everything that may come between, against the simulator."""

from dataclasses import replace

import pytest

from bridge.ledger import Pause, Search, Switches, Wanted
from bridge.model import Rate
from workers.answers import Answer, Outcome

PHONE = "+16502530000"
DIGITS = "16502530000"
CALL = {"name": "call", "on": "lead.created", "call": {"campaign": "welcome", "payload": {"name": "contact.name"}}}


def found(bridge, term):
    """The events that are found under one term."""
    return {entry.key for entry in Search(bridge.world.ledger.redis).page(Wanted(groups=((f"by:{term}",),)), 50).entries}


def of_crm(platform, crm):
    return [request["status"] for request in platform.requests if request["path"].startswith(f"/{crm}")]


def test_a_lead_becomes_one_call_under_its_own_key_with_the_number_in_digits(bench, platform):
    bridge = bench()
    bridge.lead(name="Alex Doe")

    bridge.work()

    (call,) = platform.calls
    assert (call["phone"], call["payload"], call["campaign"], call["idempotence_key"]) == (DIGITS, {"name": "Alex Doe"}, "welcome", "crm:e1")
    assert bridge.status() == "done"
    assert bridge.entry().jobs == (call["id"],)


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "reset_before"},
        {"fault": "reset_after"},
        {"fault": "lost_answer"},
        {"fault": "5xx", "after": True},
        {"fault": "5xx", "after": False},
        {"fault": "html", "after": True},
        {"fault": "hang", "after": True},
    ],
    ids=str,
)
def test_a_lost_answer_is_found_out_by_the_same_key_and_the_same_bytes(bench, platform, fault):
    bridge = bench()
    bridge.lead(name="Alex Doe")
    platform.fault(**fault, times=1)

    bridge.work()
    assert bridge.status() == "unknown"
    assert bridge.entry().open
    bridge.until_due()
    bridge.work()

    (call,) = platform.calls
    assert (bridge.status(), bridge.entry().jobs) == ("done", (call["id"],))
    first, second = platform.asked("addPhone")
    assert (first["key"], first["body"]) == (second["key"], second["body"])


def test_a_retry_sends_the_bytes_of_the_first_try_though_the_rule_has_changed_since(bench, platform):
    bridge = bench()
    bridge.lead(name="Alex Doe")
    platform.fault("5xx", times=1, after=False)
    bridge.work()
    bridge.until_due()

    bridge.work(bridge.with_rules({**CALL, "call": {"campaign": "other", "payload": {"text": "'changed'"}}}))

    assert [(call["campaign"], call["payload"]) for call in platform.calls] == [("welcome", {"name": "Alex Doe"})]
    assert bridge.entry().campaign == "welcome"


def test_too_many_requests_holds_the_campaign_for_as_long_as_was_asked(bench, platform):
    bridge = bench(concurrency=1)
    bridge.lead("e1")
    bridge.lead("e2", phone="+16502530001")
    platform.fault("429", times=1, retry_after=30)

    bridge.work()
    bridge.work()
    due = bridge.world.ledger.unfinished()
    assert all((at - bridge.clock()).total_seconds() > 28 for at in due.values())
    assert len(platform.requests) == 1
    assert bridge.entry("e2").reason == "the platform asked to be sent nothing for a while; goes on then"

    bridge.clock.advance(seconds=40)
    bridge.work()
    assert len(platform.calls) == 2


def test_a_turn_given_before_the_platform_asked_to_be_left_alone_is_put_off_too(bench, platform):
    bridge = bench(rates={"welcome": Rate(count=1, seconds=1)})
    for number in range(3):
        bridge.lead(f"e{number}", phone=f"+1650253000{number}")
    platform.fault("429", times=1, retry_after=60)
    bridge.work()

    bridge.clock.advance(seconds=10)
    bridge.work()
    assert len(platform.requests) == 1

    for _ in range(4):
        bridge.clock.advance(seconds=30)
        bridge.work()
    assert len(platform.calls) == 3


def test_a_bad_token_parks_and_a_read_finds_out_that_it_was_mended(bench, platform):
    bridge = bench()
    bridge.lead()
    platform.fault("bad_token")
    bridge.work()
    assert bridge.status() == "parked"

    bridge.until_due()
    bridge.work()
    assert bridge.status() == "parked"
    assert [request["path"].rpartition("/")[2] for request in platform.requests] == ["addPhone", "status"]

    platform.mend()
    bridge.until_due()
    bridge.work()
    assert bridge.status() == "done"
    assert len(platform.calls) == 1


@pytest.mark.parametrize("fault", [{"fault": "5xx"}, {"fault": "reset_before"}, {"fault": "429"}, {"fault": "html", "status": 599}], ids=str)
def test_a_probe_that_tells_nothing_leaves_the_event_parked(bench, platform, fault):
    bridge = bench()
    bridge.lead()
    platform.fault("bad_token", times=1)
    bridge.work()
    platform.fault(**fault, endpoint="status", times=1)

    bridge.until_due()
    bridge.work()

    assert bridge.status() == "parked"
    assert not bridge.entry().open
    assert len(platform.asked("addPhone")) == 1


def test_a_stopped_campaign_parks_what_was_never_made(bench, platform):
    bridge = bench()
    bridge.lead()
    platform.fault("stopped_campaign")

    bridge.work()

    assert bridge.status() == "parked"
    assert "stopped" in bridge.entry().reason


def test_a_number_the_platform_has_by_its_own_rule_is_suppressed(bench, platform):
    bridge = bench()
    bridge.lead("e1", entity={"type": "lead", "id": "1"})
    bridge.work()
    bridge.lead("e2", entity={"type": "lead", "id": "2"})

    bridge.work()

    assert bridge.status("e2") == "suppressed"
    assert "platform's own rule" in bridge.entry("e2").reason
    assert len(platform.calls) == 1


def test_a_duplicate_after_a_lost_answer_is_the_call_that_was_made(bench, platform):
    bridge = bench()
    bridge.lead()
    platform.fault("lost_answer", times=1)
    bridge.work()
    bridge.clock.advance(seconds=30)

    worker = bridge.worker()
    bridge.work(replace(worker, calls_api=Forgetful(worker.calls_api)))

    assert (bridge.status(), bridge.entry().jobs) == ("done", (platform.calls[0]["id"],))


class Forgetful:
    """A platform that has forgotten the key, and knows the call by its number and payload alone."""

    def __init__(self, calls_api):
        self.job_report = calls_api.job_report

    def add(self, campaign, request):
        return Answer(outcome=Outcome.DUPLICATED, note=f"{campaign} has {len(request.body)} bytes of it", code="phone.duplicated")


def test_a_job_of_another_event_is_not_adopted(bench, platform):
    bridge = bench()
    bridge.lead("e1", entity={"type": "lead", "id": "1"})
    bridge.lead("e2", entity={"type": "lead", "id": "2"})
    platform.fault("lost_answer", times=1)
    bridge.work(bridge.worker(concurrency=1))
    bridge.clock.advance(seconds=40)
    bridge.work()
    bridge.clock.advance(seconds=40)
    bridge.work()

    assert [bridge.entry(key).jobs for key in ("e1", "e2")] == [(platform.calls[0]["id"],), ()]
    assert bridge.status("e2") == "suppressed"


def test_a_phone_that_is_none_fails_before_any_request(bench, platform):
    bridge = bench()
    bridge.lead(phone="12")

    bridge.work()

    assert bridge.status() == "failed"
    assert platform.requests == []


def test_an_unknown_older_than_the_platforms_memory_is_looked_for_first_and_adopted(bench, platform):
    bridge = bench()
    bridge.lead()
    platform.fault("lost_answer", times=1)
    bridge.work()
    bridge.clock.advance(hours=25)

    bridge.work()

    assert (bridge.status(), bridge.entry().jobs) == ("done", (platform.calls[0]["id"],))
    assert [request["path"].rpartition("/")[2] for request in platform.requests] == ["addPhone", "getReport"]


def test_an_old_unknown_that_made_nothing_is_sent_again_and_its_answer_may_be_lost_again(bench, platform):
    bridge = bench()
    bridge.lead()
    platform.fault("reset_before", times=1)
    bridge.work()
    bridge.clock.advance(hours=25)
    platform.fault("lost_answer", times=1, endpoint="addPhone")

    bridge.work()
    bridge.work()
    assert bridge.status() == "unknown"
    # Now the platform does know the key: the request is repeated, and a report that lags behind is not believed.
    bridge.until_due()
    bridge.work()

    assert len(platform.calls) == 1
    assert bridge.status() == "done"
    assert [request["path"].rpartition("/")[2] for request in platform.requests] == ["addPhone", "getReport", "addPhone", "addPhone"]


@pytest.mark.parametrize("second", ["429", "stopped_campaign", "bad_token"])
def test_a_refusal_of_the_repeat_does_not_say_that_the_first_made_nothing(bench, platform, second):
    bridge = bench()
    bridge.lead()
    platform.fault("lost_answer", times=1)
    bridge.work()
    platform.fault(second, times=1)
    bridge.until_due()

    bridge.work()

    assert bridge.status() in {"unknown", "done"}
    assert bridge.status() == "done" or bridge.entry().open
    for _ in range(4):
        if bridge.status() == "unknown":
            bridge.until_due()
            bridge.work()
    assert bridge.entry().jobs == (platform.calls[0]["id"],)
    assert len(platform.calls) == 1


def test_a_record_that_is_gone_does_not_hide_a_call_whose_answer_was_lost(bench, platform):
    rule = {"name": "call", "source": "hubspot", "on": "contact.created", "call": {"campaign": "welcome", "recheck": True}}
    bridge = bench(rule)
    (receipt,) = bridge.receive(contact_created("101"), source="hubspot")
    platform.fault("lost_answer", times=1, endpoint="addPhone")
    bridge.work()
    platform.ask("DELETE", "records/hubspot/contacts/101")

    for _ in range(4):
        bridge.clock.advance(seconds=60)
        bridge.work()

    entry = bridge.entry(receipt.id, "hubspot")
    assert (entry.status, entry.jobs) == ("done", (platform.calls[0]["id"],))


def contact_created(contact_id, **more):
    return {"subscriptionType": "contact.creation", "objectId": int(contact_id), "portalId": 1, "occurredAt": 1_763_800_000_000, **more}


HUBSPOT = {"name": "call", "source": "hubspot", "on": "contact.created", "call": {"campaign": "welcome", "payload": {"name": "contact.name"}}}


def test_hubspot_is_asked_for_the_person_first(bench, platform):
    bridge = bench(HUBSPOT)
    (receipt,) = bridge.receive(contact_created("101"), source="hubspot")

    bridge.work()

    (call,) = platform.calls
    assert of_crm(platform, "hubspot") == [200]
    assert call["payload"]["name"]
    entry = bridge.entry(receipt.id, "hubspot")
    assert f"phone:+{call['phone']}" in entry.event.refs


def test_pipedrive_is_asked_for_the_deal_and_its_person(bench, platform):
    rule = {"name": "call", "source": "pipedrive", "on": "deal.created", "call": {"campaign": "welcome"}}
    bridge = bench(rule)
    meta = {"version": "2.0", "action": "create", "entity": "deal", "entity_id": "7", "company_id": "1"}
    bridge.receive({"meta": meta, "data": {"id": 7}, "previous": None}, source="pipedrive")

    bridge.work()

    assert of_crm(platform, "pipedrive") == [200, 200]
    assert len(platform.calls) == 1


def test_a_person_who_is_gone_is_not_called(bench, platform):
    bridge = bench(HUBSPOT)
    (receipt,) = bridge.receive(contact_created("404"), source="hubspot")

    bridge.work()

    assert bridge.entry(receipt.id, "hubspot").status == "suppressed"
    assert platform.calls == []


def test_a_crm_that_asks_for_patience_gets_it(bench, platform):
    bridge = bench(HUBSPOT)
    (receipt,) = bridge.receive(contact_created("101"), source="hubspot")
    platform.fault("429", endpoint="/hubspot/*", times=1)

    bridge.work()

    key = f"hubspot:{receipt.id}"
    assert bridge.entry(receipt.id, "hubspot").status == "waiting"
    assert (bridge.world.ledger.unfinished()[key] - bridge.clock()).total_seconds() > 9
    bridge.clock.advance(seconds=12)
    bridge.work()
    assert len(platform.calls) == 1


def test_a_wrong_api_token_parks_until_it_is_mended(bench, platform):
    bridge = bench(HUBSPOT, api_token=" ")
    (receipt,) = bridge.receive(contact_created("101"), source="hubspot")

    bridge.work()

    assert bridge.entry(receipt.id, "hubspot").status == "parked"
    assert platform.calls == []


def test_a_first_429_after_a_long_weekend_is_no_reason_to_give_up(bench, platform):
    bridge = bench()
    bridge.lead()
    bridge.clock.advance(hours=60)
    platform.fault("429", times=1)

    bridge.work()
    assert bridge.status() == "waiting"
    bridge.until_due()
    bridge.work()

    assert bridge.status() == "done"


def test_a_platform_that_refuses_for_a_day_is_given_up_and_the_fact_is_free_again(bench, platform):
    bridge = bench()
    fact = {"occurred_at": "2026-11-23T08:40:00Z", "entity": {"type": "lead", "id": "1"}}
    bridge.lead("e1", **fact)
    platform.fault("429")
    bridge.work()
    bridge.clock.advance(hours=25)
    bridge.work()
    assert bridge.status() == "failed"
    platform.mend()

    bridge.lead("e2", **fact)
    bridge.work()

    assert bridge.status("e2") == "done"


def test_a_call_that_was_stopped_before_it_was_made_cools_nobody_down(bench, platform):
    rule = {**CALL, "call": {"campaign": "welcome", "cooldown": "12h"}}
    bridge = bench(rule, {"name": "stop", "on": "lead.deleted", "cancel": {}})
    lead = {"entity": {"type": "lead", "id": "1"}}
    bridge.lead("e1", occurred_at="2026-11-23T08:40:00Z", **lead)
    platform.fault("429", times=1)
    bridge.work()
    bridge.lead("stop", type="lead.deleted", occurred_at="2026-11-23T08:41:00Z", **lead)
    bridge.work_through()
    assert bridge.status("e1") == "suppressed"

    bridge.lead("e2", occurred_at="2026-11-23T08:42:00Z", **lead)
    bridge.work()

    assert bridge.status("e2") == "done"


def test_a_number_that_changed_after_the_first_try_is_not_called_under_the_old_one(bench, platform):
    rule = {"name": "call", "source": "hubspot", "on": "contact.created", "call": {"campaign": "welcome", "recheck": True}}
    bridge = bench(rule)
    (receipt,) = bridge.receive(contact_created("101"), source="hubspot")
    platform.fault("429", times=1, endpoint="addPhone")
    bridge.work()
    platform.ask("POST", "records/hubspot/contacts/101", {"phone": "+12025550177"})
    bridge.clock.advance(seconds=60)

    bridge.work()

    assert platform.calls == []
    assert bridge.entry(receipt.id, "hubspot").status in {"suppressed", "failed"}


def test_the_allowlist_is_asked_about_the_number_that_is_bound(bench, platform):
    bridge = bench(policy={"mode": "allowlist", "allowlist": frozenset({PHONE})})
    bridge.lead("e1")
    bridge.lead("e2", phone="+16502530001")

    bridge.work()

    assert [call["phone"] for call in platform.calls] == [DIGITS]
    assert bridge.status("e2") == "suppressed"


def test_shadow_mode_calls_nobody(bench, platform):
    bridge = bench(policy={"mode": "shadow"})
    bridge.lead()

    bridge.work()

    assert (bridge.status(), platform.requests) == ("suppressed", [])


def test_an_event_that_takes_its_worker_down_three_times_is_poison(bench, platform):
    bridge = bench()
    bridge.lead()
    for life in range(3):
        (claimed,) = bridge.worker().ledger.claim(f"doomed-{life}", 1, bridge.world.lease, bridge.clock())
        assert claimed.key == "crm:e1"
        bridge.clock.advance(seconds=6)

    bridge.work()

    assert bridge.status() == "failed"
    assert "3 times" in bridge.entry().reason
    assert platform.requests == []


def test_a_source_that_was_taken_out_of_the_configuration_parks_its_events(bench, platform):
    bridge = bench()
    bridge.lead()

    bridge.work(bridge.worker(sources={}))

    assert bridge.status() == "parked"
    bridge.until_due()
    bridge.work()
    assert len(platform.calls) == 1


def test_a_worker_that_was_frozen_past_its_lease_does_not_send(bench, platform):
    bridge = bench()
    bridge.lead()
    frozen = bridge.worker()
    bridge.work(replace(frozen, ledger=FreezingLedger(frozen.ledger, lambda: bridge.clock.advance(seconds=6))))

    assert [attempt["outcome"] for attempt in bridge.entry().attempts] == ["made"]
    assert bridge.entry().tries == 2
    assert len(platform.asked("addPhone")) == 1


class FreezingLedger:
    """A ledger whose process is frozen between Redis's answer to ``begin`` and the next step."""

    def __init__(self, ledger, freeze):
        self.ledger = ledger
        self.freeze = freeze

    def begin(self, *arguments):
        verdicts = self.ledger.begin(*arguments)
        freeze, self.freeze = self.freeze, lambda: None
        freeze()
        return verdicts

    def __getattr__(self, name):
        return getattr(self.ledger, name)


def test_a_cancel_that_waits_does_not_ask_the_crm_again_and_again_for_what_it_left_out(bench, platform):
    stop = {"name": "stop", "source": "hubspot", "on": "contact.updated", "where": "contact.time_zone != 'x'", "cancel": {}}
    bridge = bench(HUBSPOT, stop)
    platform.fault("lost_answer", times=5, endpoint="addPhone")
    bridge.receive(contact_created("101"), source="hubspot")
    bridge.work()
    changed = contact_created("101", subscriptionType="contact.propertyChange", propertyName="city", propertyValue="Ulm")
    bridge.receive({**changed, "occurredAt": changed["occurredAt"] + 1000}, source="hubspot")

    before = len(of_crm(platform, "hubspot"))
    bridge.work_through(5, seconds=0.6)

    assert len(of_crm(platform, "hubspot")) - before == 1


def test_an_event_is_found_under_the_campaign_it_would_call_in_also_when_no_call_was_made(bench):
    cooled = {**CALL, "call": {**CALL["call"], "cooldown": "1d"}}
    at_night = {"name": "later", "on": "deal.created", "call": {"campaign": "other", "hours": {"days": ["mon"], "from": "09:00", "to": "09:01"}}}
    bridge = bench(cooled, at_night)
    bridge.lead("made")
    bridge.work()
    bridge.lead("cooled")
    bridge.lead("no-number", phone="")
    bridge.lead("bad-number", phone="12")
    bridge.lead("at-night", type="deal.created", phone="+16502530008")
    bridge.work()
    Switches(bridge.world.ledger.redis).pause(Pause(scope="campaign:welcome", by="Anna", at=bridge.clock()))
    bridge.lead("paused", phone="+16502530009")
    bridge.work()

    assert found(bridge, "campaign:welcome") == {"crm:made", "crm:cooled", "crm:no-number", "crm:bad-number", "crm:paused"}
    assert found(bridge, "campaign:other") == {"crm:at-night"}


def test_a_campaign_that_was_only_meant_gives_way_to_the_one_that_the_rules_name_when_it_is_called(bench, platform):
    bridge = bench(CALL)
    switches = Switches(bridge.world.ledger.redis)
    switches.pause(Pause(scope="campaign:welcome", by="Anna", at=bridge.clock()))
    bridge.lead()
    bridge.work()
    moved = bridge.with_rules({**CALL, "call": {"campaign": "other"}})
    switches.resume("campaign:welcome", bridge.clock())

    bridge.work(moved)

    assert [call["campaign"] for call in platform.calls] == ["other"]
    assert (found(bridge, "campaign:welcome"), found(bridge, "campaign:other")) == (set(), {"crm:e1"})
