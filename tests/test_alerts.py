"""Which alerts hold, and what a receiver is told of them as time goes by."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridge.alerts import CALM, MOST_APART, Alert, Known, Turn, holding, judge
from bridge.announcing import message
from bridge.config.schema import AlertSettings, Concern
from bridge.ledger import KnownIssue, Pause, Snapshot, Standing, Stuck
from bridge.ledger.issues import State
from bridge.measuring import Measures
from bridge.silence import Silence

NOW = datetime(2026, 11, 25, 15, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ISSUE = KnownIssue(
    fingerprint="ab12",
    source="shop",
    campaign="welcome",
    cause="refused by the platform: … is no number",
    reason="refused by the platform: '+16502530000' is no number",
    sample="shop:1",
    count=3,
    failed=2,
    first=NOW - HOUR,
    last=NOW,
    state=State.OPEN,
)
ALERT = Alert(key="silence:shop", concern=Concern.SILENCE, title="Nothing came from shop for 4h", told="See.", path="/ops/sources/shop")
STANDING = Standing(due=0, due_since=None, waiting_since=None, unknown=(), parked=(), left_alone={})


def measures(**more):
    calm = {
        "at": NOW,
        "campaigns": ("welcome",),
        "sources": ("shop",),
        "snapshot": Snapshot(NOW, {}, {"parked": 0, "unknown": 0}),
        "standing": STANDING,
        "issues": (),
        "refused": {},
        "heard": {},
        "silences": (),
        "pauses": {},
        "workers": 2,
        "level": "always",
        "weaker": False,
    }
    return Measures(**{**calm, **more})


def standing(**more):
    return measures(standing=replace(STANDING, **more))


def stuck(number, campaign="welcome", since=NOW - HOUR):
    return Stuck(key=f"shop:{number}", source="shop", campaign=campaign, reason="campaign 'Anna' is stopped at 10:00", since=since)


def receiver(**more):
    return AlertSettings(url="https://receiver.example/hook", secret=SECRET, **more)


class Watch:
    """One receiver over time."""

    def __init__(self, **settings):
        self.receiver, self.known, self.now = receiver(**settings), {}, NOW

    def look(self, *alerts, after=timedelta(0)):
        """What it is told: the turn, and how many alerts are in the message."""
        self.now += after
        news, self.known = judge(alerts, self.known, self.receiver, self.now)
        return [(each.turn.value, len(each.known)) for each in news]


def test_when_all_is_well_nothing_holds():
    assert holding(measures()) == []


@pytest.mark.parametrize(
    ("found", "key", "title"),
    [
        (measures(issues=(ISSUE,)), "issue:ab12", "2 events of shop failed in campaign welcome"),
        (standing(parked=(stuck(1),)), "parked:campaign:welcome", "1 event is parked: campaign welcome"),
        (standing(parked=(stuck(1, campaign=""), stuck(2, campaign=""))), "parked:source:shop", "2 events are parked: source shop"),
        (standing(unknown=(stuck(1, since=NOW - 17 * MINUTE),)), "unknown", "1 event unknown, the oldest for 17m"),
        (standing(due=40, due_since=NOW - 3 * HOUR), "past_due", "40 events due, the oldest for 3h"),
        (measures(silences=(Silence("shop", NOW - 4 * HOUR, 3 * HOUR),)), "silence:shop", "Nothing came from shop for 4h"),
        (measures(pauses={"*": Pause(scope="*", by="Anna", at=NOW, note="for Alex Doe")}), "paused:*", "Anna paused all calling"),
        (standing(left_alone={"welcome": NOW}), "platform:welcome", "The platform does not answer for campaign welcome"),
        (measures(workers=0), "workers", "No worker process is there"),
    ],
)
def test_what_somebody_should_look_at_is_an_alert(found, key, title):
    (alert,) = holding(found)

    assert (alert.key, alert.title) == (key, title)
    assert alert.path.startswith("/ops/")


def test_every_concern_but_the_heartbeat_can_hold():
    everything = measures(
        issues=(ISSUE,),
        standing=Standing(due=1, due_since=NOW, waiting_since=NOW, unknown=(stuck(1),), parked=(stuck(2),), left_alone={"welcome": NOW}),
        silences=(Silence("shop", NOW, HOUR),),
        pauses={"source:mail": Pause(scope="source:mail", by="Anna", at=NOW)},
        workers=0,
    )

    assert {alert.concern for alert in holding(everything)} == set(Concern) - {Concern.HEARTBEAT}


def test_a_resolved_issue_does_not_hold_and_an_acknowledged_one_is_quiet():
    resolved, acknowledged = replace(ISSUE, state=State.RESOLVED), replace(ISSUE, state=State.ACKNOWLEDGED)

    assert holding(measures(issues=(resolved,))) == []
    assert [alert.quiet for alert in holding(measures(issues=(acknowledged,)))] == [True]


def test_a_source_that_is_silent_over_a_weekend_is_neither_told_anew_nor_called_heard():
    watch, friday = Watch(on=["silence"], repeat="1h"), datetime(2026, 11, 27, 20, tzinfo=UTC)
    watch.now = friday

    def looks(hours):
        silence = Silence("shop", friday - 5 * HOUR, 3 * HOUR)
        return watch.look(*holding(measures(at=friday + hours * HOUR, silences=(silence,))), after=friday + hours * HOUR - watch.now)

    assert looks(0) == [("new", 1)]
    assert [looks(hours) for hours in (5, 20, 50)] == [[], [], []]
    assert looks(53) == [("again", 1)]
    assert watch.look(after=HOUR) == [("over", 1)]


def test_nobody_is_told_again_of_an_open_issue_of_which_nothing_is_failed_any_more():
    watch = Watch(on=["issue"])
    failed, replayed = (holding(measures(issues=(replace(ISSUE, failed=count),))) for count in (2, 0))

    assert watch.look(*failed) == [("new", 1)]
    assert watch.look(*replayed, after=5 * HOUR) == []
    assert watch.look(*failed, after=5 * HOUR) == [("again", 1)]


@pytest.mark.parametrize("scope", ["*", "campaign:welcome", "source:shop"])
def test_what_was_paused_is_parked_on_purpose(scope):
    found = replace(standing(parked=(stuck(1),)), pauses={scope: Pause(scope=scope, by="Anna", at=NOW)})

    assert [alert.concern for alert in holding(found)] == [Concern.PAUSED]


def test_more_parked_events_than_were_looked_at_are_told_as_more():
    found = replace(standing(parked=(stuck(1),)), snapshot=Snapshot(NOW, {}, {"parked": 500}))

    assert [alert.title for alert in holding(found)] == ["1 or more events are parked: campaign welcome"]


def test_no_message_has_a_number_a_name_or_a_note():
    found = measures(
        issues=(ISSUE,),
        standing=replace(STANDING, parked=(stuck(1),), unknown=(stuck(2),)),
        pauses={"source:mail": Pause(scope="source:mail", by="Boris", at=NOW, note="Alex Doe asked")},
    )

    told = "".join(f"{alert.title} {alert.told} {alert.path}" for alert in holding(found))

    assert [word for word in ("6502530000", "Anna", "Alex") if word in told] == []


def test_what_begins_is_told_once_and_again_after_a_while_and_when_it_is_over():
    watch = Watch(repeat="4h")

    assert watch.look(ALERT) == [("new", 1)]
    assert watch.look(ALERT, after=4 * HOUR - MINUTE) == []
    assert watch.look(ALERT, after=MINUTE) == [("again", 1)]
    assert watch.look(ALERT, after=HOUR) == []
    assert watch.look(after=CALM) == [("over", 1)]
    assert watch.look(after=HOUR) == []
    assert watch.known == {}


def test_what_flickers_is_told_once():
    watch = Watch()

    assert watch.look(ALERT) == [("new", 1)]
    assert watch.look(after=CALM / 2) == []
    assert watch.look(ALERT, after=CALM / 2) == []


def test_what_has_not_been_so_for_long_is_borne():
    watch, workers = Watch(after={"workers": "2m"}), replace(ALERT, key="workers", concern=Concern.WORKERS)

    assert watch.look(workers) == []
    assert watch.look(workers, after=MINUTE) == []
    assert watch.look(after=MINUTE) == []
    assert watch.look(workers, after=MINUTE) == [], "it was gone for a while, and counts from the beginning"
    assert watch.look(workers, after=2 * MINUTE) == [("new", 1)]


def test_what_the_ledger_knows_the_beginning_of_is_told_when_it_is_old_enough():
    watch, unknown = Watch(after={"unknown": "15m"}), replace(ALERT, key="unknown", concern=Concern.UNKNOWN, since=NOW - 14 * MINUTE)

    assert watch.look(unknown) == []
    assert watch.look(unknown, after=MINUTE) == [("new", 1)]


def test_what_is_replaced_by_something_younger_is_over():
    watch, unknown = Watch(), replace(ALERT, key="unknown", concern=Concern.UNKNOWN, since=NOW - HOUR)
    assert watch.look(unknown) == [("new", 1)]

    assert watch.look(replace(unknown, since=NOW), after=CALM) == [("over", 1)]


def test_what_comes_back_is_told_again():
    watch, first = Watch(), replace(ALERT, mark="1")
    assert watch.look(first) == [("new", 1)]

    assert watch.look(replace(first, mark="2"), after=MINUTE / 4) == [("new", 1)]


def test_who_has_it_in_hand_is_not_told_again_but_when_it_is_over():
    watch = Watch(repeat="1h")
    assert watch.look(ALERT) == [("new", 1)]

    assert watch.look(replace(ALERT, quiet=True), after=2 * HOUR) == []
    assert watch.look(after=CALM) == [("over", 1)]


def test_what_was_in_hand_before_anybody_was_told_is_never_told():
    watch = Watch()

    assert watch.look(replace(ALERT, quiet=True)) == []
    assert watch.look(after=CALM) == []


def test_a_receiver_is_told_only_what_it_asks_for():
    assert Watch(on=["issue"]).look(ALERT) == []
    assert Watch(on="silence").look(ALERT) == [("new", 1)]


def test_what_a_receiver_does_not_ask_for_any_more_is_not_told_as_over():
    watch = Watch()
    watch.look(ALERT)
    watch.receiver = receiver(on=["issue"])

    assert watch.look(after=CALM) == []
    assert watch.known == {}


def test_many_at_once_are_told_in_one_message():
    watch, many = Watch(), [replace(ALERT, key=f"silence:{number}", title=f"Nothing came from {number}") for number in range(30)]

    assert watch.look(*many[:MOST_APART]) == [("new", 1)] * MOST_APART
    assert watch.look(*many, after=MINUTE) == [("new", 25)]
    assert watch.look(after=CALM) == [("over", 30)]


def test_a_message_of_many_lists_some_and_counts_all():
    known = [Known(alert=replace(ALERT, key=f"k{number}", title=f"title {number}"), first=NOW, seen=NOW, told=NOW, times=1) for number in range(30)]
    (news,), _ = judge([each.alert for each in known], {}, receiver(), NOW)

    sent = message(news, "https://bridge.example.com", NOW)

    assert (news.turn, sent.data["title"], sent.data["count"]) == (Turn.NEW, "30 alerts at once", 30)
    assert sent.data["told"].endswith("title 9\nand 20 more")
    assert sent.data["url"] == "https://bridge.example.com/ops/sources"


def test_what_a_receiver_knows_survives_being_written_down():
    known = Known(alert=replace(ALERT, since=NOW, mark="x", quiet=True), first=NOW, seen=NOW + MINUTE, told=NOW, times=3)

    assert Known.read(known.written()) == known
    assert Known.read(replace(known, told=None).written()).told is None
