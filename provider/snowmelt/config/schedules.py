"""Schedules: cron expressions and Airflow's presets, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise

#: Ticks that are looked at: a year of weekdays has more of the same, and eight years of months hold every leap day.
_TICKS = 100
#: Airflow's preset that croniter does not know.
_QUARTERLY = "0 0 1 */3 *"


@cache  # each DAG file is parsed again and again, and most tables share a schedule
def find_longest_gap(schedule: str) -> timedelta:
    """The longest time between two ticks, so that windows of that length, each ending at a tick, leave nothing out.

    :param schedule: a cron expression of five fields or a preset, as the configuration checked it; in UTC.
    """
    from croniter import croniter  # type: ignore[import-untyped]

    ticks = croniter(_QUARTERLY if schedule == "@quarterly" else schedule, datetime(2024, 1, 1, tzinfo=UTC))
    times: list[datetime] = [ticks.get_next(datetime) for _ in range(_TICKS)]
    return max(later - earlier for earlier, later in pairwise(times))
