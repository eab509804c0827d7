"""Errors of the Snowflake connector. Sources: its `errorcode.py`, and the error numbers of the server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import snowflake.connector.errors
from snowflake.connector.vendored.requests.exceptions import RequestException
from snowflake.connector.vendored.urllib3.exceptions import HTTPError

from snowmelt.drivers.failures import Known, failure, one_line
from snowmelt.errors import (
    AccessError,
    ConfigurationError,
    SnowmeltError,
    SourceError,
    SourceUnavailable,
    Topic,
)

#: Snowflake's error number → family, and what to do.
_SNOWFLAKE: dict[int, Known] = {
    2003: Known(
        SourceError,
        "Check the spelling, and that the connection's role may use it: GRANT USAGE on the database and schema, SELECT on the table.",
        Topic.SNOWFLAKE_GRANT,
    ),
    2043: Known(
        SourceError, "Check the spelling, and that the connection's role may use it.", Topic.SNOWFLAKE_GRANT
    ),
    1003: Known(SourceError, "Check source_filter and the expressions under columns.mask."),
    904: Known(
        SourceError,
        "A column of that name is not there: check source_filter, chunking_column and watermark_column.",
    ),
    606: Known(
        ConfigurationError,
        "No warehouse is active: set `warehouse` in the Snowflake connection or snowflake_unload.warehouse.",
        Topic.WAREHOUSE,
    ),
    90073: Known(
        ConfigurationError,
        "A resource monitor keeps the warehouse suspended: raise its quota, or name another warehouse.",
        Topic.WAREHOUSE,
    ),
    707: Known(
        SourceError,
        "Time travel does not reach back that far: raise the table's DATA_RETENTION_TIME_IN_DAYS, or start a new run.",
        Topic.TIME_TRAVEL,
    ),
    3001: Known(AccessError, "Grant the connection's role what the statement needs.", Topic.SNOWFLAKE_GRANT),
    3127: Known(
        ConfigurationError,
        "Add the location to the integration's STORAGE_ALLOWED_LOCATIONS: ALTER STORAGE INTEGRATION … SET STORAGE_ALLOWED_LOCATIONS = (…).",
        Topic.LOCATION_NOT_ALLOWED,
    ),
    100171: Known(
        SourceError,
        "Time zones cannot stand in Parquet: leave the column to Snowmelt (it travels as epoch microseconds) instead of a mask that gives a TIMESTAMP_TZ or TIMESTAMP_LTZ.",
        Topic.TIMESTAMP_TZ_PARQUET,
    ),
    604: Known(SourceUnavailable, "The query was cancelled; another try runs it again.", Topic.QUERY_ENDED),
    630: Known(
        SourceUnavailable,
        "The query ran into STATEMENT_TIMEOUT_IN_SECONDS; raise it, or unload smaller chunks (chunk_rows).",
        Topic.QUERY_ENDED,
    ),
    390100: Known(
        AccessError,
        "User name or password is wrong: correct the Airflow connection.",
        Topic.SNOWFLAKE_LOGIN,
    ),
    390101: Known(AccessError, "The user is locked or disabled in Snowflake.", Topic.SNOWFLAKE_LOGIN),
    390144: Known(
        AccessError,
        "The key pair's JWT is not valid: check the private key, the user's RSA_PUBLIC_KEY and the worker's clock.",
        Topic.SNOWFLAKE_LOGIN,
    ),
    390189: Known(
        AccessError, "The role of the connection is not granted to its user.", Topic.SNOWFLAKE_LOGIN
    ),
    390201: Known(
        ConfigurationError,
        "The warehouse, database or schema of the connection is not there, or not granted.",
        Topic.SNOWFLAKE_LOGIN,
    ),
    251001: Known(
        ConfigurationError, "`account` is missing in the Airflow connection.", Topic.SNOWFLAKE_LOGIN
    ),
}
_STAGE = Known(
    SourceError,
    "Check its name under snowflake_unload, and GRANT USAGE ON it (and on its database and schema) TO the connection's role.",
    Topic.STAGE_OR_INTEGRATION,
)
_STAGE_ACCESS = Known(
    AccessError,
    "The role behind the storage integration may not write there: see DESC INTEGRATION and the role's trust and bucket policies.",
    Topic.STAGE_ACCESS,
)
_UNAVAILABLE = Known(SourceUnavailable, "", Topic.SNOWFLAKE_UNAVAILABLE)
_UNKNOWN = Known(SourceError, "The statement stands in Snowflake's query history.")
#: Session ended, token expired, service not reachable.
_SNOWFLAKE_TRANSIENT = frozenset(
    {
        250001,
        250002,
        250003,
        250005,
        250006,
        250011,
        253003,
        261000,
        390110,
        390111,
        390112,
        390114,
        390115,
        390195,
        625,
        603,
    }
)
#: 290503 is HTTP 503; the connector adds its 290000 twice where its own retries have run out (4.8.1: 580503).
_HTTP_NUMBERS = frozenset({290000, 580000})
#: What its HTTP library raises when an answer breaks off: the connector lets it through as it is (4.8.1).
_HTTP_ERRORS = (RequestException, HTTPError)


@contextmanager
def snowflake_failures(doing: str) -> Iterator[None]:
    """Turn the connector's errors into Snowmelt's. `doing` says what was under way: table, chunk, statement."""
    try:
        yield
    except snowflake.connector.errors.Error as error:
        raise snowflake_failure(error, doing) from error
    except (ConnectionError, TimeoutError, *_HTTP_ERRORS) as error:
        raise failure(_UNAVAILABLE, doing, f"Snowflake could not be reached: {one_line(error)}") from error


def snowflake_failure(error: snowflake.connector.errors.Error, doing: str) -> SnowmeltError:
    """The error of Snowmelt for one of the connector's."""
    number = error.errno if isinstance(error.errno, int) else -1
    text = one_line(getattr(error, "raw_msg", None) or error.msg or error).rstrip(".")
    query = f" (query {error.sfqid})" if error.sfqid else ""
    if number in _SNOWFLAKE_TRANSIENT or number - number % 1000 in _HTTP_NUMBERS:
        return failure(
            _UNAVAILABLE,
            doing,
            f"Snowflake did not answer, or the session ended ({number}): {text}{query}",
        )
    known = _SNOWFLAKE.get(number)
    if known is None and isinstance(
        error, (snowflake.connector.errors.OperationalError, snowflake.connector.errors.InterfaceError)
    ):
        return failure(_UNAVAILABLE, doing, f"Snowflake could not be reached ({number}): {text}{query}")
    lowered = text.lower()
    if "access denied" in lowered or "accessdenied" in lowered or "error assuming aws_role" in lowered:
        known = _STAGE_ACCESS
    elif number in {2003, 2043, 3001} and ("stage '" in lowered or "integration '" in lowered):
        known = _STAGE
    return failure(known or _UNKNOWN, doing, f"Snowflake answered {number:06d}: {text}{query}")
