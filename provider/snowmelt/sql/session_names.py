"""What Snowmelt's sessions of PostgreSQL call themselves (application_name), and how they are recognised by it.

Tasks connect as `snowmelt`. A session that loads a file takes a name made of the run and the file: another try finds its rival by
it, the run page finds the running COPY, and the doctor finds a transaction that was left open.
"""

from __future__ import annotations

import hashlib

#: application_name of a task's session, and of a page's.
TASK_SESSION = "snowmelt"
PAGE_SESSION = "snowmelt-page"

#: What a name of a task's session matches as a POSIX regular expression: a page's does not.
TASK_SESSION_PATTERN = f"^{TASK_SESSION}( |$)"

#: PostgreSQL cuts application_name at NAMEDATALEN - 1 bytes.
_NAME_BYTES = 63


def load_session_name(run_id: str, key: str) -> str:
    """application_name of a session while it loads a file: the same for each try, unique by a hash, readable by its end."""
    digest = hashlib.sha256(f"{run_id}\0{key}".encode()).hexdigest()[:12]
    tail = key.rsplit("/", 1)[-1].encode("ascii", "replace").decode()
    return f"{TASK_SESSION} {digest} {tail}"[:_NAME_BYTES]
