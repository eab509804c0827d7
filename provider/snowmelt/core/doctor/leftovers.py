"""What dead runs left behind: the queries that find it, and the statement that removes each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from snowmelt.core.doctor.findings import Finding, Status, found, postgres_sql, snowflake_sql
from snowmelt.core.publish.staging import Leftover
from snowmelt.core.quoting import (
    postgres_identifier,
    postgres_literal,
    snowflake_identifier,
    snowflake_literal,
)

#: Every session of Snowmelt's calls itself so.
APPLICATION_NAME = "snowmelt"

#: Tables of the ledger that the role cannot both read and write.
READ_LEDGER_RIGHTS = """
SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = to_regnamespace('snowmelt') AND c.relkind = 'r'
  AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
       AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE')) ORDER BY 1
"""
LEDGER_EXISTS = "SELECT to_regclass('snowmelt.loaded_file') IS NOT NULL"
DEFERRED_EXISTS = "SELECT to_regclass('snowmelt.deferred_index') IS NOT NULL"
#: A run's last sign of life. Parameter: run ids.
READ_LAST_SIGNS = """
SELECT r.run_id, r.outcome, greatest(r.started_at, r.staged_at, r.verified_at, r.published_at,
       (SELECT max(l.loaded_at) FROM snowmelt.loaded_file AS l WHERE l.run_id = r.run_id))
FROM snowmelt.run AS r WHERE r.run_id = ANY(%s)
"""
#: Whether a session works on a table: a load or an index build may be silent for longer than a day. Parameters: schema, table.
READ_IN_USE = """
SELECT EXISTS (SELECT FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE l.granted AND l.pid <> pg_backend_pid() AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND n.nspname = %s AND c.relname = %s)
"""
#: Our idle transactions. Parameters: application name, hours.
READ_IDLE = """
SELECT pid, usename, state, xact_start, query FROM pg_stat_activity
WHERE application_name = %s AND datname = current_database() AND pid <> pg_backend_pid()
  AND state LIKE 'idle in transaction%%' AND xact_start < now() - make_interval(hours => %s)
ORDER BY pid
"""
READ_PREPARED = """
SELECT gid, owner, prepared FROM pg_prepared_xacts
WHERE database = current_database() AND starts_with(gid, 'snowmelt') AND prepared < now() - make_interval(hours => %s) ORDER BY gid
"""


@dataclass(frozen=True, slots=True)
class LastSign:
    """When a run was last heard of."""

    outcome: str
    at: datetime


def is_dead(sign: LastSign | None, made_at: datetime, now: datetime, hours: int) -> bool:
    """Whether nothing was heard of a run for so many hours; a run that the ledger does not know is judged by its table."""
    last = sign.at if sign is not None else made_at
    return last < now - timedelta(hours=hours)


def parse_made_at(text: str) -> datetime:
    """The time in a staging table's mark; one that cannot be read is taken for now, which is never too old."""
    try:
        made = datetime.fromisoformat(text)
    except ValueError:
        return datetime.now(UTC)
    return made if made.tzinfo else made.replace(tzinfo=UTC)


def describe_staging(leftover: Leftover, sign: LastSign | None, hours: int) -> Finding:
    """One staging table of a dead run."""
    name = postgres_identifier(leftover.schema, leftover.name)
    outcome = f"{sign.outcome}, last heard of {sign.at:%Y-%m-%d %H:%M} UTC" if sign else "not in the ledger"
    text = (
        f"staging table of run {leftover.mark.run_id} into {leftover.mark.schema}.{leftover.mark.table} ({outcome}), {leftover.bytes:,} bytes. "
        f"No sign of it for {hours} hours. Dropped, it cannot be resumed."
    )
    return found("Staging tables", name, Status.WRONG, text, postgres_sql(f"DROP TABLE {name}"))


def describe_deferred(schema: str, table: str, index: str, run_id: str, statements: Sequence[str]) -> Finding:
    """One index that a publish dropped and nobody built again."""
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
    """One query that nobody waits for any more."""
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
