"""Events as they are told: one in a list, one whole, its delivery, and what a replay would do."""

from typing import Any

from pydantic import Field

from bridge.foreseeing import Effect
from bridge.model import Status
from bridge.replaying import Mode
from bridge.web.api.models.acts import Act, Mark, Unwanted
from bridge.web.api.models.base import Known, Moment, Told, example

_KEY = "zapier:lead-7"
_URL = "/api/v1/events/zapier%3Alead-7"
_AT = "2026-11-23T08:40:00Z"

STATUS = (
    "`queued`, `running`: accepted, an attempt is open. `waiting`: will go on by itself. `unknown`: a request was sent and no answer came; it is "
    "being found out whether the call job exists. `parked`: the campaign cannot take it, or somebody paused it. `done`: the call job was made, or "
    "what was to be cancelled is cancelled. `suppressed`: deliberately no call. `failed`: an operator is needed. `ignored`: no rule matched."
)


class Entity(Told):
    """The CRM record that an event is about."""

    type: str = example("deal", "Its type.")
    id: str = example("555", "Its id.")


class Stage(Told):
    """A move in a pipeline."""

    before: Known[str] = Field(default=None, alias="from", description="From here.", json_schema_extra={"example": "appointmentscheduled"})
    after: Known[str] = Field(default=None, alias="to", description="To here.", json_schema_extra={"example": "closedwon"})


class Contact(Told):
    """The person."""

    id: Known[str] = example("101", "Who it is in the CRM.", default=None)
    name: Known[str] = example("Alex Doe", "The name.", default=None)
    phone: Known[str] = example("+128…75", "The number; masked unless it was asked for on purpose.", default=None)
    phones: Known[list[str]] = example(["+128…75"], "All of the numbers.", default=None)
    email: Known[str] = example("alex@example.com", "The address.", default=None)
    time_zone: Known[str] = example("America/Chicago", "Where the person is.", default=None)


class Event(Told):
    """One fact about one CRM record. A field that a payload does not carry is absent, never invented."""

    source: str = example("hubspot", "The name of the source.")
    kind: str = example("hubspot", "The kind of CRM or tool.")
    id: str = example("3816279340", "What the CRM calls the event.")
    type: str = example("deal.stage_changed", "What happened.")
    occurred_at: Known[str] = example(_AT, "When it happened, as the CRM says.", default=None)
    received_at: str = example(_AT, "When it was received.")
    entity: Known[Entity] = Field(default=None, description="The record it is about.")
    refs: list[str] = example(["deal:555", "contact:101"], "What ties events of one person or deal together.")
    stage: Known[Stage] = Field(default=None, description="A move in a pipeline.")
    contact: Known[Contact] = Field(default=None, description="The person.")
    fields: dict[str, Any] = example({"lifecyclestage": "lead"}, "The record's own properties, under the CRM's names.")


class Person(Told):
    """Who an event is about."""

    name: Known[str] = example("Alex Doe", "The name.", default=None)
    phone: Known[str] = example("+128…75", "The number, masked.", default=None)


class EventSummary(Told):
    """An event in a list."""

    key: str = example(_KEY, "`<source>:<event id>`: what a redelivery is recognised by, and the `Idempotence-Key` of its call.")
    url: str = example(_URL, "All of it.")
    status: Status = example("failed", STATUS)
    reason: str = example("the campaign is stopped", "Why it stands so, in one sentence.")
    source: str = example("zapier", "The name of the source.")
    type: str = example("lead.created", "What happened.")
    entity: Known[Entity] = Field(default=None, description="The record it is about.")
    person: Known[Person] = Field(default=None, description="Who it is about.")
    rule: Known[str] = example("call new leads", "The rule that decided it.", default=None)
    campaign: Known[str] = example("welcome", "Where it calls.", default=None)
    jobs: list[str] = example(["5665000000000001"], "Ids of its call jobs.")
    occurred_at: Known[Moment] = example(_AT, "When it happened, as the CRM says.", default=None)
    accepted_at: Moment = example(_AT, "When it was accepted; lists are sorted by this.")
    ended_at: Known[Moment] = example(_AT, "When it was finished.", default=None)
    duplicates: int = example(0, "How many redeliveries of it were turned away.")
    issue: Known[str] = example("3f1c0d2a9b7e", "The issue that a failed event belongs to.", default=None)
    replay: Known[str] = example("7k2m9q", "The replay of many that had it decided again last.", default=None)


class EventPage(Told):
    """Some events, the newest first."""

    items: list[EventSummary] = Field(description="The events.")
    next: Known[str] = example("MTc5NTQ", "Where the next page begins (`after`); absent on the last one.", default=None)
    looked_back_to: Known[Moment] = example(
        _AT, "Looking was given up here before the page was full: go on with `next`, or look for less.", default=None
    )
    understood: Known[str] = example("the phone number +128…75", "What the words without a name were taken for.", default=None)
    incomplete: Known[str] = example(
        "more than 40 names begin with 'ma', and only the first 40 are looked for: write more of the name",
        "What was not looked for, because it is too much at once.",
        default=None,
    )


class Request(Told):
    """A request to the platform. The campaign's token is ``***``."""

    method: str = example("POST", "The method.")
    url: str = example("https://ds.tovie.ai/api/crmCalls/campaign/***/addPhone", "The address.")
    headers: dict[str, str] = example({"Idempotence-Key": _KEY}, "The headers.")
    body: str = example("phone=128%E2%80%A675&name=Alex", "The body.")


class Attempt(Told):
    """One request that was made for the event, and what came of it."""

    at: str = example(_AT, "When.")
    what: str = example("call", "What it was for.")
    outcome: str = example("made", "How it ended.")
    note: str = example("the call job was made", "In words.")
    seconds: float = example(0.21, "How long it took.")
    status: Known[int] = example(200, "The status of the answer.", default=None)
    worker: Known[str] = example("bridge-1", "Who made it.", default=None)


class Decision(Told):
    """How an event was decided, and what came of it."""

    status: Status = example("done", STATUS)
    reason: str = example("call job 5665000000000001 was made", "Why, in one sentence.")
    rule: Known[str] = example("call new leads", "The rule that matched.", default=None)
    trace: list[str] = example(["call new leads: matches"], "Each rule that was tried, and why it matched or not.")
    requests: list[Request] = Field(description="What is, or would be, sent.")
    jobs: list[str] = example(["5665000000000001"], "Ids of its call jobs.")
    attempts: list[Attempt] = Field(description="What was tried; the last 20.")
    duplicates: int = example(0, "How many redeliveries of it were turned away.")


class Times(Told):
    """When."""

    occurred: Known[Moment] = example(_AT, "It happened, as the CRM says.", default=None)
    received: Moment = example(_AT, "It was received.")
    accepted: Moment = example(_AT, "It was accepted.")
    asked: Known[Moment] = example(_AT, "A request was sent first that is not answered yet.", default=None)
    tried: Known[Moment] = example(_AT, "That request was sent last.", default=None)
    trouble_since: Known[Moment] = example(_AT, "Somebody who must answer does not, since then.", default=None)
    next_look: Known[Moment] = example(_AT, "Somebody looks at it next.", default=None)
    planned: Known[Moment] = example(_AT, "The person is, or was, to be called then, in the rule's call hours.", default=None)
    ended: Known[Moment] = example(_AT, "It was finished.", default=None)


class EventWhole(Told):
    """Everything that is known of an event; `event`, `event_key`, `fact_key` and `decision` are what `callbridge explain --json` prints."""

    event: Event
    event_key: str = example(_KEY, "`<source>:<event id>`.")
    fact_key: str = example("lead:7 created", "What happened to which record, without how we heard of it.")
    decision: Decision
    told: str = example("Called: call job 5665000000000001 was made in campaign welcome, 3 s after the lead came in.", "All of it in a sentence.")
    url: str = example(_URL, "This.")
    times: Times
    campaign: Known[str] = example("welcome", "Where it calls.", default=None)
    refs: list[str] = example(["zapier/lead:7"], "What ties it to other events, as the ledger spells it.")
    tries: int = example(1, "How often a request was sent for it.")
    crashes: int = example(0, "How often a worker died over it.")
    cancels: list[dict[str, Any]] = example([], "The call jobs that a cancel is about, and what came of each.")
    issue: Known[str] = example("3f1c0d2a9b7e", "The issue that a failed event belongs to.", default=None)
    replay: Known[str] = example("7k2m9q", "The replay of many that had it decided again last.", default=None)
    acts: list[Act] = Field(description="What operators did to it or to its person.")
    unwanted: list[Unwanted] = Field(description="What stands against its number on the do-not-call list.")
    marks: list[Mark] = Field(description="The stop marks on its refs.")
    revealed: bool = example(value=False, description="Whether phone numbers are shown whole.")


class Delivery(Told):
    """The request as it was received. Secrets were removed before it was kept."""

    source: str = example("zapier", "The name of the source.")
    method: str = example("POST", "The method.")
    url: str = example("https://bridge.example.com/webhooks/zapier", "The address, as the sender sees it.")
    headers: dict[str, str] = example({"content-type": "application/json"}, "The headers.")
    body: str = example('{"event_id": "lead-7", "type": "lead.created"}', "The body. Where it is no UTF-8: in base64, once revealed.")
    encoding: str = example("utf-8", "`utf-8` or `base64`.")
    received_at: str = example(_AT, "When.")
    revealed: bool = example(value=False, description="Whether phone numbers are shown whole.")


class Foreseen(Told):
    """What a replay would do now. Nothing was changed."""

    mode: Mode = example("rules", "How it would be replayed.")
    effect: Effect = example("call", "What it would come to, in a word.")
    acts: bool = example(value=True, description="Whether a replay is good for anything.")
    told: str = example("calls +128…75 in campaign welcome now", "What it would come to, in a sentence.")
    kind: str = example("would call now in campaign welcome", "What effects of one kind have in common.")
    rule: Known[str] = example("call new leads", "The rule that matches today.", default=None)
    trace: list[str] = example(["call new leads: matches"], "Each rule that was tried, and why it matched or not.")
    event: Known[Event] = Field(default=None, description="The event as its delivery reads today.")
    request: Known[Request] = Field(default=None, description="What would be sent.")
    before: Decision = Field(description="How it was decided, and what came of it.")


class Ordered(Told):
    """What was set going; the workers carry it out."""

    key: str = example(_KEY, "The event that goes on: the same, or a new one.")
    url: str = example(_URL, "How it goes on.")
    told: str = example("queued: rule 'call new leads' says call", "In a sentence.")


class PersonWhole(EventPage):
    """A person's events, the newest first, and what else is known of the number."""

    phones: list[str] = example(["+128…75"], "The numbers that it was taken for.")
    acts: list[Act] = Field(description="What operators did about the number.")
    unwanted: list[Unwanted] = Field(description="What stands against it on the do-not-call list.")
