"""Waiting for locks without holding up others, and for transactions that are older than a load.

A caller must hold no lock on the target, not even a reader's: someone's ALTER TABLE would queue behind it, and every
reader behind that. Reading the catalog leaves none (looked up in pg_locks, PostgreSQL 15 and 18); counting the rows does, so it is
done in a savepoint that is rolled back.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg import errors

from snowmelt.errors import TargetUnavailable, Topic
from snowmelt.publish.request import LockPatience
from snowmelt.publish.staging_table import LOCK_CLASS
from snowmelt.sql.names import postgres_identifier

Connection = psycopg.Connection[Any]
Cursor = psycopg.Cursor[Any]
Result = TypeVar("Result")

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


@dataclass(frozen=True, slots=True)
class Locked:
    """A lock that was granted."""

    #: Tries it took, and time.monotonic() when it was granted.
    attempts: int
    since: float


def hold_lock(
    connection: Connection,
    cursor: Cursor,
    patience: LockPatience,
    lock: str,
    under_lock: Callable[[], Result],
    *,
    where: str,
    oid: int | None = None,
) -> tuple[Result, Locked]:
    """Take the lock, run `under_lock`, and keep the lock until the caller's transaction ends.

    Each try is a savepoint: one that fails gives all its locks back before the pause. Locks that `under_lock` needs beside (a
    DROP TABLE takes the tables that its foreign keys reference) must come within what is left of the same lock_timeout, so
    that a reader never queues for longer than one.

    :param lock: the statement.
    :param where: the table, for the message; `oid`: to name the session that holds it.
    :raises TargetUnavailable: not granted within `patience.give_up_after`.
    """
    started = time.monotonic()
    attempts = 0
    while True:
        attempts += 1
        asked = time.monotonic()
        try:
            with connection.transaction():
                cursor.execute(build_lock_timeout(patience.lock_timeout))
                cursor.execute(lock)
                since = time.monotonic()
                cursor.execute(build_lock_timeout(patience.lock_timeout - (since - asked)))
                cursor.execute(build_idle_timeout(IDLE_UNDER_LOCK))
                return under_lock(), Locked(attempts, since)
        except (errors.LockNotAvailable, errors.DeadlockDetected) as error:
            pause = patience.pause(attempts, random.random())  # noqa: S311 - spreads tries, guards nothing
            if time.monotonic() + pause - started > patience.give_up_after:
                raise TargetUnavailable(
                    f"{where} stayed locked for {time.monotonic() - started:.0f} s ({attempts} tries of {patience.lock_timeout:g} s each"
                    f"{_holders(cursor, oid)}). Nothing was changed. It is retried; end the blocking session if it is stuck.",
                    topic=Topic.LOCK_TIMEOUT,
                ) from error
        time.sleep(pause)


def wait_for_snapshots(cursor: Cursor, seconds: float, *, where: str) -> None:
    """Wait until every transaction has ended whose snapshot may be older than the rows committed so far.

    Such a transaction (REPEATABLE READ, or a function within one long statement) that first reads the table after the swap
    finds the new table, by its name, but sees only the rows that were committed before its snapshot. Measured: a REPEATABLE
    READ reader that began halfway through a load of 100 rows counted 50 after the swap. New transactions are not waited for.

    :raises TargetUnavailable: some are still there after `seconds`; it names them.
    """
    deadline = time.monotonic() + seconds
    waiting = _snapshots(cursor)
    pause = 0.02
    while waiting:
        if time.monotonic() >= deadline:
            listed = "; ".join(
                f"pid {pid}, role {user}, {application or 'no application name'}"
                for pid, _, _, user, application in sorted(waiting)[:5]
            )
            raise TargetUnavailable(
                f"{where} is not replaced: {len(waiting)} transaction(s) that began before the load ended are still open after "
                f"{seconds:g} s ({listed}). One that reads the table afterwards would see a part of it. It is retried; end them, or "
                "raise snapshot_wait."
            )
        time.sleep(pause)
        pause = min(1.0, pause * 1.5)
        waiting &= _snapshots(cursor)


def _snapshots(cursor: Cursor) -> set[tuple[int, str, str, str, str]]:
    cursor.execute(FORGET_ACTIVITY)
    return set(cursor.execute(READ_SNAPSHOTS).fetchall())


def _holders(cursor: Cursor, oid: int | None) -> str:
    if oid is None:
        return ""
    cursor.execute(FORGET_ACTIVITY)
    rows = cursor.execute(READ_HOLDERS, (oid,)).fetchall()
    listed = "; ".join(
        f"pid {pid}, role {user}, {application or 'no application name'}, {mode}"
        for pid, user, application, mode in rows
    )
    return f"; held by {listed}" if listed else ""
