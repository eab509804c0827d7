"""The longest period of a schedule, and lengths of time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic_core import PydanticCustomError

from snowmelt.config.schedules import SCHEDULE_PRESETS, find_longest_gap, read_duration


@pytest.mark.parametrize(
    ("schedule", "gap"),
    [
        ("0 2 * * *", timedelta(days=1)),
        ("*/15 * * * *", timedelta(minutes=15)),
        ("0 2 * * 1-5", timedelta(days=3)),
        ("30 6,18 * * *", timedelta(hours=12)),
        ("@hourly", timedelta(hours=1)),
        ("@weekly", timedelta(days=7)),
        ("@monthly", timedelta(days=31)),
        ("@quarterly", timedelta(days=92)),
        ("@yearly", timedelta(days=366)),
    ],
)
def test_windows_of_the_longest_gap_leave_nothing_out(schedule, gap):
    assert find_longest_gap(schedule) == gap


def test_every_preset_is_known():
    assert all(find_longest_gap(preset) for preset in SCHEDULE_PRESETS)


@pytest.mark.parametrize(("text", "seconds"), [("90 min", 5400), ("6h", 21600), (" 2 d ", 172800)])
def test_a_length_of_time(text, seconds):
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "6", "0 h", "-1 h", "1.5 h", "6 hours", 6, None])
def test_what_is_not_a_length_of_time(text):
    with pytest.raises(PydanticCustomError, match="a whole number of min, h or d"):
        read_duration(text)
