"""Rows that the quarantine sets aside, by their keys: they are remembered, copied again, and left out of what is compared. Pure.

A key is known where each of its columns is a whole or decimal number, a text or a date, whose value the ledger has to the letter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from snowmelt.load.rejects import KEPT_CHARACTERS
from snowmelt.sql.names import postgres_identifier, postgres_literal, snowflake_literal
from snowmelt.types.columns import Column
from snowmelt.types.target_types import uncollated
from snowmelt.types.type_names import parse_snowflake_type
from snowmelt.types.type_table import Form

#: Keys that one run copies again at most: a statement of Snowflake's has 1 MB.
MAX_KEYS = 5000
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")

#: Source name of each column of the key → its value as text.
Key = Mapping[str, str]


def find_keys(rows: Sequence[Mapping[str, Any]], key: Sequence[Column]) -> tuple[Key, ...] | None:
    """The keys of rows that were set aside; None where one of them is not known.

    :param rows: column in the file → value, as `snowmelt.rejected_row` has them.
    """
    found = []
    for row in rows:
        values = {column.source: _read(column, row.get(column.source)) for column in key}
        known = {name: text for name, text in values.items() if text is not None}
        if not known or len(known) < len(values):
            return None
        if known not in found:
            found.append(known)
    return tuple(found)


def _read(column: Column, value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):  # NULL, or an escaped text
        return None
    text = str(value)
    match column.form:
        case Form.INTEGER | Form.DECIMAL:
            return text if _NUMBER.fullmatch(text) else None
        case Form.DATE:
            return text if _DATE.fullmatch(text) else None
        case Form.TEXT:
            return text if len(text) <= KEPT_CHARACTERS else None
        case _:
            return None


def build_source_keys(key: Sequence[Column], keys: Sequence[Key]) -> str:
    """The Snowflake predicate for the rows of these keys."""
    return _join([[_source_term(column, values[column.source]) for column in key] for values in keys])


def build_target_keys(key: Sequence[Column], keys: Sequence[Key]) -> str:
    """The same in PostgreSQL, over the target's columns."""
    return _join(
        [
            [
                f"{postgres_identifier(column.target)}::text = {postgres_literal(values[column.source])}"
                for column in key
            ]
            for values in keys
        ]
    )


def _source_term(column: Column, text: str) -> str:
    match column.form:
        case Form.INTEGER | Form.DECIMAL:
            return f"{column.value} = {text}"
        case Form.DATE:
            return f"{column.value} = {snowflake_literal(text)}::DATE"
        case _:
            return f"{uncollated(column.value, parse_snowflake_type(column.source_type))} = {snowflake_literal(text)}"


def _join(rows: Sequence[Sequence[str]]) -> str:
    return " OR ".join(f"({' AND '.join(terms)})" for terms in rows)
