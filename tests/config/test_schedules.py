"""The longest period of a schedule."""

from __future__ import annotations

from datetime import timedelta

import pytest

from snowmelt.config.schedules import SCHEDULE_PRESETS, find_longest_gap


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
