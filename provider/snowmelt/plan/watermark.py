"""The watermark: up to where a target is filled, as the text of a bound of the source's watermark column.

An incremental run copies the rows at and above the last one less an overlap, so rows that share it, or that a slow transaction
committed late, are copied again rather than missed, and every row whose watermark is NULL, which has no place in the order; the
merge makes copying a row twice harmless.
"""

from __future__ import annotations

from datetime import UTC, datetime

from snowmelt.errors import ConfigurationError
from snowmelt.sql.names import postgres_identifier, snowflake_identifier
from snowmelt.types.type_names import SnowflakeType
from snowmelt.unload.chunks import build_bound_literal, build_bound_text, build_ordered

#: Snowflake type → PostgreSQL expression over {0} that writes the same text as the type's bound.
_TARGET_TEXT = {
    "NUMBER": "trim_scale({0}::numeric)::text",
    "DATE": "to_char({0}, 'YYYY-MM-DD')",
    "TIMESTAMP_NTZ": "to_char({0}, 'YYYY-MM-DD HH24:MI:SS.US') || '000'",
    "TIMESTAMP_LTZ": "to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '000'",
    "TIMESTAMP_TZ": "to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '000'",
}


#: Snowflake type → how far an incremental run reaches back by default, and the bound less that overlap: {0} the bound, {1} the number.
_OVERLAPS = {
    "NUMBER": (0, "{0} - {1:d}"),
    "DATE": (1, "DATEADD('day', -{1:d}, {0})"),
    "TIMESTAMP_NTZ": (3600, "DATEADD('second', -{1:d}, {0})"),
    "TIMESTAMP_LTZ": (3600, "DATEADD('second', -{1:d}, {0})"),
    "TIMESTAMP_TZ": (3600, "DATEADD('second', -{1:d}, {0})"),
}


def build_since(column: str, type_: SnowflakeType, watermark: str | None, overlap: int | None = None) -> str:
    """The predicate of an incremental run: everything at or above the watermark less the overlap, and NULLs; empty without a watermark.

    :param overlap: seconds, days of a DATE, units of a NUMBER; None: an hour, a day, nothing. A text or TIME has none.
    :raises ConfigurationError: an overlap is requested for a type that has none.
    """
    if watermark is None:
        return ""
    bound = build_bound_literal(type_, watermark)
    usual, less = _OVERLAPS.get(type_.name, (0, ""))
    reach = usual if overlap is None else overlap
    if reach and not less:
        raise ConfigurationError(
            f"watermark_overlap is {reach}, and the watermark_column {column!r} is of type {type_}, from which nothing can be "
            "subtracted. Set it to 0, or name a column of dates, times or numbers."
        )
    quoted = build_ordered(type_, snowflake_identifier(column))
    return f"{quoted} >= {less.format(bound, reach) if reach else bound} OR {quoted} IS NULL"


def build_window(column: str, type_: SnowflakeType, start: datetime, end: datetime) -> str:
    """The predicate of a backfill: watermarks from `start` to before `end`; of a DATE, the days of both.

    :param start: with its time zone, as the next.
    :raises ConfigurationError: the column holds no dates or times of day.
    """
    quoted = snowflake_identifier(column)
    if type_.name == "DATE":
        low, high = (
            build_bound_literal(type_, moment.astimezone(UTC).strftime("%Y-%m-%d")) for moment in (start, end)
        )
        return f"{quoted} >= {low} AND {quoted} <= {high}"
    if not type_.name.startswith("TIMESTAMP"):
        raise ConfigurationError(
            f"A backfill takes the rows of a time window, and the watermark_column {column!r} is of type {type_}. "
            "Name a column of dates or timestamps, or run mode full."
        )
    low, high = (
        build_bound_literal(type_, moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f") + "000")
        for moment in (start, end)
    )
    return f"{quoted} >= {low} AND {quoted} < {high}"


def build_highest(column: str, type_: SnowflakeType, until: str | None = None) -> str:
    """The Snowflake expression for the highest watermark, as a bound's text; NULL when there is none.

    :param until: a snapshot, as Snowflake printed it: watermarks beyond it are ignored.
    """
    value = build_ordered(type_, snowflake_identifier(column))
    if until is not None:
        shown = "2026-01-01" if type_.name == "DATE" else "2026-01-01 00:00:00.000000000"
        value = f"IFF({value} <= {build_bound_literal(type_, until[: len(shown)])}, {value}, NULL)"
    return build_bound_text(type_, f"MAX({value})")


def build_target_highest(schema: str, table: str, column: str, type_: SnowflakeType) -> str | None:
    """The PostgreSQL query for the target's own highest watermark; None when the type has no such text there."""
    expression = _TARGET_TEXT.get(type_.name)
    if expression is None:
        return None
    return f"SELECT {expression.format(f'max({postgres_identifier(column)})')} FROM {postgres_identifier(schema, table)}"
