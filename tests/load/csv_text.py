"""CSV files as Snowflake is asked to write them, by a writer of the tests' own: it shares nothing with the product.

UTF-8, commas, line feeds. Texts, bytes and everything written as text stand in double quotes, a quote inside is doubled;
numbers, dates and times stand bare. NULL is nothing between the delimiters.
"""

from __future__ import annotations

import datetime as dt
import gzip
import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def write_plain(value: Any) -> str:
    """Whole numbers and decimals in all their digits, doubles in 17, truth values as words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, float):
        special = {math.inf: "Infinity", -math.inf: "-Infinity"}
        return "NaN" if math.isnan(value) else special.get(value) or f"{value:.16e}"
    return str(value)


def write_moment(value: dt.date | dt.time | dt.datetime) -> str:
    """A date, a time of day or a timestamp; the instant in UTC where the value has a time zone."""
    if isinstance(value, dt.datetime):
        offset = "+00" if value.tzinfo is not None else ""
        return f"{value.replace(tzinfo=None).isoformat(' ', 'microseconds')}{offset}"
    return value.isoformat("microseconds") if isinstance(value, dt.time) else value.isoformat()


def write_bytes(value: bytes) -> str:
    return quoted("\\x" + value.hex().upper())


def csv_bytes(columns: Sequence[Sequence[str | None]]) -> bytes:
    """The file, from the cells of each column; None is NULL."""
    lines: Iterable[tuple[str | None, ...]] = zip(*columns, strict=True)
    text = "".join(",".join("" if cell is None else cell for cell in line) + "\n" for line in lines)
    return text.encode()


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=1, mtime=0)
