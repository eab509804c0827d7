"""Reading the target: its columns and keys for planning, its details for a swap, and what stops a publish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors
from psycopg.rows import tuple_row

from snowmelt.errors import ConfigurationError, SchemaError, TargetError
from snowmelt.publish.obstacles import (
    READ_SCHEMA_FACTS,
    READ_TARGET_FACTS,
    Fact,
    Obstacle,
    PublishIntent,
    parse_facts,
)
from snowmelt.publish.rights import describe_obstacle
from snowmelt.publish.row_statements import build_count, build_repeated_keys, describe_duplicates
from snowmelt.publish.strategies import find_obstacles
from snowmelt.publish.table_details import (
    READ_DETAILS,
    TableDetails,
    parse_details,
)
from snowmelt.sql.names import join_predicates, postgres_identifier
from snowmelt.types.columns import TargetColumn
from snowmelt.types.type_names import PostgresType, parse_postgres_type
from snowmelt.vocabulary import PublishMethod

#: Parameters: schema, table.
READ_OID = "SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s"

#: Parameter: oid. Planner's estimate (-1: never analysed), bytes with TOAST and indexes; partitions are summed up.
READ_SIZE = """
SELECT coalesce(sum(greatest(c.reltuples, -1)) FILTER (WHERE c.reltuples >= 0), -1)::bigint, coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
FROM (SELECT %(oid)s::oid AS relid UNION SELECT relid FROM pg_partition_tree(%(oid)s::oid) WHERE isleaf) AS tree JOIN pg_class AS c ON c.oid = tree.relid
WHERE c.relkind <> 'p'
"""


@dataclass(frozen=True, slots=True)
class TargetTable:
    """An existing table in PostgreSQL."""

    schema: str
    table: str
    #: pg_class.relkind: r a table, p a partitioned one, v a view, m a materialized view, f a foreign table.
    kind: str
    owner: str
    columns: tuple[TargetColumn, ...]
    #: In the key's order; empty without one.
    primary_key: tuple[str, ...]
    #: The planner's estimate; None when it was never analysed.
    row_estimate: int | None
    #: With TOAST and indexes.
    bytes: int


def describe_target(schema: str, table: str, details: TableDetails, estimate: int, size: int) -> TargetTable:
    """The table as planning sees it.

    :param estimate: pg_class.reltuples, -1 where there is none.
    """
    columns = tuple(
        TargetColumn(
            name=column.name,
            type=_parse_type(column.type),
            not_null=column.not_null,
            has_default=bool(column.identity) or (column.default is not None and not column.generated),
            generated=bool(column.generated),
            identity_always=column.identity == "a",
        )
        for column in details.columns
    )
    return TargetTable(
        schema=schema,
        table=table,
        kind=details.kind,
        owner=details.owner,
        columns=columns,
        primary_key=details.primary_key(),
        row_estimate=None if estimate < 0 else estimate,
        bytes=size,
    )


def _parse_type(text: str) -> PostgresType:
    """A type of a name that no one expects is a type without a way in, to be named with the other faults."""
    try:
        return parse_postgres_type(text)
    except SchemaError:
        return PostgresType(text)


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


def read_obstacles(connection: Connection, intent: PublishIntent) -> tuple[Obstacle, ...]:
    """Everything that stops the intended publish, each with what to do; for planning and the doctor, before anything is unloaded.

    A merge's key that no unique index guarantees is checked in the target's rows: that reads the whole table.
    """
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        facts = list(read_facts(cursor, intent))
        details = read_details(cursor, intent.schema, intent.table)
        if details is not None and details.kind in {"r", "p"} and intent.method is PublishMethod.MERGE:
            facts += [
                *_read_null_keys(cursor, intent, details),
                *_read_repeated_keys(cursor, intent, details),
            ]
    return find_obstacles(intent, facts)


def refuse_obstacles(connection: Connection, intent: PublishIntent | None) -> None:
    """For planning: what the publish would refuse is refused before anything is unloaded.

    :param intent: None: nothing is published, and nothing refused.
    :raises ConfigurationError: with everything that stops it.
    """
    obstacles = read_obstacles(connection, intent) if intent is not None else ()
    if intent is not None and obstacles:
        raise ConfigurationError(
            f"{intent.schema}.{intent.table} cannot be published to by {intent.method.value}. Nothing was unloaded:",
            tuple(describe_obstacle(obstacle, intent, connection.info.user) for obstacle in obstacles),
        )


def check_publishable(cursor: Cursor, intent: PublishIntent) -> tuple[Fact, ...]:
    """For the publish: what planning found right may have changed since. Reads the catalog alone, and returns what it says.

    :raises TargetError: with everything that stops it.
    """
    facts = read_facts(cursor, intent)
    obstacles = find_obstacles(intent, facts)
    if obstacles:
        role = cursor.connection.info.user
        listed = "\n".join(f"  - {describe_obstacle(one, intent, role)}" for one in obstacles)
        raise TargetError(
            f"{intent.schema}.{intent.table} cannot be published to by {intent.method.value}. Nothing was changed:\n{listed}"
        )
    return facts


def read_facts(cursor: Cursor, intent: PublishIntent) -> tuple[Fact, ...]:
    """What the catalog says of the schema and, where it exists, of the table, in the cursor's transaction."""
    rows = cursor.execute(READ_SCHEMA_FACTS, {"schema": intent.schema}).fetchall()
    facts = tuple(Fact(kind, description) for kind, description in rows)
    found = cursor.execute(READ_OID, (intent.schema, intent.table)).fetchone()
    if found is None:
        return facts
    asked = {"oid": found[0], "columns": list(intent.columns)}
    rows = cursor.execute(READ_TARGET_FACTS, asked).fetchall()
    return facts + parse_facts(rows, intent.columns)


def _read_null_keys(cursor: Cursor, intent: PublishIntent, target: TableDetails) -> list[Fact]:
    """The copy's own rows that no staged key can ever meet."""
    columns = {column.name: column for column in target.columns}
    nullable = [name for name in intent.key if name in columns and not columns[name].not_null]
    if not nullable:
        return []
    nulls = " OR ".join(f"{postgres_identifier(name)} IS NULL" for name in nullable)
    where = join_predicates(intent.own, nulls)
    try:
        with cursor.connection.transaction():
            row = cursor.execute(build_count(intent.schema, intent.table, where)).fetchone()
    except errors.InsufficientPrivilege:  # named as a missing right
        return []
    count = int(row[0]) if row else 0
    return [Fact("null key", f"{count:,} rows")] if count else []


def _read_repeated_keys(cursor: Cursor, intent: PublishIntent, target: TableDetails) -> list[Fact]:
    key = intent.key
    if not key or set(key) - {column.name for column in target.columns}:
        return []
    if target.is_unique(key):
        return []
    try:
        sql = build_repeated_keys(intent.schema, intent.table, key, intent.own)
        with cursor.connection.transaction():
            rows = cursor.execute(sql).fetchall()
    except errors.UndefinedFunction as error:
        return [Fact("key without equality", str(error.diag.message_primary))]
    except errors.InsufficientPrivilege:  # named as a missing right
        return []
    if not rows:
        return []
    return [Fact("repeated key", describe_duplicates(rows, sql).strip())]


def read_details(cursor: Cursor, schema: str, table: str) -> TableDetails | None:
    """Everything about the table, in the cursor's transaction."""
    row = cursor.execute(READ_DETAILS, (schema, table)).fetchone()
    return None if row is None else parse_details(row[0])
