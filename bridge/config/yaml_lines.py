"""YAML to plain data, with the line of every key and item.

The YAML of 1.2 in what a scalar means, because 1.1 surprises people: only ``true`` and ``false`` are booleans (``on:`` is a
key like any other), ``20:00`` is no number of minutes, a date is text. Numbers are whole and written the one usual
way; ``007``, ``1e5`` and ``1.50`` stay the text they are, so that a secret made of digits is never altered.

No message ever quotes the file: what stands at the wrong place may be a secret.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.reader import ReaderError

Place = tuple[str | int, ...]
"""The way to a value: keys, and positions in lists. The empty one is the file itself."""

_DEEPEST = 50
_LARGEST = 50_000  # values, aliases followed: no configuration comes near, and a bomb stops here

_HALF = re.compile(r"[\ud800-\udfff]")  # of a UTF-16 pair: no encoding could print it
_TAG = "tag:yaml.org,2002:"
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_SCALARS: dict[str, Callable[[str], Any]] = {
    f"{_TAG}str": str,
    f"{_TAG}int": int,
    f"{_TAG}bool": lambda written: _BOOLEANS[written],
    f"{_TAG}null": lambda _: None,
}

_UNREADABLE = "this is not YAML: look at the indentation, the quotes and the brackets here and just above"
# What PyYAML says, by a piece of it, and what a person would say. The first that fits is taken.
_IN_PLAIN_WORDS = {
    "mapping values are not allowed": "a value with ': ' in it must stand in quotes; or the indentation is off",
    "cannot start any token": "a value cannot begin with this character (a tab, @, ` or %): put it in quotes, and indent with spaces",
    "alias": "a value that begins with * must stand in quotes",
    "anchor": "a value that begins with & must stand in quotes",
    "tag": "a value that begins with ! must stand in quotes",
    "directive": "a value that begins with % must stand in quotes",
    "escape": "a backslash inside double quotes is special: use single quotes",
    "hexadecimal": "a backslash inside double quotes is special: use single quotes",
    "quoted scalar": "a quote is opened here and not closed",
    "flow": 'a bracket is not closed, or a comma is missing; inside {…} and […] a variable stands in quotes: "${NAME}"',
    "simple key": "a colon is missing after a key, or the indentation is off",
    "single document": "the file holds a second document, after `---`: one file is one configuration",
    "block": "the indentation does not fit that of the lines above",
}


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong, on one line (1 is the first; 0 is outside the file)."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says. ``data`` is None when it could not be read at all; where one value could not, it has None and ``unread`` the place."""

    data: dict[str, Any] | None
    lines: Mapping[Place, int]
    flaws: tuple[Flaw, ...] = ()
    unread: frozenset[Place] = frozenset()


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}  # noqa: RUF012 -- PyYAML's own way to begin without the scalars of YAML 1.1


_Loader.add_implicit_resolver(f"{_TAG}bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver(f"{_TAG}int", re.compile(r"(?:0|-?[1-9][0-9]{0,17})$"), list("-0123456789"))
_Loader.add_implicit_resolver(f"{_TAG}null", re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])


def parse(text: str) -> Document:
    """Never raises. A text that is no YAML gives one flaw; keys that stand twice or are no text give one each."""
    try:
        root = yaml.compose(text, Loader=_Loader)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return Document(None, {}, (Flaw(line, "an invisible character stands here that YAML does not allow: delete it"),))
    except yaml.MarkedYAMLError as error:
        return Document(None, {}, (_syntax_flaw(error),))
    except RecursionError:
        return Document(None, {}, (Flaw(1, "brackets or indentations are nested too deeply"),))
    except (ValueError, OverflowError, yaml.YAMLError):  # numbers in escapes and directives, which PyYAML does not check
        return Document(None, {}, (Flaw(1, _UNREADABLE),))
    reader = _Reader()
    data = reader.value(root, ()) if root is not None else {}
    if root is None or not isinstance(root, yaml.MappingNode):
        what = "is empty" if root is None else "does not hold `key: value` lines"
        return Document(None, {}, (Flaw(1, f"the file {what}: begin with a copy of config.example.yaml"),))
    return Document(data, reader.lines, tuple(reader.flaws), frozenset(reader.unread))


class _Reader:
    """Walks the nodes once; an alias is followed wherever it stands."""

    def __init__(self) -> None:
        self.lines: dict[Place, int] = {(): 1}
        self.flaws: list[Flaw] = []
        self.unread: set[Place] = set()
        self._left = _LARGEST

    def value(self, node: yaml.Node, place: Place) -> Any:
        self._left -= 1
        if len(place) > _DEEPEST or self._left <= 0:
            return self._give_up(node, place, "nested too deeply, or an alias (*) that repeats too much")
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return self._sequence(node, place)
        return self._scalar(node, place)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = self._key(key)
            if name is None:
                continue
            here = (*place, name)
            if name in found:
                self._refuse(key, f"the same key stands on line {self.lines[here]} already: keep one of the two")
                continue
            self.lines[here] = _line(key)
            found[name] = self.value(value, here)
        return found

    def _sequence(self, node: yaml.SequenceNode, place: Place) -> list[Any]:
        for position, item in enumerate(node.value):
            self.lines[*place, position] = _line(item)
        return [self.value(item, (*place, position)) for position, item in enumerate(node.value)]

    def _scalar(self, node: yaml.Node, place: Place) -> Any:
        if _HALF.search(str(node.value)):
            return self._give_up(node, place, "half of a character stands here (\\ud800 to \\udfff): write the character itself")
        try:
            return _SCALARS[node.tag](node.value)
        except (KeyError, ValueError, TypeError):
            return self._give_up(node, place, "a value that begins with ! must stand in quotes")

    def _key(self, node: yaml.Node) -> str | None:
        if isinstance(node, yaml.ScalarNode) and node.tag == f"{_TAG}str" and not _HALF.search(node.value):
            return str(node.value)
        self._refuse(node, "a key must be text: put this one in quotes")
        return None

    def _give_up(self, node: yaml.Node, place: Place, message: str) -> None:
        self.unread.add(place)
        self._refuse(node, message)

    def _refuse(self, node: yaml.Node, message: str) -> None:
        flaw = Flaw(_line(node), message)
        if flaw not in self.flaws:
            self.flaws.append(flaw)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _syntax_flaw(error: yaml.MarkedYAMLError) -> Flaw:
    said = f"{error.context or ''} {error.problem or ''}"
    message = next((words for piece, words in _IN_PLAIN_WORDS.items() if piece in said), _UNREADABLE)
    # A quote that is never closed is found at the end of the file, and mended where it was opened.
    mark = error.context_mark if "quoted scalar" in said and error.context_mark else error.problem_mark
    return Flaw(mark.line + 1 if mark else 1, message)
