"""What the try of a task leaves for later tries and for the pages: the query that it submitted, and why it failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snowmelt.ledger.runs import Connection

WRITE_SUBMITTED = """
INSERT INTO snowmelt.submitted_query (run_id, chunk, query_id, submitted_at)
VALUES (%(run_id)s, %(chunk)s, %(query_id)s, to_timestamp(%(submitted_at)s::float8))
ON CONFLICT (run_id, chunk) DO UPDATE SET query_id = EXCLUDED.query_id, submitted_at = EXCLUDED.submitted_at
"""


READ_SUBMITTED = "SELECT query_id, extract(epoch FROM submitted_at)::float8 FROM snowmelt.submitted_query WHERE (run_id, chunk) = (%s, %s)"


DELETE_SUBMITTED = "DELETE FROM snowmelt.submitted_query WHERE (run_id, chunk) = (%s, %s)"


WRITE_FAILURE = """
INSERT INTO snowmelt.task_failure (dag_id, dag_run_id, task_id, map_index, try_number, label, error)
VALUES (%(dag_id)s, %(dag_run_id)s, %(task_id)s, %(map_index)s, %(try_number)s, %(label)s, %(error)s)
ON CONFLICT (dag_id, dag_run_id, task_id, map_index, try_number)
    DO UPDATE SET label = EXCLUDED.label, error = EXCLUDED.error, failed_at = EXCLUDED.failed_at
"""


def write_failure(connection: Connection, failure: Mapping[str, Any]) -> None:
    """Record why a task failed. The same try again replaces its own record.

    :param failure: dag_id, dag_run_id, task_id, map_index, try_number, label, error.
    """
    with connection.transaction():
        connection.execute(WRITE_FAILURE, failure)


def write_submitted(connection: Connection, submitted: Mapping[str, Any]) -> None:
    """Record the query that unloads a chunk, while it runs; a chunk that is unloaded again has a new one.

    :param submitted: run_id, chunk, query_id, submitted_at (in seconds since 1970).
    """
    with connection.transaction():
        connection.execute(WRITE_SUBMITTED, submitted)


def read_submitted(connection: Connection, run_id: str, chunk: int) -> tuple[str, float] | None:
    """The query that unloads a chunk, and when it was submitted (in seconds since 1970); None: none was."""
    return connection.execute(READ_SUBMITTED, (run_id, chunk)).fetchone()


def delete_submitted(connection: Connection, run_id: str, chunk: int) -> None:
    """Forget the query of a chunk, so that the next try submits the unload again."""
    with connection.transaction():
        connection.execute(DELETE_SUBMITTED, (run_id, chunk))
