"""JMESPath over the event document: compiled once, and able to say which parts of the document it needs."""

from collections.abc import Iterator, Mapping
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError


class Expression:
    """One JMESPath expression. ``ValueError`` when it cannot be compiled."""

    __slots__ = ("_compiled", "paths", "text")

    def __init__(self, text: str) -> None:
        try:
            self._compiled = jmespath.compile(text)
        except JMESPathError as error:
            raise ValueError(str(error).splitlines()[0]) from error
        self.text = text
        self.paths = frozenset(_paths(self._compiled.parsed))

    def search(self, document: Mapping[str, Any]) -> Any:
        """The value, or None. A function that is given an absent value gives None too: absent is not an error."""
        try:
            return self._compiled.search(document)
        except JMESPathError:
            return None

    def absent(self, document: Mapping[str, Any]) -> list[str]:
        """The paths this expression reads that the document does not have at all (null counts as there)."""
        return sorted(".".join(path) for path in self.paths if not _has(document, path))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"


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
