"""The clock of the host is set, forwards or backwards, at any moment: it may make a call later, never lost and never a second one."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

JUMPS = [-20 * 3600, -3600, -3, 3, 6, 3600, 30 * 3600]
"""Back by a day is too much where an answer was lost: until the clock has caught up, the platform has forgotten the key."""


@dataclass
class Jumping:
    """A collaborator after whose answer the clock jumps, the first time it is asked this."""

    real: Any
    asked: str
    jump: Any

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.real, name)
        return self._then_jump(method) if name == self.asked else method

    def _then_jump(self, method: Any) -> Any:
        def asked(*arguments: Any, **named: Any) -> Any:
            answer = method(*arguments, **named)
            jump, self.jump = self.jump, lambda: None
            jump()
            return answer

        return asked


@pytest.mark.parametrize("jump", JUMPS)
@pytest.mark.parametrize(("part", "asked"), [("ledger", "claim"), ("ledger", "begin"), ("calls_api", "add"), ("ledger", "record")])
@pytest.mark.parametrize("faults", [(), ("lost_answer",)], ids=["answered", "answer lost"])
def test_a_jump_at_any_moment_leaves_one_call(jump, part, asked, faults, request):
    bench, platform = (request.getfixturevalue(name) for name in ("bench", "platform"))
    bridge = bench()
    for fault in faults:
        platform.fault(fault, times=1, endpoint="addPhone")
    bridge.lead()
    worker = bridge.worker()

    def jumps() -> None:
        bridge.clock.ahead += timedelta(seconds=jump)

    bridge.work(replace(worker, **{part: Jumping(getattr(worker, part), asked, jumps)}))
    bridge.lead()  # a redelivery under the new clock
    for _ in range(12):
        if not bridge.world.ledger.unfinished():
            break
        bridge.until_due()
        bridge.work()

    assert bridge.status() == "done"
    assert len(platform.calls) == 1
    assert {request["key"] for request in platform.asked("addPhone")} == {"crm:e1"}


@pytest.mark.parametrize("jump", JUMPS)
def test_a_stop_wins_by_the_times_of_the_facts_whatever_the_clock_did_in_between(bench, platform, jump):
    bridge = bench()
    bridge.lead(occurred_at="2026-11-24T12:00:00Z")
    bridge.clock.ahead += timedelta(seconds=jump)
    bridge.lead("e2", type="lead.deleted", entity={"type": "lead", "id": "e1"}, occurred_at="2026-11-24T12:00:01Z")
    for _ in range(12):
        for event_id in [key.partition(":")[2] for key in bridge.world.ledger.unfinished()]:
            bridge.until_due(event_id)
        bridge.work()

    assert bridge.world.ledger.unfinished() == {}
    assert [call for call in platform.calls if not call["cancelled_at"]] == []
