"""Building the target's indexes and keys on a loaded staging table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import errors
from psycopg.rows import tuple_row

from snowmelt.drivers.postgres_errors import describe_answer, read_facts
from snowmelt.errors import TargetError, ValueRefused
from snowmelt.publish.index_statements import (
    BuildStep,
    build_settings,
    build_statistics_targets,
    plan_indexes,
    plan_primary_key,
)
from snowmelt.publish.locks import build_lock_timeout, hold_lock
from snowmelt.publish.request import LockPatience
from snowmelt.publish.row_statements import build_duplicates
from snowmelt.publish.staging import check_unchanged, read_mark
from snowmelt.publish.staging_table import LOCK_NAME
from snowmelt.publish.table_details import TableDetails
from snowmelt.publish.target import read_details
from snowmelt.sql.names import postgres_identifier

Connection = psycopg.Connection[Any]
Cursor = psycopg.Cursor[Any]


def build_indexes(
    connection: Connection,
    *,
    schema: str,
    table: str,
    staging: str,
    run_id: str,
    primary_key: Sequence[str] = (),
    added: Sequence[str] = (),
    maintenance_work_mem_mb: int | None = None,
    parallel_workers: int | None = None,
    patience: LockPatience | None = None,
) -> list[str]:
    """Build what the target has and the staging table has not, each in a transaction of its own, then ANALYZE; returns what was built.

    Safe to repeat after a death in between, and to run twice at once: what is there and valid is left alone. A staging table
    whose rows are to be inserted into the target gets no index, only its ANALYZE.

    :param primary_key: target names in the key's order, for a table that is new.
    :param added: columns that the target is to get.
    :param maintenance_work_mem_mb: megabytes; each parallel worker takes its share of it. None: the server's setting.
    :param parallel_workers: max_parallel_maintenance_workers; a B-tree build uses them. None: the server's setting.
    :raises ValueRefused: rows break a unique key or another constraint of the target; names it, and up to 5 keys.
    """
    patience = patience or LockPatience()
    done: list[str] = []
    tried: set[tuple[str, ...]] = set()
    while True:
        step: BuildStep | None = None
        try:
            with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
                cursor.execute(LOCK_NAME, (f"{schema}.{staging}",))
                target, present, steps = _plan(cursor, schema, table, staging, run_id, primary_key, added)
                if not steps:
                    if target is not None:
                        for statement in build_statistics_targets(schema, staging, target, present):
                            cursor.execute(statement)
                    cursor.execute(f"ANALYZE {postgres_identifier(schema, staging)}")
                    return done
                step = steps[0]
                if step.statements in tried:
                    raise TargetError(
                        f"The {step.what} of {schema}.{table} cannot be rebuilt the same on {staging}. Set publish to truncate."
                    )
                tried.add(step.statements)
                for statement in build_settings(maintenance_work_mem_mb, parallel_workers):
                    cursor.execute(statement)
                _build(connection, cursor, step, patience, f"{schema}.{table}")
        except errors.IntegrityError as error:
            raise constraint_broken(
                connection,
                error,
                f"The {step.what if step else 'constraint'} of {schema}.{table}",
                schema,
                staging,
                step.key if step else (),
            ) from None  # the error quotes the row
        if not done or done[-1] != step.what:
            done.append(step.what)


def constraint_broken(
    connection: Connection,
    error: errors.IntegrityError,
    what: str,
    schema: str,
    staging: str,
    key: Sequence[str],
) -> ValueRefused:
    """The error for rows that break a constraint, with examples where the key is made of plain columns.

    The transaction that failed must have ended.
    """
    examples = ""
    if key and isinstance(error, errors.UniqueViolation):
        with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
            rows = cursor.execute(build_duplicates(key, postgres_identifier(schema, staging))).fetchall()
        examples = "".join(f"\n  - {describe_key(key, row)} stands in {row[-1]:,} rows" for row in rows)
    return ValueRefused(
        f"{what} does not hold for the loaded rows: {describe_answer(error)}. Correct the source, or drop the constraint from the target.{examples}",
        **read_facts(error),
    )


def describe_key(key: Sequence[str], values: Sequence[Any]) -> str:
    """`id = 5, "Visit Id" = NULL`, each value at most 80 characters."""
    shown = []
    for name, value in zip(key, values, strict=False):
        text = "NULL" if value is None else str(value)
        shown.append(f"{name} = {text if len(text) <= 80 else text[:79] + '…'}")  # noqa: PLR2004 - a line of a log
    return ", ".join(shown)


def _plan(
    cursor: Cursor,
    schema: str,
    table: str,
    staging: str,
    run_id: str,
    primary_key: Sequence[str],
    added: Sequence[str],
) -> tuple[TableDetails | None, TableDetails, list[BuildStep]]:
    present = read_details(cursor, schema, staging)
    if present is None:
        raise TargetError(
            f"The staging table {schema}.{staging} is not there: it was dropped or published. Start a new run."
        )
    mark = read_mark(present, schema, staging, run_id, table)
    target = read_details(cursor, schema, table)
    check_unchanged(target, present, mark, added)
    if mark.kind == "new":
        return None, present, plan_primary_key(schema, staging, table, primary_key, present)
    if mark.kind == "rows" or target is None:
        return None, present, []
    return target, present, plan_indexes(schema, staging, target, present)


def _build(
    connection: Connection, cursor: Cursor, step: BuildStep, patience: LockPatience, where: str
) -> None:
    if not step.locks_others:
        for statement in step.statements:
            cursor.execute(statement)
        return
    first, *rest = step.statements

    def others() -> None:
        for statement in rest:
            cursor.execute(statement)

    hold_lock(connection, cursor, patience, first, others, where=f"A table that {where} references")
    cursor.execute(build_lock_timeout(patience.lock_timeout))
