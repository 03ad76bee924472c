"""The schema applied to a filled-in document, and what it objects to in plain words.

A message may quote what stands in the file, but never what a variable stands for.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bridge.config.environment import Filled
from bridge.config.schema import Config
from bridge.config.shape import keys_at
from bridge.config.yaml_lines import Place
from bridge.sources import kinds

_CHOICES = {"enum", "literal_error"}
_KIND = {"union_tag_invalid", "union_tag_not_found"}
_TEXT = "must be text: put it in quotes"
_WHOLE_NUMBER = "must be a whole number"
_NUMBER = "must be a number"
_BOOLEAN = "must be true or false"
_LIST = "must be a list: each item on a line of its own after `- `, or all of them in […]"
_MAPPING = "must hold `key: value` lines, indented"
_EMPTY = "must not be empty"
# By the type of pydantic's error; none of these depends on the value.
_PLAIN = {
    "string_type": _TEXT,
    "is_instance_of": _TEXT,
    "string_unicode": "holds half of a character: write the character itself",
    "string_too_short": _EMPTY,
    "too_short": _EMPTY,
    "int_type": _WHOLE_NUMBER,
    "int_parsing": _WHOLE_NUMBER,
    "int_parsing_size": _WHOLE_NUMBER,
    "int_from_float": _WHOLE_NUMBER,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "bool_type": _BOOLEAN,
    "bool_parsing": _BOOLEAN,
    "tuple_type": _LIST,
    "list_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "path_type": "must be the path of a folder",
    "dict_type": _MAPPING,
    "mapping_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be {le} or less",
    "less_than": "must be less than {lt}",
}
_ALIKE = 0.75  # 1 is the same word before its beginning is counted
# What a person writes as a key; anything else that stands where a key belongs may be a secret.
_LIKE_A_KEY = re.compile(r"[A-Za-z][A-Za-z_-]{0,39}")


@dataclass(frozen=True, slots=True)
class Objection:
    """One thing wrong at one place of the document."""

    place: Place
    message: str


def validate(filled: Filled) -> tuple[Config | None, list[Objection]]:
    """The configuration, or every objection to it."""
    config, errors = _read(filled.data)
    if not errors:
        return config, []
    spelled = dict(_read(filled.written)[1]) if filled.variables else {}
    return None, [Objection(place, _discreet(place, error, filled, spelled.get(place))) for place, error in errors]


def suggest(written: object, known: list[str]) -> str:
    """``; did you mean 'retention'?`` when something known is close, else nothing."""
    best = max(known, key=lambda candidate: _likeness(str(written), candidate), default="")
    return f"; did you mean '{best}'?" if _likeness(str(written), best) > _ALIKE else ""


def _likeness(written: str, candidate: str) -> float:
    """How alike two words are; beginnings count more, for people get them right more often than endings."""
    beginning = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(written, candidate, strict=False)))
    return SequenceMatcher(None, written, candidate).ratio() + 0.2 * min(beginning, 4)


def _read(data: dict[str, Any]) -> tuple[Config | None, list[tuple[Place, ErrorDetails]]]:
    try:
        return Config.model_validate(data), []
    except ValidationError as error:
        return None, _merged([(_place(detail, data), detail) for detail in error.errors(include_url=False)])


def _merged(errors: list[tuple[Place, ErrorDetails]]) -> list[tuple[Place, ErrorDetails]]:
    """One error per place: the branches of a union of choices become one list of choices."""
    merged: dict[Place, ErrorDetails] = {}
    for place, error in errors:
        first = merged.setdefault(place, error)
        if first is not error and {first["type"], error["type"]} <= _CHOICES:
            first["ctx"]["expected"] += f", {error['ctx']['expected']}"
    return list(merged.items())


def _place(error: ErrorDetails, data: dict[str, Any]) -> Place:
    """Where an error stands in the document: without what pydantic adds (the kind of a source, ``[key]``, branches of unions)."""
    where = error["loc"]
    if where[0] == "sources" and where[2:3] and where[2] in kinds():
        where = (*where[:2], *where[3:])
    if error["type"] in _KIND and isinstance(error["input"], Mapping):
        return (*where, "kind")
    return where if error["type"] == "missing" else _existing(where, data)


def _existing(where: Place, data: Any) -> Place:
    """As much of a place as there is in the data."""
    for steps, part in enumerate(where):
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return where[:steps]
    return where


def _discreet(place: Place, error: ErrorDetails, filled: Filled, spelled: ErrorDetails | None) -> str:
    """The message if no word of a variable's value is in it; else the one for what is written; else none in particular."""
    message = _message(place, error, filled)
    values = [value for there, value in filled.variables.items() if _nested(there, place)]
    if not any(word in message for value in values for word in re.findall(r"\w+", value)):
        return message
    written = str(filled.as_written(place))
    instead = _message(place, spelled, filled) if spelled else ""
    return instead if written in instead else f"{_name(place)}: what the variable stands for does not fit here"


def _nested(one: Place, other: Place) -> bool:
    return all(here == there for here, there in zip(one, other, strict=False))


def _name(place: Place) -> str:
    """The key that a place is, or is an item of."""
    return next((part for part in reversed(place) if isinstance(part, str)), "the file")


def _message(place: Place, error: ErrorDetails, filled: Filled) -> str:
    if error["input"] is None and error["type"] != "extra_forbidden":
        return f"nothing stands after '{_name(place)}:'; give it a value, or leave the key out"
    if error["type"] in _SPECIAL:
        return _SPECIAL[error["type"]](place, error, filled)
    words = _PLAIN.get(error["type"], "does not fit here").format(**error.get("ctx", {}))
    keys = keys_at(place, filled.data) if words == _MAPPING else []
    return f"'{_name(place)}' {words}{': ' if keys else ''}{', '.join(keys)}"


def _missing(place: Place, _: ErrorDetails, filled: Filled) -> str:
    if place not in filled.lines:
        return f"missing key '{place[-1]}'"
    written = filled.as_written(place)
    why = f": {written} stands for nothing" if written else ""
    return f"'{place[-1]}' {_EMPTY}{why}"


def _unknown_key(place: Place, _: ErrorDetails, filled: Filled) -> str:
    known = keys_at(place[:-1], filled.data)
    shown = f" '{place[-1]}'" if _LIKE_A_KEY.fullmatch(str(place[-1])) else ""
    return f"unknown key{shown}{suggest(place[-1], known) or ';'} known here: {', '.join(known)}"


def _choice(_: Place, error: ErrorDetails, __: Filled) -> str:
    choices = re.findall(r"'([^']*)'", error["ctx"]["expected"])
    written = error["input"] if isinstance(error["input"], str | int) else "this"
    return f"'{written}' is none of {', '.join(choices)}{suggest(written, choices)}"


def _own_words(place: Place, error: ErrorDetails, _: Filled) -> str:
    """What a validator of ours said; whole mappings and lists are not quoted."""
    message = str(error["ctx"]["error"])
    if not isinstance(error["input"], str | int):
        message = message.replace(f"'{error['input']}'", "this")
    return f"{_name(place)}: {message}"


def _kind(_: Place, error: ErrorDetails, __: Filled) -> str:
    known = list(kinds())
    if not isinstance(error["input"], Mapping):
        return f"a source {_MAPPING}: kind, secret and so on"
    written = error["input"].get("kind")
    if not isinstance(written, str):
        return f"missing key 'kind': one of {', '.join(known)}"
    return f"unknown kind '{written}'{suggest(written, known) or ';'} known: {', '.join(known)}"


_SPECIAL: dict[str, Callable[[Place, ErrorDetails, Filled], str]] = {
    "missing": _missing,
    "extra_forbidden": _unknown_key,
    "enum": _choice,
    "literal_error": _choice,
    "value_error": _own_words,
    "union_tag_invalid": _kind,
    "union_tag_not_found": _kind,
}
