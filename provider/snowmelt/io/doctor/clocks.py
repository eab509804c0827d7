"""What time it is at the worker, in Snowflake and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import psycopg

from snowmelt.core.doctor.clocks import compare_clocks
from snowmelt.core.doctor.findings import Finding
from snowmelt.io.failures.postgres import postgres_failures
from snowmelt.io.snowflake import Connection, read_rows

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
