"""Casts into smallint, integer, bigint and numeric.

Decimals are sent at the file's scale: the server pads to a larger scale exactly, and would round to a smaller one, so
that is checked here. Sources: PostgreSQL "Numeric types"; Arrow "compute: cast" (safe casts raise on overflow and loss).

Casts into timestamp, timestamptz, time and date, all of them from integers.

Sources: PostgreSQL "Date/Time types" (Table 8.9: timestamp from 4713 BC to 294276 AD, date to 5874897 AD) and its source's datatype/timestamp.h
(the largest and the smallest number of microseconds or days mean infinity, so neither may come from a value).

The allow-list of binary COPY: which Arrow column may fill which PostgreSQL column, and the cast in between.

Binary COPY compares widths only, so a wrong type is silent corruption: 1.5 as float8 read as bigint gives
4609434218613702656. Nothing passes here that the type table does not name. And the server itself changes values without an
error (measured on PostgreSQL 18, binary COPY): numeric(4,2) rounds 12.345 to 12.35, varchar(3) cuts the spaces off
`"abc  "`, timestamp(3) and time(3) round. So each value is compared with its column here,
in Arrow, a column of a batch at a time. A batch that does not pass is checked again value by value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from snowmelt.load import text_casts
from snowmelt.load.target import LoadColumn
from snowmelt.types.type_names import PostgresType
from snowmelt.types.type_table import ArrowKind, Form, find_allowed

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


#: 4714-11-24 BC 00:00:00, the first timestamp, in microseconds since 1970. The last is beyond a 64-bit number of them.
FIRST_TIMESTAMP_US = -210_866_803_200_000_000
LAST_TIMESTAMP_US = 2**63 - 1
LAST_TIME_US = 86_400_000_000 - 1
#: 4714-11-24 BC and 5874897-12-31 in days since 1970: the first and the last date.
FIRST_DAY, LAST_DAY = -2_440_588, 2_145_042_905
_SECOND_DIGITS = 6

_Planned_time_casts = tuple[pa.DataType, Callable[[pa.Array], pa.Array], Callable[[Any], str | None]]


def plan_time(target: PostgresType) -> _Planned_time_casts:
    """The wire type, conversion and explanation for a column of microseconds (or days, for date)."""
    if target.name == "date":
        return _plan(target, pa.int32(), pa.date32(), (FIRST_DAY, LAST_DAY))
    if target.name == "time without time zone":
        return _plan(target, pa.int64(), pa.time64("us"), (0, LAST_TIME_US))
    return _plan(target, pa.int64(), pa.timestamp("us"), (FIRST_TIMESTAMP_US, LAST_TIMESTAMP_US))


def _plan(
    target: PostgresType, number: pa.DataType, wire: pa.DataType, limits: tuple[int, int]
) -> _Planned_time_casts:
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


#: Gives the array that the encoder takes. Raises pa.ArrowInvalid or Unfit where a value does not fit.
Convert = Callable[[pa.Array], pa.Array]
#: Why one value does not fit, or None.
Explain = Callable[[Any], str | None]

_NUMBERS = frozenset({"smallint", "integer", "bigint", "numeric"})
#: Form → kinds of Arrow types, PostgreSQL types; from the type table.
_ALLOWED = {form: find_allowed(form) for form in Form}


def arrow_kind(arrow: pa.DataType) -> ArrowKind | None:  # noqa: PLR0911 - a table
    """The kind of an Arrow type, or None for one that never passes (timestamps, float, nested types)."""
    if pa.types.is_dictionary(arrow):
        return arrow_kind(arrow.value_type)
    if pa.types.is_integer(arrow):
        return ArrowKind.INTEGER
    if pa.types.is_decimal(arrow):
        if arrow.scale < 0:
            return None
        return ArrowKind.DECIMAL if arrow.scale else ArrowKind.WHOLE
    if pa.types.is_string(arrow) or pa.types.is_large_string(arrow) or pa.types.is_string_view(arrow):
        return ArrowKind.TEXT
    if pa.types.is_binary(arrow) or pa.types.is_large_binary(arrow) or pa.types.is_binary_view(arrow):
        return ArrowKind.BYTES
    if pa.types.is_fixed_size_binary(arrow):
        return ArrowKind.BYTES
    return {
        pa.float64(): ArrowKind.DOUBLE,
        pa.bool_(): ArrowKind.BOOLEAN,
        pa.date32(): ArrowKind.DATE,
    }.get(arrow)


@dataclass(frozen=True, slots=True)
class Casted:
    """A column of a batch as the encoder takes it."""

    #: As long as the batch; NULL where refused.
    array: pa.Array
    #: Index in the batch → reason.
    refused: dict[int, str]


@dataclass(frozen=True, slots=True)
class Cast:
    """The way of one column from a file into its target."""

    column: LoadColumn
    #: The Arrow type that the encoder is made for.
    wire: pa.DataType
    convert: Convert
    explain: Explain

    def apply(self, array: pa.Array) -> Casted:
        """Cast a column of a batch.

        :raises pa.ArrowInvalid: when the values do not pass though each of them does, which is a fault in this module.
        """
        plain = _plain(array)
        refused: dict[int, str] = {}
        if plain.null_count and not self.column.nullable:
            refused = dict.fromkeys(_positions(plain.is_null()), "NULL in a NOT NULL column")
        try:
            return Casted(self.convert(plain), refused)
        except pa.ArrowInvalid:
            pass
        for row, value in enumerate(values_of(plain)):
            reason = None if value is None else self.explain(value)
            if reason is not None:
                refused[row] = reason
        mask = pa.array([row in refused for row in range(len(plain))], pa.bool_())
        return Casted(self.convert(pc.if_else(mask, pa.scalar(None, plain.type), plain)), refused)


def plan_cast(column: LoadColumn, arrow: pa.DataType) -> Cast | str:
    """The cast for a column of a file, or the reason why there is none."""
    kind = arrow_kind(arrow)
    kinds, targets = _ALLOWED[column.form]
    target = column.target_type
    if kind not in kinds or target.name not in targets:
        return (
            f"{column.file_name}: Arrow {arrow}, staged as {column.form}, has no safe way into "
            f"{column.target} {target}"
        )
    made: tuple[pa.DataType, Convert, Explain] | str
    if target.name in _NUMBERS:
        made = plan_number(_plain_type(arrow), target)
    elif column.form in {Form.EPOCH_US, Form.TIME_US, Form.DATE}:
        made = plan_time(target)
    elif target.name == "uuid":
        made = text_casts.plan_uuid()
    elif column.form is Form.VECTOR:
        made = text_casts.plan_vector(target)
    elif kind is ArrowKind.TEXT:
        made = text_casts.plan_text(target)
    else:
        made = _plain_type(arrow), lambda array: array, lambda _: None
    if isinstance(made, str):
        return f"{column.file_name}: Arrow {arrow} into {column.target} {target}: {made}"
    return Cast(column, *made)


def _plain_type(arrow: pa.DataType) -> pa.DataType:
    """The type without dictionary, view or 64-bit offsets."""
    if pa.types.is_dictionary(arrow):
        return _plain_type(arrow.value_type)
    kind = arrow_kind(arrow)
    if kind is ArrowKind.TEXT:
        return pa.string()
    return pa.binary() if kind is ArrowKind.BYTES else arrow


def _plain(array: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    wanted = _plain_type(array.type)
    return array if array.type == wanted else array.cast(wanted)


def values_of(array: pa.Array) -> list[Any]:
    """The values for Python: text as bytes (it may not be UTF-8), dates as days since 1970 (Python ends at year 9999)."""
    if pa.types.is_string(array.type):
        return list(array.cast(pa.binary()).to_pylist())
    if pa.types.is_date32(array.type):
        return list(array.cast(pa.int32()).to_pylist())
    return list(array.to_pylist())


def show_of(array: pa.Array) -> Any:
    """The only value of an array, as a person reads it."""
    plain = _plain(array)
    value = values_of(plain)[0]
    if value is None:
        return None
    if pa.types.is_date32(plain.type):
        return str(np.datetime64(value, "D"))
    return f"\\x{value.hex()}" if pa.types.is_binary(plain.type) else value


def _positions(mask: pa.Array) -> list[int]:
    return list(pc.indices_nonzero(mask).to_pylist())
