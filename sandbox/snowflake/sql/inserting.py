"""Rows of a query into a table's storage: implicit conversions by Snowflake's types, companions, defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb
from sqlglot import exp

from sandbox.snowflake import errors
from sandbox.snowflake.catalog import sftypes
from sandbox.snowflake.catalog.catalog import Column, Table
from sandbox.snowflake.catalog.companions import OFFSET, Companion, companions_of, hidden, hidden_column
from sandbox.snowflake.catalog.names import quote
from sandbox.snowflake.catalog.sftypes import SfType
from sandbox.snowflake.rewriting import casts, dialect
from sandbox.snowflake.rewriting.companion_values import nanos_as, zero
from sandbox.snowflake.rewriting.expressions import (
    annotated,
    call_on_copies,
    companions_in,
    duck_cast,
    reference,
    type_of,
)
from sandbox.snowflake.rewriting.functions import rewrite
from sandbox.snowflake.rewriting.infer import annotate
from sandbox.snowflake.rewriting.scopes import fold
from sandbox.snowflake.sql.reading import Reader, Translation


@dataclass(frozen=True, slots=True)
class Assigned:
    """A value about to be stored: its expression for DuckDB, its type, and its companions where they are known."""

    value: exp.Expression
    type: SfType
    companions: Mapping[Companion, exp.Expression] = field(default_factory=dict)


def build_insert(
    reader: Reader,
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    columns: list[str],
    source: Translation,
) -> str:
    """INSERT of a translated query's rows into `table.storage`; columns not named get their defaults."""
    relation = connection.sql(source.sql)
    physical = list(zip(relation.columns, [str(t) for t in relation.types], strict=True))
    names = [name for name, _ in physical]
    shown = [i for i, (name, _) in enumerate(physical) if not hidden(name)]
    if len(shown) != len(columns):
        text = f"Insert value list does not match column list expecting {len(columns)} but got {len(shown)}"
        raise errors.compilation(2057, "42601", text)
    keys = [f"k{i}" for i in range(len(physical))]
    outputs = source.outputs
    values: dict[str, Assigned] = {}
    for position, (column, index) in enumerate(zip(columns, shown, strict=True)):
        _, kind = physical[index]
        output = outputs[position] if outputs is not None and len(outputs) == len(shown) else None
        declared = sftypes.reconcile(output.type if output else None, sftypes.from_duckdb(kind))
        companions = {
            c: reference(keys[names.index(h)]) for c, h in (output.hidden if output else {}).items()
        }
        values[column] = Assigned(reference(keys[index]), declared, companions)
    for column in table.columns:
        if column.name not in values and column.default is not None:
            values[column.name] = default_value(reader, column)
    targets, items = [], []
    for column in table.columns:
        if column.name in values:
            for name, item in stored(reader, column, values[column.name]):
                targets.append(quote(name))
                items.append(item)
    aliases = ", ".join(quote(k) for k in keys)
    return (
        f"INSERT INTO {quote(table.storage)} ({', '.join(targets)}) "
        f"SELECT {', '.join(items)} FROM ({source.sql}) AS q({aliases})"
    )


def default_value(reader: Reader, column: Column) -> Assigned:
    tree = dialect.parse_one(f"SELECT {column.default}")
    fold(tree)
    annotate(tree.expressions[0])
    value = rewrite(tree, reader.formats()).expressions[0]
    return Assigned(value, type_of(value) or column.type, companions_in(value))


def stored(reader: Reader, column: Column, assigned: Assigned) -> list[tuple[str, str]]:
    """What goes into a column's storage, and into the hidden columns beside it, as SQL."""
    formats = reader.formats()
    value = annotated(assigned.value.copy(), assigned.type, assigned.companions)
    converted = value if assigned.type == column.type else casts.convert(formats, value, column.type)
    if column.type.name == "NUMBER" or (
        assigned.type.name in {"NUMBER", "FLOAT"} and column.type.name == "FLOAT"
    ):
        converted = duck_cast(converted, column.type.duckdb)
    if column.type.name == "TEXT" and (column.type.length or 0) < sftypes.MAX_TEXT:
        converted = _checked_length(converted, column)
    found = [(column.name, converted.sql(dialect="duckdb"))]
    for companion in companions_of(column.type):
        if companion is OFFSET:
            beside = _offset(assigned, converted)
        else:
            beside = nanos_as(value, column.type) or zero(converted)
        found.append((hidden_column(column.name, companion), beside.sql(dialect="duckdb")))
    return found


def _checked_length(value: exp.Expression, column: Column) -> exp.Expression:
    length = exp.Literal.number(column.type.length or sftypes.MAX_TEXT)
    return exp.Anonymous(this="SF_CHECKED_LENGTH", expressions=[value, length])


def _offset(assigned: Assigned, converted: exp.Expression) -> exp.Expression:
    if OFFSET in assigned.companions:
        return assigned.companions[OFFSET].copy()
    if assigned.type.name == "TEXT":
        return call_on_copies("SF_TEXT_OFFSET", assigned.value)
    if assigned.type.name == "TIMESTAMP_TZ":
        return zero(assigned.value)
    return call_on_copies("SF_SESSION_OFFSET", converted)
