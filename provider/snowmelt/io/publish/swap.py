"""The swap under its lock, and the first publish of a table that was not there."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import psycopg

from snowmelt.core.publish.index_build import plan_indexes
from snowmelt.core.publish.lock_waits import build_lock
from snowmelt.core.publish.statements import PublishMethod, PublishRequest, PublishResult
from snowmelt.core.publish.swap import READ_TAKEN, SequenceValues, build_first, build_prepare, build_swap
from snowmelt.core.publish.table_details import TableDetails
from snowmelt.core.publish.table_differences import find_differences
from snowmelt.core.quoting import postgres_identifier
from snowmelt.errors import TargetError, TargetUnavailable
from snowmelt.io.publish.lock_waits import hold_lock, wait_for_snapshots
from snowmelt.io.publish.target import read_details, read_obstacles

Connection = psycopg.Connection[Any]
Cursor = psycopg.Cursor[Any]


def publish_first(
    cursor: Cursor, request: PublishRequest, rows: int, surplus: int, started: float
) -> PublishResult:
    """Rename the staging table to a name that nothing has.

    :param surplus: rows that were taken out of it, of keys that stood in several rows.
    """
    if request.snapshot_wait is not None:
        wait_for_snapshots(cursor, request.snapshot_wait, where=_where(request))
    present = _read(cursor, request, request.staging)
    taken = cursor.execute(READ_TAKEN, (request.schema, f"{request.table}_pkey")).fetchone()
    locked = time.monotonic()
    for statement in build_first(
        request.schema, request.table, request.staging, present, taken[0] if taken else None
    ):
        cursor.execute(statement)
    return replace(_result(request, rows, 0, started, locked, 1), unchanged=surplus)


def publish_swap(
    connection: Connection,
    cursor: Cursor,
    request: PublishRequest,
    target: TableDetails,
    rows: int,
    before: int | None,
    started: float,
) -> PublishResult:
    """Put the staging table in the target's place.

    :param target: as it was read before; it must be the same under the lock.
    """
    _refuse_obstacles(cursor, request, target)
    present = _read(cursor, request, request.staging)
    missing = plan_indexes(request.schema, request.staging, target, present)
    if missing:
        raise TargetUnavailable(
            f"{_where(request)} has indexes or keys that the staging table lacks ({', '.join(step.what for step in missing)}): they were "
            "added meanwhile, or never built. Build them, then publish again."
        )
    for statement in build_prepare(request.schema, request.staging, target, present):
        cursor.execute(statement)
    prepared = _read(cursor, request, request.staging)
    added = [column.target for column in request.added_columns]
    differences = find_differences(target, prepared, request.staging, added=added)
    if differences:
        listed = "\n".join(f"  - {difference}" for difference in differences)
        raise TargetError(
            f"A swap of {_where(request)} would change more than its rows. Set publish to truncate.\n{listed}"
        )
    if request.snapshot_wait is not None:
        wait_for_snapshots(cursor, request.snapshot_wait, where=_where(request))

    def switch() -> None:
        if read_details(cursor, request.schema, request.table) != target:
            raise TargetUnavailable(
                f"{_where(request)} was changed at the moment of its publish. It is tried again."
            )
        _refuse_obstacles(cursor, request, target)
        values = _read_sequences(cursor, request.schema, target, prepared)
        for statement in build_swap(request.schema, request.table, request.staging, target, prepared, values):
            cursor.execute(statement)

    lock = build_lock(request.schema, request.table, "ACCESS EXCLUSIVE")
    _, held = hold_lock(
        connection, cursor, request.patience, lock, switch, where=_where(request), oid=target.oid
    )
    return _result(request, rows, before, started, held.since, held.attempts)


def _refuse_obstacles(cursor: Cursor, request: PublishRequest, target: TableDetails) -> None:
    obstacles = read_obstacles(cursor, PublishMethod.SWAP, target.oid)
    if obstacles:
        listed = "\n".join(f"  - {obstacle}" for obstacle in obstacles)
        raise TargetError(f"{_where(request)} cannot be swapped:\n{listed}")


def _read_sequences(cursor: Cursor, schema: str, *tables: TableDetails) -> SequenceValues:
    values = {}
    for table in tables:
        for sequence in table.sequences:
            if sequence.identity:
                name = postgres_identifier(schema, sequence.name)
                row = cursor.execute(f"SELECT last_value, is_called FROM {name}").fetchone()
                if row:
                    values[sequence.name] = (int(row[0]), bool(row[1]))
    return values


def _read(cursor: Cursor, request: PublishRequest, name: str) -> TableDetails:
    details = read_details(cursor, request.schema, name)
    if details is None:
        raise TargetError(f"The table {request.schema}.{name} vanished during its publish. Start a new run.")
    return details


def _result(
    request: PublishRequest, rows: int, before: int | None, started: float, locked: float, attempts: int
) -> PublishResult:
    now = time.monotonic()
    return PublishResult(
        method=request.method,
        published=True,
        rows_before=before,
        rows_after=rows,
        inserted=rows,
        updated=0,
        deleted=before,
        unchanged=0,
        seconds=now - started,
        locked_seconds=now - locked,
        attempts=attempts,
    )


def _where(request: PublishRequest) -> str:
    return f"{request.schema}.{request.table}"
