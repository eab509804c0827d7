"""A column of one Snowflake type, its values as SQL literals, and what PostgreSQL must hold of each."""

from __future__ import annotations

import datetime as dt
import math
import struct
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Case:
    """One column of a source table."""

    #: In Snowflake; the target's is the same in lower case.
    name: str
    #: As CREATE TABLE takes it in Snowflake.
    type: str
    #: The target column's type as format_type prints it.
    target: str
    #: (SQL literal of Snowflake, the value as psycopg must give it back).
    values: tuple[tuple[str, Any], ...]
    #: What is selected of the target column.
    read: str = "{c}"
    #: The offset goes into a second column.
    keep_offset: bool = False

    def __str__(self) -> str:
        return f"{self.name} {self.type}"


def text_literal(text: str) -> str:
    """A text as Snowflake reads it: backslash is an escape inside quotes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def float_bits(value: float) -> bytes:
    """The eight bytes of a double, as float8send gives them."""
    return struct.pack(">d", value)


def exact(value: Any) -> Any:
    """A value with its type and all of its digits: 1, 1.0, 1.00 and True are four values, 0.0 and -0.0 are two."""
    if isinstance(value, (list, tuple)):
        return tuple(exact(each) for each in value)
    if isinstance(value, float):
        return "float", "nan" if math.isnan(value) else float_bits(value)
    if isinstance(value, Decimal):
        return "Decimal", str(value)
    if isinstance(value, dt.datetime) and value.tzinfo is not None:
        return "instant", value.astimezone(dt.UTC).isoformat()
    if isinstance(value, (bytes, memoryview)):
        return "bytes", bytes(value)
    return type(value).__name__, value
