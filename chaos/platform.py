"""What goes wrong at the platform, and at the CRM's API that workers ask: one thing after the other, beside everything else."""

import random
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

import requests

_SOME = {"probability": 0.5}
WRONGS: Sequence[tuple[str, dict[str, Any]]] = (
    ("late", {"fault": "latency", "seconds": 1.5, **_SOME}),
    ("late after it made the call", {"fault": "latency", "seconds": 1.5, "after": True, **_SOME}),
    ("429 with Retry-After", {"fault": "429", "retry_after": 3, **_SOME}),
    ("5xx", {"fault": "5xx", "status": 503, **_SOME}),
    ("5xx after it made the call", {"fault": "5xx", "after": True, **_SOME}),
    ("HTML", {"fault": "html", **_SOME}),
    ("HTML after it made the call", {"fault": "html", "after": True, "status": 504, **_SOME}),
    ("reset", {"fault": "reset_before", **_SOME}),
    ("reset after it made the call", {"fault": "reset_after", **_SOME}),
    ("answer lost after it made the call", {"fault": "lost_answer", **_SOME}),
    ("nothing", {"fault": "hang", "probability": 0.25}),
    ("nothing after it made the call", {"fault": "hang", "after": True, "probability": 0.25}),
    ("late at look-ups", {"fault": "latency", "seconds": 2, "endpoint": "/*/crm/*", **_SOME}),
    ("5xx at look-ups", {"fault": "5xx", "endpoint": "/*/crm/*", **_SOME}),
    ("429 at look-ups", {"fault": "429", "retry_after": 2, "endpoint": "/*/crm/*", **_SOME}),
)


class Platform:
    """``struck``: how many requests each thing befell."""

    def __init__(self, url: str, seed: int) -> None:
        self._url = f"{url}/simulator/faults"
        self._chance = random.Random(seed)
        self.struck: Counter[str] = Counter()

    def run(self, stopping: threading.Event) -> None:
        """Until told to stop; then nothing is wrong any more."""
        while not stopping.is_set():
            for name, wrong in self._chance.sample(WRONGS, len(WRONGS)):
                stopping.wait(self._chance.uniform(0, 1))
                if stopping.is_set():
                    return
                self._suffer(name, wrong, stopping)

    def _suffer(self, name: str, wrong: dict[str, Any], stopping: threading.Event) -> None:
        requests.post(self._url, json=wrong, timeout=10).raise_for_status()
        stopping.wait(self._chance.uniform(2, 6))
        for fault in requests.get(self._url, timeout=10).json()["faults"]:
            self.struck[name] += fault["struck"]
        requests.delete(self._url, timeout=10).raise_for_status()
