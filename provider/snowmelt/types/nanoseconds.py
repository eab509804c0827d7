"""Digits beyond the microsecond, which PostgreSQL cannot keep: how Snowflake is asked for them, and how an unload refuses them.

The planning counts them before anything is unloaded: a scan of each column of TIME or TIMESTAMP with more than six digits. Once
a run has found none, the later ones leave the question to the unload, which reads those columns anyway: its expression divides
by zero at such a value.

Sources, Snowflake documentation: "Arithmetic operators" (a division by zero is an error, 100051).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from snowmelt.errors import ValueRefused
from snowmelt.types.columns import Column
from snowmelt.types.target_types import loses_nanoseconds, nanosecond_predicate, select_expression
from snowmelt.types.type_names import parse_snowflake_type
from snowmelt.vocabulary import FileFormat

#: What `SnowmeltError.code` is for a division by zero.
DIVISION_BY_ZERO = "100051"


def find_predicates(columns: Sequence[Column]) -> dict[str, str]:
    """Column → predicate that is true for a value with such digits."""
    return {
        column.source: nanosecond_predicate(column.value)
        for column in columns
        if loses_nanoseconds(parse_snowflake_type(column.source_type))
    }


def build_key(created_on: str | None, predicates: Mapping[str, str]) -> str | None:
    """What a run's answer is known by: the source's creation and the columns; None where there is nothing to ask."""
    if not predicates:
        return None
    text = "\0".join((created_on or "", *(part for pair in sorted(predicates.items()) for part in pair)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def guard_columns(columns: Sequence[Column], file_format: FileFormat) -> tuple[Column, ...]:
    """The columns, of which those with such digits make the unload fail."""
    guarded = find_predicates(columns)
    return tuple(
        replace(column, select=_guard(column, guarded[column.source], file_format))
        if column.source in guarded
        else column
        for column in columns
    )


def _guard(column: Column, predicate: str, file_format: FileFormat) -> str:
    """The division is of every row, so that it does not matter in what order Snowflake evaluates; its result is always 1."""
    value = f"IFF(1 / IFF({predicate}, 0, 1) = 1, {column.value}, NULL)"
    return select_expression(parse_snowflake_type(column.source_type), value, file_format)


def build_count(source: str, where: str, predicates: Mapping[str, str]) -> str:
    """The statement that counts such values, a column each."""
    counts = ", ".join(f"COUNT_IF({predicate})" for predicate in predicates.values())
    return f"SELECT {counts} FROM {source}{f' WHERE {where}' if where else ''}"


def build_refusal(table: str, counts: Mapping[str, int]) -> ValueRefused:
    """The error that names the columns.

    :param counts: column → values.
    """
    return ValueRefused(
        f"{table} holds times with digits beyond the microsecond, which PostgreSQL cannot keep: {describe_counts(counts)}. "
        'Set nanoseconds to "truncate" to cut them off, exclude the columns, or mask them with an expression.'
    )


def describe_counts(counts: Mapping[str, int]) -> str:
    """`SEEN_AT (3 values), LEFT_AT (1 values)`."""
    return ", ".join(f"{name} ({count:,} values)" for name, count in counts.items())
