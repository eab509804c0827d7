"""Canonical values as Snowflake computes them.

Sources, Snowflake documentation: "MD5_NUMBER_LOWER64" (the lower 64 bits, unsigned), "OCTET_LENGTH", "HEX_ENCODE" (0: lower case),
"IFF", "TO_JSON", "TRUNCATE", "POWER", "ABS", "Numeric data types" (FLOAT is IEEE 754; NaN equals itself; a
fixed-point number becomes text with all digits of its scale), "Data type conversion" (TRUE is 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from snowmelt.compare.canonical import (
    Measure,
    NumberedColumn,
    Side,
    float_class,
    float_link,
    float_parts,
    float_scaled,
)
from snowmelt.types.staged_hash import LONGEST
from snowmelt.types.target_types import uncollated
from snowmelt.types.type_names import parse_snowflake_type
from snowmelt.types.type_table import Comparison

_CLOSED = "|| '|'"


def source_side(column: NumberedColumn) -> Side:
    """The column as Snowflake computes it; the token is one expression that is never NULL."""
    return _SIDES[column.kind](column)


def source_row(column: NumberedColumn) -> Side:
    """The column's token alone."""
    return replace(source_side(column), measures=())


def source_link(column: NumberedColumn) -> Side:
    """The token in short, for the hash that ties all columns of a row together."""
    if column.kind is not Comparison.FLOAT:
        return source_row(column)
    alias = column.alias
    small, *numbers, large = float_link(alias)
    parts = " || ':' || ".join(_text(f"CAST({number} AS NUMBER(38,0))") for number in numbers)
    token = (
        f"CASE WHEN {small} THEN {parts} WHEN ABS({alias}) < POWER(2, 95) THEN {_text(f'CAST({large} AS NUMBER(38,0))')} "
        f"WHEN {alias} IS NOT NULL THEN 'x' ELSE '' END {_CLOSED}"
    )
    return Side(((alias, f"CAST({column.value} AS FLOAT)"),), (token,), ())


def _text(expression: str) -> str:
    return f"TO_VARCHAR({expression})"


def _count(alias: str) -> tuple[Measure, str]:
    return Measure.COUNT, _text(f"COUNT({alias})")


def _spread(alias: str, value: str) -> tuple[tuple[Measure, str], ...]:
    return (
        _count(alias),
        (Measure.LOW, _text(f"MIN({value})")),
        (Measure.HIGH, _text(f"MAX({value})")),
        (Measure.TOTAL, _text(f"SUM({value})")),
    )


def _whole(column: NumberedColumn, value: str) -> Side:
    alias = column.alias
    return Side(((alias, value),), (f"COALESCE({_text(alias)}, '') {_CLOSED}",), _spread(alias, alias))


def _number(column: NumberedColumn) -> Side:
    side = _whole(column, column.value)
    below, alias = column.summed_below, column.alias
    if below is None:
        return side
    total = _text(f"SUM(IFF(ABS({alias}) < {below}, {alias}, NULL))")
    large = _text(f"COUNT(IFF(ABS({alias}) >= {below}, 1, NULL))")
    return Side(side.inner, side.token, (*side.measures[:3], (Measure.TOTAL, total), (Measure.LARGE, large)))


def _boolean(column: NumberedColumn) -> Side:
    alias = column.alias
    token = f"CASE WHEN {alias} THEN 't' WHEN NOT {alias} THEN 'f' ELSE 'n' END"
    return Side(((alias, column.value),), (token,), _spread(alias, f"CAST({alias} AS INTEGER)"))


def _date(column: NumberedColumn) -> Side:
    return _whole(column, f"DATEDIFF(DAY, '1970-01-01'::DATE, {column.value})")


def _as_is(column: NumberedColumn) -> Side:
    return _whole(column, column.value)


def _float(column: NumberedColumn) -> Side:
    alias, class_ = column.alias, column.second
    value = f"CAST({column.value} AS FLOAT)"
    finite = f"{alias} <> 'NaN'::FLOAT AND {alias} <> 'inf'::FLOAT AND {alias} <> '-inf'::FLOAT"

    scaled = column.third
    parts = " || ':' || ".join(_text(f"CAST({part} AS NUMBER(38,0))") for part in float_parts(scaled))
    token = (
        f"CASE WHEN {class_} IS NOT NULL THEN {_text(class_)} || ':' || {parts} WHEN {alias} = 'NaN'::FLOAT THEN 'nan' "
        f"WHEN {alias} = 'inf'::FLOAT THEN 'inf' WHEN {alias} = '-inf'::FLOAT THEN '-inf' ELSE '' END {_CLOSED}"
    )
    shown = f"IFF({class_} IS NOT NULL, {alias}, NULL)"
    return Side(
        ((alias, value),),
        (token,),
        (
            _count(alias),
            (Measure.LOW, f"TO_VARCHAR(MIN({shown}), 'TME')"),
            (Measure.HIGH, f"TO_VARCHAR(MAX({shown}), 'TME')"),
            (Measure.NAN, _text(f"COUNT(IFF({alias} = 'NaN'::FLOAT, 1, NULL))")),
            (Measure.INFINITE, _text(f"COUNT(IFF({alias} = 'inf'::FLOAT, 1, NULL))")),
            (Measure.NEGATIVE_INFINITE, _text(f"COUNT(IFF({alias} = '-inf'::FLOAT, 1, NULL))")),
        ),
        (((class_, float_class(alias, finite)),), ((scaled, float_scaled(alias, class_)),)),
    )


def _octets(column: NumberedColumn, value: str, shown: str) -> Side:
    alias = column.alias
    octets = f"OCTET_LENGTH({alias})"
    token = f"COALESCE({_text(octets)} || ':' || IFF({octets} <= {LONGEST}, {shown}, MD5({shown})), ':')"
    return Side(((alias, value),), (token,), _spread(alias, octets))


def _varchar(column: NumberedColumn) -> Side:
    """A cast drops the collation: texts of two collations cannot be put together (002322), and one of them hides case."""
    source = parse_snowflake_type(column.column.source_type)
    if source.name != "VARCHAR":
        return _octets(column, column.value, column.alias)
    return _octets(column, uncollated(column.value, source), column.alias)


def _binary(column: NumberedColumn) -> Side:
    return _octets(column, column.value, f"HEX_ENCODE({column.alias}, 0)")


def _uuid(column: NumberedColumn) -> Side:
    alias = column.alias
    return Side(((alias, f"LOWER({column.value})"),), (f"COALESCE({alias}, '') {_CLOSED}",), (_count(alias),))


def _integers(column: NumberedColumn) -> Side:
    alias = column.alias
    value = f"TRANSLATE({column.value}, '[]', '{{}}')"
    return Side(((alias, value),), (f"COALESCE({alias}, '') {_CLOSED}",), (_count(alias),))


def _json(column: NumberedColumn) -> Side:
    alias = column.alias
    shape = f"OCTET_LENGTH({alias}) - OCTET_LENGTH(REPLACE(REPLACE({alias}, '\"', ''), ',', ''))"
    kind = f"TRANSLATE(LEFT({alias}, 1), '123456789-', '0000000000')"
    token = f"COALESCE({kind} || {_text(shape)}, '') {_CLOSED}"
    return Side(((alias, column.value),), (token,), (_count(alias), (Measure.TOTAL, _text(f"SUM({shape})"))))


def _presence(column: NumberedColumn) -> Side:
    alias = column.alias
    value = f"CASE WHEN {column.value} IS NOT NULL THEN 1 END"
    return Side(((alias, value),), (f"IFF({alias} IS NULL, '|', '1|')",), (_count(alias),))


_SIDES: dict[Comparison, Callable[[NumberedColumn], Side]] = {
    Comparison.INTEGER: _number,
    Comparison.DECIMAL: _number,
    Comparison.BOOLEAN: _boolean,
    Comparison.DATE: _date,
    Comparison.TIME: _as_is,
    Comparison.INSTANT: _as_is,
    Comparison.FLOAT: _float,
    Comparison.TEXT: _varchar,
    Comparison.BYTES: _binary,
    Comparison.UUID: _uuid,
    Comparison.INTEGERS: _integers,
    Comparison.JSON: _json,
    Comparison.PRESENCE: _presence,
}
