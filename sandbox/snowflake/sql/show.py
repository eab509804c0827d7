"""SHOW."""

from __future__ import annotations

from typing import Any

from sandbox.snowflake.catalog.catalog import Table
from sandbox.snowflake.catalog.information_schema import OWNER, moment, row_count
from sandbox.snowflake.catalog.parameters import KNOWN
from sandbox.snowflake.catalog.results import SHOW, Result, rows_result
from sandbox.snowflake.catalog.sftypes import LTZ
from sandbox.snowflake.rewriting.scanner import Scanner
from sandbox.snowflake.sql.describe import one_table
from sandbox.snowflake.sql.listing import NUMBER, in_scope, like_filter, texts
from sandbox.snowflake.sql.statement import Statement


def _limit(scanner: Scanner, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    if scanner.accept("STARTS", "WITH"):
        start = scanner.string()
        rows = [r for r in rows if str(r[1]).startswith(start)]
    if scanner.accept("LIMIT"):
        rows = rows[: int(scanner.next().text)]
    scanner.end()
    return rows


def tables(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("SHOW")
    scanner.accept("TERSE")
    kind = scanner.next().text.upper()
    like = like_filter(scanner)
    scope = list(in_scope(statement, scanner))
    columns = [("created_on", LTZ), *texts("name", "database_name", "schema_name", "kind", "comment", "cluster_by"),
               ("rows", NUMBER), ("bytes", NUMBER), *texts("owner", "retention_time", "change_tracking")]  # fmt: skip
    rows = [
        (moment(t.created), t.name, d.name, s.name, _kind(t), t.comment, t.clustering, row_count(statement.store, t), 0 if t.kind == "VIEW" else None,
         statement.rights.owner_of(t) or OWNER, str(1 if t.retention_days is None else t.retention_days),
         "OFF" if t.tracked_since is None else "ON")
        for d, s in scope
        for t in s.tables.values()
        if statement.rights.sees(t, d) and like(t.name) and (kind in {"OBJECTS"} or (t.kind == "VIEW") == (kind == "VIEWS"))
    ]  # fmt: skip
    return rows_result(columns, _limit(scanner, rows), SHOW)


def _kind(table: Table) -> str:
    if table.kind == "VIEW":
        return "VIEW"
    return "TEMPORARY" if table.temporary_of is not None else "TRANSIENT" if table.transient else "TABLE"


def schemas(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("SHOW")
    scanner.accept("TERSE")
    scanner.expect("SCHEMAS")
    like = like_filter(scanner)
    catalog, session = statement.store.catalog, statement.session
    databases = list(catalog.databases.values())
    if scanner.accept("IN"):
        if not scanner.accept("ACCOUNT"):
            scanner.accept("DATABASE")
            databases = [catalog.database(scanner.identifier())]
    elif session.database is not None:
        databases = [catalog.database(session.database)]
    columns = [
        ("created_on", LTZ),
        *texts(
            "name",
            "is_default",
            "is_current",
            "database_name",
            "owner",
            "comment",
            "options",
            "retention_time",
        ),
    ]
    rows = [
        (moment(s.created), s.name, "N", "Y" if (d.name, s.name) == (session.database, session.schema) else "N", d.name, OWNER, s.comment, "", str(s.retention_days))
        for d in databases
        for s in d.schemas.values()
        if like(s.name) and statement.rights.sees(s, d)
    ]  # fmt: skip
    return rows_result(columns, _limit(scanner, rows), SHOW)


def databases(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("SHOW")
    scanner.accept("TERSE")
    scanner.expect("DATABASES")
    like = like_filter(scanner)
    session = statement.session
    columns = [
        ("created_on", LTZ),
        *texts(
            "name",
            "is_default",
            "is_current",
            "origin",
            "owner",
            "comment",
            "options",
            "retention_time",
            "kind",
        ),
    ]
    rows = [
        (moment(d.created), d.name, "N", "Y" if d.name == session.database else "N", "", OWNER, d.comment, "", str(d.retention_days), "STANDARD")
        for d in statement.store.catalog.databases.values()
        if like(d.name) and statement.rights.sees(d)
    ]  # fmt: skip
    return rows_result(columns, _limit(scanner, rows), SHOW)


def warehouses(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("SHOW", "WAREHOUSES")
    like = like_filter(scanner)
    current = statement.session.warehouse
    columns = [*texts("name", "state", "type", "size"), ("min_cluster_count", NUMBER), ("max_cluster_count", NUMBER), ("running", NUMBER),
               ("queued", NUMBER), *texts("is_default", "is_current"), ("auto_suspend", NUMBER), *texts("auto_resume"),
               ("created_on", LTZ), *texts("owner", "comment")]  # fmt: skip
    running = [q.warehouse for q in statement.queries.running()]
    rows = [
        (w.name, w.state, "STANDARD", w.size, 1, 1, running.count(w.name), 0, "N", "Y" if w.name == current else "N", w.auto_suspend,
         str(w.auto_resume).lower(), moment(w.created), OWNER, w.comment)
        for w in statement.store.catalog.warehouses.values()
        if like(w.name) and statement.rights.sees(w)
    ]  # fmt: skip
    return rows_result(columns, rows, SHOW)


def roles(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("SHOW", "ROLES")
    like = like_filter(scanner)
    rows = [
        (None, r, "Y" if r == statement.session.role else "N")
        for r in statement.store.catalog.roles
        if like(r)
    ]
    return rows_result([("created_on", LTZ), *texts("name", "is_current")], rows, SHOW)


def empty(statement: Statement) -> Result:
    """SHOW STREAMS, TASKS, …: none are kept here."""
    return rows_result([("created_on", LTZ), *texts("name")], [], SHOW)


def parameters(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("SHOW", "PARAMETERS")
    like = like_filter(scanner)
    if scanner.accept("IN", "TABLE"):
        _, table = one_table(statement, scanner)
        days, level = table.retention_days, "" if table.retention_days is None else "TABLE"
        row = ("DATA_RETENTION_TIME_IN_DAYS", str(1 if days is None else days), "1", level, "", "NUMBER")
        names = texts("key", "value", "default", "level", "description", "type")
        return rows_result(names, [row] if like(row[0]) else [], SHOW)
    values = statement.session.parameters
    kinds = {bool: "BOOLEAN", int: "NUMBER", str: "STRING"}
    rows = [
        (
            name,
            values[name],
            known.default,
            values.level(name),
            known.description,
            kinds[known.kind],
        )
        for name, known in KNOWN.items()
        if like(name)
    ]
    return rows_result(texts("key", "value", "default", "level", "description", "type"), rows, SHOW)
