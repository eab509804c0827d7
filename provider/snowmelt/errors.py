"""The known troubles, each with its place on the troubleshooting page, for the messages that people read.

Every error that Snowmelt raises on purpose.

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

The text of each says what failed and where, what was expected and found, and what to do.
"""

from __future__ import annotations

from enum import StrEnum

#: Where the page stands, seen from the checkout; the anchors below are promised to stay.
PAGE = "docs/troubleshooting.md"


class Topic(StrEnum):
    """A known trouble; the value is its anchor."""

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
    MAP_LIMIT = "map-limit"


def see(topic: Topic) -> str:
    """`See docs/troubleshooting.md#lock-timeout`, as it ends a message; a link where the log shows addresses."""
    return f"See {PAGE}#{topic.value}"


class SnowmeltError(Exception):
    """The root of all errors raised by Snowmelt."""


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
    """A parameter, the configuration file or a connection is wrong.

    :param faults: every fault found, each with its path, in the order of the input.
    """

    def __init__(self, message: str, faults: tuple[str, ...] = ()) -> None:
        super().__init__(
            message if not faults else "\n".join((message, *(f"  - {fault}" for fault in faults)))
        )
        self.faults = faults


class AccessError(TerminalError):
    """A right is missing in Snowflake, S3 or PostgreSQL."""


class SourceError(TerminalError):
    """Snowflake refused a statement."""


class StagingError(TerminalError):
    """A staged file is missing, or is not what the manifest says."""


class TargetError(TerminalError):
    """PostgreSQL refused a statement."""


class SchemaError(TerminalError):
    """Columns or types that have no safe way from the source to the target.

    :param faults: every fault found, each naming its column.
    """

    def __init__(self, message: str, faults: tuple[str, ...] = ()) -> None:
        super().__init__(
            message if not faults else "\n".join((message, *(f"  - {fault}" for fault in faults)))
        )
        self.faults = faults


class ValueRefused(TerminalError):
    """A value that PostgreSQL cannot hold, or that a declared policy refuses."""


class PlanChanged(TerminalError):
    """A run was asked to go on under a configuration other than the one it began with."""


class VerificationError(TerminalError):
    """Source, staged files, ledger and target do not agree."""
