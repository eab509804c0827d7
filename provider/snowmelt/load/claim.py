"""SQL and bounds of waiting for another session that loads the same file.

Claiming a file while another session may be loading it: a bounded wait, and the end of a session that has frozen.

The other one is an earlier try of the same task that Airflow has given up: its worker froze, lost its network, or was only
slow. If it still sends, it is waited for. If the server has waited for it in vain for minutes, its session is ended: its
transaction rolls back with its ledger row, and should it wake, its connection is gone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors

from snowmelt.errors import TargetUnavailable, Topic
from snowmelt.publish.locks import build_lock_timeout
from snowmelt.sql.session_names import load_session_name

#: SET LOCAL application_name, as a query with a parameter.
NAME_SESSION = "SELECT set_config('application_name', %s, true)"
#: The same, and what the name was before.
RENAME_SESSION = "SELECT before, set_config('application_name', %s, true) FROM current_setting('application_name') AS before"
FORGET_ACTIVITY = "SELECT pg_stat_clear_snapshot()"
#: Who loads the same file. Columns: pid, start of the session, user, how far it is: what changes as long as it works. `silent` is
#: true where the server waits for the client to send something. Bytes are those that its COPY has taken.
READ_HOLDERS = """
SELECT a.pid, a.backend_start::text, coalesce(a.usename, ''),
       concat_ws(' ', a.state, a.state_change, c.bytes_processed) AS progress,
       coalesce(a.wait_event_type = 'Client', false) AS silent,
       coalesce(c.bytes_processed, 0)
FROM pg_stat_activity AS a LEFT JOIN pg_stat_progress_copy AS c ON c.pid = a.pid
WHERE a.datname = current_database() AND a.application_name = %s AND a.pid <> pg_backend_pid()
  AND a.state IS DISTINCT FROM 'idle' AND a.wait_event_type IS DISTINCT FROM 'Lock'
ORDER BY a.xact_start
"""
#: Ends that very session, and no later one with the same pid.
END_HOLDER = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = %s AND backend_start::text = %s AND application_name = %s
"""


log = logging.getLogger(__name__)

Cursor = psycopg.Cursor[Any]


@dataclass(frozen=True, slots=True)
class ClaimPatience:
    """Seconds."""

    #: Between two checks of the other session.
    look: float = 30.0
    #: A session that has sent nothing for this long, while the server waits for it, is ended.
    silence: float = 300.0
    #: Then the wait is over, and the task is retried later.
    give_up_after: float = 3600.0


@dataclass(frozen=True, slots=True)
class _Holder:
    pid: int
    began: str
    user: str
    progress: str
    silent: bool
    sent: int


def claim_patiently(
    cursor: Cursor,
    claim: Callable[[Cursor], bool],
    *,
    run_id: str,
    key: str,
    patience: ClaimPatience | None = None,
) -> bool:
    """Run `claim` in the open transaction; while it waits for another session's row, check that session.

    :raises TargetUnavailable: the other one still works after `give_up_after`; it is named.
    """
    patience = patience or ClaimPatience()
    name = load_session_name(run_id, key)
    before = (cursor.execute(RENAME_SESSION, (name,)).fetchone() or ("",))[0]
    started = time.monotonic()
    unchanged: dict[_Holder, float] = {}
    cursor.execute(
        "SAVEPOINT snowmelt_claim"
    )  # never released: each statement is a way to the server for every file
    while True:
        try:
            cursor.execute(build_lock_timeout(patience.look))
            claimed = claim(cursor)
            cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
        except errors.LockNotAvailable as error:
            cursor.execute("ROLLBACK TO SAVEPOINT snowmelt_claim")
            holders = _read_holders(cursor, name)
            now = time.monotonic()
            unchanged = {holder: unchanged.get(holder, now) for holder in holders}
            log.info("%s is being loaded by another session%s: waiting for it", key, _describe(holders))
            for holder in holders:
                if holder.silent and now - unchanged[holder] >= patience.silence:
                    _end(cursor, holder, name)
            if now - started >= patience.give_up_after:
                raise TargetUnavailable(
                    f"{key} is being loaded by another session{_describe(holders)}, for {now - started:.0f} s by now. Nothing was "
                    "changed. It is retried; end that session if it is stuck.",
                    topic=Topic.LOCK_TIMEOUT,
                ) from error
        else:
            if not claimed:
                cursor.execute(NAME_SESSION, (before,))
            return claimed


def _read_holders(cursor: Cursor, name: str) -> list[_Holder]:
    cursor.execute(FORGET_ACTIVITY)
    return [_Holder(*row) for row in cursor.execute(READ_HOLDERS, (name,))]


def _end(cursor: Cursor, holder: _Holder, name: str) -> None:
    cursor.execute("SAVEPOINT snowmelt_end")
    try:
        cursor.execute(END_HOLDER, (holder.pid, holder.began, name))
    except errors.InsufficientPrivilege:
        cursor.execute("ROLLBACK TO SAVEPOINT snowmelt_end")
        log.warning("The session of pid %s has frozen, and this role may not end it", holder.pid)
    else:
        log.warning(
            "The session of pid %s had sent nothing for minutes: it was ended, its file is loaded again here",
            holder.pid,
        )
    cursor.execute("RELEASE SAVEPOINT snowmelt_end")


def _describe(holders: list[_Holder]) -> str:
    listed = "; ".join(
        f"pid {holder.pid}, role {holder.user}, {holder.sent / 1e6:,.1f} MB so far{', silent' if holder.silent else ''}"
        for holder in holders[:3]
    )
    return f" ({listed})" if listed else ""
