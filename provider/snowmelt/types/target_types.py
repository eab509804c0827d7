"""Where a value of a Snowflake type may go in PostgreSQL, and what Snowflake selects for it; made from the type table.

The default type of a new column, the verdict on an existing one, and smallint, integer or bigint for a whole number whose values fit where
its declared digits would need more: Snowflake's INT and BIGINT are NUMBER(38,0), whose own place is numeric(38,0): twice the bytes of a
bigint, and slower to load, index and join. The range of the values is read once, with the source statistics. Each value is still checked
while loading.

Sources: PostgreSQL "Numeric types" (a numeric of a smaller scale rounds), "Character types" (varchar(n) holds at most
10485760 characters; character(n) pads), "Date/Time types" (timestamp(p) rounds).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from snowmelt.sql.names import postgres_identifier
from snowmelt.types.columns import Column, TargetColumn
from snowmelt.types.type_names import VARCHAR_DEFAULT_LENGTH, PostgresType, SnowflakeType
from snowmelt.types.type_table import (
    INTEGER_DIGITS,
    MICROSECOND_DIGITS,
    MICROSECONDS_DIGITS,
    Form,
    TypeRow,
    row_of,
)
from snowmelt.vocabulary import FileFormat


def select_expression(source: SnowflakeType, value_sql: str, file_format: FileFormat) -> str:
    """The Snowflake expression that puts a column into a staged file, without an alias.

    :param value_sql: a quoted column, or an expression in parentheses.
    """
    row = row_of(source)
    if file_format == FileFormat.CSV:
        return _fill(row.csv, source, value_sql)
    expression = comparable_expression(source, value_sql)
    cast = _cast_of(row, source)
    return f"CAST({expression} AS {cast})" if cast else expression


def comparable_expression(source: SnowflakeType, value_sql: str) -> str:
    """The value as both databases compute it: a whole number for a time or an instant, a text for JSON, else the value itself.

    The expression of a Parquet file without the cast that only chooses the file's integer: MIN and MAX of a bare column
    are answered from Snowflake's metadata.
    """
    return _fill(row_of(source).parquet, source, value_sql)


def _fill(template: str, source: SnowflakeType, value_sql: str) -> str:
    cut = f"DATE_TRUNC('MICROSECOND', {value_sql})" if loses_nanoseconds(source) else value_sql
    return template.format(c=value_sql, t=cut)


def _cast_of(row: TypeRow, source: SnowflakeType) -> str | None:
    digits = (source.precision or 0) if row.form is Form.INTEGER else MICROSECONDS_DIGITS
    return next((name for limit, name in row.casts.items() if digits <= limit), None)


def loses_nanoseconds(source: SnowflakeType) -> bool:
    """Whether a column of the type may hold digits beyond the microsecond, which PostgreSQL cannot."""
    return (
        row_of(source).form in {Form.TIME_US, Form.EPOCH_US} and (source.precision or 0) > MICROSECOND_DIGITS
    )


def nanosecond_predicate(value_sql: str) -> str:
    """A Snowflake predicate that is true for a time or timestamp with digits beyond the microsecond.

    DATE_PART(NANOSECOND) is the whole fraction of the second in nanoseconds, 0..999999999, before 1970 too.
    """
    return f"MOD(DATE_PART(NANOSECOND, {value_sql}), 1000) <> 0"


def offset_expression(value_sql: str) -> str:
    """The original offset of a TIMESTAMP_TZ in minutes east of UTC, such as 330 or -210: the wall clock less the one in UTC.

    A cast of a TIMESTAMP_TZ to TIMESTAMP_NTZ keeps the wall clock ("Date & time data types"). TIMEZONE_HOUR and
    TIMEZONE_MINUTE are not used: the sign of the minutes west of UTC is not documented.
    """
    utc = f"CAST(CONVERT_TIMEZONE('UTC', {value_sql}) AS TIMESTAMP_NTZ)"
    return f"DATEDIFF(MINUTE, {utc}, CAST({value_sql} AS TIMESTAMP_NTZ))"


def uncollated(value_sql: str, source: SnowflakeType) -> str:
    """A text without its collation: a cast drops it ("Collation support"), and texts are compared by their bytes."""
    return f"CAST({value_sql} AS VARCHAR({max(source.length or 0, VARCHAR_DEFAULT_LENGTH)}))"


class Outcome(StrEnum):
    """What may happen to the values on their way into a column."""

    SAFE = "safe"  #: every value fits
    CHECKED = "checked"  #: each value is checked while loading; one that does not fit is refused
    REFUSED = "refused"  #: there is no way in that keeps every value


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome for one source type and one target type, and why."""

    outcome: Outcome
    #: Empty when safe. Otherwise what can go wrong, and when refused what to do.
    reason: str = ""


def default_target(source: SnowflakeType) -> PostgresType:
    """The PostgreSQL type for a new column; every value of the source type fits into it."""
    row = row_of(source)
    return row.default(source) if row.default else PostgresType(row.targets[0])


_SAFE = Verdict(Outcome.SAFE)


def allowed_target(source: SnowflakeType, target: PostgresType) -> Verdict:
    """Whether a column of the source type may go into a column of the target type."""
    row = row_of(source)
    if target.name not in row.targets:
        return Verdict(Outcome.REFUSED, _no_way(source, row, target))
    if row.form in {Form.INTEGER, Form.DECIMAL}:
        return _into_number(source, target)
    if row.form is Form.TEXT:
        return _into_text(source, target)
    if row.form in {Form.EPOCH_US, Form.TIME_US} and target.arguments:
        return _into_seconds(source, target)
    if row.form is Form.VECTOR and target != default_target(source):
        return Verdict(Outcome.REFUSED, _no_way(source, row, target))
    return _SAFE


def _into_text(source: SnowflakeType, target: PostgresType) -> Verdict:
    if not target.arguments or target.arguments[0] >= (source.length or 0):
        return _SAFE
    return Verdict(
        Outcome.CHECKED, f"a text longer than {target.arguments[0]} characters is refused while loading"
    )


def _into_seconds(source: SnowflakeType, target: PostgresType) -> Verdict:
    if target.arguments[0] >= min(source.precision or 0, MICROSECOND_DIGITS):
        return _SAFE
    whole = PostgresType(target.name)
    return Verdict(
        Outcome.REFUSED,
        f"{target} would round away digits of the second that {source} holds; make the target {whole}",
    )


def _into_number(source: SnowflakeType, target: PostgresType) -> Verdict:
    precision, scale = source.precision or 0, source.scale or 0
    if target.name == "numeric":
        if not target.arguments:
            return _SAFE
        digits, fraction = target.arguments
        if fraction < scale:
            return Verdict(
                Outcome.REFUSED,
                f"{target} would round {source}; make the target {default_target(source)} or numeric",
            )
        room = digits - fraction
    else:
        room = INTEGER_DIGITS[target.name]
    if room >= precision - scale:
        return _SAFE
    return Verdict(Outcome.CHECKED, f"a number that does not fit into {target} is refused while loading")


_WHY_NOT = {
    (Form.DOUBLE, "real"): "it keeps 24 of the 53 bits",
    (Form.TEXT, "character"): "it pads with spaces",
    (Form.EPOCH_US, "timestamp with time zone"): "the source names no time zone",
    (Form.EPOCH_US, "timestamp without time zone"): "the instant would be lost",
}


def _no_way(source: SnowflakeType, row: TypeRow, target: PostgresType) -> str:
    why = _WHY_NOT.get((row.form, target.name), "not every value would be kept")
    takes = " or ".join(dict.fromkeys((str(default_target(source)), *_other_targets(source, row))))
    return (
        f"{source} has no safe way into {target}: {why}. Make the target {takes}, or convert it in Snowflake by an expression under "
        "columns.mask"
    )


def _other_targets(source: SnowflakeType, row: TypeRow) -> tuple[str, ...]:
    if row.form is Form.VECTOR:
        return ()
    return tuple(
        name for name in row.targets if allowed_target(source, PostgresType(name)).outcome is Outcome.SAFE
    )


#: First and last number of each type; PostgreSQL "Numeric types".
_LIMITS = {bits: (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (16, 32, 64)}
#: Digits of Snowflake's INT, BIGINT and NUMBER without arguments.
_UNASKED_DIGITS = 38
_BITS = {"smallint": 16, "integer": 32, "bigint": 64}


@dataclass(frozen=True, slots=True)
class Range:
    """The smallest and the largest value of a column; None where it has none."""

    low: int | None
    high: int | None


def find_measured(columns: Iterable[Column], chosen: Iterable[str] = ()) -> dict[str, str]:
    """Source column → expression, of the whole numbers whose range the source statistics ask for.

    :param chosen: source columns whose type the configuration says: they are left as they are.
    """
    left = frozenset(chosen)
    return {
        column.source: column.value
        for column in columns
        if column.form is Form.INTEGER
        and (column.checked or column.target_type != "smallint")
        and column.source not in left
    }


def plan_narrow(ranges: Mapping[str, Range]) -> dict[str, str]:
    """Source column → the smallest type that takes its values; a column without values keeps its own."""
    return {
        source: name
        for source, found in ranges.items()
        if found.low is not None and (name := _smallest(found)) is not None
    }


def _smallest(found: Range) -> str | None:
    return next((name for name in _BITS if _fits(found, name)), None)


def _fits(found: Range, name: str) -> bool:
    low, high = _LIMITS[_BITS[name]]
    return found.low is None or (low <= found.low and (found.high or 0) <= high)


def find_wider(source: SnowflakeType, target: PostgresType) -> PostgresType | None:
    """The type for the source's values that a narrower column of the target can become without a change of its own; None: it is wide enough.

    A NUMBER of 38 digits is what Snowflake takes without any: no one asked for so many.
    """
    wanted = default_target(source)
    form = row_of(source).form
    if form is Form.TEXT and target.name == "character varying" and target.arguments:
        longer = wanted.name == "text" or (wanted.arguments or (0,)) > target.arguments
        return wanted if longer else None
    if form not in {Form.INTEGER, Form.DECIMAL} or source.precision == _UNASKED_DIGITS:
        return None
    if target.name == "numeric":
        wanted = PostgresType("numeric", (source.precision or 0, source.scale or 0))
    have, needed = _places(target), _places(wanted)
    if have is None or needed is None or have == needed:
        return None
    return wanted if all(more >= less for more, less in zip(needed, have, strict=True)) else None


def _places(kind: PostgresType) -> tuple[int, int] | None:
    """Digits before and after the point that a column takes; None without a limit, and for other types."""
    if kind.name in INTEGER_DIGITS:
        return INTEGER_DIGITS[kind.name] + 1, 0
    if kind.name == "numeric" and kind.arguments:
        precision, scale = (*kind.arguments, 0)[:2]
        return precision - scale, scale
    return None


def find_outgrown(
    columns: Iterable[Column],
    targets: Iterable[TargetColumn],
    ranges: Mapping[str, Range],
    table: tuple[str, str],
) -> tuple[str, ...]:
    """Why values do not fit into the columns of the existing target, each with the ALTER that would take them."""
    types = {target.name: target.type for target in targets}
    faults = []
    for column in columns:
        kind, found = types.get(column.target), ranges.get(column.source)
        if kind is None or found is None or kind.name not in _BITS or _fits(found, kind.name):
            continue
        wider = PostgresType(_smallest(found) or "numeric")
        faults.append(
            f'"{column.source}" has values from {found.low:,} to {found.high:,}, and "{column.target}" of the target is {kind}. '
            f"ALTER TABLE {postgres_identifier(*table)} ALTER COLUMN {postgres_identifier(column.target)} TYPE {wider}; would take them."
        )
    return tuple(faults)
