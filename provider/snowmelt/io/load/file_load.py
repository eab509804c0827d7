"""Load one staged file into a table, once: the ledger's claim, the COPY and the checks, all in the caller's transaction."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import psycopg

from snowmelt.core.load.binary_copy import RowFault, build_binary_copy
from snowmelt.core.load.csv_copy import build_csv_copy
from snowmelt.core.load.rejects import (
    INSERT_REJECTED,
    CopyLine,
    RejectedRows,
    RejectPolicy,
    check_policy,
    parse_copy_context,
    refuse_row,
)
from snowmelt.core.load.target import LoadTarget
from snowmelt.core.unload.manifest import StagedFile
from snowmelt.errors import ConfigurationError, StagingError, ValueRefused
from snowmelt.io.load.copy_stream import Ahead, Progress, send_copy
from snowmelt.io.load.csv import check_importable, import_csv, read_csv
from snowmelt.io.load.parquet import ParquetSource, encode_parquet
from snowmelt.io.load.s3_object import S3Object

LoadMethod = Literal["copy", "aws_s3"]
#: SQLSTATE classes and codes for which one row is to blame: data exceptions, NOT NULL, CHECK, and nesting or size beyond a limit.
_ROW_FAULTS = ("22", "23502", "23514", "54000", "54001")
#: A CSV file that is none, or has another number of columns.
_WRONG_SHAPE = "22P04"
#: The stream itself is wrong, not one row: never to be laid to a row's charge.
_WRONG_STREAM = "22P03"
#: Each row that only the server refuses costs one more COPY of the whole file.
MOST_COPIES = 20


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


def load_file(
    connection: psycopg.Connection[Any],
    s3: Any,
    file: StagedFile,
    target: LoadTarget,
    *,
    bucket: str,
    run_id: str,
    claim: Callable[[psycopg.Cursor[Any]], bool],
    method: LoadMethod = "copy",
    file_format: Literal["parquet", "csv"] = "parquet",
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
    check_load(method, file_format, policy)
    start = time.monotonic()
    if connection.autocommit and connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE:
        raise ConfigurationError(
            "load_file was called outside of a transaction; the ledger row and the rows have to be committed together. "
            "Call it under `with connection.transaction():`."
        )
    with connection.cursor() as cursor, _noted(f"while loading s3://{bucket}/{file.key}"):
        if not claim(cursor):
            return LoadResult(0, file.bytes, time.monotonic() - start, 0, skipped=True)
        source = S3Object(s3, bucket, file)
        rejected = RejectedRows(policy, source.origin)
        if file_format == "parquet":
            rows = _copy_parquet(cursor, source, file, target, rejected, progress)
        elif method == "copy":
            rows = _copy_csv(cursor, source, target, compression, progress)
        else:
            check_importable(source, compression)
            with _csv_faults(source.origin, target):
                rows = import_csv(cursor, target, bucket=bucket, key=file.key, region=region).rows
        if rows + len(rejected.rows) != file.rows:
            raise StagingError(
                f"{source.origin}: PostgreSQL took {rows:,} rows and {len(rejected.rows):,} were set aside, the manifest says "
                f"{file.rows:,}. Nothing was committed. Unload this run anew."
            )
        cursor.executemany(INSERT_REJECTED, [row.parameters(run_id, file.key) for row in rejected.rows])
    return LoadResult(rows, file.bytes, time.monotonic() - start, len(rejected.rows), skipped=False)


def check_load(method: str, file_format: str, policy: RejectPolicy) -> None:
    """Refuse what cannot work; called at planning too.

    :raises ConfigurationError: aws_s3 with Parquet, quarantine with CSV.
    """
    if method not in {"copy", "aws_s3"}:
        raise ConfigurationError(f"load_method is {method!r} here; it is copy or aws_s3.")
    if method == "aws_s3" and file_format != "csv":
        raise ConfigurationError(
            f"load_method aws_s3 cannot load {file_format}: aws_s3.table_import_from_s3 takes what COPY takes, and that is "
            "CSV here. Choose file_format csv, or load_method copy."
        )
    check_policy(policy, file_format)


def _copy_parquet(
    cursor: psycopg.Cursor[Any],
    source: S3Object,
    file: StagedFile,
    target: LoadTarget,
    rejected: RejectedRows,
    progress: Callable[[Progress], None] | None,
) -> int:
    """One COPY; under the policy quarantine, another for each row that only the server could refuse."""
    set_aside: dict[int, RowFault] = {}
    while True:
        rejected.rows.clear()
        parquet = ParquetSource(source, file.rows)
        # after the server's first refusal each JSON value is parsed here, so that all bad ones are found in one go
        pieces = encode_parquet(
            parquet, source.origin, target, rejected, set_aside=set_aside, parse_json=bool(set_aside)
        )
        try:
            with _savepoint(cursor, needed=rejected.policy.quarantines):
                sent = send_copy(
                    cursor, build_binary_copy(target), Ahead(pieces, on_leave=source.close), progress
                )
        except psycopg.Error as error:
            line = _faulty_line(error, target)
            if line is None:
                raise
            number = rejected.row_of_line(line.line)
            fault = RowFault(_file_name(target, line.column), _server_reason(error))
            source = source.reopened()
            refused = refuse_row(source.origin, ParquetSource(source, file.rows).read_row(number, fault))
            if not rejected.policy.quarantines or number in set_aside:
                raise refused from error
            if len(set_aside) >= min(rejected.policy.limit, MOST_COPIES):
                raise ValueRefused(
                    f"{refused} PostgreSQL refused {len(set_aside) + 1} rows of this file, and names one for each COPY: too many."
                ) from error
            set_aside[number] = fault
            continue
        if cursor.rowcount != sent.rows:
            raise StagingError(
                f"{source.origin}: {sent.rows:,} rows were sent, PostgreSQL counted {cursor.rowcount:,}. Nothing was committed."
            )
        return sent.rows


def _copy_csv(
    cursor: psycopg.Cursor[Any],
    source: S3Object,
    target: LoadTarget,
    compression: str,
    progress: Callable[[Progress], None] | None,
) -> int:
    pieces = Ahead(read_csv(source, compression), on_leave=source.close)
    with _csv_faults(source.origin, target):
        send_copy(cursor, build_csv_copy(target), pieces, progress)
    return cursor.rowcount


@contextmanager
def _csv_faults(origin: str, target: LoadTarget) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        line = _faulty_line(error, target)
        if line is None:
            raise
        column = _file_name(target, line.column)
        if error.sqlstate == _WRONG_SHAPE:
            raise StagingError(
                f"{origin}, line {line.line:,}: {_server_reason(error)}. It is damaged, or holds other columns than planned. "
                "Unload this run anew."
            ) from error
        raise ValueRefused(
            f"{origin}, line {line.line:,}{f', column {column}' if column else ''}: {_server_reason(error)}. "
            "Nothing of this file was kept. Correct it at the source, or exclude it by a filter or a mask."
        ) from error


@contextmanager
def _savepoint(cursor: psycopg.Cursor[Any], *, needed: bool) -> Iterator[None]:
    if not needed:
        yield
        return
    cursor.execute("SAVEPOINT snowmelt_copy")
    try:
        yield
    except psycopg.Error:
        if not cursor.connection.broken:
            cursor.execute("ROLLBACK TO SAVEPOINT snowmelt_copy")
        raise


@contextmanager
def _noted(note: str) -> Iterator[None]:
    try:
        yield
    except psycopg.Error as error:
        error.add_note(note)
        raise


def _faulty_line(error: psycopg.Error, target: LoadTarget) -> CopyLine | None:
    state = error.sqlstate or ""
    if state == _WRONG_STREAM or not state.startswith(_ROW_FAULTS):
        return None
    names = [column.target for column in target.columns]
    line = parse_copy_context(error.diag.context, target.table, names)
    if line is None or line.column:
        return line
    return CopyLine(line.line, error.diag.column_name)


def _file_name(target: LoadTarget, column: str | None) -> str:
    return next((each.file_name for each in target.columns if each.target == column), "")


def _server_reason(error: psycopg.Error) -> str:
    parts = (error.diag.message_primary, error.diag.message_detail)
    said = ": ".join(" ".join(part.split()).rstrip(".") for part in parts if part)
    return f"PostgreSQL answered {error.sqlstate}, {said}"
