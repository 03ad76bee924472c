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

_PHONE = re.compile(r"\+[0-9][0-9 ().-]{6,20}[0-9]|(?<=phone:)[0-9+]{7,16}|(?<=phone=)[0-9]{7,16}")
_TOKEN = re.compile(r"(/campaign/)[^/\s\"']+")
_CREDENTIALS = re.compile(r"((?:Bearer|Basic|Token)\s+)[^\s\"',]+|(://[^/\s:@]*:)[^@\s/]+(?=@)", re.IGNORECASE)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def redact(line: str) -> str:
    """The line without secrets and without anybody's full number."""
    line = _TOKEN.sub(r"\1***", line)
    line = _CREDENTIALS.sub(lambda match: f"{match[1] or match[2]}***", line)
    return _PHONE.sub(lambda match: mask(match[0]), line)


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and whatever was given as ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return redact(json.dumps(line, default=str, ensure_ascii=False))


def configure(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send every line of this process to ``stream`` (standard error) as JSON."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("rq.worker", "rq", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def wide(logger: logging.Logger, message: str, fields: Mapping[str, Any], level: int = logging.INFO) -> None:
    """One line for one unit of work, with everything that is known about it."""
    logger.log(level, message, extra={name: value for name, value in fields.items() if value is not None and value != ""})
