"""What operators did, and what stands because of it."""

from pydantic import Field

from bridge.web.api.models.base import Known, Moment, Told, example

_AT = "2026-11-23T08:40:00Z"


class Act(Told):
    """Something that an operator did."""

    at: Moment = example(_AT, "When.")
    by: str = example("anna", "Who.")
    what: str = example("replayed", "What, in a few words.")
    targets: list[str] = example(["zapier:lead-7"], "What it was done to. Phone numbers are masked.")
    note: str = example("the mapping is mended", "Why.")


class ActPage(Told):
    """What was done, the latest first."""

    items: list[Act] = Field(description="The acts.")
    next: Known[str] = example("MTc5NTQ", "Where the next page begins (`after`); absent on the last one.", default=None)


class Unwanted(Told):
    """One entry of the do-not-call list."""

    phone: str = example("+128…75", "The number; masked unless it was asked for on purpose.")
    campaign: Known[str] = example("welcome", "In this campaign; absent: in every one.", default=None)
    source: str = example("anna", "Who asked for it.")
    note: str = example("asked on the phone", "Why.")
    added: Moment = example(_AT, "When it was put there.")
    until: Known[Moment] = example("2027-01-31T00:00:00Z", "When it ends; absent: never.", default=None)
    holds: bool = example(value=True, description="Whether it holds now.")


class UnwantedPage(Told):
    """Entries of the list, the number added last first. All entries of a number are on one page."""

    items: list[Unwanted] = Field(description="The entries.")
    next: Known[str] = example("MTc5NTQ", "Where the next page begins (`after`); absent on the last one.", default=None)


class UnwantedAdded(Told):
    """What was added."""

    added: int = example(1, "How many entries.")
    stopped: int = example(1, "For how many of the numbers calls may wait or be planned: they are being stopped.")


class UnwantedRemoved(Told):
    """What was removed. Calls that it prevented are not made up for."""

    removed: int = example(1, "How many entries.")


class Mark(Told):
    """A stop mark: no calls for this ref on facts older than that."""

    ref: str = example("zapier/lead:7", "The ref.")
    campaign: Known[str] = example("welcome", "In this campaign; absent: in every one.", default=None)
    at: Moment = example(_AT, "On facts up to then.")
    by: str = example("zapier:lead-7-deleted", "The event that left it.")


class Pause(Told):
    """Something that somebody paused."""

    scope: str = example("campaign:welcome", "`*` for all calling, `campaign:<name>` or `source:<name>`.")
    by: str = example("anna", "Who.")
    at: Moment = example(_AT, "When.")
    note: str = example("maintenance until noon", "Why.")


class PauseList(Told):
    """Everything that is paused."""

    items: list[Pause] = Field(description="The pauses.")


class Resumed(Told):
    """What goes on."""

    scope: str = example("campaign:welcome", "What it was about.")
    was_paused: bool = example(value=True, description="Whether it was paused. What was parked is decided again at once.")


class Asked(Told):
    """A worker asks the platform; its answer is kept for ten minutes."""

    id: str = example("6f1b2c0d5e8f4a7bb0c9d1e2f3a4b5c6", "The question.")
    url: str = example("/api/v1/asks/6f1b2c0d5e8f4a7bb0c9d1e2f3a4b5c6", "Where its answer will be, within a second or two.")
