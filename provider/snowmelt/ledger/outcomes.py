"""How runs end that do not end well: failed in which step, why, and what the target holds. Safe to repeat.

A run that failed before it was planned gets a row of its own, without a plan; planning it again fills the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from snowmelt.ledger.state import read_identity
from snowmelt.vocabulary import Mode, Outcome

#: Of a DAG run that has no row yet: the plan is missing, all else is known.
WRITE_UNPLANNED = """
INSERT INTO snowmelt.run (run_id, dag_id, dag_run_id, mode, source, target)
SELECT %(run_id)s, %(dag_id)s, %(dag_run_id)s, %(mode)s, %(source)s, %(target)s
WHERE NOT EXISTS (SELECT FROM snowmelt.run WHERE (dag_id, dag_run_id) = (%(dag_id)s, %(dag_run_id)s))
ON CONFLICT (run_id) DO NOTHING
"""
#: A load of a manifest has no staging table: its files are committed to the target one by one.
_COLUMNS = """
SELECT run_id, mode, target, outcome, plan->>'target_schema' AS target_schema, plan->>'target_table' AS target_table,
    plan IS NOT NULL AND plan->>'staging_table' IS NULL AS direct,
    (SELECT count(*) FROM snowmelt.loaded_file AS l WHERE l.run_id = run.run_id) AS loaded_files
FROM snowmelt.run
"""
#: The run and, where there is one, that of its keys.
LOCK_DAG_RUN = f"{_COLUMNS} WHERE (dag_id, dag_run_id) = (%s, %s) ORDER BY run_id FOR UPDATE"
LOCK_RUN = f"{_COLUMNS} WHERE run_id = %s FOR UPDATE"
#: An outcome that is good stays: what a clean-up failed with is recorded beside it.
WRITE_FAILED = """
UPDATE snowmelt.run SET outcome = %(outcome)s, failed_step = %(step)s, error = %(error)s, target_check = %(target_check)s,
    finished_at = clock_timestamp()
WHERE run_id = %(run_id)s
"""
#: A task of a failed run was cleared: the run goes on.
WRITE_REOPENED = """
UPDATE snowmelt.run SET (outcome, failed_step, error, target_check, finished_at) = (DEFAULT, NULL, NULL, NULL, NULL)
WHERE (dag_id, dag_run_id) = (%s, %s) AND outcome = %s
"""
#: The copies that fill a target, the latest first.
READ_FILLED = """
SELECT run_id, target_oid, snapshot FROM snowmelt.target_state WHERE target = %s ORDER BY published_at DESC
"""
WRITE_AUDIT = (
    "UPDATE snowmelt.run SET audit = coalesce(audit, '{}') || %s WHERE (dag_id, dag_run_id) = (%s, %s)"
)
READ_MISSING_INDEXES = """
SELECT array_agg(index_name ORDER BY index_name) FROM snowmelt.deferred_index WHERE (schema_name, table_name) = (%s, %s)
"""
#: Runs that are open, with their last activity. Their staging tables tell whether a session works for them.
LIST_OPEN = """
SELECT r.run_id, r.dag_id, r.dag_run_id, r.target, r.started_at, r.plan->>'target_schema' AS target_schema, r.plan->>'staging_table' AS staging_table,
    greatest(r.started_at, r.staged_at, r.verified_at,
        (SELECT max(l.loaded_at) FROM snowmelt.loaded_file AS l WHERE l.run_id = r.run_id),
        (SELECT max(c.ended_at) FROM snowmelt.staged_chunk AS c WHERE c.run_id = r.run_id)) AS active_at
FROM snowmelt.run AS r WHERE r.outcome = %s AND r.mode <> %s ORDER BY r.started_at
"""

Connection = psycopg.Connection[Any]
Cursor = psycopg.Cursor[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRun:
    """A DAG run that has failed, and what is known of the copy that it was to make."""

    run_id: str
    dag_id: str
    dag_run_id: str
    #: The task, with the number of its mapped instance; empty where no task failed.
    step: str
    error: str
    #: Used where the run has no row in the ledger yet.
    mode: str = Mode.FULL
    source: str = ""
    target: str = ""


def write_failed(connection: Connection, failed: FailedRun) -> bool:
    """End the runs of a DAG run as failed, with the first failure's step and reason; whether this is the first.

    A run that is published stays so, and the failure is recorded beside it.
    """
    values = {
        name: getattr(failed, name) for name in ("run_id", "dag_id", "dag_run_id", "mode", "source", "target")
    }
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(WRITE_UNPLANNED, values)
        rows = cursor.execute(LOCK_DAG_RUN, (failed.dag_id, failed.dag_run_id)).fetchall()
        closed = [_close(cursor, row, failed.step, failed.error) for row in rows]
        return any(closed)


def write_failed_run(connection: Connection, run_id: str, step: str, error: str) -> None:
    """End one run as failed: one that no DAG run of this ledger stands for, or whose DAG run is gone."""
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(LOCK_RUN, (run_id,)).fetchall():
            _close(cursor, row, step, error)


def write_reopened(connection: Connection, dag_id: str, dag_run_id: str) -> None:
    """Record that a failed run goes on."""
    with connection.transaction():
        connection.execute(WRITE_REOPENED, (dag_id, dag_run_id, Outcome.FAILED))


def write_audit(connection: Connection, dag_id: str, dag_run_id: str, audit: Mapping[str, Any]) -> None:
    """Record who runs a DAG run, and by what; what a later try says replaces what an earlier one said."""
    with connection.transaction():
        connection.execute(WRITE_AUDIT, (Jsonb(dict(audit)), dag_id, dag_run_id))


def list_open(connection: Connection) -> list[dict[str, Any]]:
    """The runs without an outcome, the oldest first: run_id, dag_id, dag_run_id, target, started_at, target_schema, staging_table, active_at."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(LIST_OPEN, (Outcome.RUNNING, Mode.KEYS)).fetchall()


def _close(cursor: psycopg.Cursor[dict[str, Any]], row: dict[str, Any], step: str, error: str) -> bool:
    outcome = Outcome(row["outcome"])
    if outcome is Outcome.FAILED:  # the first failure is the reason of those that follow
        return False
    failed = outcome is Outcome.RUNNING
    cursor.execute(
        WRITE_FAILED,
        {
            "run_id": row["run_id"],
            "outcome": Outcome.FAILED if failed else outcome,
            "step": step or None,
            "error": error,
            "target_check": _check_target(cursor, row) if failed else None,
        },
    )
    return failed


def _check_target(cursor: psycopg.Cursor[dict[str, Any]], row: dict[str, Any]) -> str:
    """What the target holds now that its run has failed.

    The run's row is locked and says that it published nothing: its rows are in the target only if its row says so, since both
    are written in one transaction.
    """
    if row["direct"] and row["loaded_files"]:
        return f"{row['loaded_files']:,} of its files are in the target: each is committed by itself. A later try loads the others."
    schema, _, table = row["target"].rpartition(".")
    schema, table = row["target_schema"] or schema, row["target_table"] or table
    connection: Connection = cursor.connection
    identity = read_identity(connection, schema, table)
    if identity is None:
        return "The target table does not exist: nothing was published."
    states = connection.execute(READ_FILLED, (row["target"],)).fetchall()
    ours = [
        f"run {run_id}" + (f" (as of {as_of})" if as_of else "")
        for run_id, oid, as_of in states
        if oid == identity.oid
    ]
    if ours:
        text = f"The target is unchanged: it holds what {' and '.join(ours)} published."
    elif states:
        text = f"Nothing was published. The target is not the table that run {states[0][0]} filled: it was created again."
    else:
        text = "The target is unchanged: nothing was published."
    ((missing,),) = connection.execute(READ_MISSING_INDEXES, (schema, table)).fetchall()
    if missing:
        text += f" {len(missing)} of its indexes were dropped for a publish and are not built again: {', '.join(missing)}."
    return text
