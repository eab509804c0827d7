"""The known troubles, each with its place on the troubleshooting page, for the messages that people read."""

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
