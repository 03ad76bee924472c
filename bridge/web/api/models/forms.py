"""What operations take: parameters, bodies, the name of what they are about."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from bridge.calls import Control
from bridge.filters import LONGEST
from bridge.ledger.issues import State
from bridge.model import Status
from bridge.overview import Stretch
from bridge.replaying import Mode
from bridge.web.api.models.base import Flag, Form, Given, Number, example, without_default

MOST = 200
"""Items of a page."""

_EVENT_KEY = "zapier:lead-7"
_MODES = (
    "`rules`: from the delivery as it was received, with today's rules. `request`: the exact request that was sent before, where today's rules "
    "still let it. `again`: another call under a new key, for an event that is done; needs a reason."
)

Words = Annotated[str, Field(min_length=1, max_length=LONGEST)]


class Repeatable(BaseModel):
    """The header under which a POST may be sent again."""

    model_config = ConfigDict(frozen=True, json_schema_extra=without_default)

    key: Given[Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[!-~]+$")]] = Field(
        default=None,
        alias="Idempotency-Key",
        description="Made up by the sender for this one thing to be done. Sent again within 24 hours, it is not done again, and answered as before.",
        json_schema_extra={"example": "8e03978e-40d5-43e8-bc93-6894a57f9324"},
    )


class Page(Form):
    """Where in a list."""

    after: Given[Words] = example("MTc5NTQ", "Where the page begins: `next` of the page before.", default=None)
    limit: Number = example(50, "The most items on the page.", default=50, ge=1, le=MOST)


class Shown(Form):
    """Whether numbers are shown."""

    reveal: Flag = example(value=False, description="Whole phone numbers. That you looked is written into the history.", default=False)


class EventQuery(Page):
    """Which events: `q` as in the search box, or a parameter for each name; repeated, it gives alternatives, and names narrow each other."""

    q: Given[str] = example("status:failed since:24h Alex", "All of it as in the search box.", default=None, min_length=1, max_length=LONGEST)
    text: Given[Words] = example("Alex", "Looked for wherever it fits: a number, a name, an id, a reason.", default=None)
    status: Given[list[Status]] = example(["failed"], "Where the events stand.", default=None, max_length=9)
    source: Given[list[Words]] = example(["hubspot"], "Names of sources.", default=None, max_length=20)
    campaign: Given[list[Words]] = example(["welcome"], "Names of campaigns.", default=None, max_length=20)
    rule: Given[list[Words]] = example(["call new leads"], "Names of rules.", default=None, max_length=20)
    phone: Given[list[Words]] = example(["+1 281 332 2575"], "Phone numbers, in any spelling.", default=None, max_length=20)
    name: Given[list[Words]] = example(["Alex Doe"], "Names of people, or their beginnings.", default=None, max_length=20)
    record: Given[list[Words]] = example(["deal:555"], "Records of the CRM, with or without their type.", default=None, max_length=20)
    event: Given[list[Words]] = example([_EVENT_KEY], "Event keys, or ids as the CRM gave them.", default=None, max_length=20)
    job: Given[list[Words]] = example(["5665000000000001"], "Ids of call jobs.", default=None, max_length=20)
    reason: Given[Words] = example("do-not-call", "Part of the reason.", default=None)
    issue: Given[list[Words]] = example(["3f1c0d2a9b7e"], "Fingerprints of issues.", default=None, max_length=20)
    replay: Given[list[Words]] = example(["7k2m9q"], "Ids of replays of many.", default=None, max_length=20)
    since: Given[Words] = example("24h", "Accepted since then: `24h` ago, or ISO 8601.", default=None)
    until: Given[Words] = example("2026-11-24T08:00:00Z", "Accepted until then.", default=None)


class EventName(Form):
    """Which event. Its key stands in the path percent-encoded, slashes too."""

    key: str = example(_EVENT_KEY, "The event's key: the source, a colon, the event's id.", min_length=1, max_length=400)


class ModeQuery(Shown):
    """How it would be replayed."""

    mode: Mode = example("rules", _MODES, default=Mode.RULES)


class ReplayForm(Form):
    """How it is replayed."""

    mode: Mode = example("rules", _MODES, default=Mode.RULES)
    reason: str = example("the mapping is mended", "Why; needed for `again`.", default="", max_length=LONGEST)


class NoteForm(Form):
    """Why something is done."""

    note: str = example("maintenance until noon", "Why, for the history and for everybody who asks.", default="", max_length=LONGEST)


class PersonQuery(Page, Shown):
    """Whose events."""

    phone: Words = example("+1 281 332 2575", "The number, in any spelling; without a country code it is read as one of each source's region.")


class EraseForm(Form):
    """Who is to be forgotten: one of the two."""

    phone: Given[Words] = example("+12813322575", "A phone number with its country code.", default=None)
    ref: Given[Words] = example("contact:101", "A record of a CRM.", default=None)
    source: Given[Words] = example("hubspot", "The source whose record `ref` is. Without it: of every source.", default=None)


class IssueQuery(Form):
    """Which issues."""

    state: Given[State] = example("open", "Only those in this state.", default=None)
    limit: Number = example(100, "The most items.", default=100, ge=1, le=500)


class IssueName(Form):
    """Which issue."""

    fingerprint: str = example("3f1c0d2a9b7e", "The issue's fingerprint.", min_length=1, max_length=64)


class IssueForm(Form):
    """What an issue is called from now on."""

    state: State = example("acknowledged", "`resolved` opens again by itself when it happens again.")


class Scope(Form):
    """What is, or is to be, paused."""

    scope: str = example("campaign:welcome", "`*` for all calling, `campaign:<name>` or `source:<name>`.", min_length=1, max_length=80)


class CampaignName(Form):
    """Which campaign."""

    name: str = example("welcome", "The campaign's name in the configuration.", min_length=1, max_length=63)


class CampaignControl(CampaignName):
    """What is done to which campaign."""

    action: Control = example("pause", "There is no way back from `stop`.")


class AskForm(Form):
    """What the platform is asked. The two reports need `ids` or `phones`."""

    what: Literal["info", "status", "job_report", "attempt_report"] = example("job_report", "The campaign's state, or the reports of call jobs.")
    campaign: Words = example("welcome", "The campaign's name in the configuration.")
    ids: Given[list[Words]] = example(["5665000000000001"], "Ids of call jobs.", default=None, min_length=1, max_length=100)
    phones: Given[list[Words]] = example(["+12813322575"], "Numbers with their country codes.", default=None, min_length=1, max_length=100)


class AskName(Form):
    """Which question."""

    id: str = example("6f1b2c0d5e8f4a7bb0c9d1e2f3a4b5c6", "What was given when it was asked.", min_length=1, max_length=64)


class UnwantedQuery(Page, Shown):
    """Which entries of the list."""

    phone: Given[Words] = example("+12813322575", "Only what stands against this number.", default=None)


class UnwantedForm(Form):
    """One entry to come."""

    phone: Words = example("+12813322575", "The number; with its country code, unless there is a `region`.")
    campaign: Given[Words] = example("welcome", "Only in this campaign. Without it: in every one.", default=None)
    until: Given[Words] = example("2027-01-31T00:00:00Z", "When it ends: `30d` from now, or ISO 8601. Without it: never.", default=None)
    source: str = example("", "Who asked for it. Without it: you.", default="", max_length=100)
    note: str = example("asked on the phone", "Why; shown as the reason of every call that is not made.", default="", max_length=LONGEST)


class UnwantedForms(Form):
    """All of it, or, where one entry is wrong, nothing."""

    entries: list[UnwantedForm] = example([{"phone": "+12813322575", "note": "asked on the phone"}], "The numbers.", min_length=1, max_length=20_000)
    region: Given[Words] = example("US", "The country of numbers without a country code.", default=None)


class UnwantedName(Form):
    """Whose entries."""

    phone: str = example("+12813322575", "The number with its country code.", min_length=1, max_length=40)


class RemovalQuery(Form):
    """Which of them."""

    campaign: Given[Words] = example("welcome", "Only the entry for this campaign. Without it: all of them.", default=None)


class SourceName(Form):
    """Which source."""

    name: str = example("hubspot", "The source's name in the configuration.", min_length=1, max_length=63)


class ReadmitForm(Form):
    """Which refused requests are taken in."""

    ids: Given[list[Words]] = example(["9f86d081884c7d65"], "Only these. Without it: all that are kept.", default=None, min_length=1, max_length=20)


class OverviewQuery(Form):
    """Which figures."""

    stretch: Stretch = example("24h", "How far back.", default=Stretch.DAY)
    source: Given[Words] = example("hubspot", "The whole and its parts for this source alone.", default=None)
    campaign: Given[Words] = example("welcome", "The same, for this campaign.", default=None)


class HistoryQuery(Page):
    """Which acts."""

    by: Given[Words] = example("anna", "Only what this operator did.", default=None)
    target: Given[Words] = example(_EVENT_KEY, "Only what was done to this: an event's key, `campaign:…`, `phone:+…`.", default=None)
