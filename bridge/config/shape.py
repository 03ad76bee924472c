"""Walks the schema beside the data: which keys belong at a place, and which texts are secrets."""

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

from bridge.config.schema import Config
from bridge.config.yaml_lines import Place
from bridge.sources import kinds
from bridge.sources.base import SourceSettings

_REDIS_URL = ("redis", "url")  # may hold a password
_SHORTEST_SECRET = 4  # a shorter one would be found in every second word


def keys_at(place: Place, data: Mapping[str, Any]) -> list[str]:
    """The keys that may stand in the mapping at a place; empty where any may."""
    model = _model(_annotation(place, data))
    return [field.alias or name for name, field in model.model_fields.items()] if model else []


def secrets_in(data: Any, place: Place = (), annotation: Any = Config) -> Iterator[str]:
    """Every text at or below a place where the schema has a secret, whatever its form."""
    if _is_secret(annotation) or place == _REDIS_URL:
        yield from (leaf for leaf in _leaves(data) if len(leaf) >= _SHORTEST_SECRET)
        return
    for part, item in _items(data):
        inner = _source_settings(item) if place == ("sources",) else _step(annotation, part)
        yield from secrets_in(item, (*place, part), inner)


def _annotation(place: Place, data: Mapping[str, Any]) -> Any:
    """The type that the schema has at a place; None where it has none."""
    annotation: Any = Config
    for depth, part in enumerate(place):
        annotation = _source_settings(data["sources"][part]) if place[:depth] == ("sources",) else _step(annotation, part)
    return annotation


def _source_settings(settings: Any) -> type[SourceSettings]:
    """The settings of the kind that is named; where none is, what every source has: ``secret`` is a secret in all of them."""
    kind = settings.get("kind") if isinstance(settings, dict) else None
    adapter = kinds().get(kind) if isinstance(kind, str) else None
    return adapter.settings_type if adapter else SourceSettings


def _step(annotation: Any, part: str | int) -> Any:
    """The type of a key or item of something of this type."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _step(arguments[0], part)
    if origin in {Union, UnionType}:
        return next((found for branch in arguments if (found := _step(branch, part)) is not None), None)
    if isinstance(origin, type):
        return arguments[1] if issubclass(origin, Mapping) else arguments[0]
    model = _model(annotation)
    fields = model.model_fields.items() if model else ()
    return next((field.annotation for name, field in fields if part in {name, field.alias}), None)


def _model(annotation: Any) -> type[BaseModel] | None:
    """The model that an annotation comes down to."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = get_args(annotation) if get_origin(annotation) in {Annotated, Union, UnionType} else ()
    return next((model for branch in inner if (model := _model(branch))), None)


def _is_secret(annotation: Any) -> bool:
    """Itself or each of a list; what a mapping holds is looked at under its names, which are none."""
    if get_origin(annotation) is Mapping:
        return False
    return annotation is SecretStr or any(_is_secret(argument) for argument in get_args(annotation))


def _items(data: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(data, dict):
        yield from data.items()
    elif isinstance(data, list):
        yield from enumerate(data)


def _leaves(data: Any) -> Iterator[str]:
    for part, item in _items(data):
        yield str(part)
        yield from _leaves(item)
    if isinstance(data, str | int):
        yield str(data)
