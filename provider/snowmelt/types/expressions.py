"""What Snowflake selects for a column, made from the type table: in its staged form, or as the two databases compare it."""

from __future__ import annotations

from snowmelt.types.type_names import VARCHAR_DEFAULT_LENGTH, SnowflakeType
from snowmelt.types.type_table import MICROSECOND_DIGITS, MICROSECONDS_DIGITS, Form, TypeRow, row_of
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
