"""JMESPath over the event document: compiled once, and able to say which parts of the document it needs."""

from collections.abc import Container, Iterator, Mapping
from typing import Annotated, Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.parser import ParsedResult
from pydantic import BeforeValidator

# The library compares and searches with Python's own operators, which refuse what they cannot compare: a number and a text, say.
_FAILURES = (JMESPathError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError)

_DECIDED_BY = {"and_expression": False, "or_expression": True}
"""What one part must be for the whole to be the same, whatever the other parts are."""


_ONWARD = frozenset({"subexpression", "pipe", "projection", "filter_projection", "flatten", "value_projection", "index_expression"})
"""Nodes whose first part alone is evaluated against the root."""


class Expression:
    """One JMESPath expression. ``ValueError`` when it cannot be compiled."""

    __slots__ = ("_compiled", "_plain", "paths", "text")

    def __init__(self, text: str) -> None:
        try:
            self._compiled = jmespath.compile(text)
        except JMESPathError as error:
            raise ValueError(str(error).splitlines()[0]) from error
        if _negates_too_little(self._compiled.parsed):
            raise ValueError("! binds more tightly than the dot, so !a.b is never true: write !(a.b)")
        _check_functions(self._compiled.parsed)
        self.text = text
        self.paths = frozenset(_paths(self._compiled.parsed))
        self._plain = _plain_path(self._compiled.parsed)

    def search(self, document: Mapping[str, Any]) -> Any:
        """The value, or None. A function that is given an absent value gives None too: absent is not an error."""
        return _at(document, self._plain) if self._plain else _value(self._compiled.parsed, document)

    def absent(self, document: Mapping[str, Any]) -> list[str]:
        """The paths this expression reads that the document does not have at all (null counts as there)."""
        return sorted(".".join(path) for path in self.paths if not _has(document, path))

    def verdict(self, document: Mapping[str, Any], learnable: Container[str]) -> bool | None:
        """Whether it is true; None where that depends on what is absent and may still be learned.

        ``learnable`` names the parts of the document that can grow. A part joined by ``&&`` or ``||`` may decide by itself.
        """
        return _verdict(self._compiled.parsed, document, learnable)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


def _compiled(value: Any) -> Expression:
    if isinstance(value, Expression):
        return value
    if not isinstance(value, str):
        raise ValueError(f"'{value}' is no JMESPath; a constant is written in backticks or quotes, such as \"'gold'\"")
    try:
        return Expression(value)
    except ValueError as error:
        raise ValueError(f"bad JMESPath: {error}") from error


JMESPath = Annotated[Expression, BeforeValidator(_compiled)]
"""A setting that is an expression. Its model needs ``arbitrary_types_allowed``."""


def truthy(value: Any) -> bool:
    """JMESPath's truth: false, null and whatever is empty are not true; 0 is."""
    return value is not None and value is not False and value not in ("", [], {})


def _value(node: Any, document: Mapping[str, Any]) -> Any:
    """As JMESPath has it, but that an error spoils no more than the part it is in."""
    if node["type"] in _DECIDED_BY:
        value: Any = None
        for child in node["children"]:
            value = _value(child, document)
            if truthy(value) is _DECIDED_BY[node["type"]]:
                break
        return value
    if node["type"] == "not_expression":
        return not truthy(_value(node["children"][0], document))
    try:
        return ParsedResult("", node).search(document)
    except _FAILURES:
        return None


def _plain_path(node: Any) -> tuple[str, ...]:
    """The names of ``a.b.c``; empty for anything else."""
    if node["type"] == "field":
        return (node["value"],)
    if node["type"] != "subexpression" or any(child["type"] != "field" for child in node["children"][1:]):
        return ()
    first = _plain_path(node["children"][0])
    return (*first, *(child["value"] for child in node["children"][1:])) if first else ()


def _at(document: Any, path: tuple[str, ...]) -> Any:
    """What the library finds too, some twenty times as quickly: most expressions are plain paths, and each event reads several."""
    for name in path:
        if not isinstance(document, Mapping):
            return None
        document = document.get(name)
    return document


def _verdict(node: Any, document: Mapping[str, Any], learnable: Container[str]) -> bool | None:
    if node["type"] in _DECIDED_BY:
        parts = [_verdict(child, document, learnable) for child in node["children"]]
        decisive = _DECIDED_BY[node["type"]]
        return decisive if decisive in parts else None if None in parts else not decisive
    if node["type"] == "not_expression":
        inner = _verdict(node["children"][0], document, learnable)
        return None if inner is None else not inner
    if any(path[0] in learnable and not _has(document, path) for path in _paths(node)):
        return None
    return truthy(_value(node, document))


def _negates_too_little(node: Any) -> bool:
    """Whether somewhere a field is taken of what ``!`` gives, which is a boolean and has none."""
    children = [child for child in node.get("children", ()) if isinstance(child, Mapping)]
    if node["type"] == "subexpression" and children[0]["type"] == "not_expression":
        return True
    return any(_negates_too_little(child) for child in children)


def _check_functions(node: Any) -> None:
    """The compiler takes any name and any number of arguments; an expression that cannot work would be false for ever, in silence."""
    if node["type"] == "function_expression":
        known = Functions.FUNCTION_TABLE.get(node["value"])
        if known is None:
            raise ValueError(f"there is no function {node['value']}(); there are {', '.join(sorted(Functions.FUNCTION_TABLE))}")
        wanted, given = known["signature"], len(node["children"])
        more = bool(wanted) and wanted[-1].get("variadic", False)
        if given < len(wanted) or (given > len(wanted) and not more):
            raise ValueError(
                f"{node['value']}() takes {len(wanted)} argument{'s' if len(wanted) != 1 else ''}{' or more' if more else ''}, not {given}"
            )
    for child in node.get("children", ()):
        if isinstance(child, Mapping):
            _check_functions(child)


def _paths(node: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Every chain of field names that starts at the document's root."""
    names, _ = _chain(node)
    if names:
        yield names
        return
    if node["type"] == "expref":  # about each item, not about the root
        return
    children = node.get("children", ())
    if node["type"] in _ONWARD:
        children = children[:1]  # the rest is evaluated against what the first part gives, not against the root
    for child in children:
        if isinstance(child, Mapping):
            yield from _paths(child)


def _chain(node: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
    """The field names it begins with, none for ``@`` itself, and whether that is all there is to it."""
    if node["type"] in {"field", "current"}:
        return (node["value"],) if node["type"] == "field" else (), True
    if node["type"] not in _ONWARD:
        return (), False
    names: tuple[str, ...] = ()
    for child in node["children"]:
        more, whole = _chain(child)
        names += more
        if not whole or node["type"] not in {"subexpression", "pipe"}:
            return names, False
    return names, True


def _has(document: Any, path: tuple[str, ...]) -> bool:
    for name in path:
        if not isinstance(document, Mapping) or name not in document:
            return False
        document = document[name]
    return True
