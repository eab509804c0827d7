"""Fingerprints: what a table holds, computed inside a database by few statements, without sorting or moving rows.

A fingerprint is the rows' count and a hash of all rows that does not depend on their order; where two differ, also measures for each column.
The hash is the sum, modulo 2^64, of the lower 64 bits of each row's MD5 over its canonical text (canonical.py): a changed,
missing, doubled or mixed-up row changes it. Modulo, because Snowflake counts those bits as unsigned and PostgreSQL's
bigint as signed. Sums are exact: 2^64 times a thousand milliard rows stays within Snowflake's 38 digits.

Sources: Snowflake "MD5_NUMBER_LOWER64", "SUM"; PostgreSQL "Limits" (1664 result columns, 100 arguments).

A statement of many columns is split (`plan_statements`), because hundreds of kilobytes of SQL take Snowflake long to compile. Then
each block of columns has its own exact hash, and one more hash, the link, is over all columns of a
row: a row that got another's values for a whole block shows there. The link writes a float in short (canonical.py,
`float_link`); where even that is too long, it is computed for every two blocks.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import combinations
from typing import Any

from snowmelt.compare.canonical import Detail, Measure, NumberedColumn, Side, comparison_of
from snowmelt.compare.canonical_postgres import target_links, target_rows, target_side
from snowmelt.compare.canonical_snowflake import source_link, source_row, source_side
from snowmelt.types.columns import Column
from snowmelt.types.target_types import comparable_expression
from snowmelt.types.type_names import parse_snowflake_type
from snowmelt.types.type_table import Comparison, Form

#: A number as measured; None where the column has no value.
Value = int | Decimal | float | None

_MODULUS = 2**64
#: Beyond as many measures and hashes only the values that are not NULL are counted: PostgreSQL's result has 1664 columns at most.
MAX_MEASURES = 1500
#: Arguments of PostgreSQL's concat.
_MAX_ARGUMENTS = 90
#: Form → the token that the loader makes of it; of all others it takes the staged text.
STAGED_KINDS = {
    Form.INTEGER: Comparison.INTEGER,
    Form.EPOCH_US: Comparison.INSTANT,
    Form.TIME_US: Comparison.TIME,
    Form.DATE: Comparison.DATE,
    Form.BOOLEAN: Comparison.BOOLEAN,
}
#: PostgreSQL's SELECT of the values. The WITH clause says nothing: a subquery that has one is not flattened, so that each value is
#: computed once a row and not once in each aggregate, and still runs inside of the parallel workers (PostgreSQL 15 to 18, seen in EXPLAIN).
ONCE = "WITH sm_once AS (SELECT 1) SELECT "


@dataclass(frozen=True, slots=True)
class ColumnFingerprint:
    """A column, and what was computed of it."""

    #: The column's name in the source.
    name: str
    kind: Comparison
    #: Its measures, and the hash of its values alone, 64 bits; nothing where only the rows' hash was asked for.
    measures: Mapping[Measure, Value] = field(default_factory=dict)
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
    detail: Detail = Detail.ROWS,
    group: str = "",
) -> str:
    """The statement that computes a fingerprint in Snowflake.

    :param source_sql: what follows FROM: the quoted table with its AT clause.
    :param where: a Snowflake predicate over the table's columns, or empty.
    :param group: a Snowflake expression over the table's columns; one fingerprint is computed for each of its values.
    """
    return _build_source(number_columns(columns), source_sql, where, detail, group)


def build_staged_fingerprint(
    columns: Sequence[Column], source_sql: str, where: str = "", *, group: str = ""
) -> str:
    """The statement that computes in Snowflake what the loader computed of the staged rows: their number and their staged hash.

    :param columns: those of the staged hash (types/staged_hash.py).
    """
    numbered = [
        replace(column, kind=STAGED_KINDS.get(column.column.form, Comparison.TEXT))
        for column in number_columns(columns)
    ]
    return _build_source(numbered, source_sql, where, Detail.ROWS, group)


def _build_source(
    columns: Sequence[NumberedColumn], source_sql: str, where: str, detail: Detail, group: str
) -> str:
    sides = [_SOURCE_SIDES[detail](column) for column in columns]
    tokens = [side.token[0] for side in sides]
    hashed = [" || ".join(tokens), *(tokens if detail is Detail.COLUMNS else ())]
    hashes = [f"TO_VARCHAR(SUM({hash_in_snowflake(text)}))" for text in hashed]
    condition = f" WHERE {where}" if where else ""
    return _statement("TO_VARCHAR(COUNT(*))", hashes, sides, "SELECT ", f"{source_sql}{condition}", group)


def build_target_fingerprint(
    columns: Sequence[Column],
    table_sql: str,
    where: str = "",
    *,
    detail: Detail = Detail.ROWS,
    group: str = "",
) -> str:
    """The statement that computes the same in PostgreSQL, in parallel workers where the server has them.

    :param table_sql: the quoted table.
    :param where: a PostgreSQL predicate over the table's columns, or empty.
    """
    numbered = number_columns(columns)
    if detail is Detail.COLUMNS:
        sides = [target_side(column) for column in numbered]
    else:
        sides = target_links(numbered) if detail is Detail.LINK else target_rows(numbered)
    tokens = [concat_parts(side.token) for side in sides] if detail is Detail.COLUMNS else []
    row = concat_parts([part for side in sides for part in side.token])
    hashes = [f"CAST(sum({hash_in_postgres(text)}) AS text)" for text in (row, *tokens)]
    condition = f" WHERE {where}" if where else ""
    return _statement("CAST(count(*) AS text)", hashes, sides, ONCE, f"{table_sql}{condition}", group)


def hash_in_snowflake(text: str) -> str:
    """The lower 64 bits of a text's MD5; Snowflake counts them as unsigned."""
    return f"MD5_NUMBER_LOWER64({text})"


def hash_in_postgres(text: str) -> str:
    """The same 64 bits in PostgreSQL, as a signed number."""
    return f"CAST(CAST('x' || right(md5({text}), 16) AS bit(64)) AS bigint)"


_SOURCE_SIDES = {Detail.ROWS: source_row, Detail.LINK: source_link, Detail.COLUMNS: source_side}


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


def concat_parts(parts: Sequence[str]) -> str:
    """PostgreSQL's expression for the text of all parts; it takes NULL as empty, and 100 arguments at most."""
    calls = [
        f"concat({', '.join(parts[at : at + _MAX_ARGUMENTS])})" for at in range(0, len(parts), _MAX_ARGUMENTS)
    ]
    return calls[0] if len(calls) == 1 else concat_parts(calls)


def _statement(
    count: str, hashes: Sequence[str], sides: Sequence[Side], select: str, source: str, group: str
) -> str:
    """Rows, row hash, measures, column hashes; in front the group, where there is one."""
    measures = [sql for side in _measured(sides) for _, sql in side]
    outer = [count, hashes[0], *measures, *hashes[1:]]
    grouped = " GROUP BY SM_G" if group else ""
    if any(side.inner for side in sides):
        groups = ["SM_G"] if group else []
        values = build_values(sides, select, source, group)
        return f"SELECT {', '.join([*groups, *outer])} FROM ({values}) AS SM_V{grouped}"
    groups = [f"{group} AS SM_G"] if group else []
    return f"SELECT {', '.join([*groups, *outer])} FROM {source}{grouped}"


def build_values(sides: Sequence[Side], select: str, source: str, group: str = "") -> str:
    """The SELECT of the columns' aliases, one row for each row of the source, as the subquery of what is computed from them."""
    inner = [f"{expression} AS {alias}" for side in sides for alias, expression in side.inner]
    inner = [f"{group} AS SM_G", *inner] if group else inner
    values = f"{select}{', '.join(inner)} FROM {source}"
    known = [*(["SM_G"] if group else []), *(alias for side in sides for alias, _ in side.inner)]
    for step in range(max((len(side.derived) for side in sides), default=0)):
        derived = [pair for side in sides for level in side.derived[step : step + 1] for pair in level]
        written = [f"{expression} AS {alias}" for alias, expression in derived]
        values = f"{select}{', '.join((*known, *written))} FROM ({values}) AS SM_{step}"
        known += [alias for alias, _ in derived]
    return values


def _measured(sides: Sequence[Side]) -> list[tuple[tuple[Measure, str], ...]]:
    """The measures of each column: all, or only the count where they would be too many."""
    if sum(len(side.measures) + 1 for side in sides) <= MAX_MEASURES:
        return [side.measures for side in sides]
    return [side.measures[:1] for side in sides]


def parse_fingerprint(
    row: Sequence[Any], columns: Sequence[Column], *, detail: Detail = Detail.ROWS
) -> Fingerprint:
    """The fingerprint that a row of either statement is (without its group)."""
    numbered = number_columns(columns) if detail is Detail.COLUMNS else ()
    measured = _measured([source_side(column) for column in numbered])
    places = iter(row)
    rows, whole = int(next(places)), parse_hash(next(places))
    measures = [
        {measure: _value(column.kind, measure, next(places)) for measure, _ in wanted}
        for column, wanted in zip(numbered, measured, strict=True)
    ]
    hashes = [parse_hash(next(places)) for _ in numbered]
    return Fingerprint(
        rows,
        whole,
        tuple(
            ColumnFingerprint(column.column.source, column.kind, found, hashed)
            for column, found, hashed in zip(numbered, measures, hashes, strict=True)
        ),
    )


def parse_groups(
    rows: Iterable[Sequence[Any]], columns: Sequence[Column], *, detail: Detail = Detail.ROWS
) -> dict[int, Fingerprint]:
    """The fingerprints of a grouped statement, by group; a group without rows is not among them."""
    return {int(row[0]): parse_fingerprint(row[1:], columns, detail=detail) for row in rows}


#: Characters of SQL in one statement. Snowflake processes up to 1 MB; compiling grows faster than the text.
STATEMENT_CHARACTERS = 100_000
#: What is left for columns where the filter and the chunks' predicates are long.
_LEAST_CHARACTERS = 40_000
#: What a place of four digits adds to a column's aliases, about.
_ALIAS_CHARACTERS = 30


@dataclass(frozen=True, slots=True)
class FingerprintStatement:
    """A pair of statements, one for each database, over some of the columns."""

    columns: tuple[Column, ...]
    detail: Detail


def plan_statements(
    columns: Sequence[Column], *, detail: Detail = Detail.ROWS, around: int = 0
) -> tuple[FingerprintStatement, ...]:
    """The statements of a fingerprint: one over all columns where it is short enough, else blocks of columns and their links.

    :param detail: ROWS or COLUMNS.
    :param around: characters of the statement beside its columns: table, filter, chunks.
    """
    limit = max(_LEAST_CHARACTERS, STATEMENT_CHARACTERS - around)

    def sizes_of(detail: Detail) -> Callable[[Column], int]:
        bare = len(build_source_fingerprint([], "", detail=detail))

        def size_of(column: Column) -> int:
            sides = (build_source_fingerprint, build_target_fingerprint)
            return max(len(build([column], "", detail=detail)) for build in sides) - bare + _ALIAS_CHARACTERS

        return size_of

    blocks = _pack(columns, limit, sizes_of(detail))
    if len(blocks) == 1:
        return (FingerprintStatement(blocks[0], detail),)
    link_size = sizes_of(Detail.LINK)
    links = _pack(columns, limit, link_size)
    if len(links) > 1:
        links = [one + other for one, other in combinations(_pack(columns, limit // 2, link_size), 2)]
    return (
        *(FingerprintStatement(block, detail) for block in blocks),
        *(FingerprintStatement(link, Detail.LINK) for link in links),
    )


def _pack(columns: Sequence[Column], limit: int, size: Callable[[Column], int]) -> list[tuple[Column, ...]]:
    """The columns in their order, in as few blocks as do not pass the limit; a column that does is a block by itself."""
    blocks: list[tuple[Column, ...]] = []
    held: list[Column] = []
    characters = 0
    for column in columns:
        more = size(column)
        if held and characters + more > limit:
            blocks.append(tuple(held))
            held, characters = [], 0
        held.append(column)
        characters += more
    return [*blocks, tuple(held)]


def join_fingerprints(parts: Sequence[Fingerprint]) -> Fingerprint:
    """The fingerprint of all columns from those of its statements, in their order.

    Its hash is that of the only statement, or made from those of all. The rows are the same in each, unless the table changed
    between two statements: then they are those of the first, and the hash differs.
    """
    if len(parts) == 1:
        return parts[0]
    text = ",".join(f"{part.rows}:{part.hash:016x}" for part in parts)
    joined = int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[16:], 16)
    return Fingerprint(parts[0].rows, joined, tuple(column for part in parts for column in part.columns))


def parse_hash(text: str | None) -> int:
    """64 bits from the number that either database gives."""
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
