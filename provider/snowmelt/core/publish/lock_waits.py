"""SQL of waiting: locks with a bound, and the snapshots that are older than a load."""

from __future__ import annotations

from snowmelt.core.publish.staging import LOCK_CLASS
from snowmelt.core.quoting import postgres_identifier

#: Milliseconds of a session idle in a transaction. Before the lock: the longest pause between two tries fits in.
#: Under the lock: a worker that freezes there would keep every reader out.
IDLE_BEFORE_LOCK = 600_000
IDLE_UNDER_LOCK = 60_000

#: Who holds a lock on the table of this oid, or waits for one. Rows (pid, user, application, lock mode).
READ_HOLDERS = """
SELECT DISTINCT l.pid, a.usename, coalesce(a.application_name, ''), l.mode
FROM pg_locks AS l LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'relation' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.relation = %s::oid AND l.granted AND l.pid <> pg_backend_pid()
ORDER BY 1 LIMIT 5
"""

FORGET_ACTIVITY = "SELECT pg_stat_clear_snapshot()"
#: Sessions of this database that hold a snapshot now. Rows (pid, virtual transaction, xmin, user, application); these columns
#: are open to every role. Autovacuum has no user, and reads no table of anyone's. Who waits for a lock of ours (the next publish
#: of this target), or for one who does, cannot end before we do; who holds a lock of Snowmelt's own builds or publishes another table, for hours perhaps,
#: and reads nothing of this one.
READ_SNAPSHOTS = f"""
WITH RECURSIVE blocked AS MATERIALIZED (
    SELECT s.pid, unnest(pg_blocking_pids(s.pid)) AS by FROM pg_stat_activity AS s
    WHERE s.datid = (SELECT oid FROM pg_database WHERE datname = current_database())
), behind_us AS (
    SELECT pg_backend_pid() AS pid UNION SELECT b.pid FROM blocked AS b JOIN behind_us AS u ON b.by = u.pid
)
SELECT a.pid, coalesce(l.virtualxid, ''), a.backend_xmin::text, coalesce(a.usename, ''), coalesce(a.application_name, '')
FROM pg_stat_activity AS a LEFT JOIN pg_locks AS l ON l.pid = a.pid AND l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock' AND l.granted
WHERE a.datid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND a.backend_xmin IS NOT NULL AND a.usesysid IS NOT NULL AND a.pid <> pg_backend_pid()
  AND a.pid NOT IN (SELECT pid FROM behind_us)
  AND NOT EXISTS (SELECT FROM pg_locks AS o WHERE o.pid = a.pid AND o.locktype = 'advisory' AND o.granted
                  AND o.classid = {LOCK_CLASS}::oid AND o.objsubid = 2)
ORDER BY 1
"""


def build_lock_timeout(seconds: float) -> str:
    """SET LOCAL lock_timeout; at least a millisecond, because 0 would mean forever."""
    return f"SET LOCAL lock_timeout = {max(1, round(seconds * 1000)):d}"


def build_idle_timeout(milliseconds: int) -> str:
    """SET LOCAL idle_in_transaction_session_timeout."""
    return f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds:d}"


def build_lock(schema: str, table: str, mode: str, *, partitioned: bool = False) -> str:
    """LOCK TABLE in a mode of PostgreSQL's, such as ACCESS EXCLUSIVE."""
    return f"LOCK TABLE {'' if partitioned else 'ONLY '}{postgres_identifier(schema, table)} IN {mode} MODE"
