"""Rows of a query into a table's storage: implicit conversions by Snowflake's types, hidden offsets, defaults."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
from sqlglot import exp

from sandbox.snowflake import dialect, errors, rewrite_casts, sftypes
from sandbox.snowflake.catalog import Column, Table
from sandbox.snowflake.infer import OFFSET, TYPE, annotate
from sandbox.snowflake.names import quote
from sandbox.snowflake.reading import Reader, Translation
from sandbox.snowflake.rewrite import rewrite
from sandbox.snowflake.scopes import fold, hidden
from sandbox.snowflake.sftypes import SfType
from sandbox.snowflake.store import offset_column


@dataclass(frozen=True, slots=True)
class Given:
    """A value about to be stored: its expression, its type, its offset in minutes where it has one."""

    value: exp.Expression
    type: SfType
    offset: exp.Expression | None = None


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
    shown = [i for i, (name, _) in enumerate(physical) if not hidden(name)]
    if len(shown) != len(columns):
        text = f"Insert value list does not match column list expecting {len(columns)} but got {len(shown)}"
        raise errors.compilation(2057, "42601", text)
    keys = [f"k{i}" for i in range(len(physical))]
    outputs = source.outputs
    values: dict[str, Given] = {}
    for position, (column, index) in enumerate(zip(columns, shown, strict=True)):
        name, kind = physical[index]
        output = outputs[position] if outputs is not None and len(outputs) == len(shown) else None
        declared = sftypes.reconcile(output.type if output else None, sftypes.from_duckdb(kind))
        behind = next((i for i, (n, _) in enumerate(physical) if n == offset_column(name)), None)
        offset = exp.column(exp.to_identifier(keys[behind], quoted=True)) if behind is not None else None
        values[column] = Given(exp.column(exp.to_identifier(keys[index], quoted=True)), declared, offset)
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


def default_value(reader: Reader, column: Column) -> Given:
    tree = dialect.parse_one(f"SELECT {column.default}")
    fold(tree)
    value = tree.expressions[0]
    annotate(value)
    kind = value.meta.get(TYPE)
    offset = value.meta.get(OFFSET)
    rewritten = rewrite(exp.select(value), reader.formats()).expressions[0]
    return Given(rewritten, kind or column.type, offset)


def stored(reader: Reader, column: Column, given: Given) -> list[tuple[str, str]]:
    """What goes into a column's storage, and into the hidden column beside a TIMESTAMP_TZ, as SQL."""
    formats = reader.formats()
    value = given.value.copy()
    value.meta[TYPE] = given.type
    if given.offset is not None:
        value.meta[OFFSET] = given.offset.copy()
    converted = value if given.type == column.type else rewrite_casts.convert(formats, value, column.type)
    if column.type.name == "NUMBER" or (
        given.type.name in {"NUMBER", "FLOAT"} and column.type.name == "FLOAT"
    ):
        converted = rewrite_casts.duck_cast(converted, column.type.duckdb)
    if column.type.name == "TEXT" and (column.type.length or 0) < sftypes.MAX_TEXT:
        converted = _checked_length(converted, column)
    found = [(column.name, converted.sql(dialect="duckdb"))]
    if column.type.name == "TIMESTAMP_TZ":
        found.append((offset_column(column.name), _offset(given, converted).sql(dialect="duckdb")))
    return found


def _checked_length(value: exp.Expression, column: Column) -> exp.Expression:
    length = exp.Literal.number(column.type.length or sftypes.MAX_TEXT)
    return exp.Anonymous(this="SF_CHECKED_LENGTH", expressions=[value, length])


def _offset(given: Given, converted: exp.Expression) -> exp.Expression:
    if given.offset is not None:
        return given.offset.copy()
    if given.type.name == "TEXT":
        return exp.Anonymous(this="SF_TEXT_OFFSET", expressions=[given.value.copy()])
    if given.type.name == "TIMESTAMP_TZ":
        null = exp.Is(this=given.value.copy(), expression=exp.Null())
        return exp.Case(ifs=[exp.If(this=exp.Not(this=null), true=exp.Literal.number(0))])
    return exp.Anonymous(this="SF_SESSION_OFFSET", expressions=[converted.copy()])
