"""Cells of a CSV file that may be opened in a spreadsheet: what somebody wrote is text there, and no formula. Pure."""

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
"""What a spreadsheet takes for the beginning of one, shielded or not."""


def shielded(text: str) -> str:
    """With an apostrophe in front, where a spreadsheet would calculate it."""
    return f"'{text}" if _FORMULA.match(text) else text


def bare(text: str) -> str:
    """The inverse of :func:`shielded`."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text
