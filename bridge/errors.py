"""Every error the bridge raises on purpose; each changes what happens next.

CallbridgeError
├── ConfigError         the configuration is wrong: all problems at once, exit 2
├── StartupError        the surroundings are wrong (port, data directory, Redis): exit 1
├── Unverified          the sender could not prove who it is: 401, nothing changes
├── Unreadable          authentic, but not understood: 422 to a generic sender, a failed event for a CRM
├── Unusable            what an operator asks for cannot be done as it is said: told back, and nothing is done; 422, exit 2
├── LookupFailed        the CRM's API did not give what was asked: the event retries, parks or fails
├── TooManyTries        too many wrong tokens: 429, and when to come again; none is looked at until then
└── LedgerUnavailable   Redis did not take it: 503, so that the CRM sends it again
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class CallbridgeError(Exception):
    """The root, for callers that only want to report."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration file, where it stands, and what would be right."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class ConfigError(CallbridgeError):
    """The configuration cannot be used; ``problems`` holds everything that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class StartupError(CallbridgeError):
    """The bridge cannot start where it is; the message says what to do about it."""


class Refusal(StrEnum):
    """Why a request was not believed. Counted apart, because each has another mend."""

    MISSING = "missing"
    WRONG_SIGNATURE = "wrong_signature"
    WRONG_SECRET = "wrong_secret"  # noqa: S105 -- a reason, not a secret
    WRONG_ACCOUNT = "wrong_account"
    STALE = "stale"
    FUTURE = "future"
    NO_SECRET = "no_secret"  # noqa: S105 -- the same


class Unverified(CallbridgeError):
    """The request did not prove that it comes from its source."""

    def __init__(self, refusal: Refusal, message: str) -> None:
        super().__init__(message)
        self.refusal = refusal
        self.message = message


class Unreadable(CallbridgeError):
    """The body is authentic but cannot be understood; ``field`` names what is missing or wrong."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class Unusable(CallbridgeError):
    """What an operator asked for cannot be understood or must not be done; the message says what could be. ``field`` names the part."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class LookupFailed(CallbridgeError):
    """A CRM record could not be read.

    ``final`` is true when asking again cannot help (the record is gone); ``parked`` when a person must act
    first (the token is refused); otherwise the event asks again, after ``retry_after`` seconds where the CRM said so.
    """

    def __init__(self, message: str, *, final: bool = False, parked: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.final = final
        self.parked = parked
        self.retry_after = retry_after


class TooManyTries(CallbridgeError):
    """Too many wrong tokens came from there, or from everywhere; ``wait`` is how long none is looked at."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"too many wrong tokens: the next is looked at in {wait.total_seconds():.0f} s")
        self.wait = wait


class LedgerUnavailable(CallbridgeError):
    """Redis refused or did not answer: nothing may be promised to anybody."""
