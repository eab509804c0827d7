"""Publishing by rows: replace, append, merge and repair. The staging table is dropped in the same transaction.

What is checked around it: the keys before, and after the statements the target's own rows. A row that a trigger drops or changes is not
in the target as it was verified, whatever the statements' counts say. A rule would do the same, and is refused before. All checks are
in the publish's transaction: one that fails undoes it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors

from snowmelt.drivers.postgres_errors import read_facts
from snowmelt.errors import TargetError, TargetUnavailable, ValueRefused, VerificationError
from snowmelt.publish.locks import build_lock, hold_lock
from snowmelt.publish.obstacles import Fact
from snowmelt.publish.request import PublishRequest, PublishResult
from snowmelt.publish.row_statements import (
    WRITTEN_HERE,
    build_chunk_sums,
    build_count,
    build_count_gone,
    build_duplicate_keys,
    build_exchange,
    build_merged,
    build_null_keys,
    build_row_sums,
    describe_duplicates,
)
from snowmelt.publish.staging import check_contents, read_contents
from snowmelt.publish.staging_table import build_drop
from snowmelt.publish.strategies import STRATEGIES, Event, Statement
from snowmelt.publish.table_details import TableDetails
from snowmelt.publish.target import check_publishable, read_details
from snowmelt.vocabulary import Duplicates, PublishMethod

Cursor = psycopg.Cursor[Any]


def refuse_keys(cursor: Cursor, request: PublishRequest) -> None:
    """Keys that are not unique: NULLs, and the same key twice.

    :raises ValueRefused: with the columns, or the statement that lists the keys.
    """
    key = request.uniqueness_columns
    nulls = cursor.execute(build_null_keys(request)).fetchone() or ()
    bad = [f"{name} in {count:,} rows" for name, count in zip(key, nulls, strict=True) if count]
    if bad:
        raise ValueRefused(
            f"The rows for {request.target} cannot be merged by ({', '.join(key)}): NULL is in {', '.join(bad)}, and NULL equals nothing. "
            "Name other uniqueness_columns, or leave these rows out by source_filter."
        )
    duplicates = build_duplicate_keys(request)
    twice = cursor.execute(duplicates).fetchall()
    if twice:
        last = request.duplicates is Duplicates.LAST
        again = f" with the same {request.watermark_column}" if last else ""
        remedy = "Name uniqueness_columns that are unique" + (
            "." if last else ", or let the last by watermark win (duplicates = last)."
        )
        raise ValueRefused(
            f"The rows for {request.target} cannot be merged: keys are in several rows{again}. {remedy}{describe_duplicates(twice, duplicates)}"
        )


def check_keys(cursor: Cursor, request: PublishRequest) -> None:
    """The keys of the source must be all there, as they were verified: with one missing, its row would be removed.

    :raises VerificationError: they are not.
    """
    keys = request.keys
    if keys is None:
        return
    where = f"The table of keys {request.schema}.{keys.table} of run {request.run_id}"
    contents = read_contents(cursor, request.schema, keys.table)
    if contents.rows != keys.expected_rows:
        raise VerificationError(
            f"{where} holds {contents.rows:,} rows; by the ledger {keys.expected_rows:,} were loaded. "
            "Nothing is published, nothing removed. Start a new run."
        )
    check_contents(contents, keys.contents, where)


def check_compared(cursor: Cursor, request: PublishRequest) -> None:
    """The target must be as it was compared, under the lock: else chunks that agreed then may not agree now.

    :raises VerificationError: somebody wrote to it since.
    """
    if request.compared is None:
        return
    found = read_contents(cursor, request.schema, request.table, request.live_sql())
    if found.state != request.compared:
        raise VerificationError(
            f"{request.target} was changed after it was compared with its source: it has {found.rows:,} rows now. Nothing was repaired. "
            "Start a new run, and let nobody write to it meanwhile."
        )


def check_removed(
    cursor: Cursor, request: PublishRequest, deleted: int, inserted: int, triggers: Sequence[str]
) -> None:
    """The rows that the source no longer has must be removed or marked, and not be too many; else the whole publish is undone.

    :param triggers: those of the target that fired.
    :raises VerificationError: with the number of rows and the share they are.
    :raises TargetError: a trigger kept rows.
    """
    if triggers:
        kept = _read(cursor, build_count_gone(request))[0]
        if kept:
            raise TargetError(
                _undone(request, f"{kept:,} rows that the source no longer has are still there", triggers)
            )
    limit = request.keys.max_delete_percent if request.keys else 100
    if not deleted or limit >= 100:  # noqa: PLR2004 - percent
        return
    before = (
        deleted
        - inserted
        + int(_read(cursor, build_count(request.schema, request.table, request.counted))[0])
    )
    if deleted * 100 > limit * before:
        raise VerificationError(
            f"The source no longer has {deleted:,} of the {before:,} rows of {request.target} "
            f"({deleted * 100 / before:.1f} %), and a run may remove {limit} % at most (max_delete_percent). Nothing was changed. "
            "Check whether the source or the source_filter lost rows by mistake; if not, raise max_delete_percent and start a new run, "
            "or copy the table by mode full."
        )


def check_arrived(
    cursor: Cursor, request: PublishRequest, rows: int, inserted: int, triggers: Sequence[str]
) -> None:
    """The target must hold what was staged: all of it, and with the staged values.

    The strategy says in which sense (`arrival`). Without a trigger PostgreSQL stores what it is given, so the values of replace and
    append are compared only where one fired.

    :param rows: staged.
    :param triggers: those of the target that fired.
    :raises TargetError: it does not; names the triggers.
    """
    arrival = STRATEGIES[request.method].arrival
    if arrival == "key":
        fault = _find_unmerged(cursor, request)
    elif arrival == "chunks":
        fault = _find_unrepaired(cursor, request)
    else:
        found = inserted
        if inserted == rows and arrival == "exactly":
            found = int(_read(cursor, build_count(request.schema, request.table, request.own_sql()))[0])
        fault = _find_missing(rows, found)
        if not fault and triggers:
            where = WRITTEN_HERE if arrival == "written" else request.own_sql()
            fault = _find_changed(cursor, request, where)
    if fault:
        raise TargetError(_undone(request, fault, triggers))


def _find_unmerged(cursor: Cursor, request: PublishRequest) -> str:
    staged, found, equal = (int(value) for value in _read(cursor, build_merged(request)))
    if found > staged:
        return f"{staged:,} staged keys are in {found:,} rows of it: its unique key ({', '.join(request.uniqueness_columns)}) is not unique"
    if found < staged:
        return f"Of {staged:,} staged keys {found:,} are in it"
    if equal < staged and not request.inserts_only:
        return f"Of {staged:,} staged rows {equal:,} have the staged values"
    return ""


def _find_unrepaired(cursor: Cursor, request: PublishRequest) -> str:
    staged = _read(cursor, build_row_sums(request.columns, request.schema, request.staging))
    found = _read(cursor, build_chunk_sums(request))
    if staged[0] != found[0]:
        return f"{staged[0]:,} rows were staged, and its chunks have {found[0]:,}"
    return "" if staged == found else "The rows of its chunks do not have the staged values"


def _find_missing(rows: int, found: int) -> str:
    if found > rows:
        return f"{found - rows:,} rows remain after its DELETE"
    return "" if found == rows else f"Of {rows:,} staged rows {found:,} arrived"


def _find_changed(cursor: Cursor, request: PublishRequest, where: str) -> str:
    staged = _read(cursor, build_row_sums(request.columns, request.schema, request.staging))
    found = _read(cursor, build_row_sums(request.columns, request.schema, request.table, where))
    if staged[0] != found[0]:
        return f"{staged[0]:,} rows were staged, and {found[0]:,} were written"
    return "" if staged == found else "Its rows do not have the staged values"


def _undone(request: PublishRequest, fault: str, triggers: Sequence[str]) -> str:
    if triggers:
        cause = (
            f"Its trigger {', '.join(triggers)} fired and dropped or changed rows. Disable the trigger, exclude the columns that it sets, "
            "or name another target."
        )
    else:
        cause = "Correct the target, then clear the task `publish`."
    return f"{request.target} does not hold what was staged after the publish by {request.method.value}. {fault}. Nothing was changed. {cause}"


def _read(cursor: Cursor, sql: str) -> tuple[Any, ...]:
    return cursor.execute(sql).fetchone() or (0, 0, 0)


Connection = psycopg.Connection[Any]


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

    :param target: as it was read and found publishable before; its columns must be the same under the lock.
    """
    if STRATEGIES[request.method].keyed and request.uniqueness_columns:
        refuse_keys(cursor, request)
        check_keys(cursor, request)

    def write() -> _Counts:
        again = read_details(cursor, request.schema, request.table)
        if again is None or (again.oid, again.columns) != (target.oid, target.columns):
            raise TargetUnavailable(
                f"{request.target} was changed at the moment of its publish. It is retried."
            )
        facts = check_publishable(cursor, request.intent)  # a foreign key made since would cascade
        check_compared(cursor, request)
        return _write(connection, cursor, request, again, rows, facts)

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
        unchanged=rows - counts.inserted - counts.updated if STRATEGIES[request.method].keyed else 0,
        seconds=time.monotonic() - started,
        locked_seconds=0.0,
        attempts=held.attempts,
    )


def _write(
    connection: Connection,
    cursor: Cursor,
    request: PublishRequest,
    target: TableDetails,
    rows: int,
    facts: tuple[Fact, ...],
) -> _Counts:
    strategy = STRATEGIES[request.method]
    statements = strategy.statements(request) if strategy.statements else ()
    if strategy.keyed and request.uniqueness_columns:
        done = _merge(connection, cursor, request, target, statements, facts)
    else:
        done = _execute(cursor, statements)
    events = strategy.events(deletes=request.deletes, inserts_only=request.inserts_only)
    triggers = [
        fact.description
        for fact in facts
        if fact.kind == "active trigger" and not set(events).isdisjoint(fact.events)
    ]
    if triggers:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a deferred one would fire after the checks
    if request.keys is not None:
        check_removed(cursor, request, done["DELETE"], done["INSERT"], triggers)
    check_arrived(cursor, request, rows, done["INSERT"], triggers)
    return _Counts(done["INSERT"], done["UPDATE"], done["DELETE"])


def _execute(cursor: Cursor, statements: Iterable[Statement]) -> dict[Event, int]:
    """Run the statements; the rows of each event."""
    done: dict[Event, int] = {"INSERT": 0, "UPDATE": 0, "DELETE": 0}
    for event, statement in statements:
        cursor.execute(statement)
        done[event] += cursor.rowcount
    return done


def _merge(
    connection: Connection,
    cursor: Cursor,
    request: PublishRequest,
    target: TableDetails,
    statements: tuple[Statement, ...],
    facts: tuple[Fact, ...],
) -> dict[Event, int]:
    """Run a merge. Where rows exchange the values of another unique index, these are moved first, which the usual merge need not pay for."""
    others = _other_unique_keys(request, target)
    if not others:
        return _execute(cursor, statements)
    try:
        with connection.transaction():
            return _execute(cursor, statements)
    except errors.UniqueViolation as error:
        cascades = [fact.description for fact in facts if fact.kind == "cascade"]
        if cascades:  # the rows are deleted for a moment, which would be passed on
            raise ValueRefused(
                f"The unique index {error.diag.constraint_name!r} of {request.target} does not hold for the loaded rows. If these exchange its "
                f"values, they have to be deleted and inserted again, and the foreign key {', '.join(cascades)} would pass the DELETE on. "
                "Nothing was changed. Make it ON DELETE NO ACTION, or the unique constraint DEFERRABLE INITIALLY DEFERRED.",
                **read_facts(error),
            ) from None
    columns = [column.name for column in target.columns if not column.generated]
    exchange: Statement = ("UPDATE", build_exchange(request, columns, others))
    deletes = [one for one in statements if one[0] == "DELETE"]
    others_first = [one for one in statements if one[0] != "DELETE"]
    return _execute(cursor, (*deletes, exchange, *others_first))


def _other_unique_keys(request: PublishRequest, target: TableDetails) -> list[tuple[str, ...]]:
    """The columns of each unique index but the key's own that a merge may write."""
    loaded, key = set(request.columns), set(request.uniqueness_columns)
    return [
        index.key
        for index in target.indexes
        if index.unique
        and index.immediate
        and index.plain_key
        and set(index.key) <= loaded
        and not set(index.key) <= key
    ]


def _count_after(request: PublishRequest, rows: int, before: int | None, counts: _Counts) -> int | None:
    if request.method is PublishMethod.REPLACE:
        return rows
    return None if before is None else before + counts.inserted - counts.deleted
