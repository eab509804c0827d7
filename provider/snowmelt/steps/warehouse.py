"""The statements that change a warehouse's size for an unload and change it back.

Changing a warehouse's size for an unload burst, and changing it back whatever happens.

The size to go back to is in the ledger before anything is changed. Several runs may share a warehouse: the last one to end
restores it, and a run that died a day ago no longer counts.
"""

from __future__ import annotations

import logging
from typing import Any

import psycopg

from snowmelt.config.fields import WAREHOUSE_SIZES, warehouse_size
from snowmelt.drivers.postgres_errors import postgres_failures
from snowmelt.drivers.snowflake import Connection, read_named_rows, read_rows
from snowmelt.errors import AccessError, ConfigurationError
from snowmelt.ledger import runs as ledger
from snowmelt.rights.snowflake import describe_missing, warehouse_grants
from snowmelt.sql.names import snowflake_identifier, snowflake_literal

CURRENT_WAREHOUSE = "SELECT CURRENT_WAREHOUSE()"


def build_show_warehouse(name: str) -> str:
    """SHOW WAREHOUSES for names like this one; `_` and `%` in it match more, so the answer is looked through by name."""
    return f"SHOW WAREHOUSES LIKE {snowflake_literal(name)}"


def build_resize(name: str, size: str) -> str:
    """ALTER WAREHOUSE; running queries end at the old size.

    :raises ConfigurationError: no size of Snowflake's.
    """
    if size not in WAREHOUSE_SIZES:
        raise ConfigurationError(f"{size!r} is no warehouse size; it is one of {', '.join(WAREHOUSE_SIZES)}.")
    return f"ALTER WAREHOUSE {snowflake_identifier(name)} SET WAREHOUSE_SIZE = {snowflake_literal(size)}"


def parse_size(text: str) -> str:
    """The size as SHOW WAREHOUSES prints it (`X-Small`, `2X-Large`) → as ALTER WAREHOUSE takes it."""
    return warehouse_size(text)


log = logging.getLogger(__name__)


def resize_warehouse(
    postgres: psycopg.Connection[Any], snowflake: Connection, run_id: str, wanted: str
) -> dict[str, str]:
    """Set the session's warehouse to a size, and note which it had. Safe to repeat.

    :raises ConfigurationError: the session has no warehouse.
    :raises AccessError: the role cannot see the warehouse, or lacks MODIFY on it.
    """
    doing = f"Resizing the warehouse of run {run_id} to {wanted}"
    name = read_rows(snowflake, CURRENT_WAREHOUSE, doing)[0][0]
    if not name:
        raise ConfigurationError(
            f"{doing}: the session has no warehouse. Set `warehouse` in the Snowflake connection or snowflake_unload.warehouse."
        )
    with postgres_failures(doing), postgres.transaction(), postgres.cursor() as cursor:
        cursor.execute(ledger.LOCK_WAREHOUSE, (name,))
        row = cursor.execute(ledger.READ_ORIGINAL_SIZE, (name,)).fetchone()
        original = row[0] if row else _read_size(snowflake, name, doing)
        cursor.execute(ledger.WRITE_RESIZED, (name, run_id, original))
    try:
        read_rows(snowflake, build_resize(name, wanted), doing)
    except AccessError as error:
        raise AccessError(f"{error} {_missing(snowflake, name)}") from error
    log.info("Warehouse %s: %s → %s for this unload", name, original, wanted)
    return {"warehouse": name, "original": original, "size": wanted}


def restore_warehouse(postgres: psycopg.Connection[Any], snowflake: Connection, run_id: str) -> str | None:
    """Set the warehouse back when no other run needs it; returns the size, None when there was nothing to do. Safe to repeat."""
    doing = f"Restoring the warehouse of run {run_id}"
    with postgres_failures(doing), postgres.transaction(), postgres.cursor() as cursor:
        mine = cursor.execute(ledger.READ_RESIZED, (run_id,)).fetchone()
        if mine is None:
            return None
        name, original = mine
        cursor.execute(ledger.LOCK_WAREHOUSE, (name,))
        cursor.execute(ledger.DELETE_RESIZED, (name, run_id))
        if cursor.execute(ledger.READ_ORIGINAL_SIZE, (name,)).fetchone() is not None:
            log.info("Warehouse %s stays as it is: another run unloads by it", name)
            return None
        read_rows(
            snowflake, build_resize(name, original), doing
        )  # fails: the row stays, and a retry finds it
    log.info("Warehouse %s: back to %s", name, original)
    return str(original)


def _read_size(snowflake: Connection, name: str, doing: str) -> str:
    for row in read_named_rows(snowflake, build_show_warehouse(name), doing):
        if row["name"] == name:
            return parse_size(str(row["size"]))
    raise AccessError(
        f"{doing}: the role does not see the size of the warehouse {name!r}. {_missing(snowflake, name)} Or leave warehouse_size out."
    )


def _missing(snowflake: Connection, name: str) -> str:
    role = read_rows(snowflake, "SELECT CURRENT_ROLE()", "Reading the session's role")[0][0]
    return describe_missing(warehouse_grants(name, resized=True), str(role))
