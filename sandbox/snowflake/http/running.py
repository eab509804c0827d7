"""Running one statement: which kind it is, and what becomes of its errors."""

from __future__ import annotations

import re

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.results import Result
from sandbox.snowflake.http.handlers import HANDLERS
from sandbox.snowflake.rewriting.scanner import split_statements
from sandbox.snowflake.sql.statement import Handler, Statement


def run(statement: Statement) -> Result:
    """Run it to its end; raises SnowflakeError and nothing else."""
    try:
        count = len(split_statements(statement.text))
        if count != 1:
            if count == 0:
                raise errors.SnowflakeError(900, "42601", "SQL compilation error:\nEmpty SQL statement.")
            text = f"Actual statement count {count} did not match the desired statement count 1."
            raise errors.SnowflakeError(8, "0A000", text)
        statement.text = split_statements(statement.text)[0]
        handler = find_handler(statement)
        statement.query.check()
        result = handler(statement)
        statement.query.check()
        return result
    except Exception as error:
        reason = statement.query.stop_reason
        translated = errors.from_driver(error)
        if reason is not None and (translated.errno == 604 or statement.query.stop.is_set()):
            raise reason from None
        raise translated from error


def find_handler(statement: Statement) -> Handler:
    words = [t.text.upper() for t in statement.scanner().tokens[:6]]
    if not words:
        raise errors.syntax(1, 0, "<EOF>")
    for pattern, handler in HANDLERS:
        if _matches(pattern, words):
            return handler
    first = statement.scanner().peek()
    raise errors.syntax(1, 0, first.text)


def _matches(pattern: str, words: list[str]) -> bool:
    """A pattern is words; (A|B) is a choice, ? behind a word makes it optional."""
    return re.match(pattern, " ".join(words) + " ") is not None
