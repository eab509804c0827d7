"""Load one staged file into a table, once: the ledger's claim, the COPY and the checks, all in the caller's transaction.

Another session that loads the same file is waited for, within bounds. It is an earlier try of the same task that Airflow has given up:
its worker froze, lost its network, or was only slow. If it still sends, it is waited for. If the server has waited for it in vain for
minutes, its session is ended: its transaction rolls back with its ledger row, and should it wake, its connection is gone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors

from snowmelt.errors import ConfigurationError, StagingError, TargetUnavailable, Topic
from snowmelt.ledger.files import INSERT_REJECTED
from snowmelt.load.copy_stream import Progress
from snowmelt.load.csv import CsvRows, S3Uri
from snowmelt.load.parquet import ParquetRows
from snowmelt.load.rejects import RejectedRows, RejectPolicy
from snowmelt.load.rows import FileRows, load_rows
from snowmelt.load.s3_object import S3Object
from snowmelt.load.target import LoadTarget
from snowmelt.publish.locks import build_lock_timeout
from snowmelt.sql.names import load_session_name
from snowmelt.unload.manifest import StagedFile
from snowmelt.vocabulary import Compression, FileFormat, LoadMethod

#: SET LOCAL application_name, as a query with a parameter.
NAME_SESSION = "SELECT set_config('application_name', %s, true)"
#: The same, and what the name was before.
RENAME_SESSION = "SELECT before, set_config('application_name', %s, true) FROM current_setting('application_name') AS before"
FORGET_ACTIVITY = "SELECT pg_stat_clear_snapshot()"
#: Who loads the same file. Columns: pid, start of the session, user, how far it is: what changes as long as it works. `silent` is
#: true where the server waits for the client to send something. Bytes are those that its COPY has taken.
READ_HOLDERS = """
SELECT a.pid, a.backend_start::text, coalesce(a.usename, ''),
       concat_ws(' ', a.state, a.state_change, c.bytes_processed) AS progress,
       coalesce(a.wait_event_type = 'Client', false) AS silent,
       coalesce(c.bytes_processed, 0)
FROM pg_stat_activity AS a LEFT JOIN pg_stat_progress_copy AS c ON c.pid = a.pid
WHERE a.datname = current_database() AND a.application_name = %s AND a.pid <> pg_backend_pid()
  AND a.state IS DISTINCT FROM 'idle' AND a.wait_event_type IS DISTINCT FROM 'Lock'
ORDER BY a.xact_start
"""
#: Ends that very session, and no later one with the same pid.
END_HOLDER = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = %s AND backend_start::text = %s AND application_name = %s
"""


log = logging.getLogger(__name__)

Cursor = psycopg.Cursor[Any]


@dataclass(frozen=True, slots=True)
class ClaimPatience:
    """Seconds."""

    #: Between two checks of the other session.
    look: float = 30.0
    #: A session that has sent nothing for this long, while the server waits for it, is ended.
    silence: float = 300.0
    #: Then the wait is over, and the task is retried later.
    give_up_after: float = 3600.0


@dataclass(frozen=True, slots=True)
class _Holder:
    pid: int
    began: str
    user: str
    progress: str
    silent: bool
    sent: int


def claim_patiently(
    cursor: Cursor,
    claim: Callable[[Cursor], bool],
    *,
    run_id: str,
    key: str,
    patience: ClaimPatience | None = None,
) -> bool:
    """Run `claim` in the open transaction; while it waits for another session's row, check that session.

    :raises TargetUnavailable: the other one still works after `give_up_after`; it is named.
    """
    patience = patience or ClaimPatience()
    name = load_session_name(run_id, key)
    before = (cursor.execute(RENAME_SESSION, (name,)).fetchone() or ("",))[0]
    started = time.monotonic()
    unchanged: dict[_Holder, float] = {}
    cursor.execute(
        "SAVEPOINT snowmelt_claim"
    )  # never released: each statement is a way to the server for every file
    while True:
        try:
            cursor.execute(build_lock_timeout(patience.look))
            claimed = claim(cursor)
            cursor.execute("SET LOCAL lock_timeout = 0")
        except errors.LockNotAvailable as error:
            cursor.execute("ROLLBACK TO SAVEPOINT snowmelt_claim")
            holders = _read_holders(cursor, name)
            now = time.monotonic()
            unchanged = {holder: unchanged.get(holder, now) for holder in holders}
            log.info("%s is being loaded by another session%s: waiting for it", key, _describe(holders))
            for holder in holders:
                if holder.silent and now - unchanged[holder] >= patience.silence:
                    _end(cursor, holder, name)
            if now - started >= patience.give_up_after:
                raise TargetUnavailable(
                    f"{key} is being loaded by another session{_describe(holders)}, for {now - started:.0f} s by now. Nothing was "
                    "changed. It is retried; end that session if it is stuck.",
                    topic=Topic.LOCK_TIMEOUT,
                ) from error
        else:
            if not claimed:
                cursor.execute(NAME_SESSION, (before,))
            return claimed


def _read_holders(cursor: Cursor, name: str) -> list[_Holder]:
    cursor.execute(FORGET_ACTIVITY)
    return [_Holder(*row) for row in cursor.execute(READ_HOLDERS, (name,))]


def _end(cursor: Cursor, holder: _Holder, name: str) -> None:
    cursor.execute("SAVEPOINT snowmelt_end")
    try:
        cursor.execute(END_HOLDER, (holder.pid, holder.began, name))
    except errors.InsufficientPrivilege:
        cursor.execute("ROLLBACK TO SAVEPOINT snowmelt_end")
        log.warning("The session of pid %s has frozen, and this role may not end it", holder.pid)
    else:
        log.warning(
            "The session of pid %s had sent nothing for minutes: it was ended, its file is loaded again here",
            holder.pid,
        )
    cursor.execute("RELEASE SAVEPOINT snowmelt_end")


def _describe(holders: list[_Holder]) -> str:
    listed = "; ".join(
        f"pid {holder.pid}, role {holder.user}, {holder.sent / 1e6:,.1f} MB so far{', silent' if holder.silent else ''}"
        for holder in holders[:3]
    )
    return f" ({listed})" if listed else ""


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What one call did."""

    #: Rows now in the table from this file; 0 where skipped.
    rows: int
    #: The file's bytes in S3.
    bytes: int
    seconds: float
    #: Rows set aside in snowmelt.rejected_row.
    rejected: int
    #: True where the file was loaded before, and nothing was done.
    skipped: bool
    #: How the rows came in: `copy`, too, where a row was refused to aws_s3 and the file was then streamed.
    method: LoadMethod
    #: The staged hash of the file's rows (load/staged_hash.py); None where it was not computed.
    staged_hash: int | None = None


def load_file(
    connection: psycopg.Connection[Any],
    s3: Any,
    file: StagedFile,
    target: LoadTarget,
    *,
    bucket: str,
    run_id: str,
    claim: Callable[[psycopg.Cursor[Any]], bool],
    method: LoadMethod = LoadMethod.COPY,
    file_format: FileFormat = FileFormat.PARQUET,
    compression: str = "none",
    region: str = "",
    policy: RejectPolicy | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> LoadResult:
    """Load a file inside the caller's transaction (`with connection.transaction():`), which commits it with its claim.

    :param s3: a boto3 client with the right to read the object.
    :param claim: runs the transaction's first statement, the insert of the file's ledger row; False: it is loaded already.
    :param compression: of CSV: none, gzip or zstd. Parquet files know their own.
    :param region: of the bucket; for aws_s3 only.
    :param policy: reject by default.
    :param progress: called every few seconds from this thread, and at the end; never for aws_s3.
    :raises ConfigurationError: a combination that cannot work.
    :raises StagingError: the file is not what the manifest says, or the rows do not add up. Roll back.
    :raises SchemaError: a column has no safe way in; nothing was sent.
    :raises ValueRefused: a value that PostgreSQL cannot hold, with file, row and column.
    :raises psycopg.Error: as the server raised it, with the file's address as a note.
    """
    policy = policy or RejectPolicy()
    _check_method(method, file_format)
    start = time.monotonic()
    if connection.autocommit and connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE:
        raise ConfigurationError(
            "load_file was called outside of a transaction; the ledger row and the rows have to be committed together. "
            "Call it under `with connection.transaction():`."
        )
    with connection.cursor() as cursor, _noted(f"while loading s3://{bucket}/{file.key}"):
        if not claim(cursor):
            return LoadResult(0, file.bytes, time.monotonic() - start, 0, skipped=True, method=method)
        source = S3Object(s3, bucket, file)
        rejected = RejectedRows(policy, source.origin)
        rows: FileRows = (
            ParquetRows(source, file.rows, target, rejected)
            if file_format is FileFormat.PARQUET
            else CsvRows(
                source,
                target,
                compression,
                S3Uri(bucket, file.key, region) if method is LoadMethod.AWS_S3 else None,
            )
        )
        taken = load_rows(cursor, rows, rejected, progress)
        if taken.rows + len(rejected.rows) != file.rows:
            raise StagingError(
                f"{source.origin}: PostgreSQL took {taken.rows:,} rows and {len(rejected.rows):,} were set aside, the manifest says "
                f"{file.rows:,}. Nothing was committed. Unload this run again."
            )
        _write_rejected(cursor, run_id, file.key, rejected)
    seconds = time.monotonic() - start
    method = LoadMethod.COPY if taken.in_blocks else method
    return LoadResult(
        taken.rows,
        file.bytes,
        seconds,
        len(rejected.rows),
        skipped=False,
        method=method,
        staged_hash=rows.staged_hash,
    )


def _write_rejected(cursor: psycopg.Cursor[Any], run_id: str, key: str, rejected: RejectedRows) -> None:
    ascii_only = cursor.connection.info.parameter_status("server_encoding") != "UTF8"
    rows = sorted(rejected.rows, key=lambda row: row.number)
    cursor.executemany(INSERT_REJECTED, [row.parameters(run_id, key, ascii_only=ascii_only) for row in rows])


def _check_method(method: LoadMethod, file_format: FileFormat) -> None:
    """Refuse what cannot work; whether aws_s3 takes a compressed file is said by the object itself (`import_csv`).

    :raises ConfigurationError: `auto`, which planning decides, or files of a format that the method does not take.
    """
    if method is LoadMethod.AUTO:
        raise ConfigurationError("load_method is auto here; planning replaces it by copy or aws_s3.")
    obstacle = method.find_obstacle(file_format, Compression.NONE)
    if obstacle is not None:
        raise ConfigurationError(
            f"load_method {method} cannot load {file_format}: {obstacle}. Choose load_method copy."
        )


@contextmanager
def _noted(note: str) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        error.add_note(note)
        raise
