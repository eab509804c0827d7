"""What SHOW and DESCRIBE have in common: LIKE, IN, and columns of texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from sandbox.snowflake.catalog import sftypes
from sandbox.snowflake.catalog.catalog import Database, Schema
from sandbox.snowflake.catalog.sftypes import TEXT
from sandbox.snowflake.rewriting.scanner import Scanner
from sandbox.snowflake.sql.statement import Statement

NUMBER = sftypes.number()


def texts(*names: str) -> list[tuple[str, sftypes.SfType]]:
    return [(n, TEXT) for n in names]


def like_filter(scanner: Scanner) -> Callable[[str], bool]:
    """LIKE 'pattern' as SHOW has it: without regard to case."""
    if not scanner.accept("LIKE"):
        return lambda name: True
    pattern = scanner.string()
    regex = "".join(
        ".*" if c == "%" else "." if c == "_" else re.escape(c) for c in re.sub(r"\\(.)", r"\1", pattern)
    )
    compiled = re.compile(regex, re.IGNORECASE | re.DOTALL)
    return lambda name: compiled.fullmatch(name) is not None


def in_scope(statement: Statement, scanner: Scanner) -> Iterator[tuple[Database, Schema]]:
    """IN ACCOUNT | DATABASE d | SCHEMA s | d.s, or the session's schema: those that the session's roles see."""
    rights = statement.rights
    for database, schema in _scope(statement, scanner):
        if rights.sees(database) and rights.sees(schema, database):
            yield database, schema


def _scope(statement: Statement, scanner: Scanner) -> Iterator[tuple[Database, Schema]]:
    catalog, session = statement.store.catalog, statement.session
    if not scanner.accept("IN"):
        if session.database is not None and session.schema is not None:
            yield catalog.database(session.database), catalog.schema(session.database, session.schema)
        elif session.database is not None:
            yield from (
                (catalog.database(session.database), s)
                for s in catalog.database(session.database).schemas.values()
            )
        else:
            yield from ((d, s) for d in catalog.databases.values() for s in d.schemas.values())
        return
    if scanner.accept("ACCOUNT"):
        yield from ((d, s) for d in list(catalog.databases.values()) for s in d.schemas.values())
        return
    if scanner.accept("DATABASE"):
        name = (
            scanner.identifier()
            if not scanner.done and scanner.peek().kind in {"word", "quoted"}
            else str(session.database)
        )
        yield from ((catalog.database(name), s) for s in catalog.database(name).schemas.values())
        return
    scanner.accept("SCHEMA")
    parts = scanner.name() if not scanner.done else [str(session.schema)]
    database = parts[0] if len(parts) == 2 else str(session.database)
    yield catalog.database(database), catalog.schema(database, parts[-1])
