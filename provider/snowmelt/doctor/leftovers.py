"""What dead runs left behind: finding it, the statement that removes each, and removing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from snowmelt.doctor.findings import Finding, Remedy, Status, found, postgres_sql, snowflake_sql
from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.drivers.s3_errors import s3_failures
from snowmelt.drivers.snowflake import Connection as SnowflakeConnection
from snowmelt.drivers.snowflake import cancel_query, read_rows
from snowmelt.errors import SnowmeltError
from snowmelt.ledger.leftovers import DEFERRED_EXISTS, LEDGER_EXISTS, READ_LAST_ACTIVITY
from snowmelt.publish.index_build import list_deferred, restore_indexes
from snowmelt.publish.staging import drop_staging, list_leftovers
from snowmelt.publish.staging_table import Leftover
from snowmelt.sql.names import (
    TASK_SESSION_PATTERN,
    postgres_identifier,
    postgres_literal,
    snowflake_identifier,
    snowflake_literal,
)
from snowmelt.unload.statements import Location, build_remove

#: Whether a session works on a table: a load or an index build may be silent for longer than a day. Parameters: schema, table.
READ_IN_USE = """
SELECT EXISTS (SELECT FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE l.granted AND l.pid <> pg_backend_pid() AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND n.nspname = %s AND c.relname = %s)
"""
#: Our idle transactions. Parameters: the pattern of our names, hours.
READ_IDLE = """
SELECT pid, usename, state, xact_start, query FROM pg_stat_activity
WHERE application_name ~ %s AND datname = current_database() AND pid <> pg_backend_pid()
  AND state LIKE 'idle in transaction%%' AND xact_start < now() - make_interval(hours => %s)
ORDER BY pid
"""
READ_PREPARED = """
SELECT gid, owner, prepared FROM pg_prepared_xacts
WHERE database = current_database() AND starts_with(gid, 'snowmelt') AND prepared < now() - make_interval(hours => %s) ORDER BY gid
"""


@dataclass(frozen=True, slots=True)
class LastActivity:
    """A run's last activity."""

    outcome: str
    at: datetime


def is_dead(sign: LastActivity | None, made_at: datetime, now: datetime, hours: int) -> bool:
    """Whether a run did nothing for that many hours; a run that the ledger does not know is judged by its table."""
    last = sign.at if sign is not None else made_at
    return last < now - timedelta(hours=hours)


def parse_made_at(text: str) -> datetime:
    """The time in a staging table's mark; one that cannot be read is taken for now, which is never too old."""
    try:
        made = datetime.fromisoformat(text)
    except ValueError:
        return datetime.now(UTC)
    return made if made.tzinfo else made.replace(tzinfo=UTC)


def describe_staging(leftover: Leftover, sign: LastActivity | None, hours: int) -> Finding:
    """One staging table of a dead run."""
    name = postgres_identifier(leftover.schema, leftover.name)
    outcome = f"{sign.outcome}, last active {sign.at:%Y-%m-%d %H:%M} UTC" if sign else "not in the ledger"
    text = (
        f"staging table of run {leftover.mark.run_id} into {leftover.mark.schema}.{leftover.mark.table} ({outcome}), {leftover.bytes:,} bytes. "
        f"It has been silent for {hours} hours. Once dropped, the run cannot be resumed."
    )
    return found("Staging tables", name, Status.WRONG, text, postgres_sql(f"DROP TABLE {name}"))


def describe_deferred(schema: str, table: str, index: str, run_id: str, statements: Sequence[str]) -> Finding:
    """One index that a publish dropped and that was not built again."""
    text = (
        f"index of {postgres_identifier(schema, table)}, dropped by run {run_id} for its publish (defer_indexes) and not built again. "
        "The next run into that table builds it, too."
    )
    return found("Indexes", postgres_identifier(schema, index), Status.WRONG, text, postgres_sql(*statements))


def build_query_history(database: str, hours: int) -> str:
    """Running queries of Snowmelt that began longer ago than that, of this role's users, from the last seven days.

    Source: Snowflake "QUERY_HISTORY" (the table function of INFORMATION_SCHEMA).
    """
    function = f"{snowflake_identifier(database)}.INFORMATION_SCHEMA.QUERY_HISTORY(RESULT_LIMIT => 10000)"
    tag = snowflake_literal('{"app": "snowmelt"%')
    return (
        f"SELECT QUERY_ID, QUERY_TAG, START_TIME FROM TABLE({function}) "
        f"WHERE EXECUTION_STATUS = 'RUNNING' AND QUERY_TAG LIKE {tag} "
        f"AND START_TIME < DATEADD(HOUR, {-hours:d}, CURRENT_TIMESTAMP()) ORDER BY START_TIME"
    )


def describe_query(query_id: str, tag: str, started: object) -> Finding:
    """One query that no task waits for."""
    text = f"runs since {started}, tagged {tag}"
    cancel = f"SELECT SYSTEM$CANCEL_QUERY({snowflake_literal(query_id)})"
    return found("Queries", query_id, Status.WRONG, text, snowflake_sql(cancel))


def describe_idle(row: Sequence[object]) -> Finding:
    """One session that holds a transaction open and does nothing."""
    pid, user, state, since, _ = row
    text = f"{user}, {state} since {since}: its locks and rows are held until it ends"
    return found(
        "Sessions",
        f"pid {pid}",
        Status.WRONG,
        text,
        postgres_sql(f"SELECT pg_terminate_backend({int(str(pid)):d})"),
    )


def describe_prepared(row: Sequence[object]) -> Finding:
    """One prepared transaction."""
    gid, owner, since = row
    text = f"prepared by {owner} at {since}, and neither committed nor rolled back"
    statement = f"ROLLBACK PREPARED {postgres_literal(str(gid))}"
    return found("Sessions", str(gid), Status.WRONG, text, postgres_sql(statement))


Connection = psycopg.Connection[Any]


def check_postgres(connection: Connection, conn_id: str, hours: int, *, remove: bool) -> list[Finding]:
    """Staging tables, idle and prepared transactions in one target database; removed where that is requested."""
    return [
        # Sessions first: one that is ended lets its staging table go.
        *_check_sessions(connection, conn_id, hours, remove=remove),
        *_check_staging(connection, conn_id, hours, remove=remove),
        *_check_indexes(connection, conn_id, hours, remove=remove),
    ]


def _check_staging(connection: Connection, conn_id: str, hours: int, *, remove: bool) -> list[Finding]:
    with postgres_failures("Looking for staging tables"):
        tables = list_leftovers(connection)
        signs = _read_activity(connection, [table.mark.run_id for table in tables])
    now = datetime.now(UTC)
    findings = []
    for table in tables:
        sign = signs.get(table.mark.run_id)
        if not is_dead(sign, parse_made_at(table.mark.created_at), now, hours):
            continue
        if is_in_use(connection, table.schema, table.name):
            continue
        finding = describe_staging(table, sign, hours)
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


def is_in_use(connection: Connection, schema: str, table: str) -> bool:
    """Whether another session works on the table."""
    return connection.execute(READ_IN_USE, (schema, table)).fetchone() == (True,)


def _check_indexes(connection: Connection, conn_id: str, hours: int, *, remove: bool) -> list[Finding]:
    """Indexes that a run dropped before its publish, and died before it built them again."""
    if connection.execute(DEFERRED_EXISTS).fetchone() != (True,):
        return [_none("Indexes", conn_id, "no index was ever dropped")]
    with postgres_failures("Looking for dropped indexes"):
        dropped = list_deferred(connection, hours)
    findings = []
    for schema, table, index, run_id, statements in dropped:
        finding = describe_deferred(schema, table, index, run_id, statements)
        if remove:
            try:
                with postgres_failures(f"Building {finding.subject}"):
                    restore_indexes(connection, schema, table)
                finding = found(finding.check, finding.subject, Status.OK, f"built again: {finding.found}")
            except SnowmeltError as error:
                finding = found(finding.check, finding.subject, Status.WRONG, error, finding.remedy)
        findings.append(finding)
    return findings or [_none("Indexes", conn_id, "every index that a publish dropped exists again")]


def _read_activity(connection: Connection, run_ids: Sequence[str]) -> dict[str, LastActivity]:
    if connection.execute(LEDGER_EXISTS).fetchone() != (True,):
        return {}
    rows = connection.execute(READ_LAST_ACTIVITY, (list(run_ids),)).fetchall()
    return {run_id: LastActivity(outcome, at) for run_id, outcome, at in rows}


def _check_sessions(connection: Connection, conn_id: str, hours: int, *, remove: bool) -> list[Finding]:
    with postgres_failures("Looking for idle transactions"):
        idle = connection.execute(READ_IDLE, (TASK_SESSION_PATTERN, hours)).fetchall()
        prepared = connection.execute(READ_PREPARED, (hours,)).fetchall()
    findings = [*map(describe_idle, idle), *map(describe_prepared, prepared)]
    if remove:
        findings = [_run_remedy(connection, finding) for finding in findings]
    return findings or [_none("Sessions", conn_id, "no transaction of Snowmelt is idle or prepared")]


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
        rows = read_rows(session, build_query_history(database, hours), "Reading the query history")
    except SnowmeltError as error:
        text = f"the query history cannot be read: {error}"
        advice = Remedy("Snowflake", ("Look in Snowsight for running queries with the tag snowmelt.",))
        return [found("Queries", conn_id, Status.ATTENTION, text, advice)]
    findings = []
    for query_id, tag, started in rows:
        finding = describe_query(str(query_id), str(tag), started)
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
        finding = found("Test files", where, Status.WRONG, "files of a previous doctor", remedy)
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
