"""ALTER TABLE and VIEW, COMMENT ON."""

from __future__ import annotations

import time
from copy import deepcopy

from sandbox.snowflake import errors
from sandbox.snowflake.catalog import versions
from sandbox.snowflake.catalog.catalog import Column, Table
from sandbox.snowflake.catalog.companions import ROW_ID, companions_of, hidden_column
from sandbox.snowflake.catalog.names import ObjectName, quote, show
from sandbox.snowflake.catalog.results import SUCCESS, Result, status_result
from sandbox.snowflake.catalog.rights import OWNERSHIP
from sandbox.snowflake.catalog.store import build_storage_ddl, new_storage
from sandbox.snowflake.rewriting.expressions import reference
from sandbox.snowflake.rewriting.scanner import Scanner
from sandbox.snowflake.sql import changes, policies
from sandbox.snowflake.sql.definitions import (
    Definition,
    read_column,
    read_constraint,
    read_table_options,
    read_type,
)
from sandbox.snowflake.sql.inserting import Assigned, default_value, stored
from sandbox.snowflake.sql.statement import Statement
from sandbox.snowflake.sql.tables import apply_options, is_true


def alter(statement: Statement) -> Result:
    changes.commit(statement.store, statement.session, statement.query.id)
    scanner = statement.scanner()
    scanner.expect("ALTER")
    kind = scanner.next().text.upper()
    if_exists = scanner.accept("IF", "EXISTS")
    reader = statement.reader()
    parts = scanner.name()
    name = reader.place(parts, f"ALTER {kind}")
    if if_exists and statement.store.catalog.find_table(name) is None:
        return status_result(SUCCESS)
    table = reader.find(name, ".".join(show(p) for p in parts), OWNERSHIP)
    with statement.store.locked(name):
        _Alteration(statement, name, table, scanner).run()
    statement.store.save()
    return status_result(SUCCESS)


class _Alteration:
    def __init__(self, statement: Statement, name: ObjectName, table: Table, scanner: Scanner) -> None:
        self.statement, self.name, self.table, self.scanner = statement, name, table, scanner

    def run(self) -> None:
        scanner = self.scanner
        if policies.alter_table(self.statement, scanner, self.table):
            return
        if scanner.accept("RENAME", "TO"):
            self._rename(statement_place(self.statement, scanner))
        elif scanner.accept("SWAP", "WITH"):
            self._swap(statement_place(self.statement, scanner))
        elif scanner.accept("RENAME", "COLUMN"):
            self._rename_column(scanner.identifier(), self._to(scanner))
        elif scanner.accept("ADD"):
            self._add()
        elif scanner.accept("DROP"):
            self._drop()
        elif scanner.accept("ALTER") or scanner.accept("MODIFY"):
            self._columns()
        elif scanner.accept("CLUSTER", "BY"):
            self.table.clustering = f"LINEAR({scanner.parenthesised()})"
        elif scanner.accept("SET"):
            self._set()
        elif scanner.accept("UNSET"):
            for word in scanner.rest().upper().replace(",", " ").split():
                if word == "COMMENT":
                    self.table.comment = ""
                elif word == "DATA_RETENTION_TIME_IN_DAYS":
                    self.table.retention_days = None
        elif scanner.accept("SUSPEND", "RECLUSTER") or scanner.accept("RESUME", "RECLUSTER"):
            pass
        else:
            raise scanner.unexpected()

    @staticmethod
    def _to(scanner: Scanner) -> str:
        scanner.expect("TO")
        return scanner.identifier()

    def _set(self) -> None:
        options = read_table_options(self.scanner)
        if "CHANGE_TRACKING" in options:
            self._track(on=is_true(options["CHANGE_TRACKING"]))
        apply_options(self.table, options)
        if self.table.retention_days == 0:
            self.statement.store.discard({v.storage for v in self.table.versions} - {self.table.storage})
            self.table.versions.clear()
            self.table.history_from = time.time()

    # -- the catalog only

    def _rename(self, new: ObjectName) -> None:
        catalog = self.statement.store.catalog
        with catalog.lock:
            if catalog.find_table(new) is not None:
                raise errors.already_exists(str(new))
            target = catalog.schema(new.database, new.schema).tables
            del catalog.schema(self.name.database, self.name.schema).tables[self.name.name]
            self.table.name = new.name
            target[new.name] = self.table

    def _swap(self, other_name: ObjectName) -> None:
        catalog = self.statement.store.catalog
        with self.statement.store.publishing, catalog.lock:
            other = catalog.table(other_name)
            catalog.schema(self.name.database, self.name.schema).tables[self.name.name] = other
            catalog.schema(other_name.database, other_name.schema).tables[other_name.name] = self.table
            self.table.name, other.name = other_name.name, self.name.name

    def _column(self, name: str) -> Column:
        found = self.table.column(name)
        if found is None:
            raise errors.compilation(904, "42000", f"invalid identifier '{show(name)}'")
        return found

    # -- the storage, too

    def _rebuild(self, columns: list[Column], values: dict[str, Assigned]) -> None:
        """The table with other columns: a new storage from `values` (by new column name), the old one a version."""
        self._store(columns, values, self.table.tracked_since)

    def _track(self, *, on: bool) -> None:
        """Change tracking adds hidden columns to the table (docs.snowflake.com/en/sql-reference/sql/create-table)."""
        if self.table.kind != "TABLE" or self.table.external:
            raise errors.NotImplementedHere(f"CHANGE_TRACKING of a {self.table.granted_as.lower()}")
        if on != (self.table.tracked_since is not None):
            values = {c.name: self._assigned(c) for c in self.table.columns}
            self._store(self.table.columns, values, time.time() if on else None)

    def _store(self, columns: list[Column], values: dict[str, Assigned], tracked_since: float | None) -> None:
        computed = {c.name for c in columns if c.expression}
        values = {name: value for name, value in values.items() if name not in computed}
        statement, table = self.statement, self.table
        reader, connection = statement.reader(), statement.connection
        after = Table(table.name, table.kind, columns, table.created, storage=new_storage())
        after.tracked_since = tracked_since
        connection.execute("BEGIN")
        try:
            connection.execute(build_storage_ddl(after.storage, after))
            targets, items = [], []
            for column in columns:
                if column.name in values:
                    for target, item in stored(reader, column, values[column.name]):
                        targets.append(quote(target))
                        items.append(item)
            if tracked_since is not None and table.tracked_since is not None:
                targets.append(quote(ROW_ID))
                items.append(quote(ROW_ID))
            [(count,)] = connection.execute(
                f"INSERT INTO {quote(after.storage)} ({', '.join(targets)}) "
                f"SELECT {', '.join(items)} FROM {quote(table.storage)}"
            ).fetchall()
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        with statement.store.publishing:
            connection.execute("COMMIT")
            now = time.time()
            unused = versions.keep(table, None, count, now, statement.query.id)
            table.storage, table.columns, table.altered, table.ragged = after.storage, columns, now, False
            table.tracked_since = now if table.tracked_since is None and tracked_since else tracked_since
            statement.store.discard(unused - {table.storage})

    @staticmethod
    def _assigned(column: Column) -> Assigned:
        """The column's values as they are stored."""
        companions = {c: reference(hidden_column(column.name, c)) for c in companions_of(column.type)}
        return Assigned(reference(column.name), column.type, companions)

    def _add(self) -> None:
        scanner, definition = self.scanner, Definition()
        scanner.accept("COLUMN")
        unless = scanner.accept("IF", "NOT", "EXISTS")
        if read_constraint(scanner, definition):
            if definition.primary_key:
                for name in definition.primary_key:
                    self._column(name)
                self.table.primary_key = definition.primary_key
                columns = deepcopy(self.table.columns)
                for column in columns:
                    column.nullable = column.nullable and column.name not in definition.primary_key
                self._rebuild(columns, {c.name: self._assigned(c) for c in self.table.columns})
            self.table.unique_keys += definition.unique_keys
            return
        read_column(scanner, definition)
        while scanner.accept(","):
            scanner.accept("COLUMN")
            scanner.accept("IF", "NOT", "EXISTS")
            read_column(scanner, definition)
        added = []
        for column in definition.columns:
            if self.table.column(column.name) is None:
                added.append(column)
            elif not unless:
                raise errors.compilation(1430, "42601", f"column '{column.name}' already exists")
        reader = self.statement.reader()
        values = {c.name: self._assigned(c) for c in self.table.columns}
        values |= {c.name: default_value(reader, c) for c in added if c.default is not None}
        self._rebuild([*deepcopy(self.table.columns), *added], values)

    def _drop(self) -> None:
        scanner = self.scanner
        if scanner.accept("CLUSTERING", "KEY"):
            self.table.clustering = ""
            return
        if scanner.accept("PRIMARY", "KEY"):
            self.table.primary_key = []
            return
        if scanner.accept("CONSTRAINT") or scanner.accept("UNIQUE"):
            self.table.unique_keys = []
            return
        scanner.accept("COLUMN")
        if_exists = scanner.accept("IF", "EXISTS")
        names = [scanner.identifier()]
        while scanner.accept(","):
            names.append(scanner.identifier())
        for name in names:
            if not if_exists:
                self._column(name)
        kept = [deepcopy(c) for c in self.table.columns if c.name not in names]
        self._rebuild(kept, {c.name: self._assigned(c) for c in kept})

    def _rename_column(self, old: str, new: str) -> None:
        self._column(old)
        if self.table.column(new) is not None:
            raise errors.compilation(1430, "42601", f"column '{new}' already exists")
        columns = deepcopy(self.table.columns)
        for column in columns:
            if column.name == old:
                column.name = new
        values = {n.name: self._assigned(o) for o, n in zip(self.table.columns, columns, strict=True)}
        self._rebuild(columns, values)
        self.table.primary_key = [new if k == old else k for k in self.table.primary_key]

    def _columns(self) -> None:
        """ALTER [COLUMN] c …, c2 …"""
        scanner = self.scanner
        grouped = scanner.accept("(")
        columns = deepcopy(self.table.columns)
        rebuilt = False
        while True:
            scanner.accept("COLUMN")
            name = scanner.identifier()
            self._column(name)
            column = next(c for c in columns if c.name == name)
            rebuilt = self._one_column(column) or rebuilt
            if not scanner.accept(","):
                break
        if grouped:
            scanner.expect(")")
        if rebuilt:
            self._rebuild(
                columns, {n.name: self._assigned(o) for o, n in zip(self.table.columns, columns, strict=True)}
            )
        else:
            self.table.columns = columns

    def _one_column(self, column: Column) -> bool:
        scanner = self.scanner
        if scanner.accept("COMMENT"):
            column.comment = scanner.string()
            return False
        if scanner.accept("DROP", "DEFAULT"):
            column.default = None
            return False
        if scanner.accept("DROP", "NOT", "NULL"):
            column.nullable = True
            return True
        if scanner.accept("SET", "NOT", "NULL") or scanner.accept("NOT", "NULL"):
            column.nullable = False
            return True
        if policies.alter_column(self.statement, scanner, column):
            return False
        if not scanner.accept("SET", "DATA", "TYPE"):
            scanner.accept("TYPE")
        column.type = read_type(scanner)
        return True


def statement_place(statement: Statement, scanner: Scanner) -> ObjectName:
    return statement.reader().place(scanner.name(), "ALTER TABLE")


def comment_on(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("COMMENT")
    if_exists = scanner.accept("IF", "EXISTS")
    scanner.expect("ON")
    kind = scanner.next().text.upper()
    parts = scanner.name()
    scanner.expect("IS")
    text = scanner.string()
    reader, catalog = statement.reader(), statement.store.catalog
    if kind == "COLUMN":
        name = reader.place(parts[:-1], "COMMENT")
        column = reader.find(name, privilege=OWNERSHIP).column(parts[-1])
        if column is None:
            raise errors.compilation(904, "42000", f"invalid identifier '{show(parts[-1])}'")
        column.comment = text
    elif kind in {"TABLE", "VIEW"}:
        name = reader.place(parts, "COMMENT")
        if not (if_exists and catalog.find_table(name) is None):
            reader.find(name, privilege=OWNERSHIP).comment = text
    elif kind == "SCHEMA":
        database = parts[0] if len(parts) > 1 else str(statement.session.database)
        catalog.schema(database, parts[-1]).comment = text
    elif kind == "DATABASE":
        catalog.database(parts[0]).comment = text
    else:
        raise errors.NotImplementedHere(f"COMMENT ON {kind}")
    statement.store.save()
    return status_result(SUCCESS)
