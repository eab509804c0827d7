"""DuckDB and the catalog together: opening, connections, storages, locks, keeping on disk."""

from __future__ import annotations

import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from sandbox.snowflake import errors
from sandbox.snowflake.catalog import catalog as catalogs
from sandbox.snowflake.catalog import macros
from sandbox.snowflake.catalog.catalog import Catalog, Table, Version
from sandbox.snowflake.catalog.companions import ROW_ID, companions_of, hidden_column, visible_column
from sandbox.snowflake.catalog.names import ObjectName, quote

#: A statement waits this long for another that changes the same table.
LOCK_TIMEOUT_SECONDS = 60.0


class Store:
    """The account's data. `folder` None keeps everything in memory."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        self._duck = duckdb.connect(
            str(folder / "data.duckdb") if folder else ":memory:",
            config={
                "lambda_syntax": "ENABLE_SINGLE_ARROW",  # sqlglot writes lambdas so
                "temp_directory": str(folder / "spill") if folder else tempfile.mkdtemp(prefix="snowflake-"),
            },
        )
        self._duck.execute("SET GLOBAL TimeZone = 'UTC'")
        for statement in macros.STATEMENTS:
            self._duck.execute(statement)
        self.catalog: Catalog = catalogs.load(folder / "catalog.json") if folder else Catalog()
        #: held while a change becomes visible and while a statement picks what it reads
        self.publishing = threading.RLock()
        self._table_locks: dict[ObjectName, threading.Lock] = {}
        self._guard = threading.Lock()
        self._discarded: list[tuple[float, str]] = []
        self.drop_unused()
        complete_storages(self._duck, self.catalog)

    def cursor(self, timezone: str = "UTC") -> duckdb.DuckDBPyConnection:
        """A connection of its own: transactions, TimeZone and registered tables are not shared."""
        connection = self._duck.cursor()
        connection.execute(f"SET TimeZone = '{timezone}'")
        return connection

    def save(self) -> None:
        if self.folder:
            self.catalog.save(self.folder / "catalog.json")

    def drop_unused(self) -> None:
        """Forget storages that nothing refers to (a crash, an expired version)."""
        used = self.catalog.storages()
        with self._guard:
            connection = self._duck.cursor()
            found = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
            for (name,) in found:
                if name.startswith("t_") and name not in used:
                    connection.execute(f"DROP TABLE IF EXISTS {quote(name)}")
            connection.close()

    def discard(self, names: set[str]) -> None:
        """Storages to be dropped once no statement that might have seen them runs any more."""
        with self._guard:
            self._discarded += [(time.time(), name) for name in names]

    def sweep(self, oldest_running: float) -> None:
        with self._guard:
            due = [name for at, name in self._discarded if at < oldest_running]
            self._discarded = [(at, name) for at, name in self._discarded if at >= oldest_running]
            if due:
                connection = self._duck.cursor()
                for name in due:
                    connection.execute(f"DROP TABLE IF EXISTS {quote(name)}")
                connection.close()

    def table_lock(self, name: ObjectName) -> threading.Lock:
        with self._guard:
            return self._table_locks.setdefault(name, threading.Lock())

    def acquire(self, name: ObjectName) -> threading.Lock:
        lock = self.table_lock(name)
        if not lock.acquire(timeout=LOCK_TIMEOUT_SECONDS):
            raise errors.SnowflakeError(
                625, "57014", f"Statement has been waiting for a lock on table {name} and has timed out."
            )
        return lock

    @contextmanager
    def locked(self, name: ObjectName) -> Iterator[None]:
        lock = self.acquire(name)
        try:
            yield
        finally:
            lock.release()

    def close(self) -> None:
        self.save()
        self._duck.close()


def new_storage() -> str:
    return f"t_{uuid.uuid4().hex[:12]}"


def complete_storages(connection: duckdb.DuckDBPyConnection, catalog: Catalog) -> None:
    """Give storages that an earlier stand-in kept the hidden columns they lack; no value had anything to put there."""
    found: dict[str, list[str]] = {}
    for storage, name in connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() ORDER BY table_name, column_index"
    ).fetchall():
        found.setdefault(storage, []).append(name)
    for table in catalog.tables():
        for at in (table, *table.versions):
            described = Table(table.name, table.kind, at.columns, table.created)
            described.tracked_since = table.created if is_tracked(at) else None
            expected = [name for name, _ in storage_columns(described)]
            names = found.get(at.storage, expected)
            if names != expected:
                _rebuild(connection, at.storage, described, names)
                found[at.storage] = expected


def _rebuild(connection: duckdb.DuckDBPyConnection, storage: str, table: Table, names: list[str]) -> None:
    """Rewrite a storage with the columns `names`, its rows in their order: a version of the table may be its first n."""
    values = [quote(n) if n in names else _zero(n) for n, _ in storage_columns(table)]
    whole = new_storage()
    connection.execute("BEGIN")
    connection.execute(build_storage_ddl(whole, table))
    connection.execute(
        f"INSERT INTO {quote(whole)} SELECT {', '.join(values)} FROM {quote(storage)} ORDER BY rowid"
    )
    connection.execute(f"DROP TABLE {quote(storage)}")
    connection.execute(f"ALTER TABLE {quote(whole)} RENAME TO {quote(storage)}")
    connection.execute("COMMIT")


def _zero(hidden: str) -> str:
    return f"CASE WHEN {quote(visible_column(hidden))} IS NOT NULL THEN 0 END"


def storage_columns(table: Table) -> list[tuple[str, str]]:
    """Name and type of each column of a table's storage: the table's own, and behind them the hidden ones."""
    stored = [c for c in table.columns if not c.expression]
    own = [(c.name, c.type.duckdb + ("" if c.nullable else " NOT NULL")) for c in stored]
    companions = [(c.name, companion) for c in stored for companion in companions_of(c.type)]
    ids = [(ROW_ID, "VARCHAR DEFAULT md5(uuid()::VARCHAR)")] if is_tracked(table) else []
    return own + [(hidden_column(name, companion), companion.duckdb) for name, companion in companions] + ids


def is_tracked(at: Table | Version) -> bool:
    """Whether the storage has row ids."""
    return at.tracked if isinstance(at, Version) else at.tracked_since is not None


def build_storage_ddl(storage: str, table: Table) -> str:
    columns = ", ".join(f"{quote(name)} {kind}" for name, kind in storage_columns(table))
    return f"CREATE TABLE {quote(storage)} ({columns})"
