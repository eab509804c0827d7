"""Whether the ledger is what this version of Snowmelt made: its version, its tables and columns, their owners, and nothing that acts on them.

A trigger, a rule or a default of somebody else's would run with the loader's rights at each statement, and a table of another owner can be
changed at will. So planning looks before anything is written.

Source: PostgreSQL, "System catalogs" (pg_class, pg_trigger, pg_rewrite, pg_inherits).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from snowmelt.sql.names import LEDGER_SCHEMA, postgres_identifier

#: Trusted with the ledger: the session's role and those that it is a member of, the database's owner, superusers.
_TRUSTED = (
    "(pg_has_role({0}, 'USAGE') OR {0} IN (SELECT datdba FROM pg_database WHERE datname = current_database()) "
    "OR {0} IN (SELECT oid FROM pg_roles WHERE rolsuper OR rolname = 'pg_database_owner'))"
)

#: Parameter: the ledger's tables. Rows (kind, table, name).
READ_CONDITION = f"""
WITH s AS (SELECT oid, nspowner FROM pg_namespace WHERE nspname = '{LEDGER_SCHEMA}'),
t AS (SELECT c.* FROM pg_class AS c JOIN s ON s.oid = c.relnamespace WHERE c.relname = ANY (%s))
SELECT 'schema owner', '', pg_get_userbyid(nspowner) FROM s WHERE NOT {_TRUSTED.format("nspowner")}
UNION ALL SELECT 'owner', relname, pg_get_userbyid(relowner) FROM t WHERE NOT {_TRUSTED.format("relowner")}
UNION ALL SELECT 'kind', relname, relkind::text FROM t WHERE relkind <> 'r' OR relpersistence <> 'p'
UNION ALL SELECT 'trigger', t.relname, g.tgname FROM pg_trigger AS g JOIN t ON t.oid = g.tgrelid WHERE NOT g.tgisinternal
UNION ALL SELECT 'rule', t.relname, r.rulename FROM pg_rewrite AS r JOIN t ON t.oid = r.ev_class WHERE t.relkind = 'r'
UNION ALL SELECT 'row security', relname, '' FROM t WHERE relrowsecurity
UNION ALL SELECT 'relative', t.relname, i.inhrelid::regclass::text FROM pg_inherits AS i JOIN t ON t.oid = i.inhparent
UNION ALL SELECT 'column', t.relname, a.attname FROM pg_attribute AS a JOIN t ON t.oid = a.attrelid WHERE a.attnum > 0 AND NOT a.attisdropped
ORDER BY 1, 2, 3
"""

_FOREIGN: Mapping[str, tuple[str, str]] = {
    "owner": (
        "{table} belongs to the role {name}, which is neither this role's, the database owner's nor a superuser",
        "If you know why, ALTER TABLE {table} OWNER TO the ledger's role; else drop it.",
    ),
    "kind": (
        "{table} is not a plain table",
        "Drop it, and restore the ledger from a backup or start a new one.",
    ),
    "trigger": ("{table} has the trigger {name}", "DROP TRIGGER {quoted} ON {table}."),
    "rule": ("{table} has the rule {name}", "DROP RULE {quoted} ON {table}."),
    "row security": ("{table} has row security", "ALTER TABLE {table} DISABLE ROW LEVEL SECURITY."),
    "relative": ("{name} inherits from {table}", "ALTER TABLE {name} NO INHERIT {table}."),
    "schema owner": (
        "the schema belongs to the role {name}, which is neither this role's, the database owner's nor a superuser",
        "If you know why, ALTER SCHEMA snowmelt OWNER TO the ledger's role; else drop it.",
    ),
}

_CREATED = re.compile(r"CREATE TABLE snowmelt\.(\w+) \(\n(.*?)\n\);", re.DOTALL)
_ALTERED = re.compile(r"ALTER TABLE snowmelt\.(\w+)\s+(.*?);", re.DOTALL)
_CHANGE = re.compile(r"\b(ADD|DROP) COLUMN (?:IF (?:NOT )?EXISTS )?\"?(\w+)\"?")
_COLUMN = re.compile(r"^    (?!PRIMARY KEY|UNIQUE|FOREIGN KEY|CHECK|CONSTRAINT)\"?(\w+)\"? ", re.MULTILINE)


def read_columns(migrations: Iterable[str]) -> dict[str, frozenset[str]]:
    """Table → its columns, after these migrations."""
    columns: dict[str, set[str]] = {}
    for migration in migrations:
        for table, body in _CREATED.findall(migration):
            columns[table] = set(_COLUMN.findall(body))
        for table, changes in _ALTERED.findall(migration):
            for verb, column in _CHANGE.findall(changes):
                (columns[table].add if verb == "ADD" else columns[table].discard)(column)
    return {table: frozenset(names) for table, names in columns.items()}


def find_ledger_faults(
    rows: Sequence[tuple[Any, ...]], expected: Mapping[str, frozenset[str]]
) -> Iterator[str]:
    """Everything that keeps the ledger from being used, each with what to do.

    :param rows: of READ_CONDITION.
    """
    have: dict[str, set[str]] = {}
    for kind, table, name in rows:
        if kind == "column":
            have.setdefault(table, set()).add(name)
            continue
        found, advice = _FOREIGN[kind]
        shown = {
            "table": f"{LEDGER_SCHEMA}.{table}",
            "name": name,
            "quoted": postgres_identifier(name or "x"),
        }
        yield f"{found.format(**shown)}. {advice.format(**shown)}"
    for table, columns in expected.items():
        if table not in have:
            yield f"{LEDGER_SCHEMA}.{table} is missing. Restore it from a backup."
        elif columns - have[table]:
            missing = ", ".join(sorted(columns - have[table]))
            yield f"{LEDGER_SCHEMA}.{table} lacks {missing}. Restore the table from a backup."
