"""Whether a lost answer made a call: asked of the platform's report, never guessed."""

import time

import pytest
import requests

LEAD = {"entity": {"type": "lead", "id": "1"}}


@pytest.fixture
def bridge(bench):
    return bench()


def lost(bridge, platform, fault="lost_answer", **more):
    bridge.lead(**more)
    platform.fault(fault, times=1)
    bridge.work()
    assert bridge.status() == "unknown"


def endpoints(platform):
    return [request["path"].rpartition("/")[2] for request in platform.requests]


def test_a_report_that_cannot_be_had_sends_nothing_meanwhile(bridge, platform):
    lost(bridge, platform)
    bridge.clock.advance(hours=25)
    platform.fault("5xx", endpoint="callJob/getReport", times=2)

    for _ in range(2):
        bridge.work()
        assert (bridge.status(), bridge.entry().open) == ("unknown", True)
        bridge.until_due()
    bridge.work()

    assert bridge.status() == "done"
    assert endpoints(platform) == ["addPhone", "getReport", "getReport", "getReport"]


def job_of_somebody_else(bridge, platform):
    """A call job of the same number, made an hour ago."""
    given = {"phone": "16502530000", "asked_by": "somebody else"}
    answer = requests.post(f"{platform.url}/api/crmCalls/campaign/welcome/addPhone", data=given, timeout=5)
    bridge.clock.advance(hours=1)
    return answer.json()


def test_a_job_older_than_the_request_is_not_adopted(bridge, platform):
    old = job_of_somebody_else(bridge, platform)
    lost(bridge, platform, fault="reset_before")
    bridge.clock.advance(hours=21)

    bridge.work()
    bridge.work()

    assert bridge.status() == "done"
    assert bridge.entry().jobs != (old,)
    assert len(platform.calls) == 2


def test_a_call_the_script_made_by_itself_is_not_taken_for_ours(bridge, platform):
    old = job_of_somebody_else(bridge, platform)
    lost(bridge, platform, fault="reset_before")
    redialled = platform.ask("POST", f"jobs/{old}/redial")["id"]
    bridge.clock.advance(hours=21)

    bridge.work()
    bridge.work()

    assert bridge.status() == "done"
    assert bridge.entry().jobs not in {(old,), (redialled,)}


def test_an_event_that_may_not_be_called_any_more_finds_out_first_and_is_then_suppressed(bridge, platform):
    lost(bridge, platform, fault="reset_before")
    bridge.clock.advance(seconds=46)

    bridge.work(bridge.with_rules({"name": "call", "on": "lead.created", "call": {"campaign": "welcome"}}, mode="shadow"))

    assert bridge.status() == "suppressed"
    assert not bridge.entry().open
    assert endpoints(platform) == ["addPhone", "getReport"]


def test_an_event_no_rule_wants_any_more_finds_the_call_it_made(bridge, platform):
    lost(bridge, platform)
    bridge.clock.advance(seconds=30)

    bridge.work(bridge.with_rules({"name": "other", "on": "deal.created"}))

    assert (bridge.status(), bridge.entry().jobs) == ("done", (platform.calls[0]["id"],))


def test_a_stop_that_comes_while_the_answer_is_owed_finds_the_call(bridge, platform):
    lost(bridge, platform, occurred_at="2026-11-23T08:40:00Z", **LEAD)
    bridge.clock.advance(seconds=30)
    bridge.lead("stop", type="lead.deleted", occurred_at="2026-11-23T08:41:00Z", **LEAD)

    bridge.work_through(6, seconds=5)

    assert (bridge.status(), bridge.status("stop")) == ("done", "done")
    assert [call["status"] for call in platform.calls] == ["cancelledByUser"]
    assert endpoints(platform).count("addPhone") == 1


def test_a_report_is_given_a_moment_to_show_a_new_call(bridge, platform):
    lost(bridge, platform)

    bridge.clock.advance(seconds=2)
    bridge.work(bridge.with_rules({"name": "other", "on": "deal.created"}))

    assert bridge.status() == "unknown"
    assert endpoints(platform) == ["addPhone"]


def test_a_job_of_another_event_of_the_same_person_is_not_adopted(bridge, platform):
    lost(bridge, platform, fault="reset_before")
    bridge.lead("e2", name="Alex")
    bridge.work()
    bridge.clock.advance(hours=21)

    bridge.work()
    bridge.work()

    one, two = bridge.entry("e1").jobs, bridge.entry("e2").jobs
    assert (len(one), len(two), len({*one, *two})) == (1, 1, 2)


def test_a_report_that_does_not_have_the_call_yet_proves_nothing_while_the_platform_may_still_be_making_it(bench, platform):
    bridge = bench({"name": "call", "on": "lead.created", "call": {"campaign": "welcome"}}, {"name": "stop", "on": "lead.deleted", "cancel": {}})
    platform.fault("latency", seconds=2.5, times=1, endpoint="addPhone")
    bridge.lead("call", **LEAD)
    bridge.work()
    bridge.lead("stop", type="lead.deleted", **LEAD)
    bridge.clock.advance(seconds=10)
    bridge.work()
    assert (bridge.status("call"), bridge.status("stop")) == ("unknown", "waiting")

    until = time.monotonic() + 10
    while not platform.calls and time.monotonic() < until:
        time.sleep(0.05)
    bridge.work_through(12, seconds=5)

    assert [call["status"] for call in platform.calls] == ["cancelledByUser"]
    assert (bridge.status("call"), bridge.status("stop")) == ("done", "done")
