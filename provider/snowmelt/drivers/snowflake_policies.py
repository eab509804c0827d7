"""Asking Snowflake for the policies on a source: POLICY_REFERENCES, where the role may, and DESCRIBE TABLE, which shows fewer.

DESCRIBE TABLE names no masking policy that holds by a tag, and no policy on the whole table. POLICY_REFERENCES names what the role
may know of: all of it to the table's owner, to others perhaps a part (docs.snowflake.com/en: sql-reference/sql/desc-table,
sql-reference/functions/policy_references, "Usage notes"). So an empty answer to another role is no proof that there is none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from snowmelt.drivers.snowflake import Connection, SourceObject, read_named_rows, read_rows
from snowmelt.errors import SnowmeltError
from snowmelt.sql.names import TableName, snowflake_identifier, snowflake_literal
from snowmelt.types.columns import SourceColumn
from snowmelt.types.policies import PolicyKind, PolicyUse, SourcePolicies

_KINDS = {kind.value: kind for kind in PolicyKind}


def read_policies(
    connection: Connection, table: TableName, source: SourceObject | None, columns: Collection[SourceColumn]
) -> SourcePolicies:
    """The policies on a source, and why there may be others.

    :param source: what the source is, and whose; None: the role is not told.
    :param columns: as DESCRIBE TABLE shows them.
    """
    role = str(read_rows(connection, "SELECT CURRENT_ROLE()", "Reading the session's role")[0][0] or "<role>")
    described = tuple(
        PolicyUse(PolicyKind.MASKING, column.masked_by, column.name) for column in columns if column.masked_by
    )
    view = source is not None and source.is_view
    try:
        rows = read_named_rows(
            connection, build_references(table, view=view), f"Asking for the policies on {table}"
        )
    except SnowmeltError as error:
        return SourcePolicies(role, described, f"POLICY_REFERENCES was refused ({error})")
    named = tuple(use for row in rows if (use := _parse(row)) is not None)
    columns_named = {use.column for use in named if use.kind is PolicyKind.MASKING}
    uses = (*named, *(use for use in described if use.column not in columns_named))
    return SourcePolicies(role, uses, _find_untold(table, source, role))


def build_references(table: TableName, *, view: bool) -> str:
    """The query for the policies on a table or view. A materialized view is a VIEW, an external table a TABLE."""
    database = snowflake_identifier(table.database)
    domain = "VIEW" if view else "TABLE"
    return (
        f"SELECT POLICY_DB, POLICY_SCHEMA, POLICY_NAME, POLICY_KIND, REF_COLUMN_NAME, TAG_DATABASE, TAG_SCHEMA, TAG_NAME "
        f"FROM TABLE({database}.INFORMATION_SCHEMA.POLICY_REFERENCES("
        f"REF_ENTITY_NAME => {snowflake_literal(table.sql)}, REF_ENTITY_DOMAIN => '{domain}'))"
    )


def _parse(row: Mapping[str, Any]) -> PolicyUse | None:
    """A row of POLICY_REFERENCES; None for a kind that changes nothing of what is read."""
    kind = _KINDS.get(str(row["policy_kind"]))
    if kind is None:
        return None
    tag = _join(row, "tag_database", "tag_schema", "tag_name") if row["tag_name"] is not None else None
    column = None if row["ref_column_name"] is None else str(row["ref_column_name"])
    return PolicyUse(kind, _join(row, "policy_db", "policy_schema", "policy_name"), column, tag)


def _join(row: Mapping[str, Any], *parts: str) -> str:
    return ".".join(str(row[part]) for part in parts)


def _find_untold(table: TableName, source: SourceObject | None, role: str) -> str | None:
    if source is not None and source.is_view:
        return f"{table} is a view, and policies on the tables that it reads are not listed"
    if source is None or source.owner != role:
        owner = (
            f"the owner is {source.owner}" if source is not None and source.owner else "it has no owner here"
        )
        return f"Snowflake lists all policies on {table} to its owner alone, and {owner}"
    return None
