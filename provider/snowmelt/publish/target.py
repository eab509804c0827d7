"""What planning needs to know of an existing target table.

What stands in the way of a publish: objects that depend on the target, and rights that are missing.

A swap drops the old table, so whatever refers to it would be lost or would stop the drop. The list comes from pg_depend,
which knows every kind of object, with the table's own parts left out: those are carried over.
Sources: PostgreSQL "Dependency tracking", "System catalogs", "GRANT", "ALTER TABLE" (rights), "Constraints" (foreign keys: a DELETE may cascade).

Reading the target's catalog.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from snowmelt.errors import SchemaError
from snowmelt.publish.table_details import (
    QUALIFY_NAMES,
    READ_DETAILS,
    READ_SEARCH_PATH,
    RESTORE_SEARCH_PATH,
    TableDetails,
    parse_details,
)
from snowmelt.types.columns import TargetColumn
from snowmelt.types.type_names import PostgresType, parse_postgres_type
from snowmelt.vocabulary import PublishMethod

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


_TRUNCATE = "set publish to truncate"

#: Kind of obstacle → what it is (with its description), what to do.
_SWAP_ADVICE: dict[str, tuple[str, str]] = {
    "kind": ("it is {0}", f"{_TRUNCATE}, or name a plain table as the target"),
    "temporary": ("it is a temporary table", "name a permanent table as the target"),
    "partition": ("it is a partition of {0}", f"{_TRUNCATE}, or make the partitioned table the target"),
    "parent": ("it inherits from {0}", f"{_TRUNCATE}, or ALTER TABLE … NO INHERIT"),
    "child": (
        "{0} inherits from it",
        "end the inheritance by ALTER TABLE … NO INHERIT, or name another target",
    ),
    "typed": ("it is a table OF the type {0}", f"{_TRUNCATE}, or ALTER TABLE … NOT OF"),
    "extension": ("it belongs to the extension {0}", _TRUNCATE),
    "view": ("{0} reads it", f"{_TRUNCATE}; or drop it before and create it again after each publish"),
    "foreign key": (
        "the {0} references it",
        "drop that foreign key, or set publish to append, or mode to catch_up",
    ),
    "dependent": (
        "{0} depends on it",
        f"{_TRUNCATE}; or drop it before and create it again after each publish",
    ),
    "trigger": (
        "it has the trigger {0}",
        f"{_TRUNCATE} (the trigger then fires for each row); or drop the trigger",
    ),
    "rule": ("it has the rule {0}", f"{_TRUNCATE}, or drop the rule"),
    "policy": ("it has the row security policy {0}", f"{_TRUNCATE}, or drop the policy"),
    "row security": (
        "row security is enabled on it",
        f"{_TRUNCATE}, or ALTER TABLE … DISABLE ROW LEVEL SECURITY",
    ),
    "publication": (
        "the publication {0} replicates it, and would neither replicate the new table's rows nor drop the old",
        f"{_TRUNCATE}, or take it out of the publication",
    ),
    "subscription": (
        "a subscription writes to it",
        "name another target, or take it out of the subscription",
    ),
    "label": ("it has a security label of the provider {0}", f"{_TRUNCATE}, or remove the label"),
    "owner": (
        "the role {0} neither owns it nor is a member of the owner",
        f"grant the owner's role, or {_TRUNCATE}",
    ),
    "owner's create": (
        "its owner may not create in the schema ({0})",
        f"GRANT CREATE ON SCHEMA to the owner, or {_TRUNCATE}",
    ),
    "references": (
        "the role has no right to reference {0}",
        f"GRANT REFERENCES ON that table, or {_TRUNCATE}",
    ),
    "create": (
        "the role may not create in the schema ({0})",
        "GRANT CREATE ON SCHEMA … to the connection's role",
    ),
}

_ROW_ADVICE: dict[str, tuple[str, str]] = {
    "kind": ("it is {0}", "name a table as the target"),
    "temporary": ("it is a temporary table", "name a permanent table as the target"),
    "create": _SWAP_ADVICE["create"],
    "right": ("the role has no right to {0}", "GRANT it to the connection's role"),
    "row security": (
        "row security applies to the role, which would not see all rows",
        "let the table's owner or a role with BYPASSRLS publish",
    ),
}
_TRUNCATE_ADVICE: dict[str, tuple[str, str]] = _ROW_ADVICE | {
    "child": (
        "{0} inherits from it, and would be emptied or shown twice",
        "end the inheritance, or name another target",
    ),
    "foreign key": (
        "the {0} references it",
        "drop that foreign key, or set publish to append, or mode to catch_up",
    ),
}

#: Parameters (named): oid. Rows (kind, description). Needs QUALIFY_NAMES, so that descriptions carry schemas.
READ_OBSTACLES = """
WITH t AS (SELECT c.*, n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = %(oid)s::oid),
part (classid, objid) AS (
  SELECT 'pg_class'::regclass, oid FROM t
  UNION ALL SELECT 'pg_class'::regclass, reltoastrelid FROM t WHERE reltoastrelid <> 0
  UNION ALL SELECT 'pg_type'::regclass, y.oid FROM pg_type AS y JOIN t ON y.oid = t.reltype
  UNION ALL SELECT 'pg_type'::regclass, y.typarray FROM pg_type AS y JOIN t ON y.oid = t.reltype WHERE y.typarray <> 0
  UNION ALL SELECT 'pg_class'::regclass, x.indexrelid FROM pg_index AS x JOIN t ON x.indrelid IN (t.oid, t.reltoastrelid)
  UNION ALL SELECT 'pg_constraint'::regclass, k.oid FROM pg_constraint AS k JOIN t ON k.conrelid = t.oid
  UNION ALL SELECT 'pg_attrdef'::regclass, d.oid FROM pg_attrdef AS d JOIN t ON d.adrelid = t.oid
  UNION ALL SELECT 'pg_statistic_ext'::regclass, s.oid FROM pg_statistic_ext AS s JOIN t ON s.stxrelid = t.oid
  UNION ALL SELECT 'pg_rewrite'::regclass, r.oid FROM pg_rewrite AS r JOIN t ON r.ev_class = t.oid
  UNION ALL SELECT 'pg_policy'::regclass, p.oid FROM pg_policy AS p JOIN t ON p.polrelid = t.oid
  UNION ALL SELECT 'pg_trigger'::regclass, g.oid FROM pg_trigger AS g JOIN t ON g.tgrelid = t.oid
  UNION ALL SELECT 'pg_publication_rel'::regclass, p.oid FROM pg_publication_rel AS p JOIN t ON p.prrelid = t.oid
  UNION ALL SELECT 'pg_class'::regclass, d.objid FROM pg_depend AS d JOIN t ON d.refobjid = t.oid
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i'
),
owned (classid, objid) AS (
  SELECT 'pg_class'::regclass, d.objid FROM pg_depend AS d JOIN t ON d.refobjid = t.oid JOIN pg_class AS q ON q.oid = d.objid
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a' AND q.relkind = 'S'
),
dependent AS (
  SELECT DISTINCT d.classid, d.objid, d.objsubid FROM pg_depend AS d JOIN part AS p ON (d.refclassid, d.refobjid) = (p.classid, p.objid)
  WHERE NOT EXISTS (SELECT FROM part AS o WHERE (o.classid, o.objid) = (d.classid, d.objid))
    AND NOT EXISTS (SELECT FROM owned AS o WHERE (o.classid, o.objid) = (d.classid, d.objid))
    AND NOT EXISTS (SELECT FROM pg_trigger AS g WHERE d.classid = 'pg_trigger'::regclass AND g.oid = d.objid AND g.tgisinternal)
)
SELECT 'kind', CASE relkind WHEN 'p' THEN 'a partitioned table' WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view'
       WHEN 'f' THEN 'a foreign table' ELSE format('no table (relkind %%s)', relkind) END FROM t WHERE relkind <> 'r'
UNION ALL SELECT 'temporary', '' FROM t WHERE relpersistence = 't'
UNION ALL SELECT CASE WHEN t.relispartition THEN 'partition' ELSE 'parent' END, i.inhparent::regclass::text
  FROM pg_inherits AS i JOIN t ON i.inhrelid = t.oid
UNION ALL SELECT 'child', i.inhrelid::regclass::text FROM pg_inherits AS i JOIN t ON i.inhparent = t.oid WHERE t.relkind = 'r'
UNION ALL SELECT 'typed', format_type(reloftype, NULL) FROM t WHERE reloftype <> 0
UNION ALL SELECT 'extension', e.extname FROM pg_depend AS d JOIN t ON d.objid = t.oid JOIN pg_extension AS e ON e.oid = d.refobjid
  WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'e'
UNION ALL SELECT DISTINCT 'view', format('%%s %%s', CASE v.relkind WHEN 'm' THEN 'the materialized view' WHEN 'v' THEN 'the view'
       ELSE 'a rule of' END, r.ev_class::regclass)
  FROM dependent AS d JOIN pg_rewrite AS r ON r.oid = d.objid JOIN pg_class AS v ON v.oid = r.ev_class
  WHERE d.classid = 'pg_rewrite'::regclass
UNION ALL SELECT 'foreign key', format('foreign key %%I of %%s', k.conname, k.conrelid::regclass)
  FROM pg_constraint AS k JOIN t ON k.confrelid = t.oid WHERE k.contype = 'f' AND k.conrelid <> t.oid AND k.conparentid = 0
UNION ALL SELECT DISTINCT 'dependent', pg_describe_object(d.classid, d.objid, d.objsubid) FROM dependent AS d
  WHERE d.classid <> 'pg_rewrite'::regclass
    AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE d.classid = 'pg_constraint'::regclass AND k.oid = d.objid AND k.contype = 'f')
    AND NOT EXISTS (SELECT FROM pg_inherits AS i JOIN t ON i.inhparent = t.oid WHERE d.classid = 'pg_class'::regclass AND i.inhrelid = d.objid)
UNION ALL SELECT 'trigger', quote_ident(g.tgname) FROM pg_trigger AS g JOIN t ON g.tgrelid = t.oid WHERE NOT g.tgisinternal
UNION ALL SELECT 'rule', quote_ident(r.rulename) FROM pg_rewrite AS r JOIN t ON r.ev_class = t.oid WHERE t.relkind IN ('r', 'p')
UNION ALL SELECT 'policy', quote_ident(p.polname) FROM pg_policy AS p JOIN t ON p.polrelid = t.oid
UNION ALL SELECT 'row security', '' FROM t WHERE relrowsecurity
UNION ALL SELECT 'row security applies', '' FROM t WHERE row_security_active(t.oid)
UNION ALL SELECT 'publication', quote_ident(p.pubname) FROM pg_publication AS p, t
  WHERE t.relpersistence = 'p' AND (p.puballtables
    OR EXISTS (SELECT FROM pg_publication_rel AS r WHERE r.prpubid = p.oid AND r.prrelid = t.oid)
    OR EXISTS (SELECT FROM pg_publication_namespace AS s WHERE s.pnpubid = p.oid AND s.pnnspid = t.relnamespace))
UNION ALL SELECT 'subscription', '' FROM t WHERE EXISTS (SELECT FROM pg_subscription_rel AS s WHERE s.srrelid = t.oid)
UNION ALL SELECT DISTINCT 'label', s.provider FROM pg_seclabel AS s JOIN t ON s.objoid = t.oid WHERE s.classoid = 'pg_class'::regclass
UNION ALL SELECT 'owner', quote_ident(current_user) FROM t WHERE NOT pg_has_role(relowner, 'USAGE')
UNION ALL SELECT 'owner''s create', format('%%I, schema %%I', pg_get_userbyid(relowner), nspname) FROM t
  WHERE NOT has_schema_privilege(relowner, relnamespace, 'CREATE')
UNION ALL SELECT 'references', k.confrelid::regclass::text FROM pg_constraint AS k JOIN t ON k.conrelid = t.oid
  WHERE k.contype = 'f' AND NOT has_any_column_privilege(k.confrelid, 'REFERENCES')
UNION ALL SELECT 'create', format('%%I, schema %%I', current_user, nspname) FROM t WHERE NOT has_schema_privilege(relnamespace, 'CREATE')
UNION ALL SELECT 'right to ' || privilege, privilege FROM t, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
  WHERE NOT has_table_privilege(t.oid, privilege)
ORDER BY 1, 2
"""

_RIGHTS = {
    PublishMethod.REPLACE: ("SELECT", "INSERT", "DELETE"),
    PublishMethod.APPEND: ("SELECT", "INSERT"),
    PublishMethod.MERGE: ("SELECT", "INSERT", "UPDATE"),
}


def describe_obstacles(method: PublishMethod, found: Iterable[tuple[str, str]]) -> list[str]:
    """The obstacles to this method, each a sentence: what, and what to do.

    :param found: the rows of READ_OBSTACLES.
    """
    sentences = []
    for row_kind, description in found:
        kind = row_kind
        if method is PublishMethod.SWAP:
            advice = _SWAP_ADVICE
        else:
            advice = _TRUNCATE_ADVICE if method is PublishMethod.REPLACE else _ROW_ADVICE
            if kind == "kind" and description == "a partitioned table":
                continue
            if kind in {f"right to {right}" for right in _RIGHTS[method]}:
                kind = "right"
            kind = {"row security": "", "row security applies": "row security"}.get(kind, kind)
        if kind in advice:
            what, remedy = advice[kind]
            sentences.append(f"{what.format(description)}: {remedy}.")
    return sentences


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
