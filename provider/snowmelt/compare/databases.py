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
from snowmelt.sql.names import join_predicates, postgres_identifier
from snowmelt.types.columns import Column
from snowmelt.unload.chunks import Chunk
from snowmelt.unload.statements import build_where

#: Parallel workers that are asked for; PostgreSQL gives what max_parallel_workers leaves.
WORKERS = 4


@dataclass(frozen=True, slots=True)
class SampledChunk:
    """A chunk, and its predicate as PostgreSQL writes it."""

    chunk: Chunk
    condition: str


@dataclass(frozen=True, slots=True)
class Databases:
    """The two databases, and what is compared in them."""

    snowflake: Connection
    postgres: psycopg.Connection[Any]
    plan: Plan
    #: The table in the target's schema: the staging table, or the target itself.
    table: str
    #: The chunks whose rows are compared; without any, all rows are.
    sampled: tuple[SampledChunk, ...] = ()
    #: Rows that are left out of the table, as a PostgreSQL predicate; empty: none.
    without: str = ""

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """The chunks that a difference can be in."""
        return tuple(one.chunk for one in self.sampled) or self.plan.chunks

    @property
    def where(self) -> str:
        """The predicate of the compared rows in Snowflake, or empty."""
        if not self.sampled:
            return build_where(self.plan.rows_where)
        return build_where(self.plan.where, " OR ".join(f"({one.chunk.predicate})" for one in self.sampled))

    @property
    def condition(self) -> str:
        """The same in PostgreSQL."""
        return " OR ".join(f"({one.condition})" for one in self.sampled)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that are compared."""
        return self.plan.columns

    @property
    def source(self) -> str:
        """What follows FROM in Snowflake."""
        return self.plan.source_sql

    @property
    def target(self) -> str:
        """What follows FROM in PostgreSQL: the copy's own rows, in a target that it shares."""
        table = postgres_identifier(self.plan.target_schema, self.table)
        counted = self.plan.counted if self.table == self.plan.target_table else ""
        where = join_predicates(counted, f"({self.without}) IS NOT TRUE" if self.without else "")
        return f"(SELECT * FROM {table} WHERE {where}) AS sm_own" if where else table


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
