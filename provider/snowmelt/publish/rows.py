"""Publishing by rows: replace, append and merge. The staging table is dropped in the same transaction."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import psycopg

from snowmelt.errors import TargetUnavailable
from snowmelt.publish.locks import build_lock, hold_lock
from snowmelt.publish.obstacles import Fact
from snowmelt.publish.request import PublishRequest, PublishResult
from snowmelt.publish.row_checks import check_arrived, check_keys, check_removed, refuse_keys
from snowmelt.publish.staging_table import build_drop
from snowmelt.publish.strategies import STRATEGIES
from snowmelt.publish.table_details import TableDetails
from snowmelt.publish.target import check_publishable, read_details
from snowmelt.vocabulary import PublishMethod

Connection = psycopg.Connection[Any]
Cursor = psycopg.Cursor[Any]


@dataclass(frozen=True, slots=True)
class _Counts:
    inserted: int = 0
    updated: int = 0
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
    """Write the staged rows into the target, and check that they are there.

    :param target: as it was read before; its columns must be the same under the lock.
    """
    check_publishable(cursor, request.intent)
    if request.method is PublishMethod.MERGE:
        refuse_keys(cursor, request)
        check_keys(cursor, request)

    def write() -> _Counts:
        again = read_details(cursor, request.schema, request.table)
        if again is None or (again.oid, again.columns) != (target.oid, target.columns):
            raise TargetUnavailable(
                f"{request.target} was changed at the moment of its publish. It is retried."
            )
        facts = check_publishable(cursor, request.intent)  # a foreign key made since would cascade
        return _write(cursor, request, rows, facts)

    mode = STRATEGIES[request.method].lock
    lock = build_lock(request.schema, request.table, mode, partitioned=target.kind == "p")
    counts, held = hold_lock(
        connection, cursor, request.patience, lock, write, where=request.target, oid=target.oid
    )
    cursor.execute(build_drop(request.schema, request.staging))
    if request.keys is not None:
        cursor.execute(build_drop(request.schema, request.keys.table))
    return PublishResult(
        method=request.method,
        published=True,
        rows_before=before,
        rows_after=_count_after(request, rows, before, counts),
        inserted=counts.inserted,
        updated=counts.updated,
        deleted=counts.deleted,
        unchanged=rows - counts.inserted - counts.updated if request.method is PublishMethod.MERGE else 0,
        seconds=time.monotonic() - started,
        locked_seconds=0.0,
        attempts=held.attempts,
    )


def _write(cursor: Cursor, request: PublishRequest, rows: int, facts: tuple[Fact, ...]) -> _Counts:
    strategy = STRATEGIES[request.method]
    done = {"INSERT": 0, "UPDATE": 0, "DELETE": 0}
    for event, statement in strategy.statements(request) if strategy.statements else ():
        cursor.execute(statement)
        done[event] += cursor.rowcount
    events = strategy.events(deletes=request.keys is not None, inserts_only=request.inserts_only)
    triggers = [
        fact.description
        for fact in facts
        if fact.kind == "active trigger" and not set(events).isdisjoint(fact.events)
    ]
    if triggers:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a deferred one would fire after the checks
    if request.keys is not None:
        check_removed(cursor, request, done["DELETE"], triggers)
    check_arrived(cursor, request, rows, done["INSERT"], triggers)
    return _Counts(done["INSERT"], done["UPDATE"], done["DELETE"])


def _count_after(request: PublishRequest, rows: int, before: int | None, counts: _Counts) -> int | None:
    if request.method is PublishMethod.REPLACE:
        return rows
    return None if before is None else before + counts.inserted - counts.deleted
