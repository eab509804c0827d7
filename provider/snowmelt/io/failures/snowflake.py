"""Errors of the Snowflake connector. Sources: its `errorcode.py`, and the error numbers of the server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import snowflake.connector.errors

from snowmelt.errors import (
    AccessError,
    ConfigurationError,
    SnowmeltError,
    SourceError,
    SourceUnavailable,
)
from snowmelt.io.failures import Known, one_line

#: Snowflake's error number → family, and what to do.
_SNOWFLAKE: dict[int, Known] = {
    2003: (
        SourceError,
        "Check the spelling, and that the connection's role may use it: GRANT USAGE on the database and schema, SELECT on the table, USAGE on the stage or integration.",
    ),
    2043: (SourceError, "Check the spelling, and that the connection's role may use it."),
    1003: (SourceError, "Check source_filter and the expressions under columns.mask."),
    904: (
        SourceError,
        "A column of that name is not there: check source_filter, chunking_column and watermark_column.",
    ),
    606: (
        ConfigurationError,
        "No warehouse is active: set `warehouse` in the Snowflake connection or snowflake_unload.warehouse.",
    ),
    707: (
        SourceError,
        "Time travel does not reach back that far: raise the table's DATA_RETENTION_TIME_IN_DAYS, or start a new run.",
    ),
    3001: (AccessError, "Grant the connection's role what the statement needs."),
    3127: (
        ConfigurationError,
        "Add the location to the integration's STORAGE_ALLOWED_LOCATIONS: ALTER STORAGE INTEGRATION … SET STORAGE_ALLOWED_LOCATIONS = (…).",
    ),
    100171: (
        SourceError,
        "Time zones cannot stand in Parquet: leave the column to Snowmelt (it travels as epoch microseconds) instead of a mask that gives a TIMESTAMP_TZ or TIMESTAMP_LTZ.",
    ),
    604: (SourceUnavailable, "The query was cancelled; another try runs it again."),
    630: (
        SourceUnavailable,
        "The query ran into STATEMENT_TIMEOUT_IN_SECONDS; raise it, or unload smaller chunks (chunk_rows).",
    ),
    390100: (AccessError, "User name or password is wrong: correct the Airflow connection."),
    390101: (AccessError, "The user is locked or disabled in Snowflake."),
    390144: (
        AccessError,
        "The key pair's JWT is not valid: check the private key and the user's RSA_PUBLIC_KEY.",
    ),
    390189: (AccessError, "The role of the connection is not granted to its user."),
    390201: (
        ConfigurationError,
        "The warehouse, database or schema of the connection is not there, or not granted.",
    ),
    251001: (ConfigurationError, "`account` is missing in the Airflow connection."),
}
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
        290403,
        290429,
        290500,
        290502,
        290503,
        290504,
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


@contextmanager
def snowflake_failures(doing: str) -> Iterator[None]:
    """Turn the connector's errors into Snowmelt's. `doing` says what was under way: table, chunk, statement."""
    try:
        yield
    except snowflake.connector.errors.Error as error:
        raise snowflake_failure(error, doing) from error
    except (ConnectionError, TimeoutError) as error:
        raise SourceUnavailable(
            f"{doing}: Snowflake could not be reached: {error}. It is tried again."
        ) from error


def snowflake_failure(error: snowflake.connector.errors.Error, doing: str) -> SnowmeltError:
    """The error of Snowmelt for one of the connector's."""
    number = error.errno if isinstance(error.errno, int) else -1
    text = one_line(getattr(error, "raw_msg", None) or error.msg or error)
    query = f" (query {error.sfqid})" if error.sfqid else ""
    if number in _SNOWFLAKE_TRANSIENT:
        return SourceUnavailable(
            f"{doing}: Snowflake did not answer, or the session ended ({number}): {text}{query}. It is tried again."
        )
    family, advice = _SNOWFLAKE.get(
        number, (SourceError, "The statement stands in Snowflake's query history.")
    )
    if number not in _SNOWFLAKE and isinstance(
        error, (snowflake.connector.errors.OperationalError, snowflake.connector.errors.InterfaceError)
    ):
        return SourceUnavailable(
            f"{doing}: Snowflake could not be reached ({number}): {text}{query}. It is tried again."
        )
    if "access denied" in text.lower() or "AccessDenied" in text:
        family, advice = (
            AccessError,
            "The role behind the storage integration may not write there: see DESC INTEGRATION and the role's trust and bucket policies.",
        )
    return family(f"{doing}: Snowflake answered {number:06d}: {text}{query}. {advice}")
