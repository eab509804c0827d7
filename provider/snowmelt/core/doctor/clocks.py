"""Which clock is wrong."""

from __future__ import annotations

from snowmelt.core.doctor.checks import MOST_CLOCK_SECONDS
from snowmelt.core.doctor.findings import Finding, Remedy, Status, found


def compare_clocks(snowflake: float, postgres: float) -> list[Finding]:
    """One finding for all three clocks.

    :param snowflake: seconds that Snowflake's clock is ahead of the worker's; `postgres` likewise.
    """
    told = f"Snowflake {snowflake:+.1f} s, PostgreSQL {postgres:+.1f} s from the worker"
    if max(abs(snowflake), abs(postgres), abs(snowflake - postgres)) <= MOST_CLOCK_SECONDS:
        return [found("Clocks", "worker", Status.OK, told)]
    worker = min(abs(snowflake), abs(postgres)) > MOST_CLOCK_SECONDS
    who = "worker" if worker else "PostgreSQL" if abs(postgres) > abs(snowflake) else "Snowflake"
    text = (
        f"{told}: the clock of {who} is off by more than {MOST_CLOCK_SECONDS:.0f} s. "
        "AWS refuses signatures 15 minutes off; ages and freshness are shown wrongly before that."
    )
    where = "the worker" if worker else who
    return [
        found(
            "Clocks",
            who,
            Status.WRONG,
            text,
            Remedy(where, ("Let chrony or systemd-timesyncd keep the time: chronyc tracking.",)),
        )
    ]
