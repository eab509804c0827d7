"""COMMENT ON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.snowflake import errors
from sandbox.snowflake.catalog.names import show
from sandbox.snowflake.catalog.results import SUCCESS, Result, status_result

if TYPE_CHECKING:
    from sandbox.snowflake.sql.statement import Statement


def comment_on(statement: Statement) -> Result:
    scanner = statement.scanner()
    scanner.expect("COMMENT")
    if_exists = scanner.accept("IF", "EXISTS")
    scanner.expect("ON")
    kind = scanner.next().text.upper()
    parts = scanner.name()
    scanner.expect("IS")
    text = scanner.string()
    reader, catalog = statement.reader(), statement.store.catalog
    if kind == "COLUMN":
        name = reader.place(parts[:-1], "COMMENT")
        column = reader.find(name).column(parts[-1])
        if column is None:
            raise errors.compilation(904, "42000", f"invalid identifier '{show(parts[-1])}'")
        column.comment = text
    elif kind in {"TABLE", "VIEW"}:
        name = reader.place(parts, "COMMENT")
        if not (if_exists and catalog.find_table(name) is None):
            reader.find(name).comment = text
    elif kind == "SCHEMA":
        database = parts[0] if len(parts) > 1 else str(statement.session.database)
        catalog.schema(database, parts[-1]).comment = text
    elif kind == "DATABASE":
        catalog.database(parts[0]).comment = text
    else:
        raise errors.NotImplementedHere(f"COMMENT ON {kind}")
    statement.store.save()
    return status_result(SUCCESS)
