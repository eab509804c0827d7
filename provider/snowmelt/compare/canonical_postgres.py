"""Canonical values as PostgreSQL 15 to 18 computes them. Nothing depends on a setting of the session.

Sources, PostgreSQL documentation: "Date/time functions" (`extract` of the epoch is an exact numeric, `date_part` the nearest
double), "Mathematical
functions" (`trim_scale`), "String functions" (`concat` takes NULL as empty; at most 100 arguments, which "Limits" says),
"Binary string functions" (`encode`), "Bit string types" (the cast to bigint).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from snowmelt.compare.canonical import (
    Measure,
    NumberedColumn,
    Side,
    float_class,
    float_link,
    float_parts,
    float_scaled,
)
from snowmelt.sql.names import postgres_identifier
from snowmelt.types.staged_hash import LONGEST
from snowmelt.types.type_names import parse_postgres_type
from snowmelt.types.type_table import Comparison

_CLOSED = "'|'"
_INTEGERS = frozenset({"smallint", "integer", "bigint"})


@dataclass(frozen=True, slots=True)
class _Form:
    """How PostgreSQL computes the values of one kind."""

    #: The value, from its column.
    value: Callable[[NumberedColumn], str]
    #: The token's parts, from the column and the SQL of its value.
    token: Callable[[NumberedColumn, str], tuple[str, ...]]
    #: The measures, from the value's alias.
    measures: Callable[[NumberedColumn], tuple[tuple[Measure, str], ...]]
    #: What is computed in between, step by step.
    derived: Callable[[NumberedColumn], tuple[tuple[tuple[str, str], ...], ...]] = lambda _: ()


def target_side(column: NumberedColumn) -> Side:
    """The column with its measures; the token's parts are arguments of `concat`."""
    form = _FORMS[column.kind]
    inner = ((column.alias, form.value(column)),)
    return Side(inner, form.token(column, column.alias), form.measures(column), form.derived(column))


def target_rows(columns: Sequence[NumberedColumn]) -> list[Side]:
    """The columns' tokens alone. They read the table themselves, where each needs its value once: a subquery costs its part of each row."""
    if any(column.kind in _REPEATED for column in columns):
        return [replace(target_side(column), measures=()) for column in columns]
    return [_direct(column) for column in columns]


def target_links(columns: Sequence[NumberedColumn]) -> list[Side]:
    """The tokens in short, for the hash that ties all columns of a row together."""
    if any(column.kind is Comparison.JSON for column in columns):
        sides = [replace(target_side(column), measures=(), derived=()) for column in columns]
        names = [column.alias for column in columns]
    else:
        sides = [_direct(column) for column in columns]
        names = [_name(column) for column in columns]
    return [
        replace(side, token=_link(name)) if column.kind is Comparison.FLOAT else side
        for column, side, name in zip(columns, sides, names, strict=True)
    ]


def _direct(column: NumberedColumn) -> Side:
    form = _FORMS[column.kind]
    return Side((), form.token(column, form.value(column)), ())


def _link(value: str) -> tuple[str, ...]:
    small, whole, places, large = float_link(value)
    token = (
        f"CASE WHEN {small} THEN concat(CAST({whole} AS bigint), ':', CAST({places} AS bigint)) "
        f"WHEN abs({value}) < POWER(2, 95) THEN CAST(CAST({large} AS bigint) AS text) WHEN {value} IS NOT NULL THEN 'x' END"
    )
    return token, _CLOSED


def _name(column: NumberedColumn) -> str:
    return postgres_identifier(column.column.target)


def _text(expression: str) -> str:
    return f"CAST({expression} AS text)"


def _closed(_: NumberedColumn, value: str) -> tuple[str, ...]:
    return value, _CLOSED


def _count(column: NumberedColumn) -> tuple[tuple[Measure, str], ...]:
    return ((Measure.COUNT, _text(f"count({column.alias})")),)


def _spread(column: NumberedColumn, value: str = "") -> tuple[tuple[Measure, str], ...]:
    value = value or column.alias
    return (
        *_count(column),
        (Measure.LOW, _text(f"min({value})")),
        (Measure.HIGH, _text(f"max({value})")),
        (Measure.TOTAL, _text(f"sum({value})")),
    )


def _number(column: NumberedColumn) -> str:
    target = parse_postgres_type(column.column.target_type)
    _, scale = column.digits
    if target.name in _INTEGERS or target.arguments[1:] == (scale,):
        return _name(column)
    # As many digits after the point as the source has, more where there are more: a sum takes the longer scale.
    return f"trim_scale({_name(column)}) + {'0.' + '0' * scale if scale else '0'}"


def _number_measures(column: NumberedColumn) -> tuple[tuple[Measure, str], ...]:
    below, alias = column.summed_below, column.alias
    if below is None:
        return _spread(column)
    if parse_postgres_type(column.column.target_type).name in _INTEGERS:
        return (*_spread(column), (Measure.LARGE, "'0'"))
    total = (Measure.TOTAL, _text(f"sum(CASE WHEN abs({alias}) < {below} THEN {alias} END)"))
    large = (Measure.LARGE, _text(f"count(CASE WHEN abs({alias}) >= {below} THEN 1 END)"))
    return (*_spread(column)[:3], total, large)


def _truth(_: NumberedColumn, value: str) -> tuple[str, ...]:
    return (f"CASE WHEN {value} THEN 't' WHEN NOT {value} THEN 'f' ELSE 'n' END",)


def _days(column: NumberedColumn) -> str:
    return f"{_name(column)} - DATE '1970-01-01'"


def _clock(column: NumberedColumn) -> str:
    return f"CAST(date_part('epoch', {_name(column)}) * 1000000 AS bigint)"


def _instant(column: NumberedColumn) -> str:
    """`date_part` costs a third of `extract`; its double, times a million, is off by less than half up to 2^51 microseconds, 71 years."""
    name = _name(column)
    zone = parse_postgres_type(column.column.target_type).name == "timestamp with time zone"
    kind, utc = ("TIMESTAMPTZ", "+00") if zone else ("TIMESTAMP", "")
    first, last = (f"{kind} '{year}-01-01 00:00:00{utc}'" for year in (1900, 2040))
    return (
        f"CASE WHEN {name} BETWEEN {first} AND {last} THEN CAST(date_part('epoch', {name}) * 1000000 AS bigint) "
        f"ELSE CAST(extract(epoch FROM {name}) * 1000000 AS bigint) END"
    )


def _float(column: NumberedColumn, value: str) -> tuple[str, ...]:
    class_ = column.second
    token = (
        f"CASE WHEN {class_} IS NOT NULL THEN concat({class_}, ':', {_parts(column.third)}) "
        f"WHEN {value} = 'NaN'::float8 THEN 'nan' WHEN {value} > 0 THEN 'inf' WHEN {value} < 0 THEN '-inf' END"
    )
    return token, _CLOSED


def _float_steps(column: NumberedColumn) -> tuple[tuple[tuple[str, str], ...], ...]:
    """The class, then the float moved into class 0: where it is of that class, as nearly all are, no power is computed."""
    alias, class_ = column.alias, column.second
    moved = f"CASE WHEN {class_} = 0 THEN {alias} ELSE {float_scaled(alias, class_)} END"
    return ((class_, float_class(alias, f"abs({alias}) < 'Infinity'::float8")),), ((column.third, moved),)


def _parts(value: str) -> str:
    return ", ':', ".join(f"CAST({part} AS bigint)" for part in float_parts(value))


def _float_measures(column: NumberedColumn) -> tuple[tuple[Measure, str], ...]:
    alias = column.alias

    def shown(aggregate: str) -> str:
        value = f"{aggregate}(CASE WHEN abs({alias}) < 'Infinity'::float8 THEN {alias} END)"
        return f"'x' || encode(float8send({value}), 'hex')"

    def counted(value: str) -> str:
        return _text(f"count(CASE WHEN {alias} = '{value}'::float8 THEN 1 END)")

    return (
        *_count(column),
        (Measure.LOW, shown("min")),
        (Measure.HIGH, shown("max")),
        (Measure.NAN, counted("NaN")),
        (Measure.INFINITE, counted("Infinity")),
        (Measure.NEGATIVE_INFINITE, counted("-Infinity")),
    )


def _octets(value: str, shown: str) -> tuple[str, ...]:
    octets = f"octet_length({value})"
    return octets, "':'", f"CASE WHEN {octets} <= {LONGEST} THEN {shown} ELSE md5({shown}) END"


def _bytes(_: NumberedColumn, value: str) -> tuple[str, ...]:
    return _octets(value, f"encode({value}, 'hex')")


def _lengths(column: NumberedColumn) -> tuple[tuple[Measure, str], ...]:
    return _spread(column, f"octet_length({column.alias})")


def _shape(text: str) -> str:
    bare = f"replace(replace({text}, '\"', ''), ',', '')"
    return f"octet_length({text}) - octet_length({bare})"


def _json(_: NumberedColumn, value: str) -> tuple[str, ...]:
    return f"translate(left({value}, 1), '123456789-', '0000000000')", _shape(value), _CLOSED


def _json_measures(column: NumberedColumn) -> tuple[tuple[Measure, str], ...]:
    return (*_count(column), (Measure.TOTAL, _text(f"sum({_shape(column.alias)})")))


_WHOLE = _Form(_number, _closed, _number_measures)
_AS_IS = _Form(_name, _closed, _count)
_FORMS: dict[Comparison, _Form] = {
    Comparison.INTEGER: _WHOLE,
    Comparison.DECIMAL: _WHOLE,
    Comparison.BOOLEAN: _Form(
        _name, _truth, lambda column: _spread(column, f"CAST({column.alias} AS integer)")
    ),
    Comparison.DATE: _Form(_days, _closed, _spread),
    Comparison.TIME: _Form(_clock, _closed, _spread),
    Comparison.INSTANT: _Form(_instant, _closed, _spread),
    Comparison.FLOAT: _Form(_name, _float, _float_measures, _float_steps),
    Comparison.TEXT: _Form(
        lambda column: _text(_name(column)), lambda _, value: _octets(value, value), _lengths
    ),
    Comparison.BYTES: _Form(_name, _bytes, _lengths),
    Comparison.UUID: _AS_IS,
    Comparison.INTEGERS: _AS_IS,
    Comparison.JSON: _Form(lambda column: _text(_name(column)), _json, _json_measures),
    Comparison.PRESENCE: _Form(
        lambda column: f"CASE WHEN {_name(column)} IS NOT NULL THEN 1 END", _closed, _count
    ),
}
#: Kinds whose token needs the value more than once, where that costs something.
_REPEATED = frozenset({Comparison.FLOAT, Comparison.JSON})
