"""The switch that stops calling: everything, one campaign, one source."""

import pytest

from bridge.ledger import Pause, Switches

CALL = {"name": "call", "on": "lead.created", "call": {"campaign": "welcome"}}
STOP = {"name": "stop", "on": "lead.deleted", "cancel": {}}


@pytest.fixture
def switches(redis):
    return Switches(redis)


def pause(bench, switches, scope):
    switches.pause(Pause(scope=scope, by="Anna", at=bench.clock(), note="a wrong list"))


@pytest.mark.parametrize("scope", ["*", "campaign:welcome", "source:crm"])
def test_what_is_paused_is_parked_with_who_and_why_and_goes_on_when_it_is_resumed(bench, switches, scope):
    b = bench(CALL)
    pause(b, switches, scope)
    b.lead()

    b.work()
    assert (b.status(), b.platform.calls) == ("parked", [])
    assert "paused by Anna since" in b.entry().reason
    assert "(a wrong list); goes on when it is resumed" in b.entry().reason

    assert switches.resume(scope, b.clock())
    b.work()
    assert (b.status(), len(b.platform.calls)) == ("done", 1)


@pytest.mark.parametrize("scope", ["campaign:other", "source:other"])
def test_what_is_not_of_the_scope_is_called(bench, switches, scope):
    b = bench(CALL)
    pause(b, switches, scope)
    b.lead()

    b.work()

    assert b.status() == "done"


def test_a_call_is_stopped_although_all_calling_is_paused(bench, switches):
    b = bench(CALL, STOP)
    b.lead()
    b.work()
    pause(b, switches, "*")
    b.lead("e2", type="lead.deleted", entity={"type": "lead", "id": "e1"})

    b.work()

    assert b.status("e2") == "done"
    assert b.platform.calls[0]["status"] == "cancelledByUser"


def test_who_was_parked_is_decided_again_and_not_called_when_the_facts_have_changed(bench, switches):
    b = bench(CALL, STOP)
    pause(b, switches, "*")
    b.lead()
    b.work()
    b.lead("e2", type="lead.deleted", entity={"type": "lead", "id": "e1"})
    b.work()

    switches.resume("*", b.clock())
    b.work()

    assert (b.status(), b.platform.calls) == ("suppressed", [])


def test_a_request_that_was_not_answered_is_not_repeated_while_calling_is_paused(bench, switches):
    b = bench(CALL)
    b.platform.fault("reset_after", times=1)
    b.lead()
    b.work()
    assert b.status() == "unknown"
    pause(b, switches, "*")

    b.until_due()
    b.work()
    assert (b.status(), len(b.platform.asked("addPhone"))) == ("parked", 1)

    switches.resume("*", b.clock())
    b.work()
    assert (b.status(), len(b.platform.calls)) == ("done", 1)


def test_resuming_what_is_not_paused_says_so(bench, switches):
    assert not switches.resume("campaign:welcome", bench(CALL).clock())


def test_what_is_paused_can_be_read(bench, switches):
    b = bench(CALL)
    pause(b, switches, "source:crm")

    assert {scope: (kept.by, kept.note) for scope, kept in switches.all().items()} == {"source:crm": ("Anna", "a wrong list")}
