"""Staging tables: their names, the mark in their comment, the SQL that makes them.

A staging table is in the target's schema, so that a rename publishes it. It is of one of three kinds:

- `copy`: the whole shape of the existing target but its indexes and keys; a swap makes it the target;
- `new`: from the planned columns; any method renames it, because there is no target yet;
- `rows`: the loaded columns alone, with the target's types and NOT NULLs; its rows are inserted into the target.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from snowmelt.publish.table_details import TableDetails
from snowmelt.sql.names import POSTGRES_IDENTIFIER_BYTES, postgres_identifier, postgres_literal
from snowmelt.types.columns import Column, build_add_columns, build_create_table

StagingKind = Literal["copy", "new", "rows"]

#: All names that Snowmelt makes in a target's schema begin so.
PREFIX = "snowmelt_"
_MARK = "snowmelt_staging"
_HASH_DIGITS = 12

#: The first number of every advisory lock that is taken here: it shows in pg_locks.classid.
LOCK_CLASS = 7305196
#: Parameter: a text. Held to the end of the transaction; two texts of one hash wait for each other needlessly, no more.
LOCK_NAME = f"SELECT pg_advisory_xact_lock({LOCK_CLASS}, hashtext(%s))"

#: Parameters: schema or None for all, twice. Every table that carries a mark.
READ_MARKED = f"""
SELECT n.nspname, c.relname, obj_description(c.oid, 'pg_class'), c.reltuples::bigint, pg_total_relation_size(c.oid)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND starts_with(c.relname, '{PREFIX}') AND (%s::text IS NULL OR n.nspname = %s)
  AND obj_description(c.oid, 'pg_class') LIKE '%%"{_MARK}"%%'
ORDER BY n.nspname, c.relname
"""


@dataclass(frozen=True, slots=True)
class StagingMark:
    """The comment of a staging table: whose it is."""

    run_id: str
    schema: str
    table: str
    kind: StagingKind
    #: UTC, ISO 8601.
    created_at: str
    #: Rows that were taken out of it again: of keys that were in several rows (first publish of a merge).
    surplus: int = 0
    #: What it held after that (`Contents.state`); None: nothing was taken out.
    contents: str | None = None

    def to_text(self) -> str:
        """The comment."""
        return json.dumps(
            {
                _MARK: 1,
                "run_id": self.run_id,
                "target": [self.schema, self.table],
                "kind": self.kind,
                "created_at": self.created_at,
                "surplus": self.surplus,
                "contents": self.contents,
            },
            ensure_ascii=False,
        )


@dataclass(frozen=True, slots=True)
class Leftover:
    """A staging table that exists in the database."""

    schema: str
    name: str
    mark: StagingMark
    #: The planner's estimate; None before the first ANALYZE.
    rows: int | None
    #: With TOAST and indexes.
    bytes: int


def parse_mark(comment: str | None) -> StagingMark | None:
    """The mark in a table's comment; None when it is not one of Snowmelt's."""
    try:
        document: Any = json.loads(comment or "")
    except ValueError:
        return None
    if not isinstance(document, Mapping) or document.get(_MARK) != 1:
        return None
    schema, table = document["target"]
    return StagingMark(
        document["run_id"],
        schema,
        table,
        document["kind"],
        document["created_at"],
        document.get("surplus", 0),
        document.get("contents"),
    )


def staging_name(target_table: str, run_id: str) -> str:
    """The one staging table of a run: `snowmelt_<12 hex of target and run>_<as much of the target's name as fits>`."""
    digits = hashlib.sha256(f"{target_table}\x00{run_id}".encode()).hexdigest()[:_HASH_DIGITS]
    head = f"{PREFIX}{digits}_"
    return head + target_table.encode()[: POSTGRES_IDENTIFIER_BYTES - len(head)].decode(errors="ignore")


def temporary_name(staging: str, kind: str, name: str) -> str:
    """What an index, constraint or statistics object is called until the swap; the same for every try.

    :param kind: a letter or word that keeps two objects of one name apart.
    """
    digits = hashlib.sha256(f"{staging}\x00{kind}\x00{name}".encode()).hexdigest()[:24]
    return f"{PREFIX}{digits}_{kind}"


def build_copy(
    schema: str, staging: str, table: str, target: TableDetails, mark: StagingMark, added: Sequence[Column]
) -> list[str]:
    """A table of the target's shape: columns, defaults, checks, identity, generated columns, storage, options, tablespace."""
    name = postgres_identifier(schema, staging)
    method = f" USING {postgres_identifier(target.access_method)}" if target.access_method else ""
    options = [*target.options, *(f"toast.{option}" for option in target.toast_options)]
    storage = f" WITH ({build_options(options)})" if options else ""
    space = f" TABLESPACE {postgres_identifier(target.tablespace)}" if target.tablespace else ""
    unlogged = "UNLOGGED " if target.persistence == "u" else ""
    create = (
        f"CREATE {unlogged}TABLE {name} (LIKE {postgres_identifier(schema, table)} "
        f"INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS){method}{storage}{space}"
    )
    return [
        "SET LOCAL default_tablespace = ''",
        create,
        *build_add_columns(schema, staging, _missing(added, target)),
        build_mark(schema, staging, mark),
    ]


def build_new(schema: str, staging: str, columns: Sequence[Column], mark: StagingMark) -> list[str]:
    """A table from the planned columns; its primary key is made after the load."""
    return [
        *build_create_table(schema, staging, columns, primary_key=False),
        build_mark(schema, staging, mark),
    ]


def build_rows(
    schema: str,
    staging: str,
    table: str,
    columns: Sequence[Column],
    target: TableDetails,
    mark: StagingMark,
    added: Sequence[Column],
    *,
    unlogged: bool,
) -> list[str]:
    """A table of the loaded columns, typed as in the target, and as NOT NULL as they are there."""
    name = postgres_identifier(schema, staging)
    new = _missing(added, target)
    there = [column.target for column in columns if column.target not in {column.target for column in new}]
    strict = {column.name for column in target.columns if column.not_null}
    listed = ", ".join(postgres_identifier(column) for column in there)
    required = ", ".join(
        f"ALTER COLUMN {postgres_identifier(column)} SET NOT NULL" for column in there if column in strict
    )
    words = f"CREATE {'UNLOGGED ' if unlogged else ''}TABLE {name} AS"
    return [
        f"{words} SELECT {listed} FROM {postgres_identifier(schema, table)} WITH NO DATA",
        *([f"ALTER TABLE {name} {required}"] if required else []),
        *build_add_columns(schema, staging, new),
        build_mark(schema, staging, mark),
    ]


def build_options(options: Sequence[str]) -> str:
    """Storage parameters as in reloptions (`fillfactor=70`, `toast.autovacuum_enabled=false`), quoted, for WITH or SET."""
    parts = []
    for option in options:
        key, _, value = option.partition("=")
        name = ".".join(postgres_identifier(part) for part in key.split("."))
        parts.append(f"{name} = {postgres_literal(value)}")
    return ", ".join(parts)


def build_drop(schema: str, staging: str) -> str:
    """DROP TABLE; nothing but its own parts goes with it."""
    return f"DROP TABLE {postgres_identifier(schema, staging)}"


def _missing(added: Sequence[Column], target: TableDetails) -> list[Column]:
    have = {column.name for column in target.columns}
    return [column for column in added if column.target not in have]


def build_mark(schema: str, staging: str, mark: StagingMark) -> str:
    """COMMENT ON TABLE with the mark."""
    return f"COMMENT ON TABLE {postgres_identifier(schema, staging)} IS {postgres_literal(mark.to_text())}"
