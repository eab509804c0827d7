"""The two databases of a comparison: each computes its half of a question at the same time as the other."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg

from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.drivers.snowflake import Connection, cancel_query, read_result, submit_query
from snowmelt.errors import SnowmeltError
from snowmelt.plan.plan import Plan
from snowmelt.sql.names import postgres_identifier
from snowmelt.types.columns import Column
from snowmelt.unload.statements import build_source

#: Parallel workers that are asked for; PostgreSQL gives what max_parallel_workers leaves.
WORKERS = 4


@dataclass(frozen=True, slots=True)
class Databases:
    """The two databases, and what is compared in them."""

    snowflake: Connection
    postgres: psycopg.Connection[Any]
    plan: Plan
    #: The table in the target's schema: the staging table, or the target itself.
    table: str

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that are compared."""
        return self.plan.columns

    @property
    def source(self) -> str:
        """What follows FROM in Snowflake."""
        return build_source(self.plan.source.sql, self.plan.snapshot)

    @property
    def target(self) -> str:
        """What follows FROM in PostgreSQL: the copy's own rows, in a target that it shares."""
        table = postgres_identifier(self.plan.target_schema, self.table)
        own = self.plan.own if self.table == self.plan.target_table else None
        return f"(SELECT * FROM {table} WHERE {own.sql()}) AS sm_own" if own else table


def read_both(both: Databases, source_sql: str, target_sql: str) -> tuple[list[Any], list[Any]]:
    """Run both statements at the same time; when one fails, the other is not left running."""
    plan = both.plan
    doing = f"Computing the fingerprint of {plan.source}"
    query_id = submit_query(both.snowflake, source_sql, doing)
    try:
        with (
            postgres_failures(f"Computing the fingerprint of {plan.target_schema}.{both.table}"),
            both.postgres.transaction(),
        ):
            both.postgres.execute(f"SET LOCAL max_parallel_workers_per_gather = {WORKERS:d}")
            target = both.postgres.execute(target_sql).fetchall()
    except BaseException:
        with suppress(SnowmeltError):  # what went wrong in PostgreSQL is what the task fails with
            cancel_query(both.snowflake, query_id)
        raise
    return read_result(both.snowflake, query_id, doing), list(target)
