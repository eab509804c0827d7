"""What the unload's SELECT says for each column: its exact staged form, and for whole numbers the integer it travels as.

Source: Snowflake documentation, "Data unloading considerations" (numbers are unloaded to Parquet as DECIMAL; a CAST in the
statement chooses the integer type). Measured on the benchmark's fact table, of which 14 columns are whole numbers or
instants: docs/decisions/load-pipeline.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from snowmelt.core.columns.plan import Column
from snowmelt.core.columns.types import INTEGER_DIGITS, Form, parse_snowflake_type

_CASTS = {"smallint": "SMALLINT", "integer": "INT", "bigint": "BIGINT"}


def build_staged_columns(columns: Iterable[Column], file_format: str) -> tuple[tuple[str, str], ...]:
    """(name in the file, SQL expression) for each column.

    Only numbers of which every value fits are cast, so no value can change: up to 18 digits, and microseconds, whose
    years 1 to 9999 take 18. A file without the cast, of an earlier run or a view of someone's, loads as well.
    """
    return tuple((column.source, _staged(column, file_format)) for column in columns)


def _staged(column: Column, file_format: str) -> str:
    if file_format != "parquet":
        return column.select
    if column.form in {Form.EPOCH_US, Form.TIME_US}:
        return f"CAST({column.select} AS BIGINT)"
    if column.form is Form.INTEGER:
        precision = parse_snowflake_type(column.source_type).precision or 0
        for name, digits in INTEGER_DIGITS.items():
            if precision <= digits:
                return f"CAST({column.select} AS {_CASTS[name]})"
    return column.select
