"""The swap: all of the target's properties put on the staging table, the comparison of both, and the renames.

Prepared is everything that needs no lock on the target. What remains for the moment when readers wait: the sequences,
one DROP TABLE and the renames.
A target that does not exist yet is published by the renames alone.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import psycopg

from snowmelt.errors import TargetError, TargetUnavailable
from snowmelt.publish.index_statements import (
    build_statistics_targets,
    plan_indexes,
    temporary_index,
    temporary_statistics,
)
from snowmelt.publish.locks import build_lock, hold_lock, wait_for_snapshots
from snowmelt.publish.request import PublishRequest, PublishResult
from snowmelt.publish.staging_table import build_options
from snowmelt.publish.strategies import STRATEGIES
from snowmelt.publish.table_details import IndexDetails, TableDetails, build_grants, build_revokes
from snowmelt.publish.table_differences import find_differences
from snowmelt.publish.target import check_publishable, read_details
from snowmelt.sql.names import postgres_identifier, postgres_literal, shorten_name
from snowmelt.vocabulary import PublishMethod

Connection = psycopg.Connection[Any]
Cursor = psycopg.Cursor[Any]

#: Name of a sequence → (last_value, is_called)
SequenceValues = Mapping[str, tuple[int, bool]]

#: A relation of this name in this schema, if any. Parameters: schema, name.
READ_TAKEN = (
    "SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE n.nspname = %s AND c.relname = %s"
)


def build_prepare(schema: str, staging: str, target: TableDetails, present: TableDetails) -> list[str]:
    """Owner, options, statistics, comments, replica identity and grants of the target, put on the staging table.

    Comes after the indexes are built. The grants come last: the owner may have no right to read left.
    """
    table = postgres_identifier(schema, staging)
    statements = []
    if present.owner != target.owner:
        statements.append(f"ALTER TABLE {table} OWNER TO {postgres_identifier(target.owner)}")
    statements += _options(table, target, present)
    statements += build_statistics_targets(schema, staging, target, present)
    statements.append(f"COMMENT ON TABLE {table} IS {_comment(target.comment)}")
    statements += _column_comments(table, target, present)
    statements += _constraint_comments(table, target, present)
    indexes = {index.name: index for index in present.indexes}
    for index in target.indexes:
        built = indexes.get(temporary_index(staging, index.name))
        if built is not None:
            statements += _index_properties(schema, table, index, built)
    if target.replica_identity not in {"i", present.replica_identity}:
        words = {"f": "FULL", "n": "NOTHING"}.get(target.replica_identity, "DEFAULT")
        statements.append(f"ALTER TABLE {table} REPLICA IDENTITY {words}")
    for statistics in target.statistics:
        name = postgres_identifier(statistics.schema, temporary_statistics(staging, statistics))
        statements.append(f"ALTER STATISTICS {name} OWNER TO {postgres_identifier(statistics.owner)}")
        statements.append(f"COMMENT ON STATISTICS {name} IS {_comment(statistics.comment)}")
    identities = {sequence.column: sequence for sequence in present.sequences if sequence.identity}
    for sequence in target.sequences:
        made = identities.get(sequence.column)
        if sequence.identity and made is not None:
            quoted = postgres_identifier(schema, made.name)
            statements.append(f"COMMENT ON SEQUENCE {quoted} IS {_comment(sequence.comment)}")
            if sequence.grants != made.grants:
                on = f"SEQUENCE {quoted}"
                statements += [*build_revokes(on, made.grants), *build_grants(on, sequence.grants)]
    return statements + _table_grants(table, target, present)


def build_swap(
    schema: str, table: str, staging: str, target: TableDetails, present: TableDetails, values: SequenceValues
) -> list[str]:
    """What is done under the lock: the sequences go on, the old table goes, the staging table takes all its names.

    :param values: of the identity sequences of both tables. The further one is kept, so that no value comes twice.
    """
    new = postgres_identifier(schema, staging)
    made = {sequence.column: sequence.name for sequence in present.sequences if sequence.identity}
    before, after = [], []
    for sequence in target.sequences:
        if not sequence.identity:
            owned = postgres_identifier(schema, staging, sequence.column)
            before.append(f"ALTER SEQUENCE {postgres_identifier(schema, sequence.name)} OWNED BY {owned}")
            continue
        name = made[sequence.column]
        pick = max if sequence.ascending else min
        value, called = pick(
            values[sequence.name], values[name], key=lambda pair: (pair[0], pair[1] == sequence.ascending)
        )
        literal = postgres_literal(postgres_identifier(schema, name))
        before.append(f"SELECT pg_catalog.setval({literal}, {value:d}, {'true' if called else 'false'})")
        if name != sequence.name:
            after.append(
                f"ALTER SEQUENCE {postgres_identifier(schema, name)} RENAME TO {postgres_identifier(sequence.name)}"
            )
    for index in target.indexes:
        if not index.valid:
            continue
        temporary, final = temporary_index(staging, index.name), postgres_identifier(index.name)
        if index.constraint:
            after.append(
                f"ALTER TABLE {postgres_identifier(schema, table)} RENAME CONSTRAINT {postgres_identifier(temporary)} TO {final}"
            )
        else:
            after.append(f"ALTER INDEX {postgres_identifier(schema, temporary)} RENAME TO {final}")
    for statistics in target.statistics:
        name = postgres_identifier(statistics.schema, temporary_statistics(staging, statistics))
        after.append(f"ALTER STATISTICS {name} RENAME TO {postgres_identifier(statistics.name)}")
    return [
        *before,
        f"DROP TABLE {postgres_identifier(schema, table)}",
        f"ALTER TABLE {new} RENAME TO {postgres_identifier(table)}",
        *after,
    ]


def build_first(schema: str, table: str, staging: str, present: TableDetails, taken: str | None) -> list[str]:
    """The publish of a table that was not there: the renames, and the mark's removal.

    :param taken: the name `<table>_pkey`, where another relation of the schema has it.
    """
    name = postgres_identifier(schema, table)
    statements = [
        f"ALTER TABLE {postgres_identifier(schema, staging)} RENAME TO {postgres_identifier(table)}",
        f"COMMENT ON TABLE {name} IS NULL",
    ]
    names = {} if taken is None else {taken: ""}
    for index in present.indexes:
        if index.constraint_kind == "p":
            key = postgres_identifier(shorten_name(f"{table}_pkey", names))
            statements.append(
                f"ALTER TABLE {name} RENAME CONSTRAINT {postgres_identifier(index.name)} TO {key}"
            )
    given: set[str] = set()
    for constraint in present.constraints:
        if constraint.kind == "n":  # from version 18 on NOT NULLs have names, made from the table's
            column = constraint.definition.removeprefix("NOT NULL ")
            column = column[1:-1].replace('""', '"') if column.startswith('"') else column
            final = shorten_name(f"{table}_{column}_not_null", given)
            given.add(final)
            statements.append(
                f"ALTER TABLE {name} RENAME CONSTRAINT {postgres_identifier(constraint.name)} TO {postgres_identifier(final)}"
            )
    return statements


def _options(table: str, target: TableDetails, present: TableDetails) -> list[str]:
    wanted = [*target.options, *(f"toast.{option}" for option in target.toast_options)]
    have = [*present.options, *(f"toast.{option}" for option in present.toast_options)]
    if set(wanted) == set(have):
        return []
    gone = ", ".join(
        ".".join(postgres_identifier(part) for part in option.partition("=")[0].split(".")) for option in have
    )
    return [
        *([f"ALTER TABLE {table} RESET ({gone})"] if gone else []),
        *([f"ALTER TABLE {table} SET ({build_options(wanted)})"] if wanted else []),
    ]


def _column_comments(table: str, target: TableDetails, present: TableDetails) -> list[str]:
    have = {column.name: column.comment for column in present.columns}
    return [
        f"COMMENT ON COLUMN {table}.{postgres_identifier(column.name)} IS {_comment(column.comment)}"
        for column in target.columns
        if column.name in have and have[column.name] != column.comment
    ]


def _constraint_comments(table: str, target: TableDetails, present: TableDetails) -> list[str]:
    have = {constraint.name: constraint.comment for constraint in present.constraints}
    return [
        f"COMMENT ON CONSTRAINT {postgres_identifier(constraint.name)} ON {table} IS {_comment(constraint.comment)}"
        for constraint in target.constraints
        if constraint.name in have and have[constraint.name] != constraint.comment
    ]


def _index_properties(schema: str, table: str, index: IndexDetails, built: IndexDetails) -> list[str]:
    name, quoted = postgres_identifier(schema, built.name), postgres_identifier(built.name)
    statements = []
    if index.comment != built.comment:
        statements.append(f"COMMENT ON INDEX {name} IS {_comment(index.comment)}")
    if index.constraint and index.constraint_comment != built.constraint_comment:
        statements.append(
            f"COMMENT ON CONSTRAINT {quoted} ON {table} IS {_comment(index.constraint_comment)}"
        )
    if index.clustered and not built.clustered:
        statements.append(f"ALTER TABLE {table} CLUSTER ON {quoted}")
    if index.replica_identity and not built.replica_identity:
        statements.append(f"ALTER TABLE {table} REPLICA IDENTITY USING INDEX {quoted}")
    return statements


def _table_grants(table: str, target: TableDetails, present: TableDetails) -> list[str]:
    statements = []
    if present.grants != target.grants or present.owner != target.owner:
        on = f"TABLE {table}"
        revokes = build_revokes(on, [*present.grants, (target.owner, "", False)])
        statements += [*revokes, *build_grants(on, target.grants)]
    for column in target.columns:
        statements += build_grants(f"TABLE {table}", column.grants, column.name)
    return statements


def _comment(text: str | None) -> str:
    return "NULL" if text is None else postgres_literal(text)


def publish_first(
    cursor: Cursor, request: PublishRequest, rows: int, surplus: int, started: float
) -> PublishResult:
    """Rename the staging table to a name that nothing has.

    :param surplus: rows that were taken out of it, of keys that were in several rows.
    """
    if request.snapshot_wait is not None:
        wait_for_snapshots(cursor, request.snapshot_wait, where=request.target)
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

    :param target: as it was read and found publishable before; it must be the same under the lock.
    """
    present = _read(cursor, request, request.staging)
    missing = plan_indexes(request.schema, request.staging, target, present)
    if missing:
        raise TargetUnavailable(
            f"{request.target} has indexes or keys that the staging table lacks ({', '.join(step.what for step in missing)}): they were "
            "added meanwhile, or never built. Build them, then publish again."
        )
    for statement in build_prepare(request.schema, request.staging, target, present):
        cursor.execute(statement)
    prepared = _read(cursor, request, request.staging)
    differences = find_differences(target, prepared, request.staging, added=request.altered)
    if differences:
        listed = "\n".join(f"  - {difference}" for difference in differences)
        raise TargetError(
            f"A swap of {request.target} would change more than its rows. Set publish to replace.\n{listed}"
        )
    if request.snapshot_wait is not None:
        wait_for_snapshots(cursor, request.snapshot_wait, where=request.target)

    def switch() -> None:
        if read_details(cursor, request.schema, request.table) != target:
            raise TargetUnavailable(
                f"{request.target} was changed at the moment of its publish. It is retried."
            )
        check_publishable(cursor, request.intent)
        values = _read_sequences(cursor, request.schema, target, prepared)
        for statement in build_swap(request.schema, request.table, request.staging, target, prepared, values):
            cursor.execute(statement)

    lock = build_lock(request.schema, request.table, STRATEGIES[PublishMethod.SWAP].lock)
    _, held = hold_lock(
        connection, cursor, request.patience, lock, switch, where=request.target, oid=target.oid
    )
    return _result(request, rows, before, started, held.since, held.attempts)


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
