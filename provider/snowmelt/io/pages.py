"""Reading the ledger for the pages, over a session that cannot write. A database without a ledger has nothing to show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from snowmelt.core.progress import page_sql
from snowmelt.core.progress.board import RunRows
from snowmelt.core.progress.table_status import TableStatus, build_status
from snowmelt.io.failures.postgres import postgres_failures

Connection = psycopg.Connection[Any]


def read_dag_ids(connection: Connection) -> set[str]:
    """The DAGs that have runs in this ledger."""
    with postgres_failures("Reading the ledger"):
        if not _has_ledger(connection):
            return set()
        return {row[0] for row in connection.execute(page_sql.READ_DAG_IDS)}


def read_tables(connection: Connection, dag_ids: Iterable[str]) -> list[TableStatus]:
    """The tables that these DAGs copy, with their last runs."""
    with postgres_failures("Reading the ledger"):
        if not _has_ledger(connection):
            return []
        return [build_status(row) for row in _rows(connection, page_sql.READ_TABLES, dag_ids=list(dag_ids))]


def read_run_rows(connection: Connection, dag_id: str, dag_run_id: str) -> RunRows | None:
    """All that the ledger says about a DAG run; None when it says nothing."""
    with postgres_failures("Reading the ledger"), connection.transaction():
        if not _has_ledger(connection):
            return None
        names = {"dag_id": dag_id, "dag_run_id": dag_run_id}
        found = _rows(connection, page_sql.READ_RUN, **names)
        if not found:
            return None
        run = found[0]
        ids = {"run_id": run["run_id"]}
        return RunRows(
            run=run,
            chunks=_rows(connection, page_sql.READ_CHUNKS, **ids),
            files=_rows(connection, page_sql.READ_FILES, **ids),
            failures=_rows(connection, page_sql.READ_FAILURES, **names),
            copying=_rows(
                connection, page_sql.READ_COPYING, schema=run["target_schema"], table=run["staging_table"]
            ),
            submitted=_rows(connection, page_sql.READ_SUBMITTED, **ids)
            if _is_there(connection, page_sql.SUBMITTED_EXISTS)
            else (),
        )


def read_failures(connection: Connection, dag_id: str, dag_run_id: str) -> list[dict[str, Any]]:
    """Why tasks of a DAG run failed, the last first; also of a run that never got a plan."""
    with postgres_failures("Reading the ledger"):
        if not _has_ledger(connection):
            return []
        return _rows(connection, page_sql.READ_FAILURES, dag_id=dag_id, dag_run_id=dag_run_id)


def _has_ledger(connection: Connection) -> bool:
    return _is_there(connection, page_sql.LEDGER_EXISTS)


def _is_there(connection: Connection, question: LiteralString) -> bool:
    row = connection.execute(question).fetchone()
    return bool(row and row[0])


def _rows(connection: Connection, sql: str, **parameters: str | Sequence[str]) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql, parameters).fetchall()
