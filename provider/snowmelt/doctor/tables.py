"""One configured table: readable, with time travel, unmasked, and with a place in PostgreSQL."""

from __future__ import annotations

from typing import Any

import psycopg

from snowmelt.config.request import MigrationRequest, match_columns
from snowmelt.doctor import remedies
from snowmelt.doctor.assumptions import judge
from snowmelt.doctor.findings import Finding, Remedy, Status, found
from snowmelt.doctor.snowflake import read_role
from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.drivers.snowflake import Connection, read_columns, read_named_rows, read_now, read_rows
from snowmelt.errors import SchemaError, SnowmeltError, SourceError
from snowmelt.publish.target import obstacles_to, read_target
from snowmelt.sql.names import TableName, match_name, snowflake_identifier
from snowmelt.types.column_plan import plan_columns
from snowmelt.types.type_table import FileFormat
from snowmelt.unload.statements import build_source
from snowmelt.vocabulary import PublishMethod

_READ_SCHEMA = """
SELECT to_regnamespace(quote_ident(%(schema)s)) IS NOT NULL,
       coalesce(has_schema_privilege(to_regnamespace(quote_ident(%(schema)s))::oid, 'CREATE'), false)
"""
_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
_NO_TIME_TRAVEL = "000707"


def check_source(
    session: Connection, postgres: psycopg.Connection[Any], request: MigrationRequest
) -> list[Finding]:
    """Whether the role reads the table and every column has a place; then its time travel and its masks."""
    table = request.source
    try:
        columns = read_columns(session, table)
        read_rows(session, f"SELECT 1 FROM {table.sql} LIMIT 0", f"Reading {table}")
    except SnowmeltError as error:
        return [
            found("Source", str(table), Status.WRONG, error, remedies.grant_source(table, read_role(session)))
        ]
    try:
        request = match_columns(request, [column.name for column in columns])
        target = read_target(postgres, request.target_schema, request.target_table)
        planned = plan_columns(
            columns,
            target.columns if target is not None else None,
            request.columns,
            FileFormat(request.file_format),
            long_names=request.policies.long_names,
            schema_drift=request.policies.schema_drift,
        )
    except SnowmeltError as error:
        advice = "Exclude, rename or mask the columns, or change their types, under `columns` of the table."
        if not isinstance(error, SchemaError):
            advice = "Correct the names of the table's columns."
        remedy = Remedy("the configuration file", (advice,))
        return [found("Source", str(table), Status.WRONG, error, remedy)]
    text = f"{len(planned.columns)} of {len(columns)} columns are copied"
    copied = {column.source for column in planned.columns}
    masked = {match_name(name, copied) for name in request.columns.mask}
    return [
        found("Source", str(table), Status.OK, text),
        _check_retention(session, table),
        _check_masks(session, table, {name for name in copied if name not in masked}),
    ]


def _check_retention(session: Connection, table: TableName) -> Finding:
    rows = read_named_rows(
        session,
        f"SHOW PARAMETERS LIKE 'DATA_RETENTION_TIME_IN_DAYS' IN TABLE {table.sql}",
        f"Reading the retention of {table}",
    )
    days = int(rows[0]["value"]) if rows else 0
    if days < 1:
        text = "retention is 0 days: chunks cannot read one snapshot, so a table that is written to meanwhile may differ"
        return found("Time travel", str(table), Status.ATTENTION, text, remedies.set_retention(table))
    return found("Time travel", str(table), Status.OK, f"retention in days: {days}")


def _check_masks(session: Connection, table: TableName, copied: set[str]) -> Finding:
    described = read_named_rows(session, f"DESCRIBE TABLE {table.sql}", f"Reading the policies of {table}")
    policies = {str(row["name"]): str(row["policy name"]) for row in described if row.get("policy name")}
    hit = sorted(set(policies) & copied)
    if not hit:
        return found("Masking", str(table), Status.OK, "no masking policy on a copied column")
    named = ", ".join(f'"{column}" by {policies[column]}' for column in hit)
    role = read_role(session)
    text = (
        f"masking policies stand on {named}: what the role {role} sees is what is copied, masked or not. "
        "Look at a row as that role; if it is masked and should not be, let the policy pass the role, or use another one."
    )
    advice = Remedy(
        "Snowflake",
        (
            f"SELECT {', '.join(snowflake_identifier(column) for column in hit)} FROM {table.sql} LIMIT 5",
            f"GRANT ROLE <a role that the policy lets through> TO ROLE {snowflake_identifier(role)}",
        ),
        "sql",
    )
    return found("Masking", str(table), Status.ATTENTION, text, advice)


def check_time_travel(session: Connection, table: TableName) -> Finding:
    """The assumption that a table can be read AT Snowflake's own present."""
    now = read_now(session)
    sql = f"SELECT COUNT(*) FROM {build_source(table.sql, now)}"
    try:
        read_rows(session, sql, f"Reading {table} at {now}")
    except SourceError as error:
        if _NO_TIME_TRAVEL in str(error):
            told = f"{table} has no time travel; set its retention to tell"
            return found("Assumption", "time travel", Status.ATTENTION, told, remedies.set_retention(table))
        return judge("time travel", "", error)
    return judge("time travel", "", "")


def check_target(postgres: psycopg.Connection[Any], request: MigrationRequest) -> list[Finding]:
    """Whether the role may make, fill and replace the target as the configured mode does it."""
    schema, table, role = request.target_schema, request.target_table, postgres.info.user
    subject = f"{schema}.{table}"
    with postgres_failures(f"Reading the rights on {subject}"):
        row = postgres.execute(_READ_SCHEMA, {"schema": schema}).fetchone()
    exists, may_create = row or (False, False)
    if not exists:
        text = f"the schema {schema} does not exist"
        return [found("Target", subject, Status.WRONG, text, remedies.create_schema(schema, role))]
    if not may_create:
        text = f"the role {role} may not create in the schema {schema}"
        return [found("Target", subject, Status.WRONG, text, remedies.grant_schema(schema, role))]
    method = _method(request)
    with postgres_failures(f"Reading what stands in the way of {method.value} at {subject}"):
        obstacles = obstacles_to(postgres, method, schema, table)
    if not obstacles:
        return [found("Target", subject, Status.OK, f"{role} may {method.value} it")]
    return [
        found("Target", subject, Status.WRONG, obstacle, _remedy(obstacle, method, schema, table, role))
        for obstacle in obstacles
    ]


def _method(request: MigrationRequest) -> PublishMethod:
    if request.mode == "catch_up":
        return PublishMethod.MERGE
    return PublishMethod(request.publish or "append")


def _remedy(obstacle: str, method: PublishMethod, schema: str, table: str, role: str) -> Remedy | None:
    """The SQL for what a right mends; what else stands in the way says itself what to do."""
    if "neither owns it" in obstacle:
        return remedies.own_table(schema, table, role)
    if "may not create in the schema" in obstacle:
        return remedies.grant_schema(schema, role)
    if "has no right to" in obstacle and method is not PublishMethod.SWAP:
        asked = [right for right in _RIGHTS if right in obstacle.split("has no right to", 1)[1].upper()]
        return remedies.grant_table(schema, table, role, asked or _RIGHTS)
    return None
