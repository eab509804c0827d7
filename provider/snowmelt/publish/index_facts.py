"""What an index is made of, as facts that the ledger keeps while a publish has dropped it, and the statements that build it from them.

The ledger holds names, words and numbers, never SQL: whoever may write to the ledger could otherwise have a statement executed by the loader.
So only indexes over columns alone are dropped: an expression or a predicate is SQL. What the facts cannot say is not dropped either: the
server's own text of the index has to be the one that the facts give.

Sources: PostgreSQL "pg_index", "pg_opclass", "Index Storage Parameters"; pg_get_indexdef, whose text `READ_INDEX_FACTS` builds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snowmelt.publish.index_statements import build_settings
from snowmelt.sql.names import postgres_identifier, postgres_literal

#: Parameters: schema, table, names of indexes. Rows (name, document, whether the document says all that the index is).
READ_INDEX_FACTS = """
SELECT i.relname, jsonb_build_object(
    'name', i.relname, 'method', am.amname, 'keys', k.facts, 'included', included.names, 'options', i.reloptions,
    'tablespace', (SELECT spcname FROM pg_tablespace WHERE oid = i.reltablespace), 'clustered', x.indisclustered,
    'comment', obj_description(i.oid, 'pg_class')),
  x.indexprs IS NULL AND x.indpred IS NULL
  AND NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = i.oid AND (a.attstattarget >= 0 OR a.attoptions IS NOT NULL))
  AND pg_get_indexdef(i.oid) = format('CREATE INDEX %%I ON %%I.%%I USING %%I (%%s)%%s%%s', i.relname, n.nspname, c.relname, am.amname,
      k.printed, ' INCLUDE (' || included.printed || ')', ' WITH (' || options.printed || ')')
FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid JOIN pg_am AS am ON am.oid = i.relam
JOIN pg_class AS c ON c.oid = x.indrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
  SELECT jsonb_agg(jsonb_build_object('column', a.attname,
             'collation', CASE WHEN l.oid <> a.attcollation THEN jsonb_build_array(ln.nspname, l.collname) END,
             'opclass', CASE WHEN NOT o.opcdefault THEN jsonb_build_array(s.nspname, o.opcname) END,
             'descending', u.flags & 1 = 1, 'nulls_first', u.flags & 2 = 2) ORDER BY u.place),
         string_agg(quote_ident(a.attname)
             || CASE WHEN l.oid <> a.attcollation THEN ' COLLATE ' || CASE WHEN ln.nspname <> 'pg_catalog' THEN quote_ident(ln.nspname) || '.'
                ELSE '' END || quote_ident(l.collname) ELSE '' END
             || CASE WHEN NOT o.opcdefault THEN ' ' || CASE WHEN s.nspname <> 'pg_catalog' THEN quote_ident(s.nspname) || '.' ELSE '' END
                || quote_ident(o.opcname) ELSE '' END
             || CASE u.flags & 3 WHEN 3 THEN ' DESC' WHEN 1 THEN ' DESC NULLS LAST' WHEN 2 THEN ' NULLS FIRST' ELSE '' END,
             ', ' ORDER BY u.place)
  FROM unnest(x.indkey::smallint[], x.indclass::oid[], x.indcollation::oid[], x.indoption::smallint[])
       WITH ORDINALITY AS u (number, opclass_oid, collation_oid, flags, place)
  JOIN pg_attribute AS a ON (a.attrelid, a.attnum) = (c.oid, u.number)
  JOIN pg_opclass AS o ON o.oid = u.opclass_oid JOIN pg_namespace AS s ON s.oid = o.opcnamespace
  LEFT JOIN pg_collation AS l ON l.oid = u.collation_oid LEFT JOIN pg_namespace AS ln ON ln.oid = l.collnamespace
  WHERE u.place <= x.indnkeyatts
) AS k (facts, printed)
CROSS JOIN LATERAL (
  SELECT jsonb_agg(a.attname ORDER BY u.place), string_agg(quote_ident(a.attname), ', ' ORDER BY u.place)
  FROM unnest(x.indkey::smallint[]) WITH ORDINALITY AS u (number, place)
  JOIN pg_attribute AS a ON (a.attrelid, a.attnum) = (c.oid, u.number) WHERE u.place > x.indnkeyatts
) AS included (names, printed)
CROSS JOIN LATERAL (
  SELECT string_agg(o.name || '=' || CASE WHEN quote_ident(o.value) = o.value THEN o.value ELSE quote_literal(o.value) END, ', ' ORDER BY o.place)
  FROM (SELECT quote_ident(split_part(entry, '=', 1)), substr(entry, strpos(entry, '=') + 1), place
        FROM unnest(i.reloptions) WITH ORDINALITY AS r (entry, place)) AS o (name, value, place)
) AS options (printed)
WHERE n.nspname = %s AND c.relname = %s AND i.relname = ANY (%s)
ORDER BY i.relname
"""


@dataclass(frozen=True, slots=True)
class IndexKey:
    """One column of the key."""

    column: str
    #: Schema and name, where it is not the column's own.
    collation: tuple[str, str] | None
    #: Schema and name, where it is not the type's default.
    opclass: tuple[str, str] | None
    descending: bool
    nulls_first: bool

    @property
    def sql(self) -> str:
        """As it is in the brackets of CREATE INDEX."""
        parts = [postgres_identifier(self.column)]
        if self.collation is not None:
            parts.append(f"COLLATE {postgres_identifier(*self.collation)}")
        if self.opclass is not None:
            parts.append(postgres_identifier(*self.opclass))
        if self.descending:
            parts.append("DESC" if self.nulls_first else "DESC NULLS LAST")
        elif self.nulls_first:
            parts.append("NULLS FIRST")
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """An index over columns, which guards nothing."""

    name: str
    method: str
    keys: tuple[IndexKey, ...]
    included: tuple[str, ...]
    #: `fillfactor=70`
    options: tuple[str, ...]
    tablespace: str | None
    clustered: bool
    comment: str | None

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> IndexFacts:
        """The facts as READ_INDEX_FACTS and the ledger give them."""
        keys = tuple(
            IndexKey(
                str(key["column"]),
                _pair(key["collation"]),
                _pair(key["opclass"]),
                key["descending"] is True,
                key["nulls_first"] is True,
            )
            for key in document["keys"]
        )
        return cls(
            str(document["name"]),
            str(document["method"]),
            keys,
            tuple(map(str, document["included"] or ())),
            tuple(map(str, document["options"] or ())),
            document["tablespace"],
            document["clustered"] is True,
            document["comment"],
        )

    def build(self, schema: str, table: str) -> list[str]:
        """The same index under the same name, with its tablespace, clustering mark and comment."""
        on, name = postgres_identifier(schema, table), postgres_identifier(schema, self.name)
        included = ", ".join(map(postgres_identifier, self.included))
        pairs = [option.partition("=") for option in self.options]
        options = ", ".join(
            f"{postgres_identifier(key)} = {postgres_literal(value)}" for key, _, value in pairs
        )
        create = (
            f"CREATE INDEX {postgres_identifier(self.name)} ON {on} USING {postgres_identifier(self.method)} "
            f"({', '.join(key.sql for key in self.keys)}){f' INCLUDE ({included})' if included else ''}{f' WITH ({options})' if options else ''}"
        )
        statements = [*build_settings(None, None, self.tablespace), create]
        if self.clustered:
            statements.append(f"ALTER TABLE {on} CLUSTER ON {postgres_identifier(self.name)}")
        if self.comment is not None:
            statements.append(f"COMMENT ON INDEX {name} IS {postgres_literal(self.comment)}")
        return statements


def _pair(names: Any) -> tuple[str, str] | None:
    return None if names is None else (str(names[0]), str(names[1]))
