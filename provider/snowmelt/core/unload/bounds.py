"""Bounds: a value of an ordered Snowflake column, written as text by Snowflake and read back as a literal, exactly.

Chunks are cut at such bounds, and a watermark is one. The way there and back loses nothing: numbers with all digits,
times with nine, instants in UTC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from snowmelt.core.columns.types import SnowflakeType
from snowmelt.core.quoting import snowflake_literal
from snowmelt.errors import ConfigurationError

_DAY = r"\d{4,5}-\d{2}-\d{2}"
_CLOCK = r"\d{2}:\d{2}:\d{2}\.\d{9}"


@dataclass(frozen=True, slots=True)
class _Order:
    """How the bounds of one type travel."""

    #: The expression that writes a value as text; {0} is the value.
    to_text: str
    #: What that text looks like; None: any text.
    shape: re.Pattern[str] | None
    #: Behind the text within the quotes, and behind the quotes.
    suffix: str = ""
    cast: str = ""


_INSTANT = _Order(
    "TO_VARCHAR(CONVERT_TIMEZONE('UTC', {0}), 'YYYY-MM-DD HH24:MI:SS.FF9')",
    re.compile(f"{_DAY} {_CLOCK}"),
    " +00:00",
    "::TIMESTAMP_TZ(9)",
)
_ORDERS: dict[str, _Order] = {
    "NUMBER": _Order("TO_VARCHAR({0})", re.compile(r"-?\d+(\.\d+)?")),
    "DATE": _Order("TO_VARCHAR({0}, 'YYYY-MM-DD')", re.compile(_DAY), cast="::DATE"),
    "TIME": _Order("TO_VARCHAR({0}, 'HH24:MI:SS.FF9')", re.compile(_CLOCK), cast="::TIME(9)"),
    "TIMESTAMP_NTZ": _Order(
        "TO_VARCHAR({0}, 'YYYY-MM-DD HH24:MI:SS.FF9')",
        re.compile(f"{_DAY} {_CLOCK}"),
        cast="::TIMESTAMP_NTZ(9)",
    ),
    "TIMESTAMP_LTZ": _INSTANT,
    "TIMESTAMP_TZ": _INSTANT,
    "VARCHAR": _Order("{0}", None),
}


def build_bound_text(type_: SnowflakeType, value: str) -> str:
    """The Snowflake expression that writes `value` (SQL) as the text of a bound."""
    return _ORDERS[type_.name].to_text.format(value)


def build_bound_literal(type_: SnowflakeType, text: str) -> str:
    """The literal that a bound's text stands for.

    :raises ConfigurationError: the text is no such value.
    """
    order = _ORDERS[type_.name]
    if order.shape is None:
        return snowflake_literal(text)
    if not order.shape.fullmatch(text):
        raise ConfigurationError(f"{text!r} is no bound of type {type_.name}.")
    return text if type_.name == "NUMBER" else snowflake_literal(f"{text}{order.suffix}") + order.cast


def check_ordered(type_: SnowflakeType, column: str, parameter: str) -> None:
    """Refuse a column whose values have no order that Snowmelt can cut by.

    :raises ConfigurationError: naming the parameter, the column and the types that can.
    """
    if type_.name not in _ORDERS:
        raise ConfigurationError(
            f"{parameter} is {column!r}, a column of type {type_}, which has no exact order. "
            f"Choose a column of type {', '.join(_ORDERS)}."
        )
