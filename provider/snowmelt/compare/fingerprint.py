"""Fingerprints: what a table holds, computed inside a database by one statement, without sorting or moving rows.

A fingerprint is the rows' count, a hash of all rows that does not depend on their order, and measures for each column.
The hash is the sum, modulo 2^64, of the lower 64 bits of each row's MD5 over its canonical text (canonical.py): a changed,
missing, doubled or mixed-up row changes it. Modulo, because Snowflake counts those bits as unsigned and PostgreSQL's
bigint as signed. Sums are exact: 2^64 times a thousand milliard rows stays within Snowflake's 38 digits.

Sources: Snowflake "MD5_NUMBER_LOWER64", "SUM"; PostgreSQL "Limits" (1664 result columns, 100 arguments).

A run's chunks, told apart in both databases, so that a difference can be named with its chunk.

Snowflake has the chunks' own predicates. For PostgreSQL each bound is read back from them and written again; where one
cannot be written exactly there (a bound with nanoseconds, a masked or excluded chunking column), no chunk is told.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from snowmelt.compare.canonical import Measure, NumberedColumn, Side, comparison_of
from snowmelt.compare.canonical_postgres import target_side
from snowmelt.compare.canonical_snowflake import source_side
from snowmelt.sql.names import postgres_identifier, postgres_literal
from snowmelt.types.columns import Column
from snowmelt.types.expressions import comparable_expression
from snowmelt.types.type_names import SnowflakeType, parse_snowflake_type
from snowmelt.types.type_table import Comparison
from snowmelt.unload.chunks import Chunk

#: A number as measured; None where the column has no value.
Value = int | Decimal | float | None

_MODULUS = 2**64
#: Beyond as many measures only the values that are not NULL are counted: PostgreSQL's result has 1664 columns at most.
MOST_MEASURES = 1500
#: Arguments of PostgreSQL's concat.
_MOST_ARGUMENTS = 90


@dataclass(frozen=True, slots=True)
class ColumnFingerprint:
    """The measures of one column."""

    #: The column's name in the source.
    name: str
    kind: Comparison
    measures: Mapping[Measure, Value]
    #: The hash of its values alone, 64 bits; None where it was not asked for.
    hash: int | None = None


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a table, or a chunk of it, holds."""

    rows: int
    #: The rows' hash, 64 bits; 0 without rows.
    hash: int
    columns: tuple[ColumnFingerprint, ...]


def build_source_fingerprint(
    columns: Sequence[Column],
    source_sql: str,
    where: str = "",
    *,
    column_hashes: bool = False,
    group: str = "",
) -> str:
    """The statement that computes a fingerprint in Snowflake.

    :param source_sql: what stands behind FROM: the quoted table with its AT clause.
    :param where: a Snowflake predicate over the table's columns, or empty.
    :param column_hashes: also hash each column by itself: an MD5 for each value instead of one for each row.
    :param group: a Snowflake expression over the table's columns; one fingerprint is computed for each of its values.
    """
    sides = [source_side(column) for column in number_columns(columns)]
    tokens = [side.token[0] for side in sides]
    hashed = [" || ".join(tokens), *(tokens if column_hashes else ())]
    hashes = [f"TO_VARCHAR(SUM(MD5_NUMBER_LOWER64({text})))" for text in hashed]
    condition = f" WHERE {where}" if where else ""
    return _statement("TO_VARCHAR(COUNT(*))", hashes, sides, "SELECT ", f"{source_sql}{condition}", group)


def build_target_fingerprint(
    columns: Sequence[Column],
    table_sql: str,
    where: str = "",
    *,
    column_hashes: bool = False,
    group: str = "",
) -> str:
    """The statement that computes the same in PostgreSQL, in parallel workers where the server has them.

    The WITH clause says nothing: a subquery that has one is not flattened, so that each value is computed once a row and
    not once in each aggregate, and still runs inside of the parallel workers (PostgreSQL 15 to 18, seen in EXPLAIN).

    :param table_sql: the quoted table.
    :param where: a PostgreSQL predicate over the table's columns, or empty.
    """
    sides = [target_side(column) for column in number_columns(columns)]
    tokens = [_concat(side.token) for side in sides]
    row = _concat([part for side in sides for part in side.token])
    hashes = [
        f"CAST(sum(CAST(CAST('x' || right(md5({text}), 16) AS bit(64)) AS bigint)) AS text)"
        for text in (row, *(tokens if column_hashes else ()))
    ]
    condition = f" WHERE {where}" if where else ""
    once = "WITH sm_once AS (SELECT 1) SELECT "
    return _statement("CAST(count(*) AS text)", hashes, sides, once, f"{table_sql}{condition}", group)


def number_columns(columns: Sequence[Column]) -> tuple[NumberedColumn, ...]:
    """The columns with their places and kinds."""
    return tuple(
        NumberedColumn(
            column,
            place,
            comparison_of(column),
            comparable_expression(parse_snowflake_type(column.source_type), column.value),
        )
        for place, column in enumerate(columns)
    )


def _concat(parts: Sequence[str]) -> str:
    calls = [
        f"concat({', '.join(parts[at : at + _MOST_ARGUMENTS])})"
        for at in range(0, len(parts), _MOST_ARGUMENTS)
    ]
    return calls[0] if len(calls) == 1 else _concat(calls)


def _statement(
    count: str, hashes: Sequence[str], sides: Sequence[Side], select: str, source: str, group: str
) -> str:
    """Rows, row hash, measures, column hashes; in front the group, where there is one."""
    groups = ["SM_G"] if group else []
    inner = [f"{expression} AS {alias}" for side in sides for alias, expression in side.inner]
    inner = [f"{group} AS SM_G", *inner] if group else inner
    values = f"{select}{', '.join(inner)} FROM {source}"
    derived = [f"{expression} AS {alias}" for side in sides for alias, expression in side.derived]
    if derived:
        kept = [*groups, *(alias for side in sides for alias, _ in side.inner)]
        values = f"{select}{', '.join((*kept, *derived))} FROM ({values}) AS SM_U"
    measures = [sql for side in _measured(sides) for _, sql in side]
    outer = [*groups, count, hashes[0], *measures, *hashes[1:]]
    grouped = " GROUP BY SM_G" if group else ""
    return f"SELECT {', '.join(outer)} FROM ({values}) AS SM_V{grouped}"


def _measured(sides: Sequence[Side]) -> list[tuple[tuple[Measure, str], ...]]:
    """The measures of each column: all, or only the count where they would be too many."""
    if sum(len(side.measures) for side in sides) <= MOST_MEASURES:
        return [side.measures for side in sides]
    return [side.measures[:1] for side in sides]


def parse_fingerprint(
    row: Sequence[Any], columns: Sequence[Column], *, column_hashes: bool = False
) -> Fingerprint:
    """The fingerprint that a row of either statement is (without its group)."""
    numbered = number_columns(columns)
    measured = _measured([source_side(column) for column in numbered])
    places = iter(row)
    rows, whole = int(next(places)), _hash(next(places))
    measures = [
        {measure: _value(column.kind, measure, next(places)) for measure, _ in wanted}
        for column, wanted in zip(numbered, measured, strict=True)
    ]
    hashes = [_hash(next(places)) if column_hashes else None for _ in numbered]
    return Fingerprint(
        rows,
        whole,
        tuple(
            ColumnFingerprint(column.column.source, column.kind, found, hashed)
            for column, found, hashed in zip(numbered, measures, hashes, strict=True)
        ),
    )


def parse_groups(rows: Iterable[Sequence[Any]], columns: Sequence[Column]) -> dict[int, Fingerprint]:
    """The fingerprints of a grouped statement, by group; a group without rows is not among them."""
    return {int(row[0]): parse_fingerprint(row[1:], columns) for row in rows}


def _hash(text: str | None) -> int:
    return int(text or 0) % _MODULUS


def _value(kind: Comparison, measure: Measure, text: str | None) -> Value:
    if text is None:
        return None
    if kind is Comparison.FLOAT and measure in {Measure.LOW, Measure.HIGH}:
        # PostgreSQL gives the eight bytes, Snowflake 17 digits.
        bare = str(text).removeprefix("x")
        return float(struct.unpack(">d", bytes.fromhex(bare))[0]) if bare != text else float(text)
    return (
        Decimal(text)
        if kind is Comparison.DECIMAL and measure in {Measure.LOW, Measure.HIGH, Measure.TOTAL}
        else int(text)
    )


_NAME = r'"(?:[^"]|"")+"'
_LITERAL = r"(?:-?\d+(?:\.\d+)?|'(?:[^'\\]|''|\\\\)*'(?:::[A-Z_]+(?:\(9\))?)?)"
_TERM = re.compile(rf"(?P<name>{_NAME}) (?P<operator>>=|<|IS NULL|IS NOT NULL)(?: (?P<literal>{_LITERAL}))?")
_TEXT = re.compile(r"'(?P<text>(?:[^'\\]|''|\\\\)*)'(?:::[A-Z_]+(?:\(9\))?)?")
_NANOSECONDS = re.compile(r"\.\d{6}(?P<beyond>\d{3})")

_POSTGRES_TYPES = {
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP_NTZ": "TIMESTAMP",
    "TIMESTAMP_LTZ": "TIMESTAMPTZ",
    "TIMESTAMP_TZ": "TIMESTAMPTZ",
}


@dataclass(frozen=True, slots=True)
class ChunkGroups:
    """One expression a database that gives the index of the chunk which a row belongs to."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class ChunksUnknown:
    """Why a difference cannot be named with its chunk."""

    reason: str


def group_chunks(chunks: Sequence[Chunk], columns: Sequence[Column]) -> ChunkGroups | ChunksUnknown:
    """The expressions that tell the chunks apart, or the reason why PostgreSQL cannot."""
    if len(chunks) <= 1:
        return ChunksUnknown("the run has one chunk")
    written = [(chunk, translate_predicate(chunk.predicate, columns)) for chunk in chunks]
    for _, predicate in written:
        if isinstance(predicate, ChunksUnknown):
            return predicate
    source = " ".join(f"WHEN {chunk.predicate} THEN {chunk.index}" for chunk in chunks)
    target = " ".join(f"WHEN {predicate} THEN {chunk.index}" for chunk, predicate in written)
    return ChunkGroups(f"CASE {source} ELSE -1 END", f"CASE {target} ELSE -1 END")


def translate_predicate(predicate: str, columns: Sequence[Column]) -> str | ChunksUnknown:
    """A chunk's predicate as PostgreSQL writes it over the target's column, exactly."""
    terms: list[str] = []
    alternative = ""
    bare = predicate
    if bare.startswith("("):
        bare, _, alternative = bare.removeprefix("(").removesuffix(")").rpartition(" OR ")
    rest = bare
    while rest:
        match = _TERM.match(rest)
        if match is None:
            return ChunksUnknown(f"the chunk's predicate {predicate} is of a form that is not known")
        rest = rest[match.end() :]
        term = _term(match, columns)
        if isinstance(term, ChunksUnknown):
            return term
        terms.append(term)
        if rest and not rest.startswith(" AND "):
            return ChunksUnknown(f"the chunk's predicate {predicate} is of a form that is not known")
        rest = rest.removeprefix(" AND ")
    if not alternative:
        return " AND ".join(terms) if terms else ChunksUnknown("a chunk has no predicate")
    null = _TERM.fullmatch(alternative)
    term = ChunksUnknown("") if null is None else _term(null, columns)
    if isinstance(term, ChunksUnknown) or not terms:
        return ChunksUnknown(f"the chunk's predicate {predicate} is of a form that is not known")
    return f"({' AND '.join(terms)} OR {term})"


def _term(match: re.Match[str], columns: Sequence[Column]) -> str | ChunksUnknown:
    name = match["name"][1:-1].replace('""', '"')
    column = next((column for column in columns if column.source == name), None)
    if column is None:
        return ChunksUnknown(f'the chunking column "{name}" is not copied')
    kind = parse_snowflake_type(column.source_type)
    if column.derived:
        return ChunksUnknown(f'the chunking column "{name}" is masked')
    target = postgres_identifier(column.target)
    if match["operator"].startswith("IS"):
        return f"{target} {match['operator']}"
    literal = _literal(match["literal"] or "", kind)
    if literal is None:
        return ChunksUnknown(f'a bound of the chunking column "{name}" has digits beyond the microsecond')
    collation = ' COLLATE "C"' if kind.name == "VARCHAR" else ""
    return f"{target}{collation} {match['operator']} {literal}"


def _literal(literal: str, kind: SnowflakeType) -> str | None:
    quoted = _TEXT.fullmatch(literal)
    if quoted is None:
        return literal
    text = quoted["text"].replace("''", "'").replace("\\\\", "\\")
    if kind.name == "VARCHAR":
        return postgres_literal(text)
    beyond = _NANOSECONDS.search(text)
    if beyond is not None:
        if beyond["beyond"] != "000":
            return None
        text = text[: beyond.start("beyond")] + text[beyond.end("beyond") :]
    return f"{_POSTGRES_TYPES[kind.name]} {postgres_literal(text)}"
