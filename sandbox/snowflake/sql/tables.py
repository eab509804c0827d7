"""CREATE TABLE and VIEW, DROP, and reading a table's present shape."""

from __future__ import annotations

import time
from copy import deepcopy
from itertools import pairwise
from typing import Any

from sandbox.snowflake import errors
from sandbox.snowflake.catalog import rights
from sandbox.snowflake.catalog.catalog import Column, Table
from sandbox.snowflake.catalog.names import ObjectName, show
from sandbox.snowflake.catalog.results import Result, status_result
from sandbox.snowflake.catalog.store import build_storage_ddl, new_storage
from sandbox.snowflake.rewriting import dialect
from sandbox.snowflake.rewriting.scanner import Scanner
from sandbox.snowflake.rewriting.scopes import fold
from sandbox.snowflake.sql import changes
from sandbox.snowflake.sql.definitions import Definition, read_definition, read_names, read_table_options
from sandbox.snowflake.sql.inserting import build_insert
from sandbox.snowflake.sql.reading import Translation
from sandbox.snowflake.sql.selects import output_columns
from sandbox.snowflake.sql.statement import Statement


def apply_options(table: Table, options: dict[str, Any]) -> None:
    if "COMMENT" in options:
        table.comment = str(options["COMMENT"])
    if "DATA_RETENTION_TIME_IN_DAYS" in options:
        days = int(options["DATA_RETENTION_TIME_IN_DAYS"])
        if not 0 <= days <= 90:
            text = f"invalid value [{days}] for parameter 'DATA_RETENTION_TIME_IN_DAYS'"
            raise errors.compilation(1008, "22023", text)
        table.retention_days = days
    if "CLUSTER BY" in options:
        table.clustering = options["CLUSTER BY"]


def is_true(value: Any) -> bool:
    """What an option of TRUE or FALSE says."""
    return str(value).upper() == "TRUE"


def place(statement: Statement, name: ObjectName, table: Table, *, replace: bool) -> None:
    """Into the catalog; what it replaces is gone, its history and (without COPY GRANTS) its grants too, as in Snowflake.

    docs.snowflake.com/en/sql-reference/sql/create-table, "COPY GRANTS".
    """
    store = statement.store
    with store.publishing, store.catalog.lock:
        tables = store.catalog.schema(name.database, name.schema).tables
        old = tables.get(name.name)
        if old is not None and not replace:
            raise errors.already_exists(str(name))
        statement.rights.require_schema(name, f"CREATE {table.granted_as}")
        statement.rights.settle(table, name.database, name.schema)
        if old is not None:
            statement.rights.require_table(name, old, rights.OWNERSHIP, None)
        if old is not None and _copies_grants(statement):
            for role, privileges in old.grants.items():
                rights.add(table.grants, role, [p for p in privileges if p != rights.OWNERSHIP])
        table.created = table.altered = time.time()
        tables[name.name] = table
        if old is not None:
            store.discard({old.storage, *(v.storage for v in old.versions)} - {"", table.storage})
    store.save()


def _copies_grants(statement: Statement) -> bool:
    return ("COPY", "GRANTS") in pairwise(t.text.upper() for t in statement.scanner().tokens)


def create_table(statement: Statement) -> Result:
    changes.commit(statement.store, statement.session, statement.query.id)
    scanner = statement.scanner()
    scanner.expect("CREATE")
    replace = scanner.accept("OR", "REPLACE")
    transient = temporary = dynamic = False
    while not scanner.accept("TABLE"):
        word = scanner.next().text.upper()
        transient = transient or word == "TRANSIENT"
        dynamic = dynamic or word == "DYNAMIC"
        temporary = temporary or word in {"TEMP", "TEMPORARY", "VOLATILE"}
        if word not in {"TRANSIENT", "TEMP", "TEMPORARY", "VOLATILE", "LOCAL", "GLOBAL", "DYNAMIC"}:
            scanner.at -= 1
            raise scanner.unexpected()
    unless = scanner.accept("IF", "NOT", "EXISTS")
    reader = statement.reader()
    name = reader.place(scanner.name(), "CREATE TABLE")
    unless = scanner.accept("IF", "NOT", "EXISTS") or unless
    schema = statement.store.catalog.schema(name.database, name.schema)
    if name.name in schema.tables and not replace:
        if unless:
            return status_result(f"{show(name.name)} already exists, statement succeeded.")
        raise errors.already_exists(str(name))
    table = Table(name.name, "TABLE", [], time.time(), storage=new_storage(), transient=transient)
    table.dynamic = dynamic
    table.temporary_of = statement.session.number if temporary else None
    table.retention_days = None if schema.retention_days == 1 else schema.retention_days
    _read_body(statement, scanner, table)
    place(statement, name, table, replace=replace)
    return status_result(f"Table {show(name.name)} successfully created.")


def _read_body(statement: Statement, scanner: Scanner, table: Table) -> None:
    if scanner.accept("LIKE"):
        source = statement.reader().find(statement.reader().place(scanner.name()))
        table.columns, table.primary_key = deepcopy(source.columns), list(source.primary_key)
        table.unique_keys = deepcopy(source.unique_keys)
        apply_options(table, read_table_options(scanner))
        _make(statement, table)
        return
    if scanner.accept("CLONE"):
        _clone(statement, scanner.rest(), table)
        return
    definition = Definition()
    names: list[str] | None = None
    if scanner.peek().text == "(":
        at = scanner.at
        try:
            definition = read_definition(scanner)
        except errors.SnowflakeError:
            scanner.at = at
            names = _only_names(scanner)
            if names is None:
                scanner.at = at
                read_definition(scanner)
    options = read_table_options(scanner)
    apply_options(table, options)
    table.tracked_since = time.time() if is_true(options.get("CHANGE_TRACKING")) else None
    table.columns, table.primary_key = definition.columns, definition.primary_key
    table.unique_keys = definition.unique_keys
    if scanner.accept("AS"):
        _fill(statement, table, scanner.rest(), names)
    elif not table.columns:
        raise scanner.unexpected()
    else:
        scanner.end()
        _make(statement, table)


def _only_names(scanner: Scanner) -> list[str] | None:
    """CREATE TABLE t (a, b) AS SELECT …"""
    try:
        names = read_names(scanner)
    except errors.SnowflakeError:
        return None
    return names if scanner.looking_at("AS") else None


def _make(statement: Statement, table: Table) -> None:
    statement.connection.execute(build_storage_ddl(table.storage, table))


def _fill(statement: Statement, table: Table, query: str, names: list[str] | None) -> None:
    reader = statement.reader()
    tree = statement.parse(query)
    translation = reader.translate(tree, carry=True)
    _fill_translated(statement, table, translation, names)


def _fill_translated(
    statement: Statement, table: Table, translation: Translation, names: list[str] | None
) -> None:
    reader, connection = statement.reader(), statement.connection
    if not table.columns:
        found = output_columns(translation.outputs, connection.sql(translation.sql))
        given = names or [c.name for c in found]
        if len(given) != len(found):
            raise errors.compilation(2026, "42601", "Invalid column definition list")
        table.columns = [Column(n, c.type) for n, c in zip(given, found, strict=True)]
    statement.query.interruptible(connection.interrupt)
    connection.execute("BEGIN")
    try:
        _make(statement, table)
        names = [c.name for c in table.columns]
        connection.execute(build_insert(reader, connection, table, names, translation))
        statement.query.check()
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _clone(statement: Statement, text: str, table: Table) -> None:
    """CLONE t [AT (…)]: the rows, and the definition of the table as it is."""
    tree = dialect.parse_one(f"SELECT * FROM {text}")
    fold(tree)
    source = tree.args["from_"].this
    reader = statement.reader()
    found = reader.find(reader.name_of(source), privilege="SELECT")
    table.columns, table.primary_key = deepcopy(found.columns), list(found.primary_key)
    table.unique_keys, table.comment, table.clustering = (
        deepcopy(found.unique_keys),
        found.comment,
        found.clustering,
    )
    _fill_translated(statement, table, reader.translate(tree, carry=True), None)


def create_view(statement: Statement) -> Result:
    changes.commit(statement.store, statement.session, statement.query.id)
    scanner = statement.scanner()
    scanner.expect("CREATE")
    replace = scanner.accept("OR", "REPLACE")
    materialized = False
    while not scanner.accept("VIEW"):
        word = scanner.next().text.upper()
        materialized = materialized or word == "MATERIALIZED"
        if word not in {"SECURE", "TEMP", "TEMPORARY", "RECURSIVE", "LOCAL", "MATERIALIZED"}:
            scanner.at -= 1
            raise scanner.unexpected()
    unless = scanner.accept("IF", "NOT", "EXISTS")
    reader = statement.reader()
    name = reader.place(scanner.name(), "CREATE VIEW")
    schema = statement.store.catalog.schema(name.database, name.schema)
    if name.name in schema.tables and unless:
        return status_result(f"{show(name.name)} already exists, statement succeeded.")
    names = _view_columns(scanner)
    options = read_table_options(scanner)
    scanner.expect("AS")
    query = scanner.rest()
    tree = statement.parse(query)
    reader.home = (name.database, name.schema)
    found = output_columns(*_bound(statement, reader, tree))
    if names is not None:
        if len(names) != len(found):
            raise errors.compilation(2026, "42601", "Invalid column definition list")
        listed = ", ".join(f'"{n}"' for n in names)
        query = f"SELECT * FROM ({query}\n) AS v({listed})"
    view = Table(
        name.name,
        "VIEW",
        [Column(n, c.type) for n, c in zip(names or [c.name for c in found], found, strict=True)],
        time.time(),
    )
    view.query, view.materialized = query, materialized
    apply_options(view, options)
    place(statement, name, view, replace=replace)
    return status_result(f"View {show(name.name)} successfully created.")


def _bound(statement: Statement, reader: Any, tree: Any) -> tuple[Any, Any]:
    translation = reader.translate(tree)
    return translation.outputs, statement.connection.sql(translation.sql)


def _view_columns(scanner: Scanner) -> list[str] | None:
    if scanner.peek().text != "(":
        return None
    scanner.expect("(")
    names = [scanner.identifier()]
    while not scanner.accept(")"):
        if scanner.accept("COMMENT"):
            scanner.string()
        elif scanner.accept(","):
            names.append(scanner.identifier())
        else:
            raise scanner.unexpected()
    return names


def drop(statement: Statement) -> Result:
    """DROP TABLE and DROP VIEW."""
    changes.commit(statement.store, statement.session, statement.query.id)
    scanner = statement.scanner()
    scanner.expect("DROP")
    scanner.accept("EXTERNAL") or scanner.accept("DYNAMIC")
    kind = scanner.next().text.upper()
    if_exists = scanner.accept("IF", "EXISTS")
    parts = scanner.name()
    name = statement.reader().place(parts, f"DROP {kind}")
    store = statement.store
    table = store.catalog.find_table(name)
    if table is None or table.kind != kind:
        if if_exists:
            return status_result("Drop statement executed successfully (object already dropped).")
        raise (
            errors.missing(kind.capitalize(), ".".join(show(p) for p in parts))
            if table is None
            else errors.compilation(
                2203,
                "42601",
                f"SQL compilation error: Object found is of type '{table.kind}', not specified type '{kind}'.",
            )
        )
    statement.reader().find(name, ".".join(show(p) for p in parts), rights.OWNERSHIP)
    with store.publishing, store.catalog.lock:
        del store.catalog.schema(name.database, name.schema).tables[name.name]
        store.discard({table.storage, *(v.storage for v in table.versions)} - {""})
    store.save()
    return status_result(f"{show(name.name)} successfully dropped.")
