"""Bodies: JSON, and what is not JSON read into what JSON would have said: forms with nested names, and XML, where everything is text.

All refuse with ``Unreadable`` what is broken or made to hurt, and none follows a reference out of the body.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element, ParseError

from defusedxml.ElementTree import fromstring

from bridge.errors import Unreadable

FORM = "application/x-www-form-urlencoded"

DEEPEST = 50
"""How far a body may nest: no CRM comes near it, and what nests without end takes recursive readers down."""

_BOM = b"\xef\xbb\xbf"
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_MOST_FIELDS = 5000
_BRACKETED = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])+)")
_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_DECLARATION = re.compile(r"\s*<\?xml\b[^>]*\?>")


def starts_with(body: bytes, *starts: bytes) -> bool:
    """Whether the first character of a body is one of these, past blanks: what it is, where its headers are not to be believed."""
    return body.removeprefix(_BOM).lstrip().startswith(starts)


def read_json(body: bytes) -> Any:
    """The JSON of a body. ``Unreadable`` for anything else, however it is broken: encoding, depth, numbers."""
    try:
        written = body.decode("utf-8-sig")
        document = _DECODER.decode(written)
    except UnicodeDecodeError as error:
        raise Unreadable("the body is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise Unreadable(f"the body is not JSON: {error}") from error
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"the body is not JSON: {_in_our_words(error)}") from error
    if written.count("[") + written.count("{") > DEEPEST and _nests_deeper(document):
        raise Unreadable(f"the body nests deeper than {DEEPEST} levels")
    return _without_surrogates(document) if _SURROGATE.search(written) else document


def read_form(body: bytes) -> Any:
    """``contact.phone``, ``contact[phone]`` and ``phones[]`` are nested; ``[0]``, ``[1]`` … and a repeated name make a list."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise Unreadable(f"the body is not a form: {error}") from error
    root: dict[str, Any] = {}
    for name, value in pairs:
        _put(root, _path(name), value)
    return _with_lists(root)


def read_fields(body: bytes) -> Any:
    """A CRM's form, also where something between (an automation tool, a queue, the vendor's own documentation) has made JSON of it."""
    if not starts_with(body, b"{"):
        return read_form(body)
    root: dict[str, Any] = {}
    for name, value in read_json(body).items():
        _put(root, _path(name), value)
    return _with_lists(root)


def form_fields(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The fields of a form that says what this JSON does, named as PHP names them: what :func:`read_form` undoes."""
    if not isinstance(value, dict | list):
        yield name, "" if value is None else str(value)
        return
    for inner, child in value.items() if isinstance(value, dict) else enumerate(value):
        yield from form_fields(child, f"{name}[{inner}]" if name else str(inner))


def read_xml(body: bytes) -> dict[str, Any]:
    """Elements by name, repeated ones as a list; attributes and namespaces are left out.

    Zapier sends elements side by side without a root. Where one element holds everything, it is taken for the root.
    """
    root = xml_root(body, wrapped=True)
    children = list(root)
    if not children:
        raise Unreadable("the body is not XML: there is no element in it")
    found = _value(children[0] if len(children) == 1 and len(children[0]) else root, DEEPEST)
    return found if isinstance(found, dict) else {}


def xml_root(body: bytes, *, wrapped: bool = False) -> Element:
    """The root, or one that is put around what has none (``wrapped``). DTDs and entities are refused."""
    try:
        written = _DECLARATION.sub("", body.decode("utf-8-sig").strip(), count=1)
        root: Element = fromstring(f"<root>{written}</root>" if wrapped else written, forbid_dtd=True)
    except (ParseError, ValueError) as error:  # defusedxml's refusals are ValueErrors
        raise Unreadable(f"the body is not XML: {error}") from error
    return root


def _path(name: str) -> Sequence[str]:
    bracketed = _BRACKETED.fullmatch(name)
    head, rest = (bracketed[1], _BRACKET.findall(bracketed[2])) if bracketed else (name, [])
    parts = head.split(".")
    path = [*(parts if all(parts) else [head]), *rest]
    if len(path) > DEEPEST:
        raise Unreadable(f"the body nests deeper than {DEEPEST} levels")
    return path


def _put(node: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for part in path[:-1]:
        child = node.setdefault(part or str(len(node)), {})
        if not isinstance(child, dict):
            child = node[part] = {}
        node = child
    _add(node, path[-1] or str(len(node)), value)


def _add(node: dict[str, Any], name: str, value: Any) -> None:
    """What is told twice becomes a list of both: where one value is wanted, a list is refused rather than guessed from."""
    if name not in node:
        node[name] = value
    elif isinstance(node[name], list):
        node[name].append(value)
    else:
        node[name] = [node[name], value]


def _with_lists(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_lists(item) for item in node]
    if not isinstance(node, dict):
        return node
    values = {name: _with_lists(value) for name, value in node.items()}
    return [values[str(place)] for place in range(len(values))] if values and values.keys() == set(map(str, range(len(values)))) else values


def _value(element: Element, room: int) -> Any:
    if not room:
        raise Unreadable(f"the body nests deeper than {DEEPEST} levels")
    if not len(element):
        return (element.text or "").strip()
    found: dict[str, Any] = {}
    for child in element:
        name, value = child.tag.rpartition("}")[2], _value(child, room - 1)
        _add(found, name, value)
    return found


def _in_our_words(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return "a number has more digits than anybody counts" if "digits" in str(error) else str(error)


def _nests_deeper(document: Any) -> bool:
    level = [document]
    for _ in range(DEEPEST):
        level = [child for value in level for child in _children(value)]
        if not level:
            return False
    return True


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _no_number(name: str) -> Any:
    msg = f"{name} is no JSON number"
    raise ValueError(msg)


def _finite(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else _no_number(digits)


_DECODER = json.JSONDecoder(parse_constant=_no_number, parse_float=_finite)
"""Made once: `json.loads` makes one for each body where it is told how to read numbers."""


def _without_surrogates(value: Any) -> Any:
    """Half of a UTF-16 pair is no character: nothing could store, log or sign it."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(name): _without_surrogates(item) for name, item in value.items()}
    return value
