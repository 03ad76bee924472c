"""The rule of duplicate numbers that crmCalls has and ``addPhones`` has not: when is a request one that came before?"""

import json
from collections.abc import Hashable
from datetime import datetime, timedelta

from bridge.simulator.jobs import Job
from bridge.simulator.numbers import Number
from bridge.simulator.settings import Settings, Undocumented, Wording

MEMORY = timedelta(hours=24)
"""How long a key and a number are remembered, counted from the first request."""


def identities(token: str, number: Number) -> dict[Wording, Hashable]:
    """What makes two requests the same to each wording; an empty payload and none are one."""
    return {
        Wording.A: (token, number.phone),
        Wording.B: (token, number.phone, json.dumps(number.payload, sort_keys=True)),
    }


def verdict(earlier: Job, key: str | None, now: datetime, settings: Settings) -> Undocumented:
    """What becomes of a request with this key, when ``earlier`` is the job of the same number (and payload).

    Wording A has one answer. Wording B is a table: same key, no keys, other keys, a key on one side; within the
    platform's memory or after it.
    """
    if settings.duplicate_wording == Wording.A:
        return Undocumented.OLD_ID
    fresh = now - earlier.created_at < MEMORY
    if earlier.key and earlier.key == key:
        return Undocumented.OLD_ID if fresh else settings.same_key_later
    if not fresh:
        return Undocumented.NEW_JOB
    if not earlier.key and not key:
        return Undocumented.ERROR
    return settings.different_keys if earlier.key and key else settings.one_key
