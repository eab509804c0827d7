"""Reading and writing the ledger over a psycopg connection. Every function is safe to repeat, and to run twice at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from snowmelt.core import ledger
from snowmelt.core.ledger_tables import MIGRATIONS
from snowmelt.errors import AccessError, TerminalError

Connection = psycopg.Connection[Any]
Cursor = psycopg.Cursor[Any]


def _one(connection: Connection, sql: str, parameters: Sequence[Any] = ()) -> Any:
    row = connection.execute(sql, parameters).fetchone()
    return None if row is None else row[0]


def write_ledger(connection: Connection) -> None:
    """Create the ledger's schema and tables, or bring them up to this version.

    :raises AccessError: the schema is missing and the role may not create it.
    """
    with connection.transaction():
        connection.execute(ledger.LOCK)
        if _one(connection, ledger.MIGRATION_EXISTS) and _one(connection, ledger.READ_MIGRATION) >= len(
            MIGRATIONS
        ):
            return
        try:
            if not _one(connection, ledger.SCHEMA_EXISTS):
                connection.execute(ledger.CREATE_SCHEMA)
            connection.execute(ledger.CREATE_MIGRATION)
            done = _one(connection, ledger.READ_MIGRATION)
            for number, sql in enumerate(MIGRATIONS[done:], start=done + 1):
                connection.execute(sql)
                connection.execute(ledger.WRITE_MIGRATION, (number,))
        except psycopg.errors.InsufficientPrivilege as error:
            role, database = connection.info.user, connection.info.dbname
            raise AccessError(
                f"The role {role!r} may not create the ledger (schema snowmelt) in the database {database!r}: {error.diag.message_primary}. "
                f'Run once as the database\'s owner: CREATE SCHEMA snowmelt AUTHORIZATION "{role}";'
            ) from error


def write_run(connection: Connection, run: dict[str, Any]) -> dict[str, Any]:
    """Store a run's plan unless it is stored already; return the stored row (request, fingerprint, plan, outcome).

    :param run: the columns of snowmelt.run that WRITE_RUN names.
    """
    values = run | {"request": Jsonb(run["request"]), "plan": Jsonb(run["plan"])}
    with connection.transaction():
        connection.execute(ledger.WRITE_RUN, values)
    stored = read_run(connection, run["run_id"])
    if stored is None:
        raise TerminalError(
            f"The run {run['run_id']} vanished from snowmelt.run while it was planned. Start a new run."
        )
    return stored


def read_run(connection: Connection, run_id: str) -> dict[str, Any] | None:
    """The stored request, fingerprint, plan and outcome of a run; None when the ledger does not know it."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(ledger.READ_RUN, (run_id,)).fetchone()


def read_overtaken(cursor: Cursor, run_id: str) -> tuple[str, str | None] | None:
    """The run of a later snapshot that was published into the same target since this one began: (run id, snapshot)."""
    row = cursor.execute(ledger.READ_OVERTAKEN, (run_id,)).fetchone()
    return None if row is None else (row[0], row[1])


def write_verification(
    connection: Connection, run_id: str, verification: dict[str, Any], error: str | None
) -> None:
    """Record the outcome of a verification; `error` is None when all agreed."""
    with connection.transaction():
        connection.execute(
            ledger.WRITE_VERIFICATION, {"run_id": run_id, "verification": Jsonb(verification), "error": error}
        )


def write_published(cursor: Cursor, run_id: str, result: dict[str, Any]) -> bool:
    """Mark the run as published, inside the publish transaction. False: it was published before."""
    cursor.execute(ledger.WRITE_PUBLISHED, {"run_id": run_id, "result": Jsonb(result)})
    return cursor.rowcount == 1


def write_reconciled(cursor: Cursor, run_id: str) -> None:
    """Mark the keys of a run as used up, inside its publish transaction."""
    cursor.execute(ledger.WRITE_RECONCILED, (run_id,))


def read_published(connection: Connection, run_id: str) -> dict[str, Any] | None:
    """What the publish of this run did; None when it is not published yet."""
    row = connection.execute(ledger.READ_PUBLISHED, (run_id,)).fetchone()
    return None if row is None or row[0] is None else dict(row[1])


def is_published(cursor: Cursor, run_id: str) -> bool:
    """Whether the run was published before, in the cursor's transaction."""
    row = cursor.execute(ledger.READ_PUBLISHED, (run_id,)).fetchone()
    return row is not None and row[0] is not None


def lock_over(cursor: Cursor, run_id: str) -> bool:
    """Whether the run is published, or a test that has ended; it stays so until the cursor's transaction ends."""
    row = cursor.execute(ledger.LOCK_OVER, (run_id,)).fetchone()
    return row is not None and bool(row[0])


def read_watermark(connection: Connection, *, source: str, target: str, column: str) -> str | None:
    """Up to where the target is filled by published runs; None before the first."""
    value = _one(connection, ledger.READ_WATERMARK, (source, target, column))
    return None if value is None else str(value)


def write_watermark(cursor: Cursor, **watermark: str) -> None:
    """Move the watermark, in the publish transaction.

    :param watermark: source, target, column, value, run_id.
    """
    cursor.execute(ledger.WRITE_WATERMARK, watermark)


def write_outcome(connection: Connection, run_id: str, outcome: str, error: str | None = None) -> None:
    """End a run that publishes nothing (`unloaded`, `tested`), or that failed for good."""
    with connection.transaction():
        connection.execute(ledger.WRITE_OUTCOME, {"run_id": run_id, "outcome": outcome, "error": error})


def write_resumed(connection: Connection, run_id: str, dag_id: str, dag_run_id: str) -> None:
    """Note which DAG run goes on with a run that another one began."""
    with connection.transaction():
        connection.execute(ledger.WRITE_RESUMED, (dag_id, dag_run_id, run_id))


def write_failure(connection: Connection, failure: Mapping[str, Any]) -> None:
    """Note why a task failed. The same try again replaces its own note.

    :param failure: dag_id, dag_run_id, task_id, map_index, try_number, label, error.
    """
    with connection.transaction():
        connection.execute(ledger.WRITE_FAILURE, failure)


def write_submitted(connection: Connection, submitted: Mapping[str, Any]) -> None:
    """Note the query that unloads a chunk, while it runs; a chunk that is unloaded again has a new one.

    :param submitted: run_id, chunk, query_id, submitted_at (in seconds since 1970).
    """
    with connection.transaction():
        connection.execute(ledger.WRITE_SUBMITTED, submitted)


def write_finished(connection: Connection, run_id: str) -> None:
    """Note when the run's last task ended."""
    with connection.transaction():
        connection.execute(ledger.WRITE_FINISHED, (run_id,))


def read_report(connection: Connection, run_id: str) -> dict[str, Any] | None:
    """Counts, bytes and times of a run, for a log line, a report or a page."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(ledger.READ_REPORT, (run_id,)).fetchone()


def write_report(connection: Connection, run_id: str, report: dict[str, Any]) -> None:
    """Keep a run's report in its row."""
    with connection.transaction():
        connection.execute(ledger.WRITE_REPORT, (Jsonb(report), run_id))
