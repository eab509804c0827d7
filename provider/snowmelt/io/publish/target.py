"""Reading the target's catalog."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from snowmelt.core.publish.statements import PublishMethod
from snowmelt.core.publish.table_details import (
    QUALIFY_NAMES,
    READ_DETAILS,
    READ_SEARCH_PATH,
    RESTORE_SEARCH_PATH,
    TableDetails,
    parse_details,
)
from snowmelt.core.publish.target_catalog import READ_SIZE, TargetTable, describe_target
from snowmelt.core.publish.target_obstacles import READ_OBSTACLES, describe_obstacles

Connection = psycopg.Connection[Any]
Cursor = psycopg.Cursor[Any]


def read_target(connection: Connection, schema: str, table: str) -> TargetTable | None:
    """The table as planning needs it; None when nothing of that name is there. Views are found too: see `kind`."""
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        details = read_details(cursor, schema, table)
        if details is None:
            return None
        row = cursor.execute(READ_SIZE, {"oid": details.oid}).fetchone()
    estimate, size = row or (-1, 0)
    return describe_target(schema, table, details, estimate, size)


def obstacles_to_swap(connection: Connection, schema: str, table: str) -> list[str]:
    """What stands in the way of a swap, each with what to do; empty when nothing does, or when the table is not there."""
    return obstacles_to(connection, PublishMethod.SWAP, schema, table)


def obstacles_to(connection: Connection, method: PublishMethod, schema: str, table: str) -> list[str]:
    """What stands in the way of this method of publishing, each with what to do."""
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        details = read_details(cursor, schema, table)
        return [] if details is None else read_obstacles(cursor, method, details.oid)


def read_details(cursor: Cursor, schema: str, table: str) -> TableDetails | None:
    """Everything about the table, in the cursor's transaction."""
    with qualified_names(cursor):
        row = cursor.execute(READ_DETAILS, (schema, table)).fetchone()
    return None if row is None else parse_details(row[0])


def read_obstacles(cursor: Cursor, method: PublishMethod, oid: int) -> list[str]:
    """The obstacles in the cursor's transaction."""
    with qualified_names(cursor):
        rows = cursor.execute(READ_OBSTACLES, {"oid": oid}).fetchall()
    return describe_obstacles(method, rows)


@contextmanager
def qualified_names(cursor: Cursor) -> Iterator[None]:
    """Let the server print names with their schemas. The session's own search_path is back afterwards, for triggers and hooks.

    After an error nothing is put back: the transaction is over, and the setting with it.
    """
    row = cursor.execute(READ_SEARCH_PATH).fetchone()
    cursor.execute(QUALIFY_NAMES)
    yield
    cursor.execute(RESTORE_SEARCH_PATH, (row[0] if row else "",))
