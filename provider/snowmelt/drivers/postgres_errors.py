"""Errors of psycopg. Source: PostgreSQL, "Error codes"; Amazon RDS, "Importing data from Amazon S3"."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from snowmelt.drivers.failures import Known, failure, one_line
from snowmelt.errors import (
    AccessError,
    ConfigurationError,
    SnowmeltError,
    TargetError,
    TargetUnavailable,
    Topic,
    ValueRefused,
)
from snowmelt.rights.iam import BUCKET_RIGHTS, Principal
from snowmelt.rights.postgres import CREATE_AWS_S3

_IMPORT = BUCKET_RIGHTS[Principal.DATABASE]
_LOGIN = Known(
    AccessError, "PostgreSQL refused the login: correct user, password or pg_hba.conf.", Topic.POSTGRES_LOGIN
)
_NO_DATABASE = Known(
    ConfigurationError,
    "The database of the connection does not exist: correct `schema` (the database's name) in the Airflow connection.",
    Topic.POSTGRES_LOGIN,
)
_FULL = Known(
    TargetUnavailable,
    "PostgreSQL has no connection left: lower the pool or max_active_tis_per_dag of the load, or raise max_connections.",
    Topic.TOO_MANY_CONNECTIONS,
)
_UNREACHABLE = Known(
    TargetUnavailable,
    "Is it running, and its address in the Airflow connection right?",
    Topic.POSTGRES_UNAVAILABLE,
)
_BROKEN_STREAM = Known(
    TargetError,
    "The bytes of this COPY were wrong; nothing of it was kept. Report it with the table's column types.",
)
_IN_RECOVERY = Known(
    TargetUnavailable, "The server is a standby or read-only, as in a failover.", Topic.POSTGRES_UNAVAILABLE
)
_NO_ROLE = Known(
    AccessError,
    "The database has no IAM role for S3: add one to the instance under the feature s3Import.",
    Topic.RDS_ROLE,
)

#: PostgreSQL's SQLSTATE, or its class (two letters) → family, and what to do. The whole code is looked up first.
_POSTGRES: dict[str, Known] = {
    "08": Known(TargetUnavailable, "The connection to PostgreSQL broke.", Topic.POSTGRES_UNAVAILABLE),
    "57P01": Known(
        TargetUnavailable,
        "PostgreSQL was shut down, or the session was ended by an administrator.",
        Topic.POSTGRES_UNAVAILABLE,
    ),
    "57P02": Known(TargetUnavailable, "PostgreSQL crashed.", Topic.POSTGRES_UNAVAILABLE),
    "57P03": Known(
        TargetUnavailable, "PostgreSQL is starting up or shutting down.", Topic.POSTGRES_UNAVAILABLE
    ),
    "57P05": Known(TargetUnavailable, "PostgreSQL ended an idle session.", Topic.POSTGRES_UNAVAILABLE),
    "25P03": Known(
        TargetUnavailable,
        "PostgreSQL ended a session that was idle in a transaction (idle_in_transaction_session_timeout).",
        Topic.STATEMENT_TIMEOUT,
    ),
    "25P04": Known(
        TargetUnavailable,
        "The transaction ran into transaction_timeout; raise it for the connection's role.",
        Topic.STATEMENT_TIMEOUT,
    ),
    "25006": _IN_RECOVERY,
    "57014": Known(
        TargetUnavailable,
        "The statement was cancelled or ran into statement_timeout; raise it for the connection's role.",
        Topic.STATEMENT_TIMEOUT,
    ),
    "53300": _FULL,
    "53200": Known(TargetUnavailable, "PostgreSQL is out of memory.", Topic.POSTGRES_UNAVAILABLE),
    "53100": Known(
        TargetError,
        "PostgreSQL's disk is full: free or add space, then clear the failed task.",
        Topic.DISK_FULL,
    ),
    "53400": Known(
        TargetError,
        "A limit of the server's was reached (temp_file_limit?): raise it for the connection's role, then clear the failed task.",
        Topic.DISK_FULL,
    ),
    "55P03": Known(
        TargetUnavailable,
        "Another session holds a lock on the table for longer than lock_timeout.",
        Topic.LOCK_TIMEOUT,
    ),
    "55006": Known(TargetUnavailable, "Another session uses it.", Topic.LOCK_TIMEOUT),
    "40": Known(TargetUnavailable, "The transaction collided with another one.", Topic.LOCK_TIMEOUT),
    "28": _LOGIN,
    "3D000": _NO_DATABASE,
    "3F000": Known(ConfigurationError, "The schema does not exist: create it, or correct target_schema."),
    "42501": Known(
        AccessError, "Grant the connection's role what the statement needs.", Topic.POSTGRES_GRANT
    ),
    "42P01": Known(TargetError, "The table is not there (dropped in mid-run?): start a new run."),
    "22P03": _BROKEN_STREAM,
    "22": Known(ValueRefused, "A value does not fit its column.", Topic.VALUE_REFUSED),
    "23": Known(ValueRefused, "A row breaks a constraint of the table.", Topic.CONSTRAINT),
    "23502": Known(
        ValueRefused,
        "A column that may not be NULL is NULL in a row. If the source has no such row, Snowflake masks the column for this role.",
        Topic.MASKED_COLUMNS,
    ),
}
#: Words of the text → the same, where the code does not tell: a connection that never was has none, RDS gives XX000.
_BY_TEXT: tuple[tuple[tuple[str, ...], Known], ...] = (
    (("password authentication failed",), _LOGIN),
    (("no password supplied",), _LOGIN),
    (("no pg_hba.conf entry",), _LOGIN),
    (("is not permitted to log in",), _LOGIN),
    (("role", "does not exist"), _LOGIN),
    (("database", "does not exist"), _NO_DATABASE),
    (("too many clients already",), _FULL),
    (("remaining connection slots",), _FULL),
    (("too many connections for",), _FULL),
    (("insufficient data left in message",), _BROKEN_STREAM),
    (("incorrect binary data format",), _BROKEN_STREAM),
)
_AWS_S3_BY_TEXT: tuple[tuple[tuple[str, ...], Known], ...] = (
    (
        ("invalid byte sequence", "0x8b"),
        Known(
            TargetError,
            "That is gzip which aws_s3 did not unpack: the object has no Content-Encoding: gzip. Unload with compression none, or load with load_method copy.",
            Topic.GZIP_CONTENT_ENCODING,
        ),
    ),
    (("temporary credentials",), _NO_ROLE),
    (("s3import",), _NO_ROLE),
    (
        ("http 403",),
        Known(
            AccessError,
            "The database's own IAM role may not read the object: give it rds-aws_s3-policy.json of `airflow snowmelt setup-sql` "
            f"({', '.join((*_IMPORT.objects, *_IMPORT.bucket))}, and {', '.join(_IMPORT.key)} where it is encrypted by a KMS key).",
            Topic.RDS_ROLE,
        ),
    ),
    (
        ("http 404",),
        Known(ConfigurationError, "The object or the bucket is not there.", Topic.OBJECT_GONE),
    ),
    (
        ("aws_s3", "does not exist"),
        Known(
            ConfigurationError,
            f"The extension is not installed: {CREATE_AWS_S3}, or load with load_method copy.",
            Topic.AWS_S3_MISSING,
        ),
    ),
    (("aws_s3", "connection to s3"), Known(TargetUnavailable, "", Topic.S3_UNAVAILABLE)),
    (("aws_s3", "http 5"), Known(TargetUnavailable, "", Topic.S3_UNAVAILABLE)),
)


@contextmanager
def postgres_failures(doing: str) -> Iterator[None]:
    """Turn psycopg's errors into Snowmelt's. `doing` says what was under way: table, file."""
    try:
        yield
    except psycopg.Error as error:
        raise postgres_failure(error, doing) from error


def postgres_failure(error: psycopg.Error, doing: str) -> SnowmeltError:
    """The error of Snowmelt for one of psycopg's."""
    state = error.sqlstate or ""
    diagnosis = error.diag
    parts = [one_line(diagnosis.message_primary or error)]
    parts += [
        one_line(part)
        for part in (diagnosis.message_detail, diagnosis.message_hint, diagnosis.context)
        if part
    ]
    text = "; ".join(part.rstrip(".") for part in parts)
    known = _find(state, text)
    if known is None and _is_connection(error):
        return failure(_UNREACHABLE, doing, f"PostgreSQL could not be reached: {text}")
    said = f"PostgreSQL answered {state or type(error).__name__}: {text}"
    return failure(known or Known(TargetError, ""), doing, said)


def _find(state: str, text: str) -> Known | None:
    lowered = text.lower()
    if "aws_s3" in lowered or "aws_commons" in lowered or "s3import" in lowered:
        found = _by_text(_AWS_S3_BY_TEXT, lowered)
        if found is not None:
            return found
    if not state or state.startswith("08"):
        found = _by_text(_BY_TEXT, lowered)
        if found is not None:
            return found
    return _POSTGRES.get(state) or _POSTGRES.get(state[:2])


def _by_text(table: tuple[tuple[tuple[str, ...], Known], ...], lowered: str) -> Known | None:
    return next((known for words, known in table if all(word in lowered for word in words)), None)


def _is_connection(error: psycopg.Error) -> bool:
    """No answer of the server's: the connection is refused, lost, or was lost before (an InterfaceError)."""
    if isinstance(error, psycopg.OperationalError):
        return True
    return (
        isinstance(error, psycopg.InterfaceError)
        and not error.sqlstate
        and "connection" in str(error).lower()
    )
