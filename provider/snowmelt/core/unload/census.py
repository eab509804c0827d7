"""The census: how many rows a run will copy, and whether any value has digits that PostgreSQL cannot keep. One statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snowmelt.errors import ValueRefused


@dataclass(frozen=True, slots=True)
class Census:
    """What one pass over the source found, at the snapshot and under the filter."""

    rows: int
    #: Column → values with digits beyond the microsecond; only columns that have any.
    nanoseconds: Mapping[str, int]
    #: The highest watermark, as a bound's text; None when it was not asked for, or there is none.
    watermark: str | None = None


def build_census(source: str, where: str, nanoseconds: Mapping[str, str], highest: str | None = None) -> str:
    """`SELECT COUNT(*), <highest watermark>, COUNT_IF(<predicate>), … FROM <source> WHERE …`.

    :param nanoseconds: column → predicate that is true for a value with digits beyond the microsecond. Without any,
        Snowflake answers from metadata where there is no filter.
    :param highest: the expression for the highest watermark; None without a watermark column.
    """
    counts = [
        "COUNT(*)",
        highest or "NULL",
        *(f"COUNT_IF({predicate})" for predicate in nanoseconds.values()),
    ]
    return f"SELECT {', '.join(counts)} FROM {source}{f' WHERE {where}' if where else ''}"


def parse_census(row: Sequence[Any], nanoseconds: Mapping[str, str]) -> Census:
    """The census from its one row."""
    found = {name: int(count or 0) for name, count in zip(nanoseconds, row[2:], strict=True)}
    watermark = None if row[1] is None else str(row[1])
    return Census(int(row[0]), {name: count for name, count in found.items() if count}, watermark)


def refuse_nanoseconds(census: Census, policy: str, table: str) -> str | None:
    """What to report under the policy `truncate`; None when there is nothing to say.

    :raises ValueRefused: values would lose digits, and the policy is `refuse`.
    """
    if not census.nanoseconds:
        return None
    columns = ", ".join(f"{name} ({count:,} values)" for name, count in census.nanoseconds.items())
    if policy == "truncate":
        return (
            f"Digits beyond the microsecond are cut off, as the policy nanoseconds = truncate says: {columns}"
        )
    raise ValueRefused(
        f"{table} holds times with digits beyond the microsecond, which PostgreSQL cannot keep: {columns}. "
        'Set nanoseconds to "truncate" to cut them off, exclude the columns, or mask them with an expression.'
    )
