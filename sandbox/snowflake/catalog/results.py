"""A statement's result: Arrow as DuckDB gave it, with Snowflake's types, and its two forms on the wire."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sandbox.snowflake.catalog import sftypes
from sandbox.snowflake.catalog.companions import NANOS, OFFSET, Companion
from sandbox.snowflake.catalog.sftypes import SfType

#: Snowflake's statement type ids, as the clients know them.
SELECT = 0x1000
UNKNOWN = 0x0000
INSERT, UPDATE, DELETE, MERGE, COPY = 0x3100, 0x3200, 0x3300, 0x3400, 0x3600
USE, SHOW, DESCRIBE, TCL, DDL = 0x4300, 0x4400, 0x4500, 0x5000, 0x6000
DML = {INSERT, UPDATE, DELETE, MERGE, 0x3000, 0x3500}


@dataclass(frozen=True, slots=True)
class ResultColumn:
    name: str
    type: SfType
    nullable: bool = True
    hidden: Mapping[Companion, str] = field(default_factory=dict)


@dataclass
class Result:
    """`table` may hold hidden columns behind its visible ones (see `companions`)."""

    columns: list[ResultColumn]
    table: pa.Table
    statement_type: int = SELECT
    affected: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


def rows_result(
    columns: list[tuple[str, SfType]], rows: list[tuple[Any, ...]], statement_type: int = UNKNOWN
) -> Result:
    """A result made by hand (SHOW, DESCRIBE, DDL)."""
    arrays = [pa.array([r[i] for r in rows], type=_arrow_type(kind)) for i, (_, kind) in enumerate(columns)]
    table = pa.Table.from_arrays(arrays, names=[str(i) for i in range(len(columns))])
    return Result([ResultColumn(n, k) for n, k in columns], table, statement_type)


def status_result(text: str, statement_type: int = DDL) -> Result:
    return rows_result([("status", sftypes.TEXT)], [(text,)], statement_type)


SUCCESS = "Statement executed successfully."


def _arrow_type(kind: SfType) -> pa.DataType:
    match kind.name:
        case "NUMBER":
            return pa.int64() if not kind.scale else pa.decimal128(38, kind.scale)
        case "BOOLEAN":
            return pa.bool_()
        case "FLOAT":
            return pa.float64()
        case "DATE":
            return pa.date32()
        case "TIMESTAMP_NTZ":
            return pa.timestamp("us")
        case "TIMESTAMP_LTZ" | "TIMESTAMP_TZ":
            return pa.timestamp("us", tz="UTC")
    return pa.string()


def rowtype(columns: list[ResultColumn]) -> list[dict[str, Any]]:
    return [_rowtype(c) for c in columns]


def _rowtype(column: ResultColumn) -> dict[str, Any]:
    kind = column.type
    length = {
        "TEXT": kind.length or sftypes.MAX_TEXT,
        "BINARY": kind.length or sftypes.MAX_BINARY,
        "UUID": 36,
    }.get(kind.name)
    temporal = kind.name in {"TIME", *sftypes.TIMESTAMPS}
    return {
        "name": column.name,
        "database": "",
        "schema": "",
        "table": "",
        "nullable": column.nullable,
        "type": kind.wire if kind.wire not in {"geography", "geometry"} else "text",
        "byteLength": min(length * 4, sftypes.MAX_TEXT) if length and kind.name == "TEXT" else length,
        "length": length,
        "precision": kind.precision if kind.name == "NUMBER" else 0 if temporal else None,
        "scale": kind.scale if kind.name == "NUMBER" else kind.digits if temporal else None,
        "collation": None,
        **({"vectorDimension": kind.dimension, "fields": [_element(kind)]} if kind.name == "VECTOR" else {}),
    }


def _element(kind: SfType) -> dict[str, Any]:
    integral = kind.element == "INT"
    return {"type": "fixed" if integral else "real", "nullable": True, "length": None, "byteLength": None,
            "precision": 38 if integral else None, "scale": 0 if integral else None, "name": "", "database": "",
            "schema": "", "table": "", "collation": None}  # fmt: skip


def arrow_base64(result: Result) -> str:
    """The Arrow stream that the connectors read, base64."""
    if result.table.num_rows == 0:
        return ""
    arrays, fields = [], []
    for index, column in enumerate(result.columns):
        array = _chunk(result.table.column(index))
        converted = _to_wire(array, column.type, _beside(result, column))
        arrays.append(converted)
        kind = column.type
        metadata = {
            "logicalType": _rowtype(column)["type"].upper(),
            "precision": str(kind.precision or 38),
            "scale": str(kind.digits or kind.scale or 0),
            "charLength": str(kind.length or 0),
        }
        fields.append(pa.field(column.name, converted.type, nullable=True, metadata=metadata))
    sink = pa.BufferOutputStream()
    schema = pa.schema(fields)
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_table(pa.Table.from_arrays(arrays, schema=schema), max_chunksize=100_000)
    return base64.b64encode(sink.getvalue()).decode()


def _chunk(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    return combined if isinstance(combined, pa.Array) else pa.concat_arrays(combined.chunks)


def _beside(result: Result, column: ResultColumn) -> dict[Companion, pa.Array]:
    """A column's companions, 0 where one is not known."""
    return {
        c: pc.fill_null(_chunk(result.table.column(name)).cast(pa.int32()), pa.scalar(0, pa.int32()))
        for c, name in column.hidden.items()
    }


def _to_wire(array: pa.Array, kind: SfType, beside: dict[Companion, pa.Array]) -> pa.Array:
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), pa.string())
    match kind.name:
        case "NUMBER":
            return _number(array, kind)
        case "TIMESTAMP_NTZ" | "TIMESTAMP_LTZ" | "TIMESTAMP_TZ":
            return _timestamp(array, kind, beside)
        case "TIME":
            nanoseconds = pc.multiply(array.cast(pa.time64("us")).cast(pa.int64()), 1000)
            if NANOS in beside:
                nanoseconds = pc.add(nanoseconds, beside[NANOS].cast(pa.int64()))
            return pc.divide(nanoseconds, 10 ** (9 - kind.digits))  # the unit in which the connectors read it
        case "UUID":
            return uuid_text(array)
        case "VARIANT" | "OBJECT" | "ARRAY":
            if not pa.types.is_string(array.type) and not pa.types.is_large_string(array.type):
                return pa.array(
                    [None if v is None else json.dumps(v, default=str) for v in array.to_pylist()],
                    pa.string(),
                )
    if pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type):
        return array.cast(pa.string())
    return array


def uuid_text(array: pa.Array) -> pa.Array:
    if pa.types.is_string(array.type):
        return array
    hexed = [None if v is None else v.hex() for v in array.cast(pa.binary()).to_pylist()]
    text = [h and f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}" for h in hexed]
    return pa.array(text, pa.string())


def _number(array: pa.Array, kind: SfType) -> pa.Array:
    """Numbers without a fraction travel as the narrowest integer that takes them, as Snowflake sends them."""
    if pa.types.is_boolean(array.type):
        return array.cast(pa.int8())
    if pa.types.is_decimal(array.type) and (kind.scale or array.type.scale):
        return array
    if pa.types.is_integer(array.type) and not pa.types.is_uint64(array.type):
        return array.cast(pa.int64())
    try:
        return array.cast(pa.int64())
    except pa.ArrowInvalid:
        return array.cast(pa.decimal128(38, 0))


def _timestamp(array: pa.Array, kind: SfType, beside: dict[Companion, pa.Array]) -> pa.Array:
    micros = array.cast(pa.timestamp("us", tz=getattr(array.type, "tz", None))).cast(pa.int64())
    seconds = _floor_seconds(micros)
    fraction = pc.multiply(pc.subtract(micros, pc.multiply(seconds, 1_000_000)), 1000).cast(pa.int32())
    if NANOS in beside:
        fraction = pc.add(fraction, beside[NANOS])
    zero = pa.scalar(0, pa.int64())
    children = [pc.fill_null(seconds, zero), pc.fill_null(fraction, pa.scalar(0, pa.int32()))]
    fields = [pa.field("epoch", pa.int64(), nullable=False), pa.field("fraction", pa.int32(), nullable=False)]
    if kind.name == "TIMESTAMP_TZ":
        minutes = beside.get(OFFSET, pa.array([0] * len(array), pa.int32()))
        children.append(pc.add(minutes, pa.scalar(1440, pa.int32())))
        fields.append(pa.field("timezone", pa.int32(), nullable=False))
    return pa.StructArray.from_arrays(children, fields=fields, mask=array.is_null())


def _floor_seconds(micros: pa.Array) -> pa.Array:
    whole = pc.divide(micros, 1_000_000)
    inexact = pc.not_equal(pc.multiply(whole, 1_000_000), micros)
    return pc.subtract(whole, pc.and_(inexact, pc.less(micros, 0)).cast(pa.int64()))


def json_rows(result: Result) -> list[list[str | None]]:
    """The rows as Snowflake's JSON format has them: every value a text."""
    columns = []
    for index, column in enumerate(result.columns):
        values = _chunk(result.table.column(index)).to_pylist()
        columns.append([_json_value(v, column.type) for v in values])
    return [list(row) for row in zip(*columns, strict=True)]


def _json_value(value: Any, kind: SfType) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        zoned = value if value.tzinfo else value.replace(tzinfo=dt.UTC)
        delta = zoned - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        micros = (delta.days * 86400 + delta.seconds) * 1_000_000 + delta.microseconds
        text = f"{decimal.Decimal(micros) / 1_000_000:.9f}"
        return f"{text} 1440" if kind.name == "TIMESTAMP_TZ" else text
    if isinstance(value, dt.date):
        return str((value - dt.date(1970, 1, 1)).days)
    return str(value)
