"""What Snowmelt asks of Snowflake, over a connection of the official connector (SnowflakeHook opens it).

The parameters of every session that can change a value, a literal, a name or the rows of a result are pinned.
An account, a user and the connection's own `session_parameters` may set any of them to something else. They go with the login.
Snowflake answers a login with a parameter that it does not take as if nothing were wrong. So `pin_session` reads the session afterwards,
sets what is not as pinned by ALTER SESSION, and fails by name where that is refused. A parameter that the account does not list at all
cannot have been set there, and is left out.

Source: Snowflake "Parameters" (types, levels, defaults), "ALTER SESSION", "SHOW PARAMETERS".
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from snowmelt.config.faults import hide_secrets
from snowmelt.drivers.snowflake_errors import NO_TIME_TRAVEL, snowflake_failures
from snowmelt.errors import AccessError, ConfigurationError, SnowmeltError, SourceError, TerminalError
from snowmelt.rights.snowflake import SnowflakeGrant, describe_missing, source_grants
from snowmelt.sql.names import TableName, snowflake_identifier, snowflake_literal
from snowmelt.types.columns import SourceColumn
from snowmelt.types.type_names import describe_snowflake_type

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


class Connection(Protocol):
    """What is used of snowflake.connector.SnowflakeConnection."""

    def cursor(self) -> Any:
        """Open a cursor."""

    def get_query_status(self, sf_qid: str) -> Any:
        """Ask for the status of a query, by its id."""


#: Seconds that Snowflake may have no data about a query. The connector counts that as running, and gives up after 24 questions in a
#: row, about two minutes, where it waits for a result itself (4.8.1, cursor.py).
MAX_NO_DATA = 120.0


@dataclass(frozen=True, slots=True)
class QueryStatus:
    """The status of a submitted query."""

    #: As the connector counts it: NO_DATA is among them.
    running: bool
    succeeded: bool
    #: Snowflake's own name of the status: RUNNING, SUCCESS, FAILED_WITH_ERROR, ABORTED…
    name: str

    @property
    def known(self) -> bool:
        """Whether Snowflake has data about the query."""
        return self.name != "NO_DATA"

    def unknown_since(self, before: float | None) -> float | None:
        """Since when, in epoch seconds, Snowflake has had no data about the query; None: it has.

        :param before: the same by the status before.
        """
        return None if self.known else before or time.time()


#: Characters of a statement in the log; Snowflake's query history has the whole of it.
_SHOWN_CHARACTERS = 4000


def _log_statement(sql: str, doing: str) -> None:
    shown = hide_secrets(sql)
    if len(shown) > _SHOWN_CHARACTERS:
        shown = f"{shown[:_SHOWN_CHARACTERS]}… ({len(shown):,} characters)"
    log.info("%s. To Snowflake: %s", doing, shown)


def read_rows(connection: Connection, sql: str, doing: str) -> list[tuple[Any, ...]]:
    """Run a statement and return all its rows. For small results only."""
    _log_statement(sql, doing)
    with snowflake_failures(doing), connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def read_named_rows(connection: Connection, sql: str, doing: str) -> list[dict[str, Any]]:
    """Run a statement and return its rows as dicts with lower-case names: DESCRIBE and SHOW add columns over time."""
    _log_statement(sql, doing)
    with snowflake_failures(doing), connection.cursor() as cursor:
        cursor.execute(sql)
        names = [column[0].lower() for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def read_columns(connection: Connection, table: TableName) -> tuple[SourceColumn, ...]:
    """The table's columns in their order, with their place in its primary key.

    Those of kind VIRTUAL (computed columns, all columns of external tables) are read like others.
    """
    doing = f"Reading the columns of {table}"
    with naming_grants(connection, source_grants(table)):
        described = read_named_rows(connection, f"DESCRIBE TABLE {table.sql}", doing)
    keyed = any(str(row.get("primary key", "N")).upper().startswith("Y") for row in described)
    keys = read_named_rows(connection, f"SHOW PRIMARY KEYS IN TABLE {table.sql}", doing) if keyed else []
    places = {str(key["column_name"]): int(key["key_sequence"]) for key in keys}
    columns = tuple(
        SourceColumn(
            name=str(row["name"]),
            type=describe_snowflake_type(str(row["type"])),
            nullable=str(row["null?"]).upper().startswith("Y"),
            primary_key=places.get(str(row["name"])),
            comment=row.get("comment") or None,
            masked_by=row.get("policy name") or None,
        )
        for row in described
    )
    if not columns:
        raise SourceError(f"{doing}: it has none that the connection's role may see.")
    return columns


@contextmanager
def naming_grants(connection: Connection, grants: Sequence[SnowflakeGrant]) -> Iterator[None]:
    """Let an error of what is under way name the grants that it needs: Snowflake does not say which of them is missing."""
    try:
        yield
    except (AccessError, SourceError) as error:
        if not grants:
            raise
        try:
            role = read_rows(connection, "SELECT CURRENT_ROLE()", "Reading the session's role")[0][0]
        except SnowmeltError:
            raise error from error.__cause__
        error.args = (f"{error} {describe_missing(grants, str(role or '<role>'))}", *error.args[1:])
        raise


@dataclass(frozen=True, slots=True)
class SourceObject:
    """What SHOW OBJECTS says of a source."""

    #: TABLE, VIEW, MATERIALIZED_VIEW …
    kind: str
    #: When it was created, as Snowflake prints it; None where it does not say (a share's objects).
    created_on: str | None
    #: The role that owns it; None where it does not say.
    owner: str | None

    @property
    def is_view(self) -> bool:
        """Whether it reads other tables."""
        return "VIEW" in self.kind.upper()


def read_object(connection: Connection, table: TableName) -> SourceObject | None:
    """What the source is; None where the role is not told."""
    schema = snowflake_identifier(table.database, table.schema)
    sql = f"SHOW OBJECTS LIKE {snowflake_literal(table.table)} IN SCHEMA {schema}"
    rows = read_named_rows(connection, sql, f"Reading what {table} is, and when it was created")
    row = next((row for row in rows if row["name"] == table.table), None)
    if row is None:
        return None
    created = row.get("created_on")
    return SourceObject(
        str(row.get("kind") or ""), None if created is None else str(created), row.get("owner") or None
    )


def read_now(connection: Connection) -> str:
    """Snowflake's own time, in UTC, in whole milliseconds written as nanoseconds: the snapshot of a run.

    Time travel is by milliseconds (docs.snowflake.com/en/sql-reference/constructs/at-before): an instant within one may be ahead of it.
    """
    sql = "SELECT TO_VARCHAR(CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP()), 'YYYY-MM-DD HH24:MI:SS.FF3')"
    return f"{read_rows(connection, sql, 'Reading the clock of Snowflake')[0][0]}000000 +0000"


def find_recreation(connection: Connection, table: TableName, snapshot: str) -> str | None:
    """When the source was created, where that was after the snapshot: time travel does not go back behind it. Else None."""
    found = read_object(connection, table)
    created = None if found is None else found.created_on
    if created is None:
        return None
    sql = f"SELECT {snowflake_literal(created)}::TIMESTAMP_TZ > {snowflake_literal(snapshot)}::TIMESTAMP_TZ"
    return created if read_rows(connection, sql, f"Comparing when {table} was created")[0][0] else None


@contextmanager
def naming_recreation(connection: Connection, table: TableName, snapshot: str | None) -> Iterator[None]:
    """Let an instant beyond time travel be named as what it is where the source was created again after it."""
    try:
        yield
    except SourceError as error:
        created = None
        if error.code == NO_TIME_TRAVEL and snapshot is not None:
            with suppress(SnowmeltError):  # what cannot be found out is left as Snowflake says it
                created = find_recreation(connection, table, snapshot)
        if created is None:
            raise
        raise SourceError(
            f"{table} was created again at {created}, and the run reads it at {snapshot}: its rows of then are gone, however long its "
            "retention. Start a new run, and let nothing replace the table while it is copied: TRUNCATE and INSERT keep its past, "
            f"CREATE OR REPLACE does not. {error}",
            code=error.code,
            query_id=error.query_id,
        ) from error


def submit_query(connection: Connection, sql: str, doing: str) -> str:
    """Start a statement that goes on without the session; return its query id."""
    _log_statement(sql, doing)
    with snowflake_failures(doing), connection.cursor() as cursor:
        cursor.execute_async(sql)
        return str(cursor.sfqid)


def read_status(connection: Connection, query_id: str, doing: str) -> QueryStatus:
    """Read the status of a query. A failed query is not an error here."""
    from snowflake.connector import SnowflakeConnection

    with snowflake_failures(doing):
        status = connection.get_query_status(query_id)
    running = SnowflakeConnection.is_still_running(status)
    return QueryStatus(running=running, succeeded=status.name == "SUCCESS", name=status.name)


def read_result(connection: Connection, query_id: str, doing: str) -> list[tuple[Any, ...]]:
    """All rows of a query that has ended, from any session of the same user, for 24 hours.

    :raises SourceError: the query's own failure.
    """
    with snowflake_failures(doing), connection.cursor() as cursor:
        cursor.get_results_from_sfqid(query_id)
        return list(cursor.fetchall())


def cancel_query(connection: Connection, query_id: str) -> None:
    """Cancel a running query; nothing happens when it has ended."""
    read_rows(
        connection,
        f"SELECT SYSTEM$CANCEL_QUERY({snowflake_literal(query_id)})",
        f"Cancelling the query {query_id}",
    )
