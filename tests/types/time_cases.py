"""Dates, times of day and timestamps, to the microsecond."""

from __future__ import annotations

import datetime as dt

from tests.types.case import Case

DATES = (
    *("0001-01-01", "0004-02-29", "1500-02-28", "1582-10-04", "1582-10-10", "1582-10-15", "1600-02-29", "1899-12-31"),
    *("1900-02-28", "1969-12-31", "1970-01-01", "2000-02-29", "2024-02-29", "2038-01-19", "9999-12-31"),
)  # fmt: skip
#: Wall clocks without a fraction; a fraction of as many digits as the type has is put behind each.
CLOCKS = (
    *("0001-01-01 00:00:00", "1500-02-28 23:59:59", "1582-10-04 12:00:00", "1582-10-14 00:00:00", "1582-10-15 00:00:00"),
    *("1883-11-18 12:03:58", "1969-12-31 23:59:59", "1970-01-01 00:00:00", "2024-02-29 12:34:56", "2024-03-10 02:30:00"),
    *("2038-01-19 03:14:08", "9999-12-31 23:59:59"),
)  # fmt: skip
FRACTIONS = ("", ".000000", ".000001", ".123456", ".500000", ".999999")
TIMES = ("00:00:00", "00:00:01", "09:08:07", "12:00:00", "23:59:59")
#: Offsets with wall clocks whose instants stay within the years 1 to 9999.
WITH_OFFSETS = (
    *(("0001-01-02 00:00:00", "+05:30"), ("0001-01-01 00:00:00", "-12:00"), ("1500-02-28 23:59:59", "-03:30")),
    *(("1582-10-15 00:00:00", "+14:00"), ("1969-12-31 23:59:59", "+00:00"), ("1969-12-31 23:59:59", "-12:00")),
    *(("1970-01-01 00:00:00", "+14:00"), ("2024-02-29 12:34:56", "+05:30"), ("2024-02-29 12:34:56", "-03:30")),
    *(("2024-02-29 23:59:59", "-00:01"), ("2026-06-01 12:00:00", "+05:45"), ("9999-12-31 23:59:59", "+14:00")),
    *(("9999-12-31 23:59:59", "+00:00"), ("9999-12-31 11:59:59", "-12:00")),
)  # fmt: skip


def _cut(fraction: str, digits: int) -> str:
    return fraction[: digits + 1] if digits else ""


def _with_fractions(clocks: tuple[str, ...], digits: int) -> tuple[str, ...]:
    """Each clock with four of the fractions, other ones than its neighbours'."""
    return tuple(
        dict.fromkeys(
            f"{clock}{_cut(FRACTIONS[(place + turn) % len(FRACTIONS)], digits)}"
            for place, clock in enumerate(clocks)
            for turn in range(4)
        )
    )


def _times(digits: int) -> Case:
    kind = f"TIME({digits})"
    texts = _with_fractions(TIMES, digits)
    values = tuple((f"'{text}'::{kind}", dt.time.fromisoformat(text)) for text in texts)
    return Case(f"T{digits}", kind, "time without time zone", values)


def _local(digits: int) -> Case:
    kind = f"TIMESTAMP_NTZ({digits})"
    values = tuple(
        (f"'{text}'::{kind}", dt.datetime.fromisoformat(text)) for text in _with_fractions(CLOCKS, digits)
    )
    return Case(f"NTZ{digits}", kind, "timestamp without time zone", values)


def _instants(digits: int) -> Case:
    kind = f"TIMESTAMP_LTZ({digits})"
    values = tuple(
        (f"'{text} +00:00'::{kind}", dt.datetime.fromisoformat(f"{text}+00:00"))
        for text in _with_fractions(CLOCKS, digits)
    )
    return Case(f"LTZ{digits}", kind, "timestamp with time zone", values)


def _offsets(digits: int) -> Case:
    kind = f"TIMESTAMP_TZ({digits})"
    values = {}
    for number, (clock, offset) in enumerate((*WITH_OFFSETS, *WITH_OFFSETS[::-1])):
        text = clock + _cut(FRACTIONS[number % len(FRACTIONS)], digits)
        values[f"'{text} {offset}'::{kind}"] = dt.datetime.fromisoformat(f"{text}{offset}")
    return Case(f"TZ{digits}", kind, "timestamp with time zone", tuple(values.items()), keep_offset=True)


TIME_CASES = (
    Case("DAY", "DATE", "date", tuple((f"'{text}'::DATE", dt.date.fromisoformat(text)) for text in DATES)),
    *(_times(digits) for digits in (0, 3, 6, 9)),
    *(_local(digits) for digits in (0, 3, 6, 9)),
    *(_instants(digits) for digits in (0, 3, 6, 9)),
    *(_offsets(digits) for digits in (0, 3, 6, 9)),
    Case("NTZ_PLAIN", "DATETIME", "timestamp without time zone", _local(9).values),
)
