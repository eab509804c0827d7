"""The allow-list of binary COPY: which Arrow column may fill which PostgreSQL column, and the cast in between.

Binary COPY compares widths only, so a wrong type is silent corruption: 1.5 as float8 read as bigint gives
4609434218613702656. Nothing passes here that the type table does not name. And the server itself changes values without an
error (measured on PostgreSQL 18, binary COPY): numeric(4,2) rounds 12.345 to 12.35, varchar(3) cuts the spaces off
`"abc  "`, timestamp(3) and time(3) round. So each value is compared with its column here,
in Arrow, a column of a batch at a time. A batch that does not pass is looked at again value by value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from snowmelt.core.columns.forms import ArrowKind
from snowmelt.core.columns.type_table import find_allowed
from snowmelt.core.columns.types import Form
from snowmelt.core.load import number_casts, text_casts, time_casts
from snowmelt.core.load.target import LoadColumn

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
        made = number_casts.plan_number(_plain_type(arrow), target)
    elif column.form in {Form.EPOCH_US, Form.TIME_US, Form.DATE}:
        made = time_casts.plan_time(target)
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
    """The values for Python: text as bytes (it may be no UTF-8), dates as days since 1970 (Python ends at year 9999)."""
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
