"""One configured table: readable, with time travel, unmasked, and with a place in PostgreSQL."""

from __future__ import annotations

from typing import Any

import psycopg

from snowmelt.config.request import MigrationRequest, match_columns
from snowmelt.doctor import remedies
from snowmelt.doctor.assumptions import judge
from snowmelt.doctor.findings import Finding, Remedy, Status, found, postgres_sql
from snowmelt.doctor.snowflake import read_kind, read_role
from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.drivers.snowflake import Connection, read_columns, read_named_rows, read_now, read_rows
from snowmelt.drivers.snowflake_errors import NO_TIME_TRAVEL
from snowmelt.errors import SchemaError, SnowmeltError, SourceError
from snowmelt.publish.obstacles import plan_intent
from snowmelt.publish.rights import build_statements
from snowmelt.publish.target import read_obstacles, read_target
from snowmelt.rights.snowflake import SourceKind
from snowmelt.sql.names import TableName, match_name, snowflake_identifier
from snowmelt.types.column_plan import plan_columns
from snowmelt.unload.statements import build_source
from snowmelt.vocabulary import FileFormat, LongNames, SchemaDrift


def check_source(
    session: Connection, postgres: psycopg.Connection[Any], request: MigrationRequest
) -> list[Finding]:
    """Whether the role reads the table and every column has a place; then its time travel and its masking policies."""
    table = request.source
    try:
        columns = read_columns(session, table)
        read_rows(session, f"SELECT 1 FROM {table.sql} LIMIT 0", f"Reading {table}")
    except SnowmeltError as error:
        return [_unreadable(session, table, error)]
    try:
        request = match_columns(request, [column.name for column in columns])
        target = read_target(postgres, request.target_schema, request.target_table)
        planned = plan_columns(
            columns,
            target.columns if target is not None else None,
            request.columns,
            FileFormat(request.file_format),
            long_names=LongNames(request.policies.long_names),
            schema_drift=SchemaDrift(request.policies.schema_drift),
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


def _unreadable(session: Connection, table: TableName, error: SnowmeltError) -> Finding:
    kind = read_kind(session, table)
    remedy = remedies.grant_source(table, kind or SourceKind.TABLE, read_role(session))
    text = (
        str(error)
        if kind
        else (
            f"{error} The role does not see what it is: a view, dynamic table or external table takes its own word in place of TABLE, and a "
            "database from a share takes IMPORTED PRIVILEGES (setup-sql --source-kind)."
        )
    )
    return found("Source", str(table), Status.WRONG, text, remedy)


def _check_retention(session: Connection, table: TableName) -> Finding:
    rows = read_named_rows(
        session,
        f"SHOW PARAMETERS LIKE 'DATA_RETENTION_TIME_IN_DAYS' IN TABLE {table.sql}",
        f"Reading the retention of {table}",
    )
    days = int(rows[0]["value"]) if rows else 0
    if days < 1:
        text = "retention is 0 days: chunks cannot read one snapshot, so the copy of a table that changes meanwhile may differ"
        return found("Time travel", str(table), Status.ATTENTION, text, remedies.set_retention(table))
    return found("Time travel", str(table), Status.OK, f"retention in days: {days}")


def _check_masks(session: Connection, table: TableName, copied: set[str]) -> Finding:
    described = read_named_rows(session, f"DESCRIBE TABLE {table.sql}", f"Reading the policies of {table}")
    policies = {str(row["name"]): str(row["policy name"]) for row in described if row.get("policy name")}
    hit = sorted(set(policies) & copied)
    if not hit:
        text = "DESCRIBE TABLE shows no masking policy on a copied column; masking by tags and row access policies are not shown there"
        return found("Masking", str(table), Status.OK, text)
    named = ", ".join(f'"{column}" by {policies[column]}' for column in hit)
    role = read_role(session)
    text = (
        f"masking policies apply to {named}: what the role {role} sees is what is copied, masked or not. "
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
        if error.code == NO_TIME_TRAVEL:
            text = f"{table} has no time travel; set its retention first"
            return found("Assumption", "time travel", Status.ATTENTION, text, remedies.set_retention(table))
        return judge("time travel", "", error)
    return judge("time travel", "", "")


def check_target(postgres: psycopg.Connection[Any], request: MigrationRequest) -> list[Finding]:
    """Whether the role may make, fill and replace the target as the configured mode does it."""
    subject = f"{request.target_schema}.{request.target_table}"
    role = postgres.info.user
    intent = plan_intent(request)
    if intent is None:
        return [found("Target", subject, Status.OK, "nothing is loaded: the mode is unload")]
    with postgres_failures(f"Reading what stops {intent.method.value} at {subject}"):
        obstacles = read_obstacles(postgres, intent)
    if not obstacles:
        return [found("Target", subject, Status.OK, f"{role} may {intent.method.value} it")]
    findings = []
    for obstacle in obstacles:
        statements = build_statements(obstacle, intent, role)
        remedy = postgres_sql(*statements) if statements else None
        findings.append(found("Target", subject, Status.WRONG, str(obstacle), remedy))
    return findings
