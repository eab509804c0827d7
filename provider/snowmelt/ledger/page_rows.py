"""What the pages read from the ledger: only rows of DAGs that are named, over a session that cannot write.

A database without a ledger has nothing to show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.ledger.table_rows import has_ledger
from snowmelt.progress.board import RunRows
from snowmelt.vocabulary import Mode, Outcome

READ_RUN = """
SELECT run_id, dag_id, dag_run_id, mode, source, target, snapshot, snapshot_note, plan->>'source_policies' AS source_policies, source_rows, staged_files, staged_rows,
       staged_bytes, verification, publish_result, outcome, error, started_at, staged_at, verified_at, published_at, finished_at,
       plan->'chunks' AS chunks, plan->>'target_schema' AS target_schema, plan->>'staging_table' AS staging_table,
       plan->>'publish' AS publish, plan->>'file_format' AS file_format, plan->>'load_method' AS load_method,
       plan->'location'->>'bucket' AS bucket, coalesce(plan->'location'->>'base', '') || (plan->>'path') AS prefix,
       clock_timestamp() AS now
FROM snowmelt.run WHERE dag_id = %(dag_id)s AND dag_run_id = %(dag_run_id)s AND mode <> %(keys)s
ORDER BY started_at DESC LIMIT 1
"""
READ_CHUNKS = """
SELECT chunk, query_id, files, rows, bytes, seconds, started_at, ended_at
FROM snowmelt.staged_chunk WHERE run_id = %(run_id)s ORDER BY chunk
"""
#: A ledger that no run of this version has used yet is without the table.
SUBMITTED_EXISTS = "SELECT to_regclass('snowmelt.submitted_query') IS NOT NULL"
READ_SUBMITTED = "SELECT chunk, query_id FROM snowmelt.submitted_query WHERE run_id = %(run_id)s"
READ_FILES = """
SELECT s.s3_key, s.chunk, s.batch, s.bytes, s.rows, l.loaded_at, l.seconds, l.rejected, l.worker, l.load_method
FROM snowmelt.staged_file AS s
LEFT JOIN snowmelt.loaded_file AS l ON (l.run_id, l.s3_key) = (s.run_id, s.s3_key)
WHERE s.run_id = %(run_id)s ORDER BY s.batch, s.s3_key
"""
READ_FAILURES = """
SELECT task_id, map_index, try_number, label, error, failed_at FROM snowmelt.task_failure
WHERE dag_id = %(dag_id)s AND dag_run_id = %(dag_run_id)s ORDER BY failed_at DESC LIMIT 200
"""
#: The COPYs that run now, as the server itself counts them. A COPY of another session and table shows no row.
READ_COPYING = """
SELECT a.application_name, c.tuples_processed AS rows, c.bytes_processed AS bytes,
       extract(epoch FROM clock_timestamp() - a.query_start)::float8 AS seconds
FROM pg_stat_progress_copy AS c JOIN pg_stat_activity AS a USING (pid)
WHERE c.datid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND c.relid = to_regclass(format('%%I.%%I', %(schema)s::text, %(table)s::text))
"""

Connection = psycopg.Connection[Any]


def read_run_rows(connection: Connection, dag_id: str, dag_run_id: str) -> RunRows | None:
    """All that the ledger holds of a DAG run; None when it does not know the run."""
    with postgres_failures("Reading the ledger"), connection.transaction():
        if not has_ledger(connection):
            return None
        names = {"dag_id": dag_id, "dag_run_id": dag_run_id}
        found = _rows(connection, READ_RUN, **names, keys=Mode.KEYS)
        if not found:
            return None
        run = found[0] | {"outcome": Outcome(found[0]["outcome"])}
        ids = {"run_id": run["run_id"]}
        return RunRows(
            run=run,
            chunks=_rows(connection, READ_CHUNKS, **ids),
            files=_rows(connection, READ_FILES, **ids),
            failures=_rows(connection, READ_FAILURES, **names),
            copying=_rows(connection, READ_COPYING, schema=run["target_schema"], table=run["staging_table"])
            if run["staging_table"]
            else (),
            submitted=_rows(connection, READ_SUBMITTED, **ids)
            if _is_there(connection, SUBMITTED_EXISTS)
            else (),
        )


def read_failures(connection: Connection, dag_id: str, dag_run_id: str) -> list[dict[str, Any]]:
    """Why tasks of a DAG run failed, the last first; also of a run that never got a plan."""
    with postgres_failures("Reading the ledger"):
        if not has_ledger(connection):
            return []
        return _rows(connection, READ_FAILURES, dag_id=dag_id, dag_run_id=dag_run_id)


def _is_there(connection: Connection, question: LiteralString) -> bool:
    row = connection.execute(question).fetchone()
    return bool(row and row[0])


def _rows(connection: Connection, sql: str, **parameters: str | Sequence[str]) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql, parameters).fetchall()
