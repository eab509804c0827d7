"""Runs in the ledger: the plan, verification, publish and outcome of each. Safe to repeat, and to run twice at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from snowmelt.errors import AccessError, ConfigurationError, TerminalError
from snowmelt.ledger.condition import READ_CONDITION, find_ledger_faults, read_columns
from snowmelt.ledger.tables import MIGRATIONS
from snowmelt.rights.postgres import LEDGER_RIGHTS, READ_HELD, HeldRights, find_missing
from snowmelt.sql.names import LEDGER_SCHEMA
from snowmelt.state import LastCompared
from snowmelt.vocabulary import Outcome

#: Two first runs at once: one creates the tables, the other waits. The number is arbitrary, and used for nothing else.
LOCK = "SELECT pg_advisory_xact_lock(5647382910)"
SCHEMA_EXISTS = "SELECT to_regnamespace('snowmelt') IS NOT NULL"
CREATE_SCHEMA = "CREATE SCHEMA snowmelt"
CREATE_MIGRATION = (
    "CREATE TABLE IF NOT EXISTS snowmelt.migration "
    "(number integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
)
MIGRATION_EXISTS = "SELECT to_regclass('snowmelt.migration') IS NOT NULL"
READ_MIGRATION = "SELECT coalesce(max(number), 0) FROM snowmelt.migration"
WRITE_MIGRATION = "INSERT INTO snowmelt.migration (number) VALUES (%s)"

WRITE_RUN = """
INSERT INTO snowmelt.run (run_id, dag_id, dag_run_id, mode, source, target, snapshot, snapshot_note,
                          request, fingerprint, plan, source_rows)
VALUES (%(run_id)s, %(dag_id)s, %(dag_run_id)s, %(mode)s, %(source)s, %(target)s, %(snapshot)s, %(snapshot_note)s,
        %(request)s, %(fingerprint)s, %(plan)s, %(source_rows)s)
ON CONFLICT (run_id) DO UPDATE
SET (mode, source, target, snapshot, snapshot_note, request, fingerprint, plan, source_rows)
  = (excluded.mode, excluded.source, excluded.target, excluded.snapshot, excluded.snapshot_note, excluded.request, excluded.fingerprint,
     excluded.plan, excluded.source_rows),
    (outcome, failed_step, error, target_check, finished_at) = (DEFAULT, NULL, NULL, NULL, NULL)
WHERE run.plan IS NULL
"""
#: A run that failed before it was planned has a row, and no plan.
READ_RUN = (
    "SELECT request, fingerprint, plan, outcome FROM snowmelt.run WHERE run_id = %s AND plan IS NOT NULL"
)
READ_WATERMARK = "SELECT value FROM snowmelt.watermark WHERE (source, target, column_name) = (%s, %s, %s)"
WRITE_WATERMARK = """
INSERT INTO snowmelt.watermark (source, target, column_name, value, run_id)
VALUES (%(source)s, %(target)s, %(column)s, %(value)s, %(run_id)s)
ON CONFLICT (source, target, column_name)
    DO UPDATE SET value = EXCLUDED.value, run_id = EXCLUDED.run_id, moved_at = EXCLUDED.moved_at
"""


#: Another run of a later snapshot that was published into the same target since this one began: ours would undo it.
READ_OVERTAKEN = """
SELECT other.run_id, other.snapshot FROM snowmelt.run AS mine JOIN snowmelt.run AS other
    ON other.target = mine.target AND coalesce(other.plan->>'owned_rows', '') = coalesce(mine.plan->>'owned_rows', '')
    AND other.run_id <> mine.run_id AND other.published_at > mine.started_at
WHERE mine.run_id = %s
    AND coalesce(other.snapshot::timestamptz, other.started_at) > coalesce(mine.snapshot::timestamptz, mine.started_at)
ORDER BY other.published_at DESC LIMIT 1
"""
#: A verification that ends late changes nothing of a run that is published.
WRITE_VERIFICATION = """
UPDATE snowmelt.run SET verification = %(verification)s,
    verified_at = CASE WHEN %(error)s::text IS NULL THEN clock_timestamp() END, error = %(error)s
WHERE run_id = %(run_id)s AND published_at IS NULL
"""
#: Inside the publish transaction. No row: the run was published before.
WRITE_PUBLISHED = """
UPDATE snowmelt.run SET published_at = clock_timestamp(), publish_result = %(result)s, outcome = %(outcome)s,
    (error, failed_step, target_check) = (NULL, NULL, NULL)
WHERE run_id = %(run_id)s AND published_at IS NULL
"""
WRITE_RECONCILED = """
UPDATE snowmelt.run SET published_at = clock_timestamp(), finished_at = clock_timestamp(), outcome = %(outcome)s
WHERE run_id = %(run_id)s
"""
#: A run that compares, and publishes nothing. No row: it has ended before.
WRITE_COMPARED = """
UPDATE snowmelt.run SET publish_result = %(result)s, outcome = %(outcome)s
WHERE run_id = %(run_id)s AND publish_result IS NULL
"""
READ_COMPARED = "SELECT publish_result FROM snowmelt.run WHERE run_id = %s"
#: Days since the last run that compared the whole target or copied all of it, and the runs that were published since.
READ_LAST_COMPARED = """
WITH ended AS (
    SELECT started_at, mode = 'full' OR publish_result->'whole_target'->>'compared' = 'values' AS whole FROM snowmelt.run
    WHERE target = %s AND coalesce(plan->>'owned_rows', '') = %s AND publish_result IS NOT NULL AND mode <> 'keys'
), last AS (SELECT max(started_at) AS at FROM ended WHERE whole)
SELECT extract(epoch FROM clock_timestamp() - last.at)::float8 / 86400, (SELECT count(*) FROM ended WHERE started_at > last.at)
FROM last WHERE last.at IS NOT NULL
"""
#: The whole target was compared after the publish.
WRITE_COMPARED_AFTER = """
UPDATE snowmelt.run SET publish_result = publish_result || %(result)s, verification = verification || %(verification)s, outcome = %(outcome)s
WHERE run_id = %(run_id)s
"""
FIND_ANSWERED = (
    "SELECT EXISTS (SELECT 1 FROM snowmelt.run WHERE source = %s AND plan->>'nanoseconds_key' = %s)"
)
READ_PUBLISHED = "SELECT published_at, publish_result FROM snowmelt.run WHERE run_id = %s"
#: Holds the run's row, so that no publish comes in between.
LOCK_OUTCOME = "SELECT published_at IS NOT NULL, outcome FROM snowmelt.run WHERE run_id = %s FOR UPDATE"
WRITE_OUTCOME = """
UPDATE snowmelt.run SET outcome = %(outcome)s, finished_at = clock_timestamp(), (error, failed_step, target_check) = (NULL, NULL, NULL)
WHERE run_id = %(run_id)s
"""
#: Another DAG run goes on with this run: its page shows the run from now on.
WRITE_RESUMED = """
UPDATE snowmelt.run SET (dag_id, dag_run_id) = (%s, %s),
    (outcome, error, failed_step, target_check, finished_at) = (DEFAULT, NULL, NULL, NULL, NULL)
WHERE run_id = %s
"""
WRITE_FINISHED = """
UPDATE snowmelt.run SET finished_at = clock_timestamp(), (error, failed_step) = (NULL, NULL) WHERE run_id = %s
"""


Connection = psycopg.Connection[Any]
Cursor = psycopg.Cursor[Any]


def _one(connection: Connection, sql: str, parameters: Sequence[Any] = ()) -> Any:
    row = connection.execute(sql, parameters).fetchone()
    return None if row is None else row[0]


def is_current(connection: Connection) -> bool:
    """Whether the ledger is there, and of this version or a later one."""
    return bool(_one(connection, MIGRATION_EXISTS)) and _one(connection, READ_MIGRATION) >= len(MIGRATIONS)


def write_ledger(connection: Connection) -> None:
    """Create the ledger's schema and tables, or bring them up to this version; and look whether they are what they should be.

    :raises ConfigurationError: a later version made the ledger, or somebody has changed it; with everything found.
    :raises AccessError: the schema is missing and the role may not create it, or lacks a right on it; the statement is named.
    """
    try:
        with connection.transaction():
            connection.execute(LOCK)
            if not _one(connection, SCHEMA_EXISTS):
                connection.execute(CREATE_SCHEMA)
            done = _one(connection, READ_MIGRATION) if _one(connection, MIGRATION_EXISTS) else 0
            _refuse_faults(connection, done)
            if done == len(MIGRATIONS):
                return
            connection.execute(CREATE_MIGRATION)
            for number, sql in enumerate(MIGRATIONS[done:], start=done + 1):
                connection.execute(sql)
                connection.execute(WRITE_MIGRATION, (number,))
    except psycopg.errors.InsufficientPrivilege as error:
        role, database = connection.info.user, connection.info.dbname
        row = connection.execute(READ_HELD, {"schema": LEDGER_SCHEMA, "table": "run"}).fetchone()
        held = HeldRights.from_row(row)  # type: ignore[arg-type]
        missing = find_missing(held, LEDGER_RIGHTS, LEDGER_SCHEMA, "run", role)
        statements = [statement for one in missing for statement in one.statements]
        raise AccessError(
            f"The role {role!r} may not create the ledger (schema snowmelt) in the database {database!r}: {error.diag.message_primary}. "
            f"Run once as the database's owner: {'; '.join(statements)};"
        ) from error


def _refuse_faults(connection: Connection, version: int) -> None:
    """Before anything is written: what is there has to be what the migrations up to its version made."""
    where = f"The ledger (schema {LEDGER_SCHEMA} in the database {connection.info.dbname!r}) cannot be used"
    if version > len(MIGRATIONS):
        raise ConfigurationError(
            f"{where}: its version is {version}, this Snowmelt knows versions up to {len(MIGRATIONS)}. Upgrade Snowmelt here too."
        )
    expected = read_columns(MIGRATIONS[:version])
    tables = ["migration", *read_columns(MIGRATIONS)]
    rows = connection.execute(READ_CONDITION, (tables,)).fetchall()
    faults = tuple(find_ledger_faults(rows, expected))
    if faults:
        raise ConfigurationError(f"{where}:", faults)


def write_run(connection: Connection, run: dict[str, Any]) -> dict[str, Any]:
    """Store a run's plan unless it is stored already; return the stored row (request, fingerprint, plan, outcome).

    :param run: the columns of snowmelt.run that WRITE_RUN names.
    """
    values = run | {"request": Jsonb(run["request"]), "plan": Jsonb(run["plan"])}
    with connection.transaction():
        connection.execute(WRITE_RUN, values)
    stored = read_run(connection, run["run_id"])
    if stored is None:
        raise TerminalError(
            f"The run {run['run_id']} vanished from snowmelt.run while it was planned. Start a new run."
        )
    return stored


def read_run(connection: Connection, run_id: str) -> dict[str, Any] | None:
    """The stored request, fingerprint, plan and outcome of a run; None when the ledger does not know it."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(READ_RUN, (run_id,)).fetchone()


def read_overtaken(cursor: Cursor, run_id: str) -> tuple[str, str | None] | None:
    """The run of a later snapshot that was published into the same target since this one began: (run id, snapshot)."""
    row = cursor.execute(READ_OVERTAKEN, (run_id,)).fetchone()
    return None if row is None else (row[0], row[1])


def write_verification(
    connection: Connection, run_id: str, verification: dict[str, Any], error: str | None
) -> None:
    """Record the outcome of a verification; `error` is None when all agreed."""
    with connection.transaction():
        connection.execute(
            WRITE_VERIFICATION, {"run_id": run_id, "verification": Jsonb(verification), "error": error}
        )


def write_published(
    cursor: Cursor, run_id: str, result: dict[str, Any], outcome: Outcome = Outcome.PUBLISHED
) -> bool:
    """Mark the run as published, inside the publish transaction. False: it was published before."""
    cursor.execute(WRITE_PUBLISHED, {"run_id": run_id, "result": Jsonb(result), "outcome": outcome})
    return cursor.rowcount == 1


def write_reconciled(cursor: Cursor, run_id: str) -> None:
    """Mark the keys of a run as used up, inside its publish transaction."""
    cursor.execute(WRITE_RECONCILED, {"run_id": run_id, "outcome": Outcome.RECONCILED})


def find_answered(connection: Connection, source: str, key: str) -> bool:
    """Whether a planned run of this source found no digits beyond the microsecond in the same columns."""
    row = connection.execute(FIND_ANSWERED, (source, key)).fetchone()
    return bool(row and row[0])


def read_published(connection: Connection, run_id: str) -> dict[str, Any] | None:
    """What the publish of this run did; None when it is not published yet."""
    row = connection.execute(READ_PUBLISHED, (run_id,)).fetchone()
    return None if row is None or row[0] is None else dict(row[1])


def write_compared(cursor: Cursor, run_id: str, result: dict[str, Any], outcome: Outcome) -> None:
    """End a run that compares and publishes nothing."""
    cursor.execute(WRITE_COMPARED, {"run_id": run_id, "result": Jsonb(result), "outcome": outcome})


def read_compared(connection: Connection, run_id: str) -> dict[str, Any] | None:
    """How a run that compares ended; None when it has not ended yet."""
    result = _one(connection, READ_COMPARED, (run_id,))
    return None if result is None else dict(result)


def write_compared_after(
    cursor: Cursor, run_id: str, whole: dict[str, Any], comparison: dict[str, Any], outcome: Outcome
) -> None:
    """Record what a comparison of the whole target found after the publish."""
    cursor.execute(
        WRITE_COMPARED_AFTER,
        {
            "run_id": run_id,
            "result": Jsonb({"whole_target": whole}),
            "verification": Jsonb({"comparison": comparison}),
            "outcome": outcome,
        },
    )


def read_last_compared(connection: Connection, target: str, owner: str) -> LastCompared | None:
    """When the whole target was compared with its source, or copied, last; None: never."""
    row = connection.execute(READ_LAST_COMPARED, (target, owner)).fetchone()
    return None if row is None else LastCompared(float(row[0]), int(row[1]))


def is_published(cursor: Cursor, run_id: str) -> bool:
    """Whether the run was published before, in the cursor's transaction."""
    row = cursor.execute(READ_PUBLISHED, (run_id,)).fetchone()
    return row is not None and row[0] is not None


def lock_over(cursor: Cursor, run_id: str) -> bool:
    """Whether the run needs no staging table any more: it is published, or a test that has ended.

    It stays so until the cursor's transaction ends.
    """
    row = cursor.execute(LOCK_OUTCOME, (run_id,)).fetchone()
    return row is not None and (bool(row[0]) or Outcome(row[1]) is Outcome.TESTED)


def read_watermark(connection: Connection, *, source: str, target: str, column: str) -> str | None:
    """Up to where the target is filled by published runs; None before the first."""
    value = _one(connection, READ_WATERMARK, (source, target, column))
    return None if value is None else str(value)


def write_watermark(cursor: Cursor, **watermark: str) -> None:
    """Move the watermark, in the publish transaction.

    :param watermark: source, target, column, value, run_id.
    """
    cursor.execute(WRITE_WATERMARK, watermark)


def write_outcome(connection: Connection, run_id: str, outcome: Outcome) -> None:
    """End a run that publishes nothing: UNLOADED, TESTED, LOADED."""
    with connection.transaction():
        connection.execute(WRITE_OUTCOME, {"run_id": run_id, "outcome": outcome})


def write_resumed(connection: Connection, run_id: str, dag_id: str, dag_run_id: str) -> None:
    """Record which DAG run goes on with a run that another one began."""
    with connection.transaction():
        connection.execute(WRITE_RESUMED, (dag_id, dag_run_id, run_id))


def write_finished(connection: Connection, run_id: str) -> None:
    """Record when the run's last task ended."""
    with connection.transaction():
        connection.execute(WRITE_FINISHED, (run_id,))
