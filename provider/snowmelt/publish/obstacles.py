"""What stops a publish: what the catalog says of the target, and what a trigger's function does to rows. Pure.

The list of dependent objects comes from pg_depend, which knows every kind of object, with the table's own parts left out: a swap
carries those over. Sources: PostgreSQL "Dependency tracking", "System catalogs", "GRANT", "ALTER TABLE" (rights), "Constraints"
(foreign keys: a DELETE may cascade), "Logical replication" (publication: an UPDATE needs a replica identity), "Trigger functions".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from snowmelt.config.request import MigrationRequest
from snowmelt.types.columns import ColumnPlan
from snowmelt.vocabulary import Deletes, Mode, PublishMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishIntent:
    """What a run is going to publish, as far as obstacles depend on it."""

    method: PublishMethod
    schema: str
    table: str
    #: Target names of the loaded columns; empty: not known yet.
    columns: tuple[str, ...] = ()
    #: Those of them that an existing target does not have yet.
    added: tuple[str, ...] = ()
    #: Merge: the unique key, by target names.
    key: tuple[str, ...] = ()
    #: The predicate for the target's rows that are the copy's own; empty: all.
    own: str = ""
    #: Merge: what happens to the rows that the source no longer has.
    deletes: Deletes = Deletes.IGNORE
    #: Merge: the rows that are there already are left as they are.
    inserts_only: bool = False
    #: Append and merge: the target's plain indexes are dropped and built again.
    defer_indexes: bool = False
    #: The staging table is made, and dropped again: nothing is published (mode test).
    dry: bool = False


def _find_method(request: MigrationRequest) -> PublishMethod:
    if Mode(request.mode) is Mode.REPAIR:
        return PublishMethod.REPAIR
    return PublishMethod.MERGE if request.merges else PublishMethod(request.publish or PublishMethod.SWAP)


def plan_intent(request: MigrationRequest, columns: ColumnPlan | None = None) -> PublishIntent | None:
    """What a run of this request is going to publish; None: nothing (modes unload and compare).

    :param columns: None: not planned yet.
    """
    mode = Mode(request.mode)
    if mode in {Mode.UNLOAD, Mode.COMPARE}:
        return None
    planned = columns.columns if columns is not None else ()
    targets = {column.source: column.target for column in planned}
    return PublishIntent(
        method=_find_method(request),
        schema=request.target_schema,
        table=request.target_table,
        columns=tuple(targets.values()),
        added=tuple(column.target for column in (*columns.added_to_target, *columns.widened))
        if columns is not None
        else (),
        key=tuple(targets[name] for name in request.uniqueness_columns if name in targets),
        own=request.owned_rows,
        deletes=request.deletes,
        inserts_only=request.policies.inserts_only,
        defer_indexes=request.policies.defer_indexes,
        dry=mode is Mode.TEST,
    )


@dataclass(frozen=True, slots=True)
class Fact:
    """One row of READ_SCHEMA_FACTS or READ_TARGET_FACTS: something about the target that stops one method or another."""

    kind: str
    description: str = ""
    #: The row events that it concerns; empty: whatever is done to the table.
    events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a method cannot publish to a target."""

    #: Of the fact behind it: `view`, `right`, `replica identity` …
    kind: str
    what: str
    remedy: str
    #: Of kind `right` or `schema right`: the missing privilege.
    privilege: str = ""

    def __str__(self) -> str:
        """What, and what to do."""
        return f"{self.what}: {self.remedy}."


#: Parameter (named): schema. Rows (kind, description). What is so whether the target exists or not.
READ_SCHEMA_FACTS = """
WITH s AS (SELECT oid, nspname FROM pg_namespace WHERE nspname = %(schema)s)
SELECT 'read only', current_database()::text WHERE current_setting('transaction_read_only')::boolean
UNION ALL SELECT 'schema', quote_ident(%(schema)s) WHERE NOT EXISTS (SELECT FROM s)
UNION ALL SELECT 'schema right', format('%%s, schema %%I, %%s', quote_ident(current_user), nspname, privilege)
  FROM s, unnest(ARRAY['USAGE', 'CREATE']) AS privilege WHERE NOT has_schema_privilege(oid, privilege)
ORDER BY 1, 2
"""

#: Parameters (named): oid, columns (those that are loaded). Rows (kind, description, events, source of a trigger's function).
#: By the pinned search_path descriptions carry schemas.
READ_TARGET_FACTS = """
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
),
leaf AS (
  SELECT c.* FROM (SELECT oid FROM t UNION SELECT relid FROM t, pg_partition_tree(t.oid) WHERE isleaf) AS tree
  JOIN pg_class AS c ON c.oid = tree.oid WHERE c.relkind <> 'p'
),
published AS (
  SELECT leaf.oid, leaf.relreplident, p.pubname, p.pubupdate, p.pubdelete
  FROM leaf CROSS JOIN pg_publication AS p
  WHERE leaf.relpersistence = 'p' AND (p.puballtables OR EXISTS (
    SELECT FROM (SELECT leaf.oid AS relid UNION SELECT a.relid FROM pg_partition_ancestors(leaf.oid) AS a (relid)) AS up
    JOIN pg_class AS c ON c.oid = up.relid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_publication_tables AS pt ON (pt.pubname, pt.schemaname, pt.tablename) = (p.pubname, n.nspname, c.relname)))
),
active_trigger AS (
  SELECT g.tgname, g.tgrelid, g.tgtype, CASE WHEN l.lanname = 'plpgsql' AND g.tgtype::integer & 3 = 3 THEN f.prosrc END AS source
  FROM pg_trigger AS g JOIN pg_proc AS f ON f.oid = g.tgfoid JOIN pg_language AS l ON l.oid = f.prolang
  WHERE (g.tgrelid IN (SELECT oid FROM t) OR g.tgrelid IN (SELECT oid FROM leaf) AND g.tgparentid = 0)
    AND NOT g.tgisinternal AND g.tgenabled IN ('O', 'A')
),
found (kind, description, events, source) AS (
SELECT CASE relkind WHEN 'p' THEN 'partitioned' ELSE 'kind' END, CASE relkind WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view'
       WHEN 'f' THEN 'a foreign table' WHEN 'p' THEN '' ELSE format('not a table (relkind %%s)', relkind) END, NULL::text[], NULL
  FROM t WHERE relkind <> 'r'
UNION ALL SELECT 'temporary', '', NULL, NULL FROM t WHERE relpersistence = 't'
UNION ALL SELECT CASE WHEN t.relispartition THEN 'partition' ELSE 'parent' END, i.inhparent::regclass::text, NULL, NULL
  FROM pg_inherits AS i JOIN t ON i.inhrelid = t.oid
UNION ALL SELECT 'child', i.inhrelid::regclass::text, NULL, NULL FROM pg_inherits AS i JOIN t ON i.inhparent = t.oid WHERE t.relkind = 'r'
UNION ALL SELECT 'typed', format_type(reloftype, NULL), NULL, NULL FROM t WHERE reloftype <> 0
UNION ALL SELECT 'extension', e.extname, NULL, NULL FROM pg_depend AS d JOIN t ON d.objid = t.oid JOIN pg_extension AS e ON e.oid = d.refobjid
  WHERE d.classid = 'pg_class'::regclass AND d.deptype = 'e'
UNION ALL SELECT DISTINCT 'view', format('%%s %%s', CASE v.relkind WHEN 'm' THEN 'the materialized view' WHEN 'v' THEN 'the view'
       ELSE 'a rule of' END, r.ev_class::regclass), NULL::text[], NULL
  FROM dependent AS d JOIN pg_rewrite AS r ON r.oid = d.objid JOIN pg_class AS v ON v.oid = r.ev_class
  WHERE d.classid = 'pg_rewrite'::regclass
UNION ALL SELECT CASE n WHEN 1 THEN 'foreign key' ELSE 'cascade' END, format('%%I of %%s', k.conname, k.conrelid::regclass), ARRAY['DELETE'], NULL
  FROM pg_constraint AS k JOIN t ON k.confrelid = t.oid, generate_series(1, 2) AS n
  WHERE k.contype = 'f' AND k.conrelid <> t.oid AND k.conparentid = 0 AND (n = 1 OR k.confdeltype IN ('c', 'n', 'd'))
UNION ALL SELECT DISTINCT 'dependent', pg_describe_object(d.classid, d.objid, d.objsubid), NULL::text[], NULL FROM dependent AS d
  WHERE d.classid <> 'pg_rewrite'::regclass
    AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE d.classid = 'pg_constraint'::regclass AND k.oid = d.objid AND k.contype = 'f')
    AND NOT EXISTS (SELECT FROM pg_inherits AS i JOIN t ON i.inhparent = t.oid WHERE d.classid = 'pg_class'::regclass AND i.inhrelid = d.objid)
UNION ALL SELECT 'trigger', quote_ident(g.tgname), NULL, NULL FROM pg_trigger AS g JOIN t ON g.tgrelid = t.oid WHERE NOT g.tgisinternal
UNION ALL SELECT 'active trigger', quote_ident(tgname) || CASE WHEN tgrelid = t.oid THEN '' ELSE format(' of %%s', tgrelid::regclass) END,
    array_remove(ARRAY[CASE WHEN tgtype::integer & 4 > 0 THEN 'INSERT' END, CASE WHEN tgtype::integer & 16 > 0 THEN 'UPDATE' END,
                       CASE WHEN tgtype::integer & 8 > 0 THEN 'DELETE' END], NULL), source
  FROM active_trigger, t
UNION ALL SELECT 'rule', quote_ident(r.rulename),
    ARRAY[CASE r.ev_type WHEN '2' THEN 'UPDATE' WHEN '3' THEN 'INSERT' WHEN '4' THEN 'DELETE' ELSE 'SELECT' END], r.ev_enabled::text
  FROM pg_rewrite AS r JOIN t ON r.ev_class = t.oid WHERE t.relkind IN ('r', 'p')
UNION ALL SELECT 'policy', quote_ident(p.polname), NULL, NULL FROM pg_policy AS p JOIN t ON p.polrelid = t.oid
UNION ALL SELECT 'row security', '', NULL, NULL FROM t WHERE relrowsecurity
UNION ALL SELECT CASE WHEN relforcerowsecurity AND pg_has_role(relowner, 'USAGE') THEN 'forced row security' ELSE 'row security applies' END,
    quote_ident(current_user), NULL, NULL FROM t WHERE row_security_active(t.oid)
UNION ALL SELECT DISTINCT 'publication', quote_ident(pubname), NULL::text[], NULL FROM published
UNION ALL SELECT DISTINCT 'replica identity', quote_ident(pubname), array_remove(ARRAY[CASE WHEN pubupdate THEN 'UPDATE' END,
    CASE WHEN pubdelete THEN 'DELETE' END], NULL), NULL FROM published AS p
  WHERE (pubupdate OR pubdelete) AND NOT CASE relreplident WHEN 'f' THEN true WHEN 'n' THEN false
    ELSE EXISTS (SELECT FROM pg_index AS x WHERE x.indrelid = p.oid AND x.indisvalid AND x.indimmediate
                 AND CASE relreplident WHEN 'd' THEN x.indisprimary ELSE x.indisreplident END) END
UNION ALL SELECT 'subscription', '', NULL, NULL FROM t WHERE EXISTS (SELECT FROM pg_subscription_rel AS s WHERE s.srrelid = t.oid)
UNION ALL SELECT DISTINCT 'label', s.provider, NULL::text[], NULL FROM pg_seclabel AS s JOIN t ON s.objoid = t.oid
  WHERE s.classoid = 'pg_class'::regclass
UNION ALL SELECT 'owner', quote_ident(current_user), NULL, NULL FROM t WHERE NOT pg_has_role(relowner, 'USAGE')
UNION ALL SELECT 'owner''s create', format('%%I, schema %%I', pg_get_userbyid(relowner), nspname), NULL, NULL FROM t
  WHERE NOT has_schema_privilege(relowner, relnamespace, 'CREATE')
UNION ALL SELECT 'references', k.confrelid::regclass::text, NULL, NULL FROM pg_constraint AS k JOIN t ON k.conrelid = t.oid
  WHERE k.contype = 'f' AND NOT has_any_column_privilege(k.confrelid, 'REFERENCES')
UNION ALL SELECT 'right', privilege, ARRAY[privilege], NULL FROM t, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
  WHERE NOT has_table_privilege(t.oid, privilege)
UNION ALL SELECT DISTINCT 'sequence', q.oid::regclass::text, ARRAY['INSERT'], NULL
  FROM pg_attrdef AS d JOIN t ON d.adrelid = t.oid JOIN pg_attribute AS a ON (a.attrelid, a.attnum) = (d.adrelid, d.adnum)
  JOIN pg_depend AS e ON e.classid = 'pg_attrdef'::regclass AND e.objid = d.oid AND e.refclassid = 'pg_class'::regclass
  JOIN pg_class AS q ON q.oid = e.refobjid
  WHERE a.attname <> ALL (%(columns)s::text[])
    AND CASE WHEN q.relkind = 'S' THEN NOT has_sequence_privilege(q.oid, 'USAGE') AND NOT has_sequence_privilege(q.oid, 'UPDATE') END
)
SELECT kind, description, coalesce(events, '{}'), source FROM found ORDER BY 1, 2
"""

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_RETURN_NULL = re.compile(r"\breturn\s+null\s*;", re.IGNORECASE)
_RETURN_NEW = re.compile(r"\breturn\s+new\s*;", re.IGNORECASE)
#: What a statement of PL/pgSQL begins after; then a column of NEW, and `=` or `:=`.
_ASSIGNED = re.compile(
    r"(?:;|\b(?:begin|then|else|loop)\b|\binto\s+(?:strict\s+)?)\s*new\s*\.\s*(\"(?:[^\"]|\"\")+\"|\w+)\s*(?=:?=|;|,|\bfrom\b)",
    re.IGNORECASE,
)


def parse_facts(
    rows: Iterable[tuple[str, str, list[str], str | None]], columns: Iterable[str]
) -> tuple[Fact, ...]:
    """The rows of READ_TARGET_FACTS, each trigger judged by its function.

    :param columns: target names of the loaded columns.
    """
    loaded = set(columns)
    facts = []
    for kind, description, events, source in rows:
        if kind == "rule" and source == "D":  # a disabled one: a swap would lose it, rows do not meet it
            facts.append(Fact(kind, description, ("SELECT",)))
            continue
        facts.append(Fact(kind, description, tuple(events)))
        if kind == "active trigger" and source is not None:
            facts += _judge_trigger(description, tuple(events), source, loaded)
    return tuple(facts)


def _judge_trigger(name: str, events: tuple[str, ...], source: str, loaded: set[str]) -> list[Fact]:
    """What the text of a BEFORE trigger's function gives away: that it can drop rows, and which loaded columns it sets.

    Written in another language, or in a way not known here, it is found by the checks after the publish's statements.
    """
    text = _COMMENT.sub(" ", source)
    found = []
    if _RETURN_NULL.search(text) or (events == ("DELETE",) and _RETURN_NEW.search(text)):
        found.append(Fact("trigger drops rows", name, events))
    names = {match[1] for match in _ASSIGNED.finditer(text)}
    assigned = {n[1:-1].replace('""', '"') if n.startswith('"') else n.lower() for n in names} & loaded
    writes = tuple(event for event in events if event != "DELETE")
    if assigned and writes:
        found.append(Fact("trigger changes values", f"{name} sets {', '.join(sorted(assigned))}", writes))
    return found
