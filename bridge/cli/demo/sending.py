"""Playing the CRMs: real webhooks, each delivered several times and partly at once, as CRMs redeliver."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from bridge.cli.demo.setting import SAMPLES, Stage
from bridge.cli.posting import Answered, Poster
from bridge.errors import StartupError
from bridge.sources import kinds
from bridge.sources.base import Source
from bridge.wiring import clock

_PATIENCE = 60.0

# What a CRM changes in the body when it delivers again; everything else, and so the event's identity, stays.
_COUNTERS = {
    "hubspot": re.compile(rb'("attemptNumber":\s*)(\d+)'),
    "pipedrive": re.compile(rb'("attempt":\s*)(\d+)'),
}


@dataclass(frozen=True, slots=True)
class Parcel:
    """A webhook, and how it is delivered: so many at once, then so many again."""

    title: str
    source: str
    sample: str
    at_once: int = 3
    again: int = 1
    forged: bool = False

    @property
    def times(self) -> int:
        return self.at_once + self.again

    @property
    def body(self) -> bytes:
        return SAMPLES.joinpath(f"{self.sample}.json").read_bytes()


@dataclass(frozen=True, slots=True)
class Delivered:
    """A parcel with the answer to each of its deliveries."""

    parcel: Parcel
    answers: Sequence[Answered]

    @property
    def event_ids(self) -> list[str]:
        """The events it held, as the first accepting answer names them."""
        told = [json.loads(answer.body) for answer in self.answers if answer.good]
        return list(dict.fromkeys(event["id"] for body in told for event in body["events"]))


PARCELS: tuple[tuple[Parcel, ...], ...] = (
    (
        Parcel("HubSpot: a batch of two, a changed property and a new contact", "hubspot", "hubspot_batch", at_once=4, again=2),
        Parcel("HubSpot: a deal moved to another stage", "hubspot", "hubspot_deal_stage", at_once=2),
        Parcel("Pipedrive v2: a new deal", "pipedrive", "pipedrive_v2_deal_create"),
        Parcel("Pipedrive v2: a changed person", "pipedrive", "pipedrive_v2_person_change", at_once=1),
        Parcel("Standard Webhooks: a new contact", "newsletter", "standard_webhooks_contact", at_once=8),
        Parcel("Zapier: a new lead", "zapier", "zapier_lead", at_once=4),
        Parcel("Zapier: a body without a type", "zapier", "zapier_help_page", at_once=1, again=0),
        Parcel("Pipedrive: with a wrong password", "pipedrive", "pipedrive_v2_deal_create", at_once=1, again=0, forged=True),
    ),
    (Parcel("Zapier: the same lead is lost", "zapier", "zapier_lead_lost", at_once=2),),
)
"""In two acts: the second begins when everything of the first is done."""


def play(stage: Stage, progress: Callable[[str], None]) -> list[Delivered]:
    """Deliver everything, and wait until nothing is left to do."""
    delivered = []
    for act in PARCELS:
        for parcel in act:
            progress(f"sending {parcel.times} × {parcel.title}")
            delivered.append(Delivered(parcel, list(_deliver(parcel, _poster(stage, parcel)))))
        progress("waiting for the calls")
        _await_quiet(stage)
    return delivered


def _deliver(parcel: Parcel, poster: Poster) -> Iterator[Answered]:
    bodies = [_attempt(poster.source.kind, parcel.body, number) for number in range(parcel.times)]
    together = threading.Barrier(parcel.at_once)

    def first(body: bytes) -> Answered:
        together.wait()
        return poster.post(body)

    with ThreadPoolExecutor(parcel.at_once) as senders:
        yield from senders.map(first, bodies[: parcel.at_once])
    for body in bodies[parcel.at_once :]:
        yield poster.post(body)


def _attempt(kind: str, body: bytes, number: int) -> bytes:
    counter = _COUNTERS.get(kind)
    return counter.sub(lambda found: found[1] + str(int(found[2]) + number).encode(), body) if counter else body


def _poster(stage: Stage, parcel: Parcel) -> Poster:
    settings: Any = stage.services.config.sources[parcel.source]
    if parcel.forged:
        settings = settings.model_copy(update={"secret": (SecretStr("some:body"),)})
    source: Source = kinds()[settings.kind](parcel.source, settings)
    return Poster(source=source, url=stage.url, public_url=stage.url, clock=clock)


def _await_quiet(stage: Stage) -> None:
    until = time.monotonic() + _PATIENCE
    while left := stage.services.ledger.unfinished():
        if time.monotonic() > until:
            raise StartupError(f"{len(left)} events are still open after {_PATIENCE:.0f} s; see {stage.log}")
        time.sleep(0.1)
