"""All properties of a PostgreSQL table beside its rows: read in one statement, so that a swap can carry it over.

Sources: PostgreSQL "System catalogs", "System information functions" (pg_get_indexdef, pg_get_constraintdef, aclexplode).
Columns of pg_constraint that came after version 15 are read through to_jsonb, which yields NULL where the column is missing.
Grants are read by aclexplode, and written as GRANT and REVOKE.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snowmelt.errors import TargetError
from snowmelt.sql.names import postgres_identifier


def _grants(acl: str, kind: str, owner: str) -> str:
    return f"""(SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_array(
        CASE WHEN g.grantee <> 0 THEN pg_get_userbyid(g.grantee) END, g.privilege_type, g.is_grantable)), '[]')
        FROM aclexplode(coalesce({acl}, acldefault('{kind}', {owner}))) AS g)"""


#: Parameters: schema, table. One row with one document, or none. The pinned search_path lets the server
#: print every name outside of pg_catalog with its schema.
READ_DETAILS = f"""
SELECT jsonb_build_object(
  'oid', c.oid::bigint, 'kind', c.relkind, 'persistence', c.relpersistence, 'owner', pg_get_userbyid(c.relowner),
  'access_method', (SELECT amname FROM pg_am WHERE oid = c.relam),
  'tablespace', (SELECT spcname FROM pg_tablespace WHERE oid = c.reltablespace),
  'options', c.reloptions, 'toast_options', (SELECT reloptions FROM pg_class WHERE oid = c.reltoastrelid),
  'replica_identity', c.relreplident, 'comment', obj_description(c.oid, 'pg_class'),
  'grants', {_grants("c.relacl", "r", "c.relowner")},
  'columns', (SELECT jsonb_agg(jsonb_build_object(
      'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'not_null', a.attnotnull,
      'collation', (SELECT format('%%I.%%I', ln.nspname, l.collname) FROM pg_collation AS l
                    JOIN pg_namespace AS ln ON ln.oid = l.collnamespace WHERE l.oid = a.attcollation),
      'default', pg_get_expr(d.adbin, d.adrelid), 'generated', a.attgenerated, 'identity', a.attidentity,
      'storage', a.attstorage, 'compression', a.attcompression, 'statistics', nullif(a.attstattarget, -1),
      'options', a.attoptions, 'comment', col_description(c.oid, a.attnum),
      'grants', CASE WHEN a.attacl IS NULL THEN '[]' ELSE {_grants("a.attacl", "c", "c.relowner")} END) ORDER BY a.attnum)
    FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  'constraints', (SELECT jsonb_agg(jsonb_build_object(
      'name', k.conname, 'kind', k.contype, 'definition', pg_get_constraintdef(k.oid), 'validated', k.convalidated,
      'enforced', coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true), 'comment', obj_description(k.oid, 'pg_constraint'),
      'own_reference', CASE WHEN k.confrelid = c.oid THEN format('FOREIGN KEY (%%s) REFERENCES %%I.%%I(',
          (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY u.place) FROM unnest(k.conkey) WITH ORDINALITY AS u(number, place)
           JOIN pg_attribute AS a ON (a.attrelid, a.attnum) = (c.oid, u.number)), n.nspname, c.relname) END) ORDER BY k.conname)
    FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype IN ('c', 'f', 'n')),
  'indexes', (SELECT jsonb_agg(jsonb_build_object(
      'name', i.relname, 'unique', x.indisunique, 'valid', x.indisvalid AND x.indisready AND x.indislive,
      'clustered', x.indisclustered, 'replica_identity', x.indisreplident, 'definition', pg_get_indexdef(i.oid),
      'prefix', format('CREATE %%sINDEX %%I ON %%I.%%I USING ', CASE WHEN x.indisunique THEN 'UNIQUE ' ELSE '' END,
                       i.relname, n.nspname, c.relname),
      'tablespace', (SELECT spcname FROM pg_tablespace WHERE oid = i.reltablespace),
      'options', i.reloptions, 'comment', obj_description(i.oid, 'pg_class'),
      'plain_key', x.indexprs IS NULL AND x.indpred IS NULL, 'immediate', x.indimmediate,
      'key', (SELECT jsonb_agg(a.attname ORDER BY u.place) FROM unnest(x.indkey) WITH ORDINALITY AS u(number, place)
              JOIN pg_attribute AS a ON (a.attrelid, a.attnum) = (c.oid, u.number) WHERE u.place <= x.indnkeyatts),
      'statistics', (SELECT jsonb_agg(jsonb_build_array(a.attnum, a.attstattarget) ORDER BY a.attnum) FROM pg_attribute AS a
                     WHERE a.attrelid = i.oid AND a.attstattarget >= 0),
      'constraint', k.conname, 'constraint_kind', k.contype, 'constraint_definition', pg_get_constraintdef(k.oid),
      'temporal', coalesce((to_jsonb(k) ->> 'conperiod')::boolean, false), 'deferrable', k.condeferrable,
      'deferred', k.condeferred, 'constraint_comment', obj_description(k.oid, 'pg_constraint')) ORDER BY i.relname)
    FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid
    LEFT JOIN pg_constraint AS k ON k.conindid = i.oid AND k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x')
    WHERE x.indrelid = c.oid),
  'statistics', (SELECT jsonb_agg(jsonb_build_object(
      'schema', sn.nspname, 'name', s.stxname, 'kinds', to_jsonb(s.stxkind), 'columns', pg_get_statisticsobjdef_columns(s.oid),
      'target', nullif(s.stxstattarget, -1), 'owner', pg_get_userbyid(s.stxowner),
      'comment', obj_description(s.oid, 'pg_statistic_ext')) ORDER BY sn.nspname, s.stxname)
    FROM pg_statistic_ext AS s JOIN pg_namespace AS sn ON sn.oid = s.stxnamespace WHERE s.stxrelid = c.oid),
  'sequences', (SELECT jsonb_agg(jsonb_build_object(
      'name', q.relname, 'column', a.attname, 'identity', d.deptype = 'i', 'ascending', p.seqincrement > 0,
      'comment', obj_description(q.oid, 'pg_class'), 'grants', {_grants("q.relacl", "s", "q.relowner")}) ORDER BY q.relname)
    FROM pg_depend AS d JOIN pg_class AS q ON q.oid = d.objid AND q.relkind = 'S' JOIN pg_sequence AS p ON p.seqrelid = q.oid
    JOIN pg_attribute AS a ON (a.attrelid, a.attnum) = (c.oid, d.refobjsubid)
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
      AND d.deptype IN ('a', 'i')))
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %s AND c.relname = %s
"""

#: (role or None for PUBLIC, privilege, with grant option)
Grant = tuple[str | None, str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDetails:
    """A column as pg_attribute has it; `type`, `collation` and `default` are SQL."""

    name: str
    type: str
    not_null: bool
    collation: str | None
    default: str | None
    #: '' or the letter of pg_attribute.attgenerated, attidentity, attstorage, attcompression.
    generated: str
    identity: str
    storage: str
    compression: str
    #: SET STATISTICS; None: the server's default.
    statistics: int | None
    options: tuple[str, ...]
    comment: str | None
    grants: frozenset[Grant]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstraintDetails:
    """A constraint without an index of its own: CHECK (c), FOREIGN KEY (f), from version 18 on NOT NULL (n)."""

    name: str
    kind: str
    #: As pg_get_constraintdef prints it, ` NOT VALID` and ` NOT ENFORCED` included.
    definition: str
    validated: bool
    enforced: bool
    comment: str | None
    #: Of a foreign key into its own table: the definition's beginning, up to the parenthesis of the referenced columns.
    own_reference: str | None

    def on(self, table: str) -> str:
        """The definition for a copy of the table, named by its quoted name: a key into its own table points to the copy."""
        if self.own_reference is None:
            return self.definition
        columns = self.own_reference[: self.own_reference.index(") REFERENCES ")]
        return f"{columns}) REFERENCES {table}({_after(self.own_reference, self.definition, f'foreign key {self.name}')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexDetails:
    """An index, and the constraint that it backs, if any."""

    name: str
    unique: bool
    valid: bool
    clustered: bool
    replica_identity: bool
    #: What follows `USING ` in its definition: method, keys, INCLUDE, WITH, WHERE.
    body: str
    tablespace: str | None
    options: tuple[str, ...]
    comment: str | None
    #: Its key columns; meant only where `plain_key`: no expression and no predicate.
    key: tuple[str, ...]
    plain_key: bool
    #: Checked row by row, not at the end of the statement or transaction.
    immediate: bool
    #: (position of the column, SET STATISTICS)
    statistics: tuple[tuple[int, int], ...]
    constraint: str | None
    #: p, u or x; with `temporal` one WITHOUT OVERLAPS.
    constraint_kind: str | None
    constraint_definition: str | None
    temporal: bool
    deferrable: bool
    deferred: bool
    constraint_comment: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsDetails:
    """An extended statistics object."""

    schema: str
    name: str
    #: Letters of stxkind: d, f, m; e for an expression.
    kinds: tuple[str, ...]
    #: Columns and expressions as SQL.
    columns: str
    target: int | None
    owner: str
    comment: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceDetails:
    """A sequence that belongs to a column: of an identity, or OWNED BY."""

    name: str
    column: str
    identity: bool
    ascending: bool
    comment: str | None
    grants: frozenset[Grant]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDetails:
    """A table."""

    oid: int
    #: pg_class.relkind and relpersistence.
    kind: str
    persistence: str
    owner: str
    access_method: str | None
    #: None: the database's default.
    tablespace: str | None
    options: tuple[str, ...]
    toast_options: tuple[str, ...]
    replica_identity: str
    comment: str | None
    grants: frozenset[Grant]
    columns: tuple[ColumnDetails, ...]
    constraints: tuple[ConstraintDetails, ...]
    indexes: tuple[IndexDetails, ...]
    statistics: tuple[StatisticsDetails, ...]
    sequences: tuple[SequenceDetails, ...]

    def is_unique(self, columns: Sequence[str]) -> bool:
        """Whether an index guarantees that no two rows are equal in these columns; a row with a NULL in them equals no other.

        It is a valid unique one over these columns or some of them, without expression, predicate or deferral.
        """
        return any(
            index.unique
            and index.valid
            and index.plain_key
            and index.immediate
            and set(index.key) <= set(columns)
            for index in self.indexes
        )

    def primary_key(self) -> tuple[str, ...]:
        """The primary key's columns in its order; empty without one."""
        return next((index.key for index in self.indexes if index.constraint_kind == "p"), ())


def parse_details(document: Mapping[str, Any]) -> TableDetails:
    """The row of READ_DETAILS as values.

    :raises TargetError: an index whose definition is not written as expected, so that it could not be rebuilt.
    """
    lists = {
        name: document[name] or []
        for name in ("columns", "constraints", "indexes", "statistics", "sequences")
    }
    plain = {name: value for name, value in document.items() if name not in lists}
    return TableDetails(
        **plain
        | {
            "options": tuple(document["options"] or ()),
            "toast_options": tuple(document["toast_options"] or ()),
            "grants": _parse_grants(document["grants"]),
        },
        columns=tuple(
            ColumnDetails(
                **row | {"options": tuple(row["options"] or ()), "grants": _parse_grants(row["grants"])}
            )
            for row in lists["columns"]
        ),
        constraints=tuple(ConstraintDetails(**row) for row in lists["constraints"]),
        indexes=tuple(_parse_index(row) for row in lists["indexes"]),
        statistics=tuple(
            StatisticsDetails(**row | {"kinds": tuple(row["kinds"])}) for row in lists["statistics"]
        ),
        sequences=tuple(
            SequenceDetails(**row | {"grants": _parse_grants(row["grants"])}) for row in lists["sequences"]
        ),
    )


def _parse_grants(rows: list[list[Any]]) -> frozenset[Grant]:
    return frozenset((row[0], row[1], row[2]) for row in rows)


def _parse_index(row: Mapping[str, Any]) -> IndexDetails:
    values = dict(row)
    prefix, definition = values.pop("prefix"), values.pop("definition")
    return IndexDetails(
        **values
        | {
            "body": _after(prefix, definition, f"index {row['name']}"),
            "options": tuple(row["options"] or ()),
            "key": tuple(row["key"] or ()),
            "statistics": tuple((place, target) for place, target in row["statistics"] or ()),
            "deferrable": bool(row["deferrable"]),
            "deferred": bool(row["deferred"]),
        }
    )


def _after(prefix: str, definition: str, what: str) -> str:
    """The definition without its beginning, which the server wrote by the same rules: no search for words inside names."""
    if not definition.startswith(prefix):
        raise TargetError(
            f"The definition of the {what} begins otherwise than expected ({definition[:200]!r}, expected {prefix!r}), so it cannot be "
            "rebuilt on another table. Set publish to replace."
        )
    return definition[len(prefix) :]


def build_grants(on: str, grants: Iterable[Grant], column: str | None = None) -> list[str]:
    """GRANT statements, one for each role and grant option.

    :param on: `TABLE "s"."t"` or `SEQUENCE "s"."q"`.
    :param column: for the rights to one column of a table.
    """
    by_role: dict[tuple[str | None, bool], set[str]] = defaultdict(set)
    for role, privilege, option in grants:
        by_role[role, option].add(privilege)
    columns = "" if column is None else f" ({postgres_identifier(column)})"
    return [
        f"GRANT {', '.join(f'{privilege}{columns}' for privilege in sorted(privileges))} ON {on} TO {_role(role)}"
        f"{' WITH GRANT OPTION' if option else ''}"
        for (role, option), privileges in sorted(
            by_role.items(), key=lambda item: (item[0][0] or "", item[0][1])
        )
    ]


def build_revokes(on: str, grants: Iterable[Grant], *, but: str | None = None) -> list[str]:
    """REVOKE ALL from every role that has a right, all but one."""
    roles = sorted(
        {role for role, _, _ in grants if role is None or role != but}, key=lambda role: role or ""
    )
    return [f"REVOKE ALL ON {on} FROM {_role(role)}" for role in roles]


def build_private(schema: str, staging: str, details: TableDetails) -> list[str]:
    """Take from all but the owner what default privileges gave them: the rows are not published yet."""
    owner = details.owner
    statements = build_revokes(f"TABLE {postgres_identifier(schema, staging)}", details.grants, but=owner)
    for sequence in details.sequences:
        on = f"SEQUENCE {postgres_identifier(schema, sequence.name)}"
        statements += build_revokes(on, sequence.grants, but=owner)
    return statements


def _role(role: str | None) -> str:
    return "PUBLIC" if role is None else postgres_identifier(role)
