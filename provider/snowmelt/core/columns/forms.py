"""How values stand in staged files: the format of the files, the form of a value, and the Arrow types that it may come as."""

from __future__ import annotations

from enum import StrEnum


class FileFormat(StrEnum):
    """What the staged files are."""

    PARQUET = "parquet"
    CSV = "csv"


class Form(StrEnum):
    """How a value stands in a staged file."""

    INTEGER = "integer"  #: a number without a fraction (Parquet: any integer, or a decimal of scale 0)
    DECIMAL = "decimal"  #: a number with a fraction (Parquet: decimal)
    DOUBLE = "double"
    BOOLEAN = "boolean"
    DATE = "date"
    EPOCH_US = "epoch_us"  #: microseconds since 1970-01-01T00:00:00Z, an integer (CSV: ISO text)
    TIME_US = "time_us"  #: microseconds since midnight, an integer (CSV: ISO text)
    TEXT = "text"
    BYTES = "bytes"  #: Parquet binary (CSV: \x and hexadecimal digits)
    JSON = "json"
    EWKT = "ewkt"
    VECTOR = "vector"  #: a JSON array as text (CSV: PostgreSQL's array text)
    UUID = "uuid"


class ArrowKind(StrEnum):
    """Arrow types that are told apart; what is of none of these kinds is never loaded (timestamps, float, nested types)."""

    INTEGER = "integer"
    WHOLE = "whole decimal"
    DECIMAL = "decimal"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    DATE = "date"
    TEXT = "text"
    BYTES = "bytes"


#: The Arrow types of each kind, as Arrow prints them. A dictionary of one of them is of its kind.
ARROW_TYPES: dict[ArrowKind, tuple[str, ...]] = {
    ArrowKind.INTEGER: ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    ArrowKind.WHOLE: ("decimal128(p, 0)", "decimal256(p, 0)"),
    ArrowKind.DECIMAL: ("decimal128(p, s)", "decimal256(p, s)"),
    ArrowKind.DOUBLE: ("double",),
    ArrowKind.BOOLEAN: ("bool",),
    ArrowKind.DATE: ("date32",),
    ArrowKind.TEXT: ("string", "large_string", "string_view"),
    ArrowKind.BYTES: ("binary", "large_binary", "binary_view", "fixed_size_binary"),
}
