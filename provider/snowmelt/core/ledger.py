"""The ledger's tables, in the schema `snowmelt` of the target database, and every statement that touches them.

All progress and state are read from here. A row of `loaded_file` is inserted first in the transaction that loads the
file and is committed with it, so a row that can be seen means the file is in the table: there is no state "started".
"""

from __future__ import annotations

SCHEMA = "snowmelt"

#: Applied in order, each once; the number of rows in snowmelt.migration tells how far a database is. Never edited
#: after a release: changes are added at the end.
MIGRATIONS: tuple[str, ...] = (
    """
CREATE TABLE snowmelt.run (
    run_id text PRIMARY KEY,
    dag_id text,
    dag_run_id text,
    mode text NOT NULL,
    source text NOT NULL,
    target text NOT NULL,
    snapshot text,
    snapshot_note text,
    request jsonb NOT NULL,
    fingerprint text NOT NULL,
    plan jsonb NOT NULL,
    source_rows bigint NOT NULL,
    staged_files integer,
    staged_rows bigint,
    staged_bytes bigint,
    verification jsonb,
    publish_result jsonb,
    outcome text NOT NULL DEFAULT 'running',
    error text,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    staged_at timestamptz,
    verified_at timestamptz,
    published_at timestamptz,
    finished_at timestamptz
);
COMMENT ON TABLE snowmelt.run IS 'One row per run: what, from where, the snapshot, the plan, counts, times, outcome';
COMMENT ON COLUMN snowmelt.run.snapshot IS 'The instant that all chunks read, as Snowflake printed it (UTC, nanoseconds)';
CREATE INDEX run_by_target ON snowmelt.run (target, started_at);
CREATE INDEX run_by_dag_run ON snowmelt.run (dag_id, dag_run_id);
CREATE TABLE snowmelt.staged_chunk (
    run_id text NOT NULL REFERENCES snowmelt.run ON DELETE CASCADE,
    chunk integer NOT NULL,
    query_id text NOT NULL,
    files integer NOT NULL,
    rows bigint NOT NULL,
    bytes bigint NOT NULL,
    seconds double precision NOT NULL,
    started_at timestamptz,
    ended_at timestamptz,
    PRIMARY KEY (run_id, chunk)
);
COMMENT ON TABLE snowmelt.staged_chunk IS 'What each unload returned';
COMMENT ON COLUMN snowmelt.staged_chunk.started_at IS 'When its statement was submitted; NULL where another run unloaded it';
CREATE TABLE snowmelt.staged_file (
    run_id text NOT NULL REFERENCES snowmelt.run ON DELETE CASCADE,
    s3_key text NOT NULL,
    chunk integer NOT NULL,
    batch integer NOT NULL,
    etag text,
    bytes bigint NOT NULL,
    rows bigint NOT NULL,
    PRIMARY KEY (run_id, s3_key)
);
COMMENT ON TABLE snowmelt.staged_file IS 'The manifest: the files of a run, and the load task that takes each';
CREATE INDEX staged_file_by_batch ON snowmelt.staged_file (run_id, batch);
CREATE TABLE snowmelt.loaded_file (
    run_id text NOT NULL REFERENCES snowmelt.run ON DELETE CASCADE,
    s3_key text NOT NULL,
    etag text NOT NULL,
    bytes bigint NOT NULL,
    rows bigint NOT NULL,
    rejected bigint NOT NULL DEFAULT 0,
    load_method text NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seconds double precision,
    worker text,
    PRIMARY KEY (run_id, s3_key)
);
COMMENT ON TABLE snowmelt.loaded_file IS 'The files that are in the table: inserted first in the transaction of their COPY';
CREATE TABLE snowmelt.rejected_row (
    run_id text NOT NULL REFERENCES snowmelt.run ON DELETE CASCADE,
    s3_key text NOT NULL,
    row_number bigint NOT NULL,
    column_name text NOT NULL,
    reason text NOT NULL,
    "row" jsonb NOT NULL
);
COMMENT ON TABLE snowmelt.rejected_row IS 'Rows that PostgreSQL cannot hold, set aside by the policy quarantine';
CREATE INDEX rejected_row_by_file ON snowmelt.rejected_row (run_id, s3_key);
CREATE TABLE snowmelt.watermark (
    source text NOT NULL,
    target text NOT NULL,
    column_name text NOT NULL,
    value text NOT NULL,
    run_id text NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (source, target, column_name)
);
COMMENT ON TABLE snowmelt.watermark IS 'Up to where a target is filled; moved in the publish transaction alone';
CREATE TABLE snowmelt.task_failure (
    dag_id text NOT NULL,
    dag_run_id text NOT NULL,
    task_id text NOT NULL,
    map_index integer NOT NULL,
    try_number integer NOT NULL,
    label text,
    error text NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (dag_id, dag_run_id, task_id, map_index, try_number)
);
COMMENT ON TABLE snowmelt.task_failure IS 'Why a task failed, for people to read; nothing decides by it';
""",
)

#: Two first runs at once: one creates the tables, the other waits. The number is arbitrary, and nobody else's.
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
ON CONFLICT (run_id) DO NOTHING
"""
READ_RUN = "SELECT request, fingerprint, plan, outcome FROM snowmelt.run WHERE run_id = %s"
READ_WATERMARK = "SELECT value FROM snowmelt.watermark WHERE (source, target, column_name) = (%s, %s, %s)"
WRITE_WATERMARK = """
INSERT INTO snowmelt.watermark (source, target, column_name, value, run_id)
VALUES (%(source)s, %(target)s, %(column)s, %(value)s, %(run_id)s)
ON CONFLICT (source, target, column_name)
    DO UPDATE SET value = EXCLUDED.value, run_id = EXCLUDED.run_id, moved_at = EXCLUDED.moved_at
"""

WRITE_STAGED_CHUNK = """
INSERT INTO snowmelt.staged_chunk (run_id, chunk, query_id, files, rows, bytes, seconds, started_at, ended_at)
VALUES (%(run_id)s, %(chunk)s, %(query_id)s, %(files)s, %(rows)s, %(bytes)s, %(seconds)s,
        to_timestamp(%(started_at)s::float8), to_timestamp(%(started_at)s::float8 + %(seconds)s))
ON CONFLICT (run_id, chunk) DO UPDATE SET query_id = EXCLUDED.query_id, files = EXCLUDED.files,
    rows = EXCLUDED.rows, bytes = EXCLUDED.bytes, seconds = EXCLUDED.seconds,
    started_at = EXCLUDED.started_at, ended_at = EXCLUDED.ended_at
"""
COUNT_LOADED = "SELECT count(*) FROM snowmelt.loaded_file WHERE run_id = %s"
READ_STAGED_KEYS = "SELECT s3_key, bytes, rows FROM snowmelt.staged_file WHERE run_id = %s ORDER BY s3_key"
DELETE_STAGED = "DELETE FROM snowmelt.staged_file WHERE run_id = %s"
COPY_STAGED = "COPY snowmelt.staged_file (run_id, s3_key, chunk, batch, etag, bytes, rows) FROM STDIN"
WRITE_STAGED = """
UPDATE snowmelt.run SET staged_files = %(files)s, staged_rows = %(rows)s, staged_bytes = %(bytes)s,
    staged_at = coalesce(staged_at, clock_timestamp())
WHERE run_id = %(run_id)s
"""
LOCK_RUN = "SELECT 1 FROM snowmelt.run WHERE run_id = %s FOR UPDATE"
READ_BATCH = """
SELECT s3_key, bytes, rows, chunk, etag FROM snowmelt.staged_file WHERE run_id = %s AND batch = %s ORDER BY s3_key
"""
READ_STAGED = (
    "SELECT s3_key, bytes, rows, chunk, etag FROM snowmelt.staged_file WHERE run_id = %s ORDER BY s3_key"
)

#: The first statement of a file's transaction. A second worker on the same file waits here for the first to end.
CLAIM_FILE = """
INSERT INTO snowmelt.loaded_file (run_id, s3_key, etag, bytes, rows, load_method, worker)
VALUES (%(run_id)s, %(key)s, %(etag)s, %(bytes)s, %(rows)s, %(method)s, %(worker)s)
ON CONFLICT (run_id, s3_key) DO NOTHING
"""
READ_CLAIM = (
    "SELECT etag, bytes, rows, load_method FROM snowmelt.loaded_file WHERE run_id = %s AND s3_key = %s"
)
FINISH_FILE = """
UPDATE snowmelt.loaded_file SET seconds = %(seconds)s, rejected = %(rejected)s, loaded_at = clock_timestamp()
WHERE run_id = %(run_id)s AND s3_key = %(key)s
"""

#: Rows by chunk as staged and as loaded: a chunk that lost a file shows a difference here.
READ_COUNTS = """
SELECT s.chunk, count(*) AS files, sum(s.rows) AS staged, count(l.s3_key) AS loaded_files,
       coalesce(sum(l.rows), 0) AS loaded, coalesce(sum(l.rejected), 0) AS rejected
FROM snowmelt.staged_file AS s
LEFT JOIN snowmelt.loaded_file AS l ON (l.run_id, l.s3_key) = (s.run_id, s.s3_key)
WHERE s.run_id = %s GROUP BY s.chunk ORDER BY s.chunk
"""
READ_STRANGE_LOADED = """
SELECT l.s3_key FROM snowmelt.loaded_file AS l
LEFT JOIN snowmelt.staged_file AS s ON (l.run_id, l.s3_key) = (s.run_id, s.s3_key)
WHERE l.run_id = %s AND s.s3_key IS NULL ORDER BY 1 LIMIT 5
"""
WRITE_VERIFICATION = """
UPDATE snowmelt.run SET verification = %(verification)s,
    verified_at = CASE WHEN %(error)s::text IS NULL THEN clock_timestamp() END, error = %(error)s
WHERE run_id = %(run_id)s
"""
#: Inside the publish transaction. No row: the run was published before.
WRITE_PUBLISHED = """
UPDATE snowmelt.run SET published_at = clock_timestamp(), publish_result = %(result)s, outcome = 'published', error = NULL
WHERE run_id = %(run_id)s AND published_at IS NULL
"""
READ_PUBLISHED = "SELECT published_at, publish_result FROM snowmelt.run WHERE run_id = %s"
WRITE_OUTCOME = """
UPDATE snowmelt.run SET outcome = %(outcome)s, error = %(error)s, finished_at = clock_timestamp() WHERE run_id = %(run_id)s
"""
WRITE_FAILURE = """
INSERT INTO snowmelt.task_failure (dag_id, dag_run_id, task_id, map_index, try_number, label, error)
VALUES (%(dag_id)s, %(dag_run_id)s, %(task_id)s, %(map_index)s, %(try_number)s, %(label)s, %(error)s)
ON CONFLICT (dag_id, dag_run_id, task_id, map_index, try_number)
    DO UPDATE SET label = EXCLUDED.label, error = EXCLUDED.error, failed_at = EXCLUDED.failed_at
"""
WRITE_FINISHED = "UPDATE snowmelt.run SET finished_at = clock_timestamp() WHERE run_id = %s"

READ_REPORT = """
SELECT r.run_id, r.mode, r.source, r.target, r.snapshot, r.outcome, r.source_rows, r.staged_files, r.staged_rows,
       r.staged_bytes, r.started_at, r.staged_at, r.verified_at, r.published_at, r.finished_at, r.verification, r.publish_result,
       (SELECT coalesce(sum(l.rows - l.rejected), 0) FROM snowmelt.loaded_file AS l WHERE l.run_id = r.run_id) AS loaded_rows,
       (SELECT coalesce(sum(l.rejected), 0) FROM snowmelt.loaded_file AS l WHERE l.run_id = r.run_id) AS rejected_rows,
       (SELECT coalesce(sum(l.seconds), 0) FROM snowmelt.loaded_file AS l WHERE l.run_id = r.run_id) AS load_seconds,
       (SELECT min(l.loaded_at - make_interval(secs => l.seconds)) FROM snowmelt.loaded_file AS l WHERE l.run_id = r.run_id) AS load_started_at,
       (SELECT max(l.loaded_at) FROM snowmelt.loaded_file AS l WHERE l.run_id = r.run_id) AS load_ended_at,
       (SELECT coalesce(sum(c.seconds), 0) FROM snowmelt.staged_chunk AS c WHERE c.run_id = r.run_id) AS unload_seconds
FROM snowmelt.run AS r WHERE r.run_id = %s
"""
