"""One configured table: readable, with time travel, without policies that hide something, and with a place in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from snowmelt.config.request import MigrationRequest, match_columns
from snowmelt.doctor import findings as remedies
from snowmelt.doctor.assumptions import judge
from snowmelt.doctor.findings import Finding, Remedy, Status, found, postgres_sql
from snowmelt.doctor.snowflake import read_kind, read_role
from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.drivers.snowflake import (
    Connection,
    read_columns,
    read_named_rows,
    read_now,
    read_object,
    read_rows,
)
from snowmelt.drivers.snowflake_errors import NO_TIME_TRAVEL
from snowmelt.drivers.snowflake_policies import build_references, read_policies
from snowmelt.errors import SchemaError, SnowmeltError, SourceError
from snowmelt.publish.obstacles import plan_intent
from snowmelt.publish.rights import build_statements
from snowmelt.publish.target import read_obstacles, read_target
from snowmelt.rights.snowflake import SourceKind, build_tracking
from snowmelt.sql.names import TableName, snowflake_identifier, snowflake_literal
from snowmelt.types.column_plan import plan_columns
from snowmelt.types.columns import SourceColumn
from snowmelt.types.policies import PolicyKind
from snowmelt.unload.statements import build_source, build_tracking_probe
from snowmelt.vocabulary import FileFormat, LongNames, Mode, SchemaDrift


def check_source(
    session: Connection, postgres: psycopg.Connection[Any], request: MigrationRequest
) -> list[Finding]:
    """Whether the role reads the table and every column has a place; then its time travel and its policies."""
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
    selected = ", ".join(column.select for column in planned.columns)
    try:
        read_rows(
            session, f"SELECT {selected} FROM {table.sql} LIMIT 0", f"Reading the copied columns of {table}"
        )
    except SnowmeltError as error:
        advice = "Use a role that the policies on it let through, or exclude or correct the columns that Snowflake names."
        return [
            found(
                "Source",
                str(table),
                Status.WRONG,
                error,
                Remedy("Snowflake or the configuration file", (advice,)),
            ),
            _check_policies(session, table, columns, {column.source for column in planned.columns}),
        ]
    text = f"{len(planned.columns)} of {len(columns)} columns are copied"
    copied = {column.source for column in planned.columns}
    return [
        found("Source", str(table), Status.OK, text),
        _check_retention(session, table, Mode(request.mode)),
        _check_tracking(session, table, Mode(request.mode)),
        _check_policies(session, table, columns, copied),
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


def _check_retention(session: Connection, table: TableName, mode: Mode) -> Finding:
    rows = read_named_rows(
        session,
        f"SHOW PARAMETERS LIKE 'DATA_RETENTION_TIME_IN_DAYS' IN TABLE {table.sql}",
        f"Reading the retention of {table}",
    )
    days = int(rows[0]["value"]) if rows else 0
    if days < 1:
        text = "retention is 0 days: chunks cannot read one snapshot, so the copy of a table that changes meanwhile may differ"
        return found("Time travel", str(table), Status.ATTENTION, text, remedies.set_retention(table))
    if mode is Mode.CHANGES and days <= 1:
        text = (
            "retention is 1 day: a nightly run in mode changes reads from a little more than a day ago, which Snowflake no longer has then. "
            "Where the edition allows no longer retention, schedule the run several times a day"
        )
        return found("Time travel", str(table), Status.ATTENTION, text, remedies.set_retention(table, days=7))
    return found("Time travel", str(table), Status.OK, f"retention in days: {days}")


def _check_tracking(session: Connection, table: TableName, mode: Mode) -> Finding:
    """Whether Snowflake records what changes in the table, which mode `changes` reads."""
    if mode is not Mode.CHANGES:
        return found("Change tracking", str(table), Status.OK, f"mode {mode} does not need it")
    sql = build_tracking_probe(table.sql, read_now(session))
    try:
        read_rows(session, sql, f"Reading what has changed in {table}")
    except SourceError as error:
        statement = build_tracking(table, read_kind(session, table) or SourceKind.TABLE)
        advice = (
            statement or "Choose mode incremental or full: Snowflake tracks no changes of such an object."
        )
        remedy = Remedy("Snowflake", (advice,), "sql" if statement else "")
        return found("Change tracking", str(table), Status.WRONG, error, remedy)
    return found("Change tracking", str(table), Status.OK, "Snowflake records what changes, for mode changes")


def _check_policies(
    session: Connection, table: TableName, columns: Sequence[SourceColumn], copied: set[str]
) -> Finding:
    """What Snowflake's policies hide from the role; OK only where the role is told of all, and there are none."""
    source = read_object(session, table)
    policies = read_policies(session, table, source, columns).on(copied)
    text = policies.describe()
    if text is None:
        return found("Policies", str(table), Status.OK, "Snowflake lists no policy on it to its owner")
    view = source is not None and source.is_view
    looks = [build_references(table, view=view)]
    masked = sorted({use.column for use in policies.of(PolicyKind.MASKING) if use.column})
    if masked:
        named = ", ".join(snowflake_identifier(column) for column in masked)
        looks.append(f"SELECT {named} FROM {table.sql} LIMIT 5")
    role = snowflake_identifier(policies.role)
    if policies.uses:
        looks.append(f"GRANT ROLE <a role that the policies let through> TO ROLE {role}")
        text = f"{text}. Look at its rows as that role; where something is hidden that should be copied, let the policy pass the role."
    else:
        text = f"{text}. The first statement, run by the owner, lists them."
    return found("Policies", str(table), Status.ATTENTION, text, Remedy("Snowflake", tuple(looks), "sql"))


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


#: What planning reads of DESCRIBE TABLE and of SHOW OBJECTS.
_DESCRIBED = frozenset({"name", "type", "null?", "primary key", "policy name"})
_SHOWN = frozenset({"name", "kind", "created_on", "owner"})


def check_metadata(session: Connection, table: TableName) -> Finding:
    """The assumption that what planning reads of a table has the columns that are read."""
    schema = snowflake_identifier(table.database, table.schema)
    described = read_named_rows(session, f"DESCRIBE TABLE {table.sql}", f"Describing {table}")
    objects = read_named_rows(
        session,
        f"SHOW OBJECTS LIKE {snowflake_literal(table.table)} IN SCHEMA {schema}",
        f"Looking for {table}",
    )
    missing = [
        f"{statement}: {column}"
        for statement, wanted, rows in (
            ("DESCRIBE TABLE", _DESCRIBED, described),
            ("SHOW OBJECTS", _SHOWN, objects),
        )
        for column in sorted(wanted.difference(*rows[:1]))
    ]
    return judge("metadata columns", [], missing)


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
