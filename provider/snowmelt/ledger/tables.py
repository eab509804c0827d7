"""The tables of the ledger, in the schema `snowmelt` of the target database."""

from __future__ import annotations

#: Applied in order, each once; the number of rows in snowmelt.migration is the version of a database. Never edited
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
    report jsonb,
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
CREATE TABLE snowmelt.deferred_index (
    schema_name text NOT NULL,
    table_name text NOT NULL,
    index_name text NOT NULL,
    statements text[] NOT NULL,
    run_id text NOT NULL,
    dropped_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (schema_name, table_name, index_name)
);
COMMENT ON TABLE snowmelt.deferred_index IS 'Indexes that a publish has dropped from a target, and how they are built again';
CREATE TABLE snowmelt.resized_warehouse (
    warehouse text NOT NULL,
    run_id text NOT NULL,
    original_size text NOT NULL,
    resized_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (warehouse, run_id)
);
COMMENT ON TABLE snowmelt.resized_warehouse IS 'Warehouses that runs have resized, and the size to be restored';
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
    """
CREATE TABLE snowmelt.submitted_query (
    run_id text NOT NULL REFERENCES snowmelt.run ON DELETE CASCADE,
    chunk integer NOT NULL,
    query_id text NOT NULL,
    submitted_at timestamptz NOT NULL,
    PRIMARY KEY (run_id, chunk)
);
COMMENT ON TABLE snowmelt.submitted_query IS 'The query that unloads a chunk, from its submission on, for people to read; nothing decides by it';
""",
    """
CREATE TABLE snowmelt.target_state (
    target text PRIMARY KEY,
    run_id text NOT NULL,
    target_oid oid NOT NULL,
    target_filenode oid NOT NULL,
    scope jsonb NOT NULL,
    rows bigint NOT NULL,
    missing bigint NOT NULL DEFAULT 0,
    snapshot text,
    published_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE snowmelt.target_state IS 'Which copy filled a target, and up to where; written in the publish transaction alone';
""",
    """
ALTER TABLE snowmelt.target_state ADD COLUMN owner text NOT NULL DEFAULT '';
ALTER TABLE snowmelt.target_state DROP CONSTRAINT target_state_pkey, ADD PRIMARY KEY (target, owner);
COMMENT ON COLUMN snowmelt.target_state.owner IS 'The predicate for the rows that are the copy''s own; empty: all of the target';
""",
    """
ALTER TABLE snowmelt.run
    ALTER COLUMN request DROP NOT NULL, ALTER COLUMN fingerprint DROP NOT NULL,
    ALTER COLUMN plan DROP NOT NULL, ALTER COLUMN source_rows DROP NOT NULL,
    ADD COLUMN failed_step text, ADD COLUMN target_check text, ADD COLUMN audit jsonb;
COMMENT ON COLUMN snowmelt.run.plan IS 'What the run does; NULL where it failed before it was planned';
COMMENT ON COLUMN snowmelt.run.target_check IS 'What the target held when the run had failed, as it was found then';
COMMENT ON COLUMN snowmelt.run.audit IS 'Who ran it, by which roles, warehouse, version and configuration';
""",
    """
COMMENT ON TABLE snowmelt.submitted_query IS 'The query that unloads a chunk, from its submission on: whoever unloads the chunk next goes on with it';
""",
    """
CREATE TABLE snowmelt.set_aside_key (
    target text NOT NULL,
    owner text NOT NULL,
    key jsonb NOT NULL,
    run_id text NOT NULL,
    PRIMARY KEY (target, owner, key)
);
COMMENT ON TABLE snowmelt.set_aside_key IS 'Keys of rows that are kept out of a target by the policy quarantine; the next incremental run copies them again';
""",
    """
ALTER TABLE snowmelt.loaded_file ADD COLUMN staged_hash numeric(20, 0);
COMMENT ON COLUMN snowmelt.loaded_file.staged_hash IS 'The hash of the rows as they were staged, where PostgreSQL holds JSON or vectors in a form of its own';
""",
    """
ALTER TABLE snowmelt.target_state ADD COLUMN differs text NOT NULL DEFAULT '';
COMMENT ON COLUMN snowmelt.target_state.differs IS 'What a comparison of the whole table has found since; empty: nothing';
""",
    """
ALTER TABLE snowmelt.deferred_index ALTER COLUMN statements DROP NOT NULL, ADD COLUMN facts jsonb;
COMMENT ON COLUMN snowmelt.deferred_index.facts IS 'What the index is made of; its statements are built from them';
COMMENT ON COLUMN snowmelt.deferred_index.statements IS 'Of an earlier version, for people to read; never executed';
""",
)
