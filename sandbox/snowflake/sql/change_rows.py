"""CHANGES: the net difference of a table between two instants, from the row ids that change tracking keeps.

Sources, below docs.snowflake.com/en: sql-reference/constructs/changes (the clause, its end is included, the net delta, no external
tables, refused beyond the retention and where tracking was not on); user-guide/streams-intro (METADATA$ACTION,
METADATA$ISUPDATE, METADATA$ROW_ID; an update is a DELETE and an INSERT, both of METADATA$ISUPDATE; a row that was added and then
updated is an INSERT).

Two things are not documented, and ours: a row that was updated to what it was before is no change; where the columns were
changed in between, they are those of the end, and NULL in rows from before.
"""

from __future__ import annotations

from sandbox.snowflake import errors
from sandbox.snowflake.catalog import sftypes
from sandbox.snowflake.catalog.catalog import Table
from sandbox.snowflake.catalog.companions import ROW_ID
from sandbox.snowflake.catalog.names import quote
from sandbox.snowflake.catalog.store import storage_columns
from sandbox.snowflake.rewriting.scopes import Output, stored_outputs

#: What a query finds beside the table's own columns.
METADATA = [
    Output("METADATA$ACTION", sftypes.TEXT),
    Output("METADATA$ISUPDATE", sftypes.BOOLEAN),
    Output("METADATA$ROW_ID", sftypes.TEXT),
]


def check_kind(table: Table, name: str) -> None:
    """Refuse what is not tracked here."""
    if table.kind != "TABLE" or table.external:
        raise errors.unsupported_changes(table.granted_as.lower(), name)


def check_tracked(table: Table, since: float, name: str) -> None:
    """Refuse an interval that begins before change tracking did."""
    if table.tracked_since is None or since < table.tracked_since:
        raise errors.no_change_tracking(name)


def changes_query(before: tuple[str, Table], after: tuple[str, Table]) -> str:
    """The rows in DuckDB's SQL.

    :param before: what is behind FROM for the rows at the interval's start, and the table as it was then; `after` at its end.
    """
    old, new = _columns(before[1]), _columns(after[1])
    row_id = quote(ROW_ID)
    tests = [
        f"n.{quote(c)} IS DISTINCT FROM o.{quote(c)}" if c in old else f"n.{quote(c)} IS NOT NULL"
        for c in new
    ]
    changed = " OR ".join(tests) or "FALSE"
    inserted = ", ".join(f"n.{quote(c)}" for c in new)
    deleted = ", ".join(f"o.{quote(c)}" if c in old else f"NULL AS {quote(c)}" for c in new)

    def rows(columns: str, action: str, mine: str, other: str, joined: str) -> str:
        return (
            f'SELECT {columns}, \'{action}\' AS "METADATA$ACTION", {other}.{row_id} IS NOT NULL AS "METADATA$ISUPDATE", '
            f'{mine}.{row_id} AS "METADATA$ROW_ID" FROM {joined} ON o.{row_id} = n.{row_id} '
            f"WHERE {other}.{row_id} IS NULL OR {changed}"
        )

    from_new, from_old = f"{after[0]} AS n", f"{before[0]} AS o"
    return (
        rows(inserted, "INSERT", "n", "o", f"{from_new} LEFT JOIN {from_old}")
        + " UNION ALL "
        + rows(deleted, "DELETE", "o", "n", f"{from_old} LEFT JOIN {from_new}")
    )


def changes_outputs(after: Table) -> list[Output]:
    """The columns of the rows."""
    return [*stored_outputs(after.columns), *METADATA]


def _columns(table: Table) -> list[str]:
    return [name for name, _ in storage_columns(table) if name != ROW_ID]
