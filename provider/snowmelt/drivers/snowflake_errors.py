"""Errors of the Snowflake connector, judged by their number, else by the SQLSTATE beside it.

Sources: the connector's `errorcode.py`, and the error numbers of the server.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import snowflake.connector.errors
from snowflake.connector.vendored.requests.exceptions import RequestException
from snowflake.connector.vendored.urllib3.exceptions import HTTPError

from snowmelt.drivers.failures import Known, build_failure, hide_quoted, one_line
from snowmelt.errors import (
    AccessError,
    ConfigurationError,
    SnowmeltError,
    SourceError,
    SourceUnavailable,
    Topic,
)

#: What `SnowmeltError.code` is for an instant beyond a table's time travel.
NO_TIME_TRAVEL = "000707"
#: The same for the result of an earlier query that is not there for this user, or not any more.
RESULT_GONE = frozenset({"000709", "000710"})

_UNAVAILABLE = Known(SourceUnavailable, "", Topic.SNOWFLAKE_UNAVAILABLE)
_GRANT = Known(AccessError, "Grant the connection's role what the statement needs.", Topic.SNOWFLAKE_GRANT)
_MISSING = Known(
    SourceError,
    "Check the spelling, and that the connection's role may use it: GRANT USAGE on the database and schema, SELECT on the table.",
    Topic.SNOWFLAKE_GRANT,
)
_CANCELLED = Known(
    SourceUnavailable, "The query was cancelled; another try runs it again.", Topic.QUERY_ENDED
)
_EXPRESSION = Known(SourceError, "Check source_filter and the expressions under columns.mask.")
_VALUE = Known(
    SourceError,
    "An expression of source_filter or columns.mask fails for a value: use TRY_CAST, or correct the expression.",
)
_NO_PLACE = Known(
    ConfigurationError,
    "The warehouse, database or schema of the connection does not exist, or is not granted.",
    Topic.SNOWFLAKE_LOGIN,
)
_LOGIN = Known(
    AccessError, "Snowflake refused the login: correct the Airflow connection.", Topic.SNOWFLAKE_LOGIN
)
_CERTIFICATE = Known(
    AccessError, "Snowflake's TLS certificate is not accepted: look for a proxy.", Topic.SNOWFLAKE_LOGIN
)
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
_RESULT = Known(
    SourceError,
    "Snowflake keeps a result for 24 hours, for the user who ran the query.",
    Topic.QUERY_ENDED,
)
#: Its number is documented nowhere: it is known by its text, which is Snowflake's.
_FUTURE = Known(
    SourceUnavailable,
    "The server that answered has not reached the run's snapshot yet: Snowflake's clocks differ by a little.",
    Topic.TIME_TRAVEL,
)
_UNKNOWN = Known(SourceError, "The statement is in Snowflake's query history.")

#: Snowflake's error number → what is known. The connector's own begin at 250001.
_NUMBERS: dict[int, Known] = {
    603: _UNAVAILABLE,  # an internal error, which Snowflake asks to retry
    604: _CANCELLED,
    606: Known(
        ConfigurationError,
        "No warehouse is active: set `warehouse` in the Snowflake connection or snowflake_unload.warehouse.",
        Topic.WAREHOUSE,
    ),
    625: _UNAVAILABLE,  # too many statements wait for one lock
    630: Known(
        SourceUnavailable,
        "The query ran into STATEMENT_TIMEOUT_IN_SECONDS; raise it, or unload smaller chunks (chunk_rows).",
        Topic.QUERY_ENDED,
    ),
    707: Known(
        SourceError,
        "Time travel does not reach back that far: raise the table's DATA_RETENTION_TIME_IN_DAYS, or start a new run.",
        Topic.TIME_TRAVEL,
    ),
    709: _RESULT,
    710: _RESULT,
    904: Known(
        SourceError,
        "There is no column of that name: check source_filter, chunking_column and watermark_column.",
    ),
    1003: _EXPRESSION,
    1007: _EXPRESSION,
    1044: _EXPRESSION,
    2003: _MISSING,
    2043: _MISSING,
    2140: _EXPRESSION,
    2322: Known(
        SourceError,
        "Texts of different collations are compared or joined: COLLATE one of them in the expression.",
    ),
    3001: _GRANT,
    3127: Known(
        ConfigurationError,
        "Add the location to the integration's STORAGE_ALLOWED_LOCATIONS: ALTER STORAGE INTEGRATION … SET STORAGE_ALLOWED_LOCATIONS = (…).",
        Topic.LOCATION_NOT_ALLOWED,
    ),
    90073: Known(
        ConfigurationError,
        "A resource monitor keeps the warehouse suspended: raise its quota, or name another warehouse.",
        Topic.WAREHOUSE,
    ),
    90105: _NO_PLACE,
    90106: _NO_PLACE,
    100171: Known(
        SourceError,
        "Parquet cannot hold time zones: leave the column to Snowmelt (it travels as epoch microseconds) instead of a mask that gives a TIMESTAMP_TZ or TIMESTAMP_LTZ.",
        Topic.TIMESTAMP_TZ_PARQUET,
    ),
    250001: _UNAVAILABLE,
    250002: _UNAVAILABLE,
    250003: _UNAVAILABLE,
    250004: Known(ConfigurationError, "The connection has to use HTTPS.", Topic.SNOWFLAKE_LOGIN),
    250005: _UNAVAILABLE,
    250006: _UNAVAILABLE,
    250007: _LOGIN,
    250008: Known(
        ConfigurationError,
        "A worker has no browser: use a key pair or OAuth instead of externalbrowser.",
        Topic.SNOWFLAKE_LOGIN,
    ),
    250009: Known(
        ConfigurationError,
        "A worker has no browser: use a key pair or OAuth instead of externalbrowser.",
        Topic.SNOWFLAKE_LOGIN,
    ),
    250011: _CERTIFICATE,
    251001: Known(
        ConfigurationError, "`account` is missing in the Airflow connection.", Topic.SNOWFLAKE_LOGIN
    ),
    251005: Known(ConfigurationError, "`login` is missing in the Airflow connection.", Topic.SNOWFLAKE_LOGIN),
    251006: Known(
        ConfigurationError,
        "The Airflow connection has neither a password nor a private key.",
        Topic.SNOWFLAKE_LOGIN,
    ),
    251007: Known(
        ConfigurationError, "A parameter of the Airflow connection is not valid.", Topic.SNOWFLAKE_LOGIN
    ),
    251008: Known(
        AccessError, "The private key of the Airflow connection is not valid.", Topic.SNOWFLAKE_LOGIN
    ),
    251013: _LOGIN,
    251014: _LOGIN,
    251015: _LOGIN,
    251017: _LOGIN,
    251018: _LOGIN,
    251020: _LOGIN,
    251021: _LOGIN,
    254006: _CERTIFICATE,
    254010: _CERTIFICATE,
    261000: _UNAVAILABLE,
    390100: Known(
        AccessError,
        "User name or password is wrong: correct the Airflow connection.",
        Topic.SNOWFLAKE_LOGIN,
    ),
    390101: Known(AccessError, "The user is locked or disabled in Snowflake.", Topic.SNOWFLAKE_LOGIN),
    390110: _UNAVAILABLE,  # these five: a session ended, or its token expired
    390111: _UNAVAILABLE,
    390112: _UNAVAILABLE,
    390114: _UNAVAILABLE,
    390115: _UNAVAILABLE,
    390144: Known(
        AccessError,
        "The key pair's JWT is not valid: check the private key, the user's RSA_PUBLIC_KEY and the worker's clock.",
        Topic.SNOWFLAKE_LOGIN,
    ),
    390189: Known(
        AccessError, "The role of the connection is not granted to its user.", Topic.SNOWFLAKE_LOGIN
    ),
    390195: _UNAVAILABLE,
    390201: _NO_PLACE,
    390422: Known(
        AccessError,
        "A network policy of the account does not let the worker's address in: add it.",
        Topic.SNOWFLAKE_LOGIN,
    ),
}
#: The number without its last three digits → the same, for numbers that are not above.
_THOUSANDS: dict[int, Known] = {
    # 290503 is HTTP 503; the connector adds its 290000 twice where its own retries have run out (4.8.1: 580503).
    290: _UNAVAILABLE,
    580: _UNAVAILABLE,
    390: _LOGIN,
    394: _LOGIN,
}
#: The SQLSTATE that Snowflake gives beside the number, or its class, for numbers that are in neither. 22000 says nothing: it
#: comes with rights of a stage and with suspended warehouses, too.
_SQLSTATES: dict[str, Known] = {
    "02000": _MISSING,
    "08": _UNAVAILABLE,
    "22003": _VALUE,
    "22007": _VALUE,
    "22012": _VALUE,
    "22018": _VALUE,
    "22P02": _VALUE,
    "28": _LOGIN,
    "40": _UNAVAILABLE,
    "42501": _GRANT,
    "42601": _EXPRESSION,
    "42S02": _MISSING,
    "53": _UNAVAILABLE,
    "57014": _CANCELLED,
    "XX": _UNAVAILABLE,
}
#: Numbers of errors in data, whose text quotes the value.
_DATA_NUMBERS = range(100_000, 101_000)
#: What the connector raises by itself, without an answer from the server.
_UNREACHED = (snowflake.connector.errors.OperationalError, snowflake.connector.errors.InterfaceError)
#: What its HTTP library raises when an answer breaks off: the connector lets it through as it is (4.8.1).
_HTTP_ERRORS = (RequestException, HTTPError)


@contextmanager
def snowflake_failures(doing: str, **facts: Any) -> Iterator[None]:
    """Turn the connector's errors into Snowmelt's.

    :param doing: what was under way: table, chunk, statement.
    :param facts: attributes of `SnowmeltError` that Snowflake does not know: run_id.
    """
    try:
        yield
    except snowflake.connector.errors.Error as error:
        raise snowflake_failure(error, doing, **facts).with_traceback(error.__traceback__) from None
    except (ConnectionError, TimeoutError, *_HTTP_ERRORS) as error:
        answer = f"Snowflake could not be reached: {one_line(error)}"
        raise build_failure(_UNAVAILABLE, doing, answer, **facts) from error


def snowflake_failure(error: snowflake.connector.errors.Error, doing: str, **facts: Any) -> SnowmeltError:
    """Snowmelt's error for one of the connector."""
    number = error.errno if isinstance(error.errno, int) else -1
    text = one_line(getattr(error, "raw_msg", None) or error.msg or error).rstrip(".")
    known = _find(error, number, text.lower())
    if number in _DATA_NUMBERS or known is _VALUE:
        text = hide_quoted(text)
    query = f" (query {error.sfqid})" if error.sfqid else ""
    said = "did not answer, or the session ended" if known is _UNAVAILABLE else "answered"
    facts |= {"code": f"{number:06d}" if number > 0 else None, "query_id": error.sfqid or None}
    return build_failure(
        known, doing, f"Snowflake {said} {facts['code'] or type(error).__name__}: {text}{query}", **facts
    )


def _find(error: snowflake.connector.errors.Error, number: int, text: str) -> Known:
    """By the number; where it says no more than "failure using the stage" or "not authorized", by the text."""
    if "access denied" in text or "accessdenied" in text or "error assuming aws_role" in text:
        return _STAGE_ACCESS
    if "future data is not yet available" in text:
        return _FUTURE
    if number in {2003, 2043, 3001} and ("stage '" in text or "integration '" in text):
        return _STAGE
    state = error.sqlstate or ""
    return (
        _NUMBERS.get(number)
        or _THOUSANDS.get(number // 1000)
        or _SQLSTATES.get(state)
        or _SQLSTATES.get(state[:2])
        or (_UNAVAILABLE if isinstance(error, _UNREACHED) else _UNKNOWN)
    )
