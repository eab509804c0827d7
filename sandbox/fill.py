"""`python -m sandbox fill`: put the demo tables into the Snowflake stand-in, by plain SQL over its protocol."""

from __future__ import annotations

import time

from sandbox import process
from sandbox.demo_data import DemoTable, demo_tables, surroundings
from sandbox.environment import BUCKET
from sandbox.errors import SandboxError
from sandbox.snowflake_client import SnowflakeClient
from sandbox.state import State

MAX_ROWS = 100_000_000


def fill(state: State, rows: int) -> None:
    """Make what is missing. A table that has its rows already, of the same seed and size, is left as it is."""
    if not 0 <= rows <= MAX_ROWS:
        raise SandboxError(f"--rows {rows}: expected 0 to {MAX_ROWS:,}.")
    if not process.is_running(state, "snowflake"):
        raise SandboxError("The Snowflake stand-in does not run. Start it first: make sandbox")
    with state.locked():
        try:
            client = SnowflakeClient(state)
            for table in demo_tables(rows):
                fill_table(client, table)
            client.close()
        except SandboxError as error:
            raise SandboxError(f"{error}\nIts log: {state.log / 'snowflake.log'}") from None


def fill_table(client: SnowflakeClient, table: DemoTable) -> None:
    started = time.monotonic()
    if is_filled(client, table):
        print(f"{table.name}: {table.rows:,} rows are there")
        return
    for statement in (*surroundings(BUCKET), *table.create(), *table.insert(), *table.finish()):
        client.run(statement)
    print(f"{table.name}: {table.rows:,} rows in {time.monotonic() - started:.1f} s", flush=True)


def is_filled(client: SnowflakeClient, table: DemoTable) -> bool:
    """Whether the table's comment says so: it is written after the last row."""
    database, schema, name = table.name.split(".")
    if not client.run(f"SHOW DATABASES LIKE '{database}'"):
        return False
    rows = client.run(
        f"SELECT COMMENT FROM {database}.INFORMATION_SCHEMA.TABLES"
        f" WHERE TABLE_SCHEMA = '{schema}' AND TABLE_NAME = '{name}'"
    )
    return bool(rows) and rows[0][0] == table.mark
