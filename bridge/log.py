"""Structured lines: one JSON object per delivery and per attempt, with nothing in it that is nobody's business.

Redaction is the last step before a line is written, so that it also covers what libraries log: anything that looks like
a phone number is masked, a campaign token in a Calls API path is cut, and credentials in URLs and headers are too.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from bridge.phones import mask

# A number with its +, and digits that stand behind the word phone; other digits are ids and times.
_PHONE = re.compile(r"(?:\+|%2B)[0-9][0-9 ().\-/\u00a0]{5,24}[0-9]|(?<=phone)s?[^\w+]{1,8}[0-9][0-9 ().\-/\u00a0]{5,24}[0-9]", re.IGNORECASE)
# A value ends before a backslash: what is redacted is JSON, and a quote inside it is escaped by one.
_TOKEN = re.compile(r"(/campaign/)[^/\s\"'\\]+")
_CREDENTIALS = re.compile(
    r"((?:Bearer|Basic)\s+)[^\s\"',\\]+"
    r"|(Token\s+)[A-Za-z0-9._~+/=-]{16,}"
    r"|((?:api[_-]?token|api[_-]?key|access[_-]?token|secret|password)[\\\"']*\s*[=:]\s*(?:\\*[\"'])?)(?![}\]:])[^\s\"',;&\\]+"
    r"|(://[^/\s:@]*:)[^@\s/]+(?=@)",
    re.IGNORECASE,
)
_NEAR_CREDENTIALS = ("bearer", "basic", "token", "apikey", "api_", "api-", "secret", "password", "://")
_NEAR_PHONES = ("+", "%2b", "phone")
_ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def redact(line: str) -> str:
    """The line without secrets and without anybody's full number."""
    plain = line.lower()  # most lines have none of the words that the patterns begin with, and that is seen at a tenth of the cost
    if "/campaign/" in plain:
        line = _TOKEN.sub(r"\1***", line)
    if any(word in plain for word in _NEAR_CREDENTIALS):
        line = _CREDENTIALS.sub(lambda match: f"{next(filter(None, match.groups()))}***", line)
    return _PHONE.sub(_masked, line) if any(sign in plain for sign in _NEAR_PHONES) else line


def _masked(match: re.Match[str]) -> str:
    """The number alone is masked, not what led to it."""
    start = re.search(r"\+|%2B|[0-9]", match[0], re.IGNORECASE)
    place = start.start() if start else 0
    return match[0][:place] + mask(match[0][place:].replace("%2B", "+").replace("%2b", "+"))


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and whatever was given as ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": f"{datetime.fromtimestamp(record.created, UTC).isoformat(timespec='milliseconds')[:-6]}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        text = _ENCODER.encode(line)
        return redact(text.encode("utf-8", "replace").decode())  # half a character cannot be written to any stream


def configure(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send every line of this process to ``stream`` (standard error) as JSON."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Which line of code and which thread a line came from is in none of them, and finding out is a good part of what one costs.
    logging._srcfile = None  # noqa: SLF001 -- what the logging HOWTO says to do
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    for chatty in ("rq.worker", "rq", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def wide(logger: logging.Logger, message: str, fields: Mapping[str, Any], level: int = logging.INFO) -> None:
    """One line for one unit of work, with everything that is known about it."""
    logger.log(level, message, extra={name: value for name, value in fields.items() if value is not None and value != ""})
