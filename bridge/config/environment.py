"""``${NAME}`` and ``${NAME:-default}``: values from the environment, put in after the YAML is read.

A ``#``, a ``:`` or a quote inside a secret is therefore harmless. ``$$`` is a literal ``$``; the default counts when the variable
is not set or empty. No message ever holds a variable's value, only its name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.config.yaml_lines import Document, Flaw, Place

_REFERENCE = re.compile(r"\$\$|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<fallback>:-(?P<default>[^}]*))?\}|\$\{")
_LEFT_OUT = object()


@dataclass(frozen=True, slots=True)
class Filled:
    """A document with its variables filled in.

    ``data`` is what is meant; ``written`` is the same with ``${…}`` as it stands in the file, for messages. ``variables`` has
    the values that came in, by place; at the places in ``unknown`` a flaw was found, and nothing more can be said.
    """

    data: dict[str, Any]
    written: dict[str, Any]
    lines: Mapping[Place, int]
    variables: Mapping[Place, str]
    unknown: frozenset[Place]
    flaws: tuple[Flaw, ...]

    def line(self, place: Place) -> int:
        """The line of a place, or of the nearest thing around it that stands in the file."""
        while place not in self.lines:
            place = place[:-1]
        return self.lines[place]

    def as_written(self, place: Place) -> Any:
        """What stands in the file at a place, None when nothing does."""
        value: Any = self.written
        for part in place:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value


def interpolate(document: Document, environ: Mapping[str, str]) -> Filled:
    """A value that is nothing but one ``${…}`` and comes out empty is left out, as if its key were not there."""
    filler = _Filler(document, environ)
    data, written = filler.fill(document.data or {}, (), ())
    return Filled(data, written, filler.lines, filler.variables, frozenset(filler.unknown), tuple(filler.flaws))


class _Filler:
    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document = document
        self._environ = environ
        self.lines: dict[Place, int] = {}
        self.variables: dict[Place, str] = {}
        self.unknown: set[Place] = set()
        self.flaws: list[Flaw] = []

    def fill(self, value: Any, source: Place, target: Place) -> tuple[Any, Any]:
        """The value as meant and as written. ``source`` and ``target`` differ after an item of a list was left out."""
        self.lines[target] = self._document.lines[source]
        if source in self._document.unread:
            self.unknown.add(target)
        if isinstance(value, dict):
            return self._mapping(value, source, target)
        if isinstance(value, list):
            return self._sequence(value, source, target)
        if isinstance(value, str):
            return self._text(value, target), value
        return value, value

    def _mapping(self, value: dict[str, Any], source: Place, target: Place) -> tuple[Any, Any]:
        pairs = {name: self.fill(item, (*source, name), (*target, name)) for name, item in value.items()}
        meant = {name: pair[0] for name, pair in pairs.items() if pair[0] is not _LEFT_OUT}
        return meant, {name: pair[1] for name, pair in pairs.items()}

    def _sequence(self, value: list[Any], source: Place, target: Place) -> tuple[Any, Any]:
        pairs: list[tuple[Any, Any]] = []
        for position, item in enumerate(value):
            pair = self.fill(item, (*source, position), (*target, len(pairs)))
            if pair[0] is not _LEFT_OUT:
                pairs.append(pair)
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs]

    def _text(self, text: str, place: Place) -> Any:
        meant = _REFERENCE.sub(lambda match: self._value(match, place), text)
        if meant != text:
            self.variables[place] = meant
        whole = _REFERENCE.fullmatch(text)
        return _LEFT_OUT if not meant and whole and whole["name"] else meant

    def _value(self, match: re.Match[str], place: Place) -> str:
        name, default = match["name"], match["default"]
        if match[0] == "$$":
            return "$"
        if name is None or "${" in (default or ""):
            self._refuse(place, "a variable is written ${NAME} or ${NAME:-default}, with no other ${…} inside; a literal $ is written $$")
            return match[0]
        value = self._environ.get(name)
        if value and not _encodable(value):
            self._refuse(place, f"the variable {name} is not UTF-8 text")
            return match[0]
        if value or (value is not None and default is None):
            return value
        if default is not None:
            return str(default).replace("$$", "$")
        self._refuse(place, f"the variable {name} is not set: set it in the environment, or give it a default: ${{{name}:-…}}")
        return match[0]

    def _refuse(self, place: Place, message: str) -> None:
        self.unknown.add(place)
        self.flaws.append(Flaw(self.lines[place], message))


def _encodable(value: str) -> bool:
    """Whether it is text: bytes of the environment that are not UTF-8 come as halves of characters."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
