"""What the ledger knows of a run's files: staged, to be loaded by which task, loaded, set aside. Safe to repeat, and to run twice at once."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.rows import dict_row

from snowmelt.errors import PlanChanged, StagingError
from snowmelt.ledger import runs as ledger
from snowmelt.unload.manifest import Batch, StagedChunk, StagedFile

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
        connection.execute(ledger.LOCK_RUN, (run_id,))
        before = {row[0]: (row[1], row[2]) for row in connection.execute(ledger.READ_STAGED_KEYS, (run_id,))}
        now = {file.key: (file.bytes, file.rows) for _, file in files}
        if before and before != now and (loaded := _one(connection, ledger.COUNT_LOADED, (run_id,))):
            gone = sorted(set(before) - set(now)) or sorted(set(now) - set(before))
            raise PlanChanged(
                f"Run {run_id} has loaded {loaded} of its {len(before)} files, and now its chunks were unloaded again into {len(now)} other "
                f"files (for example {gone[0] if gone else 'of another size'}). Rows would be loaded twice. Start a new run: "
                "it takes a new snapshot and a staging table of its own."
            )
        with connection.cursor() as cursor:
            cursor.executemany(
                ledger.WRITE_STAGED_CHUNK,
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
                cursor.execute(ledger.DELETE_STAGED, (run_id,))
                with cursor.copy(ledger.COPY_STAGED) as copy:
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
            cursor.execute(ledger.WRITE_STAGED, totals)


def read_batch(connection: Connection, run_id: str, batch: int) -> tuple[StagedFile, ...]:
    """The files that a load task takes, in the order of their keys."""
    return tuple(StagedFile(*row) for row in connection.execute(ledger.READ_BATCH, (run_id, batch)))


def read_staged(connection: Connection, run_id: str) -> tuple[StagedFile, ...]:
    """All files of a run, in the order of their keys."""
    return tuple(StagedFile(*row) for row in connection.execute(ledger.READ_STAGED, (run_id,)))


def read_staged_chunks(connection: Connection, run_id: str, bucket: str) -> tuple[StagedChunk, ...]:
    """What the unloads of a run returned, as it was recorded; empty before."""
    files: dict[int, list[StagedFile]] = {}
    for file in read_staged(connection, run_id):
        files.setdefault(file.chunk, []).append(file)
    return tuple(
        StagedChunk(chunk, bucket, query_id, seconds, tuple(files.get(chunk, ())))
        for chunk, query_id, seconds in connection.execute(ledger.READ_STAGED_CHUNKS, (run_id,))
    )


def claim_file(cursor: Cursor, run_id: str, file: StagedFile, *, etag: str, method: str) -> bool:
    """Insert the file's ledger row; the first statement of its transaction. False: it is loaded already.

    Waits while another transaction holds the same row.

    :raises StagingError: the file was loaded before with another content.
    """
    worker = f"{socket.gethostname()}:{os.getpid()}"
    values = {"run_id": run_id, "key": file.key, "etag": etag, "bytes": file.bytes, "rows": file.rows}
    cursor.execute(ledger.CLAIM_FILE, values | {"method": method, "worker": worker})
    if cursor.rowcount == 1:
        return True
    row = cursor.execute(ledger.READ_CLAIM, (run_id, file.key)).fetchone()
    if row is not None and (row[0], row[1]) != (etag, file.bytes):
        raise StagingError(
            f"{file.key} was loaded in run {run_id} with ETag {row[0]} and {row[1]:,} bytes; in S3 it now has ETag {etag} and "
            f"{file.bytes:,} bytes: someone overwrote it. Start a new run."
        )
    return False


def finish_file(cursor: Cursor, run_id: str, key: str, *, seconds: float, rejected: int, method: str) -> None:
    """Complete the file's ledger row, in the same transaction as its claim."""
    done = {"seconds": seconds, "rejected": rejected, "method": method}
    cursor.execute(ledger.FINISH_FILE, {"run_id": run_id, "key": key} | done)


def read_rejected(connection: Connection, run_id: str, *, but: str) -> int:
    """Rows of a run that are set aside, as far as it is committed, without those of one file."""
    return int(_one(connection, ledger.READ_REJECTED, (run_id, but)))


def read_counts(connection: Connection, run_id: str) -> list[dict[str, Any]]:
    """Files and rows by chunk, as staged and as loaded."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(ledger.READ_COUNTS, (run_id,)).fetchall()


def read_strange_loaded(connection: Connection, run_id: str) -> list[str]:
    """Keys that the ledger has as loaded and the manifest does not know; at most five."""
    return [row[0] for row in connection.execute(ledger.READ_STRANGE_LOADED, (run_id,))]


def read_chunks(connection: Connection, run_id: str) -> list[dict[str, Any]]:
    """What each unload of a run returned, in the order of the chunks."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(ledger.READ_CHUNKS, (run_id,)).fetchall()
