"""What stands in the source from one run to the next, computed here and by Snowflake each in its own way."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

BASE = dt.datetime(2026, 1, 1)
Row = tuple[int, str, Decimal, dt.datetime]


@dataclass(frozen=True)
class Source:
    """A table whose `version` grows with each run."""

    rows: int
    #: all: every row changes. third: every third row does, and its watermark. more: rows are new, under new ids.
    change: str = "all"
    #: Rows that are gone for good with each version, from the lowest id.
    gone: int = 0

    def made(self, version: int) -> list[Row]:
        first = version * self.rows if self.change == "more" else 0
        return [
            (
                number,
                f"name {number * 7919 % 1_000_003} é",
                Decimal(number * 37 + self._changed(number, version)).scaleb(-2),
                BASE
                + dt.timedelta(
                    days=self._changed(number, version) if self.change == "third" else 0,
                    microseconds=number * 1_000_003,
                ),
            )
            for number in range(first + self.gone * version, first + self.rows)
        ]

    def sql(self, table: str, version: int) -> str:
        first = version * self.rows if self.change == "more" else 0
        changed = f"({version} - MOD({version} + 3 - MOD(ID, 3), 3))" if self.change == "third" else version
        days = changed if self.change == "third" else 0
        return (
            f"CREATE OR REPLACE TABLE {table} AS SELECT ID::NUMBER(18,0) AS ID, ('name ' || MOD(ID * 7919, 1000003) || ' é')::VARCHAR(60) AS NAME, "
            f"((ID * 37 + {changed}) / 100)::NUMBER(12,2) AS AMOUNT, "
            f"DATEADD(DAY, {days}, DATEADD(MICROSECOND, ID * 1000003, '2026-01-01'::TIMESTAMP_NTZ(6))) AS AT "
            f"FROM (SELECT SEQ4() + {first} AS ID FROM TABLE(GENERATOR(ROWCOUNT => {self.rows}))) WHERE ID >= {first + self.gone * version}"
        )

    def target(self, old: list[Row] | None, version: int) -> list[Row]:
        """The target's rows after a run, from those before it."""
        return [*(old or ()), *self.made(version)] if self.change == "more" else self.made(version)

    def _changed(self, number: int, version: int) -> int:
        """The version in which a row changed last."""
        return version - (version - number) % 3 if self.change == "third" else version
