"""What planning needs to know of an existing target table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from snowmelt.core.columns.type_names import PostgresType, parse_postgres_type
from snowmelt.core.columns.values import TargetColumn
from snowmelt.core.publish.table_details import TableDetails
from snowmelt.errors import SchemaError

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
    #: Column lists of the valid unique indexes without expression, predicate or deferral, the primary key's included.
    unique_keys: tuple[tuple[str, ...], ...]
    #: The planner's estimate; None when it was never analysed.
    row_estimate: int | None
    #: With TOAST and indexes.
    bytes: int

    def is_unique(self, columns: Sequence[str]) -> bool:
        """Whether a unique index guarantees that these columns, in any order, tell every row from every other."""
        return bool(columns) and any(set(key) == set(columns) for key in self.unique_keys)


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
        unique_keys=details.unique_keys(),
        row_estimate=None if estimate < 0 else estimate,
        bytes=size,
    )


def _parse_type(text: str) -> PostgresType:
    """A type of a name that no one expects is a type without a way in, to be named with the other faults."""
    try:
        return parse_postgres_type(text)
    except SchemaError:
        return PostgresType(text)
