"""Server-side binding: `?`, `:1` and `:name` become typed literals."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.names import literal
from sandbox.snowflake.rewriting.scanner import Scanner


def apply(text: str, bindings: dict[str, Any]) -> str:
    """The statement with each placeholder replaced by its value, as Snowflake SQL."""
    if not bindings:
        return text
    scanner = Scanner(text)
    pieces, at, position, index = [], 0, 0, 0
    while index < len(scanner.tokens):
        token = scanner.tokens[index]
        key, end = None, token.end
        if token.text == "?":
            position += 1
            key = str(position)
        elif token.text == ":" and index + 1 < len(scanner.tokens):
            following = scanner.tokens[index + 1]
            if following.start == token.end and following.text in bindings:
                key, end = following.text, following.end
                index += 1
        if key is not None:
            if key not in bindings:
                raise errors.compilation(2049, "42601", f"Bind variable ? not set (position {key}).")
            pieces += [text[at : token.start], _literal(bindings[key])]
            at = end
        index += 1
    return "".join([*pieces, text[at:]])


def _literal(binding: dict[str, Any]) -> str:
    kind, value = str(binding["type"]).upper(), binding["value"]
    if value is None:
        return "NULL"
    if isinstance(value, list):
        raise errors.NotImplementedHere("array binding")
    match kind:
        case "FIXED":
            return str(value)
        case "REAL":
            return f"{literal(str(value))}::FLOAT"
        case "BOOLEAN":
            return "TRUE" if str(value).lower() in {"true", "1"} else "FALSE"
        case "BINARY":
            return f"X'{value}'"
        case "DATE":
            day = dt.date(1970, 1, 1) + dt.timedelta(milliseconds=int(value))
            return f"'{day}'::DATE"
        case "TIME":
            seconds, nanoseconds = divmod(int(value), 10**9)
            clock = (dt.datetime(1970, 1, 1) + dt.timedelta(seconds=seconds)).time().isoformat()
            return f"'{clock}.{nanoseconds:09d}'::TIME"
        case "TIMESTAMP_NTZ" | "TIMESTAMP_LTZ" | "TIMESTAMP_TZ":
            given, _, offset = str(value).partition(" ")
            seconds, nanoseconds = divmod(int(given), 10**9)
            moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
            if offset:
                moment = moment.astimezone(dt.timezone(dt.timedelta(minutes=int(offset) - 1440)))
            text = f"{moment:%H:%M:%S}.{nanoseconds:09d}"
            zone = "" if kind == "TIMESTAMP_NTZ" else moment.isoformat()[19:]
            return f"{literal(f'{moment.date()} {text}{zone}')}::{kind}"
    return "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"
