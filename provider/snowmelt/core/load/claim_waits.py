"""SQL and bounds of waiting for another session that loads the same file."""

from __future__ import annotations

import hashlib

#: PostgreSQL cuts application_name at 63 bytes.
_NAME_BYTES = 63

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


def session_name(run_id: str, key: str) -> str:
    """application_name of a session while it loads a file: the same for each try, told apart by a hash, readable by its end."""
    digest = hashlib.sha256(f"{run_id}\0{key}".encode()).hexdigest()[:12]
    tail = key.rsplit("/", 1)[-1].encode("ascii", "replace").decode()
    return f"snowmelt {digest} {tail}"[:_NAME_BYTES]
