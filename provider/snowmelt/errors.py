"""Every error that Snowmelt raises on purpose, and its section on the troubleshooting page.

::

    SnowmeltError
     ├── TransientError          another try may succeed: it is retried
     │    ├── SourceUnavailable      Snowflake did not answer, or its session ended
     │    ├── StagingUnavailable     S3 throttled, timed out or cut a transfer
     │    └── TargetUnavailable      PostgreSQL is down, full of connections or holds a lock
     └── TerminalError           another try would fail the same way: the task fails at once
          ├── ConfigurationError     a wrong parameter, configuration or connection
          ├── AccessError            a right is missing
          ├── SourceError            Snowflake refused a statement
          ├── StagingError           a staged file is missing, or not what the manifest says
          ├── TargetError            PostgreSQL refused a statement
          ├── SchemaError            columns or types that have no safe way
          ├── ValueRefused           a value that PostgreSQL cannot hold
          ├── PlanChanged            a run was asked to go on under another configuration
          └── VerificationError      source and target differ

The text of each says what failed and where, what was expected and found, and what to do. It is for people. Code that
decides by an error reads the attributes that `SnowmeltError` declares, and never the text.

No text holds a value of a row: names, phone numbers and addresses would end up in logs, pages and notifications. Rows are
named by table, column, constraint, file and row number; their values are in the quarantine table alone.
"""

from __future__ import annotations

from enum import StrEnum

#: The page's path in the repository; the anchors below are promised to stay.
PAGE = "docs/troubleshooting.md"


class Topic(StrEnum):
    """A known problem; the value is its anchor on the page."""

    ASIA_KEY = "asia-key"
    ACCESS_KEY_UNKNOWN = "access-key-unknown"
    SESSION_TOKEN = "session-token"  # noqa: S105 - an anchor
    SECRET_KEY = "secret-key"  # noqa: S105 - an anchor
    ACCESS_DENIED_LIST = "access-denied-list"
    ACCESS_DENIED_GET = "access-denied-get"
    ACCESS_DENIED_KMS = "access-denied-kms"
    WRONG_REGION = "wrong-region"
    BUCKET_MISSING = "bucket-missing"
    OBJECT_GONE = "object-gone"
    OBJECT_CHANGED = "object-changed"
    S3_UNAVAILABLE = "s3-unavailable"
    CLOCK = "clock"
    SNOWFLAKE_LOGIN = "snowflake-login"
    SNOWFLAKE_UNAVAILABLE = "snowflake-unavailable"
    SNOWFLAKE_GRANT = "snowflake-grant"
    QUERY_ENDED = "query-ended"
    WAREHOUSE = "warehouse"
    TIME_TRAVEL = "time-travel"
    TIMESTAMP_TZ_PARQUET = "timestamp-tz-parquet"
    STAGE_OR_INTEGRATION = "stage-or-integration"
    LOCATION_NOT_ALLOWED = "location-not-allowed"
    STAGE_ACCESS = "stage-access"
    MASKED_COLUMNS = "masked-columns"
    GZIP_CONTENT_ENCODING = "gzip-content-encoding"
    AWS_S3_MISSING = "aws-s3-missing"
    RDS_ROLE = "rds-role"
    POSTGRES_LOGIN = "postgres-login"
    POSTGRES_UNAVAILABLE = "postgres-unavailable"
    POSTGRES_GRANT = "postgres-grant"
    DISK_FULL = "disk-full"
    TOO_MANY_CONNECTIONS = "too-many-connections"
    LOCK_TIMEOUT = "lock-timeout"
    STATEMENT_TIMEOUT = "statement-timeout"
    VALUE_REFUSED = "value-refused"
    CONSTRAINT = "constraint"
    READ_ONLY = "read-only"
    REPLICA_IDENTITY = "replica-identity"
    SERVER_LIMIT = "server-limit"
    DEPENDENT_OBJECTS = "dependent-objects"
    TARGET_CHANGED = "target-changed"
    ROUTINE_FAILED = "routine-failed"
    FOREIGN_TABLE = "foreign-table"
    POOLER = "pooler"
    SERVER_VERSION = "server-version"
    SERVER_DAMAGED = "server-damaged"
    MAP_LIMIT = "map-limit"


def see(topic: Topic) -> str:
    """`See docs/troubleshooting.md#lock-timeout`, as it ends a message; a link where the log shows addresses."""
    return f"See {PAGE}#{topic.value}"


class SnowmeltError(Exception):
    """The root of all errors raised by Snowmelt. The keywords are attributes; each is None where it is not known.

    :param message: what failed and where, what was expected and found, what to do.
    :param faults: every fault found, each with its path or column, in the order of the input; a line each in the text.
    :param topic: its section on the troubleshooting page; the text ends with the section's address.
    :param code: the other side's own code: SQLSTATE (`23505`), Snowflake's number (`000707`), S3's code (`NoSuchKey`).
    :param query_id: of Snowflake.
    :param table: as PostgreSQL names it, with its schema where that is known; as the next two.
    :param column: of the table.
    :param constraint: a constraint's or a unique index's name.
    :param file: the staged file's address, `s3://bucket/key`.
    :param row: the row's number in what was sent, from 1.
    :param run_id: of Snowmelt.
    """

    def __init__(
        self,
        message: str,
        faults: tuple[str, ...] = (),
        *,
        topic: Topic | None = None,
        code: str | None = None,
        query_id: str | None = None,
        table: str | None = None,
        column: str | None = None,
        constraint: str | None = None,
        file: str | None = None,
        row: int | None = None,
        run_id: str | None = None,
    ) -> None:
        text = "\n".join((message, *(f"  - {fault}" for fault in faults)))
        super().__init__(text if topic is None else f"{text} {see(topic)}")
        self.faults = faults
        self.topic = topic
        self.code = code
        self.query_id = query_id
        self.table = table
        self.column = column
        self.constraint = constraint
        self.file = file
        self.row = row
        self.run_id = run_id


class TransientError(SnowmeltError):
    """Another try may succeed."""


class SourceUnavailable(TransientError):
    """Snowflake did not answer, or its session ended."""


class StagingUnavailable(TransientError):
    """S3 throttled, timed out or cut a transfer."""


class TargetUnavailable(TransientError):
    """PostgreSQL is down, has no connection left, or holds a lock for too long."""


class TerminalError(SnowmeltError):
    """Another try would fail in the same way."""


class ConfigurationError(TerminalError):
    """A parameter, the configuration file or a connection is wrong."""


class AccessError(TerminalError):
    """A right is missing in Snowflake, S3 or PostgreSQL."""


class SourceError(TerminalError):
    """Snowflake refused a statement."""


class StagingError(TerminalError):
    """A staged file is missing, or is not what the manifest says."""


class TargetError(TerminalError):
    """PostgreSQL refused a statement."""


class SchemaError(TerminalError):
    """Columns or types that have no safe way from the source to the target."""


class ValueRefused(TerminalError):
    """A value that PostgreSQL cannot hold, or that a declared policy refuses."""


class PlanChanged(TerminalError):
    """A run was to go on under a configuration other than the one it began with."""


class VerificationError(TerminalError):
    """Source, staged files, ledger and target do not agree."""
