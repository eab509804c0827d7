"""Publishing by rows: truncate, append and merge. The staging table is dropped in the same transaction."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import psycopg

from snowmelt.errors import TargetError, TargetUnavailable, ValueRefused, VerificationError
from snowmelt.publish.index_build import describe_key
from snowmelt.publish.locks import build_lock, hold_lock
from snowmelt.publish.request import PublishRequest, PublishResult
from snowmelt.publish.row_statements import (
    build_any_row,
    build_count,
    build_delete_all,
    build_delete_gone,
    build_duplicate_keys,
    build_insert,
    build_insert_new,
    build_null_keys,
    build_update,
)
from snowmelt.publish.staging_table import build_drop
from snowmelt.publish.strategies import STRATEGIES
from snowmelt.publish.table_details import TableDetails
from snowmelt.publish.target import read_details, read_obstacles
from snowmelt.vocabulary import Duplicates, PublishMethod

Connection = psycopg.Connection[Any]
Cursor = psycopg.Cursor[Any]


@dataclass(frozen=True, slots=True)
class _Counts:
    inserted: int
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0


def publish_rows(
    connection: Connection,
    cursor: Cursor,
    request: PublishRequest,
    target: TableDetails,
    rows: int,
    before: int | None,
    started: float,
) -> PublishResult:
    """Bring the staged rows into the target.

    :param target: as it was read before; its columns must be the same under the lock.
    """
    where = f"{request.schema}.{request.table}"
    _refuse_obstacles(cursor, request, target)
    if request.method is PublishMethod.MERGE:
        refuse_keys(cursor, request)
        _check_keys(cursor, request)

    def write() -> _Counts:
        again = read_details(cursor, request.schema, request.table)
        if again is None or (again.oid, again.columns) != (target.oid, target.columns):
            raise TargetUnavailable(f"{where} was changed at the moment of its publish. It is tried again.")
        if request.method is PublishMethod.MERGE:
            return _merge(cursor, request, rows)
        deleted = 0
        if request.method is PublishMethod.REPLACE:
            _refuse_obstacles(cursor, request, target)  # a foreign key made since would cascade
            deleted = _delete_all(cursor, request, target)
        cursor.execute(build_insert(request))
        return _Counts(inserted=cursor.rowcount, deleted=deleted)

    mode = STRATEGIES[request.method].lock
    lock = build_lock(request.schema, request.table, mode, partitioned=target.kind == "p")
    counts, held = hold_lock(connection, cursor, request.patience, lock, write, where=where, oid=target.oid)
    if request.method is not PublishMethod.MERGE and counts.inserted != rows:
        raise TargetError(
            f"Of {rows:,} staged rows {counts.inserted:,} arrived in {where}: a trigger or rule kept the others out. Nothing was changed. "
            "Disable it for the connection's role, or name another target."
        )
    cursor.execute(build_drop(request.schema, request.staging))
    if request.keys is not None:
        cursor.execute(build_drop(request.schema, request.keys.table))
    now = time.monotonic()
    after = None if before is None else before + counts.inserted
    if request.method is PublishMethod.REPLACE:
        after = rows
    return PublishResult(
        method=request.method,
        published=True,
        rows_before=before,
        rows_after=after,
        inserted=counts.inserted,
        updated=counts.updated,
        deleted=counts.deleted,
        unchanged=counts.unchanged,
        seconds=now - started,
        locked_seconds=0.0,
        attempts=held.attempts,
    )


def _refuse_obstacles(cursor: Cursor, request: PublishRequest, target: TableDetails) -> None:
    obstacles = read_obstacles(cursor, request.method, target.oid)
    if obstacles:
        listed = "\n".join(f"  - {obstacle}" for obstacle in obstacles)
        raise TargetError(
            f"{request.schema}.{request.table} cannot be published to by {request.method.value}:\n{listed}"
        )


def _delete_all(cursor: Cursor, request: PublishRequest, target: TableDetails) -> int:
    cursor.execute(build_delete_all(request, partitioned=target.kind == "p"))
    deleted = cursor.rowcount
    row = cursor.execute(build_any_row(request)).fetchone()
    if row and row[0]:
        raise TargetError(
            f"Rows of {request.schema}.{request.table} outlived its DELETE: a trigger or rule kept them. Nothing was changed. "
            "Disable it for the connection's role, or name another target."
        )
    return deleted


def _merge(cursor: Cursor, request: PublishRequest, rows: int) -> _Counts:
    updated = 0
    if not request.inserts_only:
        cursor.execute(build_update(request))
        updated = cursor.rowcount
    cursor.execute(build_insert_new(request))
    inserted = cursor.rowcount
    deleted = _delete_gone(cursor, request) if request.keys is not None else 0
    return _Counts(inserted, updated, max(0, rows - inserted - updated), deleted)


def _check_keys(cursor: Cursor, request: PublishRequest) -> None:
    """The keys must be all there: with one missing, its row would be removed."""
    keys = request.keys
    if keys is None:
        return
    row = cursor.execute(build_count(request.schema, keys.table)).fetchone()
    found = int(row[0]) if row else 0
    if found != keys.expected_rows:
        raise VerificationError(
            f"The table of keys {request.schema}.{keys.table} of run {request.run_id} holds {found:,} rows; by the ledger "
            f"{keys.expected_rows:,} were loaded. Nothing is published, nothing removed. Start a new run."
        )


def _delete_gone(cursor: Cursor, request: PublishRequest) -> int:
    """Remove what the source no longer has; too much of it undoes the whole publish.

    :raises VerificationError: with the number of rows and the share they are.
    """
    cursor.execute(build_delete_gone(request))
    deleted = cursor.rowcount
    most = request.keys.max_delete_percent if request.keys else 100
    if not deleted or most >= 100:  # noqa: PLR2004 - percent
        return deleted
    row = cursor.execute(build_count(request.schema, request.table)).fetchone()
    before = deleted + (int(row[0]) if row else 0)
    if deleted * 100 > most * before:
        raise VerificationError(
            f"The source no longer has {deleted:,} of the {before:,} rows of {request.schema}.{request.table} "
            f"({deleted * 100 / before:.1f} %), and a run may remove {most} % at most (max_delete_percent). Nothing was changed. "
            "Look whether the source or the source_filter lost rows by mistake; if not, raise max_delete_percent and start a new run, "
            "or copy the table by mode full."
        )
    return deleted


def refuse_keys(cursor: Cursor, request: PublishRequest) -> None:
    """Keys that tell no row from another: NULLs, and the same key twice.

    :raises ValueRefused: with the columns, or up to five keys.
    """
    where = f"{request.schema}.{request.table}"
    key = request.uniqueness_columns
    nulls = cursor.execute(build_null_keys(request)).fetchone() or ()
    bad = [f"{name} in {count:,} rows" for name, count in zip(key, nulls, strict=True) if count]
    if bad:
        raise ValueRefused(
            f"The rows for {where} cannot be merged by ({', '.join(key)}): NULL stands in {', '.join(bad)}, and NULL equals nothing. "
            "Name other uniqueness_columns, or leave these rows out by source_filter."
        )
    twice = cursor.execute(build_duplicate_keys(request)).fetchall()
    if twice:
        listed = "".join(f"\n  - {describe_key(key, row)} stands in {row[-1]:,} rows" for row in twice)
        last = request.duplicates is Duplicates.LAST
        again = f" with the same {request.watermark_column}" if last else ""
        remedy = "Name uniqueness_columns that tell the rows apart" + (
            "." if last else ", or let the last by watermark win (duplicates = last)."
        )
        raise ValueRefused(
            f"The rows for {where} cannot be merged: keys stand in several rows{again}. {remedy}{listed}"
        )
