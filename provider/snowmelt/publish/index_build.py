"""Building the target's indexes and keys: on a loaded staging table, and again after a large append or merge.

Measured: three B-trees kept during a load cost 4.0 times a plain COPY, built afterwards 1.45 times; that pays where the delta is
large against the table, and readers can do without the indexes meanwhile. What is dropped is recorded in the ledger in the transaction
that drops it, and forgotten in the one that builds it again: the next one (the same task, the next run into that target, the doctor)
finds what is missing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import errors
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from snowmelt.config.sections import Execution
from snowmelt.drivers.postgres_errors import describe_answer, read_facts
from snowmelt.errors import TargetError, ValueRefused
from snowmelt.ledger import leftovers as ledger
from snowmelt.publish.index_facts import READ_INDEX_FACTS, IndexFacts
from snowmelt.publish.index_statements import (
    BuildStep,
    build_settings,
    build_statistics_targets,
    plan_indexes,
    plan_primary_key,
)
from snowmelt.publish.locks import build_lock, build_lock_timeout, hold_lock
from snowmelt.publish.request import LockPatience, PublishRequest
from snowmelt.publish.row_statements import build_duplicates, describe_duplicates
from snowmelt.publish.staging import check_unchanged, read_mark
from snowmelt.publish.staging_table import LOCK_NAME
from snowmelt.publish.table_details import IndexDetails, TableDetails
from snowmelt.publish.target import read_details
from snowmelt.sql.names import postgres_identifier
from snowmelt.vocabulary import PublishMethod

log = logging.getLogger(__name__)


def find_deferrable(target: TableDetails, key: Sequence[str]) -> tuple[IndexDetails, ...]:
    """Indexes over columns alone, without expression or predicate.

    Not those that guard a rule (unique, constraint), that replication reads, or by which a merge finds its rows.

    :param key: the columns that a merge finds rows by; empty for an append.
    """
    if target.kind == "p":
        return ()
    return tuple(
        index
        for index in target.indexes
        if index.valid
        and index.plain_key
        and not index.unique
        and index.constraint is None
        and not index.replica_identity
        and not (key and set(index.key[: len(key)]) == set(key))
    )


def build_drop_index(schema: str, index: str) -> str:
    """DROP INDEX; nothing depends on a plain one."""
    return f"DROP INDEX {postgres_identifier(schema, index)}"


def defer_indexes(connection: psycopg.Connection[Any], request: PublishRequest) -> list[str]:
    """Drop the target's plain indexes, recorded in the same transaction; returns their names. Waits for its lock as a publish does."""
    schema, table = request.schema, request.table
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        target = read_details(cursor, schema, table)
        key = request.uniqueness_columns if request.method is PublishMethod.MERGE else ()
        indexes = find_deferrable(target, key) if target is not None else ()
        asked = (schema, table, [index.name for index in indexes])
        rows = cursor.execute(READ_INDEX_FACTS, asked).fetchall() if indexes else []
        facts = {name: document for name, document, whole in rows if whole}
        if target is None or not facts:
            return []

        def drop() -> None:
            for name, document in facts.items():
                kept = (schema, table, name, Jsonb(document), request.run_id)
                cursor.execute(ledger.WRITE_DEFERRED, kept)
                cursor.execute(build_drop_index(schema, name))

        lock = build_lock(schema, table, "ACCESS EXCLUSIVE")
        hold_lock(connection, cursor, request.patience, lock, drop, where=f"{schema}.{table}", oid=target.oid)
    log.info("Dropped until the rows are in: %s", ", ".join(facts))
    return list(facts)


def list_deferred(
    connection: psycopg.Connection[Any], hours: int = 0
) -> list[tuple[str, str, str, str, list[str]]]:
    """Indexes that have been dropped for that many hours: (schema, table, index, run id, statements that build it).

    Statements that an earlier version stored are shown, and executed by nobody but a person who has read them.
    """
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows = cursor.execute(ledger.LIST_DEFERRED, (hours,)).fetchall()
    return [
        (
            schema,
            table,
            name,
            run_id,
            IndexFacts.from_json(document).build(schema, table)
            if document is not None
            else list(stored or ()),
        )
        for schema, table, name, run_id, document, stored in rows
    ]


def restore_indexes(
    connection: psycopg.Connection[Any],
    schema: str,
    table: str,
    patience: LockPatience | None = None,
    execution: Execution | None = None,
) -> list[str]:
    """Build what was dropped from a target and is still missing, each in a transaction of its own; returns the names.

    Safe to repeat, and to run twice at once: the record is taken first, and the other waits for it.
    """
    execution = execution or Execution()
    restored: list[str] = []
    with connection.cursor(row_factory=tuple_row) as cursor:
        names = [row[0] for row in cursor.execute(ledger.READ_DEFERRED, (schema, table)).fetchall()]
        for name in names:
            with connection.transaction():
                taken = cursor.execute(ledger.TAKE_DEFERRED, (schema, table, name)).fetchone()
                target = read_details(cursor, schema, table)
                there = target is not None and name in {index.name for index in target.indexes}
                if taken is None or target is None or there:
                    continue
                facts = IndexFacts.from_json(taken[0])
                settings = build_settings(execution.index_memory_mb, execution.index_workers)
                statements = [*settings, *facts.build(schema, table)]

                def build(statements: list[str] = statements) -> None:
                    for statement in statements:
                        cursor.execute(statement)

                hold_lock(
                    connection,
                    cursor,
                    patience or LockPatience(),
                    build_lock(schema, table, "SHARE"),
                    build,
                    where=f"{schema}.{table}",
                    oid=target.oid,
                )
            restored.append(name)
    if restored:
        log.info("Built again: %s", ", ".join(restored))
    return restored


Connection = psycopg.Connection[Any]
Cursor = psycopg.Cursor[Any]


def build_indexes(
    connection: Connection,
    *,
    schema: str,
    table: str,
    staging: str,
    run_id: str,
    primary_key: Sequence[str] = (),
    added: Sequence[str] = (),
    maintenance_work_mem_mb: int | None = None,
    parallel_workers: int | None = None,
    patience: LockPatience | None = None,
) -> list[str]:
    """Build what the target has and the staging table has not, each in a transaction of its own, then ANALYZE; returns what was built.

    Safe to repeat after a death in between, and to run twice at once: what is there and valid is left alone. A staging table
    whose rows are to be inserted into the target gets no index, only its ANALYZE.

    :param primary_key: target names in the key's order, for a table that is new.
    :param added: columns that the target is to get.
    :param maintenance_work_mem_mb: megabytes; each parallel worker takes its share of it. None: the server's setting.
    :param parallel_workers: max_parallel_maintenance_workers; a B-tree build uses them. None: the server's setting.
    :raises ValueRefused: rows break a unique key or another constraint of the target; names it, and up to 5 keys.
    """
    patience = patience or LockPatience()
    done: list[str] = []
    tried: set[tuple[str, ...]] = set()
    while True:
        step: BuildStep | None = None
        try:
            with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
                cursor.execute(LOCK_NAME, (f"{schema}.{staging}",))
                target, present, steps = _plan(cursor, schema, table, staging, run_id, primary_key, added)
                if not steps:
                    if target is not None:
                        for statement in build_statistics_targets(schema, staging, target, present):
                            cursor.execute(statement)
                    cursor.execute(f"ANALYZE {postgres_identifier(schema, staging)}")
                    return done
                step = steps[0]
                if step.statements in tried:
                    raise TargetError(
                        f"The {step.what} of {schema}.{table} cannot be rebuilt the same on {staging}. Set publish to replace."
                    )
                tried.add(step.statements)
                for statement in build_settings(maintenance_work_mem_mb, parallel_workers):
                    cursor.execute(statement)
                _build(connection, cursor, step, patience, f"{schema}.{table}")
        except (errors.IntegrityError, errors.ProgramLimitExceeded) as error:
            raise constraint_broken(
                connection,
                error,
                f"The {step.what if step else 'constraint'} of {schema}.{table}",
                schema,
                staging,
                step.key if step else (),
            ) from None  # the error quotes the row
        if not done or done[-1] != step.what:
            done.append(step.what)


def constraint_broken(
    connection: Connection,
    error: errors.IntegrityError | errors.ProgramLimitExceeded,
    what: str,
    schema: str,
    staging: str,
    key: Sequence[str],
    *,
    merged: bool = False,
) -> ValueRefused:
    """The error for rows that a constraint or an index does not take, with the statement that lists them where the key is made of plain columns.

    The transaction that failed must have ended.

    :param merged: rows of the target that this publish did not write may break it too.
    """
    examples = ""
    if key and isinstance(error, errors.UniqueViolation):
        duplicates = build_duplicates(key, postgres_identifier(schema, staging))
        with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
            rows = cursor.execute(duplicates).fetchall()
        examples = describe_duplicates(rows, duplicates)
    if isinstance(error, errors.ProgramLimitExceeded):  # 54000: a value is too long for a B-tree
        return ValueRefused(
            f"{what} cannot take the loaded rows: {describe_answer(error)}. Drop it from the target, build it over md5(column), or exclude the column.",
            **read_facts(error),
        )
    remedy = "Correct the source, or drop the constraint from the target."
    if merged and isinstance(error, errors.UniqueViolation) and not examples:
        remedy = (
            "Another row of the target has that value: one that the source no longer has (set deletes to hard, which removes it first), one "
            "that this run does not copy, or one of somebody else. If the source itself repeats the value, correct it there."
        )
    return ValueRefused(
        f"{what} does not hold for the loaded rows: {describe_answer(error)}. {remedy}{examples}",
        **read_facts(error),
    )


def _plan(
    cursor: Cursor,
    schema: str,
    table: str,
    staging: str,
    run_id: str,
    primary_key: Sequence[str],
    added: Sequence[str],
) -> tuple[TableDetails | None, TableDetails, list[BuildStep]]:
    present = read_details(cursor, schema, staging)
    if present is None:
        raise TargetError(
            f"The staging table {schema}.{staging} is not there: it was dropped or published. Start a new run."
        )
    mark = read_mark(present, schema, staging, run_id, table)
    target = read_details(cursor, schema, table)
    check_unchanged(target, present, mark, added)
    if mark.kind == "new":
        return None, present, plan_primary_key(schema, staging, table, primary_key, present)
    if mark.kind == "rows" or target is None:
        return None, present, []
    return target, present, plan_indexes(schema, staging, target, present)


def _build(
    connection: Connection, cursor: Cursor, step: BuildStep, patience: LockPatience, where: str
) -> None:
    if not step.locks_others:
        for statement in step.statements:
            cursor.execute(statement)
        return
    first, *rest = step.statements

    def others() -> None:
        for statement in rest:
            cursor.execute(statement)

    hold_lock(connection, cursor, patience, first, others, where=f"A table that {where} references")
    cursor.execute(build_lock_timeout(patience.lock_timeout))
