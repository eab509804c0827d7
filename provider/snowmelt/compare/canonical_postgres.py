"""Canonical values as PostgreSQL 15 to 18 computes them. Nothing depends on a setting of the session.

Sources, PostgreSQL documentation: "Date/time functions" (`extract` of the epoch is an exact numeric), "Mathematical
functions" (`trim_scale`), "String functions" (`concat` takes NULL as empty; at most 100 arguments, which "Limits" says),
"Binary string functions" (`encode`), "Bit string types" (the cast to bigint).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from snowmelt.compare.canonical import (
    LONGEST,
    Measure,
    NumberedColumn,
    Side,
    float_class,
    float_link,
    float_parts,
    float_scaled,
)
from snowmelt.sql.names import postgres_identifier
from snowmelt.types.type_names import parse_postgres_type
from snowmelt.types.type_table import Comparison

_CLOSED = "'|'"
_INTEGERS = frozenset({"smallint", "integer", "bigint"})


def target_side(column: NumberedColumn) -> Side:
    """The column as PostgreSQL computes it; the token's parts are arguments of `concat`."""
    return _SIDES[column.kind](column)


def target_link(column: NumberedColumn) -> Side:
    """The column without measures, in short, for the hash that ties all columns of a row together."""
    if column.kind is not Comparison.FLOAT:
        return replace(target_side(column), measures=())
    alias = column.alias
    small, whole, places, large = float_link(alias)
    token = (
        f"CASE WHEN {small} THEN concat(CAST({whole} AS bigint), ':', CAST({places} AS bigint)) "
        f"WHEN abs({alias}) < POWER(2, 95) THEN CAST(CAST({large} AS bigint) AS text) WHEN {alias} IS NOT NULL THEN 'x' END"
    )
    return Side(((alias, _name(column)),), (token, _CLOSED), ())


def _name(column: NumberedColumn) -> str:
    return postgres_identifier(column.column.target)


def _text(expression: str) -> str:
    return f"CAST({expression} AS text)"


def _count(alias: str) -> tuple[Measure, str]:
    return Measure.COUNT, _text(f"count({alias})")


def _spread(alias: str, value: str) -> tuple[tuple[Measure, str], ...]:
    return (
        _count(alias),
        (Measure.LOW, _text(f"min({value})")),
        (Measure.HIGH, _text(f"max({value})")),
        (Measure.TOTAL, _text(f"sum({value})")),
    )


def _whole(column: NumberedColumn, value: str) -> Side:
    alias = column.alias
    return Side(((alias, value),), (alias, _CLOSED), _spread(alias, alias))


def _number(column: NumberedColumn) -> Side:
    target = parse_postgres_type(column.column.target_type)
    _, scale = column.digits
    value = _name(column)
    if target.name not in _INTEGERS and target.arguments[1:] != (scale,):
        # As many digits after the point as the source has, more where there are more: a sum takes the longer scale.
        value = f"trim_scale({value}) + {'0.' + '0' * scale if scale else '0'}"
    side = _whole(column, value)
    below, alias = column.summed_below, column.alias
    if below is None:
        return side
    if target.name in _INTEGERS:
        return Side(side.inner, side.token, (*side.measures, (Measure.LARGE, "'0'")))
    summed = column.third
    total = (Measure.TOTAL, _text(f"sum({summed})"))
    large = (Measure.LARGE, _text(f"count({alias}) - count({summed})"))
    derived = (((summed, f"CASE WHEN abs({alias}) < {below} THEN {alias} END"),),)
    return Side(side.inner, side.token, (*side.measures[:3], total, large), derived)


def _boolean(column: NumberedColumn) -> Side:
    return _whole(column, f"CAST({_name(column)} AS integer)")


def _date(column: NumberedColumn) -> Side:
    return _whole(column, f"{_name(column)} - DATE '1970-01-01'")


def _microseconds(column: NumberedColumn) -> Side:
    return _whole(column, f"CAST(extract(epoch FROM {_name(column)}) * 1000000 AS bigint)")


def _float(column: NumberedColumn) -> Side:
    alias, class_, value = column.alias, column.second, _name(column)
    finite = f"abs({alias}) < 'Infinity'::float8"

    scaled = column.third
    parts = ", ':', ".join(f"CAST({part} AS bigint)" for part in float_parts(scaled))
    token = (
        f"CASE WHEN {class_} IS NOT NULL THEN concat({class_}, ':', {parts}) "
        f"WHEN {alias} = 'NaN'::float8 THEN 'nan' WHEN {alias} > 0 THEN 'inf' WHEN {alias} < 0 THEN '-inf' END"
    )

    def shown(aggregate: str) -> str:
        value = f"{aggregate}(CASE WHEN {class_} IS NOT NULL THEN {alias} END)"
        return f"'x' || encode(float8send({value}), 'hex')"

    def counted(value: str) -> str:
        return _text(f"count(CASE WHEN {alias} = '{value}'::float8 THEN 1 END)")

    return Side(
        ((alias, value),),
        (token, _CLOSED),
        (
            _count(alias),
            (Measure.LOW, shown("min")),
            (Measure.HIGH, shown("max")),
            (Measure.NAN, counted("NaN")),
            (Measure.INFINITE, counted("Infinity")),
            (Measure.NEGATIVE_INFINITE, counted("-Infinity")),
        ),
        (((class_, float_class(alias, finite)),), ((scaled, float_scaled(alias, class_)),)),
    )


def _octets(column: NumberedColumn, value: str, shown: str) -> Side:
    alias, octets = column.alias, column.second
    content = f"CASE WHEN {octets} <= {LONGEST} THEN {shown} ELSE md5({shown}) END"
    inner = ((alias, value), (octets, f"octet_length({value})"))
    return Side(inner, (octets, "':'", content), _spread(octets, octets))


def _varchar(column: NumberedColumn) -> Side:
    return _octets(column, _text(_name(column)), column.alias)


def _bytea(column: NumberedColumn) -> Side:
    return _octets(column, _name(column), f"encode({column.alias}, 'hex')")


def _as_is(column: NumberedColumn) -> Side:
    alias = column.alias
    return Side(((alias, _name(column)),), (alias, _CLOSED), (_count(alias),))


def _json(column: NumberedColumn) -> Side:
    alias, shape = column.alias, column.third
    kind = f"translate(left({alias}, 1), '123456789-', '0000000000')"
    bare = f"replace(replace({alias}, '\"', ''), ',', '')"
    return Side(
        ((alias, _text(_name(column))),),
        (kind, shape, _CLOSED),
        (_count(alias), (Measure.TOTAL, _text(f"sum({shape})"))),
        (((shape, f"octet_length({alias}) - octet_length({bare})"),),),
    )


def _presence(column: NumberedColumn) -> Side:
    alias = column.alias
    value = f"CASE WHEN {_name(column)} IS NOT NULL THEN 1 END"
    return Side(((alias, value),), (alias, _CLOSED), (_count(alias),))


_SIDES: dict[Comparison, Callable[[NumberedColumn], Side]] = {
    Comparison.INTEGER: _number,
    Comparison.DECIMAL: _number,
    Comparison.BOOLEAN: _boolean,
    Comparison.DATE: _date,
    Comparison.TIME: _microseconds,
    Comparison.INSTANT: _microseconds,
    Comparison.FLOAT: _float,
    Comparison.TEXT: _varchar,
    Comparison.BYTES: _bytea,
    Comparison.UUID: _as_is,
    Comparison.INTEGERS: _as_is,
    Comparison.JSON: _json,
    Comparison.PRESENCE: _presence,
}
