"""What each of PostgreSQL's SQLSTATEs means for a task: whether another try may succeed, and what a user does about it.

Source: PostgreSQL 18, Appendix A, "PostgreSQL Error Codes". Every class is here by its two characters; a code is here where
it is judged otherwise than its class.
"""

from __future__ import annotations

from snowmelt.drivers.failures import Known
from snowmelt.errors import (
    AccessError,
    ConfigurationError,
    StagingError,
    TargetError,
    TargetUnavailable,
    Topic,
    ValueRefused,
)

LOGIN = Known(
    AccessError, "PostgreSQL refused the login: correct user, password or pg_hba.conf.", Topic.POSTGRES_LOGIN
)
NO_DATABASE = Known(
    ConfigurationError,
    "The database of the connection does not exist: correct `schema` (the database's name) in the Airflow connection.",
    Topic.POSTGRES_LOGIN,
)
NO_CONNECTION_LEFT = Known(
    TargetUnavailable,
    "PostgreSQL has no connection left: lower the pool or max_active_tis_per_dag of the load, or raise max_connections.",
    Topic.TOO_MANY_CONNECTIONS,
)
NO_SESSION = Known(TargetUnavailable, "PostgreSQL refused the session for now.", Topic.POSTGRES_UNAVAILABLE)
BROKEN_STREAM = Known(
    TargetError,
    "The bytes of this COPY were wrong; nothing of it was kept. Report it with the table's column types.",
)
COLLISION = Known(TargetUnavailable, "The transaction collided with another one.", Topic.LOCK_TIMEOUT)
READ_ONLY_ROLE = Known(
    AccessError,
    "The role, or the database, is set to read only: ALTER ROLE … SET default_transaction_read_only = off (or ALTER DATABASE … RESET).",
    Topic.READ_ONLY,
)

_LOST = Known(TargetUnavailable, "The connection to PostgreSQL broke.", Topic.POSTGRES_UNAVAILABLE)
_STANDBY = Known(
    TargetUnavailable, "The server is a standby or read-only, as in a failover.", Topic.POSTGRES_UNAVAILABLE
)
_ROUTINE = Known(
    TargetError,
    "A trigger or a function of the target's failed: correct it, or disable the trigger while Snowmelt writes.",
    Topic.ROUTINE_FAILED,
)
_REFUSED_STATEMENT = Known(
    TargetError, "PostgreSQL does not accept the statement: report it with the server's version."
)
_CHANGED = Known(
    TargetError,
    "A table, column or type is missing, or is not what it was when the run was planned: start a new run.",
    Topic.TARGET_CHANGED,
)
_EXISTS = Known(
    TargetError,
    "Another object has that name: drop or rename it, or choose another target_table.",
    Topic.TARGET_CHANGED,
)
_POOLER = Known(
    ConfigurationError,
    "Statements of one session reached different server sessions: use the pooler in session mode, or connect directly.",
    Topic.POOLER,
)
_BROKEN_CONSTRAINT = Known(ValueRefused, "A row breaks a constraint of the table.", Topic.CONSTRAINT)
_LIMIT = Known(
    TargetError,
    "A limit of PostgreSQL's own was reached, which no setting raises. An index holds at most 2,704 bytes a row: drop the named index, or index a hash of the column.",
    Topic.SERVER_LIMIT,
)
_DAMAGED = Known(
    TargetError,
    "PostgreSQL found its own files damaged or missing: see the server's log; rebuild the index, or restore the database.",
    Topic.SERVER_DAMAGED,
)
_ENDED = Known(
    TargetUnavailable,
    "PostgreSQL was shut down, or the session was ended by an administrator.",
    Topic.POSTGRES_UNAVAILABLE,
)

#: SQLSTATE, or its class (two characters) → what is known. The whole code is looked up first.
SQLSTATES: dict[str, Known] = {
    # No data, an unfinished statement: a fault in the program.
    "02": _REFUSED_STATEMENT,
    "03": _REFUSED_STATEMENT,
    "08": _LOST,
    "08P01": BROKEN_STREAM,
    "09": _ROUTINE,
    "0A": Known(
        TargetError,
        "This server, or this kind of table, cannot do that: see the message; a plain table of a supported version can.",
    ),
    "0B": _REFUSED_STATEMENT,
    "0F": _REFUSED_STATEMENT,
    "0L": Known(AccessError, "Grant the connection's role what the statement needs.", Topic.POSTGRES_GRANT),
    "0P": Known(
        ConfigurationError,
        "The role does not exist, or cannot be used here: correct the connection.",
        Topic.POSTGRES_LOGIN,
    ),
    "0Z": _ROUTINE,
    "10": _ROUTINE,
    "20": _ROUTINE,
    "21": Known(
        ValueRefused,
        "Several rows have the same unique key: correct uniqueness_columns, or the source.",
        Topic.CONSTRAINT,
    ),
    "22": Known(ValueRefused, "A value does not fit its column.", Topic.VALUE_REFUSED),
    "22023": Known(
        ConfigurationError,
        "A parameter of the statement or of the session is not valid: correct it where it is configured.",
    ),
    "22P03": BROKEN_STREAM,
    "22P04": Known(
        StagingError,
        "The file is not one of these columns: it is damaged, or was overwritten. Start a new run.",
        Topic.OBJECT_CHANGED,
    ),
    "23": _BROKEN_CONSTRAINT,
    "23502": Known(
        ValueRefused,
        "A column that may not be NULL is NULL in a row. If the source has no such row, Snowflake masks the column for this role.",
        Topic.MASKED_COLUMNS,
    ),
    "24": _POOLER,
    "25": Known(TargetError, "The statement cannot run in this transaction: report it."),
    "25P02": Known(
        TargetError,
        "An earlier statement of this transaction had failed: the first error in the log is the cause.",
    ),
    "25006": _STANDBY,
    "25P03": Known(
        TargetUnavailable,
        "PostgreSQL ended a session that was idle in a transaction for longer than a publish may be.",
        Topic.STATEMENT_TIMEOUT,
    ),
    "25P04": Known(
        TargetUnavailable,
        "The transaction ran into a transaction_timeout that was set while it ran.",
        Topic.STATEMENT_TIMEOUT,
    ),
    "26": _POOLER,
    "27": _ROUTINE,
    "28": LOGIN,
    "2B": Known(
        TargetError,
        "Other objects depend on it: drop them first, or choose publish replace, which keeps the table.",
        Topic.DEPENDENT_OBJECTS,
    ),
    "2D": _ROUTINE,
    "2F": _ROUTINE,
    "34": _POOLER,
    "38": _ROUTINE,
    "39": _ROUTINE,
    "3B": Known(TargetError, "The savepoint does not exist: report it."),
    "3D": NO_DATABASE,
    "3F": Known(ConfigurationError, "The schema does not exist: create it, or correct target_schema."),
    "40": COLLISION,
    "40002": _BROKEN_CONSTRAINT,
    "42": _REFUSED_STATEMENT,
    "42501": Known(
        AccessError, "Grant the connection's role what the statement needs.", Topic.POSTGRES_GRANT
    ),
    "42P01": _CHANGED,
    "42703": _CHANGED,
    "42704": _CHANGED,
    "42804": _CHANGED,
    "428C9": Known(
        TargetError,
        "The column is generated by PostgreSQL (GENERATED ALWAYS): exclude it, or make it GENERATED BY DEFAULT.",
    ),
    "42809": Known(
        TargetError,
        "The target is not a plain table, or not the kind of object that the statement needs: choose another target.",
        Topic.TARGET_CHANGED,
    ),
    "42883": Known(
        TargetError,
        "A function is missing: an extension is not installed, or its schema is not usable by the role.",
        Topic.POSTGRES_GRANT,
    ),
    "42701": _EXISTS,
    "42710": _EXISTS,
    "42723": _EXISTS,
    "42P04": _EXISTS,
    "42P06": _EXISTS,
    "42P07": _EXISTS,
    "42P05": _POOLER,
    "44": _BROKEN_CONSTRAINT,
    "53": Known(
        TargetUnavailable, "PostgreSQL has no resources left for the moment.", Topic.POSTGRES_UNAVAILABLE
    ),
    "53100": Known(
        TargetError,
        "PostgreSQL's disk is full: free or add space, then clear the failed task.",
        Topic.DISK_FULL,
    ),
    "53200": Known(TargetUnavailable, "PostgreSQL is out of memory.", Topic.POSTGRES_UNAVAILABLE),
    "53300": NO_CONNECTION_LEFT,
    "53400": Known(
        TargetError,
        "A limit of the server's was reached (temp_file_limit?): raise it for the connection's role, then clear the failed task.",
        Topic.DISK_FULL,
    ),
    "54": _LIMIT,
    "55": Known(
        TargetError,
        "The table is not in a state for that. A published table needs a replica identity for UPDATE and DELETE: "
        "a primary key, or ALTER TABLE … REPLICA IDENTITY FULL.",
        Topic.REPLICA_IDENTITY,
    ),
    "55006": Known(TargetUnavailable, "Another session uses it.", Topic.LOCK_TIMEOUT),
    "55P02": Known(
        ConfigurationError, "That setting can only be changed at the server's start: set it there."
    ),
    "55P03": Known(
        TargetUnavailable,
        "Another session holds a lock on the table for longer than lock_timeout.",
        Topic.LOCK_TIMEOUT,
    ),
    "55P04": _REFUSED_STATEMENT,
    "57": _ENDED,
    "57014": Known(
        TargetUnavailable,
        "The statement was cancelled: by an administrator, or by a limit of the server's or the pooler's that no session can lift.",
        Topic.STATEMENT_TIMEOUT,
    ),
    "57P02": Known(TargetUnavailable, "PostgreSQL crashed.", Topic.POSTGRES_UNAVAILABLE),
    "57P03": Known(
        TargetUnavailable, "PostgreSQL is starting up or shutting down.", Topic.POSTGRES_UNAVAILABLE
    ),
    "57P04": NO_DATABASE,
    "57P05": Known(TargetUnavailable, "PostgreSQL ended an idle session.", Topic.POSTGRES_UNAVAILABLE),
    "58": Known(
        TargetUnavailable, "The server's operating system failed: see the server's log.", Topic.SERVER_DAMAGED
    ),
    "58P01": _DAMAGED,
    "58P02": _DAMAGED,
    "58P03": _REFUSED_STATEMENT,
    "72": COLLISION,
    "F0": Known(TargetError, "The server's configuration file is not valid: see the server's log."),
    "HV": Known(
        TargetError,
        "The table, or one that it refers to, is a foreign table whose server refused: choose a plain table as target.",
        Topic.FOREIGN_TABLE,
    ),
    "HV001": Known(TargetUnavailable, "PostgreSQL is out of memory.", Topic.POSTGRES_UNAVAILABLE),
    "HV00N": Known(
        TargetUnavailable, "The server behind a foreign table could not be reached.", Topic.FOREIGN_TABLE
    ),
    "P0": _ROUTINE,
    "XX": Known(
        TargetError,
        "That is a fault in PostgreSQL or in an extension: see the server's log.",
        Topic.SERVER_DAMAGED,
    ),
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
}
#: A class that the appendix does not have: an extension's own.
UNKNOWN = Known(TargetError, "")


def judge(state: str) -> Known:
    """What is known of a SQLSTATE of five characters."""
    return SQLSTATES.get(state) or SQLSTATES.get(state[:2]) or UNKNOWN
