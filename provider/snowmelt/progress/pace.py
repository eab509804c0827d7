"""Counts, sizes, times and rates as people read them: in log lines and on the pages.

How far a running unload is, Snowflake does not report: a line for it names the query and the time so far.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_KILO = 1000.0
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
#: Below this many seconds a tenth matters.
_SHORT = 10.0
#: A rate below this has a decimal.
_SLOW = 10.0


def show_count(count: float | None) -> str:
    """`1234567` → `1,234,567`; a dash for nothing."""
    return "-" if count is None else f"{count:,.0f}"


def show_bytes(size: float | None) -> str:
    """`123456789` → `123.5 MB` (of 1,000 kB)."""
    if size is None:
        return "-"
    value = float(size)
    for unit in _UNITS:
        if abs(value) < _KILO or unit == _UNITS[-1]:
            return f"{value:.0f} {unit}" if unit in {"B", "kB"} else f"{value:.1f} {unit}"
        value /= _KILO
    return ""


def show_seconds(seconds: float | None) -> str:
    """`93` → `1 min 33 s`; the two largest units, so that a glance is enough."""
    if seconds is None:
        return "-"
    if seconds < _SHORT:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def show_rate(rows_per_second: float | None) -> str:
    """Rows per second."""
    if not rows_per_second:
        return "-"
    digits = 1 if rows_per_second < _SLOW else 0
    return f"{rows_per_second:,.{digits}f} rows/s"


def show_percent(share: float) -> str:
    """A share of 1; `100 %` only when nothing is missing."""
    return "100 %" if share >= 1 else f"{min(int(share * 100), 99)} %"


def show_time(moment: datetime | None) -> str:
    """To the second, in UTC."""
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def show_age(moment: datetime | None, now: datetime) -> str:
    """`3 h 12 min ago`."""
    if moment is None:
        return "-"
    age = now - moment
    if age < timedelta(0):
        return f"in {show_seconds(-age.total_seconds())}"
    return f"{show_seconds(age.total_seconds())} ago"


#: The rate is that of the last half minute: a slow start or a long pause is forgotten by then.
WINDOW_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Mark:
    """What was copied up to one moment."""

    seconds: float
    rows: int
    bytes: int


class Pace:
    """The rate of a copy, from marks of what was copied when.

    :param total_rows: rows that are to be copied; None where that is not known.
    :param done_rows: rows that were there before; they count as done, not towards the rate.
    """

    def __init__(
        self, total_rows: int | None = None, *, done_rows: int = 0, window: float = WINDOW_SECONDS
    ) -> None:
        self.total_rows = total_rows
        self.done_rows = done_rows
        self._window = window
        self._marks: deque[Mark] = deque([Mark(0.0, 0, 0)])

    def mark(self, *, seconds: float, rows: int, size: int) -> None:
        """Record the rows and bytes that were copied up to a moment, in seconds after the start."""
        self._marks.append(Mark(seconds, rows, size))
        # One mark at or before the window's start stays: the rate is taken over the whole window.
        while len(self._marks) > 2 and self._marks[1].seconds <= seconds - self._window:  # noqa: PLR2004 - the ends
            self._marks.popleft()

    @property
    def rows(self) -> int:
        """Rows copied, those that were there before included."""
        return self.done_rows + self._marks[-1].rows

    @property
    def rate(self) -> float:
        """Rows per second, within the window."""
        return self._per_second(self._marks[-1].rows - self._marks[0].rows)

    @property
    def bytes_rate(self) -> float:
        """Bytes per second, within the window."""
        return self._per_second(self._marks[-1].bytes - self._marks[0].bytes)

    @property
    def seconds_left(self) -> float | None:
        """Until all rows are copied, at the rate of the window; None when that is not known."""
        if self.total_rows is None or not self.rate:
            return None
        return max(0, self.total_rows - self.rows) / self.rate

    def line(self) -> str:
        """For a log: rows, bytes, rate, what is left."""
        parts = [f"{show_count(self.rows)} rows"]
        if self.total_rows is not None:
            share = self.rows / self.total_rows if self.total_rows else 1.0
            parts = [f"{show_count(self.rows)} of {show_count(self.total_rows)} rows ({show_percent(share)})"]
        parts.append(show_bytes(self._marks[-1].bytes))
        if self.rate or self.bytes_rate:
            parts.append(f"{show_rate(self.rate)}, {self.bytes_rate / 1e6:.1f} MB/s")
        if self.seconds_left is not None:
            parts.append(f"{show_seconds(self.seconds_left)} left")
        return ", ".join(parts)

    def _per_second(self, amount: int) -> float:
        seconds = self._marks[-1].seconds - self._marks[0].seconds
        return amount / seconds if seconds > 0 else 0.0


def show_waiting(submitted: Mapping[str, Any], now: float) -> str:
    """A line for the log.

    :param submitted: what the submission returned: query_id, submitted_at (seconds since 1970), title, rows.
    :param now: seconds since 1970.
    """
    title = submitted.get("title") or submitted.get("path") or "the unload"
    rows = submitted.get("rows")
    size = f" ({show_count(rows)} rows)" if rows is not None else ""
    seconds = show_seconds(max(0.0, now - float(submitted.get("submitted_at") or now)))
    return f"Snowflake still unloads {title}{size}: query {submitted['query_id']}, {seconds} so far"
