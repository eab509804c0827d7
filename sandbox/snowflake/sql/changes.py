"""Changing a table's rows: locks, a new storage where needed, transactions, and the version left behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass

import duckdb

from sandbox.snowflake.catalog import versions
from sandbox.snowflake.catalog.catalog import Table
from sandbox.snowflake.catalog.names import ObjectName, quote
from sandbox.snowflake.catalog.session import Session, Transaction
from sandbox.snowflake.catalog.store import Store, build_storage_ddl, new_storage
from sandbox.snowflake.sql.statement import Statement


@dataclass
class Change:
    """One table being changed. `table.storage` is where to write; `connection` is in a transaction."""

    table: Table
    connection: duckdb.DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class Old:
    """What a version holds of its storage: the first `rows` (None: all); `size` is the storage's number of rows."""

    rows: int | None
    size: int


@contextmanager
def changing(
    statement: Statement, name: ObjectName, *, appends: bool, empty: bool = False
) -> Iterator[Change]:
    """Hold a table while its rows change; published at the end, or at the transaction's COMMIT.

    `appends`: only rows are added, so the storage is kept where its row numbers are firm.
    `empty`: the new storage starts without rows.
    """
    session = statement.session
    transaction = (
        open_transaction(statement)
        if session.transaction or not session.parameters.flag("AUTOCOMMIT")
        else None
    )
    if transaction is None:
        with statement.store.locked(name):
            yield from _autocommitted(statement, name, appends=appends, empty=empty)
        return
    yield from _in_transaction(statement, transaction, name, appends=appends, empty=empty)


def _prepare(
    connection: duckdb.DuckDBPyConnection, table: Table, *, appends: bool, empty: bool
) -> tuple[Table, Old]:
    """The table as it will be, and what its old version holds of the present storage."""
    after = copy(table)
    after.versions = table.versions
    [(rows,)] = connection.execute(f"SELECT count(*) FROM {quote(table.storage)}").fetchall()
    if appends and not table.ragged:
        return after, Old(int(rows), int(rows))
    after.storage = new_storage()
    connection.execute(build_storage_ddl(after.storage, after))
    if not empty:
        connection.execute(
            f"INSERT INTO {quote(after.storage)} SELECT * FROM {quote(table.storage)}"
        ).fetchall()
    after.ragged = not appends and not empty
    return after, Old(None, int(rows))


def _autocommitted(statement: Statement, name: ObjectName, *, appends: bool, empty: bool) -> Iterator[Change]:
    store, connection = statement.store, statement.connection
    table = store.catalog.table(name)
    statement.query.interruptible(connection.interrupt)
    connection.execute("BEGIN")
    try:
        after, old = _prepare(connection, table, appends=appends, empty=empty)
        yield Change(after, connection)
        statement.query.check()
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    with store.publishing:
        connection.execute("COMMIT")
        _publish(store, table, after, old, statement.query.id, time.time())
    store.save()


def _publish(store: Store, table: Table, after: Table, old: Old, query_id: str, now: float) -> None:
    unused = versions.keep(table, old.rows, old.size, now, query_id)
    if table.retention_days == 0 and after.storage != table.storage:
        unused = unused | {table.storage}
    table.storage, table.ragged, table.columns, table.altered = (
        after.storage,
        after.ragged,
        after.columns,
        now,
    )
    store.discard(unused - {table.storage})


def open_transaction(statement: Statement) -> Transaction:
    """The session's transaction, begun in DuckDB at its first change."""
    session = statement.session
    if session.transaction is None:
        session.transaction = Transaction(statement.store.cursor(session.parameters["TIMEZONE"]))
    if not session.transaction.query_id:
        session.transaction.connection.execute("BEGIN")
        session.transaction.query_id = statement.query.id
    return session.transaction


def _in_transaction(
    statement: Statement, transaction: Transaction, name: ObjectName, *, appends: bool, empty: bool
) -> Iterator[Change]:
    connection = transaction.connection
    statement.query.interruptible(connection.interrupt)
    if name in transaction.changed:  # nobody else sees this storage's new rows yet: write on
        after = transaction.changed[name]
        own = after.storage != statement.store.catalog.table(name).storage
        if appends or (own and not empty):
            yield Change(after, connection)
            after.ragged = after.ragged or not appends
            return
        changed, _ = _prepare(connection, after, appends=False, empty=empty)
        yield Change(changed, connection)
        transaction.changed[name] = changed
        return
    transaction.locks.append(statement.store.acquire(name))
    after, old = _prepare(connection, statement.store.catalog.table(name), appends=appends, empty=empty)
    yield Change(after, connection)
    transaction.changed[name] = after
    transaction.old[name] = old


def commit(store: Store, session: Session, query_id: str) -> None:
    transaction, session.transaction = session.transaction, None
    if transaction is None:
        return
    try:
        with store.publishing:
            if transaction.query_id:
                transaction.connection.execute("COMMIT")
            now = time.time()
            for name, after in transaction.changed.items():
                table = store.catalog.table(name)
                _publish(store, table, after, transaction.old[name], query_id, now)
    finally:
        release(transaction)
    if transaction.changed:
        store.save()


def rollback(session: Session) -> None:
    transaction, session.transaction = session.transaction, None
    if transaction is not None:
        if transaction.query_id:
            transaction.connection.execute("ROLLBACK")
        release(transaction)


def release(transaction: Transaction) -> None:
    transaction.connection.close()
    for lock in transaction.locks:
        lock.release()
