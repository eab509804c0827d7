"""Two fingerprints side by side: every difference in words."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from snowmelt.compare.canonical import APPROXIMATE, Measure
from snowmelt.compare.fingerprint import ColumnFingerprint, Fingerprint, Value
from snowmelt.types.type_table import Comparison

#: Snowflake prints a float with 17 digits or fewer; the rows' hash compares floats to the last bit.
FLOAT_DIGITS = 1e-14

_LABELS = {
    Measure.COUNT: "values that are not NULL",
    Measure.LOW: "least value",
    Measure.HIGH: "greatest value",
    Measure.TOTAL: "sum",
    Measure.LARGE: "numbers too large to add up",
    Measure.NAN: "NaN",
    Measure.INFINITE: "Infinity",
    Measure.NEGATIVE_INFINITE: "-Infinity",
}
_OCTETS = {
    Measure.LOW: "fewest bytes in a value",
    Measure.HIGH: "most bytes in a value",
    Measure.TOTAL: "bytes of all values",
}
_LABELS_OF = {
    Comparison.TEXT: _OCTETS,
    Comparison.BYTES: _OCTETS,
    Comparison.BOOLEAN: {Measure.TOTAL: "true values"},
    Comparison.DATE: {Measure.TOTAL: "sum of days since 1970"},
    Comparison.TIME: {Measure.TOTAL: "sum of microseconds since midnight"},
    Comparison.INSTANT: {Measure.TOTAL: "sum of microseconds since 1970"},
    Comparison.JSON: {Measure.TOTAL: "quotes and commas in all values"},
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def find_fingerprint_differences(source: Fingerprint, target: Fingerprint) -> list[str]:
    """Every place where the fingerprints of Snowflake and PostgreSQL disagree, in words; empty when they agree.

    Both are of the same columns, in the same order. A column whose own hashes are known is named by them too.
    """
    differences = []
    if source.rows != target.rows:
        differences.append(f"{source.rows:,} rows in Snowflake, {target.rows:,} in PostgreSQL")
    by_column = [
        found
        for left, right in zip(source.columns, target.columns, strict=True)
        if (found := _column_difference(left, right))
    ]
    differences.extend(by_column)
    if source.hash != target.hash and not differences:
        differences.append(_row_hash(source, target))
    return differences


def _row_hash(source: Fingerprint, target: Fingerprint) -> str:
    hashes = f"the hash of all rows is {source.hash:016x} in Snowflake, {target.hash:016x} in PostgreSQL"
    if source.columns and all(column.hash is not None for column in source.columns):
        return f"{hashes}, while each column by itself holds the same values: they are in other rows"
    return f"{hashes}, while all counts, sums, least and greatest values agree: values were changed for others of the same sum, or moved"


def _column_difference(source: ColumnFingerprint, target: ColumnFingerprint) -> str:
    found = [
        f"{_LABELS_OF.get(source.kind, {}).get(measure, _LABELS[measure])} {show_value(source.kind, measure, left)} in Snowflake, "
        f"{show_value(source.kind, measure, right)} in PostgreSQL"
        for measure, left in source.measures.items()
        if not _same(left, right := target.measures[measure])
    ]
    if source.hash != target.hash and source.hash is not None and target.hash is not None and not found:
        found.append(f"hash {source.hash:016x} in Snowflake, {target.hash:016x} in PostgreSQL")
    return f'column "{source.name}": {"; ".join(found)}' if found else ""


def _same(left: Value, right: Value) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=FLOAT_DIGITS)
    return left == right


def show_value(kind: Comparison, measure: Measure, value: Value) -> str:
    """A measured value as a person reads it: a day as a day, an instant as a time in UTC."""
    if value is None:
        return "none"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, float):
        return repr(value)
    if measure in {Measure.LOW, Measure.HIGH}:
        return _SHOWN.get(kind, str)(value)
    return f"{value:,}"


def _day(days: int) -> str:
    try:
        return (_EPOCH.date() + timedelta(days=days)).isoformat()
    except OverflowError:
        return f"{days} days since 1970"


def _instant(microseconds: int) -> str:
    try:
        moment = _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return f"{microseconds} microseconds since 1970"
    return moment.replace(tzinfo=None).isoformat(sep=" ")


def _clock(microseconds: int) -> str:
    return _instant(microseconds).removeprefix("1970-01-01 ")


def _truth(value: int) -> str:
    return "true" if value else "false"


_SHOWN: dict[Comparison, Callable[[int], str]] = {
    Comparison.DATE: _day,
    Comparison.INSTANT: _instant,
    Comparison.TIME: _clock,
    Comparison.BOOLEAN: _truth,
}


def list_approximate(fingerprint: Fingerprint) -> tuple[str, ...]:
    """The columns of which not every change shows: their values are not in the rows' hash to the letter."""
    return tuple(column.name for column in fingerprint.columns if column.kind in APPROXIMATE)
