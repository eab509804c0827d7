"""The publish: staged rows become the target's, in one transaction.

What a waiting reader gets, measured on PostgreSQL 15 and 18: seven readers in loops (simple and extended protocol, prepared
statements, a self-join, PL/pgSQL, LOCK TABLE, ::regclass) over 60 swaps held open for 50 ms each, in three orders of
statements (drop and rename; rename both and drop; lock, drop and rename), 3,000 reads each: no error, and every read saw one
whole table, the new one when it had waited. A name is looked up again once its lock is granted, so within one transaction the
order does not matter; across two transactions the name would be missing in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import errors
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from snowmelt.errors import TargetError, TargetUnavailable, VerificationError
from snowmelt.publish.audit import AUDIT_COLUMNS, SET_RUN, build_audit_columns
from snowmelt.publish.index_build import constraint_broken
from snowmelt.publish.locks import (
    IDLE_BEFORE_LOCK,
    build_idle_timeout,
    build_lock,
    build_lock_timeout,
    hold_lock,
)
from snowmelt.publish.request import PublishRequest, PublishResult
from snowmelt.publish.row_statements import build_count, build_count_foreign
from snowmelt.publish.rows import publish_rows
from snowmelt.publish.staging import check_contents, check_unchanged, read_contents, read_mark
from snowmelt.publish.staging_table import LOCK_NAME, StagingMark
from snowmelt.publish.strategies import STRATEGIES
from snowmelt.publish.swap import publish_first, publish_swap
from snowmelt.publish.table_details import TableDetails
from snowmelt.publish.target import check_publishable, read_details
from snowmelt.sql.names import postgres_identifier
from snowmelt.types.columns import build_add_columns, build_widen_columns
from snowmelt.vocabulary import PublishMethod

Connection = psycopg.Connection[Any]
Cursor = psycopg.Cursor[Any]


def publish(
    connection: Connection,
    request: PublishRequest,
    *,
    before_commit: Callable[[Cursor, PublishResult], None],
    already_published: Callable[[Cursor], bool] | None = None,
) -> PublishResult:
    """Publish a loaded staging table; all or nothing. Safe to repeat, and to run twice at once.

    Publishes of one target follow each other. `already_published` is asked first, once it is this one's turn: when it says
    yes, nothing is done and the result says so, whatever became of the staging table. `before_commit` is called last, in the
    same transaction and under the lock: keep it short; it may write the ledger and the watermark, and an error in it undoes all.

    What readers wait for: swap, one lock_timeout at most plus the renames (`locked_seconds`; measured with a million rows and
    three B-trees: 11 ms, whatever the size); replace, append and merge, nothing. A transaction of REPEATABLE READ or above that
    began before and reads the table afterwards sees all of the new one after a swap (see `snapshot_wait`), all of the old one
    after the others.

    :raises TargetUnavailable: a lock was not to be had, or the target changed at this moment; try again.
    :raises TargetError: something stops the publish, the staging table is missing, or the target does not hold what was staged.
    :raises PlanChanged: the target was changed since the staging table was made.
    :raises ValueRefused: rows break a constraint, or a key of a merge is NULL or repeated; with examples.
    :raises VerificationError: the staging table does not hold `expected_rows`, or not the rows that were verified.
    """
    if connection.info.transaction_status is not TransactionStatus.IDLE:
        raise ValueError(
            "publish needs a connection without an open transaction: it begins and commits its own."
        )
    started = time.monotonic()
    try:
        _add_columns(connection, request)
        with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
            result = _publish(connection, cursor, request, already_published, started)
            if result.published:
                before_commit(cursor, result)
    except (errors.IntegrityError, errors.ProgramLimitExceeded) as error:
        key, name = request.uniqueness_columns, error.diag.constraint_name
        kind = "index" if isinstance(error, errors.ProgramLimitExceeded) else "constraint"
        what = f"The {kind} {name!r} of {request.target}" if name else f"One {kind} of {request.target}"
        raise constraint_broken(
            connection,
            error,
            what,
            request.schema,
            request.staging,
            key,
            merged=request.method is PublishMethod.MERGE,
        ) from None  # it quotes the row
    if result.published and request.method is PublishMethod.REPLACE:
        with connection.transaction():
            connection.execute(f"ANALYZE {postgres_identifier(request.schema, request.table)}")
    return result


def _add_columns(connection: Connection, request: PublishRequest) -> None:
    """Columns that the rows need, in a transaction of its own before: readers would else wait for all the rows, too."""
    statements = build_add_columns(request.schema, request.table, request.added_columns)
    wanted = {column.target for column in request.added_columns}
    statements += build_widen_columns(request.schema, request.table, request.widened_columns)
    types = {column.target: column.target_type for column in request.widened_columns}
    if request.audit_columns:
        statements += build_audit_columns(request.schema, request.table)
        wanted.update(AUDIT_COLUMNS)
    if not statements or request.method is PublishMethod.SWAP:
        return
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        target = read_details(cursor, request.schema, request.table)
        have = {column.name for column in target.columns} if target else set()
        narrow = [
            column.name
            for column in (target.columns if target else ())
            if types.get(column.name, column.type) != column.type
        ]
        if target is None or (wanted <= have and not narrow):
            return

        def add() -> None:
            for statement in statements:
                cursor.execute(statement)

        lock = build_lock(request.schema, request.table, "ACCESS EXCLUSIVE", partitioned=target.kind == "p")
        hold_lock(connection, cursor, request.patience, lock, add, where=request.target, oid=target.oid)


def _publish(
    connection: Connection,
    cursor: Cursor,
    request: PublishRequest,
    already_published: Callable[[Cursor], bool] | None,
    started: float,
) -> PublishResult:
    _take_turn(connection, cursor, request)
    if already_published is not None and already_published(cursor):
        return _nothing_done(request, started)
    cursor.execute(SET_RUN, (request.run_id,))
    staging, mark = _read_staging(cursor, request)
    rows = _lock_staging(connection, cursor, request, staging, mark)
    before: int | None = None
    with connection.transaction(force_rollback=True):  # gives back the lock of the count at once
        target = read_details(cursor, request.schema, request.table)
        check_unchanged(target, staging, mark, request.altered)
        if target is not None:
            check_publishable(cursor, request.intent)
        if target is not None and request.count_target:
            before = _count(cursor, build_count(request.schema, request.table, request.own_sql()))
    if target is None:
        return publish_first(cursor, request, rows, mark.surplus, started)
    way = publish_swap if mark.kind == "copy" else publish_rows
    return way(connection, cursor, request, target, rows, before, started)


def _take_turn(connection: Connection, cursor: Cursor, request: PublishRequest) -> None:
    """Publishes of one target follow each other."""
    cursor.execute(build_idle_timeout(IDLE_BEFORE_LOCK))
    cursor.execute(build_lock_timeout(request.patience.give_up_after))
    try:
        with connection.transaction():
            cursor.execute(LOCK_NAME, (request.target,))
    except errors.LockNotAvailable as error:
        raise TargetUnavailable(
            f"Another publish into {request.target} has not ended after {request.patience.give_up_after:g} s. It is retried."
        ) from error


def _read_staging(cursor: Cursor, request: PublishRequest) -> tuple[TableDetails, StagingMark]:
    staging = read_details(cursor, request.schema, request.staging)
    if staging is None:
        raise TargetError(
            f"The staging table {request.schema}.{request.staging} is missing, so run {request.run_id} cannot be published into "
            f"{request.target}: it was dropped, or it is published already. Check snowmelt.run; start a new run if it is not."
        )
    mark = read_mark(staging, request.schema, request.staging, request.run_id, request.table)
    if mark.kind not in {"new", STRATEGIES[request.method].staging_kind}:
        raise TargetError(
            f"The staging table {request.schema}.{request.staging} was not made for publish = {request.method.value}. Start a new run."
        )
    return staging, mark


def _lock_staging(
    connection: Connection, cursor: Cursor, request: PublishRequest, staging: TableDetails, mark: StagingMark
) -> int:
    """Lock the staging table to the end of the transaction; returns its rows, which are those that were verified."""
    where = f"The staging table {request.schema}.{request.staging}"
    contents, _ = hold_lock(
        connection,
        cursor,
        request.patience,
        build_lock(request.schema, request.staging, "ACCESS EXCLUSIVE"),
        lambda: read_contents(cursor, request.schema, request.staging),
        where=f"{where} (a load is still writing to it)",
        oid=staging.oid,
    )
    cursor.execute(build_idle_timeout(IDLE_BEFORE_LOCK))
    where = f"{where} of run {request.run_id}"
    if request.expected_rows is not None and contents.rows + mark.surplus != request.expected_rows:
        raise VerificationError(
            f"{where} holds {contents.rows:,} rows; by the ledger {request.expected_rows:,} were loaded. Nothing is published. "
            "Start a new run."
        )
    check_contents(contents, mark.contents or request.contents, where)
    foreign = _count(cursor, build_count_foreign(request)) if request.own else 0
    if foreign:
        raise VerificationError(
            f"{foreign:,} of {contents.rows:,} rows for {request.target} are not this copy's own, which are those where {request.own_sql()}, "
            "or are another copy's as well. Nothing is published. Change the source_filter or owned_rows: each row has one owner."
        )
    return contents.rows


def _nothing_done(request: PublishRequest, started: float) -> PublishResult:
    return PublishResult(
        method=request.method,
        published=False,
        rows_before=None,
        rows_after=None,
        inserted=0,
        updated=0,
        deleted=0,
        unchanged=0,
        seconds=time.monotonic() - started,
        locked_seconds=0.0,
        attempts=0,
    )


def _count(cursor: Cursor, sql: str) -> int:
    row = cursor.execute(sql).fetchone()
    return int(row[0]) if row else 0
