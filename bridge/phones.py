"""Phone numbers: any spelling to E.164, or None.

A number counts when it is *possible* (right length for its country), not when the numbering plan of the day lists its
area: plans change faster than their tables, and the platform has the last word with ``phone.bad.format``.
"""

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

# Eleven digits and more are read as a number whose + was lost on the way (forms and spreadsheets drop it);
# fewer could as well be a national number of some country, and a guess would call a stranger.
_E164 = re.compile(r"\+[1-9][0-9]{4,14}")
_INTERNATIONAL = re.compile(r"[1-9][0-9]{10,14}")


def to_e164(text: object, region: str | None = None) -> str | None:
    """``(281) 332-2575`` with region ``US`` becomes ``+12813322575``; what cannot be a number becomes None.

    ``region`` is the ISO 3166 country of numbers written without a country code. Without it only ``+…`` is read.
    """
    if not isinstance(text, str | int) or isinstance(text, bool) or not str(text).strip():
        return None
    written = str(text).strip()
    return _read(written, region) or (_read(f"+{written}", None) if _INTERNATIONAL.fullmatch(written) else None)


def wire(e164: str) -> str:
    """The form the Calls API takes: digits with the country code, no ``+``."""
    return e164.removeprefix("+")


def mask(text: str) -> str:
    """What may stand in a log or a table: enough to recognise a number one knows, too little to call it."""
    digits = "".join(char for char in text if char.isdigit())
    if len(digits) < 7:
        return "…"
    return f"{'+' if text.startswith('+') else ''}{digits[:3]}…{digits[-2:]}"


def _read(written: str, region: str | None) -> str | None:
    """A number in a form that reads as itself: one of zeros alone reads as a shorter one each time, and is nobody's."""
    read = _parsed(written, None if written.startswith("+") else region)
    return read if read and _E164.fullmatch(read) and _parsed(read, None) == read else None


@lru_cache(maxsize=4096)  # one event's number is read some eight times between its arrival and its call, at 40 µs each
def _parsed(written: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(written, region)
    except NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)
