"""A target with rows, and what is published into them."""

from __future__ import annotations

from snowmelt.vocabulary import PublishMethod
from tests.publish.target_world import ID_NAME

REPLACE, APPEND, MERGE = PublishMethod.REPLACE, PublishMethod.APPEND, PublishMethod.MERGE
TABLE = 'my "dim". ü'


def make(world, connection, columns="id integer PRIMARY KEY, name text", rows=3, table=TABLE):
    connection.execute(f"CREATE TABLE {world.name(table)} ({columns})")
    connection.execute(
        f"INSERT INTO {world.name(table)} (id, name) SELECT g, 'old' || g FROM generate_series(1, {rows}) g"
    )
    connection.execute(f"GRANT SELECT ON {world.name(table)} TO snowmelt_reader")


def content(world, table=TABLE, order="id"):
    return world.rows(f"SELECT * FROM {world.name(table)} ORDER BY {order}")


def merge(world, connection, insert, run_id="run1", columns=ID_NAME, **rest):
    values = {"uniqueness_columns": ("id",)} | rest
    return world.run(connection, TABLE, insert, run_id, MERGE, columns, **values)
