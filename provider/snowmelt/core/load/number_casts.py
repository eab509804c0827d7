"""Casts into smallint, integer, bigint and numeric.

Decimals are sent at the file's scale: the server pads to a larger scale exactly, and would round to a smaller one, so
that is checked here. Sources: PostgreSQL "Numeric types"; Arrow "compute: cast" (safe casts raise on overflow and loss).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from snowmelt.core.columns.types import PostgresType

_WIDTHS = {"smallint": (pa.int16(), 16), "integer": (pa.int32(), 32), "bigint": (pa.int64(), 64)}
#: What Arrow's decimal128 holds, and Snowflake's NUMBER.
_DIGITS = 38
_LARGEST_SCALE = 37
#: The digits of the largest int64, and of the largest uint64.
_INT64_DIGITS, _UINT64_DIGITS = 19, 20

_Planned = tuple[pa.DataType, Callable[[pa.Array], pa.Array], Callable[[Any], str | None]]


def plan_number(arrow: pa.DataType, target: PostgresType) -> _Planned | str:
    """The wire type, conversion and explanation for a column of integers or decimals."""
    if target.name == "numeric":
        return _plan_numeric(arrow, target)
    wire, bits = _WIDTHS[target.name]

    def explain(value: Decimal | int) -> str | None:
        return None if -(2 ** (bits - 1)) <= value < 2 ** (bits - 1) else f"out of range for {target}"

    return wire, lambda array: array.cast(wire), explain


def _numeric_wire(arrow: pa.DataType, digits: int, scale: int) -> pa.DataType:
    if pa.types.is_decimal128(arrow) and arrow.scale == scale:
        return arrow  # a cast to another precision would read and write each value once more
    return pa.decimal128(_DIGITS if digits > _DIGITS or pa.types.is_decimal(arrow) else digits, scale)


def _plan_numeric(arrow: pa.DataType, target: PostgresType) -> _Planned | str:
    if pa.types.is_decimal(arrow):
        digits, scale = arrow.precision, arrow.scale
    else:
        digits, scale = (_UINT64_DIGITS if arrow == pa.uint64() else _INT64_DIGITS), 0
    if scale > _LARGEST_SCALE:
        return f"{scale} digits after the point, where at most {_LARGEST_SCALE} can be carried"
    most, fraction = target.arguments or (None, None)
    if fraction is not None and fraction < 0:
        return f"{target} rounds to the left of the point"
    kept = scale if fraction is None else min(scale, fraction)
    wire = _numeric_wire(arrow, digits, kept)
    bound = None if most is None or fraction is None else Decimal(10) ** (most - fraction)
    always_fits = bound is None or digits - scale <= (most or 0) - (fraction or 0)

    def convert(array: pa.Array) -> pa.Array:
        sent = array if array.type == wire else array.cast(wire)
        if not always_fits:
            limits = pc.min_max(sent).as_py()
            # compared, never negated: Python's arithmetic rounds a Decimal of more than 28 digits, and abs() does too
            if limits["min"] is not None and (limits["max"] >= bound or limits["min"].copy_abs() >= bound):
                raise pa.ArrowInvalid(f"out of range for {target}")
        return sent

    def explain(value: Decimal | int) -> str | None:
        exact = Decimal(value)
        size = exact.copy_abs()
        if bound is not None and size >= bound:
            return f"out of range for {target}"
        # as_tuple, not quantize: the decimal context would round a number of more than 28 digits
        _, figures, exponent = exact.as_tuple()
        places = -exponent if isinstance(exponent, int) else 0
        if places > kept and any(figures[-(places - kept) :]):
            return f"has more than {kept} digits after the point, {target} would round it"
        whole_figures = len(figures) - places
        return f"more than {_DIGITS} digits" if whole_figures + kept > _DIGITS and size >= 1 else None

    return wire, convert, explain
