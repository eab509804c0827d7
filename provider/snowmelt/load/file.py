"""Load one staged file into a table, once: the ledger's claim, the COPY and the checks, all in the caller's transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from snowmelt.errors import ConfigurationError, StagingError
from snowmelt.ledger.files import INSERT_REJECTED
from snowmelt.load.copy_stream import Progress
from snowmelt.load.csv import CsvRows, S3Uri
from snowmelt.load.parquet import ParquetRows
from snowmelt.load.rejects import RejectedRows, RejectPolicy
from snowmelt.load.rows import FileRows, load_rows
from snowmelt.load.s3_object import S3Object
from snowmelt.load.target import LoadTarget
from snowmelt.unload.manifest import StagedFile
from snowmelt.vocabulary import Compression, FileFormat, LoadMethod


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
    return LoadResult(taken.rows, file.bytes, seconds, len(rejected.rows), skipped=False, method=method)


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
