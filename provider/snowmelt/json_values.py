"""Frozen dataclasses as plain JSON values and back: for the ledger, XComs, `manifest.json` and reports.

A dataclass says all of its form itself, by its annotations: an enum is its text, a tuple a list, `Rounded` a number of
three decimals, a `computed_field` is written and never read. Reading is strict: a text is not a number, a word that the enum
does not know is refused; a key that the dataclass does not know is left aside, so that an older reader takes what a newer
writer adds. A form that changed is upgraded by the class, in a `model_validator(mode="before")`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import GetCoreSchemaHandler, TypeAdapter
from pydantic_core import core_schema

Value = TypeVar("Value")


class _Milliseconds:
    """Writes a number with three decimals. pydantic's own PlainSerializer is one more module for each parsing of a DAG file."""

    @staticmethod
    def __get_pydantic_core_schema__(source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        written = core_schema.plain_serializer_function_ser_schema(lambda number: round(number, 3))
        return {**handler(source), "serialization": written}


#: Seconds, written to the millisecond.
Rounded = Annotated[float, _Milliseconds]


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def to_json(value: Any) -> dict[str, Any]:
    """The dataclass as a dict of JSON's own types, its fields in their order."""
    adapter = _adapter(type(value))  # type: ignore[arg-type] # a class is hashable
    written: dict[str, Any] = adapter.dump_python(value, mode="json")
    return written


def from_json(kind: type[Value], data: Mapping[str, Any]) -> Value:
    """The value that `to_json` wrote.

    :raises ValueError: a field is missing, or is not of its type; each is named.
    """
    adapter: TypeAdapter[Value] = _adapter(kind)  # type: ignore[arg-type] # a class is hashable
    return adapter.validate_json(json.dumps(dict(data)), strict=True)
