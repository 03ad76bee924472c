"""What all models have in common."""

import re
from datetime import datetime
from functools import cache
from typing import Annotated, Any, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from bridge.model import iso

T = TypeVar("T")


class _Given:
    """What comes in is of its type where it is there: ``null`` is no value."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        nullable = handler(source)
        return cast(CoreSchema, nullable["schema"]) if nullable["type"] == "nullable" else nullable


class _Known:
    """What goes out is left out where there is none, so that its description knows no ``null`` either."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(schema["schema"] if schema["type"] == "nullable" else schema)


Given = Annotated[T | None, _Given()]
Known = Annotated[T | None, _Known()]


def without_default(schema: dict[str, Any]) -> None:
    """A default of None is one that JSON does not have."""
    for field in schema.get("properties", {}).values():
        if field.get("default", "") is None:
            del field["default"]


class Form(BaseModel):
    """What comes in: a body, parameters. What is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, json_schema_extra=without_default)

    @classmethod
    def model_json_schema(cls, *how: Any, **more: Any) -> dict[str, Any]:
        """Asked for with every request, and made once."""
        return super().model_json_schema(*how, **more) if how or more else _schema(cls)


@cache
def _schema(form: type[Form]) -> dict[str, Any]:
    return super(Form, form).model_json_schema()


class Told(BaseModel):
    """What goes out."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=without_default)


def example(value: Any, description: str, **constraints: Any) -> Any:
    """A field with both; without ``default`` it must be there."""
    return Field(description=description, json_schema_extra={"example": value}, **constraints)


def _whole(value: Any) -> Any:
    """A parameter is text: ``5`` is a number, `` 5``, ``5.0`` and ``5_0`` are none."""
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]{1,9}", value):
        raise ValueError("must be a whole number")
    return value


def _yes_or_no(value: Any) -> Any:
    if isinstance(value, str) and value not in {"true", "false"}:
        raise ValueError("must be true or false")
    return value


Moment = Annotated[
    datetime,
    PlainSerializer(iso, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""ISO 8601 in UTC."""

Number = Annotated[int, BeforeValidator(_whole)]
Flag = Annotated[bool, BeforeValidator(_yes_or_no)]
