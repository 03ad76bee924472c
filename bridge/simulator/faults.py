"""Faults on demand: what is to go wrong, how often, and for whom. Drawn with seeded randomness, so that runs repeat."""

import random
from collections.abc import Iterable
from enum import StrEnum
from fnmatch import fnmatchcase
from threading import Lock
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bridge.simulator.journal import Asked


class Kind(StrEnum):
    """What can go wrong.

    ``latency``: the ordinary answer, ``seconds`` late. ``429``: too many requests. ``5xx``: ``status``, else 500. ``html``: a proxy's page
    instead of JSON. ``reset_before``, ``reset_after``: the connection is torn down before or after the request took
    effect. ``lost_answer``: it took effect, and after ``seconds`` of silence the connection ends in good order. ``hang``:
    silence for ``seconds``, and no answer then either. ``bad_token``, ``stopped_campaign``: the platform's own refusals.
    ``shuffled_ids``, ``one_short``: an ``addPhones`` answer with its ids out of order, or with one missing.
    """

    LATENCY = "latency"
    TOO_MANY = "429"
    SERVER_ERROR = "5xx"
    HTML = "html"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    LOST_ANSWER = "lost_answer"
    HANG = "hang"
    BAD_TOKEN = "bad_token"  # noqa: S105 -- the name of a fault
    STOPPED_CAMPAIGN = "stopped_campaign"
    SHUFFLED_IDS = "shuffled_ids"
    ONE_SHORT = "one_short"


_ALWAYS_AFTER = frozenset({Kind.RESET_AFTER, Kind.LOST_ANSWER})
_OF_LISTS = frozenset({Kind.SHUFFLED_IDS, Kind.ONE_SHORT})


class Fault(BaseModel):
    """One thing that goes wrong. ``after``: the request takes effect first, and only its answer is spoilt.

    ``times`` None means always. ``endpoint`` is a pattern (``*`` and ``?``) for what follows the token (``addPhone*``,
    ``callJob/cancel``) or for a whole path; only one that matches a path under ``/hubspot`` or ``/pipedrive`` makes a
    CRM stand-in misbehave. The first fault in the list that strikes decides; latencies add up and let the next ones strike.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fault: Kind
    times: int | None = Field(default=None, ge=1)
    probability: float = Field(default=1, ge=0, le=1)
    endpoint: str | None = None
    campaign: str | None = None
    seconds: float | None = Field(default=None, ge=0, le=86400)
    status: int | None = Field(default=None, ge=500, le=599)
    retry_after: int | None = Field(default=None, ge=0)
    after: bool = False

    @field_validator("fault", mode="before")
    @classmethod
    def _number_as_text(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) else value

    @model_validator(mode="before")
    @classmethod
    def _always_after(cls, document: Any) -> Any:
        return {**document, "after": True} if isinstance(document, dict) and document.get("fault") in _ALWAYS_AFTER else document

    def concerns(self, asked: Asked) -> bool:
        """Whether it may strike this request; chance has still to be asked."""
        if self.campaign not in {None, asked.token} or (self.fault in _OF_LISTS and asked.endpoint != "addPhones"):
            return False
        if self.endpoint is None:
            return asked.to_platform
        return fnmatchcase(asked.path, self.endpoint) or (asked.to_platform and fnmatchcase(asked.endpoint, self.endpoint))


class Faults:
    """The faults in force, in order."""

    def __init__(self, faults: Iterable[Fault] = (), seed: int = 1) -> None:
        self._initial = tuple(faults)
        self._seed = seed
        self._lock = Lock()
        self.reset()

    def reset(self) -> None:
        """The faults it started with, and the same chances again."""
        with self._lock:
            self._random = random.Random(self._seed)  # noqa: S311 -- chances that repeat, not secrets
            self._next_id = 1
            self._faults: dict[str, Fault] = {}
            self._struck: dict[str, int] = {}
        self.add(self._initial)

    def add(self, faults: Iterable[Fault]) -> None:
        with self._lock:
            for fault in faults:
                self._faults[str(self._next_id)] = fault
                self._struck[str(self._next_id)] = 0
                self._next_id += 1

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def remove(self, fault_id: str) -> None:
        """Raises ``KeyError`` for an unknown id."""
        with self._lock:
            del self._faults[fault_id]

    def draw(self, asked: Asked) -> list[Fault]:
        """What strikes this request: any latencies, then at most one fault of another kind."""
        struck: list[Fault] = []
        with self._lock:
            for fault_id, fault in self._faults.items():
                if not self._left(fault_id) or not fault.concerns(asked) or self._random.random() >= fault.probability:
                    continue
                self._struck[fault_id] += 1
                struck.append(fault)
                if fault.fault != Kind.LATENCY:
                    break
        return struck

    def shuffle(self, values: list[Any]) -> list[Any]:
        """The same values in another order, if there is another."""
        with self._lock:
            shuffled = self._random.sample(values, len(values))
        return shuffled if shuffled != values else values[::-1]

    def documents(self) -> list[dict[str, Any]]:
        """What is in force, with how often it struck and how often it still will; a fault that is spent stays visible."""
        with self._lock:
            return [
                {
                    "id": fault_id,
                    **fault.model_dump(mode="json", exclude_none=True, exclude={"times"}),
                    "times": fault.times,
                    "struck": self._struck[fault_id],
                    "spent": not self._left(fault_id),
                }
                for fault_id, fault in self._faults.items()
            ]

    def _left(self, fault_id: str) -> bool:
        times = self._faults[fault_id].times
        return times is None or self._struck[fault_id] < times
