"""Sessions of PostgreSQL: what could change a value, a name, a literal or the object that a name means is pinned.

A server, a database, a role, a pooler and the connection's own `options` may set any of it to something else. It is set by a statement
after connecting, in one round trip. Options at the session's start would be refused by poolers (PgBouncer, RDS Proxy), so none is sent.

search_path holds the system's schema alone: a function, an operator or a table that someone planted in `public` or in the target's
schema is never found by a name that Snowmelt writes. What is not the system's is written with its schema.

A pooler that gives each transaction another session of the server (transaction pooling) cannot keep the settings. It is recognised and refused.

Sources: PostgreSQL, "Client Connection Defaults", "Version and Platform Compatibility", "Writing SECURITY DEFINER Functions Safely";
libpq, "Parameter Key Words"; PgBouncer, "Features" and "Configuration".
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from snowmelt.drivers.failures import Known, build_failure
from snowmelt.drivers.sqlstates import READ_ONLY_ROLE
from snowmelt.errors import ConfigurationError, Topic
from snowmelt.sql.names import PAGE_SESSION, TASK_SESSION

Connection = psycopg.Connection[Any]

#: Setting → value, for every session. A server that is too old to know one of them is left without it.
PINNED: Mapping[str, str] = MappingProxyType(
    {
        "array_nulls": "on",
        "bytea_output": "hex",
        "client_encoding": "UTF8",
        "client_min_messages": "notice",
        "DateStyle": "ISO, YMD",  # psycopg reads dates of the ISO style alone
        "default_transaction_deferrable": "off",
        "default_transaction_isolation": "read committed",
        "exit_on_error": "off",
        "extra_float_digits": "1",
        "IntervalStyle": "postgres",
        "quote_all_identifiers": "off",
        "restrict_nonsystem_relation_kind": "",
        "row_security": "off",  # a policy that hides rows is an error instead of a count that is too small
        "search_path": "pg_catalog, pg_temp",
        "standard_conforming_strings": "on",
        "TimeZone": "UTC",
        "transform_null_equals": "off",
        # No limit of the role's: Airflow ends a task that runs for too long, a publish has its own patience with locks.
        "idle_in_transaction_session_timeout": "0",
        "idle_session_timeout": "0",
        "lock_timeout": "0",
        "statement_timeout": "0",
        "transaction_timeout": "0",
        # The server notices within two minutes that a worker's host is gone, and releases its locks.
        "tcp_keepalives_count": "6",
        "tcp_keepalives_idle": "60",
        "tcp_keepalives_interval": "10",
        "tcp_user_timeout": "120s",
    }
)

#: Arguments of connecting that the Airflow connection's extra may set otherwise. A failover closes no connection: the kernel notices within
#: two minutes that the server's host is gone; by default a session that waits for an answer notices after two hours.
CONNECT_ARGUMENTS: Mapping[str, Any] = MappingProxyType(
    {
        "keepalives": 1,
        "keepalives_idle": 60,
        "keepalives_interval": 10,
        "keepalives_count": 6,
        "tcp_user_timeout": 120_000,
    }
)


@dataclass(frozen=True, slots=True)
class SessionKind:
    """What a session is for."""

    #: application_name. The doctor finds idle sessions by it.
    name: str
    #: Seconds that connecting may take, the login included, for each address of the server; and setting the session up thereafter.
    connect_timeout: int
    #: Settings beyond `PINNED`, or instead of them.
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def pinned(self) -> Mapping[str, str]:
        """All settings of the session."""
        return {**PINNED, "application_name": self.name, **self.settings}

    @property
    def writes(self) -> bool:
        """Whether the session may change anything."""
        return self.settings.get("default_transaction_read_only") != "on"


#: Tasks of Airflow. A session that cannot connect gives up; the task is then retried.
TASK = SessionKind(TASK_SESSION, connect_timeout=30)
#: Pages cannot change anything, and give up before a person does.
PAGE = SessionKind(
    PAGE_SESSION,
    connect_timeout=3,
    settings={"default_transaction_read_only": "on", "statement_timeout": "3s", "lock_timeout": "2s"},
)

#: Every name in it is qualified, since search_path is not pinned yet. No row: the server's session is not the one that was opened.
PIN = """
SELECT pg_catalog.set_config(pinned.key, pinned.value, false),
       pg_catalog.current_setting('default_transaction_read_only'), pg_catalog.pg_is_in_recovery()
FROM pg_catalog.jsonb_each_text(%(settings)s::pg_catalog.jsonb) AS pinned (key, value)
WHERE pg_catalog.current_setting(pinned.key, true) IS NOT NULL
  AND (%(pid)s::pg_catalog.int4 IS NULL OR pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) %(pid)s::pg_catalog.int4)
"""
READ_PID = "SELECT pg_catalog.pg_backend_pid()"

#: Seconds that the second session of the probe for transaction pooling may wait for a place in the pool.
PROBE_SECONDS = 5.0

#: The oldest server that whole copies are tested on (`make test-matrix`).
MIN_POSTGRES = 140000
_OTHER_SERVER = Known(
    ConfigurationError,
    "Snowmelt copies into PostgreSQL 14 to 18 (RDS and Aurora among them): point the connection to such a server, or upgrade this one.",
    Topic.SERVER_VERSION,
)

_TRANSACTION_POOLING = Known(
    ConfigurationError,
    "The pooler gives each transaction another session of the server (transaction or statement pooling), which keeps no settings: "
    "use its session mode, or connect directly.",
    Topic.POOLER,
)


def open_session(connect: Callable[[], Connection], kind: SessionKind, doing: str) -> Connection:
    """A session in autocommit mode, its settings pinned; each transaction is opened where it is needed.

    Statements are not prepared by name: a pooler could look for the name in another session.

    :param connect: opens a connection; called twice where a pooler is in between.
    :param doing: what is under way, for errors.
    :raises AccessError: the session is to write, and its role or its database is set to read only.
    :raises ConfigurationError: the server is another database or too old, or the pooler in between cannot keep a session's settings.
    """
    connection = connect()
    try:
        refuse_other_servers(connection.info, doing)
        _prepare(connection)
        with session_deadline(connection, kind.connect_timeout):
            answer = _pin(connection, kind, connection.info.backend_pid)
            if answer is None:
                _refuse_transaction_pooling(connection, connect, doing)
                answer = _pin(connection, kind, None)
        if kind.writes:
            _refuse_read_only(connection, answer, doing)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def session_deadline(connection: Connection, seconds: float) -> Iterator[None]:
    """End the session from outside when the block takes longer: the statement under way then fails as a lost connection.

    It needs no answer of the server's, which may be gone.
    """
    timer = threading.Timer(seconds, _shut, [connection])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _shut(connection: Connection) -> None:
    with (
        contextlib.suppress(OSError, psycopg.Error),
        socket.socket(fileno=os.dup(connection.fileno())) as shared,
    ):
        shared.shutdown(socket.SHUT_RDWR)


def _prepare(connection: Connection) -> None:
    """Whatever the connection's extra says: no transaction of its own, no prepared statement, rows as tuples."""
    connection.autocommit = True
    connection.prepare_threshold = None
    connection.row_factory = tuple_row


def _pin(connection: Connection, kind: SessionKind, pid: int | None) -> tuple[str, bool] | None:
    """Whether transactions are read-only by default, and whether the server is a standby; None: another session answered."""
    asked = {"settings": json.dumps(dict(kind.pinned)), "pid": pid}
    row = connection.execute(PIN, asked).fetchone()
    return None if row is None else (row[1], row[2])


def refuse_other_servers(info: psycopg.ConnectionInfo, doing: str) -> None:
    """Other databases speak PostgreSQL's protocol without its catalog, locks and COPY.

    CockroachDB reports its version beside one of PostgreSQL's, YugabyteDB within it; Redshift says that it is PostgreSQL 8.

    :raises ConfigurationError: it is not a PostgreSQL that copies are tested on.
    """
    version = info.parameter_status("server_version") or "of an unknown version"
    if info.parameter_status("crdb_version"):
        found = f"The server is CockroachDB ({info.parameter_status('crdb_version')})"
    elif "-YB-" in version:
        found = f"The server is YugabyteDB ({version})"
    elif info.server_version < MIN_POSTGRES:
        found = f"The server is PostgreSQL {version}, or a database that says so"
    else:
        return
    raise build_failure(_OTHER_SERVER, doing, found)


def _refuse_read_only(connection: Connection, answer: tuple[str, bool] | None, doing: str) -> None:
    """A standby is read-only too and passes here: what is written there fails with 25006, and is retried."""
    if answer == ("on", False):
        found = f"default_transaction_read_only is on for the role {connection.info.user!r} in the database {connection.info.dbname!r}"
        raise build_failure(READ_ONLY_ROLE, doing, found, code="25006")


def _refuse_transaction_pooling(
    connection: Connection, connect: Callable[[], Connection], doing: str
) -> None:
    """A second session holds a transaction open: in transaction pooling it takes, or takes away, the first one's session of the server.

    In session pooling each keeps its own. A second session that gets no place in time leaves the first one's where it was.
    """
    first = _read_pid(connection)
    shared = False
    try:
        with contextlib.closing(connect()) as second:
            _prepare(second)
            with session_deadline(second, PROBE_SECONDS), second.transaction():
                shared = _read_pid(second) == first
                shared = shared or _read_pid(connection) != first
    except psycopg.OperationalError as error:
        shared = shared or error.sqlstate is not None  # statement pooling allows no transaction
    if shared:
        found = "The settings of the session do not last beyond a transaction"
        raise build_failure(_TRANSACTION_POOLING, doing, found)


def _read_pid(connection: Connection) -> int:
    row = connection.execute(READ_PID).fetchone()
    return int(row[0]) if row else 0
