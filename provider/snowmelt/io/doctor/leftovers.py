"""Finding and removing what dead runs left behind."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg

from snowmelt.core.doctor import leftovers as said
from snowmelt.core.doctor.findings import Finding, Remedy, Status, found, snowflake_sql
from snowmelt.core.unload.statements import Location, build_remove
from snowmelt.errors import SnowmeltError
from snowmelt.io.failures.postgres import postgres_failures
from snowmelt.io.failures.s3 import s3_failures
from snowmelt.io.publish.deferred import list_deferred, restore_indexes
from snowmelt.io.publish.staging import drop_staging, list_leftovers
from snowmelt.io.snowflake import Connection as SnowflakeConnection
from snowmelt.io.snowflake import cancel_query, read_rows

Connection = psycopg.Connection[Any]


def check_postgres(connection: Connection, conn_id: str, hours: int, *, remove: bool) -> list[Finding]:
    """Staging tables, idle and prepared transactions in one target database; removed where that is wished."""
    return [
        # Sessions first: one that is ended lets its staging table go.
        *_check_sessions(connection, conn_id, hours, remove=remove),
        *_check_staging(connection, conn_id, hours, remove=remove),
        *_check_indexes(connection, conn_id, hours, remove=remove),
    ]


def _check_staging(connection: Connection, conn_id: str, hours: int, *, remove: bool) -> list[Finding]:
    with postgres_failures("Looking for staging tables"):
        tables = list_leftovers(connection)
        signs = _read_signs(connection, [table.mark.run_id for table in tables])
    now = datetime.now(UTC)
    findings = []
    for table in tables:
        sign = signs.get(table.mark.run_id)
        if not said.is_dead(sign, said.parse_made_at(table.mark.created_at), now, hours):
            continue
        if connection.execute(said.READ_IN_USE, (table.schema, table.name)).fetchone() == (True,):
            continue
        finding = said.describe_staging(table, sign, hours)
        if remove:
            try:
                with postgres_failures(f"Dropping {finding.subject}"):
                    drop_staging(connection, table.schema, table.name)
            except SnowmeltError as error:
                findings.append(found(finding.check, finding.subject, Status.WRONG, error, finding.remedy))
                continue
            finding = _removed(finding)
        findings.append(finding)
    return findings or [_none("Staging tables", conn_id, f"none of a dead run ({len(tables)} of live ones)")]


def _check_indexes(connection: Connection, conn_id: str, hours: int, *, remove: bool) -> list[Finding]:
    """Indexes that a run dropped before its publish, and died before it built them again."""
    if connection.execute(said.DEFERRED_EXISTS).fetchone() != (True,):
        return [_none("Indexes", conn_id, "none was ever dropped")]
    with postgres_failures("Looking for dropped indexes"):
        dropped = list_deferred(connection, hours)
    findings = []
    for schema, table, index, run_id, statements in dropped:
        finding = said.describe_deferred(schema, table, index, run_id, statements)
        if remove:
            try:
                with postgres_failures(f"Building {finding.subject}"):
                    restore_indexes(connection, schema, table)
                finding = found(finding.check, finding.subject, Status.OK, f"built again: {finding.found}")
            except SnowmeltError as error:
                finding = found(finding.check, finding.subject, Status.WRONG, error, finding.remedy)
        findings.append(finding)
    return findings or [_none("Indexes", conn_id, "every index that a publish dropped is there again")]


def _read_signs(connection: Connection, run_ids: Sequence[str]) -> dict[str, said.LastSign]:
    if connection.execute(said.LEDGER_EXISTS).fetchone() != (True,):
        return {}
    rows = connection.execute(said.READ_LAST_SIGNS, (list(run_ids),)).fetchall()
    return {run_id: said.LastSign(outcome, at) for run_id, outcome, at in rows}


def _check_sessions(connection: Connection, conn_id: str, hours: int, *, remove: bool) -> list[Finding]:
    with postgres_failures("Looking for idle transactions"):
        idle = connection.execute(said.READ_IDLE, (said.APPLICATION_NAME, hours)).fetchall()
        prepared = connection.execute(said.READ_PREPARED, (hours,)).fetchall()
    findings = [*map(said.describe_idle, idle), *map(said.describe_prepared, prepared)]
    if remove:
        findings = [_run_remedy(connection, finding) for finding in findings]
    return findings or [_none("Sessions", conn_id, "no transaction of Snowmelt sits idle or prepared")]


def _run_remedy(connection: Connection, finding: Finding) -> Finding:
    try:
        with postgres_failures(f"Removing {finding.subject}"):
            for step in finding.remedy.steps if finding.remedy else ():
                connection.execute(step)
    except SnowmeltError as error:
        return found(finding.check, finding.subject, Status.WRONG, error, finding.remedy)
    return _removed(finding)


def check_queries(
    session: SnowflakeConnection, conn_id: str, database: str, hours: int, *, remove: bool
) -> list[Finding]:
    """Queries of Snowmelt that run for too long.

    :param database: any that the role may use: its INFORMATION_SCHEMA is asked.
    """
    try:
        rows = read_rows(session, said.build_query_history(database, hours), "Reading the query history")
    except SnowmeltError as error:
        text = f"the query history cannot be read: {error}"
        advice = Remedy("Snowflake", ("Look in Snowsight for running queries with the tag snowmelt.",))
        return [found("Queries", conn_id, Status.ATTENTION, text, advice)]
    findings = []
    for query_id, tag, started in rows:
        finding = said.describe_query(str(query_id), str(tag), started)
        if remove:
            try:
                cancel_query(session, str(query_id))
                finding = _removed(finding)
            except SnowmeltError as error:
                finding = found("Queries", finding.subject, Status.WRONG, error, finding.remedy)
        findings.append(finding)
    return findings or [_none("Queries", conn_id, f"no query of Snowmelt runs for {hours} hours")]


def check_test_files(
    session: SnowflakeConnection, client: Any, location: Location, prefix: str, hours: int, *, remove: bool
) -> list[Finding]:
    """Files of a doctor that died.

    :param prefix: path below the stage's URL, up to and with `doctor_`.
    """
    key = location.key(prefix)
    with s3_failures(f"Listing s3://{location.bucket}/{key}"):
        entries = client.list_objects_v2(Bucket=location.bucket, Prefix=key).get("Contents", ())
    now = datetime.now(UTC)
    old = [
        str(entry["Key"]) for entry in entries if (now - entry["LastModified"]).total_seconds() > hours * 3600
    ]
    folders = sorted({one[len(key) :].split("/", 1)[0] for one in old if "/" in one[len(key) :]})
    if not folders:
        return [_none("Test files", f"s3://{location.bucket}/{key}*", "none")]
    findings = []
    for folder in folders:
        path = f"{prefix}{folder}/"
        where = f"s3://{location.bucket}/{location.key(path)}"
        remedy = snowflake_sql(build_remove(location, path)) if location.stage else None
        finding = found("Test files", where, Status.WRONG, "files of an earlier doctor", remedy)
        if remove and remedy is not None:
            try:
                read_rows(session, remedy.steps[0], f"Removing {where}")
                finding = _removed(finding)
            except SnowmeltError as error:
                finding = found("Test files", where, Status.WRONG, error, remedy)
        findings.append(finding)
    return findings


def _removed(finding: Finding) -> Finding:
    return found(finding.check, finding.subject, Status.OK, f"removed: {finding.found}")


def _none(check: str, subject: str, text: str) -> Finding:
    return found(check, subject, Status.OK, text)
