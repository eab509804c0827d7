"""The watermark: up to where a target is filled, as the text of a bound of the source's watermark column.

A catch-up takes the rows at and above the last one, so rows that share it are taken again rather than missed, and every
row whose watermark is NULL, which no bound tells; the merge makes taking a row twice harmless.
"""

from __future__ import annotations

from snowmelt.core.columns.types import SnowflakeType
from snowmelt.core.quoting import postgres_identifier, snowflake_identifier
from snowmelt.core.unload.bounds import build_bound_literal, build_bound_text

#: Snowflake type → PostgreSQL expression over {0} that writes the same text as the type's bound.
_TARGET_TEXT = {
    "NUMBER": "trim_scale({0}::numeric)::text",
    "DATE": "to_char({0}, 'YYYY-MM-DD')",
    "TIMESTAMP_NTZ": "to_char({0}, 'YYYY-MM-DD HH24:MI:SS.US') || '000'",
    "TIMESTAMP_LTZ": "to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '000'",
    "TIMESTAMP_TZ": "to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '000'",
}


def build_since(column: str, type_: SnowflakeType, watermark: str | None) -> str:
    """The predicate of a catch-up: everything at or above the watermark, and NULLs; empty without a watermark."""
    if watermark is None:
        return ""
    quoted = snowflake_identifier(column)
    return f"{quoted} >= {build_bound_literal(type_, watermark)} OR {quoted} IS NULL"


def build_highest(column: str, type_: SnowflakeType) -> str:
    """The Snowflake expression for the highest watermark, as a bound's text; NULL when there is none."""
    return build_bound_text(type_, f"MAX({snowflake_identifier(column)})")


def build_target_highest(schema: str, table: str, column: str, type_: SnowflakeType) -> str | None:
    """The PostgreSQL query for the target's own highest watermark; None when the type has no such text there."""
    expression = _TARGET_TEXT.get(type_.name)
    if expression is None:
        return None
    return f"SELECT {expression.format(f'max({postgres_identifier(column)})')} FROM {postgres_identifier(schema, table)}"
