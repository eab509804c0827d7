"""What the pages read from the ledger: only rows of DAGs that are named, over a session that cannot write.

A database without a ledger has nothing to show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.ledger.table_rows import NEWER_COLUMNS, has_ledger, read_step_seconds
from snowmelt.progress.board import RECENT, RunRows
from snowmelt.progress.plots import TaskState, tasks_of
from snowmelt.vocabulary import Mode, Outcome

READ_RUN = f"""
SELECT r.*, clock_timestamp() AS now FROM {NEWER_COLUMNS} CROSS JOIN LATERAL (
    SELECT run_id, dag_id, dag_run_id, mode, source, target, snapshot, snapshot_note, plan->>'source_policies' AS source_policies,
           source_rows, staged_files, staged_rows, staged_bytes, verification, publish_result, outcome, error, failed_step, target_check, audit,
           started_at, staged_at, verified_at, published_at, finished_at,
           plan->'chunks' AS chunks, plan->>'target_schema' AS target_schema, plan->>'staging_table' AS staging_table, plan->>'where' AS filter,
           plan->>'publish' AS publish, plan->>'file_format' AS file_format, plan->>'load_method' AS load_method,
           plan->'location'->>'bucket' AS bucket, coalesce(plan->'location'->>'base', '') || (plan->>'path') AS prefix
    FROM snowmelt.run WHERE dag_id = %(dag_id)s AND dag_run_id = %(dag_run_id)s AND mode <> %(keys)s
    ORDER BY started_at DESC LIMIT 1
) AS r
"""
READ_CHUNKS = """
SELECT chunk, query_id, files, rows, bytes, seconds, started_at, ended_at
FROM snowmelt.staged_chunk WHERE run_id = %(run_id)s ORDER BY chunk
"""
#: A ledger that no run of this version has used yet is without the table.
SUBMITTED_EXISTS = "SELECT to_regclass('snowmelt.submitted_query') IS NOT NULL"
READ_SUBMITTED = "SELECT chunk, query_id FROM snowmelt.submitted_query WHERE run_id = %(run_id)s"
#: What is drawn of the load: each file, or of very many the files of each task together. The server adds them up.
READ_UNITS = """
SELECT min(s.s3_key) AS s3_key, s.batch, count(*) AS files, sum(s.bytes)::bigint AS bytes, sum(s.rows)::bigint AS rows,
       count(l.s3_key) AS loaded_files, coalesce(sum(l.bytes), 0)::bigint AS loaded_bytes, coalesce(sum(l.rows), 0)::bigint AS loaded_rows,
       coalesce(sum(l.rejected), 0)::bigint AS rejected, sum(l.seconds) AS seconds, max(l.worker) AS worker,
       min(l.loaded_at - make_interval(secs => coalesce(l.seconds, 0))) AS started_at, max(l.loaded_at) AS loaded_at
FROM snowmelt.staged_file AS s
LEFT JOIN snowmelt.loaded_file AS l ON (l.run_id, l.s3_key) = (s.run_id, s.s3_key)
WHERE s.run_id = %(run_id)s GROUP BY s.batch, CASE WHEN %(by_file)s THEN s.s3_key END ORDER BY s.batch, 1
"""
#: One page of files by their names: of failed tasks first, then of running ones, then those that wait.
READ_FILES = """
SELECT s.s3_key, s.batch, 1 AS files, s.bytes, s.rows, (l.s3_key IS NOT NULL)::int AS loaded_files, l.bytes AS loaded_bytes,
       l.rows AS loaded_rows, l.rejected, l.seconds, l.worker, l.loaded_at - make_interval(secs => coalesce(l.seconds, 0)) AS started_at, l.loaded_at
FROM snowmelt.staged_file AS s
LEFT JOIN snowmelt.loaded_file AS l ON (l.run_id, l.s3_key) = (s.run_id, s.s3_key)
WHERE s.run_id = %(run_id)s
ORDER BY l.s3_key IS NOT NULL, s.batch = ANY(%(failed)s) DESC, s.batch = ANY(%(busy)s) DESC, s.batch, s.s3_key
LIMIT %(limit)s OFFSET %(offset)s
"""
#: Files that a session may be loading now.
READ_LOADING = """
SELECT s.s3_key, s.batch, s.bytes, s.rows FROM snowmelt.staged_file AS s
LEFT JOIN snowmelt.loaded_file AS l ON (l.run_id, l.s3_key) = (s.run_id, s.s3_key)
WHERE s.run_id = %(run_id)s AND l.s3_key IS NULL AND (s.batch = ANY(%(busy)s) OR %(any)s) ORDER BY s.batch, s.s3_key LIMIT 2000
"""
#: Rows that were loaded within the last minutes; those of a file count as spread evenly over its seconds.
READ_RECENT = """
SELECT coalesce(sum(rows * CASE WHEN seconds > 0 THEN least(1, extract(epoch FROM loaded_at - now.begins) / seconds) ELSE 1 END), 0)::float8 AS rows
FROM snowmelt.loaded_file, (SELECT clock_timestamp() - make_interval(secs => %(seconds)s) AS begins) AS now
WHERE run_id = %(run_id)s AND loaded_at > now.begins
"""
#: A worker is host:process, and a task is a process: its host is what a person knows.
READ_WORKERS = """
SELECT regexp_replace(worker, ':[^:]*$', '') AS name, count(*) AS files, sum(rows)::bigint AS rows, sum(bytes)::bigint AS bytes,
       extract(epoch FROM max(loaded_at) - min(loaded_at - make_interval(secs => coalesce(seconds, 0))))::float8 AS seconds
FROM snowmelt.loaded_file WHERE run_id = %(run_id)s AND worker IS NOT NULL GROUP BY 1 ORDER BY 1
"""
READ_FAILURES = """
SELECT task_id, map_index, try_number, label, error, failed_at FROM snowmelt.task_failure
WHERE dag_id = %(dag_id)s AND dag_run_id = %(dag_run_id)s ORDER BY failed_at DESC LIMIT 200
"""
#: The COPYs that run now, as the server itself counts them. A COPY of another session and table shows no row.
READ_COPYING = """
SELECT a.application_name, c.tuples_processed AS rows, c.bytes_processed AS bytes,
       extract(epoch FROM clock_timestamp() - a.query_start)::float8 AS seconds, a.wait_event_type AS waits_for
FROM pg_stat_progress_copy AS c JOIN pg_stat_activity AS a USING (pid)
WHERE c.datid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND c.relid = to_regclass(format('%%I.%%I', %(schema)s::text, %(table)s::text))
"""

Connection = psycopg.Connection[Any]


#: Up to so many files, each is drawn by itself.
MAX_UNITS = 600
#: Files on one page of the list.
FILES_PAGE = 150


def read_run_rows(
    connection: Connection, dag_id: str, dag_run_id: str, tasks: Sequence[TaskState] = (), *, page: int = 0
) -> RunRows | None:
    """What a page shows of a DAG run; None when the ledger does not know the run. It costs the same for ten files and for 10,000.

    :param tasks: as Airflow has them: which load tasks run and which have failed.
    :param page: of the list of files, from 0.
    """
    with postgres_failures("Reading the ledger"), connection.transaction():
        if not has_ledger(connection):
            return None
        names = {"dag_id": dag_id, "dag_run_id": dag_run_id}
        found = _rows(connection, READ_RUN, **names, keys=Mode.KEYS)
        if not found:
            return None
        run = found[0] | {"outcome": Outcome(found[0]["outcome"])}
        ids = {"run_id": run["run_id"]}
        loads = tasks_of(tasks, "load")
        busy = [batch for batch, task in loads.items() if task.word == "running"]
        failed = [batch for batch, task in loads.items() if task.word in {"failed", "retrying"}]
        copying = (run["staging_table"] is not None and not run["outcome"].ended) or bool(busy)
        submitted = _is_there(connection, SUBMITTED_EXISTS)
        return RunRows(
            run=run,
            chunks=_rows(connection, READ_CHUNKS, **ids),
            units=_rows(connection, READ_UNITS, **ids, by_file=(run["staged_files"] or 0) <= MAX_UNITS),
            files=_rows(
                connection,
                READ_FILES,
                **ids,
                failed=failed,
                busy=busy,
                limit=FILES_PAGE,
                offset=page * FILES_PAGE,
            ),
            page=page,
            recent_rows=_rows(connection, READ_RECENT, **ids, seconds=RECENT.total_seconds())[0]["rows"],
            workers=_rows(connection, READ_WORKERS, **ids),
            failures=_rows(connection, READ_FAILURES, **names),
            copying=_rows(connection, READ_COPYING, schema=run["target_schema"], table=run["staging_table"])
            if copying
            else (),
            loading=_rows(connection, READ_LOADING, **ids, busy=busy, any=not tasks) if copying else (),
            submitted=_rows(connection, READ_SUBMITTED, **ids) if submitted else (),
            earlier=() if run["outcome"].ended else read_step_seconds(connection, run),
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


def _rows(connection: Connection, sql: str, **parameters: Any) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql, parameters).fetchall()
