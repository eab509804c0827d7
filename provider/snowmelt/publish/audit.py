"""Audit columns: by which run a row of the target was written, and when. Pure.

They fill themselves: the default of the one is a parameter of the session, which each transaction that writes rows sets to its run,
that of the other the transaction's time. So every method fills them, a swap carries them over like any column with a default,
and nothing that compares columns of the source sees them.
"""

from __future__ import annotations

from collections.abc import Collection

from snowmelt.sql.names import postgres_identifier

#: Column → its type and its default.
AUDIT_COLUMNS = {
    "_snowmelt_run_id": ("text", "current_setting('snowmelt.run_id', true)"),
    "_snowmelt_loaded_at": ("timestamp with time zone", "now()"),
}
#: Parameter: the run's id. Holds until the transaction's end.
SET_RUN = "SELECT set_config('snowmelt.run_id', %s, true)"


def build_audit_columns(schema: str, table: str, existing: Collection[str] = ()) -> list[str]:
    """The statements that give a table its audit columns; rows that are there have NULL in them.

    :param existing: columns that the table has.
    """
    missing = {name: kind for name, (kind, _) in AUDIT_COLUMNS.items() if name not in existing}
    if not missing:
        return []
    name = postgres_identifier(schema, table)
    columns = {column: postgres_identifier(column) for column in missing}
    # A default that is there when a column is added would be computed for the old rows.
    return [
        f"ALTER TABLE {name} "
        + ", ".join(f"ADD COLUMN IF NOT EXISTS {columns[one]} {kind}" for one, kind in missing.items()),
        f"ALTER TABLE {name} "
        + ", ".join(f"ALTER COLUMN {columns[one]} SET DEFAULT {AUDIT_COLUMNS[one][1]}" for one in missing),
    ]


def build_audit_sets() -> str:
    """What an UPDATE sets besides."""
    return "".join(f", {postgres_identifier(name)} = DEFAULT" for name in AUDIT_COLUMNS)
