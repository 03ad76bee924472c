"""JMESPath over the event document: compiled once, and able to say which parts of the document it needs."""

from collections.abc import Iterator, Mapping
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult


class Expression:
    """One JMESPath expression. ``ValueError`` when it cannot be compiled."""

    __slots__ = ("_compiled", "_conjuncts", "paths", "text")

    def __init__(self, text: str) -> None:
        try:
            self._compiled = jmespath.compile(text)
        except JMESPathError as error:
            raise ValueError(str(error).splitlines()[0]) from error
        self.text = text
        self.paths = frozenset(_paths(self._compiled.parsed))
        self._conjuncts = [ParsedResult(text, node) for node in _conjuncts(self._compiled.parsed)]

    def search(self, document: Mapping[str, Any]) -> Any:
        """The value, or None. A function that is given an absent value gives None too: absent is not an error."""
        return _search(self._compiled, document)

    def absent(self, document: Mapping[str, Any]) -> list[str]:
        """The paths this expression reads that the document does not have at all (null counts as there)."""
        return sorted(".".join(path) for path in self.paths if not _has(document, path))

    def certainly_false(self, document: Mapping[str, Any]) -> bool:
        """Whether nothing that could still become known would make it true: a part joined by ``&&`` is known and false."""
        known = (part for part in self._conjuncts if all(_has(document, path) for path in _paths(part.parsed)))
        return any(not truthy(_search(part, document)) for part in known)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


def truthy(value: Any) -> bool:
    """JMESPath's truth: false, null and whatever is empty are not true; 0 is."""
    return value is not None and value is not False and value not in ("", [], {})


def _search(compiled: ParsedResult, document: Mapping[str, Any]) -> Any:
    try:
        return compiled.search(document)
    except JMESPathError:
        return None


def _conjuncts(node: Any) -> Iterator[Any]:
    if node["type"] == "and_expression":
        for child in node["children"]:
            yield from _conjuncts(child)
    else:
        yield node


def _paths(node: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Every chain of field names that starts at the document's root."""
    chain = _chain(node)
    if chain:
        yield chain
        return
    children = node.get("children", ())
    if node["type"] in {"subexpression", "pipe", "projection", "filter_projection", "flatten", "value_projection", "index_expression"}:
        children = children[:1]  # the rest is evaluated against what the first part gives, not against the root
    for child in children:
        if isinstance(child, Mapping):
            yield from _paths(child)


def _chain(node: Mapping[str, Any]) -> tuple[str, ...]:
    if node["type"] == "field":
        return (node["value"],)
    if node["type"] == "subexpression":
        links = [_chain(child) for child in node["children"]]
        if all(links):
            return tuple(name for link in links for name in link)
    return ()


def _has(document: Any, path: tuple[str, ...]) -> bool:
    for name in path:
        if not isinstance(document, Mapping) or name not in document:
            return False
        document = document[name]
    return True
