"""Files in the ledger: staged, to be loaded by which task, loaded, with rows set aside. Safe to repeat, and to run twice at once.

A row of `loaded_file` is inserted first in the transaction that loads the file and is committed with it, so a row that can be
seen means the file is in the table: there is no state "started".
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row

from snowmelt.errors import PlanChanged, StagingError
from snowmelt.unload.manifest import Batch, StagedChunk, StagedFile

WRITE_STAGED_CHUNK = """
INSERT INTO snowmelt.staged_chunk (run_id, chunk, query_id, files, rows, bytes, seconds, started_at, ended_at)
VALUES (%(run_id)s, %(chunk)s, %(query_id)s, %(files)s, %(rows)s, %(bytes)s, %(seconds)s,
        to_timestamp(%(started_at)s::float8), to_timestamp(%(started_at)s::float8 + %(seconds)s))
ON CONFLICT (run_id, chunk) DO UPDATE SET query_id = EXCLUDED.query_id, files = EXCLUDED.files,
    rows = EXCLUDED.rows, bytes = EXCLUDED.bytes, seconds = EXCLUDED.seconds,
    started_at = EXCLUDED.started_at, ended_at = EXCLUDED.ended_at
"""
READ_STAGED_CHUNKS = (
    "SELECT chunk, query_id, seconds FROM snowmelt.staged_chunk WHERE run_id = %s ORDER BY chunk"
)
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
UPDATE snowmelt.loaded_file
SET seconds = %(seconds)s, rejected = %(rejected)s, load_method = %(method)s, staged_hash = %(staged_hash)s,
    loaded_at = clock_timestamp()
WHERE run_id = %(run_id)s AND s3_key = %(key)s
"""
READ_REJECTED = (
    "SELECT coalesce(sum(rejected), 0) FROM snowmelt.loaded_file WHERE run_id = %s AND s3_key <> %s"
)
#: Rows by chunk as staged and as loaded: a chunk that lost a file shows a difference here.
READ_COUNTS = """
SELECT s.chunk, count(*) AS files, sum(s.rows) AS staged, count(l.s3_key) AS loaded_files,
       coalesce(sum(l.rows), 0) AS loaded, coalesce(sum(l.rejected), 0) AS rejected
FROM snowmelt.staged_file AS s
LEFT JOIN snowmelt.loaded_file AS l ON (l.run_id, l.s3_key) = (s.run_id, s.s3_key)
WHERE s.run_id = %s GROUP BY s.chunk ORDER BY s.chunk
"""
#: By chunk, in 64 bits; NULL where a file has no hash.
READ_STAGED_HASHES = """
SELECT s.chunk, CASE WHEN bool_and(l.staged_hash IS NOT NULL) THEN mod(sum(l.staged_hash), 18446744073709551616) END
FROM snowmelt.staged_file AS s
LEFT JOIN snowmelt.loaded_file AS l ON (l.run_id, l.s3_key) = (s.run_id, s.s3_key)
WHERE s.run_id = %s GROUP BY s.chunk ORDER BY s.chunk
"""
READ_UNEXPECTED_LOADED = """
SELECT l.s3_key FROM snowmelt.loaded_file AS l
LEFT JOIN snowmelt.staged_file AS s ON (l.run_id, l.s3_key) = (s.run_id, s.s3_key)
WHERE l.run_id = %s AND s.s3_key IS NULL ORDER BY 1 LIMIT 5
"""
READ_CHUNKS = "SELECT chunk, query_id, files, rows, bytes, seconds FROM snowmelt.staged_chunk WHERE run_id = %s ORDER BY chunk"
READ_REJECTED_ROWS = 'SELECT "row" FROM snowmelt.rejected_row WHERE run_id = %s'
INSERT_REJECTED = """
INSERT INTO snowmelt.rejected_row (run_id, s3_key, row_number, column_name, reason, "row")
VALUES (%s, %s, %s, %s, %s, %s)
"""

Connection = psycopg.Connection[Any]
Cursor = psycopg.Cursor[Any]


def _one(connection: Connection, sql: str, parameters: Sequence[Any] = ()) -> Any:
    row = connection.execute(sql, parameters).fetchone()
    return None if row is None else row[0]


def write_staged(
    connection: Connection, run_id: str, chunks: Sequence[StagedChunk], batches: Sequence[Batch]
) -> None:
    """Record what the unloads returned and which load task takes which file. The same again changes nothing.

    :raises PlanChanged: files of this run are loaded already, and they are not the same files.
    """
    files = [(batch.index, file) for batch in batches for file in batch.files]
    with connection.transaction():
        connection.execute(LOCK_RUN, (run_id,))
        before = {row[0]: (row[1], row[2]) for row in connection.execute(READ_STAGED_KEYS, (run_id,))}
        now = {file.key: (file.bytes, file.rows) for _, file in files}
        if before and before != now and (loaded := _one(connection, COUNT_LOADED, (run_id,))):
            gone = sorted(set(before) - set(now)) or sorted(set(now) - set(before))
            raise PlanChanged(
                f"Run {run_id} has loaded {loaded} of its {len(before)} files, and now its chunks were unloaded again into {len(now)} other "
                f"files (for example {gone[0] if gone else 'of another size'}). Rows would be loaded twice. Start a new run: "
                "it takes a new snapshot and a staging table of its own."
            )
        with connection.cursor() as cursor:
            cursor.executemany(
                WRITE_STAGED_CHUNK,
                [
                    {
                        "run_id": run_id,
                        "chunk": chunk.chunk,
                        "query_id": chunk.query_id,
                        "files": len(chunk.files),
                        "rows": chunk.rows,
                        "bytes": chunk.bytes,
                        "seconds": chunk.seconds,
                        "started_at": chunk.started_at,
                    }
                    for chunk in chunks
                ],
            )
            if before != now:
                cursor.execute(DELETE_STAGED, (run_id,))
                with cursor.copy(COPY_STAGED) as copy:
                    for batch, file in files:
                        copy.write_row(
                            (run_id, file.key, file.chunk, batch, file.etag, file.bytes, file.rows)
                        )
            totals = {
                "run_id": run_id,
                "files": len(files),
                "rows": sum(file.rows for _, file in files),
                "bytes": sum(file.bytes for _, file in files),
            }
            cursor.execute(WRITE_STAGED, totals)


def read_batch(connection: Connection, run_id: str, batch: int) -> tuple[StagedFile, ...]:
    """The files that a load task takes, in the order of their keys."""
    return tuple(StagedFile(*row) for row in connection.execute(READ_BATCH, (run_id, batch)))


def read_staged(connection: Connection, run_id: str) -> tuple[StagedFile, ...]:
    """All files of a run, in the order of their keys."""
    return tuple(StagedFile(*row) for row in connection.execute(READ_STAGED, (run_id,)))


def read_staged_chunks(connection: Connection, run_id: str, bucket: str) -> tuple[StagedChunk, ...]:
    """What the unloads of a run returned, as it was recorded; empty before."""
    files: dict[int, list[StagedFile]] = {}
    for file in read_staged(connection, run_id):
        files.setdefault(file.chunk, []).append(file)
    return tuple(
        StagedChunk(chunk, bucket, query_id, seconds, tuple(files.get(chunk, ())))
        for chunk, query_id, seconds in connection.execute(READ_STAGED_CHUNKS, (run_id,))
    )


def claim_file(cursor: Cursor, run_id: str, file: StagedFile, *, etag: str, method: str) -> bool:
    """Insert the file's ledger row; the first statement of its transaction. False: it is loaded already.

    Waits while another transaction holds the same row.

    :raises StagingError: the file was loaded before with another content.
    """
    worker = f"{socket.gethostname()}:{os.getpid()}"
    values = {"run_id": run_id, "key": file.key, "etag": etag, "bytes": file.bytes, "rows": file.rows}
    cursor.execute(CLAIM_FILE, values | {"method": method, "worker": worker})
    if cursor.rowcount == 1:
        return True
    row = cursor.execute(READ_CLAIM, (run_id, file.key)).fetchone()
    if row is not None and (row[0], row[1]) != (etag, file.bytes):
        raise StagingError(
            f"{file.key} was loaded in run {run_id} with ETag {row[0]} and {row[1]:,} bytes; in S3 it now has ETag {etag} and "
            f"{file.bytes:,} bytes: someone overwrote it. Start a new run."
        )
    return False


def finish_file(
    cursor: Cursor,
    run_id: str,
    key: str,
    *,
    seconds: float,
    rejected: int,
    method: str,
    staged_hash: int | None = None,
) -> None:
    """Complete the file's ledger row, in the same transaction as its claim."""
    done = {"seconds": seconds, "rejected": rejected, "method": method, "staged_hash": staged_hash}
    cursor.execute(FINISH_FILE, {"run_id": run_id, "key": key} | done)


def read_rejected(connection: Connection, run_id: str, *, but: str) -> int:
    """Rows of a run that are set aside, as far as it is committed, without those of one file."""
    return int(_one(connection, READ_REJECTED, (run_id, but)))


def read_rejected_rows(session: Connection | Cursor, run_id: str) -> tuple[dict[str, Any], ...]:
    """The rows of a run that are set aside: column in the file → value."""
    return tuple(row[0] for row in session.execute(READ_REJECTED_ROWS, (run_id,)))


def read_counts(connection: Connection, run_id: str) -> list[dict[str, Any]]:
    """Files and rows by chunk, as staged and as loaded."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(READ_COUNTS, (run_id,)).fetchall()


def read_staged_hashes(connection: Connection, run_id: str) -> dict[int, int] | None:
    """Chunk → the staged hash of its files; None where a file has none. A chunk without files is not among them."""
    rows = connection.execute(READ_STAGED_HASHES, (run_id,)).fetchall()
    return None if any(value is None for _, value in rows) else {chunk: int(value) for chunk, value in rows}


def read_unexpected_loaded(connection: Connection, run_id: str) -> list[str]:
    """Keys that the ledger has as loaded and the manifest does not have; at most five."""
    return [row[0] for row in connection.execute(READ_UNEXPECTED_LOADED, (run_id,))]


def read_chunks(connection: Connection, run_id: str) -> list[dict[str, Any]]:
    """What each unload of a run returned, in the order of the chunks."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(READ_CHUNKS, (run_id,)).fetchall()
