"""Making, finding and dropping staging tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from snowmelt.errors import PlanChanged, TargetError, VerificationError
from snowmelt.publish.audit import build_audit_columns
from snowmelt.publish.row_statements import build_contents
from snowmelt.publish.staging_table import (
    LOCK_NAME,
    READ_MARKED,
    Leftover,
    StagingKind,
    StagingMark,
    build_copy,
    build_drop,
    build_new,
    build_rows,
    parse_mark,
)
from snowmelt.publish.strategies import STRATEGIES
from snowmelt.publish.table_details import TableDetails, build_private
from snowmelt.publish.table_differences import find_column_differences, find_row_differences
from snowmelt.publish.target import read_details
from snowmelt.types.columns import Column, build_widen_columns
from snowmelt.vocabulary import PublishMethod

Connection = psycopg.Connection[Any]
Cursor = psycopg.Cursor[Any]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a table holds, without its values."""

    rows: int
    #: Another as soon as a row is inserted, updated or deleted: see `build_contents`.
    state: str


def read_contents(session: Connection | Cursor, schema: str, table: str, where: str = "") -> Contents:
    """Count the rows, and sum up where they are and who wrote them.

    :param where: a predicate, or empty.
    """
    row = session.execute(build_contents(schema, table, where)).fetchone()
    return Contents(int(row[0]), str(row[1])) if row else Contents(0, "0")


def check_contents(found: Contents, verified: str | None, where: str) -> None:
    """Whether a table holds what was verified.

    :param verified: its state then; None: it was verified by a version that did not record it.
    :raises VerificationError: rows were changed since.
    """
    if verified is not None and found.state != verified:
        raise VerificationError(
            f"{where} was changed after it was verified: it holds {found.rows:,} rows, but not those that were compared with the source. "
            "Nothing is published. Start a new run, and see who writes to tables whose names begin with snowmelt_."
        )


def create_staging(
    connection: Connection,
    *,
    schema: str,
    table: str,
    staging: str,
    run_id: str,
    method: PublishMethod,
    columns: Sequence[Column],
    added: Sequence[Column] = (),
    widened: Sequence[Column] = (),
    audit_columns: bool = False,
    unlogged: bool = False,
    unneeded: Callable[[Cursor], bool] | None = None,
) -> bool:
    """Make the run's staging table beside the target; True when it was made now, False when it was there.

    Safe to repeat, and to run twice at once. Commits.

    :param columns: the loaded columns; a target that is not there gets exactly these.
    :param added: those of them that an existing target does not have yet.
    :param widened: those of them that an existing target has in a narrower type.
    :param audit_columns: a table that will be the target gets those, where the target has none.
    :param unlogged: for a method that inserts rows: no WAL for the staging table. A crash of the server then empties it while the
        ledger says that its files are loaded: the publish notices by `expected_rows`, and the run is lost.
    :param unneeded: asked first, in the same transaction; True: the run is over, and a worker that comes late makes no table.
    :raises TargetError: something else has the staging table's name.
    :raises PlanChanged: the table is there, and the target was changed or dropped since it was made.
    """
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(LOCK_NAME, (f"{schema}.{staging}",))
        if unneeded is not None and unneeded(cursor):
            return False
        target = read_details(cursor, schema, table)
        present = read_details(cursor, schema, staging)
        if present is not None:
            mark = read_mark(present, schema, staging, run_id, table)
            check_unchanged(target, present, mark, [column.target for column in (*added, *widened)])
            return False
        kind = _kind(method, target)
        mark = StagingMark(run_id, schema, table, kind, datetime.now(UTC).isoformat(timespec="seconds"))
        for statement in _build(
            kind, schema, table, staging, target, mark, columns, added, unlogged=unlogged
        ):
            cursor.execute(statement)
        for statement in build_widen_columns(schema, staging, widened) if kind != "new" else ():
            cursor.execute(statement)
        if audit_columns and kind != "rows":
            have = [column.name for column in target.columns] if target else []
            for statement in build_audit_columns(schema, staging, have):
                cursor.execute(statement)
        made = read_details(cursor, schema, staging)
        if made is not None and kind != "new":
            for statement in build_private(schema, staging, made):
                cursor.execute(statement)
    return True


def list_leftovers(connection: Connection, schema: str | None = None) -> list[Leftover]:
    """All staging tables of the database (or one schema), those of running runs included.

    A swap takes the mark away with the name, so a published table is never among them.
    """
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(READ_MARKED, (schema, schema)).fetchall()
    found = []
    for namespace, name, comment, estimate, size in rows:
        mark = parse_mark(comment)
        if mark is not None:
            found.append(Leftover(namespace, name, mark, None if estimate < 0 else estimate, size))
    return found


def drop_staging(connection: Connection, schema: str, staging: str) -> bool:
    """Drop a staging table and commit; False when there is none. Waits while a load is writing to it.

    :raises TargetError: the table has no mark: it is not one of Snowmelt's, or it is published.
    """
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        cursor.execute(LOCK_NAME, (f"{schema}.{staging}",))
        present = read_details(cursor, schema, staging)
        if present is None:
            return False
        if parse_mark(present.comment) is None:
            raise TargetError(
                f"{schema}.{staging} is not dropped: its comment does not say that it is a staging table of Snowmelt."
            )
        cursor.execute(build_drop(schema, staging))
    return True


def read_mark(present: TableDetails, schema: str, staging: str, run_id: str, table: str) -> StagingMark:
    """The mark of the staging table, when it is this run's for this target.

    :raises TargetError: it is not.
    """
    mark = parse_mark(present.comment)
    if mark is None or (mark.run_id, mark.schema, mark.table) != (run_id, schema, table):
        whose = (
            "no mark" if mark is None else f"the mark of run {mark.run_id} into {mark.schema}.{mark.table}"
        )
        raise TargetError(
            f"The table {schema}.{staging} has {whose}; expected that of run {run_id} into {schema}.{table}. "
            "Rename or drop it, or start a new run, which takes another name."
        )
    return mark


def check_unchanged(
    target: TableDetails | None, staging: TableDetails, mark: StagingMark, added: Sequence[str]
) -> None:
    """Compare the target as it is with the staging table that was made after it.

    :raises PlanChanged: they differ, or the target appeared or vanished.
    """
    where = f"{mark.schema}.{mark.table}"
    again = "Start a new run: it takes a staging table of the target as it is now."
    if mark.kind == "new":
        if target is not None:
            raise PlanChanged(
                f"The table {where} was created while run {mark.run_id} was loading a new table of that name. {again}"
            )
        return
    if target is None:
        raise PlanChanged(
            f"The table {where} was dropped or renamed after run {mark.run_id} had begun. {again}"
        )
    if mark.kind == "copy":
        differences = find_column_differences(target, staging, added=added)
    else:
        differences = find_row_differences(target, staging, added=added)
    if differences:
        listed = "\n".join(f"  - {difference}" for difference in differences)
        raise PlanChanged(
            f"The table {where} was changed after run {mark.run_id} had begun. {again}\n{listed}"
        )


def _kind(method: PublishMethod, target: TableDetails | None) -> StagingKind:
    return "new" if target is None else STRATEGIES[method].staging_kind


def _build(
    kind: StagingKind,
    schema: str,
    table: str,
    staging: str,
    target: TableDetails | None,
    mark: StagingMark,
    columns: Sequence[Column],
    added: Sequence[Column],
    *,
    unlogged: bool,
) -> list[str]:
    if target is None or kind == "new":
        return build_new(schema, staging, columns, mark)
    if kind == "copy":
        return build_copy(schema, staging, table, target, mark, added)
    return build_rows(schema, staging, table, columns, target, mark, added, unlogged=unlogged)
