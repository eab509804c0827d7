"""What people ask about runs that are over: which there are of a table, the report of one, and the copy before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from snowmelt.ledger.runs import Connection
from snowmelt.vocabulary import Mode

#: The runs of a table that unloaded something, the latest first.
LIST_RUNS = """
SELECT run_id, mode, outcome, started_at FROM snowmelt.run
WHERE source = %(source)s AND mode <> %(keys)s AND (%(target)s::text IS NULL OR target = %(target)s) ORDER BY started_at DESC LIMIT %(limit)s
"""


LIST_LATEST = (
    "SELECT run_id, target, outcome FROM snowmelt.run WHERE mode <> %s ORDER BY started_at DESC LIMIT %s"
)


FIND_RUN = "SELECT source, target, outcome FROM snowmelt.run WHERE run_id = %s"


READ_REPORT = """
SELECT r.run_id, r.dag_id, r.dag_run_id, r.mode, r.source, r.target, r.snapshot, r.snapshot_note,
       r.plan->>'source_policies' AS source_policies, r.outcome, r.error, r.failed_step, r.target_check, r.audit,
       coalesce(r.plan->>'where', '') AS filter, r.request->'columns' AS column_rules, r.source_rows, r.staged_files, r.staged_rows,
       r.staged_bytes, r.started_at, r.staged_at, r.verified_at, r.published_at, r.finished_at, r.verification, r.publish_result,
       loaded.*, (SELECT coalesce(sum(c.seconds), 0) FROM snowmelt.staged_chunk AS c WHERE c.run_id = r.run_id) AS unload_seconds
FROM snowmelt.run AS r CROSS JOIN LATERAL (
    SELECT coalesce(sum(l.rows - l.rejected), 0) AS loaded_rows, coalesce(sum(l.rejected), 0) AS rejected_rows,
           coalesce(sum(l.seconds), 0) AS load_seconds, min(l.loaded_at - make_interval(secs => l.seconds)) AS load_started_at,
           max(l.loaded_at) AS load_ended_at,
           encode(sha256(convert_to(string_agg(
               concat_ws(' ', l.s3_key, l.etag, l.bytes, l.rows), E'\n' ORDER BY l.s3_key), 'UTF8')), 'hex') AS files_sha256
    FROM snowmelt.loaded_file AS l WHERE l.run_id = r.run_id) AS loaded
WHERE r.run_id = %s
"""


#: How long the last copies of a table into this target took, and what they wrote.
READ_EARLIER = """
SELECT source_rows, staged_files, staged_bytes, extract(epoch FROM published_at - started_at)::float8 AS seconds
FROM snowmelt.run
WHERE source = %(source)s AND target = %(target)s AND published_at IS NOT NULL AND source_rows > 0
ORDER BY published_at DESC LIMIT 1
"""


WRITE_REPORT = "UPDATE snowmelt.run SET report = %s WHERE run_id = %s"


@dataclass(frozen=True, slots=True)
class EarlierCopy:
    """What a copy took. Files and bytes are None where nothing was staged."""

    rows: int
    files: int | None
    bytes: int | None
    seconds: float


def read_earlier(connection: Connection, source: str, target: str) -> EarlierCopy | None:
    """The last published copy of a source into a target that copied any row."""
    row = connection.execute(READ_EARLIER, {"source": source, "target": target}).fetchone()
    return (
        None
        if row is None
        else EarlierCopy(int(row[0]), row[1], None if row[2] is None else int(row[2]), float(row[3]))
    )


def read_report(connection: Connection, run_id: str) -> dict[str, Any] | None:
    """Counts, bytes and times of a run, for a log line, a report or a page."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(READ_REPORT, (run_id,)).fetchone()


def list_runs(connection: Connection, *, source: str, target: str, limit: int) -> list[str]:
    """The latest runs of a table, each as `id (mode, outcome, time)`; of the source into any target where the target has none."""
    values = {"source": source, "keys": Mode.KEYS, "limit": limit}
    rows = connection.execute(LIST_RUNS, values | {"target": target}).fetchall()
    rows = rows or connection.execute(LIST_RUNS, values | {"target": None}).fetchall()
    return [f"{run_id} ({mode}, {outcome}, {at:%Y-%m-%d %H:%M} UTC)" for run_id, mode, outcome, at in rows]


def list_latest_runs(connection: Connection, *, limit: int) -> list[str]:
    """The latest runs of all tables, each as `id (target, outcome)`."""
    rows = connection.execute(LIST_LATEST, (Mode.KEYS, limit)).fetchall()
    return [f"{run_id} ({target}, {outcome})" for run_id, target, outcome in rows]


def find_run(connection: Connection, run_id: str) -> tuple[str, str, str] | None:
    """Source, target and outcome of a run; None where the ledger does not have it."""
    row = connection.execute(FIND_RUN, (run_id,)).fetchone()
    return None if row is None else (row[0], row[1], row[2])


def write_report(connection: Connection, run_id: str, report: dict[str, Any]) -> None:
    """Keep a run's report in its row."""
    with connection.transaction():
        connection.execute(WRITE_REPORT, (Jsonb(report), run_id))
