"""Schedules: cron expressions and Airflow's presets, in UTC; and lengths of time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Annotated, Any

from snowmelt.config.faults import suggest
from snowmelt.config.settings import Written, refuse

#: Airflow's own presets; @once and @continuous make no sense for a table.
SCHEDULE_PRESETS = ("@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")
DEFAULT_SCHEDULE = "0 2 * * *"

_CRON_FIELDS = 5
#: Ticks that are read: a year of weekdays has more of the same, and eight years of months hold every leap day.
_TICKS = 100
#: Airflow's preset that croniter does not know.
_QUARTERLY = "0 0 1 */3 *"


def read_schedule(value: Any) -> str:
    """A cron expression of five fields, or one of Airflow's presets; in UTC."""
    expected = (
        f"five cron fields (minute hour day month weekday), one of {', '.join(SCHEDULE_PRESETS)}, or null"
    )
    if not isinstance(value, str):
        raise refuse(expected)
    text = " ".join(value.split())
    if text in SCHEDULE_PRESETS:
        return text
    if text.startswith("@") or len(text.split()) != _CRON_FIELDS:
        raise refuse(expected, suggest(text, SCHEDULE_PRESETS) if text.startswith("@") else "")
    from croniter import (  # type: ignore[import-untyped]
        CroniterBadCronError,
        CroniterBadDateError,
        croniter,
    )

    try:
        croniter(text, datetime(2024, 1, 1, tzinfo=UTC)).get_next()
    except CroniterBadCronError:
        raise refuse(expected) from None
    except CroniterBadDateError:
        raise refuse(expected, "This one names a date that never comes.") from None
    return text


Schedule = Annotated[str, Written(read_schedule, "cron, preset, null")]


_UNIT_SECONDS = {"min": 60, "h": 3600, "d": 86400}


def read_duration(value: Any) -> int:
    """A length of time, `90 min`, `6 h` or `2 d`, in seconds."""
    expected = "a length of time: a whole number of min, h or d, such as `6 h`"
    match = re.fullmatch(r"\s*(\d{1,5})\s*(min|h|d)\s*", value) if isinstance(value, str) else None
    if match is None or int(match[1]) == 0:
        raise refuse(expected)
    return int(match[1]) * _UNIT_SECONDS[match[2]]


#: Seconds, written with a unit.
Duration = Annotated[int, Written(read_duration, "length of time")]


@cache  # each DAG file is parsed again and again, and most tables share a schedule
def find_longest_gap(schedule: str) -> timedelta:
    """The longest time between two ticks, so that windows of that length, each ending at a tick, leave nothing out.

    :param schedule: a cron expression of five fields or a preset, as the configuration checked it; in UTC.
    """
    from croniter import croniter

    ticks = croniter(_QUARTERLY if schedule == "@quarterly" else schedule, datetime(2024, 1, 1, tzinfo=UTC))
    times: list[datetime] = [ticks.get_next(datetime) for _ in range(_TICKS)]
    return max(later - earlier for earlier, later in pairwise(times))
