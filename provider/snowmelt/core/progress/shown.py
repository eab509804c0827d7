"""Counts, sizes and times as people read them."""

from __future__ import annotations

from datetime import datetime, timedelta

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
    """Rows in a second."""
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
