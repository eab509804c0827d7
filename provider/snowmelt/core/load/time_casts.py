"""Casts into timestamp, timestamptz, time and date, all of them from integers.

Sources: PostgreSQL "Date/Time types" (Table 8.9: timestamp from 4713 BC to 294276 AD, date to 5874897 AD) and its source's datatype/timestamp.h
(the largest and the smallest number of microseconds or days stand for infinity, so neither may come from a value).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from snowmelt.core.columns.types import PostgresType

#: 4714-11-24 BC 00:00:00, the first timestamp, in microseconds since 1970. The last is beyond a 64-bit number of them.
FIRST_TIMESTAMP_US = -210_866_803_200_000_000
LAST_TIMESTAMP_US = 2**63 - 1
LAST_TIME_US = 86_400_000_000 - 1
#: 4714-11-24 BC and 5874897-12-31 in days since 1970: the first and the last date.
FIRST_DAY, LAST_DAY = -2_440_588, 2_145_042_905
_SECOND_DIGITS = 6

_Planned = tuple[pa.DataType, Callable[[pa.Array], pa.Array], Callable[[Any], str | None]]


def plan_time(target: PostgresType) -> _Planned:
    """The wire type, conversion and explanation for a column of microseconds (or days, for date)."""
    if target.name == "date":
        return _plan(target, pa.int32(), pa.date32(), (FIRST_DAY, LAST_DAY))
    if target.name == "time without time zone":
        return _plan(target, pa.int64(), pa.time64("us"), (0, LAST_TIME_US))
    return _plan(target, pa.int64(), pa.timestamp("us"), (FIRST_TIMESTAMP_US, LAST_TIMESTAMP_US))


def _plan(target: PostgresType, number: pa.DataType, wire: pa.DataType, limits: tuple[int, int]) -> _Planned:
    first, last = limits
    step = 10 ** (_SECOND_DIGITS - target.arguments[0]) if target.arguments else 1

    def convert(array: pa.Array) -> pa.Array:
        sent = array if array.type == number else array.cast(number)
        found = pc.min_max(sent).as_py()
        if found["min"] is not None and (found["min"] < first or found["max"] > last):
            raise pa.ArrowInvalid(f"out of range for {target}")
        if step > 1:
            whole = pc.multiply(pc.divide(sent, step), step)
            if pc.any(pc.not_equal(sent, whole)).as_py():
                raise pa.ArrowInvalid(f"too fine for {target}")
        return sent.view(wire)

    def explain(value: int) -> str | None:
        if not first <= value <= last:
            return f"out of range for {target}"
        return f"{target} would round away digits of the second" if value % step else None

    return wire, convert, explain
