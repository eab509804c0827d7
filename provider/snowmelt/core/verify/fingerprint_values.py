"""The columns that a fingerprint is taken of: with the expressions of a Parquet unload, whatever the files are.

A plan's columns hold the expression of its own unload; in CSV that is a formatted text, which a fingerprint cannot use.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from snowmelt.core.columns.types import FileFormat, parse_snowflake_type, row_of, select_expression
from snowmelt.core.columns.values import Column
from snowmelt.core.quoting import snowflake_identifier

#: The end that makes a text longer than its column unfit for it, behind the text's own expression.
_UNFIT = re.compile(r"(?P<text>.*) \|\| IFF\(LENGTH\((?P=text)\) > \d+, '!', ''\)", re.DOTALL)


def find_comparable(columns: Sequence[Column], file_format: str) -> tuple[Column, ...]:
    """The columns with `select` in the form of a Parquet file; one whose CSV text hides its value is left out.

    :param file_format: of the plan that the columns come from: parquet or csv.
    """
    if file_format == FileFormat.PARQUET:
        return tuple(columns)
    values = ((column, _unwrap(column)) for column in columns)
    return tuple(replace(column, select=value) for column, value in values if value is not None)


def _unwrap(column: Column) -> str | None:
    """What the CSV expression was made of, proved by making it again."""
    source = parse_snowflake_type(column.source_type)
    row = row_of(source)
    bare = snowflake_identifier(column.source)
    if column.select.startswith(select_expression(source, bare, FileFormat.CSV)):
        return select_expression(source, bare, FileFormat.PARQUET)
    if row.csv == row.parquet:
        # Numbers, JSON, texts: one expression for both.
        unfit = _UNFIT.fullmatch(column.select)
        return unfit["text"] if unfit else column.select
    template = select_expression(source, "\0", FileFormat.CSV)
    before, _, after = template.partition("\0")
    end = after.partition("\0")[0]
    inner = column.select.removeprefix(before)
    inner = inner[: inner.rfind(end)] if "\0" not in after else inner.partition(end)[0]
    if inner and select_expression(source, inner, FileFormat.CSV) == column.select:
        return select_expression(source, inner, FileFormat.PARQUET)
    return None
