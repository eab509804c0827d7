"""The facts of one table: DESCRIBE TABLE, SHOW KEYS, SHOW COLUMNS."""

from __future__ import annotations

import json
from typing import Any

from sandbox.snowflake import errors
from sandbox.snowflake.catalog import sftypes
from sandbox.snowflake.catalog.catalog import Column, Table
from sandbox.snowflake.catalog.information_schema import constraint_name, moment
from sandbox.snowflake.catalog.names import ObjectName, show
from sandbox.snowflake.catalog.results import DESCRIBE, SHOW, Result, rows_result
from sandbox.snowflake.catalog.sftypes import LTZ
from sandbox.snowflake.rewriting.scanner import Scanner
from sandbox.snowflake.sql.listing import NUMBER, in_scope, like_filter, texts
from sandbox.snowflake.sql.statement import Statement


def one_table(statement: Statement, scanner: Scanner) -> tuple[ObjectName, Table]:
    parts = scanner.name()
    reader = statement.reader()
    name = reader.place(parts, "DESCRIBE")
    statement.store.catalog.schema(name.database, name.schema)
    if statement.store.catalog.find_table(name) is None:
        raise errors.missing("Table", ".".join(show(p) for p in parts))
    return name, reader.find(name)


def describe_table(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.next()
    scanner.accept("TABLE") or scanner.accept("VIEW")
    _, table = one_table(statement, scanner)
    columns = texts("name", "type", "kind", "null?", "default", "primary key", "unique key", "check", "expression", "comment",
                     "policy name", "privacy domain")  # fmt: skip
    unique = {c for key in table.unique_keys for c in key}
    rows = [
        (c.name, str(c.type), "VIRTUAL" if c.expression or table.external else "COLUMN", "Y" if c.nullable else "N", c.default, "Y" if c.name in table.primary_key else "N",
         "Y" if c.name in unique else "N", None, c.expression or None, c.comment, c.policy, None)
        for c in table.columns
    ]  # fmt: skip
    return rows_result(columns, rows, DESCRIBE)


def keys(statement: Statement) -> Result:
    """SHOW PRIMARY KEYS, UNIQUE KEYS, IMPORTED KEYS."""
    scanner = statement.scanner()
    scanner.expect("SHOW")
    kind = scanner.next().text.upper()
    scanner.expect("KEYS")
    columns = [("created_on", LTZ), *texts("database_name", "schema_name", "table_name", "column_name"), ("key_sequence", NUMBER),
               *texts("constraint_name", "rely", "comment")]  # fmt: skip
    if scanner.looking_at("IN", "TABLE"):
        scanner.next()
        scanner.next()
        found = [one_table(statement, scanner)]
    else:
        found = [
            (ObjectName(d.name, s.name, t.name), t)
            for d, s in in_scope(statement, scanner)
            for t in s.tables.values()
            if statement.rights.sees(t, d)
        ]
    rows = []
    for name, table in found:
        listed = [table.primary_key] if kind == "PRIMARY" else table.unique_keys if kind == "UNIQUE" else []
        for index, key in enumerate(listed, start=0 if kind == "PRIMARY" else 1):
            rows += [
                (moment(table.created), name.database, name.schema, name.name, column, position, constraint_name(table, index), "false", None)
                for position, column in enumerate(key, start=1)
            ]  # fmt: skip
    return rows_result(columns, rows, SHOW)


def columns(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("SHOW", "COLUMNS")
    like = like_filter(scanner)
    if scanner.accept("IN", "TABLE") or scanner.accept("IN", "VIEW"):
        found = [one_table(statement, scanner)]
    else:
        found = [
            (ObjectName(d.name, s.name, t.name), t)
            for d, s in in_scope(statement, scanner)
            for t in s.tables.values()
            if statement.rights.sees(t, d)
        ]
    names = texts("table_name", "schema_name", "column_name", "data_type", "null?", "default", "kind", "expression", "comment",
                   "database_name", "autoincrement")  # fmt: skip
    rows = [
        (n.name, n.schema, c.name, _data_type(c), str(c.nullable).lower(), c.default or "", "VIRTUAL_COLUMN" if c.expression or t.external else "COLUMN", c.expression, c.comment or "", n.database, "")
        for n, t in found
        for c in t.columns
        if like(c.name)
    ]  # fmt: skip
    return rows_result(names, rows, SHOW)


def _data_type(column: Column) -> str:
    kind = column.type
    found: dict[str, Any] = {"type": {"NUMBER": "FIXED", "FLOAT": "REAL"}.get(kind.name, kind.name)}
    if kind.name == "NUMBER":
        found |= {"precision": kind.precision, "scale": kind.scale}
    elif kind.name in {"TIME", *sftypes.TIMESTAMPS}:
        found |= {"precision": 0, "scale": kind.digits}
    elif kind.name in {"TEXT", "BINARY"}:
        found |= {"length": kind.length, "byteLength": kind.length, "fixed": kind.name == "BINARY"}
    return json.dumps(found | {"nullable": column.nullable}, separators=(",", ":"))
