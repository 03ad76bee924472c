"""Does at the platform what the doors may not do themselves: a campaign's state and switches, the report of a call job."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from typing import Any

from bridge.calls import Control
from bridge.ledger import Ask, Asks
from bridge.ledger.asks import TOO_OLD
from bridge.model import iso
from workers.answers import Answer, Outcome
from workers.calls_api import CallsApi

_DONE: Mapping[str, str] = {Control.PAUSE: "paused", Control.RESUME: "resumed", Control.STOP: "stopped for good"}


class Asking:
    """Answers what is asked, once, and nothing that nobody waits for any more. Raises ``LedgerUnavailable`` when Redis goes away."""

    def __init__(self, asks: Asks, calls_api: CallsApi, clock: Callable[[], datetime]) -> None:
        self._asks = asks
        self._calls_api = calls_api
        self._clock = clock

    def look(self, patience: float = 1.0) -> bool:
        """Whether something was asked within ``patience`` seconds."""
        ask = self._asks.take(patience)
        if ask is None:
            return False
        self._asks.give(ask.id, self._answered(ask))
        return True

    def _answered(self, ask: Ask) -> dict[str, Any]:
        if self._clock() - ask.at > TOO_OLD:
            return _said(good=False, told="nobody was there to do it in time, so it was not done; try again")
        if ask.what in _DONE:
            return self._control(ask)
        rows = self._read(ask)
        if isinstance(rows, Answer):
            return _said(good=False, told=rows.note)
        return _said(good=True, told="the platform's answer", data=plain(rows))

    def _control(self, ask: Ask) -> dict[str, Any]:
        answer = self._calls_api.control(ask.campaign, Control(ask.what), f"operator:{ask.id}")
        good = answer.outcome is Outcome.MADE
        return _said(good=good, told=f"campaign {ask.campaign} is {_DONE[ask.what]} at the platform" if good else answer.note)

    def _read(self, ask: Ask) -> Any:
        wanted: Mapping[str, Sequence[str]] = ask.arguments
        reads: Mapping[str, Callable[[], Any]] = {
            "info": lambda: self._calls_api.info(ask.campaign),
            "status": lambda: self._calls_api.status(ask.campaign),
            "job_report": lambda: self._calls_api.job_report(ask.campaign, ids=wanted.get("ids", ()), phones=wanted.get("phones", ())),
            "attempt_report": lambda: self._calls_api.attempt_report(ask.campaign, ids=wanted.get("ids", ()), phones=wanted.get("phones", ())),
        }
        return reads[ask.what]() if ask.what in reads else Answer(outcome=Outcome.REFUSED, note=f"'{ask.what}' is nothing that can be asked")


def plain(value: Any) -> Any:
    """What the platform told, as JSON has it: names of fields are those of the dataclasses, times are ISO."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _said(*, good: bool, told: str, data: Any = None) -> dict[str, Any]:
    return {"good": good, "told": told, "data": data}
