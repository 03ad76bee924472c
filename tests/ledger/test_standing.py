"""What is stuck, and whose it is."""

from bridge.ledger import Standings
from bridge.model import Status


def test_a_trouble_that_began_later_is_seen_behind_many_events_of_an_older_one(desk):
    for number in range(20):
        desk.accept(f"e{number}", refs=(f"lead:{number}",))
        desk.later(seconds=1)
    for entry in desk.claim(room=20):
        desk.record(entry, Status.PARKED, wait=60, campaign="follow-up" if entry.key == "e19" else "welcome")

    parked = Standings(desk.redis, sampled=3).read((), desk.now).parked

    assert [(stuck.key, stuck.campaign) for stuck in parked[-2:]] == [("e18", "welcome"), ("e19", "follow-up")]
    assert [stuck.key for stuck in parked[:3]] == ["e0", "e1", "e2"]
