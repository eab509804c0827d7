"""Errors as Snowflake words them: number, SQLSTATE, message.

    SnowflakeError          answered to the client as success = false
      NotImplementedHere    the stand-in lacks it; the real service may not

Drivers' errors are translated in one place, `from_driver`.
"""

from __future__ import annotations

import re

import duckdb
from sqlglot.errors import ParseError, SqlglotError, TokenError

_POSITION = re.compile(r"[Ll]ine (\d+), [Cc]ol(?:umn)?:? (\d+)")
_ANSI = re.compile(r"\x1b\[\d+m")
_PHYSICAL = re.compile(r'"?\b[tv]_[0-9a-f]{12}\b"?')


class SnowflakeError(Exception):
    def __init__(self, errno: int, sqlstate: str, message: str) -> None:
        super().__init__(message)
        self.errno = errno
        self.sqlstate = sqlstate
        self.message = message


class NotImplementedHere(SnowflakeError):
    """What the stand-in cannot do; the text says so, unlike Snowflake's own refusals."""

    def __init__(self, what: str) -> None:
        super().__init__(2, "0A000", f"Unsupported feature '{what}' (the sandbox's Snowflake lacks it).")


def compilation(errno: int, sqlstate: str, text: str) -> SnowflakeError:
    return SnowflakeError(errno, sqlstate, f"SQL compilation error:\n{text}")


def missing_object(name: str) -> SnowflakeError:
    return compilation(2003, "42S02", f"Object '{name}' does not exist or not authorized.")


def missing(kind: str, name: str) -> SnowflakeError:
    """`kind` is Database, Schema, Stage, Integration, File format, …"""
    return compilation(2003, "02000", f"{kind} '{name}' does not exist or not authorized.")


def insufficient(kind: str, name: str) -> SnowflakeError:
    """`kind` is table, view, warehouse, …, in lower case."""
    text = f"Insufficient privileges to operate on {kind} '{name}'."
    return SnowflakeError(3001, "42501", f"SQL access control error:\n{text}")


def not_there() -> SnowflakeError:
    """USE of a role, a warehouse: missing, or not granted."""
    return compilation(2043, "02000", "Object does not exist, or operation cannot be performed.")


def role_not_granted(role: str) -> SnowflakeError:
    text = f"Requested role '{role}' is not assigned to the executing user. Specify another role to activate."
    return SnowflakeError(3013, "42501", f"SQL access control error:\n{text}")


def role_at_login(role: str) -> SnowflakeError:
    text = (
        f"Role '{role}' specified in the connect string does not exist or not authorized. "
        "Contact your local system administrator, or attempt to login with another role, e.g. PUBLIC."
    )
    return SnowflakeError(390189, "08001", text)


def no_warehouse() -> SnowflakeError:
    return SnowflakeError(
        606,
        "57P03",
        "No active warehouse selected in the current session.  "
        "Select an active warehouse with the 'use warehouse' command.",
    )


def already_exists(name: str) -> SnowflakeError:
    return compilation(2002, "42710", f"Object '{name}' already exists.")


def syntax(line: int, position: int, token: str) -> SnowflakeError:
    text = f"syntax error line {line} at position {position} unexpected '{token}'."
    return compilation(1003, "42000", text)


def invalid_identifier(name: str, line: int, position: int) -> SnowflakeError:
    text = f"SQL compilation error: error line {line} at position {position}\ninvalid identifier '{name}'"
    return SnowflakeError(904, "42000", text)


def no_database(action: str) -> SnowflakeError:
    return SnowflakeError(
        90105,
        "22000",
        f"Cannot perform {action}. This session does not have a current database. "
        "Call 'USE DATABASE', or use a qualified name.",
    )


def no_schema(action: str) -> SnowflakeError:
    return SnowflakeError(
        90106,
        "22000",
        f"Cannot perform {action}. This session does not have a current schema. "
        "Call 'USE SCHEMA', or use a qualified name.",
    )


def no_time_travel(table: str) -> SnowflakeError:
    return SnowflakeError(
        707,
        "02000",
        f"Time travel data is not available for table {table}. The requested time is either beyond the "
        "allowed time travel period or before the object creation time.",
    )


def unsupported_time_travel(what: str, name: str) -> SnowflakeError:
    """An object without time travel. Snowflake documents neither number nor text of this error: both are ours."""
    return SnowflakeError(2, "0A000", f"Unsupported feature 'TIME TRAVEL' for {what} {name}.")


def no_change_tracking(table: str) -> SnowflakeError:
    """docs.snowflake.com/en/user-guide/dynamic-tables-troubleshoot-refresh (091930, its text); the SQLSTATE is ours."""
    text = (
        f"Change tracking is not enabled or has been missing for the time range requested on table '{table}'."
    )
    return compilation(91930, "55000", text)


def unsupported_changes(kind: str, name: str) -> SnowflakeError:
    """CHANGES of an object that is not tracked. Number and text are documented nowhere: both are ours."""
    return SnowflakeError(2, "0A000", f"Unsupported feature 'CHANGES' for {kind} {name}.")


def future_data(table: str) -> SnowflakeError:
    """The text is Snowflake's; its number is documented nowhere, and this one is ours."""
    return SnowflakeError(2115, "02000", f"Future data is not yet available for table {table}.")


def cancelled() -> SnowflakeError:
    return SnowflakeError(604, "57014", "SQL execution canceled")


def timed_out(seconds: int) -> SnowflakeError:
    return SnowflakeError(
        630,
        "57014",
        f"Statement reached its statement or warehouse timeout of {seconds} second(s) and was canceled.",
    )


def from_parser(error: SqlglotError) -> SnowflakeError:
    if isinstance(error, ParseError) and error.errors:
        first = error.errors[0]
        return syntax(
            first.get("line") or 1, max((first.get("col") or 1) - 1, 0), first.get("highlight") or "<EOF>"
        )
    if isinstance(error, TokenError):
        return compilation(1003, "42000", f"parse error line 1 at position 0 near '<EOF>'.\n{error}")
    found = _POSITION.search(str(error))
    line, column = (int(found[1]), int(found[2])) if found else (1, 0)
    return syntax(line, column, _ANSI.sub("", str(error))[:80])


#: DuckDB's error → Snowflake's number and SQLSTATE. Order matters: subclasses first.
_DRIVER = (
    (duckdb.ParserException, 1003, "42000"),
    (duckdb.ConversionException, 100038, "22018"),
    (duckdb.ConstraintException, 100072, "22000"),
    (duckdb.CatalogException, 2140, "42601"),
    (duckdb.BinderException, 1001, "42601"),
    (duckdb.InvalidInputException, 100069, "22000"),
    (duckdb.NotImplementedException, 2, "0A000"),
)


#: What DuckDB says of a text that is no value of a type → Snowflake's number, SQLSTATE and words. Sources, below
#: docs.snowflake.com/en/sql-reference/functions: booland_agg (100037), to_decimal (100038), parse_json (100069); error messages
#: that users report (100035, 100040, 100108; 22P02).
_TEXTS = tuple(
    (re.compile(pattern, re.DOTALL), errno, sqlstate, text)
    for pattern, errno, sqlstate, text in (
        (r'\bdate field [^"]*"(.*?)"', 100040, "22007", "Date '{}' is not recognized"),
        (r'\btimestamp field [^"]*"(.*?)"', 100035, "22007", "Timestamp '{}' is not recognized"),
        (r'\btime field [^"]*"(.*?)"', 100108, "22007", "Time '{}' is not recognized"),
        (r"""Could not convert string ['"](.*)['"] to BOOL""", 100037, "22018", "Boolean value '{}' is not recognized"),
        (
            r"""Could not convert string ['"](.*)['"] to (?:DECIMAL|U?INT|HUGEINT|DOUBLE|FLOAT)""",
            *(100038, "22018", "Numeric value '{}' is not recognized"),
        ),
        (r'Malformed JSON .*?Input: "(.*)"', 100069, "22P02", "Error parsing JSON: {}"),
    )
)  # fmt: skip


def from_driver(error: BaseException) -> SnowflakeError:
    """Any exception as a Snowflake error; interrupts become "SQL execution canceled"."""
    if isinstance(error, SnowflakeError):
        return error
    if isinstance(error, SqlglotError):
        return from_parser(error)
    text = str(error)
    if isinstance(error, duckdb.InterruptException) or "INTERRUPT Error" in text:
        return cancelled()
    text = _PHYSICAL.sub("the table", text)
    first_line = text.split("\n\nLINE", maxsplit=1)[0]
    if found := re.search(r'Could not parse string "(.*?)" according to format', first_line, re.DOTALL):
        return SnowflakeError(100096, "22007", f"Can't parse '{found[1]}' with the format that holds for it")
    if found := re.search(r"String '.*' is too long and would be truncated", first_line, re.DOTALL):
        return SnowflakeError(100078, "22000", found[0])
    if isinstance(error, duckdb.ConversionException):
        for pattern, errno, sqlstate, words in _TEXTS:
            if found := pattern.search(first_line):
                return SnowflakeError(errno, sqlstate, words.format(found[1]))
    if isinstance(error, duckdb.InvalidInputException) and "Division by zero" in first_line:  # of sf_divisor
        return SnowflakeError(100051, "22012", "Division by zero")
    if isinstance(error, duckdb.CatalogException) and (
        found := re.search(r"Function with name (\S+) does not exist", first_line)
    ):
        return compilation(2140, "42601", f"Unknown function {found[1].upper()}")
    if isinstance(error, duckdb.ConstraintException) and (
        found := re.search(r"NOT NULL.*?\.(.+?)$", first_line)
    ):
        return SnowflakeError(100072, "22000", f"NULL result in a non-nullable column: {found[1]}")
    if isinstance(error, duckdb.OutOfRangeException):
        return SnowflakeError(100046, "22003", f"Number out of representable range: {first_line}")
    for family, errno, sqlstate in _DRIVER:
        if isinstance(error, family):
            prefix = "SQL compilation error:\n" if errno < 10000 else ""
            return SnowflakeError(errno, sqlstate, f"{prefix}{first_line}")
    return SnowflakeError(
        603, "XX000", f"SQL execution internal error:\n{type(error).__name__}: {first_line}"
    )
