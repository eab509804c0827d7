"""Source statistics: how many rows a run copies, and whether any value has digits that PostgreSQL cannot keep. One statement.

Where it is asked, also between what the whole numbers lie.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snowmelt.errors import ValueRefused
from snowmelt.types.narrow import Range
from snowmelt.vocabulary import Nanoseconds


@dataclass(frozen=True, slots=True)
class SourceStatistics:
    """What one pass over the source found, at the snapshot and under the filter."""

    rows: int
    #: Column → values with digits beyond the microsecond; only columns that have any.
    nanoseconds: Mapping[str, int]
    #: The highest watermark, as a bound's text; None when it was not asked for, or there is none.
    watermark: str | None = None
    #: Column → its smallest and largest value; only columns that were asked for.
    ranges: Mapping[str, Range] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StatisticsQuestion:
    """What is asked of the source."""

    #: The run's predicate, or empty.
    where: str = ""
    #: Column → predicate that is true for a value with digits beyond the microsecond. Without any, Snowflake answers from
    #: metadata where there is no filter.
    nanoseconds: Mapping[str, str] = field(default_factory=dict)
    #: The expression for the highest watermark; None without a watermark column.
    highest: str | None = None
    #: Column → expression whose smallest and largest value are asked; from metadata likewise.
    measured: Mapping[str, str] = field(default_factory=dict)

    def sql(self, source: str) -> str:
        """`SELECT COUNT(*), <highest watermark>, COUNT_IF(<predicate>), …, MIN(<number>), MAX(<number>), … FROM <source> WHERE …`.

        :param source: what is behind FROM: the quoted table with its AT clause.
        """
        counts = [
            "COUNT(*)",
            self.highest or "NULL",
            *(f"COUNT_IF({predicate})" for predicate in self.nanoseconds.values()),
            *(f"{end}({number})" for number in self.measured.values() for end in ("MIN", "MAX")),
        ]
        return f"SELECT {', '.join(counts)} FROM {source}{f' WHERE {self.where}' if self.where else ''}"

    def parse(self, row: Sequence[Any]) -> SourceStatistics:
        """The statistics from the statement's one row."""
        ends = 2 + len(self.nanoseconds)
        found = {name: int(count or 0) for name, count in zip(self.nanoseconds, row[2:ends], strict=True)}
        numbers = [None if value is None else int(value) for value in row[ends:]]
        ranges = zip(self.measured, numbers[::2], numbers[1::2], strict=True)
        return SourceStatistics(
            int(row[0]),
            {name: count for name, count in found.items() if count},
            None if row[1] is None else str(row[1]),
            {name: Range(low, high) for name, low, high in ranges},
        )


def refuse_nanoseconds(statistics: SourceStatistics, policy: Nanoseconds, table: str) -> str | None:
    """What to report under the policy `truncate`; None when there is nothing to say.

    :raises ValueRefused: values would lose digits, and the policy is `refuse`.
    """
    if not statistics.nanoseconds:
        return None
    columns = ", ".join(f"{name} ({count:,} values)" for name, count in statistics.nanoseconds.items())
    if policy is Nanoseconds.TRUNCATE:
        return (
            f"Digits beyond the microsecond are cut off, as the policy nanoseconds = truncate says: {columns}"
        )
    raise ValueRefused(
        f"{table} holds times with digits beyond the microsecond, which PostgreSQL cannot keep: {columns}. "
        'Set nanoseconds to "truncate" to cut them off, exclude the columns, or mask them with an expression.'
    )
