"""The clocks of the worker, Snowflake and PostgreSQL, and which one is wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg

from snowmelt.doctor.findings import MAX_CLOCK_SECONDS, Finding, Remedy, Status, found
from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.drivers.snowflake import Connection, read_rows


def compare_clocks(snowflake: float, postgres: float) -> list[Finding]:
    """One finding for all three clocks.

    :param snowflake: seconds that Snowflake's clock is ahead of the worker's; `postgres` likewise.
    """
    offsets = f"Snowflake {snowflake:+.1f} s, PostgreSQL {postgres:+.1f} s from the worker"
    if max(abs(snowflake), abs(postgres), abs(snowflake - postgres)) <= MAX_CLOCK_SECONDS:
        return [found("Clocks", "worker", Status.OK, offsets)]
    worker = min(abs(snowflake), abs(postgres)) > MAX_CLOCK_SECONDS
    who = "worker" if worker else "PostgreSQL" if abs(postgres) > abs(snowflake) else "Snowflake"
    text = (
        f"{offsets}: the clock of {who} is off by more than {MAX_CLOCK_SECONDS:.0f} s. "
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


_EPOCH = "SELECT TO_VARCHAR(DATE_PART(EPOCH_MICROSECOND, CURRENT_TIMESTAMP()))"


def _now() -> datetime:
    return datetime.now(UTC)


def check_clocks(
    session: Connection, postgres: psycopg.Connection[Any], now: Callable[[], datetime] = _now
) -> list[Finding]:
    """Compare each server's clock with the worker's, at the middle of the question.

    :param now: the worker's clock.
    """
    before = now()
    snowflake = int(read_rows(session, _EPOCH, "Reading the clock of Snowflake")[0][0]) / 1e6
    between = now()
    with postgres_failures("Reading the clock of PostgreSQL"):
        row = postgres.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone()
    after = now()
    return compare_clocks(
        snowflake - _middle(before, between), (row[0] if row else 0.0) - _middle(between, after)
    )


def _middle(start: datetime, end: datetime) -> float:
    return (start.timestamp() + end.timestamp()) / 2
