"""Rows of the chunks that differ: both databases list the key and the hash of each row, and the lists are compared here.

Of a row only its key leaves the database, as canonical tokens (canonical.py), beside hashes of its values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from snowmelt.compare.canonical import Measure, Side
from snowmelt.compare.canonical_postgres import target_side
from snowmelt.compare.canonical_snowflake import source_side
from snowmelt.compare.differences import show_value
from snowmelt.compare.fingerprint import (
    ONCE,
    build_values,
    concat_parts,
    hash_in_postgres,
    hash_in_snowflake,
    number_columns,
    parse_hash,
)
from snowmelt.sql.names import postgres_literal, snowflake_literal
from snowmelt.types.columns import Column
from snowmelt.types.type_table import Comparison as Kind

#: The tokens of a key's columns.
Key = tuple[str, ...]

_NUMBERS = frozenset({Kind.INTEGER, Kind.BOOLEAN, Kind.DATE, Kind.TIME, Kind.INSTANT})
#: What identifies a row: kinds whose token is the value itself.
KEY_KINDS = _NUMBERS | {Kind.DECIMAL, Kind.TEXT, Kind.UUID, Kind.BYTES}
#: Characters of a key's value that an example shows.
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class RowDifferences:
    """Keys that are in one list alone, or have other hashes in the other. A key that is in several rows is there as often."""

    missing: tuple[Key, ...]
    extra: tuple[Key, ...]
    changed: tuple[Key, ...]


def build_source_rows(
    key: Sequence[Column],
    columns: Sequence[Column],
    source_sql: str,
    where: str,
    *,
    only: Sequence[Key] = (),
) -> str:
    """The Snowflake statement that lists rows (token of each key column …, row hash).

    :param where: a Snowflake predicate over the table's columns, or empty.
    :param only: lists the rows of these keys alone, and each column's own hash behind the row's.
    """
    sides = [source_side(column) for column in number_columns((*key, *columns))]
    tokens = [side.token[0] for side in sides]
    keys, values = tokens[: len(key)], tokens[len(key) :]
    hashes = [
        f"TO_VARCHAR({hash_in_snowflake(text)})" for text in (" || ".join(values), *(values if only else ()))
    ]
    literals = [snowflake_literal("".join(tokens)) for tokens in only]
    condition = f" WHERE {' || '.join(keys)} IN ({', '.join(literals)})" if only else ""
    return _statement(
        sides, (*keys, *hashes), "SELECT ", f"{source_sql}{f' WHERE {where}' if where else ''}", condition
    )


def build_target_rows(
    key: Sequence[Column],
    columns: Sequence[Column],
    table_sql: str,
    where: str,
    *,
    only: Sequence[Key] = (),
) -> str:
    """The PostgreSQL statement that lists the same."""
    sides = [target_side(column) for column in number_columns((*key, *columns))]
    tokens = [concat_parts(side.token) for side in sides]
    keys, values = tokens[: len(key)], tokens[len(key) :]
    row = concat_parts([part for side in sides[len(key) :] for part in side.token])
    hashes = [f"CAST({hash_in_postgres(text)} AS text)" for text in (row, *(values if only else ()))]
    literals = [postgres_literal("".join(tokens)) for tokens in only]
    condition = f" WHERE {concat_parts(keys)} IN ({', '.join(literals)})" if only else ""
    return _statement(
        sides, (*keys, *hashes), ONCE, f"{table_sql}{f' WHERE {where}' if where else ''}", condition
    )


def _statement(sides: Sequence[Side], listed: Sequence[str], select: str, source: str, condition: str) -> str:
    return f"SELECT {', '.join(listed)} FROM ({build_values(sides, select, source)}) AS SM_V{condition}"


def find_row_differences(
    source: Iterable[Sequence[Any]], target: Iterable[Sequence[Any]], key_columns: int
) -> RowDifferences:
    """Compare two lists of rows, in any order.

    :param key_columns: tokens at the beginning of each row.
    """
    held: dict[Key, list[int]] = {}
    for row in source:
        held.setdefault(tuple(row[:key_columns]), []).append(parse_hash(row[key_columns]))
    found: dict[Key, list[int]] = {}
    for row in target:
        key, hashed = tuple(row[:key_columns]), parse_hash(row[key_columns])
        if held.get(key) == [hashed]:
            del held[key]
        else:
            found.setdefault(key, []).append(hashed)
    missing: list[Key] = []
    extra: list[Key] = []
    changed: list[Key] = []
    for key in dict.fromkeys((*held, *found)):
        ours, theirs = held.get(key, []), found.get(key, [])
        missing += [key] * (len(ours) - len(theirs))
        extra += [key] * (len(theirs) - len(ours))
        if len(ours) == len(theirs) and sorted(ours) != sorted(theirs):
            changed.append(key)
    return RowDifferences(tuple(missing), tuple(extra), tuple(changed))


def find_changed_columns(
    source: Iterable[Sequence[Any]],
    target: Iterable[Sequence[Any]],
    key_columns: int,
    columns: Sequence[Column],
) -> tuple[str, ...]:
    """Source names of the columns whose own hashes differ in rows of one key.

    :param source: rows that were listed for some keys alone.
    """
    at = key_columns + 1
    ours = {tuple(row[:key_columns]): [parse_hash(text) for text in row[at:]] for row in source}
    theirs = {tuple(row[:key_columns]): [parse_hash(text) for text in row[at:]] for row in target}
    places = {
        place
        for key in ours.keys() & theirs.keys()
        for place, (left, right) in enumerate(zip(ours[key], theirs[key], strict=True))
        if left != right
    }
    return tuple(columns[place].source for place in sorted(places))


def show_key(key: Sequence[Column], tokens: Key) -> str:
    """A key as a person reads it: `ID 17, DAY 2026-01-01`."""
    kinds = [numbered.kind for numbered in number_columns(key)]
    return ", ".join(
        f"{column.source} {_show(kind, token)}"
        for column, kind, token in zip(key, kinds, tokens, strict=True)
    )


def _show(kind: Kind, token: str) -> str:
    if kind in {Kind.TEXT, Kind.BYTES}:
        octets, _, text = token.partition(":")
        if not octets:
            return "NULL"
        return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…")
    text = token.removesuffix("|")
    if not text:
        return "NULL"
    return show_value(kind, Measure.LOW, int(text)) if kind in _NUMBERS else text
