"""What the page of all tables and the history of one read from the ledger: only rows of DAGs that are named.

Over a session that cannot write, from a ledger of this version or of an earlier one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg.rows import dict_row

from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.vocabulary import Mode, Outcome

LEDGER_EXISTS = "SELECT to_regclass('snowmelt.run') IS NOT NULL"
READ_DAG_IDS = "SELECT DISTINCT dag_id FROM snowmelt.run WHERE dag_id IS NOT NULL"

#: Columns that a ledger of an earlier version does not have: where they are missing, these are found in their place.
NEWER_COLUMNS = "(VALUES (NULL::text, NULL::text, NULL::jsonb)) AS newer (failed_step, target_check, audit)"
#: Of a run, what a page shows; the plan is long, so that it is read of few runs.
_RUN = """
run_id, dag_id, dag_run_id, mode, source, target, snapshot, snapshot_note, outcome, error, failed_step, target_check, audit,
source_rows, staged_files, staged_rows, staged_bytes, started_at, staged_at, verified_at, published_at, finished_at,
verification, publish_result, coalesce(plan->>'where', '') AS filter, plan->>'warehouse' AS warehouse, plan->>'warehouse_size' AS warehouse_size
"""
#: The last run of each table, and the last one that was published.
READ_TABLES = f"""
WITH last AS (
    SELECT DISTINCT ON (target, source) target, source, run_id FROM snowmelt.run
    WHERE dag_id = ANY(%(dag_ids)s) AND mode <> %(keys)s ORDER BY target, source, started_at DESC
), published AS (
    SELECT DISTINCT ON (target, source) target, source, run_id FROM snowmelt.run
    WHERE dag_id = ANY(%(dag_ids)s) AND mode <> %(keys)s AND published_at IS NOT NULL ORDER BY target, source, published_at DESC
), dags AS (
    SELECT target, source, array_agg(DISTINCT dag_id) AS dag_ids FROM snowmelt.run
    WHERE dag_id = ANY(%(dag_ids)s) AND mode <> %(keys)s GROUP BY target, source
)
SELECT l.*, dags.dag_ids, p.run_id AS published_run_id, p.dag_id AS published_dag_id, p.dag_run_id AS published_dag_run_id,
       p.snapshot AS published_snapshot, p.published_at AS last_published_at, p.started_at AS published_started_at,
       p.verification AS published_verification, p.publish_result AS published_result, p.source_rows AS published_source_rows,
       coalesce(p.plan->>'where', '') AS published_filter, coalesce(w.value, p.plan->>'watermark') AS watermark, w.column_name AS watermark_column,
       f.rows AS loaded_rows, f.ended AS load_ended_at, recent.seconds AS recent_seconds, clock_timestamp() AS now
FROM last JOIN dags ON (dags.target, dags.source) = (last.target, last.source)
CROSS JOIN {NEWER_COLUMNS}
CROSS JOIN LATERAL (SELECT {_RUN} FROM snowmelt.run WHERE run_id = last.run_id) AS l
LEFT JOIN published ON (published.target, published.source) = (last.target, last.source)
LEFT JOIN snowmelt.run AS p ON p.run_id = published.run_id
LEFT JOIN LATERAL (
    SELECT column_name, value FROM snowmelt.watermark
    WHERE (watermark.source, watermark.target) = (last.source, last.target) ORDER BY moved_at DESC LIMIT 1
) AS w ON true
LEFT JOIN LATERAL (
    SELECT coalesce(sum(rows - rejected), 0)::bigint AS rows, max(loaded_at) AS ended
    FROM snowmelt.loaded_file WHERE loaded_file.run_id = l.run_id AND l.outcome = %(running)s
) AS f ON true
LEFT JOIN LATERAL (
    SELECT array_agg(seconds ORDER BY published_at) AS seconds FROM (
        SELECT published_at, extract(epoch FROM published_at - started_at)::float8 AS seconds FROM snowmelt.run
        WHERE (run.target, run.source) = (last.target, last.source) AND dag_id = ANY(%(dag_ids)s) AND published_at IS NOT NULL AND mode <> %(keys)s
        ORDER BY published_at DESC LIMIT 12
    ) AS latest
) AS recent ON true
ORDER BY last.target, last.source
"""
#: Runs of one table, the latest first. Unloads of one run overlap: the warehouse worked from the first's start to the last's end.
READ_HISTORY = f"""
SELECT r.*, (SELECT request FROM snowmelt.run WHERE run_id = r.run_id) AS request, c.seconds AS unload_seconds, c.busy AS warehouse_seconds, l.rows AS loaded_rows, l.rejected AS rejected_rows
FROM {NEWER_COLUMNS}
CROSS JOIN LATERAL (
    SELECT {_RUN} FROM snowmelt.run
    WHERE (target, source) = (%(target)s, %(source)s) AND dag_id = ANY(%(dag_ids)s) AND mode <> %(keys)s
    ORDER BY started_at DESC LIMIT %(limit)s
) AS r
LEFT JOIN LATERAL (
    SELECT sum(seconds) AS seconds, extract(epoch FROM max(ended_at) - min(started_at))::float8 AS busy
    FROM snowmelt.staged_chunk WHERE staged_chunk.run_id = r.run_id
) AS c ON true
LEFT JOIN LATERAL (
    SELECT sum(rows - rejected)::bigint AS rows, sum(rejected)::bigint AS rejected FROM snowmelt.loaded_file WHERE loaded_file.run_id = r.run_id
) AS l ON true
ORDER BY r.started_at DESC
"""
#: Seconds of each step of earlier runs of the same kind, for what is left of one that goes on.
READ_STEP_SECONDS = """
SELECT r.source_rows, extract(epoch FROM r.staged_at - r.started_at)::float8 AS unload,
       extract(epoch FROM (SELECT max(loaded_at) FROM snowmelt.loaded_file AS l WHERE l.run_id = r.run_id) - r.staged_at)::float8 AS load,
       extract(epoch FROM r.verified_at - greatest(r.staged_at, (SELECT max(loaded_at) FROM snowmelt.loaded_file AS l WHERE l.run_id = r.run_id)))::float8 AS verify,
       extract(epoch FROM r.published_at - r.verified_at)::float8 AS publish
FROM snowmelt.run AS r
WHERE (r.target, r.source, r.mode) = (%(target)s, %(source)s, %(mode)s) AND r.published_at IS NOT NULL AND r.run_id <> %(run_id)s
ORDER BY r.published_at DESC LIMIT 5
"""
Connection = psycopg.Connection[Any]


def has_ledger(connection: Connection) -> bool:
    """Whether the database has a ledger; one without has nothing to show."""
    row = connection.execute(LEDGER_EXISTS).fetchone()
    return bool(row and row[0])


def read_dag_ids(connection: Connection) -> set[str]:
    """The DAGs that have runs in this ledger."""
    with postgres_failures("Reading the ledger"):
        if not has_ledger(connection):
            return set()
        return {row[0] for row in connection.execute(READ_DAG_IDS)}


def read_tables(connection: Connection, dag_ids: Iterable[str]) -> list[dict[str, Any]]:
    """A row for each table that these DAGs copy: its last run, and the last one that was published."""
    return _read(connection, READ_TABLES, dag_ids=list(dag_ids), running=Outcome.RUNNING)


def read_history(
    connection: Connection, source: str, target: str, dag_ids: Iterable[str], *, limit: int
) -> list[dict[str, Any]]:
    """The runs of one table by these DAGs, the latest first."""
    return _read(connection, READ_HISTORY, source=source, target=target, dag_ids=list(dag_ids), limit=limit)


def read_step_seconds(connection: Connection, run: dict[str, Any]) -> list[dict[str, Any]]:
    """How long each step of earlier runs of the same table and mode took, the latest first.

    :param run: target, source, mode and run_id of the run that goes on.
    """
    names = ("target", "source", "mode", "run_id")
    return _read(connection, READ_STEP_SECONDS, **{name: run[name] for name in names})


def _read(connection: Connection, sql: str, **parameters: Any) -> list[dict[str, Any]]:
    with postgres_failures("Reading the ledger"):
        if not has_ledger(connection):
            return []
        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(sql, parameters | {"keys": Mode.KEYS}).fetchall()
