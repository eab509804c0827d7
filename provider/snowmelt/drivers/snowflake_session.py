"""The parameters of every Snowflake session: what can change a value, a literal, a name or the rows of a result is pinned.

An account, a user and the connection's own `session_parameters` may set any of them to something else. They go with the login.
Snowflake answers a login with a parameter that it does not take as if nothing were wrong. So `pin_session` reads the session afterwards,
sets what is not as pinned by ALTER SESSION, and fails by name where that is refused. A parameter that the account does not list at all
cannot have been set there, and is left out.

Source: Snowflake "Parameters" (types, levels, defaults), "ALTER SESSION", "SHOW PARAMETERS".
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from snowmelt.drivers.snowflake import Connection, read_named_rows, read_rows
from snowmelt.errors import ConfigurationError, TerminalError
from snowmelt.sql.names import snowflake_literal

log = logging.getLogger(__name__)

_LOCAL = "YYYY-MM-DD HH24:MI:SS.FF9"
_ZONED = f"{_LOCAL} TZHTZM"

#: Parameter → value. Times print nine digits, because TO_JSON prints the times inside a VARIANT, OBJECT or ARRAY by these formats.
#: Texts are read by AUTO, which takes every form that Snowmelt writes. ENABLE_UNLOAD_PHYSICAL_TYPE_OPTIMIZATION would pick
#: each file's number types by the values in that file. Read-only: the connector writes into the dict that it is given.
SESSION_PARAMETERS: Mapping[str, str] = MappingProxyType(
    {
        "ABORT_DETACHED_QUERY": "FALSE",  # TRUE ends an unload five minutes after the task that submitted it has left
        "AUTOCOMMIT": "TRUE",
        "BINARY_INPUT_FORMAT": "HEX",
        "BINARY_OUTPUT_FORMAT": "HEX",
        "DATE_INPUT_FORMAT": "AUTO",
        "DATE_OUTPUT_FORMAT": "YYYY-MM-DD",
        "DEFAULT_NULL_ORDERING": "LAST",
        "ENABLE_UNLOAD_PHYSICAL_TYPE_OPTIMIZATION": "FALSE",
        "ERROR_ON_NONDETERMINISTIC_MERGE": "TRUE",
        "ERROR_ON_NONDETERMINISTIC_UPDATE": "TRUE",
        "GEOGRAPHY_OUTPUT_FORMAT": "GeoJSON",
        "GEOMETRY_OUTPUT_FORMAT": "GeoJSON",
        "JSON_INDENT": "0",
        "MULTI_STATEMENT_COUNT": "1",  # one statement a request, whatever a text holds
        "QUOTED_IDENTIFIERS_IGNORE_CASE": "FALSE",  # TRUE reads "Visit Id" as VISIT ID
        "ROWS_PER_RESULTSET": "0",  # no limit
        "SEARCH_PATH": "$current, $public",
        "STRICT_JSON_OUTPUT": "FALSE",  # both are read; one of them, so that files of one run are alike
        "TIMESTAMP_DAY_IS_ALWAYS_24H": "FALSE",
        "TIMESTAMP_INPUT_FORMAT": "AUTO",
        "TIMESTAMP_LTZ_OUTPUT_FORMAT": _ZONED,
        "TIMESTAMP_NTZ_OUTPUT_FORMAT": _LOCAL,
        "TIMESTAMP_OUTPUT_FORMAT": _ZONED,
        "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
        "TIMESTAMP_TZ_OUTPUT_FORMAT": _ZONED,
        "TIMEZONE": "UTC",
        "TIME_INPUT_FORMAT": "AUTO",
        "TIME_OUTPUT_FORMAT": "HH24:MI:SS.FF9",
        "TWO_DIGIT_CENTURY_START": "1970",
        "WEEK_OF_YEAR_POLICY": "0",
        "WEEK_START": "1",
    }
)

#: Parameters that have to be empty, and are not sent: no value of theirs means "none". This one shows shared views as
#: another account would see them.
_EMPTY = ("SIMULATED_DATA_SHARING_CONSUMER",)

_ROW_LIMIT = "ROWS_PER_RESULTSET"


def pin_session(connection: Connection) -> None:
    """Compare the parameters of a session that was just opened with `SESSION_PARAMETERS`, and set those that differ.

    :raises ConfigurationError: one of them cannot be set; it names the parameter, its value and where that comes from.
    """
    found = _read_parameters(connection)
    limit = found.get(_ROW_LIMIT, {"value": None})
    if str(limit["value"]) != SESSION_PARAMETERS[_ROW_LIMIT]:  # it may have cut off what SHOW PARAMETERS gave
        _set(connection, _ROW_LIMIT, SESSION_PARAMETERS[_ROW_LIMIT], limit)
        found = _read_parameters(connection)
    for name, wanted in {**SESSION_PARAMETERS, **dict.fromkeys(_EMPTY, "")}.items():
        row = found.get(name)
        if row is None:
            log.debug("The account has no session parameter %s", name)
        elif _differs(row, wanted):
            _set(connection, name, wanted, row)


def _read_parameters(connection: Connection) -> dict[str, dict[str, Any]]:
    rows = read_named_rows(
        connection, "SHOW PARAMETERS IN SESSION", "Reading the parameters of the Snowflake session"
    )
    return {str(row["key"]).upper(): row for row in rows}


def _differs(row: Mapping[str, Any], wanted: str) -> bool:
    value = "" if row["value"] is None else str(row["value"])
    return value.strip().casefold() != wanted.casefold()


def _set(connection: Connection, name: str, wanted: str, row: Mapping[str, Any]) -> None:
    value = wanted if wanted in {"TRUE", "FALSE"} or wanted.isdigit() else snowflake_literal(wanted)
    statement = f"ALTER SESSION SET {name} = {value}"
    try:
        read_rows(connection, statement, f"Setting the session parameter {name}")
    except TerminalError as error:
        level = str(row.get("level") or "").lower() or "its default"
        raise ConfigurationError(
            f"The Snowflake session parameter {name} is {row['value']!r} (set by: {level}), Snowmelt needs {wanted!r}, and "
            f"Snowflake refuses `{statement}`: values could be copied otherwise than they are. Unset it for the connection's user "
            f"(ALTER USER … UNSET {name}) or let the user set it. {error}"
        ) from error
