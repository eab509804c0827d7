"""COPY INTO <location>, read: where to, from what, in which form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.snowflake import errors
from sandbox.snowflake.files.file_formats import Format, resolve_format
from sandbox.snowflake.files.locations import Location, resolve
from sandbox.snowflake.rewriting.scanner import Scanner, as_flag
from sandbox.snowflake.sql.statement import Statement

DEFAULT_MAX_FILE_SIZE = 16 * 1024 * 1024
MAX_FILE_SIZE_LIMIT = 5 * 1024 * 1024 * 1024

_KNOWN = {"FILE_FORMAT", "HEADER", "OVERWRITE", "SINGLE", "MAX_FILE_SIZE", "INCLUDE_QUERY_ID", "DETAILED_OUTPUT",
          "VALIDATION_MODE", "STORAGE_INTEGRATION", "ENCRYPTION"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unload:
    """The statement, read. `max_file_size` in bytes."""

    location: Location
    query: str
    form: Format
    header: bool
    overwrite: bool
    single: bool
    include_query_id: bool
    detailed: bool
    validate: bool
    max_file_size: int


def parse_unload(statement: Statement) -> Unload:
    scanner = statement.scanner()
    scanner.expect("COPY", "INTO")
    token = scanner.next()
    if token.kind == "string":
        scanner.at -= 1
        reference = scanner.string()
    else:
        reference = token.text
    scanner.expect("FROM")
    query = _source(scanner)
    if scanner.accept("PARTITION", "BY"):
        raise errors.NotImplementedHere("PARTITION BY")
    options = scanner.options()
    for key in options:
        if key == "CREDENTIALS":
            raise errors.NotImplementedHere("CREDENTIALS in SQL; use STORAGE_INTEGRATION")
        if key not in _KNOWN:
            raise errors.compilation(1002, "42601", f"invalid property '{key}' for 'COPY'")

    def flag(key: str) -> bool:
        return as_flag(options.get(key, "FALSE"), key)

    size = options.get("MAX_FILE_SIZE", DEFAULT_MAX_FILE_SIZE)
    if not isinstance(size, int) or not 0 < size <= MAX_FILE_SIZE_LIMIT:
        raise errors.compilation(1008, "22023", f"invalid value [{size}] for parameter 'MAX_FILE_SIZE'")
    if flag("INCLUDE_QUERY_ID") and (flag("OVERWRITE") or flag("SINGLE")):
        other = "OVERWRITE" if flag("OVERWRITE") else "SINGLE"
        text = f"COPY option INCLUDE_QUERY_ID = TRUE is not supported with {other} = TRUE."
        raise errors.compilation(1009, "42601", text)
    mode = str(options.get("VALIDATION_MODE", "")).upper()
    if mode not in {"", "RETURN_ROWS"}:
        raise errors.compilation(1008, "22023", f"invalid value [{mode}] for parameter 'VALIDATION_MODE'")
    integration = options.get("STORAGE_INTEGRATION")
    location = resolve(statement, reference, _exact(integration) if integration else None)
    form = resolve_format(statement, options.get("FILE_FORMAT"), location.stage)
    return Unload(
        location, query, form, flag("HEADER"), flag("OVERWRITE"), flag("SINGLE"), flag("INCLUDE_QUERY_ID"),
        flag("DETAILED_OUTPUT"), bool(mode), size,
    )  # fmt: skip


def _exact(name: Any) -> str:
    text = str(name)
    return text[1:-1].replace('""', '"') if text.startswith('"') else text.upper()


def _source(scanner: Scanner) -> str:
    if scanner.peek().text == "(":
        return scanner.parenthesised()
    start = scanner.peek().start
    scanner.name()
    if scanner.looking_at("AT") or scanner.looking_at("BEFORE"):
        scanner.next()
        scanner.parenthesised()
    return f"SELECT * FROM {scanner.text[start : scanner.tokens[scanner.at - 1].end]}"
