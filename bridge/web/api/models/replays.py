"""Replays of many, as they are asked for and told."""

from typing import Any, Literal

from pydantic import Field

from bridge.foreseeing import Effect
from bridge.planning import LONGEST_NAME
from bridge.progress import MODEST
from bridge.replaying import Mode
from bridge.web.api.models.base import Form, Given, Known, Moment, Number, Told, example
from bridge.web.api.models.forms import Words

_AT = "2026-11-23T08:40:00Z"
_ID = "261123-084000-4f1a"
_MODE = "`rules`: from each delivery as it was received, with today's rules. `request`: the exact request that each sent before."

Stand = Literal["counting", "planned", "running", "paused", "finished", "cancelled"]


class PlanForm(Form):
    """Which events, and how: by `q`, or what failed in another replay."""

    q: Given[Words] = example("status:failed since:24h", "As in the search box. One that means every event is refused.", default=None)
    failed_in: Given[Words] = example(_ID, "What failed in this replay of many, in the same way.", default=None)
    mode: Mode = example("rules", _MODE, default=Mode.RULES)
    name: str = example("Monday's outage", "What it is called in the history.", default="", max_length=LONGEST_NAME)


class RunForm(Form):
    """The confirmation."""

    name: str = example("Monday's outage", "What it is called in the history.", min_length=1, max_length=LONGEST_NAME)
    speed: str = example("5/s", "How many events in what time, such as `5/s` or `300/m`, or `fast`.", default=MODEST, min_length=1, max_length=20)


class NothingForm(Form):
    """An empty object."""


class ReplayName(Form):
    """Which replay of many."""

    id: str = example(_ID, "What it is called here.", min_length=1, max_length=64)


class ReplayTurn(ReplayName):
    """What is done to it."""

    turn: Literal["pause", "resume", "cancel", "recount"] = example("pause", "`cancel` is for good; what was put in goes on.")


class ReplayListQuery(Form):
    """Which page."""

    after: Given[Words] = example("MTc5NTQ", "Where the page begins: `next` of the page before.", default=None)
    limit: Number = example(20, "The most items on the page.", default=20, ge=1, le=50)


class Change(Told):
    """A state that it came into."""

    state: Stand = example("running", "Which.")
    at: str = example(_AT, "When.")
    by: str = example("anna", "By whom.")
    note: str = example("5/s", "Why, or how.")


class EffectExample(Told):
    """One event of a kind."""

    key: str = example("zapier:lead-7", "The event.")
    told: str = example("calls +128…75 in campaign welcome now", "What would come of it.")


class EffectTally(Told):
    """How many events would come to the same."""

    effect: Effect = example("call", "What they would come to, in a word.")
    kind: str = example("would call now in campaign welcome", "In words.")
    count: int = example(37, "How many.")
    examples: list[EffectExample] = Field(description="A few of them.")


class Causes(Told):
    """How many, and why."""

    count: int = example(12, "How many events.")
    causes: dict[str, int] = example({"already done": 12}, "By what their reasons have in common.")


class Counting(Told):
    """How far the counting is."""

    found: int = example(300, "Events found so far.")
    all_found: bool = example(value=True, description="Whether those are all.")
    counted: int = example(120, "How many of them were looked at.")


class ReplaySummary(Told):
    """A replay of many in a list."""

    id: str = example(_ID, "What it is called here.")
    url: str = example(f"/api/v1/replays/{_ID}", "All of it.")
    state: Stand = example("finished", "`counting`, then `planned` until somebody confirms it; `running`, `paused`; `finished`, `cancelled`.")
    name: str = example("Monday's outage", "What it is called in the history.")
    mode: Mode = example("rules", _MODE)
    written: str = example("status:failed since:24h", "Its filter, as in the search box.")
    by: str = example("anna", "Who planned it.")
    created: Moment = example(_AT, "When.")
    events: int = example(300, "How many events it is about.")
    replayed: int = example(288, "How many of them were decided again.")
    skipped: int = example(12, "How many were passed over, because it would have been good for nothing.")
    failed: int = example(0, "How many could not be replayed.")
    left: int = example(0, "How many it has not come to.")


class ReplayPage(Told):
    """Replays of many, the newest first."""

    items: list[ReplaySummary] = Field(description="The replays.")
    next: Known[str] = example("MTc5NTQ", "Where the next page begins (`after`); absent on the last one.", default=None)


class Replay(Told):
    """A replay of many, with everything that is known of it."""

    id: str = example(_ID, "What it is called here.")
    url: str = example(f"/api/v1/replays/{_ID}", "This.")
    found_by: str = example(f"/api/v1/events?replay={_ID}", "Its events.")
    state: Stand = example("running", "`counting`, then `planned` until somebody confirms it; `running`, `paused`; `finished`, `cancelled`.")
    name: str = example("Monday's outage", "What it is called in the history.")
    mode: Mode = example("rules", _MODE)
    filter: dict[str, Any] = example({"status": ["failed"], "since": _AT}, "Which events it is about; what came later is not among them.")
    written: str = example("status:failed since:24h", "The same, as in the search box.")
    understood: str = example("", "What the words without a name were taken for.")
    by: str = example("anna", "Who planned it.")
    created: str = example(_AT, "When.")
    speed: str = example("5/s", "How fast events are put in.")
    counting: Known[Counting] = Field(default=None, description="How far the counting is, while it goes on.")
    counted: Known[str] = example(_AT, "When it was counted what would come of it.", default=None)
    aged: Known[str] = example("the rules have changed since it was counted", "Why it must be counted again before it may run.", default=None)
    events: int = example(300, "How many events it is about.")
    would_act: int = example(288, "For how many of them a replay would be good for anything.")
    effects: list[EffectTally] = Field(description="What would come of them, when it was counted.")
    looked_at: int = example(120, "How many it has come to.")
    replayed: int = example(115, "How many of those were decided again.")
    skipped: Causes = Field(description="Those that were passed over, because it would have been good for nothing.")
    failed: Causes = Field(description="Those that could not be replayed.")
    left: int = example(180, "How many it has not come to.")
    standing: dict[str, int] = example({"done": 100, "queued": 15}, "How those that were decided again stand now, by status.")
    no_longer_of_it: int = example(0, "How many of those another replay took up, or were forgotten.")
    rate: Known[float] = example(5.0, "Events a second, of late.", default=None)
    seconds_left: Known[float] = example(36.0, "How long it takes still.", default=None)
    memory: int = example(24_000, "Bytes that its list of events takes in Redis.")
    history: list[Change] = Field(description="Its states, with who brought it there.")
