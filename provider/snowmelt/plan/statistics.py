"""The census: how many rows a run will copy, and whether any value has digits that PostgreSQL cannot keep. One statement.

Where it is asked, also between what the whole numbers lie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snowmelt.errors import ValueRefused
from snowmelt.types.narrow import Range


@dataclass(frozen=True, slots=True)
class Census:
    """What one pass over the source found, at the snapshot and under the filter."""

    rows: int
    #: Column → values with digits beyond the microsecond; only columns that have any.
    nanoseconds: Mapping[str, int]
    #: The highest watermark, as a bound's text; None when it was not asked for, or there is none.
    watermark: str | None = None
    #: Column → its smallest and largest value; only columns that were asked for.
    ranges: Mapping[str, Range] = field(default_factory=dict)


def build_census(
    source: str,
    where: str,
    nanoseconds: Mapping[str, str],
    highest: str | None = None,
    measured: Mapping[str, str] | None = None,
) -> str:
    """`SELECT COUNT(*), <highest watermark>, COUNT_IF(<predicate>), …, MIN(<number>), MAX(<number>), … FROM <source> WHERE …`.

    :param nanoseconds: column → predicate that is true for a value with digits beyond the microsecond. Without any,
        Snowflake answers from metadata where there is no filter.
    :param highest: the expression for the highest watermark; None without a watermark column.
    :param measured: column → expression whose smallest and largest value are asked; from metadata likewise.
    """
    counts = [
        "COUNT(*)",
        highest or "NULL",
        *(f"COUNT_IF({predicate})" for predicate in nanoseconds.values()),
        *(f"{end}({number})" for number in (measured or {}).values() for end in ("MIN", "MAX")),
    ]
    return f"SELECT {', '.join(counts)} FROM {source}{f' WHERE {where}' if where else ''}"


def parse_census(
    row: Sequence[Any], nanoseconds: Mapping[str, str], measured: Mapping[str, str] | None = None
) -> Census:
    """The census from its one row."""
    ends = 2 + len(nanoseconds)
    found = {name: int(count or 0) for name, count in zip(nanoseconds, row[2:ends], strict=True)}
    numbers = [None if value is None else int(value) for value in row[ends:]]
    ranges = zip(measured or {}, numbers[::2], numbers[1::2], strict=True)
    return Census(
        int(row[0]),
        {name: count for name, count in found.items() if count},
        None if row[1] is None else str(row[1]),
        {name: Range(low, high) for name, low, high in ranges},
    )


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
