"""Issues, campaigns, sources, the platform's answers, and how everything is."""

from typing import Any

from pydantic import ConfigDict, Field

from bridge.ledger.issues import State
from bridge.overview import Stretch
from bridge.readmitting import Verdict
from bridge.web.api.models.acts import Pause
from bridge.web.api.models.base import Known, Moment, Told, example
from bridge.web.api.models.events import Delivery

_AT = "2026-11-23T08:40:00Z"


class Issue(Told):
    """Failures of one kind: of the same source, campaign and cause."""

    fingerprint: str = example("3f1c0d2a9b7e", "What it is called here.")
    url: str = example("/api/v1/issues/3f1c0d2a9b7e", "This.")
    events: str = example("/api/v1/events?issue=3f1c0d2a9b7e", "Its events that are failed still.")
    source: str = example("zapier", "The source.")
    campaign: str = example("welcome", "The campaign; empty where the events did not get as far.")
    cause: str = example("the platform refuses it: …", "What their reasons have in common.")
    reason: str = example("the platform refuses it: phone.bad.format", "The reason of the last one.")
    sample: str = example("zapier:lead-7", "The last one.")
    count: int = example(37, "How many there were.")
    failed: int = example(12, "How many of them are failed still.")
    first: Moment = example(_AT, "When the first was seen.")
    last: Moment = example(_AT, "When the last was seen.")
    state: State = example("open", "A resolved issue opens again by itself when it happens again.")
    reopened: Known[Moment] = example(_AT, "When it last did.", default=None)
    by: Known[str] = example("anna", "Who called it so.", default=None)
    changed: Known[Moment] = example(_AT, "When.", default=None)


class IssueList(Told):
    """Issues, the one seen last first."""

    items: list[Issue] = Field(description="The issues.")


class Campaign(Told):
    """A campaign as the bridge knows it. Its state at the platform is asked for by `POST /asks`."""

    name: str = example("welcome", "Its name in the configuration.")
    url: str = example("/api/v1/campaigns/welcome", "This.")
    paused: Known[Pause] = Field(default=None, description="Who paused it here.")
    left_alone_since: Known[Moment] = example(_AT, "The platform does not answer for it since then; calls wait.", default=None)
    per_second: Known[float] = example(5.0, "The most call jobs a second; absent: as fast as it goes.", default=None)
    events: int = example(1204, "How many events of it the ledger holds.")
    finished: dict[str, int] = example({"done": 1100, "failed": 12}, "How many were ever finished, by status.")


class CampaignList(Told):
    """The configured campaigns."""

    items: list[Campaign] = Field(description="The campaigns.")


class Answer(Told):
    """What came of a question to the platform."""

    id: str = example("6f1b2c0d5e8f4a7bb0c9d1e2f3a4b5c6", "The question.")
    answered: bool = example(value=True, description="Whether there is an answer yet.")
    good: Known[bool] = example(value=True, description="Whether the platform did, or told, what was asked.", default=None)
    told: Known[str] = example("the platform's answer", "In a sentence.", default=None)
    data: Any = example({"status": "IN_PROGRESS"}, "What it told; phone numbers masked unless asked for on purpose.", default=None)


class Source(Told):
    """A configured source."""

    name: str = example("hubspot", "Its name in the configuration.")
    url: str = example("/api/v1/sources/hubspot", "This.")
    kind: str = example("hubspot", "The kind of CRM or tool.")
    title: str = example("HubSpot", "What that is called.")
    webhook: str = example("https://bridge.example.com/webhooks/hubspot", "The address to enter in the CRM.")
    last_delivery: Known[Moment] = example(_AT, "When something authentic came last.", default=None)
    accepted: int = example(1204, "How many events it ever told.")
    duplicates: int = example(31, "How many redeliveries were turned away.")
    refused: dict[str, int] = example({"wrong_signature": 3}, "How many requests were refused, by reason.")
    paused: Known[Pause] = Field(default=None, description="Who paused it here.")


class SourceList(Told):
    """The configured sources."""

    items: list[Source] = Field(description="The sources.")


class Refused(Delivery):
    """A request that did not prove that it comes from its source."""

    whole: bool = example(value=True, description="Whether that is all of its body; else it is the first 16,384 characters.")
    id: str = example("9f86d081884c7d65", "What it is called here.")
    refusal: str = example("wrong_signature", "Why, in a word.")
    message: str = example("the signature is not ours", "Why, in a sentence.")
    objection: Known[str] = example("still refused: the signature is not ours", "Why it cannot be taken in today; absent: it can.", default=None)


class SourceWhole(Source):
    """A source, and the last requests that it was refused."""

    refused_requests: list[Refused] = Field(description="The last 20 at most, of the last 7 days, the newest first.")


class Readmitted(Told):
    """What came of taking in a refused request."""

    id: str = example("9f86d081884c7d65", "The request.")
    verdict: Verdict = example("taken", "`unprovable`: its proof was a secret, which was removed when it was kept. Have the CRM send it again.")
    told: str = example("it is genuine, and taken in: 1 event", "In a sentence.")
    keys: list[str] = example(["zapier:lead-7"], "Its events.")


class ReadmittedList(Told):
    """What came of each, in the order they came."""

    items: list[Readmitted] = Field(description="The requests.")


class Figures(Told):
    """How often what happened in a stretch of time."""

    accepted: int = example(120, "Events that came in.")
    duplicates: int = example(3, "Redeliveries that were turned away.")
    finished: dict[str, int] = example({"done": 100, "failed": 2}, "Events that were finished, by status.")
    attempts: dict[str, int] = example({"made": 100, "not_now": 4}, "Requests to the platform, by what came of them.")
    calls: int = example(100, "Call jobs that were made.")
    median: Known[float] = example(0.25, "Within so many seconds half of them were made after they were accepted.", default=None)
    p95: Known[float] = example(2.5, "And within so many, 95 of 100.", default=None)


class Slot(Told):
    """One part of the stretch."""

    at: str = example(_AT, "When it begins.")
    figures: Known[Figures] = Field(default=None, description="Absent where nobody noted what happened in it.")


class Overview(Told):
    """A stretch of time, whole, by parts, by source and by campaign."""

    stretch: Stretch = example("24h", "How far back.")
    since: str = example(_AT, "From then.")
    until: str = example(_AT, "Until then.")
    whole: Figures = Field(description="All of it.")
    slots: list[Slot] = Field(description="Its parts, the oldest first.")
    sources: dict[str, Figures] = example({}, "By source.")
    campaigns: dict[str, Figures] = example({}, "By campaign.")


class Silence(Told):
    """A source that delivers nothing, although it should."""

    source: str = example("hubspot", "Which.")
    since: Moment = example(_AT, "When it was heard last.")


class Durability(Told):
    """What Redis really promises."""

    level: str = example("always", "`always`: answered means on disk. `everysec` and `unsafe` are weaker.")
    asked: str = example("always", "What the configuration asks for.")
    notes: list[str] = example([], "What is weaker than it should be, with its mend.")


class Finding(Told):
    """One thing that was looked at."""

    level: str = example("good", "`good`, `doubtful` or `bad`.")
    what: str = example("workers", "What was looked at.")
    told: str = example("2 running", "What was found; where it is bad, with its mend.")


class Condition(Told):
    """How everything is."""

    good: bool = example(value=True, description="Whether nothing was found bad.")
    version: str = example("1.0.0", "The version of the bridge.")
    mode: str = example("live", "Who is called: `live` everybody a rule says, `shadow` nobody, `allowlist` only the numbers listed.")
    events: dict[str, int] = example({"queued": 0, "done": 1100, "failed": 12}, "How many events stand how now.")
    oldest: dict[str, Moment] = example({"waiting": _AT}, "When the oldest of those that wait, are unknown or are parked was accepted.")
    unfinished: int = example(3, "How many events go on by themselves.")
    due: int = example(0, "How many of them should be looked at now.")
    workers: int = example(2, "How many worker processes there are.")
    spooled: int = example(0, "How many deliveries wait on the disk of this host.")
    open_issues: int = example(1, "How many issues are open.")
    paused: list[Pause] = Field(description="What somebody paused.")
    silent: list[Silence] = Field(description="Sources that deliver nothing, although they should.")
    durability: Durability
    findings: list[Finding] = Field(description="What `callbridge doctor` finds.")


class Identity(Told):
    """Who is asking."""

    operator: str = example("anna", "Your name in the history; `operator` for the shared token.")


class Document(Told):
    """This description of the API."""

    model_config = ConfigDict(extra="allow")

    openapi: str = example("3.1.0", "The version of OpenAPI.")
