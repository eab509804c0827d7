"""INFORMATION_SCHEMA views and QUERY_HISTORY, made from the catalog at the moment they are read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sandbox.snowflake import errors
from sandbox.snowflake.catalog import sftypes
from sandbox.snowflake.catalog.catalog import Column, Database, Schema, Table
from sandbox.snowflake.catalog.names import quote
from sandbox.snowflake.catalog.queries import Queries, history_row
from sandbox.snowflake.catalog.results import Result, rows_result
from sandbox.snowflake.catalog.rights import Rights
from sandbox.snowflake.catalog.sftypes import LTZ, TEXT, number
from sandbox.snowflake.catalog.store import Store

_N = number()

_COLUMNS = [
    ("TABLE_CATALOG", TEXT), ("TABLE_SCHEMA", TEXT), ("TABLE_NAME", TEXT), ("COLUMN_NAME", TEXT), ("ORDINAL_POSITION", _N),
    ("COLUMN_DEFAULT", TEXT), ("IS_NULLABLE", TEXT), ("DATA_TYPE", TEXT), ("CHARACTER_MAXIMUM_LENGTH", _N),
    ("CHARACTER_OCTET_LENGTH", _N), ("NUMERIC_PRECISION", _N), ("NUMERIC_PRECISION_RADIX", _N), ("NUMERIC_SCALE", _N),
    ("DATETIME_PRECISION", _N), ("COLLATION_NAME", TEXT), ("IS_IDENTITY", TEXT), ("COMMENT", TEXT),
]  # fmt: skip
_TABLES = [
    ("TABLE_CATALOG", TEXT), ("TABLE_SCHEMA", TEXT), ("TABLE_NAME", TEXT), ("TABLE_OWNER", TEXT), ("TABLE_TYPE", TEXT),
    ("IS_TRANSIENT", TEXT), ("CLUSTERING_KEY", TEXT), ("ROW_COUNT", _N), ("BYTES", _N), ("RETENTION_TIME", _N),
    ("CREATED", LTZ), ("LAST_ALTERED", LTZ), ("LAST_DDL", LTZ), ("AUTO_CLUSTERING_ON", TEXT), ("COMMENT", TEXT),
]  # fmt: skip
_VIEWS = [
    ("TABLE_CATALOG", TEXT), ("TABLE_SCHEMA", TEXT), ("TABLE_NAME", TEXT), ("TABLE_OWNER", TEXT), ("VIEW_DEFINITION", TEXT),
    ("IS_SECURE", TEXT), ("CREATED", LTZ), ("COMMENT", TEXT),
]  # fmt: skip
_SCHEMATA = [
    ("CATALOG_NAME", TEXT), ("SCHEMA_NAME", TEXT), ("SCHEMA_OWNER", TEXT), ("IS_TRANSIENT", TEXT), ("RETENTION_TIME", _N),
    ("CREATED", LTZ), ("COMMENT", TEXT),
]  # fmt: skip
_DATABASES = [
    ("DATABASE_NAME", TEXT), ("DATABASE_OWNER", TEXT), ("IS_TRANSIENT", TEXT), ("COMMENT", TEXT), ("CREATED", LTZ),
    ("RETENTION_TIME", _N),
]  # fmt: skip
_STAGES = [
    ("STAGE_CATALOG", TEXT), ("STAGE_SCHEMA", TEXT), ("STAGE_NAME", TEXT), ("STAGE_URL", TEXT), ("STAGE_REGION", TEXT),
    ("STAGE_TYPE", TEXT), ("STAGE_OWNER", TEXT), ("COMMENT", TEXT), ("CREATED", LTZ),
]  # fmt: skip
_CONSTRAINTS = [
    ("CONSTRAINT_CATALOG", TEXT), ("CONSTRAINT_SCHEMA", TEXT), ("CONSTRAINT_NAME", TEXT), ("TABLE_CATALOG", TEXT),
    ("TABLE_SCHEMA", TEXT), ("TABLE_NAME", TEXT), ("CONSTRAINT_TYPE", TEXT), ("ENFORCED", TEXT),
]  # fmt: skip
_HISTORY = [
    ("QUERY_ID", TEXT), ("QUERY_TEXT", TEXT), ("DATABASE_NAME", TEXT), ("SCHEMA_NAME", TEXT), ("SESSION_ID", _N),
    ("USER_NAME", TEXT), ("ROLE_NAME", TEXT), ("WAREHOUSE_NAME", TEXT), ("QUERY_TAG", TEXT), ("EXECUTION_STATUS", TEXT),
    ("ERROR_CODE", TEXT), ("ERROR_MESSAGE", TEXT), ("START_TIME", LTZ), ("END_TIME", LTZ), ("TOTAL_ELAPSED_TIME", _N),
    ("BYTES_SCANNED", _N), ("ROWS_PRODUCED", _N),
]  # fmt: skip

OWNER = "SYSADMIN"


def moment(seconds: float | None) -> datetime | None:
    return None if not seconds else datetime.fromtimestamp(seconds, UTC)


def view(store: Store, rights: Rights, database: str, name: str) -> Result:
    """What the session's roles have any privilege on, and no more."""
    with store.catalog.lock:
        found = _seen(rights, store.catalog.database(database))
        match name:
            case "COLUMNS":
                return rows_result(_COLUMNS, _column_rows(found))
            case "TABLES":
                return rows_result(_TABLES, _table_rows(store, found))
            case "VIEWS":
                return rows_result(_VIEWS, _view_rows(found))
            case "SCHEMATA":
                return rows_result(_SCHEMATA, _schema_rows(found))
            case "DATABASES":
                rows = [(d.name, OWNER, "NO", d.comment or None, moment(d.created), d.retention_days)
                        for d in store.catalog.databases.values() if rights.sees(d)]  # fmt: skip
                return rows_result(_DATABASES, rows)
            case "STAGES":
                return rows_result(_STAGES, _stage_rows(found))
            case "TABLE_CONSTRAINTS":
                return rows_result(_CONSTRAINTS, _constraint_rows(found))
    raise errors.missing_object(f"{database}.INFORMATION_SCHEMA.{name}")


def _seen(rights: Rights, database: Database) -> Database:
    """The database with what the roles see in it."""

    def kept(objects: dict[str, Any]) -> dict[str, Any]:
        return {name: found for name, found in objects.items() if rights.sees(found, database)}

    schemas = {
        name: replace(schema, tables=kept(schema.tables), stages=kept(schema.stages))
        for name, schema in kept(database.schemas).items()
    }
    return replace(database, schemas=schemas)


def _tables(database: Database) -> list[tuple[Schema, Table]]:
    return [(s, t) for s in database.schemas.values() for t in s.tables.values()]


def _column_rows(database: Database) -> list[tuple[Any, ...]]:
    return [
        (database.name, schema.name, table.name, *_column_row(position, column))
        for schema, table in _tables(database)
        for position, column in enumerate(table.columns, start=1)
    ]


def _column_row(position: int, column: Column) -> tuple[Any, ...]:
    kind = column.type
    text, binary, numeric = kind.name == "TEXT", kind.name == "BINARY", kind.name == "NUMBER"
    length = (kind.length or sftypes.MAX_TEXT) if text else None
    octets = (
        min(length * 4, sftypes.MAX_TEXT)
        if length
        else (kind.length or sftypes.MAX_BINARY)
        if binary
        else None
    )
    temporal = kind.name in {"TIME", *sftypes.TIMESTAMPS}
    return (
        column.name,
        position,
        column.default,
        "YES" if column.nullable else "NO",
        kind.name,
        length,
        octets,
        kind.precision if numeric else None,
        10 if numeric else None,
        kind.scale if numeric else None,
        kind.digits if temporal else 0 if kind.name == "DATE" else None,
        None,
        "NO",
        column.comment,
    )


def row_count(store: Store, table: Table) -> int | None:
    if table.kind == "VIEW":
        return None
    connection = store.cursor()
    try:
        row = connection.execute(f"SELECT count(*) FROM {quote(table.storage)}").fetchone()
        return int(row[0]) if row else None
    finally:
        connection.close()


def _table_rows(store: Store, database: Database) -> list[tuple[Any, ...]]:
    rows = []
    for schema, table in _tables(database):
        base = table.kind == "TABLE"
        kind = "LOCAL TEMPORARY" if table.temporary_of is not None else "BASE TABLE" if base else "VIEW"
        kind = "MATERIALIZED VIEW" if table.materialized else "EXTERNAL TABLE" if table.external else kind
        count = row_count(store, table)
        size = (count or 0) * len(table.columns) * 8 if base else None  # roughly
        retention = (1 if table.retention_days is None else table.retention_days) if base else None
        rows.append(
            (database.name, schema.name, table.name, OWNER, kind, "YES" if table.transient else "NO" if base else None,
             table.clustering or None, count, size, retention, moment(table.created), moment(table.altered or table.created),
             moment(table.created), "YES" if table.clustering else "NO", table.comment or None)
        )  # fmt: skip
    return rows


def _view_rows(database: Database) -> list[tuple[Any, ...]]:
    return [
        (database.name, s.name, t.name, OWNER, t.query, "NO", moment(t.created), t.comment or None)
        for s, t in _tables(database)
        if t.kind == "VIEW"
    ]


def _schema_rows(database: Database) -> list[tuple[Any, ...]]:
    rows = [
        (database.name, s.name, OWNER, "NO", s.retention_days, moment(s.created), s.comment or None)
        for s in database.schemas.values()
    ]
    return [
        *rows,
        (
            database.name,
            "INFORMATION_SCHEMA",
            "",
            "NO",
            1,
            moment(database.created),
            "Views describing the contents of schemas in this database",
        ),
    ]


def _stage_rows(database: Database) -> list[tuple[Any, ...]]:
    return [
        (database.name, schema.name, s.name, s.url or None, "us-east-1" if s.url else None,
         "External Named" if s.url else "Internal Named", OWNER, s.comment or None, moment(s.created))
        for schema in database.schemas.values()
        for s in schema.stages.values()
    ]  # fmt: skip


def _constraint_rows(database: Database) -> list[tuple[Any, ...]]:
    rows = []
    for schema, table in _tables(database):
        keys = [("PRIMARY KEY", table.primary_key)] if table.primary_key else []
        keys += [("UNIQUE", key) for key in table.unique_keys]
        for number_, (kind, _) in enumerate(keys):
            name = constraint_name(table, number_)
            rows.append(
                (database.name, schema.name, name, database.name, schema.name, table.name, kind, "NO")
            )
    return rows


def constraint_name(table: Table, index: int) -> str:
    return f"SYS_CONSTRAINT_{table.storage[2:]}_{index}"


def account_history(queries: Queries, rights: Rights) -> Result:
    """SNOWFLAKE.ACCOUNT_USAGE.QUERY_HISTORY, without its latency; of its columns, those of INFORMATION_SCHEMA and ROWS_UNLOADED.

    docs.snowflake.com/en/sql-reference/account-usage/query_history: for who has the privileges on the database SNOWFLAKE, here
    for sessions without limits alone.
    """
    if not rights.unlimited:
        raise errors.missing("Database", "SNOWFLAKE")
    times = {"START_TIME", "END_TIME"}
    columns = [*_HISTORY, ("ROWS_UNLOADED", _N)]
    values = [
        tuple(moment(r.get(n)) if n in times else r.get(n) for n, _ in columns) for r in queries.history
    ]
    return rows_result(columns, values)


def query_history(queries: Queries, rights: Rights) -> Result:
    """Newest first, running statements included: the user's own, and those of the warehouses that its roles may monitor."""
    rows = [history_row(q) for q in queries.running()] + queries.history
    rows = [
        r for r in rows if r["USER_NAME"] == rights.session.user or rights.may_monitor(r["WAREHOUSE_NAME"])
    ]
    ordered = sorted(rows, key=lambda r: r["START_TIME"], reverse=True)[:10_000]
    times = {"START_TIME", "END_TIME"}
    values = [tuple(moment(r[n]) if n in times else r[n] for n, _ in _HISTORY) for r in ordered]
    return rows_result(_HISTORY, values)
